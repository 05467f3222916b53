"""Every row of the public definitions decodes to its stated quantity; the exceptions stand here, with their reason."""

from __future__ import annotations

from typing import Dict, List, Tuple

import pytest

from tests.metering.definitions import Row, by_config, dump, expected
from tuya.metering.catalogue import load
from tuya.metering.decode import decode_dump

CONFIGS = by_config()
# (definition, DP, label) -> why the catalogue does not follow the table
INCREMENT = "an increment of the last period that queries repeat, not a total"
EXCEPTIONS: Dict[Tuple[str, int, str], str] = {
    ("unknow_2way_energymeter", 115, "energy_consumed_x{A}"): "stated as import and as export: one is wrong",
    ("unknow_2way_energymeter", 115, "energy_produced_x{A}"): "stated as import and as export: one is wrong",
    ("hisb80a_energymeter", 101, "Total energy"): "import and export in one counter beside both of them: can fall",
    ("ketotek_ktem06pro_energymeter", 101, ""): "import and export in one counter beside both of them: can fall",
    ("ourtop_atms100133_energymeter", 24, ""): "import minus export: can fall, no total",
    ("earu_eaemp3c100_energymeter", 116, ""): "a running part of the energy: falls, no total",
    ("zemismart_spm01_energymeter", 15, "Earth leakage"): "W / (V A) of real dumps, to the digit: a power factor",
    ("tuya_energy_meter", 109, "Today energy A"): "today's energy is no total",
    ("tuya_energy_meter", 119, "Today energy B"): "today's energy is no total",
}
FALLBACK = "the same energy again on the only phase: used where DP 1 is missing"
ONLY_ALONE = {
    ("tongou_qcb2_singlephasebreaker", 125): FALLBACK,
    ("tongou_towsmr120rcbo_breaker", 125): FALLBACK,
    ("tongou_towsmr140rcbo_breaker", 125): FALLBACK,
}
# rows whose DP 17, 20, 101 or 3 carries Wh since the last report (add_ele)
INCREMENT_DPS = {17, 20, 101}


def _circuits(rows: List[Row]) -> List[str]:
    named = sorted(
        {row.circuit for row in rows if row.kind in ("voltage", "current", "power", "energy")} - {"", "total"}
    )
    return named if len(named) > 1 else ["1"]


def _entry(rows: List[Row]) -> Dict[str, object]:
    ids = rows[0].product_ids
    return {"product_id": ids[0]} if ids else {"domoticz": {"layout": LAYOUTS_WITHOUT_ID[rows[0].config]}}


LAYOUTS_WITHOUT_ID = {
    "bauhn_ap5w0624_powerstrip": "socket",
    "blitzwolf_bwshp6_smartplug": "socket",
    "dual_power_monitor_smartplug": "block7",
    "grid_connect_usb_double_power_point": "socket",
    "makegood_double_power_point_with_energy": "old-double",
    "moes_rgb_socket": "block104",
    "pziot_e01_energymeter": "pziot",
    "rgb_nightlight_outlet": "nightlight",
    "smartplugv2_childlock": "socket",
    "smartplugv3": "socket",
    "wdyk_4p100a_energymeter": "u24-phases",
    "zemismart_spm01_d2tw_energymeter": "spm01-d2",
    "zemismart_spm02d2tw_energymeter": "spm02",
}


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_each_row_decodes_to_its_quantity(name: str) -> None:
    rows = CONFIGS[name]
    dps, truth = dump(rows)
    out = decode_dump({**_entry(rows), "dps": dps})
    assert out["matched_by"] == "product"
    channels = _circuits(rows)
    for row in rows:
        key, channel = expected(row, channels)
        if not key or (name, row.dp, row.label) in EXCEPTIONS:
            continue
        if (name, row.dp) in ONLY_ALONE:
            alone = decode_dump({**_entry(rows), "dps": {dp: value for dp, value in dps.items() if dp != "1"}})
            assert alone["energy_kwh"] == {"1": pytest.approx(truth[row])}
            continue
        if row.kind == "energy" and row.lsb == 0.001 and row.dp in INCREMENT_DPS:
            increments = [truth[one] * 1000 for one in rows if one.kind == "energy" and one.dp in INCREMENT_DPS]
            assert out["energy_increment_wh"] == pytest.approx(sum(increments)), row
            continue
        wanted = truth[row] * (1000 if key == "leakage_ma" else 1)
        got = out[key] if channel is None else out[key].get(channel)
        assert got == pytest.approx(wanted), (row, key, channel, out)


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_nothing_is_shown_that_no_row_states(name: str) -> None:
    rows = CONFIGS[name]
    dps, truth = dump(rows)
    out = decode_dump({**_entry(rows), "dps": dps})
    stated = {round(truth[row] * (1000 if "eak" in row.label else 1), 4) for row in rows}
    for key in ("voltage_v", "current_a", "power_w", "power_factor", "energy_kwh", "returned_kwh"):
        for channel, number in out.get(key, {}).items():
            assert round(number, 4) in stated, (key, channel, number)


def test_every_product_of_the_table_is_in_the_catalogue() -> None:
    ids = {product_id for rows in CONFIGS.values() for product_id in rows[0].product_ids}
    assert len(ids) == 122
    assert ids <= set(load().products)
