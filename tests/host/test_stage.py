import os
import time

import pytest

from tests.host.host_helpers import SWITCH_AND_METER, eventually, kinds, started
from tests.lateness import lateness
from tests.leftovers import Leftovers
from tuya.host import Stage
from tuya.host.releases import RELEASES


def made(stage, **parameters):
    """Start one instance and wait for its two units."""
    idx = started(stage, **parameters)
    eventually(lambda: len(stage.devices(idx)) == 2)
    return idx


def probe(stage, idx, unit=1, command="On"):
    """Click and return what the log got after that."""
    before = len(stage.log)
    stage.command(idx, "breaker", unit, command)
    eventually(lambda: any(line.text.startswith("done") for line in stage.log[before:]))
    return [line.text for line in stage.log[before:]]


def body(on_command):
    """Replace onCommand of the standard plugin."""
    lines = "\n    ".join(on_command.strip().splitlines())
    start = SWITCH_AND_METER.split("def onCommand")[0]
    return f'{start}def onCommand(DeviceID, Unit, Command, Level, Color):\n    {lines}\n    Domoticz.Log("done")\n'


@pytest.mark.parametrize("release", sorted(RELEASES))
def test_a_click_reaches_the_plugin_within_a_quarter_second(stage, release):
    stage = stage(options={"release": release})
    idx = made(stage)
    clicked = time.monotonic()
    late_s = lateness()
    stage.command(idx, "breaker", 1, "On")
    row = eventually(lambda: (row := stage.device(idx, "breaker", 1)).nvalue and row, timeout_s=2)
    assert time.monotonic() - clicked < 0.25 + late_s()
    assert (row.svalue, row.updates, row.used, row.type, row.subtype) == ("On", 1, True, 244, 73)
    assert not stage.problems


def test_values_set_before_create_are_stored(stage):
    stage = stage()
    idx = made(stage)
    meter = stage.device(idx, "breaker", 2)
    assert (meter.svalue, meter.updates, meter.options) == ("100.0;5000.000", 0, {"EnergyMeterMode": "0"})
    assert stage.today_kwh(meter) == 0.0


def test_parameters_are_the_manifests_defaults_and_what_was_given(stage):
    stage = stage("def onStart():\n    Domoticz.Log(repr(sorted(Parameters.items())))\n")
    started(stage, Mode1="other.json")
    parameters = dict(eval(stage.lines("normal")[0]))  # noqa: S307 - our own repr
    assert (parameters["Mode1"], parameters["Mode5"], parameters["Mode6"]) == ("other.json", "5", "")
    assert parameters["HardwareID"] == 1
    assert parameters["HomeFolder"] == f"{stage.folder}{os.sep}"
    assert parameters["DomoticzVersion"] == "2025.1 (build 16785)"


def test_heartbeats_come_at_their_interval(stage):
    stage = stage("def onStart():\n    Domoticz.Heartbeat(1)\ndef onHeartbeat():\n    pass\n")
    idx = started(stage)
    time.sleep(3.2)
    assert 2 <= stage.heartbeats(idx) <= 4


def test_a_restart_finds_its_devices(stage):
    stage = stage()
    idx = made(stage)
    stage.command(idx, "breaker", 1, "On")
    eventually(lambda: stage.device(idx, "breaker", 1).nvalue == 1)
    before = stage.devices(idx)
    for _ in range(5):
        stage.restart(idx)
        assert stage.wait_started(idx)
    assert stage.devices(idx) == before
    assert not stage.problems


def test_a_new_stage_on_the_same_folder_finds_hardware_and_devices(stage, tmp_path):
    first = stage()
    idx = made(first, Mode5="2")
    before = first.devices(idx)
    first.close()
    second = Stage(first.folder, tmp_path / "data")
    try:
        assert second.wait_started(idx)
        assert second.devices(idx) == before
    finally:
        second.close()


def test_instances_do_not_see_each_other(stage):
    stage = stage()
    one, two = made(stage), made(stage)
    stage.command(two, "breaker", 1, "On")
    eventually(lambda: stage.device(two, "breaker", 1).nvalue == 1)
    assert stage.device(one, "breaker", 1).nvalue == 0
    stage.delete_hardware(one)
    assert [row.hardware for row in stage.devices()] == [two, two]


def test_a_disabled_instance_keeps_its_devices(stage):
    stage = stage()
    idx = made(stage)
    stage.update_hardware(idx, enabled=False)
    stage.command(idx, "breaker", 1, "On")
    assert len(stage.devices(idx)) == 2
    stage.update_hardware(idx, {"Mode1": "x"}, enabled=True)
    assert stage.wait_started(idx)


