"""How well a layout explains a device's data points: named checks in one table, each with what speaks against it.

A layout is believed when it explains a whole circuit (V, I and P that belong together), or is complete but for a
reading that contradicts itself; and when it contradicts no data point. One data point alone proves nothing, unless the
category has phase records and the record proves itself.
"""

from __future__ import annotations

import re
from typing import Callable, List, Mapping, NamedTuple, Tuple

from . import candidate, families, raw
from .candidate import IDLE_SCORE, NEUTRAL_COEFFICIENT, STRONG_CIRCUITS, Candidate, Seen
from .evidence import ELECTRICAL, names_otherwise
from .layout import Layout
from .reading import TOTAL
from .values import byte_forms, number

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
# where phase records, and the relay beside them, stand in every family that has them
PHASE_DPS, BREAKER_DP = (6, 7, 8), 16
RELAY_DPS = (1, BREAKER_DP)
# there breakers have numbers and raw values, and alarm sets; chargers have words and switches
FIRST_DPS, ALARM_DPS = range(2, 11), (17, 18)
# a word of an enum ("charger_charging", "Three_phase"): most would also pass as base64 without its padding
WORD = re.compile(r"[A-Z]?[a-z]{2,}([_ ][A-Za-z0-9]+)*\Z")


def _kind(it: Candidate) -> str:
    wanted = it.layout.kind
    return f"only a {wanted} has it" if wanted == families.CHARGER and it.seen.kind != wanted else ""


def _model(it: Candidate) -> str:
    lines, dps = it.seen.lines, it.dps
    for one in it.layout.of(*ELECTRICAL) if lines else ():
        line = lines.get(one.dp)
        if line is not None and one.dp in dps and names_otherwise(line, one.role):
            return f"the device's own model names DP {one.dp} otherwise"
    return ""


def _enough(it: Candidate) -> str:
    is_own_proof = (bool(it.recorded) and bool(families.PHASE_DPS.get(it.seen.kind))) or it.layout.kind == it.seen.kind
    if is_own_proof:
        return ""
    if len(it.explained) < 2:
        return "one DP alone proves nothing"
    if it.points <= IDLE_SCORE and not it.states:
        return "an idle circuit without a switch or a counter proves nothing"
    if it.recorded or it.layout.kind:
        return ""
    if len(it.circuits) - (TOTAL in it.circuits) > it.proven:
        return "a circuit without one of V, I and P"
    if not it.states and not it.is_strong:
        return "no switch and no counter beside the readings"
    measured = {one.channel for one in it.layout.of("current", "power")} - {TOTAL}
    if len(measured) >= STRONG_CIRCUITS > it.proven:
        return f"one circuit alone of {len(measured)} may be a coincidence"
    return ""


def _other_phases(it: Candidate) -> str:
    phase_dps = {one.dp for one in it.layout.of("phase") if not one.key}
    if not phase_dps:
        return ""
    for dp in PHASE_DPS:
        is_lost = any(raw.is_lost_phase(it.dps.get(dp), it.dps.get(other)) for other in phase_dps)
        if dp not in it.named and (is_lost or raw.phase(it.dps.get(dp)) is not None):
            return f"DP {dp} holds another phase"
    if BREAKER_DP not in it.named and isinstance(it.dps.get(BREAKER_DP), bool):
        return f"DP {BREAKER_DP} is a relay"
    for dp in (*FIRST_DPS, *ALARM_DPS):
        value = it.dps.get(dp)
        is_word = isinstance(value, str) and value and (bool(WORD.match(value)) or not byte_forms(value))
        if dp not in it.named and value is not None and (is_word or (dp in ALARM_DPS and not isinstance(value, str))):
            return f"DP {dp} belongs to another kind of device"
    if min(phase_dps) not in it.dps and any(dp in it.explained for dp in phase_dps):
        return f"DP {min(phase_dps)}, the first phase, is missing"
    return ""


def _relay(it: Candidate) -> str:
    if _has_records(it) or it.is_strong:
        return ""
    if not it.layout.switch_dps:
        relays = [dp for dp in RELAY_DPS if dp not in it.named and isinstance(it.dps.get(dp), bool)]
        return f"DP {relays[0]} is a relay" if relays and not it.layout.kind else ""
    is_told = any(dp in it.dps for dp in it.layout.switch_dps) or it.layout.kind == it.seen.kind
    return "" if is_told else "its relay is missing"


