"""Writes that wait for the device's own report: each is sent once and ends in exactly one outcome. No bytes, no clock.

It ends confirmed by a report of its values, or unconfirmed after 3 s (more where this device is known to answer late).
Nothing here can send anything again, and nothing may arrive after its outcome was told: see overdue(). A report that
confirms does not prove that the write has arrived: a click for what is the case already is confirmed by a report that
was on its way, and somebody at the breaker may have switched meanwhile. So a write is looked after until the device has
answered it or something that was sent after it: until then it is `unsettled`, whatever was told of it.
"""

from __future__ import annotations

from typing import Callable, Dict, List, Mapping, NamedTuple, Optional

from ..errors import BadValue, TuyaError
from ..events import Dps, DpValue
from ..limits import (
    CONFIRM_HEARTBEAT_S,
    CONFIRM_LATER,
    CONFIRM_LATEST_S,
    CONFIRM_LIMIT_S,
    CONFIRM_QUERY_S,
    LATE_S,
    PENDING_WRITES,
)
from . import messages
from .session import Session

NEVER = float("inf")
_TRUE, _FALSE = ("true", "on", "1"), ("false", "off", "0")


class Pending:
    """One write: what was asked for, what of it has not been reported yet, and on which connection it was sent."""

    __slots__ = ("asked", "dps", "missing", "number", "pinged", "sent_s", "session")

    def __init__(self, dps: Dps, session: Session, number: int, sent_s: float) -> None:
        self.dps = dps
        self.missing: Dict[int, DpValue] = dict(dps)
        self.session = session
        self.number = number  # of the request, within its session
        self.sent_s = sent_s
        self.asked = False
        self.pinged = False

    def is_open(self, session: Optional[Session]) -> bool:
        """Whether it may still be on its way: sent on this connection, and nothing since was answered."""
        return self.session is session and not self.session.has_answered(self.number)

    def next_s(self, limit_s: float) -> float:
        """When something is due for this write."""
        if not self.asked:
            return self.sent_s + CONFIRM_QUERY_S
        return self.sent_s + (limit_s if self.pinged else min(CONFIRM_HEARTBEAT_S, limit_s))


def _means(reported: DpValue, wanted: DpValue) -> bool:
    """Whether a report says what was wanted; some devices spell booleans as text (0 and 1 are equal to them anyway)."""
    if isinstance(wanted, bool) and isinstance(reported, str):
        return reported.lower() in (_TRUE if wanted else _FALSE)
    return reported == wanted


class Overdue(NamedTuple):
    """Writes whose time is up. stop: they may still be on their way, and the connection must be aborted first."""

    writes: List[Pending]
    stop: bool


