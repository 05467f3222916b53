"""Days in the life of loads: deterministic functions watts(t_s), t in seconds since midnight.

They have the shapes that make energy counting hard: short peaks, cycles of seconds, slow modulation, watts below the
deadband, power that flows back. Each repeats after 24 h; negative watts are returned to the grid.
"""

from __future__ import annotations

import functools
import math
import zlib
from typing import Callable, Dict, List, Tuple

Watts = Callable[[float], float]

DAY_S = 86400.0
HOUR_S = 3600.0
MINUTE_S = 60.0


@functools.lru_cache(maxsize=4096)
def _share(name: str, number: int) -> float:
    """A number in [0, 1) that looks random and is always the same: what varies from cycle to cycle."""
    return zlib.crc32(f"{name}/{number}".encode()) / 2**32


def _within(t_s: float, start_s: float, length_s: float) -> bool:
    return start_s <= t_s < start_s + length_s


def standby(t_s: float) -> float:
    """A power supply that does nothing: 0.6 W, for ever."""
    del t_s
    return 0.6


def refrigerator(t_s: float) -> float:
    """A compressor of 85-110 W, 14 to 22 min on in every 46 min, starting with 600 W for half a second; 1.4 W between.

    The lamp (15 W) burns for 20 s now and then.
    """
    period_s = 46 * MINUTE_S
    cycle, phase_s = divmod(t_s % DAY_S, period_s)
    on_s = (14 + 8 * _share("compressor", int(cycle))) * MINUTE_S
    watts = 1.4
    if phase_s < 0.5:
        watts = 600.0
    elif phase_s < on_s:
        watts = 85.0 + 25.0 * math.exp(-phase_s / 240.0)
    door_s = 600.0 + 1500.0 * _share("door", int(cycle))
    return watts + (15.0 if _within(phase_s, door_s, 20.0) else 0.0)


_BOILS_S = tuple(
    (hour * HOUR_S + 600 * _share("kettle", number), (1 + 3 * _share("cup", number)) * MINUTE_S)
    for number, hour in enumerate((6.4, 7.1, 9.75, 11.9, 14.2, 16.5, 19.3, 21.8))
)


def kettle(t_s: float) -> float:
    """2,150 W for one to four minutes, eight times a day at odd moments; nothing between."""
    day_s = t_s % DAY_S
    boils = any(start_s <= day_s < start_s + length_s for start_s, length_s in _BOILS_S)
    return 2150.0 if boils else 0.0


def washing_machine(t_s: float) -> float:
    """A wash from 10:00 to 12:10: 2,050 W of heating, a drum of 8 s on and 5 s off, pumping, spinning up to 520 W."""
    into_s = t_s % DAY_S - 10 * HOUR_S
    if not 0 <= into_s < 130 * MINUTE_S:
        return 0.8
    drum_w = 190.0 if into_s % 13.0 < 8.0 else 4.0
    if _within(into_s, 6 * MINUTE_S, 18 * MINUTE_S) or _within(into_s, 40 * MINUTE_S, 7 * MINUTE_S):
        return 2050.0 + drum_w
    if into_s % (20 * MINUTE_S) < 45.0:
        return 32.0
    if into_s >= 116 * MINUTE_S:
        return 80.0 + 440.0 * math.sin(math.pi * (into_s - 116 * MINUTE_S) / (14 * MINUTE_S))
    return drum_w


def electric_car(t_s: float) -> float:
    """16 A at 230 V (3,680 W) from 22:30 to 04:00, falling to 300 W in the last 40 min; 3.2 W for the wall box else."""
    into_s = (t_s - 22.5 * HOUR_S) % DAY_S
    full_s, tail_s = 4 * HOUR_S + 50 * MINUTE_S, 40 * MINUTE_S
    if into_s < 20.0:
        return 3.2 + 3676.8 * into_s / 20.0
    if into_s < full_s:
        return 3680.0
    if into_s < full_s + tail_s:
        return 300.0 + 3380.0 * (1 - (into_s - full_s) / tail_s) ** 2
    return 3.2


def heat_pump(t_s: float) -> float:
    """An inverter that follows the cold of the night, 450-2,600 W, never still, with a defrost each 95 min."""
    day_s = t_s % DAY_S
    cold = 0.5 + 0.5 * math.cos(2 * math.pi * (day_s - 4.5 * HOUR_S) / DAY_S)
    into_s = day_s % (95 * MINUTE_S)
    if into_s < 4 * MINUTE_S:
        return 420.0 if into_s < 3 * MINUTE_S else 60.0
    ripple = 0.08 * math.sin(2 * math.pi * day_s / 210.0) + 0.03 * math.sin(2 * math.pi * day_s / 37.0)
    return (450.0 + 2150.0 * cold) * (1.0 + ripple)


def photovoltaic(t_s: float) -> float:
    """A roof of 4.2 kW from 06:30 to 19:30, with clouds of 1 to 6 min; negative. The inverter takes 2.5 W at night."""
    into = (t_s % DAY_S - 6.5 * HOUR_S) / (13 * HOUR_S)
    if not 0.0 < into < 1.0:
        return 2.5
    slot, phase_s = divmod(t_s % DAY_S, 7 * MINUTE_S)
    cloud_s = (1 + 5 * _share("cloud", int(slot))) * MINUTE_S
    is_cloudy = _share("weather", int(slot)) < 0.45 and phase_s < cloud_s
    sun = math.pow(math.sin(math.pi * into), 1.5)
    return 2.5 - 4200.0 * sun * (0.25 if is_cloudy else 1.0)


def house_phase_a(t_s: float) -> float:
    """A house's first phase: heat pump and refrigerator."""
    return heat_pump(t_s) + refrigerator(t_s)


def house_phase_b(t_s: float) -> float:
    """A house's second phase: the sun against the kitchen; returns at noon."""
    return photovoltaic(t_s) + kettle(t_s) + 180.0


def house_phase_c(t_s: float) -> float:
    """A house's third phase: laundry by day, the car by night."""
    return washing_machine(t_s) + electric_car(t_s)


PROFILES: Dict[str, Watts] = {
    "standby": standby,
    "refrigerator": refrigerator,
    "kettle": kettle,
    "washing_machine": washing_machine,
    "electric_car": electric_car,
    "heat_pump": heat_pump,
    "photovoltaic": photovoltaic,
}
POWER_FACTORS: Dict[str, float] = {
    "standby": 0.45,
    "refrigerator": 0.82,
    "kettle": 1.0,
    "washing_machine": 0.95,
    "electric_car": 0.99,
    "heat_pump": 0.93,
    "photovoltaic": 0.99,
}
THREE_PHASE_HOUSE: Tuple[Watts, Watts, Watts] = (house_phase_a, house_phase_b, house_phase_c)


def means(watts: Watts, resolution_s: float, length_s: float = DAY_S, start_s: float = 0.0) -> List[float]:
    """The mean W of each step of resolution_s, taken at the middle of its tenths."""
    steps, tenths = round(length_s / resolution_s), [(tenth + 0.5) / 10 for tenth in range(10)]
    return [
        sum(watts(start_s + (step + tenth) * resolution_s) for tenth in tenths) / len(tenths) for step in range(steps)
    ]


def energy_wh(watts: Watts, start_s: float, length_s: float, resolution_s: float = 1.0) -> float:
    """The integral of a profile in Wh, exact to its own steps; returned energy counts as negative."""
    return sum(means(watts, resolution_s, length_s, start_s)) * resolution_s / 3600.0
