"""Lines of Domoticz's log -> what they say of the plugin since Domoticz was started last. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Dict, List, Optional, Sequence, Tuple

from tuya.cli.doctor.findings import FAILED, NOTE, OK, Finding, counted

EVENT_SYSTEM_CURE = (
    "Domoticz runs plugins only with its event system: Setup > Settings > Other > EventSystem, tick 'Enabled', "
    "Apply Settings, then restart Domoticz"
)
DEV_PACKAGE_CURE = (
    "install Python's development package (Debian, Ubuntu: sudo apt install python3-dev), restart Domoticz"
)
# the first line of each start: main/domoticz.cpp, "Domoticz V2025.1 (build 1) (c)2012-2025 GizMoCuz"
_START = re.compile(r"Domoticz V\S.*\(c\)2012-")
_STAMP = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\.\d+ +")
_SHOWN_ERRORS = 3
_LOCKED = "database is locked"  # by another program, all of it: over where values are stored now
_REFUSED = "SQL Query("  # main/SQLHelper.cpp: the statement, and SQLite's reason
_VALUES_TABLE = "DeviceStatus"  # what is stored there is seen to be; history (Meter, ...) is looked at by nobody
_FATAL = (
    ("Registration ignored, Plugins are not enabled", "Domoticz ignores plugins", EVENT_SYSTEM_CURE),
    ("PluginSystem: Failed dynamic library load", "Domoticz found no Python to run plugins with", DEV_PACKAGE_CURE),
    (
        "(TuyaEnergy) failed to load 'plugin.py'",
        "Domoticz could not load plugin.py",
        "bash install.sh, restart Domoticz",
    ),
)


@dataclass(frozen=True)
class LogWord:
    """What the log says. hardware: name -> (version that started, whether it runs); errors: of it, after that."""

    finding: Finding
    hardware: Dict[str, Tuple[str, bool]]
    errors: Tuple[str, ...]
    unstored: int = 0  # statements that its database refused since Domoticz was started
    unstored_history_at: Optional[str] = None  # when it refused one that is not about current values; "" unknown

    @property
    def tells_of_one(self) -> bool:
        """Whether it tells of hardware that was started and not stopped since."""
        return any(runs for _, runs in self.hardware.values())

    @property
    def reason(self) -> str:
        """What a plugin that was started said last; "" where none runs, or none complained."""
        running = tuple(f"{name}: " for name, (_, runs) in self.hardware.items() if runs)
        said = [error for error in self.errors if error.startswith(running)]
        return said[-1] if said and running else ""


def of_this_start(lines: Sequence[str]) -> List[str]:
    """The lines since Domoticz was started last; all of them where no start is among them."""
    starts = [number for number, line in enumerate(lines) if _START.search(line)]
    return list(lines[starts[-1] :]) if starts else list(lines)


def judge(lines: Sequence[str], log: str, author: str) -> LogWord:
    """Judge what the log says since the last start. author: of the manifest, by which our hardware is known.

    Lines of an earlier start count for nothing; errors of an earlier start of the hardware are over.
    """
    initialized = re.compile(rf"^(?P<name>.+?): Initialized version (?P<version>\S+), author '{re.escape(author)}'")
    hardware: Dict[str, Tuple[str, bool]] = {}
    errors: List[str] = []
    fatal: Optional[Finding] = None
    unstored = 0
    unstored_history_at: Optional[str] = None
    for line in of_this_start(lines):
        text = _STAMP.sub("", line).lstrip()
        is_error = text.startswith("Error: ")
        text = text.partition(": ")[2] if text.startswith(("Error: ", "Status: ", "Debug: ")) else text
        if is_error and text.startswith(_REFUSED):
            unstored += 1
            if _VALUES_TABLE not in text and not text.rstrip().endswith(_LOCKED):
                stamp = _STAMP.match(line.lstrip())
                unstored_history_at = stamp[1] if stamp is not None else ""
        for sign, meaning, cure in _FATAL:
            if sign in text:
                fatal = Finding("log", FAILED, f"{log}: {meaning}", cure)
        started = initialized.match(text)
        if started:
            name = started["name"]
            hardware[name] = (started["version"], True)
            errors = [error for error in errors if not error.startswith(f"{name}: ")]
            fatal = None
        for name, (version, _) in list(hardware.items()):
            if text in (f"{name}: Stopped.", f"{name}: Stop directive received."):
                hardware[name] = (version, False)
            elif is_error and text.startswith(f"{name}: "):
                errors.append(text)
    return LogWord(fatal or _finding(log, hardware, errors), hardware, tuple(errors), unstored, unstored_history_at)


def _finding(log: str, hardware: Dict[str, Tuple[str, bool]], errors: Sequence[str]) -> Finding:
    running = [name for name, (_, runs) in hardware.items() if runs]
    if not running:
        what = "was stopped and not started again" if hardware else "has not been started since Domoticz was"
        cure = "Setup > Hardware: add it, or select it and tick 'Enabled'; if its type is not listed, restart Domoticz"
        return Finding("log", NOTE, f"{log}: the plugin {what}", cure)
    if errors:
        said = " / ".join(dict.fromkeys(errors[-_SHOWN_ERRORS:]))
        return Finding(
            "log", NOTE, f"{log}: {counted(len(errors), 'error')} since the plugin was started; last: {said}"
        )
    return Finding("log", OK, f"{log}: {', '.join(running)} started, no errors since")
