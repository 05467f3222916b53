"""The meter of a simulated breaker: loads to volts, amperes and watts, and these to DPs. Time is passed in.

A real meter shows means over a second, cut to the DP's LSB, and its firmware reports by rule: at once when the power
moved by 5 % and 5 W, at most every 2 s, and now and then everything that changed; what did not change is left out.
"""

from __future__ import annotations

import base64
import math
import random
import struct
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterable, Mapping, Tuple, Union

from .products import Feed, Product

Watts = Callable[[float], float]  # power in W (negative: returned) at a time in s of the fleet's clock

MEAN_S = 1.0
MEAN_SAMPLES = 4
PUSH_PAUSE_S = 2.0
MOVED_SHARE, MOVED_W = 0.05, 5.0
NOISE_V, NOISE_SHARE_W = 0.3, 0.003  # standard deviations of what a meter on real mains shows
MAINS_V, WANDER_V, WANDER_PERIOD_S = 230.0, 1.5, 900.0
MAINS_HZ = 50.0
MAX_LOAD_W = 1e6
ROUNDING_STEPS = 1e-6
IDLE_STEPS = 120  # time that nobody watched is made up in at most so many steps
AMBIENT_C, HEATING_C_PER_A = 24.0, 0.4
COUNTERS = ("used", "returned", "increment")


@dataclass(frozen=True)
class Load:
    """What hangs on one channel. power_factor: 0 < cos phi <= 1."""

    watts: Watts
    power_factor: float = 1.0


@dataclass
class Circuit:
    """What the meter shows for one channel: means over the last second; Wh are true integrals since it was new."""

    voltage_v: float = MAINS_V
    current_a: float = 0.0
    power_w: float = 0.0
    power_factor: float = 1.0
    used_wh: float = 0.0
    returned_wh: float = 0.0


def steady(watts: float) -> Watts:
    """A load that never changes."""
    return lambda _: watts


