"""The whole client on loopback, against breakers whose side of the protocol was written without its codec."""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import replace

import pytest

from tests.lan.lan_helpers import VERSIONS, Running, device_of, served
from tests.lateness import lateness
from tests.leftovers import Leftovers
from tuya.boot_clock import boot_clock_s
from tuya.lan.client import Client, Device, Polling
from tuya.lan.errors import (
    BadValue,
    Busy,
    Mute,
    NotConfirmed,
    NotConnected,
    NotFound,
    OwnedElsewhere,
    Refused,
    Unreachable,
    WrongKey,
)
from tuya.lan.events import Connected, Failed, Lost, Status, WriteDone
from tuya.lan.network.reactor import Reactor
from tuya.simulator import Fleet

CONTROLS = {"3.1": 7, "3.2": 7, "3.3": 7, "3.4": 13, "3.5": 13}


@pytest.mark.parametrize("version", VERSIONS)
def test_values_pushes_and_a_confirmed_switch(version):
    with Fleet(version=version, noise=0.0) as fleet:
        breaker = fleet.breakers[0]
        with Running([device_of(breaker)]) as run:
            connected = run.seen.wait_connected(breaker.device_id)
            assert (connected.address, connected.port, connected.version) == ("127.0.0.1", breaker.port, version)
            first = run.seen.wait_status(breaker.device_id, full=True)
            assert first.dps[1] is True
            assert first.dps[19] == breaker.dps[19] > 900  # 100 W in 0.1 W
            breaker.push({18: 4321, 19: 9876, 20: 2300})
            push = run.seen.wait_value(breaker.device_id, 19, 9876, 1.0)
            assert push.full is False
            since = len(run.seen.events)
            asked_s = time.monotonic()
            late_s = lateness()
            run.client.write(breaker.device_id, {1: False})
            done = run.seen.wait_done(breaker.device_id, 1.0, since)
            assert done.error is None
            assert done.dps == {1: False}
            assert done.at_s - asked_s < 0.5 + late_s()
            assert breaker.relay is False
            assert [dps for _, dps in breaker.writes] == [{1: False}]
            assert breaker.most_at_once == 1


@pytest.mark.parametrize("version", VERSIONS)
def test_a_version_that_proves_nothing_is_told(version):
    with served(version) as (_breaker, run):
        told = [problem for problem in run.client.problems if "cannot prove who answers" in problem]
        assert len(told) == (1 if version == "3.1" else 0)


def test_the_version_is_found_by_spaced_tries():
    with Fleet(version="3.4") as fleet:
        breaker = fleet.breakers[0]
        with Running([device_of(breaker, None)]) as run:
            assert run.seen.wait_connected(breaker.device_id, 12.0).version == "3.4"
            assert breaker.most_at_once <= 1


@pytest.mark.parametrize("version", VERSIONS)
def test_a_wrong_key_is_told_apart(version):
    with Fleet(version=version) as fleet:
        breaker = fleet.breakers[0]
        with Running([device_of(breaker, local_key=b"0123456789abcdef", version_fixed=True)]) as run:
            started_s = time.monotonic()
            late_s = lateness()
            if version == "3.1":
                # its queries need no key: what can be said comes with the first push
                run.seen.wait_connected(breaker.device_id)
                for _ in range(3):
                    breaker.push()
                assert isinstance(run.seen.wait_lost(breaker.device_id, 2.0).error, WrongKey)
                return
            failed = run.seen.wait_failed(breaker.device_id, 5.0)
            assert isinstance(failed.error, WrongKey)
            assert failed.at_s - started_s < 5.0 + late_s()
            assert not run.seen.of(Connected)
            assert "0123456789abcdef" not in str(failed.error)


def test_a_silent_device_is_mute_and_no_proof_of_a_wrong_key():
    with Fleet(version=VERSIONS, count=5) as fleet:
        for breaker in fleet.breakers:
            breaker.fault("mute")
        with Running([device_of(breaker) for breaker in fleet.breakers]) as run:
            started_s = time.monotonic()
            late_s = lateness()
            for breaker in fleet.breakers:
                failed = run.seen.wait_failed(breaker.device_id, 5.0)
                assert isinstance(failed.error, Mute)
                assert 2.9 < failed.at_s - started_s < 5.0 + late_s()


def test_a_new_key_is_taken_up_without_a_restart():
    with Fleet(version="3.4") as fleet:
        breaker = fleet.breakers[0]
        wrong = device_of(breaker, local_key=b"0123456789abcdef")
        with Running([wrong]) as run:
            run.seen.wait_failed(breaker.device_id)
            run.client.set_devices([replace(wrong, local_key=breaker.local_key)])
            run.seen.wait_connected(breaker.device_id, 3.0)


