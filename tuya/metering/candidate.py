"""How V, I and P of a device fit one layout: what the layout claims, and the proofs that its circuits are real."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, FrozenSet, Mapping, Set, Tuple

from . import families, phases, raw
from .evaluate import scalar
from .evidence import names_otherwise
from .layout import DIRECT, MEASURES, Field, Layout
from .model import Model
from .reading import TOTAL
from .values import VOLTAGE_MAX_V, VOLTAGE_MIN_V, byte_forms, number, possible

# below this P / (V I) two quantities have been mixed up; seen as the lowest real one: 0.08 in integers, 0.04 in records
LEAST_FACTOR, LEAST_RECORD_FACTOR = 0.05, 0.03
# plugs with worn calibration say up to 1.092: their P is for physics.py to leave out, V and I are right
MOST_FACTOR = 1.10
SMALL_VA = 5.0
# mains of an idle circuit, where no load proves the voltage: 100 to 127 V and 200 to 257 V countries
IDLE_VOLTAGES_V = ((95.0, 135.0), (195.0, 265.0))
# mains under a load, where three integers could be anything: no country has what lies between or outside
MAINS_V = ((85.0, 140.0), (185.0, 280.0))
MAINS_HZ = ((49.0, 51.0), (59.0, 61.0))
# a panel's or a string's voltage, and what the mains side may be of its power
SUN_V, SUN_SHARE, SUN_SLACK_W = (8.0, 160.0), (0.5, 1.15), 15.0
INVERTER_SLACK = 0.2
# calibration coefficients say 1000 when nobody calibrated: the integer proves no 100.0 V
NEUTRAL_COEFFICIENT = 1000
LOADED_SCORE, IDLE_SCORE = 6, 3
NO_CIRCUIT = "no circuit with V, I and P"
# roles besides V, I and P that speak for a layout by their presence
COUNTED = ("switch", "energy", "returned", "increment", "countdown")
# a set this large, with a word where the set has one, is this layout whatever its readings say
FULL_SET, FULL_SET_STRANGERS = 9, 1
# from this many proven circuits on, the rest of the layout (energies, factors) is believed as well
STRONG_CIRCUITS = 2
# type of the states that a layout names; a DP of another type belongs to another kind of device
STATE_TYPES: Mapping[str, type] = {"child_lock": bool, "power_on": str, "alarm_set": str, "faults": int}
NUMBERS = frozenset((*MEASURES, *DIRECT, "countdown")) - {"voltage", "current", "power"}
STATED = tuple(sorted({*COUNTED, *DIRECT, *STATE_TYPES, *NUMBERS}))  # the roles that states() has something to say of


@dataclass(frozen=True)
class Seen:
    """What is there to explain: the data points, the kind of the device, the model's lines by data point."""

    dps: Mapping[int, object]
    kind: str = families.UNKNOWN
    lines: Mapping[int, Model] = field(default_factory=dict)


@dataclass
class Candidate:
    """A layout under examination; the checks fill it in as they pass. `against` is what speaks against it."""

    layout: Layout
    seen: Seen
    circuits: Dict[str, Dict[str, float]] = field(default_factory=dict)
    steps: Dict[str, Dict[str, float]] = field(default_factory=dict)
    used: Set[int] = field(default_factory=set)
    states: Set[int] = field(default_factory=set)
    recorded: Set[str] = field(default_factory=set)
    points: int = 0
    proven: int = 0
    is_contradictory: bool = False
    against: str = ""

    @property
    def dps(self) -> Mapping[int, object]:
        """The device's data points."""
        return self.seen.dps

    @property
    def explained(self) -> FrozenSet[int]:
        """Data points that the layout explains."""
        return frozenset(self.used | self.states)

    @property
    def named(self) -> FrozenSet[int]:
        """Data points that the layout names, with a meaning or as known to have none."""
        return self.layout.dps

    @property
    def is_strong(self) -> bool:
        """So many circuits are proven that bools and texts beside them are settings."""
        return self.proven >= STRONG_CIRCUITS

    @property
    def score(self) -> int:
        """How much it explains; readings that the layout has and the device lacks count against it."""
        readings = self.layout.of("voltage", "current", "power", "phase")
        missing = sum(one.dp not in self.used for one in readings if not one.fallback)
        return self.points + len(self.used) - missing

    def value(self, one: Field) -> object:
        """Return what stands on the data point of a field, None where the device's own model names it otherwise."""
        seen = self.seen
        value = seen.dps.get(one.dp)
        if value is None:
            return None
        line = seen.lines.get(one.dp)
        if line is not None and one.role != "ignore" and names_otherwise(line, one.role):
            return None
        return value


def _within(amount: float, windows: Tuple[Tuple[float, float], ...]) -> bool:
    return any(low <= amount <= high for low, high in windows)


