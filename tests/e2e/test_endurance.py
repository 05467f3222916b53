"""Many breakers, two instances and an impatient user, on the stand-in and on a real Domoticz."""

import json
import os
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext

import pytest

from tests.e2e.conftest import eventually
from tests.e2e.peer import Domoticz, Watchdog
from tuya.simulator import Fleet

SWITCH, ENERGY = 1, 2
ROUNDS = int(os.environ.get("E2E_ROUNDS", "50"))
BREAKERS = int(os.environ.get("E2E_BREAKERS", "50"))
STAND_IN_ROUNDS, STAND_IN_BREAKERS = 6, 5
MEMORY_GROWTH_KB = 40_000  # over the second half of the rounds, with hardware made and deleted
SHUTDOWN_LIMIT_S = 15.0
BROWSERS, BROWSING_S = 3, 20.0
# Until then the end of any plugin may end Domoticz while another plugin's thread is in Python: see docs/platforms.md
TWO_SINCE = (2024, 1)


def written(fleet, path):
    path.write_text(json.dumps(fleet.devices()))
    return str(path)


def add(theatre, name, devices_file):
    return theatre.add_hardware(name, {"Mode1": devices_file, "Mode5": "2"})


@contextmanager
def unruly(fleets, seed):
    """Let breakers push each second, die and come back while the context lasts."""
    end = threading.Event()
    choice = random.Random(seed)

    def work():
        dead = []
        while not end.wait(0.5):
            breaker = choice.choice([breaker for fleet in fleets for breaker in fleet.breakers])
            if breaker in dead:
                breaker.start()
                dead.remove(breaker)
            elif len(dead) < 5:
                breaker.stop(silent=choice.random() < 0.5)
                dead.append(breaker)
        for breaker in dead:
            breaker.start()

    for fleet in fleets:
        for breaker in fleet.breakers:
            breaker.push_every(1.0)
    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


@pytest.mark.timeout(900)
def test_everything_in_any_order(theatre, tmp_path):
    is_real = isinstance(theatre, Domoticz)
    rounds, count = (ROUNDS, BREAKERS) if is_real else (STAND_IN_ROUNDS, STAND_IN_BREAKERS)
    choice = random.Random(20)
    with Fleet(version=("3.3", "3.4", "3.5"), count=count) as one, Fleet(version="3.4", count=count) as two:
        files = {"One": written(one, tmp_path / "one.json"), "Two": written(two, tmp_path / "two.json")}
        if is_real and theatre.release < TWO_SINCE:
            del files["Two"]
        present = {name: add(theatre, name, file) for name, file in files.items()}
        for idx in present.values():
            eventually(lambda i=idx: len(theatre.devices(i)) == 4 * count, 90, "all units")
        memory = []
        with Watchdog(theatre) if is_real else nullcontext() as watchdog, unruly((one, two), 20):
            for _ in range(rounds):
                name = choice.choice(sorted(files))
                action = choice.choice(("update", "update", "disable", "enable", "delete"))
                if name not in present:
                    present[name] = add(theatre, name, files[name])
                elif action == "delete":
                    theatre.delete_hardware(present.pop(name))
                else:
                    theatre.update_hardware(present[name], enabled=action != "disable")
                time.sleep(choice.random() * 2)
                memory.append(theatre.rss_kb() if is_real else 0)
        for name, file in files.items():
            if name not in present:
                present[name] = add(theatre, name, file)
            else:
                theatre.update_hardware(present[name], enabled=True)
        for name, fleet in zip(files, (one, two)):
            idx = present[name]
            eventually(lambda i=idx: len(theatre.devices(i)) == 4 * count, 120, "all units at the end")
            device_id = fleet.breakers[0].entry()["id"]
            fleet.breakers[0].set_load(640.0)
            eventually(
                lambda i=idx, d=device_id: abs(float(theatre.device(i, d, ENERGY).svalue.split(";")[0]) - 640) < 20,
                120,
                "values at the end",
            )
        assert all(breaker.writes == [] for fleet in (one, two) for breaker in fleet.breakers)
        assert [text for text in theatre.lines("error") if "Traceback" in text or "failed" in text.lower()] == []
        if is_real:
            print(f"slowest of {watchdog.answers} answers {watchdog.slowest_s:.2f} s, memory in kB {memory[::10]}")
            assert watchdog.faults == []
            assert watchdog.slow == []
            assert memory[-1] - memory[len(memory) // 2] < MEMORY_GROWTH_KB
            for breaker in (*one.breakers, *two.breakers):
                breaker.stop(silent=True)
            time.sleep(5)
            began = time.monotonic()
            theatre.end()
            assert time.monotonic() - began < SHUTDOWN_LIMIT_S


@pytest.mark.e2e
@pytest.mark.timeout(300)
def test_many_browsers_do_not_end_domoticz(domoticz, tmp_path):
    """Each device asked for is a miscount of `str` waiting to happen up to Python 3.11: see crash_guards."""
    with Fleet(version="3.4", count=BREAKERS) as fleet:
        idx = add(domoticz, "Breakers", written(fleet, tmp_path / "devices.json"))
        eventually(lambda: len(domoticz.devices(idx)) == 4 * BREAKERS, 90, "all units")
        for breaker in fleet.breakers:
            breaker.push_every(1.0)
        with ThreadPoolExecutor(BROWSERS) as browsers:
            end_s = time.monotonic() + BROWSING_S

            def browse():
                answers = 0
                while time.monotonic() < end_s:
                    answers += len(domoticz.rows(idx)) == 4 * BREAKERS
                return answers

            asked = [future.result() for future in [browsers.submit(browse) for _ in range(BROWSERS)]]
        assert min(asked) > 0
        domoticz.end()


@pytest.mark.timeout(300)
def test_energy_over_many_restarts(theatre, tmp_path):
    restarts = ROUNDS if isinstance(theatre, Domoticz) else STAND_IN_ROUNDS
    with Fleet(version="3.4", count=2) as fleet:
        for breaker in fleet.breakers:
            breaker.set_load(3000.0)
        idx = add(theatre, "Breakers", written(fleet, tmp_path / "devices.json"))
        eventually(lambda: len(theatre.devices(idx)) == 8, 20, "all units")
        shown = {}
        for _ in range(restarts):
            time.sleep(1.0)
            for row in theatre.devices(idx):
                if row.unit == ENERGY:
                    energy_wh = float(row.svalue.split(";")[1])
                    assert energy_wh >= shown.get(row.device_id, 0.0)
                    assert theatre.today_kwh(row) >= 0.0
                    shown[row.device_id] = energy_wh
            theatre.restart(idx)
        for breaker in fleet.breakers:
            assert shown[breaker.entry()["id"]] <= breaker.used_wh * 1.01


LUA = """
commandArray = {}
for name, value in pairs(devicechanged) do print('CHANGED ' .. name .. '=' .. tostring(value)) end
return commandArray
"""


@pytest.mark.e2e
def test_scripts_are_triggered_once_for_each_change(domoticz, tmp_path):
    folder = domoticz.user_data / "scripts" / "lua"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "script_device_changes.lua").write_text(LUA)
    domoticz.quit()
    domoticz.launch()
    with Fleet(version="3.4", count=1, noise=0.0) as fleet:
        entry = fleet.devices()[0]
        idx = add(domoticz, "Breakers", written(fleet, tmp_path / "devices.json"))
        eventually(lambda: len(domoticz.devices(idx)) == 4, 20, "all units")
        fleet.breakers[0].push_every(0.5)
        for command in ("Off", "On", "Off"):
            domoticz.command(idx, entry["id"], SWITCH, command)
            eventually(lambda c=command: domoticz.device(idx, entry["id"], SWITCH).svalue == c, 3)
            time.sleep(2)
        said = [text for text in domoticz.lines() if f"CHANGED {entry['name']}=" in text]
        assert [text.rsplit("=", 1)[1] for text in said] == ["Off", "On", "Off"]


