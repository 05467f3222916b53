"""Raw values: phase records, alarm sets, fault bitmaps, in base64, hex, dict or JSON text. Pure; knows no DP number.

Everything that is not exactly of a known form is "no data" (None): never 0 and never an exception.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import math
from dataclasses import dataclass
from typing import Dict, List, Mapping, Optional, Tuple

from .layout import Slice
from .reading import Threshold

# a phase of a mains installation; outside of it a record is not believed
VOLTAGE_MIN_V = 80.0
VOLTAGE_MAX_V = 280.0
# |P| <= 1.05 V I + 2 W: 1.03 holds on every real sample seen, the rest is for values sampled at different moments
POWER_SLACK = 1.05
POWER_SLACK_W = 2.0
MAX_TEXT = 4096
ALL_RECORDS = (7, 8, 9, 10, 11, 15, 17, 18)
# P / (V I) of a loaded circuit below which u24 triples are not believed to be V, I and P
LEAST_FACTOR = 0.05
# fault bits of the standard breaker, used where the thing model gives no labels
STANDARD_FAULTS = (
    "short_circuit",
    "surge",
    "overload",
    "leakagecurr",
    "temp_dif",
    "fire",
    "high_power",
    "self_test",
    "ov_cr",
    "unbalance",
    "ov_vol",
    "undervoltage",
    "miss_phase",
    "outage",
    "magnetism",
    "credit",
    "no_balance",
)


@dataclass(frozen=True)
class Phase:
    """One phase as a record says it, in V, A, W; negative = returned. `certain`: the record proves its own LSBs."""

    voltage_v: float
    current_a: float
    power_w: Optional[float]
    power_factor: Optional[float] = None
    leakage_ma: Optional[float] = None
    certain: bool = False


def number(value: object) -> Optional[float]:
    """Return a finite int or float; None for bools, text and everything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if isinstance(value, int) and abs(value) > 2**63:
        return None
    return float(value) if math.isfinite(value) else None


def possible(voltage_v: float, current_a: float, power_w: float) -> bool:
    """Say whether these three can belong to one phase of a mains installation."""
    bound_w = POWER_SLACK * voltage_v * abs(current_a) + POWER_SLACK_W
    return VOLTAGE_MIN_V <= voltage_v <= VOLTAGE_MAX_V and abs(power_w) <= bound_w


def byte_forms(value: object) -> Tuple[bytes, ...]:
    """Return the byte strings that a text may stand for: base64 (any number of "=") first, then hex."""
    if isinstance(value, (bytes, bytearray)):
        return (bytes(value),)
    if not isinstance(value, str) or not 4 <= len(value) <= MAX_TEXT:
        return ()
    text = "".join(value.split())
    forms: List[bytes] = []
    bare = text.rstrip("=")
    if "=" not in bare and len(bare) % 4 != 1:
        with contextlib.suppress(binascii.Error, ValueError):
            forms.append(base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True))
    digits = text[2:] if text[:2] in ("0x", "0X") else text
    with contextlib.suppress(ValueError):
        forms.append(bytes.fromhex(digits))
    return tuple(forms)


def is_empty(value: object) -> bool:
    """Say whether a raw value is there and holds nothing: empty text, or zero bytes only."""
    return isinstance(value, str) and (not value or any(data and not any(data) for data in byte_forms(value)))


# where V, I and P stand in the records that carry more: a dead phase may still say PF 1.000 or 50 Hz
_MEASURED_BYTES: Dict[int, Tuple[Slice, ...]] = {
    10: (Slice(10, 0, 8),),
    15: (Slice(15, 1, 4), Slice(15, 10, 15)),
    17: (Slice(17, 2, 10),),
    18: (Slice(18, 2, 10),),
}


