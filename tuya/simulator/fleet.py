"""A fleet of simulated breakers on loopback, served by one thread, with their announcements."""

from __future__ import annotations

import os
import threading
import time
from types import TracebackType
from typing import Any, Callable, Dict, List, Optional, Sequence, Type, Union

from .announce import INTERVAL_S, Announcer, Ports, waits_to_be_asked
from .breaker import Breaker
from .frames import VERSIONS
from .loop import Loop
from .place import require_loopback
from .products import PRODUCTS, Product
from .station import Station

BOOT_ANNOUNCEMENT_S = 0.1
MAX_NOISE = 100.0


class Fleet:
    """Simulated breakers that serve the LAN protocol on loopback; a context manager.

    product, version: one, or several that are dealt out in turn. host: 127.x.y.z. port: 0 for any free ports, else the
    first of `count` consecutive ones. announce: announce on UDP as real devices do (see announce.py), at
    announce_ports. load_w: what hangs on each breaker at first. noise: 1.0 as real mains, 0.0 exact. seed: for
    the same ids and keys each time; otherwise they are random, so that fleets never meet. clock: seconds for loads,
    reports and timers (a virtual one is polled); wall: what devices put into "t".
    breakers: the devices; stations: the same with what surrounds them, in the same order.
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
        require_loopback(host)
        self._loop = Loop(clock)
        self._announcer = Announcer(announce_ports, announce_interval_s) if announce else None
        chosen = seed if seed is not None else os.urandom(8).hex()
        products = [_product(name) for name in ([product] if isinstance(product, str) else product)]
        versions = [version] if isinstance(version, str) else list(version)
        if not set(versions) <= set(VERSIONS):
            raise ValueError(f"no protocol version {', '.join(versions)}: one of {', '.join(VERSIONS)}")
        self.stations: List[Station] = []
        if not 0.0 <= noise <= MAX_NOISE:
            raise ValueError(f"noise is 0 (exact) to {MAX_NOISE:.0f}, not {noise}")
        for number in range(count):
            kind = products[number % len(products)]
            station = Station(
                self._loop,
                kind,
                versions[number % len(versions)],
                host,
                f"{chosen}/{number}",
                noise=noise,
                wall=wall,
                listens=self._announce_soon,
            )
            station.breaker.name = f"{kind.name} {number + 1}"
            station.breaker.port = port + number if port else 0
            station.breaker.set_load(load_w)
            self.stations.append(station)
        self.breakers: List[Breaker] = [station.breaker for station in self.stations]

    def __enter__(self) -> Fleet:
        self.start()
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.stop()

    @property
    def lock(self) -> threading.RLock:
        """What all state of the fleet is under."""
        return self._loop.lock

    @property
    def clock(self) -> Callable[[], float]:
        """The fleet's clock, in seconds."""
        return self._loop.clock

    def start(self) -> None:
        """Listen with all breakers and start the thread. Raises OSError for a port in use, with nothing left open."""
        with self.lock:
            self._loop.open()
            try:
                for station in self.stations:
                    station.place.bind()
                    station.place.powered = True
                    station.place.listen()
            except OSError:
                self._close_all()
                raise
            if self._announcer is not None:
                self._start_announcing(self._announcer)
            self._loop.start()

    def stop(self) -> None:
        """End all connections and the thread. Idempotent. Raises what a load function raised on the thread."""
        if not self._loop.stop():
            return
        with self.lock:
            self._close_all()
            failure = self._loop.failure()
        if failure is not None:
            raise failure

    def devices(self) -> List[Dict[str, Any]]:
        """The fleet as the entries of a devices.json."""
        return [breaker.entry() for breaker in self.breakers]

    def run_due(self) -> None:
        """Do what the clock has made due, where the fleet was not started: for tests."""
        self._loop.run_due()

    def _close_all(self) -> None:
        for station in self.stations:
            station.place.close()
        if self._announcer is not None:
            self._announcer.close()
        self._loop.close()

    # Announcements

    def _start_announcing(self, announcer: Announcer) -> None:
        questions = announcer.open()
        if questions is not None:
            self._loop.watch(questions, lambda _: self._answer_question(announcer))
        for number, station in enumerate(self.stations):
            self._announce_on(station, announcer, announcer.interval_s * number / len(self.stations))

    def _announce_on(self, station: Station, announcer: Announcer, delay_s: float) -> None:
        def announce() -> None:
            self._announce(station, is_answer=False)
            self._announce_on(station, announcer, announcer.interval_s)

        self._loop.later(delay_s, announce)

    def _announce_soon(self, breaker: Breaker) -> None:
        """A breaker listens again: it has booted or moved, and says so."""
        if self._announcer is not None and self._loop.running:
            station = self.stations[self.breakers.index(breaker)]
            self._loop.later(BOOT_ANNOUNCEMENT_S, lambda: self._announce(station, is_answer=False))

    def _answer_question(self, announcer: Announcer) -> None:
        if announcer.is_asked():
            for station in self.stations:
                self._announce(station, is_answer=True)

    def _announce(self, station: Station, is_answer: bool) -> None:
        """3.5 speaks only when asked, the others only by themselves; nobody while a client is connected."""
        breaker = station.breaker
        speaks = waits_to_be_asked(breaker) is is_answer
        is_there = station.is_powered() and breaker.faults.get("unreachable") is None
        if self._announcer is not None and speaks and is_there and not station.is_served():
            self._announcer.announce(breaker)


def _product(product_id: str) -> Product:
    if product_id not in PRODUCTS:
        known = ", ".join(f"{product.product_id} ({product.model})" for product in PRODUCTS.values())
        raise ValueError(f"no simulated product {product_id}: one of {known}")
    return PRODUCTS[product_id]
