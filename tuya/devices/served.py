"""Which entries of a devices file are served, and why the others are not."""

from __future__ import annotations

from types import MappingProxyType
from typing import Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ..metering import families
from ..metering.profile import UNKNOWN, Profile, match
from .devices_file import DeviceEntry, DevicesFile, key_problem
from .names import first_of

MAX_NAMED = 5
SERVE_CURE = '"domoticz": {"use": true} in an entry serves it, {"use": false} leaves it out'


class NotServed(NamedTuple):
    """An entry that is left out. reason: in words that go on "3 ..." as well as "Kettle: ..."."""

    entry: DeviceEntry
    reason: str


class Choice(NamedTuple):
    """The devices to serve, and what is to be said about the others.

    profiles: device id -> what is known of a device without its data points; finding it takes over a millisecond.
    """

    entries: Tuple[DeviceEntry, ...] = ()
    profiles: Mapping[str, Profile] = MappingProxyType({})
    problems: Tuple[str, ...] = ()  # to be corrected by the user
    remarks: Tuple[str, ...] = ()
    not_served: Tuple[NotServed, ...] = ()


def choose_all(file: DevicesFile, file_name: str) -> Choice:
    """Choose every metering device of the file that can be connected to. file_name: for the messages."""
    entries: List[DeviceEntry] = []
    profiles: Dict[str, Profile] = {}
    problems = [f"{file_name}: {problem}" for problem in file.problems]
    left_out: List[NotServed] = []
    others: Dict[str, int] = {}
    for entry in file.entries:
        profile = match(entry.raw, {})
        reason = not_served(entry, profile)
        if reason:
            others[reason] = others.get(reason, 0) + 1
            left_out.append(NotServed(entry, reason))
            continue
        problem = key_problem(entry.local_key)
        if problem:
            problems.append(f"{file_name}: line {entry.line}: {entry.shown_name}: {problem}")
            left_out.append(NotServed(entry, problem))
            continue
        problems.extend(reading_problems(entry, profile, file_name))
        entries.append(entry)
        profiles[entry.device_id] = profile
    remarks: List[str] = []
    if others:
        counted = ", ".join(f"{count} {reason}" for reason, count in others.items())
        remarks.append(f"{file_name}: {len(entries)} served; not served: {counted}")
    return Choice(tuple(entries), profiles, tuple(problems), tuple(remarks), tuple(left_out))


def not_served(entry: DeviceEntry, profile: Optional[Profile] = None) -> str:
    """Return why this entry is never connected to; empty if it is. profile: of the entry alone, where it is known."""
    if entry.wishes.use is False:
        return 'with "use": false'
    if entry.is_sub_device:
        return "behind a gateway"
    if entry.wishes.use is None:
        profile = profile or match(entry.raw, {})
        if profile.matched_by not in ("product", "codes") or not profile.is_meter:
            return 'not known to measure electricity (if one does: "domoticz": {"use": true})'
    return ""


def is_unknown(entry: DeviceEntry) -> bool:
    """Whether an entry is not served for want of knowledge: it may measure, and nothing says what.

    Such is one with an id and a key alone, as tuya-cli prints them; not a lamp by its category, nor a plug whose model
    names no measured value, nor what somebody wants left out.
    """
    if entry.wishes.use is not None or entry.is_sub_device:
        return False
    profile = match(entry.raw, {})
    is_meter = families.kind_of(families.category_of(entry.raw), ()) == families.METER
    return profile.name == UNKNOWN and (is_meter or not entry.raw.get("mapping"))


def named(entries: Sequence[DeviceEntry]) -> str:
    """Return the names of some entries for a message, of many the first ones."""
    return first_of([entry.shown_name for entry in entries], MAX_NAMED)


def reading_problems(entry: DeviceEntry, profile: Profile, file_name: str) -> List[str]:
    """Return complaints about the wishes that change readings, with the line where the wish stands.

    file_name: "" where the entry is in no file.
    """
    result: List[str] = []
    if not isinstance(entry.raw.get("domoticz"), dict):
        return result  # said by devices_file.py
    for problem in profile.problems:
        key = problem.split('"')[1] if problem.count('"') >= 2 else ""
        line = entry.wishes.lines.get(key, entry.line)
        place = f"{file_name}: line {line}: " if file_name else ""
        result.append(f"{place}{entry.shown_name}: {problem}")
    return result
