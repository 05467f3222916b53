"""Reports of W to the Wh that flowed. Knows one channel, no DP, no counter, no clock of its own.

W counts from its report to the next one: the last reported W is held. A report is late by the same time after a rise
and after a fall (it is the mean of the second before, and waits for its turn), so what is missed at the one is held too
long at the other. Dating changes back by what they look like (a drift, a jump, an inrush) loses that: whatever treats
a rise otherwise than a fall is wrong wherever a load pulses (tests/bench/energy.py draws such loads).

One thing has no counterpart: some devices leave a W that fell to 0 out of pushes and refreshes, and tell it to full
queries only. There it is dated back, by what is known:
- the last report had fallen: that was the mean of the second in which the load went off, so 0 W followed it;
- each refresh until then had brought another W: one more would have, had the load still run. It went off before the
  first refresh that brought none;
- neither, at a device that did this before: at any time since the last report, so to the middle.
A device that once told a 0 unasked does not do this, nor is it known of one whose last report of W is no older than a
refresh: there the last W is held like any other. W counts only as far as the device answers: see PowerFlow.
"""

from __future__ import annotations

from typing import NamedTuple, Optional

SECOND_S = 1.0
"""W is the mean of so long."""
REFRESH_S = 5.0
"""Devices are asked to refresh W so often."""
REFRESHED_S = REFRESH_S + 0.5
"""Where W was not reported for longer, a refresh brought none."""
REFRESHES = 3
"""A W that so many successive refreshes found changed is one that each refresh finds changed."""
STEADY_RATIO, STEADY_W = 0.05, 5.0
"""A change by less of W than both is a drift, for the refreshes to tell. A larger one is pushed."""


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
        self._refreshes = 0  # that found W changed, one after the other
        self._has_fallen = False  # by the last report
        self._tells_zero: Optional[bool] = None  # unasked; None: not known yet
        self._gap_from_s: Optional[float] = None
        self._used = self._returned = Flow()

    @property
    def used(self) -> Flow:
        """What flowed to the load up to the last answer. `wh` falls where a 0 is dated back."""
        return _held(self._used, max(self._held_wh(), 0.0))

    @property
    def returned(self) -> Flow:
        """What flowed back to the grid up to the last answer, as `used`."""
        return _held(self._returned, max(-self._held_wh(), 0.0))

    def report(self, power_w: float, at_s: float, full: bool, *, told: bool = True) -> float:
        """Take W (negative = returned) at `at_s`; return the seconds that were left out before.

        `full`: it came with a full query. `told`: by the device, not concluded from something else that it told.
        """
        self.answered(at_s)
        gap_s = 0.0
        old_w, span_s = self.power_w, self._until_s - self._since_s
        if told and power_w == 0 and not full:
            self._tells_zero = True
        if old_w is not None:
            zero_s = self._zero_s(span_s) if told and full and power_w == 0 and old_w != 0 else 0.0
            sure_w = min(old_w, power_w, key=abs) if old_w * power_w > 0 else 0.0
            self._add(old_w, span_s - zero_s, sure_w, span_s)
            self._learn(old_w, power_w, span_s)
        else:
            self._refreshes, self._has_fallen = 0, False
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

    def _zero_s(self, span_s: float) -> float:
        """Return for how much of the time since the last report a 0 that only the full query told already counts."""
        if self._tells_zero or span_s <= REFRESHED_S:
            return 0.0
        if self._has_fallen:
            return span_s - SECOND_S
        if self._refreshes >= REFRESHES:
            return span_s - REFRESH_S / 2
        is_known, self._tells_zero = self._tells_zero is False, False
        return span_s / 2 if is_known else 0.0

    def _learn(self, old_w: float, new_w: float, span_s: float) -> None:
        drifted = abs(new_w - old_w) <= max(STEADY_W, STEADY_RATIO * abs(old_w))
        refreshed = drifted and new_w != old_w and span_s <= REFRESHED_S
        self._refreshes = self._refreshes + 1 if refreshed else 0
        self._has_fallen = not drifted and abs(new_w) < abs(old_w)

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
