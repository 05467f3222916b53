"""Profiles: what a device can be asked and told, wishes, and what one frame brings."""

from __future__ import annotations

from typing import Any

import pytest

from tuya.metering.decode import decode_dump, numbered
from tuya.metering.profile import Profile, match

PHASE = "CREANUkADG8="
THREE = {"1": 3296, "6": PHASE, "7": "CNEAJ5AACOw=", "8": "CZIAAkcAAGE=", "16": True, "139": 5564, "125": 1000}


def profile_of(product_id: str, dps: Any = None, **wishes: Any) -> Profile:
    return match({"product_id": product_id, "domoticz": wishes or None}, numbered(dps or {}))


def test_a_three_phase_breaker() -> None:
    profile = profile_of("a0k7kwt5wkqdswnm", THREE)
    assert profile.channels == ("a", "b", "c")
    assert profile.counter_step_kwh == {"total": 0.01, "a": 0.01, "b": 0.01, "c": 0.01}
    assert profile.refresh_dps == (6, 7, 8)
    assert profile.power_max_age_s == 300
    assert sorted(profile.controls) == [16, 142]


def test_only_declared_states_are_controls() -> None:
    for product_id in ("ejo7xbrodydgnavj", "kmnzgh4yn8pa0lqh", "4x198rybhwtzirm7"):
        assert not {11, 12, 13, 14, 17, 18, 21} & set(profile_of(product_id).controls)
    assert profile_of("jdj6ccklup7btq3a", {"1": 5}).controls.keys() == {9, 38, 41}


def test_no_refresh_asks_for_too_much() -> None:
    for product_id in ("r64livttuufctble", "tehjajiyfp2phy4d", "jdj6ccklup7btq3a", "xafxthzm5rxv7qcc"):
        assert 0 < len(profile_of(product_id).refresh_dps) <= 9


def test_a_frame_of_one_phase_brings_that_phase() -> None:
    dps = numbered(THREE)
    reading = profile_of("a0k7kwt5wkqdswnm", THREE).decode(dps, changed={7})
    assert reading.power_w == {"b": 2284.0}
    assert reading.voltage_v == {"b": 225.7}
    assert reading.energy_kwh == {}
    assert reading.switch == {}


def test_a_frame_is_decoded_in_the_context_of_all() -> None:
    mapping = {
        "19": {"code": "cur_power", "type": "Integer", "values": {"unit": "W", "scale": 0}},
        "18": {"code": "cur_current", "type": "Integer", "values": {"unit": "mA", "scale": 0}},
        "20": {"code": "cur_voltage", "type": "Integer", "values": {"unit": "V", "scale": 1}},
    }
    dps = {18: 302, 19: 412, 20: 2412}
    assert match({"mapping": mapping}, dps).decode(dps, changed={19}).power_w == {"1": 41.2}


def test_a_direction_that_changes_brings_the_power() -> None:
    dps = {18: 500, 19: 1000, 20: 2300, 105: "work_n"}
    reading = match({"product_id": "zcmq0kvd01bn6s1n"}, dps).decode(dps, changed={105})
    assert reading.power_w == {"a": -100.0}
    assert reading.current_a == {}


def test_states_beside_the_readings() -> None:
    dps = numbered({"1": True, "9": 900, "38": "memory", "41": True, "26": 3})
    reading = profile_of("jdj6ccklup7btq3a", dps).decode(dps)
    assert (reading.power_on_state, reading.child_lock, reading.countdown_s) == ("memory", True, 900)
    assert [(fault.text, fault.tripped) for fault in reading.faults or ()] == [
        ("over-current", True),
        ("over-voltage", True),
    ]


def test_thresholds_and_balance() -> None:
    dps = numbered({"13": 1234, "17": "BAEAMgUBAFA=", "18": "AQECdgMBARMEAQCv"})
    reading = profile_of("ejo7xbrodydgnavj", dps).decode(dps)
    assert [one.name for one in reading.thresholds] == [
        "leakage", "temperature", "over_current", "over_voltage", "under_voltage",
    ]  # fmt: skip
    assert reading.balance_kwh == 12.34


def test_thresholds_that_are_integers_of_their_own() -> None:
    dps = {102: "Trip", 104: "Closed", 114: 50, 115: 280, 116: 165, 119: 2000, 120: 10}
    reading = profile_of("kmnzgh4yn8pa0lqh", dps).decode(dps)
    assert [(one.name, one.value, one.unit, one.trips) for one in reading.thresholds] == [
        ("over_current", 50.0, "A", False),
        ("over_voltage", 280.0, "V", True),
        ("under_voltage", 165.0, "V", False),
        ("over_power", 2000.0, "W", False),
        ("low_balance", 10.0, "kWh", False),
    ]
    assert reading.voltage_v == {}


