"""One circuit's Wh: W integrated over time, and a total that follows a device's own counter. Knows no DP, no clock.

Two small machines, put together by energy.py:

PowerFlow turns reports of W into Wh. What a report means on these devices (push on change, refreshes in between,
unchanged values left out) decides from when on a new W counts:
- a change within the dead zone of the pushes (5 %, 5 W) is a drift that came gradually: dated to the middle between the
  two reports (after UNCHANGED_S: to the middle since the last refresh, because an unchanged W is left out). Soon after
  a large change it is the rest of that one, and loads settle fast at first: dated to SETTLED;
- a larger change is pushed as soon as the device has seen it: the old W held until EDGE_S before the report. At a
  device that went through SLOW_JUMPS of them without ever reporting sooner than it was asked, a refresh finds them:
  dated to the middle since the last refresh;
- a second one right after it had to wait for its turn. The first report was the mean of the second in which W changed,
  half old and half new: if W goes on the same way, the new W counts from the first report on; if it comes back a part
  of the way, that was an inrush that settles (SETTLED);
- 0 W found by a full query for the second time, at a device that never told 0 W otherwise: some leave a value that fell
  to 0 out of all else, so that it may have happened at any time since the last report: dated to the middle.
W counts only as far as the device answers: see PowerFlow.

Meter is the monotonic total of one circuit in one direction.
"""

from __future__ import annotations

import math
from typing import Optional

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
SLOW_JUMPS = 10
"""So many large changes without a report of its own show that a device pushes nothing by itself."""
SETTLED = 0.8
"""Share of the time between a large change and the next report in which the load was already near the latter."""
PULSE_RATIO = 0.9
"""A change that takes back more than this share of the one before is no settling but the end of a pulse."""

MAX_POWER_W = 80_000.0
"""More than any breaker carries (three phases of 100 A): the fastest that a counter can count."""
CATCH_UP_WH = 100_000.0
"""The most that a counter may be ahead after an absence of unknown length (our restart) to be believed at once."""
CONFIRM_S = 60.0
"""A counter that left its course is believed when it still goes the new way this much later: two full queries."""
JITTER_STEPS = 2
"""A counter that falls by no more steps than this (but not to 0) is rounding: the total waits for it."""
LIFETIME_WH = 999_999_000.0
"""Counters end below 999999.99 kWh: a value at the end of its range is no reading."""
RETURN_BIRTH_WH = 1.0
"""Returned energy of a circuit without such a counter is shown from here on: noise around 0 W is no export."""


