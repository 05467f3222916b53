"""A device that reports its own local key: nothing that is shown of it holds the key."""

from __future__ import annotations

import base64
import json
import time

import pytest

from tuya.devices.device import KnownDevice
from tuya.devices.devices_file import parse_devices
from tuya.devices.household import Household
from tuya.devices.key_mask import without_key
from tuya.devices.secrets import HIDDEN
from tuya.lan.events import Connected, Status
from tuya.sharing.telling import event_to_json, snapshot

KEYS = [
    b"abcdefgh12345678",
    b"a\"b\\c<d>&/'12345",
    b"\\" * 8 + b'"' * 8,
    b"+/+/+/+/k3y~Of_A",
    "schl\u00fcssel-12345".encode(),
]


def ways(key: bytes):
    text = key.decode()
    once = json.dumps(text)
    yield from (text, f"token={text};", once, json.dumps(once), json.dumps({"key": text}, ensure_ascii=False))
    yield "".join(f"\\u{ord(character):04X}" for character in text)
    yield from (key.hex(), key.hex().upper())
    for before in range(4):
        blob = b"\x01\xfe\x33\xff"[:before] + key + b"\xee\x01"
        yield from (base64.b64encode(blob).decode(), base64.urlsafe_b64encode(blob).decode())
    yield from ({"key": text}, {text: 1}, [1, [text]], {"a": {"b": once}})


@pytest.mark.parametrize("key", KEYS)
def test_a_key_is_taken_out_however_it_is_written(key: bytes):
    for value in ways(key):
        shown = without_key({1: True, 101: value}, key)
        assert shown[1] is True
        assert HIDDEN in json.dumps(shown[101]), value


def test_what_holds_no_key_stays_as_it_is():
    dps = {1: True, 19: 412, 6: "CPMAFTEAA+gAAAA=", 105: "abcdefgh1234567", 106: {"a": [1, "x" * 40]}, 38: "on"}
    assert without_key(dps, KEYS[0]) is dps
    assert without_key({101: "x" * 20}, b"") == {101: "x" * 20}


@pytest.mark.parametrize("value", ["\\" * 60_000, "abcdefgh1234567" * 4000, "61" * 30_000])
def test_a_long_text_costs_little(value: str):
    began_s = time.process_time()
    without_key({101: value}, KEYS[0])
    assert time.process_time() - began_s < 0.5


def test_nothing_of_a_household_holds_a_key_that_its_device_reports():
    text = KEYS[1].decode()
    entry = parse_devices(json.dumps([{"id": "bf0123456789abcdefgh", "key": text, "name": "Oven"}])).entries[0]
    household = Household(debug=True)
    device = KnownDevice(entry)
    told = []

    class Hears:
        def served(self, *_: object) -> None: ...

        def dropped(self, *_: object) -> None: ...

        def heard(self, device: KnownDevice, event: object, _now_s: float) -> None:
            told.append(event_to_json(device, event))

    household.observe(Hears())
    household.serve(device, 0.0)
    household.handle(Connected(entry.device_id, 1.0, "10.0.0.5", 6668, "3.4"), 1.0)
    household.handle(Status(entry.device_id, 2.0, {1: True, 101: json.dumps({"key": text})}, True), 2.0)
    told += [snapshot(device, 3.0), [line.text for line in household.take_lines()]]
    assert any("101" in json.dumps(one) for one in told)
    assert HIDDEN in json.dumps(told)
    for written in (text, json.dumps(text)[1:-1]):
        assert written not in str(told)
        assert written not in json.dumps(told)
