"""The command line and other listeners beside the plugin, which holds the breakers: on the stand-in and in Domoticz."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

import pytest

from tests.e2e.conftest import Theatre, eventually, real_domoticz
from tests.e2e.peer import Domoticz
from tests.sharing.sharing_helpers import entries_of
from tuya.sharing.source import Source
from tuya.simulator import Fleet

REPOSITORY = Path(__file__).resolve().parents[2]
SY1, SY2 = "jdj6ccklup7btq3a", "3lbgj7cu27nsmh0w"
SWITCH, ENERGY = 1, 2
TAKE_OVER_S = 5.0


@pytest.fixture(name="breakers")
def _breakers(tmp_path: Path) -> Iterator[Tuple[Fleet, List[str]]]:
    """Four breakers, and two devices files with two of them each: for two hardware instances."""
    with Fleet(product=[SY1, SY2], version=["3.4", "3.5"], count=4, noise=0.0) as fleet:
        paths = []
        for number in range(2):
            path = tmp_path / f"devices{number}.json"
            path.write_text(json.dumps(fleet.devices()[2 * number : 2 * number + 2]), encoding="utf-8")
            paths.append(str(path))
        yield fleet, paths


def cli(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the command line as a person beside Domoticz does."""
    return subprocess.run(
        [sys.executable, "-m", "tuya", *words], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )


def told(done: subprocess.CompletedProcess[str]) -> List[Dict[str, Any]]:
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def plugin_has(source: Source, ids: List[str], elsewhere: bool = True) -> bool:
    """All of these are connected, and held by a plugin (or by `source`)."""
    while source.next(0.0) is not None:
        pass
    states = [source.state(one) for one in ids]
    return all(state["connected"] and ("via" in state) is elsewhere for state in states)


@pytest.mark.timeout(240)  # some nine starts of the command line, and a minute until the table has the last Wh
def test_command_line_beside_the_plugin(theatre: Theatre, breakers: Tuple[Fleet, List[str]]) -> None:
    fleet, (path, _) = breakers
    first, second = fleet.breakers[:2]
    idx = theatre.add_hardware("Breakers", {"Mode1": path, "Mode5": "2"})
    eventually(lambda: theatre.device(idx, first.device_id, ENERGY), 60, "the kWh unit")
    eventually(lambda: theatre.device(idx, second.device_id, ENERGY), 60, "the other one's")

    events = told(cli("watch", "--devices", path, "--json", "--seconds", "4"))
    assert {one["via"] for one in events} == {"hardware Breakers"}
    assert {one["id"] for one in events} == {first.device_id, second.device_id}

    name = fleet.devices()[0]["name"]
    (done,) = told(cli("set", name, "1=false", "--devices", path, "--json"))
    assert done["via"] == "hardware Breakers"
    eventually(lambda: theatre.device(idx, first.device_id, SWITCH).nvalue == 0, 5, "the click, in the table")  # type: ignore[union-attr]
    assert [dps for _, dps in first.writes] == [{1: False}]

    # open, nothing flows: what is told and what Domoticz has is one number
    def totals() -> Tuple[str, str]:
        row = theatre.device(idx, first.device_id, ENERGY)
        assert row is not None
        seen = told(cli("watch", name, "--devices", path, "--json", "--seconds", "2"))
        total_wh = [one["totals_wh"]["total"]["used"] for one in seen if one.get("totals_wh")][-1]
        return row.svalue.split(";")[1], f"{total_wh:.3f}"

    eventually(lambda: len(set(totals())) == 1, 70, "the same Wh")

    (report,) = told(cli("report", name, "--devices", path, "--json", "--seconds", "3"))
    assert report["via"] == "hardware Breakers"
    assert report["dps"]["1"] is False
    assert report["version"] == first.version
    name = fleet.devices()[1]["name"]
    changed = cli("set-threshold", name, "over_voltage", "261", "--yes", "--devices", path)
    assert changed.returncode == 0, changed.stderr
    assert len(second.writes) == 1
    assert all(breaker.most_at_once == 1 for breaker in fleet.breakers[:2]), "never a second connection"


def test_refused_in_the_settings_is_refused_to_all(theatre: Theatre, breakers: Tuple[Fleet, List[str]]) -> None:
    fleet, (path, _) = breakers
    device_id, name = fleet.breakers[0].device_id, fleet.devices()[0]["name"]
    theatre.add_hardware("Breakers", {"Mode1": path, "Mode2": "refused"})
    with Source(entries_of(fleet)[:2], "listener", discovery=False) as source:
        eventually(lambda: plugin_has(source, [device_id]), 60, "the plugin, heard")
        source.command(device_id, {1: False}, "somebody")
        results: List[Dict[str, Any]] = []

        def answered() -> bool:
            event = source.next(0.1)
            results.extend([event] if event is not None and event["event"] == "result" else [])
            return bool(results)

        eventually(answered, 10, "an answer")
    assert results[0]["error"] == "CommandRefused"
    assert cli("set", name, "1=false", "--devices", path).returncode != 0
    assert cli("set-threshold", name, "over_voltage", "261", "--yes", "--devices", path).returncode != 0
    assert [breaker.writes for breaker in fleet.breakers] == [[]] * 4


def statuses(source: Source, device_id: str) -> List[str]:
    """What has come of a device since the last call."""
    found = []
    while True:
        event = source.next(0.0)
        if event is None:
            return found
        if event["event"] == "status" and event["id"] == device_id:
            found.append(json.dumps([event["dps"], event["totals_wh"]]))