class PowerFlow:
    """Wh that flowed through one channel, by its reports of W.

    W counts from its report to the next one, as long as the device answers anything, and at most `max_age_s` since its
    own report. An answer that comes after more than `max_age_s` of silence, and `lost`, end it at the last answer.
    """

    def __init__(self, max_age_s: float) -> None:
        self.power_w: Optional[float] = None
        self._max_age_s = max_age_s
        self._since_s = 0.0  # when power_w was reported
        self._until_s = 0.0  # the last answer, as far as power_w counts
        self._jump_w, self._jumped_at_s = 0.0, -math.inf  # the last large change
        self._slow_jumps = 0.0  # large changes so far, -inf once a report came faster than we ask for it
        self._unasked_at_s = -math.inf
        self._asked_zeros = 0.0  # falls to 0 W told by a full query, -inf once one came otherwise
        self._gap_from_s: Optional[float] = None
        self._done_used_wh = 0.0
        self._done_returned_wh = 0.0

    @property
    def used_wh(self) -> float:
        """Wh that flowed to the load up to the last answer. May fall a little when a drift is dated back."""
        return self._done_used_wh + max(self._held_wh(), 0.0)

    @property
    def returned_wh(self) -> float:
        """Wh that flowed back to the grid up to the last answer."""
        return self._done_returned_wh + max(-self._held_wh(), 0.0)

    def report(self, power_w: float, at_s: float, full: bool) -> float:
        """Take a report of W (negative = returned); `full`: from a full query. Return the seconds left out before."""
        self._learn(power_w, at_s, full)
        self.answered(at_s)
        gap_s = 0.0
        if self.power_w is not None:
            span_s = self._until_s - self._since_s
            new_s = self._dated_back_s(self.power_w, power_w, span_s, full)
            self._add(self.power_w, span_s - new_s)
            self._add(power_w, new_s)
        elif self._gap_from_s is not None:
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
        else:
            self._until_s = at_s

    def lost(self) -> None:
        """Stop counting at the last answer."""
        if self.power_w is None:
            return
        self._add(self.power_w, self._until_s - self._since_s)
        self.power_w = None
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
        settles = goes_on or (jump_w > 0 and -change_w < PULSE_RATIO * jump_w)
        if drifted and span_s > UNCHANGED_S:
            return REFRESH_S / 2
        if drifted and self._pushes and settles and since_jump_s <= SETTLING_S:
            return span_s * SETTLED
        if drifted or (full and new_w == 0 and self._asked_zeros > 1):
            return span_s / 2
        if not self._pushes:
            return min(REFRESH_S, span_s) / 2
        if settles and since_jump_s == 0 and span_s <= PAUSE_S:
            return span_s if goes_on else span_s * SETTLED
        return min(EDGE_S, span_s)

    @property
    def _pushes(self) -> bool:
        return self._slow_jumps < SLOW_JUMPS

    def _learn(self, power_w: float, at_s: float, full: bool) -> None:
        if not full:
            if at_s - self._unasked_at_s < REFRESH_S - 1.0:
                self._slow_jumps = -math.inf
            self._unasked_at_s = at_s
            if power_w == 0:
                self._asked_zeros = -math.inf
        elif power_w == 0 and self.power_w:
            self._asked_zeros += 1

    def _held_wh(self) -> float:
        return 0.0 if self.power_w is None else self.power_w * (self._until_s - self._since_s) / 3600

    def _add(self, power_w: float, seconds: float) -> None:
        if power_w > 0:
            self._done_used_wh += power_w * seconds / 3600
        else:
            self._done_returned_wh -= power_w * seconds / 3600


