"""Loads that no rule was made for: energy.py beside the plain held, right and trapezoidal sums of the same reports."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Dict, List, Optional, Sequence

from tests.bench.energy import OURS, Outcome, run, typical
from tests.bench.energy_loads import KINDS, RETURNING, drawn
from tests.bench.energy_sampling import SY1, Line, Truth
from tuya.simulator.load import DAY_S

DEVICES = {
    "pushes": SY1,
    "pushes slowly": replace(SY1, push_pause_s=10.0),
    "answers only": replace(SY1, pushes=False),
    "leaves zeros out": replace(SY1, tells_zero=False),
}
HELD = "HA left"
METHODS = {OURS: OURS, HELD: "W held", "HA right": "right", "HA trapezoidal": "trapezoidal"}


def new_seed() -> int:
    """Return a seed to be printed."""
    return random.SystemRandom().randrange(10**6)


def compare(
    kind: str, seed: int, seconds: int, devices: Sequence[str] = tuple(DEVICES)
) -> Dict[str, Dict[str, Outcome]]:
    """Return what each method makes of one drawn day, by device."""
    truth = Truth({"1": drawn(kind, seed, seconds)})
    way = "returned" if kind in RETURNING else "used"
    return {name: run(truth, way, DEVICES[name], Line(), seed, list(METHODS)) for name in devices}


def print_table(seed: Optional[int], days: int) -> None:
    """Print the error of a day in %, RMS over so many draws."""
    first_seed = new_seed() if seed is None else seed
    print(f"loads drawn with --seed {first_seed}: error of a day in %, RMS of {days} days")
    print(f"{'':26}{'':18}{'Wh a day':>10}" + "".join(f"{label:>13}" for label in METHODS.values()))
    for kind in KINDS:
        outcomes: List[Dict[str, Dict[str, Outcome]]] = [
            compare(kind, first_seed + number, int(DAY_S)) for number in range(days)
        ]
        for device in DEVICES:
            cells = [typical([one[device][name] for one in outcomes]) for name in METHODS]
            row = f"{kind:26}{device:18}{cells[0].day_wh:>10.1f}"
            print(row + "".join(f"{cell.error_percent:>+13.3f}" for cell in cells), flush=True)
    print()
