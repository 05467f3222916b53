"""Somebody in the middle who has no key sends the breaker's own sealed messages again: in virtual time.

On 3.1-3.3 nothing in a message tells that it was sent before (replays.Marks says why), so those are not here.
"""

from __future__ import annotations

import pytest

from tests.lan.connection.test_session import Ends
from tests.lan.connection.virtual import World
from tuya.lan.connection.replays import NUMBERS_RISEN, REMEMBERED_MARKS, Numbers, Replays
from tuya.lan.connection.session_outputs import Data
from tuya.lan.errors import NotConfirmed
from tuya.lan.events import Lost, Status, WriteDone

BY_KEY = ("3.4", "3.5")


def told(world):
    return [None if event.error is None else type(event.error) for event in world.of(WriteDone)]


def recorded_off(world, how):
    """The frame in which the breaker says that it is open, and which the client has heard; it is closed again."""
    tape = []

    def record(frame):
        tape.append(frame)
        return [frame]

    world.rewrite = record if how == "push" else lambda frame: []
    world.breaker.set_relay(False)
    world.rewrite = record
    if how == "query":
        world.link.query(world.now_s)
        world.run(5.1)
    world.run(0.1)
    assert any(event.dps.get(1) is False for event in world.of(Status))
    world.breaker.set_relay(True)
    world.run(0.2)
    return max(tape, key=len) if how == "query" else tape[0]


@pytest.mark.parametrize("pause_s", [0.2, 1.5, 4.0, 7.0, 40.0])
@pytest.mark.parametrize("how", ["push", "query"])
@pytest.mark.parametrize("version", BY_KEY)
def test_an_old_state_sent_again_behind_a_click_confirms_nothing(version, how, pause_s):
    world = World(version).up()
    off = recorded_off(world, how)
    world.run(pause_s)
    world.stall()  # and the click is kept back
    world.link.write({1: False}, world.now_s)
    world.link.received(off, world.now_s)
    world.run(0.5)
    world.link.received(off, world.now_s)
    world.run(4.0)
    assert told(world) == [NotConfirmed]
    assert world.of(Lost)
    world.unstall()
    world.run(20.0)
    assert (world.breaker.relay, world.breaker.writes) == (True, [])


def test_what_was_kept_back_and_comes_late_confirms_nothing_on_3_5():
    """It was never heard, but the breaker has counted on since."""
    world = World("3.5").up()
    for second in range(NUMBERS_RISEN):
        world.breaker.push({19: 100 + second})
        world.run(1.0)
    tape = []
    world.rewrite = lambda frame: tape.append(frame) or []
    world.breaker.set_relay(False)
    world.rewrite = lambda frame: [frame]
    world.breaker.set_relay(True)
    world.run(1.0)
    world.stall()
    world.link.write({1: False}, world.now_s)
    world.link.received(tape[0], world.now_s)
    world.run(4.0)
    assert told(world) == [NotConfirmed]


@pytest.mark.parametrize("how", ["zero", "shuffled", "repeated"])
@pytest.mark.parametrize("version", BY_KEY)
def test_devices_whose_numbers_tell_nothing_are_confirmed_all_the_same(version, how):
    world = World(version).up()
    world.breaker.fault("sequence", how=how)
    for number in range(40):
        world.breaker.push({19: 100 + number})
        world.link.write({1: bool(number % 2)}, world.now_s)
        world.run(2.5)
    assert told(world) == [None] * 40
    assert world.closes == []


@pytest.mark.parametrize("version", BY_KEY)
def test_clicks_within_the_same_second_are_confirmed(version):
    """The breaker's clock counts seconds, so that on 3.4 its third report is the first one, byte for byte."""
    world = World(version).up()
    for number in range(4):
        world.link.write({1: bool(number % 2)}, world.now_s)
        world.run(0.1)
    world.run(3.0)
    assert told(world) == [None] * 4
    assert world.closes == []


@pytest.mark.parametrize("jump_s", [-86400.0, 86400.0])
@pytest.mark.parametrize("version", BY_KEY)
def test_a_clock_that_jumps_changes_nothing(version, jump_s):
    world = World(version).up()
    for number in range(6):
        if number == 3:
            world.breaker.faults.switch_on("clock", {"jump_s": jump_s})
        world.link.write({1: bool(number % 2)}, world.now_s)
        world.run(3.0)
    assert told(world) == [None] * 6


def test_numbers():
    numbers = Numbers()
    assert not any(numbers.is_old(number) for number in range(1, 20))
    assert numbers.is_old(3)
    assert not numbers.is_old(0)
    assert not numbers.is_old(20)
    anew = [numbers.is_old(number) for number in range(1, 19)]  # the device's count begins anew
    assert anew == [True] * NUMBERS_RISEN + [False] * (18 - NUMBERS_RISEN)
    for odd in ([5, 5, 5, 6, 6, 6] * 30, [9, 2, 7, 1] * 60, [0] * 100):
        numbers = Numbers()
        assert not any(numbers.is_old(number) for number in odd)


