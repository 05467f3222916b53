"""Where the demo's plugin runs: in a real Domoticz of its own, or on the stand-in. One interface for both.

A Domoticz that is already running is never touched: the demo starts the same program as a process of its own, with
throw-away data, on a free port of loopback; its www folder is shadowed, so that nothing is written into the real one.
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
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Protocol

from tuya.domoticz.board import PAGE_NAME

from .errors import SetupError
from .find_domoticz import Domoticz

PLUGIN_KEY = "TuyaEnergy"
PYTHON_PLUGIN_SYSTEM = "94"  # Domoticz's hardware type of all Python plugins
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 15.0
ANSWER_TIMEOUT_S = 5.0
START_WINDOW_S = 5.0
READY_LINE = "Initializing event module"
_KWH = (243, 29)  # type and subtype, as in the rest of this table
_SHOWN_UNITS = {(243, 8): "V", (243, 23): "A", (248, 1): "W", (80, 5): "°C"}


class Row(NamedTuple):
    """One device as Domoticz shows it."""

    idx: int
    device_id: str
    unit: int
    name: str
    value: str
    lost: bool


class DemoStage(Protocol):
    """What the demo needs of a Domoticz."""

    address: str

    def start(self, devices_file: Path) -> None:
        """Start it with one instance of the plugin. Raises SetupError."""

    def rows(self) -> List[Row]:
        """Return the devices, in the order of their creation."""

    def switch(self, row: Row, on: bool) -> None:
        """Click a switch."""

    def log(self) -> List[str]:
        """Return the lines that the plugin has logged."""

    def stop(self) -> None:
        """End it; may be called at any time."""


class StandIn:
    """The stand-in for Domoticz's plugin framework, in this process."""

    address = ""

    def __init__(self, plugin_folder: Path, work: Path) -> None:
        self._plugin_folder = plugin_folder
        self._work = work
        self._stage: Any = None
        self._idx = 0

    def start(self, devices_file: Path) -> None:
        """Start plugin.py in a sub-interpreter."""
        from tuya.host.stage import Stage

        self._stage = Stage(self._plugin_folder, self._work / "stand-in")
        self._idx = self._stage.add_hardware("Demo", {"Mode1": str(devices_file), "Mode5": "2"})
        if not self._stage.wait_started(self._idx):
            raise SetupError("the plugin did not start on the stand-in")

    def rows(self) -> List[Row]:
        """Return the device table."""
        return [
            Row(row.idx, row.device_id, row.unit, row.name, _shown(row.type, row.subtype, row), row.timed_out)
            for row in self._stage.devices(self._idx)
        ]

    def switch(self, row: Row, on: bool) -> None:
        """Queue onCommand, as a click does."""
        self._stage.command(self._idx, row.device_id, row.unit, "On" if on else "Off")

    def log(self) -> List[str]:
        """Return the plugin's lines of status and error."""
        return [str(line) for line in self._stage.lines("normal", "status", "error")] if self._stage else []

    def stop(self) -> None:
        """Stop the plugin and end the interpreter."""
        if self._stage is not None:
            self._stage.close()
            self._stage = None


def _shown(kind: int, subtype: int, row: Any) -> str:
    """Show nValue and sValue the way Domoticz's tabs do."""
    if kind == 244:
        return "On" if row.nvalue else "Off"
    if (kind, subtype) == _KWH:
        power_w, _, energy_wh = row.svalue.partition(";")
        return f"{float(power_w):.0f} W, {float(energy_wh) / 1000:.3f} kWh"
    unit = _SHOWN_UNITS.get((kind, subtype), row.options.get("Custom", ";").partition(";")[2])
    return f"{row.svalue} {unit}".strip()