class Meter:
    """The total of one circuit in one direction: never falls, starts with its first value.

    Without a counter it follows the flow (PowerFlow). With one (`report`) it is `offset_wh` + counter at each step of
    the counter. In between it follows the flow up to the counter's next step, or as many whole steps as flowed since
    the counter was last reported (a counter reported rarely): the device's own counter stands at least there by then,
    so the next report finds the total equal, or ahead by no more than the error of W; then it waits.

    A counter's report is believed when it stands where it was or higher, by no more than MAX_POWER_W can have brought
    since. Anything else is a glitch (one report of 0, of a huge or an old value) until the counter proves its new
    course: another report, CONFIRM_S or more later, that goes on from there by a plausible amount, and no report on the
    old course in between. A counter that fell must also have counted on since: a stuck, repeated old value never wins,
    and waiting costs nothing, because what it counted is known. Then:
    - it restarted (cleared, replaced, wrapped, lost its memory): the total goes on from where it stood;
    - it leapt by more than can have flowed: likewise, the leap is not counted;
    - it is far ahead after an absence of unknown length: caught up.
    """

    def __init__(self, step_wh: float) -> None:
        self.value_wh: Optional[float] = None
        self.offset_wh: Optional[float] = None
        self._step_wh = step_wh
        self._counter_wh: Optional[float] = None
        self._counter_at_s: Optional[float] = None  # None: not in this run
        self._start_wh = 0.0  # the total when the flow stood at _start_flow_wh
        self._start_flow_wh = 0.0
        self._odd_wh: Optional[float] = None  # a counter value off its course, waiting for proof
        self._odd_at_s = 0.0
        self._odd_start_wh = 0.0

    def restore(self, value_wh: float, offset_wh: Optional[float], counter_wh: Optional[float]) -> None:
        """Go on from an earlier run: its total, its offset and last counter value (None: unknown, or no counter)."""
        self.value_wh = self._start_wh = value_wh
        self.offset_wh, self._counter_wh = offset_wh, counter_wh

    @property
    def counter_wh(self) -> Optional[float]:
        """The counter's value that was last believed, in this run or an earlier one. None: no counter."""
        return self._counter_wh

    def follow(self, flow_wh: float) -> None:
        """Let the total follow the flow of this circuit, `flow_wh` since our start."""
        target_wh = self._start_wh + flow_wh - self._start_flow_wh
        if self._counter_wh is not None and self.offset_wh is not None:
            whole_steps = max(1, math.floor((flow_wh - self._start_flow_wh) / self._step_wh))
            target_wh = min(target_wh, self.offset_wh + self._counter_wh + whole_steps * self._step_wh)
        self.raise_to(target_wh)

    def raise_to(self, value_wh: float) -> None:
        """Set the total, unless it is already higher."""
        self.value_wh = value_wh if self.value_wh is None else max(self.value_wh, value_wh)

    def report(self, counter_wh: float, at_s: float, flow_wh: float) -> Optional[str]:
        """Take the counter's value at `at_s`, when the flow stood at `flow_wh`. Return what is worth a log line."""
        if not 0 <= counter_wh < LIFETIME_WH:
            return None
        if self._counter_wh is None:
            if self.value_wh is not None:
                self.follow(flow_wh)
            self._anchor(counter_wh, counter_wh if self.value_wh is None else self.value_wh)
        elif self._plausible(self._counter_wh, self._counter_at_s, counter_wh, at_s):
            pass
        elif counter_wh > 0 and 0 < self._counter_wh - counter_wh <= JITTER_STEPS * self._step_wh * 1.001:
            self._odd_wh = None
            return None
        else:
            return self._odd(counter_wh, at_s, flow_wh)
        self._accept(counter_wh, at_s, flow_wh)
        return None

    def _plausible(self, from_wh: float, from_s: Optional[float], to_wh: float, at_s: float) -> bool:
        limit_wh = CATCH_UP_WH if from_s is None else MAX_POWER_W * (at_s - from_s) / 3600
        return -1e-6 <= to_wh - from_wh <= limit_wh + JITTER_STEPS * self._step_wh

    def _odd(self, counter_wh: float, at_s: float, flow_wh: float) -> Optional[str]:
        was_wh = self._counter_wh or 0.0
        fell = counter_wh < was_wh
        if self._odd_wh is None or not self._plausible(self._odd_wh, self._odd_at_s, counter_wh, at_s):
            self._odd_wh, self._odd_at_s, self._odd_start_wh = counter_wh, at_s, self.value_wh or 0.0
            return None
        if at_s - self._odd_at_s < CONFIRM_S or (fell and counter_wh <= self._odd_wh):
            return None
        said = None
        if fell:
            said = f"the energy counter restarted (from {was_wh / 1000:.2f} to {self._odd_wh / 1000:.2f} kWh)"
        elif self._counter_at_s is not None:
            said = f"the energy counter leapt from {was_wh / 1000:.2f} to {self._odd_wh / 1000:.2f} kWh, not counted"
        if said:
            self._anchor(self._odd_wh, self._odd_start_wh)
            said += f"; the total goes on from {self._odd_start_wh / 1000:.2f} kWh"
        self._accept(counter_wh, at_s, flow_wh)
        return said

    def _anchor(self, counter_wh: float, total_wh: float) -> None:
        self.offset_wh = total_wh - counter_wh

    def _accept(self, counter_wh: float, at_s: float, flow_wh: float) -> None:
        total_wh = (self.offset_wh or 0.0) + counter_wh
        if counter_wh == self._counter_wh:  # no step: the next one is still ahead
            self.raise_to(min(self._start_wh + flow_wh - self._start_flow_wh, total_wh + self._step_wh))
        self.raise_to(total_wh)
        self._odd_wh = None
        self._counter_wh, self._counter_at_s = counter_wh, at_s
        self._start_wh, self._start_flow_wh = self.value_wh or 0.0, flow_wh
