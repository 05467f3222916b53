"""Device description + data points -> profile: which layout a device has, and why. No sockets, no clock, no Domoticz.

Everything that speaks of a device is evidence for single data points; "none" is an answer.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import AbstractSet, Dict, List, Mapping, NamedTuple, Optional, Tuple, Union

from . import codes, families, raw, shape, wishes
from .candidate import Seen
from .catalogue import load
from .evaluate import read
from .evidence import ELECTRICAL, Case, Claim, Source, conventions, measured_roles, settle
from .layout import DEFAULT_POWER_MAX_AGE_S, MEASURES, Field, Layout
from .model import models
from .reading import Channel, Reading
from .stale_current import StaleCurrents
from .states import POWER_ON_SPELLINGS, POWER_ON_WORDS
from .values import spelling, truth

COUNTDOWN_MAX_S = 86400
# a long list of DPs crashes some devices every few hours: refresh the readings, and not too many of them
MAX_REFRESH_DPS = 9
BREAKER_DP = 16
NO_METER = "no mains meter"
UNKNOWN = "unknown"  # the name of a profile of nothing, at a device that may measure
EMPTY = Layout(UNKNOWN, ())
CONVENTIONAL = Layout("category", (), title="by the conventions of its category")


class Control(NamedTuple):
    """One DP that may be written. kind "bool" | "enum" (values) | "int" (minimum to maximum).

    spelled: what to write for off and on to a "bool": False and True, or the words that this device was heard to use.
    """

    dp: int
    role: str
    kind: str
    values: Tuple[str, ...] = ()
    minimum: int = 0
    maximum: int = 0
    spelled: Tuple[Union[bool, int, str], Union[bool, int, str]] = (False, True)


@dataclass(frozen=True)
class Profile:
    """What one device's DPs mean. Frozen; decode() is pure.

    matched_by: "product" | "codes" | "shape" | "none". why: for --explain, one sentence each.
    problems: wishes that cannot be fulfilled. counter_step_kwh: LSB of each cumulative counter; empty = no total.
    query_dps: DPs that measure, and nothing that can be set; later_dps: relays, faults and events, to be named in a
    query only where the device has shown that being asked sets nothing. said: who says what of a DP, for --explain.
    produces: an inverter: its W and kWh are what it generates, positive, and belong on a meter for generated energy.
    """

    name: str
    matched_by: str
    why: Tuple[str, ...] = ()
    layout: Layout = EMPTY
    switch_dps: Tuple[int, ...] = ()
    controls: Mapping[int, Control] = field(default_factory=dict)
    refresh_dps: Tuple[int, ...] = ()
    query_dps: Tuple[int, ...] = ()  # what a query may name without asking whether it can be written: it measures
    later_dps: Tuple[int, ...] = ()  # the other ones worth naming: relays, faults
    power_max_age_s: float = DEFAULT_POWER_MAX_AGE_S
    channels: Tuple[Channel, ...] = ()
    counter_step_kwh: Mapping[Channel, float] = field(default_factory=dict)
    problems: Tuple[str, ...] = ()
    produces: bool = False
    said: Mapping[int, Tuple[str, ...]] = field(default_factory=dict)

    @property
    def is_meter(self) -> bool:
        """Whether this device measures the mains: not for a lamp's relay, a battery's charger, a heater without W."""
        return bool(self.layout.of(*codes.MEASURING))

    @property
    def reports_power(self) -> bool:
        """Whether this device is to report power, by its data points as far as they are known."""
        return bool(self.layout.of("power", "phase"))

    def decode(
        self,
        dps: Mapping[int, object],
        changed: Optional[AbstractSet[int]] = None,
        stale: Optional[StaleCurrents] = None,
    ) -> Reading:
        """Return what the DPs say; `changed`: only quantities that one of these DPs feeds. Never raises.

        stale: of a device whose DPs come over time; without it they are all of one moment.
        """
        return read(self.layout, dps, changed, None, stale)

    def doubts(self, dps: Mapping[int, object], stale: Optional[StaleCurrents] = None) -> Tuple[str, ...]:
        """Return what was corrected or left out in these DPs, one sentence each: worth saying once."""
        notes: List[str] = []
        read(self.layout, dps, None, notes.append, stale)
        return tuple(notes)

    def explain(self, dps: Mapping[int, object]) -> Tuple[str, ...]:
        """Return why this layout was chosen and what was corrected or left out in these DPs."""
        return (*self.why, *self.problems, *_described(self.layout, self.said, dps), *self.doubts(dps))


def match(entry: Mapping[str, object], dps: Mapping[int, object]) -> Profile:
    """Return the profile of a device. entry: as in devices.json (product_id, category, mapping, "domoticz").

    All that speaks of the device is heard (evidence.py): the wish or the product's row, the device's own model, the
    layout that fits its data points, the conventions of its category. Never raises. A wrong wish changes nothing and
    stands in Profile.problems.
    """
    catalogue = load()
    wish, problems = wishes.parse(entry.get("domoticz"), catalogue)
    lines = models(entry.get("mapping"))
    category = families.category_of(entry)
    kind = families.kind_of(category, lines)
    case = Case({line.dp: line for line in lines}, kind, dps)
    named, why, is_strange = _named(entry, wish.layout, case)
    spoken = codes.layout(lines, dps, kind)
    shaped: Optional[Layout] = None
    if named is None or is_strange:
        shaped, reasons = _shaped(spoken, case)
        if named is not None and shaped is not None and _measures(shaped, dps):
            named, why = None, (*why, "these are not its data points, and others fit")
        elif named is not None:
            shaped, reasons = None, ()
        why = (*why, *reasons)
    base, matched_by = _base(named, spoken, shaped, case)
    source = Source.WISH if wish.layout else Source.PRODUCT
    claims = [Claim(one, source) for one in named.fields] if named is not None else []
    claims += [Claim(one, Source.MODEL) for one in spoken.fields]
    if shaped is not None:
        beside = codes.measures(spoken)
        fitting = [one for one in shaped.fields if one.dp in dps or not beside]
        claims += [Claim(one, Source.LAYOUT, proven=True) for one in fitting]
    if named is None and shaped is None and not codes.measures(spoken):
        claims += conventions(category, case)
    fields = settle(claims, case)
    if not fields or base is None:
        return Profile(UNKNOWN if kind in families.MAINS else NO_METER, "none", why, problems=problems)
    if matched_by == "codes" and not measured_roles(fields):
        why = (*why, "it measures nothing of the mains")
        base = replace(base, name=NO_METER)
    added = {claim.field.role for claim in case.owners.values() if claim.source is Source.LAYOUT}
    if matched_by == "codes" and base.name != NO_METER and not added & {*MEASURES, "phase", "switch"}:
        base = spoken
    layout = wishes.apply(replace(base, fields=fields), wish)
    return _profile(layout, matched_by, why, problems, case)


def _named(entry: Mapping[str, object], wished: str, case: Case) -> Tuple[Optional[Layout], Tuple[str, ...], bool]:
    """Return the layout that a wish or the product's row names, why, and whether the data points are not its own."""
    catalogue = load()
    if wished:
        return catalogue.layouts[wished], (f"layout {wished} was asked for in devices.json",), False
    product_id = str(entry.get("product_id") or entry.get("productKey") or "")
    product = catalogue.products.get(product_id)
    if product is None:
        return None, (), False
    layout, reason = _settle(catalogue.layouts_of(product_id), case.dps)
    why = (f"product {product_id} is {product.title}, layout {layout.name}", *reason)
    layout = _with_relay(_with_model(layout, case), case.dps)
    return layout, why, not _speaks(layout, case.dps)


