"""Run by a Python that has Home Assistant: says what it objects to in discovery messages, by its own schemas.

Reads {"messages": [[topic below the prefix, payload] ...], "states": {topic: payload}} from standard input, writes a
JSON list of [topic, objection].
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
import tempfile
from typing import Any, Dict, List


def objections(home: Any, topic: str, payload: str, states: Dict[str, str]) -> List[str]:
    """What Home Assistant has against one message."""
    import voluptuous as vol
    from homeassistant.components.mqtt.const import SUPPORTED_COMPONENTS
    from homeassistant.components.mqtt.discovery import TOPIC_MATCHER
    from homeassistant.components.mqtt.schemas import MQTT_ORIGIN_INFO_SCHEMA
    from homeassistant.components.sensor.const import DEVICE_CLASS_STATE_CLASSES, DEVICE_CLASS_UNITS
    from homeassistant.helpers.template import Template
    from homeassistant.util.json import json_loads_object

    match = TOPIC_MATCHER.fullmatch(topic)
    if not match or match["component"] not in SUPPORTED_COMPONENTS:
        return ["its topic is none of discovery"]
    content: Any = json_loads_object(payload)
    module = importlib.import_module(f"homeassistant.components.mqtt.{match['component']}")
    found: List[str] = []
    try:
        MQTT_ORIGIN_INFO_SCHEMA(content["origin"])
        checked = module.DISCOVERY_SCHEMA(dict(content))
    except vol.Invalid as error:
        return [str(error)]
    found += [f"{key} is not known there" for key in content.keys() - checked.keys()]
    if match["component"] == "sensor" and content.get("device_class"):
        device_class, unit, state_class = (
            checked.get(name) for name in ("device_class", "unit_of_measurement", "state_class")
        )
        if unit not in DEVICE_CLASS_UNITS.get(device_class, {unit}):
            found.append(f"{device_class} is not measured in {unit}")
        if state_class not in DEVICE_CLASS_STATE_CLASSES.get(device_class, {state_class}):
            found.append(f"{device_class} is no {state_class}")
    template = Template(content["value_template"], home)
    value = template.async_render_with_possible_json_value(states[content["state_topic"]], "none")
    if "unit_of_measurement" in checked:
        float(value)
    allowed = {"switch": ["ON", "OFF"], "binary_sensor": ["ON", "OFF"], "select": checked.get("options", [])}
    if value in ("", "none") or value not in allowed.get(match["component"], [value]):
        found.append(f"its state is {value!r}")
    return found


async def main() -> None:
    """Answer all messages."""
    from homeassistant.core import HomeAssistant
    from homeassistant.helpers import frame

    asked = json.load(sys.stdin)
    with tempfile.TemporaryDirectory() as folder:
        home = HomeAssistant(folder)
        frame.async_setup(home)
        found = [
            [topic, one] for topic, text in asked["messages"] for one in objections(home, topic, text, asked["states"])
        ]
        json.dump(found, sys.stdout)
        await home.async_stop(force=True)


if __name__ == "__main__":
    asyncio.run(main())
