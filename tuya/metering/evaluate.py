"""Layout + data points -> reading. The only place where an LSB meets a value."""

from __future__ import annotations

from typing import AbstractSet, Callable, Dict, FrozenSet, List, Mapping, NamedTuple, Optional, Tuple

from . import physics, raw
from .layout import Field, Layout
from .phases import LIST_STEPS, MAINS_TENTH_HZ, Phase
from .reading import TOTAL, Channel, Reading
from .stale_current import StaleCurrents
from .states import faults_of, states_of
from .values import number, parsed, truth

# the end of a range that means "nothing measured", whatever the LSB
NO_DATA = 99_999_999
LIMITS: Dict[str, Tuple[float, float]] = {
    "voltage": (0.0, 1e6),
    "current": (-physics.MAX_CURRENT_A, physics.MAX_CURRENT_A),
    "power": (-1e9, 1e9),
    "power_factor": (-1e4, 1e4),
    "energy": (0.0, 1e8),
    "returned": (0.0, 1e8),
    "increment": (0.0, 1e6),
    "frequency": (0.0, 1e6),
    "temperature": (-40.0, 200.0),
    "leakage": (0.0, 30000.0),
    "balance": (-1e6, 1e9),
    "dc_voltage": (0.0, 1000.0),
    "dc_current": (0.0, 1000.0),
    "dc_power": (0.0, 1e5),
}
BREAKER_DP = 16
REVERSE_WORDS = frozenset(
    (
        "reverse",
        "reversed",
        "backward",
        "back",
        "export",
        "exporting",
        "produce",
        "producing",
        "production",
        "generate",
        "generating",
        "work_n",
        "negative",
        "out",
        "output",
        "feed",
        "feed_in",
    )
)
DIGITS = 6
# below this sum of its circuits a device's own sum is not judged: it may lag
TOTAL_MIN_W = 50.0
_JUDGED = ("voltage", "current", "power")  # against each other


class Value(NamedTuple):
    """One quantity with the DPs that it came from."""

    amount: float
    dps: FrozenSet[int]
    one: Field
    certain: bool = False


Key = Tuple[str, Channel]
Note = Callable[[str], None]


def _silent(_text: str) -> None:
    return None


def is_reverse(value: object) -> bool:
    """Say whether a direction DP says that energy is returned (an enum; integers and bools differ per product)."""
    return isinstance(value, str) and value.strip().lower() in REVERSE_WORDS


def scalar(one: Field, value: object, is_alive: bool = False) -> Optional[float]:
    """Return a DP's amount in the unit of its role; None for another type, "nothing measured" and the impossible.

    is_alive: the circuit has a voltage, so that zero bytes are no gap.
    """
    amount: Optional[float]
    if one.part is not None:
        sliced = raw.sliced(value, one.part, is_alive)
        amount = None if sliced is None else float(sliced)
    elif one.key:
        amount = number(_member(value, one.key))
    else:
        amount = number(value)
    if amount is None or (abs(amount) >= NO_DATA and one.role not in ("energy", "returned")) or amount <= -NO_DATA:
        return None
    if one.no_data is not None and amount == one.no_data:
        return None
    amount = round(amount * one.lsb, 9)
    if one.invert:
        amount = -amount
    low, high = LIMITS[one.role]
    return amount if low <= amount <= high else None


def _member(value: object, key: str) -> object:
    """Return a member of an object, or of one in JSON text."""
    known = parsed(value) if isinstance(value, str) else value
    return known.get(key) if isinstance(known, Mapping) else None


