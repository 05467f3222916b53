"""One hardware instance, without a network and without a Domoticz: units, deletions, files, offline times, the log."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Optional

import pytest

from tests.domoticz.fakes import DEVICE_ID, KEY, SY1, SY1_DPS, Clock, FakeClient, FakeDomoticz
from tests.lateness import lateness
from tuya.devices.file_watch import content_state
from tuya.domoticz.created import Memory
from tuya.domoticz.framework import Framework, Written
from tuya.domoticz.service import CREATE_RETRY_S, CREATE_TRIES, Service
from tuya.domoticz.settings import read_settings
from tuya.domoticz.units import State
from tuya.lan.errors import Busy, NotConfirmed, NotConnected, OwnedElsewhere, Unreachable, WrongKey

OVEN = "bf9999999999999999oven"


def raw(device_id: str = DEVICE_ID, name: str = "Kitchen", **changes: Any) -> Dict[str, Any]:
    return {"name": name, "id": device_id, "key": KEY, "product_id": SY1, "category": "dlq", **changes}


class Instance:
    """A service whose publisher is stepped by the test."""

    def __init__(self, folder: Path, domoticz: Optional[FakeDomoticz] = None, **fields: str) -> None:
        self.file = folder / "devices.json"
        self.clock = Clock()
        self.domoticz = domoticz or FakeDomoticz(HomeFolder=f"{folder}/", StartupFolder=f"{folder}/", **fields)
        self.domoticz.parameters.update(fields)
        self.framework = Framework(self.domoticz, self.domoticz.namespace)
        self.client: FakeClient
        settings = read_settings(self.framework.parameters)
        self.service = Service(self.framework, settings, self.clock, self._make_client)
        self.publisher = self.service._publisher
        self.publisher.start = lambda: None  # type: ignore[method-assign]
        self.publisher.is_alive = lambda: True  # type: ignore[method-assign]
        self.service.start()

    def _make_client(self, *words: Any, **named: Any) -> FakeClient:
        self.client = FakeClient(*words, **named)
        return self.client

    def beat(self, seconds: float = 2.0) -> None:
        """Let time pass, with heartbeats."""
        while seconds > 0.0:
            self.clock.now_s += min(2.0, seconds)
            seconds -= 2.0
            self.service.heartbeat()
            self.publish()

    def publish(self) -> None:
        while self.publisher.step() == 0.0:
            pass

    def write(self, *entries: Dict[str, Any]) -> None:
        self.file.write_text(json.dumps(list(entries), indent=1), encoding="utf-8")

    def delete(self, *units: int, device_id: str = DEVICE_ID) -> None:
        """The user deletes units: the callback comes first, then the framework drops the object."""
        for unit in units:
            self.service.unit_removed(device_id, unit)
            del self.domoticz.devices[device_id].Units[unit]

    @property
    def errors(self) -> List[str]:
        return self.domoticz.texts("error")

    @property
    def units(self) -> List[int]:
        device = self.domoticz.devices.get(DEVICE_ID)
        return sorted(device.Units) if device is not None else []


@pytest.fixture(name="instance")
def _instance(tmp_path: Path) -> Iterator[Instance]:
    (tmp_path / "devices.json").write_text(json.dumps([raw()]), encoding="utf-8")
    instance = Instance(tmp_path)
    yield instance
    assert instance.publisher.stop(1.0)


def restarted(instance: Instance, **fields: str) -> Instance:
    instance.service.stop()
    fresh = Instance(instance.file.parent, instance.domoticz, **fields)
    fresh.clock.now_s = instance.clock.now_s
    return fresh


def test_which_state_of_its_file_is_in_use_is_told(tmp_path: Path):
    """The doctor compares it with the file as it is."""
    instance = Instance(tmp_path)
    instance.write(raw())
    instance.beat(6.0)
    told = instance.service._about.told()["settings"]
    assert told["devices_file_state"] == content_state(instance.file) != ""
    instance.file.unlink()
    instance.beat(6.0)
    assert instance.service._about.told()["settings"]["devices_file_state"] == ""


def test_what_each_meter_was_given_and_when_is_told(instance: Instance):
    instance.client.connect()
    instance.beat()
    instance.clock.now_s += 7.5
    units = instance.service._about.told()["units"]
    given = {unit: [svalue for _, svalue in told] for unit, told in units["given"][DEVICE_ID].items()}
    assert given == {2: ["41.2;0.000"], 3: ["241.2"], 4: ["0.302"]}, "a switch is no meter"
    assert units["written_ages_s"] == {DEVICE_ID: {2: 7, 3: 7, 4: 7}}
    instance.delete(3)
    assert sorted(instance.service._about.told()["units"]["written_ages_s"][DEVICE_ID]) == [2, 4]


def test_units_that_nothing_belongs_to_any_more_and_states_that_others_write_are_told(instance: Instance):
    """The doctor names them: a layout that does not fit leaves what it showed before, and a script writes a switch."""
    instance.client.connect()
    instance.beat()
    told = instance.service._about.told()["units"]
    assert (told["unkept"], told["overwritten"]) == ({}, {})
    switch = instance.domoticz.devices[DEVICE_ID].Units[1]
    for nvalue, svalue in ((0, "Off"), (1, "On")):  # another state, and the breaker's own
        switch.nValue, switch.sValue = nvalue, svalue
        instance.service.unit_modified(DEVICE_ID, 1)
        instance.publish()
    assert (switch.nValue, switch.sValue) == (1, "On")
    instance.clock.now_s += 4.0
    assert instance.service._about.told()["units"]["overwritten"] == {DEVICE_ID: {1: [4.0]}}

    instance.write(raw(domoticz={"layout": "pc311"}))
    instance.beat(6.0)
    instance.client.report(dict(SY1_DPS), full=True)
    assert instance.service._about.told()["units"]["unkept"] == {DEVICE_ID: [1, 3, 4]}


def test_the_four_units_of_a_breaker(instance: Instance):
    instance.client.connect()
    instance.beat()
    assert instance.domoticz.created == [
        (DEVICE_ID, 1, 1, "On"),
        (DEVICE_ID, 2, 0, "41.2;0.000"),
        (DEVICE_ID, 3, 0, "241.2"),
        (DEVICE_ID, 4, 0, "0.302"),
    ]
    words = instance.domoticz.devices[DEVICE_ID].Units[2].words
    assert words == {
        "Name": "Kitchen Energy",
        "DeviceID": DEVICE_ID,
        "Unit": 2,
        "Type": 243,
        "Subtype": 29,
        "Switchtype": 0,
        "Options": {"EnergyMeterMode": "0"},
        "Used": 1,
    }
    assert instance.domoticz.updates == []
    assert instance.errors == []
    assert instance.client.owner == "hardware Breakers"
    assert instance.client.polling[DEVICE_ID].refresh_dps == (18, 19, 20)
    assert instance.client.polling[DEVICE_ID].refresh_interval_s == 5.0


def test_all_that_the_breaker_reports(tmp_path: Path):
    (tmp_path / "devices.json").write_text(json.dumps([raw()]), encoding="utf-8")
    instance = Instance(tmp_path, Mode4="all")
    instance.client.connect()
    instance.beat()
    assert instance.units == [1, 2, 3, 4, 10, 61, 62, 63]
    shown = instance.domoticz.shown()
    assert (shown[10], shown[61], shown[62], shown[63]) == ("No fault", "10", "Off", "0")
    instance.client.report({26: 2, 1: False})
    instance.publish()
    assert instance.domoticz.shown()[10] == "Tripped: over-voltage"
    assert instance.domoticz.devices[DEVICE_ID].Units[10].nValue == 4


def test_nothing_is_created_before_its_value_is_known(instance: Instance):
    instance.client.connect(dps={1: True, 20: 2412})
    instance.beat()
    assert instance.units == [1, 3]
    instance.client.report({18: 302, 19: 412})
    instance.beat()
    assert instance.units == [1, 2, 3, 4]


def test_hidden_units_are_not_created(instance: Instance):
    instance.write(raw(domoticz={"hide": [3, 4], "name": "Cooker"}))
    instance.beat(6)
    instance.client.connect()
    instance.beat()
    assert instance.units == [1, 2]
    assert instance.domoticz.devices[DEVICE_ID].Units[2].Name == "Cooker Energy"


def test_a_deleted_unit_stays_away(instance: Instance):
    instance.client.connect()
    instance.beat()
    instance.delete(3)
    instance.client.report({20: 2500})
    instance.beat(20)
    assert instance.units == [1, 2, 4]
    again = restarted(instance)
    again.client.connect()
    again.beat(20)
    assert again.units == [1, 2, 4]
    assert not any(update[1] == 3 for update in instance.domoticz.updates)


def test_a_unit_deleted_while_we_were_stopped_stays_away(instance: Instance):
    instance.client.connect()
    instance.beat()
    instance.service.stop()
    del instance.domoticz.devices[DEVICE_ID].Units[4]
    again = restarted(instance)
    again.client.connect()
    again.beat(20)
    assert again.units == [1, 2, 3]


def test_deleting_all_units_asks_for_them_again(instance: Instance):
    instance.client.connect()
    instance.beat()
    instance.delete(3)
    instance.delete(1, 2, 4)
    assert instance.units == []
    instance.beat()
    assert instance.units == [1, 2, 3, 4]
    instance.service.stop()
    instance.domoticz.devices.clear()
    again = restarted(instance)
    again.client.connect()
    again.beat()
    assert again.units == [1, 2, 3, 4]


def test_restore_in_the_file_brings_deleted_units_back(instance: Instance):
    instance.client.connect()
    instance.beat()
    instance.delete(2, 3)
    instance.write(raw(domoticz={"restore": True}))
    instance.beat(8)
    assert instance.units == [1, 2, 3, 4]


def test_out_of_the_file_and_back_restores_too(instance: Instance):
    instance.client.connect()
    instance.beat()
    instance.delete(3)
    instance.write(raw(OVEN, "Oven"))
    instance.beat(8)
    assert set(instance.client.devices) == {OVEN}
    instance.write(raw(), raw(OVEN, "Oven"))
    instance.beat(8)
    assert set(instance.client.devices) == {DEVICE_ID, OVEN}
    instance.client.connect()
    instance.beat()
    assert instance.units == [1, 2, 3, 4]
    assert [created[1] for created in instance.domoticz.created] == [1, 2, 3, 4, 3]


def test_an_update_in_the_moment_of_deletion_leaves_no_ghost(instance: Instance):
    instance.client.connect()
    instance.beat()
    instance.service.unit_added(DEVICE_ID, 3)  # exists: nothing to do
    instance.delete(3)
    instance.service.unit_added(DEVICE_ID, 3)
    assert instance.domoticz.deleted == [(DEVICE_ID, 3)]


def test_names_are_the_users(instance: Instance):
    instance.client.connect()
    instance.beat()
    instance.domoticz.devices[DEVICE_ID].Units[2].Name = "Mine"
    instance.client.report({19: 9000})
    instance.beat(10)
    assert instance.domoticz.devices[DEVICE_ID].Units[2].Name == "Mine"
    assert instance.domoticz.refreshed == 0


def test_in_old_releases_a_unit_is_read_anew_around_an_update(tmp_path: Path):
    (tmp_path / "devices.json").write_text(json.dumps([raw()]), encoding="utf-8")
    for version, expected in (("2022.1", 2), ("2023.2 (build 15000)", 2), ("2024.4", 0), ("2026.1", 0), ("?", 2)):
        domoticz = FakeDomoticz(version, HomeFolder=f"{tmp_path}/")
        instance = Instance(tmp_path, domoticz)
        instance.client.connect()
        instance.beat()
        instance.client.report({1: False})
        instance.publish()
        assert domoticz.refreshed == expected, version


@pytest.mark.parametrize("says_settings", [True, False])
def test_new_devices_not_accepted(instance: Instance, says_settings: bool):
    instance.domoticz.accepts_new = False
    instance.domoticz.says_settings = says_settings
    instance.client.connect()
    instance.beat()
    ours = [text for text in instance.errors if "Accept new Hardware Devices" in text]
    assert len(ours) == 1
    assert len(instance.errors) == (1 if says_settings else 2)  # Domoticz's own line at the try
    instance.beat(3600)
    assert [text for text in instance.errors if "Accept new Hardware Devices" in text] == ours
    assert len(instance.errors) == CREATE_TRIES + (0 if says_settings else 1)
    if says_settings:
        instance.domoticz.accepts_new = True
    else:
        instance.write(raw(), raw(OVEN, "Oven"))  # a new breaker is worth new tries
        instance.domoticz.accepts_new = True
    instance.beat(6)
    assert instance.units == [1, 2, 3, 4]


def test_new_devices_accepted_for_five_minutes(instance: Instance):
    instance.domoticz.accepts_new = False
    instance.client.connect()
    instance.beat(200)
    instance.domoticz.announces = False
    instance.domoticz.accepts_new = True
    instance.beat(CREATE_RETRY_S)
    assert instance.units == [1, 2, 3, 4]


def test_many_units_are_created_over_several_heartbeats(instance: Instance):
    instance.client.connect()

    def slow_create(*words: Any, create: Any = instance.framework.create) -> bool:
        instance.clock.now_s += 0.2
        return bool(create(*words))

    instance.framework.create = slow_create  # type: ignore[method-assign]
    instance.service.heartbeat()
    assert instance.units == [1, 2]
    instance.service.heartbeat()
    assert instance.units == [1, 2, 3, 4]


def test_energy_goes_on_after_a_restart(instance: Instance):
    instance.client.connect()
    instance.client.report({18: 14925, 19: 36000})
    instance.beat()
    for _ in range(30):
        instance.client.report({18: 14925, 19: 36000}, full=True)
        instance.beat(10)
    shown_wh = float(instance.domoticz.shown()[2].split(";")[1])
    assert shown_wh == pytest.approx(300.0, abs=12.0)
    again = restarted(instance)
    again.client.connect()
    again.beat()
    after_wh = float(again.domoticz.shown()[2].split(";")[1])
    assert shown_wh <= after_wh <= 302.0


@pytest.mark.parametrize(("away_s", "taken_wh"), [(3600.0, 750.0), (20.0, 0.0)])
def test_what_another_program_counted_while_we_were_away_is_shown_and_stored_soon(
    instance: Instance, away_s: float, taken_wh: float
):
    """As much as can have flowed since we kept our total last, by the time of day: in 20 s no 750 Wh."""
    instance.client.connect()
    instance.client.report({18: 14925, 19: 36000}, full=True)
    instance.beat(10)
    instance.service.stop()
    before_wh = float(instance.domoticz.shown()[2].split(";")[1])
    memory = Memory.load(instance.domoticz.configuration)
    memory.energy_at_s = {device_id: at_s - int(away_s) for device_id, at_s in memory.energy_at_s.items()}
    instance.domoticz.configuration = memory.dump()
    again = Instance(instance.file.parent, instance.domoticz)
    server, told = again.service._server, {"totals_wh": {"total": {"used": before_wh + 750.0}}}
    server.take_counted({DEVICE_ID: told}, "mqtt", again.clock.now_s)
    again.client.connect()
    again.client.report({18: 14925, 19: 36000}, full=True)
    server.take_counted({DEVICE_ID: told}, "mqtt", again.clock.now_s)
    again.beat(10)
    shown_wh = float(again.domoticz.shown()[2].split(";")[1])
    assert shown_wh - before_wh == pytest.approx(taken_wh, abs=11.0)
    stored_wh = Memory.load(again.domoticz.configuration).energy[DEVICE_ID]["total/used"][0]
    assert stored_wh == pytest.approx(shown_wh, abs=11.0), "before the ten minutes are over"
    says = [text for text in again.domoticz.texts("log") if "mqtt" in text]
    assert len(says) == 1
    assert ("0.750 kWh flowed while mqtt had it" in says[0]) is (taken_wh > 0.0)


@pytest.mark.parametrize(("silence_s", "counted_wh"), [(6.0, 6.0), (20.0, 0.0)])
def test_what_flowed_since_the_last_answer_survives_a_restart(instance: Instance, silence_s: float, counted_wh: float):
    instance.client.connect()
    instance.client.report({18: 14925, 19: 36000}, full=True)
    instance.beat()
    instance.client.report({18: 14925, 19: 36000}, full=True)
    instance.publish()
    before_wh = float(instance.domoticz.shown()[2].split(";")[1])
    instance.clock.now_s += silence_s  # 3.6 kW: 1 Wh a second
    again = restarted(instance)
    again.client.connect()
    again.client.report({18: 14925, 19: 36000}, full=True)
    again.beat(20)
    after_wh = float(again.domoticz.shown()[2].split(";")[1])
    assert after_wh - before_wh == pytest.approx(counted_wh, abs=2.1)


def test_an_unchanged_restart_updates_no_switch(instance: Instance):
    instance.client.connect()
    instance.beat(60)
    instance.domoticz.updates.clear()
    again = restarted(instance, Mode4="all")
    again.client.connect()
    again.beat(60)
    assert {update[1] for update in instance.domoticz.updates} <= {2, 3, 4}
    again.client.report({1: False})
    again.publish()
    assert (DEVICE_ID, 1, 0, "Off") in instance.domoticz.updates


def test_commands(instance: Instance):
    instance.service.click("bf-unknown-device-0001", 1, "On", 0)
    assert instance.errors[0].startswith("bf-u..0001: 'On' is not sent")
    instance.client.connect()
    instance.beat()
    instance.service.click(DEVICE_ID, 1, "Off", 0)
    assert instance.client.commands == [(DEVICE_ID, {1: False})]
    assert instance.domoticz.shown()[1] == "On"  # not before the breaker says so
    instance.client.report({1: False, 18: 0, 19: 0})
    instance.publish()
    assert instance.domoticz.shown()[1] == "Off"
    assert instance.domoticz.shown()[2].startswith("0.0;")
    assert len(instance.errors) == 1


def test_a_command_that_fails_is_one_error(instance: Instance):
    instance.client.connect()
    instance.beat()
    instance.service.click(DEVICE_ID, 1, "Off", 0)
    instance.client.done({1: False}, NotConfirmed("Kitchen", "it did not report the new state within 3 s"))
    instance.beat(10)
    assert instance.errors == ["Kitchen: it did not report the new state within 3 s"]
    assert instance.domoticz.shown()[1] == "On"
    instance.client.done({1: False}, NotConnected("Kitchen", "it is offline", "Nothing was sent"))
    instance.publish()
    assert instance.errors[-1] == "Kitchen: it is offline. Nothing was sent"


def test_switching_refused(tmp_path: Path):
    (tmp_path / "devices.json").write_text(json.dumps([raw(), raw(OVEN, domoticz={"switch": "refused"})]))
    instance = Instance(tmp_path, Mode2="refused")
    instance.client.connect()
    instance.service.click(DEVICE_ID, 1, "Off", 0)
    assert instance.client.commands == []
    assert instance.errors == ["Kitchen: 'Off' is not sent: switching is refused by the settings"]
    allowed = restarted(instance, Mode2="allowed")
    allowed.client.connect()
    allowed.service.click(OVEN, 1, "Off", 0)
    allowed.service.click(DEVICE_ID, 1, "Off", 0)
    assert allowed.client.commands == [(DEVICE_ID, {1: False})]


def test_offline_is_one_line_and_coming_back_another(instance: Instance):
    instance.client.connect()
    instance.beat(10)
    instance.domoticz.lines.clear()
    instance.client.lose(Unreachable("Kitchen", "it does not answer"))
    instance.beat(20)
    instance.client.connect()
    instance.beat(10)
    assert instance.domoticz.lines == []  # a reboot is no drama
    instance.client.lose(Unreachable("Kitchen", "it does not answer"))
    for _ in range(100):
        instance.client.fail(Busy("Kitchen", "another program holds it"))
        instance.client.fail(Unreachable("Kitchen", "it does not answer"))
        instance.beat(30)
    assert len(instance.errors) == 1
    assert instance.errors[0].startswith("Kitchen: is offline: it does not answer. Is it powered")
    assert instance.domoticz.devices[DEVICE_ID].TimedOut == 1
    instance.client.connect()
    instance.beat()
    back, energy = instance.domoticz.texts("log")
    assert back == "Kitchen: is back (192.168.1.20, protocol 3.4)"
    assert "50 min" in energy  # what is not known of that time is said
    assert instance.domoticz.devices[DEVICE_ID].TimedOut == 0


@pytest.mark.parametrize("error", [WrongKey("Kitchen", "x"), OwnedElsewhere("Kitchen", "is served by hardware Other")])
def test_what_does_not_heal_is_said_at_once_and_once(instance: Instance, error: Exception):
    for _ in range(50):
        instance.client.fail(error)
        instance.beat(10)
    assert instance.errors == [str(error)]


@pytest.mark.parametrize("told_by", ["fail", "lose"])
def test_a_wrong_key_of_the_hardware_page_is_corrected_there(instance: Instance, told_by: str):
    fields = {"Username": DEVICE_ID, "Password": "another-key_16ch"}
    again = restarted(instance, **fields)
    if told_by == "lose":
        again.client.connect()
    getattr(again.client, told_by)(WrongKey("Kitchen", "has another key"))
    again.beat(10)
    (line,) = again.errors
    assert line.startswith("Kitchen: has another key. Setup > Hardware: its field 'Local key' wins over devices.json")
    assert fields["Password"] not in line
    assert again.publisher.stop(1.0)


def test_the_red_header_is_set_again_after_a_restart(instance: Instance):
    instance.client.connect()
    instance.beat()
    again = restarted(instance)
    again.domoticz.devices[DEVICE_ID].TimedOut = 0  # the framework does not keep it
    again.beat(40)
    assert again.domoticz.devices[DEVICE_ID].TimedOut == 1
    assert again.errors == ["Kitchen: is offline"]


def test_the_file_is_watched(instance: Instance):
    instance.client.connect()
    instance.beat()
    instance.write(raw(), raw(OVEN, "Oven"))
    instance.beat(6)
    assert set(instance.client.devices) == {DEVICE_ID, OVEN}
    instance.client.connect(OVEN)
    instance.beat()
    assert sorted(instance.domoticz.devices[OVEN].Units) == [1, 2, 3, 4]
    instance.write(raw(OVEN, "Oven"))
    instance.beat(6)
    assert set(instance.client.devices) == {OVEN}
    assert instance.domoticz.devices[DEVICE_ID].TimedOut == 1
    assert instance.units == [1, 2, 3, 4]
    instance.client.report({1: False})  # a late event of a device that is not served
    instance.beat()
    assert instance.domoticz.shown()[1] == "On"
    instance.write(raw(), raw(OVEN, "Oven"))
    instance.beat(6)
    instance.client.connect()
    instance.beat()
    assert instance.domoticz.devices[DEVICE_ID].TimedOut == 0


def test_a_broken_file_is_said_once_and_the_last_good_one_stays(instance: Instance):
    instance.client.connect()
    instance.beat()
    instance.file.write_text('[\n{"name": \n')
    instance.beat(60)
    assert len(instance.errors) == 1
    assert f"{instance.file}:3: this is not valid JSON" in instance.errors[0]
    assert instance.errors[0].endswith("the breakers known so far stay in use")
    assert set(instance.client.devices) == {DEVICE_ID}
    instance.write(raw(key="another-key_16ch"))
    instance.beat(6)
    assert instance.client.devices[DEVICE_ID].local_key == b"another-key_16ch"
    assert len(instance.errors) == 1


def test_a_file_that_comes_later(tmp_path: Path):
    instance = Instance(tmp_path)
    assert len(instance.errors) == 1
    assert "there is no" in instance.errors[0]
    instance.beat(60)
    assert len(instance.errors) == 1
    instance.write(raw())
    instance.beat(6)
    assert set(instance.client.devices) == {DEVICE_ID}


def test_an_unknown_device_is_said_once(tmp_path: Path):
    entry = raw(product_id="unheard-of", domoticz={"use": True})
    (tmp_path / "devices.json").write_text(json.dumps([entry]), encoding="utf-8")
    instance = Instance(tmp_path)
    for _ in range(5):
        instance.client.connect(dps={201: "x", 202: 7})
        instance.beat(10)
    assert [text for text in instance.errors if "not known yet" in text] == [instance.errors[0]]
    assert instance.units == []


def test_a_device_idle_at_the_start_is_recognised_by_its_first_load(tmp_path: Path):
    entry = raw(product_id="unheard-of", domoticz={"use": True})
    (tmp_path / "devices.json").write_text(json.dumps([entry]), encoding="utf-8")
    instance = Instance(tmp_path)
    instance.client.connect(dps={1: True, 9: 0, 18: 0, 19: 0, 20: 0})  # no voltage yet: nothing proves anything
    instance.beat(10)
    assert instance.units == []
    instance.client.report({18: 302, 19: 412, 20: 2412})  # no new data point
    instance.beat(20)
    assert instance.units == [1, 2, 3, 4]
    assert instance.domoticz.shown()[3] == "241.2"
    assert sum("recognised by its shape as socket" in text for text in instance.domoticz.texts("log")) == 1


def test_what_is_corrected_or_left_out_is_said_once(instance: Instance):
    instance.client.connect()
    instance.beat()
    for power in (9412, 9611, 8822):  # 941.2 W of 241.2 V x 0.302 A
        instance.client.report({**SY1_DPS, 19: power}, full=True)
        instance.beat(10)
    said = [text for text in instance.domoticz.texts("log") if "circuit 1" in text]
    assert said == ["Kitchen: circuit 1: power left out: 941.2 W does not fit 241.2 V x 0.302 A"]
    instance.client.report({20: 0, 19: 0, 18: 0}, full=True)  # 0 V says "nothing measured": no news
    instance.beat(10)
    assert len([text for text in instance.domoticz.texts("log") if "circuit 1" in text]) == 1


def test_threads_that_died_are_started_again(instance: Instance):
    assert instance.client.starts == 1
    instance.client.is_running = False
    instance.beat()
    assert instance.client.starts == 2
    assert instance.errors == ["the network thread has ended and was started again"]


def test_a_quarter_of_a_day_is_quiet(tmp_path: Path):
    """Three breakers, restarts and short losses of each, one offline time: far under 20 lines a day."""
    ids = [DEVICE_ID, OVEN, "bf8888888888888888wash"]
    (tmp_path / "devices.json").write_text(json.dumps([raw(one, f"Breaker {one[-4:]}") for one in ids]))
    instance = Instance(tmp_path)
    for one in ids:
        instance.client.connect(one)
    instance.beat(10)
    away = set()
    for hour in range(6):
        for one in ids:
            if one not in away:
                instance.client.report(SY1_DPS, one, full=True)
            instance.client.lose(Unreachable("x", "gone"), one)
            instance.beat(10)
            if one not in away:
                instance.client.connect(one)
                instance.client.report({1: hour % 2 == 0, 18: 50 * hour, 19: 100 * hour}, one)
        instance.service.click(OVEN, 1, "On", 0)
        for minute in range(59):
            if (hour, minute) == (2, 10):
                away = {OVEN}
                instance.client.lose(Unreachable("x", "gone"), OVEN)
            if (hour, minute) == (4, 50):
                away = set()
                instance.client.connect(OVEN)
            for _ in range(2):
                for one in set(ids) - away:
                    instance.client.report(SY1_DPS, one, full=True)
                instance.beat(30)
    said = [text for _, text in instance.domoticz.lines if "distribution board" not in text]
    assert len(said) <= 5, said  # connected, offline, back, and the energy of that time
    assert not any(KEY in text for text in said)


def test_state_is_stored_at_the_stop(instance: Instance):
    instance.client.connect()
    instance.beat(20)
    instance.client.report({19: 5000}, full=True)
    instance.clock.now_s += 30.0
    instance.client.report({19: 5000}, full=True)
    before = dict(instance.domoticz.configuration)
    instance.service.stop()
    assert instance.domoticz.configuration != before
    assert not instance.client.is_running
    instance.service.stop()
    instance.service.click(DEVICE_ID, 1, "Off", 0)


def test_a_stop_with_a_busy_database_is_short_and_stores_nothing(tmp_path: Path):
    (tmp_path / "devices.json").write_text(json.dumps([raw()]), encoding="utf-8")
    import time

    domoticz = FakeDomoticz(HomeFolder=f"{tmp_path}/", StartupFolder=f"{tmp_path}/")
    framework = Framework(domoticz, domoticz.namespace)
    clients: List[FakeClient] = []

    def make(*words: Any, **named: Any) -> FakeClient:
        clients.append(FakeClient(*words, **named))
        return clients[0]

    service = Service(framework, read_settings(framework.parameters), time.monotonic, make)
    service.start()
    clients[0].connect()
    service.heartbeat()
    domoticz.hold = threading.Event()
    clients[0].report({1: False})
    assert domoticz.in_update.wait(2.0)
    before: Mapping[str, str] = dict(domoticz.configuration)
    began_s = time.monotonic()
    late_s = lateness()
    service.stop()
    assert time.monotonic() - began_s < 0.5 + late_s()
    assert "database is busy" in domoticz.texts("error")[-1]
    assert domoticz.configuration == before
    domoticz.hold.set()
    assert service._publisher.stop(2.0)


def test_odd_reports_do_not_end_anything(instance: Instance):
    instance.client.connect()
    instance.beat()
    for value in (None, [], {}, "x" * 5000, -1, 10**30, float("inf"), {"a": [1]}):
        instance.client.report(dict.fromkeys((1, 9, 17, 18, 19, 20, 26, 38, 41), value))
        instance.beat()
    assert instance.errors == []
    assert SY1_DPS[1] is True
    instance.client.report(SY1_DPS, full=True)
    instance.beat(20)
    assert instance.domoticz.shown()[3] == "241.2"


def test_a_trip_is_one_line_in_the_log(instance: Instance):
    instance.client.connect()
    instance.beat()
    instance.client.report({1: False, 26: 1})
    instance.beat()
    said = [text for text in instance.errors if "Kitchen: " in text]
    assert len(said) == 1
    assert said[0].startswith("Kitchen: Tripped: ")
    for _ in range(30):  # the same again and again, and the cause that clears and comes back, is no news
        instance.client.report({1: False, 26: 0})
        instance.client.report({1: False, 26: 1})
        instance.beat()
    assert [text for text in instance.errors if "Kitchen: " in text] == said


def test_a_switch_off_by_our_own_click_is_no_line(instance: Instance):
    instance.client.connect()
    instance.beat()
    instance.service.click(DEVICE_ID, 1, "Off", 0)
    instance.client.report({1: False})
    instance.beat()
    assert instance.errors == []


def test_nothing_is_stored_while_a_backup_holds_the_database(instance: Instance, monkeypatch: pytest.MonkeyPatch):
    """A click would wait behind it: both come on the same thread."""
    instance.client.connect()
    instance.beat()
    stores: List[object] = []
    monkeypatch.setattr(instance.framework, "store_configuration", stores.append)
    instance.publisher._writing_since_s = instance.clock()  # an Update that does not return
    instance.service.unit_removed(DEVICE_ID, 4)
    instance.clock.now_s += 2.0
    instance.service.heartbeat()
    assert stores == []
    instance.publisher._writing_since_s = None
    for _ in range(3):  # nothing was written since, so nobody knows
        instance.clock.now_s += 2.0
        instance.service.heartbeat()
    assert stores == []
    instance.client.report({20: 2100})
    instance.beat(20)  # an Update came back at once
    assert len(stores) == 1


def test_after_a_slow_update_a_store_waits_for_a_quick_one(instance: Instance, monkeypatch: pytest.MonkeyPatch):
    instance.client.connect()
    instance.beat(20)
    stores: List[object] = []
    monkeypatch.setattr(instance.framework, "store_configuration", stores.append)
    write = instance.framework.write

    def slowly(device_id: str, unit: int, state: State) -> Optional[Written]:
        instance.clock.now_s += 1.0  # as Domoticz waits while another program holds the database
        return write(device_id, unit, state)

    monkeypatch.setattr(instance.framework, "write", slowly)
    instance.client.report({1: False})
    instance.beat()
    instance.service.unit_removed(DEVICE_ID, 4)
    instance.beat()
    assert stores == []
    monkeypatch.setattr(instance.framework, "write", write)
    instance.client.report({1: True})
    instance.beat(5)
    assert len(stores) == 1


def test_a_store_does_not_wait_for_ever_where_nothing_is_written(instance: Instance, monkeypatch: pytest.MonkeyPatch):
    stores: List[object] = []
    monkeypatch.setattr(instance.framework, "store_configuration", stores.append)
    instance.service.unit_removed(DEVICE_ID, 4)
    for _ in range(60):
        instance.clock.now_s += 2.0
        instance.service.heartbeat()
    assert len(stores) == 1
