"""A click while another program holds Domoticz's database: it does not wait behind the plugin's own bookkeeping.

Three plugins, the same clicks and the same locks (one seed): the plugin with a store due at every heartbeat, one that
stores at every heartbeat whatever the database does, and one that never stores. What each click took, from the call
of Domoticz's API to the write that the breaker gets, is printed.
"""

from __future__ import annotations

import json
import random
import sqlite3
import statistics
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import List, Tuple

import pytest

from tests.e2e.conftest import eventually, real_domoticz
from tests.lateness import lateness
from tuya.simulator import Fleet

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]  # three times a Domoticz of its own
SEED = 20261128
SECONDS = 40.0
HELD_S, FREE_S = 6.0, 4.0
BETWEEN_CLICKS_S = (0.4, 1.2)
SLOW_STORE_S = 0.9  # a store takes some milliseconds; behind a lock as long as Domoticz waits for one, a second
SLOW_BY_LOAD = 2  # on a machine that is busy with other things
REACHED_WITHIN_S = 20.0

STORING = "        self._store_when_free(now_s)\n"
VARIANTS = {
    "stores when free": f"        self._is_store_due = True\n{STORING}",
    "stores always": "        self._store_memory()\n",
    "never stores": "",
}
WRITING = "        self._framework.store_configuration(self._fleet.dump_memory())\n"
NOTED = f"""        began_s = time.monotonic()
{WRITING}        with open({{path!r}}, "a") as notes:
            notes.write(f"{{{{began_s}}}} {{{{time.monotonic()}}}}\\n")
"""


@dataclass
class Measured:
    """Seconds that each click took, and seconds that each store took."""

    clicks_s: List[float]
    stores_s: List[float]
    holds: int

    def __str__(self) -> str:
        slow = sum(store_s >= SLOW_STORE_S for store_s in self.stores_s)
        return (
            f"{len(self.clicks_s)} clicks: median {statistics.median(self.clicks_s):.3f} s, "
            f"mean {statistics.fmean(self.clicks_s):.3f} s, worst {max(self.clicks_s):.3f} s; "
            f"{len(self.stores_s)} stores, {slow} of them slow; {self.holds} times held"
        )


def prepared(folder: Path, storing: str) -> Tuple[object, Path]:
    """A real Domoticz whose plugin stores in its own way and notes how long that took."""
    domoticz = real_domoticz(folder)
    notes = folder / "stores.txt"
    notes.write_text("")
    service = domoticz.user_data / "plugins" / "TuyaEnergy" / "tuya" / "domoticz" / "service.py"
    text = service.read_text()
    assert (text.count(STORING), text.count(WRITING)) == (1, 1)
    service.write_text(text.replace(STORING, storing).replace(WRITING, NOTED.format(path=str(notes))))
    return domoticz, notes


def hold(database: Path, until_s: float, held: List[float]) -> None:
    """Hold the database for a while, and again, as a program does that works in it."""
    connection = sqlite3.connect(str(database), timeout=30.0, isolation_level=None)
    while time.monotonic() < until_s:
        connection.execute("BEGIN IMMEDIATE")
        held.append(time.monotonic())
        time.sleep(HELD_S)
        connection.execute("ROLLBACK")
        time.sleep(FREE_S)
    connection.close()


def measure(folder: Path, storing: str) -> Measured:
    """Click at times drawn from the seed while the database is held now and then."""
    domoticz, notes = prepared(folder, storing)
    try:
        with Fleet(version="3.4", count=2, noise=0.0, seed="clicks") as fleet:
            # a load that wanders: Updates all the time, as in a house
            wander = random.Random(SEED)
            for breaker in fleet.breakers:
                breaker.set_load(lambda t_s, w=wander: 500.0 + 300.0 * w.random())
            devices = folder / "devices.json"
            devices.write_text(json.dumps(fleet.devices()))
            idx = domoticz.add_hardware(parameters={"Mode1": str(devices), "Mode5": "2"})
            eventually(lambda: len(domoticz.devices(idx)) == 8, 60, "the devices")
            time.sleep(5.0)
            breaker = fleet.breakers[0]
            row = domoticz.device(idx, breaker.device_id, 1)
            assert row is not None
            notes.write_text("")
            dice, held = random.Random(SEED), []
            until_s = time.monotonic() + SECONDS
            holder = threading.Thread(target=hold, args=(domoticz.database, until_s, held))
            holder.start()
            clicks_s, on = [], False
            try:
                while time.monotonic() < until_s:
                    time.sleep(dice.uniform(*BETWEEN_CLICKS_S))
                    clicks_s.append(click(domoticz, row.idx, breaker, on))
                    on = not on
            finally:
                holder.join()
            stores_s = [float(end) - float(begin) for begin, end in map(str.split, notes.read_text().splitlines())]
            return Measured(clicks_s, stores_s, len(held))
    finally:
        domoticz.close()


def click(domoticz, idx: int, breaker, on: bool) -> float:
    """Click, and return the seconds until the breaker got the write."""
    before = len(breaker.writes)
    began_s = time.monotonic()
    domoticz.api("switchlight", timeout_s=60.0, idx=idx, switchcmd="On" if on else "Off")
    while len(breaker.writes) == before:
        assert time.monotonic() - began_s < REACHED_WITHIN_S, "a click never reached the breaker"
        time.sleep(0.002)
    return time.monotonic() - began_s


def test_a_click_does_not_wait_for_our_store(tmp_path, capsys):
    late_s = lateness()
    measured = {}
    for number, (name, storing) in enumerate(VARIANTS.items()):
        (tmp_path / str(number)).mkdir()
        measured[name] = measure(tmp_path / str(number), storing)
        with capsys.disabled():
            print(f"\n{name}: {measured[name]}")
    ours, never = measured["stores when free"], measured["never stores"]
    assert len(ours.stores_s) >= 3, "it has to store all the same"
    # at most the one that was begun when nobody could know yet
    assert sum(store_s >= SLOW_STORE_S for store_s in ours.stores_s) <= ours.holds + SLOW_BY_LOAD
    assert statistics.fmean(ours.clicks_s) <= statistics.fmean(never.clicks_s) + 1.0 + late_s()
