"""What real devices send that looks like something else. Each line here has been seen in the field."""

from __future__ import annotations

from typing import Any, Dict, Optional

import pytest

from tuya.metering.decode import decode_dump

PHASE = "CREANUkADG8="  # 232.1 V 13.641 A 3183 W
READINGS = ("voltage_v", "current_a", "power_w", "energy_kwh", "returned_kwh", "power_factor")


def by_id(product_id: str, **dps: Any) -> Dict[str, Any]:
    return decode_dump({"product_id": product_id, "dps": {name.strip("d"): value for name, value in dps.items()}})


@pytest.mark.parametrize(
    "dps",
    [
        {},
        {"1": True},
        {"20": 2300},
        {"18": 302, "19": 412},
        {"6": PHASE},
        {"1": 132, "16": True, "114": 50, "115": 280, "116": 165, "119": 2000},  # limits, no readings
        {"1": 4774, "16": True, "102": "Trip", "114": 63, "115": 280, "116": 165, "118": 800, "119": 2000, "139": 0},
        {"1": 40142, "9": 0, "11": False, "13": 0, "15": 4, "16": True, "103": 30},
        {"1": True, "2": True, "3": True, "4": False, "7": False, "101": 0, "102": 0, "103": 0, "104": 0, "105": 0},
        {"1": 12390, "2": 6136, "101": 0, "102": "FORWARD"},
        {
            "11": False,
            "16": True,
            "101": True,
            "102": 2264,
            "106": 2876,
            "109": 650,
            "110": 655,
            "114": 261,
            "118": 3885,
        },
        {"101": 275, "102": 170, "103": 63, "104": 30},
        {"1": True, "4": 20, "5": 1, "6": 3},  # a heater
        {"1": True, "9": 0, "18": 0, "19": 0, "20": 1580},  # no country has 158 V, and no load proves it
    ],
)
def test_nothing_is_claimed(dps: Dict[str, Any]) -> None:
    out = decode_dump({"dps": dps})
    assert out == {"profile": "unknown", "matched_by": "none"}


@pytest.mark.parametrize(
    ("dps", "volts", "amperes", "watts"),
    [
        ({"1": False, "9": 0, "18": 0, "19": 0, "20": 2333, "21": 1, "22": 665, "23": 33366, "24": 19190}, 233.3, 0, 0),
        ({"1": True, "2": 0, "4": 134, "5": 120, "6": 1231}, 123.1, 0.134, 12),
        ({"1": True, "2": True, "7": 95, "8": 48, "9": 2267}, 226.7, 0.095, 4.8),
        ({"1": True, "9": 0, "18": 2368, "19": 4866, "20": 2148, "41": "", "42": ""}, 214.8, 2.368, 486.6),
        ({"103": "working", "105": 1767, "106": 977, "107": 2273, "108": 68301, "111": 3000}, 227.3, 0.977, 176.7),
        ({"1": 160, "19": "1234", "104": 880, "105": 503, "116": 2278, "117": 2610, "118": 523}, 227.8, 2.61, 523),
        ({"1": True, "18": 500, "19": 9200, "20": 23000, "123": 5}, 230, 0.5, 92),  # hundredths
        ({"1": 5, "102": 2300, "103": 500, "104": 110}, 230, 0.5, 110),  # SPM01, not mA 0.1 W 0.1 V
        ({"1": True, "101": 4, "102": 500, "103": 1100, "104": 2300}, 230, 0.5, 110),
    ],
)
def test_shapes(dps: Dict[str, Any], volts: float, amperes: float, watts: float) -> None:
    out = decode_dump({"dps": dps})
    assert out["matched_by"] == "shape"
    assert (out["voltage_v"]["1"], out["current_a"]["1"], out["power_w"]["1"]) == (volts, amperes, watts)


def test_two_layouts_that_fit_equally_are_refused() -> None:
    # 21 mA, 22 0.1 W, 23 0.1 V or 21 mA, 22 0.1 V, 23 0.1 W
    out = decode_dump({"dps": {"1": True, "21": 9000, "22": 2000, "23": 2200}}, explain=True)
    assert out["matched_by"] == "none"
    assert "block21" in out["why"][0]


