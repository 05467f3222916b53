"""Who is believed of which data point: the rules that settle claims, and what no rule may ever let through."""

from __future__ import annotations

import base64
import json
import time
from typing import Any, Dict

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tuya.metering import physics
from tuya.metering.catalogue import load
from tuya.metering.decode import decode_dump, numbered
from tuya.metering.evidence import RULES
from tuya.metering.profile import match
from tuya.metering.words import may_be_relay

PHASE = "CREANUkADG8="  # 232.1 V 13.641 A 3183 W
BOOLEANS = (
    *("clear_energy", "energy_reset", "leakage_test", "switch_prepayment", "switch_inching", "child_lock", "recloser"),
    *("auto_reclose", "report_flag", "switch_backlight", "self_test", "meter_lock", "overcharge_switch", "defrost"),
)
RELAYS = ("switch", "switch_1", "switch_2", "relay", "switch_usb1")
READINGS = ("cur_voltage", "cur_current", "cur_power", "forward_energy_total", "add_ele", "phase_a", "fault", "freq")
VALUES = st.one_of(
    st.booleans(),
    st.integers(0, 5000),
    st.integers(-100_000_000, 2**31),
    st.sampled_from([PHASE, "", "AQEAPAMBAP0=", "charger_free", "REVERSE", "on", '{"L1":[2270,58,13]}']),
)
DPS = st.dictionaries(st.one_of(st.integers(1, 26), st.integers(1, 254)).map(str), VALUES, max_size=30)
UNITS = st.sampled_from(["V", "A", "W", "kW", "kWh", ""])
LINES = st.dictionaries(
    st.one_of(st.integers(1, 26), st.integers(1, 254)).map(str),
    st.fixed_dictionaries(
        {
            "code": st.sampled_from((*BOOLEANS, *RELAYS, *READINGS)),
            "type": st.sampled_from(["Boolean", "Integer", "Raw"]),
        },
        optional={"values": st.fixed_dictionaries({"unit": UNITS, "scale": st.integers(0, 3)})},
    ),
    max_size=15,
)
CATEGORIES = st.sampled_from([None, "dlq", "zndb", "cz", "kg", "qccdz", "znnbq", "rs", "mppt", "unheard-of"])


@settings(max_examples=examples(150), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(product_id=st.sampled_from(["", *sorted(load().products)]), category=CATEGORIES, lines=LINES, dps=DPS)
def test_no_boolean_that_the_model_names_otherwise_is_ever_a_switch(
    product_id: str, category: Any, lines: Dict[str, Any], dps: Dict[str, Any]
) -> None:
    dump = {"product_id": product_id, "category": category, "mapping": lines, "dps": dps}
    profile = match(dump, numbered(dps))
    for dp in profile.switch_dps:
        code = lines.get(str(dp), {}).get("code", "switch")
        assert may_be_relay(code), (dp, code)
        assert code not in BOOLEANS
    for dp, control in profile.controls.items():
        code = lines.get(str(dp), {}).get("code", "")
        assert code not in BOOLEANS or (code, control.role) == ("child_lock", "child_lock"), (dp, code)
    out = decode_dump(dump)
    for quantity, most in (("voltage_v", 280), ("current_a", 630), ("power_w", physics.MAX_PROVEN_W)):
        assert all(abs(amount) <= most for amount in out.get(quantity, {}).values())
    for channel, amount in out.get("power_w", {}).items():
        is_proven = channel in out.get("voltage_v", {}) and channel in out.get("current_a", {})
        borrowed = "total" in out.get("voltage_v", {})
        assert is_proven or borrowed or channel == "total" or abs(amount) <= physics.MAX_LONE_W


@pytest.mark.parametrize("code", BOOLEANS)
def test_words_that_are_no_relay(code: str) -> None:
    assert not may_be_relay(code)


def test_each_rule_has_a_name() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)


def line(code: str, unit: str = "", scale: int = 0, kind: str = "Integer", **more: Any) -> Dict[str, Any]:
    return {"code": code, "type": kind, "values": {"unit": unit, "scale": scale, **more}}


def test_named_data_points_follow_the_model_and_the_others_the_layout_beside_them() -> None:
    mapping = {"1": line("total_forward_energy", "kWh", 2), "6": line("phase_a", kind="Raw")}
    dps = {"1": 10000, "6": PHASE, "7": "CNEAJ5AACOw=", "8": "CZIAAkcAAGE=", "9": 0, "16": True}
    out = decode_dump({"mapping": mapping, "dps": dps})
    assert out["matched_by"] == "codes"
    assert out["power_w"] == {"a": 3183, "b": 2284, "c": 97}
    assert out["energy_kwh"] == {"total": 100}
    assert out["switch"] == {"16": True}


