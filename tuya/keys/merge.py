"""Merges found devices into the content of a devices.json. Pure: objects in, objects and a list of changes out.

Nothing is lost: entries, fields and the order of both stay; what the user chose (name, "domoticz") is never touched;
an empty value never replaces one that is there.
"""

from __future__ import annotations

import copy
from typing import Any, Dict, List, Mapping, NamedTuple, Sequence, Tuple

from tuya.devices.devices_file import key_bytes, key_problem
from tuya.lan.device import short_id

# fields that a source may correct; any other is only filled in where it is missing
_CORRECTED = ("ip", "version", "port")
_USERS_OWN = "domoticz"


class Change(NamedTuple):
    """What happened to one device. kind: "new", "key", "updated" or "same"; text: for a person, without any key."""

    kind: str
    name: str
    device_id: str
    text: str


def merge(document: Any, found: Sequence[Mapping[str, Any]]) -> Tuple[Any, List[Change]]:
    """Merge devices (key_sources.Found) into the JSON value of a devices file, or None for a new one.

    Returns the new value, of the same form as the old one (a list, or an object with "devices"), and one change a
    device, in the order of `found`. `document` itself is not altered.
    """
    merged = copy.deepcopy(document) if document is not None else []
    entries: List[Any] = merged["devices"] if isinstance(merged, dict) else merged
    by_id: Dict[str, Dict[str, Any]] = {}
    for entry in entries:
        if isinstance(entry, dict) and isinstance(entry.get("id"), str):
            by_id.setdefault(entry["id"], entry)  # of two with the same id, the first one counts
    changes = []
    for device in found:
        entry = by_id.get(device["id"])
        if entry is None:
            entry = {"name": "", **{field: value for field, value in device.items() if field != _USERS_OWN}}
            entries.append(entry)
            by_id[device["id"]] = entry
            changes.append(_change("new", entry, "added"))
        else:
            changes.append(_update(entry, device))
    return merged, changes


def _update(entry: Dict[str, Any], device: Mapping[str, Any]) -> Change:
    updated = []
    kind = "updated"
    usable = key_problem(key_bytes(device["key"])) is None
    if device["key"] != entry.get("key") and (usable or not entry.get("key")):
        had_key = bool(entry.get("key"))
        entry["key"] = device["key"]
        updated.append("new key" if had_key else "key")
        kind = "key"
    for field, value in device.items():
        if field in ("id", "key", _USERS_OWN) or value in (None, "", {}, []):
            continue
        old = entry.get(field)
        if old in (None, "", {}, []) or (field in _CORRECTED and old != value):
            entry[field] = value
            updated.append(field)
    if not updated:
        return _change("same", entry, "nothing new")
    return _change(kind, entry, ", ".join(updated))


def _change(kind: str, entry: Mapping[str, Any], text: str) -> Change:
    problem = key_problem(key_bytes(str(entry.get("key") or "")))
    wishes = entry.get(_USERS_OWN)
    wished = wishes.get("name") if isinstance(wishes, dict) else None
    name = str(wished or entry.get("name") or short_id(entry["id"]))
    return Change(kind, name, entry["id"], f"{text}; but {problem}" if problem else text)
