"""Thing models: codes as makers spell them, units, scales, and where models lie."""

from __future__ import annotations

import base64
import json
from typing import Any, Dict, Optional, Tuple

import pytest

from tuya.metering.decode import decode_dump
from tuya.metering.words import meaning


@pytest.mark.parametrize(
    ("code", "role", "circuit"),
    [
        ("cur_voltage", "voltage", ""),
        ("cur_voltage1", "voltage", "1"),
        ("cur_current_2", "current", "2"),
        ("VoltageA", "voltage", "a"),
        ("voltagea", "voltage", "a"),
        ("ActivePowerB", "power", "b"),
        ("activepowerb", "power", "b"),
        ("a_power_factor", "power_factor", "a"),
        ("poewr_a", "power", "a"),
        ("Ua", "voltage", "a"),
        ("Voltage_L2", "voltage", "b"),
        ("l3_current", "current", "c"),
        ("phase_a_voltage", "voltage", "a"),
        ("total_power", "power", "total"),
        ("power_total", "power", "total"),
        ("active_power", "power", ""),
        ("f_ac_v", "voltage", ""),
        ("f_ac_line_freq", "frequency", ""),
        ("supply_frequency", "frequency", ""),
        ("forward_energy_total", "energy", ""),
        ("total_forward_energy", "energy", ""),
        ("reverse_energy_total", "returned", ""),
        ("energy_forword_a", "energy", "a"),
        ("energy_reserse_b", "returned", "b"),
        ("total_energy1", "energy", "1"),
        ("EnergyConsumedA", "energy", "a"),
        ("add_ele", "increment", ""),
        ("add_ele2", "increment", "2"),
        ("leakage_current", "leakage", ""),
        ("residual_current", "leakage", ""),
        ("temp_current", "temperature", ""),
        ("direction_a", "direction", "a"),
        ("power_direction_b", "direction", "b"),
        ("switch", "switch", ""),
        ("switch_3", "switch", ""),
        ("switch_usb1", "switch", ""),
        ("switch_on", "switch", ""),
        ("phase_c", "phase", "c"),
        ("balance_energy", "balance", ""),
    ],
)
def test_readings(code: str, role: str, circuit: str) -> None:
    means = meaning(code)
    assert means is not None
    assert (means.role, means.circuit) == (role, circuit)


@pytest.mark.parametrize(
    "code",
    [
        "voltage_coe", "electric_coe", "power_coe", "current_a_calibration", "energy_a_calibration_fwd",
        "freq_calibration", "today_acc_energy1", "energy_daily", "energy_month", "forward_energy_a",
        "reverse_energy_b", "over_voltage_set", "current_max", "cur_neutral", "warn_power", "power_type1",
        "power_on_delay", "switch_prepayment", "switch_inching", "switch_backlight", "energy_reset", "clear_energy",
        "charge_energy", "ReactivePowerA", "apparent_power", "test_bit", "net_energy", "alarm_range_setting",
        "breaker_number", "recover_sec", "voltage_phase_seq", "current_unbalance", "leakage_test",
        "electricity_left", "temp_alarm", "overcharge_switch", "online_state", "energy_price",
    ],
)  # fmt: skip
def test_no_readings(code: str) -> None:
    assert meaning(code) is None


def integer(code: str, unit: Optional[str] = None, scale: Optional[int] = None, **more: Any) -> Dict[str, Any]:
    values = {name: value for name, value in {"unit": unit, "scale": scale, **more}.items() if value is not None}
    return {"code": code, "type": "Integer", "values": values}


def plug(power_scale: int = 1, voltage_scale: int = 1) -> Dict[str, Any]:
    return {
        "1": {"code": "switch_1", "type": "Boolean", "values": {}},
        "17": integer("add_ele", "", 3),
        "18": integer("cur_current", "mA", 0),
        "19": integer("cur_power", "W", power_scale),
        "20": integer("cur_voltage", "V", voltage_scale),
    }


DPS = {"1": True, "17": 12, "18": 302, "19": 412, "20": 2412}


def test_a_plug_by_its_codes() -> None:
    assert decode_dump({"mapping": plug(), "dps": DPS}) == {
        "profile": "standard codes",
        "matched_by": "codes",
        "switch": {"1": True},
        "voltage_v": {"1": 241.2},
        "current_a": {"1": 0.302},
        "power_w": {"1": 41.2},
        "energy_increment_wh": 12,
    }


