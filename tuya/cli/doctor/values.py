"""The doctor's look at what one device measures: values that can be, and those that were left out, with their causes.

A cure fits a cause: a wish of the user's file, a scale that is off by a power of ten, or a device that contradicts
itself. Pure.
"""

from __future__ import annotations

import re
from typing import Any, Dict, Iterator, List, Mapping, Sequence

from tuya.cli.doctor.cures import OFF_AND_ON, REPORT
from tuya.cli.doctor.findings import FAILED, NOTE, OK, UNCHECKED, Finding
from tuya.devices.devices_file import DeviceEntry
from tuya.metering import wishes
from tuya.metering.catalogue import load
from tuya.metering.decode import reading_to_json
from tuya.metering.profile import Profile, match
from tuya.metering.values import VOLTAGE_MAX_V, VOLTAGE_MIN_V

READINGS = {"voltage_v": "V", "current_a": "A", "power_w": "W", "energy_kwh": "kWh", "energy_increment_wh": "Wh"}
_LAYOUT_NAMES = {"voltage_v": "voltage", "current_a": "current", "power_w": "power", "switch": "switch"}
NOTHING_YET = "it has not reported any voltage, current, power or energy yet"
# V, A and W are of different moments: more than this is a wrong factor, and beyond the second it is sure
DOUBTED, SURE = 1.3, 20.0
SLACK_W = 20.0
LEAST_FACTOR, LEAST_VA = 0.02, 50.0  # W of so much V x A at least: next to nothing of it is no load
IDLE_FACTOR, IDLE_VA = 0.1, 500.0  # an idling motor takes more W of its V x A, and little else takes so many V x A
_LEFT_OUT = re.compile(r"(voltage|current|power)[a-z ]* left out: (-?[0-9.e+-]+) ")
_SCALE_CURE = (
    "it was corrected, because its V, A and W did not fit: run this again in a minute under a steady load (its A may "
    'have been of another moment), and compare with another meter. If it is right, "domoticz": {"scale": {...}} with '
    "this factor in its entry settles it; if it is not, "
    '{"scale": {"power": 1}} (or "voltage") keeps what it reports'
)
_NO_POWER = re.compile(r"\b0 W (beside|of a loaded)")


def check_values(entry: DeviceEntry, profile: Profile, dps: Dict[int, object]) -> Iterator[Finding]:
    """What it measures, what was left out of that and why, and what cannot be for a wish of its entry."""
    reading = reading_to_json(profile.decode(dps), profile)
    notes = [*profile.problems, *profile.doubts(dps)]
    left_out = [note for note in notes if "left out" in note]
    if left_out:
        yield Finding("values", FAILED, "; ".join(left_out), _cure_of(entry, left_out))
        return
    for note in notes:
        is_corrected = "scale error" in note
        yield Finding("values", UNCHECKED if is_corrected else NOTE, note, _SCALE_CURE if is_corrected else "")
    yield from _check_layout(entry, reading, dps)
    shown = [_shown(reading[name], unit) for name, unit in READINGS.items() if name in reading]
    if not shown:
        yield Finding(
            "values", FAILED, NOTHING_YET, "switch a load on behind it and wait a minute; then run this again"
        )
        return
    yield Finding("values", OK, ", ".join(shown))
    yield from _check_scale(entry, reading)
    is_open = False in dict(reading.get("switch", {})).values()
    if "voltage_v" not in reading and not is_open and any(one.dp in dps for one in profile.layout.of("voltage")):
        text = "it reports no voltage, though it is switched on and has power to answer: it may measure nothing"
        yield Finding("voltage", UNCHECKED, text, OFF_AND_ON)
    if profile.switch_dps and not reading.get("switch"):
        dp = " and ".join(map(str, profile.switch_dps))
        text = f"such a device has a switch (data point {dp}), and this one has told none: no device is made for it"
        yield Finding("switch", NOTE, text)


def _check_layout(entry: DeviceEntry, reading: Mapping[str, Any], dps: Dict[int, object]) -> Iterator[Finding]:
    """Whether a layout that the user asked for leaves out, or changes, what would be known without that wish."""
    layout = _wishes(entry).layout
    if not layout:
        return
    wished = entry.raw.get("domoticz")
    others = {name: value for name, value in wished.items() if name != "layout"} if isinstance(wished, dict) else {}
    usual = match({**entry.raw, "domoticz": others}, dps)
    unwished = reading_to_json(usual.decode(dps), usual)
    unmade = [name for name in _LAYOUT_NAMES if name in unwished and name not in reading]
    other = [name for name in _LAYOUT_NAMES if name in unwished and reading.get(name, unwished[name]) != unwished[name]]
    if usual.matched_by == "none" or not (unmade or other):
        return
    found, how = (unmade, "makes nothing of its") if unmade else (other, "makes something else of its")
    words = ", ".join(_LAYOUT_NAMES[name] for name in found)
    text = f'"layout": "{layout}" in its entry of devices.json {how} {words}, which it reports'
    cure = f'take "layout": "{layout}" out of its entry, unless another meter says that it is right with it'
    yield Finding("values", UNCHECKED if unmade else NOTE, text, cure)


