"""Loads drawn by chance: each kind with its own periods, duties, inrush, plateaus and drifts, new ones for each seed.

A load is a run of pieces (seconds, watts at the start, watts at the end), straight in between; `means_of` makes the
exact mean of each second of them. Negative watts are returned to the grid.
"""

from __future__ import annotations

import random
from typing import Callable, Dict, Iterator, List, Tuple

Piece = Tuple[float, float, float]
Pieces = Iterator[Piece]
Kind = Callable[[random.Random], Pieces]


def _flat(seconds: float, watts: float) -> Piece:
    return seconds, watts, watts


def _settling(rng: random.Random, seconds: float, first_w: float, last_w: float) -> Pieces:
    """Pieces that come close to last_w like a cooling motor does: fast at first."""
    shares = [rng.uniform(0.03, 0.08), rng.uniform(0.1, 0.2), rng.uniform(0.2, 0.4)]
    watts, left_s = first_w, seconds
    for share in shares:
        next_w = last_w + (watts - last_w) * 0.4
        yield seconds * share, watts, next_w
        watts, left_s = next_w, left_s - seconds * share
    yield left_s, watts, last_w


def induction_hob(rng: random.Random) -> Pieces:
    """Meals of 10 to 50 min: 2 s on of each 4 to 9 s."""
    off_w = rng.uniform(0.0, 3.0)
    while True:
        yield _flat(rng.uniform(600, 7200), off_w)
        for _ in range(rng.randint(1, 4)):
            on_w, period_s = rng.uniform(900, 3500), rng.uniform(4, 9)
            for _ in range(int(rng.uniform(300, 900) / period_s)):
                yield _flat(2.0, on_w * rng.uniform(0.99, 1.01))
                yield _flat(period_s - 2.0, off_w)


def washing_machine(rng: random.Random) -> Pieces:
    """Drum pulses of 7 to 14 s, a heater for a while, spinning at the end."""
    idle_w, heater_w, drum_w = rng.uniform(0.3, 3), rng.uniform(1700, 2300), rng.uniform(80, 300)
    while True:
        yield _flat(rng.uniform(300, 5000), idle_w)
        heating_s = rng.uniform(600, 1500)
        for _ in range(rng.randint(80, 250)):
            base_w = heater_w if heating_s > 0 else idle_w + 3
            on_s, off_s = rng.uniform(7, 14), rng.uniform(2, 12)
            if rng.random() < 0.5:
                yield _flat(rng.uniform(0.2, 0.8), base_w + drum_w * rng.uniform(2, 4))
            yield _flat(on_s, base_w + drum_w * rng.uniform(0.8, 1.2))
            yield _flat(off_s, base_w)
            heating_s -= on_s + off_s
        for _ in range(rng.randint(2, 6)):
            yield rng.uniform(10, 40), idle_w + 3, drum_w * 2.5
            yield _flat(rng.uniform(20, 200), drum_w * rng.uniform(1.5, 2.2))
            yield rng.uniform(4, 20), drum_w, idle_w + 3


def freezer(rng: random.Random) -> Pieces:
    """A compressor with inrush and a falling plateau."""
    off_w, start_w = rng.uniform(0, 2), rng.uniform(90, 220)
    last_w = start_w * rng.uniform(0.6, 0.9)
    inrush_w, inrush_s = start_w * rng.uniform(3, 9), rng.uniform(0.2, 1.2)
    on_s, off_s = rng.uniform(300, 1500), rng.uniform(600, 2400)
    yield _flat(rng.uniform(0, off_s), off_w)
    while True:
        yield inrush_s * rng.uniform(0.8, 1.2), inrush_w, inrush_w * rng.uniform(0.5, 0.9)
        yield from _settling(rng, on_s * rng.uniform(0.8, 1.2), start_w * rng.uniform(1.0, 1.3), last_w)
        yield _flat(off_s * rng.uniform(0.8, 1.2), off_w)


