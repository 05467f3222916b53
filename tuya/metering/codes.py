"""The thing model of an entry in devices.json (its `mapping`) -> a layout. Knows codes and units, no product.

Codes are read by their words, because makers spell them freely (cur_power, ActivePowerA, forward_energy_total,
energy_reserse_b): a quantity, perhaps a circuit, and no word that makes it a limit, a cost or a day's figure.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import AbstractSet, Dict, FrozenSet, List, Mapping, Optional, Tuple

from .layout import DEVICE_LEVEL, MEASURES, Field, Layout
from .reading import TOTAL

MAX_DP = 255
NAME = "standard codes"


def _words(text: str) -> FrozenSet[str]:
    return frozenset(text.split())


# words that turn a quantity into something that is no reading
NOT_READINGS = _words(
    "set setting settings limit limits threshold thresholds thre max min maximum minimum over under alarm alarms "
    "protect protection prot warn warning rate rated coe coef coeff coefficient calib calibrate calibration corr "
    "delay time timer times count counter cost price money fee bill today day daily yesterday month monthly year "
    "yearly week weekly hour hourly history record records report interval period cycle inching reset clear "
    "recover recovery reclose state status mode low high trip action enable en test net last peak tariff reactive "
    "apparent harmonic thd demand remain remaining purchase purchased surplus percent type unit ratio cfg config "
    "gain offset diff difference lost overload spike valley flat sharp on off back_light lock step target charge "
    "average avg initial base standby"
)
REVERSE_WORDS = _words(
    "reverse reversed reserse rev export exported produced produce production backward back return returned feed "
    "feedin sold sell generation generated negative neg reveresed out"
)
CHANNEL_WORDS = {
    **{letter: letter for letter in "abc"},
    **{f"phase{letter}": letter for letter in "abc"},
    **{f"l{n}": "abc"[n - 1] for n in (1, 2, 3)},
    **{f"ch{n}": str(n) for n in range(1, 17)},
    **{f"channel{n}": str(n) for n in range(1, 17)},
    **{str(n): str(n) for n in range(1, 17)},
}
TOTAL_WORDS = frozenset(("total", "sum", "all", "whole"))
FILLER_WORDS = _words(
    "cur current phase channel ch line value val real realtime now instant instantaneous active meter device grid "
    "act rms electric electrical w v ma kwh use used forward forword fwd positive pos import imported consumed "
    "consumption add load ac clamp ct data dp electricity ele energy power voltage"
)
VOLTAGE_WORDS = frozenset(("voltage", "volt", "vol", "ua", "ub", "uc"))
CURRENT_WORDS = frozenset(("current", "curr", "ampere", "amp", "ia", "ib", "ic", "electriccurrent"))
POWER_WORDS = frozenset(("power", "watt", "watts", "activepower", "pa", "pb", "pc"))
ENERGY_WORDS = frozenset(("energy", "ele", "electricity", "kwh", "electric", "consumption", "elec", "eletricity"))
LETTERED = {f"{first}{letter}": letter for first in "uip" for letter in "abc"}

# unit as normalised -> (unit of the reading, factor)
UNITS: Dict[str, Tuple[str, float]] = {
    "v": ("V", 1.0),
    "mv": ("V", 0.001),
    "kv": ("V", 1000.0),
    "a": ("A", 1.0),
    "ma": ("A", 0.001),
    "w": ("W", 1.0),
    "kw": ("W", 1000.0),
    "mw": ("W", 0.001),
    "wh": ("kWh", 0.001),
    "kwh": ("kWh", 1.0),
    "hz": ("Hz", 1.0),
    "c": ("C", 1.0),
    "%": ("%", 1.0),
}
# LSB of the standard codes, for a model that gives neither unit nor scale
STANDARD_LSB: Dict[str, float] = {
    "voltage": 0.1,
    "current": 0.001,
    "power": 0.1,
    "energy": 0.01,
    "returned": 0.01,
    "increment": 1.0,
    "frequency": 0.01,
    "power_factor": 0.01,
    "leakage": 1.0,
    "temperature": 1.0,
    "balance": 0.01,
}
STANDARD_CODES: Dict[str, Tuple[str, str]] = {
    "cur_current": ("current", ""),
    "cur_power": ("power", ""),
    "cur_voltage": ("voltage", ""),
    "add_ele": ("increment", ""),
    "electricity": ("energy", ""),
    "total_forward_energy": ("energy", ""),
    "forward_energy_total": ("energy", ""),
    "energy_forward_total": ("energy", ""),
    "total_reverse_energy": ("returned", ""),
    "reverse_energy_total": ("returned", ""),
    "energy_reverse_total": ("returned", ""),
    "supply_frequency": ("frequency", ""),
    "power_factor": ("power_factor", ""),
    "leakage_current": ("leakage", ""),
    "temp_current": ("temperature", ""),
    "balance_energy": ("balance", ""),
    "energy_balance": ("balance", ""),
    "alarm_set_1": ("alarm_set", "1"),
    "alarm_set_2": ("alarm_set", "2"),
    "fault": ("faults", ""),
    "relay_status": ("power_on", ""),
    "child_lock": ("child_lock", ""),
    "countdown": ("countdown", ""),
    "countdown_1": ("countdown", ""),
    "event": ("event", ""),
}
# type of the model -> what its values are
NUMBER_TYPES = frozenset(("integer", "value", "float", "double", "int"))
TYPES_OF_ROLE = {
    "switch": frozenset(("boolean", "bool")),
    "child_lock": frozenset(("boolean", "bool")),
    "phase": frozenset(("raw", "string", "json")),
    "alarm_set": frozenset(("raw", "string", "json")),
    "faults": frozenset(("bitmap", "fault", "integer", "value")),
    "power_on": frozenset(("enum", "string")),
    "event": frozenset(("enum", "string")),
    "direction": frozenset(("enum", "string")),
    "countdown": NUMBER_TYPES,
}

_WORDS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
_SWITCH = re.compile(r"(?:switch|relay)_?(\d*)$|switch_(usb)_?(\d*)$")
_PHASE = re.compile(r"phase_?([abc])$")


@dataclass(frozen=True)
class Model:
    """One line of a thing model, with `values` unpacked."""

    dp: int
    code: str
    kind: str
    values: Mapping[str, object]


def models(mapping: object) -> Tuple[Model, ...]:
    """Return the usable lines of a `mapping`, by DP; everything else in it is passed over."""
    found: Dict[int, Model] = {}
    if not isinstance(mapping, Mapping):
        return ()
    for key, line in mapping.items():
        if isinstance(key, bool) or not str(key).isascii() or not str(key).isdigit() or not isinstance(line, Mapping):
            continue
        dp, code = int(str(key)[:4]), line.get("code")
        if 1 <= dp <= MAX_DP and isinstance(code, str) and code:
            found[dp] = Model(dp, code, str(line.get("type") or "").lower(), _values(line))
    return tuple(found[dp] for dp in sorted(found))


def _values(line: Mapping[str, object]) -> Mapping[str, object]:
    for name in ("values", "raw_values"):
        values = line.get(name)
        if isinstance(values, str) and len(values) <= 20000:
            try:
                values = json.loads(values)
            except (ValueError, RecursionError):
                continue
        if isinstance(values, Mapping) and values:
            return values
    return {}


def _number(values: Mapping[str, object], name: str) -> Optional[float]:
    value = values.get(name)
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value or abs(value) > 1e18:
        return None
    return float(value)


def unit_of(text: object) -> Tuple[str, float]:
    """Return (unit of a reading, factor) for a unit in any spelling; ("", 1) where none is given, ("?", 0) unknown."""
    if not isinstance(text, str) or not text.strip():
        return "", 1.0
    bare = text.strip().lower().replace("°", "").replace("℃", "c")
    for mark in "·.*• -_":
        bare = bare.replace(mark, "")
    return UNITS.get(bare, ("?", 0.0))


def words_of(code: str) -> List[str]:
    """Return the words of a code in lower case: ActivePowerA -> active, power, a; cur_power1 -> cur, power, 1."""
    return [word.lower() for word in _WORDS.findall(code)]


def _meaning(model: Model) -> Optional[Tuple[str, str, bool]]:
    """Return (role, circuit word or "" or "total", standard code) of a code; None for what is no reading or state."""
    code = model.code.strip()
    lowered = code.lower()
    if lowered in STANDARD_CODES:
        role, circuit = STANDARD_CODES[lowered]
        return role, circuit, True
    phase = _PHASE.match(lowered)
    if phase:
        return "phase", phase.group(1), True
    switch = _SWITCH.match(lowered)
    if switch:
        return "switch", "", True
    words = words_of(code)
    circuit = ""
    rest: List[str] = []
    for position, word in enumerate(words):
        previous = words[position - 1] if position else ""
        if word in LETTERED:
            circuit = LETTERED[word]
            rest.append(word)
        elif previous in ("l", "ch", "channel", "line", "t") and word.isdigit():
            circuit = CHANNEL_WORDS.get(f"l{word}" if previous in ("l", "line") else word, "?")
        elif word in CHANNEL_WORDS:
            circuit = CHANNEL_WORDS[word]
        elif word in TOTAL_WORDS:
            circuit = circuit or TOTAL
        else:
            rest.append(word)
    named = _role(rest)
    return (named, circuit, False) if named else None


def _role(words: List[str]) -> Optional[str]:
    """Return the quantity that a code's words name, None where a word says that it is no reading."""
    have = set(words)
    if "direction" in have or "dir" in have:
        return "direction"
    if have & NOT_READINGS:
        return None
    if "leakage" in have or "residual" in have or "leak" in have:
        return "leakage" if not have - {"leakage", "residual", "leak", "current", "cur", "real", "actual"} else None
    if "balance" in have:
        return "balance" if have & ENERGY_WORDS else None
    role: Optional[str] = None
    own: AbstractSet[str]
    if ("factor" in have and "power" in have) or have & {"pf", "powerfactor", "cos", "cosphi"}:
        role, own = "power_factor", {"power", "factor", "pf", "powerfactor", "cos", "cosphi", "phi"}
    elif have & {"frequency", "freq", "hz"}:
        role, own = "frequency", {"frequency", "freq", "hz", "supply"}
    elif have & {"temperature", "temp"}:
        role, own = "temperature", {"temperature", "temp"}
    elif have & VOLTAGE_WORDS:
        role, own = "voltage", set(VOLTAGE_WORDS)
    elif have & ENERGY_WORDS and not have & (POWER_WORDS | CURRENT_WORDS):
        if "add" in have:
            role, own = "increment", set(ENERGY_WORDS)
        else:
            role = "returned" if have & REVERSE_WORDS else "energy"
            own = ENERGY_WORDS | REVERSE_WORDS
    elif have & POWER_WORDS:
        role, own = "power", set(POWER_WORDS)
    elif have & CURRENT_WORDS:
        role, own = "current", set(CURRENT_WORDS)
    else:
        return None
    return role if not have - own - FILLER_WORDS else None