def _phase_values(one: Field, value: object, leaks: bool) -> List[Tuple[Key, float, bool]]:
    """Return the quantities of a phase record. leaks: the device is known to measure a leakage current."""
    power_lsb_w = one.lsb if one.power_lsb_known else None
    record = raw.phase(value, one.records or raw.ALL_RECORDS, power_lsb_w, one.key)
    if record is None:
        return []
    sign = -1.0 if one.invert and record.power_w else 1.0
    found: List[Tuple[Key, float, bool]] = [
        (("voltage", one.channel), record.voltage_v, True),
        (("current", one.channel), record.current_a, record.certain),
    ]
    # chargers leave P of the record at 0 and give it on another DP
    if record.power_w or (record.power_w == 0 and record.voltage_v * abs(record.current_a) <= _reactive_va(record)):
        found.append((("power", one.channel), sign * record.power_w, record.certain))
    if record.power_factor is not None:
        found.append((("power_factor", one.channel), record.power_factor, False))
    may_be_frequency = any(low <= (record.leakage_ma or 0) <= high for low, high in MAINS_TENTH_HZ)
    if record.leakage_ma is not None and (leaks or not may_be_frequency):
        found.append((("leakage", ""), record.leakage_ma, True))
    elif record.leakage_ma is not None:
        found.append((("frequency", ""), record.leakage_ma / 10, True))
    scales = dict(one.scales)
    return [(key, amount * scales.get(key[0], 1.0), certain or key[0] in scales) for key, amount, certain in found]


def _reactive_va(record: Phase) -> float:
    return physics.REACTIVE_VA + record.coarse_w / 2


def _measured(layout: Layout, dps: Mapping[int, object]) -> Tuple[Dict[Key, Value], List[Tuple[Key, Value]]]:
    """Return every quantity that the DPs give, before physics, and the fallbacks: they fill what nothing else gives."""
    found: Dict[Key, Value] = {}
    fallbacks: List[Tuple[Key, Value]] = []
    temperatures: List[Value] = []
    increments: List[Value] = []
    relays = [truth(dps.get(dp)) for dp in layout.switch_dps]
    is_off = bool(relays) and all(state is False for state in relays)
    # circuits whose voltage stands in a raw block of its own, apart from their current and power
    alive = {one.channel for one in layout.of("voltage") if one.part is not None and scalar(one, dps.get(one.dp))}
    leaks = bool(layout.of("leakage")) or BREAKER_DP in layout.switch_dps
    for one in layout.fields:
        if one.dp not in dps:
            continue
        from_dps = {one.dp}
        reverse = False
        if one.signed_by is not None and one.signed_by in dps:
            from_dps.add(one.signed_by)
            reverse = is_reverse(dps[one.signed_by])
        if one.role == "phase":
            entries = _phase_values(one, dps[one.dp], leaks)
        elif one.role in LIMITS:
            amount = scalar(one, dps[one.dp], one.channel in alive and one.role in ("current", "power"))
            entries = [] if amount is None else [((one.role, one.channel), amount, one.certain)]
        else:
            continue
        for key, measured, certain in entries:
            amount = measured
            if key[0] == "power" and reverse:
                amount = -abs(amount)
            if one.zero_when_off and is_off:
                from_dps.update(layout.switch_dps)
                amount = 0.0
            value = Value(amount, frozenset(from_dps), one, certain)
            if key[0] == "temperature":
                temperatures.append(value)
            elif key[0] == "increment":
                increments.append(value)
            elif one.fallback or (one.role == "phase" and key[1] == ""):
                fallbacks.append((key, value))
            else:
                found.setdefault(key, value)
    for key, value in fallbacks:
        found.setdefault(key, value)
    if temperatures:
        highest = max(temperatures, key=lambda value: value.amount)
        every = frozenset(dp for value in temperatures for dp in value.dps)
        found["temperature", ""] = Value(highest.amount, every, highest.one)
    if increments and len(increments) == len(layout.of("increment")):
        every = frozenset(dp for value in increments for dp in value.dps)
        found["increment", ""] = Value(sum(value.amount for value in increments), every, increments[0].one)
    return found, fallbacks