class Writes:
    """The writes of one device, oldest first. `done` gets each one's outcome: values, error or None, time.

    answer_s: how long the answers of this device have taken lately, in seconds.
    """

    def __init__(
        self, done: Callable[[Dps, Optional[TuyaError], float], None], answer_s: Callable[[], float] = lambda: 0.0
    ) -> None:
        self._done = done
        self._answer_s = answer_s
        self._pending: List[Pending] = []
        self._unsettled: List[Pending] = []  # told as confirmed, and not known to have arrived

    def __len__(self) -> int:
        """How many may still be on their way."""
        return len(self._pending) + len(self._unsettled)

    def _limit_s(self) -> float:
        answer_s = self._answer_s()
        if answer_s < LATE_S:
            return CONFIRM_LIMIT_S
        # what comes late comes more or less late, and the query that asks goes only after a while
        return min(CONFIRM_LATEST_S, CONFIRM_LATER * answer_s + CONFIRM_QUERY_S)

    def send(self, session: Optional[Session], label: str, dps: Dps, now_s: float) -> None:
        """Hand a write to the session that is up; without one, or with too many under way, it is refused at once."""
        if session is None or not session.up:
            self._done(dps, messages.not_connected(label), now_s)
        elif len(self) >= PENDING_WRITES:
            self._done(dps, messages.too_many_writes(label), now_s)
        else:
            try:
                number = session.write(dps, now_s)
            except BadValue as error:
                self._done(dps, BadValue(label, error.what, error.cure), now_s)
            else:
                self._pending.append(Pending(dps, session, number, now_s))

    def report(self, dps: Mapping[int, DpValue], session: Optional[Session], now_s: float) -> None:
        """What the device reports confirms the writes that it completes. session: the one that is up."""
        done: List[Pending] = []
        for pending in self._pending:
            for dp in [dp for dp, wanted in pending.missing.items() if dp in dps and _means(dps[dp], wanted)]:
                del pending.missing[dp]
            if not pending.missing:
                done.append(pending)
        if done:
            self._pending = [pending for pending in self._pending if pending.missing]
            self._unsettled += [pending for pending in done if pending.is_open(session)]
            for pending in done:
                self._done(pending.dps, None, now_s)

    def _look_after(self, session: Optional[Session]) -> List[Pending]:
        """All writes that something may still have to be done for."""
        if self._unsettled:
            self._unsettled = [pending for pending in self._unsettled if pending.is_open(session)]
        return self._pending + self._unsettled

    def ask(self, session: Optional[Session], now_s: float) -> None:
        """Ask after writes that are not settled: a full query after 1 s, then a heartbeat where that is ignored."""
        if session is None or not session.up:
            return
        query = ping = False
        for pending in self._look_after(session):
            if not pending.asked and now_s >= pending.sent_s + CONFIRM_QUERY_S:
                pending.asked = query = True
            if not pending.pinged and now_s >= pending.sent_s + CONFIRM_HEARTBEAT_S:
                pending.pinged = True
                ping = ping or not session.has_answered(pending.number)
        if query:
            session.ask_now(now_s)
        if ping:
            session.probe(now_s)

    def overdue(self, session: Optional[Session], is_taken: Callable[[], bool], now_s: float) -> Optional[Overdue]:
        """The writes whose time is up, which then wait no longer: stop the connection if need be, then give_up() them.

        A write has arrived where the device has answered something that was sent after it: TCP keeps the order. Bytes
        received prove nothing, because pushes come also while the way to the device is stalled. That the kernel at the
        other end has acknowledged everything (is_taken) proves little: the program behind it may be stalled (a bridge,
        a forwarded port) and read it later. It counts only where this device is known to answer late, which would
        otherwise lose its connection by each click. A write on a connection that is gone was aborted with it.
        One that was confirmed and is not known to have arrived is stopped in the same way, and nothing is told of it.
        """
        limit_s = self._limit_s()
        late = [pending for pending in self._look_after(session) if now_s >= pending.sent_s + limit_s]
        if not late:
            return None
        unconfirmed = [pending for pending in late if pending.missing]
        self._pending = [pending for pending in self._pending if pending not in late]
        self._unsettled = [pending for pending in self._unsettled if pending not in late]
        if not any(pending.is_open(session) for pending in late):
            return Overdue(unconfirmed, stop=False)
        return Overdue(unconfirmed, stop=self._answer_s() < LATE_S or not is_taken())

    def give_up(self, overdue: Overdue, label: str, now_s: float) -> None:
        """Tell that these writes were not confirmed."""
        error = messages.not_confirmed(label, self._limit_s())
        for pending in overdue.writes:
            self._done(pending.dps, error, now_s)

    def drop_all(self, label: str, why: str, now_s: float) -> None:
        """The device is let go: none of them will be confirmed."""
        pending, self._pending = self._pending, []
        self._unsettled = []
        for write in pending:
            self._done(write.dps, messages.given_up(label, why), now_s)

    def next_s(self, *, up: bool) -> float:
        """When there is something to do next. up: there is a session that can be asked."""
        limit_s = self._limit_s()
        if not up:
            return min((pending.sent_s + limit_s for pending in self._pending), default=NEVER)
        return min((pending.next_s(limit_s) for pending in self._pending + self._unsettled), default=NEVER)
