"""A git pull: what the release before has stored goes on with the same devices and totals.

The texts are those of the release before the devices had a room of their own, with a breaker whose W is integrated
(its voltage unit deleted by the user) and a meter with a counter.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict

from tests.domoticz.fakes import DEVICE_ID, KEY, FakeDevice, FakeDomoticz, FakeUnit
from tests.domoticz.test_service import OVEN, Instance, raw

STORED = {
    "memory": "eyJ1bml0cyI6eyJiZjAxMjM0NTY3ODlhYmNkZWZnaCI6WzEsMiwzLDRdLCJiZjk5OTk5OTk5OTk5OTk5OTlvdmVuIjpbMSwyLDMsNF19"
    "LCJlbmVyZ3kiOnsiYmYwMTIzNDU2Nzg5YWJjZGVmZ2giOnsidG90YWwvdXNlZCI6WzcxNC41OTE3LG51bGwsbnVsbF19LCJiZjk5OTk5OTk5OTk5OT"
    "k5OTlvdmVuIjp7InRvdGFsL3VzZWQiOlsxMjQyNDguMzE2NywwLjAsMTI0MjQwLjBdfX19"
}
SHOWN: Dict[str, Dict[int, Any]] = {
    DEVICE_ID: {1: (1, "On"), 2: (0, "939.6;708.588"), 4: (0, "3.913")},
    OVEN: {1: (1, "On"), 2: (0, "998.0;124240.000"), 3: (0, "230.0"), 4: (0, "4.340")},
}
CODES = {"1": "switch_1", "17": "total_forward_energy", "18": "cur_current", "19": "cur_power", "20": "cur_voltage"}
SCALES = {"17": 2, "18": 0, "19": 1, "20": 1}
UNITS = {"17": "kWh", "18": "mA", "19": "W", "20": "V"}


def mapping() -> Dict[str, Any]:
    return {
        dp: {
            "code": code,
            "type": "Boolean" if dp == "1" else "Integer",
            "values": {"unit": UNITS[dp], "scale": SCALES[dp]} if dp in UNITS else {},
        }
        for dp, code in CODES.items()
    }


def updated(folder: Path) -> Instance:
    """The plugin as it is now on what the release before left."""
    oven = {"name": "Oven", "id": OVEN, "key": KEY, "product_id": "", "category": "dlq", "mapping": mapping()}
    (folder / "devices.json").write_text(json.dumps([raw(), oven]), encoding="utf-8")
    domoticz = FakeDomoticz(HomeFolder=f"{folder}/", StartupFolder=f"{folder}/")
    domoticz.configuration = dict(STORED)
    for device_id, shown in SHOWN.items():
        device = domoticz.devices[device_id] = FakeDevice()
        for number, (nvalue, svalue) in shown.items():
            unit = device.Units[number] = FakeUnit(domoticz, Name="of the user", DeviceID=device_id, Unit=number)
            unit.nValue, unit.sValue = nvalue, svalue
    return Instance(folder, domoticz)


def test_the_same_devices_and_totals_go_on(tmp_path: Path):
    instance = updated(tmp_path)
    instance.client.connect()
    instance.client.connect(OVEN, {1: True, 17: 12430, 18: 4340, 19: 9980, 20: 2300})
    instance.beat(4)
    for _ in range(12):
        instance.clock.now_s += 3.0
        instance.client.report({18: 4340, 19: 9980, 20: 2300}, full=True)
        instance.client.report({17: 12430, 18: 4340, 19: 9980, 20: 2300}, OVEN, full=True)
        instance.beat(2)
    assert instance.domoticz.created == [], "the deleted unit stays away, the others are there"
    assert instance.errors == []
    w, wh = (float(part) for part in instance.domoticz.shown()[2].split(";"))
    # the saved total was a little ahead of what was shown, and has gone on by a minute of 998 W
    # (a write is due after 10 Wh)
    true_wh = 714.592 + 998.0 * 60 / 3600
    assert w == 998.0
    assert true_wh - 11.0 < wh < true_wh
    counted = float(instance.domoticz.shown(OVEN)[2].split(";")[1])
    assert 124300.0 <= counted <= 124310.0, "what the counter counted meanwhile is caught up"
    assert instance.domoticz.devices[DEVICE_ID].Units[2].Name == "of the user"
    assert instance.publisher.stop(1.0)


def test_what_is_stored_now_is_what_was_stored_then(tmp_path: Path):
    """So that going back to the release before is possible, too."""
    instance = updated(tmp_path)
    instance.service.stop()
    assert instance.domoticz.configuration == STORED
