"""The doctor's checks of this machine: files and rights, packages in Domoticz's Python, Domoticz's log. No device."""

from __future__ import annotations

import os
import re
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional, Tuple

from tuya.cli.common import PLUGIN_FOLDER, devices_path
from tuya.cli.doctor.findings import FAILED, NOTE, OK, SKIPPED, Finding
from tuya.devices.devices_file import DeviceEntry, DevicesFileError, read_devices
from tuya.devices.served import not_served
from tuya.domoticz import installation
from tuya.keys.accounts import Account
from tuya.setup import find_domoticz
from tuya.setup.find_domoticz import Domoticz
from tuya.setup.probe import ProbeFailed, probe

MANIFEST_AUTHOR = "author '"  # what the framework logs when a plugin has started: Initialized version 1, author 'x'
LOG_TAIL_BYTES = 1024 * 1024
SHOWN_ERRORS = 3
_FETCH_KEYS = "bash install.sh keys"


@dataclass(frozen=True)
class Machine:
    """What the checks look at; made once a run."""

    domoticz: Optional[Domoticz]
    devices_file: Optional[Path]
    folder: Path = PLUGIN_FOLDER


def this_machine(given_file: Optional[Path]) -> Machine:
    """Look around."""
    return Machine(find_domoticz.find(PLUGIN_FOLDER), devices_path(given_file))


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
        cure = f"correct it there, or take the keys again: {_FETCH_KEYS}"
        if not os.access(path, os.R_OK):
            cure = f"run this as its owner, {_owner(path)}, or as a member of its group"
        return [Finding("files", FAILED, str(error), cure)], ()
    findings = [Finding("files", NOTE, f"{path.name}: {problem}") for problem in file.problems]
    findings += _check_rights(path, find_domoticz.reader_of_keys(machine.folder, machine.domoticz))
    if any(finding.failed for finding in findings):
        return findings, ()
    served = tuple(entry for entry in file.entries if not not_served(entry))
    if needed and not served:
        cure = 'take the keys again, or mark a device with "domoticz": {"use": true}'
        findings.append(Finding("files", FAILED, f"{path} holds no device that measures and can be connected to", cure))
    else:
        others = len(file.entries) - len(served)
        more = f", {others} others are not (no meters, or behind a gateway)" if others else ""
        findings.append(Finding("files", OK, f"{path}: {len(served)} to be served{more}"))
    return findings, served


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


def _owner(path: Path) -> str:
    try:
        return path.owner()
    except (KeyError, OSError):
        return "another user"


def check_packages(machine: Machine) -> Finding:
    """lib/ is there, fits the pins, and its imports work in the Python that Domoticz loads, twice."""
    try:
        installation.check(machine.folder)
    except installation.InstallationError as error:
        return Finding("packages", FAILED, str(error), f"bash {machine.folder / 'install.sh'}")
    python, whose = sys.executable, "this Python; no Domoticz was found"
    if machine.domoticz is not None:
        loaded = find_domoticz.python_of(machine.domoticz)
        if loaded is None:
            text = f"{machine.domoticz.binary} finds no libpython3.N.so, so it cannot run plugins"
            cure = (
                "install Python's development package (Debian, Ubuntu: sudo apt install python3-dev), restart Domoticz"
            )
            return Finding("packages", FAILED, text, cure)
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


def check_log(machine: Machine) -> Finding:
    """What Domoticz's log says of this plugin since it was started last."""
    log = _log_file(machine.domoticz) if machine.domoticz is not None else None
    if log is None:
        reason = (
            "no Domoticz was found" if machine.domoticz is None else "it writes no log file that can be read (-log)"
        )
        return Finding("log", SKIPPED, f"Domoticz's log was not looked at: {reason}")
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - LOG_TAIL_BYTES))
        lines = file.read().decode("utf-8", "replace").splitlines()
    return judge_log(lines, str(log), _author(machine.folder))


def _author(folder: Path) -> str:
    text = (folder / "plugin.py").read_text(encoding="utf-8")
    match = re.search(r'<plugin [^>]*\bauthor="([^"]*)"', text)
    return match[1] if match else ""


def judge_log(lines: List[str], log: str, author: str) -> Finding:
    """Pure part of check_log: lines of Domoticz's log -> finding. author: of the manifest, which names our hardware."""
    for line in reversed(lines):
        if "PluginSystem: Failed dynamic library load" in line:
            cure = (
                "install Python's development package (Debian, Ubuntu: sudo apt install python3-dev), restart Domoticz"
            )
            return Finding("log", FAILED, f"{log}: Domoticz found no Python to run plugins with", cure)
        if "(TuyaEnergy) failed to load 'plugin.py'" in line:
            return Finding(
                "log", FAILED, f"{log}: Domoticz could not load plugin.py", "bash install.sh, restart Domoticz"
            )
        if "PluginSystem: Started" in line:
            break
    started = re.compile(
        rf"(?:Status: )?(?P<name>[^:]+): Initialized version \S+, {MANIFEST_AUTHOR}{re.escape(author)}'"
    )
    names: List[str] = []
    errors: List[str] = []
    for line in lines:
        content = line[24:].lstrip() if re.match(r"\d{4}-\d\d-\d\d ", line) else line
        match = started.search(content)
        if match:
            names = [*dict.fromkeys([*names, match["name"].strip()])]
            errors = [error for error in errors if not error.startswith(f"{match['name'].strip()}: ")]
        text = content[len("Error: ") :] if content.startswith("Error: ") else ""
        if any(text.startswith(f"{name}: ") for name in names):
            errors.append(text)
    if not names:
        cure = "add the hardware: Setup > Hardware; or restart Domoticz, if the plugin is new to it"
        return Finding("log", NOTE, f"{log}: the plugin has not been started since this log began", cure)
    if errors:
        said = " / ".join(dict.fromkeys(errors[-SHOWN_ERRORS:]))
        return Finding("log", NOTE, f"{log}: {len(errors)} errors since the last start; last: {said}")
    return Finding("log", OK, f"{log}: {', '.join(names)} started, no errors since")


def _log_file(domoticz: Domoticz) -> Optional[Path]:
    log = domoticz.started.log if domoticz.started is not None and domoticz.is_ours else None
    return log if log is not None and os.access(log, os.R_OK) and log.is_file() else None