def kettle(rng: random.Random) -> Pieces:
    """1 to 4 min of 1.8 to 3 kW that falls a little as the element warms."""
    on_w, off_w, sag = rng.uniform(1800, 3000), rng.choice([0.0, rng.uniform(0, 2)]), rng.uniform(0.97, 1.0)
    while True:
        yield _flat(rng.uniform(600, 9000), off_w)
        yield rng.uniform(60, 240), on_w, on_w * sag


def inverter_air_conditioner(rng: random.Random) -> Pieces:
    """Slow ways between powers, off now and then."""
    low_w, high_w = rng.uniform(150, 400), rng.uniform(700, 2000)
    while True:
        watts = rng.uniform(low_w, high_w)
        yield rng.uniform(10, 120), low_w / 4, watts
        for _ in range(rng.randint(10, 60)):
            next_w = min(max(watts * rng.uniform(0.7, 1.35), low_w), high_w)
            yield rng.uniform(5, 200), watts, next_w
            yield _flat(rng.uniform(0, 200), next_w)
            watts = next_w
        yield rng.uniform(2, 20), watts, rng.uniform(2, 20)
        yield _flat(rng.uniform(60, 3600), rng.uniform(2, 20))


def electric_car(rng: random.Random) -> Pieces:
    """Hours at 1.4 to 11 kW, with a ramp, steps of surplus charging, and a tail."""
    idle_w = rng.uniform(2, 8)
    while True:
        yield _flat(rng.uniform(600, 9000), idle_w)
        watts = rng.uniform(1400, 11000)
        yield rng.uniform(3, 20), idle_w, watts
        for _ in range(rng.randint(1, 12)):
            yield rng.uniform(300, 1800), watts, watts * rng.uniform(0.99, 1.01)
            watts = min(max(watts + rng.choice([-230, 230, 460, -460]), 1400), 11000)
        yield rng.uniform(300, 1500), watts, watts * rng.uniform(0.1, 0.6)


def standby(rng: random.Random) -> Pieces:
    """A few watts, with short awakenings."""
    idle_w = rng.uniform(0.5, 12)
    while True:
        yield _flat(rng.uniform(100, 3000), idle_w)
        yield _flat(rng.uniform(0.5, 40), idle_w * rng.uniform(1.1, 4))


def toaster(rng: random.Random) -> Pieces:
    """A thermostat: iron, toaster, griddle; on 4 to 25 s, off 5 to 60 s, a pause of minutes to hours."""
    on_w, on_s, off_s = rng.uniform(600, 2400), rng.uniform(4, 25), rng.uniform(5, 60)
    while True:
        yield rng.uniform(40, 200), on_w * rng.uniform(1.0, 1.1), on_w
        for _ in range(rng.randint(5, 60)):
            yield _flat(off_s * rng.uniform(0.7, 1.3), 0.0)
            yield _flat(on_s * rng.uniform(0.7, 1.3), on_w)
        yield _flat(rng.uniform(300, 5000), 0.0)


def solar_roof(rng: random.Random) -> Pieces:
    """Feed-in with clouds over a small house load: mostly negative."""
    sun_w, house_w = rng.uniform(400, 6000), rng.uniform(60, 400)
    clear = 1.0
    while True:
        clear_w, watts = house_w - sun_w * clear, house_w - sun_w * rng.uniform(0.1, 0.7)
        yield rng.uniform(1, 30), clear_w, watts
        yield rng.uniform(5, 200), watts, watts * rng.uniform(0.9, 1.1)
        clear = rng.uniform(0.75, 1.0)
        yield rng.uniform(1, 30), watts, house_w - sun_w * clear
        yield _flat(rng.uniform(20, 1500), house_w - sun_w * clear)


def pump(rng: random.Random) -> Pieces:
    """A pressure pump: 1 to 8 s with a long inrush, each 15 to 200 s while water is drawn."""
    on_w, inrush, off_w = rng.uniform(250, 1200), rng.uniform(1.5, 5), rng.uniform(0, 2)
    inrush_s, on_s, off_s = rng.uniform(0.1, 0.8), rng.uniform(1, 8), rng.uniform(15, 200)
    while True:
        for _ in range(rng.randint(3, 40)):
            yield inrush_s, on_w * inrush, on_w * 1.2
            yield on_s * rng.uniform(0.8, 1.2), on_w * 1.05, on_w
            yield _flat(off_s * rng.uniform(0.5, 1.5), off_w)
        yield _flat(rng.uniform(60, 3600), off_w)


