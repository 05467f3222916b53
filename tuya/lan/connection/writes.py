"""Writes that wait for the device's own report: each is sent once and ends in exactly one outcome. No bytes, no clock.

It ends confirmed by a report of its values, or unconfirmed after 3 s. Nothing here can send anything again.
"""

from __future__ import annotations

from typing import Callable, Dict, List, Mapping, Optional

from ..errors import BadValue, TuyaError
from ..events import Dps, DpValue
from ..limits import CONFIRM_LIMIT_S, CONFIRM_QUERY_S, PENDING_WRITES
from . import messages
from .session import Session

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
    """The writes of one device, oldest first. `done` gets each one's outcome: values, error or None, time."""

    def __init__(self, done: Callable[[Dps, Optional[TuyaError], float], None]) -> None:
        self._done = done
        self._pending: List[Pending] = []

    def __len__(self) -> int:
        return len(self._pending)

    def send(self, session: Optional[Session], label: str, dps: Dps, now_s: float) -> None:
        """Hand a write to the session that is up; without one, or with too many under way, it is refused at once."""
        if session is None or not session.up:
            self._done(dps, messages.not_connected(label), now_s)
        elif len(self._pending) >= PENDING_WRITES:
            self._done(dps, messages.too_many_writes(label), now_s)
        else:
            try:
                session.write(dps, now_s)
            except BadValue as error:
                self._done(dps, BadValue(label, error.what, error.cure), now_s)
            else:
                self._pending.append(Pending(dps, now_s))

    def report(self, dps: Mapping[int, DpValue], now_s: float) -> None:
        """What the device reports confirms the writes that it completes."""
        done: List[Pending] = []
        for pending in self._pending:
            for dp in [dp for dp, wanted in pending.missing.items() if dp in dps and dps[dp] == wanted]:
                del pending.missing[dp]
            if not pending.missing:
                done.append(pending)
        if done:
            self._pending = [pending for pending in self._pending if pending.missing]
            for pending in done:
                self._done(pending.dps, None, now_s)

    def tick(self, session: Optional[Session], label: str, now_s: float) -> bool:
        """Ask after a write, or give it up. Returns whether the connection is dead: not one byte since a write."""
        dead = False
        up = session if session is not None and session.up else None
        if self._query_due(now_s) and up is not None:
            up.ask_now(now_s)
        late = [pending for pending in self._pending if now_s >= pending.sent_s + CONFIRM_LIMIT_S]
        if late:
            self._pending = [pending for pending in self._pending if pending not in late]
        for pending in late:
            self._done(pending.dps, messages.not_confirmed(label), now_s)
            dead = dead or (up is not None and up.progress_s <= pending.sent_s)
        return dead

    def _query_due(self, now_s: float) -> bool:
        due = False
        for pending in self._pending:
            if not pending.asked and now_s >= pending.sent_s + CONFIRM_QUERY_S:
                pending.asked = due = True
        return due

    def drop_all(self, label: str, why: str, now_s: float) -> None:
        """The device is let go: none of them will be confirmed."""
        pending, self._pending = self._pending, []
        for write in pending:
            self._done(write.dps, messages.given_up(label, why), now_s)

    def next_s(self) -> float:
        """When tick() has something to do next."""
        times = [p.sent_s + (CONFIRM_LIMIT_S if p.asked else CONFIRM_QUERY_S) for p in self._pending]
        return min(times, default=NEVER)
