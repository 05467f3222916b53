"""Every discovery message of every device in tests/data, before Home Assistant's own schemas.

HOMEASSISTANT_PYTHON names a Python that has the package homeassistant (an environment of its own).
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any, Dict, List, Tuple

import pytest

from tests.mqtt.snapshots import breaker, three_phases
from tuya.devices.device import KnownDevice
from tuya.devices.devices_file import parse_devices
from tuya.lan.events import Connected, Status
from tuya.metering.decode import numbered
from tuya.mqtt.core import Core
from tuya.mqtt.topics import Topics
from tuya.sharing.telling import snapshot

DEVICES = sorted((Path(__file__).resolve().parents[1] / "data" / "devices").glob("*.json"))
NO_HOME_ASSISTANT = "HOMEASSISTANT_PYTHON names no Python with the package homeassistant: its schemas were not asked"


def known(number: int, dump: Dict[str, Any], **own: Any) -> Dict[str, Any]:
    """What is told of a device that has reported this."""
    entry = {
        **dump,
        "id": f"device{number:014}",
        "key": "0123456789abcdef",
        "name": f"Größe {number} «\"'{{{{",
        "use": True,
    }
    (device,) = (KnownDevice(one) for one in parse_devices(json.dumps([{**entry, "domoticz": own}])).entries)
    device.connected(Connected(device.device_id, 0.0, "127.0.0.1", 6668, "3.4"))
    device.report(Status(device.device_id, 0.0, numbered(dump["dps"]), True))
    return snapshot(device, 0.0)


def publications() -> Tuple[List[List[str]], Dict[str, str]]:
    """All discovery messages (topic below the prefix, payload), and all states."""
    core = Core(Topics("tuya"), "homeassistant", "1.0")
    core.changed(breaker(), 0.0)
    core.changed({**three_phases(), "id": "three"}, 0.0)
    for number, path in enumerate(DEVICES):
        dump = json.loads(path.read_text(encoding="utf-8"))["dump"]
        core.changed(known(2 * number, dump), 0.0)
        core.changed(known(2 * number + 1, dump, switch="refused"), 0.0)
    before = "homeassistant/"
    taken = core.take()
    messages = [[one.topic[len(before) :], one.payload] for one in taken if one.topic.startswith(before)]
    return messages, {one.topic: one.payload for one in taken if one.topic.endswith("/state")}


def test_home_assistant_has_nothing_against_our_discovery():
    python = os.environ.get("HOMEASSISTANT_PYTHON")
    if not python:
        pytest.skip(NO_HOME_ASSISTANT)
    messages, states = publications()
    assert len(messages) > 500
    script = Path(__file__).with_name("home_assistant.py")
    done = subprocess.run(
        [python, str(script)],
        input=json.dumps({"messages": messages, "states": states}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []


def test_each_has_a_name_of_its_own_for_ever():
    """unique_id and topic are one to one, and of characters that every consumer takes."""
    said, _ = publications()
    ids = [json.loads(payload)["unique_id"] for _, payload in said]
    assert len(set(ids)) == len(ids)
    assert all(one.isascii() and one.replace("_", "").isalnum() for one in ids)
    assert {topic.split("/")[0] for topic, _ in said} == {"sensor", "binary_sensor", "switch", "select"}