def test_outlets_by_the_model_beside_a_meter_by_its_shape() -> None:
    mapping = {str(dp): line(f"switch_{dp}", kind="Boolean") for dp in range(1, 6)}
    dps = {**{str(dp): dp % 2 == 0 for dp in range(1, 6)}, "9": 0, "18": 500, "19": 1000, "20": 2300}
    out = decode_dump({"mapping": mapping, "dps": dps})
    assert sorted(out["switch"]) == ["1", "2", "3", "4", "5"]
    assert out["power_w"] == {"1": 100}


def test_a_model_without_measuring_codes_still_says_which_is_the_relay() -> None:
    out = decode_dump({"category": "cz", "mapping": {"1": line("switch_1", kind="Boolean")}, "dps": {"1": True}})
    assert out == {"profile": "no mains meter", "matched_by": "codes", "switch": {"1": True}}


FULL_SOCKET = {
    **{"1": True, "9": 0, "17": 617, "18": 15423, "19": 21, "20": 2427, "21": 2, "22": 0, "23": 0, "24": 0, "25": 0},
    **{"26": 0, "38": "memory", "40": "relay", "41": False, "42": ""},
}


def test_a_complete_socket_whose_readings_contradict_each_other_is_still_that_socket() -> None:
    out = decode_dump({"dps": FULL_SOCKET})
    assert (out["profile"], out["switch"], out["voltage_v"]) == ("socket", {"1": True}, {"1": 242.7})
    assert not {"current_a", "power_w"} & set(out)
    out = decode_dump({"dps": {**FULL_SOCKET, "18": 500, "19": 1500}})  # 150 W of 121 VA
    assert not {"current_a", "power_w"} & set(out)


def test_a_breaker_whose_phase_is_missing_has_its_switch_its_kwh_and_its_leakage() -> None:
    dps = {"1": 40142, "9": 0, "11": False, "12": False, "13": 0, "15": 4, "16": True, "103": 30}
    out = decode_dump({"category": "dlq", "dps": dps})
    assert (out["switch"], out["energy_kwh"], out["leakage_ma"]) == ({"16": True}, {"1": 401.42}, 4)
    assert decode_dump({"dps": dps})["matched_by"] == "none"
    assert "energy_kwh" not in decode_dump({"category": "dlq", "dps": {"1": True, "16": True}})


def test_a_record_that_proves_itself_is_enough_in_its_category() -> None:
    out = decode_dump({"category": "dlq", "dps": {"6": PHASE}})
    assert out["power_w"] == {"1": 3183}
    assert decode_dump({"category": "kt", "dps": {"6": PHASE}})["matched_by"] == "none"


@pytest.mark.parametrize("text", ["CREANUkADG8", "CREANUkADG8==", "CREANUkADG8===", " CREANUkADG8=\n"])
def test_base64_with_another_padding(text: str) -> None:
    assert decode_dump({"category": "dlq", "dps": {"6": text}})["power_w"] == {"1": 3183}


def blocks(width: int, *values: int) -> str:
    return base64.b64encode(b"".join(value.to_bytes(width, "big") for value in values)).decode()


def test_three_values_in_one_data_point() -> None:
    dps = {"1": True, "101": blocks(2, 2300, 2310, 2320), "102": blocks(3, 3700, 4200, 4700)}
    dps["103"] = blocks(3, 24000, 7000, 8000, 9000)
    out = decode_dump({"dps": dps})
    assert out["power_w"] == {"a": 700, "b": 800, "c": 900, "total": 2400}


def test_a_record_in_milliwatts_that_ends_with_the_frequency() -> None:
    record = "CXMAAT0BTjgB9A=="  # 241.9 V 0.317 A 85.560 W 50.0 Hz
    dps = {"2": 113, "7": record, "10": 85560, "15": "WVC-1600", "18": 38, "101": True, "102": 1010, "103": 856}
    out = decode_dump({"category": "znnbq", "dps": dps})
    assert (out["voltage_v"], out["current_a"], out["frequency_hz"]) == ({"1": 241.9}, {"1": 0.317}, 50)
    assert out["power_w"]["1"] == pytest.approx(85.6, abs=0.1)


METRICS = {"L1": [2240, 58, 13], "L2": [2240, 58, 13], "L3": [2240, 58, 13], "t": 280, "p": 39, "d": 20110, "e": 22}


