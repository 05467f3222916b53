"""Where a breaker is reached: its listening socket, who is admitted, its connections, and whether it is there."""

from __future__ import annotations

import ipaddress
import selectors
import socket
from typing import Callable, List, Optional, Sequence

from .breaker import Breaker
from .line import RESET_ON_CLOSE, SMALL_BUFFER_BYTES, Line
from .loop import Loop
from .session import Session

TICK_S = 1.0
BACKLOG = 16
FILLERS = 3  # connections that fill an accept queue of length 0, so that the kernel drops every further SYN


def require_loopback(host: str) -> None:
    """Raise ValueError for another host: simulated breakers never answer a network, their keys are for show."""
    if not ipaddress.ip_address(host).is_loopback:
        raise ValueError(f"{host} is not a loopback address; simulated breakers serve 127.x.y.z only")


class Place:
    """One breaker's side of the network. All calls with the loop's lock held.

    wall: the clock of a session's "t". listens: called when the breaker begins to listen.
    powered: whether it has mains; wedged: it serves nobody until its power was cut and returned.
    """

    def __init__(
        self, loop: Loop, breaker: Breaker, wall: Callable[[], float], listens: Callable[[Breaker], None]
    ) -> None:
        self._loop = loop
        self._breaker = breaker
        self._wall = wall
        self._listens = listens
        self._listener: Optional[socket.socket] = None
        self._lines: List[Line] = []
        self._fillers: List[socket.socket] = []
        self.powered = True
        self.wedged = False

    def bind(self) -> socket.socket:
        """Take the breaker's port, not listening yet. Raises OSError where it is taken."""
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setblocking(False)
        try:
            listener.bind((self._breaker.host, self._breaker.port))
        except OSError:
            listener.close()
            raise
        self._breaker.port = listener.getsockname()[1]
        if self._breaker.faults.get("stalled") is not None:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER_BYTES)
        self._listener = listener
        return listener

    def listen(self) -> None:
        """Accept connections on the port that bind() took."""
        if self._listener is not None:
            self._listener.listen(BACKLOG)
            self._loop.watch(self._listener, self._accept)
            self._listens(self._breaker)

    def _close_listener(self) -> None:
        """Let the port go; bind() must follow while the fleet runs."""
        listener, self._listener = self._listener, None
        if listener is not None:
            self._loop.unwatch(listener)
            listener.close()

    def is_served(self) -> bool:
        """Whether a client holds a session with this breaker."""
        return any(line.session.up and not line.forgotten for line in self._lines)

    def lines(self) -> List[Line]:
        """The open connections, forgotten ones too."""
        return list(self._lines)

    def close_lines(self, reset: bool = False) -> None:
        """End all connections: with FIN, or with RST."""
        for line in self.lines():
            line.close(reset)

    def forget(self) -> None:
        """Know nothing of the connections any more; they stay open and are never answered again."""
        for line in self._lines:
            line.forgotten = True

    def power(self, on: bool, silent: bool = False) -> None:
        """Cut or return the power. silent: the address answers nothing meanwhile, instead of refusing."""
        if self.powered == on:
            return
        self.wedged = False
        if on:
            self._breaker.power_returned()
            self.powered = True
            self.reappear()
            return
        self._breaker.power_lost()
        self.powered = False
        if silent:
            self.vanish()
        else:
            self._refuse()

    def _refuse(self) -> None:
        """Hang up and refuse from now on: a bound socket that does not listen does that, and keeps the port."""
        self.close_lines(reset=True)
        self._close_listener()
        self.bind()

    def vanish(self) -> None:
        """Answer nothing from now on: connections stay and are dead, new ones find a full queue that drops them."""
        self.forget()
        self._close_listener()
        self.bind().listen(0)
        self._fillers = [socket.socket(socket.AF_INET, socket.SOCK_STREAM) for _ in range(FILLERS)]
        for filler in self._fillers:
            filler.setblocking(False)
            filler.connect_ex((self._breaker.host, self._breaker.port))

    def reappear(self) -> None:
        """Be reachable again, as after a boot: older connections are reset, once new ones are taken."""
        self._close_fillers()
        before = self.lines()
        self._close_listener()
        self.bind()
        if self.powered:
            if self._breaker.faults.get("unreachable") is not None:
                self.vanish()
            else:
                self.listen()
        for line in before:
            line.close(reset=True)

    def move(self, port: Optional[int], host: Optional[str]) -> None:
        """Another address: connections end, the old address refuses. Raises OSError where the new one is taken."""
        breaker = self._breaker
        if host is not None:
            require_loopback(host)
        old = breaker.host, breaker.port
        self._close_listener()
        breaker.host, breaker.port = host or breaker.host, breaker.port if port is None else int(port)
        try:
            self.bind()
        except OSError:
            breaker.host, breaker.port = old
            self.bind()
            raise
        finally:
            self.reappear()

    def close(self) -> None:
        """Let go of all sockets."""
        self.close_lines()
        self._close_listener()
        self._close_fillers()

    def _close_fillers(self) -> None:
        for filler in self._fillers:
            filler.close()
        self._fillers.clear()

    def _accept(self, _: int) -> None:
        if self._listener is None:
            return
        try:
            connection, _address = self._listener.accept()
        except OSError:
            return
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        breaker = self._breaker
        breaker.connections += 1
        breaker.boot.connections += 1
        useless = self._uselessness()
        if useless == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            connection.close()
            return
        held = [line for line in self._lines if not line.forgotten]
        if not useless and not self._is_admitted(held):
            breaker.refused += 1
            connection.close()
            return
        held = [line for line in held if line.open]
        session = Session(breaker, self._loop.clock(), self._wall())
        line = Line(self._loop, breaker, connection, session, self._lines.remove)
        self._lines.append(line)
        self._loop.watch(connection, line.ready, selectors.EVENT_READ)
        if useless:
            line.forgotten = True
            return
        breaker.most_at_once = max(breaker.most_at_once, len(held) + 1)
        if breaker.faults.get("stalled") is not None:
            line.stall(breaker.faults.get("stalled"))
        if session.up:
            breaker.connected_now()
        self._loop.later(TICK_S, lambda: self._tick(line))
        self.limit_age(line)

    def limit_age(self, line: Line) -> None:
        """Close a connection after a while, where the fault hangs_up is on then."""
        fault = self._breaker.faults.get("hangs_up")
        if fault is not None:
            self._loop.later(fault["after_s"], lambda: self._hang_up(line))

    def _hang_up(self, line: Line) -> None:
        if self._breaker.faults.get("hangs_up") is not None:
            line.close()

    def stall(self) -> None:
        """Begin to hear nothing, or to hear again, as the fault `stalled` says now."""
        fault = self._breaker.faults.get("stalled")
        if fault is not None and self._listener is not None:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER_BYTES)
        for line in self.lines():
            line.stall(fault)

    def _uselessness(self) -> str:
        """Why a new connection comes to nothing: "reset", "mute", or "" where it does not."""
        accept, wedges = self._breaker.faults.get("accept"), self._breaker.faults.get("wedges")
        if accept is not None:
            return str(accept["how"])
        is_wedged = wedges is not None and self._breaker.boot.connections > wedges["after"]
        return str(wedges["how"]) if wedges is not None and is_wedged else ""

    def _is_admitted(self, held: Sequence[Line]) -> bool:
        """Whether a new connection is served beside the held ones; the fault `second` has its say."""
        if self.wedged or self._breaker.faults.get("busy") is not None:
            return False
        policy = (self._breaker.faults.get("second") or {"policy": "refuse"})["policy"]
        if not held or policy == "allow":
            return True
        if policy in ("evict", "wedge"):
            self.close_lines()
        if policy == "wedge":
            self.wedged = True
        return bool(policy == "evict")

    def _tick(self, line: Line) -> None:
        if not line.open:
            return
        if line.session.idle(self._loop.clock()) and not line.forgotten:
            line.close()
            return
        if line.session.up:
            self._breaker.tick()
        self._loop.later(TICK_S, lambda: self._tick(line))
