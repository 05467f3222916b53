"""One device, for any front end: recognised late, commands and their refusals, what is ours."""

from __future__ import annotations

from typing import Any, Dict

import pytest

from tests.domoticz.fakes import SY1_DPS, entry
from tuya.devices.asked import COMMAND_EFFECT_S
from tuya.devices.commands import CommandRefused
from tuya.devices.device import UNREPORTED_S, KnownDevice, Terms
from tuya.lan.errors import NotConfirmed, NotConnected, Unreachable
from tuya.lan.events import Connected, Status


def known(**changes: Any) -> KnownDevice:
    device = KnownDevice(entry(**changes))
    device.connected(Connected(device.device_id, 0.0, "192.168.1.20", 6668, "3.4"))
    return device


def test_an_idle_device_is_recognised_by_its_first_load():
    device = known(product_id="")
    idle: Dict[int, Any] = {1: True, 9: 0, 18: 0, 19: 0, 20: 0}
    device.report(Status(device.device_id, 0.0, idle, True))
    assert not device.is_recognised
    assert device.is_unknown_now()
    assert not device.is_unknown_now()
    load = {18: 4340, 19: 9980, 20: 2300}
    assert device.report(Status(device.device_id, 30.0, load, False)), "it is asked differently from now on"
    assert device.profile.matched_by == "shape"
    assert device.reading is not None
    assert device.reading.power_w == {"1": 998.0}


def test_what_the_device_says_of_its_product_counts_where_no_file_does():
    device = known(product_id="")
    assert device.announced("jdj6ccklup7btq3a")
    assert (device.profile.matched_by, device.profile.refresh_dps) == ("product", (18, 19, 20))
    assert not device.announced("jdj6ccklup7btq3a")
    named = known()
    assert not named.announced("keyXXXXXXXXXXXXX")


def test_totals_begin_with_what_is_shown_and_go_on_when_the_layout_changes():
    shown: Dict[Any, float] = {("total", "used"): 1234.5}
    device = KnownDevice(entry(), shown_wh=lambda _channels: shown)
    device.report(Status(device.device_id, 0.0, SY1_DPS, True))
    device.report(Status(device.device_id, 36.0, {19: 10_000}, False))
    device.report(Status(device.device_id, 40.0, {19: 10_000}, False))
    total_wh = device.totals_wh(40.0)["total", "used"]
    assert 1234.5 < total_wh < 1240.0
    device.lost(Unreachable("Kitchen", "gone"), 41.0)
    device.report(Status(device.device_id, 4000.0, SY1_DPS, True))
    assert device.totals_wh(4000.0)["total", "used"] == pytest.approx(total_wh, abs=0.1)


def test_a_command_is_what_the_profile_allows():
    device = known()
    device.report(Status(device.device_id, 0.0, SY1_DPS, True))
    assert device.command({1: False}, 5.0) == {1: False}
    assert device.is_asked(1, False, 5.0 + COMMAND_EFFECT_S)
    assert not device.is_asked(1, True, 6.0)
    assert not device.is_asked(1, False, 5.1 + COMMAND_EFFECT_S)
    device.command_ended({1: False}, NotConnected("Kitchen", "is not connected"), 1.0)
    assert not device.is_asked(1, False, 6.0)
    assert device.asked.untaken is None, "nothing was sent: that tells nothing of the device"


def test_a_command_that_it_did_not_take_is_remembered_until_it_does():
    device = known()
    device.report(Status(device.device_id, 0.0, SY1_DPS, True))
    refusal = NotConfirmed("Kitchen", "did not report the new state within 3 s")
    for ended in (
        lambda: device.command_ended({1: True}, None, 9.0),  # it takes another one
        lambda: device.report(Status(device.device_id, 9.0, {1: False}, False)),  # it was late
    ):
        device.report(Status(device.device_id, 1.0, {1: True}, False))
        device.command_ended({1: False}, refusal, 1.0)
        device.report(Status(device.device_id, 2.0, {20: 2300}, False))
        assert device.asked.untaken is refusal
        ended()
        assert device.asked.untaken is None


def test_an_answer_without_a_measured_value_is_no_reading():
    device = known()
    assert device.measured_at_s < 0.0
    device.report(Status(device.device_id, 5.0, {20: 2300}, False))
    device.report(Status(device.device_id, 9.0, {1: True, 9: 0}, True))
    device.answered(11.0)
    assert device.measured_at_s == 5.0


