"""The publishing thread: when it may call the framework, what it writes first, and that it always ends."""

from __future__ import annotations

import threading
import time
from typing import Iterator

import pytest

from tests.domoticz.fakes import DEVICE_ID, KEY, SY1_DPS, Clock, FakeDomoticz, entry
from tests.lateness import lateness
from tuya.devices.household import Household
from tuya.domoticz.created import Memory
from tuya.domoticz.fleet import Fleet
from tuya.domoticz.framework import Framework
from tuya.domoticz.publisher import HEARTBEAT_LIMIT_S, Publisher
from tuya.domoticz.settings import Rules
from tuya.domoticz.units import State
from tuya.lan.errors import Unreachable
from tuya.lan.events import Connected, Lost, Status
from tuya.metering.profile import match


class Room:
    """A publisher with one breaker whose units exist, and no thread."""

    def __init__(self, version: str = "2025.1") -> None:
        self.clock = Clock()
        self.domoticz = FakeDomoticz(version)
        self.framework = Framework(self.domoticz, self.domoticz.namespace)
        self.fleet = Fleet(Rules(), Memory(), Household())
        self.fleet.serve([entry()], {DEVICE_ID: match(entry().raw, {})}, {}, self.clock())
        self.said = 0
        self.publisher = Publisher(self.fleet, self.framework, self.clock, self._say)
        self.fleet.household.handle(Connected(DEVICE_ID, self.clock(), "192.168.1.20", 6668, "3.4"), self.clock())
        self.report(SY1_DPS, full=True)
        for birth in self.fleet.births(self.clock()):
            assert self.framework.create(birth.device_id, birth.unit, birth.name, birth.state)
            self.fleet.written(birth.device_id, birth.unit, birth.state, self.clock())

    def _say(self) -> None:
        self.said += 1

    def report(self, dps, full: bool = False) -> None:
        self.fleet.household.handle(Status(DEVICE_ID, self.clock(), dps, full), self.clock())

    def run(self) -> None:
        while self.publisher.step() == 0.0:
            pass


@pytest.fixture(name="room")
def _room(request: pytest.FixtureRequest) -> Iterator[Room]:
    room = Room(*getattr(request, "param", ()))
    yield room
    if room.domoticz.hold is not None:
        room.domoticz.hold.set()
    assert room.publisher.stop(2.0)


def test_nothing_before_the_first_heartbeat(room: Room):
    room.report({1: False})
    room.run()
    assert room.domoticz.updates == []
    assert room.said == 0
    room.publisher.beat()
    room.run()
    assert room.domoticz.updates == [(DEVICE_ID, 1, 0, "Off")]


def test_nothing_while_heartbeats_stay_away(room: Room):
    room.publisher.beat()
    room.clock.now_s += HEARTBEAT_LIMIT_S - 0.1
    room.report({1: False})
    room.run()
    before = list(room.domoticz.updates)
    assert [update[1:] for update in before if update[1] == 1] == [(1, 0, "Off")]
    room.clock.now_s += 0.2
    room.report({1: True})
    room.run()
    assert room.domoticz.updates == before
    room.publisher.beat()
    room.run()
    assert (DEVICE_ID, 1, 1, "On") in room.domoticz.updates[len(before) :]


def test_nothing_after_the_stop_has_begun(room: Room):
    room.publisher.beat()
    room.publisher.begin_stop()
    room.report({1: False})
    room.run()
    assert room.domoticz.updates == []


def test_the_switch_goes_first_and_only_the_newest_value_is_written(room: Room):
    room.publisher.beat()
    room.clock.now_s += 20.0
    for watts in (5000, 9000, 15000):
        room.report({19: watts, 18: 6500, 20: 2300})
        room.clock.now_s += 4.0
    room.report({1: False})
    room.run()
    assert [update[1:] for update in room.domoticz.updates] == [
        (1, 0, "Off"),
        (2, 0, room.domoticz.shown()[2]),
        (3, 0, "230.0"),
        (4, 0, "6.500"),
    ]
    assert room.domoticz.shown()[2].startswith("1500.0;")


