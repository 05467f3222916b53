"""A circuit of which a device tells no W: the others are the whole; and a time in which we stood still ourselves."""

from __future__ import annotations

import base64
import struct
from typing import Any, Dict

import pytest

from tests.domoticz.fakes import SY1_DPS, entry
from tuya.devices.device import KnownDevice
from tuya.devices.household import Household
from tuya.devices.untold import UNTOLD_S
from tuya.lan.events import Alive, Connected, Status

THREE_PHASES = "zxhlsbmhkauiyget"
WITHOUT_B = "it reports no power of b: that of the others is taken for the whole"


def phase(power_w: int) -> str:
    """V, A and W of a phase, as it is reported: 2 bytes of 0.1 V, 3 of mA, 3 of W."""
    numbers = struct.pack(">H", 2300) + (power_w * 1000 // 230).to_bytes(3, "big") + power_w.to_bytes(3, "big")
    return base64.b64encode(numbers).decode()


def meter() -> KnownDevice:
    device = KnownDevice(entry(product_id=THREE_PHASES, category="zndb"))
    device.connected(Connected(device.device_id, 0.0, "192.168.1.20", 6668, "3.4"))
    return device


def report(device: KnownDevice, at_s: float, dps: Dict[int, Any], full: bool = True) -> None:
    device.report(Status(device.device_id, at_s, dps, full))


def total_w(device: KnownDevice) -> Any:
    assert device.reading is not None
    return device.reading.power_w.get("total")


def test_a_phase_that_is_never_told_keeps_nothing_back():
    device = meter()
    for at_s in range(0, 60, 30):
        report(device, float(at_s), {1: 54321, 6: phase(3000), 8: phase(1500)})
        assert total_w(device) is None, "it may come yet"
        assert device.notices() == []
    report(device, UNTOLD_S, {1: 54322, 6: phase(3000), 8: phase(1500)})
    assert total_w(device) == 4500
    assert [one for one in device.notices() if "no power" in one] == [WITHOUT_B]
    report(device, UNTOLD_S + 1.0, {6: phase(1000)}, full=False)
    assert total_w(device) == 2500
    assert device.notices() == []
    assert device.totals_wh(UNTOLD_S + 1.0)["total", "used"] >= 543_220
    report(device, UNTOLD_S + 2.0, {7: phase(200)}, full=False)
    assert total_w(device) is None, "the sum of all is made where it is shown"


def test_a_phase_that_comes_in_time_is_nothing_to_speak_of():
    device = meter()
    report(device, 0.0, {1: 54321, 6: phase(3000), 8: phase(1500)})
    report(device, 50.0, {7: phase(100)}, full=False)
    report(device, 200.0, {1: 54321, 6: phase(3000), 7: phase(100), 8: phase(1500)})
    assert total_w(device) is None
    assert device.notices() == []


@pytest.mark.parametrize(("stopped_s", "counted_s"), [(5.0, 5.0), (28.0, 28.0), (31.0, 0.0), (59.0, 0.0)])
@pytest.mark.parametrize("first", ["alive", "push"])
def test_no_energy_is_counted_for_the_time_in_which_we_stood_still(stopped_s, counted_s, first):
    """A stopped process finds what was said meanwhile in its socket, and cannot know when that was."""
    household = Household()
    device = KnownDevice(entry())
    household.serve(device, 0.0)
    household.handle(Connected(device.device_id, 0.0, "192.168.1.20", 6668, "3.3"), 0.0)
    household.handle(Status(device.device_id, 0.0, {**SY1_DPS, 18: 14_925, 19: 36_000}, True), 0.0)
    household.handle(Alive(device.device_id, 10.0), 10.0)
    back_s = 10.0 + stopped_s
    if first == "alive":
        household.handle(Alive(device.device_id, back_s), back_s)
    household.handle(Status(device.device_id, back_s, {18: 0, 19: 0}, False), back_s)
    household.handle(Alive(device.device_id, back_s + 9.0), back_s + 9.0)
    counted_wh = device.totals_wh(back_s + 9.0)["total", "used"]
    assert counted_wh == pytest.approx(10.0 + counted_s, abs=0.01)  # 3600 W: 1 Wh each second
