"""The doctor's checks of this machine: files and rights, packages in Domoticz's Python, Domoticz's log. No device."""

from __future__ import annotations

import os
import re
import shlex
import stat
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Iterator, List, Optional, Sequence, Tuple

from tuya.cli.common import PLUGIN_FOLDER, devices_path
from tuya.cli.doctor.domoticz_log import DEV_PACKAGE_CURE, LogWord, judge
from tuya.cli.doctor.findings import FAILED, NOTE, OK, UNCHECKED, Finding
from tuya.cli.doctor.life import PLUGIN, LifeSign
from tuya.devices.devices_file import DeviceEntry, DevicesFileError, read_devices
from tuya.devices.served import SERVE_CURE, is_unknown, named, not_served, reading_problems
from tuya.domoticz import installation
from tuya.keys.accounts import Account
from tuya.metering.families import SOCKET, category_of, kind_of
from tuya.metering.profile import match
from tuya.setup import find_domoticz
from tuya.setup.find_domoticz import Domoticz
from tuya.setup.probe import ProbeFailed, probe
from tuya.setup.running import Started, of_process

LOG_TAIL_BYTES = 1024 * 1024
CLOCK_SLACK_S = 2.0  # of a file system's times against the kernel's
_FETCH_KEYS = "bash install.sh keys"


@dataclass(frozen=True)
class Machine:
    """What the checks look at; made once a run."""

    domoticz: Optional[Domoticz]
    devices_file: Optional[Path]
    folder: Path = PLUGIN_FOLDER

    @property
    def started(self) -> Optional[Started]:
        """How the Domoticz that has this copy of the plugin was started, or is by its service; None: unknown."""
        return self.domoticz.started if self.domoticz is not None and self.domoticz.is_ours else None


def this_machine(given_file: Optional[Path]) -> Machine:
    """Look around."""
    return Machine(find_domoticz.find(PLUGIN_FOLDER), devices_path(given_file))


def by_its_word(machine: Machine, signs: Sequence[LifeSign]) -> Machine:
    """The machine, with the process in which this copy of the plugin says that it runs, where no Domoticz is known to.

    Its program may have any name. One that is Python is no Domoticz: `python3 -m tuya host` runs the plugin as well.
    """
    if machine.domoticz is not None and machine.domoticz.is_ours and machine.domoticz.pid is not None:
        return machine
    for sign in signs:
        started = of_process(sign.pid) if sign.kind == PLUGIN and sign.is_of(machine.folder) else None
        if started is not None and not started.is_elsewhere and not started.binary.name.startswith("python"):
            root = find_domoticz.root_of(started.binary, started.options.get("-approot"))
            domoticz = Domoticz(started.binary, root, "its plugin says so", sign.pid, started, is_ours=True)
            return replace(machine, domoticz=domoticz)
    return machine


def check_files(machine: Machine, needed: bool) -> Tuple[List[Finding], Tuple[DeviceEntry, ...]]:
    """The devices file: is there, can be read by Domoticz and by nobody else, holds devices that the plugin serves.

    needed: false where the device is given by options. Returns the findings and the entries to look at.
    """
    path = machine.devices_file
    if path is None:
        missing = Finding("files", FAILED, f"there is no devices.json in {machine.folder}", _FETCH_KEYS)
        return ([missing] if needed else []), ()
    try:
        file = read_devices(path)
    except DevicesFileError as error:
        if isinstance(error.__context__, PermissionError):  # its own cure gives the file to whoever runs this
            return [_unreadable(path, find_domoticz.reader_of_keys(machine.folder, machine.domoticz))], ()
        cure = f"correct it there, or take the keys again: {_FETCH_KEYS}"
        return [Finding("files", FAILED, str(error), cure)], ()
    findings: List[Finding] = []
    for problem in file.problems:  # what somebody wrote there is not done: nothing that is "well"
        is_lost = problem in file.left_out
        cure = f"correct it in {path}" + (": nothing of this entry is served, or was looked at" if is_lost else "")
        state = NOTE if problem in file.harmless else UNCHECKED
        findings.append(Finding("files", state, f"{path.name}: {problem}", cure))
    findings += _check_rights(path, find_domoticz.reader_of_keys(machine.folder, machine.domoticz))
    if any(finding.failed for finding in findings):
        return findings, ()
    served = tuple(entry for entry in file.entries if not not_served(entry))
    for entry in served:
        for problem in reading_problems(entry, match(entry.raw, {}), path.name):
            findings.append(Finding("files", UNCHECKED, problem, f"correct it in {path}"))
    findings += _unrecognised(file.entries)
    if needed and not served:
        cure = 'take the keys again, or mark a device with "domoticz": {"use": true}'
        findings.append(Finding("files", FAILED, f"{path} holds no device that measures and can be connected to", cure))
    else:
        others = len(file.entries) - len(served)
        why = 'no meters, behind a gateway, or with "use": false'
        more = f", {others} others are not ({why})" if others else ""
        findings.append(Finding("files", OK, f"{path}: {len(served)} to be served{more}"))
    return findings, served


def _unrecognised(entries: Sequence[DeviceEntry]) -> Iterator[Finding]:
    """The entries that may measure, and of which nothing says what: nobody asked for them to be left out."""
    unknown = [entry for entry in entries if is_unknown(entry)]
    plugs = [entry for entry in unknown if kind_of(category_of(entry.raw), ()) == SOCKET]  # most measure nothing
    others = [entry for entry in unknown if entry not in plugs]
    for found, state in ((others, UNCHECKED), (plugs, NOTE)):
        if found:
            text = f"{named(found)}: not served, as nothing says what it measures"
            cure = f"{SERVE_CURE}; bash install.sh keys may know what its data points mean"
            yield Finding("files", state, text, cure)