def test_an_unchanged_switch_is_never_written(room: Room):
    room.publisher.beat()
    for _ in range(600):
        room.clock.now_s += 1.0
        room.publisher.beat()
        room.report({1: True, 26: 0})
        room.run()
    assert {update[1] for update in room.domoticz.updates} == {2, 3, 4}


def test_a_switch_edited_by_hand_is_corrected(room: Room):
    room.publisher.beat()
    room.run()
    unit = room.domoticz.devices[DEVICE_ID].Units[1]
    unit.nValue, unit.sValue = 0, "Off"
    state = room.framework.held_by(DEVICE_ID, 1)
    assert state is not None
    room.fleet.held(DEVICE_ID, 1, state)
    room.run()
    assert room.domoticz.updates == [(DEVICE_ID, 1, 1, "On")]


def test_red_header_after_the_grace_and_back(room: Room):
    room.publisher.beat()
    device = room.domoticz.devices[DEVICE_ID]
    room.fleet.household.handle(Lost(DEVICE_ID, room.clock(), Unreachable("Kitchen", "it is gone")), room.clock())
    room.clock.now_s += 29.5
    room.run()
    assert device.TimedOut == 0
    room.clock.now_s += 1.0
    room.run()
    assert device.TimedOut == 1
    shown = room.domoticz.shown()
    for _ in range(10):
        room.clock.now_s += 50.0
        room.publisher.beat()
        room.fleet.tick(room.clock())
        room.run()
    assert room.domoticz.updates == []
    assert room.domoticz.shown() == shown
    room.fleet.household.handle(Connected(DEVICE_ID, room.clock(), "192.168.1.20", 6668, "3.4"), room.clock())
    room.run()
    assert device.TimedOut == 0


def test_a_unit_that_is_gone_is_not_written(room: Room):
    room.publisher.beat()
    del room.domoticz.devices[DEVICE_ID].Units[1]
    room.report({1: False})
    room.run()
    assert room.domoticz.updates == []
    assert room.fleet.is_deleted(DEVICE_ID, 1)
    assert room.fleet.births(room.clock()) == []


def test_a_fault_in_one_write_is_said_and_the_thread_goes_on(room: Room):
    def broken(*_words: object) -> bool:
        raise RuntimeError("broken")

    working, room.framework.write = room.framework.write, broken
    room.report({1: False})
    room.publisher.start()
    room.publisher.beat()
    _wait(lambda: any("could not be written" in line.text for line in room.fleet.household.take_lines()))
    room.framework.write = working
    room.publisher.wake()
    _wait(lambda: room.domoticz.updates == [(DEVICE_ID, 1, 0, "Off")])
    assert room.domoticz.threads == {"tuya-publisher"}


def test_the_thread_is_no_daemon_and_ends_at_once(room: Room):
    before = set(threading.enumerate())
    room.publisher.start()
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "tuya-publisher" and thread not in before]
    assert not thread.daemon
    began_s = time.monotonic()
    late_s = lateness()
    assert room.publisher.stop(2.0)
    assert time.monotonic() - began_s < 0.2 + late_s()
    assert not room.publisher.is_alive()


