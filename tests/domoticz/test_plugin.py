"""plugin.py itself: the manifest, guarded imports, callbacks before, during and after life."""

from __future__ import annotations

import importlib.util
import shutil
import sys
import types
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any, Iterator

import pytest

from tests.domoticz.fakes import DEVICE_ID, FakeDomoticz
from tests.leftovers import Leftovers

PLUGIN = Path(__file__).resolve().parent.parent.parent / "plugin.py"
# stored values of the drop-downs, as the settings expect them
OPTIONS = {
    "Mode2": ["allowed", "refused"],
    "Mode3": ["auto", "3.1", "3.2", "3.3", "3.4", "3.5"],
    "Mode4": ["basic", "all"],
    "Mode5": ["5", "2", "10", "30", "60"],
    "Mode6": ["normal", "debug"],
}


def manifest() -> ElementTree.Element:
    text = PLUGIN.read_text(encoding="utf-8")
    assert text.startswith('"""\n<plugin ')
    return ElementTree.fromstring(text[4 : text.index("</plugin>") + len("</plugin>")])  # noqa: S314 - our own file


def test_manifest():
    plugin = manifest()
    assert plugin.get("key") == "TuyaEnergy"
    fields = {param.get("field"): param for param in plugin.iter("param")}
    assert list(fields) == ["Address", "Username", "Password", "Mode1", *OPTIONS]
    assert fields["Password"].get("password") == "true"
    for name, values in OPTIONS.items():
        options = fields[name].findall("options/option")
        assert [option.get("value") for option in options] == values
        assert [option.get("value") for option in options if option.get("default") == "true"] == values[:1]
    labels = {param.get("field"): param.get("label") for param in plugin.iter("param")}
    assert labels["Username"] == "Device ID"
    assert labels["Mode5"] == "Update interval (s)"


@pytest.fixture(name="domoticz")
def _domoticz(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeDomoticz]:
    domoticz = FakeDomoticz(HomeFolder=f"{tmp_path}/", UserDataFolder=f"{tmp_path}/", StartupFolder=f"{tmp_path}/")
    module = types.ModuleType("DomoticzEx")
    for name in ("Unit", "Heartbeat", "Log", "Status", "Error", "Configuration"):
        setattr(module, name, getattr(domoticz, name))
    monkeypatch.setitem(sys.modules, "DomoticzEx", module)
    monkeypatch.setattr(sys, "path", list(sys.path))
    left = Leftovers()
    before = dict(sys.modules)
    yield domoticz
    # plugin.py forgets what was loaded from its folder, and loads it anew: other tests go on with what they have
    for name in [name for name in sys.modules if name.partition(".")[0] in ("tuya", "tinytuya", "Crypto")]:
        if name not in before:
            del sys.modules[name]
    sys.modules.update(before)
    assert left.after_a_while() == []


def test_it_forgets_its_own_modules_and_no_others(domoticz: FakeDomoticz):
    from tuya import version

    kept = {name: module for name, module in sys.modules.items() if not name.startswith(("tuya", "plugin_under"))}
    load(PLUGIN, domoticz)
    assert sys.modules.get("tuya.version") is not version
    beside = Path(pytest.__file__).parents[1]  # a virtual environment, in this folder or another one
    for name, module in kept.items():
        if str(getattr(module, "__file__", None) or "").startswith(str(beside)):
            assert sys.modules.get(name) is module, name


def load(path: Path, domoticz: FakeDomoticz) -> Any:
    """Import plugin.py as the framework does, and put its objects into the globals as before onStart."""
    spec = importlib.util.spec_from_file_location("plugin_under_test", path)
    assert spec is not None
    assert spec.loader is not None
    plugin = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(plugin)
    vars(plugin).update(Parameters=domoticz.parameters, Devices=domoticz.devices, Settings={"AcceptNewHardware": "1"})
    return plugin


def every_callback(plugin: Any) -> None:
    plugin.onHeartbeat()
    plugin.onCommand(DEVICE_ID, 1, "On", 0, "")
    plugin.onDeviceAdded(DEVICE_ID, 1)
    plugin.onDeviceModified(DEVICE_ID, 1)
    plugin.onDeviceRemoved(DEVICE_ID, 1)
    plugin.onDeviceRemoved(1)  # what the framework sends when it does not find the unit


def test_the_name_threading_is_not_among_the_globals(domoticz: FakeDomoticz):
    assert "threading" not in vars(load(PLUGIN, domoticz))


def test_callbacks_before_start_and_after_stop(domoticz: FakeDomoticz):
    plugin = load(PLUGIN, domoticz)
    every_callback(plugin)
    plugin.onStop()
    every_callback(plugin)
    assert domoticz.lines == []


def test_without_packages_there_is_one_error(domoticz: FakeDomoticz):
    plugin = load(PLUGIN, domoticz)
    plugin.onStart()
    for _ in range(5):
        every_callback(plugin)
    plugin.onStop()
    assert [level for level, _ in domoticz.lines] == ["error"]
    assert "bash install.sh" in domoticz.texts("error")[0]


@pytest.mark.parametrize("damage", ["missing package", "syntax error", "old Python"])
def test_a_broken_installation_does_not_fail_at_import(
    domoticz: FakeDomoticz, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
):
    shutil.copy(PLUGIN, tmp_path)
    for name in [name for name in sys.modules if name == "tuya" or name.startswith("tuya.")]:
        monkeypatch.delitem(sys.modules, name)
    (tmp_path / "tuya").mkdir()
    (tmp_path / "tuya" / "__init__.py").write_text("x = (" if damage == "syntax error" else "")
    if damage == "old Python":
        monkeypatch.setattr(sys, "version_info", (3, 8, 10, "final", 0))
    plugin = load(tmp_path / "plugin.py", domoticz)
    assert domoticz.lines == []
    plugin.onStart()
    every_callback(plugin)
    plugin.onStop()
    assert [level for level, _ in domoticz.lines] == ["error"]
    assert ("needs Python 3.9" if damage == "old Python" else "bash install.sh") in domoticz.texts("error")[0]