@pytest.mark.parametrize("scales", [(0, 0), (0, 1), (1, 0)])
def test_models_that_lie_about_volts_or_watts(scales: tuple[int, int]) -> None:
    out = decode_dump({"mapping": plug(*scales), "dps": DPS})
    assert (out["voltage_v"], out["power_w"]) == ({"1": 241.2}, {"1": 41.2})


def test_whole_watts_without_volts_and_amperes_are_not_believed() -> None:
    out = decode_dump({"mapping": plug(power_scale=0), "dps": {"19": 412}})
    assert "power_w" not in out
    assert decode_dump({"mapping": plug(), "dps": {"19": 412}})["power_w"] == {"1": 41.2}


def test_values_as_json_text_and_dps_as_numbers() -> None:
    mapping = {int(dp): {**line, "values": json.dumps(line["values"])} for dp, line in plug().items()}
    assert decode_dump({"mapping": mapping, "dps": {int(dp): value for dp, value in DPS.items()}})["power_w"] == {
        "1": 41.2
    }


def test_a_model_as_the_cloud_lists_it() -> None:
    lines = [{**line, "dp_id": int(dp)} for dp, line in plug().items()]
    assert decode_dump({"mapping": lines, "dps": DPS})["voltage_v"] == {"1": 241.2}


@pytest.mark.parametrize(
    ("unit", "scale", "sent", "watts"),
    [("W", 1, 8292, 829.2), ("kW", 3, 829, 829.0), ("kw", 3, 829, 829.0), ("瓦", 1, 8292, 829.2), ("V", 1, 8292, None)],
)
def test_units(unit: str, scale: int, sent: int, watts: Optional[float]) -> None:
    mapping = {
        "1": integer("voltage", "V", 1),
        "2": integer("current", "A", 3),
        "3": integer("power", unit, scale),
    }
    out = decode_dump({"mapping": mapping, "dps": {"1": 2300, "2": 4000, "3": sent}})
    assert out.get("power_w", {}).get("1") == watts


@pytest.mark.parametrize(
    ("unit", "scale", "kwh"),
    [("kW·h", 2, 1394.7), ("KWH", 2, 1394.7), ("kWh", 3, 139.47), ("Wh", 0, 139.47), ("度", 2, 1394.7)],
)
def test_energy_units(unit: str, scale: int, kwh: float) -> None:
    out = decode_dump({"mapping": {"1": integer("total_forward_energy", unit, scale)}, "dps": {"1": 139470}})
    assert out["energy_kwh"] == {"1": kwh}


def test_the_minimum_of_the_range_is_no_data() -> None:
    mapping = {"1": integer("total_power", "W", 1, min=-99999999, max=99999999), "2": integer("voltage", "V", 1)}
    out = decode_dump({"mapping": mapping, "dps": {"1": -99999999, "2": 2300}})
    assert "power_w" not in out
    assert out["voltage_v"] == {"1": 230}


def test_directions_turn_the_sign_of_their_circuit() -> None:
    mapping = {
        "101": integer("power_a", "W", 1),
        "102": {"code": "direction_a", "type": "Enum", "values": {"range": ["FORWARD", "REVERSE"]}},
        "104": {"code": "direction_b", "type": "Enum", "values": {"range": ["FORWARD", "REVERSE"]}},
        "105": integer("power_b", "W", 1),
        "106": integer("energy_forword_a", "kW.h", 2),
        "107": integer("energy_reverse_a", "kW.h", 2),
        "110": integer("power_factor", "", 2),
        "111": integer("freq", "Hz", 2),
        "112": integer("voltage_a", "V", 1),
        "113": integer("current_a", "mA", 0),
        "114": integer("current_b", "mA", 0),
        "115": integer("total_power", "W", 1, min=-1200000),
        "121": integer("power_factor_b", "", 2),
    }
    dps = {
        "101": 38121, "102": "REVERSE", "104": "FORWARD", "105": 2982, "106": 340, "107": 4671, "110": 99, "111": 5001,
        "112": 2301, "113": 16800, "114": 1400, "115": -35139, "121": 92,
    }  # fmt: skip
    out = decode_dump({"mapping": mapping, "dps": dps})
    assert out["power_w"] == {"a": -3812.1, "b": 298.2, "total": -3513.9}
    assert out["power_factor"] == {"a": 0.99, "b": 0.92}
    assert out["energy_kwh"] == {"a": 3.4}
    assert out["returned_kwh"] == {"a": 46.71}
    assert out["frequency_hz"] == 50.01
    del dps["102"]  # absent while idle
    assert decode_dump({"mapping": mapping, "dps": dps})["power_w"]["a"] == 3812.1


