"""
<plugin key="TuyaEnergy" name="Tuya breakers and energy meters (local)" author="domoticz-tuya-breakers" version="1.1.0" wikilink="" externallink="">
    <description>
        <h2>Tuya breakers and energy meters, over the local network only</h2>
        A switch, a kWh meter, a voltage and a current device for each breaker, fed by the breaker itself.<br/>
        First run "bash install.sh" and "bash install.sh keys" in the plugin folder; then add this hardware.
        All fields may stay as they are: every metering device in devices.json is then served.
    </description>
    <params>
        <param field="Address" label="IP address" width="150px">
            <description>Of the device below. Empty: found by its announcements.</description>
        </param>
        <param field="Username" label="Device ID" width="220px">
            <description>Empty: every metering device in the devices file. One id: only this device.</description>
        </param>
        <param field="Password" label="Local key" width="220px" password="true">
            <description>Of the device above. Empty: from the devices file.</description>
        </param>
        <param field="Mode1" label="Devices file" width="300px">
            <description>Empty: devices.json in the plugin folder, else in Domoticz's user data folder.</description>
        </param>
        <param field="Mode2" label="Switching" width="150px">
            <options>
                <option label="allowed" value="allowed" default="true"/>
                <option label="refused (read only)" value="refused"/>
            </options>
        </param>
        <param field="Mode3" label="Protocol" width="150px">
            <options>
                <option label="automatic" value="auto" default="true"/>
                <option label="3.1" value="3.1"/>
                <option label="3.2" value="3.2"/>
                <option label="3.3" value="3.3"/>
                <option label="3.4" value="3.4"/>
                <option label="3.5" value="3.5"/>
            </options>
        </param>
        <param field="Mode4" label="Devices shown" width="250px">
            <options>
                <option label="switch, kWh, voltage, current" value="basic" default="true"/>
                <option label="all that the breaker reports" value="all"/>
            </options>
        </param>
        <param field="Mode5" label="Update interval (s)" width="150px">
            <options>
                <option label="5" value="5" default="true"/>
                <option label="2" value="2"/>
                <option label="10" value="10"/>
                <option label="30" value="30"/>
                <option label="60" value="60"/>
            </options>
        </param>
        <param field="Mode6" label="Log" width="150px">
            <options>
                <option label="normal" value="normal" default="true"/>
                <option label="debug" value="debug"/>
            </options>
        </param>
    </params>
</plugin>
"""

# Callbacks of Domoticz's plugin framework; no logic here. Nothing that goes wrong while this file is imported may
# leave it: a plugin that failed to import hangs Domoticz's web server when it is disabled later. The name "threading"
# must not be among the globals: where the framework finds it, each stop takes ten seconds.

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import Any

import DomoticzEx as Domoticz

_fault = ""
_bridge: Any = None

try:
    if sys.version_info < (3, 9):  # noqa: UP036 - Domoticz may have loaded an older one than the project supports
        _fault = f"This plugin needs Python 3.9 or newer, and Domoticz runs Python {sys.version.split()[0]}"
    else:
        _folder = Path(__file__).resolve().parent
        # Domoticz of 2026 keeps the interpreter over a restart, and in it, up to a release or where this folder is a
        # link, all but this file: after an update the old modules would serve the new files, with their old state.
        # Only what is the plugin's: a virtual environment in this folder (bash install.sh test) is not.
        _ours = tuple(f"{_folder}{os.sep}{_part}{os.sep}" for _part in ("tuya", "lib"))
        for _name, _module in list(sys.modules.items()):
            _origin = getattr(_module, "__dict__", {}).get("__file__")
            if _name != __name__ and isinstance(_origin, str) and _origin.startswith(_ours):
                del sys.modules[_name]
        importlib.invalidate_caches()
        for _path in (str(_folder), str(_folder / "lib")):
            if _path in sys.path:
                sys.path.remove(_path)
            sys.path.insert(0, _path)
        from tuya.domoticz.bridge import Bridge
        from tuya.domoticz.framework import Framework
except Exception as _error:  # noqa: BLE001 - see above: nothing may leave
    _fault = (
        f"The plugin cannot be loaded ({type(_error).__name__}: {_error}). "
        "Run 'bash install.sh' in the plugin folder, then restart Domoticz"
    )


def onStart() -> None:
    global _bridge
    if _fault:
        Domoticz.Error(_fault)
        return
    _bridge = Bridge(Framework(Domoticz, globals()))
    _bridge.start()


def onHeartbeat() -> None:
    if _bridge is not None:
        _bridge.heartbeat()


def onCommand(DeviceID: str, Unit: int, Command: str, Level: int, *_: object) -> None:
    if _bridge is not None:
        _bridge.click(DeviceID, Unit, Command, Level)


def onDeviceRemoved(DeviceID: str, Unit: int = 0) -> None:
    if _bridge is not None and Unit:
        _bridge.unit_removed(DeviceID, Unit)


def onDeviceAdded(DeviceID: str, Unit: int = 0) -> None:
    if _bridge is not None and Unit:
        _bridge.unit_added(DeviceID, Unit)


def onDeviceModified(DeviceID: str, Unit: int = 0) -> None:
    if _bridge is not None and Unit:
        _bridge.unit_modified(DeviceID, Unit)


def onStop() -> None:
    global _bridge
    bridge, _bridge = _bridge, None
    if bridge is not None:
        bridge.stop()