def _shaped(spoken: Layout, case: Case) -> Tuple[Optional[Layout], Tuple[str, ...]]:
    """Return the layout that fits the data points beside what the model says of them, and why."""
    if case.kind == families.DIRECT_CURRENT:
        return None, ("its panels or its battery are no mains",)
    candidates = tuple(one for one in load().layouts.values() if one.shape)
    shaped, why = shape.recognise(candidates, Seen(case.dps, case.kind, case.lines))
    if shaped is None:
        return None, why
    shaped = shape.without_dead_phases(shaped, case.dps)
    electrical = spoken.of(*ELECTRICAL)
    named = {(one.dp, one.role) for one in electrical}
    if electrical and not named & {(one.dp, one.role) for one in shaped.of(*ELECTRICAL)}:
        return None, (*why, "the device's own model names other data points for its readings")
    return shaped, why


def _base(
    named: Optional[Layout], spoken: Layout, shaped: Optional[Layout], case: Case
) -> Tuple[Optional[Layout], str]:
    """Return the layout that lends its name and its habits (what to refresh, how long W is valid), and matched_by."""
    if named is not None:
        return named, "product"
    if spoken.fields and codes.measures(spoken):
        if shaped is None:
            return spoken, "codes"
        return replace(
            shaped, name=f"{spoken.name}, {shaped.name}", produces=spoken.produces or shaped.produces
        ), "codes"
    if shaped is not None:
        return shaped, "shape"
    if any(one.role == "switch" for one in spoken.fields):
        return spoken, "codes"
    return (CONVENTIONAL, "shape") if case.dps else (None, "none")