@pytest.mark.e2e
@pytest.mark.timeout(300)
def test_a_data_timeout_restart_loses_nothing(domoticz, tmp_path):
    with Fleet(version="3.4", count=2, noise=0.0) as fleet:
        file = written(fleet, tmp_path / "devices.json")
        idx = domoticz.add_hardware(parameters={"Mode1": file, "Mode5": "2"}, data_timeout_s=30)
        eventually(lambda: len(domoticz.devices(idx)) == 8, 20, "all units")
        before = [(row.idx, row.device_id, row.unit, row.name) for row in domoticz.devices(idx)]
        for breaker in fleet.breakers:
            breaker.stop()
        eventually(lambda: any("restart" in text.lower() for text in domoticz.lines()), 150, "the restart")
        for breaker in fleet.breakers:
            breaker.set_load(820.0)
            breaker.start()
        for breaker in fleet.breakers:
            device_id = breaker.entry()["id"]
            eventually(
                lambda d=device_id: abs(float(domoticz.device(idx, d, ENERGY).svalue.split(";")[0]) - 820) < 20,
                90,
                "values",
            )
        assert [(row.idx, row.device_id, row.unit, row.name) for row in domoticz.devices(idx)] == before


@pytest.mark.e2e
def test_the_web_interface_shows_units_and_types(domoticz, fleet, devices_file):
    idx = domoticz.add_hardware(parameters={"Mode1": devices_file, "Mode5": "2"})
    eventually(lambda: len(domoticz.devices(idx)) == 12, 20, "all units")
    name = fleet.devices()[0]["name"]
    shown = {row["Name"]: row for row in domoticz.rows(idx)}
    assert {key: (row["Type"], row["SubType"]) for key, row in shown.items() if key.startswith(name)} == {
        name: ("Light/Switch", "Switch"),
        f"{name} Energy": ("General", "kWh"),
        f"{name} Voltage": ("General", "Voltage"),
        f"{name} Current": ("General", "Current"),
    }
    assert shown[name]["Data"] == shown[name]["Status"] == "On"
    assert shown[f"{name} Energy"]["Usage"].endswith(" Watt")
    assert shown[f"{name} Energy"]["Data"].endswith(" kWh")
    assert shown[f"{name} Energy"]["EnergyMeterMode"] == "0"
    assert shown[f"{name} Voltage"]["Data"].endswith(" V")
    assert shown[f"{name} Current"]["Data"].endswith(" A")
