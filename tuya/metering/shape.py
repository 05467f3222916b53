"""Recognises a device without product id and thing model by its DPs. Knows layouts, no product.

A layout is believed when it explains a whole circuit (V, I and P that belong together), contradicts no DP, and no
other layout explains as much in another way. One DP alone proves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import AbstractSet, Dict, FrozenSet, List, Mapping, Optional, Tuple

from . import raw
from .evaluate import read, scalar
from .layout import MEASURES, Field, Layout
from .raw import possible
from .reading import TOTAL, Reading

# below this P / (V I) two quantities have been mixed up; seen as the lowest real one: 0.08 in integers, 0.04 in records
LEAST_FACTOR, LEAST_RECORD_FACTOR = 0.05, 0.03
# plugs with worn calibration say up to 1.092: their P is for physics.py to leave out, V and I are right
MOST_FACTOR = 1.10
SMALL_VA = 5.0
# mains of an idle circuit, where no load proves the voltage: 100 to 127 V and 200 to 257 V countries
IDLE_VOLTAGES_V = ((95.0, 135.0), (195.0, 265.0))
# mains under a load, where three integers could be anything: no country has what lies between or outside
MAINS_V = ((85.0, 140.0), (185.0, 280.0))
# calibration coefficients say 1000 when nobody calibrated: the integer proves no 100.0 V
NEUTRAL_COEFFICIENT = 1000
LOADED_SCORE, IDLE_SCORE = 6, 3
# roles besides V, I and P that speak for a layout by their presence
COUNTED = ("switch", "energy", "returned", "increment", "countdown")
# on sockets with several gangs, gang n is switched by DP n and timed by DP 8 + n
COUNTDOWN_OFFSET, LAST_GANG = 8, 6
# USB outlets, switched together, have a DP of their own
USB_DP = 7
GANG_DPS = range(1, LAST_GANG + 1)
# a test bit and calibration coefficients
COEFFICIENT_DPS = range(21, 26)
LEAST_COEFFICIENTS = 3
# beside a switch and V, I and P without any counter or countdown no more than this may be left unexplained
LONELY_STRANGERS = 1
# from this many proven circuits on, the rest of the layout (energies, factors) is believed as well
STRONG_CIRCUITS = 2
MARGIN = 2
PLAIN_RECORDS, LONG_RECORDS = (7, 8, 10), (17, 18)
# where phase records, and the relay beside them, stand in every family that has them
PHASE_DPS, BREAKER_DP = (6, 7, 8), 16
PREPAYMENT_DP = 11
RELAY_DPS = (1, BREAKER_DP)
BREAKER_FIELDS = frozenset((("faults", 9), ("leakage", 15)))
# there breakers have numbers and raw values, and alarm sets; chargers have words and switches
FIRST_DPS, ALARM_DPS = range(2, 11), (17, 18)
# type of the states that a layout names; a DP of another type belongs to another kind of device
STATE_TYPES = {"child_lock": bool, "power_on": str, "alarm_set": str, "faults": int}
NUMBERS = frozenset((*MEASURES, "countdown")) - {"voltage", "current", "power"}


@dataclass(frozen=True)
class Fit:
    """How one layout fits: its points, what it explains, and what speaks against it ("" = nothing)."""

    layout: Layout
    score: int
    circuits: int
    explained: FrozenSet[int]
    against: str = ""


def _within(voltage: float, windows: Tuple[Tuple[float, float], ...]) -> bool:
    return any(low <= voltage <= high for low, high in windows)


def _circuit(voltage: float, current: float, power: float, is_record: bool) -> Tuple[int, str]:
    """Return (points, what speaks against it) of V, I and P taken together."""
    if not _within(voltage, ((raw.VOLTAGE_MIN_V, raw.VOLTAGE_MAX_V),) if is_record else MAINS_V):
        return 0, f"{voltage:g} V is no mains voltage"
    apparent_va = voltage * abs(current)
    if not possible(voltage, current, power) and abs(power) > MOST_FACTOR * apparent_va:
        return 0, f"{power:g} W does not fit {voltage:g} V x {current:g} A"
    if not current or not power:
        if power or apparent_va > 10 * SMALL_VA:
            return 0, f"{power:g} W beside {current:g} A"
        idle = _within(voltage, IDLE_VOLTAGES_V)
        return (IDLE_SCORE, "") if idle else (0, f"{voltage:g} V without a load is no known mains")
    least = LEAST_RECORD_FACTOR if is_record else LEAST_FACTOR
    if apparent_va > SMALL_VA and abs(power) < least * apparent_va:
        return 0, f"{power:g} W is too little for {voltage:g} V x {current:g} A"
    return LOADED_SCORE, ""


def _amounts(layout: Layout, dps: Mapping[int, object]) -> Tuple[Dict[str, Dict[str, float]], FrozenSet[int], str]:
    """Return circuit -> role -> amount as sent (no physics), the DPs used, and a contradiction of types."""
    circuits: Dict[str, Dict[str, float]] = {}
    used = set()
    for one in layout.of("voltage", "current", "power", "phase"):
        value = dps.get(one.dp)
        if value is None:
            continue
        if one.role == "phase":
            if raw.is_dead(value):
                continue
            record = raw.phase(value, one.records or raw.ALL_RECORDS)
            if record is None:
                return {}, frozenset(), f"DP {one.dp} holds no phase record"
            used.add(one.dp)
            found = {"voltage": record.voltage_v, "current": record.current_a}
            if record.power_w is not None:
                found["power"] = record.power_w
            circuits.setdefault(one.channel, {}).update(found)
            continue
        if one.part is None and raw.number(value) is None:
            return {}, frozenset(), f"DP {one.dp} holds no number"
        if one.part is not None and all(len(data) != one.part.size for data in raw.byte_forms(value)):
            return {}, frozenset(), f"DP {one.dp} holds no {one.part.size} bytes"
        amount = scalar(one, value)
        if one.role == "voltage" and one.part is None and value == NEUTRAL_COEFFICIENT:
            return {}, frozenset(), f"DP {one.dp} may be a calibration coefficient"
        if amount is not None and not (one.role == "voltage" and amount == 0):
            used.add(one.dp)
            circuits.setdefault(one.channel, {}).setdefault(one.role, amount)
    return circuits, frozenset(used), ""


def _states(layout: Layout, dps: Mapping[int, object]) -> Tuple[int, FrozenSet[int], str]:
    """Return (points, DPs, contradiction) of the DPs around the readings: types only."""
    points = 0
    used = set()
    for one in layout.fields:
        value = dps.get(one.dp)
        if value is None or value == "":
            continue
        if one.role == "switch" and not isinstance(value, bool):
            return 0, frozenset(), f"DP {one.dp} should be a switch"
        if one.role in NUMBERS and one.part is None and raw.number(value) is None:
            return 0, frozenset(), f"DP {one.dp} should be a number"
        wanted = STATE_TYPES.get(one.role)
        if wanted and not isinstance(value, wanted):
            return 0, frozenset(), f"DP {one.dp} should be {one.role}"
        if one.by_id or not (one.role in COUNTED or wanted):
            continue
        points += 1
        used.add(one.dp)
    return points, frozenset(used), ""


def _gangs(layout: Layout, dps: Mapping[int, object]) -> Tuple[int, ...]:
    """Return the relays after DP 1 that the layout does not name: bools without a gap, all timed if the first is."""
    named = {one.dp for one in layout.fields}
    if 1 not in layout.switch_dps or not isinstance(dps.get(1), bool):
        return ()
    timed = layout.of("countdown") and layout.of("countdown")[0].dp == 1 + COUNTDOWN_OFFSET
    gangs: List[int] = []
    for dp in range(2, LAST_GANG + 1):
        has_timer = raw.number(dps.get(dp + COUNTDOWN_OFFSET)) is not None
        if dp in named and dp not in layout.switch_dps:
            break
        if not isinstance(dps.get(dp), bool) or (timed and 1 + COUNTDOWN_OFFSET in dps and not has_timer):
            break
        if dp not in named:
            gangs.append(dp)
    if timed and USB_DP not in named and isinstance(dps.get(USB_DP), bool):
        gangs.append(USB_DP)
    return tuple(gangs)


def _no_socket(dps: Mapping[int, object], named: AbstractSet[int]) -> str:
    """Say what shows that DPs 1 to 25 are no socket's: outlets, their countdowns, readings and coefficients."""
    for dp in (*GANG_DPS, *COEFFICIENT_DPS):
        value = dps.get(dp)
        if isinstance(value, str) and (dp not in named or dp in COEFFICIENT_DPS) and value:
            return f"a text stands on DP {dp}, where sockets have none"
        if isinstance(value, bool) and dp in COEFFICIENT_DPS:
            return f"DP {dp} is no coefficient"
    for dp in GANG_DPS:
        if raw.number(dps.get(dp + COUNTDOWN_OFFSET)) and not isinstance(dps.get(dp), bool):
            return f"DP {dp + COUNTDOWN_OFFSET} counts down for no outlet"
    return ""