def is_dead(value: object) -> bool:
    """Say whether a phase record is there and measured nothing: empty, or V, I and P all 0 whatever else it says."""
    if isinstance(value, str) and value.lstrip()[:1] == "{":
        value = _parsed(value)
    if isinstance(value, Mapping):
        return all(number(amount) == 0 for amount in value.values())
    if is_empty(value):
        return True
    for data in byte_forms(value):
        parts = _MEASURED_BYTES.get(len(data), ())
        if parts and not any(any(data[part.start : part.end]) for part in parts):
            return True
    return False


def _parsed(text: str) -> object:
    """Return what a JSON text holds, None where it holds nothing readable."""
    if len(text) > MAX_TEXT:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def sliced(value: object, part: Slice, may_be_zero: bool = False) -> Optional[int]:
    """Return the integer in a slice of a raw value of exactly part.size bytes; None where there is none.

    may_be_zero: something else tells that the circuit is alive, so that zero bytes are a reading and no gap.
    """
    for data in byte_forms(value):
        if len(data) == part.size and (may_be_zero or any(data)):
            order = "little" if part.little else "big"
            return int.from_bytes(data[part.start : part.end], order, signed=part.signed)  # type: ignore[arg-type]
    return None


def _uint(data: bytes, start: int, end: int) -> int:
    return int.from_bytes(data[start:end], "big")


def _signed(raw: int, bits: int) -> Tuple[int, ...]:
    """Return what a field with its top bit set may mean: two's complement, or a sign before the magnitude."""
    top = 1 << (bits - 1)
    return (raw,) if raw < top else (raw - 2 * top, -(raw - top))


def _plain(data: bytes) -> Optional[Phase]:
    """7, 8 and 10 bytes: V u16 0.1 V, I u24 mA, P u16 (7) or u24 W, leakage u16 mA (10).

    A power with its top bit set is negative; it is taken only where one of the two spellings is possible.
    """
    voltage_v = _uint(data, 0, 2) / 10
    power_end = 7 if len(data) == 7 else 8
    leakage_ma = float(_uint(data, 8, 10)) if len(data) == 10 else None
    bits = 8 * (power_end - 5)
    raw_power = _uint(data, 5, power_end)
    readings = []
    for current_ma in _signed(_uint(data, 2, 5), 24):
        for power_w in (raw_power,) if bits == 16 and raw_power < 2**15 else _signed(raw_power, bits):
            if possible(voltage_v, current_ma / 1000, power_w):
                readings.append(Phase(voltage_v, current_ma / 1000, float(power_w), leakage_ma=leakage_ma))
    if len(readings) == 1:
        return readings[0]
    if raw_power < 2 ** (bits - 1) and _uint(data, 2, 3) < 128 and not readings:
        # a scale error is for the caller to judge: the record itself is in order
        return Phase(voltage_v, _uint(data, 2, 5) / 1000, float(raw_power), leakage_ma=leakage_ma)
    return None


def _power_first(data: bytes, power_lsb_w: Optional[float]) -> Optional[Phase]:
    """15 bytes: sign u8, P u24, sign u8, Q u24, PF u16 0.001, I u24 mA, V u16 0.1 V.

    The LSB of P differs per product (1 W or 0.1 W). Where the layout does not say it, PF or V I must decide.
    """
    if data[0] > 1 or data[4] > 1:
        return None
    voltage_v = _uint(data, 13, 15) / 10
    current_a = _uint(data, 10, 13) / 1000
    raw = _uint(data, 1, 4)
    factor = _uint(data, 8, 10) / 1000
    apparent_va = voltage_v * current_a
    sign = -1 if data[0] else 1
    fits = [raw * lsb for lsb in ((power_lsb_w,) if power_lsb_w else (1.0, 0.1))]
    fits = [power_w for power_w in fits if possible(voltage_v, current_a, power_w)]
    if len(fits) == 2 and 0 < factor <= 1 and apparent_va > 5:
        fits = [power_w for power_w in fits if abs(power_w - factor * apparent_va) <= 0.2 * factor * apparent_va + 1]
    power_w = sign * fits[0] if len(fits) == 1 or (raw == 0 and fits) else None
    if power_lsb_w and not fits:
        power_w = sign * raw * power_lsb_w
    return Phase(voltage_v, current_a, power_w, power_factor=sign * factor if 0 < factor <= 1 else None)


