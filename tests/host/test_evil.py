"""Plugins that would hurt a real Domoticz: the stand-in must say so."""

import sys
import time

import pytest

from tests.host.host_helpers import SWITCH_AND_METER, eventually, kinds, started
from tests.lateness import lateness


def texts(stage, kind):
    return [problem.text for problem in stage.problems if problem.kind == kind]


def leaving_a_thread(flag, daemon):
    return f"""
import os, threading, time
def work():
    while not os.path.exists({str(flag)!r}):
        time.sleep(0.01)
def start():
    threading.Thread(target=work, name="forgotten", daemon={daemon}).start()
"""


@pytest.mark.parametrize(("daemon", "kind"), [(True, "crash"), (False, "hang")])
def test_a_thread_alive_after_on_stop(stage, tmp_path, daemon, kind):
    flag = tmp_path / "end"
    stage = stage("import tools\ndef onStart():\n    tools.start()\n", tools=leaving_a_thread(flag, daemon))
    idx = started(stage)
    stage.stop(idx)
    assert kinds(stage) == [kind]
    assert "'forgotten' is alive after onStop" in stage.problems[0].text
    flag.touch()
    assert stage.close()


def test_a_thread_without_threading_is_seen_too(stage, tmp_path):
    flag = tmp_path / "end"
    stage = stage(f"""
    import _thread, os, time
    def work():
        while not os.path.exists({str(flag)!r}):
            time.sleep(0.01)
    def onStart():
        _thread.start_new_thread(work, ())
    """)
    stage.stop(started(stage))
    assert kinds(stage) == ["crash"]
    flag.touch()


def test_the_name_threading_in_plugin_py(stage):
    stage = stage("import threading\ndef onStart():\n    threading.current_thread()\n")
    stage.stop(started(stage))
    assert "threading" in texts(stage, "rule")[0]
    # From 3.13 on the main thread of a sub-interpreter counts twice, and every stop waits its ten rounds.
    assert bool(texts(stage, "slow")) is (sys.version_info >= (3, 13))


def test_import_that_raises(stage):
    stage = stage("import there_is_no_such_module\n")
    idx = stage.add_hardware()
    eventually(lambda: stage.has_failed(idx))
    stage.stop(idx)
    assert any("No module named 'there_is_no_such_module'" in text for text in stage.lines("error"))
    assert kinds(stage) == ["hang"]


def test_import_that_raises_is_forgiven_by_newer_releases(stage):
    stage = stage("raise SystemExit\n", options={"release": "2026.1"})
    idx = stage.add_hardware()
    eventually(lambda: stage.has_failed(idx))
    stage.stop(idx)
    assert kinds(stage) == []


def test_a_slow_stop(stage):
    stage = stage("import time\ndef onStart():\n    pass\ndef onStop():\n    time.sleep(1.2)\n")
    idx = started(stage)
    late_s = lateness()
    assert 1.2 <= stage.stop(idx) < 2.5 + late_s()
    assert kinds(stage) == ["slow"]


def test_a_stop_that_does_not_end(stage, tmp_path):
    flag = tmp_path / "end"
    stage = stage(
        f"""
        import os, time
        def onStart():
            pass
        def onStop():
            while not os.path.exists({str(flag)!r}):
                time.sleep(0.01)
        """,
        options={"stop_timeout_s": 0.5},
    )
    stage.stop(started(stage))
    assert kinds(stage) == ["hang"]
    flag.touch()


def test_objects_kept_over_the_stop(stage):
    stage = stage("""
    import sys
    def onStart():
        unit = Domoticz.Unit(Name="Kept", DeviceID="a", Unit=1, Type=244, Subtype=73)
        unit.Create()
        sys.kept = Devices["a"].Units[1]
    def onHeartbeat():
        pass
    """)
    stage.stop(started(stage))
    assert [text for text in stage.lines("error") if "Kept" in text] == [
        "Stop: Unit 'Kept' Reference Count not one: 2."
    ]
    assert len(stage.lines("error")) == 2  # and the Device that it belongs to


def test_nothing_is_said_of_objects_looked_up_each_time(stage):
    stage = stage()
    idx = started(stage)
    eventually(lambda: len(stage.devices(idx)) == 2)
    stage.stop(idx)
    assert stage.lines("error") == []


def test_an_exception_in_a_callback_is_logged_and_life_goes_on(stage):
    stage = stage(SWITCH_AND_METER.replace("    unit.Update", "    1 / 0\n    unit.Update"))
    idx = started(stage)
    eventually(lambda: len(stage.devices(idx)) == 2)
    for count in (1, 2):
        stage.command(idx, "breaker", 1, "On")
        eventually(lambda count=count: stage.lines("error").count("ZeroDivisionError: division by zero") == count)
    assert "Call to function 'onCommand' failed, exception details:" in stage.lines("error")


def test_print_is_no_log(stage):
    stage = stage("def onStart():\n    print('hello')\n")
    started(stage)
    assert stage.lines("print") == ["hello"]
    assert stage.lines("normal") == []


def test_both_modules_in_one_plugin(stage):
    stage = stage("import Domoticz as Old\ndef onStart():\n    Domoticz.Log('x')\n")
    started(stage)
    assert stage.lines("normal") == []
    assert "both found" in stage.lines("error")[0]


def test_api_at_import(stage):
    stage = stage("Domoticz.Log('early')\ndef onStart():\n    Domoticz.Log('late')\n")
    started(stage)
    assert stage.lines("normal") == ["late"]
    assert "Plugin has not started yet" in stage.lines("error")[0]


@pytest.mark.parametrize("moment", ["start", "create"])
def test_what_a_plugins_thread_must_not_do(stage, moment):
    stage = stage(
        "import tools\ndef onStart():\n    tools.start(Domoticz)\ndef onHeartbeat():\n    tools.go.set()\n"
        f"def onStop():\n    tools.go.set()\n    tools.thread.join()\nMOMENT = {moment!r}\n"
        "def onCommand(*_):\n    tools.go.set()\n",
        tools=f"""
        import threading, time
        go = threading.Event()
        def work(Domoticz):
            if {moment!r} == "create":
                go.wait()
            unit = Domoticz.Unit(Name="x", DeviceID="a", Unit=1, Type=244, Subtype=73)
            if {moment!r} == "create":
                unit.Create()
            done.set()
        done = threading.Event()
        def start(Domoticz):
            global thread
            thread = threading.Thread(target=work, args=(Domoticz,))
            thread.start()
            if {moment!r} == "start":
                done.wait()
        """,
    )
    idx = started(stage)
    stage.command(idx, "a", 1, "On")
    eventually(lambda: stage.problems)
    assert kinds(stage) == ["rule"]


def test_data_timeout_restarts_a_silent_plugin(stage):
    stage = stage("def onStart():\n    Domoticz.Log('started')\n")
    stage.add_hardware(data_timeout_s=1)
    eventually(lambda: stage.lines("normal").count("started") >= 2, timeout_s=8)
    assert "nothing received for more than 1 seconds" in stage.lines("error")[0]


def test_connection_is_not_played(stage):
    stage = stage("def onStart():\n    Domoticz.Connection(Name='x', Transport='TCP/IP')\n")
    started(stage)
    assert kinds(stage) == ["rule"]


def test_a_stuck_callback_is_reported_by_threads(stage):
    stage = stage("import time\ndef onStart():\n    pass\ndef onCommand(*_):\n    time.sleep(2)\n")
    idx = started(stage)
    stage.command(idx, "a", 1, "On")
    time.sleep(0.2)
    with pytest.raises(TimeoutError):
        stage.threads(idx, timeout_s=0.5)
