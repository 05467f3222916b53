"""Writes that were sent and wait for the device's own report. Numbers and values only: no bytes, socket or clock.

A write is sent once, by the caller, before it comes here. It ends confirmed by a report of its values, or
unconfirmed after 3 s. Nothing here can send anything again.
"""

from __future__ import annotations

from typing import Dict, List, Mapping

from .events import Dps, DpValue
from .timing import CONFIRM_LIMIT_S, CONFIRM_QUERY_S

NEVER = float("inf")


class Pending:
    """One write: what was asked for, and what of it has not been reported yet."""

    __slots__ = ("asked", "dps", "missing", "sent_s")

    def __init__(self, dps: Dps, sent_s: float) -> None:
        self.dps = dps
        self.missing: Dict[int, DpValue] = dict(dps)
        self.sent_s = sent_s
        self.asked = False


class Writes:
    """The writes of one device, oldest first."""

    def __init__(self) -> None:
        self._pending: List[Pending] = []

    def __len__(self) -> int:
        return len(self._pending)

    def add(self, dps: Dps, now_s: float) -> None:
        """A write has just been sent."""
        self._pending.append(Pending(dps, now_s))

    def report(self, dps: Mapping[int, DpValue]) -> List[Pending]:
        """What the device reports: returns the writes that this completes."""
        done: List[Pending] = []
        for pending in self._pending:
            for dp in [dp for dp, wanted in pending.missing.items() if dp in dps and dps[dp] == wanted]:
                del pending.missing[dp]
            if not pending.missing:
                done.append(pending)
        if done:
            self._pending = [pending for pending in self._pending if pending.missing]
        return done

    def query_due(self, now_s: float) -> bool:
        """Whether a full query is to ask now; true once for each write."""
        due = False
        for pending in self._pending:
            if not pending.asked and now_s >= pending.sent_s + CONFIRM_QUERY_S:
                pending.asked = due = True
        return due

    def expire(self, now_s: float) -> List[Pending]:
        """The writes whose time is over; they are forgotten."""
        late = [pending for pending in self._pending if now_s >= pending.sent_s + CONFIRM_LIMIT_S]
        if late:
            self._pending = [pending for pending in self._pending if pending not in late]
        return late

    def drop_all(self) -> List[Pending]:
        """All writes; they are forgotten."""
        pending, self._pending = self._pending, []
        return pending

    def next_s(self) -> float:
        """When query_due or expire has something to say next."""
        times = [p.sent_s + (CONFIRM_LIMIT_S if p.asked else CONFIRM_QUERY_S) for p in self._pending]
        return min(times, default=NEVER)