def test_a_record_beside_other_breaker_dps_is_enough() -> None:
    out = decode_dump(
        {"dps": {"1": 37, "6": PHASE, "9": 0, "11": False, "16": True, "101": 275, "102": 170, "103": 63}}
    )
    assert out["power_w"] == {"1": 3183}
    assert out["energy_kwh"] == {"1": 0.37}
    assert out["switch"] == {"16": True}
    assert "temperature_c" not in out


def test_counters_beside_long_records_are_not_claimed_by_shape() -> None:
    dps = {"1": 120, "6": "Ag8JJQAASAAACAAAAAAACGME", "9": 0, "16": False}
    assert "energy_kwh" not in decode_dump({"dps": dps})
    assert decode_dump({"dps": {**dps, "6": PHASE}})["energy_kwh"] == {"1": 1.2}
    mapping = {
        "1": {"code": "forward_energy_total", "type": "Integer", "values": {"unit": "kW·h", "scale": 3}},
        "6": {"code": "phase_a", "type": "Raw", "values": {}},
    }
    assert decode_dump({"mapping": mapping, "dps": dps})["energy_kwh"] == {"1": 0.12}


def test_gangs_are_seen_by_their_countdowns_and_usb_by_its_own_dp() -> None:
    dps = {"1": True, "2": False, "7": True, "9": 0, "10": 0, "18": 500, "19": 1000, "20": 2300}
    assert decode_dump({"dps": dps})["switch"] == {"1": True, "2": False, "7": True}


@pytest.mark.parametrize("value", ["BAEAMgUBAFA=", "", "AAAAAAAAAAA=", "Ag8JJQAASAA=", 275, True, None, "AAEFAgMEBQY="])
def test_a_breaker_without_a_phase_record_shows_no_volts(value: object) -> None:
    out = by_id("ejo7xbrodydgnavj", d1=100, d6=value, d16=True)
    assert not {"voltage_v", "current_a", "power_w"} & set(out)
    assert out["energy_kwh"] == {"1": 1}


def test_alarm_sets_where_sockets_have_readings() -> None:
    out = by_id("jdj6ccklup7btq3a", d1=True, d17="BAEAMgUBAFA=", d18="AQECdgMBARMEAQCv", d19=412, d20=2412)
    assert "energy_increment_wh" not in out
    assert "current_a" not in out
    assert out["power_w"] == {"1": 41.2}


def test_kwh_is_no_switch_and_a_switch_no_kwh() -> None:
    assert by_id("jdj6ccklup7btq3a", d1=132) == {"profile": "socket", "matched_by": "product"}
    assert "energy_kwh" not in by_id("ejo7xbrodydgnavj", d1=True)


@pytest.mark.parametrize("no_data", [-99999999, -999999999, None, "", "230", True, [], {}])
def test_no_data_in_integers(no_data: object) -> None:
    out = by_id("gk3jvsduy5ixzff3", d105=no_data, d106=no_data, d107=no_data, d108=no_data)
    assert not set(READINGS) & set(out)


def test_zeros_that_are_real_and_zeros_that_are_not() -> None:
    out = by_id("jdj6ccklup7btq3a", d1=False, d18=0, d19=0, d20=0)
    assert out["current_a"] == {"1": 0}
    assert out["power_w"] == {"1": 0}
    assert "voltage_v" not in out
    out = by_id("ejo7xbrodydgnavj", d1=0, d15=0, d32=0)
    assert out["energy_kwh"] == {"1": 0}
    assert out["leakage_ma"] == 0
    assert "frequency_hz" not in out


def test_a_meter_without_a_relay_is_not_forced_to_zero() -> None:
    out = by_id("djfep9s6s3b2qk89", d1=False, d18=302, d19=412, d20=2412)
    assert "switch" not in out
    assert out["power_w"] == {"1": 41.2}


