"""Backups, moves to another machine, and taking over another plugin's history: what the README promises."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing

import pytest

from tests.e2e.conftest import eventually, stand_in
from tests.e2e.plugin_folder import make_plugin_folder
from tuya.host import Stage

ENERGY = 2
HARDWARE_DUMMY = 15
KWH_SENSOR = 0xF31D  # type 243, subtype 29
OLD_TOTAL_WH = 5_000_000.0


def total_wh(theatre, idx, device_id):
    return float(theatre.device(idx, device_id, ENERGY).svalue.split(";")[1])


def wait_for_total(theatre, idx, device_id, more_than_wh):
    eventually(lambda: theatre.device(idx, device_id, ENERGY), 15, "the kWh device")
    eventually(lambda: total_wh(theatre, idx, device_id) > more_than_wh, 30, f"more than {more_than_wh} Wh")


def test_a_backup_on_another_machine_goes_on_where_it_was(tmp_path, fleet):
    """Domoticz's data folder with the database, and the plugin folder with devices.json in it: all that is copied."""
    device_id = fleet.devices()[0]["id"]
    fleet.breakers[0].set_load(9000.0)
    old = tmp_path / "old"
    with stand_in(old) as stage:
        (old / "plugins/TuyaEnergy/devices.json").write_text(json.dumps(fleet.devices()))
        idx = stage.add_hardware(parameters={"Mode5": "2"})
        wait_for_total(stage, idx, device_id, 5.0)
        stage.stop(idx)
        before = {(row.idx, row.device_id, row.unit, row.name) for row in stage.devices(idx)}
        total_before_wh = total_wh(stage, idx, device_id)
    new = tmp_path / "new"
    shutil.copytree(old, new)
    shutil.rmtree(old)
    with Stage(new / "plugins/TuyaEnergy", new) as stage:
        rows = stage.devices(idx)
        assert {(row.idx, row.device_id, row.unit, row.name) for row in rows} == before
        wait_for_total(stage, idx, device_id, total_before_wh)
        assert total_wh(stage, idx, device_id) < total_before_wh + 100.0
        energy = stage.device(idx, device_id, ENERGY)
        assert 0.0 <= stage.today_kwh(energy) < 0.2
        assert len(stage.devices(idx)) == len(before)


def test_a_database_without_the_plugins_folder_is_only_missing_lib(tmp_path, fleet, devices_file):
    """The plugin installed afresh beside an old database: the same devices, the same totals."""
    device_id = fleet.devices()[0]["id"]
    fleet.breakers[0].set_load(9000.0)
    with stand_in(tmp_path / "a") as stage:
        idx = stage.add_hardware(parameters={"Mode1": devices_file, "Mode5": "2"})
        wait_for_total(stage, idx, device_id, 5.0)
        stage.stop(idx)
        total_before_wh = total_wh(stage, idx, device_id)
        count = len(stage.devices(idx))
    plugin = make_plugin_folder(tmp_path / "b/plugins/TuyaEnergy")
    shutil.copy(tmp_path / "a/domoticz.db", tmp_path / "b/domoticz.db")
    with Stage(plugin, tmp_path / "b") as stage:
        wait_for_total(stage, idx, device_id, total_before_wh)
        assert len(stage.devices(idx)) == count


@pytest.mark.e2e
def test_the_history_of_another_plugins_device_is_taken_over(domoticz, fleet, devices_file):
    """Edit > Replace on the old device while our hardware is disabled: its row, name and history become ours."""
    device_id = fleet.devices()[0]["id"]
    fleet.breakers[0].set_load(9000.0)
    foreign = domoticz.api(
        "addhardware", htype=HARDWARE_DUMMY, name="Old plugin", enabled="true", port=0, datatimeout=0
    )
    domoticz.api("createdevice", idx=foreign["idx"], sensorname="Old boiler", sensormappedtype=hex(KWH_SENSOR))
    old = next(row for row in domoticz.rows() if row["Name"] == "Old boiler")
    domoticz.api("udevice", idx=old["idx"], nvalue=0, svalue=f"9000.0;{OLD_TOTAL_WH}")
    day = "INSERT INTO Meter_Calendar (DeviceRowID, Value, Counter, Date) VALUES (?, 7000, ?, date('now', '-1 day'))"
    with closing(sqlite3.connect(str(domoticz.database), timeout=20)) as database, database:
        database.execute(day, (int(old["idx"]), int(OLD_TOTAL_WH) - 7000))

    idx = domoticz.add_hardware(parameters={"Mode1": devices_file, "Mode5": "2"})
    wait_for_total(domoticz, idx, device_id, 0.0)
    domoticz.update_hardware(idx, enabled=False)
    ours = domoticz.device(idx, device_id, ENERGY)
    assert domoticz.api("dotransferdevice", idx=old["idx"], newidx=ours.idx)["status"] == "OK"
    domoticz.update_hardware(idx, enabled=True)

    wait_for_total(domoticz, idx, device_id, OLD_TOTAL_WH)
    taken = domoticz.device(idx, device_id, ENERGY)
    assert (taken.idx, taken.name) == (int(old["idx"]), "Old boiler")
    assert total_wh(domoticz, idx, device_id) < OLD_TOTAL_WH + 200.0
    assert domoticz.today_kwh(taken) >= 0.0
    history = domoticz.query("SELECT Value FROM Meter_Calendar WHERE DeviceRowID=?", taken.idx)
    assert [row["Value"] for row in history] == [7000]
    units = [row.unit for row in domoticz.devices(idx) if row.device_id == device_id]
    assert sorted(units) == [1, 2, 3, 4]
