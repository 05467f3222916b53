"""What users see, on the stand-in and on a real Domoticz alike."""

import time

import pytest

from tests.e2e.conftest import eventually
from tests.lateness import lateness

SWITCH, ENERGY, VOLTAGE, CURRENT = 1, 2, 3, 4
ALL_UNITS = 12  # four of each of the three breakers


def ready(theatre, devices_file, **parameters):
    """Add the plugin and wait for all units of all breakers."""
    idx = theatre.add_hardware(parameters={"Mode1": devices_file, "Mode5": "2", **parameters})
    eventually(lambda: len(theatre.devices(idx)) == ALL_UNITS, 15, "all units")
    return idx


def power_w(theatre, idx, device_id):
    return float(theatre.device(idx, device_id, ENERGY).svalue.split(";")[0])


def test_four_devices_of_each_breaker(theatre, fleet, devices_file):
    idx = ready(theatre, devices_file)
    for entry in fleet.devices():
        rows = {row.unit: row for row in theatre.devices(idx) if row.device_id == entry["id"]}
        assert {unit: (row.type, row.subtype, row.switchtype) for unit, row in rows.items()} == {
            SWITCH: (244, 73, 0),
            ENERGY: (243, 29, 0),
            VOLTAGE: (243, 8, 0),
            CURRENT: (243, 23, 0),
        }
        name = entry["name"]
        assert [rows[unit].name for unit in sorted(rows)] == [
            name,
            f"{name} Energy",
            f"{name} Voltage",
            f"{name} Current",
        ]
        assert all(row.used and not row.timed_out for row in rows.values())
        assert (rows[SWITCH].nvalue, rows[SWITCH].svalue) == (1, "On")
        assert power_w(theatre, idx, entry["id"]) == pytest.approx(100.0, abs=1)
        assert float(rows[VOLTAGE].svalue) == pytest.approx(231, abs=5)
        assert float(rows[CURRENT].svalue) == pytest.approx(100 / float(rows[VOLTAGE].svalue), abs=0.02)
        assert theatre.today_kwh(rows[ENERGY]) == 0.0


def test_a_click_is_confirmed_within_half_a_second(theatre, fleet, devices_file):
    idx = ready(theatre, devices_file)
    breaker = fleet.breakers[1]
    device_id = breaker.entry()["id"]
    for command, state in (("Off", False), ("On", True), ("Off", False)):
        clicked = time.monotonic()
        late_s = lateness()
        theatre.command(idx, device_id, SWITCH, command)
        eventually(lambda state=state: theatre.device(idx, device_id, SWITCH).nvalue == int(state), 3, "confirmation")
        assert time.monotonic() - clicked < 0.5 + late_s()
        assert breaker.relay is state
        assert theatre.device(idx, device_id, SWITCH).svalue == command
    eventually(lambda: power_w(theatre, idx, device_id) == 0.0, 1.5, "0 W")
    assert [len(other.writes) for other in fleet.breakers] == [0, 3, 0]


def test_a_change_of_load_is_shown(theatre, fleet, devices_file):
    idx = ready(theatre, devices_file)
    breaker = fleet.breakers[0]
    device_id = breaker.entry()["id"]
    for load_w in (1500.0, 20.0):
        changed = time.monotonic()
        late_s = lateness()
        breaker.set_load(load_w)
        eventually(lambda load_w=load_w: abs(power_w(theatre, idx, device_id) - load_w) < 0.03 * load_w, 5, "the new W")
        assert time.monotonic() - changed < 3.0 + late_s()  # Mode5 + 1 s


def test_a_switch_pressed_at_the_breaker_is_shown_within_a_second(theatre, fleet, devices_file):
    idx = ready(theatre, devices_file)
    breaker = fleet.breakers[2]
    pressed = time.monotonic()
    late_s = lateness()
    breaker.set_relay(False)
    eventually(lambda: theatre.device(idx, breaker.entry()["id"], SWITCH).nvalue == 0, 3)
    assert time.monotonic() - pressed < 1.0 + late_s()


