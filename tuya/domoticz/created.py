"""Memory of one hardware instance in Domoticz.Configuration(): units ever created, and the kWh totals with their time.

A unit that is remembered and missing was deleted by the user, also while the plugin was stopped: it stays away.
The framework keeps a dict per hardware, but a quote or a backslash in a string destroys all of it: everything is
one key with base64(JSON). Touches no object of the framework itself.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any, Dict, Iterable, Mapping, Set

CONFIGURATION_KEY = "memory"
MAX_AT_S = 1 << 40  # no time of day of ours


class Memory:
    """Remembered units and saved energy state by device id. energy_at_s: by the time of day."""

    def __init__(self) -> None:
        self.units: Dict[str, Set[int]] = {}
        self.energy: Dict[str, Dict[str, Any]] = {}
        self.energy_at_s: Dict[str, int] = {}

    @classmethod
    def load(cls, configuration: object) -> Memory:
        """Read what dump() wrote; anything else is an empty memory (then existing units are simply adopted)."""
        memory = cls()
        text = configuration.get(CONFIGURATION_KEY) if isinstance(configuration, dict) else None
        if not isinstance(text, str):
            return memory
        try:
            stored = json.loads(base64.b64decode(text, validate=True))
        except (binascii.Error, ValueError, RecursionError):
            return memory
        if not isinstance(stored, dict):
            return memory
        units, energy, energy_at_s = (stored.get(name) for name in ("units", "energy", "energy_at_s"))
        if isinstance(units, dict):
            for device_id, numbers in units.items():
                if isinstance(numbers, list):
                    memory.units[device_id] = {number for number in numbers if isinstance(number, int)}
        if isinstance(energy, dict):
            memory.energy = {device_id: state for device_id, state in energy.items() if isinstance(state, dict)}
        if isinstance(energy_at_s, dict):
            memory.energy_at_s = {
                device_id: at_s for device_id, at_s in energy_at_s.items() if type(at_s) is int and 0 <= at_s < MAX_AT_S
            }
        return memory

    def dump(self) -> Dict[str, str]:
        """Return what is to be given to Configuration()."""
        stored: Dict[str, Mapping[str, object]] = {
            "units": {device_id: sorted(numbers) for device_id, numbers in sorted(self.units.items())},
            "energy": dict(sorted(self.energy.items())),
        }
        if self.energy_at_s:
            stored["energy_at_s"] = dict(sorted(self.energy_at_s.items()))
        text = json.dumps(stored, separators=(",", ":"))
        return {CONFIGURATION_KEY: base64.b64encode(text.encode("ascii")).decode("ascii")}

    def remembered(self, device_id: str) -> Set[int]:
        """Return the units that were created for this device at some time."""
        return set(self.units.get(device_id, ()))

    def remember(self, device_id: str, units: Iterable[int]) -> None:
        """These units are there now, or were created."""
        self.units.setdefault(device_id, set()).update(units)

    def set_units(self, device_id: str, units: Iterable[int]) -> None:
        """Only these units were created: all others may be created (again)."""
        self.units[device_id] = set(units)
        if not self.units[device_id]:
            del self.units[device_id]

    def set_energy(self, device_id: str, state: Mapping[str, object], at_s: float) -> None:
        """Keep the state of a device's totals, of this time of day."""
        self.energy[device_id] = dict(state)
        self.energy_at_s[device_id] = int(at_s)

    def energy_age_s(self, device_id: str, now_s: float) -> float:
        """Return how old the kept state is by the time of day; 0 where that is not known, or the clock was set back."""
        return max(0.0, now_s - self.energy_at_s.get(device_id, now_s))