def test_a_direction_of_a_clamp_without_power_is_not_that_of_another_clamp() -> None:
    mapping = {
        "101": integer("power_a", "W", 1),
        "102": {"code": "direction_a", "type": "Enum", "values": {"range": ["FORWARD", "REVERSE"]}},
        "104": {"code": "direction_b", "type": "Enum", "values": {"range": ["FORWARD", "REVERSE"]}},
    }
    dps = {"101": 12181, "102": "REVERSE", "107": 610, "112": 2372, "113": 5608, "115": -12181}
    assert decode_dump({"mapping": mapping, "dps": dps})["power_w"] == {"1": -1218.1}
    assert decode_dump({"mapping": mapping, "dps": {**dps, "104": "FORWARD"}})["power_w"] == {"1": -1218.1}
    assert decode_dump({"mapping": mapping, "dps": {**dps, "102": "FORWARD"}})["power_w"] == {"1": 1218.1}


def test_a_second_circuit_makes_the_codes_without_number_the_first() -> None:
    mapping = {
        "18": integer("cur_current", "mA", 0),
        "19": integer("cur_power", "W", 1),
        "20": integer("cur_voltage", "V", 1),
        "102": integer("cur_current2", "mA", 0),
        "103": integer("cur_power2", "W", 1),
        "104": integer("cur_voltage2", "V", 1),
    }
    out = decode_dump(
        {"mapping": mapping, "dps": {"18": 175, "19": 131, "20": 2260, "102": 20, "103": 40, "104": 2261}}
    )
    assert out["power_w"] == {"a": 13.1, "b": 4}


def test_three_phases_and_their_sum() -> None:
    mapping = {
        "1": integer("forward_energy_total", "kW·h", 2),
        "23": integer("reverse_energy_total", "kW·h", 2),
        "29": integer("active_power", "kW", 3),
        **{str(6 + n): {"code": f"phase_{letter}", "type": "Json", "values": "{}"} for n, letter in enumerate("abc")},
    }
    dps = {
        "1": 3296, "23": 5, "29": 145, "6": "CWkAARgAACo=",
        "7": '{"voltage": 245.4, "electricCurrent": 0.603, "power": 0.063}',
        "8": "CYoAAbkAACg=",
    }  # fmt: skip
    out = decode_dump({"mapping": mapping, "dps": dps})
    assert out["voltage_v"] == {"a": 240.9, "b": 245.4, "c": 244.2}
    assert out["power_w"] == {"a": 42, "b": 63, "c": 40, "total": 145}
    assert out["energy_kwh"] == {"total": 32.96}
    assert out["returned_kwh"] == {"total": 0.05}


def test_phases_that_only_send_zeros_make_no_circuits() -> None:
    mapping = {str(6 + n): {"code": f"phase_{letter}", "type": "Raw", "values": "{}"} for n, letter in enumerate("abc")}
    mapping["1"] = integer("total_forward_energy", "kW·h", 2)
    dps = {"1": 139470, "6": "CHoAQgQADlwAAA==", "7": "AAAAAAAAAAAAAA==", "8": "AAAAAAAAAAAAAA=="}
    out = decode_dump({"mapping": mapping, "dps": dps})
    assert out["power_w"] == {"1": 3676}
    assert out["energy_kwh"] == {"1": 1394.7}


def test_fault_labels_come_from_the_model() -> None:
    mapping = {
        **plug(),
        "26": {"code": "fault", "type": "Bitmap", "values": {"label": ["OverVoltage", "UnderVoltage"]}},
    }
    assert decode_dump({"mapping": mapping, "dps": {**DPS, "26": 2}})["faults"] == ["UnderVoltage"]
    dump = {"product_id": "jdj6ccklup7btq3a", "mapping": mapping, "dps": {**DPS, "26": 1}}
    assert decode_dump(dump)["faults"] == ["OverVoltage"]


def test_a_mapping_without_dps_still_makes_a_profile() -> None:
    out = decode_dump({"mapping": plug()})
    assert out == {"profile": "standard codes", "matched_by": "codes"}


