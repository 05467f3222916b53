"""Whether what the plugin gives to Domoticz arrives there: its database against what the plugin says. Pure.

Domoticz tells a plugin nothing of a value that it could not store (its database was locked by another program, the
disk is full, the file is read-only), so neither does the plugin.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from tuya.cli.doctor.domoticz_view import StoredUnit
from tuya.cli.doctor.findings import FAILED, NOTE, OK, UNCHECKED, Finding, counted
from tuya.cli.doctor.life import LifeSign
from tuya.devices.devices_file import DeviceEntry
from tuya.domoticz.units import Kind, kind_of

CHECK = "values in Domoticz"
SETTLED_S = 150.0  # so long after its start the plugin has given everything to Domoticz twice
OLD_S = 150.0  # a meter of a breaker that answers is given to Domoticz once a minute
FRESH_S = 60.0  # and it reported what it measures so long ago at most
SAME_MOMENT_S = 15.0  # between what the plugin says and the look into the database
_TIME_FORMAT = "%Y-%m-%d %H:%M:%S"
_ENERGY = (243, 29)  # type and subtype of kWh devices: the ones that are given once a minute
_RE_CURE = '"domoticz": {"restore": true} in its entry of devices.json brings them'
_CURE = (
    "Setup > Log: what does it say of SQL or its database? Is the disk full (df -h)? Does another program hold "
    "domoticz.db? Then restart Domoticz"
)


def zone_of(pid: Optional[int]) -> Optional[str]:
    """The TZ of a process, None where it has none or we may not look: then it has that of this machine."""
    try:
        words = Path("/proc", str(pid), "environ").read_bytes().split(b"\0")
    except OSError:
        return None
    return next((os.fsdecode(word[3:]) for word in words if word.startswith(b"TZ=")), None)


def ages_s(stored: Sequence[StoredUnit], now_s: float, zone: Optional[str]) -> Dict[Tuple[str, int], float]:
    """How long ago each was stored, in seconds; negative: in the future. What is no time is left out.

    zone: the TZ of that Domoticz, which notes local times. In the hour that a clock runs through twice in autumn the
    one is taken that is nearer to now.
    """
    before = os.environ.get("TZ")
    try:
        _set_zone(before if zone is None else zone)
        return {
            (one.device_id, one.unit): age_s
            for one in stored
            for age_s in [_age_s(one.updated, now_s)]
            if age_s is not None
        }
    finally:
        _set_zone(before)


def _set_zone(zone: Optional[str]) -> None:
    if zone is None:
        os.environ.pop("TZ", None)
    else:
        os.environ["TZ"] = zone
    time.tzset()


def _age_s(text: str, now_s: float) -> Optional[float]:
    try:
        moment = time.strptime(text, _TIME_FORMAT)
        at_s = time.mktime((*moment[:8], -1))
    except (ValueError, OverflowError):
        return None
    twice = [
        other_s
        for other_s in (at_s - 3600.0, at_s, at_s + 3600.0)
        if time.strftime(_TIME_FORMAT, time.localtime(other_s)) == text
    ]
    return min((now_s - other_s for other_s in twice or [at_s]), key=abs)


def check_stored(
    sign: LifeSign,
    stored: Optional[Sequence[StoredUnit]],
    ages: Mapping[Tuple[str, int], float],
    entries: Sequence[DeviceEntry],
) -> Iterator[Finding]:
    """What became of the values of each device that `sign` serves. stored: None where nobody can tell."""
    held = sign.shown
    if held is None:
        return
    rows: Dict[str, Dict[int, StoredUnit]] = {}
    for one in stored or ():
        rows.setdefault(one.device_id, {})[one.unit] = one
    for entry in entries:
        device = sign.serves(entry.device_id)
        if device is None or not device.connected:
            continue
        name = entry.shown_name
        gone = sign.deleted.get(entry.device_id, ())
        if gone and held.get(entry.device_id):
            text = f"some were deleted in Domoticz, and stay away ({_units(gone)})"
            yield Finding("devices in Domoticz", NOTE, text, f"{_RE_CURE} back", name)
        lost = [unit for device_id, unit in sign.lost if device_id == entry.device_id]
        if lost:
            yield Finding(CHECK, FAILED, f"Domoticz did not store its new state ({_units(lost)})", _CURE, name)
        elif (sign.uptime_s or 0.0) < SETTLED_S:
            continue
        elif not held.get(entry.device_id):
            if not sign.units_waiting:  # else it is told that they are to come
                yield _without_units(sign, name)
        elif stored is not None:
            is_fresh = device.measured_age_s is not None and device.measured_age_s < FRESH_S
            yield from _check_one(
                entry.device_id, name, held[entry.device_id], rows.get(entry.device_id, {}), ages, is_fresh, sign
            )


def check_refused(count: int, stored: Sequence[Finding]) -> Finding:
    """Domoticz's log says that its database refused something: over where values have been stored of late."""
    of_values = [finding.state for finding in stored if finding.check == CHECK]
    is_over = bool(of_values) and all(state == OK for state in of_values)
    text = f"Domoticz's log: its database refused {counted(count, 'statement')} since its start"
    if is_over:
        return Finding("database", NOTE, f"{text}. That is over: values are stored now")
    return Finding("database", UNCHECKED, f"{text}, and that values are stored now is not known", _CURE)


