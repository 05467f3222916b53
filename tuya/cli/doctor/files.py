"""Which devices the doctor looks at: those of the files that the plugin reads, and what it serves beside them.

The plugin is asked first: its hardware may read another file than the one in its folder, or none at all.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Iterator, List, Optional, Sequence, Tuple

from tuya.cli.common import is_same_file
from tuya.cli.doctor.cures import SOON
from tuya.cli.doctor.findings import FAILED, NOTE, OK, UNCHECKED, Finding
from tuya.cli.doctor.life import PLUGIN, LifeSign
from tuya.cli.doctor.machine import Machine, check_files
from tuya.devices.devices_file import DeviceEntry, DevicesFileError, parse_devices, read_devices
from tuya.devices.file_watch import content_state
from tuya.domoticz.settings import DEVICES_FILE_NAME
from tuya.setup.find_domoticz import Domoticz


def plugins_of(domoticz: Optional[Domoticz], signs: Sequence[LifeSign]) -> List[LifeSign]:
    """What hardware of ours says that runs in the Domoticz of this copy."""
    if domoticz is None or domoticz.pid is None or not domoticz.is_ours:
        return []
    return [sign for sign in signs if sign.kind == PLUGIN and sign.pid == domoticz.pid]


def look_at_files(
    machine: Machine, signs: Sequence[LifeSign], is_named: bool, needed: bool
) -> Tuple[List[Finding], Tuple[DeviceEntry, ...], Tuple[Path, ...]]:
    """The findings about every devices file that counts, the devices to look at, and the files that were looked at.

    is_named: the file was given on the command line, and it alone counts. needed: false where the device is given by
    options. A device of which the Hardware page has all, and no file anything, has no key in its entry.
    """
    paths = _paths(machine, signs)
    beside: Tuple[DeviceEntry, ...] = ()
    if is_named or not (paths or any(sign.has_own_key for sign in signs)):
        paths = [machine.devices_file] if machine.devices_file is not None else []
        findings, entries = check_files(machine, needed)
        return [*findings, *([] if is_named else _unread(machine, paths))], entries, tuple(paths)
    found: List[Finding] = []
    listed: List[DeviceEntry] = []
    is_needed = needed and not all(sign.has_own_key for sign in signs)
    for path in paths:
        findings, entries = check_files(replace(machine, devices_file=path), is_needed)
        found += findings
        listed += [entry for entry in entries if all(one.device_id != entry.device_id for one in listed)]
    states = {finding.state for finding in found}
    if FAILED not in states and (listed or UNCHECKED not in states):
        beside = _beside(signs, listed)
    if beside:
        names = ", ".join(sorted({sign.name for sign in signs if any(sign.serves(one.device_id) for one in beside)}))
        text = f"{names}: {len(beside)} served beside that, as the Hardware page says"
        found.append(Finding("files", OK, text))
    return [*found, *_unread(machine, paths)], (*listed, *beside), tuple(paths)


def _unread(machine: Machine, paths: Sequence[Path]) -> List[Finding]:
    """The files where the plugin looks for one, and that it does not read, as another one comes first."""
    started = machine.started
    folders = [machine.folder]
    folders += [machine.folder.parent.parent] if machine.folder.parent.name == "plugins" else []
    folders += [started.user_data] if started is not None else []
    others: List[Path] = []
    for path in (folder / DEVICES_FILE_NAME for folder in folders):
        if path.is_file() and not any(_is_same(path, one) for one in (*paths, *others)):
            others.append(path)
    if all(path.name != DEVICES_FILE_NAME for path in paths):  # the field Devices file names another one: on purpose
        return []
    read = ", ".join(map(str, paths))
    cure = f"take what is right into {paths[0]}, and remove the other"
    return [Finding("files", NOTE, f"{other} is not read: {read} is", cure) for other in others]


def _paths(machine: Machine, signs: Sequence[LifeSign]) -> List[Path]:
    """The files that hardware reads, each once, as this process sees them."""
    outside = machine.started.outside if machine.started is not None else ""
    told = [Path(f"{outside}{sign.devices_file}") for sign in signs if sign.devices_file]
    paths: List[Path] = []
    for path in told:
        if not any(_is_same(path, one) for one in paths):
            default = machine.devices_file
            paths.append(default if default is not None and _is_same(path, default) else path)
    return paths


def check_in_use(sign: LifeSign, path: Path, files: Sequence[Path], is_named: bool) -> Iterator[Finding]:
    """Whether the file that a hardware reads, at `path` for us, was looked at, is sound, and was taken as it is.

    files: those that were looked at; is_named: because one was named on the command line.
    """
    if not sign.devices_file:
        return
    if files and not any(_is_same(path, file) for file in files):
        text = f"{sign.name} reads {sign.devices_file}, and this run looked at {', '.join(map(str, files))}"
        yield Finding("files", NOTE if is_named else UNCHECKED, text, f"python3 -m tuya doctor --devices {path}")
        try:
            if is_named:
                read_devices(path)
        except DevicesFileError as error:
            is_closed = isinstance(error.__context__, PermissionError)
            cure = "correct it: with its next start the plugin has nothing to serve"
            yield Finding("files", UNCHECKED if is_closed else FAILED, str(error), cure)
    if sign.file_state and content_state(path) not in ("", sign.file_state):
        text = f"{sign.name} has not taken {sign.devices_file} yet as it is now: it was changed since"
        yield Finding("files", UNCHECKED, text, f"{SOON}; if it stays: what says Setup > Log?")


def entries_in_use(machine: Machine, signs: Sequence[LifeSign]) -> Tuple[DeviceEntry, ...]:
    """The entries of the files that hardware reads, as far as they can be read here."""
    return tuple(entry for path in _paths(machine, signs) for entry in entries_of(path))


def entries_of(path: Path) -> Tuple[DeviceEntry, ...]:
    """All entries of a devices file, () where it cannot be read."""
    with contextlib.suppress(DevicesFileError):
        return read_devices(path).entries
    return ()


def _is_same(one: Path, other: Path) -> bool:
    return one == other or is_same_file(one, other)


def _beside(signs: Sequence[LifeSign], entries: Sequence[DeviceEntry]) -> Tuple[DeviceEntry, ...]:
    """Entries for devices that the Hardware page has all of, and none of the files anything."""
    known = {entry.device_id for entry in entries}
    found = {
        device.device_id: {"id": device.device_id, "name": device.name}
        for sign in signs
        if sign.has_own_key
        for device in sign.served
        if device.device_id not in known
    }
    return parse_devices(json.dumps(list(found.values()))).entries
