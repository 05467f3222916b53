"""Which failures of a device are told, and when: once, and again when the diagnosis changes. No socket, no clock."""

from __future__ import annotations

from typing import Callable, Dict, Optional, Type

from ..errors import Busy, Mute, ProtocolViolation, TuyaError, WrongKey, WrongVersion
from ..limits import FIRST_VERDICT_S, NEVER

# how much a session that did not get up tells; what is not listed is not about a session
_TELLS: Dict[Type[TuyaError], int] = {Mute: 0, Busy: 0, ProtocolViolation: 1, WrongVersion: 2, WrongKey: 3}
_PROOF_TELLS = 4
SAID_AGAIN_S = 600.0  # of two diagnoses that alternate, each is told no more often than this


class Diagnosis:
    """The running diagnosis of one device. `tell` gets each error that is news, with its time."""

    def __init__(self, tell: Callable[[TuyaError, float], None]) -> None:
        self._tell = tell
        self._started_s = 0.0
        self._open = False
        self._last: Optional[Type[TuyaError]] = None
        self._said: Dict[Type[TuyaError], float] = {}
        self._version = ""
        self._told = -1  # how much the standing diagnosis says

    def begin(self, now_s: float) -> None:
        """A start, or settings that changed: the next failure is news, and one is due soon."""
        self._started_s = now_s
        self._open = True
        self.forget()

    def all_is_well(self) -> None:
        """Connected; the next failure is news."""
        self._open = False
        self.forget()

    def forget(self) -> None:
        """The next failure is news, whatever was told before."""
        self._last = None
        self._said.clear()
        self._told = -1

    def outweighs(self, error: TuyaError, version: str, *, sure: bool, proof: bool) -> bool:
        """Whether the failure of a session in `version` becomes the diagnosis.

        A guess of another version that fails with less to say leaves the better diagnosis standing. sure: it is no
        guess (chosen, announced, has worked). proof: the local key is wrong for certain.
        """
        tells = _PROOF_TELLS if proof else _TELLS.get(type(error), -1)
        guess = not sure and version != self._version and tells >= 0 and self._told >= 0
        if guess and (tells <= self._told or isinstance(error, WrongVersion)):
            return False
        self._version, self._told = version, tells
        return True

    def tell_failure(self, error: TuyaError, now_s: float) -> None:
        """A try failed with this diagnosis."""
        kind = type(error)
        self._open = False
        if kind is not self._last and now_s >= self._said.get(kind, -NEVER) + SAID_AGAIN_S:
            self._said[kind] = now_s
            self._tell(error, now_s)
        self._last = kind

    def verdict_due(self, now_s: float) -> bool:
        """Whether something must be said now although nothing is certain."""
        return self._open and now_s >= self._started_s + FIRST_VERDICT_S

    def waits(self, now_s: float, limit_s: float) -> bool:
        """Whether nothing was said yet and `limit_s` have passed since the start."""
        return self._open and now_s >= self._started_s + limit_s

    def next_s(self, limit_s: float) -> float:
        """When waits(limit_s) becomes true, if it still can."""
        return self._started_s + limit_s if self._open else NEVER
