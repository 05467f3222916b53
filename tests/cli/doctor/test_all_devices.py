"""Many devices that are off: looked at together, told in their order, and never two at one place at the same time."""

from __future__ import annotations

import json
import threading

import pytest

from tuya.cli.doctor import all_devices
from tuya.cli.doctor.findings import Finding
from tuya.devices.devices_file import parse_devices


def entries_at(*addresses):
    devices = [
        {"id": f"bf0123456789abcde{number:03d}", "name": f"Dead {number}", "key": "0123456789abcdef", "ip": address}
        for number, address in enumerate(addresses)
    ]
    return parse_devices(json.dumps(devices)).entries


def test_devices_that_are_off_are_waited_for_together(monkeypatch):
    entries = entries_at(*(f"198.51.100.{number}" for number in range(1, 9)))
    together = threading.Barrier(len(entries))

    def examine(entry, _heard, _listened):
        together.wait(60.0)  # a broken barrier, should they come one after another
        yield Finding("address", "failed", "off", "", entry.shown_name)

    monkeypatch.setattr(all_devices, "examine", examine)
    told = [(entry.shown_name, findings[0].device) for entry, findings in all_devices.examine_all(entries, {}, False)]
    assert told == [(f"Dead {number}", f"Dead {number}") for number in range(8)]


def test_devices_at_one_place_are_asked_one_after_another(monkeypatch):
    entries = entries_at(*["198.51.100.1"] * 6)
    inside = threading.Lock()
    met = []

    def examine(entry, _heard, _listened):
        met.append(not inside.acquire(blocking=False))
        yield Finding("address", "ok", "", "", entry.shown_name)
        inside.release()

    monkeypatch.setattr(all_devices, "examine", examine)
    assert len(list(all_devices.examine_all(entries, {}, False))) == 6
    assert not any(met)


def test_a_fault_is_not_lost(monkeypatch):
    def examine(_entry, _heard, _listened):
        raise OSError("no sockets left")
        yield

    monkeypatch.setattr(all_devices, "examine", examine)
    with pytest.raises(OSError, match="no sockets left"):
        list(all_devices.examine_all(entries_at("198.51.100.1"), {}, False))
