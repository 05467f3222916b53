"""Which address and which protocol version the next connection tries. Pure rules: no socket, no clock of its own.

Announcements are hints. A false one may cost one failed session, never the way back to what worked before.
"""

from __future__ import annotations

from typing import Dict, List, Optional

from .. import versions
from ..errors import Busy, Mute, ProtocolViolation, TuyaError, WrongKey, WrongVersion

FAILED_MEMORY_S = 10.0  # an address that has just failed is not jumped to again
FAILED_MEMORY_SIZE = 8
DOUBT_STRIKES = 2  # failures in a row: then a known version is doubted and others get every second turn


class Addresses:
    """Candidates: the address that worked last, the one announced last, the configured one."""

    def __init__(self, configured: Optional[str]) -> None:
        self.configured = configured
        self.good: Optional[str] = None
        self.announced: Optional[str] = None
        self._next: Optional[str] = None
        self._owes_good = False
        self._failed: Dict[str, float] = {}

    def target(self) -> Optional[str]:
        """The address to try next, None while none is known."""
        return self._next or self.good or self.announced or self.configured

    def hear(self, address: str, now_s: float) -> bool:
        """An announcement. Returns whether its address is now the next one to try."""
        if address == self.target():
            self.announced = address
            return True
        failed_s = self._failed.get(address)
        if failed_s is not None and now_s - failed_s < FAILED_MEMORY_S:
            return False
        self.announced = address
        if self._owes_good:
            return False
        self._next = address
        return True

    def prefer(self, address: Optional[str]) -> None:
        """The user configured another address."""
        self.configured = address
        if address is not None:
            self._next = address

    def worked(self, address: str) -> None:
        """A session got up at this address."""
        self.good = address
        self._next = None
        self._owes_good = False
        self._failed.clear()

    def failed(self, address: str, now_s: float) -> None:
        """A connection to this address came to nothing: the next candidate has its turn, a proven one first."""
        if len(self._failed) >= FAILED_MEMORY_SIZE:
            self._failed.pop(min(self._failed, key=lambda known: self._failed[known]))
        self._failed[address] = now_s
        self._owes_good = self.good is not None and address != self.good
        if self._owes_good:
            self._next = self.good
            return
        options: List[str] = []
        for option in (self.good, self.announced, self.configured):
            if option is not None and option not in options:
                options.append(option)
        if address in options:
            self._next = options[(options.index(address) + 1) % len(options)]
        else:
            self._next = options[0] if options else None


class Versions:
    """The order of tries. A version is sure when the user fixed it, the device announced it, or it has worked."""

    def __init__(self, given: Optional[str], fixed: bool) -> None:
        self._given = given
        self._fixed = fixed and given is not None
        self._announced: Optional[str] = None
        self._proven: Optional[str] = None
        self._hint: Optional[str] = None
        self._turn = 0
        self._strikes = 0

    @property
    def known(self) -> Optional[str]:
        """What is known or given, None while it is only guessed."""
        return self._proven or self._sure()

    def _sure(self) -> Optional[str]:
        if self._fixed:
            return self._given
        return self._announced or self._proven or self._given

    def current(self) -> str:
        """The version to try next."""
        sure = self._sure()
        if self._fixed and sure is not None:
            return sure
        if self._hint is not None:
            return self._hint
        others: List[str] = []
        for version in (self._proven, self._given, *versions.order()):
            if version is not None and version not in others and version != sure:
                others.append(version)
        if sure is None:
            return others[self._turn % len(others)]
        # once in doubt, every second try is for what was known: Busy and Mute pass by themselves
        if self._strikes < DOUBT_STRIKES or self._turn % 2:
            return sure
        return others[self._turn // 2 % len(others)]

    def is_sure(self, version: str) -> bool:
        """Whether a failure in this version says something about the key rather than about the version."""
        return version in (self._announced, self._proven) or (self._fixed and version == self._given)

    def hear(self, version: str) -> bool:
        """An announced version. Returns whether it is news."""
        if not versions.known(version) or version == self._announced:
            return False
        self._announced = version
        self._turn = self._strikes = 0
        return True

    def worked(self, version: str) -> None:
        """A session got up in this version."""
        self._proven = version
        if self._announced is not None and self._announced != version:
            self._announced = version
        self._hint = None
        self._turn = self._strikes = 0

    def failed(self, version: str, error: TuyaError, hint: str, *, proof: bool) -> None:
        """A session in `version` came to nothing. proof: the error proves that the version was right (a wrong key)."""
        had_hint = self._hint is not None
        self._hint = None
        if hint and not had_hint:
            self._hint = hint
            return
        if proof or not isinstance(error, (Busy, Mute, ProtocolViolation, WrongKey, WrongVersion)):
            return
        if self._sure() is None or self._strikes >= DOUBT_STRIKES:
            self._turn += 1
        else:
            self._strikes += 1
        if self._proven is not None and version != self._proven:
            # what has worked comes next, whatever is announced meanwhile; an announcement that failed is forgotten
            self._hint = self._proven
            if self._announced == version:
                self._announced = None
