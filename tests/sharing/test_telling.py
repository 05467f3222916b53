"""What an owner tells of devices that answer and leave something out: the doctor lives on it."""

from __future__ import annotations

import base64
import json

from tests.domoticz.fakes import SY1_DPS, entry
from tuya.cli.doctor.life import life_sign
from tuya.devices.device import KnownDevice
from tuya.lan.errors import NotConfirmed
from tuya.lan.events import Connected, Status
from tuya.sharing.telling import introduction


def told_of(device, now_s):
    """What the doctor understands of it."""
    said = json.loads(json.dumps(introduction("hardware B", {}, [device], now_s)))
    (found,) = life_sign(said).served
    return found


def connected():
    device = KnownDevice(entry())
    device.connected(Connected(device.device_id, 0.0, "192.168.1.20", 6668, "3.4"))
    return device


def test_a_device_that_tells_all_has_nothing_late():
    device = connected()
    assert (told_of(device, 1.0).lacks_power, told_of(device, 1.0).answers_queries) == (True, False)
    device.report(Status(device.device_id, 2.0, SY1_DPS, True))
    told = told_of(device, 4.0)
    assert (told.lacks_power, told.answers_queries, told.late_s, told.kwh_wait_s) == (False, True, {}, None)
    assert (told.measured_age_s, told.reported_age_s, told.untaken) == (2.0, 2.0, "")


def test_power_that_stops_in_mid_life_is_told_and_since_when_the_kwh_wait_for_it():
    device = connected()
    device.report(Status(device.device_id, 0.0, SY1_DPS, True))
    for at_s in range(30, 100, 30):
        device.report(Status(device.device_id, float(at_s), {1: True, 18: 8700, 20: 2300}, True))
    told = told_of(device, 100.0)
    assert (told.late_s, told.kwh_wait_s) == ({"power": 100.0}, 40.0)
    assert told.measured_age_s == 10.0


def test_a_command_without_effect_is_told_with_its_age():
    device = connected()
    device.report(Status(device.device_id, 0.0, SY1_DPS, True))
    device.command_ended({1: not SY1_DPS[1]}, NotConfirmed("Kitchen", "did not report the new state"), 5.0)
    device.report(Status(device.device_id, 8.0, SY1_DPS, True))
    told = told_of(device, 15.0)
    assert (told.untaken, told.untaken_age_s, told.is_untaken_refuted) == ("did not report the new state", 10.0, True)


SYS = "kmnzgh4yn8pa0lqh"  # counts itself; phase_a (6) is absent from answers to full queries


def phase_a(voltage_v, current_a, power_w):
    numbers = (round(voltage_v * 10), round(current_a * 1000), round(power_w))
    return base64.b64encode(b"".join(n.to_bytes(size, "big") for n, size in zip(numbers, (2, 3, 3)))).decode()


def connected_sys():
    device = KnownDevice(entry(product_id=SYS))
    device.connected(Connected(device.device_id, 0.0, "192.168.1.20", 6668, "3.4"))
    return device


def test_a_counter_that_stands_still_is_told():
    """2 kW flow for 15 minutes, and DP 1 stays."""
    device = connected_sys()
    for at_s in range(0, 901, 30):
        device.report(Status(device.device_id, float(at_s), {6: phase_a(230.0, 8.7, 2000.0)}, False))
        device.report(Status(device.device_id, at_s + 1.0, {1: 13200, 16: True}, True))
    told = told_of(device, 902.0)
    assert (round(told.counter_stood_wh, -1), told.late_s) == (500.0, {})


def test_what_no_query_is_answered_with_is_told_as_that():
    device = connected_sys()
    device.report(Status(device.device_id, 0.0, {6: phase_a(230.0, 0.0, 0.0)}, False))
    for at_s in range(30, 601, 30):
        device.report(Status(device.device_id, float(at_s), {1: 13200, 16: True}, True))
    told = told_of(device, 601.0)
    assert told.late_s == {"power": 601.0, "voltage": 601.0, "current": 601.0}
    assert told.pushed_only == {"power", "voltage", "current"}
    assert told.kwh_wait_s is None, "no power, no kWh to count"