def test_the_highest_temperature() -> None:
    out = decode_dump({"product_id": "kmnzgh4yn8pa0lqh", "dps": {"131": 378, "132": 412, "133": 250}})
    assert out["temperature_c"] == 41.2


def test_wishes() -> None:
    dps = {"1": True, "18": 302, "19": 412, "20": 2412, "17": 5}
    assert profile_of("jdj6ccklup7btq3a", dps, invert=["power"]).decode(numbered(dps)).power_w == {"1": -41.2}
    assert profile_of("jdj6ccklup7btq3a", dps, scale={"power": 10}).decode(numbered(dps)).power_w == {"1": 412.0}
    other = profile_of("jdj6ccklup7btq3a", dps, layout="atorch")
    assert (other.name, other.matched_by) == ("atorch", "product")


def test_inverting_energy_exchanges_both_counters() -> None:
    dump = {"product_id": "opdhepy0p7eyeurz", "dps": {"1": 100, "2": 300}, "domoticz": {"invert": ["energy"]}}
    out = decode_dump(dump)
    assert out["energy_kwh"] == {"1": 3}
    assert out["returned_kwh"] == {"1": 1}


@pytest.mark.parametrize(
    ("wishes", "word"),
    [
        ({"invert": ["colour"]}, "invert"),
        ({"invert": 5}, "invert"),
        ({"scale": {"power": 0}}, "scale"),
        ({"scale": {"power": "10"}}, "scale"),
        ({"scale": {"watts": 10}}, "scale"),
        ({"scale": 10}, "scale"),
        ({"layout": "nothing"}, "layout"),
    ],
)
def test_wrong_wishes_change_nothing_and_are_said(wishes: Any, word: str) -> None:
    dps = {"18": 302, "19": 412, "20": 2412}
    profile = profile_of("jdj6ccklup7btq3a", dps, **wishes)
    assert profile.decode(numbered(dps)).power_w == {"1": 41.2}
    assert len(profile.problems) == 1
    assert word in profile.problems[0]


def test_a_relay_that_only_the_model_names() -> None:
    mapping = {"16": {"code": "switch", "type": "Boolean", "values": "{}"}}
    profile = match({"product_id": "ob3yxwxoeslczzlq", "mapping": mapping}, {16: True})
    assert profile.switch_dps == (16,)
    assert profile.decode({16: True}).switch == {16: True}


def test_power_on_words_are_written_as_they_were_read() -> None:
    mapping = {"38": {"code": "relay_status", "type": "Enum", "values": {"range": ["power_off", "power_on", "last"]}}}
    entry = {"product_id": "jdj6ccklup7btq3a", "mapping": mapping}
    assert match(entry, {38: "memory"}).controls[38].values == ("off", "on", "memory")
    assert match(entry, {}).controls[38].values == ("power_off", "power_on", "last")


def test_power_on_words_of_no_known_meaning_are_no_control() -> None:
    mapping = {"38": {"code": "relay_status", "type": "Enum", "values": {"range": ["0", "1", "2"]}}}
    entry = {"product_id": "jdj6ccklup7btq3a", "mapping": mapping}
    assert 38 not in match(entry, {}).controls
    assert 38 not in match(entry, {38: "1"}).controls


def test_explain_says_why_and_what_was_left_out() -> None:
    dps = numbered({"18": 302, "19": 4120, "20": 2412})
    why = profile_of("jdj6ccklup7btq3a", dps).explain(dps)
    assert "jdj6ccklup7btq3a" in why[0]
    assert any("scale error" in sentence for sentence in why)
    assert "DP 18 is current, 0.001 A" in why
    assert profile_of("jdj6ccklup7btq3a", dps).doubts(dps) == tuple(one for one in why if "scale error" in one)


def test_explain_names_what_it_does_not_understand() -> None:
    dps = numbered({"18": 302, "77": 5, "99": "x"})
    assert "nothing is known of DPs 77, 99" in profile_of("jdj6ccklup7btq3a", dps).explain(dps)


RECORD = "CQsABOcAAQQ="  # 231.5 V 1.255 A 260 W


@pytest.mark.parametrize("product_id", ["z3jngbyubvwgfrcv", "ob3yxwxoeslczzlq", "3hkuggyv8839m9gw"])
def test_a_relay_that_only_some_devices_of_an_id_have(product_id: str) -> None:
    entry = {"product_id": product_id}
    assert match(entry, {1: 77547, 6: RECORD, 16: True}).switch_dps == (16,)
    assert match(entry, {1: 77547, 6: RECORD}).switch_dps == ()
    assert match(entry, {1: 77547, 6: RECORD, 16: 1}).switch_dps == ()


