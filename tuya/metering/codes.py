"""The thing model of an entry in devices.json -> a layout: codes by words.py, LSBs from scale and unit. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import AbstractSet, Dict, List, Mapping, Optional, Tuple

from . import families, raw
from .evaluate import scalar
from .layout import DEVICE_LEVEL, MEASURES, Field, Layout, Slice
from .model import Model
from .reading import TOTAL
from .values import byte_forms, possible
from .words import Meaning, is_unknown, meaning, output, split, unproven_energy

NAME = "standard codes"
NUMBERS = frozenset(("integer", "value", "float", "double", "int"))
# role -> types of the thing model that can carry it
TYPES: Dict[str, AbstractSet[str]] = {
    "switch": frozenset(("boolean", "bool")),
    "child_lock": frozenset(("boolean", "bool")),
    "phase": frozenset(("raw", "string", "json")),
    "alarm_set": frozenset(("raw", "string", "json")),
    "faults": frozenset(("bitmap", "fault", "integer", "value")),
    "power_on": frozenset(("enum", "string")),
    "event": frozenset(("enum", "string")),
    "direction": frozenset(("enum", "string")),
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
FINEST_LEAKAGE_A = 0.0001
# a range that begins here says "nothing measured" with its minimum
NO_DATA_MINIMUM = -9_999_999
MAX_SCALE = 9
# role -> circuits in a raw block, by their number
_PHASES: Tuple[str, ...] = ("a", "b", "c")
BLOCKS: Dict[str, Tuple[Tuple[str, ...], ...]] = {
    "voltage": (_PHASES, ("",)),
    "current": (_PHASES, ("",)),
    "power": ((TOTAL, *_PHASES), _PHASES, ("",)),
}
# energies of the circuits whose sum is the device's own total are no day's figures, once that total is beyond a day's
PROOF_KWH = 100.0
# "A" without decimals and a range up to 30000 is a slip of the model: these are the standard milliamperes
MOST_AMPERES = 3000.0
# "mA" with decimals and a range that ends below what any socket carries is the same slip the other way round
LEAST_AMPERES = 6.0
# whole watts up to here: in tenths the range would end below what a switch, a plug or a pump carries
MOST_WHOLE_WATTS = 4000.0
# V, I and P that belong together have at least this share of V I under a load
LEAST_FACTOR = 0.05
MEASURING = ("voltage", "current", "power", "energy", "phase", "increment")
Found = Tuple[Field, Meaning]


def _lsb(model: Model, means: Meaning) -> Optional[float]:
    """Return the LSB in the unit of the role; None where unit and quantity contradict each other or nothing is said."""
    role = means.role
    unit, factor = model.unit
    scale = model.number("scale")
    if scale is not None and not (scale.is_integer() and 0 <= scale <= MAX_SCALE):
        return None
    if scale is None and not unit:
        return STANDARD_LSB[role] if means.standard else None
    step = 10.0 ** -int(scale or 0)
    if role == "power_factor":
        return _factor_lsb(unit, step, model.number("max") or 0.0)
    if role == "increment":
        if not unit and step == 1:
            return 1.0
        lsb = 1000 * factor * step
        # the increments of plugs are in Wh; in 0.01 kWh the same code has been seen to count on and on
        return lsb if not unit or (unit == "kWh" and lsb <= 1.0) else None
    if role == "leakage":
        # microamperes are not measured here: "mA" with scale 3 is a slip of the model, and which one is unknown; with
        # scale 2 it has been seen to be a power factor
        return 1000 * factor * step if unit == "A" and factor * step > FINEST_LEAKAGE_A / 2 else None
    if unit:
        return factor * step if unit == MEASURES[role] else None
    if role == "current":
        return 0.001 if step == 1 else step
    return step if means.standard or role in ("voltage", "power", "frequency") else None


def _factor_lsb(unit: str, step: float, top: float) -> Optional[float]:
    """LSB of a power factor: 0.01 nearly everywhere; a model without scale says by its range whether it is 0.001."""
    if unit == "%":
        return 0.01 * step
    if unit not in ("", "?"):
        return None
    if step == 1:
        return 0.001 if top > 100 else 0.01
    return step


def _blocks(model: Model, means: Meaning, value: object) -> List[Found]:
    """Return the fields of a raw V, I or P: one u16 (V) or u24 (I, P) big-endian for each of one or three phases.

    LSBs as in the Din-rail breakers that report so: 0.1 V, 1 mA, 0.1 W. Four powers begin with their sum.
    """
    width = 2 if means.role == "voltage" else 3
    sizes = {len(data) for data in byte_forms(value)}
    circuits = next((known for known in BLOCKS[means.role] if len(known) * width in sizes), ())
    lsb = STANDARD_LSB[means.role]
    found = []
    for number, circuit in enumerate(circuits):
        part = Slice(len(circuits) * width, number * width, (number + 1) * width)
        found.append((Field(model.dp, means.role, lsb=lsb, part=part), Meaning(means.role, circuit)))
    return found


def _fields(model: Model, value: object) -> List[Found]:
    """Return what one line of the model means: mostly one field, none, or one for each phase of a raw block."""
    means = meaning(model.code)
    if means is not None and model.kind == "raw" and means.role in ("voltage", "current", "power"):
        return _blocks(model, means, value)
    one = _field(model, means)
    return [one] if one else []


def _field(model: Model, means: Optional[Meaning]) -> Optional[Found]:
    """Return the field of one line with its meaning, None for what is no reading and no state."""
    if means is not None and means.role == "energy" and model.unit[0] == "W" and "power" in split(model.code):
        means = means._replace(role="power", is_consumption=False)  # "power consumption" is an energy, or a power
    if means is None or (model.kind and model.kind not in TYPES.get(means.role, NUMBERS)):
        return None
    if means.role not in MEASURES:
        number = int(model.code[-1]) if means.role == "alarm_set" else 0
        labels = model.labels if means.role == "faults" else ()
        return Field(model.dp, means.role, number=number, labels=labels), means
    lsb = _lsb(model, means)
    if lsb is None:
        return None
    top = model.number("max") or 0.0
    if means.role == "current" and lsb == 1.0 and top > MOST_AMPERES:
        lsb = STANDARD_LSB["current"]
    if means.standard and means.role == "current" and lsb < STANDARD_LSB["current"] and 0 < top * lsb < LEAST_AMPERES:
        lsb = STANDARD_LSB["current"]
    low = model.number("min")
    whole_watts = means.role == "power" and lsb == 1.0
    one = Field(
        model.dp,
        means.role,
        lsb=round(lsb, 12),
        doubtful=means.role == "current" or whole_watts,
        needs_proof=whole_watts and model.code.lower().startswith("cur_power") and not 0 < top <= MOST_WHOLE_WATTS,
        no_data=low if low is not None and low <= NO_DATA_MINIMUM else None,
    )
    return one, means


def _by_units(unnamed: List[Model], found: List[Found], dps: Mapping[int, object]) -> List[Found]:
    """Return V, I and P of codes in no known language, told by their units and proven by the values themselves.

    Only where each unit stands once, nothing else gives these quantities, and the three belong together under a load.
    """
    named = {one.role for one, _ in found}
    roles = {"V": "voltage", "A": "current", "W": "power"}
    if named & {*roles.values(), "phase"}:
        return []
    fields: Dict[str, Field] = {}
    for model in unnamed:
        unit, factor = model.unit
        scale = model.number("scale")
        if model.kind not in NUMBERS or unit not in roles or scale is None or not 0 <= scale <= MAX_SCALE:
            continue
        if unit in fields:
            return []
        fields[unit] = Field(model.dp, roles[unit], lsb=round(factor * 10.0**-scale, 12), doubtful=unit != "V")
    amounts = {unit: scalar(one, dps.get(one.dp)) for unit, one in fields.items()}
    voltage, current, power = (amounts.get(unit) for unit in roles)
    if voltage is None or not current or not power or not possible(voltage, current, power):
        return []
    if abs(power) < LEAST_FACTOR * voltage * abs(current):
        return []
    return [(one, Meaning(one.role)) for one in fields.values()]


def _proven_energies(lines: Tuple[Model, ...], found: List[Found], dps: Mapping[int, object]) -> List[Found]:
    """Return the energies of single circuits whose code leaves open what they count, where their sum proves it."""
    unproven = [(model, unproven_energy(model.code)) for model in lines]
    candidates = [_field(model, means) for model, means in unproven if means is not None]
    proven: List[Found] = []
    for role in ("energy", "returned"):
        parts = [one for one in candidates if one is not None and one[0].role == role]
        if len(parts) < 2:
            continue
        totals = [
            scalar(one, dps.get(one.dp)) for one, means in found if one.role == role and means.circuit in ("", TOTAL)
        ]
        amounts = [scalar(one, dps.get(one.dp)) for one, _ in parts]
        total_kwh = totals[0] if len(totals) == 1 else None
        if total_kwh is None or total_kwh < PROOF_KWH or None in amounts:
            continue
        if abs(sum(amount for amount in amounts if amount is not None) - total_kwh) <= sum(one.lsb for one, _ in parts):
            proven += parts
    return proven


def _without_dead(found: List[Found], dps: Mapping[int, object]) -> List[Found]:
    """Return the fields without a second and a third phase that are silent: those of a device with one phase."""
    phases = {means.circuit: one.dp for one, means in found if one.role == "phase"}
    if set(phases) == set("abc") and all(raw.is_dead(dps.get(phases[other])) for other in "bc"):
        return [(one, means) for one, means in found if one.role != "phase" or means.circuit == "a"]
    blocks = {means.circuit: one for one, means in found if one.role == "voltage" and one.part is not None}
    if set(blocks) == set("abc") and not any(scalar(blocks[other], dps.get(blocks[other].dp)) for other in "bc"):
        return [(one, means) for one, means in found if one.part is None or means.circuit not in ("b", "c")]
    return found


def _circuits(found: List[Found]) -> List[str]:
    """Return the circuit words in order; a second circuit without a first one makes the codes without a number 1."""
    words = {means.circuit for one, means in found if one.role in MEASURES or one.role == "phase"} - {"", TOTAL}
    if "2" in words and "1" not in words and not words & set("abc"):
        words.add("1")
    return sorted(words, key=lambda word: (not word.isdigit(), int(word) if word.isdigit() else 0, word))


def _names(circuits: List[str]) -> Dict[str, str]:
    """Return circuit word -> channel: one is "1", up to three are a b c (1 2 3 as well), more are numbered."""
    if len(circuits) < 2:
        return dict.fromkeys(circuits, "1")
    if all(int(word) <= 3 for word in circuits if word.isdigit()):
        return {word: "abc"[int(word) - 1] if word.isdigit() else word for word in circuits}
    return {word: word for word in circuits}


def _channel(one: Field, means: Meaning, found: List[Found], circuits: List[str], names: Dict[str, str]) -> str:
    """Return the channel of a field: its own circuit, the one that its role leaves free, or the device's sum."""
    if one.role in DEVICE_LEVEL:
        return ""
    if means.circuit in names:
        return names[means.circuit]
    if len(set(names.values())) < 2:
        return "1"
    if means.circuit == "":
        theirs = {other.circuit for field, other in found if field.role == one.role} - {"", TOTAL}
        if theirs and [word for word in circuits if word not in theirs] == circuits[:1]:
            return names[circuits[0]]
    return TOTAL


