"""One connection from the device's side: handshake, commands, answers. Bytes and time in, frames out.

Real devices: answers carry the request's sequence number (heartbeats 0 up to 3.3), pushes 0; in 3.5 every frame carries
the next number of the device's own counter.
"""

from __future__ import annotations

import math
import random
import secrets
from typing import Any, Dict, List, Mapping, Tuple

from . import distortion
from .breaker import Breaker, random_key
from .ciphers import NONCE_BYTES, session_key, sign
from .fault_field import FORMAT_ERROR, UNVALID
from .frames import Request, Wire, plain_complaint
from .replies import (
    CONTROL,
    CONTROL_NEW,
    DP_QUERY,
    DP_QUERY_NEW,
    HEART_BEAT,
    STATUS,
    UPDATEDPS,
    Replies,
    Talk,
)

KEY_START, KEY_ANSWER, KEY_FINISH = 3, 4, 5
EXTENSION = 0x40  # what gateways say about the devices behind them

IDLE_LIMIT_S = 30.0  # a client that says nothing for so long is thrown out, as by real firmware
UNPARSED = "parse data error"  # what devices say to bytes that do not decrypt
FIRST_OWN_SEQUENCE = 0x2600
SUB_DEVICE = "a4c138f0e1d2b3c4"


class Session(Talk):
    """One connection. up: under way, the handshake (from 3.4 on) is done.

    out: (frame, whether it is of the handshake), taken by the owner after each call. closing: hang up behind them,
    with RST where reset is set.
    """

    def __init__(self, breaker: Breaker, now_s: float, wall_s: float) -> None:
        self.breaker = breaker
        self.version = breaker.version
        self.out: List[Tuple[bytes, bool]] = []
        self.closing = False
        self.reset = False
        self.up = self.version < "3.4"
        self.pushed_s = -math.inf
        self._key = breaker.local_key
        self._wire = Wire(self.version, self._key)
        self._client_nonce = b""
        self._device_nonce = b""
        self._own_sequence = FIRST_OWN_SEQUENCE
        self._numbers = 0
        self._heard_s = now_s
        self._wall_offset_s = wall_s - now_s
        self._replies = Replies(breaker, self)
        self._random = random.Random(0)

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
        if not self.up or not dps:
            return
        self.pushed_s = now_s
        if self.breaker.faults.get("sub_devices") is not None:
            self._push_for_others(dps, now_s)
        if self.breaker.faults.get("empty_query") is not None:
            for dp, value in dps.items():
                self._append(STATUS, 0, self._status({dp: value}, now_s), pushed=True)
            return
        self._say(STATUS, 0, self._status(dps, now_s), pushed=True)

    def answer(self, command: int, sequence: int, plain: bytes, *, code: int = 0) -> None:
        """Answer a request. code: 1 is an error."""
        self._say(command, sequence, plain, code=code)

    def complain(self, command: int, sequence: int, text: str) -> None:
        """Answer by the text of an error: under the key, as most firmware does."""
        if self.version in ("3.2", "3.3") and self.breaker.faults.get("plain_text") is not None:
            self.out.append((plain_complaint(command, sequence, text), False))
        else:
            self._say(command, sequence, text.encode(), code=1)

    def hang_up(self, reset: bool = False) -> None:
        """End the connection behind what was said."""
        self.closing, self.reset = True, reset

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
            self._replies.heartbeat(request, now_s)
        elif request.command in (DP_QUERY, DP_QUERY_NEW):
            self._replies.query(request)
        elif request.command in (CONTROL, CONTROL_NEW):
            self._replies.control(request, now_s)
        elif request.command == UPDATEDPS:
            self._replies.refresh(request, now_s)
        elif request.command == KEY_START and self.version < "3.4":
            self.complain(KEY_START, request.sequence, UNVALID)

    def _misread(self, request: Request) -> None:
        """Old firmware answers with an error under its own key; from 3.4 on a frame that fails its check is ignored."""
        if self.version < "3.4" and not self._shuns(request):
            self.complain(request.command, request.sequence, UNPARSED)

    def _shuns(self, request: Request) -> bool:
        """Whether the fault wrong_key has its way with a frame under another key."""
        fault = self.breaker.faults.get("wrong_key")
        if fault is None or (request.intact and request.body is not None):
            return False
        if fault["how"] == "text":
            self.out.append((plain_complaint(request.command, request.sequence, FORMAT_ERROR), not self.up))
        elif fault["how"] == "foreign_hmac":
            stranger = Wire(self.version, random_key(self._random))
            frame = stranger.answer(request.command, request.sequence, secrets.token_bytes(4), code=1, sealed=False)
            self.out.append((frame, not self.up))
        self.closing = fault["how"] == "close"
        return True

    def _handshake(self, request: Request) -> None:
        """3.4 and 3.5: three messages. Message 4 is answered under our key whatever key the client used."""
        if request.command == KEY_START and self._shuns(request):
            return
        if request.command == KEY_START and not self._device_nonce:
            self._client_nonce = (request.body or bytes(NONCE_BYTES))[:NONCE_BYTES].ljust(NONCE_BYTES, b"\0")
            self._device_nonce = secrets.token_bytes(NONCE_BYTES)
            self._say(KEY_ANSWER, request.sequence, self._device_nonce + self._proof())
        elif request.command == KEY_FINISH and request.intact and request.body == sign(self._key, self._device_nonce):
            self._wire.use_key(session_key(self.version, self._key, self._client_nonce, self._device_nonce))
            self.breaker.connected_now()
            self.up = True
        else:
            self.closing = True

    def _proof(self) -> bytes:
        """The HMAC that proves our key, or what the fault boot_hmac makes of it."""
        boot, fault = self.breaker.boot, self.breaker.faults.get("boot_hmac")
        boot.handshakes += 1
        is_wrong = fault is not None and boot.handshakes <= fault["times"]
        return sign(bytes(len(self._key)) if is_wrong else self._key, self._client_nonce)

    def _status(self, dps: Mapping[int, Any], now_s: float, sub_device: str = "") -> bytes:
        jump = self.breaker.faults.get("clock") or {"jump_s": 0.0}
        stamp_s = math.floor(now_s + self._wall_offset_s + jump["jump_s"])
        data: Dict[str, Any] = {"dps": distortion.named(self.breaker.faults, dps)}
        if sub_device:
            data["cid"] = sub_device
        if self.version >= "3.4":
            return distortion.content(self.breaker.faults, {"protocol": 4, "t": stamp_s, "data": data})
        return distortion.content(self.breaker.faults, {"devId": self.breaker.device_id, **data, "t": stamp_s})

    def _push_for_others(self, dps: Mapping[int, Any], now_s: float) -> None:
        """What a gateway reports of a device behind it: the same numbers mean something else there."""
        others = {dp: not value if isinstance(value, bool) else 99999 for dp, value in dps.items()}
        self._append(STATUS, 0, self._status(others, now_s, SUB_DEVICE), pushed=True)
        online = b'{"reqType":"subdev_online_stat_report","data":{"online":["%s"],"offline":[]}}' % SUB_DEVICE.encode()
        self._append(EXTENSION, 0, online)

    def _say(self, command: int, sequence: int, plain: bytes, *, code: int = 0, pushed: bool = False) -> None:
        unknown = self.breaker.faults.get("unknown_command")
        if unknown is not None and self.up and plain:
            self._append(unknown["command"], sequence, plain, code=code, pushed=pushed)
        self._append(command, sequence, plain, code=code, pushed=pushed)

    def _append(self, command: int, sequence: int, plain: bytes, *, code: int = 0, pushed: bool = False) -> None:
        faults = self.breaker.faults
        if self.version == "3.5" or faults.get("own_sequence") is not None:
            sequence = self._own_sequence
            self._own_sequence += 1
        is_report = command in (STATUS, DP_QUERY, DP_QUERY_NEW) and code == 0
        frame = self._wire.answer(
            command,
            self._numbered(sequence),
            plain,
            code=code,
            pushed=pushed,
            coded=faults.get("no_code") is None,
            sealed=not (is_report and self.version in ("3.2", "3.3") and faults.get("plain_json") is not None),
        )
        self.out.append((frame, not self.up))

    def _numbered(self, sequence: int) -> int:
        """A sequence number as the fault `sequence` has it."""
        fault = self.breaker.faults.get("sequence")
        if fault is None:
            return sequence
        self._numbers += 1
        numbers = {"zero": 0, "shuffled": self._random.randrange(2**16), "repeated": self._numbers // 3}
        return numbers[fault["how"]]
