"""Layout + data points -> relays, settings, thresholds and faults: all that is no measurement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import AbstractSet, Callable, Dict, List, Mapping, Optional, Set, Tuple

from . import raw
from .faults import event_fault, fault
from .layout import Field, Layout
from .reading import Fault, Threshold
from .values import number, truth

DIGITS = 6
# the spellings of "state after power-on" that are seen; what was read is what may be written
POWER_ON_SPELLINGS = (("off", "on", "memory"), ("power_off", "power_on", "last"))
POWER_ON_WORDS = frozenset(word for spelling in POWER_ON_SPELLINGS for word in spelling)


def faults_of(layout: Layout, dps: Mapping[int, object]) -> Tuple[Optional[Tuple[Fault, ...]], Optional[str], Set[int]]:
    """Return (faults, text of the last event, the DPs that tell of them); None where the device says nothing."""
    faults: Optional[List[Fault]] = None
    event: Optional[str] = None
    used: Set[int] = set()
    for one in layout.of("faults", "event"):
        value = dps.get(one.dp)
        if one.role == "faults":
            labels = raw.fault_labels(value, one.labels)
            if labels is None:
                continue
            faults = (faults or []) + [fault(label) for label in labels]
        elif isinstance(value, str) and value:
            event = value
            happened = event_fault(value)
            faults = (faults or []) + ([happened] if happened else [])
        else:
            continue
        used.add(one.dp)
    if faults is None:
        return None, event, used
    unique = {one.label: one for one in faults}
    return tuple(unique.values()), event, used


@dataclass
class States:
    """Relays, settings and thresholds of one device, as far as its DPs tell."""

    switch: Dict[int, bool]
    thresholds: Tuple[Threshold, ...] = ()
    power_on_state: Optional[str] = None
    child_lock: Optional[bool] = None
    countdown_s: Optional[int] = None


def states_of(layout: Layout, dps: Mapping[int, object], fed: Callable[[AbstractSet[int]], bool]) -> States:
    """Return the states that the DPs give; `fed` says whether DPs belong to what is asked for."""
    state = States({})
    sets = layout.of("alarm_set")
    limits = layout.of("limit")
    some_set_fed = any(one.dp in dps and fed({one.dp, one.action or one.dp}) for one in (*sets, *limits))
    for one in layout.fields:
        value = dps.get(one.dp)
        if value is None:
            continue
        if one.role == "alarm_set":
            if some_set_fed:
                state.thresholds += raw.alarm_set(value, one.number)
        elif one.role == "limit":
            if some_set_fed:
                state.thresholds += _limit(one, value, dps)
        elif not fed({one.dp}):
            continue
        elif one.role == "switch":
            is_on = truth(value)
            if is_on is not None:
                state.switch[one.dp] = is_on
        elif one.role == "power_on" and isinstance(value, str) and value in POWER_ON_WORDS:
            state.power_on_state = value
        elif one.role == "child_lock" and isinstance(value, bool):
            state.child_lock = value
        elif one.role == "countdown" and isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 86400:
            state.countdown_s = value
    return state


def _limit(one: Field, value: object, dps: Mapping[int, object]) -> Tuple[Threshold, ...]:
    """Return the threshold in an integer of its own; () where it holds no number."""
    amount = number(value)
    if amount is None or amount < 0:
        return ()
    acts = dps.get(one.action) if one.action is not None else None
    trips = isinstance(acts, str) and acts.lower() == "trip"
    return (Threshold(one.name, round(amount * one.lsb, DIGITS), one.unit, trips),)
