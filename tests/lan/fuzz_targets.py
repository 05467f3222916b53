"""What the fuzzers feed: one function per target, bytes in, nothing out; an exception that leaves it is a finding.

Used by test_lan_fuzz.py (hypothesis, a bounded slice) and by tests/bench/lan_fuzz.py (atheris, long runs).
"""

from __future__ import annotations

import random
from typing import List

from tuya.devices.devices_file import DevicesFileError, parse_devices
from tuya.lan import versions
from tuya.lan.client import Device, Polling
from tuya.lan.connection.link import Link
from tuya.lan.connection.session import Session
from tuya.lan.connection.session_outputs import Ended
from tuya.lan.device import Habits
from tuya.lan.protocol import announcements
from tuya.lan.protocol.framing import MAX_FRAME_BYTES
from tuya.lan.protocol.wire import Wire
from tuya.simulator.frames import Wire as DeviceWire

KEY = b"0123456789abcdef"
ID = "bffuzzfuzzfuzzfuzz01"
VERSIONS = versions.names()
COMMANDS = (0, 3, 4, 5, 7, 8, 9, 10, 13, 16, 18, 37, 64, 0xFFFFFFFF)


def _wires(data: bytes) -> bytes:
    """Frames around pieces of `data`, some of them intact: a fuzzer does not guess checksums by itself."""
    if len(data) < 4:
        return data
    version = VERSIONS[data[0] % 5]
    device = DeviceWire(version, KEY)
    out: List[bytes] = []
    rest = data[2:]
    while rest:
        head, rest = rest[0], rest[1:]
        size = rest[0] if rest else 0
        piece, rest = rest[1 : 1 + size], rest[1 + size :]
        if head & 0x80:
            out.append(piece)
            continue
        frame = device.answer(COMMANDS[head % len(COMMANDS)], head, piece, code=head & 1, pushed=bool(head & 2))
        if head & 0x40 and piece:
            frame = frame[: len(frame) - piece[0] % len(frame)]
        out.append(frame)
    return b"".join(out)


def wire(data: bytes) -> None:
    """Any bytes, in two parts, to a wire; the first byte says where they are cut and which version it speaks."""
    cut = data[0] if data else 0
    made = Wire(VERSIONS[cut % 5], KEY)
    for part in (data[:cut], data[cut:]):
        for message in made.receive(part):
            assert message.fault == "" or message.payload == b""
        assert len(made._frames) <= MAX_FRAME_BYTES


def session(data: bytes) -> None:
    """Frames and noise, and time that passes, to a session and to a link."""
    version = VERSIONS[data[0] % 5] if data else "3.3"
    stream = _wires(data)
    habits = Habits()
    made = Session(
        Wire(version, KEY, bytes),
        ID,
        "fuzz",
        Polling(refresh_dps=(1,)),
        habits,
        0.0,
        nonce=bytes(16),
        wall_time=lambda: 0.0,
        version_sure=bool(data and data[0] & 1),
    )
    now_s = 0.0
    step = 1 + (data[1] if len(data) > 1 else 7)
    for at in range(0, len(stream), step):
        now_s += 0.5
        outputs = made.receive(stream[at : at + step], now_s)
        if made.deadline_s <= now_s:
            outputs += made.tick(now_s)
        made.take()
        assert len(made._wire._frames) <= MAX_FRAME_BYTES
        if any(isinstance(output, Ended) for output in outputs):
            assert made.ended
            return
        assert made.deadline_s > now_s - 30.0


class _NoNetwork:
    connecting = False
    open = False

    def connect(self, address: str, port: int) -> None:
        assert address
        assert not self.connecting
        assert not self.open
        self.connecting = True

    def send(self, data: bytes) -> None:
        assert data
        assert self.open

    def is_taken(self) -> bool:
        return True

    def close(self, *, abort: bool) -> None:
        assert abort in (True, False)
        self.connecting = self.open = False


def link(data: bytes) -> None:
    """A whole device: connections, bytes, announcements, commands, in the order that the data says."""
    network = _NoNetwork()
    made = Link(
        Device(ID, KEY, address="10.0.0.1", version=None),
        Polling(refresh_dps=(1,)),
        lambda _event: None,
        network,
        rng=random.Random(0),
        wall_time=lambda: 0.0,
        random_bytes=bytes,
    )
    made.start(0.0)
    now_s = 0.0
    for at in range(0, len(data), 8):
        piece = data[at : at + 8]
        now_s += piece[0] / 16
        action = piece[0] % 8
        if action == 0 and network.connecting:
            network.connecting, network.open = False, True
            made.tcp_opened(now_s)
        elif action == 1 and network.open:
            made.tcp_closed(now_s)
        elif action == 2:
            made.announced(f"10.0.0.{piece[-1] % 5}", VERSIONS[piece[-1] % 5], now_s)
        elif action == 3:
            made.write({piece[-1]: True}, now_s)
        elif action == 4 and network.connecting:
            made.connect_failed("x", bool(piece[-1] & 1), now_s)
        elif network.open:
            made.received(_wires(data[at:]), now_s)
        for _ in range(50):
            if made.deadline_s > now_s:
                break
            made.tick(now_s)
        else:
            raise AssertionError("the deadline does not move")
    made.stop(now_s)


def datagrams(data: bytes) -> None:
    """Any datagram."""
    found = announcements.decode(data, "192.168.1.9")
    if found is not None:
        assert found.device_id
        assert found.address


def devices_file(data: bytes) -> None:
    """Any text as devices.json."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return
    try:
        parse_devices(text)
    except DevicesFileError:
        return


TARGETS = {
    "wire": wire,
    "session": session,
    "link": link,
    "discovery": datagrams,
    "devices_file": devices_file,
}
