"""Domoticz's log: only what belongs to its present run, and to our hardware, counts."""

from __future__ import annotations

import pytest

from tuya.cli.doctor.domoticz_log import judge

BEGAN = "2026-01-01 09:59:59.000  Status: Domoticz V2025.1 (build 16785) (c)2012-2026 GizMoCuz"
PLUGINS = (
    "2026-01-01 10:00:00.000  Status: PluginSystem: Started, Python version '3.11.2', 1 plugin definitions loaded."
)
STARTED = "2026-01-01 10:00:02.000  Status: Breakers: Initialized version 1.0.0, author 'us'"
STOPPED = "2026-01-01 10:00:09.000  Status: Breakers: Stopped."
ERROR = "2026-01-01 10:00:03.000  Error: Breakers: Boiler: the local key is not the device's"
FOREIGN = "2026-01-01 10:00:04.000  Error: Weather: no answer"
IGNORED = "2026-01-01 10:00:01.000  Status: PluginSystem: 'B' Registration ignored, Plugins are not enabled."
NO_PYTHON = "x  Status: PluginSystem: Failed dynamic library load, install the latest libpython3.x"
NOT_LOADED = "x  Error: A: (TuyaEnergy) failed to load 'plugin.py', Python Path used was '/x'."


@pytest.mark.parametrize(
    ("lines", "state", "said"),
    [
        ([BEGAN, PLUGINS, STARTED, FOREIGN], "ok", "Breakers started, no errors since"),
        ([BEGAN, STARTED, ERROR, ERROR], "note", "2 errors since the plugin was started; last: Breakers: Boiler: the"),
        ([BEGAN, STARTED, ERROR, STARTED], "ok", "no errors since"),
        ([BEGAN, PLUGINS, FOREIGN], "note", "has not been started since Domoticz was"),
        ([], "note", "has not been started"),
        ([BEGAN, NO_PYTHON], "failed", "no Python"),
        ([BEGAN, PLUGINS, NOT_LOADED], "failed", "plugin.py"),
        ([BEGAN, NOT_LOADED, BEGAN, PLUGINS, STARTED], "ok", "no errors"),
        ([BEGAN, PLUGINS, STARTED, BEGAN, IGNORED], "failed", "Domoticz ignores plugins"),  # EventSystem off
        ([BEGAN, PLUGINS, STARTED, BEGAN], "note", "has not been started since"),
        ([BEGAN, PLUGINS, STARTED, STOPPED], "note", "was stopped and not started again"),
        ([BEGAN, PLUGINS, STARTED, STOPPED, STARTED], "ok", "Breakers started"),
        ([BEGAN, STARTED.replace("'us'", "'others'"), ERROR], "note", "has not been started"),
    ],
)
def test_domoticzs_log(lines, state, said):
    finding = judge(lines, "domoticz.log", "us").finding
    assert (finding.state, said in finding.text) == (state, True), finding
    assert finding.cure or state != "failed"


def test_which_hardware_runs_in_which_release():
    other = STARTED.replace("Breakers", "Garage: the old one").replace("1.0.0", "0.9")
    word = judge([BEGAN, STARTED, other, STOPPED], "domoticz.log", "us")
    assert word.hardware == {"Breakers": ("1.0.0", False), "Garage: the old one": ("0.9", True)}
