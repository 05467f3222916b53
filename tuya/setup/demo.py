"""bash install.sh demo: three simulated breakers and the plugin, to look at and to switch; leaves nothing behind."""

from __future__ import annotations

import getpass
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import IO, Any, Dict, List, Optional, Tuple

from . import find_domoticz
from .errors import SetupError
from .install import install, say
from .keyboard import Keyboard
from .stages import DemoStage, OwnDomoticz, Row, StandIn
from .start import isolated

PRODUCT = "jdj6ccklup7btq3a"  # the Tongou TO-Q-SY1-JWT
VERSION = "3.4"
BREAKERS: Tuple[Tuple[str, str], ...] = (("Boiler", "1950"), ("Fridge", "85 pf=0.7"), ("Workshop", "430 pf=0.9"))
PAGES = (
    ("LightSwitches", "the switches"),
    ("Utility", "the meters"),
    ("Custom/Distribution_board", "the distribution board"),
)
UNITS_OF_A_BREAKER = 4
SIMULATOR_TIMEOUT_S = 20.0
READY_TIMEOUT_S = 30.0
LOOK_INTERVAL_S = 0.5
ENDING = ("q", "quit", "exit")


def run(folder: Path, seconds: Optional[float], stand_in_only: bool) -> int:
    """Run the demo until Ctrl-C, `q` or for `seconds`. Returns 0; 1 when not all devices came. Raises SetupError."""
    install(folder, None, None, quiet=True)
    sys.path[:0] = [str(folder / "lib" / "cli"), str(folder / "lib")]
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _interrupt)
    work = folder / ".demo"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(mode=0o700)
    # whatever keeps a file for later (tuya/lan/locks/last_closed.py does) keeps it in here, and it goes with the demo
    os.environ["TMPDIR"] = tempfile.tempdir = str(work)
    with ExitStack() as cleaning:
        cleaning.callback(shutil.rmtree, work, ignore_errors=True)
        simulator = _start_simulator(work, cleaning)
        devices = _read_devices(simulator)
        devices_file = work / "devices.json"
        devices_file.write_text(json.dumps(devices, indent=2), encoding="utf-8")
        stage = _start_stage(folder, work, devices_file, stand_in_only, cleaning)
        try:
            return _show(stage, devices, seconds)
        except KeyboardInterrupt:
            say("\nEnding ...")
            return 0


def _interrupt(number: int, frame: Optional[FrameType]) -> None:
    del number, frame
    raise KeyboardInterrupt


def _start_simulator(work: Path, cleaning: ExitStack) -> subprocess.Popen[str]:
    words = ["simulate", "--product", PRODUCT, "--version", VERSION, "--count", str(len(BREAKERS))]
    log = cleaning.enter_context((work / "simulator.log").open("w"))
    simulator = subprocess.Popen(  # noqa: S603 - our own command
        isolated(sys.executable, "tuya", *words),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        start_new_session=True,  # Ctrl-C is for the demo, which ends the plugin first
    )
    cleaning.callback(_end, simulator)
    return simulator


def _end(simulator: subprocess.Popen[str]) -> None:
    simulator.terminate()
    try:
        simulator.wait(5)
    except subprocess.TimeoutExpired:
        simulator.kill()
        simulator.wait()


def _read_devices(simulator: subprocess.Popen[str]) -> List[Dict[str, Any]]:
    """Read the devices.json that the simulator prints when it listens; name the breakers and load them."""
    text = ""
    deadline = time.monotonic() + SIMULATOR_TIMEOUT_S
    output: IO[str] = simulator.stdout or sys.stdin
    commands: IO[str] = simulator.stdin or sys.stdout
    while time.monotonic() < deadline:
        line = output.readline()
        text += line
        if line[:1] in "[]" and line.rstrip().endswith("]"):
            break
        if not line:
            raise SetupError("the simulated breakers did not start; try: python3 -m tuya simulate")
    devices: List[Dict[str, Any]] = json.loads(text)
    for number, (device, (name, load)) in enumerate(zip(devices, BREAKERS), start=1):
        device["name"] = name
        commands.write(f"{number} load {load}\n")
    commands.flush()
    return devices


