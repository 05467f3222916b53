"""Which failures of a device are told, and when: once, and again when the diagnosis changes. No socket, no clock."""

from __future__ import annotations

from typing import Callable, Dict, Optional, Type

from .errors import TuyaError
from .timing import FIRST_VERDICT_S

NEVER = float("inf")
SAID_AGAIN_S = 600.0  # of two diagnoses that alternate, each is told no more often than this


class Diagnosis:
    """The running diagnosis of one device. `tell` gets each error that is news, with its time."""

    def __init__(self, tell: Callable[[TuyaError, float], None]) -> None:
        self._tell = tell
        self._started_s = 0.0
        self._open = False
        self._last: Optional[Type[TuyaError]] = None
        self._said: Dict[Type[TuyaError], float] = {}

    def begin(self, now_s: float) -> None:
        """A start, or settings that changed: the next failure is news, and one is due soon."""
        self._started_s = now_s
        self._open = True
        self._last = None
        self._said.clear()

    def connected(self) -> None:
        """All is well; the next failure is news."""
        self._open = False
        self._last = None
        self._said.clear()

    def failed(self, error: TuyaError, now_s: float) -> None:
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
