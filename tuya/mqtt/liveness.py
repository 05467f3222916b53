"""Whether this program stood still, and since when the broker has certainly been there: the connection's two clocks."""

from __future__ import annotations

from typing import Callable, Optional

from paho.mqtt import client as paho

WAKE_S = 0.5  # the loop comes at least so often
LATE_S = 0.7  # a loop that comes so much later than it should was stopped
PING_S = 1.0


class Liveness:
    """clock: seconds that go on while the machine sleeps.

    answered_s: when the last ping was sent that the broker has answered: what is read later was sent on after it.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._seen_s = clock()
        self._pinged_s: Optional[float] = None  # when the ping was sent that is not answered yet
        self.answered_s = 0.0

    def begin(self) -> float:
        """Count from now, which is returned: whatever held this thread until now was no standing still."""
        self._seen_s = self._clock()
        return self._seen_s

    def welcomed(self) -> None:
        """The broker has let us in."""
        self._pinged_s, self.answered_s = None, self._clock()

    def late_s(self, now_s: float) -> Optional[float]:
        """How long this thread stood still; None where it has not."""
        away_s = now_s - self._seen_s
        return away_s if away_s > WAKE_S + LATE_S else None

    def runs(self, now_s: float) -> None:
        """Note that this thread ran at that time."""
        self._seen_s = now_s

    def is_on_time(self) -> bool:
        """Note that this thread runs; False where it stood still, which the loop looks at. Much to do is not that."""
        now_s = self._clock()
        if self.late_s(now_s) is not None:
            return False
        self.runs(now_s)
        return True

    def ping(self, client: paho.Client, now_s: float) -> None:
        """Ask the broker for a sign of life, more often than paho would, which has no call of its own for that."""
        self.note_answer(client)
        if self._pinged_s is None and now_s - self.answered_s >= PING_S:
            self._pinged_s = now_s
            client._send_pingreq()

    def note_answer(self, client: paho.Client) -> None:
        """Look whether the ping on its way was answered."""
        if self._pinged_s is not None and client._ping_t == 0:
            self.answered_s, self._pinged_s = self._pinged_s, None
