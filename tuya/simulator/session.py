"""One connection from the device's side: handshake, commands, answers. Bytes and time in, frames out.

Real devices: answers carry the request's sequence number (heartbeats 0 up to 3.3), pushes 0; in 3.5 every frame carries
the next number of the device's own counter. CONTROL and UPDATEDPS are acknowledged empty, data follows as STATUS.
A write whose values are all null is a query of those DPs, answered the same way.
"""

from __future__ import annotations

import json
import math
from typing import Any, Dict, List, Mapping, Optional, Tuple

from Crypto.Random import get_random_bytes

from . import distortion
from .breaker import Breaker
from .ciphers import NONCE_BYTES, session_key, sign
from .frames import Request, Wire

KEY_START, KEY_ANSWER, KEY_FINISH = 3, 4, 5
CONTROL, STATUS, HEART_BEAT, DP_QUERY = 7, 8, 9, 10
CONTROL_NEW, DP_QUERY_NEW, UPDATEDPS = 13, 16, 18

IDLE_LIMIT_S = 30.0  # a client that says nothing for so long is thrown out, as by real firmware
UNPARSED = b"parse data error"  # what devices say to bytes that do not decrypt
UNVALID = b"json obj data unvalid"  # and to JSON that is not what they want; "device22" to every plain query
FIRST_OWN_SEQUENCE = 0x2600
TOUCHY_S = 1.0


