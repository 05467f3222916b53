"""Raw values: real strings and the numbers that they mean; everything else is no data."""

from __future__ import annotations

import base64
import json
from typing import Optional, Tuple

import pytest

from tuya.metering import raw
from tuya.metering.layout import Slice

# text -> V, A, W, leakage mA
REAL = [
    ("COkAABUAAAU=", (228.1, 0.021, 5.0, None)),
    ("CZIAAkcAAGE=", (245.0, 0.583, 97.0, None)),
    ("CNEAJ5AACOw=", (225.7, 10.128, 2284.0, None)),
    ("CREANUkADG8=", (232.1, 13.641, 3183.0, None)),
    ("CGYAPCgADPIACw==", (215.0, 15.400, 3314.0, 11.0)),
    ("AAAhqAAAAAAAAAAe6Ais", (222.0, 7.912, 861.6, None)),
    ("Ag8JJQAASAAACAAAAAAACGME", (234.1, 0.072, 8.0, None)),
]


@pytest.mark.parametrize(("text", "wanted"), REAL)
def test_real_records(text: str, wanted: Tuple[float, float, float, Optional[float]]) -> None:
    phase = raw.phase(text)
    assert phase is not None
    assert (phase.voltage_v, phase.current_a, phase.power_w, phase.leakage_ma) == pytest.approx(wanted)


@pytest.mark.parametrize(("text", "wanted"), REAL)
def test_the_same_record_in_other_spellings(text: str, wanted: Tuple[float, ...]) -> None:
    data = base64.b64decode(text)
    for spelled in (data.hex(), data.hex().upper(), text + "=", text.rstrip("="), f" {text}\n"):
        phase = raw.phase(spelled)
        assert phase is not None, spelled
        assert phase.voltage_v == wanted[0]


def test_the_official_record_with_signs() -> None:
    phase = raw.phase("020F08800003E8002710000DAC0030D4500F")
    assert phase is not None
    assert (phase.voltage_v, phase.current_a, phase.power_w, phase.power_factor) == (217.6, -1.0, -10000.0, -0.80)


def test_factor_of_a_record_with_one_sign() -> None:
    phase = raw.phase("Ag8JJQAASAAACAAAAAAACGME")  # sign bits 4: reactive power only
    assert phase is not None
    assert phase.power_factor == 0.99
    assert phase.current_a == 0.072


@pytest.mark.parametrize(
    ("text", "power_w"),
    [
        ("08FC0001F4000064", 100.0),  # 230.0 V 0.5 A
        ("08FC0001F4800064", -100.0),  # sign before the magnitude
        ("08FC0001F4FFFF9C", -100.0),  # two's complement
        ("08FC0001F40064", 100.0),  # 7 bytes
        ("08FC0001F4FF9C", -100.0),
    ],
)
def test_signs_of_plain_records(text: str, power_w: float) -> None:
    phase = raw.phase(text)
    assert phase is not None
    assert phase.power_w == power_w


@pytest.mark.parametrize(
    ("raw_power", "factor", "lsb", "wanted"),
    [
        (1000, 0, None, None),  # 1000 W or 100 W: nothing tells
        (1000, 870, None, 1000.0),  # the factor tells
        (1000, 87, None, 100.0),
        (8616, 0, None, 861.6),
        (1000, 0, 1.0, 1000.0),  # the layout tells
        (1000, 0, 0.1, 100.0),
    ],
)
def test_power_of_15_bytes(raw_power: int, factor: int, lsb: Optional[float], wanted: Optional[float]) -> None:
    data = b"\0" + raw_power.to_bytes(3, "big") + b"\0\0\0\0" + factor.to_bytes(2, "big")
    data += (5000).to_bytes(3, "big") + (2300).to_bytes(2, "big")
    phase = raw.phase(data.hex(), power_lsb_w=lsb)
    assert phase is not None
    assert phase.voltage_v == 230.0
    assert phase.power_w == wanted


def test_returned_power_of_15_bytes() -> None:
    phase = raw.phase("010003E8" + "00000000" + "0366" + "001388" + "08FC")
    assert phase is not None
    assert phase.power_w == -1000.0
    assert phase.power_factor == -0.87


@pytest.mark.parametrize(
    "nothing",
    [
        "",
        "AAAAAAAAAAA=",
        "AAAAAAAAAAAAAA==",
        "0000000000000000",
        "BAEAMgUBAFA=",  # an alarm set of 8 bytes: 102.5 V, 12.8 A
        "AQECdgMBARMEAQCv",  # 12 bytes
        "AQ8JJQAASAA=",  # the first 8 bytes of a 17-byte record: 27.1 V
        "Ag8JJQAASAA=",  # of an 18-byte one: 52.7 V
        "not base64!",
        "202311813370",
        "COkAABUAAAUAAAAAAA==",  # 13 bytes
        None,
        True,
        2301,
        [1],
        {},
        "{",
        "[]",
        "{}",
        '{"voltage": "high", "electricCurrent": 1}',
        {"voltage": 52.7, "electricCurrent": 1.0, "power": 0.05},
        {"voltage": 0, "electricCurrent": 0, "power": 0},
        {"voltage": float("nan"), "electricCurrent": 1.0},
    ],
)
def test_no_data(nothing: object) -> None:
    assert raw.phase(nothing) is None


