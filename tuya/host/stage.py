"""The stand-in as tests and the command line use it: hardware instances, a device table, a log.

    with Stage(Path("plugin.py"), user_data) as stage:
        idx = stage.add_hardware(parameters={"Mode1": "devices.json", "Mode5": "2"})
        stage.wait_started(idx)
        stage.command(idx, device_id, 1, "On")
        rows = stage.devices(idx)
    assert not stage.problems

It has the same methods as the driver of a real Domoticz in tests/e2e, so that scenarios run on both.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any, Callable, ContextManager, Dict, List, Mapping, Optional, Sequence, Tuple

from tuya.host import manifest
from tuya.host.desk import Desk
from tuya.host.instance import Command, Instance, Lateness
from tuya.host.interpreter import Interpreter
from tuya.host.records import DeviceRow, LogLine, Problem
from tuya.host.releases import DEFAULT_RELEASE, RELEASES
from tuya.host.table import PARAMETER_FIELDS, Table

WATCH_INTERVAL_S = 1.0
SHORT_LOG_INTERVAL_S = 300
SILENT_HEARTBEAT_S = 60  # after this without a look at its queue Domoticz calls a thread lost, in the log only
CLOSING_S = 5.0


class Stage:
    """A Domoticz without Domoticz.

    `plugin` is plugin.py or its folder, `user_data` a folder that keeps the database over restarts of the stage.
    `start_stored`: start the instances that are in that database, as Domoticz does; else have() starts them.
    `release` is one of tuya.host.releases. `site_packages`: folders that plugins find besides their own and the
    standard library (none: what plugin.py needs must come with it). `thread_wait_s`: the second that Domoticz sleeps
    between two looks at a plugin's threads. `stop_timeout_s`: after this a stop is reported as a hang. `lateness`: who
    tells for how many seconds a busy machine, and not the plugin, held things up: a stop is not called slow for that.
    """

    def __init__(
        self,
        plugin: Path,
        user_data: Path,
        *,
        release: str = DEFAULT_RELEASE,
        start_stored: bool = True,
        site_packages: Sequence[Path] = (),
        on_log: Optional[Callable[[LogLine], None]] = None,
        thread_wait_s: float = 1.0,
        stop_timeout_s: float = 30.0,
        lateness: Lateness = lambda: lambda: 0.0,
    ) -> None:
        # as Domoticz finds it: where it is a link, plugins see the link's own name
        self.folder = (plugin.parent if plugin.name == "plugin.py" else plugin).absolute()
        self.user_data = user_data.resolve()
        self.release = RELEASES[release]
        self.manifest = manifest.read(self.folder / "plugin.py")
        (self.user_data / "www" / "templates").mkdir(parents=True, exist_ok=True)  # where custom pages go
        self.table = Table(self.user_data / "domoticz.db")
        self.log: List[LogLine] = []
        self.problems: List[Problem] = []
        self._site_packages = [str(folder) for folder in site_packages]
        self._on_log = on_log
        self._thread_wait_s = thread_wait_s
        self._stop_timeout_s = stop_timeout_s
        self._lateness = lateness
        self._instances: Dict[int, Instance] = {}
        self._lost: List[Instance] = []
        self._spare_interpreters: List[Interpreter] = []
        self._lock = threading.RLock()  # guards log, problems and spare interpreters
        self._one_at_a_time = threading.RLock()  # starts and stops, as there is one web thread
        self._closing = threading.Event()
        self._watch = threading.Thread(target=self._look_after, name="stand-in main", daemon=True)
        self._watch.start()
        for row in self.table.query("SELECT ID FROM Hardware WHERE Enabled=1") if start_stored else ():
            self._start(row["ID"])

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    # The Hardware page

    def add_hardware(
        self,
        name: str = "Breakers",
        parameters: Optional[Mapping[str, str]] = None,
        *,
        enabled: bool = True,
        data_timeout_s: int = 0,
    ) -> int:
        """Add an instance of the plugin and start it; parameters not given have the manifest's defaults."""
        values = {**self.manifest.defaults(), **(parameters or {})}
        idx = self.table.add_hardware(name, self.manifest.key, values, enabled, data_timeout_s)
        if enabled:
            self._start(idx)
        return idx

    def have(self, name: str, parameters: Mapping[str, str]) -> int:
        """Start the stored instance of that name with these parameters, or add one; fields not given are the defaults'.

        Returns its idx.
        """
        rows = self.table.query("SELECT ID FROM Hardware WHERE Name=? ORDER BY ID", name)
        if not rows:
            return self.add_hardware(name, parameters)
        idx = int(rows[0]["ID"])
        self.update_hardware(idx, {**self.manifest.defaults(), **parameters})
        return idx

    def update_hardware(
        self, idx: int, parameters: Optional[Mapping[str, str]] = None, *, enabled: bool = True
    ) -> None:
        """Press Update on the Hardware page: stop, store, start again if enabled."""
        self._stop(idx)
        row = self.table.query("SELECT Name, Parameters FROM Hardware WHERE ID=?", idx)[0]
        values = {**_parameters(row["Parameters"]), **(parameters or {})}
        self.table.set_hardware(idx, row["Name"], values, enabled)
        if enabled:
            self._start(idx)

    def restart(self, idx: int) -> None:
        """Press Update with nothing changed."""
        self.update_hardware(idx)

    def delete_hardware(self, idx: int) -> None:
        """Stop an instance and delete it with its devices."""
        self._stop(idx)
        self.table.delete_hardware(idx)

    def stop(self, idx: int, late_commands: Sequence[Command] = ()) -> float:
        """Stop an instance and return the seconds it took; `late_commands` reach onCommand after onStop."""
        return self._stop(idx, late_commands)

    def start(self, idx: int) -> None:
        """Start an instance that was stopped."""
        self._start(idx)

    def wait_started(self, idx: int, timeout_s: float = 30.0) -> bool:
        """Wait until onStart has returned."""
        return self._instances[idx].desk.started.wait(timeout_s)

    def has_failed(self, idx: int) -> bool:
        """Tell whether plugin.py could not be imported, or its interpreter has ended before it started."""
        return self._instances[idx].has_failed

    # Devices

    def devices(self, idx: Optional[int] = None) -> List[DeviceRow]:
        """Return the device table, of one instance or of all, in the order of creation."""
        rows = self.table.query("SELECT * FROM DeviceStatus ORDER BY ID")
        return [self._device_row(row) for row in rows if idx in (None, row["HardwareID"])]

    def device(self, idx: int, device_id: str, unit: int) -> Optional[DeviceRow]:
        """Return one row, None where there is none."""
        rows = [row for row in self.devices(idx) if (row.device_id, row.unit) == (device_id, unit)]
        return rows[0] if rows else None

    def command(self, idx: int, device_id: str, unit: int, command: str, level: int = 0, color: str = "") -> None:
        """Click: onCommand follows within 50 ms; nothing in the table changes by itself."""
        if idx in self._instances:
            self._instances[idx].desk.post("onCommand", device_id, unit, command, level, color)

    def rename(self, row: DeviceRow, name: str) -> None:
        """Rename a device in the web interface."""
        self.table.query("UPDATE DeviceStatus SET Name=? WHERE ID=?", name, row.idx)
        self._tell(row, "onDeviceModified")

    def set_used(self, row: DeviceRow, used: bool) -> None:
        """Show a device in its tab or hide it."""
        self.table.query("UPDATE DeviceStatus SET Used=? WHERE ID=?", int(used), row.idx)
        self._tell(row, "onDeviceModified")

    def delete_device(self, row: DeviceRow) -> None:
        """Delete a device in the web interface."""
        self.table.delete_row(row.idx)
        self._tell(row, "onDeviceRemoved")

    def accept_new(self, accept: bool) -> None:
        """Set "accept new hardware devices"; the plugins' Settings are loaded anew."""
        self.table.accept_new = accept
        for instance in list(self._instances.values()):
            instance.desk.post("settings", self._preferences())

    def short_log(self) -> None:
        """Do now what happens every five minutes: keep each meter's value in the short log."""
        self.table.short_log()

    def today_kwh(self, row: DeviceRow) -> float:
        """Return what Domoticz shows as Today for a kWh device."""
        return self.table.today_kwh(row.idx)

    def held_database(self) -> ContextManager[None]:
        """Let every Update wait while the context lasts, as Domoticz does during its backup."""
        return self.table.held()

    # What happened

    def lines(self, *levels: str, idx: Optional[int] = None) -> List[str]:
        """Return the texts of the log, of the given levels (none given: all), of one instance or of all."""
        with self._lock:
            return [
                line.text
                for line in self.log
                if (not levels or line.level in levels) and (idx is None or line.hardware == idx)
            ]

    def threads(self, idx: int, timeout_s: float = CLOSING_S) -> List[str]:
        """Return the names of the plugin's own threads. Raises TimeoutError when the callback thread is stuck."""
        threads = self._instances[idx].desk.threads(timeout_s)
        if threads is None:
            raise TimeoutError("the callback thread does not look at its queue")
        return [name for name, _daemon in threads]

    def heartbeats(self, idx: int) -> int:
        """Return how often onHeartbeat has returned since the start."""
        return self._instances[idx].desk.heartbeats

    def close(self) -> bool:
        """Shut down: stop every instance and end the interpreters. False when a plugin's threads still run."""
        self._closing.set()
        for idx in list(self._instances):
            self._stop(idx)
        self._watch.join(CLOSING_S)
        clean = True
        for instance in self._lost:
            free = instance.release_interpreter(CLOSING_S)
            clean = free and instance.interpreter.end(CLOSING_S) and clean
        for interpreter in self._spare_interpreters:
            clean = interpreter.end(CLOSING_S) and clean
        self._lost.clear()
        self._spare_interpreters.clear()
        self.table.close()
        return clean

    # Inside

    def _start(self, idx: int) -> None:
        with self._one_at_a_time:
            self._stop(idx)
            self._start_stopped(idx)

    def _start_stopped(self, idx: int) -> None:
        row = self.table.query("SELECT * FROM Hardware WHERE ID=?", idx)[0]

        def log(level: str, text: str) -> None:
            self._write(LogLine(time.time(), idx, row["Name"], level, text))

        def problem(kind: str, text: str) -> None:
            with self._lock:
                self.problems.append(Problem(kind, idx, text))

        desk = Desk(
            hardware=idx,
            settings=self._settings(idx, row["Name"], _parameters(row["Parameters"])),
            table=self.table,
            release=self.release,
            log=log,
            problem=problem,
        )
        with self._lock:
            spare = self._spare_interpreters.pop() if self._spare_interpreters else None
        log("status", "Started.")
        self._instances[idx] = Instance(desk, spare or Interpreter(f"{row['Name']}"), problem, self._lateness)

    def _stop(self, idx: int, late_commands: Sequence[Command] = ()) -> float:
        with self._one_at_a_time:
            instance = self._instances.pop(idx, None)
            return 0.0 if instance is None else self._stop_running(idx, instance, late_commands)

    def _stop_running(self, idx: int, instance: Instance, late_commands: Sequence[Command]) -> float:
        free = instance.stop(self._stop_timeout_s, late_commands)
        name = self.table.query("SELECT Name FROM Hardware WHERE ID=?", idx)[0]["Name"]
        self._write(LogLine(time.time(), idx, name, "status", "Stopped."))
        if instance.desk.import_failed and self.release.import_error_hangs:
            text = "plugin.py raised at import: this release's web server waits for ever at the next stop"
            self.problems.append(Problem("hang", idx, text))
        if not free:
            self._lost.append(instance)
        elif self.release.keeps_interpreter:
            self._spare_interpreters.append(instance.interpreter)
        elif not instance.interpreter.end(CLOSING_S):
            self.problems.append(Problem("crash", idx, "its interpreter could not be ended: threads still run in it"))
            self._lost.append(instance)
        return instance.stop_s

    def _settings(self, idx: int, name: str, values: Mapping[str, str]) -> Dict[str, Any]:
        folder, data = f"{self.folder}{os.sep}", f"{self.user_data}{os.sep}"
        parameters: Dict[str, Any] = {
            **{field: str(values.get(field, "")) for field in PARAMETER_FIELDS},
            **{"HardwareID": idx, "Name": name, "Key": self.manifest.key},
            **{"HomeFolder": folder, "StartupFolder": data, "UserDataFolder": data, "WebRoot": ""},
            **{"Database": str(self.user_data / "domoticz.db"), "Language": "en"},
            **{"Version": self.manifest.version, "Author": self.manifest.author},
            **{"DomoticzVersion": self.release.version_text, "DomoticzHash": "", "DomoticzBuildTime": ""},
        }
        return {
            "name": name,
            "parameters": parameters,
            "preferences": self._preferences(),
            "path": [folder, *_standard_library(), *self._site_packages],
            "update_keywords": self.release.update_keywords,
            "keeps_modules": self.release.keeps_modules,
            "thread_wait_s": self._thread_wait_s,
        }

    def _preferences(self) -> Dict[str, str]:
        return {"AcceptNewHardware": str(int(self.table.accept_new))}

    def _device_row(self, row: Mapping[str, Any]) -> DeviceRow:
        instance = self._instances.get(row["HardwareID"])
        return DeviceRow(
            idx=row["ID"],
            hardware=row["HardwareID"],
            device_id=row["DeviceID"],
            unit=row["Unit"],
            name=row["Name"],
            type=row["Type"],
            subtype=row["SubType"],
            switchtype=row["SwitchType"],
            nvalue=row["nValue"],
            svalue=row["sValue"],
            timed_out=instance is not None and instance.desk.timed_out.get(row["DeviceID"], False),
            used=bool(row["Used"]),
            updates=row["Updates"],
            last_update=row["LastUpdate"],
            options=_parameters(row["Options"]),
        )

    def _tell(self, row: DeviceRow, message: str) -> None:
        if row.hardware in self._instances:
            self._instances[row.hardware].desk.post(message, row.device_id, row.unit)

    def _write(self, line: LogLine) -> None:
        with self._lock:
            self.log.append(line)
        if self._on_log is not None:
            self._on_log(line)

    def _look_after(self) -> None:
        """Play the main worker: short log every five minutes, Data Timeout, threads that fell silent."""
        next_log_s = _next_short_log(time.time())
        complained: Dict[int, float] = {}
        while not self._closing.wait(WATCH_INTERVAL_S):
            now = time.time()
            if now >= next_log_s:
                next_log_s = _next_short_log(now)
                self.table.short_log()
            for idx, instance in list(self._instances.items()):
                silent_s = now - instance.desk.last_poll_s
                if silent_s > SILENT_HEARTBEAT_S and now - complained.get(idx, 0.0) > SILENT_HEARTBEAT_S:
                    complained[idx] = now
                    text = f"hardware ({idx}) thread seems to have ended unexpectedly"
                    self._write(LogLine(now, idx, "", "error", text))
                    self.problems.append(Problem("rule", idx, f"no look at the queue for {silent_s:.0f} s"))
                self._check_data_timeout(idx, instance, now)

    def _check_data_timeout(self, idx: int, instance: Instance, now: float) -> None:
        rows = self.table.query("SELECT DataTimeout, Name FROM Hardware WHERE ID=?", idx)
        limit_s = rows[0]["DataTimeout"] if rows else 0
        if limit_s and now - instance.desk.last_received_s > limit_s:
            text = f"nothing received for more than {limit_s} seconds, restarting"
            self._write(LogLine(now, idx, rows[0]["Name"], "error", text))
            self._start(idx)


def _parameters(text: str) -> Dict[str, str]:
    return {str(key): str(value) for key, value in json.loads(text).items()}


def _standard_library() -> Tuple[str, ...]:
    """Return the folders of the standard library: what a plugin finds where nothing is installed beside it."""
    folders = {str(Path(os.__file__).parent), str(Path(os.__file__).parent / "lib-dynload")}
    return tuple(entry for entry in sys.path if entry in folders or entry.endswith(".zip"))


def _next_short_log(now: float) -> float:
    return (int(now) // SHORT_LOG_INTERVAL_S + 1) * float(SHORT_LOG_INTERVAL_S)
