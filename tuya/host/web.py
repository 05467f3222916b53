"""The stand-in's web server: the part of Domoticz's JSON API that the distribution board uses. Loopback only.

Field names and forms were read off a running Domoticz 2025.1 (getdevices, graph, getauth, switchlight). What it does
not offer is answered with an error, so that a page which starts to use more is noticed.
"""

from __future__ import annotations

import http.server
import json
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Callable, Dict, Iterable, List, Optional, Tuple, Type
from urllib.parse import parse_qs, unquote, urlsplit

RIGHTS_VIEWER, RIGHTS_USER, RIGHTS_ADMIN = 0, 1, 2
_PYTHON_PLUGIN = 94
_KWH, _VOLTAGE, _CURRENT, _CUSTOM, _ALERT, _TEXT = 29, 8, 23, 31, 22, 19
_SWITCH_TYPES = {0: "On/Off", 18: "Selector"}
_MIME = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".json": "application/json"}


@dataclass(frozen=True)
class Row:
    """One unit as the device table of the stand-in holds it. last_update_s: seconds since 1970."""

    idx: int
    hardware_id: int
    hardware_name: str
    device_id: str
    unit: int
    name: str
    type: int
    subtype: int
    switchtype: int
    nvalue: int
    svalue: str
    timed_out: bool = False
    used: bool = True
    protected: bool = False
    last_update_s: float = 0.0
    today_kwh: float = 0.0


def to_json(row: Row) -> Dict[str, object]:
    """A row of getdevices."""
    result: Dict[str, object] = {
        "idx": str(row.idx),
        "ID": row.device_id,
        "Unit": row.unit,
        "Name": row.name,
        "HardwareID": row.hardware_id,
        "HardwareName": row.hardware_name,
        "HardwareTypeVal": _PYTHON_PLUGIN,
        "HaveTimeout": row.timed_out,
        "Protected": row.protected,
        "Used": int(row.used),
        "LastUpdate": time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(row.last_update_s)),
        "Data": row.svalue,
    }
    if row.type == 244:
        on = "On" if row.nvalue else "Off"
        result.update(Type="Light/Switch", SwitchType=_SWITCH_TYPES.get(row.switchtype, "?"), Status=on, Data=on)
    elif (row.type, row.subtype) == (243, _KWH):
        power, _, energy = row.svalue.partition(";")
        total = f"{float(energy or 0) / 1000:.3f} kWh"
        result.update(Usage=f"{float(power or 0):g} Watt", Data=total, CounterToday=f"{row.today_kwh:g} kWh")
    elif (row.type, row.subtype) == (243, _VOLTAGE):
        result.update(Data=f"{float(row.svalue or 0):g} V")
    elif (row.type, row.subtype) == (243, _CURRENT):
        result.update(Data=f"{float(row.svalue or 0):g} A")
    elif (row.type, row.subtype) == (243, _ALERT):
        result.update(Level=row.nvalue)
    return result


class WebServer:
    """Serves `<www>/templates` and json.htm on 127.0.0.1 until it is closed.

    rows: asked at each request. command(idx, "On" | "Off"): what a click asks for. history(idx): (epoch seconds, W)
    of the short log. rights: what getauth tells.
    """

    def __init__(
        self,
        www: Path,
        rows: Callable[[], Iterable[Row]],
        command: Callable[[int, str], None],
        history: Callable[[int], List[Tuple[float, float]]] = lambda _idx: [],
        rights: int = RIGHTS_ADMIN,
        port: int = 0,
    ) -> None:
        self.www, self.rows, self.command, self.history, self.rights = www, rows, command, history, rights
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, mime, content = outer.answer(self.path)
                self.send_response(status)
                self.send_header("Content-Type", mime)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing: the live table owns the terminal."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, name="stand-in web", daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """Where a browser finds it, without a slash at the end."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Stop serving and join the thread."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> WebServer:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()

    def answer(self, target: str) -> Tuple[int, str, bytes]:
        """(status, MIME type, content) of one request."""
        parts = urlsplit(target)
        if parts.path.endswith("/json.htm"):
            query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
            return 200, "application/json", json.dumps(self._api(query)).encode()
        path = (self.www / unquote(parts.path).lstrip("/")).absolute()
        if ".." in path.parts or self.www.absolute() not in path.parents or not path.is_file():
            return 404, "text/plain", b"not found"
        return 200, _MIME.get(path.suffix, "application/octet-stream"), path.read_bytes()

    def _api(self, query: Dict[str, str]) -> Dict[str, object]:
        what = query.get("param")
        if what == "getauth":
            return {"status": "OK", "title": "GetAuth", "rights": self.rights, "user": "stand-in"}
        if what == "getdevices":
            since = float(query.get("lastupdate") or 0)
            rows = [row for row in self.rows() if row.used and row.last_update_s >= since]
            return {
                "status": "OK",
                "title": "Devices",
                "ActTime": int(time.time()),
                "result": [to_json(r) for r in rows],
            }
        if what == "graph":
            points = self.history(int(query.get("idx", "0")))
            stamp = "%Y-%m-%d %H:%M"
            result = [{"d": time.strftime(stamp, time.localtime(at)), "v": str(round(watt, 1))} for at, watt in points]
            return {"status": "OK", "title": "Graph counter day", "result": result}
        if what == "switchlight":
            if self.rights == RIGHTS_VIEWER:
                return {"status": "ERROR", "message": "no rights"}
            row = next((row for row in self.rows() if str(row.idx) == query.get("idx")), None)
            if row is None or (row.protected and "passcode" not in query):
                return {"status": "ERROR", "title": "SwitchLight", "message": "WRONG CODE" if row else "no such device"}
            self.command(row.idx, query.get("switchcmd", ""))
            return {"status": "OK", "title": "SwitchLight"}
        return {"status": "ERR", "message": f"the stand-in does not offer {what!r}"}
