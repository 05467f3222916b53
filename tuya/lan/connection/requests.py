"""What a connection has sent, which of it was answered, and how long answers take.

Answers are not in step with requests, so they are matched by their command alone, the oldest request first.
"""

from __future__ import annotations

import collections
from typing import Collection, Deque, Dict, NamedTuple, Tuple

from ..device import Habits
from ..limits import NEVER
from ..protocol.payloads import Request
from ..protocol.wire import Wire

REMEMBERED_S = 30.0  # a request without an answer for so long will have none
REQUESTS_A_COMMAND = 64  # more than writes may wait: a forgotten one would lend its answer to a later one
QUICKER_COUNTS = 0.25  # of a quicker answer: how much of the difference the known time comes down


class Sent(NamedTuple):
    """A request. number: counted from 1. writes: the data points that it sets."""

    number: int
    at_s: float
    writes: Collection[int] = ()


NONE = Sent(0, -NEVER)


class Requests:
    """The requests of one connection, numbered as they are sent, and which of them are not answered yet."""

    def __init__(self, wire: Wire, habits: Habits) -> None:
        self._wire = wire
        self._habits = habits
        self.outgoing = bytearray()
        self._sent = 0
        self._answered = 0
        self._errors: Deque[Tuple[int, int]] = collections.deque(maxlen=REQUESTS_A_COMMAND)  # numbers, return codes
        self._acknowledged: Dict[int, int] = {}  # by command: the number of the last one that was answered itself
        self.waiting: Dict[int, Deque[Sent]] = {}  # by command

    def take(self) -> bytes:
        """Bytes to send now, each once."""
        if not self.outgoing:
            return b""
        data = bytes(self.outgoing)
        self.outgoing.clear()
        return data

    def send(self, request: Request, now_s: float, writes: Collection[int] = ()) -> int:
        """Put a request into take(). Returns its number. Raises BadValue, and then nothing is sent."""
        command, payload = request
        self.outgoing += self._wire.pack(command, payload)
        self._sent += 1
        waiting = self.waiting.setdefault(command, collections.deque(maxlen=REQUESTS_A_COMMAND))
        while waiting and now_s - waiting[0].at_s > REMEMBERED_S:
            waiting.popleft()
        waiting.append(Sent(self._sent, now_s, writes))
        return self._sent

    @property
    def last(self) -> int:
        """The number of the last request; 0 before the first."""
        return self._sent

    def heard(self, command: int, code: int, now_s: float) -> Sent:
        """A message with this command came: the answer to the oldest request by it, which is returned, or NONE.

        code: its return code.
        """
        waiting = self.waiting.get(command)
        if not waiting:
            return NONE
        took_s = now_s - waiting[-1].at_s
        request = waiting.popleft()
        self._acknowledged[command] = request.number
        self._answered = max(self._answered, request.number)
        if code:
            self._errors.append((request.number, code))
        habits = self._habits
        if took_s < habits.answer_s:
            took_s += (habits.answer_s - took_s) * (1.0 - QUICKER_COUNTS)
        habits.answer_s = took_s
        habits.has_answered = True
        return request

    def has(self, number: int) -> bool:
        """Whether the request of this number, or one that was sent after it, was answered: then it has arrived."""
        return self._answered >= number

    def error(self, number: int) -> int:
        """The return code with which the request of this number was answered; 0 where that was no error."""
        return dict(self._errors).get(number, 0)

    def acknowledged(self, command: int, number: int) -> bool:
        """Whether the request of this number was itself answered, by its own command: then it was read."""
        return self._acknowledged.get(command, 0) >= number
