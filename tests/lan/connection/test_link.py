"""The policy of one device in virtual time: no socket, no thread, no waiting."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any, List, Optional, Tuple

import pytest

from tuya.lan.client import Device, Polling
from tuya.lan.connection.diagnosis import Diagnosis
from tuya.lan.connection.link import Link
from tuya.lan.connection.probe import Probe
from tuya.lan.errors import (
    Busy,
    Closed,
    Mute,
    NotConfirmed,
    NotConnected,
    NotFound,
    Refused,
    Unreachable,
    WrongKey,
    WrongVersion,
)
from tuya.lan.events import Alive, Connected, Failed, Lost, Status, WriteDone
from tuya.lan.limits import Backoff, TokenBucket
from tuya.lan.versions import CONTROL, DP_QUERY, HEART_BEAT, STATUS, UPDATEDPS
from tuya.simulator.frames import Wire as DeviceWire

KEY = b"0123456789abcdef"
ID = "bfvirtualvirtual0001"
QUERY_ANSWER = b'{"dps":{"1":true,"18":302,"19":412,"20":2412}}'


class World:
    """A link, a clock, and the other end of its one connection (protocol 3.3)."""

    def __init__(self, polling: Optional[Polling] = None, **device: Any) -> None:
        device = {"address": "10.0.0.5", "version": "3.3", "name": "Oven", **device}
        self.now_s = 1000.0
        self.events: List[Any] = []
        self.attempts: List[Tuple[float, str]] = []
        self.closes: List[Tuple[float, bool]] = []
        self.commands: List[Tuple[float, int]] = []
        self.open = False
        self.taken = True  # by the kernel at the other end
        self.answers = True
        self.key = KEY
        places, waited_s = device.pop("places", None), device.pop("waited_s", 0.0)
        self.link = Link(
            Device(device.pop("device_id", ID), device.pop("local_key", KEY), **device),
            polling or Polling(),
            self.events.append,
            self,
            rng=random.Random(1),
            wall_time=lambda: 1.7e9,
            random_bytes=lambda count: b"n" * count,
            places=places,
            waited_s=waited_s,
        )

    @property
    def connecting(self) -> bool:
        """Whether the link waits for TCP to connect."""
        return self.open and self.link._session is None

    # Transport
    def connect(self, address: str, port: int) -> None:
        assert not self.open
        if self.closes:
            assert self.now_s - self.closes[-1][0] >= 1.0
        self.open = True
        self.wire = DeviceWire("3.3", self.key)
        self.attempts.append((self.now_s, address))

    def send(self, data: bytes) -> None:
        assert self.open
        for request in self.wire.requests(data):
            self.commands.append((self.now_s, request.command))
            if self.answers:
                self.answer(request.command)

    def is_taken(self) -> bool:
        return self.taken

    def close(self, *, abort: bool) -> None:
        self.open = False
        self.closes.append((self.now_s, abort))

    # the device
    def answer(self, command: int) -> None:
        if command == DP_QUERY:
            self.pending = self.wire.answer(command, 1, QUERY_ANSWER)
        elif command in (HEART_BEAT, UPDATEDPS, CONTROL):
            self.pending = self.wire.answer(command, 1, b"")
        self.inbox = [*getattr(self, "inbox", []), self.pending]

    def deliver(self) -> None:
        while getattr(self, "inbox", []):
            data, self.inbox = self.inbox[0], self.inbox[1:]
            if self.open:
                self.link.received(data, self.now_s)

    def push(self, text: bytes) -> None:
        self.link.received(self.wire.answer(STATUS, 0, text, pushed=True), self.now_s)

    def start(self) -> World:
        self.link.start(self.now_s)
        self.deliver()
        return self

    def up(self) -> World:
        self.start()
        self.link.tcp_opened(self.now_s)
        self.deliver()
        assert self.link.connected
        return self

    def run(self, seconds: float) -> None:
        """Let time pass; the link is ticked exactly at its deadlines."""
        until_s = self.now_s + seconds
        for _ in range(100_000):
            if self.link.deadline_s > until_s:
                break
            self.now_s = max(self.now_s, self.link.deadline_s)
            self.link.tick(self.now_s)
            self.deliver()
        else:
            raise AssertionError("the deadline does not move")
        self.now_s = until_s

    def of(self, kind: type) -> List[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def sent(self, command: int) -> List[float]:
        return [at_s for at_s, number in self.commands if number == command]


def test_start_query_and_steady_state():
    world = World().up()
    assert [type(event) for event in world.events] == [Connected, Status]
    assert world.events[1].full
    world.run(100.0)
    heartbeats = world.sent(HEART_BEAT)
    # after 9 s of silence each; the answers to queries are no silence
    assert heartbeats == [at_s + 9.0 * number for at_s in (1000.0, 1030.0, 1060.0) for number in (1, 2, 3)] + [1099.0]
    assert world.sent(DP_QUERY) == [1000.0, 1030.0, 1060.0, 1090.0]
    assert len(world.of(Alive)) == 10
    assert len(world.attempts) == 1


def test_refreshes_and_queries_keep_their_distance():
    world = World(Polling(refresh_dps=(18, 19, 20), refresh_interval_s=1.0, query_interval_s=12.0)).up()
    world.run(300.0)
    requests = sorted(world.sent(DP_QUERY) + world.sent(UPDATEDPS))
    gaps = [after - before for before, after in zip(requests, requests[1:])]
    assert min(gaps) == 5.0
    assert len(world.sent(DP_QUERY)) >= 15
    assert not world.sent(HEART_BEAT)  # it answers all the time


def test_heartbeats_keep_away_from_refreshes():
    world = World(Polling(refresh_dps=(18, 19, 20), refresh_interval_s=1.0)).up()
    world.answers = False
    world.run(22.0)
    assert len(world.sent(HEART_BEAT)) == 2
    for at_s in world.sent(HEART_BEAT):
        assert not any(0.0 <= at_s - refreshed_s < 2.0 for refreshed_s in world.sent(UPDATEDPS))


@pytest.mark.parametrize("start_s", [0.0, 0.5, 3.0, 8.9, 17.0, 29.9])
def test_mute_is_lost_within_25_seconds(start_s):
    world = World(Polling(refresh_dps=(18,), refresh_interval_s=5.0)).up()
    world.run(start_s)
    world.answers = False
    heard_s = world.now_s
    world.run(25.0)
    (lost,) = world.of(Lost)
    assert isinstance(lost.error, Mute)
    assert 12.0 < lost.at_s - heard_s < 25.0
    assert world.closes[0][1] is True


def test_waits_grow_to_a_minute_and_pauses_are_never_shorter_than_a_second():
    world = World().start()
    for _ in range(14):
        world.link.connect_failed("refused", True, world.now_s)
        world.run(world.link.deadline_s - world.now_s)
    times = [at_s for at_s, _ in world.attempts]
    waits = [after - before for before, after in zip(times, times[1:])]
    assert 1.0 <= waits[0] <= 1.5
    for before, after in zip(waits, waits[1:]):
        assert after == pytest.approx(min(before * 1.8, 60.0))
    assert waits[-1] == 60.0
    assert [type(event.error) for event in world.of(Failed)] == [Refused]


def test_an_announcement_restarts_the_wait_but_a_flood_does_not_hammer():
    world = World().start()
    for _ in range(10):
        world.link.connect_failed("refused", True, world.now_s)
        world.run(world.link.deadline_s - world.now_s)
    world.link.connect_failed("refused", True, world.now_s)
    world.run(2.0)
    world.link.announced("10.0.0.5", "3.3", world.now_s)
    assert world.attempts[-1][0] == world.now_s
    before = len(world.attempts)
    for _ in range(600):
        if world.open:
            world.link.connect_failed("refused", True, world.now_s)
        world.link.announced("10.0.0.5", "3.3", world.now_s)
        world.run(0.1)
    assert len(world.attempts) - before <= 30


def test_forged_addresses_never_starve_the_good_one():
    world = World().up()
    world.link.tcp_closed(world.now_s)
    back_s: List[float] = []
    for number in range(3000):
        world.link.announced(f"10.9.{number % 250}.{number // 250 + 1}", "3.1", world.now_s)
        world.run(0.01)
        if world.open and world.attempts[-1][1] == "10.0.0.5" and not back_s:
            back_s.append(world.now_s)
        elif world.open and world.now_s - world.attempts[-1][0] > 0.5 and not back_s:
            world.link.connect_failed("refused", True, world.now_s)
    assert back_s
    assert back_s[0] - 1000.0 < 8.0


def test_a_probe_at_most_every_30_seconds_and_the_new_address_only_after_silence():
    world = World().up()
    for _ in range(100):
        world.link.announced("10.0.0.9", "3.3", world.now_s)
        world.deliver()
        world.run(0.5)
    assert not world.of(Lost)
    regular = (1010.0, 1019.0, 1028.0, 1040.0, 1049.0)  # after 9 s of silence each
    assert [at_s for at_s in world.sent(HEART_BEAT) if at_s not in regular] == [1001.0, 1031.0]
    world.run(12.0)
    world.answers = False
    world.link.announced("10.0.0.9", "3.3", world.now_s)
    announced_s = world.now_s
    world.run(6.5)
    assert {announced_s, announced_s + 2.5} <= set(world.sent(HEART_BEAT))  # asked twice
    assert world.of(Lost)[0].at_s == announced_s + 5.0
    assert world.attempts[-1] == (pytest.approx(announced_s + 6.1), "10.0.0.9")


def test_no_answer_to_tcp():
    world = World().start()
    world.run(3.0)
    (failed,) = world.of(Failed)
    assert isinstance(failed.error, Unreachable)
    assert failed.at_s == 1003.0


def test_a_verdict_comes_in_time_also_while_a_slow_try_is_under_way():
    world = World().start()
    world.run(2.9)
    world.answers = False
    world.link.tcp_opened(world.now_s)
    for _ in range(10):
        world.run(0.25)
        world.link.received(b"\0", world.now_s)
    (failed,) = world.of(Failed)
    assert failed.at_s - 1000.0 < 4.5


def test_a_slow_start_of_the_command_is_taken_off_the_first_verdict():
    world = World(waited_s=1.5).start()
    world.answers = False
    world.link.tcp_opened(world.now_s)
    world.run(2.9)
    (failed,) = world.of(Failed)
    assert isinstance(failed.error, Mute)
    assert failed.at_s == 1002.5
    assert world.open  # and the try goes on


def test_without_an_address():
    world = World(address=None).start()
    world.run(4.0)
    assert isinstance(world.of(Failed)[0].error, NotFound)
    assert not world.attempts
    world.run(1000.0)
    assert len(world.of(Failed)) == 1
    world.link.announced("10.0.0.77", "3.3", world.now_s)
    assert world.attempts == [(world.now_s, "10.0.0.77")]


def test_closes_before_and_after_an_answer():
    world = World().start()
    world.answers = False
    world.link.tcp_opened(world.now_s)
    world.link.tcp_closed(world.now_s)
    assert isinstance(world.of(Failed)[0].error, Busy)
    world.answers = True
    world.run(2.0)
    world.link.tcp_opened(world.now_s)
    world.deliver()
    world.link.tcp_closed(world.now_s)
    assert isinstance(world.of(Lost)[0].error, Closed)
    world.run(2.0)
    world.link.tcp_opened(world.now_s)
    world.deliver()
    world.link.tcp_closed(world.now_s)
    assert isinstance(world.of(Lost)[1].error, Busy)


def test_a_write_is_confirmed_by_a_push_and_by_a_query():
    world = World().up()
    world.link.write({1: False}, world.now_s)
    world.deliver()
    world.push(b'{"dps":{"1":true}}')
    assert not world.of(WriteDone)
    world.push(b'{"dps":{"1":0}}')
    assert world.of(WriteDone)[0].error is None
    world.run(5.0)
    world.link.write({1: True}, world.now_s)
    world.run(1.0)
    assert world.of(WriteDone)[1].error is None
    assert world.of(WriteDone)[1].at_s == world.now_s
    assert world.sent(CONTROL) == [1000.0, 1005.0]
    assert len(world.of(WriteDone)) == 2


def test_a_write_of_two_points_waits_for_both():
    world = World().up()
    world.link.write({1: False, 41: True}, world.now_s)
    world.push(b'{"dps":{"1":false}}')
    assert not world.of(WriteDone)
    world.push(b'{"dps":{"41":true}}')
    assert world.of(WriteDone)[0].dps == {1: False, 41: True}


def test_a_write_that_nobody_answers_is_given_up_with_the_connection():
    world = World().up()
    world.answers = False
    world.link.write({1: False}, world.now_s)
    world.run(3.0)
    (done,) = world.of(WriteDone)
    assert isinstance(done.error, NotConfirmed)
    assert done.at_s == 1003.0
    assert isinstance(world.of(Lost)[0].error, Mute)
    assert world.closes == [(1003.0, True)]  # aborted: what still waits in TCP must not switch anything later
    assert world.sent(CONTROL) == [1000.0]
    assert world.sent(DP_QUERY) == [1000.0, 1001.0]


def test_a_write_that_is_acknowledged_and_not_done_keeps_the_connection():
    world = World().up()
    world.link.write({1: False}, world.now_s)
    world.deliver()
    world.run(3.0)
    assert isinstance(world.of(WriteDone)[0].error, NotConfirmed)
    assert not world.of(Lost)
    world.run(60.0)
    assert len(world.sent(CONTROL)) == 1


def test_a_write_is_confirmed_after_a_reconnect_and_not_repeated():
    world = World().up()
    world.push(b'{"dps":{"1":false}}')
    world.link.write({1: True}, world.now_s)
    world.link.tcp_closed(world.now_s)
    world.run(1.6)
    assert world.open
    world.link.tcp_opened(world.now_s)
    world.deliver()
    (done,) = world.of(WriteDone)
    assert done.error is None
    assert len(world.sent(CONTROL)) == 1


def test_too_many_writes_and_stop():
    world = World().up()
    world.answers = False
    for _ in range(40):
        world.link.write({1: False}, world.now_s)
    assert [type(event.error) for event in world.of(WriteDone)] == [Busy] * 8
    world.link.stop(world.now_s)
    assert len(world.of(WriteDone)) == 40
    world.link.write({1: False}, world.now_s)
    assert isinstance(world.of(WriteDone)[-1].error, NotConnected)


def test_refreshes_that_are_ignored_become_queries():
    world = World(Polling(refresh_dps=(18,), refresh_interval_s=5.0)).up()

    def answer(command: int) -> None:
        if command != UPDATEDPS:
            World.answer(world, command)

    world.answer = answer  # type: ignore[method-assign]
    world.run(200.0)
    assert len(world.sent(UPDATEDPS)) == 4
    queries = world.sent(DP_QUERY)
    gaps = [after - before for before, after in zip(queries, queries[1:])]
    assert gaps[-5:] == [10.0] * 5  # as often as gentle questions may come


def test_a_refused_refresh_is_not_repeated():
    world = World(Polling(refresh_dps=(18,))).up()

    def answer(command: int) -> None:
        if command == UPDATEDPS:
            world.inbox = [world.wire.answer(command, 1, b"json obj data unvalid", code=1)]
        else:
            World.answer(world, command)

    world.answer = answer  # type: ignore[method-assign]
    world.run(100.0)
    assert len(world.sent(UPDATEDPS)) == 1


def test_a_close_right_after_a_refresh_is_blamed_on_it_and_on_nobody_else():
    world = World(Polling(refresh_dps=(18,), refresh_interval_s=5.0)).up()
    for _ in range(2):
        world.run(5.0)
        world.link.tcp_closed(world.now_s + 0.1)
        world.run(2.0)
        world.link.tcp_opened(world.now_s)
        world.deliver()
    assert [type(event.error) for event in world.of(Lost)] == [Closed, Closed]
    assert "asked to refresh" in str(world.of(Lost)[0].error)
    assert "only queried" in str(world.of(Lost)[1].error)
    world.run(20.0)
    assert len(world.sent(UPDATEDPS)) == 2
    world.link.tcp_closed(world.now_s)
    assert isinstance(world.of(Lost)[2].error, Closed)  # the first that nobody had asked for
    world.run(2.0)
    world.link.tcp_opened(world.now_s)
    world.deliver()
    world.run(5.0)
    world.link.tcp_closed(world.now_s)
    assert isinstance(world.of(Lost)[3].error, Busy)


def test_a_guess_of_another_version_leaves_the_better_diagnosis_standing():
    world = World().start()
    world.key = b"another key 1234"
    world.wire.use_key(world.key)
    tried: List[str] = []
    for _ in range(8):
        world.answers = True
        world.link.tcp_opened(world.now_s)
        tried.append(world.link._attempt.version)
        if tried[-1] == "3.3":
            world.deliver()
        else:
            world.link.tcp_closed(world.now_s)
            world.inbox = []
        if world.open:
            world.run(3.1)
        world.run(world.link.deadline_s - world.now_s)
    assert {"3.3", "3.4"} < set(tried)
    assert [type(event.error) for event in world.of(Failed)] == [WrongKey]
    assert isinstance(world.link.last_error, WrongKey)


def test_a_key_that_changed_while_connected_shows_in_what_cannot_be_read():
    world = World().up()
    world.wire.use_key(b"another key 1234")
    for _ in range(3):
        world.push(b'{"dps":{"19":1}}')
    assert isinstance(world.of(Lost)[0].error, WrongKey)


def test_another_device_at_the_address_is_not_believed():
    world = World().start()
    world.answers = False
    world.link.tcp_opened(world.now_s)
    world.push(b'{"devId":"somebody else","dps":{"1":true}}')
    assert isinstance(world.of(Failed)[0].error, Refused)
    assert not world.of(Status)


def test_a_changed_key_reconnects_and_a_changed_name_does_not():
    world = World().up()
    device = world.link.device
    world.link.reconfigure(replace(device, name="Boiler"), world.now_s)
    assert world.link.connected
    world.link.reconfigure(replace(device, local_key=b"another key 1234"), world.now_s)
    assert isinstance(world.of(Lost)[0].error, Closed)
    world.key = b"another key 1234"
    world.run(1.6)
    world.link.tcp_opened(world.now_s)
    world.deliver()
    assert world.link.connected
    assert world.attempts[1][0] - world.attempts[0][0] >= 1.0


def test_a_connection_that_only_acknowledges_is_kept_and_called_what_it_is():
    world = World(version_fixed=True).start()

    def answer(command: int) -> None:
        world.inbox = [*getattr(world, "inbox", []), world.wire.answer(command, 1, b"")]

    world.answer = answer  # type: ignore[method-assign]
    world.link.tcp_opened(world.now_s)
    world.deliver()
    world.run(300.0)
    (failed,) = world.of(Failed)
    assert isinstance(failed.error, Mute)
    assert "connected and has not reported yet" in str(failed.error)
    assert failed.at_s == 1003.0
    assert world.open
    assert world.sent(UPDATEDPS)[0] == 1000.0
    assert world.sent(DP_QUERY)[:2] == [1000.0, 1030.0]
    world.push(b'{"dps":{"19":7}}')
    assert world.of(Status)[0].dps == {19: 7}
    assert world.link.connected


def test_the_state_holds_no_key():
    world = World().up()
    state = world.link.state(world.now_s + 4.0)
    assert state.connected
    assert (state.address, state.version, state.last_error) == ("10.0.0.5", "3.3", None)
    assert state.last_heard_age_s == 4.0
    for shown in (repr(state), repr(world.link.device), repr(world.link._session)):
        assert KEY.decode() not in shown


# -- the parts


def test_backoff_and_bucket():
    backoff = Backoff(random.Random(2))
    waits = [backoff.next_s() for _ in range(12)]
    assert 1.0 <= waits[0] <= 1.5
    assert waits[-1] == 60.0
    backoff.restart()
    assert backoff.next_s() <= 1.5
    backoff.longest()
    assert backoff.next_s() == 60.0
    bucket = TokenBucket(10.0, 3)
    assert [bucket.take(100.0) for _ in range(4)] == [True, True, True, False]
    assert not bucket.take(105.0)
    assert bucket.take(111.0)


def test_a_diagnosis_is_told_when_it_changes():
    told: List[Tuple[str, float]] = []
    diagnosis = Diagnosis(lambda error, now_s: told.append((type(error).__name__, now_s)))
    diagnosis.begin(0.0)
    assert diagnosis.verdict_due(4.2)
    for at_s, error in enumerate([Mute("", "x"), Mute("", "x"), Refused("", "x"), Mute("", "x"), Refused("", "x")]):
        diagnosis.tell_failure(error, float(at_s))
    assert told == [("Mute", 0.0), ("Refused", 2.0)]
    diagnosis.tell_failure(Mute("", "x"), 700.0)
    diagnosis.all_is_well()
    diagnosis.tell_failure(Mute("", "x"), 701.0)
    assert told[2:] == [("Mute", 700.0), ("Mute", 701.0)]


def test_what_outweighs_a_diagnosis():
    diagnosis = Diagnosis(lambda error, now_s: None)
    diagnosis.begin(0.0)
    assert diagnosis.outweighs(Mute("", "x"), "3.3", sure=False, proof=False)
    assert not diagnosis.outweighs(Busy("", "x"), "3.4", sure=False, proof=False)
    assert not diagnosis.outweighs(WrongVersion("", "x"), "3.5", sure=False, proof=False)
    assert diagnosis.outweighs(WrongKey("", "x"), "3.4", sure=False, proof=True)
    assert not diagnosis.outweighs(WrongKey("", "x"), "3.3", sure=False, proof=False)
    assert diagnosis.outweighs(Mute("", "x"), "3.4", sure=False, proof=False)  # the same version fails otherwise now
    assert diagnosis.outweighs(WrongVersion("", "x"), "3.3", sure=True, proof=False)
    assert diagnosis.outweighs(Unreachable("", "x"), "3.1", sure=True, proof=False)
    assert diagnosis.outweighs(Mute("", "x"), "3.1", sure=False, proof=False)


def test_probe():
    probe = Probe()
    probe.plan(100.0, quiet_s=100.4, judges=True, answer_s=2.5)
    assert not probe.is_due(100.1, heard_s=99.0)
    assert probe.next_s() == 100.4
    assert probe.is_due(100.4, heard_s=99.0)
    assert not probe.is_due(100.4, heard_s=99.0)
    assert probe.is_due(102.9, heard_s=99.0)
    assert not probe.has_failed(105.3, heard_s=99.0)
    assert probe.has_failed(105.4, heard_s=99.0)
    assert not probe.has_failed(105.5, heard_s=99.0)
    probe.plan(120.0, quiet_s=0.0, judges=True, answer_s=2.5)
    assert not probe.is_due(121.0, heard_s=99.0)
    probe.plan(130.0, quiet_s=0.0, judges=True, answer_s=2.5)
    assert probe.is_due(130.0, heard_s=99.0)
    assert not probe.is_due(132.5, heard_s=132.4)  # the answer to the first spares the second
    assert not probe.has_failed(200.0, heard_s=132.4)
    probe.plan(230.0, quiet_s=0.0, judges=False, answer_s=2.5)
    assert probe.is_due(230.0, heard_s=99.0)
    assert probe.next_s() == float("inf")
