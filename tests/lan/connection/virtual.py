"""A link and a simulated breaker of any version in virtual time: no socket, no thread, no waiting.

Each way between the two can be late or stand still; a connection that is aborted loses what is still on its way.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import random
import threading
from functools import partial
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Tuple, Type, TypeVar

from tuya.lan.client import Device, Polling
from tuya.lan.connection.link import Link
from tuya.lan.events import Connected, Event
from tuya.simulator import FAULTS, Breaker
from tuya.simulator.faults import checked
from tuya.simulator.products import PRODUCTS
from tuya.simulator.session import Session

MEASURING = (18, 19, 20)
E = TypeVar("E")
Rewrite = Callable[[bytes], Iterable[bytes]]


class World:
    """One breaker behind one link. events: all that the link told; closes: (when, whether aborted).

    stalled: what the client sends stands still, until unstall(). rewrite: what becomes of a frame to the client.
    accepted: called when a connection has been made.
    """

    def __init__(self, version: str, product: str = "jdj6ccklup7btq3a", **device: Any) -> None:
        self.lock = threading.RLock()
        self.noise = 0.0
        self.now_s = 1000.0
        self._actions: List[Tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self.breaker = Breaker(self, PRODUCTS[product], version, "10.0.0.5", "virtual")
        self.breaker.set_load(230.0)
        self.events: List[Event] = []
        self.closes: List[Tuple[float, bool]] = []
        self.connects: List[Tuple[float, str]] = []
        self.session: Optional[Session] = None
        self.stalled = False
        self._carry_up = self._carry_down = partial(self.later, 0.0)
        self.accepted: Callable[[], None] = lambda: None
        self.rewrite: Rewrite = lambda frame: [frame]
        self._held: List[bytes] = []
        self._connection = 0
        settings: Dict[str, Any] = {
            "address": "10.0.0.5",
            "version": version,
            "version_fixed": True,
            "name": "Oven",
            **device,
        }
        self.link = Link(
            Device(self.breaker.device_id, settings.pop("local_key", self.breaker.local_key), **settings),
            Polling(refresh_dps=MEASURING, query_dps=MEASURING),
            self.events.append,
            self,
            rng=random.Random(1),
            wall_time=lambda: 1.7e9 + self.now_s,
            random_bytes=random.Random(2).randbytes,
        )

    # -- time

    def clock(self) -> float:
        return self.now_s

    def later(self, delay_s: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._actions, (self.now_s + delay_s, next(self._numbers), action))

    def run(self, seconds: float) -> None:
        """Let time pass: the link is ticked exactly at its deadlines."""
        until_s = self.now_s + seconds
        for _ in range(100_000):
            due_s = min(self.link.deadline_s, self._actions[0][0] if self._actions else until_s + 1.0)
            if due_s > until_s:
                break
            self.now_s = max(self.now_s, due_s)
            if self._actions and self._actions[0][0] <= self.now_s:
                heapq.heappop(self._actions)[2]()
            else:
                self.link.tick(self.now_s)
        else:
            raise AssertionError("the deadline does not move")
        self.now_s = until_s

    def up(self) -> World:
        """Start, and have all values."""
        self.link.start(self.now_s)
        self.run(6.0)
        assert self.of(Connected)
        return self

    def of(self, kind: Type[E]) -> List[E]:
        return [event for event in self.events if isinstance(event, kind)]

    # -- the link's transport

    def connect(self, address: str, _port: int) -> None:
        self.connects.append((self.now_s, address))
        self._connection += 1
        self.session = Session(self.breaker, self.now_s, 1.7e9 + self.now_s)
        number = self._connection
        self.later(0.001, lambda: self._opened(number))

    def _opened(self, number: int) -> None:
        if number == self._connection:
            self.link.tcp_opened(self.now_s)
            self.accepted()

    def hang_up(self) -> None:
        """The breaker ends the connection, whichever it is."""
        if self.session is not None:
            self.session = None
            self.link.tcp_closed(self.now_s)

    def send(self, data: bytes) -> None:
        if self.stalled:
            self._held.append(data)
        else:
            number = self._connection
            self._carry_up(lambda: self._arrives(data, number))

    def close(self, *, abort: bool) -> None:
        self.closes.append((self.now_s, abort))
        self.session = None
        self._connection += 1
        if abort:
            self._held.clear()

    def is_taken(self) -> bool:
        return not self._held

    # -- the ways

    def late(self, seed: int, least_s: float, most_s: float) -> None:
        """From now on each message takes that long, in both directions; none overtakes another."""
        delays = random.Random(seed)
        free_s = {"up": 0.0, "down": 0.0}

        def later(way: str, action: Callable[[], None]) -> None:
            free_s[way] = max(free_s[way], self.now_s + delays.uniform(least_s, most_s))
            self.later(free_s[way] - self.now_s, action)

        self._carry_up, self._carry_down = partial(later, "up"), partial(later, "down")

    def stall(self) -> None:
        """From now on nothing arrives at the breaker."""
        self.stalled = True

    def unstall(self) -> None:
        """What stood still arrives, unless its connection was aborted."""
        self.stalled = False
        held, self._held = self._held, []
        for data in held:
            self._arrives(data, self._connection)

    def _arrives(self, data: bytes, number: int) -> None:
        if self.session is not None and number == self._connection:
            self.session.receive(data, self.now_s)
            self.flush()

    def flush(self) -> None:
        """What the breaker has to say goes to the client."""
        session, number = self.session, self._connection
        if session is None:
            return
        frames, session.out = session.out, []
        for frame, _ in frames:
            for piece in self.rewrite(frame):
                self._carry_down(partial(self._comes, piece, number))
        if session.closing:
            self._carry_down(lambda: self.hang_up() if number == self._connection else None)

    def _comes(self, piece: bytes, number: int) -> None:
        if self.session is not None and number == self._connection:
            self.link.received(piece, self.now_s)

    # -- the breaker's outside

    def push(self, dps: Mapping[int, Any]) -> None:
        if self.session is not None:
            self.session.push(dps, self.now_s)
            self.flush()

    def is_served(self) -> bool:
        return self.session is not None and self.session.up

    def is_powered(self) -> bool:
        return True

    def soon(self) -> None:
        pass

    def push_every(self, interval_s: Optional[float]) -> None:
        """Push all measuring DPs at this interval, for ever."""
        if interval_s is not None:
            step_s = interval_s

            def again() -> None:
                self.push(self.breaker.meter.values)
                self.later(step_s, again)

            again()

    def power(self, on: bool, silent: bool = False) -> None:
        raise NotImplementedError("not in virtual time")

    def fault(self, name: str, parameters: Dict[str, Any]) -> None:
        assert not FAULTS[name].once, "not in virtual time"
        self.breaker.faults.switch_on(name, checked(name, parameters))

    def clear_faults(self, names: Iterable[str]) -> None:
        with contextlib.suppress(KeyError):
            self.breaker.faults.switch_off(names)
