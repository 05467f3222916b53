"""Who says what of each data point, and what is believed: claims, and the one table of rules that settles them.

A claim comes from a wish in devices.json, the product's row in the catalogue, the device's own model, a layout that
fits the data points, or the conventions of the device's category. The stronger source wins a data point and a
quantity; the others add what it leaves open. RULES says what no source may claim.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import IntEnum
from functools import lru_cache
from typing import Callable, Dict, List, Mapping, NamedTuple, Sequence, Set, Tuple

from . import families
from .layout import CONTROLS, MEASURES, STATES, Field
from .model import Model
from .reading import TOTAL
from .values import truth
from .words import REMEMBERED_CODES, is_unknown, may_be_relay, meaning

ELECTRICAL = frozenset(("voltage", "current", "power", "phase"))
# where a model that names a data point otherwise does not make it doubtful that the layout is this one
HARMLESS = frozenset(("ignore", "direction"))


class Source(IntEnum):
    """Who claims, the strongest first."""

    WISH = 0
    PRODUCT = 1
    MODEL = 2
    LAYOUT = 3
    CATEGORY = 4


SPEAKERS: Mapping[Source, str] = {
    Source.WISH: "devices.json",
    Source.PRODUCT: "the product",
    Source.MODEL: "the device's own model",
    Source.LAYOUT: "the layout that fits",
    Source.CATEGORY: "its category",
}


class Claim(NamedTuple):
    """One source's word on one data point. `proven`: V, I and P of this very device fit what it says."""

    field: Field
    source: Source
    proven: bool = False

    @property
    def said(self) -> str:
        """What is claimed, for people: "voltage of circuit a, 0.1 V"."""
        one = self.field
        circuit = f" of circuit {one.channel}" if one.channel not in ("", "1") and one.role in _CIRCUIT_ROLES else ""
        lsb = f", {one.lsb:g} {MEASURES[one.role]}".rstrip() if one.role in MEASURES else ""
        return f"{one.role}{circuit}{lsb}"


_CIRCUIT_ROLES = (*MEASURES, "phase")
# codes of settings that have no standard spelling: "countdown_2", "childlock", "power_on_state"
_CONTROL_WORDS: Mapping[str, Tuple[str, ...]] = {
    "child_lock": ("child_lock", "childlock"),
    "power_on": ("relay_status", "init_status", "power_on", "poweron", "restart_status"),
    "countdown": ("countdown",),
}


@dataclass
class Case:
    """What is known of one device, and what has been believed of it so far."""

    lines: Mapping[int, Model]
    kind: str
    dps: Mapping[int, object]
    fields: List[Field] = field(default_factory=list)
    owners: Dict[int, Claim] = field(default_factory=dict)
    quantities: Dict[Tuple[str, str], Source] = field(default_factory=dict)
    roles: Dict[str, Source] = field(default_factory=dict)
    said: Dict[int, List[str]] = field(default_factory=dict)


def names_otherwise(line: Model, role: str) -> bool:
    """Say whether a model's line names something else than this role; codes in no known language say nothing."""
    return _names_otherwise(line.code, line.kind, role)


@lru_cache(maxsize=4 * REMEMBERED_CODES)  # all layouts ask it of each line of a model, and devices have few models
def _names_otherwise(code: str, kind: str, role: str) -> bool:
    means = meaning(code)
    if role == "switch":
        return not may_be_relay(code)
    if role in CONTROLS:
        known = means.role if means is not None else ""
        return known != role and not any(word in code.lower() for word in _CONTROL_WORDS[role])
    if means is not None:
        related = {means.role, role} in ({"energy", "returned"}, {"energy", "increment"}, {"phase", "power"})
        return means.role != role and not related
    return kind in ("boolean", "bool") or not is_unknown(code)


# -- the rules: what speaks against a claim, "" where nothing does


