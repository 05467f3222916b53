"""One listener of an owner: what it is still to be told, and what it asks for. It never keeps the owner waiting."""

from __future__ import annotations

import selectors
import socket
from collections import deque
from typing import Any, Deque, Dict, FrozenSet, List, Optional, Protocol, Sequence, Tuple

from ..lan.limits import NEVER, TokenBucket
from .allowance import ALL_PER_S, BURST_OF_ALL, Allowance
from .lines import MAX_REQUEST_BYTES, REMOVED, LineError, LineReader, line_of, removed_line, text_of

MAX_QUEUE_BYTES = 256 * 1024  # of events that wait; more than this, and the listener gets snapshots instead
MAX_ANSWERS_BYTES = 512 * 1024  # to its own requests; who asks for more and reads none is sent away
SEND_BYTES = 64 * 1024
SNAPSHOTS_AT_ONCE = 20  # each takes some 0.1 ms
STALLED_S = 60.0  # without reading a byte of what waits: it is dead
LISTEN_GRACE_S = 0.3  # who says nothing by then hears of all devices
READ_BYTES = 16 * 1024
# More than all the commands that are carried out for it: a large house is refused in words what is too much for it, ...
LINES_BURST = 2 * BURST_OF_ALL
LINES_PER_S = 2.0 * ALL_PER_S  # ... a flood ends the connection


class Host(Protocol):
    """What a listener needs of the server."""

    def ids(self) -> List[str]:
        """Return the ids of all devices."""

    def told_of(self, device_id: str, now_s: float) -> Optional[Dict[str, Any]]:
        """Return a device's snapshot, the owner's description for "", None for what is gone."""

    def asked(self, listener: Listener, request: Dict[str, Any], now_s: float) -> None:
        """A request has come."""

    def flush(self, now_s: float) -> None:
        """Hand out what has happened, before a snapshot is made."""

    def ended(self, listener: Listener) -> None:
        """The listener is gone."""