def _lsb(role: str, model: Model, standard: bool) -> Optional[Tuple[float, bool]]:
    """Return (LSB, doubtful) in the unit of the role; None where unit and quantity contradict each other."""
    unit, factor = unit_of(model.values.get("unit"))
    scale = _number(model.values, "scale")
    if scale is not None and not (scale.is_integer() and 0 <= scale <= 9):
        return None
    if scale is None and not unit:
        return (STANDARD_LSB[role], False) if standard else None
    exponent = int(scale or 0)
    step = 10.0**-exponent
    if role == "power_factor":
        if unit not in ("", "%"):
            return None
        top = _number(model.values, "max") or 0.0
        if unit == "%":
            return 0.01 * step, True
        return (0.001 if top > 100 else 0.01) if exponent == 0 else step, True
    if role == "increment":
        if unit == "?" or unit not in ("", "kWh"):
            return None
        return (1.0, False) if not unit and exponent == 0 else (1000 * factor * step, False)
    if role == "leakage":
        if unit == "" and standard:
            return step, True
        return (1000 * factor * step, True) if unit == "A" else None
    if not unit:
        return _unitless(role, exponent, standard)
    return (factor * step, True) if unit == MEASURES[role] else None


def _unitless(role: str, exponent: int, standard: bool) -> Optional[Tuple[float, bool]]:
    """Return the LSB for a scale without a unit: V, W, kWh, Hz, C are meant, and mA for a standard current."""
    step = 10.0**-exponent
    if not standard and role in ("energy", "returned", "temperature", "current"):
        return None
    if role == "current":
        return 0.001 * step if exponent == 0 else step, True
    return step, True


