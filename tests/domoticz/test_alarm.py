"""Unit 10 in plain words: warnings, trips, and a relay that opened without our command."""

from __future__ import annotations

from typing import Optional, Tuple

import pytest

from tuya.domoticz.alarm import OPENED_TEXT, WELL, Alarm
from tuya.domoticz.units import State
from tuya.metering.reading import Fault, Reading

OVER_VOLTAGE = Fault("ov_vol", "over-voltage", tripped=True)
LOW_POWER = Fault("ls_pow", "power too low")


def said(faults: Optional[Tuple[Fault, ...]] = (), countdown_s: Optional[int] = None) -> Reading:
    return Reading(faults=faults, countdown_s=countdown_s)


def test_nothing_is_said_about_a_device_without_faults_and_relay():
    assert Alarm(None).observe(said(None), None, 0.0, False) is None


def test_all_is_well_and_a_warning():
    alarm = Alarm(None)
    assert alarm.observe(said(), True, 0.0, False) == WELL == State(0, "No fault")
    assert alarm.observe(said((LOW_POWER,)), True, 1.0, False) == State(3, "Power too low")
    assert alarm.observe(said((OVER_VOLTAGE,)), True, 2.0, False) == State(3, "Over-voltage")
    assert alarm.observe(said(), True, 3.0, False) == WELL


def test_a_meter_without_relay_reports_its_faults():
    assert Alarm(None).observe(said((OVER_VOLTAGE,)), None, 0.0, False) == State(4, "Tripped: over-voltage")


@pytest.mark.parametrize("fault_first", [True, False])
def test_a_trip_keeps_its_cause_until_the_relay_closes(fault_first: bool):
    alarm = Alarm(None)
    alarm.observe(said(), True, 0.0, False)
    if fault_first:
        alarm.observe(said((OVER_VOLTAGE,)), True, 10.0, False)
        alarm.observe(said(()), False, 11.0, False)
    else:
        assert alarm.observe(said(), False, 10.0, False) == State(3, OPENED_TEXT)
        alarm.observe(said((OVER_VOLTAGE,)), False, 11.0, False)
    assert alarm.observe(said(), False, 500.0, False) == State(4, "Tripped: over-voltage")
    assert alarm.observe(said(), True, 600.0, False) == WELL


def test_an_old_warning_is_not_the_cause():
    alarm = Alarm(None)
    alarm.observe(said((OVER_VOLTAGE,)), True, 0.0, False)
    alarm.observe(said(), True, 5.0, False)
    assert alarm.observe(said(), False, 100.0, False) == State(3, OPENED_TEXT)


def test_our_own_command_is_no_alarm():
    alarm = Alarm(None)
    alarm.observe(said(), True, 0.0, False)
    assert alarm.observe(said(), False, 1.0, True) == WELL
    assert alarm.observe(said(), False, 60.0, False) == WELL


def test_a_countdown_is_no_alarm_but_a_fault_during_one_is():
    alarm = Alarm(None)
    alarm.observe(said(countdown_s=30), True, 0.0, False)
    assert alarm.observe(said(countdown_s=0), False, 30.0, False) == WELL
    alarm = Alarm(None)
    alarm.observe(said(countdown_s=3000), True, 0.0, False)
    alarm.observe(said((OVER_VOLTAGE,), 2990), True, 10.0, False)
    assert alarm.observe(said(countdown_s=0), False, 10.5, False) == State(4, "Tripped: over-voltage")


@pytest.mark.parametrize(
    ("held", "is_on", "expected"),
    [
        (State(4, "Tripped: over-voltage"), False, State(4, "Tripped: over-voltage")),
        (State(3, OPENED_TEXT), False, State(3, OPENED_TEXT)),
        (State(4, "Tripped: over-voltage"), True, WELL),
        (State(3, "Power too low"), False, WELL),
        (None, False, WELL),
    ],
)
def test_a_restart_of_the_plugin_keeps_the_cause(held: Optional[State], is_on: bool, expected: State):
    alarm = Alarm(held)
    assert alarm.observe(said(), is_on, 0.0, False) == expected
    assert alarm.observe(said(), is_on, 60.0, False) == expected
    assert alarm.observe(said(), True, 70.0, True) == WELL