def _wide(data: bytes) -> Optional[Phase]:
    """9 and 11 bytes: V u24 0.1 V, I u24 mA, P u24 W (11: two unknown bytes behind them), where they fit together."""
    voltage_v, current_a, power_w = _uint(data, 0, 3) / 10, _uint(data, 3, 6) / 1000, float(_uint(data, 6, 9))
    loaded = power_w >= LEAST_FACTOR * voltage_v * current_a
    return Phase(voltage_v, current_a, power_w) if possible(voltage_v, current_a, power_w) and loaded else None


def _with_header(data: bytes) -> Phase:
    """17 (01 0F) and 18 bytes (02 0F): V u16 0.1 V, I u24 mA, P, Q, S u24, PF u8 0.01; 18: sign bits I, P, Q, PF."""
    signs = data[17] if len(data) == 18 else 0

    def signed(bit: int, value: float) -> float:
        return -value if value and signs >> bit & 1 else value

    power_w = float(_uint(data, 7, 10))
    apparent_va = _uint(data, 13, 16)
    return Phase(
        _uint(data, 2, 4) / 10,
        signed(0, _uint(data, 4, 7) / 1000),
        signed(1, power_w),
        power_factor=signed(3, data[16] / 100) if data[16] <= 100 else None,
        certain=0 < power_w <= POWER_SLACK * apparent_va + POWER_SLACK_W,
    )


def _looks_like_alarms(data: bytes) -> bool:
    """Say whether 8 bytes are two records of an alarm set, which would pass as 102.4 to 179.3 V.

    Types 8 and 9 first are taken for what they mostly are: 204.8 and 230.4 V.
    """
    return len(data) == 8 and 1 <= data[0] <= 7 and 1 <= data[4] <= 9 and data[1] <= 1 and data[5] <= 1


def _record(data: bytes, lengths: Tuple[int, ...], power_lsb_w: Optional[float]) -> Optional[Phase]:
    size = len(data)
    if size not in lengths or not any(data):
        return None
    if size in (17, 18):
        phase: Optional[Phase] = _with_header(data) if data[:2] == bytes((size - 16, 15)) else None
    elif size == 15:
        phase = _power_first(data, power_lsb_w)
    elif size in (9, 11):
        phase = _wide(data)
    elif _looks_like_alarms(data):
        return None
    else:
        phase = _plain(data)
    if phase is None or not VOLTAGE_MIN_V <= phase.voltage_v <= VOLTAGE_MAX_V:
        return None
    return phase


_DICT_KEYS: Dict[str, Tuple[str, ...]] = {
    "voltage": ("voltage", "voltage_a", "v", "u"),
    "current": ("electriccurrent", "electricalcurrent", "electric_current", "current", "current_a", "i"),
    "power": ("power", "activepower", "active_power", "p"),
    "power_factor": ("powerfactor", "power_factor", "pf"),
}


def _from_dict(record: Mapping[object, object]) -> Optional[Phase]:
    """A phase as an object: V, A and kW, or the integers of the record (0.1 V, mA, W). Told apart by V and V I."""
    found: Dict[str, float] = {}
    for key, value in record.items():
        for role, names in _DICT_KEYS.items():
            if str(key).lower() in names:
                amount = number(value)
                if amount is None and isinstance(value, str) and len(value) < 20:
                    try:
                        amount = number(float(value))
                    except ValueError:
                        amount = None
                if amount is not None:
                    found[role] = amount
    if "voltage" not in found or "current" not in found:
        return None
    voltage, current, power = found["voltage"], found["current"], found.get("power")
    factor = found.get("power_factor")
    factor = factor if factor is not None and 0 < abs(factor) <= 1 else None
    if VOLTAGE_MIN_V <= voltage <= VOLTAGE_MAX_V:
        if power is None:
            return Phase(voltage, current, None, factor)
        in_kw, in_w = round(power * 1000, 3), power
        if possible(voltage, current, in_kw):
            return Phase(voltage, current, in_kw, factor)
        whole_watts = possible(voltage, current, in_w) and abs(in_w) >= LEAST_FACTOR * voltage * abs(current)
        return Phase(voltage, current, in_w if whole_watts else None, factor)
    voltage, current = voltage / 10, current / 1000
    if VOLTAGE_MIN_V <= voltage <= VOLTAGE_MAX_V and all(float(one).is_integer() for one in found.values()):
        if power is not None and not possible(voltage, current, power):
            power = None
        return Phase(voltage, current, power)
    return None


