"""Domoticz's web server, asked with a user and a password: by a cookie, as its login page gets one."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import shutil
import socket
import ssl
import subprocess
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tuya.cli.doctor import domoticz_web
from tuya.cli.doctor.domoticz_view import HardwareRow, View
from tuya.cli.doctor.domoticz_web import Web, WebProblem

USER, PASSWORD = "me", "Pass w\u00f6rd"
HARDWARE = [
    {"idx": "2", "Name": "Breakers", "Enabled": "true", "Type": 94, "Extra": "TuyaEnergy"},
    {"idx": "3", "Name": "Weather", "Enabled": "true", "Type": 94, "Extra": "Other"},
]
ANSWERS = {
    "gethardware": {"status": "OK", "result": HARDWARE},
    "getsettings": {"status": "OK", "EnableEventScriptSystem": 1, "AcceptNewHardware": 0},
    "getlog": {"status": "OK", "result": [{"level": 1, "message": "Status: x"}]},
    "getuptime": {"status": "OK", "days": 1, "hours": 2, "minutes": 3, "seconds": 5},
}
UPTIME_S = 86400.0 + 2 * 3600.0 + 3 * 60.0 + 5.0
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
        if words.get("param") in ("getlog", "getuptime"):
            known = ANSWERS[words["param"]]
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
    rows = (HardwareRow(2, "Breakers", enabled=True),)
    assert found == View(server.address, rows, True, False, ("Status: x",), uptime_s=UPTIME_S)
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


class Stranger:
    """Answers each connection with what it is given, piece by piece, with a pause between pieces; counts them."""

    def __init__(self, *pieces, pause_s=0.0):
        self._pieces, self._pause_s, self.asked = pieces, pause_s, []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._is_over = threading.Event()

    def __enter__(self):
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_exc):
        self._is_over.set()
        self._listener.close()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self._answer, args=self._listener.accept()[:1], daemon=True).start()

    def _answer(self, sock):
        with contextlib.suppress(OSError), sock:
            self.asked.append(sock.recv(65536).decode())
            for piece in self._pieces:
                sock.sendall(piece)
                if self._pause_s and self._is_over.wait(self._pause_s):
                    return


FINE = b"HTTP/1.0 200 OK\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (FINE + b"<html>login</html>", "is no Domoticz"),
        (FINE + b"[]", "is no Domoticz"),
        (FINE + b"[" * 100_000, "is no Domoticz"),
        (FINE + b'{"status": ' + b"9" * 100_000 + b"}", "is no Domoticz"),
        (FINE + b"\xff\xfe{", "is no Domoticz"),
        (FINE + b'{"status": "OK", "result": [1, null, {"Type": 94, "Extra": "TuyaEnergy"}]}', "is no Domoticz"),
        (FINE + b'{"status": "OK", "result": [{"Type": 94, "Extra": "TuyaEnergy", "idx": "x"}]}', "is no Domoticz"),
        (FINE + b" " * 300_000, "sends more than any Domoticz does"),
        (b"HTTP/1.0 200 OK\r\n" + b"X-a: b\r\n" * 1000, "cannot be asked"),
        (b"HTTP/1.0 500 \x1b[31mno\r\n\r\n", "answered 500"),
        (b"gibberish\r\n\r\n", "cannot be asked"),
        (b"", "cannot be asked"),
    ],
)
def test_what_is_no_domoticz(monkeypatch, answer, said):
    monkeypatch.setattr(domoticz_web, "MAX_BYTES", 200_000)
    with Stranger(answer) as stranger, pytest.raises(WebProblem, match=said) as caught:
        Web(stranger.address, USER, PASSWORD).view()
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("start", [FINE + b'{"a": "', b"HTTP/1.0 200 OK\r\nX-a: "])
def test_an_answer_that_comes_byte_by_byte(monkeypatch, start):
    """No single wait is long; all of them together are bounded."""
    monkeypatch.setattr(domoticz_web, "TOTAL_S", 0.4)
    with Stranger(start, *[b"x"] * 1000, pause_s=0.02) as stranger, pytest.raises(WebProblem, match=r"within 0 s"):
        Web(stranger.address, "", "").view()


def test_nobody_sends_us_elsewhere():
    """Else the password would go along to whoever is named there."""
    with Stranger(FINE) as other:
        place = other.address.encode() + b"/json.htm"
        redirection = b"HTTP/1.0 302 Found\r\nLocation: " + place + b"\r\n\r\n"
        with Stranger(redirection) as first, pytest.raises(WebProblem, match="answered 302, and sends us to") as caught:
            Web(first.address, USER, PASSWORD).view()
        assert (other.asked, len(first.asked)) == ([], 1)
    assert other.address in str(caught.value)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate that is signed by itself, with its key in the same file, as Domoticz's own."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("there is no openssl here to make a certificate with")
    path = tmp_path_factory.mktemp("tls") / "server_cert.pem"
    words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=domoticz"]
    subprocess.run([openssl, *words, "-keyout", f"{path}.key", "-out", str(path)], check=True, capture_output=True)
    path.write_text(path.read_text() + Path(f"{path}.key").read_text())
    return path


def test_its_own_certificate_is_taken_on_this_machine_and_nowhere_else(certificate, monkeypatch):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with Server() as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        address = server.address.replace("http:", "https:")
        assert Web(address, USER, PASSWORD).view().uptime_s == UPTIME_S
        monkeypatch.setattr(domoticz_web, "is_of_this_machine", lambda _host: False)
        with pytest.raises(WebProblem, match="SSL_CERT_FILE"):
            Web(address, USER, PASSWORD).view()


@pytest.mark.parametrize(
    ("host", "is_here"),
    [("localhost", True), ("127.0.0.9", True), ("192.0.2.1", False), ("example.org", False), ("", False)],
)
def test_which_host_is_this_machine(host, is_here):
    assert domoticz_web.is_of_this_machine(host) is is_here


@pytest.mark.parametrize(
    "address",
    ["http://127.0.0.1:99999", "http://me:secret@127.0.0.1", "ftp://127.0.0.1", "http://", "file:///etc/passwd"],
)
def test_addresses_that_are_none(address):
    with pytest.raises(WebProblem, match="without user and password") as caught:
        Web(address, "", "")
    assert "secret" not in str(caught.value)


def test_nobody_there():
    with pytest.raises(WebProblem, match="cannot be asked"):
        Web("127.0.0.1:1", "", "").view()