def test_a_meter_that_is_known_to_have_no_relay_gets_none() -> None:
    assert match({"product_id": "gnr22vuyz8uis3gr"}, {6: RECORD, 16: True}).switch_dps == ()
    assert match({"product_id": "djfep9s6s3b2qk89"}, {1: True, 20: 2300}).switch_dps == ()


SOCKET_DPS = {1: True, 9: 0, 17: 4, 18: 206, 19: 173, 20: 1198, 26: 0}


def test_a_product_id_whose_readings_are_all_missing_gives_way_to_what_is_there() -> None:
    profile = match({"product_id": "l1t5oophgyzpdrag"}, SOCKET_DPS)
    assert (profile.name, profile.matched_by) == ("socket", "shape")
    assert profile.decode(SOCKET_DPS).power_w == {"1": 17.3}
    # nothing else fits: the product id stands, and a device that is still silent keeps its layout
    for dps in ({}, {1: True}, {1: 132, 16: True, 110: "Remote_ON"}):
        assert match({"product_id": "l1t5oophgyzpdrag"}, dps).matched_by == "product"
    # a number stands where its relay should be
    breaker = {1: 77547, 6: RECORD, 16: True, 19: 5}
    assert match({"product_id": "jdj6ccklup7btq3a"}, breaker).name == "phase1"
    assert match({"product_id": "jdj6ccklup7btq3a"}, {1: 132, 19: 5}).name == "socket"
    # one of its own readings is there
    assert match({"product_id": "l1t5oophgyzpdrag"}, {**SOCKET_DPS, 6: RECORD}).matched_by == "product"


def test_a_relay_in_another_spelling_is_a_relay_and_is_written_as_it_was_read() -> None:
    for off, on in ((0, 1), ("false", "true"), ("off", "on"), ("OFF", "ON"), (False, True)):
        profile = match({"product_id": "jdj6ccklup7btq3a"}, {1: on, 20: 2300})
        assert profile.decode({1: on, 20: 2300}).switch == {1: True}
        assert profile.decode({1: off}).switch == {1: False}
        assert profile.controls[1].spelled == (off, on)
        assert [type(word) for word in profile.controls[1].spelled] == [type(off), type(on)]
    assert 1 not in match({"product_id": "jdj6ccklup7btq3a"}, {1: "maybe", 20: 2300}).controls


def test_queries_name_what_measures_and_controls_stand_apart() -> None:
    profile = profile_of("jdj6ccklup7btq3a", {"1": True, "18": 302, "19": 412, "20": 2412})
    assert set(profile.query_dps) == {17, 18, 19, 20}
    assert {1, 26} <= set(profile.later_dps)
    assert not set(profile.query_dps) & (set(profile.later_dps) | set(profile.controls))


def test_a_lamp_with_a_switch_is_no_meter() -> None:
    mapping = {"20": {"code": "switch_led", "type": "Boolean"}, "1": {"code": "switch", "type": "Boolean"}}
    profile = match({"mapping": mapping}, {1: True, 20: True})
    assert (profile.name, profile.is_meter, profile.switch_dps) == ("no mains meter", False, (1,))


BOOLEAN = {"type": "Boolean", "values": {}}


@pytest.mark.parametrize(
    "code",
    ["clear_energy", "leakage_test", "switch_prepayment", "child_lock", "auto_reclose", "report_flag", "energy_reset"],
)
def test_what_the_model_names_otherwise_is_no_control_whoever_says_so(code: str) -> None:
    mapping = {"16": {"code": code, **BOOLEAN}}
    for entry in ({"product_id": "ejo7xbrodydgnavj"}, {"category": "dlq"}, {}):
        profile = match({**entry, "mapping": mapping}, {1: 37, 6: PHASE, 9: 0, 11: False, 15: 3, 16: True})
        assert 16 not in profile.switch_dps
        assert profile.controls.get(16) is None or profile.controls[16].role == "child_lock"


def test_a_charger_starts_and_stops_on_18_and_never_clears_its_energy() -> None:
    for product_id in (
        "j6bzjwhiv2cljjcy",
        "tj9l3ghsjnbdjom6",
        "7bvgooyjhiua1yyq",
        "wgtkomhkmkvrweel",
        "dsmsam7xpb3ht7rl",
    ):
        profile = match({"product_id": product_id}, {6: PHASE, 16: True, 18: False})
        assert (profile.switch_dps, list(profile.controls)) == ((18,), [18])


def test_inverters_produce() -> None:
    profile = match({"product_id": "xcgsq9ggffz7lqhh"}, {2: 976, 10: 205, 101: True, 104: 2278, 105: 9})
    assert profile.produces
    assert not profile_of("jdj6ccklup7btq3a").produces
