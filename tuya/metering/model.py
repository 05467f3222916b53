"""Unpacks the thing model (`mapping` in devices.json): lines, units, labels."""

from __future__ import annotations

import json
from collections.abc import Mapping  # of typing's it takes three times as long to ask isinstance
from typing import Any, Dict, Iterable, NamedTuple, Optional, Tuple

MAX_DP = 255
MAX_VALUES_TEXT = 20000
# no maker's code comes near it, and words are looked for in every one
MAX_CODE = 80
# unit as normalised -> (unit of a reading, factor)
UNITS: Dict[str, Tuple[str, float]] = {
    "v": ("V", 1.0),
    "mv": ("V", 0.001),
    "kv": ("V", 1000.0),
    "a": ("A", 1.0),
    "ma": ("A", 0.001),
    "w": ("W", 1.0),
    "kw": ("W", 1000.0),
    "wh": ("kWh", 0.001),
    "kwh": ("kWh", 1.0),
    "hz": ("Hz", 1.0),
    "c": ("C", 1.0),
    "%": ("%", 1.0),
    "度": ("kWh", 1.0),
    "千瓦时": ("kWh", 1.0),
    "伏": ("V", 1.0),
    "毫安": ("A", 0.001),
    "安": ("A", 1.0),
    "瓦": ("W", 1.0),
    "赫兹": ("Hz", 1.0),
}


class Model(NamedTuple):
    """One line of a thing model. kind: its type in lower case, "" where none is given. values: unpacked."""

    dp: int
    code: str
    kind: str
    values: Mapping[str, Any]

    def number(self, name: str) -> Optional[float]:
        """Return a number of `values` (scale, min, max), also where it is written as text; None for all else."""
        value = self.values.get(name)
        if isinstance(value, str) and len(value) < 30:
            try:
                value = float(value)
            except ValueError:
                return None
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < 1e18:
            return None
        return float(value)

    @property
    def unit(self) -> Tuple[str, float]:
        """Unit of a reading and the factor to it: ("", 1) where none is given, ("?", 0) for an unknown one."""
        text = self.values.get("unit")
        if not isinstance(text, str) or not text.strip():
            return "", 1.0
        bare = text.strip().lower().replace("°", "").replace("℃", "c")
        for mark in "·.*• -_":
            bare = bare.replace(mark, "")
        return UNITS.get(bare, ("?", 0.0))

    @property
    def labels(self) -> Tuple[str, ...]:
        """Labels of a fault bitmap, () where the model gives none."""
        labels = self.values.get("label")
        if isinstance(labels, list) and 0 < len(labels) <= 32 and all(isinstance(label, str) for label in labels):
            return tuple(labels)
        return ()

    @property
    def choices(self) -> Tuple[str, ...]:
        """Values that an enum may have, () where the model gives none."""
        words = self.values.get("range")
        if isinstance(words, list) and 0 < len(words) <= 64 and all(isinstance(word, str) for word in words):
            return tuple(words)
        return ()


def _lines(mapping: object) -> Iterable[Tuple[object, object]]:
    """Yield (DP, line) of a mapping: tinytuya's object keyed by DP, or the cloud's list with dp_id in each line."""
    if isinstance(mapping, Mapping):
        yield from mapping.items()
    elif isinstance(mapping, list):
        for line in mapping:
            if isinstance(line, Mapping):
                yield line.get("dp_id", line.get("dpId", line.get("id"))), line


def models(mapping: object) -> Tuple[Model, ...]:
    """Return the usable lines of a `mapping`, by DP; everything else in it is passed over."""
    found: Dict[int, Model] = {}
    for key, line in _lines(mapping):
        text = str(key)
        if isinstance(key, bool) or not isinstance(line, Mapping) or not (text.isascii() and text.isdigit()):
            continue
        code = line.get("code")
        if len(text) <= 4 and 1 <= int(text) <= MAX_DP and isinstance(code, str) and 0 < len(code) <= MAX_CODE:
            found[int(text)] = Model(int(text), code, str(line.get("type") or "").lower(), _values(line))
    return tuple(found[dp] for dp in sorted(found))


def _values(line: Mapping[str, object]) -> Mapping[str, Any]:
    for name in ("values", "raw_values"):
        values = line.get(name)
        if isinstance(values, str) and len(values) <= MAX_VALUES_TEXT:
            try:
                values = json.loads(values)
            except (ValueError, RecursionError):
                continue
        if isinstance(values, Mapping) and values:
            return values
    return {}