def _named_otherwise(claim: Claim, case: Case) -> str:
    line = case.lines.get(claim.field.dp)
    if line is None or claim.field.role not in CONTROLS or claim.source in (Source.WISH, Source.MODEL):
        return ""
    return f"the device's own model names it {_short(line.code)}" if names_otherwise(line, claim.field.role) else ""


def _reading_named_otherwise(claim: Claim, case: Case) -> str:
    line = case.lines.get(claim.field.dp)
    if line is None or claim.source < Source.LAYOUT or claim.field.role in (*CONTROLS, *HARMLESS):
        return ""
    return f"the device's own model names it {_short(line.code)}" if names_otherwise(line, claim.field.role) else ""


def _says_no_relay(claim: Claim, case: Case) -> str:
    value = case.dps.get(claim.field.dp)
    if claim.field.role != "switch" or claim.source is Source.WISH or value is None:
        return ""
    if claim.source in (Source.PRODUCT, Source.MODEL):
        return "" if truth(value) is not None else "what stands there is neither on nor off"
    return "" if isinstance(value, bool) else "what stands there is no boolean"


def _belongs_to_another(claim: Claim, case: Case) -> str:
    owner = case.owners.get(claim.field.dp)
    if owner is None or owner.source is claim.source:
        return ""
    named_relay = claim.source is Source.MODEL and claim.field.role == "switch" and owner.field.role == "ignore"
    if named_relay and "switch" not in case.roles:
        return ""
    if owner.field.role == claim.field.role:
        return "" if _scale_is_proven(claim, owner) else "agrees"
    return f"{SPEAKERS[owner.source]} says {owner.said}"


def _is_known_already(claim: Claim, case: Case) -> str:
    one = claim.field
    if one.role not in (*MEASURES, "phase", "switch") or claim.source in (Source.WISH, Source.PRODUCT):
        return ""
    if one.role == "switch":
        stronger = case.roles.get("switch", claim.source)
        return "" if stronger is claim.source else f"{SPEAKERS[stronger]} names the relay"
    by_product = case.roles.get(one.role) in (Source.WISH, Source.PRODUCT)
    if one.role in ELECTRICAL and by_product and one.role != "phase":
        return f"{SPEAKERS[case.roles[one.role]]} says where the {one.role} stands"
    if case.quantities.get((one.role, one.channel), claim.source) is claim.source:
        return ""
    return "" if one.fallback or one.role == "power" else f"the {one.role} stands elsewhere"


def _has_no_circuit(claim: Claim, case: Case) -> str:
    one = claim.field
    if claim.source <= Source.PRODUCT or one.role not in ELECTRICAL or one.channel == TOTAL:
        return ""
    known = {channel for role, channel in case.quantities if role in ELECTRICAL and channel not in ("", TOTAL)}
    strongest = min((case.quantities[key] for key in case.quantities if key[0] in ELECTRICAL), default=claim.source)
    if strongest is claim.source or not known or one.channel in known:
        return ""
    return "" if known & set("abc") and one.channel in set("abc") and strongest > Source.PRODUCT else "no such circuit"


class Rule(NamedTuple):
    """One reason why a claim is not believed. `strikes` returns it as a sentence's second half, or ""."""

    name: str
    strikes: Callable[[Claim, Case], str]


RULES: Tuple[Rule, ...] = (
    # a control needs a reason of its own, and the device's own model has the last word on what it is not
    Rule("no control that the model names otherwise", _named_otherwise),
    # layouts and categories speak where the model is silent
    Rule("no reading beside the model", _reading_named_otherwise),
    Rule("a relay says on or off", _says_no_relay),
    # one data point, one owner; a model's scale gives way to one that this device's own V, I and P prove
    Rule("a data point belongs to the strongest source", _belongs_to_another),
    # one quantity of a circuit, one source; powers stay as a second opinion
    Rule("a quantity belongs to the strongest source", _is_known_already),
    Rule("no circuit that the strongest source does not know", _has_no_circuit),
)


