"""Clicks in Domoticz -> data points that are wanted, and controls as units show them. Pure."""

from __future__ import annotations

from typing import Dict, Mapping, Optional

from ..devices.commands import CommandRefused
from ..lan.events import DpValue
from ..metering.profile import Control, Profile
from ..metering.reading import Reading, Threshold
from ..metering.values import truth
from .units import (
    CHILD_LOCK,
    COUNTDOWN,
    GANG,
    GANGS,
    POWER_ON_STATE,
    SWITCH,
    THRESHOLDS,
    Measure,
    State,
    level,
    on_off,
    text,
)

# levels of the selector -> seconds
COUNTDOWN_S: Mapping[int, int] = {0: 0, 10: 900, 20: 1800, 30: 3600, 40: 7200}
# levels of the selector -> the spellings that devices use
POWER_ON_WORDS: Mapping[int, frozenset[str]] = {
    0: frozenset(("off", "power_off")),
    10: frozenset(("on", "power_on")),
    20: frozenset(("memory", "last")),
}


def measures(reading: Reading, profile: Profile) -> Dict[int, Measure]:
    """Return what the control units and the thresholds show; what the device does not say is left out."""
    result: Dict[int, Measure] = {}
    roles = {control.role for control in profile.controls.values()}
    if reading.power_on_state is not None and "power_on" in roles:
        found = _power_on_level(reading.power_on_state)
        if found is not None:
            result[POWER_ON_STATE] = level(found)
    if reading.child_lock is not None and "child_lock" in roles:
        result[CHILD_LOCK] = on_off(reading.child_lock)
    if reading.countdown_s is not None and "countdown" in roles:
        result[COUNTDOWN] = countdown(reading.countdown_s)
    if reading.thresholds:
        result[THRESHOLDS] = text("; ".join(_threshold(one) for one in reading.thresholds))
    return result


def countdown(seconds: int) -> State:
    """Return the smallest level that covers what is left of a countdown."""
    for selector_level, limit_s in COUNTDOWN_S.items():
        if seconds <= limit_s:
            return level(selector_level)
    return level(max(COUNTDOWN_S))


def _power_on_level(word: str) -> Optional[int]:
    return next((found for found, words in POWER_ON_WORDS.items() if word.lower() in words), None)


def _threshold(one: Threshold) -> str:
    value = f"{one.value:g} {one.unit}".strip()
    return f"{one.name} {value} {'trip' if one.trips else 'alarm or off'}"


def wanted(
    unit: int, word: str, selector_level: int, profile: Profile, dps: Mapping[int, DpValue]
) -> Dict[int, DpValue]:
    """Return the data points that a click asks to write, with their values. Raises CommandRefused.

    word: "On", "Off", "Toggle" or "Set Level". dps: what the device reported last.
    """
    word = word.strip().lower()
    if unit == SWITCH or GANG <= unit < GANG + GANGS:
        index = 0 if unit == SWITCH else unit - GANG
        if index >= len(profile.switch_dps) or (unit == SWITCH) != (len(profile.switch_dps) == 1):
            raise CommandRefused("", "it has no such switch")
        dp = profile.switch_dps[index]
        if dp not in profile.controls:
            raise CommandRefused("", "its switch cannot be written")
        return {dp: _on_or_off(word, dps.get(dp))}
    role = {POWER_ON_STATE: "power_on", CHILD_LOCK: "child_lock", COUNTDOWN: "countdown"}.get(unit)
    control = next((one for one in profile.controls.values() if one.role == role), None)
    if role is None or control is None:
        raise CommandRefused("", "this cannot be switched")
    if role == "child_lock":
        return {control.dp: _on_or_off(word, dps.get(control.dp))}
    if word == "off":
        selector_level = 0
    elif word != "set level":
        raise CommandRefused("", "a level has to be chosen")
    if role == "countdown":
        if selector_level not in COUNTDOWN_S:
            raise CommandRefused("", "there is no such level")
        return {control.dp: COUNTDOWN_S[selector_level]}
    return {control.dp: _power_on_word(control, selector_level)}


def _on_or_off(word: str, reported: DpValue) -> bool:
    if word in ("on", "off"):
        return word == "on"
    is_on = truth(reported)
    if word == "toggle" and is_on is not None:
        return not is_on
    raise CommandRefused("", "only On and Off can be sent to it")


def _power_on_word(control: Control, selector_level: int) -> str:
    """Return the device's own word for a level; the profile lists the family of spellings that was read."""
    words = POWER_ON_WORDS.get(selector_level, frozenset())
    word = next((value for value in control.values if value.lower() in words), None)
    if word is None:
        raise CommandRefused("", "it does not know this state")
    return word