def _check_rights(path: Path, reader: Optional[Account]) -> List[Finding]:
    if reader is not None and not reader.may_read(path):
        text = f"Domoticz runs as {reader.name} and cannot read {path}"
        cure = f"sudo chown {reader.name} {path}"
        if not reader.may_enter(path.parent):
            cure = f"put it into a folder that {reader.name} may enter (it is in {path.parent})"
        return [Finding("files", FAILED, text, cure)]
    if path.stat().st_mode & stat.S_IROTH:
        text = f"everybody on this machine can read the keys in {path}"
        return [Finding("files", NOTE, text, f"chmod o-rwx {path}")]
    return []


def _unreadable(path: Path, reader: Optional[Account]) -> Finding:
    """The doctor may not read the file. That says nothing against it, so none of its rights is to be changed for that.

    reader: as in reader_of_keys.
    """
    try:
        is_readers = reader is None or reader.may_read(path) or not reader.may_enter(path.parent)
        owner, is_owners = path.owner(), bool(path.stat().st_mode & stat.S_IRUSR)
    except (KeyError, OSError):  # it lies in a folder that is closed to this user
        text = f"the user of this run may not look into {path.parent}"
        return Finding("files", UNCHECKED, text, "sudo python3 -m tuya doctor, or give another file with --devices")
    if not is_owners:
        return Finding("files", FAILED, f"not even its owner, {owner}, may read {path}", f"sudo chmod u+r {path}")
    if reader is not None and not is_readers:
        text = f"neither Domoticz, which runs as {reader.name}, nor the user of this run may read {path}"
        return Finding("files", FAILED, text, f"sudo chown {reader.name} {path}")
    cure = f"run this as its owner: sudo -u {owner} python3 -m tuya doctor; or as root, or as a member of its group"
    return Finding("files", UNCHECKED, f"the user of this run may not read {path}, which is {owner}'s", cure)


def check_packages(machine: Machine) -> Finding:
    """lib/ is there, fits the pins, may be read by Domoticz, and can be imported in the Python that it loads, twice."""
    hidden = _hidden_from_domoticz(machine)
    if hidden is not None:
        return hidden
    try:
        installation.check(machine.folder)
    except installation.InstallationError as error:
        install = f"bash {shlex.quote(str(machine.folder / 'install.sh'))}"
        return Finding("packages", FAILED, error.what, install if error.cure == installation.CURE else error.cure)
    python, whose = sys.executable, "this Python; no Domoticz was found"
    if machine.domoticz is not None:
        loaded = find_domoticz.python_of(machine.domoticz)
        if loaded is None:
            text = f"{machine.domoticz.binary} finds no libpython3.N.so, so it cannot run plugins"
            return Finding("packages", FAILED, text, DEV_PACKAGE_CURE)
        if loaded.minor < find_domoticz.OLDEST_MINOR:
            text = f"Domoticz loads Python 3.{loaded.minor}; the plugin needs 3.{find_domoticz.OLDEST_MINOR} or newer"
            return Finding("packages", FAILED, text, "update the system's Python, or Domoticz")
        if loaded.interpreter is not None:
            python, whose = loaded.interpreter, "the Python that Domoticz loads"
        else:
            whose = f"this Python; Domoticz loads {loaded.library}, of which there is no program"
    try:
        found = probe(python, machine.folder)
    except ProbeFailed as error:
        cure = f"rm -r {machine.folder / 'lib'}, then bash install.sh --python {python}"
        return Finding("packages", FAILED, f"they cannot be imported in {python}: {error}", cure)
    packages = f"tinytuya {found['tinytuya']} and {found['crypto']}"
    return Finding("packages", OK, f"{packages} work in {python} {found['python']} ({whose})")


def _hidden_from_domoticz(machine: Machine) -> Optional[Finding]:
    """A file of the plugin that Domoticz's user may not read: our own user may well read it, and see nothing wrong."""
    domoticz = machine.domoticz
    reader = domoticz.account if domoticz is not None and domoticz.is_ours else None
    if reader is None:
        return None
    for part in (machine.folder / "lib", machine.folder / "tuya"):
        hidden = reader.unreadable_in(part)
        if hidden is not None:
            text = f"Domoticz runs as {reader.name} and cannot read {hidden}"
            cure = f"{installation.opening_command(machine.folder, hidden)}, then restart Domoticz"
            return Finding("packages", FAILED, text, cure)
    return None


def read_log(machine: Machine) -> Optional[LogWord]:
    """What the log file of the Domoticz that counts says since it was started; None where it writes none (-log)."""
    started = machine.started
    if started is None or started.log is None:
        return None
    try:
        with started.log.open("rb") as file:
            status = os.fstat(file.fileno())
            if started.began_s is not None and status.st_mtime < started.began_s - CLOCK_SLACK_S:
                return None  # of an earlier run
            file.seek(max(0, status.st_size - LOG_TAIL_BYTES))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return None
    return judge(lines, str(started.log), author_of(machine.folder))


def author_of(folder: Path) -> str:
    """The author that the manifest names, by which Domoticz's log names our hardware."""
    text = (folder / "plugin.py").read_text(encoding="utf-8")
    match = re.search(r'<plugin [^>]*\bauthor="([^"]*)"', text)
    return match[1] if match else ""
