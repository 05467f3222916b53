"""With which message a device is asked for all of its data points: by a plain query, or by nulls (device22).

A query by nulls has the shape of a write, and there are devices on which null sets a data point. So it is sent only
to a device that has refused plain queries in words, and it names measuring data points, which nobody can set; others
(relays, faults) follow when this device has shown twice that what was named by null kept its value.
"""

from __future__ import annotations

from typing import Dict, Iterable, List, Mapping, Set

from ..device import Habits, Polling
from ..events import DpValue
from ..protocol import payloads
from ..versions import Version

REFUSAL = b"data unvalid"  # what a device22 device answers to a plain query, and others for a while after a start
PLAIN_REFUSALS = 2  # in a row, before a device that was not known for it is asked by nulls
UNANSWERED_NULLS = 2  # then it is asked plainly again
PROOFS = 2  # answers that show that nulls have set nothing


class Questions:
    """The queries of one connection. named: the data points in the query by nulls that waits for its answer."""

    def __init__(self, version: Version, device_id: str, polling: Polling, habits: Habits) -> None:
        self.polling = polling
        self._version = version
        self._device_id = device_id
        self._habits = habits
        self._by_nulls = False  # each connection asks plainly first: an update may have cured the device
        self._refusals = 0
        self._unanswered = 0
        self.named: List[int] = []
        self.named_by = 0  # the number of that request
        self._heard: Dict[int, int] = {}  # DP: number of the query after which it was heard last
        self._number = 0
        self._progress = False
        self._written: Set[int] = set()  # since the last query

    def next(self, time_s: float, number: int) -> payloads.Request:
        """The message to send now, as the request of this number. time_s: the wall clock's, in seconds."""
        if self._by_nulls and self._unanswered >= UNANSWERED_NULLS:
            self._by_nulls = False  # it never wanted them, or no more: ask plainly and let it complain
            self._refusals = 0
        names = self._names() if self._by_nulls else []
        self._written.clear()
        if not self.named:
            self.named_by = number  # else what comes may answer the one before, as far as anybody knows
        if not names:
            self.named = []
            return payloads.query(self._version, self._device_id, time_s)
        self._number += 1
        self._unanswered += 1
        self.named = names
        return payloads.query_by_nulls(self._device_id, time_s, names)

    def _names(self) -> List[int]:
        polling, habits = self.polling, self._habits
        if habits.nulls_set:
            return []
        names = list(polling.query_dps)
        if names and habits.null_proofs >= PROOFS:
            names += [dp for dp in polling.later_dps if dp not in self._heard or dp in self._written]
        # some answer the first one only: each has its turn
        names.sort(key=lambda dp: self._heard.get(dp, 0))
        return names

    def refused(self) -> bool:
        """A query was refused in words. Returns whether it is to be asked by nulls at once."""
        if self._by_nulls:
            return False
        self._refusals += 1
        if self._refusals < (1 if self._habits.device22 else PLAIN_REFUSALS):
            return False
        self._by_nulls = True
        self._unanswered = 0
        self._by_nulls = bool(self._names())
        return self._by_nulls

    def written(self, dps: Iterable[int]) -> None:
        """A write goes out: what comes next may be its echo rather than an answer."""
        self._written.update(dps)

    def answered_plainly(self) -> None:
        """A plain query was answered by data."""
        self._refusals = 0
        if not self._by_nulls:
            self._habits.device22 = False

    def answers_nulls(self, dps: Mapping[int, DpValue]) -> bool:
        """Note a report. Returns whether it answers the query by nulls: such answers come as any command."""
        known, proofs = len(self._heard), self._habits.null_proofs
        for dp in self.named:
            if dp in dps:
                self._heard[dp] = self._number
        habits, measured = self._habits, set(self.polling.query_dps)
        named = [dp for dp in self.named if dp in dps]
        if any(dps[dp] is None for dp in named):
            habits.nulls_set = True  # it shows the null: never again
            self._by_nulls = False
            self.named = []
            return False
        if not named or self._written:
            return False
        if any(dps[dp] for dp in named if dp in measured):
            habits.null_proofs = min(PROOFS, habits.null_proofs + 1)
        self._progress = len(self._heard) > known or habits.null_proofs > proofs
        seen = habits.device22_dps
        if 2 * len(seen & dps.keys()) < len(seen):
            return False  # a push beside it
        seen.update(named)
        habits.device22 = True
        self.named = []
        self._unanswered = 0
        return True

    @property
    def wants_more(self) -> bool:
        """Whether the last answer brought something new and others are still missing: worth another query soon."""
        wanted = (*self.polling.query_dps, *self.polling.later_dps)
        return self._by_nulls and self._progress and any(dp not in self._heard for dp in wanted)
