"""The total of one circuit in one direction, from a device's counter or from the flow."""

from __future__ import annotations

import math
from typing import Optional

from .flow import Flow

POWER_ERROR = 0.01
"""By how much W and the counter of the same device may differ."""
MAX_POWER_W = 80_000.0
"""More than any breaker carries (three phases of 100 A): the fastest that a counter can count."""
CATCH_UP_WH = 100_000.0
"""The most that a counter may be ahead after an absence of unknown length (our restart) to be believed at once."""
CONFIRM_S = 60.0
"""A counter that left its course is believed when it still goes the new way this much later: two full queries."""
JITTER_STEPS = 2
"""A counter that falls by no more steps than this (but not to 0) is rounding: the total waits for it."""
NET_FALLS = 3
"""A counter that fell so often while energy was returned, by no more than that, is a net counter (import - export)."""
BORN_WITH_SHARE = 0.9
"""A total that nobody remembers the beginning of, between this share of the counter and all of it, is the counter."""
STOOD_WH = 100.0
STOOD_STEPS = 10
STOOD_RATIO = 1.5
STARTING_W = 20.0
"""A counter stands still when more than this has flowed by W since it moved: in Wh, in its steps, in what flowed
between two of its moves before (some count rarely), and as a mean in W (a small load may not start it)."""
LIFETIME_WH = 999_999_000.0
"""Counters end below 999999.99 kWh: a value at the end of its range is no reading."""