def dimmer(rng: random.Random) -> Pieces:
    """Lamps turned up and down, in steps and slowly."""
    while True:
        watts = rng.uniform(5, 300)
        for _ in range(rng.randint(1, 8)):
            next_w = rng.uniform(5, 300)
            yield rng.choice([0.1, rng.uniform(1, 60)]), watts, next_w
            yield _flat(rng.uniform(5, 1800), next_w)
            watts = next_w
        yield _flat(rng.uniform(60, 3600), 0.0)


def microwave(rng: random.Random) -> Pieces:
    """1 to 15 min of a magnetron that is on for a part of each 10 to 32 s; fan and lamp in between."""
    on_w, fan_w, off_w = rng.uniform(900, 1700), rng.uniform(30, 80), rng.uniform(0.5, 3)
    while True:
        yield _flat(rng.uniform(300, 5000), off_w)
        period_s, duty = rng.uniform(10, 32), rng.uniform(0.2, 1.0)
        for _ in range(int(rng.uniform(60, 900) / period_s) + 1):
            yield _flat(rng.uniform(0.1, 0.4), on_w * rng.uniform(1.1, 1.8))
            yield period_s * duty, on_w, on_w * rng.uniform(0.97, 1.0)
            yield _flat(period_s * (1 - duty), fan_w)


def laser_printer(rng: random.Random) -> Pieces:
    """A fuser that heats for 0.5 to 3 s each 8 to 60 s, and pages in between."""
    fuser_w, ready_w, period_s = rng.uniform(500, 1100), rng.uniform(5, 40), rng.uniform(8, 60)
    while True:
        for _ in range(rng.randint(20, 200)):
            yield _flat(rng.uniform(0.5, 3), fuser_w)
            yield _flat(period_s * rng.uniform(0.8, 1.2), ready_w)
        for _ in range(rng.randint(1, 60)):
            yield _flat(rng.uniform(1, 4), fuser_w * rng.uniform(0.4, 1.0))
            yield _flat(rng.uniform(1, 4), ready_w * 3)


def power_tool(rng: random.Random) -> Pieces:
    """A saw or a vacuum cleaner: a hard start, work that varies each second, then nothing."""
    run_w = rng.uniform(400, 2000)
    while True:
        yield _flat(rng.uniform(20, 2000), 0.0)
        yield rng.uniform(0.2, 1.0), run_w * rng.uniform(2, 5), run_w
        for _ in range(rng.randint(3, 120)):
            yield rng.uniform(0.5, 4), run_w * rng.uniform(0.6, 1.3), run_w * rng.uniform(0.6, 1.3)


KINDS: Dict[str, Kind] = {
    kind.__name__.replace("_", " "): kind
    for kind in (
        induction_hob,
        washing_machine,
        freezer,
        kettle,
        inverter_air_conditioner,
        electric_car,
        standby,
        toaster,
        solar_roof,
        pump,
        dimmer,
        microwave,
        laser_printer,
        power_tool,
    )
}
RETURNING = ("solar roof",)
"""What is counted of these is what they return."""


def means_of(pieces: Pieces, seconds: int) -> List[float]:
    """Return the exact mean W of each of the first `seconds` seconds."""
    means = [0.0] * seconds
    now_s = 0.0
    for length_s, first_w, last_w in pieces:
        end_s = now_s + length_s
        slope = (last_w - first_w) / length_s if length_s > 0 else 0.0
        at_s = now_s
        while at_s < end_s:
            second = int(at_s)
            if second >= seconds:
                return means
            until_s = min(end_s, second + 1.0)
            middle_w = first_w + slope * ((at_s + until_s) / 2 - now_s)
            means[second] += middle_w * (until_s - at_s)
            at_s = until_s
        now_s = end_s
    return means


def drawn(kind: str, seed: int, seconds: int) -> List[float]:
    """Return the means of a day of this kind, drawn from this seed."""
    return means_of(KINDS[kind](random.Random(f"{kind}/{seed}")), seconds)