def test_a_dead_breaker_gets_the_red_header_and_comes_back(theatre, fleet, devices_file):
    idx = ready(theatre, devices_file)
    breaker = fleet.breakers[0]
    device_id = breaker.entry()["id"]

    def timed_out():
        return {row.unit: row.timed_out for row in theatre.devices(idx) if row.device_id == device_id}

    before = {row.unit: (row.nvalue, row.svalue) for row in theatre.devices(idx) if row.device_id == device_id}
    breaker.stop()
    died = time.monotonic()
    eventually(lambda: all(timed_out().values()), 45, "the red header")
    assert 29 < time.monotonic() - died < 35
    assert {
        row.unit: (row.nvalue, row.svalue.split(";")[0])
        for row in theatre.devices(idx)
        if row.device_id == device_id and row.unit == SWITCH
    } == {SWITCH: before[SWITCH]}
    assert not any(row.timed_out for row in theatre.devices(idx) if row.device_id != device_id)
    theatre.command(idx, device_id, SWITCH, "Off")  # refused at once, with the reason
    eventually(lambda: any(breaker.entry()["name"] in text for text in theatre.lines("error")), 2, "the refusal")
    breaker.set_load(700.0)
    breaker.start()
    eventually(lambda: not any(timed_out().values()), 70, "the way back")
    eventually(lambda: abs(power_w(theatre, idx, device_id) - 700) < 20, 10, "new values")
    assert theatre.device(idx, device_id, SWITCH).nvalue == 1
    assert breaker.relay is True
    assert breaker.writes == []


def test_names_hiding_and_deleting_are_the_users(theatre, fleet, devices_file):
    idx = ready(theatre, devices_file)
    device_id = fleet.breakers[0].entry()["id"]
    theatre.rename(theatre.device(idx, device_id, ENERGY), "Freezer")
    theatre.set_used(theatre.device(idx, device_id, VOLTAGE), False)
    theatre.delete_device(theatre.device(idx, device_id, CURRENT))
    for step in range(2):
        fleet.breakers[0].set_load(300.0 + 200.0 * step)
        wanted = 300.0 + 200.0 * step
        eventually(lambda wanted=wanted: abs(power_w(theatre, idx, device_id) - wanted) < 20, 15, "values")
        time.sleep(2.5)  # more than a heartbeat: what is missing would be made again now
        assert theatre.device(idx, device_id, ENERGY).name == "Freezer"
        assert theatre.device(idx, device_id, VOLTAGE).used is False
        assert theatre.device(idx, device_id, CURRENT) is None
        theatre.restart(idx)
    assert len(theatre.devices(idx)) == ALL_UNITS - 1


def test_new_devices_refused_is_said_once_and_mended(theatre, fleet, devices_file):
    theatre.accept_new(False)
    idx = theatre.add_hardware(parameters={"Mode1": devices_file})

    def ours():
        said = theatre.lines(idx=idx)
        return [text for text in said if "accept" in text.lower() and "prevent accepting" not in text]

    eventually(ours, 10, "the reason")
    time.sleep(4.5)  # two heartbeats, which would make them and say it again
    assert theatre.devices(idx) == []
    assert len(ours()) == 1
    theatre.accept_new(True)
    eventually(lambda: len(theatre.devices(idx)) == ALL_UNITS, 90, "the units")


def test_update_ten_times_and_disable_five_times(theatre, fleet, devices_file):
    idx = ready(theatre, devices_file)
    before = [(row.idx, row.device_id, row.unit, row.name) for row in theatre.devices(idx)]
    for _ in range(10):
        theatre.restart(idx)
    for _ in range(5):
        theatre.update_hardware(idx, enabled=False)
        theatre.update_hardware(idx, enabled=True)
    device_id = fleet.breakers[0].entry()["id"]
    fleet.breakers[0].set_load(640.0)
    eventually(lambda: abs(power_w(theatre, idx, device_id) - 640) < 20, 20, "values")
    assert [(row.idx, row.device_id, row.unit, row.name) for row in theatre.devices(idx)] == before
    assert [text for text in theatre.lines("error", idx=idx) if "failed" in text.lower()] == []
    assert all(breaker.writes == [] for breaker in fleet.breakers)


def test_energy_never_falls_over_restarts(theatre, fleet, devices_file):
    for breaker in fleet.breakers:
        breaker.set_load(2000.0)
    idx = ready(theatre, devices_file)
    shown = {}
    used_before_wh = {breaker.entry()["id"]: breaker.used_wh for breaker in fleet.breakers}
    for _ in range(2):
        time.sleep(7.0)
        theatre.restart(idx)
        for row in theatre.devices(idx):
            if row.unit == ENERGY:
                energy_wh = float(row.svalue.split(";")[1])
                assert energy_wh >= shown.get(row.device_id, 0.0)
                shown[row.device_id] = energy_wh
                assert theatre.today_kwh(row) >= 0.0
    for breaker in fleet.breakers:
        device_id = breaker.entry()["id"]
        used_wh = breaker.used_wh - used_before_wh[device_id]

        def shown_wh(device_id=device_id):
            return float(theatre.device(idx, device_id, ENERGY).svalue.split(";")[1])

        # 2 s more are 1.1 Wh, of 8 Wh by now: what was lost at a restart would still be missing
        eventually(lambda used_wh=used_wh: 0.45 * used_wh < shown_wh(), 2, "the energy of before")
        assert shown_wh() < 1.01 * (breaker.used_wh - used_before_wh[device_id])