def _no_meter(dps: Mapping[int, object], others: List[int]) -> str:
    """Say what shows that 17 to 26 are not those of a meter with a socket's data points and no relay."""
    coefficients = sum(raw.number(dps.get(dp)) is not None for dp in COEFFICIENT_DPS)
    if others or 1 in dps or coefficients < LEAST_COEFFICIENTS:
        return "only a meter that has nothing but these DPs can be told without a relay"
    return ""


def _stranger(layout: Layout, dps: Mapping[int, object], explained: FrozenSet[int], is_strong: bool) -> str:
    """Say what in DPs that the layout does not name shows that this is another kind of device, "" where nothing.

    is_strong: so many circuits are proven that bools and texts beside them are settings.
    """
    named = {one.dp for one in layout.fields}
    phases = {one.dp for one in layout.of("phase")}
    if phases:
        for dp in PHASE_DPS:
            if dp not in named and raw.phase(dps.get(dp)) is not None:
                return f"DP {dp} holds another phase"
        if BREAKER_DP not in named and isinstance(dps.get(BREAKER_DP), bool):
            return f"DP {BREAKER_DP} is a relay"
        for dp in (*FIRST_DPS, *ALARM_DPS):
            value = dps.get(dp)
            is_word = isinstance(value, str) and value and not raw.byte_forms(value)
            if dp not in named and value is not None and (is_word or (dp in ALARM_DPS and not isinstance(value, str))):
                return f"DP {dp} belongs to another kind of device"
        if min(phases) not in dps and any(dp in explained for dp in phases):
            return f"DP {min(phases)}, the first phase, is missing"
        return ""
    if any(one.part is not None for one in layout.fields):
        return ""
    if not layout.switch_dps and not is_strong:
        relays = [dp for dp in RELAY_DPS if dp not in named and isinstance(dps.get(dp), bool)]
        if relays:
            return f"DP {relays[0]} is a relay"
    if layout.switch_dps and not is_strong and not any(dp in dps for dp in layout.switch_dps):
        return "its relay is missing"
    readings = {one.dp for one in layout.of("voltage", "current", "power")}
    if sum(dps.get(dp) == NEUTRAL_COEFFICIENT for dp in readings) > 1:
        return "its readings may be calibration coefficients"
    gangs = _gangs(layout, dps)
    others = [dp for dp in dps if dp not in named and dp not in gangs]
    if not layout.switch_dps and set(COEFFICIENT_DPS) <= named:
        return _no_meter(dps, others)
    others = [dp for dp in others if raw.number(dps[dp]) or (not is_strong and (dps[dp] is False or dps[dp]))]
    known = len(explained) + len(gangs)
    if not is_strong and not layout.switch_dps:
        known //= 2  # nothing but numbers: the less may stand beside them
    elif not is_strong and not any(one.dp in dps for one in layout.of("countdown", "increment", "energy")):
        known = LONELY_STRANGERS
    if len(others) > known:
        return f"{len(others)} DPs are left unexplained"
    if 1 in layout.switch_dps and any(one.dp == 1 + COUNTDOWN_OFFSET for one in layout.of("countdown")):
        return _no_socket(dps, named)
    return ""