def _of_inverter(lines: Tuple[Model, ...], found: List[Found]) -> List[Found]:
    """Return the fields of an inverter: what it feeds into the mains, as used power and energy of its circuit.

    Its own words for the output ("out_power") stand before the meter's codes, which firmware leaves at 0. A power in
    kW with three decimals is in watts on some and in milliwatts on others: it needs a second witness.
    """
    outputs = [one for line in lines for one in [_field(line, output(line.code))] if one is not None]
    if outputs:
        found = [(one, means) for one, means in found if one.role not in ("power", "phase")] + outputs
        found = [(one, means) for one, means in found if not (means.standard and one.role in ("voltage", "current"))]
    has_returned = any(one.role == "returned" for one, _ in found)
    kept: List[Found] = []
    for one, means in found:
        if one.role == "energy" and has_returned:
            continue
        if one.role == "power" and one.lsb == 1.0:
            one = replace(one, doubtful=True, needs_proof=True)
        kept.append((replace(one, role="energy") if one.role == "returned" else one, means))
    return kept


def _with_stated_period(found: List[Found], kind: str) -> List[Found]:
    """Return the fields without energies that may begin anew each day: no total until the model or the kind says so.

    Appliances count a day's use under the codes of meters; "power consumption" is a day's wherever it was explained.
    """
    roles = {one.role for one, _ in found}
    is_meter = {"voltage", "current"} <= roles or "phase" in roles

    def is_total(one: Field, means: Meaning) -> bool:
        if one.role not in ("energy", "returned") or means.is_lifetime:
            return True
        return kind in families.MAINS and (is_meter or not means.is_consumption)

    return [(one, means) for one, means in found if is_total(one, means)]