def _start_stage(folder: Path, work: Path, devices_file: Path, stand_in_only: bool, cleaning: ExitStack) -> DemoStage:
    """Start the plugin in an installed Domoticz if there is one that starts, else on the stand-in."""
    domoticz = None if stand_in_only else find_domoticz.find(folder)
    if domoticz is not None:
        own = OwnDomoticz(domoticz, folder, work)
        try:
            cleaning.callback(own.stop)
            own.start(devices_file)
        except SetupError as error:
            say(f"{error}\nGoing on without it, on the stand-in.")
            own.stop()
        else:
            say(f"Domoticz ({domoticz.binary}) runs as a process of its own, with data that is thrown away afterwards.")
            say("Open in a browser on this machine:")
            for page, what in PAGES:
                say(f"  {own.address}/#/{page:26} {what}")
            port = own.address.rpartition(":")[2]
            say("From another computer: leave this running, and there, in another terminal, with the name of this one:")
            say(f"  ssh -L {port}:127.0.0.1:{port} {getpass.getuser()}@{socket.gethostname()}")
            say("Then the same addresses work in its browser.")
            return own
    elif not stand_in_only:
        say("No Domoticz is installed here: the plugin runs on a stand-in for it.")
    stand_in = StandIn(folder, work)
    cleaning.callback(stand_in.stop)
    stand_in.start(devices_file)
    return stand_in


def _show(stage: DemoStage, devices: List[Dict[str, Any]], seconds: Optional[float]) -> int:
    """Show the devices: live on a terminal, once at the end elsewhere."""
    from rich.console import Console, Group
    from rich.live import Live
    from rich.text import Text

    console = Console()
    ends = None if seconds is None else time.monotonic() + seconds
    is_live = console.is_terminal and sys.stdin.isatty()
    rows = _wait_for_devices(stage, devices)
    if is_live:
        say("Type the number of a breaker and Enter to switch it, q to end.\n")
        with Keyboard() as keyboard, Live(console=console, auto_refresh=False, transient=ends is not None) as live:
            note = ""
            while ends is None or time.monotonic() < ends:
                rows = stage.rows()
                live.update(Group(_table(rows, devices), Text(f"> {keyboard.typed}  {note}")), refresh=True)
                line = keyboard.line(LOOK_INTERVAL_S)
                if line in ENDING:
                    break
                note = _obey(stage, rows, devices, line) if line else note if line is None else ""
            live.update(_table(rows, devices), refresh=True)
    else:
        while ends is None or time.monotonic() < ends:
            time.sleep(LOOK_INTERVAL_S)
        rows = stage.rows()
    if not is_live or ends is not None:
        console.print(_table(rows, devices))
    complete = len(rows) >= UNITS_OF_A_BREAKER * len(devices)
    if not complete:
        say("Not all devices came. What the plugin said:\n" + "\n".join(stage.log()[-20:]))
    return 0 if complete else 1


def _wait_for_devices(stage: DemoStage, devices: List[Dict[str, Any]]) -> List[Row]:
    deadline = time.monotonic() + READY_TIMEOUT_S
    rows: List[Row] = []
    while len(rows) < UNITS_OF_A_BREAKER * len(devices) and time.monotonic() < deadline:
        time.sleep(LOOK_INTERVAL_S / 2)
        rows = stage.rows()
    return rows


def _table(rows: List[Row], devices: List[Dict[str, Any]]) -> Any:
    """One line a breaker: number, name, and what its units show."""
    from rich.table import Table

    table = Table()
    for heading in ("", "Breaker", "Switch", "Power and energy", "Voltage", "Current"):
        table.add_column(heading)
    for number, device in enumerate(devices, start=1):
        units = {row.unit: row for row in rows if row.device_id == device["id"]}
        cells = [units[unit].value if unit in units else "..." for unit in range(1, UNITS_OF_A_BREAKER + 1)]
        lost = any(row.lost for row in units.values())
        colour = "red" if lost else {"On": "green", "Off": "yellow"}.get(cells[0], "")
        table.add_row(str(number), device["name"], *cells, style=colour)
    return table


def _obey(stage: DemoStage, rows: List[Row], devices: List[Dict[str, Any]], line: str) -> str:
    """Switch the breaker whose number was typed. Returns what is to be said about it."""
    word = line.strip()
    if not word.isdecimal() or not 0 < int(word) <= len(devices):
        return f"there is no breaker {word!r}: type a number from 1 to {len(devices)}, or q to end"
    device = devices[int(word) - 1]
    for row in rows:
        if (row.device_id, row.unit) == (device["id"], 1):
            stage.switch(row, row.value != "On")
            return f"{device['name']}: {'off' if row.value == 'On' else 'on'}"
    return f"{device['name']} has no switch yet"
