"""Whether what the plugin gives to Domoticz arrives there: its database against what the plugin says. Pure.

Domoticz tells a plugin nothing of a value that it could not store (its database was locked by another program, the
disk is full, the file is read-only), so neither does the plugin.
"""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from tuya.cli.doctor.domoticz_view import StoredUnit
from tuya.cli.doctor.findings import FAILED, NOTE, OK, UNCHECKED, Finding, counted, lasted
from tuya.cli.doctor.foreign_values import check_foreign
from tuya.cli.doctor.life import LifeSign
from tuya.devices.devices_file import DeviceEntry
from tuya.domoticz.planner import ENERGY_KEEP_ALIVE_S, KEEP_ALIVE_S
from tuya.domoticz.units import Kind, kind_of

CHECK = "values in Domoticz"
SETTLED_S = 150.0  # so long after its start the plugin has given everything to Domoticz twice
BEHIND_S = 15.0  # so much older than the plugin's last Update of a meter, and it is not what is stored


@dataclass(frozen=True)
class Pace:
    """How old what Domoticz has stored of a meter may be, while its breaker reports.

    late_s: an Update more than is due was not stored, or was not made. old_s: several.
    """

    late_s: float
    old_s: float


ENERGY_PACE = Pace(ENERGY_KEEP_ALIVE_S + 17.0, 150.0)
METER_PACE = Pace(KEEP_ALIVE_S + 20.0, 2 * KEEP_ALIVE_S + 20.0)
FRESH_S = 60.0  # and the breaker reported what it measures so long ago at most
HISTORY_OVER_S = 900.0  # Domoticz writes history every 5 min: three times without a refusal
SAME_MOMENT_S = 15.0  # between what the plugin says and the look into the database
_TIME_FORMAT = "%Y-%m-%d %H:%M:%S"
_ENERGY = (243, 29)  # type and subtype of kWh devices: the ones that are given once a minute
# clicking it to what it is already changes nothing, here or at the device; at its start the plugin gives every state
_AGAIN_CURE = "Setup > Hardware: select the plugin's hardware, Update: it starts anew, and gives every state again"
_RE_CURE = '"domoticz": {"restore": true} in its entry of devices.json brings them'
_CURE = (
    "Setup > Log: what does it say of SQL or its database? Is the disk full (df -h)? Does another program hold "
    "domoticz.db? Then restart Domoticz"
)
_UNGIVEN_CURE = (
    "what it reports of that is missing, or cannot be right: its findings 'values', 'power' and 'readings' say why, "
    "and python3 -m tuya watch shows what comes. Where nothing is wrong there: Setup > Hardware, select the plugin's "
    "hardware, Update"
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
    with _in_zone(zone):
        return {
            (one.device_id, one.unit): age_s
            for one in stored
            for age_s in [_age_s(one.updated, now_s)]
            if age_s is not None
        }


def age_of_s(text: str, now_s: float, zone: Optional[str]) -> float:
    """How long ago Domoticz noted this time, as ages_s has it, in seconds; 0 where it is no time."""
    with _in_zone(zone):
        return _age_s(text, now_s) or 0.0


@contextlib.contextmanager
def _in_zone(zone: Optional[str]) -> Iterator[None]:
    """Have the local time of this process be that of a zone; None: its own."""
    before = os.environ.get("TZ")
    try:
        _set_zone(before if zone is None else zone)
        yield
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
    after: Optional[LifeSign] = None,
) -> Iterator[Finding]:
    """What became of the values of each device that `sign` serves. stored: None where nobody can tell.

    after: what the same plugin said after the look at `stored`.
    """
    held = sign.shown
    if held is None:
        return
    is_settled = (sign.uptime_s or 0.0) >= SETTLED_S
    rows: Dict[str, Dict[int, StoredUnit]] = {}
    for one in stored or ():
        rows.setdefault(one.device_id, {})[one.unit] = one
    for entry, device in sign.connected(entries):
        name = entry.shown_name
        gone = sign.deleted.get(entry.device_id, ())
        if gone and held.get(entry.device_id):
            text = f"some were deleted in Domoticz, and stay away ({units_in_words(gone)})"
            yield Finding("devices in Domoticz", NOTE, text, f"{_RE_CURE} back", name)
        lost = [unit for device_id, unit in sign.lost if device_id == entry.device_id]
        if lost:
            yield Finding(CHECK, FAILED, f"Domoticz did not store its new state ({units_in_words(lost)})", _CURE, name)
        elif not held.get(entry.device_id):
            if is_settled and not sign.units_waiting:  # else it is told that they are to come
                yield _without_units(sign, name)
        elif stored is not None:
            units, its_rows = held[entry.device_id], rows.get(entry.device_id, {})
            states = list(_check_states(entry.device_id, name, units, its_rows, ages, sign)) if is_settled else []
            yield from states
            foreign: List[Finding] = []
            if after is not None:  # without it what the plugin gave meanwhile would count as another's
                foreign = list(check_foreign(entry.device_id, name, its_rows, ages, sign, after))
            yield from foreign
            if not states and not foreign:
                is_fresh = device.measured_age_s is not None and device.measured_age_s < FRESH_S
                meters = _meters(entry.device_id, units, ages, sign)
                ungiven = [] if sign.written_ages_s is None else [one for one in meters if one.is_ungiven]
                yield from _check_meters(name, meters, ungiven, is_fresh, is_settled)


