"""What the stand-in hands to its users: log lines, device rows and problems. Knows neither plugin nor database."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, Mapping


@dataclass(frozen=True)
class LogLine:
    """One line of the log. `level` is "debug", "normal", "status", "error" or "print" (written to stdout or stderr)."""

    at_s: float  # seconds since the epoch
    hardware: int
    name: str  # of the hardware
    level: str
    text: str


@dataclass(frozen=True)
class Problem:
    """Something that would have hurt a real Domoticz.

    `kind` is "crash" (the process would have died), "hang" (its web server would have stopped answering),
    "slow" (it would have stopped answering for a while) or "rule" (a misuse that happens to go well).
    """

    kind: str
    hardware: int
    text: str


@dataclass(frozen=True)
class DeviceRow:
    """One line of Domoticz's device table, as plugins and users see it."""

    idx: int
    hardware: int
    device_id: str
    unit: int
    name: str
    type: int
    subtype: int
    switchtype: int
    nvalue: int
    svalue: str
    timed_out: bool
    used: bool
    updates: int  # Update and Touch calls of the plugin since the row was made
    last_update: str  # local time, "2025-09-20 10:28:08"
    options: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> Dict[str, object]:
        """Return the object which `python3 -m tuya host --json` lists."""
        return {
            "device_id": self.device_id,
            "unit": self.unit,
            "name": self.name,
            "type": self.type,
            "subtype": self.subtype,
            "switchtype": self.switchtype,
            "nvalue": self.nvalue,
            "svalue": self.svalue,
            "timed_out": self.timed_out,
            "used": self.used,
            "updates": self.updates,
        }