def test_deleting_and_renaming_reach_the_plugin(stage):
    stage = stage(
        SWITCH_AND_METER
        + """
def onDeviceRemoved(DeviceID, Unit):
    Domoticz.Log("removed %s %d %s" % (DeviceID, Unit, sorted(Devices[DeviceID].Units)))

def onDeviceModified(DeviceID, Unit):
    Domoticz.Log("modified %s" % Devices[DeviceID].Units[Unit].Name)
"""
    )
    idx = made(stage)
    stage.rename(stage.device(idx, "breaker", 1), "Freezer")
    eventually(lambda: "modified Freezer" in stage.lines())
    stage.delete_device(stage.device(idx, "breaker", 1))
    eventually(lambda: "removed breaker 1 [1, 2]" in stage.lines())
    assert [row.unit for row in stage.devices(idx)] == [2]


def test_new_devices_refused_leaves_one_error_and_an_id_of_minus_one(stage):
    stage = stage("""
    def onStart():
        unit = Domoticz.Unit(Name="x", DeviceID="a", Unit=1, Type=244, Subtype=73)
        unit.Create()
        Domoticz.Log("%d %s" % (unit.ID, "a" in Devices))
    """)
    stage.accept_new(False)
    started(stage)
    assert stage.lines("normal") == ["-1 False"]
    assert "prevent accepting new devices" in stage.lines("error")[0]


def test_settings_follow_the_preferences(stage):
    stage = stage(body('Domoticz.Log("accepts " + Settings["AcceptNewHardware"])'))
    idx = made(stage)
    probe(stage, idx)
    stage.accept_new(False)
    probe(stage, idx)
    assert stage.lines("normal") == ["accepts 1", "done", "accepts 0", "done"]


@pytest.mark.parametrize(("release", "known"), [("2022.1", False), ("2024.4", False), ("2025.1", True)])
def test_an_unknown_keyword_of_update_does_nothing(stage, release, known):
    stage = stage(body("Devices[DeviceID].Units[Unit].Update(UpdateProperties=True)"), options={"release": release})
    idx = made(stage)
    probe(stage, idx)
    assert stage.device(idx, "breaker", 1).updates == int(known)
    assert any("Failed to parse parameters" in text for text in stage.lines("error")) is not known


@pytest.mark.parametrize(("release", "kept"), [("2022.1", False), ("2025.1", True)])
def test_up_to_2023_an_update_writes_the_old_name_back(stage, release, kept):
    stage = stage(body("Devices[DeviceID].Units[Unit].Update()"), options={"release": release})
    idx = made(stage)
    stage.table.query("UPDATE DeviceStatus SET Name='Freezer' WHERE Unit=1")
    probe(stage, idx)
    assert (stage.device(idx, "breaker", 1).name == "Freezer") is kept


@pytest.mark.parametrize(("release", "back"), [("2022.1", False), ("2025.1", True)])
def test_an_update_of_a_deleted_unit(stage, release, back):
    stage = stage(body("Devices[DeviceID].Units[Unit].Update()"), options={"release": release})
    idx = made(stage)
    stage.table.delete_row(stage.device(idx, "breaker", 1).idx)
    probe(stage, idx)
    row = stage.device(idx, "breaker", 1)
    assert (row is not None) is back
    assert row is None or not row.used


def test_options_of_a_custom_device_go_to_its_namesakes(stage):
    stage = stage("""
    def onStart():
        for device in ("a", "b"):
            unit = Domoticz.Unit(Name="x", DeviceID=device, Unit=1, Type=243, Subtype=31, Options={"Custom": "1;Hz"})
            unit.Create()
        unit.Options = {"Custom": "1;kW"}
        unit.Update(UpdateOptions=True)
    """)
    idx = started(stage)
    assert [row.options for row in stage.devices(idx)] == [{"Custom": "1;kW"}] * 2


def test_the_fields_are_those_of_the_c_objects(stage):
    stage = stage(
        body("""
unit = Devices[DeviceID].Units[Unit]
for name, value in (("ID", 3), ("Unit", 3), ("LastUpdate", ""), ("Parent", None), ("nValue", 1.5), ("nothing", 1)):
    try:
        setattr(unit, name, value)
        Domoticz.Log("set " + name)
    except (AttributeError, TypeError) as error:
        Domoticz.Log(name + " " + type(error).__name__)
unit.sValue = 5
unit.Update()
""")
    )
    idx = made(stage)
    assert probe(stage, idx)[:6] == [
        *("ID AttributeError", "Unit AttributeError", "LastUpdate AttributeError", "Parent AttributeError"),
        *("nValue TypeError", "nothing AttributeError"),
    ]
    assert stage.device(idx, "breaker", 1).svalue == "5"


