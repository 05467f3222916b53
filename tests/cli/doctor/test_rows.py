"""Devices in Domoticz that stand still, or are not what the plugin made: each is named."""

from __future__ import annotations

import json

import pytest

from tuya.cli.doctor.domoticz_view import Row, StoredUnit
from tuya.cli.doctor.life import life_sign
from tuya.cli.doctor.rows import check_left_behind, check_oddities, check_unkept
from tuya.devices.devices_file import parse_devices

ID, OTHER = "bf0123456789abcdefgh", "bf9999999999999oven"
BOILER = {"id": ID, "name": "Boiler", "key": "0123456789abcdef"}
OVEN = {"id": OTHER, "name": "Oven", "key": "0123456789abcdef"}
ENTRIES = parse_devices(json.dumps([BOILER])).entries
AS_MADE = Row("Breakers", "Boiler", 244, 73, 0, used=True, protected=False)


def sign(units=None, **device):
    served = {"id": ID, "connected": True, "connected_age_s": 300.0, "reported_age_s": 3.0, **device}
    told = {"shown": {ID: {"1": 1, "2": 0}, OTHER: {"1": 1}}, **(units or {})}
    return life_sign({"name": "hardware Breakers", "served": [served], "units": told})


def row(device_id=ID, unit=1, **changes):
    counts_itself = changes.pop("counts_itself", False)
    return StoredUnit(device_id, unit, 1, "", idx=unit, counts_itself=counts_itself, row=AS_MADE._replace(**changes))


def left(stored, *listed):
    entries = parse_devices(json.dumps([BOILER, *listed])).entries
    return [
        (one.state, one.text)
        for one in check_left_behind([sign()], stored, {(OTHER, 1): 90.0, (OTHER, 2): 300.0}, entries)
    ]


def test_devices_of_a_breaker_that_nobody_serves():
    stored = [row(), row(OTHER, name="Oven"), row(OTHER, 2, name="Oven Energy"), row(OTHER, hardware="Second")]
    ((state, text),) = left(stored)
    assert (state, "still shows of Oven (2 devices, 90 s old)" in text) == ("unchecked", True)
    assert left(None, OVEN)[0][0] == "unchecked", "where the database may not be read, the plugin tells"
    assert left(stored, {**OVEN, "domoticz": {"use": False}})[0][0] == "note"
    assert left([row(), row(OTHER, used=False)])[0][0] == "note"
    assert left([row()]) == []


@pytest.mark.parametrize(
    ("changes", "state", "text"),
    [
        ({"subtype": 62}, "unchecked", "of another type"),
        ({"switchtype": 3}, "unchecked", "a click sends another word"),
        ({"switchtype": 2}, "note", "something else than an on/off switch"),
        ({"protected": True}, "note", "refuses a click without its code"),
        ({"name": "$Boiler"}, "note", "its name begins with $"),
        ({"off_delay_s": 30.0}, "note", "off delay"),
        ({"on_delay_s": 30.0}, "note", "on delay"),
        ({"is_adjusted": True}, "note", "another value than it is given"),
        ({"counts_itself": True}, "note", "counted by Domoticz itself"),
        ({"switchtype": 9}, None, ""),
        ({}, None, ""),
    ],
)
def test_what_is_set_of_a_device_in_domoticz(changes, state, text):
    told = list(check_oddities([row(**changes), row(OTHER, switchtype=3), row(unit=250)], ENTRIES))
    assert [one.state for one in told] == ([state] if state else [])
    assert all(one.text.startswith("unit 1 is ") and text in one.text and one.cure for one in told)


def test_devices_that_are_not_in_use():
    one, other = row(used=False), row(unit=2, type=243, subtype=29)
    assert [(found.state, "on none of its pages" in found.text) for found in check_oddities([one, other], ENTRIES)] == [
        ("note", True)
    ]
    (none,) = check_oddities([one], ENTRIES)
    assert (none.state, "none of its devices is in use" in none.text) == ("unchecked", True)


def test_a_device_that_is_there_twice():
    (twins,) = check_oddities([row(), row()], ENTRIES)
    assert (twins.state, "unit 1 (idx 1, 1) more than once" in twins.text) == ("unchecked", True)
    assert list(check_oddities([row(), row(hardware="Second")], ENTRIES)) == [], "that is told as two that serve it"


def unkept(told, *suspects, entries=ENTRIES):
    return [(one.state, one.text) for one in check_unkept(told, {(ID, 3): 95.0}, entries, set(suspects))]


def test_units_that_nothing_which_it_reports_belongs_to():
    told = sign({"unkept": {ID: [3, 4, 10]}})
    (meters, alarm) = unkept(told)
    assert (meters[0], "as unit 3, 4 for 95 s" in meters[1]) == ("unchecked", True)
    assert (alarm[0], "unit 10" in alarm[1]) == ("note", True)
    assert [state for state, _ in unkept(told, "Boiler")] == ["note"], "what is told already is not told twice"
    assert unkept(sign({"unkept": {ID: [3]}}, connected_age_s=5.0)) == []
    assert unkept(sign({"unkept": {ID: [3]}}, connected=False)) == []
    wished = parse_devices(json.dumps([{**BOILER, "domoticz": {"layout": "pc311"}}])).entries
    (finding,) = check_unkept(sign({"unkept": {ID: [3]}}), {}, wished, set())
    assert 'take "layout": "pc311" out' in finding.cure


@pytest.mark.parametrize(
    ("times", "state"), [([60.0, 0.5], "unchecked"), ([300.0, 0.5], "note"), ([600.0], "note"), ([9000.0], None)]
)
def test_a_state_that_something_else_writes(times, state):
    told = unkept(sign({"overwritten": {ID: {"1": times}}}))
    assert [found for found, _ in told] == ([state] if state else [])
