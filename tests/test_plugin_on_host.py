"""plugin.py, unchanged, on the stand-in with simulated breakers: what only the stand-in can see.

The scenarios that a real Domoticz can play too are in tests/e2e/test_scenarios.py.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from tests.e2e.conftest import eventually, stand_in
from tests.e2e.plugin_folder import REPOSITORY, make_plugin_folder
from tests.lateness import lateness
from tests.leftovers import Leftovers
from tuya.host import Stage
from tuya.host.releases import RELEASES
from tuya.simulator import Fleet

SWITCH, ENERGY, VOLTAGE, CURRENT = 1, 2, 3, 4


@pytest.fixture
def stage(tmp_path):
    stages = []

    def make(**options):
        stages.append(stand_in(tmp_path, **options))
        return stages[-1]

    yield make
    for one in stages:
        one.close()


def fleet_of(count, **more):
    return Fleet(**{"version": "3.4", "count": count, "noise": 0.0, **more})


def written(fleet, path):
    path.write_text(json.dumps(fleet.devices()))
    return str(path)


def started(stage, devices_file, units, **parameters):
    idx = stage.add_hardware(parameters={"Mode1": devices_file, "Mode5": "2", **parameters})
    assert stage.wait_started(idx)
    eventually(lambda: len(stage.devices(idx)) == units, 20, "all units")
    return idx


def ids(fleet):
    return [breaker.entry()["id"] for breaker in fleet.breakers]


def assert_no_secret(texts, fleet):
    whole = "\n".join(texts)
    for entry in fleet.devices():
        assert entry["key"] not in whole
        assert entry["key"].encode().hex() not in whole
        assert entry["id"] not in whole


@pytest.mark.parametrize("release", [min(RELEASES), max(RELEASES)])
def test_a_life_on_each_release(stage, tmp_path, release):
    with fleet_of(2) as fleet:
        stage = stage(release=release)
        idx = started(stage, written(fleet, tmp_path / "devices.json"), 8)
        for state in (0, 1):
            stage.command(idx, ids(fleet)[0], SWITCH, "On" if state else "Off")
            eventually(lambda state=state: stage.device(idx, ids(fleet)[0], SWITCH).nvalue == state, 2)
        stage.rename(stage.device(idx, ids(fleet)[0], ENERGY), "Freezer")
        fleet.breakers[0].set_load(900.0)
        eventually(lambda: stage.device(idx, ids(fleet)[0], ENERGY).svalue.startswith("900"), 5)
        stage.restart(idx)
        assert stage.wait_started(idx)
        fleet.breakers[0].set_load(400.0)
        eventually(lambda: stage.device(idx, ids(fleet)[0], ENERGY).svalue.startswith("400"), 8)
        assert stage.device(idx, ids(fleet)[0], ENERGY).name == "Freezer"
        assert stage.device(idx, ids(fleet)[0], ENERGY).options["EnergyMeterMode"] == "0"
        stage.close()
        assert stage.problems == []
        assert stage.lines("error", "print") == []


SAID_BY_THE_UPDATE = 'self._framework.log("as updated")'


@pytest.mark.parametrize("folder", ["folder", "link"])
@pytest.mark.parametrize("release", ["2025.1", "2026.1", "2026.1+"])
def test_an_update_of_the_files_is_what_runs_after_a_restart_of_the_hardware(tmp_path, release, folder):
    """Also where the interpreter is kept, with all modules or, because the folder is a link, with those behind it."""
    plugin = make_plugin_folder(tmp_path / "elsewhere" / "TuyaEnergy")
    if folder == "link":
        (tmp_path / "plugins").mkdir()
        (tmp_path / "plugins" / "TuyaEnergy").symlink_to(plugin)
    with (
        fleet_of(1) as fleet,
        Stage(
            tmp_path / "plugins" / "TuyaEnergy" if folder == "link" else plugin,
            tmp_path,
            release=release,
            lateness=lateness,
        ) as stage,
    ):
        idx = started(stage, written(fleet, tmp_path / "devices.json"), 4)
        bridge = plugin / "tuya" / "domoticz" / "bridge.py"
        text = bridge.read_text()
        changed = text.replace(
            "        crash_guards.apply()\n", f"        crash_guards.apply()\n        {SAID_BY_THE_UPDATE}\n"
        )
        assert changed != text
        bridge.write_text(changed)
        assert "as updated" not in stage.lines()
        stage.restart(idx)
        assert stage.wait_started(idx)
        assert "as updated" in stage.lines()
        fleet.breakers[0].set_load(900.0)
        eventually(lambda: stage.device(idx, ids(fleet)[0], ENERGY).svalue.startswith("900"), 15, "values")
        assert len(stage.threads(idx)) == 2
        assert stage.lines("error", "print") == []
        assert stage.close()
        assert stage.problems == []


def test_what_runs_after_many_restarts_in_one_interpreter_is_as_after_the_first(tmp_path):
    """Nothing piles up in an interpreter that is kept: paths, modules, threads, the switch interval, memory."""
    plugin = make_plugin_folder(tmp_path / "plugins" / "TuyaEnergy")
    with (plugin / "plugin.py").open("a") as file:
        file.write(COUNTED)
    with fleet_of(1) as fleet, Stage(plugin, tmp_path, release="2026.1", lateness=lateness) as stage:
        idx = started(stage, written(fleet, tmp_path / "devices.json"), 4)
        for _ in range(RESTARTS):
            stage.restart(idx)
            assert stage.wait_started(idx)
        counted = [json.loads(text) for text in stage.lines() if text.startswith("{")]
        assert len(counted) == RESTARTS + 1
        first, *later = counted
        assert [count["paths"] for count in later] == [first["paths"]] * RESTARTS
        assert {count["interval_s"] for count in counted} == {first["interval_s"]}
        assert [count["stale"] for count in counted] == [0] * (RESTARTS + 1)
        # what one life has left behind is collected during the next ones, not piled up
        assert max(count["bridges"] for count in later) <= 2
        assert stage.lines("error", "print") == []
        assert stage.problems == []


RESTARTS = 8
# counted at the end of each onStart, inside: live modules whose code is not that of sys.modules, bridges that are alive
COUNTED = """

