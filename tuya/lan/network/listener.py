"""The UDP side: hears announcements on shared ports and asks for them while a device is missing. No meaning of DPs."""

from __future__ import annotations

import contextlib
import selectors
import socket
from typing import Callable, Dict, List, Optional, Set, Tuple

from ..limits import NEVER, TokenBucket
from ..protocol import announcements
from . import interfaces

PROBE_INTERVAL_S = 6.0  # as long as a device is missing ...
PROBE_SLOW_INTERVAL_S = 30.0  # ... and this after the first two minutes of it
PROBE_FAST_S = 120.0
DATAGRAMS_PER_TURN = 32  # then the TCP sockets have their turn
DECODES_INTERVAL_S = 0.005  # 200 a second: a flood costs no more than that
DECODE_BURST = 200
EVENT_INTERVAL_S = 1.0  # the same announcement is told once a second
KNOWN_SIZE = 512


class Listener:
    """Sockets on the announcement ports. One that cannot be bound is a warning (`problems`), not an end."""

    link = None

    def __init__(
        self,
        ports: Tuple[int, ...] = announcements.ANNOUNCE_PORTS,
        probe_port: int = announcements.PROBE_PORT,
        targets: Callable[[], List[Tuple[str, str]]] = interfaces.broadcasts,
        is_own: Callable[[str], bool] = interfaces.is_own,
    ) -> None:
        self._ports = ports
        self._probe_port = probe_port
        self._targets = targets
        self._is_own = is_own
        self._sockets: List[socket.socket] = []
        self._sender: Optional[socket.socket] = None
        self._decodes = TokenBucket(DECODES_INTERVAL_S, DECODE_BURST)
        self._broadcasts: Set[str] = set()  # of our own networks: no device lives there
        self._known: Dict[announcements.Announcement, float] = {}
        self._missing_since_s: Optional[float] = None
        self._tell: Callable[[announcements.Announcement, bool, float], None] = _nobody
        self.problems: Tuple[str, ...] = ()
        self.dropped = 0
        self.deadline_s = -NEVER

    def open(
        self,
        selector: selectors.BaseSelector,
        tell: Callable[[announcements.Announcement, bool, float], None],
    ) -> None:
        """Bind what can be bound. tell(announcement, is_news, now_s) is called for each that was decoded."""
        self._tell = tell
        problems: List[str] = []
        for port in self._ports:
            try:
                sock = _bound(port)
            except OSError as error:
                problems.append(f"announcements on UDP port {port} cannot be heard ({error.strerror})")
                continue
            self._sockets.append(sock)
            selector.register(sock, selectors.EVENT_READ, _Ear(self, sock))
            if port == self._probe_port:
                self._sender = sock
        self.problems = tuple(problems)

    def close(self) -> None:
        """Close all sockets."""
        for sock in self._sockets:
            sock.close()
        self._sockets.clear()
        self._sender = None

    def hear(self, sock: socket.socket, now_s: float) -> None:
        """Read what has arrived."""
        for _ in range(DATAGRAMS_PER_TURN):
            try:
                datagram, source = sock.recvfrom(announcements.MAX_DATAGRAM_BYTES + 1)
            except OSError:
                return
            if not self._decodes.take(now_s):
                self.dropped += 1
                continue
            announcement = announcements.decode(datagram, source[0])
            if announcement is None or announcement.address in self._broadcasts:
                continue
            if self._leads_astray(announcement.address, source[0]):
                self.dropped += 1
            else:
                self._tell(announcement, self._is_news(announcement, now_s), now_s)

    def _leads_astray(self, address: str, source: str) -> bool:
        """Whether somebody in the network announces an address of this machine, at which no device of his can be.

        The kernel lets nothing in from outside that bears one of our own addresses, so who announces from one is here;
        and what lives on loopback announces itself from there.
        """
        if address == source or interfaces.is_loopback(source):
            return False
        return interfaces.is_loopback(address) or (self._is_own(address) and not self._is_own(source))

    def _is_news(self, announcement: announcements.Announcement, now_s: float) -> bool:
        told_s = self._known.get(announcement, -NEVER)
        if now_s < told_s + EVENT_INTERVAL_S:
            return False
        if len(self._known) >= KNOWN_SIZE:
            self._known.clear()  # forged ones fill it; the real ones come again
        self._known[announcement] = now_s
        return True

    def tick(self, now_s: float, missing: int) -> None:
        """Ask all interfaces while `missing` devices are not connected."""
        if not missing:
            self._missing_since_s = None
            self.deadline_s = now_s + PROBE_INTERVAL_S
            return
        if self._missing_since_s is None:
            self._missing_since_s = now_s
        fast = now_s < self._missing_since_s + PROBE_FAST_S
        self.deadline_s = now_s + (PROBE_INTERVAL_S if fast else PROBE_SLOW_INTERVAL_S)
        self._ask()

    def _ask(self) -> None:
        sender = self._sender
        if sender is None:
            try:
                sender = _bound(0)
            except OSError:
                return  # no file descriptor left: the next time
        targets = self._targets()
        self._broadcasts = {broadcast for _, broadcast in targets}
        for address, broadcast in targets:
            with contextlib.suppress(OSError):  # this interface cannot; the others may
                sender.sendto(announcements.request(address), (broadcast, self._probe_port))
        if sender is not self._sender:
            sender.close()


def _bound(port: int) -> socket.socket:
    """A socket that shares the port with whoever shares it too. Raises OSError."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "SO_REUSEPORT"):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        sock.bind(("", port))
    except OSError:
        sock.close()
        raise
    return sock


class _Ear:
    """One socket of the listener, as the reactor sees it."""

    link = None

    def __init__(self, listener: Listener, sock: socket.socket) -> None:
        self._listener = listener
        self._socket = sock

    def handle(self, _mask: int, now_s: float) -> None:
        self._listener.hear(self._socket, now_s)


def _nobody(_announcement: announcements.Announcement, _news: bool, _now_s: float) -> None:
    """Before open() nobody listens."""
