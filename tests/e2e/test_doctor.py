"""Make the doctor lie, on a real Domoticz: whatever keeps the plugin from its work, it does not say "well"."""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
import subprocess
import sys

import pytest

from tests.e2e.conftest import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]  # what is stored once a minute is waited for
UNITS_OF_A_BREAKER = 4


@pytest.fixture
def doctor(domoticz):
    """Run the doctor of the copy in Domoticz's plugins folder; returns its exit code, its verdict and its findings."""
    folder = domoticz.user_data / "plugins" / "TuyaEnergy"

    def run(*words):
        command = [sys.executable, "-m", "tuya", "doctor", "--seconds", "0", "--json", *words]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100, check=False)
        assert "Traceback" not in done.stderr
        findings = [json.loads(line) for line in done.stdout.splitlines()]
        assert findings, done.stderr
        assert findings[-1]["check"] == "verdict"
        return done.returncode, findings[-1]["text"], findings

    return run


def reasons(findings, state="failed"):
    return {finding["check"]: finding["text"] for finding in findings if finding["state"] == state}


def serve(domoticz, doctor, fleet):
    """Add the hardware, and wait until the doctor says "well"; returns the idx."""
    idx = domoticz.add_hardware(parameters={"Mode5": "2"})
    wanted = UNITS_OF_A_BREAKER * len(fleet.devices())
    eventually(lambda: len(domoticz.devices(idx)) == wanted, 60, "the devices")
    told = []

    def is_well():
        told[:] = doctor()
        return told[:2] == [0, "well"]

    eventually(is_well, 60, f"well, instead of {told}")
    return idx


@pytest.fixture
def devices(domoticz, fleet):
    path = domoticz.user_data / "plugins" / "TuyaEnergy" / "devices.json"
    path.write_text(json.dumps(fleet.devices()))
    path.chmod(0o600)
    return path


def test_hardware_that_is_missing_at_work_and_disabled(domoticz, doctor, fleet, devices):
    code, verdict, findings = doctor()
    assert (code, verdict) == (1, "not well")
    assert "not on the Hardware page" in reasons(findings)["hardware"]
    idx = serve(domoticz, doctor, fleet)
    assert "hardware Breakers serves it" in " ".join(reasons(doctor("--domoticz")[2], "ok").values())

    domoticz.update_hardware(idx, enabled=False)
    code, verdict, findings = doctor()
    assert (code, verdict) == (1, "not well")
    assert "is there and not enabled" in reasons(findings)["hardware"]
    assert "not enabled" in reasons(doctor("--domoticz", f"http://127.0.0.1:{domoticz.port}")[2])["hardware"]


def test_the_event_system_off(domoticz, doctor, fleet, devices):
    serve(domoticz, doctor, fleet)
    domoticz.store_settings(EnableEventScriptSystem=None, AcceptNewHardware="on")
    assert doctor()[1] == "not well"
    domoticz.quit()
    assert doctor()[1] != "well"
    domoticz.launch(wait=False)
    code, verdict, findings = doctor()
    assert (code, verdict) == (1, "not well")
    assert "event system is switched off" in reasons(findings)["event system"]
    assert "Domoticz ignores plugins" in reasons(findings)["log"]


def test_new_devices_are_not_accepted(domoticz, doctor, fleet, devices):
    domoticz.accept_new(False)
    domoticz.add_hardware(parameters={"Mode5": "2"})
    eventually(lambda: "devices in Domoticz" in reasons(doctor()[2]), 60, "the refusal")
    code, verdict, findings = doctor()
    assert (code, verdict) == (1, "not well")
    assert "accepts no new devices" in reasons(findings)["devices in Domoticz"]


def test_files_that_were_changed_since(domoticz, doctor, fleet, devices):
    serve(domoticz, doctor, fleet)
    plugin = devices.with_name("plugin.py")
    before = plugin.read_text()
    plugin.write_text(re.sub(r'version="[^"]+"', 'version="99.0"', before, count=1))
    code, verdict, findings = doctor()
    assert (code, verdict) == (1, "not well")
    assert "this folder has 99.0" in reasons(findings)["plugin"]
    plugin.write_text(f"{before}\n")
    assert "before its files were changed" in reasons(doctor()[2])["plugin"]
    plugin.write_text(before)  # touched, and the same as it was
    assert doctor()[1] == "well"


