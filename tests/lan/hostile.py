"""Peers that mean ill, on loopback: attackers without a key, echoes, floods, and somebody in the middle of the wire.

None of them imports the client. Each is a context manager that serves on a thread per connection; the floods also run
in a process of their own (`python -m tests.lan.hostile`), so that what they cost the client is not what they cost
themselves.

    with Impostor(port=breaker.port, host="127.0.0.66") as impostor, Spoofer(ports, device_id, impostor.host, "3.3"):
        ...
"""

from __future__ import annotations

import contextlib
import itertools
import json
import random
import socket
import struct
import sys
import threading
import time
from typing import Any, Callable, Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from tuya.simulator.announce import BROADCAST_34, LOOPBACK_BROADCAST, UDP, UDP_NEW, Ports
from tuya.simulator.ciphers import ANNOUNCEMENT_KEY, Ecb, sign
from tuya.simulator.frames import (
    HEADER_55AA,
    HEADER_6699,
    PREFIX_55AA,
    PREFIX_6699,
    SUFFIX_55AA,
    SUFFIX_6699,
    WORD,
    seal_55aa,
    seal_6699,
)

CONTROLS = (7, 13)
QUERIES = (10, 16)
STATUS, HEART_BEAT = 8, 9
FORGED_W = 9999.9
FORGED = {"1": True, "18": 43478, "19": 99999, "20": 2300}  # 9999.9 W
PUSH_INTERVAL_S = 0.1
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Frame(NamedTuple):
    """One frame as anybody on the wire can see it: the header is not encrypted."""

    data: bytes
    command: int
    sequence: int


def cut(buffer: bytearray) -> Iterator[Frame]:
    """Take whole frames from the front of a buffer; what begins none is skipped."""
    while True:
        starts = [at for at in (buffer.find(PREFIX_55AA), buffer.find(PREFIX_6699)) if at >= 0]
        if not starts:
            return
        del buffer[: min(starts)]
        header = HEADER_55AA if buffer[:4] == PREFIX_55AA else HEADER_6699
        if len(buffer) < header.size:
            return
        *_, sequence, command, length = header.unpack_from(buffer)
        total = header.size + length + (len(SUFFIX_6699) if header is HEADER_6699 else 0)
        if len(buffer) < total:
            return
        data = bytes(buffer[:total])
        del buffer[:total]
        yield Frame(data, command, sequence)


class Server:
    """A TCP peer. host, port: where it listens; connections: how many came; received: bytes of all of them."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self._listener = socket.create_server((host, port))
        self.host, self.port = self._listener.getsockname()
        self.connections = 0
        self.received = 0
        self._open: List[socket.socket] = []
        self._threads: List[threading.Thread] = []
        self._lock = threading.Lock()
        self.ended = threading.Event()

    def __enter__(self) -> Any:
        self._begin(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5.0)
        for connection in self._open:
            connection.close()

    def _begin(self, work: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=self._quietly, args=(work, *arguments), name="hostile", daemon=True)
        with self._lock:
            self._threads.append(thread)
        thread.start()

    def _quietly(self, work: Callable[..., None], *arguments: Any) -> None:
        with contextlib.suppress(OSError):
            work(*arguments)

    def _accept(self) -> None:
        while not self.ended.is_set():
            connection, _ = self._listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
            with self._lock:
                self._open.append(connection)
            self._begin(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        try:
            self.talk(connection)
        finally:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def talk(self, connection: socket.socket) -> None:
        """Serve one connection until its end. OSError is an end."""
        raise NotImplementedError

    def read(self, connection: socket.socket, seconds: float) -> Optional[bytes]:
        """What came within this time, b"" for nothing, None at the end."""
        connection.settimeout(seconds)
        try:
            data = connection.recv(65536)
        except socket.timeout:
            return b""
        self.received += len(data)
        return data or None


# (a) an attacker without the key


def plain_frames(command: int, sequence: int, message: Dict[str, Any]) -> List[bytes]:
    """A message in every form that needs no key: plain JSON with a CRC, behind a version header, with an HMAC or a tag
    under a key that is not the device's."""
    text = json.dumps(message, separators=(",", ":")).encode()
    frames = [seal_55aa(command, sequence, text)]
    for version in (b"3.1", b"3.2", b"3.3", b"3.4"):
        frames.append(seal_55aa(command, sequence, version + bytes(12) + text))
    head = HEADER_55AA.pack(PREFIX_55AA, sequence, command, WORD.size + len(text) + 32 + 4) + WORD.pack(0) + text
    frames.append(head + sign(bytes(16), head) + SUFFIX_55AA)
    frames.append(seal_6699(bytes(16), command, sequence, WORD.pack(0) + text))
    return frames