def readings(it: Candidate) -> str:
    """Collect V, I and P as sent (no physics); say what shows that a data point is none of them."""
    phase_dps = [one.dp for one in it.layout.of("phase") if not one.key]
    dps = it.dps
    for one in it.layout.of("voltage", "current", "power", "phase"):
        if one.dp not in dps:  # most, as all layouts are tried
            continue
        value = it.value(one)
        if value is None:
            continue
        if one.role == "phase":
            if raw.is_dead(value) or any(raw.is_lost_phase(value, it.dps.get(other)) for other in phase_dps):
                continue
            record = raw.phase(value, one.records or phases.ALL_RECORDS, key=one.key)
            if record is None:
                return f"DP {one.dp} holds no phase record"
            it.used.add(one.dp)
            it.recorded.add(one.channel)
            found = {"voltage": record.voltage_v, "current": record.current_a}
            if record.power_w is not None:
                found["power"] = record.power_w
            it.circuits.setdefault(one.channel, {}).update(found)
            # a record that proves its own LSBs may have a P that is calibrated apart
            apart_w = 2 * INVERTER_SLACK * record.voltage_v * abs(record.current_a) if record.certain else 0.0
            it.steps.setdefault(one.channel, {})["power"] = max(record.coarse_w, apart_w)
            continue
        if not one.key and one.part is None and number(value) is None:
            return f"DP {one.dp} holds no number"
        if one.part is not None and all(len(data) != one.part.size for data in byte_forms(value)):
            return f"DP {one.dp} holds no {one.part.size} bytes"
        if one.role == "voltage" and one.part is None and value == NEUTRAL_COEFFICIENT:
            return f"DP {one.dp} may be a calibration coefficient"
        amount = scalar(one, value)
        if amount is None or (one.role == "voltage" and amount == 0):
            continue
        it.used.add(one.dp)
        known = it.circuits.setdefault(one.channel, {})
        if one.role == "power" and "power" in known:
            it.circuits[one.channel].setdefault("twin", amount)
        else:
            known.setdefault(one.role, amount)
            it.steps.setdefault(one.channel, {})[one.role] = one.lsb
    return ""


def states(it: Candidate) -> str:
    """Count the data points around the readings; say which one has another type."""
    dps = it.dps
    for one in it.layout.of(*STATED):
        if one.dp not in dps:
            continue
        value = it.value(one)
        if value is None or value == "":
            continue
        if one.role == "switch" and not isinstance(value, bool):
            return f"DP {one.dp} should be a switch"
        if one.role in NUMBERS and one.part is None and not one.key and number(value) is None:
            return f"DP {one.dp} should be a number"
        wanted = STATE_TYPES.get(one.role)
        if wanted and not isinstance(value, wanted):
            return f"DP {one.dp} should be {one.role}"
        if one.by_id or not (one.role in COUNTED or one.role in DIRECT or wanted):
            continue
        it.points += one.role not in DIRECT
        it.states.add(one.dp)
    if it.layout.kind and it.layout.kind == it.seen.kind:
        it.points += 1
    return ""


def _circuit(voltage: float, current: float, power: float, is_record: bool, slack_w: float) -> Tuple[int, str]:
    """Return (points, what speaks against it) of V, I and P taken together."""
    if not _within(voltage, ((VOLTAGE_MIN_V, VOLTAGE_MAX_V),) if is_record else MAINS_V):
        return 0, f"{voltage:g} V is no mains voltage"
    apparent_va = voltage * abs(current)
    if not possible(voltage, current, power) and abs(power) > MOST_FACTOR * apparent_va + slack_w:
        return 0, f"{power:g} W does not fit {voltage:g} V x {current:g} A"
    if not current or not power:
        if (power and power > slack_w) or apparent_va > 10 * SMALL_VA + slack_w:
            return 0, f"{power:g} W beside {current:g} A"
        idle = _within(voltage, IDLE_VOLTAGES_V)
        return (IDLE_SCORE, "") if idle else (0, f"{voltage:g} V without a load is no known mains")
    least = LEAST_RECORD_FACTOR if is_record else LEAST_FACTOR
    if apparent_va > SMALL_VA and abs(power) < least * apparent_va - slack_w:
        return 0, f"{power:g} W is too little for {voltage:g} V x {current:g} A"
    return LOADED_SCORE, ""


def _slack_w(steps: Mapping[str, float], voltage: float) -> float:
    """Return by how much P and V I may differ for the coarseness of their steps alone (0.1 A, 0.1 kW)."""
    power_w, current_a = steps.get("power", 0.0), steps.get("current", 0.0)
    return (power_w / 2 if power_w > 1 else 0.0) + (voltage * current_a / 2 if current_a > 0.01 else 0.0)