@pytest.mark.parametrize(
    ("dps", "what"),
    [
        ({19: 5}, "DP 19 is no control of this device; its controls: 1 \\(switch\\)"),
        ({1: "true"}, "DP 1 \\(switch\\) takes true or false"),
        ({1: 1}, "DP 1 \\(switch\\) takes true or false"),
        ({1: True, 17: 0}, "DP 17 is no control"),
        ({}, "there is nothing to write"),
    ],
)
def test_anything_else_is_refused_as_a_whole(dps: Dict[int, Any], what: str):
    device = known()
    device.report(Status(device.device_id, 0.0, SY1_DPS, True))
    with pytest.raises(CommandRefused, match=f"Kitchen: {what}"):
        device.command(dps, 1.0)
    assert not device.is_asked(1, True, 1.0)


@pytest.mark.parametrize(
    "device",
    [
        KnownDevice(entry(domoticz={"switch": "refused"})),
        KnownDevice(entry(), terms=Terms(may_switch=False)),
        KnownDevice(entry(domoticz={"switch": "allowed"}), terms=Terms(may_switch=False)),
    ],
)
def test_both_the_file_and_the_front_end_can_refuse(device: KnownDevice):
    with pytest.raises(CommandRefused, match="switching is refused by the settings"):
        device.command({1: False}, 1.0)


def test_heartbeats_alone_are_no_report_and_are_told_once():
    device = known()
    device.answered(170.0)
    assert device.reported_at_s is None
    assert not device.is_silent_now(UNREPORTED_S - 1.0)
    assert device.is_silent_now(UNREPORTED_S)
    assert not device.is_silent_now(UNREPORTED_S + 2.0), "said once"
    device.report(Status(device.device_id, 300.0, {20: 0}, False))
    assert device.reported_at_s == 300.0, "0 V is a report, too"
    assert not device.is_silent_now(300.0 + UNREPORTED_S), "it tells what changes, and answers no query"
    device.report(Status(device.device_id, 300.0, {20: 0}, True))
    assert not device.is_silent_now(300.0 + UNREPORTED_S - 1.0)
    assert device.is_silent_now(300.0 + UNREPORTED_S)
    device.connected(Connected(device.device_id, 900.0, "192.168.1.20", 6668, "3.4"))
    assert device.reported_at_s is None
    device.lost(Unreachable("Kitchen", "gone"), 901.0)
    assert not device.is_silent_now(5000.0)


def test_a_command_without_effect_is_not_over_because_the_old_state_is_told():
    device = known()
    device.report(Status(device.device_id, 0.0, SY1_DPS, True))
    wanted = {1: not SY1_DPS[1]}
    device.command_ended(wanted, NotConfirmed("Kitchen", "did not report the new state within 3 s"), 1.0)
    device.report(Status(device.device_id, 1.5, {20: 2300}, True))
    assert not device.asked.is_untaken_refuted, "that tells nothing of its switch"
    device.report(Status(device.device_id, 2.0, SY1_DPS, True))
    assert device.asked.is_untaken_refuted
    assert (device.asked.untaken is not None, device.asked.untaken_at_s) == (True, 1.0)
    device.report(Status(device.device_id, 9.0, {**SY1_DPS, **wanted}, True))
    assert device.asked.untaken is None, "it has the state that was asked for"


def test_each_quantity_has_an_age_of_its_own():
    device = known()
    assert (device.lacks_power, device.quantity_ages_s(0.0)) == (True, {})
    device.report(Status(device.device_id, 0.0, SY1_DPS, True))
    assert not device.lacks_power
    for at_s in range(10, 101, 10):
        device.report(Status(device.device_id, float(at_s), {1: True, 18: 8700, 20: 2300}, True))
    assert device.quantity_ages_s(101.0) == {"power": 101.0, "current": 1.0, "voltage": 1.0}
    assert not device.has_counter
    device.connected(Connected(device.device_id, 150.0, "192.168.1.20", 6668, "3.4"))
    assert device.quantity_ages_s(160.0)["power"] == 10.0, "in this session"


def test_a_power_of_0_behind_an_open_relay_does_not_age():
    device = known()
    device.report(Status(device.device_id, 0.0, {**SY1_DPS, 1: False, 18: 0, 19: 0}, True))
    assert device.quantity_ages_s(300.0) == {"power": 0.0, "current": 0.0, "voltage": 300.0}
    device.report(Status(device.device_id, 301.0, {1: True}, False))
    assert device.quantity_ages_s(301.0)["power"] == 301.0
