"""Raw values: phase records (see phases.py), alarm sets, fault bitmaps, slices of bytes. Pure.

Everything that is not exactly of a known form is "no data" (None): never 0 and never an exception.
"""

from __future__ import annotations

from typing import Dict, Mapping, Optional, Tuple

from .layout import Slice
from .phases import ALL_RECORDS, Phase, phase
from .reading import Threshold
from .values import VOLTAGE_MIN_V, byte_forms, number, parsed, uint

__all__ = ["ALL_RECORDS", "Phase", "alarm_bytes", "alarm_set", "fault_labels", "is_dead", "phase", "sliced"]

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
        value = parsed(value)
    if isinstance(value, Mapping):
        return all(number(amount) == 0 for amount in value.values())
    if is_empty(value):
        return True
    for data in byte_forms(value):
        parts = _MEASURED_BYTES.get(len(data), ())
        if parts and not any(any(data[part.start : part.end]) for part in parts):
            return True
    return False


# where V stands in a phase record, by its length
_VOLTAGE_BYTES: Dict[int, Slice] = {
    7: Slice(7, 0, 2),
    8: Slice(8, 0, 2),
    10: Slice(10, 0, 2),
    15: Slice(15, 13, 15),
    17: Slice(17, 2, 4),
    18: Slice(18, 2, 4),
}


def is_lost_phase(value: object, sibling: object) -> bool:
    """Say whether a value is a phase record like its sibling's but for a voltage that no mains has.

    A meter reports so on a phase that is cut, or that it measures without its voltage: 0 V beside 8.284 A.
    """
    lengths = {len(data) for data in byte_forms(sibling)} & set(_VOLTAGE_BYTES)
    if (
        phase(sibling) is None
        or phase(value) is not None
        or is_dead(value)
        or any(alarm_bytes(value, which) for which in ALARM_RECORDS)
    ):
        return False
    return any(
        uint(data, part.start, part.end) < 10 * VOLTAGE_MIN_V
        for data in byte_forms(value)
        for part in (_VOLTAGE_BYTES[length] for length in lengths if length == len(data))
    )


def sliced(value: object, part: Slice, may_be_zero: bool = False) -> Optional[int]:
    """Return the integer in a slice of a raw value of exactly part.size bytes; None where there is none.

    may_be_zero: something else tells that the circuit is alive, so that zero bytes are a reading and no gap.
    """
    for data in byte_forms(value):
        if len(data) == part.size and (may_be_zero or any(data)):
            order = "little" if part.little else "big"
            return int.from_bytes(data[part.start : part.end], order, signed=part.signed)  # type: ignore[arg-type]
    return None


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
        found.append(Threshold(name, float(uint(data, at + 2, at + 4)), unit, data[at + 1] == 1))
    return tuple(found)


def fault_labels(value: object, labels: Tuple[str, ...]) -> Optional[Tuple[str, ...]]:
    """Return the labels of the bits that are set in a fault bitmap; None where it is no bitmap."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**32:
        return None
    names = labels or STANDARD_FAULTS
    return tuple(names[bit] if bit < len(names) else f"bit{bit}" for bit in range(32) if value >> bit & 1)
