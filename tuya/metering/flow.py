"""Reports of W to the Wh that flowed. Knows one channel, no DP, no counter, no clock of its own.

What a report means on these devices (push on change, refreshes in between, unchanged values left out) decides from
when on a new W counts:
- a change within the dead zone of the pushes (5 %, 5 W) is a drift that came gradually: dated to the middle between the
  two reports (after UNCHANGED_S: to the middle since the last refresh, because an unchanged W is left out). Soon after
  a large change it is the rest of that one, and loads settle fast at first: dated to SETTLED;
- a larger change is pushed as soon as the device has seen it: the old W held until EDGE_S before the report, also where
  a refresh between reported the old W once more (the mean of the second before);
- a second one right after it had to wait for its turn. The first report was the mean of the second in which W changed,
  a part old and a part new, however small that part: if W goes on the same way, the new W counts from the first report
  on; if it comes back a part of the way, that was an inrush that settles (SETTLED);
- one that a full query found, at a device that pushes: its push was lost, or left out (some devices tell a W that fell
  to 0 to full queries only), at any time since the last report: dated to the middle. Where the last report was the
  beginning of this very change, it counts from there on. Where W had moved at each refresh until then, the change came
  before the first refresh that brought none: had the load still run, that one would have told it. (At a device that
  pushes nothing only a 0 is left out like that; a query finds its other changes as a refresh does.)
A device that went through more than SLOW_JUMPS large changes without ever reporting sooner than it was asked pushes
nothing: each change is dated to the middle since it was last asked, by a refresh or by a query, whether it told an
unchanged W then or left it out. Up and down alike, so that the errors of a load that comes and goes cancel. An inrush
that only one report shows, and the next two agree on what it settled to, ended with that report.
W counts only as far as the device answers: see PowerFlow. The figures behind these rules: tests/bench/energy.py.
"""

from __future__ import annotations

import math
from typing import NamedTuple, Optional

DRIFT_RATIO = 0.05
"""Relative change below which a device does not push a new W by itself."""
DRIFT_W = 5.0
"""Absolute change below which a device does not push a new W by itself."""
EDGE_S = 1.0
"""How long before its report a pushed change happened: W is a mean of about 1 s."""
PAUSE_S = 2.5
"""Pushes are about 2 s apart at least: a change reported so soon after another was waiting for its turn."""
SETTLING_S = 10.0
"""How long after a large change a drift is still part of it."""
REFRESH_S = 5.0
"""Devices are asked to refresh W no more often: reports that come faster are pushes of their own."""
UNCHANGED_S = 11.0
"""Two refreshes. Where W was not reported for longer, it had not changed before the last of them."""
MOVING_S = 5.5
"""A W that was reported no longer ago than this moves at each refresh."""
SLOW_JUMPS = 10
"""More large changes without a report of its own show that a device pushes nothing. Even: what goes on goes off."""
SETTLED = 0.8
"""Share of the time between a large change and the next report in which the load was already near the latter."""
ASKED_S = 60.0
"""So long after a report the times of the refreshes since then are known from it."""
ASKED_APART_S = 1.0
"""Less between a refresh and a query is the inaccuracy of their times: the query stands in the place of a refresh."""
PULSE_RATIO = 0.9
"""A change that takes back more than this share of the one before is no settling but the end of a pulse."""


class Flow(NamedTuple):
    """Wh in one direction since the start: all, what is sure of it, and what W was held for since its last report.

    Sure is what the lower one of each two successive reports of W makes. What is held is not sure yet.
    """

    wh: float = 0.0
    sure_wh: float = 0.0
    held_wh: float = 0.0