class Impostor(Server):
    """Says what a breaker would say, in every form that needs no key: answers, pushes, and that it switched.

    dps: what it claims; forms: which of plain_frames() it uses, all of them by default.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        device_id: str = "",
        dps: Optional[Dict[str, Any]] = None,
        forms: Sequence[int] = range(7),
    ) -> None:
        super().__init__(host, port)
        self._device_id = device_id
        self._dps = FORGED if dps is None else dps
        self._forms = forms

    def talk(self, connection: socket.socket) -> None:
        buffer = bytearray()
        pushed_s = time.monotonic()
        while True:
            data = self.read(connection, PUSH_INTERVAL_S)
            if data is None:
                return
            buffer += data
            for frame in cut(buffer):
                self._answer(connection, frame)
            if time.monotonic() - pushed_s >= PUSH_INTERVAL_S:
                pushed_s = time.monotonic()
                self._say(connection, STATUS, 0, self._dps)

    def _answer(self, connection: socket.socket, frame: Frame) -> None:
        if frame.command in CONTROLS:
            connection.sendall(seal_55aa(frame.command, frame.sequence, b""))
            for value in (True, False):
                self._say(connection, STATUS, 0, {"1": value})
        elif frame.command == HEART_BEAT:
            connection.sendall(seal_55aa(frame.command, 0, b""))
        else:
            self._say(connection, frame.command, frame.sequence, self._dps)

    def _say(self, connection: socket.socket, command: int, sequence: int, dps: Dict[str, Any]) -> None:
        messages = (
            {"devId": self._device_id, "dps": dps, "t": int(time.time())},
            {"protocol": 4, "t": int(time.time()), "data": {"dps": dps}},
        )
        for message in messages:
            frames = plain_frames(command, sequence, message)
            for form in self._forms:
                connection.sendall(frames[form])


# (c), (d) announcements


def forged_announcements(device_id: str, address: str, version: str, ports: Ports) -> List[Tuple[int, bytes]]:
    """(UDP port, datagram) in each form in which devices announce themselves; the key of all of them is public."""
    facts = {"ip": address, "gwId": device_id, "active": 2, "encrypt": True, "productKey": "x", "version": version}
    text = json.dumps(facts, separators=(",", ":")).encode()
    return [
        (ports.plain, seal_55aa(UDP, 0, text)),
        (ports.encrypted, seal_55aa(UDP_NEW, 0, Ecb(ANNOUNCEMENT_KEY).encrypt(text))),
        (ports.asked, seal_6699(ANNOUNCEMENT_KEY, BROADCAST_34, 0, WORD.pack(0) + text)),
    ]


class Spoofer:
    """Announces somebody's id again and again. address: where it is said to be; source: where that is sent from.

    versions: dealt out in turn. sent: datagrams so far.
    """

    def __init__(
        self,
        ports: Ports,
        device_id: str,
        address: str,
        versions: Iterable[str] = ("3.3",),
        *,
        source: str = "127.0.0.1",
        interval_s: float = 0.1,
    ) -> None:
        self._datagrams = [
            datagram for version in versions for datagram in forged_announcements(device_id, address, version, ports)
        ]
        self._source = source
        self._interval_s = interval_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hostile", daemon=True)
        self.sent = 0

    def __enter__(self) -> Spoofer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(5.0)

    def _run(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as voice:
            voice.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            voice.bind((self._source, 0))
            for port, datagram in itertools.cycle(self._datagrams):
                voice.sendto(datagram, (LOOPBACK_BROADCAST, port))
                self.sent += 1
                if self._ended.wait(self._interval_s):
                    return


# (b) our own frames sent back


class Echo(Server):
    """Sends back what it gets, byte for byte."""

    def talk(self, connection: socket.socket) -> None:
        while True:
            data = self.read(connection, 1.0)
            if data is None:
                return
            connection.sendall(data)


# (e) floods

_NEVER_WHOLE_55AA = HEADER_55AA.pack(PREFIX_55AA, 1, 8, 16000)
_NEVER_WHOLE_6699 = HEADER_6699.pack(PREFIX_6699, 0, 1, 8, 16000)
USUAL_SPEED = 200_000.0  # bytes a second
FULL_SPEED = 1e9  # what the network takes


def _cut_short_55aa(length: int) -> bytes:
    """A frame that says to be shorter than any can be, and is so: up to 8 bytes it has no room for its own end."""
    return HEADER_55AA.pack(PREFIX_55AA, 1, 8, length) + (bytes(length) + SUFFIX_55AA)[-max(length, 4) :]


def _cut_short_6699(length: int) -> bytes:
    """The same of 3.5, where nonce and tag take 28."""
    return HEADER_6699.pack(PREFIX_6699, 0, 1, 8, length) + bytes(length) + SUFFIX_6699


FLOODS: Dict[str, bytes] = {
    "prefixes_55aa": PREFIX_55AA * 4096,
    "prefixes_6699": PREFIX_6699 * 4096,
    "both_prefixes": (PREFIX_55AA + PREFIX_6699) * 2048,
    "headers_55aa": _NEVER_WHOLE_55AA * 1024,
    "headers_6699": _NEVER_WHOLE_6699 * 1024,
    "longest_lengths": HEADER_55AA.pack(PREFIX_55AA, 1, 8, 0xFFFFFFFF) * 1024,
    "both_headers": (_NEVER_WHOLE_55AA + _NEVER_WHOLE_6699) * 512,
    "short_frames": seal_55aa(8, 0, b"") * 700,
    "short_lengths_55aa": b"".join(_cut_short_55aa(length) for length in range(24)) * 32,
    "short_lengths_6699": b"".join(_cut_short_6699(length) for length in range(48)) * 12,
    "short_lengths_of_both": b"".join(_cut_short_55aa(n) + _cut_short_6699(n) for n in range(48)) * 8,
    "wrong_suffixes": (seal_55aa(8, 0, bytes(64))[:-4] + bytes(4)) * 200,
    "prefixes_and_good_frames": (PREFIX_55AA * 3000 + seal_55aa(9, 0, b"")) * 4,
    "half_prefixes": b"\x00\x00\x55" * 5461,
    "zeros": bytes(16384),
}


class Flood(Server):
    """Sends a stream of one kind of FLOODS at a rate in bytes a second, in pieces of `piece` bytes."""

    def __init__(self, kind: str, rate: float = USUAL_SPEED, piece: int = 2000, host: str = "127.0.0.1") -> None:
        super().__init__(host)
        self._stream, self._rate, self._piece = FLOODS[kind], rate, piece
        self.sent = 0

    def talk(self, connection: socket.socket) -> None:
        connection.settimeout(1.0)
        begun_s, sent, at = time.monotonic(), 0, 0
        while not self.ended.is_set():
            due = int((time.monotonic() - begun_s) * self._rate) + self._piece - sent
            while due > 0 and not self.ended.is_set():
                piece = self._stream[at : at + self._piece] or self._stream[: self._piece]
                at = (at + len(piece)) % len(self._stream)
                try:
                    sent_now = connection.send(piece)
                except socket.timeout:
                    break
                sent, due = sent + sent_now, due - sent_now
                self.sent += sent_now
            time.sleep(0.005)


# (g) somebody in the middle

Tamper = Callable[[str, Frame], List[Tuple[float, bytes]]]


def honest(_: str, frame: Frame) -> List[Tuple[float, bytes]]:
    """Passes everything on."""
    return [(0.0, frame.data)]


class Middle(Server):
    """Between client and breaker. tamper(direction, frame) says what is passed on instead of a frame, and when.

    direction: "up" to the breaker, "down" to the client. target: (host, port) of the breaker. seen: what came by.
    """

    def __init__(self, target: Tuple[str, int], tamper: Tamper = honest, host: str = "127.0.0.1") -> None:
        super().__init__(host)
        self._target = target
        self.tamper = tamper
        self._client: Optional[socket.socket] = None
        self.seen: List[Tuple[str, Frame]] = []

    def talk(self, connection: socket.socket) -> None:
        with socket.create_connection(self._target, timeout=3.0) as device:
            device.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._client = connection
            self._begin(self._pass, "down", device, connection)
            self._pass("up", connection, device)

    def send_down(self, data: bytes) -> None:
        """Send the client something of our own."""
        if self._client is not None:
            with contextlib.suppress(OSError):
                self._client.sendall(data)

    def _pass(self, direction: str, source: socket.socket, sink: socket.socket) -> None:
        buffer = bytearray()
        waiting: List[Tuple[float, int, bytes]] = []
        numbers = itertools.count()
        try:
            while not self.ended.is_set():
                now_s = time.monotonic()
                wait_s = min([0.5, *(max(0.001, due_s - now_s) for due_s, _, _ in waiting)])
                data = self.read(source, wait_s)
                if data is None:
                    return
                buffer += data
                for frame in cut(buffer):
                    self.seen.append((direction, frame))
                    for delay_s, piece in self.tamper(direction, frame):
                        waiting.append((time.monotonic() + delay_s, next(numbers), piece))
                waiting.sort()
                while waiting and waiting[0][0] <= time.monotonic():
                    sink.sendall(waiting.pop(0)[2])
        finally:
            for end in (source, sink):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)


class Reflecting:
    """A tamper that swallows commands and sends them back to the client, as (b) asks; all else passes.

    swallowed: how many. middle: set to the Middle that it works for.
    """

    def __init__(self) -> None:
        self.middle: Optional[Middle] = None
        self.swallowed = 0

    def __call__(self, direction: str, frame: Frame) -> List[Tuple[float, bytes]]:
        if direction == "up" and frame.command in CONTROLS:
            self.swallowed += 1
            if self.middle is not None:
                self.middle.send_down(frame.data)
            return []
        return [(0.0, frame.data)]


def delaying(seconds: float, directions: Sequence[str] = ("up", "down")) -> Tamper:
    """Everything comes late, in order."""
    return lambda direction, frame: [(seconds if direction in directions else 0.0, frame.data)]


def dropping(commands: Sequence[int], directions: Sequence[str] = ("up",)) -> Tamper:
    """Frames of these commands vanish."""
    return lambda direction, frame: [] if direction in directions and frame.command in commands else [(0.0, frame.data)]


def mangling(seed: int, share: float = 0.2, directions: Sequence[str] = ("up", "down")) -> Tamper:
    """A share of the frames is dropped, doubled, cut short, delayed behind later ones, or flipped in one bit."""
    rng = random.Random(seed)

    def tamper(direction: str, frame: Frame) -> List[Tuple[float, bytes]]:
        if direction not in directions or rng.random() >= share:
            return [(0.0, frame.data)]
        at = rng.randrange(len(frame.data))
        flipped = frame.data[:at] + bytes([frame.data[at] ^ 1 << rng.randrange(8)]) + frame.data[at + 1 :]
        return rng.choice(
            (
                [],
                [(0.0, frame.data), (0.0, frame.data)],
                [(0.0, frame.data[:at])],
                [(0.3, frame.data)],
                [(0.0, flipped)],
            )
        )

    return tamper


def replaying(keep: int = 20) -> Tamper:
    """Behind each frame to the client an earlier one comes again."""
    history: List[bytes] = []

    def tamper(direction: str, frame: Frame) -> List[Tuple[float, bytes]]:
        if direction != "down":
            return [(0.0, frame.data)]
        history.append(frame.data)
        del history[:-keep]
        return [(0.0, frame.data), (0.0, history[0])]

    return tamper


def main() -> None:
    """FLOOD [FLOOD ...]: serves these kinds, one a port (FLOOD!: at full speed); prints the ports; ends with stdin."""
    with contextlib.ExitStack() as stack:
        kinds = [(word.rstrip("!"), FULL_SPEED if word.endswith("!") else USUAL_SPEED) for word in sys.argv[1:]]
        servers = [stack.enter_context(Flood(kind, rate)) for kind, rate in kinds]
        print(json.dumps([server.port for server in servers]), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
