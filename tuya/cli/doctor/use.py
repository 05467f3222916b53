"""Whether a connected breaker is of use: a device may answer for ever, and neither measure nor switch.

Judged by what its owner says of it (life.py). Each finding is one fact with one cure.
"""

from __future__ import annotations

from typing import Iterator, Sequence

from tuya.cli.doctor.cures import OFF_AND_ON, SOON
from tuya.cli.doctor.findings import FAILED, NOTE, UNCHECKED, Finding, lasted
from tuya.cli.doctor.life import ServedDevice

OLD_S = 60.0  # readings are asked for every 30 s: two questions without an answer
RARE_S = 900.0  # a device that answers no queries tells what changes; the mains never stand still for so long
PUSHED_S = 65 * 60.0  # what no query is answered with, some devices push once an hour (three-phase meters)
UNMEASURED_S = 150.0  # four without one: a device that answers at all does not leave out so many
OLD_COMMAND_S = 2 * 3600.0  # a click without effect is a reason for a look so long, and then something to know


def check_use(device: ServedDevice, name: str) -> Iterator[Finding]:
    """What is wrong with its readings, if anything, and what became of its last command."""
    yield from _check_readings(device, name)
    if device.counter_stood_wh > 0.0:
        text = (
            f"its own counter has stood still while {device.counter_stood_wh:.0f} Wh flowed by its power: so do its kWh"
        )
        cure = f"some count rarely: run this again in an hour. If it still stands then, {OFF_AND_ON}"
        yield Finding("energy", UNCHECKED, text, cure, name)
    yield from _check_relay(device, name)
    if not device.untaken:
        return
    age_s = device.untaken_age_s
    when = "" if age_s is None else f", {lasted(age_s)} ago"
    text = f"its last command{when}: it {device.untaken}"
    if device.is_untaken_refuted:
        text += ", and has told another state than the wanted one since: the command had no effect"
    cure = (
        "click once more: a command that it takes ends this. Else: does it switch at its button and in the maker's app?"
    )
    state = NOTE if age_s is not None and age_s > OLD_COMMAND_S else UNCHECKED
    yield Finding("switching", state, text, f"{cure} If there only, switch its power off for ten seconds", name)


def _check_readings(device: ServedDevice, name: str) -> Iterator[Finding]:
    silent_s, measured_s = device.unreported_s or 0.0, device.measured_age_s or 0.0
    is_first = device.unreported_s is not None and device.reported_age_s is None
    if silent_s > UNMEASURED_S and (is_first or device.answers_queries):
        text = f"connected, but no reading for {silent_s:.0f} s"
        text += " (none since the connection began)" if is_first else "; it answers heartbeats only"
        yield Finding("readings", FAILED, text, OFF_AND_ON, name)
    elif is_first:
        yield Finding("readings", UNCHECKED, f"connected {silent_s:.0f} s ago, and no reading yet", SOON, name)
    elif silent_s > (OLD_S if device.answers_queries else RARE_S):
        text = f"it has reported nothing for {silent_s:.0f} s"
        cure = f"{SOON}; if it stays, {OFF_AND_ON}"
        if not device.answers_queries:
            text += "; it answers no queries in this session, and tells only what changes"
            cure = "switch a load on or off behind it, then run this again"
        yield Finding("readings", UNCHECKED, text, cure, name)
    elif measured_s > (OLD_S if device.answers_queries else RARE_S):
        text = f"it answers, and has reported nothing that it measures for {measured_s:.0f} s"
        cure = f"switch a load on behind it and run this again in a minute; if it stays, {OFF_AND_ON}"
        yield Finding("readings", UNCHECKED, text, cure, name)
    elif device.lacks_power:
        yield no_power(name)
    else:
        yield from _check_late(device, name)


def no_power(name: str) -> Finding:
    """A meter that is to report its power, and never has."""
    text = (
        "it has not reported its power yet, or none that can be right: without it no kWh are counted, and no device "
        "for them is made"
    )
    return Finding("power", UNCHECKED, text, f"run this again in a minute; if it stays, {OFF_AND_ON}", name)


def _check_relay(device: ServedDevice, name: str) -> Iterator[Finding]:
    """Whether its switch is what it says, as far as that is seen."""
    if device.switch_late_s > OLD_S:
        text = (
            f"it answers, and has not reported its switch for {lasted(device.switch_late_s)}: what is shown is as old"
        )
        yield Finding("switch", UNCHECKED, text, OFF_AND_ON, name)
    if device.open_flow_s > OLD_S:
        text = f"it says that it is off, and has reported a load all the same for {lasted(device.open_flow_s)}"
        cure = (
            "does what is behind it stop when it is off? If not, its contact is stuck (welded): have it replaced, and "
            "do not rely on it. If so, it tells its switch the wrong way round, or measures another circuit"
        )
        yield Finding("switch", UNCHECKED, text, cure, name)
    if device.undone and device.undone_age_s < OLD_COMMAND_S:
        times = "its last command" if device.undone == 1 else f"its last {device.undone} commands"
        text = f"{times} did not last: confirmed, and {lasted(device.undone_age_s)} ago it told another state again"
        cure = (
            "did somebody, a schedule of the maker's app or another program switch it back, or did it trip? Else click "
            "once more, and look at it: one that lasts ends this"
        )
        is_new = device.undone > 1 and device.undone_age_s < RARE_S
        yield Finding("switching", UNCHECKED if is_new else NOTE, text, cure, name)


def _check_late(device: ServedDevice, name: str) -> Iterator[Finding]:
    """Single quantities that are silent while the others come, or that come and cannot be right."""
    unusable = {one: age_s for one, age_s in device.unusable_s.items() if age_s > OLD_S}
    wait_s = device.kwh_wait_s
    stand = "" if wait_s is None else f", and its kWh have stood still for {lasted(wait_s)}"
    if unusable:
        text = (
            f"what it reports of its {_listed(sorted(unusable))} is missing or cannot be right (all zero, perhaps), "
            f"for {lasted(max(unusable.values()))}: what is shown is as old"
        )
        text += stand if "power" in unusable else ""
        yield Finding("readings", UNCHECKED, text, f"{SOON}; if it stays, {OFF_AND_ON}", name)
    late_s = {one: age_s for one, age_s in device.late_s.items() if one not in unusable}
    power_s = late_s.pop("power", 0.0)
    if power_s > (_patience_s(device, "power") if wait_s is None else device.power_counts_s):
        text = f"it has not reported its power for {lasted(power_s)}: the W shown are as old"
        yield Finding("power", UNCHECKED, text + stand, OFF_AND_ON, name)
    late = {one: age_s for one, age_s in late_s.items() if age_s > _patience_s(device, one)}
    if late:
        text = (
            f"it has not reported its {_listed(sorted(late))} for {lasted(max(late.values()))}: what is shown is as old"
        )
        yield Finding("readings", UNCHECKED, text, OFF_AND_ON, name)


def _patience_s(device: ServedDevice, quantity: str) -> float:
    """For how long a quantity may be silent while the device is well."""
    if quantity in device.pushed_only:
        return PUSHED_S
    return max(OLD_S, device.power_counts_s) if device.answers_queries else RARE_S


def _listed(words: Sequence[str]) -> str:
    return " and its ".join(words)