def test_a_wrong_key_and_a_device_that_is_gone(domoticz, doctor, fleet, devices):
    serve(domoticz, doctor, fleet)
    entries = fleet.devices()
    devices.write_text(json.dumps([{**entries[0], "key": "0123456789abcdef"}, *entries[1:]]))
    eventually(lambda: "key proof" in reasons(doctor()[2]), 90, "the wrong key")
    devices.write_text(json.dumps(entries))
    eventually(lambda: doctor()[1] == "well", 90, "well again")
    findings = doctor()[2]
    assert "over as far as" in reasons(findings, "note")["errors"]
    fleet.breakers[1].stop()
    eventually(lambda: doctor()[1] == "not well", 60, "the device that is gone")


def test_a_state_that_domoticz_could_not_store(domoticz, doctor, fleet, devices):
    """Another program holds the database for longer than Domoticz waits: the new state is lost there, and found."""
    idx = serve(domoticz, doctor, fleet)
    breaker = fleet.breakers[0]
    with contextlib.closing(sqlite3.connect(str(domoticz.database), timeout=30, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        breaker.set_relay(False)
        eventually(lambda: "values in Domoticz" in reasons(doctor()[2]), 60, "the state that was not stored")
        assert doctor()[:2] == (1, "not well")
        other.execute("ROLLBACK")
    # it is given again when a meter, written once a minute, was stored
    eventually(lambda: domoticz.device(idx, breaker.device_id, 1).nvalue == 0, 150, "the state in Domoticz")
    # its other meters were refused, too, and are given every 4 min
    eventually(lambda: doctor()[1] == "well", 260, "well again")


def test_a_breaker_whose_devices_were_deleted(domoticz, doctor, fleet, devices):
    idx = serve(domoticz, doctor, fleet)
    device_id = fleet.breakers[0].device_id
    domoticz.delete_device(domoticz.device(idx, device_id, 2))
    eventually(
        lambda: "stay away (unit 2)" in reasons(doctor()[2], "note").get("devices in Domoticz", ""), 60, "a note"
    )


def test_power_that_is_silent_and_a_click_without_effect(domoticz, doctor, fleet, devices):
    """What answers is not therefore what measures and switches."""
    silent, deaf = fleet.breakers[:2]
    for fault, how in (("hide", {"dps": (19,)}), ("quiet", {}), ("refresh", {"how": "silent"})):
        silent.fault(fault, **how)
    idx = domoticz.add_hardware(parameters={"Mode5": "2"})
    eventually(lambda: "power" in reasons(doctor()[2], "unchecked"), 60, "the power that is missing")
    assert doctor()[:2] == (1, "not checked")
    assert domoticz.device(idx, silent.device_id, 2) is None, "there is no kWh device, and that is what it is about"
    silent.clear_faults()
    eventually(lambda: doctor()[1] == "well", 90, "well")

    deaf.fault("write", how="deaf")
    domoticz.command(idx, deaf.device_id, 1, "Off")
    eventually(lambda: "switching" in reasons(doctor()[2], "unchecked"), 30, "the click without effect")
    told = eventually(
        lambda: "another state than the wanted one" in reasons(doctor()[2], "unchecked")["switching"], 60, "the state"
    )
    assert (told, doctor()[1]) == (True, "not checked")
    deaf.clear_faults()
    domoticz.command(idx, deaf.device_id, 1, "Off")
    eventually(lambda: doctor()[1] == "well", 60, "well after a click that was taken")


def test_meters_that_domoticz_does_not_store(domoticz, doctor, fleet, devices):
    """The rest of the same breaker is stored, its current is refused."""
    serve(domoticz, doctor, fleet)
    told = []

    def found(state):
        told[:] = [one for one in doctor()[2] if one["state"] not in ("ok", "skipped")]
        return reasons(told, state)

    with contextlib.closing(sqlite3.connect(str(domoticz.database), timeout=30, isolation_level=None)) as other:
        other.execute(
            "CREATE TRIGGER refuse BEFORE UPDATE ON DeviceStatus WHEN OLD.Unit=4 AND "
            f"OLD.DeviceID='{fleet.breakers[0].device_id}' BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
        fleet.breakers[0].set_load(1500.0)

        def is_said():  # on 2024.7 the refused statement itself is what is told
            said = found("unchecked")
            return "(unit 4)" in said.get("values in Domoticz", "") or "refused" in said.get("database", "")

        eventually(is_said, 60, "that")
        other.execute("DROP TRIGGER refuse")
    fleet.breakers[0].set_load(300.0)
    try:
        # the log tells of what was refused until all that was given is stored, which takes some minutes to be known
        eventually(lambda: not found("unchecked") and not found("failed"), 150, "well again")
    finally:
        print("the last was", told)


def test_another_program_that_writes_into_the_plugins_devices(domoticz, doctor, fleet, devices):
    """Domoticz shows what nobody measured, of a time as young as anything of the plugin's."""
    idx = serve(domoticz, doctor, fleet)
    row = domoticz.device(idx, fleet.breakers[0].device_id, 2)
    domoticz.api("udevice", idx=row.idx, nvalue=0, svalue="4321;987654")
    code, verdict, findings = doctor()
    assert (code, verdict) == (1, "not well")
    text = reasons(findings)["values in Domoticz"]
    assert "4321 W and 987.654 kWh where the plugin gave" in text
    assert f"(unit 2, idx {row.idx})" in text
    eventually(lambda: doctor()[1] == "well", 90, "well after the plugin has given its value again")


def test_devices_that_stand_still_or_are_fought_over(domoticz, doctor, fleet, devices):
    """An entry that is gone, a layout that does not fit, and a script that goes on writing into a switch."""
    idx = serve(domoticz, doctor, fleet)
    entries = fleet.devices()

    def said(check="devices in Domoticz"):
        return reasons(doctor()[2], "unchecked").get(check, "")

    devices.write_text(json.dumps(entries[1:]))
    eventually(lambda: "a click is refused" in said(), 60, "the entry that is gone")
    devices.write_text(json.dumps([{**entries[0], "domoticz": {"layout": "pc311"}}, *entries[1:]]))
    eventually(lambda: "makes nothing of its voltage" in said("values"), 60, "the layout")
    devices.write_text(json.dumps(entries))
    eventually(lambda: doctor()[1] == "well", 60, "well again")

    row = domoticz.device(idx, fleet.breakers[0].device_id, 1)
    for _ in range(3):
        domoticz.api("udevice", idx=row.idx, nvalue=0, svalue="Off")
        eventually(lambda: domoticz.device(idx, fleet.breakers[0].device_id, 1).nvalue == 1, 30, "the breaker's own")
    assert "something else" in said("values in Domoticz")
    assert fleet.breakers[0].writes == []


def test_the_file_that_the_hardware_page_names_and_none_at_all(domoticz, doctor, fleet, devices):
    entries = fleet.devices()
    elsewhere = devices.rename(domoticz.user_data / "mine.json")
    idx = domoticz.add_hardware(parameters={"Mode5": "2", "Mode1": str(elsewhere)})
    eventually(lambda: doctor()[1] == "well", 90, "well with another file")
    fields = {"Username": entries[0]["id"], "Mode1": str(elsewhere)}
    domoticz.update_hardware(idx, parameters=fields)
    eventually(lambda: "names" in reasons(doctor()[2], "note").get("served", ""), 60, "the note")
    # what was made of the others stands still, which nobody is to take for their state
    eventually(lambda: "stand still" in reasons(doctor()[2], "unchecked").get("devices in Domoticz", ""), 60, "that")
    for row in domoticz.devices(idx):
        if row.device_id != entries[0]["id"]:
            domoticz.delete_device(row)
    eventually(lambda: doctor()[1] == "well", 60, "well with one of the file")
    elsewhere.unlink()
    domoticz.update_hardware(
        idx, parameters={"Username": entries[0]["id"], "Password": entries[0]["key"], "Address": entries[0]["ip"]}
    )
    assert entries[0]["port"] != 6668, "a port stands in no field: it cannot be connected here"
    eventually(lambda: "port" in reasons(doctor()[2]), 60, "the breaker that is looked at without a file")
    assert "files" not in reasons(doctor()[2])


def test_a_breaker_that_lost_its_power_a_moment_ago(domoticz, doctor, fleet, devices):
    """It counts as connected for some 20 s after that: an answer of each breaker in this run is waited for."""
    serve(domoticz, doctor, fleet)
    fleet.breakers[0].stop(silent=True)
    assert doctor()[1] != "well"


def test_a_database_that_is_taken_away(domoticz, doctor, fleet, devices):
    """Restored from a backup, or deleted, beside a Domoticz that runs: what it stores is lost with its next start."""
    serve(domoticz, doctor, fleet)
    copy = domoticz.database.with_name("backup.db")
    copy.write_bytes(domoticz.database.read_bytes())
    copy.replace(domoticz.database)
    code, verdict, findings = doctor()
    assert (code, verdict) == (1, "not well")
    assert "was replaced while Domoticz runs" in reasons(findings)["database"]
    domoticz.database.unlink()
    assert "was deleted while Domoticz runs" in reasons(doctor()[2])["database"]
