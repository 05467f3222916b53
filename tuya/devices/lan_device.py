"""An entry of devices.json as the device that tuya/lan connects to."""

from __future__ import annotations

from tuya.devices.devices_file import DeviceEntry
from tuya.lan.device import Device


def device_of(entry: DeviceEntry) -> Device:
    """Make the device of an entry; its name is the one that messages show."""
    return Device(
        device_id=entry.device_id,
        local_key=entry.local_key,
        name=entry.shown_name,
        address=entry.address,
        port=entry.port,
        version=entry.version,
        version_fixed=entry.version_fixed,
    )
