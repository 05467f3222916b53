"""Device description + data points -> profile: which layout a device has, and why. No sockets, no clock, no Domoticz.

The product id first, then the codes of the thing model, then the shape; "none" is an answer.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import AbstractSet, Dict, List, Mapping, Optional, Tuple

from . import codes, raw, shape, wishes
from .catalogue import load
from .evaluate import POWER_ON_SPELLINGS, POWER_ON_WORDS, read
from .layout import DEFAULT_POWER_MAX_AGE_S, MEASURES, Field, Layout
from .model import models
from .reading import TOTAL, Channel, Reading
from .words import meaning

COUNTDOWN_MAX_S = 86400
# a long list of DPs crashes some devices every few hours: refresh the readings, and not too many of them
MAX_REFRESH_DPS = 9
BREAKER_DP = 16
# what a thing model may name without saying anything against a shape
_BESIDE_READINGS = frozenset(
    ("switch", "energy", "returned", "increment", "countdown", "child_lock", "power_on", "alarm_set", "faults")
)
_CIRCUIT_ROLES = (*MEASURES, "phase")
EMPTY = Layout("unknown", ())


@dataclass(frozen=True)
class Control:
    """One DP that may be written. kind "bool" | "enum" (values) | "int" (minimum to maximum)."""

    dp: int
    role: str
    kind: str
    values: Tuple[str, ...] = ()
    minimum: int = 0
    maximum: int = 0


@dataclass(frozen=True)
class Profile:
    """What one device's DPs mean. Frozen; decode() is pure.

    matched_by: "product" | "codes" | "shape" | "none". why: for --explain, one sentence each.
    problems: wishes that cannot be fulfilled. counter_step_kwh: LSB of each cumulative counter; empty = no total.
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

    def decode(self, dps: Mapping[int, object], changed: Optional[AbstractSet[int]] = None) -> Reading:
        """Return what the DPs say; `changed`: only quantities that one of these DPs feeds. Never raises."""
        return read(self.layout, dps, changed)

    def doubts(self, dps: Mapping[int, object]) -> Tuple[str, ...]:
        """Return what was corrected or left out in these DPs, one sentence each: worth saying once."""
        notes: List[str] = []
        read(self.layout, dps, None, notes.append)
        return tuple(notes)

    def explain(self, dps: Mapping[int, object]) -> Tuple[str, ...]:
        """Return why this layout was chosen and what was corrected or left out in these DPs."""
        return (*self.why, *self.problems, *_described(self.layout, dps), *self.doubts(dps))


def match(entry: Mapping[str, object], dps: Mapping[int, object]) -> Profile:
    """Return the profile of a device. entry: as in devices.json (product_id, mapping, "domoticz"). Never raises.

    A wrong wish changes nothing and stands in Profile.problems.
    """
    catalogue = load()
    wish, problems = wishes.parse(entry.get("domoticz"), catalogue)
    product_id = str(entry.get("product_id") or entry.get("productKey") or "")
    mapping = entry.get("mapping")
    layout: Optional[Layout] = None
    matched_by, name, why = "none", "unknown", ()  # type: Tuple[str, str, Tuple[str, ...]]
    if wish.layout:
        layout, matched_by = catalogue.layouts[wish.layout], "product"
        why = (f"layout {wish.layout} was asked for in devices.json",)
    elif product_id in catalogue.products:
        product = catalogue.products[product_id]
        layout, reason = _settle(catalogue.layouts_of(product_id), dps)
        matched_by, why = "product", (f"product {product_id} is {product.title}, layout {layout.name}", *reason)
        layout = _with_relay(_with_model(layout, mapping), dps)
        if not _speaks(layout, dps):
            other, other_by, reasons = _unknown(mapping, dps)
            if other is not None and _measures(other, dps):
                layout, matched_by = other, other_by
                why = (*why, "these are not its data points, and others fit", *reasons)
    else:
        layout, matched_by, why = _unknown(mapping, dps)
    if layout is None:
        return Profile(name, "none", why, problems=problems)
    layout = wishes.apply(layout, wish)
    return _profile(layout, matched_by, why, problems, mapping, dps)


def _unknown(mapping: object, dps: Mapping[int, object]) -> Tuple[Optional[Layout], str, Tuple[str, ...]]:
    """Return (layout, matched_by, why) of a device whose product id says nothing: by codes, then by shape."""
    why: Tuple[str, ...] = ()
    layout = codes.layout(mapping, dps)
    if layout is not None:
        why = (f"the thing model has measuring codes on DPs {_listed(layout)}",)
        if layout.of("voltage", "current", "power", "phase"):
            return layout, "codes", why
    candidates = tuple(one for one in load().layouts.values() if one.shape)
    shaped, reasons = shape.recognise(candidates, _unnamed(mapping, dps))
    why = (*why, *reasons)
    if layout is None:
        return shaped, "none" if shaped is None else "shape", why
    return layout if shaped is None else _completed(layout, shaped), "codes", why


def _speaks(layout: Layout, dps: Mapping[int, object]) -> bool:
    """Say whether the DPs are those of this layout: V or a phase is there, and each relay is a bool."""
    relays = (dps.get(dp) for dp in layout.switch_dps)
    if any(relay is not None and not isinstance(relay, bool) for relay in relays):
        return False
    return any(one.dp in dps for one in layout.of("voltage", "phase") or layout.of("current", "power"))


