"""What another process counted of a device while it had it: how much of that is believed, and added once. Pure.

Who integrates W counts nothing while another process holds the device. That one tells its total when it gives the
device back, or whenever the two meet; what it is ahead of the total that we began with has flowed meanwhile:

    total_when_we_began, total_told = 1000.0, 1750.0  # the other one went on from ours: 750 Wh are added to what we
    total_now = 1002.0                                # have counted since, so that the total is 1752.0

A total that is told twice, by whomever, adds nothing the second time, nor does one that is behind ours, nor our own
word that comes back to us: who tells a total says how much of it was heard from others, and only what it has counted
itself is added to what we have counted since.

What counts itself (a counter of the device, a sum of circuits) needs no telling. It can only be as much as MAX_POWER_W
brings in the time since our total was last known: whoever says more is wrong, and nothing of it is taken.
"""

from __future__ import annotations

from typing import Dict, List, Mapping, NamedTuple, Optional

from ..metering.energy import USED, Circuit, EnergyBook
from ..metering.meter import MAX_POWER_W
from ..metering.reading import TOTAL

MAX_WAITING = 8  # totals told before the device has reported; who has it then has told us, and who had it before
CLOCKS_DIFFER_S = 2.0  # of two processes that looked at the time of day one after the other
WORTH_SAYING_WH = 1.0


class Counted(NamedTuple):
    """The totals of a device that another process has had, told at `at_s`.

    heard_wh: what it heard of the holder before it, on which it went on; a circuit that is not there began at 0.
    alone_s: for how long it has counted without having heard anybody's total: since then it began at 0. None: it went
    on from what was told or kept.
    """

    who: str
    totals_wh: Mapping[Circuit, float]
    at_s: float
    heard_wh: Mapping[Circuit, float] = {}
    alone_s: Optional[float] = None


class HandOver:
    """Of one device. known_at_s: when its totals were last known here, maybe before this process began; None: never."""

    def __init__(self, known_at_s: Optional[float]) -> None:
        self._known_at_s = known_at_s
        self._limit_wh = 0.0
        self._book: Optional[EnergyBook] = None
        self._began_wh: Mapping[Circuit, float] = {}
        self._waiting: List[Counted] = []
        self._is_doubt_said = False
        self._notices: List[str] = []
        self.added_wh: Dict[Circuit, float] = {}  # what others have counted, as far as it was taken

    def told(self, counted: Counted) -> None:
        """Another process tells what it has counted."""
        if self._book is not None:
            self._take(counted, self._book)
        elif len(self._waiting) < MAX_WAITING:
            self._waiting.append(counted)

    def count_on(self, book: EnergyBook, at_s: float) -> None:
        """We count in this book from now on: what another one says of later is not believed."""
        if self._book is None:
            since_s = at_s if self._known_at_s is None else self._known_at_s
            self._limit_wh = MAX_POWER_W * max(0.0, at_s - since_s) / 3600
            self._began_wh = book.totals_wh(at_s)
        self._book = book
        while self._waiting:
            self._take(self._waiting.pop(0), book)

    def notices(self) -> List[str]:
        """Return what is worth a line in the log since the last call, without the device's name."""
        said, self._notices = self._notices, []
        return said

    def _take(self, counted: Counted, book: EnergyBook) -> None:
        if counted.alone_s is not None and not self._has_begun_since(counted.at_s - counted.alone_s):
            return  # it began before we had the device last: how much of it has flowed since is not known
        now_wh = book.totals_wh(counted.at_s)
        for circuit, total_wh in counted.totals_wh.items():
            began_wh = 0.0 if counted.alone_s is not None else self._began_wh.get(circuit, 0.0)
            heard_wh = min(total_wh, counted.heard_wh.get(circuit, 0.0))
            gained_wh = total_wh - began_wh
            # what was counted there, unless it was added before; and what we told and have lost (killed before a store)
            more_wh = max(0.0, min(total_wh - heard_wh, gained_wh - self.added_wh.get(circuit, 0.0)))
            more_wh += max(0.0, heard_wh - now_wh.get(circuit, 0.0))
            if more_wh <= 0.0 or not book.is_flow(circuit):
                continue
            if gained_wh > self._limit_wh:
                self._doubt(counted.who, gained_wh)
                continue
            book.add(circuit, more_wh)
            self.added_wh[circuit] = self.added_wh.get(circuit, 0.0) + more_wh
            if circuit == (TOTAL, USED) and more_wh >= WORTH_SAYING_WH:
                self._notices.append(f"{more_wh / 1000:.3f} kWh flowed while {counted.who} had it, and are counted too")

    def _has_begun_since(self, began_s: float) -> bool:
        return self._known_at_s is not None and began_s >= self._known_at_s - CLOCKS_DIFFER_S

    def _doubt(self, who: str, gained_wh: float) -> None:
        if not self._is_doubt_said and self._began_wh:  # a device that is new here begins here
            self._is_doubt_said = True
            self._notices.append(f"{who} has counted {gained_wh / 1000:.3f} kWh: more than can have flowed meanwhile")