def test_the_first_error_comes_soon_whatever_the_reason():
    listener = socket.create_server(("127.0.0.1", 0))
    closed_port = listener.getsockname()[1]
    listener.close()
    deaf = socket.create_server(("127.0.0.1", 0))
    with Fleet(version="3.3", count=2) as fleet:
        breaker, dark = fleet.breakers
        breaker.fault("busy")
        dark.fault("unreachable")
        key = b"0123456789abcdef"
        expected = {
            "closedport0000000000": (
                Device("closedport0000000000", key, address="127.0.0.1", port=closed_port),
                Refused,
            ),
            "noaddress00000000000": (Device("noaddress00000000000", key), NotFound),
            "deafdevice0000000000": (
                Device("deafdevice0000000000", key, address="127.0.0.1", port=deaf.getsockname()[1], version="3.5"),
                Mute,
            ),
            "shortkey000000000000": (Device("shortkey000000000000", b"short", address="127.0.0.1"), BadValue),
            "hostname000000000000": (Device("hostname000000000000", key, address="breaker.local"), BadValue),
            dark.device_id: (device_of(dark), Unreachable),
            breaker.device_id: (device_of(breaker), Busy),
        }
        with Running([device for device, _ in expected.values()]) as run:
            started_s = time.monotonic()
            late_s = lateness()
            for device_id, (_, kind) in expected.items():
                failed = run.seen.wait_failed(device_id, 5.0)
                assert isinstance(failed.error, kind), (device_id, failed.error)
                assert failed.at_s - started_s < 5.0 + late_s()
            assert not run.seen.of(Connected)
    deaf.close()


def test_commands_without_a_connection_are_refused_at_once():
    device = Device("noaddress00000000000", b"0123456789abcdef")
    with Running([device]) as run:
        run.client.write(device.device_id, {1: True})
        done = run.seen.wait_done(device.device_id, 0.5)
        assert isinstance(done.error, NotConnected)
        run.client.write("nobody", {1: True})
        assert isinstance(run.seen.wait_done("nobody", 0.5).error, NotConnected)
    run.client.write(device.device_id, {1: True})
    assert len(run.seen.of(WriteDone, device.device_id)) == 2


