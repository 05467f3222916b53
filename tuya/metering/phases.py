"""Phase records: V, I, P of one phase in a raw value, an object or JSON text -> Phase. Pure.

Everything that is not exactly of a known form is "no data" (None): never 0 and never an exception.
"""

from __future__ import annotations

from typing import Dict, Mapping, NamedTuple, Optional, Sequence, Tuple

from .values import POWER_SLACK, POWER_SLACK_W, VOLTAGE_MAX_V, VOLTAGE_MIN_V, byte_forms, number, parsed, possible, uint

ALL_RECORDS = (7, 8, 9, 10, 11, 15, 17, 18)
# P / (V I) of a loaded circuit below which u24 triples are not believed to be V, I and P
LEAST_FACTOR = 0.05
# inverters end their 10 bytes with the mains frequency in 0.1 Hz where breakers have the leakage in mA
MAINS_TENTH_HZ = ((490, 510), (590, 610))
# their P is calibrated apart from V and I: up to 1.12 has been seen; in mW it can be nothing else
INVERTER_FACTORS = (0.5, 1.25)

# [V, A, W] in JSON text: steps in 0.1 V, 0.1 A and 0.1 kW
LIST_STEPS: Dict[str, float] = {"voltage": 0.1, "current": 0.1, "power": 100.0}


class Phase(NamedTuple):
    """One phase as a record says it, in V, A, W; negative = returned.

    certain: the record proves its own LSBs. coarse_w: the step of its power where that is more than a watt.
    """

    voltage_v: float
    current_a: float
    power_w: Optional[float]
    power_factor: Optional[float] = None
    leakage_ma: Optional[float] = None
    certain: bool = False
    coarse_w: float = 0.0


def _signed(raw: int, bits: int) -> Tuple[int, ...]:
    """Return what a field with its top bit set may mean: two's complement, or a sign before the magnitude."""
    top = 1 << (bits - 1)
    return (raw,) if raw < top else (raw - 2 * top, -(raw - top))


def _plain(data: bytes) -> Optional[Phase]:
    """7, 8 and 10 bytes: V u16 0.1 V, I u24 mA, P u16 (7) or u24 W, leakage u16 mA (10).

    A power with its top bit set is negative; it is taken only where one of the two spellings is possible.
    """
    voltage_v = uint(data, 0, 2) / 10
    power_end = 7 if len(data) == 7 else 8
    leakage_ma = float(uint(data, 8, 10)) if len(data) == 10 else None
    bits = 8 * (power_end - 5)
    raw_power = uint(data, 5, power_end)
    readings = []
    for current_ma in _signed(uint(data, 2, 5), 24):
        for power_w in (raw_power,) if bits == 16 and raw_power < 2**15 else _signed(raw_power, bits):
            if possible(voltage_v, current_ma / 1000, power_w):
                readings.append(Phase(voltage_v, current_ma / 1000, float(power_w), leakage_ma=leakage_ma))
    if len(readings) == 1:
        return readings[0]
    if leakage_ma is not None and not readings:
        inverter = _in_milliwatts(voltage_v, uint(data, 2, 5) / 1000, raw_power / 1000, leakage_ma)
        if inverter is not None:
            return inverter
    if raw_power < 2 ** (bits - 1) and uint(data, 2, 3) < 128 and not readings:
        # a scale error is for the caller to judge: the record itself is in order
        return Phase(voltage_v, uint(data, 2, 5) / 1000, float(raw_power), leakage_ma=leakage_ma)
    return None


def _in_milliwatts(voltage_v: float, current_a: float, power_w: float, tail: float) -> Optional[Phase]:
    """10 bytes of an inverter: P in mW, and the mains frequency in 0.1 Hz where a breaker has its leakage."""
    low, high = (factor * voltage_v * current_a for factor in INVERTER_FACTORS)
    is_frequency = any(least <= tail <= most for least, most in MAINS_TENTH_HZ)
    if not is_frequency or not low <= power_w <= high + POWER_SLACK_W:
        return None
    return Phase(voltage_v, current_a, power_w, leakage_ma=tail, certain=True)


def _power_first(data: bytes, power_lsb_w: Optional[float]) -> Optional[Phase]:
    """15 bytes: sign u8, P u24, sign u8, Q u24, PF u16 0.001, I u24 mA, V u16 0.1 V.

    The LSB of P differs per product (1 W or 0.1 W). Where the layout does not say it, PF or V I must decide.
    """
    if data[0] > 1 or data[4] > 1:
        return None
    voltage_v = uint(data, 13, 15) / 10
    current_a = uint(data, 10, 13) / 1000
    raw = uint(data, 1, 4)
    factor = uint(data, 8, 10) / 1000
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
    voltage_v, current_a, power_w = uint(data, 0, 3) / 10, uint(data, 3, 6) / 1000, float(uint(data, 6, 9))
    loaded = power_w >= LEAST_FACTOR * voltage_v * current_a
    return Phase(voltage_v, current_a, power_w) if possible(voltage_v, current_a, power_w) and loaded else None


def _with_header(data: bytes) -> Phase:
    """17 (01 0F) and 18 bytes (02 0F): V u16 0.1 V, I u24 mA, P, Q, S u24, PF u8 0.01; 18: sign bits I, P, Q, PF."""
    signs = data[17] if len(data) == 18 else 0

    def signed(bit: int, value: float) -> float:
        return -value if value and signs >> bit & 1 else value

    power_w = float(uint(data, 7, 10))
    apparent_va = uint(data, 13, 16)
    return Phase(
        uint(data, 2, 4) / 10,
        signed(0, uint(data, 4, 7) / 1000),
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


def from_list(record: Sequence[object]) -> Optional[Phase]:
    """A phase as [V, A, W] in 0.1 V, 0.1 A and 0.1 kW, as chargers put it into JSON text: [2240, 58, 13]."""
    amounts = [number(one) for one in record[:3]]
    voltage, current, power = amounts if len(record) == 3 else (None, None, None)
    if voltage is None or current is None or power is None:
        return None
    voltage_v = voltage * LIST_STEPS["voltage"]
    if not VOLTAGE_MIN_V <= voltage_v <= VOLTAGE_MAX_V:
        return None
    return Phase(
        round(voltage_v, 6),
        round(current * LIST_STEPS["current"], 6),
        power * LIST_STEPS["power"],
        coarse_w=LIST_STEPS["power"],
    )


def phase(
    value: object, lengths: Tuple[int, ...] = ALL_RECORDS, power_lsb_w: Optional[float] = None, key: str = ""
) -> Optional[Phase]:
    """Return one phase from a DP that carries phase records, or None: empty, all zero, of no known form.

    lengths: what the layout allows. power_lsb_w: LSB of the power in a 15-byte record where the layout knows it.
    key: the member of a JSON object that holds this phase. Two readings of one text (base64 and hex) that are both
    possible are no reading.
    """
    if isinstance(value, str) and value.lstrip()[:1] == "{":
        value = parsed(value)
    if key:
        member = value.get(key) if isinstance(value, Mapping) else None
        return from_list(member) if isinstance(member, list) else None
    if isinstance(value, Mapping):
        return _from_dict(value)
    found = [one for one in (_record(data, lengths, power_lsb_w) for data in byte_forms(value)) if one is not None]
    return found[0] if len(found) == 1 else None
