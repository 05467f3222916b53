"""Home Assistant's discovery: one retained configuration for each value of a device. Pure.

Form: https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery. unique_ids never change: they are what the
consumer's history hangs on. Domoticz joins W to the kWh whose unique_id shares the longest beginning with it, and
passes over object ids that begin with "power_a"; hence the circuit before the quantity, in both. A key of "device" or
"origin" that a release of Home Assistant does not know makes it refuse the whole configuration: only old ones are used.
"""

from __future__ import annotations

import json
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ..metering.catalogue import load
from .topics import OFF, OFFLINE, ON, ONLINE, Topics, json_text
from .values import Plain, controls_of

ORIGIN = "domoticz-tuya-breakers"
MAKER = "Tuya"
_TITLES = {
    "power": "Power",
    "voltage": "Voltage",
    "current": "Current",
    "power_factor": "Power factor",
    "energy": "Energy",
    "returned": "Returned energy",
    "frequency": "Frequency",
    "temperature": "Temperature",
    "leakage": "Leakage current",
    "problem": "Fault",
}
# kind -> (device_class, unit_of_measurement, state_class); None where Home Assistant has none
_SENSORS: Mapping[str, Tuple[Optional[str], Optional[str], str]] = {
    "power": ("power", "W", "measurement"),
    "voltage": ("voltage", "V", "measurement"),
    "current": ("current", "A", "measurement"),
    "power_factor": ("power_factor", None, "measurement"),
    "energy": ("energy", "kWh", "total_increasing"),
    "returned": ("energy", "kWh", "total_increasing"),
    "frequency": ("frequency", "Hz", "measurement"),
    "temperature": ("temperature", "°C", "measurement"),
    "leakage": ("current", "mA", "measurement"),
}
_OPTION_TITLES = {"power_on": "State after power-on", "child_lock": "Child lock"}


class Configuration(NamedTuple):
    """One retained discovery message."""

    topic: str
    payload: str


def topic_of(prefix: str, component: str, device_id: str, name: str) -> str:
    """Return where the discovery of one value stands."""
    return f"{prefix}/{component}/{device_id}/{name}/config"


def configurations(
    prefix: str, topics: Topics, snapshot: Mapping[str, Any], values: Sequence[Plain], version: str
) -> List[Configuration]:
    """Return the discovery of a device. snapshot: see tuya/sharing/source.py. values: of values.plain_values()."""
    device_id = str(snapshot["id"])
    common: Dict[str, Any] = {
        "state_topic": topics.state(device_id),
        "availability": [{"topic": topics.bridge_availability}, {"topic": topics.availability(device_id)}],
        "availability_mode": "all",
        "payload_available": ONLINE,
        "payload_not_available": OFFLINE,
        "device": _device(snapshot),
        "origin": {"name": ORIGIN, "sw_version": version},
    }
    controls = controls_of(snapshot)
    may_switch = bool(snapshot.get("may_switch"))
    gangs = sum(value.kind == "switch" for value in values)
    found = []
    for value in values:
        described = _describe(value, controls.get(value.dp), may_switch, gangs > 1)
        if described is None:
            continue
        component, own = described
        if component in ("switch", "select"):
            own.update(command_topic=topics.set_dp(device_id, value.dp), qos=1, retain=False)
        config = {
            **own,
            **common,
            "unique_id": f"tuya_{device_id}_{value.circuit or 'total'}_{_object_id(value)}",
            "value_template": f"{{{{ value_json.{value.name} }}}}",
        }
        payload = json_text(config)
        found.append(Configuration(topic_of(prefix, component, device_id, value.name), payload))
    return found


def _object_id(value: Plain) -> str:
    return f"{value.kind}_{value.dp}" if value.dp else value.kind


def _device(snapshot: Mapping[str, Any]) -> Dict[str, Any]:
    product_id = snapshot.get("product_id") or ""
    product = load().products.get(product_id)
    device: Dict[str, Any] = {
        "identifiers": [f"tuya_{snapshot['id']}"],
        "name": str(snapshot.get("name") or snapshot["id"]),
        "manufacturer": MAKER,
        "model": product.title
        if product is not None
        else str((snapshot.get("profile") or {}).get("name") or "breaker"),
    }
    if snapshot.get("version"):
        device["sw_version"] = f"protocol {snapshot['version']}"
    return device


def _describe(
    value: Plain, control: Optional[Mapping[str, Any]], may_switch: bool, has_gangs: bool
) -> Optional[Tuple[str, Dict[str, Any]]]:
    """The component and what only this kind of value has; None for what is not offered."""
    if value.kind in _SENSORS:
        device_class, unit, state_class = _SENSORS[value.kind]
        title = _TITLES[value.kind]
        own: Dict[str, Any] = {"name": f"{title} {value.circuit.upper()}" if value.circuit else title}
        for key, text in (("device_class", device_class), ("unit_of_measurement", unit), ("state_class", state_class)):
            if text is not None:
                own[key] = text
        return "sensor", own
    if value.kind == "problem":
        return "binary_sensor", {"name": _TITLES["problem"], "device_class": "problem", **_on_off()}
    is_writable = may_switch and control is not None
    if value.kind == "switch":
        name = f"Switch {value.dp}" if has_gangs else "Switch"
        if is_writable:
            return "switch", {"name": name, "optimistic": False, **_on_off(), "state_on": ON, "state_off": OFF}
        return "binary_sensor", {"name": name, "device_class": "power", **_on_off()}
    control = control or {}
    title = _OPTION_TITLES.get(str(control.get("role")), f"Option {value.dp}")
    if not is_writable:
        return "sensor", {"name": title, "entity_category": "diagnostic"}
    config: Dict[str, Any] = {"name": title, "entity_category": "config", "optimistic": False}
    if control.get("kind") == "bool":
        return "switch", {**config, **_on_off(), "state_on": ON, "state_off": OFF}
    options = [str(option) for option in control.get("values") or []]
    return ("select", {**config, "options": options}) if str(value.value) in options else None


def _on_off() -> Dict[str, str]:
    return {"payload_on": ON, "payload_off": OFF}


def device_of(payload: bytes, topics: Topics) -> Optional[str]:
    """Return whose discovery a retained message is, if this program has published it for this base topic."""
    try:
        content = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    if not isinstance(content, dict):
        return None
    origin, state_topic = content.get("origin"), content.get("state_topic")
    if not isinstance(origin, dict) or origin.get("name") != ORIGIN or not isinstance(state_topic, str):
        return None
    before, after = f"{topics.base}/", "/state"
    if not state_topic.startswith(before) or not state_topic.endswith(after):
        return None
    return state_topic[len(before) : -len(after)]