class Session:
    """One connection. up: under way, the handshake (from 3.4 on) is done.

    out: (frame, whether it is of the handshake), taken by the owner after each call. closing: hang up behind them.
    """

    def __init__(self, breaker: Breaker, now_s: float, wall_s: float) -> None:
        self.breaker = breaker
        self.version = breaker.version
        self.out: List[Tuple[bytes, bool]] = []
        self.closing = False
        self.up = self.version < "3.4"
        self._key = breaker.local_key
        self._wire = Wire(self.version, self._key)
        self._client_nonce = b""
        self._device_nonce = b""
        self._own_sequence = FIRST_OWN_SEQUENCE
        self._heard_s = now_s
        self._refreshed_s = -math.inf
        self._wall_offset_s = wall_s - now_s

    def receive(self, data: bytes, now_s: float) -> None:
        """Bytes from the client."""
        self._heard_s = now_s
        for request in self._wire.requests(data):
            if self.closing:
                return
            if not request.intact:
                self.breaker.bad_frames += 1
            self._handle(request, now_s)

    def idle(self, now_s: float) -> bool:
        """Whether the client was silent for too long."""
        return now_s - self._heard_s > IDLE_LIMIT_S

    def push(self, dps: Mapping[int, Any], now_s: float) -> None:
        """Report these DPs, where the session is up."""
        if self.up and dps:
            self._answer(STATUS, 0, self._status(dps, now_s), pushed=True)

    def _handle(self, request: Request, now_s: float) -> None:
        if not self.up:
            self._handshake(request)
            return
        self.breaker.requests[request.command] = self.breaker.requests.get(request.command, 0) + 1
        mute = self.breaker.faults.get("mute")
        if mute is not None and request.command in mute["commands"]:
            return
        if request.body is None or not request.intact:
            self._misread(request)
        elif request.command == HEART_BEAT:
            self._heartbeat(request, now_s)
        elif request.command in (DP_QUERY, DP_QUERY_NEW):
            self._query(request)
        elif request.command in (CONTROL, CONTROL_NEW):
            self._control(request, now_s)
        elif request.command == UPDATEDPS:
            self._refresh(request, now_s)
        elif request.command == KEY_START and self.version < "3.4":
            self._answer(KEY_START, request.sequence, UNVALID, code=1)

    def _misread(self, request: Request) -> None:
        """Old firmware answers with an error under its own key; from 3.4 on a frame that fails its check is ignored."""
        if self.version < "3.4" and not self._shuns(request):
            self._answer(request.command, request.sequence, UNPARSED, code=1)

    def _shuns(self, request: Request) -> bool:
        """Whether the fault wrong_key keeps us from answering a frame under another key; it may hang up too."""
        fault = self.breaker.faults.get("wrong_key")
        if fault is None or (request.intact and request.body is not None):
            return False
        self.closing = fault["how"] == "close"
        return True

    def _handshake(self, request: Request) -> None:
        """3.4 and 3.5: three messages. Message 4 is answered under our key whatever key the client used."""
        if request.command == KEY_START and self._shuns(request):
            return
        if request.command == KEY_START and not self._device_nonce:
            self._client_nonce = (request.body or bytes(NONCE_BYTES))[:NONCE_BYTES].ljust(NONCE_BYTES, b"\0")
            self._device_nonce = get_random_bytes(NONCE_BYTES)
            self._answer(KEY_ANSWER, request.sequence, self._device_nonce + sign(self._key, self._client_nonce))
        elif request.command == KEY_FINISH and request.intact and request.body == sign(self._key, self._device_nonce):
            self._wire.use_key(session_key(self.version, self._key, self._client_nonce, self._device_nonce))
            self.breaker.connected_now()
            self.up = True
        else:
            self.closing = True

    def _heartbeat(self, request: Request, now_s: float) -> None:
        refresh = self.breaker.faults.get("refresh") or {"how": "done"}
        if refresh["how"] == "touchy" and now_s - self._refreshed_s < TOUCHY_S:
            self.closing = True
            return
        self._answer(HEART_BEAT, request.sequence if self.version >= "3.4" else 0, b"")

    def _query(self, request: Request) -> None:
        if self.breaker.faults.get("device22") is not None:
            self._answer(request.command, request.sequence, UNVALID, code=1)
            return
        if _json_object(request.body) is None:
            self._answer(request.command, request.sequence, UNVALID, code=1)
            return
        answer: Dict[str, Any] = {"dps": self._named(self.breaker.query())}
        if self.version == "3.1":
            answer = {"devId": self.breaker.device_id, **answer}
        plain = distortion.content(self.breaker.faults, answer)
        self._answer(request.command, request.sequence, plain)

    def _control(self, request: Request, now_s: float) -> None:
        message = _json_object(request.body) or {}
        data = message.get("data")
        asked = _dps(data.get("dps") if isinstance(data, dict) else message.get("dps"))
        if not asked or (request.command == CONTROL and self.version >= "3.4"):
            self._answer(request.command, request.sequence, UNVALID, code=1)
            return
        if all(value is None for value in asked.values()):
            self._answer(request.command, request.sequence, b"")
            self.push(self.breaker.named(asked), now_s)
            return
        self.breaker.writes.append((now_s, asked))
        fault = self.breaker.faults.get("write") or {"how": "done"}
        if fault["how"] == "refused":
            self._answer(request.command, request.sequence, UNVALID, code=1)
        elif fault["how"] != "unanswered":
            self._answer(request.command, request.sequence, b"")
        if fault["how"] == "done":
            self.breaker.send(self.breaker.write(asked))
        elif fault["how"] == "unreported":
            self.breaker.write(asked)
        elif fault["how"] == "late":
            self.breaker.write_later(asked, fault["delay_s"])

    def _refresh(self, request: Request, now_s: float) -> None:
        self._refreshed_s = now_s
        fault = self.breaker.faults.get("refresh")
        if fault is not None and fault["how"] != "touchy":
            if fault["how"] == "error":
                self._answer(UPDATEDPS, request.sequence, UNVALID, code=1)
            elif fault["how"] == "empty":
                self._answer(UPDATEDPS, request.sequence, b"")
            self.closing = fault["how"] == "close"
            return
        named = (_json_object(request.body) or {}).get("dpId")
        dps = [dp for dp in named if isinstance(dp, int)] if isinstance(named, list) else []
        self._answer(UPDATEDPS, request.sequence, b"")
        self.push(self.breaker.refresh(dps), now_s)

    def _status(self, dps: Mapping[int, Any], now_s: float) -> bytes:
        jump = self.breaker.faults.get("clock") or {"jump_s": 0.0}
        stamp_s = math.floor(now_s + self._wall_offset_s + jump["jump_s"])
        named = self._named(dps)
        message: Dict[str, Any] = {"devId": self.breaker.device_id, "dps": named, "t": stamp_s}
        if self.version >= "3.4":
            message = {"protocol": 4, "t": stamp_s, "data": {"dps": named}}
        return distortion.content(self.breaker.faults, message)

    def _named(self, dps: Mapping[int, Any]) -> Dict[str, Any]:
        """DPs as JSON names them: by a string."""
        return {str(dp): value for dp, value in distortion.values(self.breaker.faults, dps).items()}

    def _answer(self, command: int, sequence: int, plain: bytes, *, code: int = 0, pushed: bool = False) -> None:
        unknown = self.breaker.faults.get("unknown_command")
        if unknown is not None and self.up and plain:
            self._append(unknown["command"], sequence, plain, code, pushed)
        self._append(command, sequence, plain, code, pushed)

    def _append(self, command: int, sequence: int, plain: bytes, code: int, pushed: bool) -> None:
        if self.version == "3.5" or self.breaker.faults.get("own_sequence") is not None:
            sequence = self._own_sequence
            self._own_sequence += 1
        self.out.append((self._wire.answer(command, sequence, plain, code=code, pushed=pushed), not self.up))


def _json_object(body: Optional[bytes]) -> Optional[Dict[str, Any]]:
    """The JSON object in a request; an empty body is an empty one; None where it is none."""
    if not body:
        return {}
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) else None


def _dps(found: object) -> Dict[int, Any]:
    """The DPs of a write by number; names that are no number are left out."""
    if not isinstance(found, dict):
        return {}
    return {int(name): value for name, value in found.items() if name.isdecimal()}
