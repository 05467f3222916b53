"""Domoticz's web server, asked with a user and a password: by a cookie, as its login page gets one."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tuya.cli.doctor.domoticz_view import HardwareRow, View, Web, WebProblem

USER, PASSWORD = "me", "Pass w\u00f6rd"
HARDWARE = [
    {"idx": "2", "Name": "Breakers", "Enabled": "true", "Type": 94, "Extra": "TuyaEnergy"},
    {"idx": "3", "Name": "Weather", "Enabled": "true", "Type": 94, "Extra": "Other"},
]
ANSWERS = {
    "gethardware": {"status": "OK", "result": HARDWARE},
    "getsettings": {"status": "OK", "EnableEventScriptSystem": 1, "AcceptNewHardware": 0},
    "getlog": {"status": "OK", "result": [{"level": 1, "message": "Status: x"}]},
}
OLD = {"hardware": ANSWERS["gethardware"], "settings": ANSWERS["getsettings"]}


class Server(HTTPServer):
    """Answers as a release does: today's, or one before 2023.2, which knows other commands."""

    def __init__(self, is_old=False, rights=True):
        super().__init__(("127.0.0.1", 0), Handler)
        self.is_old, self.rights, self.asked = is_old, rights, []
        self.address = f"http://127.0.0.1:{self.server_address[1]}"

    def __enter__(self):
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    def __exit__(self, *_exc):
        self.shutdown()
        self._thread.join()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        words = {
            name: values[0] for name, values in urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query).items()
        }
        self.server.asked.append(words)
        if words.get("param") == "logincheck":
            right = (
                base64.b64decode(words["username"]).decode() == USER
                and words["password"] == hashlib.md5(PASSWORD.encode()).hexdigest()  # noqa: S324 - Domoticz's own form
            )
            return self._send(200, {"status": "OK"} if right else {"status": "ERR"}, right)
        if "DMZSID=1" not in self.headers.get("Cookie", ""):
            return self._send(401, {})
        known = OLD.get(words["type"]) if self.server.is_old else ANSWERS.get(words.get("param"))
        if words.get("param") == "getlog":
            known = ANSWERS["getlog"]
        return self._send(200, known if known and self.server.rights else {"status": "ERR"})

    def _send(self, code, content, cookie=False):
        body = json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        if cookie:
            self.send_header("Set-Cookie", "DMZSID=1; HttpOnly; path=/")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_words):
        """Say nothing."""


@pytest.mark.parametrize("is_old", [False, True])
def test_what_it_tells(is_old):
    with Server(is_old) as server:
        found = Web(server.address, USER, PASSWORD).view()
    assert found == View(server.address, (HardwareRow(2, "Breakers", enabled=True),), True, False, ("Status: x",))
    assert not any(PASSWORD in str(words) for words in server.asked)


@pytest.mark.parametrize(
    ("user", "password", "rights", "said"),
    [
        ("", "", True, "wants a user and a password"),
        (USER, "wrong", True, "refuses this user and password"),
        (USER, PASSWORD, False, "needs the rights of an administrator"),
    ],
)
def test_what_it_refuses(user, password, rights, said):
    with Server(rights=rights) as server, pytest.raises(WebProblem, match=said) as caught:
        Web(server.address, user, password).view()
    assert "wrong" not in str(caught.value)
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize("address", ["http://me:secret@127.0.0.1", "ftp://127.0.0.1", "http://", "file:///etc/passwd"])
def test_addresses_that_are_none(address):
    with pytest.raises(WebProblem, match="without user and password") as caught:
        Web(address, "", "")
    assert "secret" not in str(caught.value)


def test_nobody_there():
    with pytest.raises(WebProblem, match="cannot be asked"):
        Web("127.0.0.1:1", "", "").view()