@pytest.mark.parametrize(
    ("record", "wanted"),
    [
        ({"electricCurrent": 0.5, "power": 0.1, "voltage": 230.1}, (230.1, 0.5, 100.0)),  # A, kW, V
        ({"electricCurrent": 500, "power": 100, "voltage": 2301}, (230.1, 0.5, 100.0)),  # mA, W, 0.1 V
        ({"electricCurrent": "0.5", "power": "0.1", "voltage": "230.1"}, (230.1, 0.5, 100.0)),
        ({"current": 2.0, "power": 400, "voltage": 230}, (230.0, 2.0, 400.0)),  # W: 400 kW is impossible
        ({"electricCurrent": 0.0, "power": 0.0, "voltage": 230.1}, (230.1, 0.0, 0.0)),
    ],
)
def test_objects_and_json_text(record: dict[str, object], wanted: Tuple[float, float, float]) -> None:
    for value in (record, json.dumps(record)):
        phase = raw.phase(value)
        assert phase is not None
        assert (phase.voltage_v, phase.current_a, phase.power_w) == wanted


@pytest.mark.parametrize(("text", "volts"), [("CQEAAwEAADE=", 230.5), ("CQAABAgAAJg=", 230.4)])
def test_voltages_whose_bytes_could_begin_an_alarm_set(text: str, volts: float) -> None:
    phase = raw.phase(text)
    assert phase is not None
    assert phase.voltage_v == volts


def test_an_object_whose_power_fits_no_unit() -> None:
    phase = raw.phase({"voltage": 230.5, "electricCurrent": 10.0, "power": 3.0, "powerFactor": 0.98})
    assert phase == raw.Phase(230.5, 10.0, None, 0.98)


def test_u24_triples_must_fit() -> None:
    fits = (2300).to_bytes(3, "big") + (5000).to_bytes(3, "big") + (1000).to_bytes(3, "big")
    currents = (1444).to_bytes(3, "big") + (1224).to_bytes(3, "big") + (1593).to_bytes(3, "big")
    assert raw.phase(fits.hex()) == raw.Phase(230.0, 5.0, 1000.0)
    assert raw.phase((fits + b"\0\0").hex()) == raw.Phase(230.0, 5.0, 1000.0)
    assert raw.phase(currents.hex()) is None


def test_slices() -> None:
    data = bytes.fromhex("00" + "9cffffff" + "e8030000" + "fc080000")  # little-endian: -100 W, 1000 mA, 2300
    assert raw.sliced(data.hex(), Slice(13, 1, 5, little=True, signed=True)) == -100
    assert raw.sliced(data.hex(), Slice(13, 5, 9, little=True, signed=True)) == 1000
    assert raw.sliced(base64.b64encode(data).decode(), Slice(13, 9, 13, little=True)) == 2300
    assert raw.sliced(data.hex(), Slice(12, 1, 5)) is None
    assert raw.sliced("00" * 13, Slice(13, 9, 13)) is None


def test_alarm_sets() -> None:
    first = {one.name: (one.value, one.unit, one.trips) for one in raw.alarm_set("BAEAMgUBAFA=", 1)}
    assert first == {"leakage": (50.0, "mA", True), "temperature": (80.0, "C", True)}
    second = {one.name: one.value for one in raw.alarm_set("AQECdgMBARMEAQCv", 2)}
    assert second == {"over_current": 630.0, "over_voltage": 275.0, "under_voltage": 175.0}
    third = {one.name: one.value for one in raw.alarm_set("AQEAPAMBAP0EAQC0", 2)}
    assert third == {"over_current": 60.0, "over_voltage": 253.0, "under_voltage": 180.0}
    off = raw.alarm_set("BQAAVQQAADI=", 1)
    assert [one.trips for one in off] == [False, False]


@pytest.mark.parametrize("text", ["COkAABUAAAU=", "", "BAEAMg==X", "BAEAMgQBADI=", "BAIAMg==", "BAEAMgU="])
def test_no_alarm_sets(text: str) -> None:
    assert raw.alarm_set(text, 1) == ()


def test_fault_bits() -> None:
    assert raw.fault_labels(0, ()) == ()
    assert raw.fault_labels(0b100_0000_0000, ()) == ("ov_vol",)
    assert raw.fault_labels(3, ("ov_cr", "ov_vol")) == ("ov_cr", "ov_vol")
    assert raw.fault_labels(4, ("ov_cr", "ov_vol")) == ("bit2",)
    for nothing in (True, -1, 2**40, 1.5, "1", None):
        assert raw.fault_labels(nothing, ()) is None