def layout(lines: Tuple[Model, ...], dps: Mapping[int, object], kind: str = families.UNKNOWN) -> Layout:
    """Return what a thing model says: readings where the kind of device measures the mains, states in any case.

    dps: a model with three phases whose second and third report zeros only belongs to a single-phase device.
    """
    found = [one for model in lines for one in _fields(model, dps.get(model.dp))]
    if kind == families.DIRECT_CURRENT:
        found = [(one, means) for one, means in found if one.role not in MEASURES and one.role != "phase"]
    else:
        found += _by_units([model for model in lines if is_unknown(model.code)], found, dps)
        found += _proven_energies(lines, found, dps)
    if kind == families.INVERTER:
        found = _of_inverter(lines, found)
    found = _without_dead(_with_stated_period(found, kind), dps)
    placed = _placed(found)
    if kind == families.APPLIANCE and not any(one.role in MEASURING for one in placed):
        placed = [one for one in placed if one.role not in MEASURES]  # a water's temperature makes no meter
    return Layout(NAME, tuple(placed), title="by the codes of the thing model", produces=kind == families.INVERTER)


def _placed(found: List[Found]) -> List[Field]:
    """Return the fields with their channels, directions and ranks, by DP."""
    circuits = _circuits(found)
    names = _names(circuits)
    # a model may name the directions of clamps whose power it does not name: they are no other circuit's
    directions = {
        names.get(means.circuit, "1"): one.dp
        for one, means in found
        if one.role == "direction" and (means.circuit in names or means.circuit in ("", TOTAL))
    }
    has_total = any(one.role == "energy" for one, _ in found)
    fields: List[Field] = []
    taken = set()
    # codes that name their circuit come first: beside them one without is a second opinion
    for one, means in sorted(found, key=lambda pair: pair[1].circuit in ("", TOTAL)):
        channel = _channel(one, means, found, circuits, names)
        role, signed_by, is_fallback = one.role, one.signed_by, one.fallback
        if role in ("power", "phase"):
            signed_by = directions.get(channel)
        if role == "increment" and has_total:
            role = "ignore"
        if role in MEASURES and role not in ("temperature", "increment"):
            is_fallback = (role, channel) in taken
            taken.add((role, channel))
        fields.append(replace(one, role=role, channel=channel, signed_by=signed_by, fallback=is_fallback))
    return sorted(fields, key=lambda field: field.dp)


def measures(spoken: Layout) -> bool:
    """Say whether a model names anything that makes its device a meter."""
    return bool(spoken.of(*MEASURING))
