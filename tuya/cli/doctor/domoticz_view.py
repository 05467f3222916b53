"""What Domoticz itself says of the plugin's hardware: from its database where that may be read; it is only read.

Its web server is asked in domoticz_web.py.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import urllib.parse
from dataclasses import dataclass
from pathlib import Path
from typing import Any, FrozenSet, List, NamedTuple, Optional, Tuple

PLUGIN_KEY = "TuyaEnergy"
PLUGIN_TYPE = 94  # Domoticz's hardware type of all Python plugins
_DATABASE_TIMEOUT_S = 1.0
_SWITCH_TYPE = 244  # of DeviceStatus: all switches and selectors
_COMPUTED = "EnergyMeterMode:MQ=="  # of the column Options: name and value, which is "1" in Base64
_WAL = 2  # byte 18 of a SQLite file whose changes go into a -wal file first (sqlite.org/fileformat.html)


@dataclass(frozen=True)
class HardwareRow:
    """One hardware of the plugin on the Hardware page. logs: false where none of its lines reaches Domoticz's log."""

    idx: int
    name: str
    enabled: bool
    logs: bool = True


class Row(NamedTuple):
    """What Domoticz's table says of one device beside its value. hardware: its name. used: shown on the pages.

    off_delay_s, on_delay_s: so long after On or Off Domoticz sends the opposite (of switches only); is_adjusted:
    something is added to or multiplied with what a meter is given.
    """

    hardware: str
    name: str
    type: int
    subtype: int
    switchtype: int
    used: bool
    protected: bool
    off_delay_s: float = 0.0
    on_delay_s: float = 0.0
    is_adjusted: bool = False


@dataclass(frozen=True)
class StoredUnit:
    """One device of ours as Domoticz's database holds it. updated: its local time, as "2026-01-31 12:00:00".

    svalue: None where it is not what was given, since the user had Domoticz adjust it. counts_itself: Domoticz is to
    count the kWh itself ("Computed" in the Edit of that device). row: what else is set of it in Domoticz.
    """

    device_id: str
    unit: int
    nvalue: int
    updated: str
    idx: int = 0
    svalue: Optional[str] = None
    counts_itself: bool = False
    row: Optional[Row] = None


@dataclass(frozen=True)
class View:
    """What Domoticz says. None: not known. log: its last lines, () where they were not asked for.

    stored: all devices of the hardware, in no order; only its database tells them. uptime_s: since Domoticz's start, by
    its clock; only its web server tells it.
    """

    source: str
    hardware: Tuple[HardwareRow, ...]
    event_system: Optional[bool] = None
    accepts_new: Optional[bool] = None
    log: Tuple[str, ...] = ()
    stored: Optional[Tuple[StoredUnit, ...]] = None
    uptime_s: Optional[float] = None


def from_database(path: Path, is_running: bool) -> Optional[View]:
    """Read Domoticz's database; None where that is not possible without leaving a trace in its folder.

    A file with -wal needs its -shm, which SQLite would make anew, for whoever runs this, if it were not there.
    """
    try:
        with path.open("rb") as file:
            header = file.read(20)
    except OSError:
        return None
    is_wal = len(header) > 18 and header[18] == _WAL
    is_shared = path.with_name(path.name + "-shm").exists()
    if not is_running and path.with_name(path.name + "-wal").exists():
        return None  # it was not closed well: what counts stands in the -wal
    mode = "immutable=1" if not is_running or (is_wal and not is_shared) else "mode=ro"
    address = f"file:{urllib.parse.quote(os.fsencode(path.resolve()))}?{mode}"
    try:
        with contextlib.closing(sqlite3.connect(address, uri=True, timeout=_DATABASE_TIMEOUT_S)) as database:
            rows = database.execute(
                "SELECT ID, Name, Enabled FROM Hardware WHERE Type=? AND Extra=? ORDER BY ID", (PLUGIN_TYPE, PLUGIN_KEY)
            ).fetchall()
            silent = _silent(database)
            stored = _stored(database)
            preferences = dict(
                database.execute(
                    "SELECT Key, nValue FROM Preferences WHERE Key IN ('EnableEventScriptSystem', 'AcceptNewHardware')"
                ).fetchall()
            )
    except sqlite3.Error:
        return None
    return View(
        source=f"its database {path}",
        hardware=tuple(
            HardwareRow(int(idx), str(name), bool(enabled), idx not in silent) for idx, name, enabled in rows
        ),
        event_system=flag(preferences.get("EnableEventScriptSystem")),
        accepts_new=flag(preferences.get("AcceptNewHardware")),
        stored=stored,
    )


def _stored(database: sqlite3.Connection) -> Optional[Tuple[StoredUnit, ...]]:
    """The devices of all enabled hardware of the plugin; None where the table is another one than we know."""
    try:
        rows = database.execute(
            "SELECT D.DeviceID, D.Unit, D.nValue, D.LastUpdate, D.ID, D.sValue, D.Options, D.AddjValue, D.AddjMulti, "
            "D.AddjValue2, H.Name, D.Name, D.Type, D.SubType, D.SwitchType, D.Used, D.Protected "
            "FROM DeviceStatus D JOIN Hardware H ON H.ID=D.HardwareID WHERE H.Type=? AND H.Extra=? AND H.Enabled=1",
            (PLUGIN_TYPE, PLUGIN_KEY),
        ).fetchall()
        return tuple(_stored_unit(row) for row in rows)
    except (sqlite3.Error, TypeError, ValueError):
        return None


def _stored_unit(columns: Tuple[Any, ...]) -> StoredUnit:
    device, unit, value, at, idx, svalue, options, added, times, added2, hardware, name = columns[:12]
    type_, subtype, switchtype, used, protected = (int(one or 0) for one in columns[12:])
    is_adjusted = (added or 0.0, 1.0 if times is None else times) != (0.0, 1.0)
    is_switch = type_ == _SWITCH_TYPE
    return StoredUnit(
        device_id=str(device),
        unit=int(unit),
        nvalue=int(value),
        updated=str(at),
        idx=int(idx),
        svalue=None if is_adjusted else str(svalue),
        counts_itself=_COMPUTED in str(options),
        row=Row(
            hardware=str(hardware),
            name=str(name),
            type=type_,
            subtype=subtype,
            switchtype=switchtype,
            used=bool(used),
            protected=bool(protected),
            off_delay_s=float(added or 0.0) if is_switch else 0.0,  # Domoticz keeps them in these columns
            on_delay_s=float(added2 or 0.0) if is_switch else 0.0,
            is_adjusted=is_adjusted and not is_switch,
        ),
    )


def _silent(database: sqlite3.Connection) -> FrozenSet[int]:
    """Hardware whose log level has nothing ticked; nobody in a release that has no such column."""
    try:
        rows = database.execute("SELECT ID FROM Hardware WHERE LogLevel=0").fetchall()
    except sqlite3.Error:
        return frozenset()
    return frozenset(int(idx) for (idx,) in rows)


def flag(value: Any) -> Optional[bool]:
    """One of Domoticz's settings as it tells them: a number, 0 for off. None: it is none."""
    return bool(value) if isinstance(value, int) else None


def names_of(rows: Tuple[HardwareRow, ...]) -> List[str]:
    """Names of hardware, for a sentence."""
    return [f"'{row.name}'" for row in rows]