def circuits(it: Candidate) -> str:
    """Prove circuits by V, I and P that belong together; say what does not."""
    total = it.circuits.get(TOTAL, {})
    for channel, amounts in it.circuits.items():
        if "voltage" in total:
            amounts.setdefault("voltage", total["voltage"])
        if channel == TOTAL or not {"voltage", "current", "power"} <= set(amounts):
            continue
        slack_w = _slack_w(it.steps.get(channel, {}), amounts["voltage"])
        is_record = channel in it.recorded
        gained, against = _circuit(amounts["voltage"], amounts["current"], amounts["power"], is_record, slack_w)
        if against and not (is_full_set(it) and _within(amounts["voltage"], IDLE_VOLTAGES_V)):
            return against
        it.is_contradictory = it.is_contradictory or bool(against)
        it.points += gained or IDLE_SCORE
        it.proven += 1
    if it.proven:
        return ""
    return _summed(it) if "power" in total else _otherwise_proven(it)


def _summed(it: Candidate) -> str:
    """Prove circuits with V and I by the one power that the device gives for all of them."""
    voltages, apparent_va, slack_w = [], 0.0, 0.0
    for channel, amounts in it.circuits.items():
        if channel != TOTAL and {"voltage", "current"} <= set(amounts):
            voltages.append(amounts["voltage"])
            apparent_va += amounts["voltage"] * abs(amounts["current"])
            slack_w += _slack_w(it.steps.get(channel, {}), amounts["voltage"])
    if not voltages:
        return NO_CIRCUIT
    slack_w += it.steps.get(TOTAL, {}).get("power", 0.0) / 2
    mean_v = sum(voltages) / len(voltages)
    for voltage in voltages:
        if not _within(voltage, IDLE_VOLTAGES_V):
            return f"{voltage:g} V is no mains voltage"
    gained, against = _circuit(mean_v, apparent_va / mean_v, it.circuits[TOTAL]["power"], False, slack_w)
    it.points += gained
    it.proven += 0 if against else 1
    return against


def _otherwise_proven(it: Candidate) -> str:
    """Prove a circuit without V, I and P: two data points that agree on P, or V beside the mains frequency."""
    for channel, amounts in it.circuits.items():
        power, twin = amounts.get("power"), amounts.get("twin")
        if power and twin and abs(power - twin) <= 0.01 * abs(power) + 0.1 and it.layout.kind:
            it.points += LOADED_SCORE
            it.proven += 1
        elif "voltage" in amounts and "power" not in amounts and _mains_frequency(it):
            if not _within(amounts["voltage"], IDLE_VOLTAGES_V):
                return f"circuit {channel}: {amounts['voltage']:g} V is no mains voltage"
            it.points += IDLE_SCORE
            it.proven += 1
    return "" if it.proven else NO_CIRCUIT


def _mains_frequency(it: Candidate) -> bool:
    amounts = [scalar(one, it.value(one)) for one in it.layout.of("frequency")]
    return bool(it.layout.kind) and any(amount is not None and _within(amount, MAINS_HZ) for amount in amounts)


def sunny_side(it: Candidate) -> str:
    """An inverter's panels carry what it feeds in; the kind must be known where nothing flows."""
    if it.layout.kind != families.INVERTER:
        return ""
    power_w = sum(amounts.get("power", 0.0) for amounts in it.circuits.values())
    direct = {role: [scalar(one, it.value(one)) for one in it.layout.of(role)] for role in DIRECT}
    volts = [amount for amount in direct["dc_voltage"] if amount]
    if not power_w:
        return "" if it.seen.kind == families.INVERTER else "only an inverter has it, and nothing flows"
    if volts and not all(SUN_V[0] <= amount <= SUN_V[1] for amount in volts):
        return "no panel has this voltage"
    watts = [amount for amount in direct["dc_power"] if amount is not None]
    amperes = [amount for amount in direct["dc_current"] if amount is not None]
    sun_w = sum(watts) if watts else sum(a * v for a, v in zip(amperes, volts)) if volts and amperes else None
    if sun_w is None:
        return ""
    low, high = SUN_SHARE[0] * sun_w - SUN_SLACK_W, SUN_SHARE[1] * sun_w + SUN_SLACK_W
    return "" if low <= power_w <= high else f"{power_w:g} W does not come from {sun_w:g} W of its panels"


def is_full_set(it: Candidate) -> bool:
    """Say whether the data points are this layout's to the last: states and coefficients of the right types."""
    named = it.named
    words = [one.dp for one in it.layout.of("power_on") if isinstance(it.dps.get(one.dp), str)]
    strangers = sum(dp not in named for dp in it.dps)
    known = sum(dp in named for dp in it.dps)
    return bool(words) and known >= FULL_SET and strangers <= FULL_SET_STRANGERS and bool(it.states)
