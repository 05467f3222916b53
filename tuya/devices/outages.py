"""When a breaker's outages are told one by one, and when they are only counted. Pure: no clock, no log."""

from __future__ import annotations

from collections import deque
from typing import Deque, List, Optional

# Breakers that are away now and then are told about each time: 8 outages a day at most. One that flaps is counted.
TOLD_OUTAGES = 3
WINDOW_S = 6 * 3600.0
STEADY_S = 3 * 3600.0  # without an outage for so long: it flaps no more
LONG_S = 3600.0  # away for so long in one piece: told, although it flaps
# from one summary to the next; the last value goes on: six lines on the first day of one that flaps for ever
SUMMARY_INTERVALS_S = (3600.0, 2 * 3600.0, 4 * 3600.0, 8 * 3600.0)


def duration(seconds: float) -> str:
    """Return a time in words, in minutes up to two hours."""
    minutes = max(1, round(seconds / 60))
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.0f} h"


class Outages:
    """The outages of one breaker; only those that last longer than the grace are reported to it."""

    def __init__(self) -> None:
        self.is_counting = False
        self._began: Deque[float] = deque()  # within WINDOW_S
        self._away_since_s: Optional[float] = None
        self._ended_s = 0.0
        self._first_s = 0.0
        self._all = 0
        self._is_told = False
        self._said_s = 0.0
        self._summaries = 0
        self._count = 0  # since the last summary, as is the next
        self._away_s = 0.0

    def begin(self, since_s: float, now_s: float) -> Optional[str]:
        """An outage that began at since_s is known now. Returns what to add to its line; None: it is only counted."""
        if self._away_since_s is not None:
            return "" if self._is_told else None
        while self._began and since_s - self._began[0] > WINDOW_S:
            self._began.popleft()
        self._began.append(since_s)
        self._away_since_s = since_s
        self._count += 1
        self._all += 1
        self._is_told = not self.is_counting
        if self.is_counting or len(self._began) < TOLD_OUTAGES:
            return "" if self._is_told else None
        self.is_counting = True
        self._first_s = self._began[0]
        self._all = len(self._began)
        self._said_s = now_s
        self._count, self._away_s, self._summaries = 0, 0.0, 0
        span = duration(now_s - self._first_s)
        return f"; that is {self._all} times in {span}: from now on its outages are counted and summed up"

    def told(self) -> None:
        """This outage got a line of its own after all."""
        self._is_told = True

    def end(self, now_s: float) -> bool:
        """The breaker is back; returns whether that deserves a line, because its being away had one."""
        if self._away_since_s is None:
            return False
        self._away_s += now_s - max(self._away_since_s, self._said_s if self.is_counting else 0.0)
        self._away_since_s = None
        self._ended_s = now_s
        return self._is_told

    def due(self, now_s: float) -> Optional[str]:
        """Return the summary that is due, None if there is none."""
        if not self.is_counting:
            return None
        since_s = self._away_since_s
        if since_s is None and now_s - self._ended_s >= STEADY_S:
            self.is_counting = False
            self._began.clear()
            span = duration(self._ended_s - self._first_s)
            return f"is steady again: no outage for {duration(now_s - self._ended_s)}, after {self._all} in {span}"
        is_long = since_s is not None and not self._is_told and now_s - since_s >= LONG_S
        wait_s = SUMMARY_INTERVALS_S[min(self._summaries, len(SUMMARY_INTERVALS_S) - 1)]
        if now_s - self._said_s < (LONG_S if is_long else wait_s) or not (self._count or is_long):
            return None
        return self._summary(now_s, is_long)

    def _summary(self, now_s: float, is_long: bool) -> str:
        since_s = self._away_since_s
        away_s = self._away_s + (now_s - max(since_s, self._said_s) if since_s is not None else 0.0)
        parts: List[str] = []
        if self._count:
            times = "once" if self._count == 1 else f"{self._count} times"
            span = duration(now_s - self._said_s)
            parts.append(f"comes and goes: away {times} in the last {span}, for {duration(away_s)} in all")
        if since_s is not None:
            parts.append(f"is offline for {duration(now_s - since_s)} now")
        self._said_s = now_s
        self._summaries += 1
        self._count, self._away_s = 0, 0.0
        self._is_told = self._is_told or is_long
        return "; ".join(parts)
