"""A relay that is not what it says: untold, undone behind a confirmed command, or open with a load behind it."""

from __future__ import annotations

from typing import Any, Dict

import pytest

from tests.domoticz.fakes import SY1_DPS, entry
from tuya.cli.doctor.life import life_sign
from tuya.cli.doctor.use import check_use
from tuya.devices.device import KnownDevice
from tuya.devices.switch_watch import UNDONE_WITHIN_S
from tuya.lan.events import Connected, Status
from tuya.sharing.telling import introduction


def known(**changes: Any) -> KnownDevice:
    device = KnownDevice(entry(**changes))
    device.connected(Connected(device.device_id, 0.0, "192.168.1.20", 6668, "3.4"))
    device.report(Status(device.device_id, 0.0, SY1_DPS, True))
    return device


def told(device: KnownDevice, at_s: float, dps: Dict[int, Any], full: bool = False) -> None:
    device.report(Status(device.device_id, at_s, dps, full))


def findings(device: KnownDevice, now_s: float):
    (served,) = life_sign(introduction("us", {}, [device], now_s)).served
    return [(one.check, one.state, one.text) for one in check_use(served, "Kitchen")]


REST = {dp: value for dp, value in SY1_DPS.items() if dp != 1}


def test_a_switch_that_answers_leave_out_is_told_of():
    device = known()
    for at_s in (30.0, 60.0, 90.0):
        told(device, at_s, REST, full=True)
    ((check, state, text),) = findings(device, 91.0)
    assert (check, state, "its switch for 91 s" in text) == ("switch", "unchecked", True)
    told(device, 92.0, SY1_DPS, full=True)
    assert findings(device, 93.0) == []


@pytest.mark.parametrize("first", [REST, {}])
def test_a_device_that_never_answers_with_its_switch_leaves_nothing_out(first):
    device = KnownDevice(entry())
    device.connected(Connected(device.device_id, 0.0, "192.168.1.20", 6668, "3.4"))
    told(device, 0.0, {1: True}, full=False)
    for at_s in (1.0, 30.0, 60.0, 90.0, 120.0):
        told(device, at_s, first or REST, full=True)
    assert not [one for one in findings(device, 121.0) if one[0] == "switch"]


def test_an_answer_to_a_part_of_the_question_leaves_nothing_out():
    device = known()
    for at_s in (30.0, 60.0, 90.0):
        told(device, at_s, {18: 302, 19: 700, 20: 2300}, full=True)
    assert findings(device, 91.0) == []


def test_a_load_behind_an_open_relay_is_told_of_after_a_while():
    device = known()
    told(device, 1.0, {**SY1_DPS, 1: False, 18: 0, 19: 0}, full=True)
    told(device, 30.0, {**SY1_DPS, 1: False}, full=True)
    told(device, 60.0, {**SY1_DPS, 1: False}, full=True)
    assert findings(device, 61.0) == []
    told(device, 95.0, {**SY1_DPS, 1: False}, full=True)
    ((check, state, text),) = findings(device, 96.0)
    assert (check, state, "has reported a load all the same" in text) == ("switch", "unchecked", True)
    told(device, 100.0, {1: True})
    assert findings(device, 101.0) == []


def test_an_old_load_behind_a_relay_that_opened_is_none():
    """The relay is told at once, its W with the next report."""
    device = known()
    told(device, 1.0, {1: False})
    told(device, 90.0, {1: False})
    assert device.switches.open_flow_s == 0.0


def click(device: KnownDevice, is_on: bool, at_s: float) -> None:
    dps = device.command({1: is_on}, at_s)
    told(device, at_s + 0.2, dict(dps))
    device.command_ended(dps, None, at_s + 0.3)


def test_commands_that_do_not_last_are_told_of():
    device = known()
    click(device, False, 1.0)
    told(device, 5.0, {1: True})
    ((check, state, text),) = findings(device, 6.0)
    assert (check, state, "its last command did not last" in text) == ("switching", "note", True)
    click(device, False, 10.0)
    told(device, 14.0, {1: True})
    ((check, state, text),) = findings(device, 15.0)
    assert (check, state, "its last 2 commands did not last" in text) == ("switching", "unchecked", True)
    click(device, False, 20.0)
    told(device, 21.0 + UNDONE_WITHIN_S, {1: False})
    assert findings(device, 22.0 + UNDONE_WITHIN_S) == []


def test_a_command_of_ours_undoes_none():
    device = known()
    click(device, False, 1.0)
    click(device, True, 3.0)
    assert device.switches.undone == 0


def test_a_wish_that_comes_and_goes_does_not_make_a_quiet_device_lack_its_power():
    idle = {**SY1_DPS, 1: False, 18: 0, 19: 0}
    device = known()
    told(device, 1.0, idle, full=True)
    for wish in ({"scale": {"energy": 1000}}, {}):
        device.reconfigure(entry(domoticz=wish))
        told(device, 2.0, {20: 2300})
        assert not device.lacks_power


@pytest.mark.parametrize("is_answered", [False, True])
def test_what_is_pushed_and_cannot_be_right_is_told_of(is_answered):
    """Also of meters whose W count for an hour, since they push what changes."""
    phase = "CO0AAAgAAAA="  # 228.5 V, 0.008 A
    device = KnownDevice(entry(product_id="kmnzgh4yn8pa0lqh" if is_answered else "", category="dlq"))
    device.connected(Connected(device.device_id, 0.0, "192.168.1.20", 6668, "3.4"))
    told(device, 0.0, {1: 132, 16: True}, full=True)
    told(device, 1.0, {6: phase}, full=is_answered)
    assert bool(device.pushed_only) is not is_answered
    assert device.unusable_ages_s(100.0) == {}
    told(device, 10.0, {6: "AAAAAAAAAAA="})
    assert device.unusable_ages_s(100.0)["voltage"] == pytest.approx(99.0)
    told(device, 95.0, {1: 133})  # its kWh go on
    text = next(text for _, _, text in findings(device, 100.0) if "cannot be right" in text)
    assert "voltage" in text
    told(device, 110.0, {6: phase})
    assert device.unusable_ages_s(111.0) == {}