def _field(model: Model) -> Optional[Tuple[Field, str]]:
    """Return the field of one line and its circuit word, None for what is no reading and no state."""
    meaning = _meaning(model)
    if meaning is None:
        return None
    role, circuit, standard = meaning
    wanted = TYPES_OF_ROLE.get(role, NUMBER_TYPES)
    if model.kind and model.kind not in wanted:
        return None
    if role not in MEASURES:
        if role == "alarm_set":
            return Field(model.dp, role, number=int(circuit)), ""
        if role == "faults":
            return Field(model.dp, role, labels=labels_of(model)), ""
        return Field(model.dp, role), circuit
    lsb = _lsb(role, model, standard)
    if lsb is None:
        return None
    low = _number(model.values, "min")
    no_data = low if low is not None and low <= -9_999_999 else None
    one = Field(model.dp, role, lsb=round(lsb[0], 12), doubtful=lsb[1], no_data=no_data)
    return one, circuit


def labels_of(model: Model) -> Tuple[str, ...]:
    """Return the labels of a fault bitmap, () where the model gives none."""
    labels = model.values.get("label")
    if isinstance(labels, list) and 0 < len(labels) <= 32 and all(isinstance(label, str) for label in labels):
        return tuple(labels)
    return ()


def layout(mapping: object) -> Optional[Layout]:
    """Return the layout that a thing model describes; None where no code measures electricity."""
    found = [one for one in map(_field, models(mapping)) if one is not None]
    measuring = [one for one, _ in found if one.role in ("voltage", "current", "power", "energy", "phase", "increment")]
    if not measuring:
        return None
    words = {circuit for one, circuit in found if one.role in MEASURES or one.role == "phase"} - {"", TOTAL}
    names = _channel_names(words)
    fields: List[Field] = []
    taken = set()
    directions = {names.get(circuit, "1"): one.dp for one, circuit in found if one.role == "direction"}
    for one, circuit in sorted(found, key=lambda pair: pair[1] in ("", TOTAL) and len(names) == 1):
        channel = names.get(circuit, TOTAL if len(names) > 1 else "1")
        if one.role in DEVICE_LEVEL:
            channel = ""
        placed = replace(one, channel=channel)
        if one.role in ("power", "phase") and channel in directions:
            placed = replace(placed, signed_by=directions[channel])
        key = (placed.role, channel)
        if placed.role in MEASURES and placed.role not in ("temperature", "increment"):
            if key in taken:
                placed = replace(placed, fallback=True)
            taken.add(key)
        fields.append(placed)
    fields.sort(key=lambda field: field.dp)
    return Layout(NAME, tuple(fields), title="by the codes of the thing model")


def _channel_names(words: AbstractSet[str]) -> Dict[str, str]:
    """Return circuit word -> channel: one circuit is "1", up to three are a b c, more are numbered."""
    ordered = sorted(words, key=lambda word: (not word.isdigit(), int(word) if word.isdigit() else 0, word))
    if len(ordered) < 2:
        return dict.fromkeys(ordered, "1")
    if all(word.isdigit() for word in ordered) and int(ordered[-1]) <= 3:
        return {word: "abc"[int(word) - 1] for word in ordered}
    return {word: word for word in ordered}
