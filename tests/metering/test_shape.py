"""What a shape may claim and what it must not: other kinds of devices whose data points look like a meter's."""

from __future__ import annotations

from typing import Any, Dict, List

import pytest

from tuya.metering import raw
from tuya.metering.decode import decode_dump

NOTHING = {"profile": "unknown", "matched_by": "none"}
PHASE = "CREANUkADG8="  # 232.1 V 13.641 A 3183 W


def bare(dps: Dict[str, Any]) -> Dict[str, Any]:
    return decode_dump({"dps": dps})


# a meter whose third phase is dead and still says PF 1.000
THREE_PHASES = {
    "1": 3382,
    "6": "AAAADwAAAAEC2gAAvwRp",
    "7": "AAAADwAAAAEC1gAAwQRo",
    "8": "AAAAAAAAAAAD6AAAAAAA",
    "9": 0,
    "16": True,
    "110": 3,
}


def test_a_dead_phase_is_no_contradiction_and_three_phases_are_never_one() -> None:
    out = bare(THREE_PHASES)
    assert out["voltage_v"] == {"a": 112.9, "b": 112.8}
    assert out["power_w"] == {"a": 15, "b": 15}
    assert out["switch"] == {"16": True}


@pytest.mark.parametrize("lost", ["AAAjigAAAAAAAAAgXAAA", "AAAjigAAAAAAAAAgXAAj"])
def test_a_phase_whose_voltage_is_lost_is_still_a_phase(lost: str) -> None:
    """A two-phase meter sends 0 V beside 8.284 A on its second phase: what is left is phase a, not the device."""
    out = bare({"1": 4496, "6": "AAAhqAAAAAAAAAAe6Ais", "7": lost, "11": False, "12": True, "14": 20})
    assert out["current_a"] == {"a": 7.912}
    assert out["power_w"] == {"a": 861.6}
    assert out["energy_kwh"] == {"total": 44.96}


@pytest.mark.parametrize(
    ("value", "is_lost"),
    [
        ("ACMAAAAAAAA=", True),  # 3.5 V
        ("AAAB9AAAbg==", False),  # 7 bytes beside 8
        ("AAAAAAAAAAA=", False),  # measured nothing
        ("AQEAPAMBAP0=", False),  # an alarm set
        (PHASE, False),
        (230, False),
    ],
)
def test_records_without_a_voltage(value: object, is_lost: bool) -> None:
    assert raw.is_lost_phase(value, PHASE) is is_lost


def test_a_phase_that_the_layout_does_not_name_speaks_against_it() -> None:
    for dp in ("7", "8"):
        out = bare({"1": 37, "6": PHASE, dp: PHASE, "101": True})
        assert "1" not in out.get("voltage_v", {})


@pytest.mark.parametrize(
    ("value", "is_dead"),
    [
        ("", True),
        ("AAAAAAAAAAA=", True),
        ("AAAAAAAAAAAD6AAAAAAA", True),
        ("AAAAAAAAAAAB9A==", True),
        ({"voltage": 0, "electricCurrent": 0, "power": 0}, True),
        ('{"voltage": 0.0, "power": 0}', True),
        ('{"voltage": 230.0, "power": 0}', False),
        (PHASE, False),
        ("CQcAAAAAAAA=", False),
        ("{", False),
        (0, False),
        (None, False),
    ],
)
def test_records_that_measured_nothing(value: object, is_dead: bool) -> None:
    assert raw.is_dead(value) is is_dead


def test_a_second_phase_alone_is_no_three_phase_meter() -> None:
    assert bare({"2": 0, "7": "CbkAAAAAAAAB9A==", "10": 0, "11": 0, "12": "power_off"}) == NOTHING


EV_CHARGER = {"1": 0, "3": "charger_charging", "6": "CT4AFwwABXU=", "9": 0, "10": 0, "16": True, "25": 1}


@pytest.mark.parametrize(
    "more", [{"13": "controlpi_12v"}, {"18": False}, {"17": 5}, {"13": "controlpi_12v", "18": True}]
)
def test_the_button_of_a_charger_is_no_relay(more: Dict[str, Any]) -> None:
    # DP 16 clears the energy there; what a breaker has on 13, 17 and 18 has another type
    assert bare({**EV_CHARGER, **more}) == NOTHING


def test_a_relay_on_16_beside_a_phase_belongs_to_the_layout() -> None:
    assert bare({"1": 37, "6": PHASE, "16": True})["profile"] == "phase1"
    assert bare({"1": 37, "6": PHASE, "16": 5}) == NOTHING or "switch" not in bare({"1": 37, "6": PHASE, "16": 5})


