"""A fleet of simulated breakers on loopback: one thread, one selector, timers. Knows sockets and time, no DPs."""

from __future__ import annotations

import functools
import heapq
import ipaddress
import itertools
import os
import selectors
import socket
import threading
import time
from types import TracebackType
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Set, Tuple, Type, Union

from .announce import INTERVAL_S, Announcer, Ports
from .breaker import Breaker
from .frames import VERSIONS
from .incidents import Incidents
from .line import Line
from .products import PRODUCTS, Product
from .session import Session

TICK_S = 1.0
FOREIGN_CLOCK_WAIT_S = 0.02  # how often a clock that is not the system's is looked at
BACKLOG = 16
BOOT_ANNOUNCEMENT_S = 0.1

_Timer = Tuple[float, int, Callable[[], None]]


class Fleet:
    """Simulated breakers that serve the LAN protocol on loopback; a context manager.

    product, version: one, or several that are dealt out in turn. host: 127.x.y.z. port: 0 for any free ports, else the
    first of `count` consecutive ones. announce: announce on UDP as real devices do (see announce.py), at
    announce_ports. load_w: what hangs on each breaker at first. noise: 1.0 as real mains, 0.0 exact. seed: for
    the same ids and keys each time; otherwise they are random, so that fleets never meet. clock: seconds for loads,
    reports and timers (a virtual one is polled); wall: what devices put into "t".
    Raises ValueError for an unknown product, version or a host that is not loopback; OSError for a port in use.
    """

    def __init__(
        self,
        product: Union[str, Sequence[str]] = "jdj6ccklup7btq3a",
        version: Union[str, Sequence[str]] = "3.4",
        count: int = 1,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        announce: bool = False,
        announce_ports: Ports = Ports(),  # noqa: B008 (immutable)
        announce_interval_s: float = INTERVAL_S,
        load_w: float = 100.0,
        noise: float = 1.0,
        seed: Optional[str] = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.require_loopback(host)
        self.clock = clock
        self.noise = noise
        self.lock = threading.RLock()
        self._wall = wall
        self._announcer = Announcer(announce_ports, announce_interval_s) if announce else None
        self._listeners: Dict[Breaker, socket.socket] = {}
        self._lines: Dict[Breaker, List[Line]] = {}
        self._powered: Dict[Breaker, bool] = {}
        self._pushing: Dict[Breaker, object] = {}
        self._incidents = Incidents(self)
        self.wedged: Set[Breaker] = set()
        self._timers: List[_Timer] = []
        self._order = itertools.count()
        self._thread: Optional[threading.Thread] = None
        self._running = False
        self._failure: Optional[Exception] = None
        self.breakers: List[Breaker] = []
        chosen = seed if seed is not None else os.urandom(8).hex()
        products = [_product(name) for name in ([product] if isinstance(product, str) else product)]
        versions = [version] if isinstance(version, str) else list(version)
        if not set(versions) <= set(VERSIONS):
            raise ValueError(f"no protocol version {', '.join(versions)}: one of {', '.join(VERSIONS)}")
        for number in range(count):
            kind = products[number % len(products)]
            breaker = Breaker(self, kind, versions[number % len(versions)], host, f"{chosen}/{number}")
            breaker.name = f"{kind.name} {number + 1}"
            breaker.port = port + number if port else 0
            breaker.set_load(load_w)
            self.breakers.append(breaker)

    def __enter__(self) -> Fleet:
        self.start()
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Listen with all breakers and start the thread. Raises OSError for a port in use, with nothing left open."""
        with self.lock:
            self._selector = selectors.DefaultSelector()
            self._wake_reader, self._wake_writer = socket.socketpair()
            self._selector.register(self._wake_reader, selectors.EVENT_READ)
            self._wake_reader.setblocking(False)
            try:
                for breaker in self.breakers:
                    self.bind(breaker)
                    self.set_powered(breaker, True)
                    self.listen(breaker)
            except OSError:
                self._close_all()
                raise
            if self._announcer is not None:
                self._start_announcing(self._announcer)
            self._running = True
            self._thread = threading.Thread(target=self._run, name="simulated breakers", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End all connections and the thread. Idempotent. Raises what a load function raised on the thread."""
        with self.lock:
            if not self._running:
                return
            self._wake()
            self._running = False
        if self._thread is not None:
            self._thread.join()
        with self.lock:
            self._close_all()
            failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def devices(self) -> List[Dict[str, Any]]:
        """The fleet as the entries of a devices.json."""
        return [breaker.entry() for breaker in self.breakers]

    def _run(self) -> None:
        try:
            while self._running:
                ready = self._selector.select(self._wait_s())
                with self.lock:
                    for key, events in ready:
                        self._serve(key, events)
                    self.run_due()
        except Exception as error:  # noqa: BLE001 (a load function of the caller may raise anything; stop() tells)
            self._failure = error

    def _wait_s(self) -> Optional[float]:
        with self.lock:
            wait_s = max(0.0, self._timers[0][0] - self.clock()) if self._timers else None
        if self.clock is time.monotonic:
            return wait_s
        return FOREIGN_CLOCK_WAIT_S if wait_s is None else min(wait_s, FOREIGN_CLOCK_WAIT_S)

    def _serve(self, key: selectors.SelectorKey, events: int) -> None:
        if isinstance(key.data, Line):
            if key.data.open and events & selectors.EVENT_READ:
                key.data.readable()
            if key.data.open and events & selectors.EVENT_WRITE:
                key.data.writable()
        elif isinstance(key.data, Breaker):
            if self._listeners.get(key.data) is key.fileobj:
                self._accept(key.data)
        elif isinstance(key.data, Announcer):
            if key.data.is_asked():
                for breaker in self.breakers:
                    self._announce(breaker, is_answer=True)
        else:
            self._drain_wakes()

    def run_due(self) -> None:
        """Do what the clock has made due: the thread's work, or a test's where the fleet was not started."""
        now_s = self.clock()
        while self._timers and self._timers[0][0] <= now_s:
            heapq.heappop(self._timers)[2]()

    def _drain_wakes(self) -> None:
        try:
            while self._wake_reader.recv(4096):
                pass
        except BlockingIOError:
            return

    def _wake(self) -> None:
        if self._running and threading.current_thread() is not self._thread:
            self._wake_writer.send(b"\0")

    def later(self, delay_s: float, action: Callable[[], None]) -> None:
        """Run an action on the fleet's thread after a delay, with the lock held."""
        with self.lock:
            entry = (self.clock() + delay_s, next(self._order), action)
            heapq.heappush(self._timers, entry)
            if self._timers[0] is entry:
                self._wake()

    # TCP

    def bind(self, breaker: Breaker) -> socket.socket:
        """Take the breaker's port, not listening yet. Raises OSError where it is taken."""
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setblocking(False)
        try:
            listener.bind((breaker.host, breaker.port))
        except OSError:
            listener.close()
            raise
        breaker.port = listener.getsockname()[1]
        self._listeners[breaker] = listener
        return listener

    def listen(self, breaker: Breaker) -> None:
        """Accept connections on the port that bind() took, and announce it soon."""
        self._listeners[breaker].listen(BACKLOG)
        self._selector.register(self._listeners[breaker], selectors.EVENT_READ, breaker)
        if self._announcer is not None and self._running:
            self.later(BOOT_ANNOUNCEMENT_S, lambda: self._announce(breaker))

    def close_listener(self, breaker: Breaker) -> None:
        """Let the port go; bind() must follow while the fleet runs."""
        listener = self._listeners.pop(breaker)
        if listener in self._selector.get_map():
            self._selector.unregister(listener)
        listener.close()

    def _accept(self, breaker: Breaker) -> None:
        try:
            connection, _ = self._listeners[breaker].accept()
        except OSError:
            return
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        breaker.connections += 1
        held = [line for line in self.lines_of(breaker) if not line.forgotten]
        if not self._is_admitted(breaker, held):
            breaker.refused += 1
            connection.close()
            return
        held = [line for line in held if line.open]
        session = Session(breaker, self.clock(), self._wall())
        line = Line(self, breaker, connection, session)
        self._lines.setdefault(breaker, []).append(line)
        breaker.most_at_once = max(breaker.most_at_once, len(held) + 1)
        self._selector.register(connection, selectors.EVENT_READ, line)
        if session.up:
            breaker.connected_now()
        self.later(TICK_S, lambda: self._tick(line))

    def _is_admitted(self, breaker: Breaker, held: Sequence[Line]) -> bool:
        """Whether a new connection is served beside the held ones; the fault `second` has its say."""
        if breaker in self.wedged or breaker.faults.get("busy") is not None:
            return False
        policy = (breaker.faults.get("second") or {"policy": "refuse"})["policy"]
        if not held or policy == "allow":
            return True
        if policy in ("evict", "wedge"):
            self.close_lines(breaker)
        if policy == "wedge":
            self.wedged.add(breaker)
        return bool(policy == "evict")

    def _tick(self, line: Line) -> None:
        if not line.open:
            return
        if line.session.idle(self.clock()) and not line.forgotten:
            line.close()
            return
        if line.session.up:
            line.breaker.tick()
        self.later(TICK_S, lambda: self._tick(line))

    def want_to_write(self, line: Line, wanted: bool) -> None:
        """Watch a line for writing, or no more."""
        if line.open:
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if wanted else 0)
            if self._selector.get_key(line.socket).events != events:
                self._selector.modify(line.socket, events, line)

    def line_closed(self, line: Line) -> None:
        """A line is about to close its socket."""
        self._selector.unregister(line.socket)
        self._lines[line.breaker].remove(line)

    def lines_of(self, breaker: Breaker) -> List[Line]:
        """The breaker's open connections, forgotten ones too."""
        return list(self._lines.get(breaker, []))

    def close_lines(self, breaker: Breaker, reset: bool = False) -> None:
        """End the breaker's connections: with FIN, or with RST."""
        for line in self.lines_of(breaker):
            line.close(reset)

    def _close_all(self) -> None:
        for breaker in self.breakers:
            self.close_lines(breaker)
            if breaker in self._listeners:
                self.close_listener(breaker)
        self._incidents.close()
        if self._announcer is not None:
            self._announcer.close()
        self._wake_reader.close()
        self._wake_writer.close()
        self._timers.clear()
        self._selector.close()

    # Called by breakers

    def is_served(self, breaker: Breaker) -> bool:
        """Whether a client holds a session with this breaker."""
        with self.lock:
            return any(line.session.up and not line.forgotten for line in self._lines.get(breaker, []))

    def is_powered(self, breaker: Breaker) -> bool:
        """Whether the breaker has mains."""
        return self._powered.get(breaker, True)

    def push(self, breaker: Breaker, dps: Mapping[int, Any]) -> None:
        """Send a report on the breaker's connection, if there is one."""
        for line in self.lines_of(breaker):
            line.push(dps)

    def set_powered(self, breaker: Breaker, powered: bool) -> None:
        """Note whether the breaker has mains."""
        self._powered[breaker] = powered

    def soon(self, breaker: Breaker) -> None:
        """Look at the report rules of this breaker now, not at its next second."""
        if self.is_served(breaker):
            self.later(0.0, breaker.tick)

    def push_every(self, breaker: Breaker, interval_s: Optional[float]) -> None:
        """Push all measuring DPs at this interval; None ends it."""
        token = object()
        with self.lock:
            self._pushing[breaker] = token
            if interval_s is not None:
                self.later(interval_s, lambda: self._push_on(breaker, interval_s, token))

    def _push_on(self, breaker: Breaker, interval_s: float, token: object) -> None:
        if self._pushing.get(breaker) is token:
            breaker.push()
            self.later(interval_s, lambda: self._push_on(breaker, interval_s, token))

    def power(self, breaker: Breaker, on: bool, silent: bool = False) -> None:
        """Cut or return a breaker's power."""
        with self.lock:
            self._incidents.power(breaker, on, silent)

    def fault(self, breaker: Breaker, name: str, parameters: Dict[str, Any]) -> None:
        """Switch a fault on at a breaker. Raises UnknownFault."""
        with self.lock:
            self._incidents.fault(breaker, name, parameters)

    def clear_faults(self, breaker: Breaker, names: Iterable[str]) -> None:
        """Switch faults off at a breaker."""
        with self.lock:
            self._incidents.clear(breaker, names)

    @staticmethod
    def require_loopback(host: str) -> None:
        """Raise ValueError for another host: simulated breakers never answer a network, their keys are for show."""
        if not ipaddress.ip_address(host).is_loopback:
            raise ValueError(f"{host} is not a loopback address; simulated breakers serve 127.x.y.z only")

    # UDP

    def _start_announcing(self, announcer: Announcer) -> None:
        questions = announcer.open()
        if questions is not None:
            self._selector.register(questions, selectors.EVENT_READ, announcer)
        for number, breaker in enumerate(self.breakers):
            delay_s = announcer.interval_s * number / len(self.breakers)
            self.later(delay_s, functools.partial(self._announce_on, breaker, announcer.interval_s))

    def _announce_on(self, breaker: Breaker, interval_s: float) -> None:
        self._announce(breaker)
        self.later(interval_s, lambda: self._announce_on(breaker, interval_s))

    def _announce(self, breaker: Breaker, is_answer: bool = False) -> None:
        """3.5 speaks only when asked, the others only of themselves; nobody while a client is connected."""
        speaks = (breaker.version == "3.5") is is_answer
        is_there = self.is_powered(breaker) and breaker.faults.get("unreachable") is None
        if self._announcer is not None and speaks and is_there and not self.is_served(breaker):
            self._announcer.announce(breaker)


def _product(product_id: str) -> Product:
    if product_id not in PRODUCTS:
        known = ", ".join(f"{product.product_id} ({product.model})" for product in PRODUCTS.values())
        raise ValueError(f"no simulated product {product_id}: one of {known}")
    return PRODUCTS[product_id]