def test_a_hanging_update_does_not_hold_up_the_stop(room: Room):
    room.domoticz.hold = threading.Event()
    room.report({1: False})
    room.publisher.start()
    room.publisher.beat()
    assert room.domoticz.in_update.wait(2.0)
    # events are taken meanwhile, and nobody waits for the database
    began_s = time.monotonic()
    late_s = lateness()
    room.report({1: True})
    room.fleet.tick(room.clock())
    assert room.fleet.births(room.clock()) == []
    assert time.monotonic() - began_s < 0.1 + late_s()
    assert not room.publisher.stop(0.1)
    assert time.monotonic() - began_s < 0.3 + late_s()
    room.domoticz.hold.set()
    assert room.publisher.stop(2.0)
    assert len(room.domoticz.updates) == 1  # the one that had begun


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_died_is_started_again(room: Room):
    working = room.framework.write

    def deadly(*_words: object) -> bool:
        raise SystemExit  # what no "except Exception" catches, and threading says nothing about

    room.framework.write = deadly
    room.report({1: False})
    room.publisher.start()
    room.publisher.beat()
    _wait(lambda: not room.publisher.is_alive())
    room.framework.write = working
    assert room.domoticz.updates == []
    room.publisher.start()
    _wait(lambda: room.domoticz.updates == [(DEVICE_ID, 1, 0, "Off")])
    assert room.publisher.is_alive()


def test_no_key_in_what_is_said(room: Room):
    fleet = Fleet(Rules(), Memory(), Household(debug=True))
    fleet.serve([entry()], {DEVICE_ID: match(entry().raw, {})}, {}, 0.0)
    fleet.household.handle(Connected(DEVICE_ID, 0.0, "192.168.1.20", 6668, "3.4"), 0.0)
    fleet.household.handle(Status(DEVICE_ID, 0.0, SY1_DPS, True), 0.0)
    lines = [line.text for line in fleet.household.take_lines()]
    assert len(lines) >= 2
    assert not any(KEY in line or DEVICE_ID in line for line in lines)


def _wait(condition) -> None:
    deadline_s = time.monotonic() + 5.0
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.005)


def switched(room: Room):
    return [(nvalue, svalue) for _, unit, nvalue, svalue in room.domoticz.updates if unit == 1]


@pytest.mark.parametrize("room", [("2022.2",), ("2025.1",)], indirect=True, ids=lambda words: words[0])
def test_a_state_that_domoticz_did_not_store_is_given_again_when_it_stores_again(room: Room):
    """Each Update of a switch may run its On action: not again and again while the database is locked."""
    room.publisher.beat()
    room.run()
    room.domoticz.is_locked = True
    room.report({1: False})
    for _ in range(30):
        room.publisher.beat()
        room.run()
        room.clock.now_s += 2.0
    assert switched(room) == [(0, "Off")]
    assert room.publisher.lost() == ((DEVICE_ID, 1),)
    lines = [line.text for line in room.fleet.household.take_lines() if line.is_error]
    assert len(lines) == 1
    assert "Domoticz did not store the new state" in lines[0]
    room.domoticz.is_locked = False
    for _ in range(31):  # a meter is written once a minute
        room.publisher.beat()
        room.run()
        room.clock.now_s += 2.0
    assert switched(room) == [(0, "Off"), (0, "Off")]
    assert room.publisher.lost() == ()


def test_a_state_that_was_lost_and_is_over_is_not_given_again(room: Room):
    room.publisher.beat()
    room.run()
    room.domoticz.is_locked = True
    room.report({1: False})
    room.run()
    room.report({1: True})
    room.run()
    room.domoticz.is_locked = False
    for _ in range(40):
        room.publisher.beat()
        room.run()
        room.clock.now_s += 2.0
    assert switched(room) == [(0, "Off")]
    assert room.publisher.lost() == ()


def test_a_state_that_something_else_changes_back_each_time_is_not_fought_for_ever(room: Room, monkeypatch):
    room.publisher.beat()
    room.run()
    write = room.framework.write

    def fought(device_id, unit, state):
        written = write(device_id, unit, state)
        if unit == 1:
            room.domoticz.devices[device_id].Units[1].nValue = 1
            return written._replace(held=State(1, "On"))
        return written

    monkeypatch.setattr(room.framework, "write", fought)
    room.report({1: False})
    for _ in range(1000):
        room.publisher.beat()
        room.run()
        room.clock.now_s += 2.0
    assert len(switched(room)) == 3