def test_codes_in_another_language_are_told_by_their_units() -> None:
    mapping = {"101": integer("dianya", "V", 1), "102": integer("dianliu", "mA", 0), "103": integer("gonglv", "W", 1)}
    out = decode_dump({"mapping": mapping, "dps": {"101": 2300, "102": 500, "103": 1000}})
    assert (out["matched_by"], out["voltage_v"], out["power_w"]) == ("codes", {"1": 230}, {"1": 100})
    assert decode_dump({"mapping": mapping, "dps": {"101": 2750, "102": 63000, "103": 50}})["matched_by"] == "none"
    mapping["104"] = integer("yuzhi", "V", 0)
    assert (
        decode_dump({"mapping": mapping, "dps": {"101": 2300, "102": 500, "103": 1000, "104": 275}})["matched_by"]
        == "none"
    )


def test_a_model_that_names_dps_otherwise_keeps_shapes_away() -> None:
    mapping = {str(dp): integer(code, "", 0) for dp, code in ((18, "bright_value"), (19, "colour"), (20, "speed"))}
    dps = {"1": True, "9": 0, "18": 302, "19": 412, "20": 2412}
    assert decode_dump({"dps": dps})["matched_by"] == "shape"
    assert decode_dump({"mapping": mapping, "dps": dps})["matched_by"] == "none"


def test_letters_and_numbers_of_the_same_three_circuits() -> None:
    mapping = {str(6 + n): {"code": f"phase_{letter}", "type": "Raw", "values": "{}"} for n, letter in enumerate("abc")}
    mapping.update({str(101 + n): integer(f"total_energy{n + 1}", "kWh", 2) for n in range(3)})
    dps = {"6": "CWkAARgAACo=", "7": "CYYAAlsAAD8=", "8": "CYoAAbkAACg=", "101": 100, "102": 200, "103": 300}
    out = decode_dump({"mapping": mapping, "dps": dps})
    assert out["energy_kwh"] == {"a": 1, "b": 2, "c": 3}
    assert out["power_w"] == {"a": 42, "b": 63, "c": 40}


def test_a_model_without_the_readings_is_completed_by_their_shape() -> None:
    mapping = {
        "1": integer("forward_energy_total", "kW·h", 2),
        "2": integer("reverse_energy_total", "kW·h", 2),
    }
    dps: Dict[str, Any] = {"1": 5000, "2": 100, "101": 5000, "102": 2300, "103": 500, "104": 110}
    out = decode_dump({"mapping": mapping, "dps": dps})
    assert out["matched_by"] == "codes"
    assert out["voltage_v"] == {"1": 230}
    assert out["power_w"] == {"1": 110}
    assert out["returned_kwh"] == {"1": 1}
    del dps["104"]
    assert "voltage_v" not in decode_dump({"mapping": mapping, "dps": dps})


def _integer(code: str, unit: str, scale: int, most: int = 5000) -> Dict[str, Any]:
    return {"code": code, "type": "Integer", "values": {"unit": unit, "scale": scale, "min": 0, "max": most}}


# a cloud model of a two-clamp meter that names other DPs than the device sends: 105 to 107 are b's W and power factors
LYING = {
    "101": _integer("voltage_a", "V", 1),
    "102": _integer("current_a", "A", 2),
    "103": _integer("power_a", "W", 1),
    "104": _integer("power_b", "W", 1),
    "105": _integer("current_b", "A", 2),
    "106": _integer("voltage_b", "V", 1),
    "107": _integer("power_factor_a", "%", 0, 100),
}
LYING_DPS = {"101": 2335, "102": 107, "103": 45, "104": -200, "105": 46, "106": 80, "107": 43}


def test_a_model_that_mixes_up_its_data_points_shows_only_what_fits() -> None:
    # neither 8.0 V raised to 80 V, nor 4.5 W of 250 VA, nor a power factor of such a circuit
    out = decode_dump({"mapping": LYING, "dps": LYING_DPS})
    assert out == {"profile": "standard codes", "matched_by": "codes", "voltage_v": {"a": 233.5}}