def check_refused(count: int, stored: Sequence[Finding], history_age_s: Optional[float] = None) -> Finding:
    """Domoticz's log says that its database refused something: over where values have been stored of late.

    history_age_s: since it refused what is none of the current values, such as the history, which is written every
    5 min: what is stored of the values says nothing of that. None: it never did.
    """
    of_values = [finding.state for finding in stored if finding.check == CHECK]
    is_over = bool(of_values) and all(state == OK for state in of_values)
    text = f"Domoticz's log: its database refused {counted(count, 'statement')} since its start"
    if is_over and history_age_s is not None and history_age_s < HISTORY_OVER_S:
        text += f", the last one {lasted(history_age_s)} ago. It was not about current values, which are stored: the "
        text += "history (its graphs and the kWh of past days), or something else that Domoticz keeps"
        return Finding("database", UNCHECKED, text, f"{_CURE}; whether it is over is known in 15 min")
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


def _check_states(
    device_id: str,
    name: str,
    held: Mapping[int, int],
    rows: Mapping[int, StoredUnit],
    ages: Mapping[Tuple[str, int], float],
    sign: LifeSign,
) -> Iterator[Finding]:
    """Whether its units are there, and switches, selectors, alerts and texts show what they were given."""
    missing = [unit for unit in held if unit not in rows]
    if len(missing) == len(held):
        yield Finding(CHECK, FAILED, "its devices are not in Domoticz's database", _CURE, name)
        return
    looked_s = sign.looked_age_s or 0.0
    wrong: List[int] = []
    for unit, value in held.items():
        row, age_s = rows.get(unit), ages.get((device_id, unit))
        kind = known_kind(unit)
        if row is None or age_s is None or kind is None or kind.is_meter or row.nvalue == value:
            continue
        if not -SAME_MOMENT_S <= age_s <= looked_s + SAME_MOMENT_S:  # else it was stored after the plugin looked
            wrong.append(unit)
    if wrong:
        text = f"Domoticz shows another state than the plugin gave it ({units_in_words(wrong)})"
        yield Finding(CHECK, FAILED, text, f"{_AGAIN_CURE}. If it comes back: {_CURE}", name)