@pytest.mark.parametrize(
    "dps",
    [
        # a charger: A, B, C volts on 102 to 104, amperes on 105 to 107
        {"101": "charging", "102": 2301, "103": 2310, "104": 2290, "105": 160, "106": 160, "107": 160, "109": 55},
        # a thermostat
        {"1": True, "2": "auto", "16": 215, "18": 350, "19": 300, "20": 2100, "24": 205, "26": 0},
        # water timers, fryers, air conditioners and vacuum cleaners with settings where others measure
        {"1": False, "2": True, "17": 652, "42": 240, "43": False, "44": "sunny", "45": "3", "102": 240, "103": 50}
        | {"104": 1871, "101": 100, "105": "idle", "106": "idle"},
        {"1": True, "7": 57, "8": 42, "9": 1176, "10": 1230, "11": 611, "102": "cooking", "103": False, "105": "6"}
        | {"13": 3},
        {"1": True, "2": True, "7": 50, "8": 1, "9": 1000, "10": True, "13": False, "14": "2"},
        {"1": True, "102": 946, "103": 399, "104": 1000, "107": 100, "108": 10, "106": "1"},
        {"1": False, "7": 83983, "101": 1832, "102": 35401, "103": 7495, "105": 60988, "106": 72435, "109": "flicker"},
        # a calibration coefficient of 1000 is no 100 V
        {"16": True, "101": 1000, "102": 500, "103": 400, "105": 10},
        {"1": True, "9": 0, "18": 500, "19": 400, "20": 1000},
        # no country has 158 V
        {"1": True, "9": 0, "18": 500, "19": 700, "20": 1580},
        # a meter with a relay whose relay is missing
        {"1": 5, "102": 2264, "106": 977, "107": 2273, "117": 220},
    ],
)
def test_other_devices_are_not_claimed(dps: Dict[str, Any]) -> None:
    assert bare(dps) == NOTHING


READINGS = {"18": 121, "19": 86, "20": 2168}


@pytest.mark.parametrize(
    ("dps", "switches"),
    [
        ({"1": False, "2": True, "3": True, "7": False}, ["1", "2", "3", "7"]),
        ({"1": True, "9": 0, "7": False, "15": 0}, ["1", "7"]),
        ({"1": True, "9": 0, "7": 3}, ["1"]),
        ({"1": True, "9": 0, "2": True, "10": 0, "3": True, "11": 0}, ["1", "2", "3"]),
        # the first outlet is timed and DP 2 is not: it is no outlet
        ({"1": True, "9": 0, "2": True}, ["1"]),
        # no gaps
        ({"1": True, "3": True}, ["1"]),
    ],
)
def test_outlets_of_a_strip(dps: Dict[str, Any], switches: List[str]) -> None:
    assert list(bare({**dps, **READINGS})["switch"]) == switches


def test_volts_and_amperes_stay_where_only_the_watts_are_off() -> None:
    # 2170.9 W of 231.5 V x 8.584 A: 9 % too much, seen on a real plug in four reports
    out = bare({"1": True, "9": 0, "17": 50, "18": 8584, "19": 21709, "20": 2315})
    assert (out["voltage_v"], out["current_a"]) == ({"1": 231.5}, {"1": 8.584})
    assert "power_w" not in out


def test_a_record_with_a_low_power_factor_is_believed() -> None:
    assert bare({"1": 10, "6": "CWgABtwAABE=", "16": True})["power_w"] == {"1": 17}


def test_settings_of_known_layouts_do_not_hide_them() -> None:
    out = bare(
        {"16": True, "101": 2258, "102": 3620, "103": 6284, "104": 8173, "105": 129146, "106": 76, "107": 49}
        | {"108": 36, "109": 180, "110": 250, "115": 85, "116": "2", "123": 12495439}
    )
    assert (out["profile"], out["power_w"], out["switch"]) == ("kws302-relay", {"1": 628.4}, {"16": True})


