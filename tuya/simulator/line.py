"""One TCP connection to a simulated breaker: a socket, its session, and what still has to be sent. Knows no other."""

from __future__ import annotations

import socket
import struct
from collections import deque
from typing import TYPE_CHECKING, Any, Deque, Mapping

from .breaker import Breaker
from .session import Session

if TYPE_CHECKING:
    from .fleet import Fleet

RECEIVE_BYTES = 4096
UNSENT_LIMIT_BYTES = 65536  # a client that does not read is thrown out before memory goes
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Line:
    """A connection. `open` until either side hung up; all calls with the fleet's lock held."""

    def __init__(self, fleet: Fleet, breaker: Breaker, connection: socket.socket, session: Session) -> None:
        self.fleet = fleet
        self.breaker = breaker
        self.socket = connection
        self.session = session
        self.open = True
        self.forgotten = False
        self._unsent = bytearray()
        self._waiting: Deque[bytes] = deque()

    def readable(self) -> None:
        """The socket has something: bytes, an end or an error."""
        try:
            data = self.socket.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            return
        if self.forgotten or self.breaker.faults.get("mute") is not None:
            return
        self.session.receive(data, self.fleet.clock())
        self.flush()

    def push(self, dps: Mapping[int, Any]) -> None:
        """Report DPs."""
        if self.forgotten or self.breaker.faults.get("mute") is not None:
            return
        self.session.push(dps, self.fleet.clock())
        self.flush()

    def flush(self) -> None:
        """Send what the session has to say; hang up behind it if it wants to."""
        frames, self.session.out = self.session.out, []
        for delay_s, piece in self.breaker.faults.deliver(frames):
            if delay_s or self._waiting:
                self._waiting.append(piece)
                self.fleet.later(delay_s, self._send_next)
            else:
                self._send(piece)
        if self.session.closing and self.open and not self._waiting:
            self.close()

    def _send_next(self) -> None:
        if self.open and self._waiting:
            self._send(self._waiting.popleft())

    def _send(self, data: bytes) -> None:
        if not self.open:
            return
        self._unsent += data
        self.writable()

    def writable(self) -> None:
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
        self.fleet.want_to_write(self, bool(self._unsent))

    def close(self, reset: bool = False) -> None:
        """Hang up: with FIN, or with RST."""
        if not self.open:
            return
        self.open = False
        if reset:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        self.fleet.line_closed(self)
        self.socket.close()
