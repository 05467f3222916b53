"""decode: the JSON contract, with the real dumps of the first target."""

from __future__ import annotations

from tuya.metering.decode import decode_dump, numbered
from tuya.metering.profile import match

SY1 = {
    "1": True, "9": 0, "17": 100, "18": 302, "19": 412, "20": 2412, "21": 1, "22": 0, "23": 0, "24": 0, "25": 0,
    "26": 0, "38": "on", "40": "relay", "41": False, "42": "", "66": "online",
}  # fmt: skip
SY1_120V = {
    "1": True, "9": 0, "17": 4, "18": 206, "19": 173, "20": 1198, "21": 1, "22": 15965, "23": 12539, "24": 3117,
    "25": 2675, "26": 0, "38": "memory", "40": "relay", "41": False, "42": "",
}  # fmt: skip


def test_the_first_target() -> None:
    assert decode_dump({"product_id": "jdj6ccklup7btq3a", "dps": SY1}) == {
        "profile": "socket",
        "matched_by": "product",
        "switch": {"1": True},
        "voltage_v": {"1": 241.2},
        "current_a": {"1": 0.302},
        "power_w": {"1": 41.2},
        "energy_increment_wh": 100,
        "faults": [],
    }


def test_the_first_target_on_120_v() -> None:
    out = decode_dump({"product_id": "jdj6ccklup7btq3a", "dps": SY1_120V})
    assert out["voltage_v"] == {"1": 119.8}
    assert out["current_a"] == {"1": 0.206}
    assert out["power_w"] == {"1": 17.3}


def test_a_frame_brings_only_what_it_feeds() -> None:
    dps = numbered(SY1)
    reading = match({"product_id": "jdj6ccklup7btq3a"}, dps).decode(dps, changed={19})
    assert reading.power_w == {"1": 41.2}
    assert reading.voltage_v == {}
    assert reading.switch == {}
    assert reading.faults is None


def test_the_controls_of_the_first_target() -> None:
    profile = match({"product_id": "jdj6ccklup7btq3a"}, numbered({**SY1, "38": "power_on"}))
    assert sorted(profile.controls) == [1, 9, 38, 41]
    assert profile.controls[38].values == ("power_off", "power_on", "last")
    assert (profile.controls[9].minimum, profile.controls[9].maximum) == (0, 86400)
    assert profile.switch_dps == (1,)
    assert profile.refresh_dps == (18, 19, 20)
    assert profile.counter_step_kwh == {}
    assert profile.channels == ("1",)