class OwnDomoticz:
    """A real Domoticz as a process of ours."""

    def __init__(self, domoticz: Domoticz, plugin_folder: Path, work: Path) -> None:
        self._domoticz = domoticz
        self._plugin_folder = plugin_folder
        self._work = work
        self._port = _free_port()
        self._process: Optional[subprocess.Popen[bytes]] = None
        self.address = f"http://127.0.0.1:{self._port}"
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback needs no proxy

    def start(self, devices_file: Path) -> None:
        """Start the process and add the hardware. Raises SetupError with the end of its log."""
        root, data = self._shadow_of_its_folder(), self._work / "userdata"
        (data / "plugins").mkdir(parents=True)
        (data / "plugins" / PLUGIN_KEY).symlink_to(self._plugin_folder)
        self._launch(root, data)
        self._wait_until_it_answers(data)
        # A new database opens a port for sharing between Domoticz machines, on every address; only a restart closes it.
        self.stop()
        with contextlib.closing(sqlite3.connect(str(data / "domoticz.db"))) as database, database:
            database.execute("UPDATE Preferences SET nValue=-1, sValue='-1' WHERE Key='RemoteSharedPort'")
        began = time.monotonic()
        self._launch(root, data)
        self._wait_until_it_answers(data)
        self._wait_until_hardware_may_be_added(data, began)
        parameters = {"Mode1": str(devices_file), "Mode2": "allowed", "Mode3": "auto", "Mode4": "basic", "Mode5": "2"}
        empty = dict.fromkeys(("address", "serialport", "username", "password", "Mode6"), "")
        fixed = {"htype": PYTHON_PLUGIN_SYSTEM, "port": "0", "datatimeout": "0", "loglevel": "7", "enabled": "true"}
        added = self._ask("addhardware", name="Demo", extra=PLUGIN_KEY, **fixed, **empty, **parameters)
        if added.get("status") != "OK":
            raise SetupError("this Domoticz does not accept the plugin: is it built with Python support?")

    def _launch(self, root: Path, data: Path) -> None:
        options = {
            "-www": str(self._port),
            "-sslwww": "0",
            "-wwwbind": "127.0.0.1",
            "-approot": f"{root}/",
            "-wwwroot": str(root / "www"),
            "-userdata": f"{data}/",
            "-dbase": str(data / "domoticz.db"),
            "-log": str(data / "domoticz.log"),
        }
        words = [word for pair in options.items() for word in pair] + ["-nowwwpwd", "-nomdns", "-noupdates"]
        with (data / "output.log").open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603 - the Domoticz that was found or named
                [str(self._domoticz.binary), *words],
                cwd=data,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C is for the demo, which ends this in good order
            )

    def _shadow_of_its_folder(self) -> Path:
        """Make a folder of links to all that Domoticz reads, in which www/templates is ours to write."""
        root = self._work / "domoticz"
        www = root / "www"
        (www / "templates").mkdir(parents=True)
        kept_apart = {"www", "plugins", "backups"}
        pairs = [(path, root / path.name) for path in self._domoticz.root.iterdir() if path.name not in kept_apart]
        real_www = self._domoticz.root / "www"
        if not real_www.is_dir():
            raise SetupError(f"{real_www}: Domoticz's web folder is not there; name its folder: DOMOTICZ_ROOT=...")
        pairs += [(path, www / path.name) for path in real_www.iterdir() if path.name != "templates"]
        if (real_www / "templates").is_dir():
            # the page of a plugin that already runs there stays its own: this one makes another
            others = [path for path in (real_www / "templates").iterdir() if not path.name.startswith(PAGE_NAME)]
            pairs += [(path, www / "templates" / path.name) for path in others]
        for source, link in pairs:
            if not source.name.startswith("domoticz.db"):
                link.symlink_to(source.resolve())
        return root

    def _wait_until_it_answers(self, data: Path) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if self._process is not None and self._process.poll() is not None:
                break
            try:
                self._ask("getversion")
            except (OSError, ValueError):
                time.sleep(0.2)
            else:
                return
        text = re.sub(r"\x1b\[[0-9;]*m", "", (data / "output.log").read_text(errors="replace"))
        lines = [line for line in text.splitlines() if "Error: " in line] or text.splitlines() or ["it said nothing"]
        raise SetupError(f"{self._domoticz.binary} did not start: {lines[-1]}")

    def _wait_until_hardware_may_be_added(self, data: Path, began: float) -> None:
        """Hardware that is added in the first seconds may be started twice, which ends Domoticz (seen)."""
        while time.monotonic() < began + START_WINDOW_S:
            if READY_LINE in (data / "domoticz.log").read_text(errors="replace"):
                return
            time.sleep(0.1)

    def _ask(self, command: str, **values: str) -> Dict[str, Any]:
        query = urllib.parse.urlencode({"type": "command", "param": command, **values})
        with self._opener.open(f"{self.address}/json.htm?{query}", timeout=ANSWER_TIMEOUT_S) as answer:
            result: Dict[str, Any] = json.load(answer)
        return result

    def rows(self) -> List[Row]:
        """Return the devices of the Utility and Switches tabs."""
        answer = self._ask("getdevices", filter="all", used="all", order="Name")
        rows = [
            Row(int(row["idx"]), row["ID"], int(row["Unit"]), row["Name"], _data(row), bool(row["HaveTimeout"]))
            for row in answer.get("result", [])
        ]
        return sorted(rows)

    def switch(self, row: Row, on: bool) -> None:
        """Click a switch in the web interface."""
        self._ask("switchlight", idx=str(row.idx), switchcmd="On" if on else "Off")

    def log(self) -> List[str]:
        """Return Domoticz's log."""
        if self._process is None:
            return []
        return (self._work / "userdata" / "domoticz.log").read_text(errors="replace").splitlines()

    def stop(self) -> None:
        """End the process, with force if it does not end."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._process = None


def _data(row: Dict[str, Any]) -> str:
    if row.get("SubType") == "kWh":
        return f"{row.get('Usage', '').replace(' Watt', ' W')}, {row['Data']}"
    return str(row["Data"])


def _free_port() -> int:
    """Choose a free port of loopback that Domoticz accepts (below 49152) and the kernel does not hand out itself."""
    while True:
        port = random.randrange(20000, 32000)  # noqa: S311 - a port is no secret
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
