"""What a breaker tells of a day's load: ticks of true power to frames, as the firmware of two families reports.

Every second the device has a mean of the last second, cut to its LSB. It pushes when W moved by 5 % and 5 W, at most
every 2 s; a refresh every 5 s brings what has changed since it was last told, a full query every 30 s everything.
A heartbeat every 9 s is answered. Frames can be lost, and outages cut everything.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Dict, Iterator, List, Mapping, Sequence, Tuple

from tuya.simulator.load import Watts

SAMPLES_A_SECOND = 4
PUSH_PAUSE_S, MOVED_SHARE, MOVED_W = 2.0, 0.05, 5.0
REFRESH_S, QUERY_S, HEARTBEAT_S = 5.0, 30.0, 9.0
LATENCY_S = 0.02
COUNTER_STEP_WH = 10.0


@dataclass(frozen=True)
class Device:
    """How one family reports. lsb_w: of W. pushes: on change of W. counter: kWh in steps of 0.01, at most every
    counter_pause_s.

    tells_zero: a W that became 0 is pushed like any other change. noise: relative, of each mean.
    refreshed: by UPDATEDPS every 5 s. push_pause_s: the least between two pushes.
    raw: V, I and W in one value, which so changes with V all the time.
    """

    lsb_w: float = 0.1
    pushes: bool = True
    push_pause_s: float = PUSH_PAUSE_S
    tells_zero: bool = True
    refreshed: bool = True
    query_has_w: bool = True
    raw: bool = False
    counter: bool = False
    query_has_counter: bool = True
    counter_pause_s: float = 60.0
    noise: float = 0.0


SY1 = Device()
PHASE_A = Device(lsb_w=1.0, query_has_w=False, raw=True, counter=True, noise=0.003)
RARE_COUNTER = replace(PHASE_A, query_has_counter=False, counter_pause_s=600.0)


@dataclass(frozen=True)
class Line:
    """What is between device and us. outages: (from_s, to_s) without any frame."""

    lost: float = 0.0
    outages: Tuple[Tuple[float, float], ...] = ()

    def is_out(self, at_s: float) -> bool:
        return any(start <= at_s < end for start, end in self.outages)


@dataclass(frozen=True)
class Frame:
    """One frame that arrived. power_w and counters_wh hold what it brought; both empty: an answer without readings."""

    at_s: float
    power_w: Mapping[str, float] = field(default_factory=dict)
    counter_wh: float = -1.0
    full: bool = False


class Truth:
    """The true load: means of each second, and Wh since 0 per direction, summed over the channels."""

    def __init__(self, means: Mapping[str, List[float]]) -> None:
        self.means = means
        each = list(zip(*means.values()))
        self.seconds = len(each)
        self._sums = {
            "used": [0.0, *accumulate(sum(max(w, 0.0) for w in one) / 3600 for one in each)],
            "returned": [0.0, *accumulate(sum(max(-w, 0.0) for w in one) / 3600 for one in each)],
        }

    @classmethod
    def of(cls, loads: Mapping[str, Watts], seconds: int) -> Truth:
        """Return that of these loads."""
        return cls({channel: _means(watts, seconds) for channel, watts in loads.items()})

    def wh(self, way: str, at_s: float) -> float:
        """Wh from 0 to at_s."""
        sums = self._sums[way]
        at_s = min(max(at_s, 0.0), self.seconds)
        whole = min(int(at_s), self.seconds - 1)
        return sums[whole] + (sums[whole + 1] - sums[whole]) * (at_s - whole)

    def shown_w(self, channel: str, at_s: float, device: Device, noise: Sequence[float]) -> float:
        """What the device has for this channel at at_s: the last whole second's mean, cut."""
        second = min(max(int(at_s) - 1, 0), self.seconds - 1)
        mean = self.means[channel][second] * (1 + noise[second])
        return round(mean / device.lsb_w) * device.lsb_w


def _means(watts: Watts, seconds: int) -> List[float]:
    return [
        sum(watts(s + (i + 0.5) / SAMPLES_A_SECOND) for i in range(SAMPLES_A_SECOND)) / SAMPLES_A_SECOND
        for s in range(seconds)
    ]


def noise_of(device: Device, seconds: int, seed: int) -> List[float]:
    rng = random.Random(seed)
    return [rng.gauss(0.0, device.noise) for _ in range(seconds)] if device.noise else [0.0] * seconds


def frames(truth: Truth, device: Device, line: Line, seed: int) -> Iterator[Frame]:
    """Yield what arrives in one day, in order. `seed`: phase of all clocks, noise and losses."""
    rng = random.Random(seed)
    noise = noise_of(device, truth.seconds, seed)
    refresh_s, query_s, heartbeat_s = rng.uniform(1, 5), 1.0, rng.uniform(1, 9)
    told: Dict[str, float] = {}
    told_counter, counter_told_s = -1.0, -math.inf
    pushed_s = -math.inf
    for second in range(1, truth.seconds + 1):
        now = {channel: truth.shown_w(channel, second, device, noise) for channel in truth.means}
        counter = math.floor(truth.wh("used", second) / COUNTER_STEP_WH) * COUNTER_STEP_WH
        events: List[Tuple[float, str]] = []
        moved = any(
            abs(w - told.get(ch, 0.0)) >= max(MOVED_W, MOVED_SHARE * abs(told.get(ch, 0.0))) for ch, w in now.items()
        )
        if device.pushes and moved and second - pushed_s >= device.push_pause_s:
            events.append((float(second), "push"))
        if device.counter and counter != told_counter and second - counter_told_s >= device.counter_pause_s:
            events.append((float(second), "counter"))
        while refresh_s < second + 1:
            events.append((refresh_s, "refresh" if device.refreshed else "alive"))
            refresh_s += REFRESH_S
        while query_s < second + 1:
            events.append((query_s, "query"))
            query_s += QUERY_S
        while heartbeat_s < second + 1:
            events.append((heartbeat_s, "alive"))
            heartbeat_s += HEARTBEAT_S
        for at_s, kind in sorted(events):
            if line.is_out(at_s):
                continue
            changed = {ch: w for ch, w in now.items() if device.raw or w != told.get(ch)}
            if not device.tells_zero:
                changed = {ch: w for ch, w in changed.items() if w != 0.0}
            frame = Frame(at_s + LATENCY_S)
            if kind == "push":
                frame, pushed_s = Frame(at_s + LATENCY_S, changed), at_s
            elif kind == "refresh":
                frame = Frame(at_s + LATENCY_S, changed)
            elif kind == "counter":
                frame, counter_told_s = Frame(at_s + LATENCY_S, {}, counter), at_s
            elif kind == "query":
                asked_wh = counter if device.counter and device.query_has_counter else -1.0
                frame = Frame(at_s + LATENCY_S, now if device.query_has_w else {}, asked_wh, True)
            told.update(frame.power_w)
            if frame.counter_wh >= 0:
                told_counter = counter
            if kind == "alive" or rng.random() >= line.lost:
                yield frame
