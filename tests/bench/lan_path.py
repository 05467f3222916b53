"""CPU of one push from the socket's bytes to the callback, without a network: ours beside tinytuya's Monitor.

python -m tests.bench.lan_path [ROUNDS [PUSHES]]: the least of some rounds of 4,000 pushes, in microseconds of this
process, for each version.
The whole way over real sockets is tests/bench/lan.py; on a busy machine its figures are those of the machine.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from typing import Any, Callable, Iterator, List

import tinytuya

from tuya.lan.client import Device, Polling
from tuya.lan.connection.link import Link
from tuya.lan.protocol import openssl, tinytuya_codec
from tuya.lan.protocol.ciphers import GcmOpener
from tuya.simulator.frames import Wire as DeviceWire

KEY = b"0123456789abcdef"
ID = "bfbenchbenchbench001"
PUSHES = 4000


def pushes(version: str, count: int) -> List[bytes]:
    """Frames as a device sends them, 139-152 bytes each."""
    device = DeviceWire(version, KEY)
    frames = []
    for number in range(count):
        dps = {"18": 302, "19": number, "20": 2300}
        message = {"devId": ID, "dps": dps, "t": 1700000000}
        if version >= "3.4":
            message = {"protocol": 4, "t": 1700000000, "data": {"dps": dps}}
        plain = json.dumps(message, separators=(",", ":")).encode()
        frames.append(device.answer(8, number, plain, pushed=True))
    return frames


class _NoNetwork:
    def connect(self, address: str, port: int) -> None:
        pass

    def send(self, data: bytes) -> None:
        pass

    def close(self, *, abort: bool) -> None:
        pass

    def is_taken(self) -> bool:
        return True


def opening(count: int) -> None:
    """What it costs to decrypt and verify one frame of 3.5: by what is used, and by pycryptodome."""
    opener = GcmOpener(tinytuya_codec.load().aes, KEY)
    by_openssl = openssl.load() is not None
    frames = [(f[18:30], f[4:18], f[30:-20], f[-20:-4]) for f in pushes("3.5", count)]
    ways = {"pycryptodome": opener._open_by_pycryptodome, **({"OpenSSL": opener.open} if by_openssl else {})}
    for name, opened in ways.items():
        best = float("inf")
        for _ in range(5):
            start_s = time.process_time()
            assert all(opened(*frame) is not None for frame in frames)
            best = min(best, (time.process_time() - start_s) / count * 1e6)
        print(f"3.5: a frame opened by {name}: {best:.1f} us")


def ours(version: str, frames: List[bytes]) -> Callable[[], int]:
    seen: List[object] = []
    link = Link(
        Device(ID, KEY, address="127.0.0.1", version=version),
        Polling(),
        seen.append,
        _NoNetwork(),
        rng=random.Random(),
        wall_time=time.time,
        random_bytes=os.urandom,
    )
    link.start(0.0)
    link.tcp_opened(0.0)
    session: Any = link._session
    session._negotiating = False  # as if the handshake had given the local key as the session key
    link.received(frames[0], 0.5)
    now_s = [1.0]

    def run() -> int:
        seen.clear()
        for frame in frames:
            now_s[0] += 0.01  # 100 a second: more would be taken for a flood
            link.received(frame, now_s[0])
        return len(seen)

    return run


class _FakeSocket:
    """Hands one frame to each recv(), as a selector would find them."""

    def __init__(self) -> None:
        self.frames: Iterator[bytes] = iter(())

    def recv(self, _size: int) -> bytes:
        return next(self.frames)

    def close(self) -> None:
        pass


def monitor(version: str, frames: List[bytes]) -> Callable[[], int]:
    device = tinytuya.Device(ID, "127.0.0.1", KEY.decode(), version=float(version), persist=True)
    device.socket = _FakeSocket()
    seen: List[object] = []
    watcher = tinytuya.Monitor(on_status=lambda _device, result: seen.append(result))
    state = sys.modules["tinytuya.core.Monitor"]._DeviceState(device)  # type: ignore[attr-defined]

    def run() -> int:
        seen.clear()
        device.socket.frames = iter(frames)
        for _ in frames:
            watcher._handle_readable(state)
        return len(seen)

    return run


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    count = int(sys.argv[2]) if len(sys.argv) > 2 else PUSHES
    print(f"tinytuya {tinytuya.__version__} on {tinytuya.AESCipher.CRYPTOLIB}")
    for version in ("3.3", "3.4", "3.5"):
        frames = pushes(version, count)
        runs = {"ours": ours(version, frames), "monitor": monitor(version, frames)}
        best = dict.fromkeys(runs, float("inf"))
        for _ in range(rounds):  # in turn, so that a busy moment strikes both
            for name, run in runs.items():
                start_s = time.process_time()
                seen = run()
                best[name] = min(best[name], (time.process_time() - start_s) / count * 1e6)
                assert seen == count
        mine, theirs = best["ours"], best["monitor"]
        print(f"{version}: ours {mine:.1f} us, Monitor {theirs:.1f} us: {mine / theirs:.2f}")
    opening(count)


if __name__ == "__main__":
    main()
