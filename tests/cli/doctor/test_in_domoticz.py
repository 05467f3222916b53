"""The doctor is never wrong about "well": each way in which a plugin does not do its work."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tuya.cli.doctor import command, in_domoticz
from tuya.cli.doctor.domoticz_log import judge
from tuya.cli.doctor.domoticz_view import HardwareRow, View, from_database
from tuya.cli.doctor.findings import Finding, verdict_of
from tuya.cli.doctor.in_domoticz import Surroundings, examine_domoticz
from tuya.cli.doctor.life import life_sign
from tuya.devices.devices_file import parse_devices
from tuya.devices.file_watch import content_state
from tuya.domoticz.installation import code_content, code_state
from tuya.keys.accounts import Account
from tuya.setup.find_domoticz import Domoticz
from tuya.setup.running import Started
from tuya.version import plugin_version

BREAKER = {"id": "bf0123456789abcdefgh", "name": "Boiler", "key": "0123456789abcdef"}
ENTRIES = parse_devices(json.dumps([BREAKER])).entries
PID = 4711
NOW_S = time.time() + 3600.0  # what the tests write was written long ago


@pytest.fixture
def folder(tmp_path):
    """A plugins folder with a copy of the plugin and its devices file, both from an hour ago."""
    copy = tmp_path / "data/plugins/TuyaEnergy"
    copy.mkdir(parents=True)
    for name in ("plugin.py", "devices.json"):
        (copy / name).write_text("[]")
        os.utime(copy / name, (NOW_S - 7200, NOW_S - 7200))
    return copy


def said(folder, /, **changes):
    """What a plugin says that is well."""
    served = {"id": BREAKER["id"], "name": "Boiler", "connected": True, "error": "", "message": "", "heard_age_s": 2.0}
    sign = {
        **{"event": "owner", "name": "hardware Breakers", "kind": "plugin", "pid": PID, "user": "root"},
        **{"plugin_version": plugin_version(), "folder": str(folder), "code": code_state(folder), "uptime_s": 3600.0},
        "settings": {"devices_file": str(folder / "devices.json")},
        "served": [served],
        "not_served": [],
        "units": {"made": 0, "existing": 4, "waiting": 0, "refused": False, "accepts_new_devices": True},
        "errors": [],
        "problems": [],
    }
    return {**sign, **changes}


def around(folder, *signs, **changes):
    started = Started(Path("/opt/domoticz/domoticz"), {"-userdata": str(folder.parents[1])}, None, PID, began_s=1.0)
    values = {
        "folder": folder,
        "files": (folder / "devices.json",),
        "domoticz": Domoticz(started.binary, Path("/opt/domoticz"), "it is running", PID, started, is_ours=True),
        "signs": [life_sign(sign) for sign in signs],
        "views": (),
        "log": None,
        "now_s": NOW_S,
    }
    return Surroundings(**{**values, **changes})


def judged(surroundings):
    """The verdict, and the first finding that is the reason for it."""
    findings = list(examine_domoticz(surroundings, ENTRIES))
    for finding in findings:
        assert finding.cure or finding.state not in ("failed", "unchecked"), finding
    word = verdict_of(findings).text
    state = {"well": "ok", "not well": "failed", "not checked": "unchecked"}[word]
    return word, next((finding for finding in findings if finding.state == state), Finding("", "", "")), findings


def test_a_plugin_at_work_is_well(folder):
    word, _, findings = judged(around(folder, said(folder)))
    assert word == "well"
    checks = ["domoticz", "plugin", "devices in Domoticz", "served", "errors"]
    assert [finding.check for finding in findings] == checks


def view(**changes):
    return replace(View("its database", (HardwareRow(2, "Breakers", enabled=True),), True, True), **changes)


BEGAN = "Status: Domoticz V2025.1 (build 16785) (c)2012-2026 GizMoCuz"
STARTED = "Status: Breakers: Initialized version 1.0.0, author 'us'"
IGNORED = "Status: PluginSystem: 'Breakers' Registration ignored, Plugins are not enabled."


@pytest.mark.parametrize(
    ("changes", "word", "check", "told"),
    [
        ({"domoticz": None}, "not checked", "domoticz", "no Domoticz was found"),
        (
            {
                "domoticz": None,
                "running": [Started(Path("/opt/domoticz/domoticz"), {}, pid=PID, outside="/proc/4711/root")],
            },
            *("not checked", "domoticz", "process 4711, Domoticz, has a root of its own: a container, or a chroot"),
        ),
        ({"domoticz": None, "containers": ["dz"]}, "not checked", "domoticz", "there is a container 'dz'"),
        ({}, "not well", "plugin", "does not run in this Domoticz"),
        ({"views": [view(event_system=False)]}, "not well", "event system", "event system is switched off"),
        ({"views": [view(hardware=())]}, "not well", "hardware", "not on the Hardware page"),
        (
            {"views": [view(hardware=(HardwareRow(2, "B", enabled=False),))]},
            *("not well", "hardware", "'B' is there and not enabled"),
        ),
        ({"views": [view(accepts_new=False)]}, "not well", "new devices", "accepts no new devices"),
        (
            {"log": judge([BEGAN, STARTED, BEGAN, IGNORED], "domoticz.log", "us")},
            *("not well", "log", "Domoticz ignores plugins"),
        ),
        (
            {"log": judge([BEGAN, STARTED], "domoticz.log", "us")},  # it says "Initialized", and yet nothing lives
            *("not well", "plugin", "does not run in this Domoticz"),
        ),
    ],
)
def test_without_a_sign_of_life_nothing_is_well(folder, changes, word, check, told):
    found = judged(around(folder, **changes))
    assert (found[0], found[1].check) == (word, check), found
    assert told in found[1].text


def test_a_plugin_that_would_not_tell_this_user(folder, monkeypatch):
    monkeypatch.setattr(Domoticz, "account", Account(54321, 54321))
    word, finding, _ = judged(around(folder, can_hear=False))
    assert (word, finding.check) == ("not checked", "plugin")
    assert finding.cure.startswith("sudo python3 -m tuya doctor;")  # a number has no name
    assert judged(around(folder, said(folder, pid=PID + 1), can_hear=False))[0] == "not checked"


def test_domoticz_that_does_not_run(folder):
    domoticz = Domoticz(Path("/opt/domoticz/domoticz"), Path("/opt/domoticz"), "service", is_ours=True)
    word, finding, _ = judged(around(folder, domoticz=domoticz))
    assert (word, finding.text) == ("not well", "/opt/domoticz/domoticz does not run")


def test_domoticz_that_was_started_just_now(folder):
    ours = around(folder)
    domoticz = replace(ours.domoticz, started=replace(ours.domoticz.started, began_s=NOW_S - 3))
    word, finding, _ = judged(around(folder, domoticz=domoticz))
    assert (word, finding.text[:30]) == ("not checked", "Domoticz was started 3 s ago; ")


@pytest.mark.parametrize(("ago_s", "word"), [(35.0, "not checked"), (90.0, "not well")])
def test_a_domoticz_that_waits_before_it_starts_anything(folder, ago_s, word):
    ours = around(folder)
    started = replace(ours.domoticz.started, began_s=NOW_S - ago_s)
    started.options["-startupdelay"] = "60"
    found, finding, _ = judged(around(folder, domoticz=replace(ours.domoticz, started=started)))
    assert (found, "waits 60 s" in finding.text) == (word, word == "not checked")


def test_files_that_were_only_touched_are_what_runs(folder):
    sign = said(folder, code_content=code_content(folder))
    os.utime(folder / "plugin.py", (NOW_S - 60, NOW_S - 60))
    assert judged(around(folder, sign))[0] == "well"
    assert judged(around(folder, {**sign, "code_content": ""}))[0] == "not well"
    (folder / "plugin.py").write_text("[2]")
    word, finding, _ = judged(around(folder, sign))
    assert (word, "before its files were changed" in finding.text) == ("not well", True)


def test_a_folder_that_was_renamed_is_no_second_copy(folder):
    sign = said(folder, folder=str(folder.parent / "TuyaOld"))
    word, finding, _ = judged(around(folder, sign))
    assert (word, "not there any more" in finding.text, "copies" in finding.cure) == ("not well", True, False)


@pytest.mark.parametrize(
    "why",
    ["IP address: give an IPv4 address", "Device ID: this is no Tuya device id", "The plugin's packages are damaged"],
)
def test_what_a_plugin_that_serves_nothing_said_is_the_reason(folder, why):
    lines = [
        "2026-11-28 10:00:00.000  Status: Breakers: Initialized version 1.1.0, author 'author'",
        f"2026-11-28 10:00:01.000  Error: Breakers: {why}",
    ]
    word, finding, _ = judged(around(folder, log=judge(lines, "/var/log/domoticz.log", "author")))
    assert (word, finding.text) == ("not well", f"it was started and serves nothing: Breakers: {why}")
    stopped = judge([*lines, "2026-11-28 10:00:02.000  Status: Breakers: Stopped."], "log", "author")
    assert "does not run" in judged(around(folder, log=stopped))[1].text


def test_another_instance_runs_and_this_copy_is_in_no_plugins_folder(folder, tmp_path):
    (tmp_path / "other/plugins").mkdir(parents=True)
    started = Started(Path("/opt/domoticz/domoticz"), {"-userdata": str(tmp_path / "other")}, None, 9)
    domoticz = Domoticz(started.binary, Path("/"), "it is running", 9, started)
    word, finding, _ = judged(around(folder, said(folder, pid=9), domoticz=domoticz))
    assert word == "not well"
    assert finding.cure.startswith(f"ln -s {folder} {tmp_path}/other/plugins/, restart Domoticz")
    hidden = replace(domoticz, started=replace(started, options={"-userdata": "/nowhere"}))
    assert judged(around(folder, domoticz=hidden))[0] == "not checked"


def test_another_instance_runs_and_the_one_of_this_copy_was_stopped(folder, tmp_path):
    (tmp_path / "other/plugins").mkdir(parents=True)
    (tmp_path / "data/domoticz.db").write_bytes(b"")
    started = Started(Path("/opt/domoticz/domoticz"), {"-userdata": str(tmp_path / "other")}, None, 9)
    domoticz = Domoticz(started.binary, Path("/"), "it is running", 9, started)
    word, finding, _ = judged(around(folder, domoticz=domoticz, running=[started]))
    assert (word, finding.check) == ("not well", "domoticz")
    assert f"whose data is in {tmp_path}/data, with this copy of the plugin, does not run" in finding.text
    assert f"process 9 takes its plugins from {tmp_path}/other/plugins" in finding.text
    assert finding.cure.startswith("start that one")
    assert "ln -s" not in finding.cure
    hidden = replace(started, options={"-userdata": "/nowhere"}, pid=8)
    word, finding, _ = judged(around(folder, domoticz=domoticz, running=[started, hidden]))
    assert (word, "process 8 may be that one" in finding.text) == ("not checked", True)


def test_a_plugin_that_is_there_and_says_nothing_is_not_one_that_does_not_run(folder):
    word, finding, _ = judged(around(folder, is_mute=True))
    assert (word, finding.check) == ("not well", "plugin")
    assert f"in process {PID} and does not answer" in finding.text


@pytest.mark.parametrize("at_s", [4e9, 0.0, 1e9])
def test_the_clock_says_nothing_of_what_the_plugin_runs(folder, at_s):
    """Files from the future and from 1970, and a clock that was set since: what counts is whether they were changed."""
    os.utime(folder / "plugin.py", (at_s, at_s))
    before = said(folder)
    assert judged(around(folder, before))[0] == "well"
    assert judged(around(folder, before, now_s=NOW_S + 1e8))[0] == "well"
    (folder / "tuya").mkdir()
    (folder / "tuya" / "new.py").write_text("")
    os.utime(folder / "tuya" / "new.py", (at_s - 1e6 if at_s else 0.0,) * 2)  # of an archive, older than all else
    word, finding, _ = judged(around(folder, before))
    assert (word, finding.check, "before its files were changed" in finding.text) == ("not well", "plugin", True)


@pytest.mark.parametrize(
    ("changes", "word", "told"),
    [
        ({"beat_age_s": 3.0, "update_waits_s": 0.4}, "well", ""),
        ({"beat_age_s": 30.0}, "not checked", "Domoticz has not called hardware Breakers for 30 s"),
        ({"beat_age_s": 400.0}, "not well", "Domoticz has not called hardware Breakers for 400 s"),
        ({"update_waits_s": 12.0}, "not checked", "has been taking 12 s for one value"),
        ({"update_waits_s": 400.0}, "not well", "has been taking 400 s for one value"),
    ],
)
def test_a_plugin_whose_domoticz_hangs(folder, changes, word, told):
    found = judged(around(folder, said(folder, **changes)))
    assert (found[0], told in found[1].text) == (word, True), found


def test_a_hardware_that_is_enabled_and_does_not_run(folder):
    """Another one runs: that says nothing of this one, nor of the breakers in its own file."""
    rows = (HardwareRow(2, "Breakers", True), HardwareRow(3, "Cellar", True), HardwareRow(4, "Attic", False))
    word, finding, _ = judged(around(folder, said(folder), views=[view(hardware=rows)]))
    assert (word, finding.text.startswith("'Cellar' is enabled")) == ("not checked", True)
    both = [said(folder), said(folder, name="hardware Cellar", served=[])]
    assert judged(around(folder, *both, views=[view(hardware=rows)]))[0] == "well"
    same_name = (HardwareRow(2, "Breakers", True), HardwareRow(3, "Breakers", True))
    assert judged(around(folder, said(folder), views=[view(hardware=same_name)]))[0] == "not checked"


def test_a_file_that_was_changed_and_not_taken_yet(folder):
    path = folder / "devices.json"
    settings = {"devices_file": str(path), "devices_file_state": content_state(path)}
    assert judged(around(folder, said(folder, settings=settings)))[0] == "well"
    path.write_text("[{}]")
    word, finding, _ = judged(around(folder, said(folder, settings=settings)))
    assert (word, "has not taken" in finding.text) == ("not checked", True)


def test_another_domoticz_with_the_same_copy_is_not_looked_at(folder, tmp_path):
    ours = around(folder).domoticz.started
    (tmp_path / "other/plugins").mkdir(parents=True)
    (tmp_path / "other/plugins/Tuya").symlink_to(folder)
    other = replace(ours, pid=9, options={"-userdata": str(tmp_path / "other")})
    found = judged(around(folder, said(folder), running=[ours, other]))
    assert (found[0], found[1].text.startswith("process 9, another Domoticz,")) == ("not checked", True)
    child = replace(other, parent=ours.pid)
    assert judged(around(folder, said(folder), running=[ours, child]))[0] == "well", "it is forked to run a script"
    (tmp_path / "other/plugins/Tuya").unlink()
    assert judged(around(folder, said(folder), running=[ours, other]))[0] == "well"


def served_so(heard_age_s):
    return [{"id": BREAKER["id"], "name": "Boiler", "connected": True, "heard_age_s": heard_age_s}]


@pytest.mark.parametrize(
    ("heard_age_s", "word"), [(9.0, "well"), (10.5, "not checked"), (59.0, "not checked"), (61.0, "not well")]
)
def test_a_breaker_that_has_not_answered_in_this_run(folder, heard_age_s, word):
    """It counts as connected for some 20 s after it has lost its power."""
    found = judged(around(folder, said(folder, served=served_so(heard_age_s)), run_s=10.0))
    assert (found[0], found[1].check if word != "well" else "served") == (word, "served")


def test_that_it_is_waited_for_an_answer_of_each_breaker(folder, monkeypatch):
    ages_s = [3600.0, 3601.0, 0.5]
    monkeypatch.setattr(command, "LOOK_INTERVAL_S", 0.0)
    monkeypatch.setattr(command, "signs_of_life", lambda *_: [life_sign(said(folder, served=served_so(ages_s.pop(0))))])
    signs, is_mute = command.patient_signs(PID, [BREAKER["id"]], time.monotonic() - 60.0)
    assert (signs[0].served[0].heard_age_s, is_mute, ages_s) == (0.5, False, [])
    ages_s[:] = [3600.0]
    assert command.patient_signs(PID, ["another"], time.monotonic())[0][0].served[0].heard_age_s == 3600.0
    monkeypatch.setattr(command, "HEARD_WITHIN_S", 0.0)
    ages_s[:] = [3600.0]
    assert command.patient_signs(PID, [BREAKER["id"]], time.monotonic())[0][0].served[0].heard_age_s == 3600.0


def test_a_program_that_was_replaced_while_it_runs(folder):
    domoticz = around(folder).domoticz
    replaced = replace(domoticz, started=replace(domoticz.started, is_replaced=True))
    word, _, findings = judged(around(folder, said(folder), domoticz=replaced))
    assert (word, [one.check for one in findings if one.state == "note"]) == ("well", ["program"])


@pytest.mark.parametrize(("state", "word"), [("failed", "not well"), ("unchecked", "not checked")])
def test_a_database_that_does_not_show_what_is_stored(folder, state, word):
    finding = Finding("database", state, "it was deleted", "restart")
    log = judge([BEGAN, STARTED, "Error: SQL Query(UPDATE) : disk full"], "domoticz.log", "us")
    found = judged(around(folder, said(folder), unstored=finding, log=log))
    assert (found[0], found[1]) == (word, finding)
    assert [one.check for one in found[2]].count("database") == 1


def test_a_plugin_in_a_container_of_its_own_network_is_not_one_that_does_not_run(folder):
    word, finding, _ = judged(around(folder, is_apart=True))
    assert (word, finding.check, "docker exec" in finding.cure) == ("not checked", "plugin", True)


def test_another_copy_among_the_plugins_is_said(folder):
    backup = folder.parent / "TuyaEnergy.old"
    backup.mkdir()
    (backup / "plugin.py").write_text('"""\n<plugin key="TuyaEnergy" name="Tuya" version="0.9">\n"""')
    (folder.parent / "TuyaLink").symlink_to(folder)
    word, _, findings = judged(around(folder, said(folder)))
    (note,) = [finding for finding in findings if finding.check == "copies"]
    assert (word, note.state, note.text.startswith(f"{backup}: another copy")) == ("well", "note", True)


def test_that_clicks_are_refused_by_a_setting_is_said(folder):
    settings = {"devices_file": str(folder / "devices.json"), "switching": "refused"}
    word, _, findings = judged(around(folder, said(folder, settings=settings)))
    assert word == "well"
    assert any("refuses every click" in finding.text for finding in findings if finding.state == "note")


def test_a_web_server_that_cannot_be_asked_hides_nothing_else(folder):
    word, finding, findings = judged(around(folder, said(folder), web_problem="http://x cannot be asked: refused"))
    assert (word, finding.check, finding.text) == ("not checked", "web server", "http://x cannot be asked: refused")
    assert [one.check for one in findings if one.state == "ok"][-2:] == ["served", "errors"]


def test_a_device_that_is_not_wanted_is_wanted_again_in_its_entry(folder):
    unwanted = parse_devices(json.dumps([{**BREAKER, "domoticz": {"use": False}}])).entries
    reason = [{"id": BREAKER["id"], "reason": 'with "use": false'}]
    findings = list(examine_domoticz(around(folder, said(folder, served=[], not_served=reason)), unwanted))
    (failed,) = [finding for finding in findings if finding.failed]
    assert failed.cure.startswith('take "use": false out of its entry')


def test_a_domoticz_that_is_stopped_is_said_to_be(folder, monkeypatch):
    monkeypatch.setattr(in_domoticz, "is_stopped", lambda pid: pid == PID)
    word, finding, _ = judged(around(folder, is_mute=True))
    assert (word, finding.check) == ("not well", "plugin")
    assert (f"process {PID}, Domoticz, is stopped" in finding.text, "kill -CONT" in finding.cure) == (True, True)


def test_a_log_that_leaves_the_living_plugin_out_is_not_told(folder):
    silent = judge([], "/var/log/domoticz.log", "author")
    word, _, findings = judged(around(folder, said(folder), log=silent))
    assert (word, "log" in [finding.check for finding in findings]) == ("well", False)
    assert "log" in [finding.check for finding in judged(around(folder, log=silent))[2]]


def test_the_same_hardware_twice(folder):
    second = said(folder, name="hardware Second", served=[{**SERVED, "connected": False, "message": "is served"}])
    word, finding, _ = judged(around(folder, said(folder), second))
    assert (word, finding.check) == ("not well", "hardware")
    assert finding.text == "hardware Breakers and hardware Second are both to serve it, and one only can"


def test_a_key_of_the_hardware_page_is_corrected_there(folder):
    served = {**SERVED, "connected": False, "message": "the local key is not the device's"}
    settings = {"devices_file": str(folder / "devices.json"), "has_own_key": True}
    _, finding, _ = judged(around(folder, said(folder, served=[served], settings=settings)))
    assert (finding.check, "its field 'Local key' wins over devices.json" in finding.cure) == ("served", True)


SERVED = {"id": BREAKER["id"], "name": "Boiler", "connected": True, "heard_age_s": 2.0}
UNITS = {"made": 0, "existing": 4, "waiting": 0, "refused": False, "accepts_new_devices": True}


@pytest.mark.parametrize(
    ("changes", "word", "check", "told"),
    [
        ({"pid": PID + 1}, "not well", "plugin", "does not run in this Domoticz"),  # another instance's plugin
        ({"kind": "host"}, "not well", "plugin", "does not run in this Domoticz"),
        ({"folder": "/usr"}, "not well", "plugin", "runs another copy of the plugin"),
        ({"plugin_version": "0.9"}, "not well", "plugin", "runs release 0.9"),
        ({"plugin_version": None}, "not well", "plugin", "runs release unknown"),
        ({"code": "another"}, "not well", "plugin", "before its files were changed"),
        ({"code": None}, "not well", "plugin", "before its files were changed"),
        ({"settings": {"devices_file": "/etc/other.json"}}, "not checked", "files", "reads /etc/other.json"),
        (
            {"units": {**UNITS, "waiting": 3, "refused": True}},
            "not well",
            "devices in Domoticz",
            "accepts no new devices: 3",
        ),
        (
            {"units": {**UNITS, "existing": 0, "waiting": 4, "accepts_new_devices": False}},
            *("not well", "devices in Domoticz", "accepts no new devices: 4"),
        ),
        ({"units": {**UNITS, "waiting": 2}}, "not checked", "devices in Domoticz", "4 there, 2 to come"),
        ({"units": {**UNITS, "existing": 0}}, "not checked", "devices in Domoticz", "0 there, 0 to come"),
        ({"units": "nonsense"}, "not checked", "devices in Domoticz", "does not say"),
        ({"units": {**UNITS, "accepts_new_devices": False}}, "well", "domoticz", "runs as process"),
        ({"served": []}, "not well", "served", "the plugin does not serve it"),
        (
            {"served": [], "not_served": [{"id": BREAKER["id"], "reason": "it has no local key"}]},
            *("not well", "served", "does not serve it: it has no local key"),
        ),
        (
            {"served": [{**SERVED, "connected": False, "message": "the local key is wrong"}]},
            *("not well", "served", "not connected: the local key is wrong"),
        ),
        ({"served": [{**SERVED, "heard_age_s": 300}]}, "not well", "served", "has not answered for 300 s"),
        ({"served": [{**SERVED, "measured_age_s": 55.0}]}, "well", "domoticz", ""),
        (
            {"served": [{**SERVED, "measured_age_s": 65.0}]},
            "not checked",
            "readings",
            "nothing that it measures for 65",
        ),
        (
            {"served": [{**SERVED, "measured_age_s": 200.0}]},
            "not checked",
            "readings",
            "nothing that it measures for 200",
        ),
        (
            {"served": [{**SERVED, "untaken": "did not report the new state within 3 s"}]},
            *("not checked", "switching", "its last command: it did not report the new state"),
        ),
        (
            {"served": [{**SERVED, "connected_age_s": 200.0}]},
            *("not well", "readings", "no reading for 200 s (none since the connection began)"),
        ),
        (
            {"served": [{**SERVED, "connected_age_s": 900.0, "reported_age_s": 190.0}]},
            *("not well", "readings", "no reading for 190 s; it answers heartbeats only"),
        ),
        ({"served": [{**SERVED, "connected_age_s": 9.0}]}, "not checked", "readings", "no reading yet"),
        ({"served": [{**SERVED, "connected_age_s": 900.0, "reported_age_s": 20.0}]}, "well", "domoticz", ""),
        (
            {"served": [{**SERVED, "connected_age_s": 900.0, "reported_age_s": 70.0}]},
            *("not checked", "readings", "it has reported nothing for 70 s"),
        ),
        (
            {"served": [{**SERVED, "connected_age_s": 9e3, "reported_age_s": 1e3, "answers_queries": False}]},
            *("not checked", "readings", "reported nothing for 1000 s; it answers no queries in this session"),
        ),
        ({"served": [{**SERVED, "lacks_power": True}]}, "not checked", "power", "no kWh are counted"),
        ({"served": [{**SERVED, "counter_stood_wh": 612.3}]}, "not checked", "energy", "while 612 Wh flowed"),
        (
            {"served": [{**SERVED, "late_s": {"power": 95.0}, "kwh_wait_s": 35.0}]},
            *(
                "not checked",
                "power",
                "not reported its power for 95 s: the W shown are as old, and its kWh have stood",
            ),
        ),
        ({"served": [{**SERVED, "late_s": {"power": 95.0}, "power_counts_s": 300}]}, "well", "domoticz", ""),
        ({"served": [{**SERVED, "late_s": {"current": 55.0}}]}, "well", "domoticz", ""),
        ({"served": [{**SERVED, "late_s": {"voltage": 800.0}, "answers_queries": False}]}, "well", "domoticz", ""),
        ({"served": [{**SERVED, "late_s": {"voltage": 3600.0}, "pushed_only": ["voltage"]}]}, "well", "domoticz", ""),
        (
            {"served": [{**SERVED, "late_s": {"voltage": 3999.0}, "pushed_only": ["voltage"]}]},
            *("not checked", "readings", "its voltage for 67 min"),
        ),
        ({"served": [{**SERVED, "late_s": {"current": 125.0}}]}, "not checked", "readings", "its current for 2 min"),
        (
            {"served": [{**SERVED, "untaken": "did not report", "untaken_age_s": 90.0, "is_untaken_refuted": True}]},
            *("not checked", "switching", "its last command, 90 s ago: it did not report, and has told another state"),
        ),
        ({"served": [{**SERVED, "untaken": "did not report", "untaken_age_s": 9000.0}]}, "well", "domoticz", ""),
        (
            {"served": [], "settings": {"devices_file": "", "device_id": "bf99..zzzz"}},
            *("not well", "hardware", "serves nothing: its field 'Device ID' names bf99..zzzz"),
        ),
        ({"settings": {"devices_file": None}}, "not well", "hardware", "finds no devices file"),
        ({"served": [{**SERVED, "connected": False}]}, "not checked", "served", "is connecting"),
        ({"errors": [{"at": NOW_S - 720, "text": "Boiler: lost"}]}, "well", "domoticz", ""),
    ],
)
def test_what_a_living_plugin_says(folder, changes, word, check, told):
    found = judged(around(folder, said(folder, **changes)))
    assert (found[0], found[1].check) == (word, check), found[2]
    assert told in found[1].text


def test_errors_that_are_over_are_told_as_over(folder):
    errors = [
        {"at": NOW_S - 720, "text": "Boiler: lost"},
        {"at": 0.0, "age_s": 600.0, "text": "Boiler: again"},  # the clock was set since
    ]
    found = judged(around(folder, said(folder, errors=errors)))[2][-1]
    assert found.state == "note"
    assert found.text.startswith("2 since the plugin was started, the last 10 min ago: Boiler: lost / Boiler: again.")
    assert "over" in found.text


def test_errors_are_not_over_while_something_fails(folder):
    served = [{**SERVED, "connected": False, "message": "is away"}]
    errors = [{"at": NOW_S - 720, "age_s": 90.0, "text": "Boiler: lost"}]
    found = judged(around(folder, said(folder, served=served, errors=errors)))[2][-1]
    assert found.text == "1 since the plugin was started, the last 90 s ago: Boiler: lost"
    before = Finding("key", "failed", "it has no local key", device="Boiler")
    found = judged(around(folder, said(folder, errors=errors), told=[before]))[2][-1]
    assert "over" not in found.text


OTHER = {"id": "bf9999999999999zzzzz", "name": "Fridge", "key": "0123456789abcdef"}


def test_a_device_that_the_field_device_id_leaves_out_is_a_note(folder):
    served = {**SERVED, "id": OTHER["id"], "name": "Fridge"}
    settings = {"devices_file": str(folder / "devices.json"), "device_id": "bf99..zzzz"}
    word, _, findings = judged(around(folder, said(folder, served=[served], settings=settings)))
    (note,) = [finding for finding in findings if finding.check == "served"]
    assert (word, note.state) == ("well", "note")
    assert note.text == "not served: the hardware's field 'Device ID' names bf99..zzzz only"
    unheard = Finding("announcement", "note", "none heard", device="Boiler")
    findings = judged(around(folder, said(folder, served=[served], settings=settings), told=[unheard]))[2]
    assert note in findings, "another note of the breaker does not tell this"
    both = [said(folder, served=[served], settings=settings), said(folder, name="hardware B", served=[])]
    assert judged(around(folder, *both))[0] == "not well", "another hardware is to serve all of the file"


@pytest.mark.parametrize(
    ("before", "told"),
    [
        (Finding("connection", "failed", "is away", device="Boiler"), []),
        (Finding("owner", "unchecked", "is connecting", device="Boiler"), ["failed"]),
        (Finding("connection", "failed", "is away", device="Fridge"), ["failed"]),
    ],
)
def test_one_breaker_has_one_reason(folder, before, told):
    served = [{**SERVED, "connected": False, "message": "is away"}]
    findings = judged(around(folder, said(folder, served=served), told=[before]))[2]
    assert [finding.state for finding in findings if finding.check == "served"] == told


def test_what_was_found_of_its_readings_is_not_told_twice(folder):
    served = [{**SERVED, "late_s": {"power": 95.0}, "untaken": "did not report"}]
    before = Finding("power", "unchecked", "it has not reported its power", device="Boiler")
    word, first, findings = judged(around(folder, said(folder, served=served), told=[before]))
    assert (word, first.check) == ("not checked", "switching")
    assert "power" not in [finding.check for finding in findings]


@pytest.mark.parametrize(
    ("error", "protocol", "cured"),
    [("Busy", "3.1", True), ("Mute", "3.1", True), ("Busy", "auto", False), ("Unreachable", "3.1", False)],
)
def test_a_protocol_that_was_chosen_on_the_hardware_page_is_named(folder, error, protocol, cured):
    served = {**SERVED, "connected": False, "message": "closes it before an answer", "error": error}
    settings = {"devices_file": str(folder / "devices.json"), "protocol": protocol}
    _, finding, _ = judged(around(folder, said(folder, served=[served], settings=settings)))
    assert (finding.check, "its field 'Protocol' says 3.1" in finding.cure) == ("served", cured)


@pytest.mark.parametrize(("noted_s", "shown_s"), [(1.2, 0.0), (3600.0, 1.2)])
def test_since_when_it_runs_does_not_wander(folder, noted_s, shown_s):
    """Its own note of the time counts, unless somebody set the clock since."""
    started_s = float(int(NOW_S) - 3600)
    told = said(folder, uptime_s=NOW_S - started_s - 1.2, started_at=started_s + noted_s - 1.2)
    (since,) = [one.text for one in judged(around(folder, told))[2] if one.check == "plugin"]
    at_s = started_s + shown_s
    assert since.endswith(time.strftime("since %Y-%m-%d %H:%M:%S", time.localtime(at_s)))


def test_a_file_that_was_changed_just_now_is_not_judged_yet(folder):
    (folder / "devices.json").write_text("[ ]")
    word, finding, _ = judged(around(folder, said(folder, served=[]), now_s=time.time()))
    assert (word, finding.text) == ("not checked", "the file was changed just now")


def test_nothing_that_another_process_says_raises(folder):
    for value in (None, 5, "x", [], {}, [1], {"x": 1}, [{"id": 3}], float("nan"), 1e300, True):
        for name in said(folder):
            list(examine_domoticz(around(folder, said(folder, **{name: value})), ENTRIES))


def make_database(path, rows=(("Breakers", 1, 94, "TuyaEnergy"),), event_system=1, accepts=1, wal=True):
    connection = sqlite3.connect(path)
    if wal:
        connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE Hardware (ID INTEGER PRIMARY KEY, Name, Enabled, Type, Extra, Password)")
    connection.execute("CREATE TABLE Preferences (Key, nValue, sValue)")
    connection.executemany("INSERT INTO Hardware (Name, Enabled, Type, Extra) VALUES (?,?,?,?)", rows)
    preferences = [("EnableEventScriptSystem", event_system), ("AcceptNewHardware", accepts)]
    connection.executemany("INSERT INTO Preferences (Key, nValue) VALUES (?,?)", preferences)
    connection.commit()
    return connection


@pytest.mark.parametrize("wal", [True, False])
def test_domoticzs_database_is_read_and_not_touched(tmp_path, wal):
    path = tmp_path / "domoticz.db"
    rows = [("Breakers", 1, 94, "TuyaEnergy"), ("Old", 0, 94, "TuyaEnergy"), ("Other", 1, 94, "Weather")]
    connection = make_database(path, rows, event_system=0, accepts=0, wal=wal)
    before = sorted(file.name for file in tmp_path.iterdir())
    found = from_database(path, is_running=True)
    assert found == View(
        f"its database {path}",
        (HardwareRow(1, "Breakers", enabled=True), HardwareRow(2, "Old", enabled=False)),
        event_system=False,
        accepts_new=False,
    )
    assert sorted(file.name for file in tmp_path.iterdir()) == before
    connection.close()
    assert from_database(path, is_running=False) == found
    assert [file.name for file in tmp_path.iterdir()] == ["domoticz.db"]


def test_hardware_that_writes_no_log_is_said(folder, tmp_path):
    path = tmp_path / "domoticz.db"
    connection = make_database(path)
    connection.execute("ALTER TABLE Hardware ADD COLUMN LogLevel INTEGER DEFAULT 0")
    connection.commit()
    seen = from_database(path, is_running=True)
    connection.close()
    assert seen.hardware == (HardwareRow(1, "Breakers", enabled=True, logs=False),)
    word, _, findings = judged(around(folder, said(folder), views=[seen]))
    (note,) = [finding for finding in findings if finding.check == "log level"]
    assert (word, note.state, "has nothing ticked" in note.text) == ("well", "note", True)


def test_what_is_no_database_says_nothing(tmp_path):
    path = tmp_path / "domoticz.db"
    assert from_database(path, is_running=True) is None
    path.write_text("nonsense, long enough to have a header of twenty bytes and more")
    assert from_database(path, is_running=True) is None
    path.unlink()
    sqlite3.connect(path).close()
    assert from_database(path, is_running=True) is None


def test_a_database_in_a_folder_whose_name_is_no_text(tmp_path):
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    make_database(folder / "domoticz.db").close()
    assert from_database(folder / "domoticz.db", is_running=False) is not None


def test_names_that_may_be_swapped_are_not_well(folder):
    """A click on the one would switch the other."""
    swapped = "Boiler is called Fridge in Domoticz, as another entry is: were names swapped?"
    word, why, _ = judged(around(folder, said(folder, problems=[swapped])))
    assert (word, why.check, "were names swapped" in why.text) == ("not checked", "settings", True)
    typo = "Switching: 'off' is not understood: switching is refused"
    assert judged(around(folder, said(folder, problems=[typo])))[0] == "not checked"
    assert judged(around(folder, said(folder, problems=["protocol 3.1 cannot prove who answers"])))[0] == "well"


def test_what_stands_still_in_domoticz_is_not_well(folder):
    sign = said(folder)
    units = {**sign["units"], "shown": {BREAKER["id"]: {"1": 1}, "bf9999999999999oven": {"1": 1}}}
    word, why, _ = judged(around(folder, {**sign, "units": units}))
    assert (word, why.check, "a click is refused" in why.text) == ("not checked", "devices in Domoticz", True)
    of_file = parse_devices(json.dumps([{"id": "bf9999999999999oven", "key": "0", "domoticz": {"use": False}}]))
    assert judged(around(folder, {**sign, "units": units}, listed=of_file.entries))[0] == "well"
