"""A stand-in for what fetching keys asks of Tuya's cloud API; it checks signatures as the cloud does."""

from __future__ import annotations

import hashlib
import hmac
import http.server
import json
import threading
import urllib.parse
from functools import partial
from typing import Any, Dict, List, Optional, Tuple

ACCESS_ID = "p1234567890abcdefghi"
SECRET = "s3cr3ts3cr3ts3cr3ts3cr3ts3cr3t00"
TOKEN = "t0k3n"


class Cloud:
    """Serves `devices` on loopback. `refuse`: path prefix -> (code, message); `broken`: what to answer instead."""

    def __init__(self, devices: List[Dict[str, Any]], specifications: Dict[str, Any]) -> None:
        self.devices = devices
        self.specifications = specifications
        self.refuse: Dict[str, Tuple[int, str]] = {}
        self.broken: Optional[Tuple[int, bytes]] = None
        self.mute = threading.Event()
        self.paths: List[str] = []
        cloud = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if cloud.mute.is_set():
                    threading.Event().wait(0.6)  # longer than the test's time limit
                    return
                status, body = cloud.broken or (200, json.dumps(cloud.answer(self.path, self.headers)).encode())
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=partial(self._server.serve_forever, poll_interval=0.02))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Cloud:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, path: str, headers: Any) -> Dict[str, Any]:
        self.paths.append(path)
        refusal = self._refusal(path, headers)
        if refusal:
            return {"success": False, "code": refusal[0], "msg": refusal[1], "t": 1}
        route, query = path.partition("?")[::2]
        return {"success": True, "t": 1764000000000, "result": self._result(route, urllib.parse.parse_qs(query))}

    def _refusal(self, path: str, headers: Any) -> Optional[Tuple[int, str]]:
        for prefix, refusal in self.refuse.items():
            if path.startswith(prefix):
                return refusal
        if headers["client_id"] != ACCESS_ID:
            return 1005, "clientId is invalid"
        token = headers["access_token"] or ""
        content = f"GET\n{hashlib.sha256(b'').hexdigest()}\n\n{urllib.parse.unquote(path)}"
        if headers["Signature-Headers"]:
            return 1105, "the stand-in knows no signed headers"
        message = f"{ACCESS_ID}{token}{headers['t']}{content}"
        expected = hmac.new(SECRET.encode(), message.encode(), hashlib.sha256).hexdigest().upper()
        if headers["sign"] != expected:
            return 1004, "sign invalid"
        return None if token == TOKEN or path.startswith("/v1.0/token") else (1011, "token is not valid")

    def _result(self, route: str, query: Dict[str, List[str]]) -> Any:
        if route == "/v1.0/token":
            return {"access_token": TOKEN, "expire_time": 7200, "refresh_token": "r", "uid": "u"}
        if route == "/v1.0/iot-01/associated-users/devices":
            public = [{**device, "ip": "84.22.1.7", "uid": "user1"} for device in self.devices]
            return {"devices": public, "has_more": False, "last_row_key": "", "total": len(public)}
        if route == "/v1.3/iot-03/devices":
            return {"list": self.devices, "has_more": False, "last_row_key": "", "total": len(self.devices)}
        if route == "/v1.0/devices/factory-infos":
            return [{"id": id_, "mac": "aabbccddeeff"} for id_ in query["device_ids"][0].split(",")]
        device_id = route.split("/")[3]
        return self.specifications[device_id]
