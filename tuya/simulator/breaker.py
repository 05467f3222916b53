"""One simulated breaker: identity, relay, DPs, what was written, what is reported.

Every method may be called from any thread: the lock of what surrounds the breaker guards the state, and what has to be
sent goes out through there.
"""

from __future__ import annotations

import math
import random
import threading
from dataclasses import dataclass
from typing import Any, Dict, Iterable, List, Mapping, Optional, Tuple, Union

from .distortion import FrameDistortion, boolean
from .faults import Faults
from .meter import Meter, Watts, as_load
from .outside import Outside
from .products import Dp, Product

Dps = Dict[int, Any]
KEY_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&()*+,-./:;<=>?@[]^_`{|}~'\"\\"
KEY_BYTES = 16
POWER_ON = {"off": False, "power_off": False, "on": True, "power_on": True}


@dataclass
class Boot:
    """What happened since the last power-up. woken: by UPDATEDPS or a command; handshakes, connections: how many."""

    woken: bool = False
    handshakes: int = 0
    connections: int = 0


class Breaker:
    """A simulated breaker of a fleet. Attributes are read freely; change it by its methods.

    connections: TCP connections accepted so far; most_at_once: most sessions held beside each other.
    refused: connections closed because another one was held; bad_frames: requests that failed their check.
    writes: (time of the fleet's clock, DPs) of each write command received; requests: commands received, by number.
    boot: what happened since its last power-up.
    """

    def __init__(self, outside: Outside, product: Product, version: str, host: str, seed: str) -> None:
        rng = random.Random(seed)
        self._outside = outside
        self._lock: threading.RLock = outside.lock
        self.product = product
        self.version = version
        self.host = host
        self.port = 0
        self.device_id = "bf" + "".join(rng.choice("0123456789abcdefghijklmnopqrstuvwxyz") for _ in range(18))
        self.local_key = random_key(rng)
        self.mac = ":".join(f"{rng.randrange(256):02x}" for _ in range(6))
        self.name = product.name
        self.meter = Meter(product, rng, outside.noise, outside.clock())
        self.faults = Faults(self.meter.values)
        self.distortion = FrameDistortion(self.faults)
        self._others: Dps = {dp.dp: dp.first for dp in product.dps if dp.dp not in self.meter.values}
        self._kinds: Dict[int, Dp] = {dp.dp: dp for dp in product.dps}
        self._countdown_ends_s: Optional[float] = None
        self._before: Tuple[float, Dps] = (-math.inf, {})
        self._alone_s = outside.clock()
        self.boot = Boot()
        self.writes: List[Tuple[float, Dps]] = []
        self.requests: Dict[int, int] = {}
        self.connections = 0
        self.most_at_once = 0
        self.refused = 0
        self.bad_frames = 0

    def __repr__(self) -> str:
        return f"Breaker({self.name!r}, {self.product.model}, {self.version}, {self.host}:{self.port})"

    @property
    def relay(self) -> bool:
        """Whether current can flow; a meter without a relay is always closed."""
        switch = self.product.switch_dp
        return True if switch is None else bool(self._others[switch])

    @property
    def dps(self) -> Dps:
        """A copy of all DPs as of now."""
        with self._lock:
            self._advance()
            return self._all_dps()

    @property
    def used_wh(self) -> float:
        """The true integral of consumed energy over all channels since the breaker was new."""
        with self._lock:
            self._advance()
            return sum(circuit.used_wh for circuit in self.meter.circuits.values())

    @property
    def returned_wh(self) -> float:
        """The true integral of returned energy over all channels since the breaker was new."""
        with self._lock:
            self._advance()
            return sum(circuit.returned_wh for circuit in self.meter.circuits.values())

    @property
    def connected(self) -> bool:
        """Whether a client holds a session under the right key."""
        return self._outside.is_served()

    def set_load(self, watts: Union[float, Watts], power_factor: float = 1.0, channel: Optional[str] = None) -> None:
        """Hang a load on one channel or on all of them: watts (negative: returned) or a function watts(t_s).

        It is measured at once and reported by the firmware's rule: from 5 % and 5 W, at most every 2 s.
        Raises KeyError for a channel that the product has not, ValueError for a power factor that is none.
        """
        with self._lock:
            self._advance()
            self.meter.set_load(as_load(watts, power_factor), self.product.channels if channel is None else [channel])
            self.meter.settle(self.relay)
            self._outside.soon()

    def set_relay(self, closed: bool) -> None:
        """The button on the breaker: it switches and pushes. Raises ValueError where there is no relay."""
        if self.product.switch_dp is None:
            raise ValueError(f"{self.product.model} has no relay")
        with self._lock:
            self._advance()
            self._remember()
            self._report(self._switch(closed))

    def trip(self) -> None:
        """The protection opens the relay; the relay and the cause are pushed."""
        with self._lock:
            self._advance()
            self._remember()
            self._report(self._trip())

    def push(self, dps: Union[Mapping[int, Any], Iterable[int], None] = None) -> None:
        """Push now: all measuring DPs (None), these DPs, or with a mapping these values, which are kept."""
        with self._lock:
            self._advance()
            if isinstance(dps, Mapping):
                self._keep(dps)
                self.send(dict(dps))
                return
            known = self._all_dps()
            chosen = self.meter.values if dps is None else dps
            self.send({dp: known[dp] for dp in chosen if dp in known})

    def push_every(self, interval_s: Optional[float]) -> None:
        """Push all measuring DPs at this interval, for load tests; None ends it."""
        self._outside.push_every(interval_s)

    def fault(self, name: str, **parameters: Any) -> None:
        """Switch a fault on (see faults.FAULTS for names and parameters). Raises UnknownFault."""
        self._outside.fault(name, parameters)

    def clear_faults(self, *names: str) -> None:
        """Switch these faults off, without names all of them."""
        self._outside.clear_faults(names)

    def stop(self, silent: bool = False) -> None:
        """Cut its power: connections end and its port refuses; silent: nothing is answered at all."""
        self._outside.power(False, silent)

    def start(self) -> None:
        """Give it power again, at the same address. The relay goes where its power-on state says."""
        self._outside.power(True)

    def move(self, port: Optional[int] = None, host: Optional[str] = None) -> None:
        """A new address, as after a new DHCP lease: connections end, the old address refuses.

        port: 0 for any. host: 127.x.y.z. Raises ValueError for another host, OSError where the address is taken.
        """
        self._outside.fault("move", {"port": port, "host": host})

    def entry(self) -> Dict[str, Any]:
        """This breaker as an entry of devices.json."""
        return {
            "name": self.name,
            "id": self.device_id,
            "key": self.local_key.decode(),
            "mac": self.mac,
            "uuid": self.device_id[-16:],
            "category": self.product.category,
            "product_name": self.product.name,
            "product_id": self.product.product_id,
            "model": self.product.model,
            "sub": False,
            "ip": self.host,
            "port": self.port,
            "version": self.version,
            "mapping": self.product.mapping(),
        }

    # What follows is called by what surrounds the breaker and by its sessions only, with the lock held.

    def send(self, dps: Mapping[int, Any]) -> None:
        """Push these DPs to whoever is connected; an empty push is none."""
        if dps:
            self.meter.reported(dps)
            self._outside.push(dict(dps))

    def _report(self, dps: Mapping[int, Any]) -> None:
        """What the firmware pushes by itself."""
        if self.faults.get("quiet") is None:
            self.send(dps)

    def tick(self) -> None:
        """Once a second while somebody is connected: what is due by the firmware's rule."""
        self._advance()
        now_s = self._outside.clock()
        alone = self.faults.get("text_only") or self.faults.get("no_query")
        if alone is not None:
            if now_s - self._alone_s >= alone["every_s"]:
                self._alone_s = now_s
                self.send(self._all_dps())
        elif self.faults.get("quiet") is None:
            self.send(self.meter.due(now_s))

    def query(self) -> Dps:
        """The answer to a full query. It counts as a report of what it holds."""
        self._advance()
        hidden = set(self.product.absent_from_query) | self.faults.named_dps("hide")
        found = {dp: value for dp, value in self._all_dps().items() if dp not in hidden}
        self.meter.reported(found)
        stale, (before_s, before) = self.faults.get("stale_query"), self._before
        if stale is not None and self._outside.clock() - before_s < stale["for_s"]:
            found.update({dp: before[dp] for dp in found if dp in before})
        return found

    def named(self, dps: Iterable[int]) -> Dps:
        """Those of these DPs that exist: the answer to a query by CONTROL_NEW with null values."""
        self._advance()
        known, hidden = self._all_dps(), self.faults.named_dps("hide")
        found = {dp: known[dp] for dp in dps if dp in known and dp not in hidden}
        self.meter.reported(found)
        return found

    def refresh(self, dps: Iterable[int]) -> Dps:
        """What UPDATEDPS of these DPs reports: the changed ones."""
        self._advance()
        return self.meter.changed(dps)

    def write(self, dps: Dps) -> Dps:
        """Apply a write. Returns what is reported after it: the DPs that exist, may be written and fit their type."""
        self._advance()
        self._remember()
        fitting: Dps = {}
        for dp, value in dps.items():
            kind = self._kinds.get(dp)
            meant = boolean(self.faults, value) if kind is not None and kind.kind == "Boolean" else value
            if kind is not None and _fits(kind, meant):
                fitting[dp] = meant
        report: Dps = {}
        for dp, value in fitting.items():
            if dp == self.product.switch_dp:
                report.update(self._switch(value))
            elif self._kinds[dp].code == "clear_energy":
                if value:
                    self.meter.clear_counters()
                report.update({dp: False, **self.meter.changed(self.meter.values)})
            else:
                self._keep({dp: value})
                report[dp] = value
        return report

    def write_and_report(self, dps: Dps) -> None:
        """Apply a write and report it; with the fault flicker the old state and the new one again, too."""
        report = self.write(dps)
        self.send(report)
        flicker, (_, before) = self.faults.get("flicker"), self._before
        if flicker is not None:
            self.report_later({dp: before[dp] for dp in report if dp in before}, flicker["gap_s"])
            self.report_later(report, 2 * flicker["gap_s"])

    def report_later(self, dps: Dps, delay_s: float) -> None:
        """Report these values after a delay, whatever they are by then."""
        self._outside.later(delay_s, lambda: self.send(dps))

    def zeros(self, dps: Iterable[int]) -> Dps:
        """What a write of nulls sets where it sets anything: the nothing of each DP's kind."""
        return {dp: _zero(self._kinds[dp]) for dp in dps if dp in self._kinds}

    def write_later(self, dps: Dps, delay_s: float) -> None:
        """Apply a write after a delay and report it then."""
        self._outside.later(delay_s, lambda: self.send(self.write(dps)))

    def connected_now(self) -> None:
        """A new client holds the connection."""
        self._advance()
        self.meter.forget_reports()

    def power_lost(self) -> None:
        """The mains are gone: what was consumed until now is counted."""
        self._advance()

    def power_returned(self) -> None:
        """The mains are back: nothing was consumed meanwhile; the relay goes where its power-on state says."""
        self.meter.advance(self._outside.clock(), closed=False)
        switch, state_dp = self.product.switch_dp, self.product.power_on_dp
        state = self._others.get(state_dp) if state_dp is not None else None
        if switch is not None and state in POWER_ON:
            self._others[switch] = POWER_ON[state]
        self._countdown_ends_s = None
        self.boot = Boot()
        self.faults.switch_off(["accept"])

    def new_key(self, key: Optional[str]) -> None:
        """Pair again: another local key, random where none is given. Raises ValueError for a wrong length."""
        chosen = random_key(random.Random()) if key is None else key.encode("latin-1")
        if len(chosen) != KEY_BYTES:
            raise ValueError(f"a local key has {KEY_BYTES} characters, not {len(chosen)}")
        self.local_key = chosen

    def _remember(self) -> None:
        """Keep the state as it is before a change, for what reports it once more."""
        self._before = self._outside.clock(), self._all_dps()

    def _all_dps(self) -> Dps:
        merged = {**self._others, **self.meter.values}
        if self._countdown_ends_s is not None and self.product.countdown_dp is not None:
            merged[self.product.countdown_dp] = max(0, round(self._countdown_ends_s - self._outside.clock()))
        return dict(sorted(merged.items()))

    def _advance(self) -> None:
        now_s = self._outside.clock()
        self.meter.advance(now_s, self.relay and self._outside.is_powered())
        if self._countdown_ends_s is not None and now_s >= self._countdown_ends_s:
            ended = {self.product.countdown_dp or 0: 0}
            self._keep(ended)
            self._report({**self._switch(not self.relay), **ended})

    def _switch(self, closed: bool) -> Dps:
        """Move the relay. Returns what is reported; a breaker with the trip fault opens again at once."""
        switch = self.product.switch_dp or 0
        self._others[switch] = closed
        report: Dps = {switch: closed}
        trip = self.faults.get("trip") if closed else None
        if closed:
            news = {dp: value for dp, value in self.product.calm.items() if self._others.get(dp) != value}
            self._others.update(news)
            report.update(news)
        if trip is not None:
            if not trip["delay_s"]:
                return self._trip()
            self._outside.later(trip["delay_s"], self.trip)
        self.meter.settle(closed)
        return report

    def _trip(self) -> Dps:
        report: Dps = {**({} if self.product.switch_dp is None else {self.product.switch_dp: False})}
        report.update(self.product.trip)
        self._others.update(report)
        self.meter.settle(self.relay)
        return report

    def _keep(self, dps: Mapping[int, Any]) -> None:
        for dp, value in dps.items():
            if dp in self.meter.values:
                self.meter.values[dp] = value
            else:
                self._others[dp] = value
        countdown_s = dps.get(self.product.countdown_dp) if self.product.countdown_dp is not None else None
        if countdown_s is not None:
            self._countdown_ends_s = self._outside.clock() + countdown_s if countdown_s else None


def _zero(dp: Dp) -> Any:
    """The nothing of a DP's kind."""
    if dp.kind == "Integer":
        return max(0, dp.values["min"])
    if dp.kind == "Enum":
        return dp.values["range"][0]
    return False if dp.kind == "Boolean" else ""


def _fits(dp: Dp, value: Any) -> bool:
    """Whether firmware takes this value: the type and, for enums, the word must be the thing model's."""
    if not dp.writable:
        return False
    if dp.kind == "Boolean":
        return isinstance(value, bool)
    if dp.kind == "Integer":
        limits = dp.values
        return isinstance(value, int) and not isinstance(value, bool) and limits["min"] <= value <= limits["max"]
    if dp.kind == "Enum":
        return value in dp.values["range"]
    return isinstance(value, str)


def random_key(rng: random.Random) -> bytes:
    """A local key: 16 characters of any kind, quotes and backslashes too, as real ones have."""
    return "".join(rng.choice(KEY_LETTERS) for _ in range(KEY_BYTES)).encode()
