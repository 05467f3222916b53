"""How long the connections of a device lived, and what their ends say: a rival, restarts, a habit, our asking."""

from __future__ import annotations

import collections
from typing import Deque

from ..limits import EVICTION_S, OWN_HABIT_S, OWN_HABIT_TOLERANCE_S, RESTARTED_S, SHORT_LIVES

RESTARTS_SEEN = 2


class Lives:
    """Of one device. `short`: connections in a row that ended early and not by our asking."""

    def __init__(self) -> None:
        self.short = 0
        self._lengths_s: Deque[float] = collections.deque(maxlen=2)
        self._brought = False
        self._was_gone = False  # since the last one
        self.restarts = 0  # so many of the next short ones are restarts too, by what was seen

    def gone(self) -> None:
        """Where it lives nothing takes connections: whoever holds it does not do that, only its restart does."""
        self._was_gone = True

    def ended(self, lived_s: float, *, brought: bool, our_fault: bool) -> None:
        """A connection that was up is gone, `lived_s` after TCP was connected.

        brought: it has brought data points. our_fault: it ended by what we asked, so that nobody has taken it away.
        """
        self._brought = brought and lived_s >= OWN_HABIT_S
        if lived_s >= RESTARTED_S:
            self.restarts = 0
        else:  # one that was too quick to be seen does not make it somebody else's doing
            self.restarts = RESTARTS_SEEN if self._was_gone else max(0, self.restarts - 1)
        self._was_gone = False
        if our_fault:
            return
        self.short = self.short + 1 if lived_s < EVICTION_S else 0
        self._lengths_s.append(lived_s)

    @property
    def habit_s(self) -> float:
        """After how long the device ends its connections by itself, whatever is sent; 0 where it has no such habit."""
        if self.restarts or self.short < len(self._lengths_s) or len(self._lengths_s) < 2:
            return 0.0
        shortest_s, longest_s = sorted(self._lengths_s)
        regular = shortest_s >= OWN_HABIT_S and longest_s - shortest_s <= OWN_HABIT_TOLERANCE_S
        return longest_s if regular else 0.0

    @property
    def taken_away(self) -> bool:
        """Whether somebody else seems to take the connection, again and again."""
        return self.short > 1 and not self.habit_s and not self.restarts

    @property
    def pauses_grow(self) -> bool:
        """Whether the next connections are to be spaced out, although the last ones were up."""
        return self.short > SHORT_LIVES and not self._brought
