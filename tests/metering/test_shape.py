"""What a shape may claim and what it must not: other kinds of devices whose data points look like a meter's."""

from __future__ import annotations

from typing import Any, Dict, Tuple

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
        ({"1": False, "2": True, "3": True, "7": False}, ["1", "2", "3"]),
        ({"1": True, "9": 0, "2": True, "10": 0, "3": True, "11": 0}, ["1", "2", "3"]),
        # the first outlet is timed and DP 2 is not: it is no outlet
        ({"1": True, "9": 0, "2": True}, ["1"]),
        # no gaps
        ({"1": True, "3": True}, ["1"]),
    ],
)
def test_outlets_of_a_strip(dps: Dict[str, Any], switches: Tuple[str, ...]) -> None:
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
