"""Domoticz's database as far as a plugin can notice it, in SQLite. Knows neither plugin.py nor the framework.

Read from main/SQLHelper.cpp (UpdateValueInt, InsertDevice, UpdateMeter, DeleteDevices) and main/WebServer.cpp (Today).
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple

TYPE_GENERAL = 243
SUBTYPE_VOLTAGE, SUBTYPE_CURRENT, SUBTYPE_KWH = 8, 23, 29
TYPE_USAGE, TYPE_GENERAL_SWITCH = 248, 244
LOGGED_SUBTYPES = (19, 22)  # Text and Alert have a log of their changes, as switches do
PRIVATE_MODE = 0o600
SENSOR_TIMEOUT_S = 3600  # a row without an update for this long gets nothing in the short log

PARAMETER_FIELDS = (
    *("Address", "Port", "SerialPort", "Username", "Password"),
    *("Mode1", "Mode2", "Mode3", "Mode4", "Mode5", "Mode6"),
)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS Hardware (ID INTEGER PRIMARY KEY AUTOINCREMENT, Name TEXT, Enabled INTEGER, Extra TEXT,
  Parameters TEXT, Configuration TEXT DEFAULT '', DataTimeout INTEGER DEFAULT 0);
CREATE TABLE IF NOT EXISTS DeviceStatus (ID INTEGER PRIMARY KEY AUTOINCREMENT, HardwareID INTEGER, DeviceID TEXT,
  Unit INTEGER, Name TEXT, Used INTEGER DEFAULT 0, Type INTEGER, SubType INTEGER, SwitchType INTEGER DEFAULT 0,
  SignalLevel INTEGER DEFAULT 12, BatteryLevel INTEGER DEFAULT 255, nValue INTEGER DEFAULT 0, sValue TEXT DEFAULT '',
  LastUpdate TEXT DEFAULT '', LastLevel INTEGER DEFAULT 0, CustomImage INTEGER DEFAULT 0, Description TEXT DEFAULT '',
  Options TEXT DEFAULT '{}', Color TEXT DEFAULT '', Updates INTEGER DEFAULT 0, Events INTEGER DEFAULT 0,
  UpdatedAt REAL DEFAULT 0, UNIQUE (HardwareID, DeviceID, Unit));
CREATE TABLE IF NOT EXISTS Meter (DeviceRowID INTEGER, Value INTEGER, Usage INTEGER, Date TEXT);
CREATE TABLE IF NOT EXISTS LightingLog (DeviceRowID INTEGER, nValue INTEGER, sValue TEXT, Date TEXT);
"""

# What a Unit object reads from its row.
_UNIT_FIELDS = (
    *("ID", "Unit", "Name", "nValue", "sValue", "Type", "SubType", "SwitchType", "LastLevel"),
    *("SignalLevel", "BatteryLevel", "LastUpdate", "Description", "Color", "Used"),
)


