"""What a connection says to its device, and what of it was answered: queries, refreshes, heartbeats and writes."""

from __future__ import annotations

from typing import Callable, Mapping, Tuple

from ..device import Habits, Polling
from ..events import DpValue
from ..limits import ASKED_AGAIN_S, NEVER
from ..protocol import payloads
from ..protocol.wire import Wire
from ..versions import DP_QUERY, DP_QUERY_NEW
from .questions import Questions
from .requests import Requests, Sent
from .schedule import Schedule

QUERIES = (DP_QUERY, DP_QUERY_NEW)


class Asking:
    """All that is sent on one connection once the device can be asked. heard_s: when it was last heard.

    requests: what was sent, in numbers. has_reported: data points have come.
    """

    def __init__(
        self, wire: Wire, device_id: str, polling: Polling, habits: Habits, now_s: float, wall_time: Callable[[], float]
    ) -> None:
        self._row = wire.row
        self._device_id = device_id
        self._wall_time = wall_time
        self._questions = Questions(wire.row, device_id, polling, habits)
        self._schedule = Schedule(polling, habits, now_s)
        self._again_s = NEVER
        self.requests = Requests(wire, habits)
        self.has_reported = False

    def begin(self, now_s: float) -> None:
        """From now on the device can be asked, and is."""
        self._schedule.begin(now_s)
        self.query(now_s)

    def set_polling(self, polling: Polling) -> None:
        """Another way of asking from now on."""
        self._schedule.set_polling(polling)
        self._questions.polling = polling

    # -- what is sent

    def query(self, now_s: float) -> None:
        """Ask for everything, whatever the spacing."""
        self._again_s = NEVER
        self._schedule.query_sent(now_s)
        self.requests.send(self._questions.next(self._wall_time(), self.requests.last + 1), now_s)

    def query_soon(self) -> None:
        """Ask for everything as soon as the spacing allows."""
        self._schedule.query_soon()

    def write(self, dps: Mapping[int, DpValue], now_s: float) -> int:
        """Send one control message. Returns its number. Raises BadValue, and then nothing is sent."""
        request = payloads.control(self._row, self._device_id, self._wall_time(), dps)
        number = self.requests.send(request, now_s, tuple(dps))
        self._questions.written(dps)
        return number

    def heartbeat(self, now_s: float) -> None:
        """Ask whether the device is there."""
        self.requests.send(payloads.heartbeat(self._device_id), now_s)

    def _refresh(self, now_s: float) -> None:
        self.requests.send(payloads.refresh(self._schedule.refresh_sent(now_s)), now_s)

    # -- what is answered

    def reported(self, command: int, dps: Mapping[int, DpValue], request: Sent) -> Tuple[bool, int]:
        """A report came. request: what it answers as far as its command tells.

        Returns whether it answers a full query, and the number of what it answers (0: nothing). After a full one
        another query may be due, for what was left out.
        """
        schedule, questions = self._schedule, self._questions
        if dps:
            self.has_reported = True
        full = bool(questions.named) and questions.answers_nulls(dps)
        answers = questions.named_by if full else request.number
        if command in QUERIES:
            full = True
            questions.answered_plainly()
        if full:
            schedule.query_answered()
            if questions.wants_more:
                schedule.query_soon()
        elif schedule.refresh_open:
            schedule.refresh_answered(refused=False)
        return full, answers

    def refused(self, now_s: float) -> None:
        """A query was refused in words: the device sleeps, or wants its data points named."""
        if self._questions.refused():
            self.query(now_s)
        elif not self.has_reported and self._schedule.unanswered_queries < 2:
            self._again_s = now_s + ASKED_AGAIN_S

    def refresh_answered(self, *, refused: bool) -> None:
        """An UPDATEDPS was acknowledged, or refused."""
        self._schedule.refresh_answered(refused=refused)

    def wake(self, now_s: float) -> None:
        """The device lives and has not reported: UPDATEDPS wakes some, where it may be sent."""
        if not self.has_reported and self._schedule.may_wake(now_s):
            self._refresh(now_s)

    @property
    def refreshed_s(self) -> float:
        """When the last UPDATEDPS was sent (minus infinity: never)."""
        return self._schedule.refreshed_s

    @property
    def answers_queries(self) -> bool:
        """Whether the last full query was answered."""
        return not self._schedule.unanswered_queries

    # -- time

    def is_lost(self, now_s: float, heard_s: float) -> bool:
        """Whether heartbeats have stayed unanswered for long enough."""
        return self._schedule.is_lost(now_s, heard_s)

    def tick(self, now_s: float, heard_s: float) -> None:
        """Send what is due."""
        schedule = self._schedule
        if schedule.heartbeat_due(now_s, heard_s):
            self.heartbeat(now_s)
        if now_s >= self._again_s or schedule.query_due(now_s):
            self.query(now_s)
        elif schedule.refresh_due(now_s):
            self._refresh(now_s)

    def next_s(self, heard_s: float) -> float:
        """When something is due."""
        return min(self._schedule.next_s(heard_s), self._again_s)
