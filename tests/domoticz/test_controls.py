"""Clicks become data points, and only those that the profile declares as controls."""

from __future__ import annotations

import json
from typing import Any, Dict

import pytest

from tests.domoticz.fakes import SY1, SY1_DPS
from tuya.devices.commands import CommandRefused
from tuya.domoticz.controls import countdown, measures, wanted
from tuya.domoticz.units import State
from tuya.metering.profile import match
from tuya.metering.reading import Reading, Threshold

PROFILE = match({"product_id": SY1}, SY1_DPS)


@pytest.mark.parametrize(
    ("unit", "command", "level", "expected"),
    [
        (1, "On", 0, {1: True}),
        (1, "Off", 0, {1: False}),
        (1, "off", 100, {1: False}),
        (1, "Toggle", 0, {1: False}),
        (61, "Set Level", 0, {38: "off"}),
        (61, "Off", 0, {38: "off"}),
        (61, "Set Level", 10, {38: "on"}),
        (61, "Set Level", 20, {38: "memory"}),
        (62, "On", 0, {41: True}),
        (63, "Set Level", 20, {9: 1800}),
        (63, "Set Level", 40, {9: 7200}),
        (63, "Off", 0, {9: 0}),
    ],
)
def test_commands(unit: int, command: str, level: int, expected: Dict[int, Any]):
    assert wanted(unit, command, level, PROFILE, SY1_DPS) == expected


@pytest.mark.parametrize(
    ("unit", "command", "level"),
    [
        (1, "Set Level", 50),
        (1, "Stop", 0),
        (41, "On", 0),
        (2, "On", 0),
        (10, "Off", 0),
        (70, "On", 0),
        (63, "Set Level", 15),
        (61, "On", 0),
        (61, "Set Level", 30),
        (62, "Set Level", 10),
    ],
)
def test_refused_commands(unit: int, command: str, level: int):
    with pytest.raises(CommandRefused):
        wanted(unit, command, level, PROFILE, SY1_DPS)


def test_an_unknown_state_cannot_be_toggled():
    with pytest.raises(CommandRefused, match="only On and Off"):
        wanted(1, "Toggle", 0, PROFILE, {})


def test_the_spelling_that_was_read_is_written():
    dps = {**SY1_DPS, 38: "last"}
    assert wanted(61, "Set Level", 10, match({"product_id": SY1}, dps), dps) == {38: "power_on"}


def test_gangs_are_written_one_by_one():
    mapping = {
        "1": {"code": "switch_1", "type": "Boolean", "values": "{}"},
        "2": {"code": "switch_2", "type": "Boolean", "values": "{}"},
        "19": {"code": "cur_power", "type": "Integer", "values": json.dumps({"unit": "W", "scale": 1})},
    }
    dps = {1: True, 2: True, 19: 0}
    profile = match({"mapping": mapping}, dps)
    assert profile.switch_dps == (1, 2)
    assert wanted(42, "Off", 0, profile, dps) == {2: False}
    for unit in (1, 43):
        with pytest.raises(CommandRefused):
            wanted(unit, "Off", 0, profile, dps)


def test_controls_are_shown():
    reading = PROFILE.decode({**SY1_DPS, 9: 1700})
    assert measures(reading, PROFILE) == {61: State(2, "10"), 62: State(0, "Off"), 63: State(2, "20")}


@pytest.mark.parametrize(
    ("seconds", "level"), [(0, 0), (1, 10), (900, 10), (901, 20), (3600, 30), (7200, 40), (86400, 40)]
)
def test_countdown_levels(seconds: int, level: int):
    assert countdown(seconds) == State(2 if level else 0, str(level))


def test_thresholds_as_text():
    thresholds = (Threshold("over-voltage", 275.0, "V", True), Threshold("over-current", 63.0, "", False))
    shown = measures(Reading(thresholds=thresholds), PROFILE)[70]
    assert shown == State(0, "over-voltage 275 V trip; over-current 63 alarm or off")