def test_timed_out_is_not_kept(stage):
    stage = stage(body("Devices[DeviceID].TimedOut = 1"))
    idx = made(stage)
    probe(stage, idx)
    assert [row.timed_out for row in stage.devices(idx)] == [True, True]
    stage.restart(idx)
    assert stage.wait_started(idx)
    assert [row.timed_out for row in stage.devices(idx)] == [False, False]


def test_a_quote_destroys_the_whole_configuration(stage):
    stage = stage("""
    def onStart():
        Domoticz.Log(repr(Domoticz.Configuration()))
        Domoticz.Log(repr(Domoticz.Configuration({"a": [1, True, 0.5, "x"]})))
        Domoticz.Log(repr(Domoticz.Configuration({"a": 'x"y'})))
        Domoticz.Log(repr(Domoticz.Configuration()))
    """)
    started(stage)
    assert stage.lines("normal") == ["{}", "{'a': [1, True, 0.5, 'x']}", "None", "None"]


def test_a_command_can_come_after_on_stop(stage):
    stage = stage(body('Domoticz.Log("late")') + '\ndef onStop():\n    Domoticz.Log("stopped")\n')
    idx = made(stage)
    stage.stop(idx, [("breaker", 1, "On", 0, "")])
    assert stage.lines("normal")[-3:] == ["stopped", "late", "done"]


COUNTING = """
import sys
import tools
def onStart():
    tools.count = getattr(tools, "count", 0) + 1
    sys.kept = getattr(sys, "kept", 0) + 1
    Domoticz.Log("%d %d" % (tools.count, sys.kept))
"""


@pytest.mark.parametrize(("release", "expected"), [("2025.1", "1 1"), ("2026.1", "3 3"), ("2026.1+", "1 3")])
def test_newer_releases_keep_the_interpreter_and_one_of_them_the_plugins_modules(stage, release, expected):
    stage = stage(COUNTING, options={"release": release})
    idx = started(stage)
    for _ in range(2):
        stage.restart(idx)
        assert stage.wait_started(idx)
    assert stage.lines("normal")[-1] == expected


def test_a_plugin_finds_nothing_but_itself_and_the_standard_library(stage):
    stage = stage("""
    import importlib.util
    def onStart():
        Domoticz.Log(str([importlib.util.find_spec(name) is not None for name in ("json", "pytest", "tuya", "tools")]))
    """)
    started(stage)
    assert stage.lines("normal") == ["[True, False, False, True]"]


THREAD = """
import tools
def onStart():
    tools.start(lambda: Devices, Domoticz)
def onStop():
    tools.stop()
"""
WORKER = """
import threading
ended = threading.Event()
def start(devices, Domoticz):
    global thread
    unit = Domoticz.Unit(Name="x", DeviceID="a", Unit=1, Type=243, Subtype=29)
    unit.Create()
    thread = threading.Thread(target=work, args=(devices, Domoticz), name="worker")
    thread.start()
def work(devices, Domoticz):
    count = 0
    while not ended.wait(0.01):
        if count >= 5:
            unit = devices()["a"].Units[1]
            unit.sValue = "1.0;%d.0" % count
            unit.Update()
            unit = None
        count += 1
def stop():
    ended.set()
    thread.join()
"""


def test_a_plugins_own_thread_may_update(stage):
    stage = stage(THREAD, tools=WORKER)
    idx = started(stage)
    eventually(lambda: stage.device(idx, "a", 1).updates > 20)
    assert stage.threads(idx) == ["worker"]
    late_s = lateness()
    assert stage.stop(idx) < 0.5 + late_s()
    assert not stage.problems
    assert stage.lines("error") == []


def test_a_held_database_holds_updates_and_nothing_else(stage):
    stage = stage(THREAD, tools=WORKER)
    idx = started(stage)
    eventually(lambda: stage.device(idx, "a", 1).updates > 5)
    with stage.held_database():
        time.sleep(0.1)
        before = stage.device(idx, "a", 1).updates
        time.sleep(0.3)
        assert stage.device(idx, "a", 1).updates == before
        assert stage.threads(idx) == ["worker"]  # the callback thread still answers
    eventually(lambda: stage.device(idx, "a", 1).updates > before)


def test_nothing_is_left_of_a_closed_stage(stage):
    left = Leftovers()
    stage = stage(THREAD, tools=WORKER)
    idx = started(stage)
    for _ in range(3):
        stage.restart(idx)
        assert stage.wait_started(idx)
    assert stage.close()
    assert left.after_a_while() == []
    assert kinds(stage) == []
