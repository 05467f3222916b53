"""Readings on units: the table is stored in users' databases and must not change."""

from __future__ import annotations

import pytest

from tuya.domoticz import units
from tuya.domoticz.units import Number, State
from tuya.metering.reading import Reading

KINDS = {
    (244, 73, 0): [1, *range(41, 49), 62],
    (243, 29, 0): [2, 21, 22, 23, *range(101, 121)],
    (243, 8, 0): [3, 24, 25, 26],
    (243, 23, 0): [4, 27, 28, 29, *range(121, 141)],
    (243, 29, 4): [5, 30, 31, 32, *range(141, 161)],
    (243, 31, 0): [6, 7, 9, 11, 33, 34, 35],
    (80, 5, 0): [8],
    (243, 22, 0): [10],
    (244, 62, 18): [61, 63],
    (243, 19, 0): [70],
}


@pytest.mark.parametrize(("kind", "numbers"), KINDS.items())
def test_unit_numbers_are_append_only(kind, numbers):
    for number in numbers:
        found = units.kind_of(number)
        assert (found.type, found.subtype, found.switchtype) == kind


def test_no_other_unit_numbers():
    known = {number for numbers in KINDS.values() for number in numbers}
    for number in set(range(256)) - known:
        with pytest.raises(ValueError, match="no unit"):
            units.kind_of(number)


def test_energy_is_ours_and_custom_units_are_named():
    for number in (2, 5, 21, 30, 101, 141):
        assert units.kind_of(number).options == {"EnergyMeterMode": "0"}
    assert units.kind_of(7).options == {"Custom": "1;Hz"}
    assert units.kind_of(63).options["LevelNames"] == "Off|15 min|30 min|60 min|120 min"
    assert units.kind_of(63).options["LevelActions"] == "||||"


@pytest.mark.parametrize(
    ("unit", "name"),
    [
        (1, "Oven"),
        (2, "Oven Energy"),
        (3, "Oven Voltage"),
        (4, "Oven Current"),
        (22, "Oven Energy B"),
        (42, "Oven Switch 2"),
    ],
)
def test_names_at_creation(unit, name):
    assert units.name_of("Oven", unit) == name


@pytest.mark.parametrize(
    ("unit", "number", "energy_wh", "svalue"),
    [
        (2, Number(41.2, ("total", "used")), 1234.5678, "41.2;1234.568"),
        (2, Number(-0.04, ("total", "used")), 0.0, "0.0;0.000"),
        (2, Number(-812.34, ("total", "used")), 7.0, "-812.3;7.000"),
        (2, Number(12345.67, ("total", "used")), 123456789.0, "12345.7;123456789.000"),
        (3, Number(241.25), 0.0, "241.2"),
        (4, Number(0.3024), 0.0, "0.302"),
        (6, Number(0.987), 0.0, "0.99"),
        (7, Number(49.987), 0.0, "49.99"),
        (8, Number(-3.04), 0.0, "-3.0"),
    ],
)
def test_svalues(unit, number, energy_wh, svalue):
    assert units.format_number(units.kind_of(unit), number, energy_wh) == svalue


@pytest.mark.parametrize(
    ("svalue", "expected"),
    [
        ("41.2;1234.568", (41.2, 1234.568)),
        ("41.2", (41.2, None)),
        ("", (None, None)),
        ("x;5", (None, 5.0)),
        ("nan;inf", (None, None)),
        ("1;2;3", (1.0, 2.0)),
    ],
)
def test_what_domoticz_holds_is_read_back(svalue, expected):
    assert units.parse_meter(svalue) == expected


def test_a_single_circuit():
    reading = Reading(
        switch={1: True}, voltage_v={"1": 241.2}, current_a={"1": 0.302}, power_w={"1": 41.2}, frequency_hz=50.0
    )
    assert units.measures(reading, ("1",), (1,)) == {
        1: State(1, "On"),
        2: Number(41.2, ("total", "used")),
        3: Number(241.2),
        4: Number(0.302),
        5: Number(0.0, ("total", "returned")),
        7: Number(50.0),
    }


def test_three_phases_with_their_sum():
    phases = ("a", "b", "c")
    reading = Reading(
        switch={16: False},
        voltage_v={"a": 230.0, "b": 231.0, "c": 229.0},
        current_a={"a": 1.0, "b": 2.0, "c": 3.0, "total": 6.0},
        power_w={"a": 230.0, "b": -462.0, "c": 687.0, "total": 999.0},
        power_factor={"b": 0.9, "total": 0.8},
    )
    found = units.measures(reading, phases, (16,))
    assert found[2] == Number(455.0, ("total", "used"))  # not the device's own sum, which lags
    assert found[22] == Number(-462.0, ("b", "used"))
    assert found[31] == Number(462.0, ("b", "returned"))
    assert (found[24], found[25], found[26]) == (Number(230.0), Number(231.0), Number(229.0))
    assert (found[27], found[28], found[29]) == (Number(1.0), Number(2.0), Number(3.0))
    assert (found[6], found[34]) == (Number(0.8), Number(0.9))
    assert {3, 4}.isdisjoint(found)


def test_a_missing_phase_is_not_counted_as_zero():
    found = units.measures(Reading(power_w={"a": 100.0, "b": 50.0}), ("a", "b", "c"), ())
    assert 2 not in found
    assert found[21] == Number(100.0, ("a", "used"))
    found = units.measures(Reading(power_w={"a": 100.0, "total": 180.0}), ("a", "b", "c"), ())
    assert found[2] == Number(180.0, ("total", "used"))


def test_clamps_share_one_voltage():
    reading = Reading(voltage_v={"total": 230.0}, current_a={"a": 1.0, "b": 2.0}, power_w={"a": 200.0, "b": 400.0})
    found = units.measures(reading, ("a", "b"), ())
    assert (found[3], found[27], found[28]) == (Number(230.0), Number(1.0), Number(2.0))
    assert 4 not in found


def test_many_circuits():
    channels = tuple(str(number) for number in range(1, 9))
    reading = Reading(
        power_w={channel: 10.0 * int(channel) for channel in channels}, current_a={"1": 0.1, "8": 0.8, "total": 3.6}
    )
    found = units.measures(reading, channels, ())
    assert found[2] == Number(360.0, ("total", "used"))
    assert (found[101], found[108]) == (Number(10.0, ("1", "used")), Number(80.0, ("8", "used")))
    assert (found[121], found[128]) == (Number(0.1), Number(0.8))
    assert found[141] == Number(0.0, ("1", "returned"))


def test_gangs():
    found = units.measures(Reading(switch={1: True, 2: False}), ("1",), (1, 2, 3))
    assert found == {41: State(1, "On"), 42: State(0, "Off")}


def test_basic_units():
    assert {1, 2, 3, 4, 21, 33, 41, 48, 101, 160} <= units.BASIC
    assert units.BASIC.isdisjoint({5, 6, 7, 8, 9, 10, 11, 61, 62, 63, 70})


def test_the_energy_of_an_inverter_is_generated() -> None:
    assert units.kind_at_birth(units.ENERGY, produces=True).switchtype == 4
    assert units.kind_at_birth(units.ENERGY, produces=False).switchtype == 0
    assert units.kind_at_birth(units.VOLTAGE, produces=True) == units.kind_of(units.VOLTAGE)
