"""Memory of one hardware instance in Domoticz.Configuration(): units ever created, and the state of the kWh totals.

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


class Memory:
    """Remembered units and saved energy state by device id."""

    def __init__(self) -> None:
        self.units: Dict[str, Set[int]] = {}
        self.energy: Dict[str, Dict[str, Any]] = {}

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
        units, energy = stored.get("units"), stored.get("energy")
        if isinstance(units, dict):
            for device_id, numbers in units.items():
                if isinstance(numbers, list):
                    memory.units[device_id] = {number for number in numbers if isinstance(number, int)}
        if isinstance(energy, dict):
            memory.energy = {device_id: state for device_id, state in energy.items() if isinstance(state, dict)}
        return memory

    def dump(self) -> Dict[str, str]:
        """Return what is to be given to Configuration()."""
        stored = {
            "units": {device_id: sorted(numbers) for device_id, numbers in sorted(self.units.items())},
            "energy": dict(sorted(self.energy.items())),
        }
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

    def set_energy(self, device_id: str, state: Mapping[str, object]) -> None:
        """Keep the state of a device's totals."""
        self.energy[device_id] = dict(state)