def test_three_listeners_hear_the_same_and_all_of_it(theatre: Theatre, breakers: Tuple[Fleet, List[str]]) -> None:
    fleet, paths = breakers
    for name, path in zip(("Ground floor", "Upstairs"), paths):
        theatre.add_hardware(name, {"Mode1": path, "Mode5": "2"})
    ids = [breaker.device_id for breaker in fleet.breakers]
    listeners = [Source(entries_of(fleet), f"listener {number}", discovery=False) for number in range(3)]
    with listeners[0], listeners[1], listeners[2]:
        eventually(lambda: all(plugin_has(one, ids) for one in listeners), 60, "both plugins, heard by all")
        heard: List[List[str]] = [[], [], []]
        loads_w = [100.0 + 37.0 * number for number in range(40)]
        for load_w in loads_w:
            fleet.breakers[3].set_load(load_w)
            time.sleep(0.3)
            for one, listener in zip(heard, listeners):
                one += statuses(listener, ids[3])

        def all_in() -> bool:
            for one, listener in zip(heard, listeners):
                one += statuses(listener, ids[3])
            return min(map(len, heard)) >= 5 and heard[0][-1] == heard[1][-1] == heard[2][-1]

        eventually(all_in, 10, "the same last event")
        start = max(one.index(next(event for event in one if event in other)) for one in heard for other in heard)
        assert start <= 1
        common = [[event for event in one if event in heard[0]] for one in heard]
        assert common[0][-min(map(len, common)) :] == common[1][-min(map(len, common)) :]
        assert max(map(len, heard)) - min(map(len, heard)) <= 1, "what one has heard, all have"
        eventually(lambda: all(plugin_has(one, ids) for one in listeners))
    assert all(breaker.most_at_once == 1 for breaker in fleet.breakers)


def test_starts_and_ends_in_any_order(theatre: Theatre, breakers: Tuple[Fleet, List[str]]) -> None:
    """Two hardware instances and three listeners; each is stopped and started again in an order by chance."""
    fleet, paths = breakers
    seed = int(os.environ.get("TUYA_TEST_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
    print(f"TUYA_TEST_SEED={seed}")
    order = random.Random(seed)
    ids = [breaker.device_id for breaker in fleet.breakers]
    hardware = [theatre.add_hardware(f"Floor {number}", {"Mode1": path}) for number, path in enumerate(paths)]
    enabled = [True, True]
    listeners: List[Any] = [None, None, None]

    def run(number: int) -> None:
        listeners[number] = Source(entries_of(fleet), f"listener {number}", discovery=False)
        listeners[number].start()

    def end(number: int) -> None:
        listeners[number].stop()
        listeners[number] = None

    def is_well() -> bool:
        """Whoever listens has all devices, from the plugin where that is enabled."""
        for source in (one for one in listeners if one is not None):
            while source.next(0.0) is not None:
                pass
            for position, device_id in enumerate(ids):
                state = source.state(device_id)
                is_plugin = str(state.get("via", "")).startswith("hardware")
                if not state["connected"] or is_plugin is not enabled[position // 2]:
                    return False
        return True

    try:
        for number in range(3):
            run(number)
        for step in range(10):
            which = order.randrange(5)
            if which < 3:
                (run if listeners[which] is None else end)(which)
            else:
                enabled[which - 3] = not enabled[which - 3]
                theatre.update_hardware(hardware[which - 3], enabled=enabled[which - 3])
            if order.random() < 0.6:
                eventually(is_well, 60, f"peace after step {step} (seed {seed})")
        eventually(is_well, 60, f"peace in the end (seed {seed})")
    finally:
        for number in range(3):
            if listeners[number] is not None:
                end(number)
    assert [breaker.writes for breaker in fleet.breakers] == [[]] * 4
    assert all(breaker.most_at_once == 1 for breaker in fleet.breakers), f"two connections at once (seed {seed})"


@pytest.mark.e2e
def test_domoticz_killed_and_back(tmp_path: Path, breakers: Tuple[Fleet, List[str]]) -> None:
    """A listener that may hold devices has them within seconds, and gives them back; totals never fall."""
    fleet, (path, _) = breakers
    domoticz: Domoticz = real_domoticz(tmp_path / "domoticz")
    ids = [breaker.device_id for breaker in fleet.breakers[:2]]
    for breaker in fleet.breakers[:2]:
        breaker.set_load(2000.0)

    def used_wh(source: Source) -> List[float]:
        return [source.state(one)["totals_wh"].get("total", {}).get("used", 0.0) for one in ids]

    try:
        domoticz.add_hardware("Breakers", {"Mode1": path, "Mode5": "2"})
        with Source(entries_of(fleet)[:2], "service", discovery=False) as source:
            eventually(lambda: plugin_has(source, ids), 60, "the plugin, heard")
            eventually(lambda: min(used_wh(source)) > 1.0, 30, "some energy")
            before = used_wh(source)
            killed_s = time.monotonic()
            os.kill(domoticz.pid, signal.SIGKILL)
            eventually(lambda: plugin_has(source, ids, elsewhere=False), 10, "the take-over")
            assert time.monotonic() - killed_s < TAKE_OVER_S
            assert all(now >= then for now, then in zip(used_wh(source), before))
            source.command(ids[0], {1: False}, "service")
            eventually(lambda: fleet.breakers[0].relay is False, 5, "a command of its own")
            eventually(lambda: used_wh(source)[1] > before[1] + 5.0, 30, "what flows meanwhile")
            held = used_wh(source)
            domoticz.launch()
            eventually(lambda: plugin_has(source, ids) and all(used_wh(source)), 60, "the plugin, which got them back")
            assert all(now >= then for now, then in zip(used_wh(source), held)), "it was told what flowed meanwhile"
            assert [dps for _, dps in fleet.breakers[0].writes] == [{1: False}]
            assert fleet.breakers[1].writes == []
    finally:
        domoticz.close()
