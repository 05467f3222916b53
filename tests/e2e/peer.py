"""A real Domoticz, started with throw-away data on loopback and driven through its JSON API.

Has the methods of tuya.host.Stage that scenarios need. Facts: main/WebServer.cpp, main/WebServerCmds.cpp.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import signal
import socket
import sqlite3
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple

from tuya.host import DeviceRow
from tuya.host.manifest import Manifest
from tuya.host.table import PARAMETER_FIELDS

READY_LINE = "Initializing event module"
START_WINDOW_S = 5.0  # hardware added sooner after the launch may be started twice
LOG_LEVEL_ALL = 268435455
PYTHON_PLUGIN = 94
ANSWER_LIMIT_S = 1.0
ABORTED, ATTACHED_TWICE = -6, "_PyThreadState_Attach: non-NULL old thread state"
# What is a command now was a type of its own in older releases: RegisterRType in main/WebServer.cpp.
COMMANDS_SINCE = (2023, 2)
OLD_TYPES = {
    "createdevice": "createdevice",
    "deletedevice": "deletedevice",
    "dotransferdevice": "transferdevice",
    "getdevices": "devices",
    "getsettings": "settings",
}
LEVELS = {"Error": "error", "Status": "status"}
_LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+\s+(?:(Error|Status|Debug): )?(?:(\S.*?): )?(.*)")


def _free_port() -> int:
    """Choose a free loopback port that Domoticz takes (below 49152) and the kernel does not give to others."""
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class Domoticz:
    """One process of the given binary. `root` is its installation; nothing is written there."""

    def __init__(self, binary: str, root: Path, folder: Path, plugin: Path, manifest: Manifest) -> None:
        self.folder = folder
        self.manifest = manifest
        self.user_data = folder / "user"
        self._binary = binary
        self._root = self._own_root(root)
        (self.user_data / "plugins").mkdir(parents=True)
        plugin.rename(self.user_data / "plugins" / plugin.name)
        self.port = 0
        self.has_old_types = False
        self.environment: Dict[str, str] = {}  # of the next launches, besides that of the tests
        self._output_bytes = 0  # what earlier launches have said
        self._process: Optional[subprocess.Popen[bytes]] = None
        self._hardware: Dict[int, Dict[str, Any]] = {}
        self._keep_other_ports_closed()
        self.launch()
        self.has_old_types = self.release < COMMANDS_SINCE

    def _own_root(self, root: Path) -> Path:
        """Link the installation, with a folder of its own for custom pages."""
        own = self.folder / "root"
        (own / "www").mkdir(parents=True)
        for entry in root.iterdir():
            if entry.name != "www":
                (own / entry.name).symlink_to(entry)
        for entry in (root / "www").iterdir():
            if entry.name != "templates":
                (own / "www" / entry.name).symlink_to(entry)
        (own / "www" / "templates").mkdir()
        for entry in (root / "www" / "templates").iterdir():
            (own / "www" / "templates" / entry.name).symlink_to(entry)
        return own

    def _keep_other_ports_closed(self) -> None:
        """Let Domoticz make its database, then close its sharing port, which listens on all addresses."""
        self.launch(wait=False)
        self.quit()
        with contextlib.closing(sqlite3.connect(str(self.database))) as database, database:
            database.execute("UPDATE Preferences SET nValue=-1, sValue='-1' WHERE Key='RemoteSharedPort'")

    @property
    def database(self) -> Path:
        """Domoticz's SQLite file."""
        return self.user_data / "domoticz.db"

    @property
    def pid(self) -> int:
        """The process id."""
        assert self._process is not None
        return self._process.pid

    def launch(self, wait: bool = True) -> None:
        """Start the process and wait until its API answers (and, with `wait`, until hardware may be added)."""
        assert not self.is_alive(), "one process for one database: quit() first"
        self.port = _free_port()
        log = self.user_data / "domoticz.log"
        log.unlink(missing_ok=True)
        user, root = f"{self.user_data}{os.sep}", f"{self._root}{os.sep}"
        arguments = [
            *(self._binary, "-www", str(self.port), "-sslwww", "0", "-wwwbind", "127.0.0.1", "-nowwwpwd", "-nomdns"),
            *("-noupdates", "-approot", root, "-userdata", user, "-dbase", str(self.database)),
            *("-wwwroot", f"{root}www", "-log", str(log), "-loglevel", "all"),
        ]
        # As a service has it: without this, Domoticz's Python would compile the plugin anew at each start.
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment.update(self.environment)
        with (self.user_data / "output.txt").open("ab") as output:
            self._output_bytes = output.tell()
            self._process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=str(self.user_data),
                env=environment,
            )
        began = time.monotonic()
        while not self._is_up():
            assert self._process.poll() is None, "Domoticz ended while it started"
            assert time.monotonic() - began < 60, "Domoticz does not answer"
            time.sleep(0.1)
        while wait and time.monotonic() - began < START_WINDOW_S:
            if log.is_file() and READY_LINE in log.read_text(errors="replace"):
                break
            time.sleep(0.1)

    def _is_up(self) -> bool:
        with contextlib.suppress(OSError, ValueError):
            return bool(self.api("getversion")["status"] == "OK")
        return False

    def quit(self, timeout_s: float = 30.0) -> int:
        """Shut down as systemd does and return the exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise AssertionError(f"Domoticz was still there {timeout_s:.0f} s after SIGTERM") from None

    def end(self) -> None:
        """Shut down and see that all plugins had stopped and that the process ended with 0.

        On Python 3.13 this Domoticz cannot end with 0 once its event system has run, with or without plugins: then its
        own fault, told by its text, is let pass. (Without the event system it starts no plugin: mainworker.cpp.)
        """
        code = self.quit()
        said = (self.user_data / "output.txt").read_bytes()[self._output_bytes :].decode(errors="replace")
        assert "PluginSystem: Exited work loop" in (self.user_data / "domoticz.log").read_text(errors="replace"), said
        assert code == 0 or (code == ABORTED and ATTACHED_TWICE in said), (code, said[-3000:])

    def is_alive(self) -> bool:
        """Tell whether the process runs."""
        return self._process is not None and self._process.poll() is None

    def close(self) -> None:
        """End the process if it still runs."""
        if self.is_alive():
            self.quit()

    def api(self, command: str, timeout_s: float = 20.0, **arguments: object) -> Dict[str, Any]:
        """Call one command of the JSON API."""
        if command in OLD_TYPES and self.has_old_types:
            words = {"type": OLD_TYPES[command], **arguments}
        else:
            words = {"type": "command", "param": command, **arguments}
        query = urllib.parse.urlencode(words)
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/json.htm?{query}", timeout=timeout_s) as answer:
            decoded: Dict[str, Any] = json.load(answer)
        return decoded

    @property
    def release(self) -> Tuple[int, int]:
        """Which release this is, as (2025, 1); a later development has the number of the release before it."""
        year, number = str(self.api("getversion")["version"]).split()[0].split(".")
        return int(year), int(number)

    def rss_kb(self) -> int:
        """Return the memory that the process holds, in kB."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1))  # type: ignore[union-attr]

    # The Hardware page

    def add_hardware(
        self,
        name: str = "Breakers",
        parameters: Optional[Mapping[str, str]] = None,
        *,
        enabled: bool = True,
        data_timeout_s: int = 0,
    ) -> int:
        """Add an instance of the plugin; parameters not given have the manifest's defaults."""
        values = dict.fromkeys(PARAMETER_FIELDS, "")
        values.update({**self.manifest.defaults(), **(parameters or {})})
        settings = {"name": name, "datatimeout": data_timeout_s, "values": values}
        idx = int(self.api("addhardware", **self._form(settings, enabled))["idx"])
        self._hardware[idx] = settings
        return idx

    def update_hardware(
        self, idx: int, parameters: Optional[Mapping[str, str]] = None, *, enabled: bool = True
    ) -> None:
        """Press Update on the Hardware page."""
        settings = self._hardware[idx]
        settings["values"].update(parameters or {})
        answer = self.api("updatehardware", idx=idx, **self._form(settings, enabled))
        assert answer["status"] == "OK", answer

    def restart(self, idx: int) -> None:
        """Press Update with nothing changed."""
        self.update_hardware(idx)

    def delete_hardware(self, idx: int) -> None:
        """Delete an instance with its devices."""
        self.api("deletehardware", idx=idx)
        del self._hardware[idx]

    def wait_started(self, idx: int, timeout_s: float = 10.0) -> bool:
        """Wait until the plugin is initialised (its onStart follows on the same thread)."""
        del idx, timeout_s
        return True

    @staticmethod
    def _form(settings: Mapping[str, Any], enabled: bool) -> Dict[str, object]:
        values = {key if key.startswith("Mode") else key.lower(): value for key, value in settings["values"].items()}
        values["port"] = values.get("port") or "0"
        common = {"htype": PYTHON_PLUGIN, "extra": "TuyaEnergy", "loglevel": 7, "enabled": str(enabled).lower()}
        return {**common, "name": settings["name"], "datatimeout": settings["datatimeout"], **values}

    # Devices

    def rows(self, idx: Optional[int] = None) -> List[Dict[str, Any]]:
        """Return the devices as the web interface gets them."""
        found = self.api("getdevices", filter="all", used="all", order="Name").get("result", [])
        return [row for row in found if idx in (None, row["HardwareID"])]

    def devices(self, idx: Optional[int] = None) -> List[DeviceRow]:
        """Return the device table; `updates` is not known."""
        shown = {int(row["idx"]): row for row in self.rows(idx)}
        stored = self.query("SELECT * FROM DeviceStatus ORDER BY ID")
        return [self._row(row, shown.get(row["ID"], {})) for row in stored if idx in (None, row["HardwareID"])]

    @staticmethod
    def _row(stored: Mapping[str, Any], shown: Mapping[str, Any]) -> DeviceRow:
        return DeviceRow(
            idx=stored["ID"],
            hardware=stored["HardwareID"],
            device_id=stored["DeviceID"],
            unit=stored["Unit"],
            name=stored["Name"],
            type=stored["Type"],
            subtype=stored["SubType"],
            switchtype=stored["SwitchType"],
            nvalue=stored["nValue"],
            svalue=stored["sValue"],
            timed_out=bool(shown.get("HaveTimeout")),
            used=bool(stored["Used"]),
            updates=-1,
            last_update=stored["LastUpdate"],
        )

    def query(self, sql: str, *values: object) -> List[Dict[str, Any]]:
        """Read from Domoticz's database."""
        with contextlib.closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=20)) as database:
            database.row_factory = sqlite3.Row
            return [dict(row) for row in database.execute(sql, values)]

    def device(self, idx: int, device_id: str, unit: int) -> Optional[DeviceRow]:
        """Return one row, None where there is none."""
        rows = [row for row in self.devices(idx) if (row.device_id, row.unit) == (device_id, unit)]
        return rows[0] if rows else None

    def command(self, idx: int, device_id: str, unit: int, command: str, level: int = 0) -> None:
        """Click."""
        row = self.device(idx, device_id, unit)
        assert row is not None
        self.api("switchlight", idx=row.idx, switchcmd=command, level=level)

    def rename(self, row: DeviceRow, name: str) -> None:
        """Rename a device."""
        self.api("renamedevice", idx=row.idx, name=name)

    def set_used(self, row: DeviceRow, used: bool) -> None:
        """Show a device in its tab or hide it, in the database: the API's setused with used=false deletes it."""
        with contextlib.closing(sqlite3.connect(str(self.database), timeout=20)) as database, database:
            database.execute("UPDATE DeviceStatus SET Used=? WHERE ID=?", (int(used), row.idx))

    def delete_device(self, row: DeviceRow) -> None:
        """Delete a device."""
        self.api("deletedevice", idx=row.idx)

    def store_settings(self, **changes: object) -> None:
        """Send the settings page back with these fields changed; None stands for a box that is not ticked."""
        settings = self.api("getsettings")
        form = {key: value for key, value in settings.items() if not isinstance(value, (dict, list))}
        form["WebLocalNetworks"] = "127.0.0.*"  # replaces what -nowwwpwd trusts
        form.update(changes)
        data = urllib.parse.urlencode({key: value for key, value in form.items() if value is not None}).encode()
        url = f"http://127.0.0.1:{self.port}/json.htm?type=command&param=storesettings"
        with urllib.request.urlopen(url, data, timeout=20) as answer:
            assert answer.status == 200

    def accept_new(self, accept: bool) -> None:
        """Set "accept new hardware devices"."""
        self.store_settings(AcceptNewHardware="on" if accept else None)
        stored = self.query("SELECT nValue FROM Preferences WHERE Key='AcceptNewHardware'")
        assert bool(stored[0]["nValue"]) is accept

    def today_kwh(self, row: DeviceRow) -> float:
        """Return what the Utility tab shows as Today."""
        (shown,) = self.api("getdevices", rid=row.idx)["result"]
        return float(shown["CounterToday"].split()[0])

    def lines(self, *levels: str, idx: Optional[int] = None) -> List[str]:
        """Return the texts of the log, of the given levels, of one instance or of all."""
        name = self._hardware[idx]["name"] if idx is not None else None
        found = []
        for line in (self.user_data / "domoticz.log").read_text(errors="replace").splitlines():
            match = _LINE.match(line)
            if match is None:
                continue
            level = LEVELS.get(match.group(1) or "", "normal")
            if (not levels or level in levels) and name in (None, match.group(2)):
                found.append(match.group(3))
        return found


def _business() -> float:
    """Return how many processes share one processor now, at least 1: a busy machine answers later by so much."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


class Watchdog:
    """Asks the web server five times a second and keeps the slowest answer."""

    def __init__(self, domoticz: Domoticz) -> None:
        self._domoticz = domoticz
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self.slowest_s = 0.0
        self.answers = 0
        self.slow: List[str] = []  # answers beyond the limit, for the log's sake with the time of day
        self.faults: List[str] = []

    def __enter__(self) -> Watchdog:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._end.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._end.wait(0.2):
            began = time.monotonic()
            try:
                self._domoticz.api("getversion")
                self.answers += 1
            except (OSError, ValueError) as error:
                self.faults.append(f"{type(error).__name__}: {error}")
            took_s = time.monotonic() - began
            self.slowest_s = max(self.slowest_s, took_s)
            if took_s > ANSWER_LIMIT_S * _business():
                self.slow.append(f"{took_s:.2f} s at {time.strftime('%H:%M:%S')}")
