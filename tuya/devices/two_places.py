"""Two that go by one id: a breaker is connected at one address, and announced at another one where it was before.

Up to protocol 3.3 a connection proves little: who recorded a frame can play it back and pose as the breaker while that
is away. Which of the two is real cannot be told from here, so it is only said. Pure.
"""

from __future__ import annotations

from collections import deque
from typing import Deque, Dict, Set

from ..lan import versions
from ..lan.events import Announced, Connected

MAX_PLACES = 4  # of one breaker, remembered


class TwoPlaces:
    """Where the breakers of one front end were connected, since it started."""

    def __init__(self) -> None:
        self._places: Dict[str, Deque[str]] = {}
        self._said: Dict[str, Set[str]] = {}

    def connected(self, event: Connected) -> None:
        """A breaker has answered at this address."""
        places = self._places.setdefault(event.device_id, deque(maxlen=MAX_PLACES))
        if event.address not in places:
            places.append(event.address)

    def drop(self, device_id: str) -> None:
        """A breaker is served no longer."""
        self._places.pop(device_id, None)
        self._said.pop(device_id, None)

    def announced(self, event: Announced, connection: Connected) -> str:
        """Return what is to be said of an announcement while that connection is up, once; "" for nothing."""
        there, here = event.address, connection.address
        if there == here or there not in self._places.get(event.device_id, ()):
            return ""
        row = versions.TABLE.get(connection.version)
        said = self._said.setdefault(event.device_id, set())
        if row is None or row.handshake or there in said:
            return ""
        said.add(there)
        return (
            f"is announced at {there}, where it was before, and connected at {here}: one of the two is not this "
            f"breaker. Protocol {connection.version} cannot prove which one. Look what has these addresses, write the "
            'breaker\'s as "ip" into devices.json, and start anew'
        )