class PowerFlow:
    """Wh that flowed through one channel, by its reports of W.

    W counts from its report to the next one, as long as the device answers anything, and at most `max_age_s` since its
    own report. An answer that comes after more than `max_age_s` of silence, and `lost`, end it at the last answer.
    """

    def __init__(self, max_age_s: float) -> None:
        self.power_w: Optional[float] = None
        self.expired = False  # whether the last gap began because W grew too old while the device answered
        self._max_age_s = max_age_s
        self._since_s = 0.0  # when power_w was reported
        self._until_s = 0.0  # the last answer, as far as power_w counts
        self._jump_w, self._jumped_at_s = 0.0, -math.inf  # the last large change
        self._last_span_s = 0.0  # between the last two reports of W
        self._asked_s = REFRESH_S  # from the last time that W was asked for to the last report
        self._inrush_w, self._inrush_s = 0.0, 0.0  # more than settled to, for how long, if the next report agrees
        self._is_moving = False  # whether the last refreshes each brought a new W
        self._slow_jumps = 0.0  # large changes so far, -inf once a report came faster than we ask for it
        self._unasked_at_s = -math.inf
        self._gap_from_s: Optional[float] = None
        self._used = self._returned = Flow()

    @property
    def used(self) -> Flow:
        """What flowed to the load up to the last answer. `wh` may fall a little when a change is dated back."""
        return _held(self._used, max(self._held_wh(), 0.0))

    @property
    def returned(self) -> Flow:
        """What flowed back to the grid up to the last answer, as `used`."""
        return _held(self._returned, max(-self._held_wh(), 0.0))

    def report(self, power_w: float, at_s: float, full: bool) -> float:
        """Take a report of W (negative = returned); `full`: from a full query. Return the seconds left out before."""
        self._learn(at_s, full)
        self.answered(at_s)
        gap_s = 0.0
        if self.power_w is not None:
            span_s = self._until_s - self._since_s
            new_s = self._dated_back_s(self.power_w, power_w, span_s, full)
            self._add(self.power_w, span_s - new_s)
            sure_w = min(self.power_w, power_w, key=abs) if self.power_w * power_w > 0 else 0.0
            self._add(power_w, new_s, sure_w, span_s)
            self._last_span_s = span_s
        else:
            self._last_span_s = self._inrush_s = 0.0
            self._is_moving = False
            if self._gap_from_s is not None:
                gap_s = at_s - self._gap_from_s
        self._gap_from_s = None
        self.power_w = power_w
        self._since_s = self._until_s = max(at_s, self._until_s)
        return gap_s

    def answered(self, at_s: float) -> None:
        """Note that the device answered something at `at_s`: W held so far, unless it is too old by now."""
        if self.power_w is None or at_s <= self._until_s:
            return
        expires_s = self._since_s + self._max_age_s
        if at_s - self._until_s > self._max_age_s:
            self.lost()
        elif at_s > expires_s:
            self._until_s = expires_s
            self.lost()
            self.expired = True
        else:
            self._until_s = at_s

    def lost(self) -> None:
        """Stop counting at the last answer."""
        if self.power_w is None:
            return
        self._add(self.power_w, self._until_s - self._since_s)
        self.power_w = None
        self.expired = False
        self._gap_from_s = self._until_s

    def _dated_back_s(self, old_w: float, new_w: float, span_s: float, full: bool) -> float:
        """Return for how much of the time between two reports the new W counts."""
        change_w = new_w - old_w
        drifted = abs(change_w) <= max(DRIFT_W, DRIFT_RATIO * abs(old_w))
        jump_w, since_jump_s = self._jump_w, self._since_s - self._jumped_at_s
        if not drifted:
            self._jump_w, self._jumped_at_s = change_w, self._until_s
            self._slow_jumps += 1
        goes_on = change_w * jump_w > 0
        comes_back = 0 < -change_w < PULSE_RATIO * jump_w
        settles = goes_on or comes_back
        was_moving, self._is_moving = self._is_moving, drifted and span_s <= MOVING_S
        is_left_out = full and not drifted and was_moving and span_s > MOVING_S
        if is_left_out and (self._slow_jumps < 0 or new_w == 0):
            return span_s - REFRESH_S / 2
        if not self._pushes:
            started = comes_back and since_jump_s == 0 and abs(old_w - jump_w) < new_w / 2
            return self._asked_back_s(change_w, drifted, started, span_s)
        if drifted and span_s > UNCHANGED_S:
            return REFRESH_S / 2
        if drifted and settles and since_jump_s <= SETTLING_S:
            return span_s * SETTLED
        if drifted:
            return span_s / 2
        if full and span_s > PAUSE_S and self._slow_jumps < 0:
            return span_s if goes_on and since_jump_s == 0 else span_s / 2
        if settles and since_jump_s == 0 and span_s <= PAUSE_S:
            return span_s if goes_on else span_s * SETTLED
        return min(EDGE_S, span_s if since_jump_s == 0 else span_s + self._last_span_s)

    def _asked_back_s(self, change_w: float, drifted: bool, started: bool, span_s: float) -> float:
        """Return for how much of that time the new W counts at a device that pushes nothing."""
        new_s = min(self._asked_s, span_s) / 2
        if drifted:
            self._add(self._inrush_w, -self._inrush_s)
        settling = started and not drifted
        self._inrush_w, self._inrush_s = (-change_w, span_s - new_s) if settling else (0.0, 0.0)
        return new_s

    @property
    def _pushes(self) -> bool:
        return self._slow_jumps <= SLOW_JUMPS

    def _learn(self, at_s: float, full: bool) -> None:
        since_s = at_s - self._unasked_at_s
        known = full and since_s <= ASKED_S
        self._asked_s = ASKED_APART_S + (since_s - ASKED_APART_S) % REFRESH_S if known else REFRESH_S
        if not full:
            if at_s - self._unasked_at_s < REFRESH_S - 1.0:
                self._slow_jumps = -math.inf
            self._unasked_at_s = at_s

    def _held_wh(self) -> float:
        return 0.0 if self.power_w is None else self.power_w * (self._until_s - self._since_s) / 3600

    def _add(self, power_w: float, seconds: float, sure_w: float = 0.0, sure_s: float = 0.0) -> None:
        hours, sure_wh = seconds / 3600, sure_w * sure_s / 3600
        self._used = _more(self._used, max(power_w, 0.0) * hours, max(sure_wh, 0.0))
        self._returned = _more(self._returned, max(-power_w, 0.0) * hours, max(-sure_wh, 0.0))


def _more(flow: Flow, energy_wh: float, sure_wh: float) -> Flow:
    return Flow(flow.wh + energy_wh, flow.sure_wh + sure_wh)


def _held(flow: Flow, held_wh: float) -> Flow:
    return Flow(flow.wh + held_wh, flow.sure_wh, held_wh)
