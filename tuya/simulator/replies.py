"""What a breaker says to a request once a session is up: heartbeats, queries, commands, UPDATEDPS.

Real devices: CONTROL and UPDATEDPS are acknowledged empty, data follows as STATUS. A command whose values are all null
is a query of those DPs, answered the same way.
"""

from __future__ import annotations

import json
import math
from typing import Any, Dict, Mapping, Optional, Protocol

from . import distortion
from .breaker import Breaker
from .fault_field import UNVALID
from .frames import Request

CONTROL, STATUS, HEART_BEAT, DP_QUERY = 7, 8, 9, 10
CONTROL_NEW, DP_QUERY_NEW, UPDATEDPS = 13, 16, 18

TOUCHY_S = 1.0
BINARY = bytes.fromhex("00ff8f41c3280080")  # no UTF-8 and no JSON
LONG_TEXT_DP = 210
_DONE: Mapping[str, Any] = {"how": "done"}


class Talk(Protocol):
    """The session that replies go out through. version: its protocol; pushed_s: when it last pushed."""

    version: str
    pushed_s: float

    def answer(self, command: int, sequence: int, plain: bytes, *, code: int = 0) -> None:
        """Send one frame in answer to a request."""

    def complain(self, command: int, sequence: int, text: str) -> None:
        """Answer by the text of an error."""

    def push(self, dps: Mapping[int, Any], now_s: float) -> None:
        """Report these DPs."""

    def hang_up(self, reset: bool = False) -> None:
        """End the connection behind what was said: with FIN, or with RST."""


class Replies:
    """Answers the requests of one session."""

    def __init__(self, breaker: Breaker, talk: Talk) -> None:
        self._breaker = breaker
        self._faults = breaker.faults
        self._talk = talk
        self._refreshed_s = -math.inf

    def heartbeat(self, request: Request, now_s: float) -> None:
        """Answer a heartbeat, empty."""
        refresh, pinged = self._faults.get("refresh") or _DONE, self._faults.get("pinged")
        if refresh["how"] == "touchy" and now_s - self._refreshed_s < TOUCHY_S:
            self._talk.hang_up()
        elif pinged is not None and now_s - self._talk.pushed_s < pinged["within_s"]:
            self._talk.hang_up(reset=True)
        else:
            plain = b"" if self._faults.get("binary_heartbeat") is None else BINARY
            self._talk.answer(HEART_BEAT, request.sequence if self._talk.version >= "3.4" else 0, plain)

    def query(self, request: Request) -> None:
        """Answer a full query."""
        if self._is_deaf_to_queries(request):
            return
        asleep = self._faults.get("asleep")
        if asleep is not None and not self._breaker.boot.woken:
            self._talk.complain(request.command, request.sequence, asleep["text"])
            return
        if self._faults.get("device22") is not None or json_object(request.body) is None:
            self._talk.complain(request.command, request.sequence, UNVALID)
            return
        if self._faults.get("bare_query") is not None:
            self._talk.answer(request.command, request.sequence, b"")
            return
        found = self._breaker.query()
        empty = self._faults.get("empty_query")
        if empty is not None:
            self._talk.answer(request.command, request.sequence, b'{"dps":{},"type":"query"}')
            for number, (dp, value) in enumerate(found.items()):
                self._breaker.report_later({dp: value}, empty["gap_s"] * number)
            return
        long = self._faults.get("long_answers")
        if long is not None:
            found[LONG_TEXT_DP] = "x" * long["size"]
        answer: Dict[str, Any] = {"dps": distortion.named(self._faults, found)}
        if self._talk.version == "3.1":
            answer = {"devId": self._breaker.device_id, **answer}
        self._talk.answer(request.command, request.sequence, distortion.content(self._faults, answer))

    def _is_deaf_to_queries(self, request: Request) -> bool:
        """Whether this breaker never answers a query, of whatever kind; it may say so."""
        text = self._faults.get("text_only")
        if text is not None:
            self._talk.complain(request.command, request.sequence, text["text"])
        return text is not None or self._faults.get("no_query") is not None

    def control(self, request: Request, now_s: float) -> None:
        """Carry out a command and report what it did; a command of nulls is a query of the DPs that it names."""
        message = json_object(request.body) or {}
        data = message.get("data")
        asked = _dps(data.get("dps") if isinstance(data, dict) else message.get("dps"))
        if not asked or (request.command == CONTROL and self._talk.version >= "3.4"):
            self._talk.complain(request.command, request.sequence, UNVALID)
            return
        self._breaker.boot.woken = True
        if all(value is None for value in asked.values()):
            self._nulls(request, asked, now_s)
            return
        self._breaker.writes.append((now_s, asked))
        fault = self._faults.get("write") or _DONE
        if fault["how"] == "refused":
            self._talk.complain(request.command, request.sequence, UNVALID)
        elif fault["how"] != "unanswered":
            self._talk.answer(request.command, request.sequence, b"", code=fault["how"] == "code_1")
        if fault["how"] in ("done", "code_1"):
            self._breaker.write_and_report(asked)
        elif fault["how"] == "unreported":
            self._breaker.write(asked)
        elif fault["how"] == "late":
            self._breaker.write_later(asked, fault["delay_s"])

    def _nulls(self, request: Request, asked: Mapping[int, Any], now_s: float) -> None:
        if self._faults.get("null_sets") is not None:
            self._breaker.writes.append((now_s, dict(asked)))
            self._talk.answer(request.command, request.sequence, b"")
            self._breaker.write_and_report(self._breaker.zeros(asked))
        elif not self._is_deaf_to_queries(request):
            self._talk.answer(request.command, request.sequence, b"")
            found = self._breaker.named(asked)
            is_first_only = self._faults.get("first_only") is not None
            self._talk.push(dict(list(found.items())[:1]) if is_first_only else found, now_s)

    def refresh(self, request: Request, now_s: float) -> None:
        """UPDATEDPS: report those of the named DPs that changed."""
        self._refreshed_s = now_s
        self._breaker.boot.woken = True
        fault = self._faults.get("refresh")
        if fault is not None and fault["how"] != "touchy":
            if fault["how"] == "error":
                self._talk.complain(UPDATEDPS, request.sequence, UNVALID)
            elif fault["how"] == "empty":
                self._talk.answer(UPDATEDPS, request.sequence, b"")
            elif fault["how"] == "close":
                self._talk.hang_up()
            return
        named = (json_object(request.body) or {}).get("dpId")
        dps = [dp for dp in named if isinstance(dp, int)] if isinstance(named, list) else []
        self._talk.answer(UPDATEDPS, request.sequence, b"")
        if self._faults.get("text_only") is None:
            self._talk.push(self._breaker.refresh(dps), now_s)


def json_object(body: Optional[bytes]) -> Optional[Dict[str, Any]]:
    """The JSON object in a request; an empty body is an empty one; None where it is none."""
    if not body:
        return {}
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) else None


def _dps(found: object) -> Dict[int, Any]:
    """The DPs of a command by number; names that are no number are left out."""
    if not isinstance(found, dict):
        return {}
    return {int(name): value for name, value in found.items() if name.isdecimal()}