def _measures(layout: Layout, dps: Mapping[int, object]) -> bool:
    """Say whether the DPs give this layout V, I and P."""
    reading = read(layout, dps)
    return bool(reading.voltage_v and reading.current_a and reading.power_w)


def _with_relay(layout: Layout, dps: Mapping[int, object]) -> Layout:
    """Return the layout with the relay on DP 16 that products of one id have or lack; a bool there is no reading."""
    if layout.switch_dps or any(one.dp == BREAKER_DP for one in layout.fields):
        return layout
    if not isinstance(dps.get(BREAKER_DP), bool):
        return layout
    return replace(layout, fields=(*layout.fields, Field(BREAKER_DP, "switch")))


def _described(layout: Layout, dps: Mapping[int, object]) -> List[str]:
    """Return what each DP present is taken for, and which ones mean nothing to this layout."""
    sentences = []
    for one in layout.fields:
        if one.dp in dps and one.role != "ignore":
            circuit = (
                f" of circuit {one.channel}" if one.channel not in ("", "1") and one.role in _CIRCUIT_ROLES else ""
            )
            lsb = f", {one.lsb:g} {MEASURES[one.role]}".rstrip() if one.role in MEASURES else ""
            sentences.append(f"DP {one.dp} is {one.role}{circuit}{lsb}")
    known = {one.dp for one in layout.fields}
    rest = sorted(dp for dp in dps if dp not in known)
    if rest and layout.fields:
        sentences.append(f"nothing is known of DPs {', '.join(map(str, rest))}")
    return sentences


def _unnamed(mapping: object, dps: Mapping[int, object]) -> Dict[int, object]:
    """Return the DPs that a shape may explain: a thing model that names one otherwise has spoken against it."""
    named = set()
    for model in models(mapping):
        means = meaning(model.code)
        if model.kind not in ("boolean", "bool") and (means is None or means.role not in _BESIDE_READINGS):
            named.add(model.dp)
    return {dp: value for dp, value in dps.items() if dp not in named}


def _completed(coded: Layout, shaped: Layout) -> Layout:
    """Return a layout whose thing model leaves out V, I and P (clouds often list the standard codes only)."""
    many = len(shaped.channels) > 1
    known = {one.dp for one in coded.fields}
    fields = [replace(one, channel=TOTAL) if many and one.channel == "1" else one for one in coded.fields]
    fields += [one for one in shaped.fields if one.dp not in known]
    return replace(coded, name=f"{coded.name}, {shaped.name}", fields=tuple(fields), refresh_dps=shaped.refresh_dps)


def _listed(layout: Layout) -> str:
    measuring = layout.of("voltage", "current", "power", "energy", "phase", "increment")
    return ", ".join(str(dp) for dp in dict.fromkeys(one.dp for one in measuring))


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
    return best, (f"this product id is also sold as {others}; the DPs present decided",)


def _with_model(layout: Layout, mapping: object) -> Layout:
    """Return the layout with the fault labels of the device's own thing model, and with a relay that only it names."""
    known = {model.dp: model for model in models(mapping)}
    fields = []
    for one in layout.fields:
        model = known.get(one.dp)
        if model is not None and one.role == "faults" and model.labels:
            one = replace(one, labels=model.labels)
        elif model is not None and one.role == "returned" and "neutral" in model.code.lower():
            continue
        fields.append(one)
    relay = known.get(BREAKER_DP)
    if relay is not None and relay.code == "switch" and not layout.switch_dps:
        fields = [one for one in fields if one.dp != BREAKER_DP] + [Field(BREAKER_DP, "switch")]
    return replace(layout, fields=tuple(fields))


def _controls(layout: Layout, mapping: object, dps: Mapping[int, object]) -> Dict[int, Control]:
    choices = {model.dp: model.choices for model in models(mapping)}
    found: Dict[int, Control] = {}
    for one in layout.of("switch", "child_lock", "power_on", "countdown"):
        present = dps.get(one.dp)
        if one.role in ("switch", "child_lock"):
            if present is None or isinstance(present, bool):
                found[one.dp] = Control(one.dp, one.role, "bool")
        elif one.role == "countdown":
            if present is None or (isinstance(present, int) and not isinstance(present, bool)):
                found[one.dp] = Control(one.dp, one.role, "int", minimum=0, maximum=COUNTDOWN_MAX_S)
        else:
            # what was read decides: thing models name power_off ... last where the device says off ... memory
            read_as = [words for words in POWER_ON_SPELLINGS if present in words]
            spelled = read_as[0] if read_as else choices.get(one.dp) or POWER_ON_SPELLINGS[0]
            if (present is None or read_as) and set(spelled) <= POWER_ON_WORDS:
                found[one.dp] = Control(one.dp, one.role, "enum", values=spelled)
    return found


def _profile(
    layout: Layout,
    matched_by: str,
    why: Tuple[str, ...],
    problems: Tuple[str, ...],
    mapping: object,
    dps: Mapping[int, object],
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
        controls=_controls(layout, mapping, dps),
        refresh_dps=refresh,
        query_dps=tuple(sorted(wanted & measuring)),
        later_dps=tuple(sorted(wanted - measuring)),
        power_max_age_s=layout.power_max_age_s,
        channels=layout.channels,
        counter_step_kwh=steps,
        problems=problems,
    )
