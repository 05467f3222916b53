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
REMEMBERED_MARKS = 128  # of each age


class Requests:
    """The requests of one connection, numbered as they are sent, and which of them are not answered yet."""

    def __init__(self, wire: Wire, habits: Habits) -> None:
        self._wire = wire
        self._habits = habits
        self.outgoing = bytearray()
        self._sent = 0
        self._answered = 0
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

    def heard(self, command: int, now_s: float) -> None:
        """A message with this command came: the answer to the oldest request by it."""
        waiting = self.waiting.get(command)
        if not waiting:
            return
        took_s = now_s - waiting[-1][1]
        self._answered = max(self._answered, waiting.popleft()[0])
        habits = self._habits
        if took_s < habits.answer_s:
            took_s += (habits.answer_s - took_s) * (1.0 - QUICKER_COUNTS)
        habits.answer_s = took_s

    def has(self, number: int) -> bool:
        """Whether the request of this number, or one that was sent after it, was answered: then it has arrived."""
        return self._answered >= number


class Marks:
    """What a connection has heard under the session key: tells a message that somebody sends again later.

    It cannot tell one that was held back and let through once, nor one of long ago, nor one that comes again at once,
    as devices do it too. Versions without a session key have nothing to tell it by: their checksums anybody can make.
    """

    def __init__(self) -> None:
        self._turn_s = 0.0
        self._newest: Set[bytes] = set()
        self._newer: Set[bytes] = set()
        self._old: Set[bytes] = set()  # at least REPLAY_AFTER_S

    def is_replay(self, mark: bytes, now_s: float) -> bool:
        """Whether this message came before, some seconds ago; notes it otherwise. mark: its HMAC or tag."""
        if now_s >= self._turn_s:
            self._turn_s = now_s + REPLAY_AFTER_S
            if len(self._old) + len(self._newer) > REMEMBERED_MARKS:
                self._old = set()
            self._old |= self._newer
            self._newer, self._newest = self._newest, set()
        if mark in self._old:
            return True
        if len(self._newest) < REMEMBERED_MARKS:
            self._newest.add(mark)
        return False