def fit(layout: Layout, dps: Mapping[int, object]) -> Fit:
    """Return how well a layout explains the DPs."""
    circuits, used, against = _amounts(layout, dps)
    if against:
        return Fit(layout, 0, 0, frozenset(), against)
    points, state_dps, against = _states(layout, dps)
    if against:
        return Fit(layout, 0, 0, frozenset(), against)
    score = proven = 0
    shared = circuits.get(TOTAL, {}).get("voltage")
    recorded = {one.channel for one in layout.of("phase") if one.dp in used}
    for channel, amounts in circuits.items():
        if shared is not None:
            amounts.setdefault("voltage", shared)
        if channel != TOTAL and {"voltage", "current", "power"} <= set(amounts):
            is_record = channel in recorded
            gained, against = _circuit(amounts["voltage"], amounts["current"], amounts["power"], is_record)
            if against:
                return Fit(layout, 0, 0, frozenset(), against)
            score += gained
            proven += 1
    if not proven:
        return Fit(layout, 0, 0, frozenset(), "no circuit with V, I and P")
    explained = used | state_dps
    if len(explained) < 2:
        return Fit(layout, 0, 0, frozenset(), "one DP alone proves nothing")
    if score <= IDLE_SCORE and not state_dps:
        return Fit(layout, 0, 0, frozenset(), "an idle circuit without a switch or a counter proves nothing")
    if not recorded:
        if len(circuits) - (TOTAL in circuits) > proven:
            return Fit(layout, 0, 0, frozenset(), "a circuit without one of V, I and P")
        if not state_dps and proven < STRONG_CIRCUITS:
            return Fit(layout, 0, 0, frozenset(), "no switch and no counter beside the readings")
        measured = {one.channel for one in layout.of("current", "power")} - {TOTAL}
        if len(measured) >= STRONG_CIRCUITS > proven:
            return Fit(layout, 0, 0, frozenset(), f"one circuit alone of {len(measured)} may be a coincidence")
    against = _stranger(layout, dps, explained, proven >= STRONG_CIRCUITS)
    if against:
        return Fit(layout, 0, 0, frozenset(), against)
    readings = layout.of("voltage", "current", "power", "phase")
    missing = sum(one.dp not in used for one in readings if not one.fallback)
    return Fit(layout, score + points + len(used) - missing, proven, explained)