def _scale_is_proven(claim: Claim, owner: Claim) -> bool:
    """Say whether a layout's LSB replaces the model's: the model's is doubtful, the layout's fits this device."""
    if not claim.proven or owner.source is not Source.MODEL or not owner.field.doubtful:
        return False
    return claim.field.lsb != owner.field.lsb and claim.field.part == owner.field.part


def settle(claims: Sequence[Claim], case: Case) -> Tuple[Field, ...]:
    """Return the fields that are believed; case.said tells for each data point who said what and what decided."""
    for claim in sorted(_aligned(claims), key=lambda one: one.source):
        why = next((found for found in (rule.strikes(claim, case) for rule in RULES) if found), "")
        _remember(claim, why, case)
        if why:
            continue
        one = claim.field
        owner = case.owners.get(one.dp)
        if owner is not None and owner.source is not claim.source:
            case.fields = [other for other in case.fields if other.dp != one.dp]
        second = case.quantities.get((one.role, one.channel), claim.source) is not claim.source
        if second and one.role in (*MEASURES, "phase"):
            one = replace(one, fallback=True)
        case.owners[one.dp] = claim
        case.roles.setdefault(one.role, claim.source)
        if one.role in (*MEASURES, "phase"):
            for role in ("voltage", "current", "power", "phase") if one.role == "phase" else (one.role,):
                case.quantities.setdefault((role, one.channel), claim.source)
        case.fields.append(one)
    return tuple(case.fields)


def _aligned(claims: Sequence[Claim]) -> List[Claim]:
    """Return the claims with one naming of circuits: a layout that proves several makes the model's "1" the total.

    Where model and layout speak of the same data point, the circuit is the layout's.
    """
    layouts = {one.field.dp: one.field for one in claims if one.source is Source.LAYOUT and one.proven}
    circuits = {one.channel for one in layouts.values() if one.role in ELECTRICAL} - {"", TOTAL}
    result: List[Claim] = []
    for claim in claims:
        one = claim.field
        if claim.source in (Source.MODEL, Source.CATEGORY) and len(circuits) > 1 and one.channel == "1":
            same = layouts.get(one.dp)
            channel = same.channel if same is not None and same.role == one.role else TOTAL
            claim = claim._replace(field=replace(one, channel=channel))
        result.append(claim)
    return result


def _remember(claim: Claim, why: str, case: Case) -> None:
    if claim.field.role in ("ignore",) and not why:
        return
    speaker = SPEAKERS[claim.source]
    lines = case.said.setdefault(claim.field.dp, [])
    if not why:
        lines.append(f"{speaker} says {claim.said}")
    elif why == "agrees":
        lines.append(f"{speaker} agrees")
    else:
        lines.append(f"{speaker} says {claim.said}: not taken, {why}")


def _short(code: str) -> str:
    return repr(code[:40])


def conventions(category: str, case: Case) -> List[Claim]:
    """Return what the category's standard set says of the data points, where their types are those of the set."""
    found: List[Claim] = []
    for one in families.CONVENTIONS:
        if category not in one.categories or not families.is_of_type(case.dps.get(one.dp), one.value):
            continue
        if all(families.is_of_type(case.dps.get(dp), kind) for dp, kind in one.beside.items()):
            channel = "1" if one.role == "energy" else ""
            found.append(Claim(Field(one.dp, one.role, channel=channel, lsb=one.lsb), Source.CATEGORY))
    return found


def measured_roles(fields: Sequence[Field]) -> Set[str]:
    """Return the roles that make a device a meter, as far as these fields have them."""
    return {one.role for one in fields if one.role in (*ELECTRICAL, "energy", "increment")}


def states_only(fields: Sequence[Field]) -> bool:
    """Say whether these fields switch or report and measure nothing."""
    return bool(fields) and all(one.role in STATES and one.role != "phase" for one in fields)
