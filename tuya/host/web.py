"""The stand-in's web server: the part of Domoticz's JSON API that the distribution board uses. Loopback only.

Field names and forms were read off a running Domoticz 2025.1 (getdevices, graph, getauth, switchlight). What it does
not offer is answered with an error, so that a page which starts to use more is noticed.
"""

from __future__ import annotations

import http.server
import json
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Callable, Container, Dict, Iterable, List, Optional, Tuple, Type
from urllib.parse import parse_qs, unquote, urlsplit

from .records import DeviceRow
from .stage import Stage

RIGHTS_VIEWER, RIGHTS_ADMIN = 0, 2  # 1 is a user who may switch
_PYTHON_PLUGIN = 94
_GENERAL, _LIGHT_SWITCH = 243, 244  # types
_KWH, _VOLTAGE, _CURRENT, _ALERT = 29, 8, 23, 22  # subtypes of 243
_TIME_FORM = "%Y-%m-%d %H:%M:%S"
_SWITCH_TYPES = {0: "On/Off", 18: "Selector"}
_MIME = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".json": "application/json"}


def to_json(row: DeviceRow, hardware_name: str, today_kwh: float, protected: bool) -> Dict[str, object]:
    """A row of getdevices."""
    result: Dict[str, object] = {
        "idx": str(row.idx),
        "ID": row.device_id,
        "Unit": row.unit,
        "Name": row.name,
        "HardwareID": row.hardware,
        "HardwareName": hardware_name,
        "HardwareTypeVal": _PYTHON_PLUGIN,
        "HaveTimeout": row.timed_out,
        "Protected": protected,
        "Used": int(row.used),
        "LastUpdate": row.last_update,
        "Data": row.svalue,
    }
    if row.type == _LIGHT_SWITCH:
        on = "On" if row.nvalue else "Off"
        result.update(Type="Light/Switch", SwitchType=_SWITCH_TYPES.get(row.switchtype, "?"), Status=on, Data=on)
    elif (row.type, row.subtype) == (_GENERAL, _KWH):
        power, _, energy = row.svalue.partition(";")
        total = f"{float(energy or 0) / 1000:.3f} kWh"
        result.update(Usage=f"{float(power or 0):g} Watt", Data=total, CounterToday=f"{today_kwh:g} kWh")
    elif (row.type, row.subtype) == (_GENERAL, _VOLTAGE):
        result.update(Data=f"{float(row.svalue or 0):g} V")
    elif (row.type, row.subtype) == (_GENERAL, _CURRENT):
        result.update(Data=f"{float(row.svalue or 0):g} A")
    elif (row.type, row.subtype) == (_GENERAL, _ALERT):
        result.update(Level=row.nvalue)
    return result


class WebServer:
    """Serves `<www>/templates` and json.htm on 127.0.0.1 until it is closed.

    rows: asked at each request. command(row, "On" | "Off"): what a click asks for. hardware_name(idx of a hardware).
    today_kwh(row of a kWh device). history(idx): (epoch seconds, W) of the short log. protected: idx of devices with a
    passcode. rights: what getauth tells.
    """

    def __init__(
        self,
        www: Path,
        rows: Callable[[], Iterable[DeviceRow]],
        command: Callable[[DeviceRow, str], None],
        *,
        hardware_name: Callable[[int], str] = lambda _idx: "Breakers",
        today_kwh: Callable[[DeviceRow], float] = lambda _row: 0.0,
        history: Callable[[int], List[Tuple[float, float]]] = lambda _idx: [],
        protected: Container[int] = (),
        rights: int = RIGHTS_ADMIN,
        port: int = 0,
    ) -> None:
        self.www, self.rows, self.command, self.rights = www, rows, command, rights
        self._hardware_name, self._today_kwh, self._history = hardware_name, today_kwh, history
        self._protected = protected
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
            rows = [row for row in self.rows() if row.used and _epoch_s(row.last_update) >= since]
            return {
                "status": "OK",
                "title": "Devices",
                "ActTime": int(time.time()),
                "result": [self._row_json(row) for row in rows],
            }
        if what == "graph":
            points = self._history(int(query.get("idx", "0")))
            stamp = "%Y-%m-%d %H:%M"
            result = [{"d": time.strftime(stamp, time.localtime(at)), "v": str(round(watt, 1))} for at, watt in points]
            return {"status": "OK", "title": "Graph counter day", "result": result}
        if what == "switchlight":
            if self.rights == RIGHTS_VIEWER:
                return {"status": "ERROR", "message": "no rights"}
            row = next((row for row in self.rows() if str(row.idx) == query.get("idx")), None)
            if row is None or (row.idx in self._protected and "passcode" not in query):
                return {"status": "ERROR", "title": "SwitchLight", "message": "WRONG CODE" if row else "no such device"}
            self.command(row, query.get("switchcmd", ""))
            return {"status": "OK", "title": "SwitchLight"}
        return {"status": "ERR", "message": f"the stand-in does not offer {what!r}"}

    def _row_json(self, row: DeviceRow) -> Dict[str, object]:
        is_kwh = (row.type, row.subtype) == (_GENERAL, _KWH)
        today_kwh = self._today_kwh(row) if is_kwh else 0.0
        return to_json(row, self._hardware_name(row.hardware), today_kwh, row.idx in self._protected)


def _epoch_s(local_time: str) -> float:
    return time.mktime(time.strptime(local_time, _TIME_FORM))


def serve(stage: Stage, port: int = 0) -> WebServer:
    """The web server of a running stand-in: its devices, its clicks, the pages that its plugins put into <www>."""

    def command(row: DeviceRow, word: str) -> None:
        stage.command(row.hardware, row.device_id, row.unit, word)

    return WebServer(stage.user_data / "www", stage.devices, command, today_kwh=stage.today_kwh, port=port)
