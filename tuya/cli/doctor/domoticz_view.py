"""What Domoticz itself says of the plugin's hardware: from its database where that may be read, or from its web server.

Both are only read. The web server is asked only where a person gave an address; user and password never come from the
command line, which every user of the machine can read.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.cookiejar
import json
import sqlite3
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, FrozenSet, List, Optional, Tuple

from tuya.process import CommandError

PLUGIN_KEY = "TuyaEnergy"
PLUGIN_TYPE = 94  # Domoticz's hardware type of all Python plugins
TIMEOUT_S = 5.0
_DATABASE_TIMEOUT_S = 1.0
_WAL = 2  # byte 18 of a SQLite file whose changes go into a -wal file first (sqlite.org/fileformat.html)
_LOG_LEVELS = 0x0FFFFFFF  # all


@dataclass(frozen=True)
class HardwareRow:
    """One hardware of the plugin on the Hardware page. logs: false where none of its lines reaches Domoticz's log."""

    idx: int
    name: str
    enabled: bool
    logs: bool = True


@dataclass(frozen=True)
class StoredUnit:
    """One device of ours as Domoticz's database holds it. updated: its local time, as "2026-01-31 12:00:00"."""

    device_id: str
    unit: int
    nvalue: int
    updated: str


@dataclass(frozen=True)
class View:
    """What Domoticz says. None: not known. log: its last lines, () where they were not asked for.

    stored: all devices of the hardware, in no order; only its database tells them.
    """

    source: str
    hardware: Tuple[HardwareRow, ...]
    event_system: Optional[bool] = None
    accepts_new: Optional[bool] = None
    log: Tuple[str, ...] = ()
    stored: Optional[Tuple[StoredUnit, ...]] = None


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
    address = f"file:{urllib.parse.quote(str(path.resolve()))}?{mode}"
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
        event_system=_flag(preferences.get("EnableEventScriptSystem")),
        accepts_new=_flag(preferences.get("AcceptNewHardware")),
        stored=stored,
    )


def _stored(database: sqlite3.Connection) -> Optional[Tuple[StoredUnit, ...]]:
    """The devices of all enabled hardware of the plugin; None where the table is another one than we know."""
    try:
        rows = database.execute(
            "SELECT DeviceID, Unit, nValue, LastUpdate FROM DeviceStatus WHERE HardwareID IN "
            "(SELECT ID FROM Hardware WHERE Type=? AND Extra=? AND Enabled=1)",
            (PLUGIN_TYPE, PLUGIN_KEY),
        ).fetchall()
        return tuple(StoredUnit(str(device), int(unit), int(value), str(at)) for device, unit, value, at in rows)
    except (sqlite3.Error, TypeError, ValueError):
        return None


def _silent(database: sqlite3.Connection) -> FrozenSet[int]:
    """Hardware whose log level has nothing ticked; nobody in a release that has no such column."""
    try:
        rows = database.execute("SELECT ID FROM Hardware WHERE LogLevel=0").fetchall()
    except sqlite3.Error:
        return frozenset()
    return frozenset(int(idx) for (idx,) in rows)


def _flag(value: Any) -> Optional[bool]:
    return bool(value) if isinstance(value, int) else None


class WebProblem(CommandError):
    """Domoticz's web server could not be asked. The text says why, and what to do."""


class Web:
    """Domoticz's web server, asked as its own pages do. The password reaches no message."""

    def __init__(self, address: str, user: str, password: str) -> None:
        parts = urllib.parse.urlsplit(address if "://" in address else f"http://{address}")
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
            raise WebProblem("--domoticz: give an address as http://127.0.0.1:8080, without user and password")
        self.address = urllib.parse.urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))
        self._user = user
        self._password = password
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        )

    def view(self) -> View:
        """Ask. Raises WebProblem."""
        hardware = self._ask("gethardware", "hardware").get("result", [])
        settings = self._ask("getsettings", "settings")
        log = self._ask("getlog", "", lastlogtime="0", loglevel=str(_LOG_LEVELS)).get("result", [])
        rows = [row for row in hardware if row.get("Type") == PLUGIN_TYPE and row.get("Extra") == PLUGIN_KEY]
        return View(
            source=self.address,
            hardware=tuple(
                HardwareRow(
                    int(row["idx"]),
                    str(row.get("Name", "")),
                    str(row.get("Enabled")).lower() == "true",
                    row.get("LogLevel") != 0,
                )
                for row in rows
            ),
            event_system=_flag(settings.get("EnableEventScriptSystem")),
            accepts_new=_flag(settings.get("AcceptNewHardware")),
            log=tuple(str(line.get("message", "")) for line in log if isinstance(line, dict)),
        )

    def _ask(self, command: str, before_2023_2: str, **values: str) -> Dict[str, Any]:
        """One question, in the form of today or, where that is unknown, in that of older releases."""
        answer = self._get({"type": "command", "param": command, **values})
        if answer.get("status") != "OK" and before_2023_2:
            answer = self._get({"type": before_2023_2})
        if answer.get("status") != "OK":
            raise WebProblem(f"{self.address} does not tell: this user needs the rights of an administrator")
        return answer

    def _get(self, values: Dict[str, str], may_log_in: bool = True) -> Dict[str, Any]:
        request = urllib.request.Request(f"{self.address}/json.htm?{urllib.parse.urlencode(values)}")  # noqa: S310 - checked
        if self._user and self.address.startswith("https:"):
            token = base64.b64encode(f"{self._user}:{self._password}".encode()).decode("ascii")
            request.add_header("Authorization", f"Basic {token}")
        try:
            with self._opener.open(request, timeout=TIMEOUT_S) as answer:
                content = json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code == 401 and may_log_in:
                self._log_in()
                return self._get(values, may_log_in=False)
            raise WebProblem(f"{self.address} answered {error.code}") from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise WebProblem(f"{self.address} cannot be asked: {reason}") from None
        if not isinstance(content, dict):
            raise WebProblem(f"{self.address} is no Domoticz")
        return content

    def _log_in(self) -> None:
        """As the login page does: user in base64, password as MD5; the answer's cookie is the session."""
        if not self._user:
            raise WebProblem(f"{self.address} wants a user and a password: set DOMOTICZ_USER, DOMOTICZ_PASSWORD")
        words = {
            "username": base64.b64encode(self._user.encode()).decode("ascii"),
            "password": hashlib.md5(self._password.encode()).hexdigest(),  # noqa: S324 - Domoticz's own form of it
        }
        answer = self._get({"type": "command", "param": "logincheck", **words}, may_log_in=False)
        if answer.get("status") != "OK":
            raise WebProblem(f"{self.address} refuses this user and password")
        if answer.get("require2fa"):
            raise WebProblem(f"{self.address} wants a second factor of this user: give one without, for this check")


def names_of(rows: Tuple[HardwareRow, ...]) -> List[str]:
    """Names of hardware, for a sentence."""
    return [f"'{row.name}'" for row in rows]
