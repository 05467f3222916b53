"""Accuracy of energy.py against the true integral, beside other ways to make kWh of the same reports.

`python -m tests.bench.energy` prints two tables: loads drawn anew at each run (energy_drawn; the seed is printed, and
`--seed N` repeats it), and the days of the simulator. `--days N` takes N days for each cell, with other draws, phases
of the clocks and losses. `--drawn` leaves it at the first table; `--picture FILE` draws the error over the day (needs
matplotlib).
"""

from __future__ import annotations

import argparse
import math
import sys
from dataclasses import dataclass
from functools import cache
from typing import Callable, Dict, Iterable, List, Optional, Sequence, Tuple, Union

from tests.bench.energy_sampling import PHASE_A, RARE_COUNTER, SY1, Device, Frame, Line, Truth, frames
from tuya.metering.energy import EnergyBook
from tuya.metering.reading import Reading
from tuya.simulator import load

PROFILES: Dict[str, Dict[str, load.Watts]] = {
    **{name.replace("_", " "): {"1": watts} for name, watts in load.PROFILES.items()},
    "three phases": dict(zip("abc", load.THREE_PHASE_HOUSE)),
}
RETURNING = ("photovoltaic", "three phases")
OURS = "energy.py"
COURSE_S = 300.0


class Ours:
    """EnergyBook, fed as the bridge does."""

    def __init__(self, way: str, line: Line, channels: Iterable[str], counter: bool) -> None:
        self._way, self._line = way, line
        step = {"total" if len(tuple(channels)) > 1 else "1": 0.01} if counter else {}
        self.book = EnergyBook(shown_wh={}, saved={}, step_kwh=step, channels=tuple(channels))
        self._last_s = 0.0
        self._counter_channel = next(iter(step), "1")

    def hear(self, frame: Frame) -> None:
        for start_s, _ in self._line.outages:
            if self._last_s < start_s <= frame.at_s:
                self.book.lost(start_s + 20)
        self._last_s = frame.at_s
        if not frame.power_w and frame.counter_wh < 0:
            self.book.answered(frame.at_s)
            return
        energy = {self._counter_channel: frame.counter_wh / 1000} if frame.counter_wh >= 0 else {}
        self.book.report(Reading(power_w=frame.power_w, energy_kwh=energy), frame.at_s, frame.full)

    def total_wh(self) -> float:
        return self.book.totals_wh(self._last_s).get(("total", self._way), 0.0)


class Riemann:
    """Home Assistant's integral (left, right, trapezoidal) and Domoticz's computed mode (left, in whole seconds).

    Every report of W counts as one state report, changed or not. Signed power is clipped to one direction first.
    """

    def __init__(self, way: str, rule: str) -> None:
        self._sign = 1.0 if way == "used" else -1.0
        self._rule = rule
        self._last: Dict[str, Tuple[float, float]] = {}
        self._wh = 0.0

    def hear(self, frame: Frame) -> None:
        at_s = math.floor(frame.at_s) if self._rule == "computed" else frame.at_s
        for channel, power_w in frame.power_w.items():
            new_w = max(self._sign * power_w, 0.0)
            if channel in self._last:
                since_s, old_w = self._last[channel]
                rates = {"left": old_w, "computed": old_w, "right": new_w, "trapezoidal": (old_w + new_w) / 2}
                self._wh += rates[self._rule] * (at_s - since_s) / 3600
            self._last[channel] = (at_s, new_w)

    def total_wh(self) -> float:
        return self._wh


@dataclass(frozen=True)
class Outcome:
    """Of one method on one day: error at the end in Wh, what flowed, and the error's course (hours, Wh)."""

    error_wh: float
    day_wh: float
    course: Tuple[Tuple[float, float], ...]

    @property
    def error_percent(self) -> float:
        return 100 * self.error_wh / self.day_wh


RULES = {
    "Domoticz computed": "computed",
    "HA left": "left",
    "HA right": "right",
    "HA trapezoidal": "trapezoidal",
}
POLLS_S = {"poll 10 s": 10.0, "poll 30 s": 30.0, "poll 60 s": 60.0}
METHODS = [OURS, *RULES, *POLLS_S]