class Listener:
    """A connection that was accepted. Everything happens on the network thread."""

    link = None

    def __init__(
        self, host: Host, sock: socket.socket, selector: selectors.BaseSelector, who: str, now_s: float
    ) -> None:
        self.who = who  # by the kernel: "user 1000, process 4711"
        self.name = ""  # by itself
        self.commands = Allowance()
        self.queries = Allowance()
        self._host = host
        self._socket: Optional[socket.socket] = sock
        self._selector = selector
        self.wanted: Optional[FrozenSet[str]] = frozenset()  # None: all devices
        self._has_chosen = False
        self._since_s = self._progress_s = now_s
        self._reader = LineReader(MAX_REQUEST_BYTES)
        self._lines = TokenBucket(1.0 / LINES_PER_S, LINES_BURST)
        self._unsent = b""
        self._answers: Deque[bytes] = deque()
        self._answers_bytes = 0
        self._queue: Deque[bytes] = deque()
        self._queued_bytes = 0
        self._to_tell: Dict[str, None] = {}  # devices whose snapshot is due, in order
        self._mask = selectors.EVENT_READ
        selector.register(sock, self._mask, self)

    @property
    def is_open(self) -> bool:
        """Whether it is still there."""
        return self._socket is not None

    def wants(self, device_id: str) -> bool:
        """Whether it hears of this device."""
        return self.wanted is None or device_id in self.wanted

    def deadline_s(self) -> float:
        """When tick() is due."""
        if not self._has_chosen:
            return self._since_s + LISTEN_GRACE_S
        return self._progress_s + STALLED_S if self._unsent else NEVER

    # -- what it is told

    def choose(self, wanted: Optional[FrozenSet[str]]) -> None:
        """Tell it of these devices from now on (None: of all), beginning with what is known."""
        self._has_chosen = True
        self.wanted = wanted
        self._begin_again()

    def _begin_again(self) -> None:
        self._queue.clear()
        self._queued_bytes = 0
        ids = self._host.ids() if self.wanted is None else sorted(self.wanted)
        self._to_tell = dict.fromkeys(["", *ids])

    def again(self, device_id: str) -> None:
        """Tell it anew what is known of a device; "": of the owner."""
        if self._has_chosen and (device_id == "" or self.wants(device_id)):
            self._to_tell[device_id] = None

    def tell(self, events: Sequence[Tuple[str, bytes]], joined: bytes) -> None:
        """Add events of its devices, (device id, line) each, joined: all lines in one.

        One that is too slow loses events and gets snapshots of all.
        """
        if self._to_tell:  # what is known when the turn of a device comes includes its events
            joined = b"".join(
                line for device_id, line in events if device_id not in self._to_tell or line.startswith(REMOVED)
            )
        if not joined:
            return
        if self._queued_bytes + len(joined) > MAX_QUEUE_BYTES:
            self._begin_again()
            return
        self._queue.append(joined)
        self._queued_bytes += len(joined)

    def answer(self, told: Dict[str, Any]) -> None:
        """Answer a request of its own."""
        line = line_of(told)
        self._answers.append(line)
        self._answers_bytes += len(line)

    def pump(self, now_s: float) -> bool:
        """Send what the kernel takes; return whether there is more to do at once."""
        for _ in range(SNAPSHOTS_AT_ONCE):
            if self._socket is None:
                return False
            if self._answers_bytes > MAX_ANSWERS_BYTES:
                self.close()
                return False
            if not self._unsent:
                self._unsent = self._next(now_s)
            if not self._unsent:
                self._progress_s = now_s
                self._watch(selectors.EVENT_READ)
                return False
            try:
                sent = self._socket.send(self._unsent)
            except BlockingIOError:
                self._watch(selectors.EVENT_READ | selectors.EVENT_WRITE)
                return False
            except OSError:
                self.close()
                return False
            self._unsent = self._unsent[sent:]
            self._progress_s = now_s
        return True

    def _next(self, now_s: float) -> bytes:
        if self._answers:
            answers = _first_of(self._answers)
            self._answers_bytes -= len(answers)
            return answers
        if self._queue:
            events = _first_of(self._queue)
            self._queued_bytes -= len(events)
            return events
        while self._to_tell:
            device_id = next(iter(self._to_tell))
            told = self._host.told_of(device_id, now_s)
            del self._to_tell[device_id]
            if told is not None:
                return line_of(told)
            if device_id:  # it is not held here, or no longer: whoever asks for it by name is to look elsewhere
                return removed_line(device_id)
        return b""

    def tick(self, now_s: float) -> None:
        """Look at the clock."""
        if not self._has_chosen and now_s >= self._since_s + LISTEN_GRACE_S:
            self.choose(None)
        if self._unsent and now_s - self._progress_s >= STALLED_S:
            self.close()

    # -- what it asks for

    def handle(self, mask: int, now_s: float) -> None:
        """It has sent something, or takes more."""
        if self._socket is None:
            return
        if mask & selectors.EVENT_READ:
            self._read(now_s)
        self._host.flush(now_s)

    def _read(self, now_s: float) -> None:
        try:
            data = self._socket.recv(READ_BYTES) if self._socket is not None else b""
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            return
        try:
            requests = self._reader.feed(data)
        except LineError:
            self.close()
            return
        for request in requests:
            if not self._lines.take(now_s):
                self.close()  # what it sent and nobody has read is gone with it
            if self._socket is None:
                return
            self._request(request, now_s)

    def _request(self, request: Dict[str, Any], now_s: float) -> None:
        if "name" in request:
            self.name = text_of(request["name"])
        if "listen" in request:
            ids = request["listen"]
            listed = frozenset(one for one in ids if isinstance(one, str)) if isinstance(ids, list) else None
            self.choose(listed)
        self._host.asked(self, request, now_s)

    def _watch(self, mask: int) -> None:
        if self._socket is not None and mask != self._mask:
            self._selector.modify(self._socket, mask, self)
            self._mask = mask

    def close(self) -> None:
        """Let it go; may be called again."""
        sock, self._socket = self._socket, None
        if sock is not None:
            self._selector.unregister(sock)
            sock.close()
            self._host.ended(self)


def _first_of(lines: Deque[bytes]) -> bytes:
    """Take as many as are worth one call of the kernel."""
    parts: List[bytes] = []
    size_bytes = 0
    while lines and size_bytes < SEND_BYTES:
        parts.append(lines.popleft())
        size_bytes += len(parts[-1])
    return b"".join(parts)