def test_a_device_whose_numbers_fall_or_stand_is_believed_again():
    """A count that begins anew; one that only falls; one number for all: clicks are confirmed all the same."""
    for drawn in ([*range(100, 120), *range(1, 60)], list(range(500, 400, -1)), [7] * 100):
        numbers = Numbers()
        old = [numbers.is_old(number) for number in drawn]
        assert sum(old) <= 2 * NUMBERS_RISEN
        assert not any(old[-NUMBERS_RISEN:])


@pytest.mark.parametrize("version", BY_KEY)
def test_answers_with_our_numbers_and_pushes_with_a_count_of_their_own(version):
    replays = Replays(nonces=version == "3.5")
    said = 0
    for second in range(60):
        mark = b"answer%02d" % second
        assert replays.fresh(mark, 16, 1000 + second, False, True, float(second))
        if second % 20 == 0:
            said += 1
            assert replays.fresh(b"push  %02d" % second, 8, said, False, True, float(second))


def test_one_number_for_all_the_same_bytes_are_said_anew():
    """It says On, Off and On again in the same bytes, for minutes: no replay can be told there, and no click fails."""
    replays = Replays(nonces=False)
    fresh = [replays.fresh(b"on%06d" % (second % 2), 8, 7, False, True, float(second)) for second in range(30)]
    assert all(fresh[2:])


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("pause_s", [0.5, 8.0, 35.0, 300.0])
@pytest.mark.parametrize("how", ["push", "query"])
@pytest.mark.parametrize("version", BY_KEY)
def test_an_old_state_sent_again_is_not_shown(version, how, pause_s, own):
    """Recorded on this connection, and sent again after the state has changed; numbers are the device's own or ours."""
    world = World(version).up()
    if own:
        world.breaker.fault("own_sequence")
    world.run(31.0)
    off = recorded_off(world, how)
    world.run(pause_s)
    shown = len(world.of(Status))
    world.link.received(off, world.now_s)
    world.run(2.0)
    assert all(event.dps.get(1) is not False for event in world.of(Status)[shown:])
    assert world.closes == []


@pytest.mark.parametrize("version", BY_KEY)
def test_an_undated_state_sent_again_on_a_young_connection_is_not_shown(version):
    """The first answer to a query, and nothing else of its kind was heard yet."""
    ends = Ends(version).up()
    answer = ends.device.answer(16, 5, b'{"dps":{"1":true}}')
    assert ends.receive(answer)
    ends.now_s += 0.5
    assert ends.says(8, b'{"protocol":4,"t":1700000000,"data":{"dps":{"1":false}}}', pushed=True)
    for pause_s in (0.5, 8.0, 35.0):
        ends.now_s += pause_s
        assert not any(isinstance(output, Data) for output in ends.receive(answer))


@pytest.mark.parametrize("empty", [True, False])
@pytest.mark.parametrize("version", BY_KEY)
def test_an_acknowledgement_sent_again_acknowledges_nothing(version, empty):
    """One of an earlier write, and the write of now is kept back: it does not count as arrived, and is stopped."""
    world = World(version).up()
    world.breaker.fault("own_sequence")
    world.run(31.0)
    tape = []
    world.rewrite = lambda frame: tape.append(frame) or [frame]
    session = world.session
    answer = type(session).answer
    if not empty:
        session.answer = lambda command, sequence, plain, *, code=0: answer(session, command, sequence, plain or b"ok")
    world.link.write({1: False}, world.now_s)
    world.run(10.0)
    world.stall()
    world.link.write({1: True}, world.now_s)
    for _ in range(5):
        for frame in tape:
            world.link.received(frame, world.now_s)
        world.run(0.5)
    world.run(3.0)
    assert told(world) == [None, NotConfirmed]
    assert [abort for _, abort in world.closes[:1]] == [True]
    world.unstall()
    world.run(20.0)
    assert len(world.breaker.writes) == 1


def test_a_device_with_one_number_for_all_is_believed_when_its_state_comes_back():
    """No number counts and nothing is dated: the answer of before is said again in the same bytes, and is true."""
    replays = Replays(nonces=False)
    assert replays.fresh(b"on" * 4, 16, 7, False, True, 0.0)
    assert replays.fresh(b"off" * 3, 8, 7, False, True, 1.0)
    assert replays.fresh(b"on" * 4, 16, 7, False, True, 30.0) is not None
    for second in range(60):
        assert replays.fresh(b"heart" * 2, 9, 7, False, False, 30.0 + second) is not None


@pytest.mark.parametrize("version", BY_KEY)
def test_what_is_remembered_is_bounded_and_long_enough(version):
    replays = Replays(nonces=version == "3.5")
    replays.fresh(b"recorded", 16, 0, False, True, 0.0)
    for second in range(900):
        replays.fresh(b"p%07d" % second, 8, 0, True, True, float(second))
    if version == "3.5":
        assert replays.fresh(b"recorded", 16, 0, False, True, 900.0) is None
    for second in range(900, 20_000):
        replays.fresh(b"p%07d" % second, 8, 0, True, True, float(second))
    kept = replays._marks
    sets = (kept._newest, kept._newer, kept._old, kept._older)
    assert sum(len(each) for each in sets) <= 4 * REMEMBERED_MARKS