def test_a_brownout_is_no_mix_up() -> None:
    mapping = {
        "18": _integer("cur_current", "mA", 0),
        "19": _integer("cur_power", "W", 1),
        "20": _integer("cur_voltage", "V", 1),
    }
    out = decode_dump({"mapping": mapping, "dps": {"18": 500, "19": 290, "20": 600}})
    assert (out["current_a"], out["power_w"]) == ({"1": 0.5}, {"1": 29})
    assert "voltage_v" not in out


def test_amperes_up_to_thirty_thousand_are_milliamperes() -> None:
    mapping = {
        "18": _integer("cur_current", "A", 0, 30000),
        "19": _integer("cur_power", "W", 1, 50000),
        "20": _integer("cur_voltage", "V", 1),
    }
    out = decode_dump({"mapping": mapping, "dps": {"18": 283, "19": 605, "20": 2226}})
    assert out["current_a"] == {"1": 0.283}
    assert out["power_w"] == {"1": 60.5}
    mapping["18"] = _integer("cur_current", "A", 0, 100)
    assert decode_dump({"mapping": mapping, "dps": {"18": 8, "19": 16500, "20": 2226}})["current_a"] == {"1": 8}


@pytest.mark.parametrize(
    ("code", "role", "circuit"),
    [
        ("voltage_phs_a", "voltage", "a"),
        ("act_power_phs_a", "power", "a"),
        ("p_a", "power", "a"),
        ("cur_a", "current", "a"),
        ("cur_p", "power", ""),
        ("grid_freq", "frequency", ""),
        ("circuit5_power", "power", "5"),
    ],
)
def test_more_spellings(code: str, role: str, circuit: str) -> None:
    means = meaning(code)
    assert means is not None
    assert (means.role, means.circuit) == (role, circuit)


@pytest.mark.parametrize("code", ["cur_max_a", "p_set", "grid_power", "breaker", "price_p"])
def test_words_that_are_no_readings(code: str) -> None:
    assert meaning(code) is None


INVERTER = {
    "7": {"code": "phase_a", "type": "Raw", "values": {}},
    "10": _integer("power_total", "kW", 3),
    "101": {"code": "switch", "type": "Boolean", "values": {}},
}


@pytest.mark.parametrize(("record", "leakage"), [("CbkAAAAAAAAB9A==", None), ("CbkAAAAAAAAACw==", 11)])
def test_the_mains_frequency_of_an_inverter_is_no_leakage(record: str, leakage: Optional[int]) -> None:
    out = decode_dump({"mapping": INVERTER, "dps": {"7": record, "10": 0}})
    assert out["voltage_v"] == {"1": 248.9}
    assert out.get("leakage_ma") == leakage


def test_half_an_ampere_of_leakage_of_a_breaker() -> None:
    out = decode_dump({"product_id": "ntwmuj82anq1l92i", "dps": {"6": "CHoAQgQADlwB9A==", "16": True}})
    assert out["leakage_ma"] == 500


def energy(code: str, scale: int = 2) -> Dict[str, Any]:
    return {"code": code, "type": "Integer", "values": {"unit": "kWh", "scale": scale}}


@pytest.mark.parametrize(
    ("total", "parts", "proven"),
    [
        (88435, (25760, 35207, 27468), True),  # the device's own sum to the last digit
        (88435, (310, 205, 99), False),  # the day's
        (885, (258, 352, 275), False),  # so little may be a day's
        (88435, (25760, 35207, None), False),
    ],
)
def test_energies_of_circuits_are_proven_by_their_sum(total: int, parts: Tuple[Any, ...], proven: bool) -> None:
    mapping = {"1": energy("forward_energy_total"), "6": {"code": "phase_a", "type": "Raw", "values": {}}}
    mapping.update({str(109 + 9 * n): energy(f"forward_energy_{'abc'[n]}") for n in range(3)})
    dps = {"1": total, "6": "COkAABUAAAU=", **{str(109 + 9 * n): part for n, part in enumerate(parts)}}
    counters = decode_dump({"mapping": mapping, "dps": dps})["energy_kwh"]
    assert counters.get("a") == (257.6 if proven else None)
    assert counters[("total" if "total" in counters else "1")] == total / 100


def raw_mapping() -> Dict[str, Any]:
    return {
        "1": {"code": "switch_1", "type": "Boolean", "values": {}},
        "101": {"code": "Voltage", "type": "Raw", "values": {}},
        "102": {"code": "Current", "type": "Raw", "values": {}},
        "103": {"code": "ActivePower", "type": "Raw", "values": {}},
    }


