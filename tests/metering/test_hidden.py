"""Products whose id is hidden from the matcher: how many are recognised by codes and by shape, and nothing wrong."""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

import pytest

from tests.metering.definitions import Row, by_config, dump, expected
from tuya.metering.decode import decode_dump

CONFIGS = by_config()
KEYS = ("voltage_v", "current_a", "power_w", "power_factor", "energy_kwh", "returned_kwh")
UNITS = {
    "voltage": "V",
    "current": "mA",
    "power": "W",
    "energy": "kW·h",
    "frequency": "Hz",
    "power_factor": "",
    "energy_storage": "kWh",
}
# three makers' spellings: with circuit and without
SPELLINGS: List[Dict[str, str]] = [
    {
        "voltage": "cur_voltage{}",
        "current": "cur_current{}",
        "power": "cur_power{}",
        "energy": "total_energy{}",
        "returned": "reverse_energy_total{}",
        "power_factor": "power_factor{}",
        "frequency": "supply_frequency",
        "leakage": "leakage_current",
        "energy_storage": "balance_energy",
    },
    {
        "voltage": "voltage{}",
        "current": "current{}",
        "power": "power{}",
        "energy": "energy_forword_total{}",
        "returned": "energy_reserse_total{}",
        "power_factor": "power_factor{}",
        "frequency": "freq",
        "leakage": "residual_current",
        "energy_storage": "energy_balance",
    },
    {
        "voltage": "Voltage{}",
        "current": "Current{}",
        "power": "ActivePower{}",
        "energy": "TotalEnergyConsumed{}",
        "returned": "TotalEnergyProduced{}",
        "power_factor": "PowerFactor{}",
        "frequency": "Frequency",
        "leakage": "LeakageCurrent",
        "energy_storage": "BalanceEnergy",
    },
]
SCALES = {1: 0, 0.1: 1, 0.01: 2, 0.001: 3, 0.0001: 4, 1e-05: 5}


def _circuits(rows: List[Row]) -> List[str]:
    named = sorted(
        {row.circuit for row in rows if row.kind in ("voltage", "current", "power", "energy")} - {"", "total"}
    )
    return named if len(named) > 1 else ["1"]


def _mapping(rows: List[Row], style: int) -> Dict[str, Any]:
    """Return a thing model as a maker of this style would have written it; raw blocks other than phases have none."""
    mapping: Dict[str, Any] = {}
    for dp in rows[0].switch_dps:
        mapping[str(dp)] = {"code": "switch" if dp == 16 else f"switch_{dp}", "type": "Boolean", "values": "{}"}
    many = len(_circuits(rows)) > 1
    for row in rows:
        if row.decode != "scalar":
            if row.dp in (6, 7, 8):
                letter = "abc"[row.dp - 6]
                mapping[str(row.dp)] = {"code": f"phase_{letter}", "type": "Raw", "values": "{}"}
            continue
        key, _ = expected(row, ["1"])
        role = {"returned_kwh": "returned", "leakage_ma": "leakage"}.get(key, row.kind)
        if role not in SPELLINGS[style]:
            continue
        code = SPELLINGS[style][role].format(_suffix(row.circuit if many else "", style, many))
        if role == "energy" and row.lsb == 0.001 and row.dp in (3, 17, 20, 101):
            code = "add_ele"
        if not key and role == "energy":
            code = f"other_energy_{row.dp}_today"
        lsb = row.lsb * 1000 if row.kind == "current" else row.lsb
        values: Dict[str, Any] = {"unit": UNITS[row.kind], "scale": SCALES.get(round(lsb, 6), 0), "min": 0, "step": 1}
        if lsb > 1:  # written in the larger unit
            values = {"unit": "A", "scale": SCALES[round(row.lsb, 6)], "min": 0, "step": 1}
        mapping[str(row.dp)] = {"code": code, "type": "Integer", "values": values}
    return mapping


def _suffix(circuit: str, style: int, many: bool) -> str:
    if not circuit or circuit == "total":
        return "_total" if many and style != 2 else ""
    if style == 0 and not circuit.isdigit():
        return str("abc".index(circuit) + 1)
    return {0: circuit, 1: f"_{circuit}", 2: circuit.upper()}[style]


def _judge(rows: List[Row], out: Dict[str, Any], truth: Dict[Row, float]) -> Tuple[bool, List[str]]:
    """Return (every V, I and P is there with its number, what is shown and wrong)."""
    wrong = []
    right = {}
    allowed: Dict[str, List[float]] = {}
    for row in rows:
        key, channel = expected(row, _circuits(rows))
        if key:
            allowed.setdefault(key, []).append(truth[row] * (1000 if key == "leakage_ma" else 1))
            right[row] = (key, channel)
    for key in KEYS:
        for channel, number in out.get(key, {}).items():
            if not any(number == pytest.approx(value, abs=1e-6) for value in allowed.get(key, [])):
                wrong.append(f"{key}.{channel} = {number}")
    for key in ("frequency_hz", "leakage_ma"):
        if key in out and not any(out[key] == pytest.approx(value) for value in allowed.get(key, [])):
            wrong.append(f"{key} = {out[key]}")
    if any(row.decode.startswith("raw10") for row in rows):
        wrong = [text for text in wrong if text != "leakage_ma = 0"]  # bytes 8 and 9, which the made-up dump leaves 0
    complete = True
    for row, (key, _) in right.items():
        if row.kind in ("voltage", "current", "power") and key != "leakage_ma" and row.circuit != "total":
            shown = out.get(key, {}).values()
            complete &= any(number == pytest.approx(truth[row], abs=1e-6) for number in shown)
    return complete, wrong


def _run(with_codes: bool) -> Tuple[List[str], List[str], List[str]]:
    missed, wrong, done = [], [], []
    for number, (name, rows) in enumerate(sorted(CONFIGS.items())):
        if not {"voltage", "current", "power"} <= {row.kind for row in rows}:
            continue
        dps, truth = dump(rows)
        styles = range(3) if with_codes else (number % 3,)
        for style in styles:
            entry: Dict[str, Any] = {"product_id": "hidden", "dps": dps}
            if with_codes:
                entry["mapping"] = _mapping(rows, style)
            out = decode_dump(entry, explain=True)
            complete, errors = _judge(rows, out, truth)
            label = f"{name}/{style}"
            done.append(label)
            if not complete:
                missed.append(f"{label}: {out}")
            wrong += [f"{label}: {error}: {out}" for error in errors]
    return missed, wrong, done


def test_three_figures(capsys: pytest.CaptureFixture[str]) -> None:
    missed_codes, wrong_codes, codes = _run(with_codes=True)
    missed_shapes, wrong_shapes, shapes = _run(with_codes=False)
    by_codes = 100 * (1 - len(missed_codes) / len(codes))
    by_shape = 100 * (1 - len(missed_shapes) / len(shapes))
    with capsys.disabled():
        print(
            f"\nhidden ids: by codes {by_codes:.1f} % of {len(codes)}, by shape {by_shape:.1f} % of {len(shapes)}, "
            f"wrong values shown {len(wrong_codes) + len(wrong_shapes)}"
        )
    assert not wrong_codes, "\n".join(wrong_codes)
    assert not wrong_shapes, "\n".join(wrong_shapes)
    assert by_codes >= 95, "\n".join(missed_codes)
    assert by_shape >= 80, "\n".join(missed_shapes)