def _coefficients(it: Candidate) -> str:
    readings = {one.dp for one in it.layout.of("voltage", "current", "power")}
    many = not _has_records(it) and sum(it.dps.get(dp) == NEUTRAL_COEFFICIENT for dp in readings) > 1
    return "its readings may be calibration coefficients" if many else ""


def _has_records(it: Candidate) -> bool:
    return bool(it.layout.of("phase")) or any(one.part is not None for one in it.layout.fields)


def _strangers(it: Candidate) -> str:
    if _has_records(it):
        return ""
    extra = gangs(it.layout, it.dps)
    others = [dp for dp in it.dps if dp not in it.named and dp not in extra]
    if not it.layout.switch_dps and set(COEFFICIENT_DPS) <= it.named:
        known = sum(number(it.dps.get(dp)) is not None for dp in COEFFICIENT_DPS)
        if others or 1 in it.dps or known < LEAST_COEFFICIENTS:
            return "only a meter that has nothing but these DPs can be told without a relay"
        return ""
    if it.layout.kind and it.layout.kind == it.seen.kind:
        return ""
    others = [dp for dp in others if number(it.dps[dp]) or (not it.is_strong and (it.dps[dp] is False or it.dps[dp]))]
    allowed = len(it.explained) + len(extra)
    if not it.is_strong and not it.layout.switch_dps:
        allowed //= 2  # nothing but numbers: the less may stand beside them
    elif not it.is_strong and not any(one.dp in it.dps for one in it.layout.of("countdown", "increment", "energy")):
        allowed = LONELY_STRANGERS
    return f"{len(others)} DPs are left unexplained" if len(others) > allowed else ""


def _no_socket(it: Candidate) -> str:
    """Say what shows that DPs 1 to 25 are no socket's: outlets, their countdowns, readings and coefficients."""
    timed = any(one.dp == 1 + COUNTDOWN_OFFSET for one in it.layout.of("countdown"))
    if _has_records(it) or 1 not in it.layout.switch_dps or not timed:
        return ""
    for dp in (*GANG_DPS, *COEFFICIENT_DPS):
        value = it.dps.get(dp)
        if isinstance(value, str) and (dp not in it.named or dp in COEFFICIENT_DPS) and value:
            return f"a text stands on DP {dp}, where sockets have none"
        if isinstance(value, bool) and dp in COEFFICIENT_DPS:
            return f"DP {dp} is no coefficient"
    for dp in GANG_DPS:
        if number(it.dps.get(dp + COUNTDOWN_OFFSET)) and not isinstance(it.dps.get(dp), bool):
            return f"DP {dp + COUNTDOWN_OFFSET} counts down for no outlet"
    return ""


class Check(NamedTuple):
    """One named check of CHECKS."""

    name: str
    speaks_against: Callable[[Candidate], str]


CHECKS: Tuple[Check, ...] = (
    Check("the kind of device", _kind),
    Check("the device's own model", _model),
    Check("types of the readings", candidate.readings),
    Check("types of the states", candidate.states),
    Check("V, I and P belong together", candidate.circuits),
    Check("panels and mains of an inverter", candidate.sunny_side),
    Check("enough to tell by", _enough),
    Check("no further phase, no charger", _other_phases),
    Check("the relay", _relay),
    Check("no calibration coefficients", _coefficients),
    Check("no more strangers than acquaintances", _strangers),
    Check("a socket's data points", _no_socket),
)


def fit(layout: Layout, seen: Seen) -> Candidate:
    """Return how well a layout explains what is seen: all checks in their order, up to the first that strikes."""
    it = Candidate(layout, seen)
    for check in CHECKS:
        it.against = check.speaks_against(it)
        if it.against:
            break
    return it


def gangs(layout: Layout, dps: Mapping[int, object]) -> Tuple[int, ...]:
    """Return the relays after DP 1 that the layout does not name: bools without a gap, all timed if the first is."""
    named = {one.dp for one in layout.fields}
    if 1 not in layout.switch_dps or not isinstance(dps.get(1), bool):
        return ()
    timed = layout.of("countdown") and layout.of("countdown")[0].dp == 1 + COUNTDOWN_OFFSET
    found: List[int] = []
    for dp in range(2, LAST_GANG + 1):
        has_timer = number(dps.get(dp + COUNTDOWN_OFFSET)) is not None
        if dp in named and dp not in layout.switch_dps:
            break
        if not isinstance(dps.get(dp), bool) or (timed and 1 + COUNTDOWN_OFFSET in dps and not has_timer):
            break
        if dp not in named:
            found.append(dp)
    if timed and USB_DP not in named and isinstance(dps.get(USB_DP), bool):
        found.append(USB_DP)
    return tuple(found)
