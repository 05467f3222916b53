"""What a user wishes for one device (object "domoticz" in devices.json), as far as it changes readings."""

from __future__ import annotations

import math
from dataclasses import replace
from types import MappingProxyType
from typing import Dict, FrozenSet, List, Mapping, NamedTuple, Tuple

from .catalogue import Catalogue
from .layout import MEASURES, Layout

# quantities as a user may write them -> role
QUANTITIES: Dict[str, str] = {
    **{role: role for role in MEASURES},
    "voltage_v": "voltage",
    "current_a": "current",
    "power_w": "power",
    "energy_kwh": "energy",
    "returned_kwh": "returned",
    "frequency_hz": "frequency",
    "temperature_c": "temperature",
    "leakage_ma": "leakage",
}
INVERTIBLE = frozenset(("power", "current", "power_factor", "energy"))
MAX_FACTOR = 1e6


class ReadingWishes(NamedTuple):
    """invert: roles whose sign is turned ("energy": import and export are exchanged). scale: role -> factor."""

    invert: FrozenSet[str] = frozenset()
    scale: Mapping[str, float] = MappingProxyType({})
    layout: str = ""


def parse(wishes: object, catalogue: Catalogue) -> Tuple[ReadingWishes, Tuple[str, ...]]:
    """Return the wishes that can be fulfilled, and a complaint in plain words for each that cannot. Never raises."""
    if wishes is None:
        return ReadingWishes(), ()
    if not isinstance(wishes, Mapping):
        return ReadingWishes(), ('"domoticz" must be an object',)
    problems: List[str] = []
    invert = set()
    named = wishes.get("invert")
    for name in named if isinstance(named, list) else ([] if named is None else [named]):
        role = QUANTITIES.get(name) if isinstance(name, str) else None
        if role in INVERTIBLE:
            invert.add(str(role))
        else:
            problems.append(f'"invert": {name!r:.60} is none of {", ".join(sorted(INVERTIBLE))}')
    scale: Dict[str, float] = {}
    factors = wishes.get("scale")
    if factors is not None and not isinstance(factors, Mapping):
        problems.append('"scale" must be an object {quantity: factor}')
    for name, factor in factors.items() if isinstance(factors, Mapping) else ():
        role = QUANTITIES.get(name) if isinstance(name, str) else None
        usable = isinstance(factor, (int, float)) and not isinstance(factor, bool)
        if role is None:
            problems.append(f'"scale": {name!r:.60} is none of {", ".join(sorted(MEASURES))}')
        elif not usable or not math.isfinite(factor) or not 1 / MAX_FACTOR <= factor <= MAX_FACTOR:
            problems.append(f'"scale": the factor of {name} must be a positive number')
        else:
            scale[role] = float(factor)
    layout = wishes.get("layout", "")
    if layout and (not isinstance(layout, str) or layout not in catalogue.layouts):
        problems.append(f'"layout": there is no {layout!r:.60}; known are {", ".join(catalogue.layouts)}')
        layout = ""
    return ReadingWishes(frozenset(invert), scale, str(layout or "")), tuple(problems)


def apply(layout: Layout, wishes: ReadingWishes) -> Layout:
    """Return the layout with turned signs and the user's scales, which physics never corrects."""
    if not wishes.invert and not wishes.scale:
        return layout
    swap = {"energy": "returned", "returned": "energy"} if "energy" in wishes.invert else {}
    fields = []
    for one in layout.fields:
        changed = one
        if (one.role in wishes.invert and one.role != "energy") or (one.role == "phase" and "power" in wishes.invert):
            changed = replace(changed, invert=True)
        if one.role == "phase":
            changed = replace(changed, scales=tuple(sorted(wishes.scale.items())))
        if one.role in wishes.scale:
            changed = replace(changed, lsb=changed.lsb * wishes.scale[one.role], certain=True)
        fields.append(replace(changed, role=swap.get(one.role, one.role)))
    return replace(layout, fields=tuple(fields))
