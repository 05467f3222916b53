"""A breaker and a session without sockets or threads: bytes in, frames out, and a clock that the test turns."""

from __future__ import annotations

import json
from typing import Any, List, Tuple

from tests.simulator.peer import Codec, FakeClock, Frame
from tuya.simulator import Fleet
from tuya.simulator.frames import PREFIX_6699, SUFFIX_6699, WORD, header_size
from tuya.simulator.session import Session

WALL_S = 1_700_000_000.0


class Bench:
    def __init__(self, version: str = "3.4", *, handshake: bool = True, key: bytes = b"", **options: Any) -> None:
        self.clock = FakeClock()
        self.fleet = Fleet(version=version, noise=0.0, clock=self.clock, wall=lambda: WALL_S, **options)
        self.breaker = self.fleet.breakers[0]
        self._key = key or self.breaker.local_key
        self.hello()
        self.fleet.stations[0].push = lambda dps: self.session.push(dps, self.clock())
        self.fleet.stations[0].is_served = lambda: self.session.up
        if self.session.up:
            self.breaker.connected_now()
        elif handshake:
            (answer,) = self.give(self.codec.pack(3, self.codec.nonce))
            assert self.give(self.codec.finish(answer.payload)) == []

    def hello(self) -> None:
        """A new connection, nothing said yet."""
        self.session = Session(self.breaker, self.clock(), WALL_S)
        self.codec = Codec(self.breaker.version, self._key)

    def give(self, data: bytes) -> List[Frame]:
        """Bytes from the client; the frames that come back."""
        self.session.receive(data, self.clock())
        return self.take()

    def take(self) -> List[Frame]:
        out, self.session.out = self.session.out, []
        return [self.codec.unpack(frame) for data, _ in out for frame, _ in split_frames(data)]

    def ask(self, command: int, message: object = None) -> List[Frame]:
        return self.give(self.codec.pack(command, b"" if message is None else json.dumps(message).encode()))

    def query(self) -> List[Frame]:
        return self.ask(10 if self.codec.version < "3.4" else 16, {})

    def write(self, dps: dict) -> List[Frame]:
        named = {str(dp): value for dp, value in dps.items()}
        if self.codec.version < "3.4":
            return self.ask(7, {"devId": "x", "uid": "x", "t": "1", "dps": named})
        return self.ask(13, {"protocol": 5, "t": 1, "data": {"dps": named}})

    def go(self, seconds: float) -> List[Frame]:
        """Let time pass, with a tick each second as while connected; what is pushed meanwhile."""
        for _ in range(round(seconds)):
            self.clock.go(1.0)
            self.fleet.run_due()
            self.breaker.tick()
        return self.take()


def split_frames(data: bytes) -> List[Tuple[bytes, int]]:
    """Cut frames that stand one behind the other into (frame, command)."""
    frames = []
    while data:
        size = header_size(data)
        length = WORD.unpack_from(data, size - WORD.size)[0]
        total = size + length + (len(SUFFIX_6699) if data[:4] == PREFIX_6699 else 0)
        frames.append((data[:total], WORD.unpack_from(data, size - 2 * WORD.size)[0]))
        data = data[total:]
    return frames