_start = onStart


def onStart():
    _start()
    import gc, json
    gc.collect()
    ours = [one for one in gc.get_objects() if type(one).__name__ == "Bridge" and "tuya" in type(one).__module__]
    Domoticz.Log(json.dumps({
        "paths": [path for path in sys.path],
        "interval_s": sys.getswitchinterval(),
        "bridges": len(ours),
        "stale": sum(type(one) is not Bridge for one in ours),
    }))
"""


def test_two_instances_and_twenty_restarts(stage, tmp_path):
    left = Leftovers()
    with fleet_of(3) as one, fleet_of(3, version="3.5") as two:
        stage = stage()
        first = started(stage, written(one, tmp_path / "one.json"), 12, Mode6="debug")
        second = started(stage, written(two, tmp_path / "two.json"), 12)
        names = stage.threads(first)
        assert len(names) == 2, names  # network and publisher
        for round_ in range(20):
            idx = (first, second)[round_ % 2]
            late_s = lateness()
            assert stage.stop(idx) < 0.5 + late_s()
            stage.start(idx)
            assert stage.wait_started(idx)
        for idx, fleet in ((first, one), (second, two)):
            fleet.breakers[1].set_load(750.0)
            eventually(lambda i=idx, f=fleet: stage.device(i, ids(f)[1], ENERGY).svalue.startswith("750"), 15)
        assert len(stage.threads(first)) == len(stage.threads(second)) == 2
        assert stage.close()
        assert stage.problems == []
        assert_no_secret(stage.lines("normal", "status", "error", "print"), two)
        assert all(entry["key"] not in "\n".join(stage.lines()) for entry in one.devices())
        assert all(breaker.writes == [] for breaker in (*one.breakers, *two.breakers))
    assert left.after_a_while() == []


def test_a_stop_is_quick_with_every_breaker_dead(stage, tmp_path):
    with fleet_of(6) as fleet:
        stage = stage()
        idx = started(stage, written(fleet, tmp_path / "devices.json"), 24)
        for breaker in fleet.breakers:
            breaker.stop(silent=True)
        time.sleep(3)
        late_s = lateness()
        assert stage.stop(idx) < 0.5 + late_s()
        stage.close()
        assert stage.problems == []


def test_a_stop_while_the_database_is_busy_crashes_nothing(stage, tmp_path):
    with fleet_of(1) as fleet:
        stage = stage()
        idx = started(stage, written(fleet, tmp_path / "devices.json"), 4)
        time.sleep(5.0)  # two heartbeats: what is known by now is stored, which is the one write they wait for
        with stage.held_database():
            fleet.breakers[0].set_load(1200.0)
            time.sleep(1.0)
            stage.command(idx, ids(fleet)[0], SWITCH, "Off")
            eventually(lambda: fleet.breakers[0].relay is False, 2, "the click")
        eventually(lambda: stage.device(idx, ids(fleet)[0], SWITCH).nvalue == 0, 2)


def test_commands_after_the_stop_reach_no_breaker(stage, tmp_path):
    with fleet_of(1) as fleet:
        stage = stage()
        idx = started(stage, written(fleet, tmp_path / "devices.json"), 4)
        stage.stop(idx, [(ids(fleet)[0], SWITCH, "Off", 0, "")])
        time.sleep(0.3)
        assert fleet.breakers[0].writes == []
        assert stage.lines("error") == []


def test_units_are_updated_for_changes_only(stage, tmp_path):
    with fleet_of(1) as fleet:
        stage = stage()
        idx = started(stage, written(fleet, tmp_path / "devices.json"), 4)
        fleet.breakers[0].push_every(0.2)
        time.sleep(3)
        before = {row.unit: row.updates for row in stage.devices(idx)}
        time.sleep(6)
        after = {row.unit: row.updates for row in stage.devices(idx)}
        assert after[SWITCH] == before[SWITCH] == 0
        assert all(after[unit] - before[unit] <= 1 for unit in (ENERGY, VOLTAGE, CURRENT)), (before, after)


def test_a_breaker_added_to_the_file_appears_and_one_removed_is_timed_out(stage, tmp_path):
    with fleet_of(2) as fleet:
        path = tmp_path / "devices.json"
        path.write_text(json.dumps(fleet.devices()[:1]))
        stage = stage()
        idx = started(stage, str(path), 4)
        path.write_text(json.dumps(fleet.devices()))
        eventually(lambda: len(stage.devices(idx)) == 8, 30, "the second breaker")
        path.write_text(json.dumps(fleet.devices()[1:]))
        eventually(lambda: stage.device(idx, ids(fleet)[0], SWITCH).timed_out, 60, "the red header")
        assert not stage.device(idx, ids(fleet)[1], SWITCH).timed_out
        assert len(stage.devices(idx)) == 8


def test_switching_can_be_refused(stage, tmp_path):
    with fleet_of(1) as fleet:
        stage = stage()
        idx = started(stage, written(fleet, tmp_path / "devices.json"), 4, Mode2="refused")
        stage.command(idx, ids(fleet)[0], SWITCH, "Off")
        eventually(lambda: stage.lines("error"), 2, "the refusal")
        time.sleep(0.5)
        assert fleet.breakers[0].writes == []
        assert stage.device(idx, ids(fleet)[0], SWITCH).nvalue == 1


def test_a_wrong_key_is_one_line_with_the_cure(stage, tmp_path):
    with fleet_of(1) as fleet:
        entries = fleet.devices()
        entries[0]["key"] = "0123456789abcdef"
        path = tmp_path / "devices.json"
        path.write_text(json.dumps(entries))
        stage = stage()
        idx = stage.add_hardware(parameters={"Mode1": str(path)})
        eventually(lambda: any("key" in text for text in stage.lines("error", idx=idx)), 10, "the complaint")
        time.sleep(4)
        about = [text for text in stage.lines("error", idx=idx) if "key" in text]
        assert len(about) == 1
        assert entries[0]["name"] in about[0]
        assert "0123456789abcdef" not in "\n".join(stage.lines())


@pytest.mark.parametrize("damage", ["no lib", "no file", "broken file", "old packages"])
def test_a_broken_installation_is_one_error_and_can_be_disabled(stage, tmp_path, damage):
    stage = stage()
    devices = tmp_path / "devices.json"
    devices.write_text('[{"id": "a",' if damage == "broken file" else "[]")
    if damage == "no lib":
        shutil.rmtree(stage.folder / "lib")
    if damage == "old packages":
        (stage.folder / "requirements.txt").write_text("tinytuya==0.0.1\n")
    if damage == "no file":
        devices.unlink()
    idx = stage.add_hardware(parameters={"Mode1": str(devices)})
    assert stage.wait_started(idx)
    eventually(lambda: stage.lines("error"), 5, "the error")
    if damage in ("no lib", "old packages"):
        assert "bash install.sh" in stage.lines("error")[0]
    time.sleep(2.5)
    assert len(stage.lines("error")) == 1, stage.lines("error")
    stage.command(idx, "a", SWITCH, "On")
    late_s = lateness()
    assert stage.stop(idx) < 1.0 + late_s()
    assert [problem for problem in stage.problems if problem.kind != "rule"] == []


# The command line


def host(*arguments, **more):
    command = [sys.executable, "-m", "tuya", "host", *arguments]
    return subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)


needs_lib = pytest.mark.skipif(not (REPOSITORY / "lib" / "STAMP").is_file(), reason="bash install.sh was not run")


@needs_lib
def test_host_prints_one_list(tmp_path):
    with fleet_of(2) as fleet:
        device_id = ids(fleet)[0]
        file = written(fleet, tmp_path / "devices.json")
        process = host(
            *("--devices", file, "--seconds", "9", "--param", "Mode5=2", "--restart-every", "6", "--json"),
            *("--command", f"{device_id}:1=Off@4"),
        )
        output, errors = process.communicate(timeout=100)
        assert process.returncode == 0, errors
        assert output.count("\n") == 1
        rows = json.loads(output)
        assert list(rows[0]) == [
            *("device_id", "unit", "name", "type", "subtype", "switchtype"),
            *("nvalue", "svalue", "timed_out", "used", "updates"),
        ]
        assert len(rows) == 8
        switch = next(row for row in rows if (row["device_id"], row["unit"]) == (device_id, 1))
        assert (switch["nvalue"], switch["svalue"], switch["updates"]) == (0, "Off", 1)
        assert [list(write[1].values()) for write in fleet.breakers[0].writes] == [[False]]
        assert_no_secret([errors], fleet)


@needs_lib
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_host_ends_cleanly_at_a_signal(tmp_path, number):
    with fleet_of(1) as fleet:
        temporary = tmp_path / "temporary"
        temporary.mkdir()
        environment = {**os.environ, "TMPDIR": str(temporary)}
        process = host("--devices", written(fleet, tmp_path / "devices.json"), "--json", env=environment)
        for line in process.stderr:
            if "Connected" in line:
                break
        process.send_signal(number)
        output, errors = process.communicate(timeout=100)
        assert process.returncode == 0, errors
        assert isinstance(json.loads(output), list)
        # what stays: when the connections were closed, for whoever connects next (tuya/lan/locks/last_closed.py)
        assert [path.name for path in temporary.iterdir()] == [f"tuya-breakers-{os.getuid()}"]
        assert len(list((temporary / f"tuya-breakers-{os.getuid()}").iterdir())) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["--devices", "/no/such/file"],
        ["--param", "Mode9=1"],
        ["--param", "Mode5"],
        ["--seconds", "0"],
        ["--seconds", "soon"],
        ["--command", "On"],
        ["--command", "id:x=On@1"],
        ["--release", "1999.1"],
    ],
)
def test_wrong_use_of_host_is_answered_with_2(arguments):
    process = host(*arguments)
    _, errors = process.communicate(timeout=100)
    assert process.returncode == 2
    assert errors