def _second_opinions(found: Dict[Key, Value], fallbacks: List[Tuple[Key, Value]], note: Note) -> None:
    """Let a second data point settle the scale of a power that only a model vouches for, or that nothing carries."""
    for key, witness in fallbacks:
        value = found[key]
        if key[0] != "power" or value is witness or value.certain or witness.one.doubtful:
            continue
        if not value.one.doubtful and abs(value.amount) <= physics.ceiling_w(key[1] == TOTAL, False):
            continue
        factor = physics.same_at_another_scale(value.amount, witness.amount, witness.one.lsb)
        dps = value.dps | witness.dps
        if factor is None:
            note(f"circuit {key[1]}: power: {value.amount:g} W is not believed, another data point says so")
            found[key] = witness
        else:
            if factor != 1.0:
                note(f"circuit {key[1]}: power x {factor:g}: another data point says {witness.amount:g} W, scale error")
            found[key] = Value(value.amount * factor, dps, value.one, True)


def _coarseness_w(values: Mapping[str, Value]) -> float:
    """Return by how much P and V I may differ for the size of their steps alone (0.1 A, 0.1 kW)."""
    slack_w = 0.0
    for role in ("current", "power"):
        value = values.get(role)
        if value is None:
            continue
        step = value.one.lsb if value.one.role == role else LIST_STEPS[role] if value.one.key else 0.0
        if role == "power" and step > 1.0:
            slack_w += step / 2
        elif role == "current" and step > 0.01 and "voltage" in values:
            slack_w += values["voltage"].amount * step / 2
    return slack_w


def _below_ceilings(layout: Layout, found: Dict[Key, Value], note: Note) -> None:
    """Leave out a power that no device of this kind carries."""
    for key in [key for key in found if key[0] == "power"]:
        value = found[key]
        is_total = key[1] == TOTAL
        is_proven = ("current", key[1]) in found and (("voltage", key[1]) in found or ("voltage", TOTAL) in found)
        most_w = physics.ceiling_w(is_total, is_proven)
        if layout.max_power_w is not None and not is_proven:
            most_w = min(most_w, layout.max_power_w * (max(1, len(layout.channels)) if is_total else 1))
        parts_w = sum(abs(other.amount) for (role, channel), other in found.items() if role == "power") - abs(
            value.amount
        )
        if abs(value.amount) > most_w and not value.one.certain and not (is_total and parts_w >= abs(value.amount) / 2):
            note(f"circuit {key[1]}: power left out: {value.amount:g} W is more than such a device carries")
            del found[key]


def _believe(layout: Layout, found: Dict[Key, Value], note: Note, stale: Optional[StaleCurrents]) -> None:
    """Apply physics.py to each circuit, in place."""
    shared = found.get(("voltage", TOTAL))
    for channel in sorted({key[1] for key in found if key[0] in _JUDGED}):
        values = {role: found[role, channel] for role in _JUDGED if (role, channel) in found}
        known = {role: value.amount for role, value in values.items()}
        borrowed = channel != TOTAL and "voltage" not in known and shared is not None
        if borrowed and shared is not None:
            known["voltage"] = shared.amount
        if channel == TOTAL:
            known = {role: amount for role, amount in known.items() if role == "voltage"}
        fixed = {role for role, value in values.items() if value.certain}
        doubtful = {role for role, value in values.items() if value.one.doubtful}
        slack_w = _coarseness_w(values)
        if stale is None:
            verdict = physics.judge(known, fixed, doubtful, slack_w)
        else:
            from_dps = {role: value.dps for role, value in values.items()}
            verdict = stale.judge(channel, known, fixed, doubtful, slack_w, from_dps)
        for text in verdict.notes:
            note(f"circuit {channel}: {text}")
        if "current" in verdict.refused:
            found.pop(("power_factor", channel), None)
        for role in known:
            if borrowed and role == "voltage":
                continue
            if role in verdict.refused:
                del found[role, channel]
            elif role in verdict.corrected:
                old = found[role, channel]
                found[role, channel] = Value(verdict.values[role], old.dps, old.one, True)
    for key in [key for key, value in found.items() if value.one.needs_proof and not value.certain]:
        has_voltage = ("voltage", key[1]) in found or shared is not None
        if key[1] != TOTAL and not (has_voltage and ("current", key[1]) in found):
            note(f"circuit {key[1]}: {key[0]} left out: its scale is doubtful and V and I are missing")
            del found[key]
    _below_ceilings(layout, found, note)
    _believe_total(found, note)
    _believe_rest(found, note)


