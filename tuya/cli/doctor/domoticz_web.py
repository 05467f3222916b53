"""What Domoticz's web server says of the plugin's hardware, asked only where a person gave its address.

User and password never come from the command line, which every user of the machine can read, and reach no message.
Whatever answers there is taken for a stranger until it has shown itself to be that Domoticz: what it sends is bounded
in bytes and time, and it sends us nowhere else.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import http.cookiejar
import ipaddress
import json
import socket
import ssl
import threading
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, Dict, List, Optional

from tuya.cli.doctor.domoticz_view import PLUGIN_KEY, PLUGIN_TYPE, HardwareRow, View, flag
from tuya.process import CommandError

TIMEOUT_S = 5.0  # of one answer that does not come
TOTAL_S = 20.0  # of all of it, also where an answer comes byte by byte
MAX_BYTES = 4 * 1024 * 1024  # of one answer; Domoticz keeps some hundred lines of its log
_LOG_LEVELS = 0x0FFFFFFF  # all
_SHOWN_CHARACTERS = 100
_LONGEST_NUMBER = 18  # digits; longer ones cost more than they tell


class WebProblem(CommandError):
    """Domoticz's web server could not be asked. The text says why, and what to do."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows nobody: the password would go along."""

    def redirect_request(self, *_words: Any) -> None:
        """Let the answer stand as it is."""


class Web:
    """Domoticz's web server, asked as its own pages do."""

    def __init__(self, address: str, user: str, password: str) -> None:
        try:
            parts = urllib.parse.urlsplit(address if "://" in address else f"http://{address}")
            is_usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
        except ValueError:
            is_usable = False
        if not is_usable or parts.username or parts.password:
            raise WebProblem("--domoticz: give an address as http://127.0.0.1:8080, without user and password")
        self.address = urllib.parse.urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))
        self.host = parts.hostname or ""
        self.port = parts.port or (443 if parts.scheme == "https" else 80)
        self._user = user
        self._password = password
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()),
            urllib.request.HTTPSHandler(context=_context(self.host)),
            _NoRedirect(),
        )

    def view(self) -> View:
        """Ask, for TOTAL_S at most. Raises WebProblem."""
        found: List[View] = []
        problems: List[Exception] = []

        def ask() -> None:
            try:
                found.append(self._view())
            except Exception as error:  # noqa: BLE001 - it is raised again, below
                problems.append(error)

        # no time limit of a socket ends an answer that comes byte by byte: what takes too long is left to itself
        asking = threading.Thread(target=ask, name="asking Domoticz", daemon=True)
        asking.start()
        asking.join(TOTAL_S)
        if found:
            return found[0]
        if problems:
            raise problems[0]
        raise WebProblem(f"{self.address} did not answer all questions within {TOTAL_S:.0f} s")

    def _view(self) -> View:
        try:
            rows = _objects(self._ask("gethardware", "hardware").get("result", []))
            settings = self._ask("getsettings", "settings")
            log = _objects(self._ask("getlog", "", lastlogtime="0", loglevel=str(_LOG_LEVELS)).get("result", []))
            up = self._get({"type": "command", "param": "getuptime"})
            ours = [row for row in rows if row.get("Type") == PLUGIN_TYPE and row.get("Extra") == PLUGIN_KEY]
            return View(
                source=self.address,
                hardware=tuple(
                    HardwareRow(
                        int(row["idx"]),
                        str(row.get("Name", "")),
                        str(row.get("Enabled")).lower() == "true",
                        row.get("LogLevel") != 0,
                    )
                    for row in ours
                ),
                event_system=flag(settings.get("EnableEventScriptSystem")),
                accepts_new=flag(settings.get("AcceptNewHardware")),
                log=tuple(str(line.get("message", "")) for line in log),
                uptime_s=_uptime_s(up),
            )
        except (KeyError, TypeError, ValueError):
            raise WebProblem(f"{self.address} is no Domoticz, or one of another release than is known") from None

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
                data = answer.read(MAX_BYTES + 1)
        except urllib.error.HTTPError as error:
            if error.code == 401 and may_log_in:
                self._log_in()
                return self._get(values, may_log_in=False)
            raise WebProblem(self._refusal(error)) from None
        except (OSError, ValueError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            text = f"{self.address} cannot be asked: {_shown(str(reason))}{_of_certificate(reason)}"
            raise WebProblem(text) from None
        if len(data) > MAX_BYTES:
            raise WebProblem(f"{self.address} sends more than any Domoticz does")
        try:
            content = json.loads(data, parse_int=_number)
        except (ValueError, RecursionError):
            content = None
        if not isinstance(content, dict):
            raise WebProblem(f"{self.address} is no Domoticz")
        return content

    def _refusal(self, error: urllib.error.HTTPError) -> str:
        place = error.headers.get("Location", "") if 300 <= error.code < 400 else ""
        more = f", and sends us to {_shown(place)}: if that is its address, give that one" if place else ""
        return f"{self.address} answered {error.code}{more}"

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


def is_of_this_machine(host: str) -> bool:
    """Whether a host is this machine: an address that a socket may be bound to here, or "localhost"."""
    if host.lower() == "localhost":
        return True
    try:
        family = socket.AF_INET6 if ipaddress.ip_address(host).version == 6 else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.bind((host, 0))
    except (OSError, ValueError):
        return False
    return True


def _context(host: str) -> ssl.SSLContext:
    """How its certificate is checked: by what this machine trusts (and SSL_CERT_FILE), and not at all on this machine.

    Domoticz comes with a certificate that it has signed itself. What does not leave the machine needs none.
    """
    context = ssl.create_default_context()
    if is_of_this_machine(host):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _of_certificate(reason: object) -> str:
    if not isinstance(reason, ssl.SSLCertVerificationError):
        return ""
    return (
        ". If that is Domoticz's own certificate, run this on its machine with https://127.0.0.1, or name the "
        "certificate's file in SSL_CERT_FILE"
    )


def _number(text: str) -> int:
    if len(text) > _LONGEST_NUMBER:
        raise ValueError("a number that is too long")
    return int(text)


def _objects(told: Any) -> List[Dict[str, Any]]:
    return [one for one in told if isinstance(one, dict)] if isinstance(told, list) else []


def _shown(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)[:_SHOWN_CHARACTERS]


def _uptime_s(told: Dict[str, Any]) -> Optional[float]:
    """Since its start, by the clock, rounded up to the next 5 s (main/WebServerCmds.cpp, Cmd_GetUptime)."""
    uptime_s = 0.0
    for name, unit_s in (("days", 86400.0), ("hours", 3600.0), ("minutes", 60.0), ("seconds", 1.0)):
        part = told.get(name)
        if not isinstance(part, int):
            return None
        uptime_s += part * unit_s
    return uptime_s
