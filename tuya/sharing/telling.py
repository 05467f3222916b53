"""What is told of devices and events, as JSON objects: the same for a listener, the command line and MQTT.

An event is what `watch --json` prints; a snapshot is everything that is known of one device.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from typing import Any, Dict, List, Mapping, Optional, Sequence

from ..devices.commands import CommandRefused
from ..devices.device import KnownDevice
from ..lan import errors
from ..lan.errors import TuyaError
from ..lan.events import Connected, Event, Failed, Lost, Status
from ..metering.decode import reading_to_json
from ..metering.energy import Circuit
from ..metering.layout import DEFAULT_POWER_MAX_AGE_S
from ..metering.reading import Reading
from .lines import text_of

_NOTHING = Reading()
AGE_TOLD_S = 15.0  # refreshed every 5 or 10 s, and asked for every 30 s


def event_to_json(device: KnownDevice, event: Event) -> Optional[Dict[str, Any]]:
    """Return what is told of one event that the device has taken already; None for what is not told."""
    if isinstance(event, Status):
        return {
            "event": "status",
            "id": event.device_id,
            "dps": dps_to_json(event.dps),
            "readings": readings_of(device),
            "totals_wh": totals_to_json(device.totals_wh(event.at_s)),
            "full": event.full,
        }
    if isinstance(event, Connected):
        place = {"address": event.address, "port": event.port, "version": event.version}
        return {"event": "connected", "id": event.device_id, **place}
    if isinstance(event, Lost):
        return {"event": "lost", "id": event.device_id, **error_fields(event.error)}
    if isinstance(event, Failed):
        return {"event": "error", "id": event.device_id, **error_fields(event.error)}
    return None


def snapshot(device: KnownDevice, now_s: float, unit_names: Optional[Mapping[int, str]] = None) -> Dict[str, Any]:
    """Return everything that is known of a device. unit_names: how the front end calls what it shows."""
    entry, profile, connection = device.entry, device.profile, device.connection
    heard_s = device.heard_at_s
    return {
        "event": "snapshot",
        "id": entry.device_id,
        "name": entry.shown_name,
        "connected": device.is_connected,
        "address": connection.address if connection is not None else entry.address,
        "port": connection.port if connection is not None else entry.port,
        "version": connection.version if connection is not None else entry.version,
        "dps": dps_to_json(device.dps),
        "readings": readings_of(device),
        "totals_wh": totals_to_json(device.totals_wh(now_s)),
        "may_switch": device.may_switch,
        "unit_names": {str(unit): name for unit, name in (unit_names or {}).items()},
        "profile": {
            "name": profile.name,
            "matched_by": profile.matched_by,
            "switch_dps": list(profile.switch_dps),
            "channels": list(profile.channels),
            "controls": {str(dp): _control(device, dp) for dp in profile.controls},
        },
        "product_id": device.product_id,
        "category": entry.category,
        "heard_age_s": None if heard_s is None else round(max(0.0, now_s - heard_s), 3),
        **error_fields(device.error),
    }


def introduction(owner: str, about: Mapping[str, Any], devices: Sequence[KnownDevice], now_s: float) -> Dict[str, Any]:
    """Return what an owner says of itself: for the doctor, no secrets. about: what else it says."""
    served: List[Dict[str, Any]] = []
    for device in devices:
        heard_s = device.heard_at_s
        told = {"id": device.device_id, "name": device.entry.shown_name, "connected": device.is_connected}
        told["heard_age_s"] = None if heard_s is None else round(now_s - heard_s, 3)
        told["measured_age_s"] = round(now_s - max(device.measured_at_s, device.connected_at_s), 3)
        if device.is_connected:
            told["connected_age_s"] = round(now_s - device.connected_at_s, 3)
            told["answers_queries"] = device.has_full_answer
            told.update(_left_out(device, now_s))
        if device.reported_at_s is not None:
            told["reported_age_s"] = round(now_s - device.reported_at_s, 3)
        if device.asked.untaken is not None:
            told["untaken"] = device.asked.untaken.what
            told["untaken_age_s"] = round(now_s - device.asked.untaken_at_s, 3)
            told["is_untaken_refuted"] = device.asked.is_untaken_refuted
        if device.switches.undone:
            told["undone"] = device.switches.undone
            told["undone_age_s"] = round(now_s - device.switches.undone_at_s, 3)
        served.append({**told, **(error_fields(device.error) if device.error is not None else {})})
    own = {"name": owner, "pid": os.getpid(), "user": _user(), "python": ".".join(map(str, sys.version_info[:3]))}
    return {"event": "owner", **own, **about, "served": served}


def _left_out(device: KnownDevice, now_s: float) -> Dict[str, Any]:
    """Return what a connected device does not tell of what it is to measure; only what is worth a look.

    late_s: quantities that have not come for AGE_TOLD_S or more, with their ages; pushed_only: those that no answer to
    a full query has ever held. kwh_wait_s: so long its kWh have stood still because it does not report its power, of
    which the last was not 0. counter_stood_wh: so much has flowed while its own counter stood still, and its kWh too.
    unusable_s: quantities that are told, and can not be what is measured, for so long. switch_late_s: so long its
    answers have left out its switch. open_flow_s: so long it has said that it is off, and told a load all the same.
    """
    left_out: Dict[str, Any] = {}
    ages_s = device.quantity_ages_s(now_s)
    late_s = {quantity: round(age_s, 3) for quantity, age_s in ages_s.items() if age_s >= AGE_TOLD_S}
    if late_s:
        left_out["late_s"] = late_s
    if late_s and device.pushed_only:
        left_out["pushed_only"] = sorted(device.pushed_only)
    if device.lacks_power:
        left_out["lacks_power"] = True
    unusable_s = device.unusable_ages_s(now_s) if late_s else {}
    if unusable_s:
        left_out["unusable_s"] = {quantity: round(age_s, 3) for quantity, age_s in unusable_s.items()}
    switch_late_s, open_flow_s = device.switches.late_s(now_s), device.switches.open_flow_s
    if switch_late_s is not None and switch_late_s >= AGE_TOLD_S:
        left_out["switch_late_s"] = round(switch_late_s, 3)
    if open_flow_s >= AGE_TOLD_S:
        left_out["open_flow_s"] = round(open_flow_s, 3)
    stood_wh = device.counter_stood_wh
    if stood_wh:
        left_out["counter_stood_wh"] = round(stood_wh, 3)
    power_s, counts_s = ages_s.get("power", 0.0), device.profile.power_max_age_s
    is_flowing = device.reading is not None and any(device.reading.power_w.values())
    if power_s > counts_s and is_flowing and not device.has_counter:
        left_out["kwh_wait_s"] = round(power_s - counts_s, 3)
    if counts_s != DEFAULT_POWER_MAX_AGE_S:
        left_out["power_counts_s"] = counts_s
    return left_out


@functools.lru_cache(maxsize=1)  # the list of users may be on another machine, and whoever asks waits for it
def _user() -> str:
    """Return the name of the user of this process, or the number where it has none."""
    with contextlib.suppress(ImportError, KeyError):
        import pwd  # here: not on every system

        return pwd.getpwuid(os.geteuid()).pw_name
    return str(os.geteuid()) if hasattr(os, "geteuid") else ""


def _control(device: KnownDevice, dp: int) -> Dict[str, Any]:
    control = device.profile.controls[dp]
    told: Dict[str, Any] = {"role": control.role, "kind": control.kind}
    if control.kind == "enum":
        told["values"] = list(control.values)
    elif control.kind == "int":
        told.update(minimum=control.minimum, maximum=control.maximum)
    return told


def readings_of(device: KnownDevice) -> Dict[str, Any]:
    """Return the JSON object of `decode` for everything that is known of the device."""
    return reading_to_json(device.reading or _NOTHING, device.profile)


def dps_to_json(dps: Mapping[int, Any]) -> Dict[str, Any]:
    """Return data points as JSON writes them: numbers as text, in order."""
    return {str(dp): value for dp, value in sorted(dps.items())}


def totals_to_json(totals_wh: Mapping[Circuit, float]) -> Dict[str, Dict[str, float]]:
    """Return {"total": {"used": Wh, "returned": Wh}, "a": ...}, rounded to what Domoticz shows."""
    told: Dict[str, Dict[str, float]] = {}
    for (channel, way), energy_wh in totals_wh.items():
        told.setdefault(channel, {})[way] = round(energy_wh, 3)
    return told


def totals_from_json(told: object) -> Dict[Circuit, float]:
    """Return the totals that another process told; what makes no sense is left out."""
    found: Dict[Circuit, float] = {}
    for channel, ways in told.items() if isinstance(told, dict) else ():
        for way, energy_wh in ways.items() if isinstance(ways, dict) else ():
            amount_wh = amount_from_json(energy_wh)
            if way in ("used", "returned") and amount_wh is not None:
                found[str(channel), way] = amount_wh
    return found


def amount_from_json(told: object) -> Optional[float]:
    """Return a number of Wh or s that another process told; None where it is none, or makes no sense."""
    if isinstance(told, bool) or not isinstance(told, (int, float)) or not 0.0 <= told < 1e12:
        return None
    return float(told)


ERROR_FIELDS = ("error", "message", "device", "what", "cure")


def error_fields(error: Optional[TuyaError]) -> Dict[str, Any]:
    """Return class and text of an error, and the parts of that text; None where there is no error."""
    if error is None:
        return dict.fromkeys(ERROR_FIELDS)
    parts = {"device": error.device, "what": error.what, "cure": error.cure}
    return {"error": type(error).__name__, "message": str(error), **parts}


def error_from_json(told: Mapping[str, Any]) -> Optional[TuyaError]:
    """Return the error that an event tells of, as one of its class where that is known; None where there is none."""
    name = told.get("error")
    if not isinstance(name, str):
        return None
    kind = CommandRefused if name == CommandRefused.__name__ else getattr(errors, name, None)
    kind = kind if isinstance(kind, type) and issubclass(kind, TuyaError) else TuyaError
    device, what, cure = (text_of(told.get(part), 300) for part in ("device", "what", "cure"))
    error: TuyaError = kind(device, what or text_of(told.get("message"), 300), cure)
    return error