def _cure_of(entry: DeviceEntry, left_out: Sequence[str]) -> str:
    """What to do about values that cannot be, by what made them so."""
    wished = _wishes(entry)
    found = [hit for note in left_out for hit in [_LEFT_OUT.search(note)] if hit is not None]
    scaled = [f'"{role}"' for role in ("voltage", "current", "power") if role in wished.scale]
    if scaled:
        factors = f"the factor of {' and of '.join(scaled)} in "
        return f'take {factors}"scale" out of its entry in devices.json: what it reports does not fit with it'
    if wished.layout:
        return f'take "layout": "{wished.layout}" out of its entry in devices.json: its data points do not fit that one'
    if any(_NO_POWER.search(note) for note in left_out):
        return f"it tells 0 W while a current flows: {OFF_AND_ON}"
    for one in found:
        if one[1] == "voltage":
            factor = 0.1 if float(one[2]) > VOLTAGE_MAX_V else 10
            scale = f'"domoticz": {{"scale": {{"voltage": {factor}}}}} in its entry of devices.json'
            return f"if a factor of ten is missing: {scale}; else {REPORT}"
    return (
        "its V, A and W contradict each other: run this again under a steady load, beside another meter. If one of "
        f'them is off by ten: "domoticz": {{"scale": {{"power": 0.1}}}} in its entry (or "current", or 10); else '
        f"{REPORT}"
    )


def _check_scale(entry: DeviceEntry, reading: Mapping[str, Any]) -> Iterator[Finding]:
    """Whether V, A and W fit together: under factors that the user gave nobody else doubts them; else W may stand."""
    scaled = [role for role in ("voltage", "current", "power") if role in _wishes(entry).scale]
    volts, amperes, watts = (_by_channel(reading.get(name)) for name in ("voltage_v", "current_a", "power_w"))
    wrong: List[str] = []
    is_sure = False
    for voltage_v in volts.values():
        if not VOLTAGE_MIN_V <= voltage_v <= VOLTAGE_MAX_V:
            wrong.append(f"{voltage_v:g} V are no mains")
            is_sure = True
    only_v = next(iter(volts.values())) if len(volts) == 1 else None
    for channel in sorted(watts.keys() & amperes.keys()):
        at_v = volts.get(channel, only_v)
        if at_v is None:
            continue
        apparent_va, power_w = abs(at_v * amperes[channel]), abs(watts[channel])
        if not scaled and apparent_va > IDLE_VA and power_w < IDLE_FACTOR * apparent_va:
            text = f"{watts[channel]:g} W beside {at_v:g} V x {amperes[channel]:g} A: hardly any load is like that"
            cure = f"switch what is behind it off and on, and run this again: do both change? If not, {OFF_AND_ON}"
            yield Finding("values", UNCHECKED, text, cure)
        is_above = power_w > DOUBTED * apparent_va + SLACK_W
        if is_above or (apparent_va > LEAST_VA and power_w < LEAST_FACTOR * apparent_va):
            wrong.append(f"{watts[channel]:g} W do not fit {at_v:g} V x {amperes[channel]:g} A")
            is_sure = is_sure or (apparent_va > LEAST_VA and power_w > SURE * apparent_va)
    if wrong and scaled:
        named = ", ".join(f'"{role}"' for role in scaled)
        text = f'{"; ".join(wrong)}: its entry in devices.json has a "scale" of {named}'
        cure = f'take "scale" of {named} out of its entry; what was counted with it stays in the kWh'
        yield Finding("values", FAILED if is_sure else UNCHECKED, text, cure)


def _by_channel(amounts: object) -> Dict[str, float]:
    """Amounts of a reading by channel; one number is of the only one."""
    if isinstance(amounts, dict):
        return {str(channel): float(amount) for channel, amount in amounts.items()}
    return {"": float(amounts)} if isinstance(amounts, (int, float)) else {}


def _wishes(entry: DeviceEntry) -> wishes.ReadingWishes:
    return wishes.parse(entry.raw.get("domoticz"), load())[0]


def _shown(amounts: object, unit: str) -> str:
    """One number, or one for each channel, with its unit."""
    if not isinstance(amounts, dict):
        return f"{amounts} {unit}"
    return " / ".join(f"{amount} {unit}" for amount in amounts.values())
