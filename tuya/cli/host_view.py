"""The live table of `python3 -m tuya host`: breakers, their values, the log, and a key to switch."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import termios
import time
import tty
from typing import Any, Dict, List, Optional, Tuple

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tuya.host import DeviceRow, Stage

FEW_WH = 1000.0  # below this energy is shown in Wh
LOG_LINES = 8
REFRESH_INTERVAL_S = 0.25
SWITCH_TYPE = 244
SELECTOR = 18  # switch type
UNIT_ENERGY, UNIT_VOLTAGE, UNIT_CURRENT = 2, 3, 4
MAIN_UNITS = (UNIT_ENERGY, UNIT_VOLTAGE, UNIT_CURRENT)
LEVEL_STYLES = {"error": "bold red", "status": "cyan", "print": "yellow", "debug": "dim"}


class View:
    """Draws the stage while its context lasts and turns typed numbers into clicks."""

    def __init__(self, stage: Stage, idx: int) -> None:
        self._stage = stage
        self._idx = idx
        self._console = Console()
        self._live = Live(console=self._console, screen=True, auto_refresh=False)
        self._typed = ""
        self._note = ""
        self._terminal: Optional[List[Any]] = None
        self._drawn_s = 0.0

    def __enter__(self) -> View:
        if sys.stdin.isatty():
            self._terminal = termios.tcgetattr(sys.stdin)
            tty.setcbreak(sys.stdin)
        self._live.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._live.stop()
        if self._terminal is not None:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._terminal)
        self._console.print(self._breakers())

    def refresh(self) -> bool:
        """Take what was typed and draw. False when the user wants to leave."""
        typed = self._keys()
        if "q" in typed:
            return False
        now = time.monotonic()
        if typed or now - self._drawn_s >= REFRESH_INTERVAL_S:
            self._drawn_s = now
            self._live.update(Group(self._breakers(), self._log(), self._prompt()), refresh=True)
        return True

    def _keys(self) -> str:
        if self._terminal is None:
            return ""
        typed = ""
        while select.select([sys.stdin], [], [], 0)[0]:
            part = os.read(sys.stdin.fileno(), 64).decode(errors="ignore")
            if not part:
                self._terminal = None
                break
            typed += part
        for key in typed:
            if key in "\r\n":
                self._toggle()
            elif key in "\x7f\b":
                self._typed = self._typed[:-1]
            elif key.isdecimal():
                self._typed += key
        return typed

    def _switches(self) -> List[DeviceRow]:
        rows = self._stage.devices(self._idx)
        return [row for row in rows if row.type == SWITCH_TYPE and row.switchtype != SELECTOR]

    def _toggle(self) -> None:
        number, self._typed = self._typed, ""
        switches = self._switches()
        if not number.isdecimal() or not 0 < int(number) <= len(switches):
            self._note = f"there is no switch {number}" if number else ""
            return
        row = switches[int(number) - 1]
        command = "Off" if row.nvalue else "On"
        self._note = f"{row.name}: {command} …"
        self._stage.command(self._idx, row.device_id, row.unit, command)

    def _breakers(self) -> Table:
        table = Table(expand=True, title="Breakers on the stand-in for Domoticz", title_style="bold")
        for heading in ("#", "Breaker", "Switch"):
            table.add_column(heading, no_wrap=True)
        for heading in ("Power", "Energy", "Voltage", "Current"):
            table.add_column(heading, justify="right", no_wrap=True)
        table.add_column("Others")
        numbers = {row.idx: str(position) for position, row in enumerate(self._switches(), 1)}
        for rows in self._by_device().values():
            table.add_row(*self._cells(rows, numbers))
        if not numbers:
            table.add_row("", Text("waiting for the first breaker …", style="dim"))
        return table

    def _by_device(self) -> Dict[str, List[DeviceRow]]:
        devices: Dict[str, List[DeviceRow]] = {}
        for row in self._stage.devices(self._idx):
            devices.setdefault(row.device_id, []).append(row)
        return devices

    def _cells(self, rows: List[DeviceRow], numbers: Dict[int, str]) -> Tuple[Text, ...]:
        by_unit = {row.unit: row for row in rows}
        switches = [row for row in rows if row.idx in numbers]
        named = switches[0] if switches else rows[0]
        offline = any(row.timed_out for row in rows)
        state = Text("offline ", style="bold red") if offline else Text()
        for row in switches:
            state.append("● On " if row.nvalue else "○ Off ", style="green" if row.nvalue else "dim")
        power_w, _, energy_wh = _svalue(by_unit, UNIT_ENERGY).partition(";")
        used = {row.idx for row in switches}
        others = [row for row in rows if row.unit not in MAIN_UNITS and row.idx not in used]
        return (
            Text(" ".join(numbers[row.idx] for row in switches), style="bold"),
            Text(named.name, style="red" if offline else ""),
            state,
            Text(f"{power_w} W" if power_w else ""),
            Text(_energy(energy_wh)),
            Text(f"{_svalue(by_unit, UNIT_VOLTAGE)} V" if UNIT_VOLTAGE in by_unit else ""),
            Text(f"{_svalue(by_unit, UNIT_CURRENT)} A" if UNIT_CURRENT in by_unit else ""),
            Text("  ".join(f"{row.name.replace(named.name, '').strip()} {row.svalue}" for row in others), style="dim"),
        )

    def _log(self) -> Panel:
        text = Text(overflow="ellipsis", no_wrap=True)
        for line in self._stage.log[-LOG_LINES:]:
            moment = time.strftime("%H:%M:%S ", time.localtime(line.at_s))
            text.append(moment, style="dim")
            text.append(line.text + "\n", style=LEVEL_STYLES.get(line.level, ""))
        return Panel(text, title="Log", height=LOG_LINES + 2)

    def _prompt(self) -> Text:
        if self._terminal is None:
            return Text("Ctrl-C ends", style="dim")
        prompt = Text("Number + Enter switches a breaker, q or Ctrl-C ends  > ", style="dim")
        prompt.append(self._typed, style="bold")
        prompt.append(f"   {self._note}", style="italic")
        return prompt


def _energy(energy_wh: str) -> str:
    """Write Wh while they are few, so that a demonstration shows them growing."""
    if not energy_wh:
        return ""
    value_wh = float(energy_wh)
    return f"{value_wh / 1000:.3f} kWh" if value_wh >= FEW_WH else f"{value_wh:.2f} Wh"


def _svalue(by_unit: Dict[int, DeviceRow], unit: int) -> str:
    with contextlib.suppress(KeyError):
        return by_unit[unit].svalue
    return ""