def local_time(at_s: float) -> str:
    """Return the text Domoticz keeps for a moment (seconds since the epoch)."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at_s))


def _make_private(path: Path) -> None:
    """Let only its owner read a database: the Password field in it is a local key. SQLite gives its files that mode."""
    os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, PRIVATE_MODE))
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(name).chmod(PRIVATE_MODE)


class Table:
    """Hardware, devices and their logs. Every method may be called from any thread."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        _make_private(path)
        self._connection = sqlite3.connect(str(path), check_same_thread=False, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=OFF")
        self._connection.executescript(_SCHEMA)
        self.accept_new = True
        self.clock = time.time

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._connection.close()

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Let everybody wait for the database, as Domoticz does during its backup."""
        with self._lock:
            yield

    def query(self, sql: str, *values: Any) -> List[Dict[str, Any]]:
        """Run one statement and return its rows."""
        with self._lock:
            return [dict(row) for row in self._connection.execute(sql, values)]

    # Hardware

    def add_hardware(self, name: str, key: str, parameters: Mapping[str, str], enabled: bool, timeout_s: int) -> int:
        """Insert a hardware row and return its ID."""
        with self._lock:
            cursor = self._connection.execute(
                "INSERT INTO Hardware (Name, Enabled, Extra, Parameters, DataTimeout) VALUES (?,?,?,?,?)",
                (name, int(enabled), key, json.dumps(dict(parameters)), timeout_s),
            )
            return int(cursor.lastrowid or 0)

    def set_hardware(self, idx: int, name: str, parameters: Mapping[str, str], enabled: bool) -> None:
        """Change a hardware row."""
        text = json.dumps(dict(parameters))
        self.query("UPDATE Hardware SET Name=?, Parameters=?, Enabled=? WHERE ID=?", name, text, int(enabled), idx)

    def delete_hardware(self, idx: int) -> None:
        """Delete a hardware row with its devices and their logs."""
        with self._lock:
            for row in self.query("SELECT ID FROM DeviceStatus WHERE HardwareID=?", idx):
                self.delete_row(row["ID"])
            self.query("DELETE FROM Hardware WHERE ID=?", idx)

    def configuration(self, idx: int, text: Optional[str]) -> Optional[Dict[str, Any]]:
        """Store `text` where given; return what is stored, None where that is no JSON object."""
        if text is not None:
            self.query("UPDATE Hardware SET Configuration=? WHERE ID=?", text, idx)
        stored = self.query("SELECT Configuration FROM Hardware WHERE ID=?", idx)[0]["Configuration"]
        try:
            value = json.loads(stored or "{}")
        except ValueError:
            return None
        return value if isinstance(value, dict) else None

    # What units do

    def unit_rows(self, hardware: int, device_id: str, unit: Optional[int]) -> List[Dict[str, Any]]:
        """Return the rows of a device, or of one of its units, as Unit objects take them."""
        rows = self.query(
            "SELECT * FROM DeviceStatus WHERE HardwareID=? AND DeviceID=? ORDER BY Unit", hardware, device_id
        )
        return [
            {
                **{name: row[name] for name in _UNIT_FIELDS},
                "Image": row["CustomImage"],
                "Options": json.loads(row["Options"]),
            }
            for row in rows
            if unit is None or row["Unit"] == unit
        ]

    def create_unit(self, hardware: int, device_id: str, fields: Mapping[str, Any]) -> Tuple[int, str]:
        """Insert a row with the object's values. Returns its ID and what went wrong, "" for nothing."""
        with self._lock:
            if not self.accept_new:
                return -1, "Domoticz settings prevent accepting new devices."
            if self.unit_rows(hardware, device_id, fields["Unit"]):
                combination = f"{hardware}/{device_id}/{fields['Unit']}"
                return -1, f"Hardware/DeviceID/Unit combination ({combination}) already exists in Domoticz."
            return self._insert(hardware, device_id, fields, fields["Used"]), ""

    def update_unit(
        self, hardware: int, device_id: str, fields: Mapping[str, Any], upsert: bool
    ) -> Tuple[Optional[int], bool]:
        """Write nValue and sValue as an Update does. Returns the row's ID (None: refused) and whether it was made anew.

        An update of a row that is gone, or whose type differs, makes one (`upsert`) or is refused (older releases).
        """
        with self._lock:
            rows = self.query(
                "SELECT * FROM DeviceStatus WHERE HardwareID=? AND DeviceID=? AND Unit=?",
                hardware,
                device_id,
                fields["Unit"],
            )
            if not rows:
                if not upsert or not self.accept_new:
                    return None, False
                return self._insert(hardware, device_id, fields, used=0), True
            row, now = rows[0], self.clock()
            svalue = self._computed_energy(row, fields["sValue"], now)
            self.query(
                "UPDATE DeviceStatus SET nValue=?, sValue=?, SignalLevel=?, BatteryLevel=?, LastUpdate=?, UpdatedAt=?, "
                "Updates=Updates+1, Events=Events+1 WHERE ID=?",
                *(fields["nValue"], svalue, fields["SignalLevel"], fields["BatteryLevel"]),
                *(local_time(now), now, row["ID"]),
            )
            logged = row["Type"] == TYPE_GENERAL_SWITCH or row["SubType"] in LOGGED_SUBTYPES
            if logged and (row["nValue"] != fields["nValue"] or row["sValue"] != svalue):
                self.query(
                    "INSERT INTO LightingLog VALUES (?,?,?,?)", row["ID"], fields["nValue"], svalue, local_time(now)
                )
            return int(row["ID"]), False

    def write_properties(self, row_id: int, fields: Mapping[str, Any]) -> None:
        """Write what the user may have changed, from the object (UpdateProperties; every Update up to 2023.2)."""
        self.query(
            "UPDATE DeviceStatus SET Name=?, Description=?, CustomImage=?, Used=?, Color=? WHERE ID=?",
            *(fields["Name"], fields["Description"], fields["Image"], fields["Used"], fields["Color"], row_id),
        )

    def write_types(self, row_id: int, fields: Mapping[str, Any]) -> None:
        """Write Type, SubType and SwitchType from the object."""
        kinds = (fields["Type"], fields["SubType"], fields["SwitchType"])
        self.query("UPDATE DeviceStatus SET Type=?, SubType=?, SwitchType=? WHERE ID=?", *kinds, row_id)

    def write_options(self, hardware: int, row_id: int, fields: Mapping[str, Any], custom_subtype: int) -> None:
        """Write Options; those of a Custom device go to every row with its unit number (a defect that was seen)."""
        text = json.dumps(fields["Options"])
        if fields["SubType"] == custom_subtype:
            self.query(
                "UPDATE DeviceStatus SET Options=? WHERE HardwareID=? AND Unit=?", text, hardware, fields["Unit"]
            )
        else:
            self.query("UPDATE DeviceStatus SET Options=? WHERE ID=?", text, row_id)

    def touch(self, row_id: int) -> None:
        """Set LastUpdate."""
        now = self.clock()
        self.query(
            "UPDATE DeviceStatus SET LastUpdate=?, UpdatedAt=?, Updates=Updates+1 WHERE ID=?",
            local_time(now),
            now,
            row_id,
        )

    def delete_row(self, row_id: int) -> bool:
        """Delete a row and its logs. False where there is none."""
        with self._lock:
            found = bool(self.query("SELECT ID FROM DeviceStatus WHERE ID=?", row_id))
            self.query("DELETE FROM Meter WHERE DeviceRowID=?", row_id)
            self.query("DELETE FROM LightingLog WHERE DeviceRowID=?", row_id)
            self.query("DELETE FROM DeviceStatus WHERE ID=?", row_id)
            return found

    # Meters

    def short_log(self) -> None:
        """Do what Domoticz does every five minutes: keep each meter's value, where it had an update within the hour."""
        with self._lock:
            now = self.clock()
            for row in self.query("SELECT * FROM DeviceStatus"):
                values = _meter_values(row)
                if values is not None and now - row["UpdatedAt"] < SENSOR_TIMEOUT_S:
                    self.query("INSERT INTO Meter VALUES (?,?,?,?)", row["ID"], *values, local_time(now))

    def today_kwh(self, row_id: int) -> float:
        """Return a kWh device's counter of today: the total less the first value that the short log has of today.

        As it is shown (main/WebServer.cpp, "%.3f kWh"): the short log rounds to whole Wh, so that the difference falls
        below 0 by up to half of one while the total does not fall.
        """
        with self._lock:
            row = self.query("SELECT sValue FROM DeviceStatus WHERE ID=?", row_id)[0]
            today = local_time(self.clock())[:10]
            first = self.query(
                "SELECT Value FROM Meter WHERE DeviceRowID=? AND Date>=? ORDER BY Date LIMIT 1", row_id, today
            )
        if not first:
            return 0.0
        today_kwh = float(row["sValue"].split(";")[1]) / 1000 - float(first[0]["Value"]) / 1000
        return float(f"{today_kwh:.3f}")

    def _computed_energy(self, row: Mapping[str, Any], svalue: str, now: float) -> str:
        """With EnergyMeterMode "1" Domoticz adds the previous power times the time passed and ignores the given Wh."""
        if (row["Type"], row["SubType"]) != (TYPE_GENERAL, SUBTYPE_KWH):
            return svalue
        if json.loads(row["Options"]).get("EnergyMeterMode") != "1":
            return svalue
        before = str(row["sValue"]).split(";")
        if len(before) != 2:
            return str(row["sValue"])
        energy_wh = float(before[1]) + float(before[0]) * (int(now) - int(row["UpdatedAt"])) / 3600
        return f"{svalue.split(';')[0]};{energy_wh:.4f}"

    def _insert(self, hardware: int, device_id: str, fields: Mapping[str, Any], used: int) -> int:
        now = self.clock()
        cursor = self._connection.execute(
            "INSERT INTO DeviceStatus (HardwareID, DeviceID, Unit, Name, Used, Type, SubType, SwitchType, SignalLevel, "
            "BatteryLevel, nValue, sValue, CustomImage, Description, Color, Options, LastUpdate, UpdatedAt) "
            "VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            (
                *(hardware, device_id, fields["Unit"], fields["Name"] or "Unknown", used),
                *(fields["Type"], fields["SubType"], fields["SwitchType"], fields["SignalLevel"]),
                *(fields["BatteryLevel"], fields["nValue"], fields["sValue"], fields["Image"], fields["Description"]),
                *(fields["Color"], json.dumps(fields["Options"]), local_time(now), now),
            ),
        )
        return int(cursor.lastrowid or 0)


def _meter_values(row: Mapping[str, Any]) -> Optional[Tuple[int, int]]:
    """Return (value, usage) for the short log: Wh and tenths of W of a kWh device, mV, mA, tenths of W."""
    kind, subtype, svalue = row["Type"], row["SubType"], str(row["sValue"])
    try:
        if kind == TYPE_GENERAL and subtype == SUBTYPE_KWH:
            power_w, energy_wh = svalue.split(";")
            return round(float(energy_wh)), round(float(power_w) * 10)
        if kind == TYPE_GENERAL and subtype in (SUBTYPE_VOLTAGE, SUBTYPE_CURRENT):
            return round(float(svalue) * 1000), 0
        if kind == TYPE_USAGE:
            return round(float(svalue) * 10), 0
    except ValueError:
        return None
    return None