def _without_units(sign: LifeSign, name: str) -> Finding:
    text = "it is connected, and Domoticz has no device of it"
    cure = (
        f'were its devices deleted in Domoticz, {_RE_CURE} back; if it is not to be there, "use": false; '
        "else python3 -m tuya watch shows what it reports"
    )
    return Finding("devices in Domoticz", UNCHECKED, f"{text} ({sign.name})", cure, name)


def _check_one(
    device_id: str,
    name: str,
    held: Mapping[int, int],
    rows: Mapping[int, StoredUnit],
    ages: Mapping[Tuple[str, int], float],
    is_fresh: bool,
    sign: LifeSign,
) -> Iterator[Finding]:
    missing = [unit for unit in held if unit not in rows]
    if len(missing) == len(held):
        yield Finding(CHECK, FAILED, "its devices are not in Domoticz's database", _CURE, name)
        return
    looked_s = sign.looked_age_s or 0.0
    wrong: List[int] = []
    for unit, value in held.items():
        row, age_s = rows.get(unit), ages.get((device_id, unit))
        kind = _kind(unit)
        if row is None or age_s is None or kind is None or kind.is_meter or row.nvalue == value:
            continue
        if not -SAME_MOMENT_S <= age_s <= looked_s + SAME_MOMENT_S:  # else it was stored after the plugin looked
            wrong.append(unit)
    if wrong:
        text = f"Domoticz shows another state than the plugin gave it ({_units(wrong)})"
        yield Finding(CHECK, FAILED, text, f"{_CURE}; or switch it once", name)
        return
    energy = [ages[device_id, unit] for unit in held if _is_energy(unit) and (device_id, unit) in ages]
    if not energy or not is_fresh:
        return
    age_s = min(energy, key=abs)
    if age_s > OLD_S:
        text = f"it reports, and Domoticz has stored nothing of it for {age_s:.0f} s"
        yield Finding(CHECK, FAILED, text, _CURE, name)
    elif age_s < -OLD_S:
        text = f"what Domoticz stored last is of a time {-age_s:.0f} s ahead: the clock was set, or is wrong"
        yield Finding(CHECK, NOTE, text, "is the clock of this machine right (date)?", name)
    else:
        yield Finding(CHECK, OK, f"stored {max(age_s, 0.0):.0f} s ago", device=name)


def _units(units: Sequence[int]) -> str:
    return f"unit {', '.join(map(str, units))}"


def _kind(unit: int) -> Optional[Kind]:
    """How Domoticz shows it; None for a unit of a newer release, which this one does not know."""
    try:
        return kind_of(unit)
    except ValueError:
        return None


def _is_energy(unit: int) -> bool:
    kind = _kind(unit)
    return kind is not None and (kind.type, kind.subtype) == _ENERGY
