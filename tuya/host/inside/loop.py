"""The framework's loop: one thread that imports plugin.py and runs its callbacks.

Read from CPlugin::Do_Work, Initialise, Start, Callback and Stop in hardware/plugins/Plugins.cpp.
"""

from __future__ import annotations

import _thread
import importlib
import sys
import time
from typing import Any, Dict, Iterator, List, Tuple

from .link import Link
from .modules import FrameworkModules
from .objects import Framework, attach

QUEUE_LOOK_S = 0.05  # IsStopRequested(50)
THREAD_WAITS = 10  # how often Stop() asks threading.active_count() before it gives up
LINGER_S = 0.05
PROBE, SETTINGS = "probe", "settings"  # messages that are no callbacks

Message = Tuple[Any, ...]


class _Output:
    """Stands for stdout and stderr: in a real Domoticz these go to the journal, not to the log."""

    def __init__(self, framework: Framework) -> None:
        self._framework = framework

    def write(self, text: str) -> int:
        if text.strip():
            self._framework.log("print", text.rstrip("\n"))
        return len(text)

    def flush(self) -> None:
        pass


class Loop:
    """One life of a plugin, from the import of plugin.py to the end of its interpreter."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._framework = Framework(link.call, link.on_main_thread)
        self._modules = FrameworkModules(self._framework)
        self._settings: Dict[str, Any] = link.call("settings")
        self._plugin: Any = None
        self._last_heartbeat = 0

    def run(self) -> None:
        """Live until the stand-in says stop, then wait for threads that the plugin left behind."""
        framework, settings = self._framework, self._settings
        framework.hardware = settings["parameters"]["HardwareID"]
        framework.name = settings["name"]
        framework.update_keywords = tuple(settings["update_keywords"])
        attach(framework)
        sys.path[:] = list(settings["path"])
        sys.stdout = sys.stderr = _Output(framework)
        self._modules.install()
        self._work()
        leftovers = self._leftovers()
        self._link.call("stopped", leftovers)
        while _thread._count() > 0 and not self._link.call("closing"):
            time.sleep(LINGER_S)
        self._forget()

    def _work(self) -> None:
        imported = self._import()
        self._link.call("imported", imported)
        if imported:
            self._start()
        self._last_heartbeat = int(time.time())
        while True:
            time.sleep(QUEUE_LOOK_S)
            for message in self._link.call("poll"):
                if message[0] == "stop":
                    if imported:
                        self._stop(message[1])
                    return
                if imported:
                    self._process(message)
            now = int(time.time())
            if imported and now >= self._last_heartbeat + self._modules.interval_s:
                self._last_heartbeat = now
                self._callback(self._plugin, "onHeartbeat")
                self._link.call("heartbeat")

    def _import(self) -> bool:
        try:
            self._plugin = importlib.import_module("plugin")
        except BaseException:  # noqa: BLE001 - as the framework, which fetches any exception
            self._framework.log("error", f"failed to load 'plugin.py', Python Path used was '{':'.join(sys.path)}'.")
            self._log_exception()
            return False
        if not self._modules.imported:
            self._framework.log("error", "Domoticz/DomoticzEx modules not found in interpreter.")
            return False
        return True

    def _start(self) -> None:
        framework, names = self._framework, self._plugin.__dict__
        framework.phase = "starting"
        names["Parameters"] = dict(self._settings["parameters"])
        names["Devices"] = framework.devices
        names["Images"] = {}
        names["Settings"] = dict(self._settings["preferences"])
        for device_id in self._link.call("device_ids"):
            device = framework.device_class(device_id)
            framework.devices[device_id] = device
            device.Refresh()
        self._callback(self._plugin, "onStart")
        framework.phase = "running"
        self._link.call("started")

    def _process(self, message: Message) -> None:
        kind = message[0]
        if kind == PROBE:
            self._link.call("probed", self._thread_names())
            return
        if kind == SETTINGS:
            self._plugin.__dict__["Settings"] = dict(message[1])
            return
        device_id, unit = message[1], message[2]
        if kind == "onDeviceAdded":
            self._add(device_id, unit)
        elif kind == "onDeviceModified" and unit in self._units(device_id):
            self._units(device_id)[unit].Refresh()
        target, arguments = self._target(kind, device_id, unit)
        self._callback(target, kind, *arguments, *message[3:])
        if kind == "onDeviceRemoved" and device_id in self._framework.devices:
            if unit in self._units(device_id):
                del self._units(device_id)[unit]
            else:
                self._framework.log("error", f"Failed to remove Unit '{unit}' from Unit dictionary of '{device_id}'.")

    def _units(self, device_id: str) -> Dict[int, Any]:
        device = self._framework.devices.get(device_id)
        return {} if device is None else device.Units

    def _add(self, device_id: str, unit: int) -> None:
        framework = self._framework
        device = framework.devices.setdefault(device_id, framework.device_class(device_id))
        device.Units[unit] = framework.unit_class("", device_id, unit)
        device.Units[unit].Refresh()

    def _target(self, name: str, device_id: str, unit: int) -> Tuple[Any, List[Any]]:
        """Find who takes the callback: the Unit, else the Device, else plugin.py, each with what it does not know."""
        one = self._units(device_id).get(unit)
        if callable(getattr(one, name, None)):
            return one, []
        device = self._framework.devices.get(device_id)
        if callable(getattr(device, name, None)):
            return device, [unit]
        return self._plugin, [device_id, unit]

    def _callback(self, target: Any, name: str, *arguments: Any) -> None:
        function = getattr(target, name, None)
        if not callable(function):
            return
        try:
            function(*arguments)
        except BaseException:  # noqa: BLE001 - as the framework, which fetches any exception
            self._framework.log("error", f"Call to function '{name}' failed, exception details:")
            self._log_exception()

    def _log_exception(self) -> None:
        traceback = importlib.import_module("traceback")
        for part in traceback.format_exception(*sys.exc_info()):
            for line in part.rstrip("\n").split("\n"):
                self._framework.log("error", line)

    def _stop(self, late_commands: List[Tuple[Any, ...]]) -> None:
        framework = self._framework
        framework.phase = "stopping"
        self._callback(self._plugin, "onStop")
        for device_id, unit, command, level, color in late_commands:
            target, arguments = self._target("onCommand", device_id, unit)
            self._callback(target, "onCommand", *arguments, command, level, color)
        framework.phase = "stopped"
        for text in self._kept_objects():
            framework.log("error", text)
        framework.devices.clear()
        self._wait_for_threads()

    def _kept_objects(self) -> Iterator[str]:
        """Find Device and Unit objects that the plugin still holds."""
        expected = _references_of_a_dictionary_value()
        for device in self._framework.devices.values():
            yield from _kept_units(device, expected)
            device.Units.clear()  # each of them refers to the device
            count = sys.getrefcount(device) - expected
            if count > 0:
                yield f"Stop: Device '{device.DeviceID}' Reference Count not correct, expected 1 found {count + 1}."

    def _wait_for_threads(self) -> None:
        """Wait as Stop() does where plugin.py has the name `threading`: up to ten times, and Domoticz with it."""
        threading: Any = getattr(self._plugin, "threading", None)
        if not hasattr(threading, "active_count"):
            return
        self._link.call("problem", "rule", "plugin.py has the name `threading`: stops freeze for 10 s on Python 3.13")
        for _ in range(THREAD_WAITS):
            if threading.active_count() <= 1:
                return
            self._framework.log("normal", f"Warning: Plugin has {threading.active_count() - 1} Python threads running.")
            time.sleep(self._settings["thread_wait_s"])
        text = "Abandoning wait for Plugin thread shutdown, hang or crash may result."
        self._framework.log("normal", text)
        self._link.call("problem", "slow", text)

    def _thread_names(self) -> List[Tuple[str, bool]]:
        """Return name and daemon flag of the threads which the plugin runs now."""
        threading = sys.modules.get("threading")
        known: List[Tuple[str, bool]] = []
        if threading is not None:
            ident = _thread.get_ident()
            for thread in threading.enumerate():
                if thread.ident != ident and type(thread).__name__ not in ("_MainThread", "_DummyThread"):
                    known.append((thread.name, bool(thread.daemon)))
        raw = _thread._count() - len(known)
        return known + [("without a name", True)] * max(0, raw)

    def _leftovers(self) -> List[Tuple[str, bool]]:
        """Return the threads still there, after the moment that a joined thread needs to be gone for good."""
        for _ in range(20):
            if _thread._count() == 0:
                return []
            time.sleep(0.01)
        return self._thread_names()[: _thread._count()]

    def _forget(self) -> None:
        """Drop plugin.py and, where the release does so, what was loaded from beside it, as the interpreter is kept."""
        self._plugin = None
        sys.modules.pop("plugin", None)
        if self._settings["keeps_modules"]:
            return
        folder = self._settings["path"][0]
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", None) or "").startswith(folder):
                del sys.modules[name]


def _kept_units(device: Any, expected: int) -> List[str]:
    texts = []
    for unit in device.Units.values():
        count = sys.getrefcount(unit) - expected
        if count > 0:
            texts.append(f"Stop: Unit '{unit.Name}' Reference Count not one: {count + 1}.")
    return texts


def _references_of_a_dictionary_value() -> int:
    """Count what getrefcount() says, on this Python, of an object that only a dictionary and a loop refer to."""
    count = 0
    for value in {0: object()}.values():
        count = sys.getrefcount(value)
    return count


def run(announce_fd: int) -> None:
    """Live one life; `announce_fd` is the pipe to the stand-in."""
    link = Link(announce_fd)
    try:
        Loop(link).run()
    finally:
        sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
        link.close()