@pytest.mark.parametrize("value", [METRICS, json.dumps(METRICS)])
def test_a_charger_that_speaks_json(value: object) -> None:
    out = decode_dump({"category": "qccdz", "dps": {"101": 103, "102": value, "109": "WORKING"}})
    assert out["current_a"] == {"a": 5.8, "b": 5.8, "c": 5.8}
    assert out["power_w"] == {"a": 1300, "b": 1300, "c": 1300, "total": 3900}
    assert out["temperature_c"] == 28


def test_a_lone_power_in_whole_watts_whose_range_settles_the_scale() -> None:
    for most, shown in ((3000, {"1": 405}), (50000, None)):
        mapping = {"5": line("cur_power", "W", 0, min=0, max=most)}
        assert decode_dump({"category": "hwsb", "mapping": mapping, "dps": {"5": 405}}).get("power_w") == shown


def test_ceilings_with_and_without_volts_and_amperes() -> None:
    mapping = {"19": line("cur_power", "W", 1)}
    assert "power_w" not in decode_dump({"mapping": mapping, "dps": {"19": 900_000}})
    inverter = {"10": line("power_total", "kW", 3)}
    assert "power_w" not in decode_dump({"category": "znnbq", "mapping": inverter, "dps": {"10": 132015}})


def test_the_output_of_an_inverter_stands_before_codes_that_stay_at_zero() -> None:
    mapping = {
        **{"18": line("cur_current", "mA"), "19": line("cur_power", "W", 1), "20": line("cur_voltage", "V", 1)},
        **{"101": line("pv_power", "W", 2), "109": line("out_power", "W", 2), "113": line("energy", "kWh", 2)},
        **{"114": line("ac_volt", "V", 2), "106": line("ac_current", "A", 2), "107": line("day_energy", "kWh", 2)},
    }
    dps = {"18": 0, "19": 0, "20": 0, "101": 41250, "106": 164, "107": 121, "109": 38460, "113": 51283, "114": 23480}
    out = decode_dump({"category": "cz", "mapping": mapping, "dps": dps})
    assert out["power_w"] == {"1": 384.6}
    assert out["energy_kwh"]["1"] == 512.83
    assert out["voltage_v"] == {"1": 234.8}


def test_an_increment_that_counts_on_is_none() -> None:
    mapping = {"19": line("cur_power", "W", 1), "109": line("add_ele", "kWh", 2)}
    assert "energy_increment_wh" not in decode_dump({"mapping": mapping, "dps": {"19": 4050, "109": 12345}})


def test_a_days_energy_is_no_total() -> None:
    mapping = {"5": line("cur_power", "W", 1), "18": line("power_consumption", "kWh", 2)}
    for category in ("rs", "znrb", "cz", None):
        out = decode_dump({"category": category, "mapping": mapping, "dps": {"5": 4050, "18": 89}})
        assert "energy_kwh" not in out
    mapping["18"] = line("electric_total", "kWh", 2)
    assert decode_dump({"category": "znrb", "mapping": mapping, "dps": {"18": 89}})["energy_kwh"] == {"1": 0.89}


def test_an_unnamed_direction_turns_the_power() -> None:
    dps = {"1": 100, "6": PHASE, "102": "REVERSE"}
    assert decode_dump({"dps": dps})["power_w"] == {"1": -3183}
    assert decode_dump({"dps": {**dps, "102": "FORWARD"}})["power_w"] == {"1": 3183}


def test_explain_says_who_says_what_and_what_decided() -> None:
    mapping = {"16": line("clear_energy", kind="Boolean")}
    why = decode_dump({"mapping": mapping, "dps": {"1": 37, "6": PHASE, "16": True}}, explain=True)["why"]
    assert any("DP 16" in sentence and "clear_energy" in sentence for sentence in why)
    assert any(sentence == "DP 6: the layout that fits says phase" for sentence in why)


def test_hostile_dumps_are_answered_in_bounded_time() -> None:
    long_text = "A" * 16_000
    nested = "[" * 3000 + "]" * 3000
    dumps = [
        {"dps": {str(dp): long_text for dp in range(1, 4000)}},
        {"dps": {str(dp): nested for dp in range(1, 256)}},
        {"dps": {str(dp): '{"L1":' + nested + "}" for dp in range(1, 256)}},
        {"mapping": {str(dp): {"code": "p" + long_text, "values": nested} for dp in range(1, 256)}, "dps": {"1": 1}},
        {"category": long_text, "product_id": long_text, "dps": {str(dp): dp for dp in range(1, 256)}},
    ]  # fmt: skip
    for dump in dumps:
        began = time.monotonic()
        decode_dump(dump, explain=True)
        assert time.monotonic() - began < 5.0
