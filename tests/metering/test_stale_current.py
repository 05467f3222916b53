"""A W that rose beside the A of before is no scale error; one that is beside the A of now is."""

from __future__ import annotations

import random

import pytest

from tests.domoticz.fakes import SY1_DPS, entry
from tuya.devices.device import KnownDevice
from tuya.lan.events import Connected, Status
from tuya.metering.stale_current import BURST_S, PATIENCE_S

IDLE = {**SY1_DPS, 18: 131, 19: 300, 20: 2300}  # 30 W


def known(**changes) -> KnownDevice:
    device = KnownDevice(entry(**changes))
    device.connected(Connected(device.device_id, 0.0, "192.168.1.20", 6668, "3.4"))
    tell(device, 0.0, IDLE, full=True)
    return device


def tell(device, at_s, dps, full=False):
    device.report(Status(device.device_id, at_s, dps, full))
    return device.reading.power_w.get("1")


@pytest.mark.parametrize("current", [131, 0, 12])
@pytest.mark.parametrize("again_full", [True, False])
def test_w_that_is_pushed_before_its_a_is_right_at_once(again_full, current):
    device = known()
    tell(device, 10.0, {18: current})
    assert tell(device, 20.0, {19: 30_000}) == 3000.0
    assert tell(device, 22.0, {19: 30_100}) == 3010.0
    if again_full:
        assert tell(device, 30.0, {**IDLE, 18: current, 19: 30_100}, full=True) == 3010.0
    assert device.new_doubts() == []
    assert tell(device, 49.0, {18: 13_050}) == 3010.0
    assert tell(device, 60.0, {18: 13_060, 19: 30_000}) == 3000.0
    assert device.new_doubts() == []
    assert device.totals_wh(60.0)["total", "used"] == pytest.approx(30 * 20 / 3600 + 3005 * 40 / 3600, rel=0.01)


def test_an_a_that_stays_for_a_minute_is_all_there_is_to_judge_by():
    device = known()
    assert tell(device, 20.0, {19: 30_000}) == 3000.0
    assert tell(device, 20.0 + PATIENCE_S, {19: 30_010}) == 3001.0
    assert tell(device, 21.0 + PATIENCE_S, {19: 30_000}) == 30.0
    assert len(device.new_doubts()) == 1


@pytest.mark.parametrize("first", [18, 19])
def test_a_scale_that_is_wrong_is_found_in_whatever_order_they_come(first):
    """W ten times too high: 4 W of a standby supply fit as 40, 3000 W do not fit as 30,000."""
    device = known()
    load = {18: 13_050, 19: 300_000}
    tell(device, 20.0, {first: load[first]})
    assert tell(device, 20.0 + BURST_S / 2, {37 - first: load[37 - first]}) == 3000.0
    assert tell(device, 50.0, {**IDLE, **load}, full=True) == 3000.0
    assert tell(device, 55.0, {19: 303_000}) == 3030.0
    assert len(device.new_doubts()) == 1


def test_drawn_loads_of_a_device_whose_a_comes_late():
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    device, at_s, power, current = known(), 0.0, 300, 131
    due_s = None
    for _ in range(300):
        at_s += chance.uniform(4.0, 9.0)
        if due_s is not None and at_s >= due_s:
            due_s = None
            current = power * 100 // 230 + chance.randrange(5)
            tell(device, at_s, {18: current})
            continue
        if chance.random() < 0.3:
            power = chance.choice([0, 50, 300, 5000, 20_000, 36_000])
            due_s = at_s + chance.uniform(1.0, 30.0) if due_s is None else due_s
        assert tell(device, at_s, {19: power}) == power / 10, (seed, at_s, power, current)
