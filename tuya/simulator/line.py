"""One TCP connection to a simulated breaker: a socket, its session, and what still has to be sent."""

from __future__ import annotations

import functools
import random
import selectors
import socket
import struct
from collections import deque
from typing import Any, Callable, Deque, List, Mapping, Optional, Tuple

from .breaker import Breaker
from .loop import Loop
from .passage import SO_DETACH_FILTER, Passage, lose_what_arrives
from .session import Session

RECEIVE_BYTES = 4096
UNSENT_LIMIT_BYTES = 65536  # a client that does not read is thrown out before memory goes
SMALL_BUFFER_BYTES = 1  # the kernel takes its least instead, about 2 kB
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Line:
    """A connection. `open` until either side hung up; `forgotten`: open, but the breaker knows nothing of it any more.

    closed: called with the line just before it closes its socket. All calls with the loop's lock held.
    """

    def __init__(
        self,
        loop: Loop,
        breaker: Breaker,
        connection: socket.socket,
        session: Session,
        closed: Callable[[Line], None],
    ) -> None:
        self._loop = loop
        self._closed = closed
        self.breaker = breaker
        self.socket = connection
        self.session = session
        self.open = True
        self.forgotten = False
        self._ended = False  # the client hung up, which a breaker with latency learns late
        self._stalled = ""
        self._random = random.Random(0)
        self._arriving = Passage(loop)
        self._leaving = Passage(loop)
        self._unsent = bytearray()
        self._kept_back: List[bytes] = []
        self._waiting: Deque[Tuple[float, bytes]] = deque()
        self._waiting_bytes = 0

    def ready(self, events: int) -> None:
        """The socket can be read, written, or both."""
        if self.open and events & selectors.EVENT_READ:
            self._readable()
        if self.open and events & selectors.EVENT_WRITE:
            self._writable()

    def _readable(self) -> None:
        try:
            data = self.socket.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._ended = True
            self._watch()
            self._arriving.carry(self._latency_s(), self.close)
        else:
            self._arriving.carry(self._latency_s(), lambda: self._receive(data))

    def _receive(self, data: bytes) -> None:
        if self.open and not self._is_mute():
            self.session.receive(data, self._loop.clock())
            self.flush()

    def _latency_s(self) -> float:
        fault = self.breaker.faults.get("latency")
        return 0.0 if fault is None else fault["delay_s"] + self._random.random() * fault["spread_s"]

    def stall(self, fault: Optional[Mapping[str, Any]]) -> None:
        """Hear nothing from now on, in the manner of the fault `stalled`; None: hear again."""
        wanted = "" if fault is None else str(fault["how"])
        if not self.open or wanted == self._stalled:
            return
        if self._stalled == "lost":
            self.socket.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)
        self._stalled = wanted
        if wanted:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER_BYTES)
        if wanted == "lost":
            lose_what_arrives(self.socket)
        self._watch()

    def _watch(self) -> None:
        """Watch the socket for what the line wants of it."""
        reading = 0 if self._ended or self._stalled == "unread" else selectors.EVENT_READ
        self._loop.watch_for(self.socket, self.ready, reading | (selectors.EVENT_WRITE if self._unsent else 0))

    def push(self, dps: Mapping[int, Any]) -> None:
        """Report DPs."""
        if not self._is_mute():
            self.session.push(dps, self._loop.clock())
            self.flush()

    def _is_mute(self) -> bool:
        mute = self.breaker.faults.get("mute")
        return self.forgotten or (mute is not None and not mute["commands"])

    def flush(self) -> None:
        """Send what the session has to say; hang up behind it if it wants to."""
        frames, self.session.out = self.session.out, []
        for frame, negotiating in frames:
            for piece in self.breaker.distortion.apply(frame, negotiating):
                self._leaving.carry(self._latency_s(), functools.partial(self._leave, piece))
        self._hang_up_if_done()

    def _leave(self, piece: bytes) -> None:
        if self.open and not self.forgotten:
            self._deliver(piece)
            self._hang_up_if_done()

    def _hang_up_if_done(self) -> None:
        if self.session.closing and not self._waiting and not self._kept_back and not self._leaving.busy:
            self.close(self.session.reset)

    def _deliver(self, frame: bytes) -> None:
        """Send a frame in the manner of the faults delay, slow, split and join."""
        faults = self.breaker.faults
        join = faults.get("join")
        if join is not None:
            self._kept_back.append(frame)
            if len(self._kept_back) >= join["count"]:
                self._release()
            elif len(self._kept_back) == 1:
                self._loop.later(join["hold_s"], self._release)
            return
        delay, slow, split = faults.get("delay"), faults.get("slow"), faults.get("split")
        if delay is not None:
            self._wait(delay["delay_s"], b"")
        cut = slow or split
        if cut is None:
            self._wait(0.0, frame)
            return
        size = 1 if slow else max(1, cut["size"])
        for at in range(0, len(frame), size):
            self._wait(cut["delay_s"], frame[at : at + size])

    def _release(self) -> None:
        frames, self._kept_back = self._kept_back, []
        self._wait(0.0, b"".join(frames))
        self._hang_up_if_done()

    def _wait(self, delay_s: float, piece: bytes) -> None:
        """Send a piece so long after the one before it."""
        if not self._waiting and not delay_s:
            self._send(piece)
            return
        self._waiting.append((delay_s, piece))
        self._waiting_bytes += len(piece)
        if self._waiting_bytes > UNSENT_LIMIT_BYTES:
            self.close()
        elif len(self._waiting) == 1:
            self._loop.later(delay_s, self._send_waiting)

    def _send_waiting(self) -> None:
        if not self.open or not self._waiting:
            return
        _, piece = self._waiting.popleft()
        self._waiting_bytes -= len(piece)
        if not self.forgotten:
            self._send(piece)
        if self._waiting:
            self._loop.later(self._waiting[0][0], self._send_waiting)
        else:
            self._hang_up_if_done()

    def _send(self, data: bytes) -> None:
        if self.open and data and not self._ended:
            self._unsent += data
            self._writable()

    def _writable(self) -> None:
        """Send as much as the socket takes."""
        try:
            sent = self.socket.send(self._unsent)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.close()
            return
        del self._unsent[:sent]
        if len(self._unsent) > UNSENT_LIMIT_BYTES:
            self.close()
            return
        self._watch()

    def close(self, reset: bool = False) -> None:
        """Hang up: with FIN, or with RST."""
        if not self.open:
            return
        self.open = False
        if reset:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        self._loop.unwatch(self.socket)
        self._closed(self)
        self.socket.close()
