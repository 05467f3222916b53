"""Recognises a device by its data points alone: the one layout of the catalogue that fits, and what of it is proven."""

from __future__ import annotations

from dataclasses import replace
from typing import List, Mapping, Optional, Tuple

from .candidate import NO_CIRCUIT, STRONG_CIRCUITS, Candidate, Seen
from .evaluate import is_reverse, read
from .fits import fit, gangs
from .layout import MEASURES, Field, Layout
from .raw import is_dead
from .reading import TOTAL, Reading
from .values import byte_forms

MARGIN = 2
DIRECTION_WORDS = frozenset(("forward", "reverse", "reversed", "backward", "import", "export"))
PLAIN_RECORDS, LONG_RECORDS = (7, 8, 10), (17, 18)
PREPAYMENT_DP = 11
BREAKER_FIELDS = frozenset((("faults", 9), ("leakage", 15)))
# energies and increments that stand where every known device of their kind has them
STANDARD = frozenset((("energy", 1), ("increment", 17), ("returned", 23)))


def recognise(layouts: Tuple[Layout, ...], seen: Seen) -> Tuple[Optional[Layout], Tuple[str, ...]]:
    """Return the one layout that fits, reduced to what a shape can prove, or None; and why (for --explain)."""
    # without data points there is nothing to try: so each device begins, before it was heard
    fits = [fit(layout, seen) for layout in layouts if seen.dps]
    good = sorted((one for one in fits if not one.against), key=lambda one: -one.score)
    if not good:
        near = [one for one in fits if one.against != NO_CIRCUIT and not one.against.startswith("only a")]
        reasons = tuple(f"not {one.layout.name}: {one.against}" for one in near[:5])
        return None, ("no known layout fits these DPs; send the output of report", *reasons)
    best, others = good[0], good[1:]
    for other in others:
        if best.score - other.score < MARGIN and _conflict(read(best.layout, seen.dps), read(other.layout, seen.dps)):
            return None, (f"{best.layout.name} and {other.layout.name} fit equally well and disagree",)
    why = [f"shape {best.layout.name}: explains DPs {', '.join(map(str, sorted(best.explained)))}"]
    if best.is_contradictory:
        why.append("its data points are complete, and its readings contradict each other")
    if others:
        why.append(f"next was {others[0].layout.name}, which explains less")
    rejected = [one for one in fits if one.against and one.layout.name != best.layout.name]
    why += [f"not {one.layout.name}: {one.against}" for one in rejected if one.against != NO_CIRCUIT][:3]
    return _believed(best, seen.dps), tuple(why)


def _conflict(first: Reading, second: Reading) -> bool:
    """Say whether two readings give one quantity of one circuit two values, or see other circuits."""
    for name in ("voltage_v", "current_a", "power_w"):
        ours, theirs = getattr(first, name), getattr(second, name)
        if sorted(ours.values()) != sorted(theirs.values()):
            return True
    return False


def _believed(best: Candidate, dps: Mapping[int, object]) -> Layout:
    """Return the layout without what a shape cannot prove: other energies than the standard one, limits, leakage."""
    strong = best.proven >= STRONG_CIRCUITS
    records = [dps.get(one.dp) for one in best.layout.of("phase")]
    # breakers with the long records count in 0.01 or in 0.001 kWh, and nothing here tells which
    fine_counters = any(len(data) in LONG_RECORDS for value in records for data in byte_forms(value))
    kept: List[Field] = []
    is_breaker = _is_standard_breaker(best.layout, dps)
    for one in best.layout.fields:
        if is_breaker and (one.role, one.dp) in BREAKER_FIELDS:
            kept.append(one)
            continue
        standard = one.by_shape or (one.role, one.dp) in STANDARD
        if (
            one.by_id
            or one.role in ("limit", "event")
            or (one.role in ("temperature", "leakage", "balance", "increment") and not standard)
        ):
            continue
        if one.role in ("energy", "returned") and (fine_counters or not (strong or standard)):
            continue
        if one.role in MEASURES and one.dp not in dps:
            continue
        guessed = one.role == "power_factor" or (one.role == "power" and one.channel == TOTAL)
        torn = best.is_contradictory and one.role in ("current", "power")
        kept.append(replace(one, doubtful=True) if guessed or torn else one)
    kept += [Field(dp, "switch") for dp in gangs(best.layout, dps)]
    return replace(best.layout, fields=_signed(kept, best, dps))


def _signed(fields: List[Field], best: Candidate, dps: Mapping[int, object]) -> Tuple[Field, ...]:
    """Return the fields with the direction that an unnamed data point tells in words.

    Of several circuits nobody knows whose it is: their powers are left out while it says "reverse".
    """
    told = [dp for dp, value in dps.items() if dp not in best.named and _word(value) in DIRECTION_WORDS]
    if not told:
        return tuple(fields)
    if len(best.layout.channels) == 1 and len(told) == 1:
        powers = [replace(one, signed_by=told[0]) if one.role in ("power", "phase") else one for one in fields]
        return (*powers, Field(told[0], "direction"))
    if not any(is_reverse(dps[dp]) for dp in told):
        return tuple(fields)
    return tuple(one for one in fields if one.role not in ("power", "phase"))


def _word(value: object) -> str:
    return value.strip().lower()[:20] if isinstance(value, str) else ""


def _is_standard_breaker(layout: Layout, dps: Mapping[int, object]) -> bool:
    """Say whether the prepayment switch stands on 11: then 9 holds the faults and 15 the leakage.

    Meters have it on 12 and shift what stands around it: 9 is a power, 10 the faults, 15 the energy to charge.
    Those with longer records have leakages in other units.
    """
    records = [data for one in layout.of("phase") for data in byte_forms(dps.get(one.dp))]
    plain = all(len(data) in PLAIN_RECORDS for data in records)
    return bool(records) and plain and isinstance(dps.get(PREPAYMENT_DP), bool)


def without_dead_phases(layout: Layout, dps: Mapping[int, object]) -> Layout:
    """Return a charger's layout for the one phase that it is connected to, where only the first has a voltage."""
    volts = {one.channel: one for one in layout.of("voltage", "phase") if one.channel in ("a", "b", "c")}
    if set(volts) != set("abc") or not layout.kind:
        return layout

    def is_silent(one: Field) -> bool:
        value = dps.get(one.dp)
        return value == 0 or (one.role == "phase" and is_dead(value)) or value is None

    if is_silent(volts["a"]) or not (is_silent(volts["b"]) and is_silent(volts["c"])):
        return layout
    kept = tuple(
        replace(one, channel="1") if one.channel in ("a", TOTAL) else one
        for one in layout.fields
        if one.channel not in ("b", "c")
    )
    return replace(layout, fields=kept)