def _speaks(layout: Layout, dps: Mapping[int, object]) -> bool:
    """Say whether the DPs are those of this layout: V or a phase is there, and each relay says on or off."""
    relays = (dps.get(dp) for dp in layout.switch_dps)
    if any(relay is not None and truth(relay) is None for relay in relays):
        return False
    return any(one.dp in dps for one in layout.of("voltage", "phase") or layout.of("current", "power"))


def _measures(layout: Layout, dps: Mapping[int, object]) -> bool:
    """Say whether the DPs give this layout V, I and P."""
    reading = read(layout, dps)
    return bool(reading.voltage_v and reading.current_a and reading.power_w)


def _with_relay(layout: Layout, dps: Mapping[int, object]) -> Layout:
    """Return the layout with the relay on DP 16 that breakers and meters of one id have or lack.

    Only beside phase records, where a boolean on 16 is the relay in every family; chargers have theirs on 18.
    """
    if layout.switch_dps or layout.kind or any(one.dp == BREAKER_DP for one in layout.fields):
        return layout
    if not layout.of("phase") or not isinstance(dps.get(BREAKER_DP), bool):
        return layout
    return replace(layout, fields=(*layout.fields, Field(BREAKER_DP, "switch")))


def _described(layout: Layout, said: Mapping[int, Tuple[str, ...]], dps: Mapping[int, object]) -> List[str]:
    """Return what each DP present is taken for, who says so, and which ones mean nothing to anybody."""
    sentences = []
    for one in layout.fields:
        if one.dp in dps and one.role != "ignore":
            sentences.append(f"DP {one.dp} is {Claim(one, Source.LAYOUT).said}")
    for dp in sorted(dps):
        for sentence in said.get(dp, ()):
            sentences.append(f"DP {dp}: {sentence}")
    known = {one.dp for one in layout.fields} | set(said)
    rest = sorted(dp for dp in dps if dp not in known)
    if rest and layout.fields:
        sentences.append(f"nothing is known of DPs {', '.join(map(str, rest))}")
    return sentences


def _settle(layouts: Tuple[Layout, ...], dps: Mapping[int, object]) -> Tuple[Layout, Tuple[str, ...]]:
    """Return the one of a product's layouts that the DPs present speak for; with equal votes the first."""
    if len(layouts) == 1:
        return layouts[0], ()

    def votes(layout: Layout) -> Tuple[int, int]:
        named = {one.dp for one in layout.fields if one.role != "ignore"}
        relays_missing = sum(not isinstance(dps.get(dp), bool) for dp in layout.switch_dps)
        return sum(dp in named and not raw.is_dead(value) for dp, value in dps.items()), -relays_missing

    best = max(layouts, key=votes)
    relays = tuple(dp for dp in best.switch_dps if isinstance(dps.get(dp), bool))
    if relays:
        kept = tuple(one for one in best.fields if one.role != "switch" or one.dp in relays)
        best = replace(best, fields=kept)
    others = ", ".join(one.name for one in layouts if one.name != best.name)
    if not _speaks(best, dps):
        # a poll without V and without a phase decides nothing: only what all of them mean by a data point is believed
        roles = [{one.dp: one.role for one in layout.fields} for layout in layouts]
        agreed = tuple(
            one if all(known.get(one.dp, one.role) == one.role for known in roles) else Field(one.dp, "ignore")
            for one in best.fields
        )
        settled = {one.dp for one in agreed}
        silent = {one.dp for layout in layouts for one in layout.fields if one.role == "ignore"} - settled
        return replace(best, fields=(*agreed, *(Field(dp, "ignore") for dp in sorted(silent)))), (
            f"this product id is also sold as {others}; the DPs present do not decide",
        )
    return best, (f"this product id is also sold as {others}; the DPs present decided",)


