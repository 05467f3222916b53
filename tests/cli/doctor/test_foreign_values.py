"""Another program that writes into the plugin's devices: Domoticz then shows what no breaker measured."""

from __future__ import annotations

import json

import pytest

from tuya.cli.doctor.domoticz_view import StoredUnit
from tuya.cli.doctor.foreign_values import check_foreign
from tuya.cli.doctor.life import life_sign
from tuya.devices.device import KnownDevice
from tuya.devices.devices_file import parse_devices
from tuya.domoticz.breaker import Breaker
from tuya.domoticz.units import ENERGY, VOLTAGE, State

ID = "bf0123456789abcdefgh"


def sign(given, **units):
    told = {"units": {"given": {ID: {str(unit): values for unit, values in given.items()}}}, **units}
    return life_sign(json.loads(json.dumps(told)))


def found(row, age_s, given, later=None, **units):
    """What is said of a row that is so old, where the plugin gave these [seconds ago, sValue], and then `later`."""
    before, after = sign({row.unit: given}), sign({row.unit: given if later is None else later}, **units)
    return [
        (finding.state, finding.text)
        for finding in check_foreign(ID, "Boiler", {row.unit: row}, {(ID, row.unit): age_s}, before, after)
    ]


def volts(value):
    return StoredUnit(ID, VOLTAGE, 0, "", idx=11, svalue=value)


def kwh(value, **other):
    return StoredUnit(ID, ENERGY, 0, "", idx=12, svalue=value, **other)


@pytest.mark.parametrize(
    ("row", "given", "text"),
    [
        (volts("12"), "230.1", "Domoticz shows 12 V where the plugin gave 230.1 V 30 s ago (unit 3, idx 11)"),
        (volts("on fire"), "230.1", "'on fire' where the plugin gave 230.1 V"),
        (kwh("0;0"), "2300.0;12345.678", "0 W and 0 kWh where the plugin gave 2300 W and 12.3457 kWh"),
        (kwh("2300.0;0"), "2300.0;12345.678", "2300 W and 0 kWh where"),
        (kwh("0;9", counts_itself=True), "2300.0;12345.678", "0 W and"),
    ],
)
@pytest.mark.parametrize("age_s", [0.0, 10.0, 31.0])
def test_what_the_plugin_did_not_give_is_told_with_where_it_stands(row, given, text, age_s):
    ((state, told),) = found(row, age_s, [[30.0, given]])
    assert (state, text in told) == ("failed", True), told


@pytest.mark.parametrize(
    ("row", "age_s", "given", "later"),
    [
        (volts("230.1"), 30.0, [[30.0, "230.1"]], None),
        (volts("230.10"), 3.0, [[3.0, "230.1"]], None),
        (volts("229.0"), 20.0, [[0.1, "230.1"], [20.0, "229.0"]], None),  # the newest is on its way
        (volts("231.0"), 0.0, [[20.0, "230.1"]], [[0.2, "231.0"], [20.2, "230.1"]]),  # given between the looks
        (volts("229.0"), 60.0, [[20.0, "230.1"], [40.0, "231.0"]], None),  # was not stored: another finding
        (volts(None), 5.0, [[20.0, "230.1"]], None),  # the user has it adjusted
        (volts("12"), 5.0, [], None),  # not given in this run of the plugin
        (kwh("100.0;1500.0", counts_itself=True), 5.0, [[5.0, "100.0;9.0"]], None),
        (kwh("100.0;9.000"), 5.0, [[5.0, "100.0;9.000"]], None),
    ],
)
def test_no_alarm_where_nobody_else_writes(row, age_s, given, later):
    assert found(row, age_s, given, later) == []


def test_while_an_update_is_being_made_a_new_value_may_be_that_one():
    assert found(volts("231.0"), 1.0, [[20.0, "230.1"]], update_waits_s=0.4) == []
    assert found(volts("12"), 15.0, [[20.0, "230.1"]], update_waits_s=0.4) != []


def test_the_plugin_tells_the_last_two_values_of_each_meter():
    entry = parse_devices(f'[{{"id": "{ID}", "name": "Boiler", "key": "0123456789abcdef"}}]').entries[0]
    breaker = Breaker(KnownDevice(entry), {}, frozenset(), show_all=False)
    for at_s, value in ((1.0, "229.0"), (6.0, "230.0"), (11.0, "231.0")):
        breaker.written(VOLTAGE, State(0, value), at_s)
    breaker.written(1, State(1, "On"), 11.0)  # a switch is no meter
    assert breaker.given() == {VOLTAGE: ((11.0, "231.0"), (6.0, "230.0"))}
    breaker.gone(VOLTAGE)
    assert breaker.given() == {}