class Meter:
    """The total of one circuit in one direction: never falls, starts with its first value.

    Without a counter it follows the flow (PowerFlow). With one (`report`) it is `offset_wh` + counter at each step of
    the counter. In between it follows the flow up to the counter's next step, or as many whole steps as surely flowed
    since the counter was last reported (a counter reported rarely): the device's own counter stands at least there by
    then, so the next report finds the total equal, or ahead by no more than the error of W; then it waits.

    A counter's report is believed when it stands where it was or higher, by no more than MAX_POWER_W can have brought
    since, or (a counter that lags) twice what W says has flowed since it moved. Anything else is a glitch (one report
    of 0, of a huge or an old value) until the counter proves its new course: another report, CONFIRM_S or more later,
    that goes on from there by a plausible amount, and no report on the old course in between. A counter that fell must
    also have counted on since: a stuck, repeated old value never wins, and waiting costs nothing, because what it
    counted is known. Then:
    - it restarted (cleared, replaced, wrapped, lost its memory): the total goes on from where it stood;
    - it leapt by more than can have flowed: likewise, the leap is not counted;
    - it is far ahead after an absence of unknown length: caught up.
    A total without a known offset (the saved state was lost) goes on from where it stands. But a total that was born
    with its counter is equal to it for as long as that does not restart, and ahead of it afterwards: one that is just
    behind the counter (BORN_WITH_SHARE, CATCH_UP_WH) or ahead by up to a step was born with it, so the offset is 0
    and what the counter counted meanwhile is caught up. A total that began at 0 beside a counter is far behind it, or
    what is caught up wrongly is less than a tenth of the counter.
    A counter that falls while as much is returned, NET_FALLS times, is a net counter, no total: W counts instead.
    """

    def __init__(self, step_wh: float) -> None:
        self.value_wh: Optional[float] = None
        self.offset_wh: Optional[float] = None
        self._step_wh = step_wh
        self._counter_wh: Optional[float] = None
        self._counter_at_s: Optional[float] = None  # None: not in this run
        self._step_flow_wh = 0.0  # the flow when the counter last moved
        self._step_at_s: Optional[float] = None  # when that was; None: not in this run
        self._stood_wh = 0.0  # what has flowed since then, when the counter was reported last
        self._usual_flow_wh = 0.0  # the most that has flowed between two of its moves in this run
        self._opposite_wh = 0.0  # what had flowed the other way when the counter was last believed
        self.is_net = False  # the counter was seen to count backwards: no total
        self._falls = 0
        self._start_wh = 0.0  # the total when the flow stood at _start
        self._start = Flow()
        self._odd_wh: Optional[float] = None  # a counter value off its course, waiting for proof
        self._odd_at_s = 0.0
        self._odd_start_wh = 0.0

    def restore(
        self, value_wh: float, offset_wh: Optional[float], counter_wh: Optional[float], is_net: bool = False
    ) -> None:
        """Go on from an earlier run: its total, its offset and last counter value (None: unknown, or no counter)."""
        self.is_net = is_net
        self.value_wh = self._start_wh = value_wh
        self.offset_wh, self._counter_wh = offset_wh, counter_wh

    @property
    def counter_wh(self) -> Optional[float]:
        """The counter's value that was last believed, in this run or an earlier one. None: no counter."""
        return self._counter_wh

    @property
    def stood_wh(self) -> float:
        """What has flowed by W from the counter's last move to its last report, if it can not overlook that; else 0.

        The total stands still as well then: the counter is its measure. (One that is not reported any more does not
        hold it: see `follow`.)
        """
        if self._step_at_s is None or self._counter_at_s is None or self.is_net:
            return 0.0
        overlooked_wh = STARTING_W * (self._counter_at_s - self._step_at_s) / 3600
        usual_wh = STOOD_RATIO * self._usual_flow_wh
        is_more = self._stood_wh > max(STOOD_WH, STOOD_STEPS * self._step_wh, usual_wh, overlooked_wh)
        return self._stood_wh if is_more else 0.0

    def follow(self, flow: Flow) -> None:
        """Let the total follow the flow of this circuit, `flow` since our start."""
        target_wh = self._start_wh + flow.wh - self._start.wh
        if self._counter_wh is not None and self.offset_wh is not None:
            sure_wh = (flow.sure_wh - self._start.sure_wh - self._start.held_wh) * (1 - POWER_ERROR)
            whole_steps = max(1, math.floor(sure_wh / self._step_wh))
            target_wh = min(target_wh, self.offset_wh + self._counter_wh + whole_steps * self._step_wh)
        self.raise_to(target_wh)

    def raise_to(self, value_wh: float) -> None:
        """Set the total, unless it is already higher."""
        self.value_wh = value_wh if self.value_wh is None else max(self.value_wh, value_wh)

    def add(self, energy_wh: float) -> None:
        """Let the total go on from so much more. Only for one without a counter."""
        self._start_wh += energy_wh
        self.value_wh = (self.value_wh or 0.0) + energy_wh

    def report(self, counter_wh: float, at_s: float, flow: Flow, opposite: Flow) -> Optional[str]:
        """Take the counter's value at `at_s`, when the flow stood at `flow`, and that of the other direction.

        Return what is worth a log line.
        """
        if self.is_net or not 0 <= counter_wh < LIFETIME_WH:
            return None
        was_wh = self._counter_wh
        if was_wh is None:
            if self.value_wh is not None:
                self.follow(flow)
            born_with = self.value_wh is None or self._was_born_with(counter_wh, self.value_wh)
            self._anchor(counter_wh, counter_wh if born_with else self.value_wh or 0.0)
        elif not self._on_course(was_wh, counter_wh, at_s, flow):
            if counter_wh > 0 and 0 < was_wh - counter_wh <= JITTER_STEPS * self._step_wh * 1.001:
                self._odd_wh = None
                return None
            if 0 < was_wh - counter_wh <= 2 * (opposite.wh - self._opposite_wh):
                return self._backwards(flow)
            return self._odd(was_wh, counter_wh, at_s, flow)
        self._opposite_wh = opposite.wh
        self._accept(counter_wh, at_s, flow)
        return None

    def _was_born_with(self, counter_wh: float, total_wh: float) -> bool:
        behind_wh = counter_wh - total_wh
        return -1.001 * self._step_wh <= behind_wh <= min(CATCH_UP_WH, (1 - BORN_WITH_SHARE) * counter_wh)

    def _on_course(self, was_wh: float, counter_wh: float, at_s: float, flow: Flow) -> bool:
        """Whether the counter can have come so far in the time since its report, or (it may lag) by what W says."""
        lag_wh = 2 * max(flow.wh - self._step_flow_wh, 0.0)
        return self._plausible(
            was_wh, self._counter_at_s, counter_wh - min(lag_wh, max(counter_wh - was_wh, 0.0)), at_s
        )

    def _plausible(self, from_wh: float, from_s: Optional[float], to_wh: float, at_s: float) -> bool:
        limit_wh = CATCH_UP_WH if from_s is None else MAX_POWER_W * (at_s - from_s) / 3600
        return -1e-6 <= to_wh - from_wh <= limit_wh + JITTER_STEPS * self._step_wh

    def _backwards(self, flow: Flow) -> Optional[str]:
        self._falls += 1
        if self._falls < NET_FALLS:
            return None
        self.is_net = True
        self.offset_wh = self._counter_wh = None
        self._start_wh, self._start = self.value_wh or 0.0, flow
        return "the energy counter also counts backwards: it is no total, the power is integrated instead"

    def _odd(self, was_wh: float, counter_wh: float, at_s: float, flow: Flow) -> Optional[str]:
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
        self._accept(counter_wh, at_s, flow)
        return said

    def _anchor(self, counter_wh: float, total_wh: float) -> None:
        self.offset_wh = total_wh - counter_wh

    def _accept(self, counter_wh: float, at_s: float, flow: Flow) -> None:
        total_wh = (self.offset_wh or 0.0) + counter_wh
        if self._step_at_s is None:
            self._step_at_s, self._step_flow_wh = at_s, flow.wh
        if counter_wh == self._counter_wh:  # no step: the next one is still ahead
            self.raise_to(min(self._start_wh + flow.wh - self._start.wh, total_wh + self._step_wh))
        else:
            self._usual_flow_wh = max(self._usual_flow_wh, flow.wh - self._step_flow_wh)
            self._step_at_s, self._step_flow_wh = at_s, flow.wh
        self._stood_wh = flow.wh - self._step_flow_wh
        self.raise_to(total_wh)
        self._odd_wh = None
        self._counter_wh, self._counter_at_s = counter_wh, at_s
        self._start_wh, self._start = self.value_wh or 0.0, flow