class Meter:
    """Measures and decides what is worth a report.

    product: whose feeds are filled. noise: 1.0 as on real mains (0.3 V and 0.3 % W), 0.0 exact. now_s: its birth.
    """

    def __init__(self, product: Product, rng: random.Random, noise: float, now_s: float) -> None:
        self._product = product
        self._rng = rng
        self._noise = noise
        self._now_s = now_s
        self._loads = {channel: Load(steady(0.0)) for channel in product.channels}
        self.circuits = {channel: Circuit() for channel in product.channels}
        first = {dp.dp: dp.first for dp in product.dps}
        self._counter_start_wh: Dict[int, float] = {
            feed.dp: first[feed.dp] * feed.lsb for feed in product.feeds if feed.quantity in COUNTERS
        }
        self.values: Dict[int, Any] = {feed.dp: first[feed.dp] for feed in product.feeds}
        self._reported: Dict[int, Any] = {}
        self._pushed_w: Dict[str, float] = dict.fromkeys(product.channels, 0.0)
        self._last_push_s = -math.inf
        self._next_report_s = now_s + product.report_interval_s
        self._next_increment_s = now_s + product.increment_interval_s
        self._increment_base_wh = 0.0

    def set_load(self, load: Load, channels: Iterable[str]) -> None:
        """Put this load on these channels. Raises KeyError for a channel that the product has not."""
        if not 0.0 < load.power_factor <= 1.0:
            raise ValueError(f"a power factor is above 0 and at most 1, not {load.power_factor}")
        for channel in channels:
            if channel not in self._loads:
                raise KeyError(f"no channel {channel}: {self._product.model} has {', '.join(self._loads)}")
            self._loads[channel] = load

    def advance(self, now_s: float, closed: bool) -> None:
        """Let time go on to now_s. closed: the relay; a meter without one is always closed."""
        passed_s = now_s - self._now_s
        if passed_s <= 0.0:
            return
        steps = max(1, min(IDLE_STEPS, round(passed_s / MEAN_S)))
        for step in range(1, steps + 1):
            self._measure(self._now_s + passed_s * step / steps, passed_s / steps, closed)
        self._now_s = now_s
        self._show(now_s)

    def settle(self, closed: bool) -> None:
        """Show the load of this very moment instead of the mean: it was switched, and a reading follows at once."""
        self._measure(self._now_s, 0.0, closed)
        self._show(self._now_s)

    def _measure(self, at_s: float, step_s: float, closed: bool) -> None:
        """One mean: over the last step, which is a second while somebody is connected."""
        for index, channel in enumerate(self._product.channels):
            circuit, load = self.circuits[channel], self._loads[channel]
            angle = 2 * math.pi * (at_s / WANDER_PERIOD_S + self._product.phases[index] / 3)
            circuit.voltage_v = MAINS_V + WANDER_V * math.sin(angle) * self._noise + self._gauss(NOISE_V)
            watts = 0.0
            if closed:
                offsets = ((sample + 0.5) / MEAN_SAMPLES * step_s for sample in range(MEAN_SAMPLES))
                watts = sum(load.watts(at_s - offset) for offset in offsets) / MEAN_SAMPLES
                watts *= 1.0 + self._gauss(NOISE_SHARE_W)
            circuit.power_w = watts
            circuit.power_factor = load.power_factor
            circuit.current_a = abs(watts) / (circuit.voltage_v * load.power_factor)
            moved_wh = watts * step_s / 3600.0
            circuit.used_wh += max(moved_wh, 0.0)
            circuit.returned_wh += max(-moved_wh, 0.0)

    def _gauss(self, deviation: float) -> float:
        return self._rng.gauss(0.0, deviation) * self._noise if self._noise else 0.0

    def _show(self, now_s: float) -> None:
        for feed in self._product.feeds:
            if feed.quantity == "increment":
                self._show_increment(feed, now_s)
            elif feed.quantity == "phase":
                self.values[feed.dp] = phase_record(self.circuits[feed.channel])
            else:
                shown = self._quantity(feed) / feed.lsb
                self.values[feed.dp] = whole_steps(shown) if feed.quantity in COUNTERS else round(shown)

    def _show_increment(self, feed: Feed, now_s: float) -> None:
        """Whole Wh of the period that ended; the rest goes to the next one. It is reported even where it is equal."""
        if now_s < self._next_increment_s:
            return
        while self._next_increment_s <= now_s:
            self._next_increment_s += self._product.increment_interval_s
        used_wh = sum(circuit.used_wh for circuit in self.circuits.values())
        whole = whole_steps(used_wh - self._increment_base_wh)
        if whole >= 1:
            self._increment_base_wh += whole
            self.values[feed.dp] = whole
            self._reported.pop(feed.dp, None)

    def _quantity(self, feed: Feed) -> float:
        chosen = list(self.circuits.values()) if feed.channel == "total" else [self.circuits[feed.channel]]
        if feed.quantity == "used":
            return self._counter_start_wh[feed.dp] + sum(circuit.used_wh for circuit in chosen)
        if feed.quantity == "returned":
            return self._counter_start_wh[feed.dp] + sum(circuit.returned_wh for circuit in chosen)
        if feed.quantity == "power":
            return sum(circuit.power_w for circuit in chosen)
        if feed.quantity == "current":
            return sum(circuit.current_a for circuit in chosen)
        if feed.quantity == "voltage":
            return chosen[0].voltage_v
        if feed.quantity == "frequency":
            return MAINS_HZ
        if feed.quantity == "temperature":
            return AMBIENT_C + HEATING_C_PER_A * max(circuit.current_a for circuit in chosen)
        return _common_power_factor(chosen)

    def clear_counters(self) -> None:
        """What clear_energy does: counters go on from 0."""
        for feed in self._product.feeds:
            if feed.quantity in ("used", "returned"):
                self._counter_start_wh[feed.dp] -= self._quantity(feed)
        self._show(self._now_s)

    def due(self, now_s: float) -> Dict[int, Any]:
        """The DPs to push by the firmware's own rule, often none. They count as reported."""
        moved = any(
            abs(circuit.power_w - self._pushed_w[channel]) >= max(MOVED_W, MOVED_SHARE * abs(self._pushed_w[channel]))
            for channel, circuit in self.circuits.items()
        )
        is_report = now_s >= self._next_report_s
        while self._next_report_s <= now_s:
            self._next_report_s += self._product.report_interval_s
        if is_report or (moved and now_s - self._last_push_s >= PUSH_PAUSE_S):
            self._last_push_s = now_s
            return self.changed(self.values)
        increments = (feed.dp for feed in self._product.feeds if feed.quantity == "increment")
        return self.changed(increments)

    def changed(self, dps: Iterable[int]) -> Dict[int, Any]:
        """Those of these DPs whose value was not reported yet. They count as reported."""
        found = {dp: self.values[dp] for dp in dps if dp in self.values and self._is_news(dp)}
        self.reported(found)
        return found

    def _is_news(self, dp: int) -> bool:
        missing = object()
        known = self._reported.get(dp, missing)
        return known is missing or known != self.values[dp]

    def reported(self, dps: Mapping[int, Any]) -> None:
        """These values went out in some frame."""
        self._reported.update({dp: value for dp, value in dps.items() if dp in self.values})
        for feed in self._product.feeds:
            if feed.dp in dps and feed.channel in self._pushed_w and feed.quantity in ("power", "phase"):
                self._pushed_w[feed.channel] = self.circuits[feed.channel].power_w

    def forget_reports(self) -> None:
        """A new client knows nothing: every reading but an old increment is news again."""
        increments = {feed.dp for feed in self._product.feeds if feed.quantity == "increment"}
        self._reported = {dp: value for dp, value in self.values.items() if dp in increments}


def whole_steps(steps: float) -> int:
    """The steps that a counter shows: whole ones, where a sum of many seconds may lack a rounding error."""
    return math.floor(steps + ROUNDING_STEPS)


def phase_record(circuit: Circuit) -> str:
    """8 bytes in base64: V u16 0.1 V, I u24 mA, P u24 W (without sign)."""
    milliamperes, watts = round(circuit.current_a * 1000), round(abs(circuit.power_w))
    packed = struct.pack(">HI", round(circuit.voltage_v * 10), milliamperes << 8 | watts >> 16 & 0xFF)
    return base64.b64encode(packed + struct.pack(">H", watts & 0xFFFF)).decode()


def _common_power_factor(circuits: Iterable[Circuit]) -> float:
    powers: Tuple[Tuple[float, float], ...] = tuple((abs(c.power_w), c.voltage_v * c.current_a) for c in circuits)
    apparent_va = sum(va for _, va in powers)
    return min(1.0, sum(w for w, _ in powers) / apparent_va) if apparent_va else 1.0


def as_load(watts: Union[float, Watts], power_factor: float = 1.0) -> Load:
    """A number of watts or a function watts(t_s), as a Load. Raises ValueError for watts that no mains can carry."""
    if not callable(watts) and not abs(watts) <= MAX_LOAD_W:
        raise ValueError(f"a load is at most {MAX_LOAD_W:.0f} W, not {watts}")
    return Load(watts if callable(watts) else steady(float(watts)), power_factor)