def _conflict(first: Reading, second: Reading) -> bool:
    """Say whether two readings give one quantity of one circuit two values, or see other circuits."""
    for name in ("voltage_v", "current_a", "power_w"):
        ours, theirs = getattr(first, name), getattr(second, name)
        if sorted(ours.values()) != sorted(theirs.values()):
            return True
    return False


def recognise(layouts: Tuple[Layout, ...], dps: Mapping[int, object]) -> Tuple[Optional[Layout], Tuple[str, ...]]:
    """Return the one layout that fits the DPs, or None, and why (for --explain)."""
    fits = [fit(layout, dps) for layout in layouts]
    good = sorted((one for one in fits if not one.against), key=lambda one: -one.score)
    if not good:
        near = [one for one in fits if one.against and not one.against.startswith("no circuit")]
        reasons = tuple(f"not {one.layout.name}: {one.against}" for one in near[:5])
        return None, ("no known layout fits these DPs; send the output of report", *reasons)
    best, others = good[0], good[1:]
    for other in others:
        if best.score - other.score < MARGIN and _conflict(read(best.layout, dps), read(other.layout, dps)):
            return None, (f"{best.layout.name} and {other.layout.name} fit equally well and disagree",)
    why = [f"shape {best.layout.name}: explains DPs {', '.join(map(str, sorted(best.explained)))}"]
    if others:
        why.append(f"next was {others[0].layout.name}, which explains less")
    rejected = [one for one in fits if one.against and one.layout.name != best.layout.name]
    why += [f"not {one.layout.name}: {one.against}" for one in rejected if "no circuit" not in one.against][:3]
    return _believed(best, dps), tuple(why)


def _believed(best: Fit, dps: Mapping[int, object]) -> Layout:
    """Return the layout without what a shape cannot prove: other energies than the standard one, limits, leakage."""
    strong = best.circuits >= STRONG_CIRCUITS
    phases = [dps.get(one.dp) for one in best.layout.of("phase")]
    # breakers with the long records count in 0.01 or in 0.001 kWh, and nothing here tells which
    fine_counters = any(len(data) in LONG_RECORDS for value in phases for data in raw.byte_forms(value))
    kept: List[Field] = []
    is_breaker = _is_standard_breaker(best.layout, dps)
    for one in best.layout.fields:
        if is_breaker and (one.role, one.dp) in BREAKER_FIELDS:
            kept.append(one)
            continue
        if (
            one.by_id
            or one.role in ("limit", "event")
            or (one.role in ("temperature", "leakage", "balance", "increment") and not _standard(one))
        ):
            continue
        if one.role in ("energy", "returned") and (fine_counters or not (strong or _standard(one))):
            continue
        if one.role in MEASURES and one.dp not in dps:
            continue
        guessed = one.role == "power_factor" or (one.role == "power" and one.channel == TOTAL)
        kept.append(replace(one, doubtful=True) if guessed else one)
    kept += [Field(dp, "switch") for dp in _gangs(best.layout, dps)]
    return replace(best.layout, fields=tuple(kept))


def _is_standard_breaker(layout: Layout, dps: Mapping[int, object]) -> bool:
    """Say whether the prepayment switch stands on 11: then 9 holds the faults and 15 the leakage.

    Meters have it on 12 and shift what stands around it: 9 is a power, 10 the faults, 15 the energy to charge.
    Those with longer records have leakages in other units.
    """
    records = [data for one in layout.of("phase") for data in raw.byte_forms(dps.get(one.dp))]
    plain = all(len(data) in PLAIN_RECORDS for data in records)
    return bool(records) and plain and isinstance(dps.get(PREPAYMENT_DP), bool)


def _standard(one: Field) -> bool:
    """Say whether a field without physics stands where every known device of its kind has it."""
    return one.by_shape or (one.role, one.dp) in (("energy", 1), ("increment", 17), ("returned", 23))