def test_the_stale_load_of_an_open_relay() -> None:
    dps = {"d18": 302, "d19": 412, "d20": 2412}
    assert by_id("3lbgj7cu27nsmh0w", d1=True, **dps)["power_w"] == {"1": 41.2}
    assert by_id("3lbgj7cu27nsmh0w", d1=False, **dps)["power_w"] == {"1": 0}


def test_balance_and_today_are_no_totals() -> None:
    out = by_id("79a7z01v3n35kytb", d108=1000, d109=55, d118=2000, d119=66, d123=3000)
    assert out["energy_kwh"] == {"a": 1, "b": 2, "total": 3}
    assert "energy_kwh" not in by_id("ejo7xbrodydgnavj", d13=500, d14=100)


def test_counters_that_can_fall_are_no_totals() -> None:
    assert by_id("ab1sqlmvkyfkll6v", d1=500, d23=200, d24=300)["energy_kwh"] == {"total": 5}


def test_leakage_is_no_current() -> None:
    out = by_id("zjblhee2cbl31twx", d15=31)
    assert out["leakage_ma"] == 31
    assert "current_a" not in out


@pytest.mark.parametrize(("state", "watts"), [("work_p", 100), ("work_n", -100), ("close", 100), (None, 100)])
def test_direction_words(state: Optional[str], watts: float) -> None:
    out = by_id("zcmq0kvd01bn6s1n", d18=500, d19=1000, d20=2300, d105=state)
    assert out["power_w"] == {"a": watts}


def test_an_ambiguous_product_id_is_settled_by_the_dps() -> None:
    strip = by_id("keyjup78v54myhan", d1=True, d2=True, d3=False, d4=True, d5=True, d18=302, d19=412, d20=2412)
    assert sorted(strip["switch"]) == ["1", "2", "3", "4", "5"]
    single = by_id("keyjup78v54myhan", d1=True, d18=302, d19=412, d20=2412)
    assert single["switch"] == {"1": True}
    warm = by_id("azpywu5zfg5wyzpn", d1=True, d18=302, d19=412, d20=2412, d47=31, d48="BAEAMgUBAFA=")
    assert warm["temperature_c"] == 31
    assert "switch" not in by_id("3xhdofmeo6lgpvd5", d1=1, d6=PHASE)
    assert by_id("3xhdofmeo6lgpvd5", d1=1, d6=PHASE, d16=False)["switch"] == {"16": False}


def test_the_neutral_current_is_no_returned_energy() -> None:
    mapping = {"2": {"code": "cur_neutral", "type": "Integer", "values": {"unit": "mA", "scale": 3}}}
    dump = {"product_id": "fygozcnralhwbauo", "mapping": mapping, "dps": {"1": 3296, "2": 150}}
    assert "returned_kwh" not in decode_dump(dump)
    assert by_id("fygozcnralhwbauo", d1=3296, d2=150)["returned_kwh"] == {"total": 1.5}


def test_events_tell_of_trips() -> None:
    assert by_id("kmnzgh4yn8pa0lqh", d110="Over_Voltage_Alarm")["faults"] == ["Over_Voltage_Alarm"]
    assert by_id("kmnzgh4yn8pa0lqh", d110="Leakage_Trip", d9=0)["faults"] == ["Leakage_Trip"]
    assert by_id("kmnzgh4yn8pa0lqh", d110="Remote_ON")["faults"] == []


RECORD_10 = "CGYAPCgADPIACw=="
DEAD_10 = "AAAAAAAAAAAAAA=="


def test_the_silent_phases_of_a_breaker_that_is_also_sold_with_three() -> None:
    alone = by_id("r9kg2g1uhhyicycb", d1=2279960, d6=RECORD_10, d7=DEAD_10, d8=DEAD_10, d16=True)
    assert alone["current_a"] == {"1": 15.4}
    assert alone["energy_kwh"] == {"1": 22799.6}
    three = by_id("r9kg2g1uhhyicycb", d1=2279960, d6=RECORD_10, d7=RECORD_10, d8=RECORD_10, d16=True)
    assert three["current_a"] == {"a": 15.4, "b": 15.4, "c": 15.4}
    assert three["energy_kwh"] == {"total": 22799.6}


