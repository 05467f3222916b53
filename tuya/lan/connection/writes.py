"""Writes that wait for the device's own report: each is sent once and ends in exactly one outcome. No bytes, no clock.

It ends confirmed by a report of its values, or unconfirmed after 3 s (more where this device is known to answer late).
Nothing here can send anything again, and nothing may arrive after its outcome was told: see overdue().

A report confirms where it tells something: the state has changed to what was wanted, which no earlier write can have
done. Where it was the case already (a second click; on, off and on again within a second; a relay that has tripped and
whose report is late), what was last reported proves nothing, and an acknowledgement even less: it is not the device's
word about its state. Then it takes what the device has said since, and 1 s in which it says nothing else: an answer to
a query that was sent after the acknowledgement; without one, two answers to queries that were sent after the write, or
a push and one such answer; and where queries are not answered, a push after the write that nothing has contradicted for
2 s, if the device has read the write. One that wants the opposite of an earlier write waits for that one's end, and
needs its own acknowledgement: the device may answer at once and obey late. Of several data points one that tells
something is enough: a device takes a message as a whole.

Answers may be older than pushes: there are devices that answer a query with what was the case some seconds ago. So an
answer to a query that takes back what was pushed a moment before confirms nothing that was written since; a device that
pushes will push again. And devices with a motor obey late without a push: so there is another look behind the end of
each write.

Also a report that tells something does not prove that the write has arrived: somebody at the breaker may have switched.
So a write is looked after until the device has answered it or something that was sent after it: until then it is
`unsettled`, whatever was told of it.
"""

from __future__ import annotations

from typing import Callable, Collection, Dict, List, Mapping, NamedTuple, Optional, Set, Tuple

from ..errors import BadValue, TuyaError
from ..events import Dps, DpValue
from ..limits import (
    CONFIRM_HEARTBEAT_S,
    CONFIRM_LATER,
    CONFIRM_LATEST_S,
    CONFIRM_LIMIT_S,
    CONFIRM_QUERY_S,
    LATE_S,
    LOOK_AGAIN_S,
    NEVER,
    PENDING_WRITES,
    STALE_ANSWER_S,
    TokenBucket,
)
from . import messages
from .pending import Pending, has_fallen, means
from .session import Session

REMEMBERED_DPS = 256  # more than devices have
ASK_AGAIN_S = 0.5


class Overdue(NamedTuple):
    """Writes whose time is up. stop: they may still be on their way, and the connection must be aborted first."""

    writes: List[Pending]
    stop: bool