def polled(truth: Truth, device: Device, line: Line, period_s: float, phase_s: float) -> List[Frame]:
    """What a program sees that asks for the status every period_s."""
    quiet = [0.0] * truth.seconds
    times = [phase_s + i * period_s for i in range(int((truth.seconds - phase_s) / period_s) + 1)]
    return [
        Frame(t, {channel: truth.shown_w(channel, t, device, quiet) for channel in truth.means}, full=True)
        for t in times
        if not line.is_out(t)
    ]


def watch(method: Union[Ours, Riemann], heard: Sequence[Frame], known_wh: Callable[[float], float]) -> Outcome:
    """Feed a method up to the last report of W; return how far it is from what is known to have flowed by then."""
    first_s = next(frame.at_s for frame in heard if frame.power_w)
    last_s = max(frame.at_s for frame in heard if frame.power_w)
    start_wh: Optional[float] = None
    course: List[Tuple[float, float]] = []
    error_wh, next_s = 0.0, 0.0
    for frame in heard:
        if frame.at_s > last_s:
            break
        method.hear(frame)
        if start_wh is None and frame.at_s >= first_s:
            start_wh = method.total_wh()
        if frame.power_w and frame.at_s >= next_s and start_wh is not None:
            error_wh = method.total_wh() - start_wh - known_wh(frame.at_s) + known_wh(first_s)
            course.append((frame.at_s / 3600, error_wh))
            next_s += COURSE_S
    error_wh = method.total_wh() - (start_wh or 0.0) - known_wh(last_s) + known_wh(first_s)
    return Outcome(error_wh, known_wh(last_s) - known_wh(first_s), tuple(course))


def run(truth: Truth, way: str, device: Device, line: Line, seed: int, names: Sequence[str]) -> Dict[str, Outcome]:
    """Return what each of these methods makes of one day.

    Errors are against what can be known: without a counter not what flowed during an outage.
    """

    def known_wh(at_s: float) -> float:
        outages = () if device.counter and way == "used" else line.outages
        out_wh = sum(truth.wh(way, min(at_s, end_s)) - truth.wh(way, min(at_s, start_s)) for start_s, end_s in outages)
        return truth.wh(way, at_s) - out_wh

    heard = list(frames(truth, device, line, seed))
    outcomes: Dict[str, Outcome] = {}
    for name in names:
        if name == OURS:
            outcomes[name] = watch(Ours(way, line, truth.means, device.counter), heard, known_wh)
        elif name in RULES:
            outcomes[name] = watch(Riemann(way, RULES[name]), heard, known_wh)
        else:
            asked = polled(truth, device, line, POLLS_S[name], 1.0 + 1.7 * seed)
            outcomes[name] = watch(Riemann(way, "left"), asked, known_wh)
    return outcomes


SCENARIOS: Dict[str, Tuple[Device, Line]] = {
    "SY1": (SY1, Line()),
    "SY1, 1 % lost": (SY1, Line(lost=0.01)),
    "SY1 with noise": (Device(noise=0.003), Line()),
    "pushes nothing": (Device(pushes=False), Line()),
    "leaves zeros out": (Device(tells_zero=False), Line()),
    "pushes only": (Device(refreshed=False), Line()),
    "with outages": (SY1, Line(outages=((11000.0, 11600.0), (43000.0, 46600.0), (70000.0, 70045.0)))),
    "phase_a": (PHASE_A, Line()),
    "counter each 10 min": (RARE_COUNTER, Line()),
    "phase_a outages": (PHASE_A, Line(0.01, ((11000.0, 11600.0), (43000.0, 46600.0), (70000.0, 70045.0)))),
}


def ways_of(profile: str) -> Tuple[str, ...]:
    return ("used", "returned") if profile in RETURNING else ("used",)


@dataclass(frozen=True)
class CounterCheck:
    """How a total stands to the device's counter, at its steps as reported: all, equal ones, and the worst lead."""

    steps: int
    equal: int
    ahead_wh: float
    ahead_percent: float
    behind_wh: float


