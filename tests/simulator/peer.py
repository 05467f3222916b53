"""A client for the simulator's tests, on tinytuya's codec: another implementation than the one under test."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import socket
import time
from typing import Any, Callable, List, NamedTuple, Optional

from tinytuya.core import header as tuya_header
from tinytuya.core.crypto_helper import AESCipher
from tinytuya.core.exceptions import DecodeError
from tinytuya.core.message_helper import TuyaMessage, pack_message, parse_header, unpack_message

VERSIONS = ("3.1", "3.2", "3.3", "3.4", "3.5")


class Frame(NamedTuple):
    """One frame as the client understood it. payload: decrypted; dps: by number, None where there are none."""

    command: int
    sequence: int
    code: int
    good: bool
    payload: bytes
    dps: Optional[dict]


class Codec:
    """Both directions, without a socket."""

    def __init__(self, version: str, key: bytes) -> None:
        self.version, self.local_key, self.key = version, key, key
        self.sequence = 0
        self.nonce = os.urandom(16)

    def pack(self, command: int, payload: bytes) -> bytes:
        self.sequence += 1
        if self.version == "3.5":
            body = (
                payload if command in tuya_header.NO_PROTOCOL_HEADER_CMDS else tuya_header.PROTOCOL_35_HEADER + payload
            )
            message = TuyaMessage(self.sequence, command, None, body, 0, True, tuya_header.PREFIX_6699_VALUE, True)
            return pack_message(message, hmac_key=self.key)
        cipher = AESCipher(self.key)
        version_header = self.version.encode() + tuya_header.PROTOCOL_3x_HEADER
        is_headed = command not in tuya_header.NO_PROTOCOL_HEADER_CMDS
        if self.version == "3.4":
            body = cipher.encrypt((version_header if is_headed else b"") + payload, use_base64=False)
        elif self.version == "3.1":
            body = payload
            if command == 7:
                text = cipher.encrypt(payload)
                digest = hashlib.md5(b"data=" + text + b"||lpv=3.1||" + self.key, usedforsecurity=False).hexdigest()[
                    8:24
                ]
                body = b"3.1" + digest.encode() + text
        else:
            body = (version_header if is_headed else b"") + cipher.encrypt(payload, use_base64=False)
        message = TuyaMessage(self.sequence, command, 0, body, 0, True, tuya_header.PREFIX_55AA_VALUE, None)
        return pack_message(message, hmac_key=self.key if self.version == "3.4" else None)

    def unpack(self, frame: bytes) -> Frame:
        message = unpack_message(frame, hmac_key=self.key if self.version >= "3.4" else None, no_retcode=False)
        payload = self._open(message.payload) if message.crc_good else message.payload
        return Frame(message.cmd, message.seqno, message.retcode, message.crc_good, payload, _dps(payload))

    def _open(self, payload: bytes) -> bytes:
        cipher, version = AESCipher(self.key), self.version.encode()
        if not payload:
            return payload
        if self.version == "3.1":
            return cipher.decrypt(payload[19:], decode_text=False) if payload.startswith(b"3.1") else payload
        if self.version in ("3.2", "3.3"):
            body = payload[15:] if payload.startswith(version) else payload
            return cipher.decrypt(body, use_base64=False, decode_text=False, verify_padding=True)
        if self.version == "3.4":
            payload = cipher.decrypt(payload, use_base64=False, decode_text=False, verify_padding=True)
        return payload[15:] if payload.startswith(version) else payload

    def finish(self, answer: bytes) -> bytes:
        """Message 4 -> message 5; the session key holds from then on. Asserts that the answer is right."""
        device_nonce, proof = answer[:16], answer[16:48]
        assert proof == hmac.new(self.local_key, self.nonce, "sha256").digest()
        message = self.pack(5, hmac.new(self.local_key, device_nonce, "sha256").digest())
        mixed = bytes(a ^ b for a, b in zip(self.nonce, device_nonce))
        cipher = AESCipher(self.local_key)
        if self.version == "3.4":
            self.key = cipher.encrypt(mixed, use_base64=False, pad=False)
        else:
            self.key = cipher.encrypt(mixed, use_base64=False, pad=False, iv=self.nonce[:12])[12:28]
        return message


class Peer:
    """A connected client. frames() reads what comes; ask() sends and reads."""

    def __init__(self, breaker: Any, *, handshake: bool = True, key: Optional[bytes] = None) -> None:
        self.codec = Codec(breaker.version, breaker.local_key if key is None else key)
        self.socket = socket.create_connection((breaker.host, breaker.port), timeout=3)
        self.raw = b""
        self.ended = False
        if handshake and breaker.version >= "3.4":
            self.send_raw(self.codec.pack(3, self.codec.nonce))
            answer = self.wait_for(lambda frame: frame.command == 4)
            self.send_raw(self.codec.finish(answer.payload))
        end = time.monotonic() + 3.0
        while handshake and not breaker.connected and time.monotonic() < end:
            time.sleep(0.002)

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send_raw(self, data: bytes) -> None:
        self.socket.sendall(data)

    def send(self, command: int, message: object = None) -> None:
        payload = b"" if message is None else json.dumps(message).encode()
        self.send_raw(self.codec.pack(command, payload))

    def query(self) -> None:
        self.send(10 if self.codec.version < "3.4" else 16, {})

    def write(self, **dps: Any) -> None:
        """write(_1=True): one write command."""
        named = {name.lstrip("_"): value for name, value in dps.items()}
        if self.codec.version < "3.4":
            self.send(7, {"devId": "x", "dps": named})
        else:
            self.send(13, {"protocol": 5, "t": 1, "data": {"dps": named}})

    def frames(self, seconds: float = 0.15) -> List[Frame]:
        """All whole frames that come within this time."""
        found: List[Frame] = []
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found += self._read(max(0.001, end - time.monotonic()))
            if self.ended:
                break
        return found

    def wait_for(self, wanted: Callable[[Frame], bool], seconds: float = 3.0) -> Frame:
        """The first frame that is wanted; others are dropped. Fails after a while."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self.ended:
            for frame in self._read(max(0.001, end - time.monotonic())):
                if wanted(frame):
                    return frame
        raise AssertionError(f"no such frame within {seconds} s (ended: {self.ended})")

    def rest_of(self, begun: bytes) -> Frame:
        """The frame of which these bytes, and no more, were received from the socket by somebody else."""
        self.raw = begun
        whole = self._whole_frames()
        return whole[0] if whole else self.wait_for(lambda _frame: True)

    def wait_for_end(self, seconds: float = 3.0) -> bool:
        """Whether the device hangs up within this time."""
        self.frames(seconds)
        return self.ended

    def _read(self, seconds: float) -> List[Frame]:
        self.socket.settimeout(seconds)
        try:
            data = self.socket.recv(65536)
        except socket.timeout:
            return []
        except ConnectionError:
            data = b""
        if not data:
            self.ended = True
            return []
        self.raw += data
        return self._whole_frames()

    def _whole_frames(self) -> List[Frame]:
        found = []
        while self.raw:
            try:
                header = parse_header(self.raw)
            except DecodeError:
                break
            if len(self.raw) < header.total_length:
                break
            frame, self.raw = self.raw[: header.total_length], self.raw[header.total_length :]
            found.append(self.codec.unpack(frame))
        return found


def _dps(payload: bytes) -> Optional[dict]:
    try:
        message = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    message = message.get("data", message) if isinstance(message, dict) else {}
    dps = message.get("dps") if isinstance(message, dict) else None
    return {int(name): value for name, value in dps.items()} if isinstance(dps, dict) and _numbered(dps) else None


def _numbered(dps: dict) -> bool:
    return all(name.isascii() and name.isdecimal() for name in dps)


class FakeClock:
    """A clock that tests turn."""

    def __init__(self, now_s: float = 1000.0) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s

    def go(self, seconds: float) -> float:
        self.now_s += seconds
        return self.now_s
