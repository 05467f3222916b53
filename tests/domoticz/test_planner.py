"""When a unit is worth an Update: deadbands, pace, keep-alive, and nothing for an unchanged switch."""

from __future__ import annotations

import pytest

from tuya.domoticz.planner import ENERGY_KEEP_ALIVE_S, KEEP_ALIVE_S, MeterPlan, StatePlan
from tuya.domoticz.units import (
    KIND_CURRENT,
    KIND_ENERGY,
    KIND_VOLTAGE,
    Kind,
    Number,
    State,
    alert,
    on_off,
)

NOW_S = 1000.0
AT_ONCE = float("-inf")
CIRCUIT = ("total", "used")


def meter(kind: Kind, shown: str, interval_s: float = 5.0) -> MeterPlan:
    plan = MeterPlan(kind, interval_s, None)
    plan.written(State(0, shown), NOW_S)
    return plan


def energy_due(plan: MeterPlan, power_w: float, energy_wh: float, at_s: float, **words: bool):
    plan.observe(Number(power_w, CIRCUIT), at_s)
    return plan.due_at_s(energy_wh, words.get("is_answering", True), words.get("is_open", False))


@pytest.mark.parametrize("held", [State(1, "On"), alert(0, "No fault")])
def test_an_unchanged_state_is_never_written(held: State):
    plan = StatePlan(held)
    assert plan.due_at_s() is None
    plan.wanted = held
    assert plan.due_at_s() is None
    plan.wanted = alert(4, "Tripped: over-voltage")
    assert plan.due_at_s() == AT_ONCE
    plan.written(plan.wanted)
    assert plan.due_at_s() is None


def test_a_switch_that_was_changed_by_hand_is_corrected():
    plan = StatePlan(on_off(False))
    plan.wanted = on_off(True)
    plan.written(on_off(True))
    plan.held = on_off(False)
    assert plan.due_at_s() == AT_ONCE


@pytest.mark.parametrize(
    ("kind", "shown", "inside", "outside"),
    [
        (KIND_ENERGY, "50.0;5.000", 51.9, 52.1),  # 2 W
        (KIND_ENERGY, "1000.0;5.000", 1009.0, 1010.5),  # 1 %
        (KIND_ENERGY, "1000.0;5.000", 991.0, 989.0),
        (KIND_ENERGY, "-1000.0;5.000", -1009.0, -1010.5),
        (KIND_VOLTAGE, "230.0", 230.9, 231.1),
        (KIND_CURRENT, "0.400", 0.419, 0.421),  # 0.02 A
        (KIND_CURRENT, "10.000", 10.19, 10.21),  # 2 %
    ],
)
def test_deadbands(kind: Kind, shown: str, inside: float, outside: float):
    pace_s = 5.0 if kind is KIND_ENERGY else 10.0
    circuit = CIRCUIT if kind is KIND_ENERGY else None
    energy_wh = 5.0 if kind is KIND_ENERGY else None
    keep_alive_s = ENERGY_KEEP_ALIVE_S if kind is KIND_ENERGY else KEEP_ALIVE_S
    for value, due_s in ((inside, NOW_S + keep_alive_s), (outside, NOW_S + pace_s)):
        plan = meter(kind, shown)
        plan.observe(Number(value, circuit), NOW_S + 1.0)
        assert plan.due_at_s(energy_wh, True, False) == due_s


def test_ten_watt_hours_are_shown_at_the_pace():
    plan = meter(KIND_ENERGY, "100.0;50.000")
    assert energy_due(plan, 100.0, 59.9, NOW_S + 2.0) == NOW_S + ENERGY_KEEP_ALIVE_S
    assert energy_due(plan, 100.0, 60.0, NOW_S + 3.0) == NOW_S + 5.0
    assert plan.value(60.0) == State(0, "100.0;60.000")


def test_zero_after_opening_is_shown_at_once():
    plan = meter(KIND_ENERGY, "100.0;50.000")
    assert energy_due(plan, 0.0, 50.0, NOW_S + 0.1) == NOW_S + 5.0  # the relay is closed: at the pace
    assert energy_due(plan, 0.0, 50.0, NOW_S + 0.1, is_open=True) == AT_ONCE
    plan.written(State(0, "0.0;50.000"), NOW_S + 0.2)
    assert energy_due(plan, 0.0, 50.0, NOW_S + 0.3, is_open=True) == NOW_S + 0.2 + ENERGY_KEEP_ALIVE_S


def test_no_keep_alive_while_the_breaker_is_silent():
    plan = meter(KIND_ENERGY, "100.0;50.000")
    assert energy_due(plan, 100.0, 50.0, NOW_S + 1.0, is_answering=False) is None


def test_nothing_is_shown_before_it_is_known():
    plan = MeterPlan(KIND_ENERGY, 5.0, State(0, "100.0;50.000"))
    assert plan.due_at_s(50.0, True, False) is None
    assert plan.value(50.0) is None
    plan.observe(Number(100.0, CIRCUIT), NOW_S)
    assert plan.due_at_s(None, True, False) is None
    assert plan.value(None) is None
    assert plan.due_at_s(50.0, True, False) == AT_ONCE  # after a restart: once, what it holds may be old


def test_what_is_shown_is_the_mean_of_what_agrees():
    plan = meter(KIND_VOLTAGE, "230.0")
    for second, volts in enumerate((230.2, 229.8, 230.4)):
        plan.observe(Number(volts), NOW_S + second)
    assert plan.value(None) == State(0, "230.1")
    plan.observe(Number(236.0), NOW_S + 3.0)  # a real change is not averaged away
    assert plan.value(None) == State(0, "236.0")
    plan.observe(Number(0.0), NOW_S + 3.5)
    assert plan.value(None) == State(0, "0.0")
