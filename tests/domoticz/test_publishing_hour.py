"""A whole hour of a breaker that pushes once a second, in virtual time: how many Updates, and how true what is shown.

Noise as on a mains: sigma 0.3 V and 0.3 % of the power. The goals are those of the project's note on publishing.
"""

from __future__ import annotations

import random
from typing import Callable, Dict, List, Tuple

import pytest

from tests.domoticz.fakes import DEVICE_ID, SY1_DPS, Clock, FakeDomoticz, entry
from tuya.devices.device import Terms
from tuya.devices.household import Household
from tuya.domoticz.created import Memory
from tuya.domoticz.fleet import Fleet
from tuya.domoticz.framework import Framework
from tuya.domoticz.publisher import Publisher
from tuya.domoticz.settings import Rules
from tuya.lan.events import Connected, Status
from tuya.metering.profile import match

HOUR_S = 3600
STEP_S = 0.25
W, V, A = 2, 3, 4


class Hour:
    """Runs one hour and judges each quarter of a second what is shown against what was pushed last, and the truth."""

    def __init__(self, interval_s: float, seed: int) -> None:
        self.interval_s = interval_s
        self.clock = Clock()
        self.domoticz = FakeDomoticz()
        self.framework = Framework(self.domoticz, self.domoticz.namespace)
        self.fleet = Fleet(Rules(Terms(interval_s=interval_s)), Memory(), Household())
        self.publisher = Publisher(self.fleet, self.framework, self.clock, lambda: None)
        self.noise = random.Random(seed)
        self.off_since: Dict[Tuple[str, int], float] = {}
        self.worst_s: Dict[Tuple[str, int], float] = {}
        self.updates: List[float] = []

    def run(self, load_w: Callable[[int], float]) -> None:
        fleet, clock = self.fleet, self.clock
        fleet.serve([entry()], {DEVICE_ID: match(entry().raw, {})}, {}, clock())
        fleet.household.handle(Connected(DEVICE_ID, clock(), "192.168.1.20", 6668, "3.4"), clock())
        begin_s = clock()
        pushed: Dict[int, float] = {}
        for quarter in range(int(HOUR_S / STEP_S)):
            clock.now_s = begin_s + quarter * STEP_S
            if quarter % 4 == 0:
                second = quarter // 4
                true_w = load_w(second)
                volts = 230.0 + self.noise.gauss(0.0, 0.3)
                watts = true_w * (1.0 + self.noise.gauss(0.0, 0.003))
                dps = {20: round(volts * 10), 19: round(watts * 10), 18: round(watts / volts * 1000)}
                pushed = {W: dps[19] / 10, V: dps[20] / 10, A: dps[18] / 1000}
                truth = {W: true_w, V: 230.0, A: true_w / 230.0}
                fleet.household.handle(
                    Status(DEVICE_ID, clock(), {**SY1_DPS, **dps} if second == 0 else dps, second == 0), clock()
                )
                if second == 1:
                    for birth in fleet.births(clock()):
                        assert self.framework.create(birth.device_id, birth.unit, birth.name, birth.state)
                        fleet.written(birth.device_id, birth.unit, birth.state, clock())
            if quarter % 8 == 7:
                fleet.tick(clock())
                self.publisher.beat()
            while self.publisher.step() == 0.0:
                pass
            if quarter > 8:
                texts = self.domoticz.shown()
                shown = {unit: float(texts[unit].split(";")[0]) for unit in truth}
                self._judge("pushed", pushed, shown)
                self._judge("true", truth, shown)

    def _judge(self, kind: str, reported: Dict[int, float], shown: Dict[int, float]) -> None:
        for unit, value in reported.items():
            shows = shown[unit]
            smaller = min(abs(value), abs(shows))
            limit = {W: max(2.0, 0.01 * smaller), V: 1.0, A: max(0.02, 0.02 * smaller)}[unit]
            key = (kind, unit)
            if abs(value - shows) <= limit:
                self.off_since.pop(key, None)
                continue
            since_s = self.off_since.setdefault(key, self.clock())
            self.worst_s[key] = max(self.worst_s.get(key, 0.0), self.clock() - since_s)

    def assert_true(self, *kinds: str) -> None:
        """W never off for longer than the interval + 1 s, V and A than twice the interval + 1 s."""
        for (kind, unit), worst_s in self.worst_s.items():
            if kind not in kinds:
                continue
            pace = 1 if unit == W else 2
            assert worst_s <= pace * self.interval_s + 1.0, (kind, unit, worst_s)


LOADS = {
    "standby": (lambda second: 0.5, 100),
    "standby of 5 W": (lambda second: 5.0, 100),
    "steady 1 kW": (lambda second: 1000.0, 200),
    # against the truth it cannot be judged: each second of it is seen through one noisy sample only
    "every second another load": (lambda second: random.Random(second).uniform(50.0, 3000.0), 1600),
    "on and off every second": (lambda second: 2000.0 if second % 2 else 100.0, 1600),
}


@pytest.mark.parametrize("name", LOADS)
def test_updates_of_an_hour(name: str):
    load_w, budget = LOADS[name]
    hour = Hour(5.0, seed=1)
    hour.run(load_w)
    count = len(hour.domoticz.updates)
    print(f"{name}: {count} updates an hour (limit {budget}); longest off, in s: {hour.worst_s}")
    assert count <= budget
    hour.assert_true("pushed", *(() if "every second" in name else ("true",)))
    # the short log of Domoticz wants every meter once in four minutes
    per_unit = {unit: sum(1 for update in hour.domoticz.updates if update[1] == unit) for unit in (W, V, A)}
    assert min(per_unit.values()) >= HOUR_S // 240
    assert per_unit[W] >= HOUR_S // 60, "what a person looks at is never older than a minute"
    assert not any(update[1] == 1 for update in hour.domoticz.updates)


@pytest.mark.parametrize("interval_s", [2.0, 30.0])
def test_steps_are_shown_in_time(interval_s: float):
    hour = Hour(interval_s, 3)
    hour.run(lambda second: (60.0, 75.0, 1500.0, 1560.0, 0.0, 3.0)[second // 97 % 6])
    hour.assert_true("pushed", "true")


def test_energy_shown_is_the_power_shown():
    hour = Hour(5.0, 4)
    hour.run(lambda second: 1000.0)
    energies_wh = [float(update[3].split(";")[1]) for update in hour.domoticz.updates if update[1] == W]
    assert energies_wh == sorted(energies_wh)
    assert energies_wh[-1] == pytest.approx(1000.0, abs=12.0)
    steps_wh = [after - before for before, after in zip(energies_wh, energies_wh[1:])]
    assert max(steps_wh) < 10.0 + 1000.0 * 7.0 / 3600.0  # 10 Wh, and at most interval + heartbeat later