def check_counter(truth: Truth, device: Device, line: Line, seed: int) -> CounterCheck:
    """Return how energy.py stands to the counter. ahead_percent: of what flowed since the last step reported."""
    ours = Ours("used", line, truth.means, counter=True)
    steps = equal = 0
    ahead_wh = ahead_percent = behind_wh = 0.0
    born_wh, last_wh = -1.0, -1.0
    for frame in frames(truth, device, line, seed):
        ours.hear(frame)
        counter_wh = frame.counter_wh
        if counter_wh < 0 or counter_wh == last_wh:
            continue
        if born_wh >= 0:
            lead_wh = ours.total_wh() - counter_wh
            steps += 1
            equal += abs(lead_wh) < 1e-6
            behind_wh = max(behind_wh, -lead_wh)
            if lead_wh > 1e-6:
                ahead_wh = max(ahead_wh, lead_wh)
                ahead_percent = max(ahead_percent, 100 * lead_wh / (counter_wh - last_wh))
        born_wh, last_wh = max(born_wh, 0.0), counter_wh
    return CounterCheck(steps, equal, ahead_wh, ahead_percent, behind_wh)


def typical(outcomes: Sequence[Outcome]) -> Outcome:
    """Return the root mean square of the errors, with the sign of most."""
    square = math.sqrt(sum(one.error_wh**2 for one in outcomes) / len(outcomes))
    day_wh = sum(one.day_wh for one in outcomes) / len(outcomes)
    return Outcome(math.copysign(square, sum(one.error_wh for one in outcomes)), day_wh, ())


def table(scenario: str, profiles: Sequence[str], days: int) -> List[str]:
    """Return the lines of one scenario's table: root mean square over `days` days, each with other clock phases."""
    device, line = SCENARIOS[scenario]
    lines = [f"{scenario}: error of a day's kWh in %, RMS of {days} days with other phases of the clocks"]
    lines.append(f"{'':24}{'Wh a day':>10}{'error Wh':>10}" + "".join(f"{name:>18}" for name in METHODS))
    for profile in profiles:
        for way in ways_of(profile):
            runs = [run(truth_of(profile, seed), way, device, line, seed, METHODS) for seed in range(days)]
            cells = {name: typical([one[name] for one in runs]) for name in METHODS}
            row = f"{profile + ' ' + way:24}{cells[OURS].day_wh:>10.1f}{cells[OURS].error_wh:>+10.2f}"
            lines.append(row + "".join(f"{cells[name].error_percent:>+18.3f}" for name in METHODS))
        if device.counter:
            check = check_counter(truth_of(profile, 1), device, line, 1)
            lines.append(
                f"  at the counter's {check.steps} steps: {check.equal} equal, ahead by up to {check.ahead_wh:.2f} Wh "
                f"({check.ahead_percent:.2f} % of what flowed since), behind by {check.behind_wh:.2f} Wh"
            )
    return lines


@cache
def truth_of(profile: str, seed: int, seconds: int = int(load.DAY_S)) -> Truth:
    """Return a profile's day, shifted against the device's second by a fraction that depends on the seed."""
    by_s = 0.37 * seed
    return Truth.of(
        {ch: lambda t_s, watts=watts: watts(t_s + by_s) for ch, watts in PROFILES[profile].items()}, seconds
    )


def main(argv: Optional[List[str]] = None) -> int:
    """Print the table, or draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=5, help="how many days per cell")
    parser.add_argument("--scenario", action="append", choices=sorted(SCENARIOS))
    parser.add_argument("--profile", action="append", choices=sorted(PROFILES))
    parser.add_argument("--seed", type=int, help="of the drawn loads, to repeat a run")
    parser.add_argument("--drawn", action="store_true", help="drawn loads only")
    parser.add_argument("--picture", metavar="FILE", help="draw the error over the day instead (needs matplotlib)")
    arguments = parser.parse_args(argv)
    if arguments.picture:
        from tests.bench.energy_picture import draw

        draw(arguments.picture)
        return 0
    if not arguments.scenario and not arguments.profile:
        from tests.bench.energy_drawn import print_table

        print_table(arguments.seed, arguments.days)
    for scenario in () if arguments.drawn else arguments.scenario or SCENARIOS:
        print("\n".join(table(scenario, arguments.profile or list(PROFILES), arguments.days)) + "\n", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