def phase(
    value: object, lengths: Tuple[int, ...] = ALL_RECORDS, power_lsb_w: Optional[float] = None
) -> Optional[Phase]:
    """Return one phase from a DP that carries phase records, or None: empty, all zero, of no known form.

    lengths: what the layout allows. power_lsb_w: LSB of the power in a 15-byte record where the layout knows it.
    Two readings of one text (base64 and hex) that are both possible are no reading.
    """
    if isinstance(value, Mapping):
        return _from_dict(value)
    if isinstance(value, str) and value.lstrip()[:1] == "{":
        parsed = _parsed(value)
        return _from_dict(parsed) if isinstance(parsed, dict) else None
    found = [one for one in (_record(data, lengths, power_lsb_w) for data in byte_forms(value)) if one is not None]
    return found[0] if len(found) == 1 else None


# type of a record in alarm_set_1 / alarm_set_2 -> (name, unit); over-current differs per product, so no unit
ALARM_RECORDS: Dict[int, Dict[int, Tuple[str, str]]] = {
    1: {
        1: ("short_circuit", ""),
        2: ("surge", ""),
        3: ("overload", "kW"),
        4: ("leakage", "mA"),
        5: ("temperature", "C"),
        6: ("fire", ""),
        7: ("high_power", "kW"),
        8: ("self_test", ""),
    },
    2: {
        1: ("over_current", ""),
        2: ("imbalance", "%"),
        3: ("over_voltage", "V"),
        4: ("under_voltage", "V"),
        5: ("phase_loss", ""),
        6: ("outage", ""),
        7: ("magnetic", ""),
        8: ("low_balance", ""),
        9: ("arrears", ""),
    },
}
RECORD_BYTES = 4


def alarm_bytes(value: object, which: int) -> Optional[bytes]:
    """Return the bytes of alarm set 1 or 2: n x [type u8][01 trip, 00 alarm or off][threshold u16 big-endian]."""
    known = ALARM_RECORDS.get(which, {})
    for data in byte_forms(value):
        records = [data[at : at + RECORD_BYTES] for at in range(0, len(data), RECORD_BYTES)]
        types = [one[0] for one in records]
        if (
            records
            and len(data) % RECORD_BYTES == 0
            and len(set(types)) == len(types)
            and all(one[0] in known and one[1] <= 1 for one in records)
        ):
            return data
    return None


def alarm_set(value: object, which: int) -> Tuple[Threshold, ...]:
    """Return the thresholds of alarm set 1 or 2; () for anything that is not exactly such a set."""
    data = alarm_bytes(value, which) or b""
    found = []
    for at in range(0, len(data), RECORD_BYTES):
        name, unit = ALARM_RECORDS[which][data[at]]
        found.append(Threshold(name, float(_uint(data, at + 2, at + 4)), unit, data[at + 1] == 1))
    return tuple(found)


def fault_labels(value: object, labels: Tuple[str, ...]) -> Optional[Tuple[str, ...]]:
    """Return the labels of the bits that are set in a fault bitmap; None where it is no bitmap."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**32:
        return None
    names = labels or STANDARD_FAULTS
    return tuple(names[bit] if bit < len(names) else f"bit{bit}" for bit in range(32) if value >> bit & 1)
