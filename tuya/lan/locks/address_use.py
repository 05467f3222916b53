"""Who holds which address, and when connections were closed: shared by all links of a client. No socket, no clock.

A breaker takes one connection, and a second one soon after the first can wedge it until its power is cycled. Two
entries that name one address (a stale one after the router has dealt anew, a false announcement) must not do that.
"""

from __future__ import annotations

from typing import Callable, Dict, NamedTuple, Optional, Set, Tuple, Union

from ..limits import PAUSE_MAX_S

NEVER = float("inf")
Place = Tuple[str, int]  # address and TCP port
STRANGER = "a device that another program or hardware serves"


class Holder(NamedTuple):
    """The other device that has a place. proven: it has answered there under its own key."""

    label: str
    proven: bool


class Places:
    """All times are seconds on the client's clock.

    claim: asked before a connection whether a place is free beyond this client; release: told when it is closed.
    """

    def __init__(
        self,
        claim: Callable[[Place], bool] = lambda _place: True,
        release: Callable[[Place], None] = lambda _place: None,
    ) -> None:
        self._claim = claim
        self._release = release
        self._wanted: Dict[str, Tuple[str, Place]] = {}  # device id -> its label, the place it tries or holds
        self._held: Dict[Place, str] = {}
        self._strange: Set[Place] = set()  # where a stranger was connected at the last look
        self._proven: Dict[Place, str] = {}
        self._closed_s: Dict[Union[str, Place], float] = {}

    def want(self, device_id: str, label: str, place: Place) -> None:
        """A device is going to connect there as soon as it may."""
        self._wanted[device_id] = (label, place)

    def holder(self, device_id: str, place: Place, *, announced: bool) -> Optional[Holder]:
        """The other device that keeps this one away. announced: this one is said to be there, so it may be tried.

        Who has answered at a place keeps it also between two connections, while it tries that place.
        """
        held = self._held.get(place)
        proven = self._proven.get(place)
        if held is not None and held != device_id:
            return Holder(self._wanted[held][0], held == proven)
        if proven is None or proven == device_id or announced:
            return None
        label, wanted = self._wanted[proven]
        return Holder(label, True) if wanted == place else None

    def rival(self, device_id: str, place: Place) -> Optional[str]:
        """The label of another device that is expected at the same place."""
        for other, (label, wanted) in self._wanted.items():
            if wanted == place and other != device_id:
                return label
        return None

    def claim(self, place: Place, now_s: float) -> Optional[Holder]:
        """Keep strangers on this machine away from a place; the one who has it, where it is too late.

        Whose connection was there at the last look may have closed it just now: the pause begins.
        """
        if not self._claim(place):
            self._strange.add(place)
            return Holder(STRANGER, False)
        if place in self._strange:
            self._strange.remove(place)
            self._closed_s[place] = now_s
        return None

    def unclaim(self, place: Place) -> None:
        """Not yet: others may have it meanwhile."""
        self._release(place)

    def take(self, device_id: str, place: Place) -> None:
        """A connection to this place, which was claimed, begins."""
        self._held[place] = device_id

    def worked(self, device_id: str, place: Place) -> None:
        """The device has answered there."""
        if self._proven.get(place) != device_id:
            self._proven = {known: who for known, who in self._proven.items() if who != device_id}
            self._proven[place] = device_id

    def disproved(self, device_id: str, place: Place) -> None:
        """What takes connections there did not answer as this device."""
        if self._proven.get(place) == device_id:
            del self._proven[place]

    def leave(self, device_id: str, now_s: float) -> None:
        """The device's connection is closed; the pause begins, for the device and for the place."""
        place = self._wanted[device_id][1] if device_id in self._wanted else None
        if place is None or self._held.get(place) != device_id:
            return
        del self._held[place]
        self._release(place)
        self._closed_s = {what: at_s for what, at_s in self._closed_s.items() if now_s - at_s < PAUSE_MAX_S}
        self._closed_s[device_id] = self._closed_s[place] = now_s

    def forget(self, device_id: str) -> None:
        """The device is no longer served and holds no connection. Its last pause stays known."""
        self._wanted.pop(device_id, None)
        self._proven = {known: who for known, who in self._proven.items() if who != device_id}

    def recall(self, device_id: str, closed_s: float) -> None:
        """The device's connection was closed at that time by somebody else (another process, a client before)."""
        self._closed_s[device_id] = max(closed_s, self._closed_s.get(device_id, -NEVER))

    def closed_s(self, device_id: str, place: Optional[Place] = None) -> float:
        """When the last connection of the device, or to the place, was closed; minus infinity if long ago."""
        closed_s = self._closed_s.get(device_id, -NEVER)
        return closed_s if place is None else max(closed_s, self._closed_s.get(place, -NEVER))
