"""Home Assistant's discovery: one retained configuration for each value of a device. Pure.

Form: https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery. unique_ids never change: they are what the
consumer's history hangs on. Domoticz joins W to the kWh whose unique_id shares the longest beginning with it, and
passes over object ids that begin with "power_a"; hence the circuit before the quantity, in both.
"""

from __future__ import annotations

import json
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from .topics import OFF, OFFLINE, ON, ONLINE, Topics
from .values import Plain, controls_of

ORIGIN = "domoticz-tuya-breakers"
_TITLES = {
    "power": "Power",
    "voltage": "Voltage",
    "current": "Current",
    "power_factor": "Power factor",
    "energy": "Energy",
    "returned": "Returned",
    "frequency": "Frequency",
    "temperature": "Temperature",
    "leakage": "Leakage",
    "problem": "Fault",
}
# kind -> (device_class, unit_of_measurement, state_class); None where Home Assistant has none
_SENSORS: Mapping[str, Sequence[Optional[str]]] = {
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
_OPTION_TITLES = {"power_on_state": "After power-on", "child_lock": "Child lock"}


class Configuration(NamedTuple):
    """One retained discovery message; an empty payload removes it."""

    topic: str
    payload: str


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
    several = sum(value.kind == "switch" for value in values) > 1
    found = []
    for value in values:
        described = _describe(value, controls.get(value.dp, {}), may_switch, several)
        if described is None:
            continue
        component, own = described
        if component in ("switch", "select"):
            own["command_topic"] = topics.set_dp(device_id, value.dp)
            own["qos"] = 1
        config = {
            **own,
            **common,
            "unique_id": f"tuya_{device_id}_{value.circuit or 'total'}_{_object_id(value)}",
            "value_template": f"{{{{ value_json.{value.name} }}}}",
        }
        topic = f"{prefix}/{component}/{device_id}/{value.name}/config"
        found.append(Configuration(topic, json.dumps(config, ensure_ascii=False, separators=(",", ":"))))
    return found


def _object_id(value: Plain) -> str:
    return f"{value.kind}_{value.dp}" if value.dp else value.kind


def _device(snapshot: Mapping[str, Any]) -> Dict[str, Any]:
    device: Dict[str, Any] = {
        "identifiers": [f"tuya_{snapshot['id']}"],
        "name": str(snapshot.get("name") or snapshot["id"]),
        "manufacturer": "Tuya",
    }
    profile = snapshot.get("profile") or {}
    model = str(
        snapshot.get("model") or profile.get("title") or profile.get("name") or snapshot.get("product_id") or ""
    )
    if model:
        device["model"] = model
    if snapshot.get("product_id"):
        device["model_id"] = str(snapshot["product_id"])
    if snapshot.get("version"):
        device["hw_version"] = f"protocol {snapshot['version']}"
    return device


def _describe(
    value: Plain, control: Mapping[str, Any], may_switch: bool, several: bool
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
    if value.kind == "switch":
        name: Optional[str] = f"Switch {value.dp}" if several else None  # None: it is the device itself
        if may_switch:
            return "switch", {"name": name, "optimistic": False, **_on_off()}
        return "binary_sensor", {"name": name, "device_class": "power", **_on_off()}
    title = _OPTION_TITLES.get(str(control.get("role")), f"Option {value.dp}")
    if not may_switch:
        return "sensor", {"name": title, "entity_category": "diagnostic"}
    if control.get("kind") == "bool":
        return "switch", {"name": title, "entity_category": "config", "optimistic": False, **_on_off()}
    options = [str(option) for option in control.get("values") or []]
    if str(value.value) not in options:
        return None
    return "select", {"name": title, "entity_category": "config", "optimistic": False, "options": options}


def _on_off() -> Dict[str, str]:
    return {"payload_on": ON, "payload_off": OFF}


def is_ours(payload: bytes, topics: Topics) -> bool:
    """Whether a retained discovery message was published by this program for this base topic."""
    try:
        content = json.loads(payload)
    except (ValueError, RecursionError):
        return False
    if not isinstance(content, dict):
        return False
    origin = content.get("origin")
    state_topic = content.get("state_topic")
    return (
        isinstance(origin, dict)
        and origin.get("name") == ORIGIN
        and isinstance(state_topic, str)
        and state_topic.startswith(f"{topics.base}/")
    )