@pytest.mark.parametrize(
    "dps",
    [
        {"1": True, "13": 45, "14": 50, "18": 230, "19": 120, "20": 2300, "24": True, "25": "sleep"},  # humidifier
        {"1": True, "18": 230, "19": 120, "20": 2300, "24": True},
        {"1": True, "9": 0, "12": 45, "18": 230, "19": 120, "20": 2300},  # a countdown for no outlet
        {"1": True, "2": "eco", "3": 21, "4": 22, "6": False, "7": 100, "8": 80, "9": 2200},  # heater
        {"20": True, "21": "white", "22": 1000, "23": 500, "24": "000003e803e8", "25": "", "26": 0},  # lamp
        {"1": True, "21": 1000, "22": 2200, "23": 2300},
        {"1": "stop", "2": 50, "3": 50, "7": "close", "8": "cool", "10": 15},  # curtain
        {"1": True, "2": False, "3": "standby", "4": "forward", "5": "standby", "6": 87, "7": 2290, "8": 100, "9": 50},
        {"1": "good", "2": 450, "18": 230, "19": 50, "20": 2310, "21": 400},  # air quality
        {"1": True, "101": 100, "102": 2300, "103": 500, "104": 1100, "105": "auto", "106": 5}
        | {"107": 3, "108": True, "109": 7, "110": 9},  # pump
        {"1": True, "2": "heat", "4": 28, "16": 25, "102": 230, "103": 45, "104": 50, "105": 2300, "107": 2310},
        {"1": 95, "6": "AAAAAAAA", "9": 0, "16": True},
        {"1": 10, "6": "AQEAPAMBAP0=", "16": True},  # an alarm set
        {"1": True, "6": "EwAAAAAAAAAAAA==", "9": 0},  # a cycle time
        {"1": 10, "6": "12345678", "16": True},  # a card number
        {"1": 10, "6": "GAkYCQAAANQ=", "16": True},  # the energy of a month
        {"1": 10, "6": "Ag8JJQAASAA=", "16": True},  # the head of a longer record: 52.7 V
        {"1": 10, "6": "D6AANUkAFgA=", "16": True},  # 400 V
        {"1": 5, "16": True, "101": 2530, "102": 1800, "103": 63, "104": 30, "105": 80},  # limits
        {"1": True, "101": 1000, "102": 1000, "103": 1000, "104": 1000, "105": 1000, "106": 1000},  # coefficients
        {"101": 2350, "102": 1000, "103": 1000, "104": 1000, "105": 2300, "106": 1000, "107": 1000},
        {"1": True, "2": False, "3": True, "7": 60, "8": 120, "9": 2300, "10": 0, "13": 5, "14": 7},  # irrigation
        {"1": "10", "5": "low", "7": 10, "13": True, "15": 100, "16": False, "20": 230},  # siren
        {"101": True, "104": 230, "105": 52, "106": 2300, "107": 4, "108": -18, "109": True},  # refrigerator
        {"1": "AQIDBAUGBwg=", "3": 5, "6": 2300, "7": 400, "8": 80, "16": True},
        {"1": True, "2": 30, "3": False, "4": 100, "5": 225, "6": 2275, "7": 60, "12": "x"},  # garage door
        {"1": True, "9": 0, "101": PHASE},
        {"7": PHASE, "8": PHASE},
        {"1": True, "9": "0", "18": "302", "19": "412", "20": "2412"},
        {"1": True, "18": 0.302, "19": 41.2, "20": 241.2},
        {"1": True, "2": 95, "5": 2200, "4": 100, "6": 2300, "101": "boil", "102": 3},  # kettle
        {"1": "main", "18": 4500, "19": 10000, "20": 2299, "101": 2301, "102": 2302},  # transfer switch
        {"1": 5200, "2": 1010, "18": 1010, "19": 5252, "20": 520, "21": 98},  # battery
        {"1": True, "101": 2301, "102": 5010, "103": 1500, "104": 12500, "105": 85, "106": True, "107": "ok"},
    ],
)
def test_what_no_meter_sends_is_not_claimed(dps: Dict[str, Any]) -> None:
    assert bare(dps) == NOTHING


def test_a_relay_speaks_against_a_clamp() -> None:
    clamp = {"105": 1767, "106": 977, "107": 2273, "108": 68301, "109": 829}
    assert bare(clamp)["profile"] == "clamp"
    for dp in ("1", "16"):
        assert bare({**clamp, dp: True})["matched_by"] == "none"


def test_words_on_the_first_data_points_belong_to_chargers() -> None:
    """Most words would pass as base64 without padding; "charger_charging" has the length for it."""
    dps = {"1": 10900, "3": "charger_charging", "4": 8, "6": "CTYAHtwABzo=", "9": 1850, "10": 0, "16": False}
    assert bare(dps) == NOTHING
    del dps["3"]
    assert bare(dps)["switch"] == {"16": False}


def test_the_increments_of_two_clamps_are_added() -> None:
    dps = {"17": 100, "18": 3700, "19": 6810, "20": 2300, "101": 103, "102": 4200, "103": 7760, "104": 2310}
    assert bare(dps)["energy_increment_wh"] == 203


def test_of_two_layouts_of_a_product_only_what_both_say_until_one_is_proven() -> None:
    dps = {"1": 5, "2": 0, "9": 0, "15": 69, "16": True, "19": "SPM01"}
    out = decode_dump({"product_id": "brnwqs0ifofy3rzu", "dps": dps})
    assert out["energy_kwh"] == {"1": 0.05}
    assert "leakage_ma" not in out  # the power factor of the other layout
    assert "power_factor" not in out
    assert "switch" not in out  # the other one sends DP 16 and has no relay
    proven = decode_dump({"product_id": "brnwqs0ifofy3rzu", "dps": {**dps, "101": 5006, "102": 2288, "103": 639}})
    assert proven["power_factor"] == {"1": 0.69}
    assert "switch" not in proven
