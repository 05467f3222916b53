"""Accuracy on a few hours of the benchmark's days (tests/bench/energy.py has all of it)."""

from __future__ import annotations

from typing import Callable, Tuple

import pytest

from tests.bench.energy import METHODS, OURS, PROFILES, check_counter, run
from tests.bench.energy_sampling import PHASE_A, RARE_COUNTER, SY1, Device, Line, Truth

LIMIT_WH = 0.6
HOURS = {
    "standby": (0.0, 2.0),
    "refrigerator": (0.0, 3.0),
    "kettle": (6.0, 2.0),
    "washing machine": (10.0, 2.2),
    "electric car": (2.5, 2.0),
    "heat pump": (1.0, 2.0),
    "photovoltaic": (11.0, 2.0),
    "three phases": (6.0, 2.0),
}


def hours_of(profile: str) -> Truth:
    start_h, length_h = HOURS[profile]

    def later(watts: Callable[[float], float]) -> Callable[[float], float]:
        return lambda t_s: watts(t_s + start_h * 3600 + 0.37)

    return Truth.of({channel: later(watts) for channel, watts in PROFILES[profile].items()}, int(length_h * 3600))


@pytest.mark.parametrize("profile", HOURS)
def test_a_breaker_without_a_counter_is_right_to_three_tenths_of_a_percent(profile):
    way = "returned" if profile == "photovoltaic" else "used"
    outcome = run(hours_of(profile), way, SY1, Line(), 1, [OURS])[OURS]
    assert outcome.day_wh > 1.0
    assert abs(outcome.error_wh) <= max(0.003 * outcome.day_wh, LIMIT_WH)


@pytest.mark.parametrize("profile", ["kettle", "washing machine"])
def test_one_lost_report_in_a_hundred_changes_little(profile):
    outcome = run(hours_of(profile), "used", SY1, Line(lost=0.01), 1, [OURS])[OURS]
    assert abs(outcome.error_wh) <= max(0.005 * outcome.day_wh, LIMIT_WH)


@pytest.mark.parametrize("profile", ["washing machine", "heat pump", "photovoltaic"])
def test_a_breaker_that_pushes_nothing_is_right_to_a_percent(profile):
    way = "returned" if profile == "photovoltaic" else "used"
    outcome = run(hours_of(profile), way, Device(pushes=False), Line(), 1, [OURS])[OURS]
    assert abs(outcome.error_percent) <= 1.0


def test_what_flowed_during_an_outage_is_not_invented():
    outcomes = run(hours_of("heat pump"), "used", SY1, Line(outages=((2000.0, 5000.0),)), 1, METHODS)
    assert abs(outcomes[OURS].error_percent) <= 0.3
    assert all(outcomes[name].error_percent > 10 for name in METHODS if name != OURS)


@pytest.mark.parametrize("profile", ["kettle", "washing machine", "electric car", "three phases"])
@pytest.mark.parametrize(
    "case", [(PHASE_A, Line()), (RARE_COUNTER, Line()), (PHASE_A, Line(0.01, ((2000.0, 5000.0),)))], ids=str
)
def test_the_total_equals_the_counter_at_its_steps(profile: str, case: Tuple[Device, Line]):
    check = check_counter(hours_of(profile), *case, 1)
    assert check.steps >= 4
    assert check.behind_wh <= 1e-6
    assert check.ahead_percent <= 1.0