def blocks(width: int, *values: int) -> str:
    return base64.b64encode(b"".join(value.to_bytes(width, "big") for value in values)).decode()


def test_raw_blocks_with_the_sum_of_the_powers_first() -> None:
    dps = {
        "1": True,
        "101": blocks(2, 2300, 2310, 2320),
        "102": blocks(3, 3700, 4200, 0),
        "103": blocks(3, 15000, 7000, 8000, 0),
    }
    out = decode_dump({"mapping": raw_mapping(), "dps": dps})
    assert out["voltage_v"] == {"a": 230, "b": 231, "c": 232}
    assert out["current_a"] == {"a": 3.7, "b": 4.2, "c": 0}
    assert out["power_w"] == {"a": 700, "b": 800, "c": 0, "total": 1500}


def test_raw_blocks_of_one_living_phase_without_a_load() -> None:
    dps = {"1": True, "101": blocks(2, 2346, 0, 0), "102": blocks(3, 0, 0, 0), "103": blocks(3, 0, 0, 0, 0)}
    out = decode_dump({"mapping": raw_mapping(), "dps": dps})
    assert (out["voltage_v"], out["current_a"], out["power_w"]["1"]) == ({"1": 234.6}, {"1": 0}, 0)
    dead = {**dps, "101": blocks(2, 0, 0, 0)}
    assert not {"voltage_v", "current_a", "power_w"} & set(decode_dump({"mapping": raw_mapping(), "dps": dead}))


def test_milliamperes_with_decimals_that_no_socket_would_reach() -> None:
    mapping = {
        "18": {"code": "cur_current", "type": "Integer", "values": {"unit": "mA", "scale": 1, "max": 30000}},
        "19": {"code": "cur_power", "type": "Integer", "values": {"unit": "W", "scale": 1, "max": 50000}},
        "20": {"code": "cur_voltage", "type": "Integer", "values": {"unit": "V", "scale": 1, "max": 5000}},
    }
    out = decode_dump({"mapping": mapping, "dps": {"18": 1500, "19": 3283, "20": 2304}})
    assert (out["current_a"], out["power_w"]) == ({"1": 1.5}, {"1": 328.3})


@pytest.mark.parametrize(
    ("code", "values", "shown"),
    [
        ("power_consumption", {"unit": "kWh", "scale": 2}, ("energy_kwh", 33.0)),
        ("power_consumption", {"unit": "W", "scale": 1}, ("power_w", 330.0)),
        ("power_consumption", {"scale": 1}, None),
        ("DeviceKw", {"unit": "kW", "scale": 4}, ("power_w", 330.0)),
        ("sigle_phase_power", {"unit": "kW", "scale": 4}, ("power_w", 330.0)),
    ],
)
def test_power_or_energy_is_told_by_the_unit(
    code: str, values: Dict[str, Any], shown: Optional[Tuple[str, float]]
) -> None:
    mapping = {
        "101": {"code": "cur_voltage", "type": "Integer", "values": {"unit": "V", "scale": 1}},
        "102": {"code": "cur_current", "type": "Integer", "values": {"unit": "mA", "scale": 0}},
        "103": {"code": code, "type": "Integer", "values": values},
    }
    out = decode_dump({"mapping": mapping, "dps": {"101": 2300, "102": 1500, "103": 3300}})
    assert {key: out[key] for key in ("power_w", "energy_kwh") if key in out} == (
        {shown[0]: {"1": shown[1]}} if shown else {}
    )


def test_the_words_of_inverters() -> None:
    assert [meaning(code).role for code in ("ACV", "ACI", "ACHZ")] == ["voltage", "current", "frequency"]  # type: ignore[union-attr]
    assert [meaning(code) for code in ("PVV", "PVI", "pv1_volt")] == [None, None, None]


@pytest.mark.parametrize(("scale", "shown"), [(0, 69), (1, 6.9), (2, None), (3, None)])
def test_a_leakage_in_microamperes_is_something_else(scale: int, shown: Optional[float]) -> None:
    mapping = {
        "6": {"code": "phase_a", "type": "Raw", "values": {}},
        "15": {"code": "leakage_current", "type": "Integer", "values": {"unit": "mA", "scale": scale}},
    }
    assert decode_dump({"mapping": mapping, "dps": {"6": "COkAABUAAAU=", "15": 69}}).get("leakage_ma") == shown
