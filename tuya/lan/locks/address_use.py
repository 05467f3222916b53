"""Who holds which address, and when connections were closed: shared by all links of a client. No socket, no clock.

A breaker takes one connection, and a second one soon after the first can wedge it until its power is cycled. Two
entries that name one address (a stale one after the router has dealt anew, a false announcement) must not do that.
"""

from __future__ import annotations

from typing import Callable, Dict, List, NamedTuple, Optional, Set, Tuple, Union

from ..limits import (
    CLOSED_STRAY_S,
    NEVER,
    OPENING_LIMIT_S,
    PAUSE_MAX_S,
    STRAY_S,
    STRAY_TIMES,
    Window,
)

Place = Tuple[str, int]  # address and TCP port
REMEMBERED_PLACES = 256
STRANGER = "a device that another program or hardware serves"


class Holder(NamedTuple):
    """The other device that has a place. proven: it has answered there under its own key."""

    label: str
    proven: bool


class Stray:
    """Something answers at a place, and not as the device that is expected there. Times are the client's.

    times: how often it did not, and it was more than a connection that is closed at once, as by a device that somebody
    else holds.
    """

    def __init__(self, expected: str, now_s: float) -> None:
        self.expected = expected
        self.since_s = self.last_s = now_s
        self.times = 0

    def is_one(self, now_s: float) -> bool:
        """Whether that is so still, and often or long enough for what it is worth."""
        if now_s - self.last_s > STRAY_S:
            return False
        return self.times >= STRAY_TIMES or now_s - self.since_s >= CLOSED_STRAY_S


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
        self._since_s: Dict[Place, float] = {}  # when what is held, or was until just now, was taken
        self._strays: Dict[Place, Stray] = {}
        self._contacts: Dict[Place, Window] = {}  # those that were answered, whoever made them
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

    def another_may_be(self, device_id: str, now_s: float) -> bool:
        """Whether another device is not known to be where it is expected: it may be at this one's address.

        One that is connected since a moment may still turn out to be something else.
        """
        return any(
            self._held.get(place) != other
            or self._proven.get(place) != other
            or now_s - self._since_s[place] < OPENING_LIMIT_S
            for other, (_, place) in self._wanted.items()
            if other != device_id
        )

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

    def take(self, device_id: str, place: Place, now_s: float) -> None:
        """A connection to this place, which was claimed, begins."""
        self._held[place] = device_id
        self._since_s[place] = now_s

    def worked(self, device_id: str, place: Place) -> None:
        """The device has answered there."""
        self._count(place)
        self._strays.pop(place, None)
        if self._proven.get(place) != device_id:
            self._proven = {known: who for known, who in self._proven.items() if who != device_id}
            self._proven[place] = device_id

    def disproved(self, device_id: str, place: Place, now_s: float, *, at_home: bool, certain: bool) -> None:
        """What takes connections there did not answer as this device.

        at_home: it is expected there (not just announced, or looked for). certain: it was not merely closed.
        """
        if self._proven.get(place) == device_id:
            del self._proven[place]
        self._count(place)
        if at_home:
            self._strays = {known: stray for known, stray in self._strays.items() if now_s - stray.last_s <= STRAY_S}
            stray = self._strays.setdefault(place, Stray(device_id, now_s))
            stray.last_s = now_s
            stray.times += certain

    def _count(self, place: Place) -> None:
        """What answers at a place was contacted."""
        if place not in self._contacts and len(self._contacts) >= REMEMBERED_PLACES:
            del self._contacts[next(iter(self._contacts))]
        self._contacts.setdefault(place, Window()).begun_s.append(self._since_s.get(place, -NEVER))

    def next_s(self, place: Place) -> float:
        """When a place may be contacted next: whichever device is looked for, what answers there is one device."""
        contacts = self._contacts.get(place)
        return -NEVER if contacts is None else contacts.next_s()

    def strays(self, device_id: str, home: Place, now_s: float) -> List[str]:
        """Addresses at which this device may be, because what answers there is not the device that is expected.

        Routers deal addresses anew, and not everywhere can announcements be heard. Nowhere, as long as nothing shows
        that it is not at home; places in use are left out.
        """
        own = self._strays.get(home)
        lives_there = self._proven.get(home, device_id)
        if lives_there == device_id and (own is None or own.expected != device_id or not own.is_one(now_s)):
            return []
        return [
            place[0]
            for place, stray in self._strays.items()
            if stray.expected != device_id and place[1] == home[1] and place not in self._held and stray.is_one(now_s)
        ]

    def others_doubt(self, device_id: str, now_s: float) -> bool:
        """Whether another device has not answered where it is expected, so that this one may be there, and it here."""
        return any(stray.expected != device_id and stray.is_one(now_s) for stray in self._strays.values())

    def leave(self, device_id: str, now_s: float) -> None:
        """The device's connection is closed; the pause begins, for the device and for the place."""
        place = self._wanted[device_id][1] if device_id in self._wanted else None
        if place is None or self._held.get(place) != device_id:
            return
        del self._held[place]
        self._since_s = {what: at_s for what, at_s in self._since_s.items() if what in self._held or what == place}
        self._release(place)
        self._closed_s = {what: at_s for what, at_s in self._closed_s.items() if now_s - at_s < PAUSE_MAX_S}
        self._closed_s[device_id] = self._closed_s[place] = now_s

    def forget(self, device_id: str) -> None:
        """The device is no longer served and holds no connection. Its last pause stays known."""
        self._wanted.pop(device_id, None)
        self._strays = {place: stray for place, stray in self._strays.items() if stray.expected != device_id}
        self._proven = {known: who for known, who in self._proven.items() if who != device_id}

    def recall(self, device_id: str, closed_s: float) -> None:
        """The device's connection was closed at that time by somebody else (another process, a client before)."""
        self._closed_s[device_id] = max(closed_s, self._closed_s.get(device_id, -NEVER))

    def closed_s(self, device_id: str, place: Optional[Place] = None) -> float:
        """When the last connection of the device, or to the place, was closed; minus infinity if long ago."""
        closed_s = self._closed_s.get(device_id, -NEVER)
        return closed_s if place is None else max(closed_s, self._closed_s.get(place, -NEVER))
