"""Reads tests/data/definitions.tsv and makes a dump for each definition. Built apart from tuya.metering on purpose."""

from __future__ import annotations

import base64
import csv
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

TABLE = Path(__file__).parent.parent / "data" / "definitions.tsv"
DECODE = re.compile(r"raw(\d+)\[(\d+):(\d+)\](s?)(le)?")
HEADERS = {17: b"\x01\x0f", 18: b"\x02\x0f"}
QUANTITY = {
    "voltage": "voltage_v",
    "current": "current_a",
    "power": "power_w",
    "power_factor": "power_factor",
    "frequency": "frequency_hz",
}
CIRCUIT = re.compile(
    r"\{(?:Phase |Line |SUB)?(\w+)\}$|(?:factor|nergy|eneration|power|requency) (?:Phase |SUB)?([A-Z]\d?|\d+)$"
)
LETTERS = {"A": "a", "B": "b", "C": "c", "X": "a", "Y": "b", "Z": "c", "L1": "a", "L2": "b", "L3": "c"}


@dataclass(frozen=True)
class Row:
    """One sensor: where it stands, how it is decoded and what it is said to be."""

    config: str
    product_ids: Tuple[str, ...]
    switch_dps: Tuple[int, ...]
    dp: int
    kind: str
    decode: str
    lsb: float
    label: str
    state_class: str

    @property
    def circuit(self) -> str:
        """Channel that the label names, "" where it names none."""
        named = CIRCUIT.search(self.label)
        if not named:
            return ""
        word = str(named.group(1) or named.group(2))
        if self.config == "hisb80a_energymeter":
            return "abc"[int(word) - 1]
        return LETTERS.get(word) or (str(int(word)) if word.isdigit() else word.replace("SUB", "").lstrip("0"))


def rows() -> List[Row]:
    """Return all rows of the table."""
    lines = [line for line in TABLE.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    found = []
    for row in csv.DictReader(lines, delimiter="\t"):
        found.append(
            Row(
                row["config"],
                tuple(filter(None, row["product_ids"].split(","))),
                tuple(int(dp) for dp in row["switch_dps"].split(",") if dp),
                int(row["dp"]),
                row["class"],
                row["decode"],
                float(row["lsb"].rstrip("±")),
                row["label"],
                row["state_class"],
            )
        )
    return found


def by_config() -> Dict[str, List[Row]]:
    """Return the rows of each definition."""
    found: Dict[str, List[Row]] = {}
    for row in rows():
        found.setdefault(row.config, []).append(row)
    return found


def amount(row: Row, position: int) -> float:
    """Return what this sensor measures in the made-up dump: a load that is possible on every circuit."""
    circuit = row.circuit if row.circuit != "total" else ""
    place = "abc".find(circuit) + 1 if circuit in ("a", "b", "c") else int(circuit or 0) + 3
    voltage, current = 229.0 + place, 3.2 + 0.5 * place
    return {
        "voltage": voltage,
        "current": 0.031 if "eak" in row.label else current,
        "power": round(0.8 * voltage * current),
        "power_factor": 0.8,
        "frequency": 50.0,
        "energy": 100.0 + 3 * position,
        "energy_storage": 77.0,
    }.get(row.kind, 0.0)


def dump(config: List[Row], power: float = 1.0) -> Tuple[Dict[str, Any], Dict[Row, float]]:
    """Return the DPs of one definition and what each of its rows then measures."""
    dps: Dict[str, Any] = {str(dp): True for dp in config[0].switch_dps}
    raws: Dict[int, bytearray] = {}
    truth: Dict[Row, float] = {}
    for position, row in enumerate(config):
        value = round(amount(row, position) / row.lsb)
        part = DECODE.fullmatch(row.decode)
        if row.kind == "frequency" and part:
            value = 5000  # two bytes hold 50 Hz as 0.01 Hz; the table says 0.001
            truth[row] = 50.0
        else:
            truth[row] = value * row.lsb
        if not part:
            dps[str(row.dp)] = value
            continue
        size, start, end = (int(part.group(n)) for n in (1, 2, 3))
        data = raws.setdefault(row.dp, bytearray(HEADERS.get(size, b"").ljust(size, b"\0")))
        order: Any = "little" if part.group(5) else "big"
        data[start:end] = value.to_bytes(end - start, order, signed=bool(part.group(4)))
    for dp, data in raws.items():
        dps[str(dp)] = base64.b64encode(bytes(data)).decode()
    return dps, truth


def expected(row: Row, channels: List[str]) -> Tuple[str, Optional[str]]:
    """Return (key of the JSON contract, channel or None for a single number) of a row; ("", None): not shown."""
    if row.kind == "energy_storage" or row.kind in ("reactive_power", "apparent_power"):
        return "", None
    if row.dp == 13 or re.search(r"today|alance|repaid|eakage energy|Tariff", row.label):
        return "", None
    if row.kind == "current" and "eak" in row.label:
        return "leakage_ma", None
    if row.kind == "frequency":
        return "frequency_hz", None
    channel = row.circuit or ("total" if len(channels) > 1 else "1")
    if len(channels) == 1:
        channel = "1"
    if row.kind == "energy":
        if "produced" in row.label or "eneration" in row.label or "total generation" in row.label.lower():
            return "returned_kwh", channel
        return "energy_kwh", channel
    return QUANTITY[row.kind], channel
