"""One simulated breaker put together: the breaker itself, its place in the network, and what can befall it."""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterable, Mapping, Optional

from .breaker import Breaker
from .incidents import Incidents
from .loop import Loop
from .outside import Outside
from .place import Place
from .products import Product


class Station(Outside):
    """What surrounds one breaker of a fleet (see Outside for the methods). breaker, place: what it is made of."""

    def __init__(
        self,
        loop: Loop,
        product: Product,
        version: str,
        host: str,
        seed: str,
        *,
        noise: float,
        wall: Callable[[], float],
        listens: Callable[[Breaker], None],
    ) -> None:
        self._loop = loop
        self.lock = loop.lock
        self.noise = noise
        self._pushing = object()
        self.breaker = Breaker(self, product, version, host, seed)
        self.place = Place(loop, self.breaker, wall, listens)
        self._incidents = Incidents(loop, self.breaker, self.place)

    def clock(self) -> float:
        """Seconds of the loop's clock."""
        return self._loop.clock()

    def later(self, delay_s: float, action: Callable[[], None]) -> None:
        """Run an action on the loop's thread."""
        self._loop.later(delay_s, action)

    def push(self, dps: Mapping[int, Any]) -> None:
        """Report on every connection."""
        for line in self.place.lines():
            line.push(dps)

    def is_served(self) -> bool:
        """Whether a client holds a session."""
        with self.lock:
            return self.place.is_served()

    def is_powered(self) -> bool:
        """Whether there is mains."""
        return self.place.powered

    def soon(self) -> None:
        """Look at the report rules at once."""
        if self.is_served():
            self.later(0.0, self.breaker.tick)

    def push_every(self, interval_s: Optional[float]) -> None:
        """Push all measuring DPs at this interval; None ends it."""
        token = object()
        with self.lock:
            self._pushing = token
            if interval_s is not None:
                self.later(interval_s, lambda: self._push_on(interval_s, token))

    def _push_on(self, interval_s: float, token: object) -> None:
        if self._pushing is token:
            self.breaker.push()
            self.later(interval_s, lambda: self._push_on(interval_s, token))

    def power(self, on: bool, silent: bool = False) -> None:
        """Cut or return the power."""
        with self.lock:
            self.place.power(on, silent)

    def fault(self, name: str, parameters: Dict[str, Any]) -> None:
        """Switch a fault on. Raises UnknownFault."""
        with self.lock:
            self._incidents.fault(name, parameters)

    def clear_faults(self, names: Iterable[str]) -> None:
        """Switch faults off."""
        with self.lock:
            self._incidents.clear(names)