@dataclass(frozen=True)
class Meter:
    """One meter: age_s: since Domoticz stored it, written_s: since the plugin gave it; None: not in this run of it."""

    unit: int
    age_s: float
    written_s: Optional[float]
    pace: Pace

    @property
    def is_behind(self) -> bool:
        """Whether what the plugin gave last is not what is stored."""
        return self.written_s is not None and self.age_s > self.written_s + BEHIND_S

    @property
    def is_ungiven(self) -> bool:
        """Whether it is old because the plugin gave nothing since, of one that says what it gave."""
        return not self.is_behind and (self.written_s is None or self.written_s > self.pace.late_s - BEHIND_S)


def _meters(
    device_id: str, held: Mapping[int, int], ages: Mapping[Tuple[str, int], float], sign: LifeSign
) -> List[Meter]:
    """The meters that are given to Domoticz again and again: those that were in this run of the plugin.

    One of the kWh ought to be among them: where none is, the one that was stored last stands for all.
    """
    written = (sign.written_ages_s or {}).get(device_id, {})
    found: List[Meter] = []
    for unit in held:
        age_s, kind = ages.get((device_id, unit)), known_kind(unit)
        if age_s is None or kind is None or not kind.is_meter:
            continue
        written_s = written.get(unit)
        is_energy = _is_energy(unit)
        set_s = sign.clock_set_s
        if written_s is not None and abs(set_s) > BEHIND_S and abs(age_s - written_s - set_s) < BEHIND_S:
            continue  # it was stored before the clock was set
        found.append(Meter(unit, age_s, written_s, ENERGY_PACE if is_energy else METER_PACE))
    given = [one for one in found if one.written_s is not None]
    if any(one.pace is ENERGY_PACE for one in given):
        return given
    energy = [one for one in found if one.pace is ENERGY_PACE]
    return [*given, *sorted(energy, key=lambda one: abs(one.age_s))[:1]]


def _check_meters(
    name: str, meters: Sequence[Meter], ungiven: Sequence[Meter], is_fresh: bool, is_settled: bool
) -> Iterator[Finding]:
    """Whether what the plugin gave is stored, and whether it gives anything (after a while, where it reports)."""
    behind = [one for one in meters if one.is_behind]
    late = [one for one in meters if is_fresh and is_settled and one.age_s > one.pace.late_s and one not in behind]
    for found, what in ((behind, "the plugin gave a newer one, and"), (late, "it reports, and")):
        if not found:
            continue
        oldest = max(found, key=lambda one: one.age_s / one.pace.old_s)
        again = f"it is given again within {max(one.pace.late_s for one in found) / 60:.0f} min: run this again then"
        units = units_in_words([one.unit for one in found])
        text = f"{what} Domoticz has stored nothing of it for {oldest.age_s:.0f} s ({units})"
        cure = f"{again}; if it stays, {_CURE}"
        if all(one in ungiven for one in found):
            text = f"it answers, and the plugin has given Domoticz nothing of it for {oldest.age_s:.0f} s ({units})"
            cure = _UNGIVEN_CURE
        yield Finding(CHECK, FAILED if oldest.age_s > oldest.pace.old_s else UNCHECKED, text, cure, name)
        return
    energy = [one.age_s for one in meters if one.pace is ENERGY_PACE]
    if not energy or not is_fresh or not is_settled:
        return
    age_s = min(energy, key=abs)
    if age_s < -ENERGY_PACE.old_s:
        text = f"what Domoticz stored last is of a time {-age_s:.0f} s ahead: the clock was set, or is wrong"
        yield Finding(CHECK, NOTE, text, "is the clock of this machine right (date)?", name)
    else:
        yield Finding(CHECK, OK, f"stored {max(age_s, 0.0):.0f} s ago", device=name)


def units_in_words(units: Sequence[int]) -> str:
    """As "unit 3, 4"."""
    return f"unit {', '.join(map(str, units))}"


def known_kind(unit: int) -> Optional[Kind]:
    """How Domoticz shows it; None for a unit of a newer release, which this one does not know."""
    try:
        return kind_of(unit)
    except ValueError:
        return None


def _is_energy(unit: int) -> bool:
    kind = known_kind(unit)
    return kind is not None and (kind.type, kind.subtype) == _ENERGY
