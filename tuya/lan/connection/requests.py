"""What a connection has sent and which of it was answered, how long answers take, and which messages came before.

Answers are not in step with requests, so they are matched by their command alone, the oldest request first.
"""

from __future__ import annotations

import collections
from typing import Deque, Dict, Set, Tuple

from ..device import Habits
from ..protocol.payloads import Request
from ..protocol.wire import Wire

REMEMBERED_S = 30.0  # a request without an answer for so long will have none
REQUESTS_A_COMMAND = 64  # more than writes may wait: a forgotten one would lend its answer to a later one
QUICKER_COUNTS = 0.25  # of a quicker answer: how much of the difference the known time comes down
REPLAY_AFTER_S = 5.0  # devices repeat a message at once, or say the same anew, but not so much later under its old date
REMEMBERED_MARKS = 256  # of each age: some minutes of a device that pushes each second
MARK_BYTES = 8  # of a mark, which are enough to tell some hundred of them apart
NUMBERS_RISEN = 8  # in a row, before a lower one tells anything
NUMBERS_BROKEN = 256  # so many more must rise after one that did not

# Marks.heard()
Heard = str
NEW: Heard = ""
AGAIN: Heard = "again"  # a moment ago: devices do so too
OLD: Heard = "old"  # REPLAY_AFTER_S or longer ago: devices do not


class Requests:
    """The requests of one connection, numbered as they are sent, and which of them are not answered yet."""

    def __init__(self, wire: Wire, habits: Habits) -> None:
        self._wire = wire
        self._habits = habits
        self.outgoing = bytearray()
        self._sent = 0
        self._answered = 0
        self._acknowledged: Dict[int, int] = {}  # by command: the number of the last one that was answered itself
        self.waiting: Dict[int, Deque[Tuple[int, float]]] = {}  # by command

    def take(self) -> bytes:
        """Bytes to send now, each once."""
        if not self.outgoing:
            return b""
        data = bytes(self.outgoing)
        self.outgoing.clear()
        return data

    def send(self, request: Request, now_s: float) -> int:
        """Put a request into take(). Returns its number. Raises BadValue, and then nothing is sent."""
        command, payload = request
        self.outgoing += self._wire.pack(command, payload)
        self._sent += 1
        waiting = self.waiting.setdefault(command, collections.deque(maxlen=REQUESTS_A_COMMAND))
        while waiting and now_s - waiting[0][1] > REMEMBERED_S:
            waiting.popleft()
        waiting.append((self._sent, now_s))
        return self._sent

    def heard(self, command: int, now_s: float) -> int:
        """A message with this command came: the answer to the oldest request by it. Returns its number, 0 for none."""
        waiting = self.waiting.get(command)
        if not waiting:
            return 0
        took_s = now_s - waiting[-1][1]
        number = self._acknowledged[command] = waiting.popleft()[0]
        self._answered = max(self._answered, number)
        habits = self._habits
        if took_s < habits.answer_s:
            took_s += (habits.answer_s - took_s) * (1.0 - QUICKER_COUNTS)
        habits.answer_s = took_s
        return number

    def has(self, number: int) -> bool:
        """Whether the request of this number, or one that was sent after it, was answered: then it has arrived."""
        return self._answered >= number

    def acknowledged(self, command: int, number: int) -> bool:
        """Whether the request of this number was itself answered, by its own command: then it was read."""
        return self._acknowledged.get(command, 0) >= number


class Marks:
    """What a connection has heard under the session key: tells a message that somebody sends again.

    It cannot tell one that was held back and let through once, nor one of long ago. Versions without a session key
    have nothing to tell it by: their messages hold no nonce, number or check that anybody else could not make, so that
    a device which says the same twice looks like one who repeats it.
    """

    def __init__(self) -> None:
        self._turn_s = 0.0
        self._newest: Set[bytes] = set()
        self._newer: Set[bytes] = set()
        self._old: Set[bytes] = set()  # at least REPLAY_AFTER_S

    def heard(self, mark: bytes, now_s: float) -> Heard:
        """Whether this message came before, and since when; notes it otherwise. mark: its HMAC or tag."""
        if now_s >= self._turn_s:
            self._turn_s = now_s + REPLAY_AFTER_S
            if len(self._old) + len(self._newer) > REMEMBERED_MARKS:
                self._old = set()
            self._old |= self._newer
            self._newer, self._newest = self._newest, set()
        mark = mark[:MARK_BYTES]
        if mark in self._old:
            return OLD
        if mark in self._newest or mark in self._newer:
            return AGAIN
        if len(self._newest) < REMEMBERED_MARKS:
            self._newest.add(mark)
        return NEW


class Numbers:
    """The device's own count of its messages (3.5), where it has one: tells a message that was made before others.

    There are devices whose numbers are 0, repeated or out of order (codetheweb/tuyapi issue 634): numbers count only
    after many have risen without exception, and 0 is none. A count that begins anew is taken up after as many.
    """

    def __init__(self) -> None:
        self._highest = 0
        self._rising = 0
        self._again = 0, 0  # highest of those that were too low, and how many have risen in a row

    def is_old(self, number: int) -> bool:
        """Whether a message of this number was made before one that was heard already."""
        if number > self._highest:
            self._highest = number
            self._rising += 1
            self._again = 0, 0
            return False
        if not number:
            return False
        if self._rising < NUMBERS_RISEN:
            self._rising = -NUMBERS_BROKEN  # it has no count that one could go by
            return False
        highest, count = self._again
        self._again = number, count + 1 if number > highest else 1
        if self._again[1] >= NUMBERS_RISEN:
            self._highest, self._again = number, (0, 0)
        return True
