"""EnergyBook against a simulated meter: any sequence of reports, losses, restarts, resets and glitches over days."""

from __future__ import annotations

import json
import math
from typing import Dict, Optional

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.examples import examples
from tuya.metering.energy import EnergyBook
from tuya.metering.reading import Reading

USED = ("total", "used")
STEP_WH = 10.0
EXAMPLES = examples(15)
# So long an old W can be held while its change is not told (two queries lost), and a change be dated wrongly.
DATED_S = 92.0
POWERS_W = st.sampled_from([0.0, 0.6, 41.2, 90.0, 94.0, 230.0, 2000.0, 3680.0, 7360.0])


class Meter(RuleBasedStateMachine):
    """A breaker with one circuit, and the book that follows it. Wh are those of the world since it began."""

    has_counter = False

    @initialize(born_kwh=st.sampled_from([0.0, 0.07, 1234.56, 98765.43]))
    def begin(self, born_kwh: float) -> None:
        self.at_s = 1000.0
        self.power_w = 0.0
        self.told_w = 0.0
        self.truth_wh = 0.0
        self.heard_wh = 0.0
        self.slack_wh = 0.0
        self.counter_start_wh = born_kwh * 1000
        self.resets = 0
        self.connected = True
        self.clean = True  # no reset so far, and no glitch since the last report
        self.last: Optional[Reading] = None
        self.shown: Dict = {}
        self.highest: Dict = {}
        self.book = self.new_book({}, {})
        self.report(True)
        self.born_wh = self.book.totals_wh(self.at_s)[USED]

    def new_book(self, shown: Dict, saved: Dict) -> EnergyBook:
        step = {"1": STEP_WH / 1000} if self.has_counter else {}
        return EnergyBook(shown_wh=shown, saved=saved, step_kwh=step, channels=("1",))

    def counter_wh(self) -> float:
        return math.floor((self.truth_wh + self.counter_start_wh + 1e-6) / STEP_WH) * STEP_WH

    def report(self, full: bool, counter_wh: Optional[float] = None) -> None:
        counter_wh = self.counter_wh() if counter_wh is None else counter_wh
        energy = {"1": counter_wh / 1000} if self.has_counter else {}
        self.slack_wh += abs(self.power_w - self.told_w) * DATED_S / 3600
        self.told_w = self.power_w
        self.last = Reading(power_w={"1": self.power_w}, energy_kwh=energy)
        self.book.report(self.last, self.at_s, full)

    def flow(self, seconds: float) -> None:
        self.at_s += seconds
        self.truth_wh += self.power_w * seconds / 3600
        if self.connected:
            self.heard_wh += self.power_w * seconds / 3600

    @precondition(lambda self: self.connected)
    @rule(watts=POWERS_W, minutes=st.integers(0, 300), lost=st.integers(0, 2))
    def run(self, watts: float, minutes: int, lost: int) -> None:
        """The load changes, is told within 2 s, and runs on: heartbeats, and a full query each 30 s (or 20 min)."""
        self.power_w = watts
        self.flow(1.0)
        if not lost:
            self.report(False)
        for number in range(minutes * 2 if minutes < 20 else 0):
            self.flow(15.0)
            self.book.answered(self.at_s)
            self.flow(15.0)
            if number % 10 >= lost:
                self.report(True)
        self.flow(1.0)
        self.report(True)
        self.clean = self.resets == 0

    @precondition(lambda self: self.connected)
    @rule(full=st.booleans(), times=st.integers(1, 3))
    def duplicate(self, full: bool, times: int) -> None:
        assert self.last is not None
        for _ in range(times):
            self.book.report(self.last, self.at_s, full)

    @precondition(lambda self: self.connected and self.has_counter)
    @rule(wrong=st.sampled_from([0.0, 0.5, 0.98, 3.0, 1e9, 42949672950.0]), times=st.integers(1, 2))
    def glitch(self, wrong: float, times: int) -> None:
        """One report of 0, of an old or a huge value, perhaps twice; then the right one."""
        before = self.book.totals_wh(self.at_s)[USED]
        value = wrong if wrong > 1e6 else round(self.counter_wh() * wrong / STEP_WH) * STEP_WH
        for _ in range(times):
            self.report(True, value + (2e7 if wrong == 3.0 else 0.0))
            self.flow(1.0)
        assert self.book.totals_wh(self.at_s)[USED] <= before + STEP_WH + self.told_w * 4 / 3600
        self.report(True)

    @precondition(lambda self: self.connected and self.has_counter)
    @rule()
    def reset(self) -> None:
        """clear_energy: the counter begins at 0, and is heard at least twice a minute while it counts on."""
        self.counter_start_wh = -self.truth_wh
        self.resets += 1
        self.clean = False
        self.power_w = 2000.0
        for _ in range(5):
            self.flow(20.0)
            self.report(True)

    @precondition(lambda self: self.connected)
    @rule(silent=st.booleans(), seconds=st.integers(61, 200000), watts=POWERS_W)
    def outage(self, silent: bool, seconds: int, watts: float) -> None:
        """The link is away (told, or noticed by silence only) while the load runs on."""
        self.report(True)
        if not silent:
            self.book.lost(self.at_s + 18.0)
        self.connected = False
        self.power_w = watts
        self.flow(float(seconds))
        self.connected = True
        self.report(True)

    @rule(
        lag_wh=st.sampled_from([0.0, 0.4, 9.0]), kept=st.sampled_from(["now", "before"]), away_s=st.integers(1, 40000)
    )
    def restart(self, lag_wh: float, kept: str, away_s: int) -> None:
        """The plugin stops and starts: Domoticz shows a little less; saved at stop, or (killed) some time before."""
        totals = self.book.totals_wh(self.at_s)
        saved = json.loads(json.dumps(self.book.saved() if kept == "now" else self.saved_before))
        self.shown = {circuit: max(round(wh - lag_wh, 3), self.born_wh) for circuit, wh in totals.items()}
        self.heard_wh -= totals[USED] - max(self.shown[USED], saved["total/used"][0])  # never written anywhere: lost
        self.highest = dict(self.shown)
        self.book = self.new_book(self.shown, saved)
        self.connected = False
        self.flow(float(away_s))
        self.at_s = float(away_s % 977)  # another boot: another monotonic clock
        self.connected = True
        self.report(True)

    @precondition(lambda self: self.connected)
    @rule()
    def lose_saved_state(self) -> None:
        """Configuration() is lost over a quick restart: only what Domoticz shows is left."""
        self.report(True)
        self.book = self.new_book(self.book.totals_wh(self.at_s), {})
        self.report(True)

    @invariant()
    def never_falls(self) -> None:
        if not hasattr(self, "book"):
            return
        totals = self.book.totals_wh(self.at_s)
        for circuit, wh in self.highest.items():
            assert totals[circuit] >= wh - 1e-3
        self.highest = totals
        self.saved_before = self.book.saved()
        self.check(totals[USED] - self.born_wh)

    def check(self, gained_wh: float) -> None:
        """Without a counter: what was heard, but for the dating of changes."""
        assert gained_wh <= self.heard_wh + self.slack_wh + 0.1
        assert gained_wh >= self.heard_wh - self.slack_wh - 0.1 - self.told_w * 0.1


class CountingMeter(Meter):
    """The same with a cumulative counter of 0.01 kWh."""

    has_counter = True

    def check(self, gained_wh: float) -> None:
        """Never more than was consumed plus a step (and what W got wrong); where no reset hides it, never less."""
        assert gained_wh <= self.truth_wh + STEP_WH * (1 + self.resets) + 0.1
        if self.resets == 0:
            counted_wh = self.counter_wh() - self.born_wh
            assert gained_wh >= counted_wh - STEP_WH
            assert gained_wh <= counted_wh + STEP_WH + 0.1


profile = settings(
    max_examples=EXAMPLES, stateful_step_count=20, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
Meter.TestCase.settings = profile
CountingMeter.TestCase.settings = profile
TestMeter = Meter.TestCase
TestCountingMeter = CountingMeter.TestCase