@pytest.mark.parametrize(
    ("product_id", "dps", "key"),
    [
        ("nqbs1onwskmmmaac", {"d15": 50}, "leakage_ma"),  # energy to charge
        ("qndxewijhpsz3ixr", {"d103": 50}, "temperature_c"),  # trips counted
        ("nopfbtfxnwqcrg5y", {"d103": 63}, "temperature_c"),  # amperes of a limit
        ("1xgihnuztyo12pqv", {"d133": 5000}, "frequency_hz"),  # ampere-hours
        ("1xgihnuztyo12pqv", {"d134": 50}, "power_factor"),  # ohms
        ("tjtigg991kvoiiqi", {"d135": 0}, "temperature_c"),  # not measured
    ],
)
def test_what_other_products_of_the_family_have_there(product_id: str, dps: Dict[str, Any], key: str) -> None:
    out = by_id(product_id, d1=100, d6=PHASE, d18=500, d19=1000, d20=23000, **dps)
    assert out["matched_by"] == "product"
    assert key not in out


def test_where_the_prepayment_switch_stands_tells_faults_and_leakage() -> None:
    breaker = {"1": 120, "6": PHASE, "9": 1 << 10, "11": False, "12": False, "15": 7, "16": True}
    out = decode_dump({"dps": breaker})
    assert (out["faults"], out["leakage_ma"]) == (["ov_vol"], 7)
    # a meter has it on 12; its 9 is a power, its 15 the energy to charge
    meter = {"1": 120, "6": PHASE, "9": 785, "11": {"day": 1}, "12": False, "14": False, "15": 50, "16": True}
    out = decode_dump({"dps": meter})
    assert out["matched_by"] == "shape"
    assert not {"faults", "leakage_ma"} & set(out)
    # longer records: a leakage in another unit
    assert "leakage_ma" not in decode_dump({"dps": {**breaker, "6": "AAAhqAAAAAAAAAAe6Ais"}})


@pytest.mark.parametrize(
    ("product_id", "fault_dp", "bits", "named"),
    [
        ("aokonryptsgpxawn", "d9", 1 << 10, "ov_vol"),
        ("4ggkyflayu1h1ho9", "d10", 1 << 2, "ov_vol"),  # a meter counts its bits otherwise than a breaker
        ("4ggkyflayu1h1ho9", "d10", 1 << 7, "terminal_alarm"),
        ("kvnopv9brskkod3i", "d10", 1 << 8, "cover_alarm"),
        ("ob3yxwxoeslczzlq", "d10", 1, "ov_cr"),
        ("nqbs1onwskmmmaac", "d10", 1 << 10, "bit10"),  # from here on the meters differ
        ("dsmsam7xpb3ht7rl", "d10", 1 << 1, "bit1"),  # a charger: each maker names the bits his own way
    ],
)
def test_whose_fault_bits(product_id: str, fault_dp: str, bits: int, named: str) -> None:
    out = by_id(product_id, d6=PHASE, d16=True, **{fault_dp: bits})
    assert out["faults"] == [named]


def test_energies_that_their_layout_alone_has() -> None:
    atorch = {"1": True, "18": 4700, "19": 87200, "20": 23200, "123": 109000, "133": 5000}
    assert decode_dump({"dps": atorch})["energy_kwh"] == {"1": 109}
    block = {"1": True, "101": 12, "102": 4700, "103": 8720, "104": 2320}
    assert decode_dump({"dps": block})["energy_increment_wh"] == 12


def test_a_meter_with_the_data_points_of_a_socket() -> None:
    meter = {"17": 100, "18": 4700, "19": 8720, "20": 2320, "21": 1, "22": 15900, "23": 12500, "24": 3100, "26": 0}
    out = decode_dump({"dps": meter})
    assert (out["profile"], out["power_w"]) == ("socket-meter", {"1": 872})
    assert "switch" not in out
    few = {dp: value for dp, value in meter.items() if dp not in ("22", "23", "24")}
    for other in ({**meter, "1": 3}, {**meter, "5": 0}, {**meter, "2": "cold"}, few):
        assert decode_dump({"dps": other})["matched_by"] == "none"