class Writes:
    """The writes of one device, oldest first. `done` gets each one's outcome: values, error or None, time.

    answer_s: how long the answers of this device have taken lately, in seconds.
    falling_dps: data points that count down by themselves, in seconds.
    """

    def __init__(
        self,
        done: Callable[[Dps, Optional[TuyaError], float], None],
        answer_s: Callable[[], float] = lambda: 0.0,
        falling_dps: Callable[[], Collection[int]] = lambda: (),
    ) -> None:
        self._done = done
        self._answer_s = answer_s
        self._falling_dps = falling_dps
        self._said: Dict[int, DpValue] = {}  # what the device has last reported
        self._pushed: Dict[int, Tuple[DpValue, float]] = {}  # of what was written: what was last pushed, and when
        self._watched: Set[int] = set()  # what was ever written
        self._asks = TokenBucket(ASK_AGAIN_S, 1)  # queries because of an acknowledgement
        self._look_s = NEVER  # the last look at what became of them
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
                pending = Pending(dps, session, number, now_s)
                if len(self._watched) > REMEMBERED_DPS:
                    self._watched.clear()
                self._watched.update(dps)
                pending.shown = {dp for dp, wanted in dps.items() if self._is_said(dp, wanted)}
                pending.telling = {dp for dp, wanted in dps.items() if self._tells(dp, wanted)}
                pending.was_shown = pending.is_shown
                pending.hasty = any(one.contradicts(pending) for one in self._pending)
                self._pending.append(pending)

    def _tells(self, dp: int, wanted: DpValue) -> bool:
        """Whether a report of this value would be the work of a write that is sent now, or of its like just before."""
        before = [earlier.dps[dp] for earlier in self._pending if dp in earlier.dps]
        while before and means(before[-1], wanted):
            before.pop()
        return not self._is_said(dp, wanted) and not any(means(value, wanted) for value in before)

    def _is_said(self, dp: int, wanted: DpValue) -> bool:
        return dp in self._said and means(self._said[dp], wanted)

    def report(
        self,
        dps: Mapping[int, DpValue],
        session: Optional[Session],
        now_s: float,
        *,
        fresh: bool,
        answer: Optional[int],
    ) -> None:
        """What the device reports confirms the writes that it completes.

        session: the one that is up. fresh: nothing shows that the report is an old one. answer: number of the query
        that it answers, 0 where that is not known; None where it answers none.
        """
        if fresh and answer is None and self._watched:
            for dp in self._watched & dps.keys():
                self._pushed[dp] = (dps[dp], now_s)
        if self._pending and fresh:
            for place, pending in enumerate(self._pending):
                for dp in pending.dps.keys() & dps.keys():
                    if answer is not None and self._takes_back(pending, dp, dps[dp], now_s):
                        continue
                    self._compare(pending, dp, dps[dp], answer, now_s, self._pending[:place])
                pending.was_shown = pending.was_shown or pending.is_shown
            self.confirm(session, now_s)
        self._said.update(dps)
        if len(self._said) > REMEMBERED_DPS:
            self._said.clear()

    def _takes_back(self, pending: Pending, dp: int, value: DpValue, now_s: float) -> bool:
        """Whether an answer shows what was wanted, and so soon after another push that it may be older than that."""
        pushed, pushed_s = self._pushed.get(dp, (value, -NEVER))
        wanted = pending.dps[dp]
        return now_s - pushed_s < STALE_ANSWER_S and means(value, wanted) and not means(pushed, wanted)

    def _compare(
        self, pending: Pending, dp: int, value: DpValue, answer: Optional[int], now_s: float, earlier: List[Pending]
    ) -> None:
        """Note what a data point that was written is reported as. earlier: writes before this one."""
        wanted = pending.dps[dp]
        falls = dp in self._falling_dps() and not self._is_said(dp, value)
        if means(value, wanted) or (falls and has_fallen(value, wanted, now_s - pending.sent_s)):
            pending.says_so(dp, answer)
            return
        pending.says_otherwise(dp)
        if not any(dp in one.dps and means(one.dps[dp], wanted) for one in earlier):
            pending.telling.add(dp)  # else what comes next may be that one's work
        if not self._is_said(dp, value):
            pending.instead[dp] = value

    def confirm(self, session: Optional[Session], now_s: float) -> None:
        """Tell of the writes that are done, oldest first; after each message, which may acknowledge one."""
        self._ask_after(session, now_s)
        done: List[Pending] = []
        left: List[Pending] = []
        for pending in self._pending:
            if pending.is_shown and pending.telling:
                # it has worked: those before it that wanted what was the case until then are no longer open
                done += [one for one in left if one.was_shown and one.contradicts(pending)]
                left = [one for one in left if one not in done]
                done.append(pending)
            elif (
                pending.is_shown
                and not any(one.contradicts(pending) for one in left)
                and pending.session is session
                and (pending.read_to is not None or not pending.hasty)
                and pending.is_proven(now_s)
            ):
                done.append(pending)
            else:
                left.append(pending)
        if not done:
            return
        self._pending = left
        for pending in done:
            pending.confirmed = True
            self._look_s = min(self._look_s, pending.sent_s + LOOK_AGAIN_S)
        self._unsettled += [pending for pending in done if pending.is_open(session)]
        for pending in done:
            self._done(pending.dps, None, now_s)

    def _ask_after(self, session: Optional[Session], now_s: float) -> None:
        """Note which writes were acknowledged, and ask at once what became of those of which a report tells nothing."""
        if session is None or not session.up:
            return
        ask = False
        for pending in self._pending:
            if not pending.read and pending.session is session and session.has_acknowledged(pending.number):
                pending.read = True
                ask = ask or not pending.telling
                if not session.requests.error(pending.number):
                    pending.read_to = session.requests.last
        if ask and self._asks.take(now_s):  # of a burst the others are asked after with the first one
            session.ask_now(now_s)

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
        if now_s >= self._look_s:
            self._look_s = NEVER
            session.ask_soon()
        look_after = self._look_after(session)
        if any(now_s >= pending.ask_s for pending in look_after):
            self.confirm(session, now_s)  # nothing has contradicted for so long
            look_after = self._look_after(session)
        for pending in look_after:
            if now_s >= pending.ask_s:
                query = query or not pending.asks or session.answers_queries
                pending.asks += 1
            if not pending.pinged and now_s >= pending.sent_s + CONFIRM_HEARTBEAT_S:
                pending.pinged = True
                ping = ping or not session.requests.has(pending.number)
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
        unconfirmed = [pending for pending in late if not pending.confirmed]
        self._pending = [pending for pending in self._pending if pending not in late]
        self._unsettled = [pending for pending in self._unsettled if pending not in late]
        if not any(pending.is_open(session) for pending in late):
            return Overdue(unconfirmed, stop=False)
        return Overdue(unconfirmed, stop=self._answer_s() < LATE_S or not is_taken())

    def give_up(self, overdue: Overdue, label: str, now_s: float) -> None:
        """Tell that these writes were not confirmed."""
        self._look_s = now_s
        for pending in overdue.writes:
            session = pending.session
            error = messages.not_confirmed(
                label,
                now_s - pending.sent_s,
                pending.dps,
                pending.instead,
                missing=pending.dps.keys() - pending.shown,
                unsaid=not (pending.telling or pending.answered or pending.pushed),
                code=session.requests.error(pending.number),
                proves_key=session.proves_key,
            )
            self._done(pending.dps, error, now_s)

    def drop_all(self, label: str, why: str, now_s: float) -> None:
        """The device is let go: none of them will be confirmed."""
        pending, self._pending = self._pending, []
        self._unsettled = []
        self._pushed.clear()
        self._look_s = NEVER
        for write in pending:
            self._done(write.dps, messages.given_up(label, why), now_s)

    def next_s(self, *, up: bool) -> float:
        """When there is something to do next. up: there is a session that can be asked."""
        limit_s = self._limit_s()
        if not up:
            return min((pending.sent_s + limit_s for pending in self._pending), default=NEVER)
        return min([self._look_s, *(pending.next_s(limit_s) for pending in self._pending + self._unsettled)])