def test_a_write_is_sent_once_and_confirmed_by_what_is_reported():
    ways = {"deaf": False, "unreported": True, "unanswered": False, "late": True, "refused": False}
    with Fleet(version=VERSIONS, count=25, noise=0.0) as fleet:
        how_of = {breaker.device_id: list(ways)[number // 5] for number, breaker in enumerate(fleet.breakers)}
        with Running([device_of(breaker) for breaker in fleet.breakers]) as run:
            for breaker in fleet.breakers:
                run.seen.wait_status(breaker.device_id, full=True)
                breaker.fault("write", how=how_of[breaker.device_id])
            asked_s = time.monotonic()
            late_s = lateness()
            for breaker in fleet.breakers:
                run.client.write(breaker.device_id, {1: False})
            for breaker in fleet.breakers:
                done = run.seen.wait_done(breaker.device_id, 4.0)
                took_s = done.at_s - asked_s
                how = how_of[breaker.device_id]
                if ways[how]:
                    assert done.error is None
                    # "unreported" shows in the query which asks after 1 s, "late" is pushed after 2 s
                    assert took_s - late_s() < (1.4 if how == "unreported" else 2.4)
                    assert took_s >= (1.0 if how == "unreported" else 2.0)
                else:
                    assert isinstance(done.error, NotConfirmed)
                    assert 3.0 <= took_s < 3.4 + late_s()
                assert len(breaker.writes) == 1
                assert len(run.seen.of(WriteDone, breaker.device_id)) == 1
            assert not run.seen.of(Lost)


class HeldClock:
    """boot_clock_s() in a process that is stopped for `ahead_s` right after its next reading."""

    def __init__(self) -> None:
        self.ahead_s = 0.0
        self.is_held = False

    def __call__(self) -> float:
        if self.is_held:
            self.is_held = False
            return boot_clock_s()
        return boot_clock_s() + self.ahead_s


def test_a_write_that_waits_while_the_process_is_stopped_is_not_sent():
    clock = HeldClock()
    with served("3.4", boot_clock=clock) as (breaker, run):
        clock.ahead_s, clock.is_held = 8.0, True  # the click, and 8 s later the network thread takes it up
        run.client.write(breaker.device_id, {1: False})
        late = run.seen.wait_done(breaker.device_id)
        assert isinstance(late.error, NotConnected)
        assert "too late" in str(late.error)
        seen = len(run.seen.events)
        run.client.write(breaker.device_id, {1: False}, asked_s=clock() - 8.0)  # it has waited elsewhere
        assert isinstance(run.seen.wait_done(breaker.device_id, since=seen).error, NotConnected)
        assert breaker.writes == []
        seen = len(run.seen.events)
        run.client.write(breaker.device_id, {1: False})
        assert run.seen.wait_done(breaker.device_id, since=seen).error is None


def test_a_breaker_that_trips_at_once_is_not_closed_again():
    with Fleet(version="3.4", noise=0.0) as fleet:
        breaker = fleet.breakers[0]
        breaker.set_relay(False)
        breaker.fault("trip")
        with Running([device_of(breaker)]) as run:
            run.seen.wait_status(breaker.device_id, full=True)
            run.client.write(breaker.device_id, {1: True})
            assert isinstance(run.seen.wait_done(breaker.device_id, 4.0).error, NotConfirmed)
            time.sleep(0.5)
            assert len(breaker.writes) == 1


def test_a_write_that_was_cut_off_is_not_sent_again():
    with served("3.4") as (breaker, run):
        breaker.fault("mute")
        run.client.write(breaker.device_id, {1: False})
        time.sleep(0.1)
        breaker.fault("reset")
        breaker.clear_faults()
        since = len(run.seen.events)
        run.seen.wait_connected(breaker.device_id, 3.0, since)
        done = run.seen.wait_done(breaker.device_id, 4.0)
        assert isinstance(done.error, NotConfirmed)
        assert breaker.writes == []
        assert breaker.relay is True


def test_reconnects_after_a_reset_with_a_pause_and_one_connection():
    with Fleet(version="3.3") as fleet:
        breaker = fleet.breakers[0]
        with Running([device_of(breaker)]) as run:
            run.seen.wait_status(breaker.device_id, full=True)
            since = len(run.seen.events)
            late_s = lateness()
            breaker.fault("reset")
            lost = run.seen.wait_lost(breaker.device_id, 0.5, since)
            back = run.seen.wait_connected(breaker.device_id, 3.0, since)
            assert 1.0 <= back.at_s - lost.at_s < 1.7 + late_s()
            assert breaker.connections == 2
            assert breaker.most_at_once == 1
            assert breaker.refused == 0


def test_devices_come_and_go_without_touching_the_others():
    with Fleet(version="3.3", count=3) as fleet:
        first, second, third = fleet.breakers
        with Running([device_of(first), device_of(second)]) as run:
            run.seen.wait_connected(first.device_id)
            run.seen.wait_connected(second.device_id)
            run.client.set_devices([device_of(second), device_of(third)])
            run.seen.wait_connected(third.device_id)
            assert set(run.client.snapshot()) == {second.device_id, third.device_id}
            run.seen.wait(lambda _: not first.connected, 1.0)
            assert second.connections == 1
            assert not run.seen.of(Lost)


def test_a_second_client_is_kept_out_and_told_by_whom():
    with Fleet(version="3.3") as fleet:
        breaker = fleet.breakers[0]
        with Running([device_of(breaker)]) as run:
            run.seen.wait_connected(breaker.device_id)
            with Running([device_of(breaker)]) as other:
                failed = other.seen.wait_failed(breaker.device_id, 1.0)
                assert isinstance(failed.error, OwnedElsewhere)
                assert "served by test" in str(failed.error)
                other.client.write(breaker.device_id, {1: False})
                assert isinstance(other.seen.wait_done(breaker.device_id, 1.0).error, NotConnected)
            assert breaker.connections == 1
            assert run.client.snapshot()[breaker.device_id].connected


def test_stop_is_quick_idempotent_and_leaves_no_thread():
    blackholes = [
        Device(f"blackhole{number:011d}", b"0123456789abcdef", address=f"192.0.2.{number}", version="3.4")
        for number in range(1, 51)
    ]
    left = Leftovers()
    run = Running(blackholes)
    run.client.start()
    run.client.start()
    time.sleep(0.3)
    started_s = time.monotonic()
    late_s = lateness()
    assert run.client.stop(2.0)
    assert time.monotonic() - started_s < 0.4 + late_s()
    assert run.client.stop()
    assert left.after_a_while() == []
    assert not run.client.is_alive()


@pytest.mark.parametrize("how", ["start", "set_devices"])
def test_a_stop_does_not_wait_for_the_start_of_many_devices(how, monkeypatch):
    """On a starved machine each of them takes a while: what is not begun is left."""
    begun = threading.Event()
    add = Reactor.add
    added = []

    def slowly(*args):
        added.append(args[1].device_id)
        begun.set()
        time.sleep(0.02)
        add(*args)

    monkeypatch.setattr(Reactor, "add", slowly)
    many = [
        Device(f"blackhole{number:011d}", b"0123456789abcdef", address=f"192.0.2.{number}", version="3.4")
        for number in range(1, 251)
    ]
    run = Running(many if how == "start" else [])
    run.client.start()
    if how == "set_devices":
        run.client.set_devices(many)
    assert begun.wait(5.0)
    late_s = lateness()
    started_s = time.monotonic()
    assert run.client.stop(10.0)
    assert time.monotonic() - started_s < 0.4 + late_s()
    assert len(added) < 100
    assert not run.client.is_alive()


def test_a_stopped_client_can_start_again():
    with Fleet(version="3.5") as fleet:
        breaker = fleet.breakers[0]
        run = Running([device_of(breaker)])
        for _ in range(2):
            since = len(run.seen.events)
            run.client.start()
            run.seen.wait_status(breaker.device_id, 5.0, since, full=True)
            assert run.client.stop()


def test_a_sink_that_raises_does_not_end_the_thread(caplog):
    with Fleet(version="3.3") as fleet:
        breaker = fleet.breakers[0]
        calls = []

        def sink(event):
            calls.append(event)
            if isinstance(event, Status) and len(calls) < 4:
                raise RuntimeError("from outside")

        client = Client([device_of(breaker)], sink, discovery=False)
        client.start()
        until_s = time.monotonic() + 4
        while time.monotonic() < until_s and sum(isinstance(event, Connected) for event in calls) < 2:
            time.sleep(0.05)
        assert client.is_alive()
        assert sum(isinstance(event, Connected) for event in calls) == 2
        assert client.stop()


def test_refreshes_are_spaced_and_spare_the_heartbeats():
    with Fleet(version="3.4", noise=0.0) as fleet:
        breaker = fleet.breakers[0]
        breaker.fault("quiet")
        with Running([device_of(breaker)]) as run:
            run.client.set_polling(breaker.device_id, Polling(refresh_dps=(18, 19, 20), refresh_interval_s=1.0))
            run.seen.wait_status(breaker.device_id, full=True)
            breaker.set_load(50.0)
            started_s = time.monotonic()
            late_s = lateness()
            changed = run.seen.wait(lambda e: isinstance(e, Status) and 490 <= e.dps.get(19, 0) <= 510, 6.0)
            assert 4.5 <= changed.at_s - started_s < 5.5 + late_s()
            assert breaker.requests[18] == 1
            assert 9 not in breaker.requests  # no heartbeat while it answers


def test_two_failing_devices_leave_the_third_alone():
    with Fleet(version=("3.3", "3.4", "3.5"), count=3) as fleet:
        broken, evil, fine = fleet.breakers
        broken.fault("garbage", where="instead", size=4000)
        evil.fault("length", length=-1)
        with Running([device_of(breaker) for breaker in fleet.breakers]) as run:
            run.seen.wait_connected(fine.device_id)
            for number in range(20):
                fine.push({19: 5000 + number})
                run.seen.wait_value(fine.device_id, 19, 5000 + number, 0.5)
            assert not run.seen.of(Lost, fine.device_id)
            assert not run.seen.of(Failed, fine.device_id)


def test_a_late_loop_judges_nobody_before_it_has_read():
    ahead_s = [0.0]
    with Fleet(version=VERSIONS, count=5) as fleet:
        devices = [device_of(breaker) for breaker in fleet.breakers]
        with Running(devices, clock=lambda: time.monotonic() + ahead_s[0]) as run:
            for breaker in fleet.breakers:
                run.seen.wait_status(breaker.device_id, full=True)
            for jump_s in (8.0, 30.0, 100_000.0):
                ahead_s[0] += jump_s
                for breaker in fleet.breakers:
                    breaker.push({19: 1234 + int(jump_s) % 1000})
                for breaker in fleet.breakers:
                    run.seen.wait_value(breaker.device_id, 19, 1234 + int(jump_s) % 1000, 1.0)
                time.sleep(0.3)
            assert not run.seen.of(Lost)


def test_a_sink_that_blocks_for_long_loses_nobody():
    blocked = threading.Event()
    events = []
    with Fleet(version="3.4", count=2) as fleet:

        def sink(event):
            events.append(event)
            if isinstance(event, Status) and event.dps.get(19) == 4711:
                blocked.set()
                time.sleep(1.5)

        client = Client([device_of(breaker) for breaker in fleet.breakers], sink, discovery=False)
        client.start()
        while sum(isinstance(event, Status) for event in events) < 2:
            time.sleep(0.01)
        fleet.breakers[0].push({19: 4711})
        assert blocked.wait(1.0)
        fleet.breakers[1].push({19: 4712})
        time.sleep(2.0)
        assert not [event for event in events if isinstance(event, (Lost, Failed))]
        assert any(isinstance(event, Status) and event.dps.get(19) == 4712 for event in events)
        assert client.stop()