def _believe_total(found: Dict[Key, Value], note: Note) -> None:
    """Leave the device's own sum out where it is far from its circuits: its LSB is a guess, or it is not measured."""
    total = found.get(("power", TOTAL))
    parts = [value.amount for (role, channel), value in found.items() if role == "power" and channel != TOTAL]
    if total is None or total.certain or len(parts) < 2 or not (total.one.doubtful or total.amount == 0):
        return
    size = sum(abs(part) for part in parts)
    one_way = all(part >= 0 for part in parts) or all(part <= 0 for part in parts)
    if size >= TOTAL_MIN_W and (abs(total.amount) > 5 * size or (one_way and abs(total.amount) < size / 5)):
        note(f"total power left out: {total.amount:g} W, its circuits carry {size:g} W")
        del found["power", TOTAL]


def _believe_rest(found: Dict[Key, Value], note: Note) -> None:
    for key in [key for key in found if key[0] in ("power_factor", "frequency")]:
        value = found[key]
        if key[0] == "frequency":
            kept = physics.plausible_frequency(value.amount)
        else:
            voltage, current, power = (found.get((role, key[1])) for role in ("voltage", "current", "power"))
            voltage = voltage or found.get(("voltage", TOTAL))
            apparent_va = voltage.amount * abs(current.amount) if voltage and current else None
            power_w = power.amount if power else None
            kept = physics.plausible_factor(value.amount, apparent_va, power_w, value.one.doubtful)
        if kept is None:
            if value.amount:  # 0 says "nothing measured"
                note(f"{key[0]} left out: {value.amount:g} is none")
            del found[key]
        else:
            found[key] = Value(kept, value.dps, value.one, value.certain)


def read(
    layout: Layout,
    dps: Mapping[int, object],
    changed: Optional[AbstractSet[int]] = None,
    note: Optional[Note] = None,
    stale: Optional[StaleCurrents] = None,
) -> Reading:
    """Return what the DPs say under this layout; with `changed` only what at least one of these DPs feeds.

    note is called with one text for each correction and each value left out. stale: where the DPs were told over time.
    Never raises on any JSON value.
    """

    def fed(from_dps: AbstractSet[int]) -> bool:
        return changed is None or bool(from_dps & changed)

    found, fallbacks = _measured(layout, dps)
    if fallbacks:
        _second_opinions(found, fallbacks, note or _silent)
    _believe(layout, found, note or _silent, stale)
    by_role: Dict[str, Dict[Channel, float]] = {}
    for (role, channel), value in found.items():
        if fed(value.dps):
            by_role.setdefault(role, {})[channel] = round(value.amount, DIGITS) + 0.0
    faults, event, fault_dps = faults_of(layout, dps)
    state = states_of(layout, dps, fed)
    return Reading(
        switch=state.switch,
        voltage_v=by_role.get("voltage", {}),
        current_a=by_role.get("current", {}),
        power_w=by_role.get("power", {}),
        power_factor=by_role.get("power_factor", {}),
        energy_kwh=by_role.get("energy", {}),
        returned_kwh=by_role.get("returned", {}),
        energy_increment_wh=by_role.get("increment", {}).get(""),
        frequency_hz=by_role.get("frequency", {}).get(""),
        temperature_c=by_role.get("temperature", {}).get(""),
        leakage_ma=by_role.get("leakage", {}).get(""),
        balance_kwh=by_role.get("balance", {}).get(""),
        faults=faults if fed(fault_dps) else None,
        event=event if fed(fault_dps) else None,
        thresholds=state.thresholds,
        power_on_state=state.power_on_state,
        child_lock=state.child_lock,
        countdown_s=state.countdown_s,
    )
