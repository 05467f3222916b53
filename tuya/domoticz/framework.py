"""The only module that touches objects of Domoticz's plugin framework.

Objects of the framework are looked up for each call and never kept: one that outlives onStop is a reference-count
error in Domoticz. Updates come from one thread only, creation from the plugin's thread only (see publisher, bridge).
"""

from __future__ import annotations

import re
from typing import Any, Dict, Iterable, Mapping, NamedTuple, Optional, Set

from ..devices.secrets import without_keys
from . import units
from .units import State

# Up to this release each Update also rewrites name, description and options from the object, and one that could not be
# stored ends before its look into the database (CUnitEx_update in hardware/plugins/PythonObjectEx.cpp).
_LAST_STALE_RELEASE = (2023, 2)
_RELEASE = re.compile(r"(\d{4})\.(\d+)")


class Written(NamedTuple):
    """What a unit holds after an Update; is_stored: whether that Update reached the database, by its time of update."""

    held: State
    is_stored: bool


class Framework:
    """One hardware instance as its plugin sees it.

    module: DomoticzEx. namespace: the globals of plugin.py, where the framework puts Parameters, Devices and Settings
    (and puts new ones after a restart).
    """

    def __init__(self, module: Any, namespace: Mapping[str, Any]) -> None:
        self._module = module
        self._namespace = namespace
        self._secrets: Set[str] = set()
        self._reads_anew = _leaves_objects_stale(str(self.parameters.get("DomoticzVersion", "")))

    # -- the hardware

    @property
    def parameters(self) -> Mapping[str, Any]:
        """What stands on the Hardware page, and where Domoticz lives."""
        parameters: Mapping[str, Any] = self._namespace.get("Parameters") or {}
        return parameters

    @property
    def _devices(self) -> Mapping[str, Any]:
        devices: Mapping[str, Any] = self._namespace.get("Devices") or {}
        return devices

    def accepts_new_devices(self) -> Optional[bool]:
        """Whether Domoticz's settings admit new devices; None where the framework does not say."""
        settings = self._namespace.get("Settings")
        value = settings.get("AcceptNewHardware") if isinstance(settings, dict) else None
        return None if value is None else str(value) == "1"

    def heartbeat(self, seconds: int) -> None:
        """Ask for a heartbeat every so many whole seconds."""
        self._module.Heartbeat(seconds)

    def hide(self, keys: Iterable[str]) -> None:
        """Keep these local keys out of the log from now on, wherever somebody has pasted one."""
        self._secrets.update(keys)

    def log(self, text: str) -> None:
        """Write one line to Domoticz's log."""
        self._module.Log(without_keys(text, self._secrets))

    def status(self, text: str) -> None:
        """Write one line that users should see to Domoticz's log."""
        self._module.Status(without_keys(text, self._secrets))

    def error(self, text: str) -> None:
        """Write one error to Domoticz's log."""
        self._module.Error(without_keys(text, self._secrets))

    def load_configuration(self) -> object:
        """Return what was stored for this hardware."""
        return self._module.Configuration()

    def store_configuration(self, configuration: Dict[str, str]) -> None:
        """Store a dict of plain texts (no quote, no backslash) for this hardware."""
        self._module.Configuration(configuration)

    # -- devices and units

    def held(self) -> Dict[str, Dict[int, State]]:
        """Return what every existing unit of this hardware holds."""
        devices = self._devices
        return {
            str(device_id): {
                int(number): State(int(unit.nValue), str(unit.sValue))
                for number, unit in devices[device_id].Units.items()
            }
            for device_id in list(devices)
        }

    def names(self) -> Dict[str, Dict[int, str]]:
        """Return what every existing unit of this hardware is called."""
        devices = self._devices
        return {
            str(device_id): {int(number): str(unit.Name) for number, unit in devices[device_id].Units.items()}
            for device_id in list(devices)
        }

    def held_by(self, device_id: str, unit: int) -> Optional[State]:
        """Return what one unit holds; None if there is no such unit."""
        devices = self._devices
        if device_id not in devices or unit not in devices[device_id].Units:
            return None
        found = devices[device_id].Units[unit]
        return State(int(found.nValue), str(found.sValue))

    def create(self, device_id: str, unit: int, name: str, state: State, produces: bool = False) -> bool:
        """Create a unit that is born with its first value; return whether it is there now.

        The value is set before Create(): it is stored, no event fires, and no lifetime lands in "Today".
        produces: what the device measures is production.
        """
        kind = units.kind_at_birth(unit, produces)
        born = self._module.Unit(
            Name=name,
            DeviceID=device_id,
            Unit=unit,
            Type=kind.type,
            Subtype=kind.subtype,
            Switchtype=kind.switchtype,
            Options=dict(kind.options),
            Used=1,
        )
        born.nValue = state.nvalue
        born.sValue = state.svalue
        born.Create()
        return self.held_by(device_id, unit) is not None

    def write(self, device_id: str, unit: int, state: State) -> Optional[Written]:
        """Update one unit; return what became of it, None if there is no such unit.

        A switch, selector, alert or text that holds it is left alone. Domoticz tells nobody of an Update that it could
        not store (its database was locked, or the disk is full). What the unit holds then is read from the database, at
        the end of Update() or, in old releases, by Refresh().
        """
        devices = self._devices
        if device_id not in devices or unit not in devices[device_id].Units:
            return None
        found = devices[device_id].Units[unit]
        if self._reads_anew:
            found.Refresh()
        if not units.kind_of(unit).is_meter and (int(found.nValue), str(found.sValue)) == (state.nvalue, state.svalue):
            return Written(state, is_stored=False)
        before = str(found.LastUpdate)
        found.nValue = state.nvalue
        found.sValue = state.svalue
        found.Update()
        if self._reads_anew:
            found.Refresh()
        return Written(State(int(found.nValue), str(found.sValue)), str(found.LastUpdate) != before)

    def set_timed_out(self, device_id: str, is_timed_out: bool) -> None:
        """Give all units of a device the red header, or take it away."""
        devices = self._devices
        if device_id in devices:
            devices[device_id].TimedOut = 1 if is_timed_out else 0

    def remove_ghost(self, device_id: str, unit: int) -> None:
        """Take a unit out of the database that an Update brought back in the moment of its deletion."""
        kind = units.kind_of(unit)
        ghost = self._module.Unit(
            Name="", DeviceID=device_id, Unit=unit, Type=kind.type, Subtype=kind.subtype, Switchtype=kind.switchtype
        )
        ghost.Refresh()
        ghost.Delete()


def _leaves_objects_stale(version: str) -> bool:
    """Whether a unit is to be read anew around each Update in this release (an unknown one is taken for an old one)."""
    match = _RELEASE.match(version)
    return match is None or (int(match[1]), int(match[2])) <= _LAST_STALE_RELEASE