def _with_model(layout: Layout, case: Case) -> Layout:
    """Return the layout with the fault labels of the device's own model, without what it calls the neutral's."""
    fields = []
    for one in layout.fields:
        model = case.lines.get(one.dp)
        if model is not None and one.role == "faults" and model.labels:
            one = replace(one, labels=model.labels)
        elif model is not None and one.role == "returned" and "neutral" in model.code.lower():
            continue
        fields.append(one)
    # the catalogue's own, where nothing changed: it knows already which of its fields have which role
    return layout if tuple(fields) == layout.fields else replace(layout, fields=tuple(fields))


def _controls(layout: Layout, case: Case) -> Dict[int, Control]:
    dps = case.dps
    found: Dict[int, Control] = {}
    for one in layout.of("switch", "child_lock", "power_on", "countdown"):
        present = dps.get(one.dp)
        if one.role in ("switch", "child_lock"):
            spelled = (False, True) if present is None else spelling(present)
            if spelled is not None and (one.role == "switch" or isinstance(present, (bool, type(None)))):
                found[one.dp] = Control(one.dp, one.role, "bool", spelled=spelled)
        elif one.role == "countdown":
            if present is None or (isinstance(present, int) and not isinstance(present, bool)):
                found[one.dp] = Control(one.dp, one.role, "int", minimum=0, maximum=COUNTDOWN_MAX_S)
        else:
            # what was read decides: thing models name power_off ... last where the device says off ... memory
            read_as = [known for known in POWER_ON_SPELLINGS if present in known]
            line = case.lines.get(one.dp)
            words = read_as[0] if read_as else (line.choices if line is not None else ()) or POWER_ON_SPELLINGS[0]
            if (present is None or read_as) and set(words) <= POWER_ON_WORDS:
                found[one.dp] = Control(one.dp, one.role, "enum", values=words)
    return found


def _profile(
    layout: Layout,
    matched_by: str,
    why: Tuple[str, ...],
    problems: Tuple[str, ...],
    case: Case,
) -> Profile:
    live = tuple(dict.fromkeys(one.dp for one in layout.of("voltage", "current", "power", "phase")))
    power = tuple(dict.fromkeys(one.dp for one in layout.of("power", "phase")))
    refresh = layout.refresh_dps or (live if len(live) <= MAX_REFRESH_DPS else power[:MAX_REFRESH_DPS])
    writable = {one.dp for one in layout.of("switch", "child_lock", "power_on", "countdown")}
    measuring = {one.dp for one in layout.of(*MEASURES, "phase")} - writable
    asked = {one.dp for one in layout.of(*MEASURES, "phase", "switch", "faults", "event", "direction")}
    wanted = set(layout.query_dps) or asked
    steps = {one.channel: round(one.lsb, 9) for one in layout.of("energy") if not one.fallback}
    return Profile(
        name=layout.name,
        matched_by=matched_by,
        why=why,
        layout=layout,
        switch_dps=layout.switch_dps,
        controls=_controls(layout, case),
        refresh_dps=refresh,
        query_dps=tuple(sorted(wanted & measuring)),
        later_dps=tuple(sorted(wanted - measuring)),
        power_max_age_s=layout.power_max_age_s,
        channels=layout.channels,
        counter_step_kwh=steps,
        problems=problems,
        produces=layout.produces,
        said={dp: tuple(said) for dp, said in case.said.items()},
    )
