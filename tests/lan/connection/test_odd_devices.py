"""Devices that do what nobody expects, each version in virtual time: nothing false, nothing twice, no connection lost.

What public reports describe in real time is in test_field_*.py.
"""

from __future__ import annotations

import json

import pytest

from tests.lan.connection.virtual import World
from tests.lan.lan_helpers import VERSIONS
from tuya.lan.errors import NotConfirmed, NotConnected, WrongKey, WrongVersion
from tuya.lan.events import Connected, Failed, Lost, Status, WriteDone
from tuya.lan.limits import MAX_DPS, PENDING_WRITES
from tuya.simulator.replies import CONTROL, CONTROL_NEW, STATUS

CONTROLS = (CONTROL, CONTROL_NEW)


def told(world):
    return [None if event.error is None else type(event.error) for event in world.of(WriteDone)]


def assert_at_peace(world):
    assert world.closes == []
    assert len(world.connects) == 1
    assert world.of(Lost) == []
    assert [e.error for e in world.of(Failed) if isinstance(e.error, (WrongKey, WrongVersion))] == []


def answered_by(world, change):
    """Let `change` decide how commands are answered: it gets the session's own way of answering, and the request's."""
    answer = world.session.answer

    def changed(command, sequence, plain, *, code=0):
        if command in CONTROLS:
            change(answer, command, sequence)
        else:
            answer(command, sequence, plain, code=code)

    world.session.answer = changed


@pytest.mark.parametrize(
    "text", [b"", b"json obj data unvalid", b"data format error", b'{"error":1}', b"{}", b'{"dps":{}}', b"\xff\xfe\x01"]
)
@pytest.mark.parametrize("code", [0, 1, 255])
@pytest.mark.parametrize("version", VERSIONS)
def test_whatever_answers_a_command_its_report_decides(version, code, text):
    world = World(version).up()
    answered_by(world, lambda answer, command, sequence: answer(command, sequence, text, code=code))
    world.link.write({1: False}, world.now_s)
    world.run(5.0)
    world.breaker.fault("write", how="deaf")
    world.link.write({1: True}, world.now_s)
    world.run(15.0)
    assert told(world) == [None, NotConfirmed]
    assert len(world.breaker.writes) == 2
    assert_at_peace(world)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_command_that_is_answered_with_the_asked_for_state_and_not_done(version):
    """The answer says what was asked for, as some firmware does, and no report follows: a query tells the truth."""
    world = World(version).up()
    world.breaker.fault("write", how="deaf")
    state = json.dumps({"dps": {"1": False}}).encode()
    answered_by(world, lambda answer, command, sequence: answer(command, sequence, state))
    world.link.write({1: False}, world.now_s)
    world.run(40.0)
    assert world.of(Status)[-1].dps.get(1, True) is True
    assert_at_peace(world)


@pytest.mark.parametrize("version", VERSIONS)
def test_states_that_flap(version):
    world = World(version).up()
    for number in range(300):
        world.breaker.set_relay(bool(number % 2))
        world.run(0.1)
        if number % 60 == 0:
            world.link.write({1: True}, world.now_s)
    world.run(20.0)
    assert len(told(world)) == 5
    assert len(world.breaker.writes) == 5
    assert_at_peace(world)


@pytest.mark.parametrize("version", VERSIONS)
def test_queries_that_tell_only_what_has_changed(version):
    world = World(version).up()
    query, last = world.breaker.query, {}

    def changes():
        found = query()
        news = {dp: value for dp, value in found.items() if last.get(dp, object()) != value}
        last.update(found)
        return news

    world.breaker.query = changes
    for number in range(6):
        world.link.write({1: bool(number % 2)}, world.now_s)
        world.run(20.0)
    assert told(world) == [None] * 6
    assert_at_peace(world)


def wrapped(world, dps, **more):
    """A report in the words of this version."""
    if world.session.version >= "3.4":
        return json.dumps({"protocol": 4, "t": 1700000000, "data": {"dps": dps, **more}}).encode()
    return json.dumps({"devId": world.breaker.device_id, "dps": dps, "t": 1700000000, **more}).encode()


@pytest.mark.parametrize("version", VERSIONS)
def test_who_else_speaks_on_its_connection_confirms_nothing(version):
    """A sub-device, another id, and reports without data points or with values of another type."""
    world = World(version).up()
    world.stall()
    world.link.write({1: False}, world.now_s)
    others = [
        wrapped(world, {"1": False}, cid="a4c138f0e1d2b3c4"),
        json.dumps({"devId": "bfsomebodyelse000001", "dps": {"1": False}}).encode(),
        json.dumps({"gwId": "bfsomebodyelse000001", "dps": {"1": False}}).encode(),
        wrapped(world, {}),
        wrapped(world, {"1": None}),
        wrapped(world, {"1": "off-peak"}),
        wrapped(world, {"1": [False]}),
        wrapped(world, {"1": ""}),
        wrapped(world, {" 1": False, "+1": False, "1e0": False, "1.0": False}),
    ]
    for plain in others:
        world.session.answer(STATUS, 0, plain)
        world.flush()
        world.run(0.1)
    world.run(3.0)
    assert told(world) == [NotConfirmed]


@pytest.mark.parametrize("gap_s", [0.0, 0.004])
@pytest.mark.parametrize("version", VERSIONS)
def test_frames_byte_by_byte_and_all_at_once(version, gap_s):
    world = World(version).up()
    if gap_s:
        free_s = [world.now_s]

        def split(frame):
            free_s[0] = max(free_s[0], world.now_s)
            for number in range(len(frame)):
                piece = frame[number : number + 1]
                free_s[0] += gap_s
                world.later(free_s[0] - world.now_s, lambda piece=piece: world.link.received(piece, world.now_s))
            return []

        world.rewrite = split
    else:
        kept = []

        def joined(frame):
            kept.append(frame)
            if len(kept) % 3:
                return []
            together, kept[:] = b"".join(kept), []
            return [together]

        world.rewrite = joined
    for number in range(4):
        world.link.write({1: bool(number % 2)}, world.now_s)
        world.run(15.0)
    assert told(world) == [None] * 4
    assert_at_peace(world)


@pytest.mark.parametrize("version", VERSIONS)
def test_it_is_announced_elsewhere_in_the_middle_of_a_write(version):
    """The write waits on the old connection, which nobody answers any more; it never arrives, there or here."""
    world = World(version, version_fixed=False).up()
    world.stall()
    world.link.write({1: False}, world.now_s)
    world.run(0.1)
    for _ in range(20):
        world.link.announced("10.0.0.9", version, world.now_s)
        world.run(0.5)
        if world.connects[-1][1] == "10.0.0.9" and world.stalled:
            world.stalled = False
    world.run(60.0)
    assert told(world) == [NotConfirmed]
    assert world.connects[-1][1] == "10.0.0.9"
    assert world.of(Connected)[-1].address == "10.0.0.9"
    assert world.breaker.writes == []


@pytest.mark.parametrize("version", VERSIONS)
def test_announcements_with_versions_in_turns_change_nothing(version):
    world = World(version, version_fixed=False).up()
    for number in range(600):
        world.link.announced("10.0.0.5", VERSIONS[number % len(VERSIONS)], world.now_s)
        world.run(0.5)
    world.link.write({1: False}, world.now_s)
    world.run(5.0)
    assert told(world) == [None]
    assert_at_peace(world)
    world.link.tcp_closed(world.now_s)
    for number in range(60):
        world.link.announced("10.0.0.5", VERSIONS[number % len(VERSIONS)], world.now_s)
        world.run(0.5)
    assert {event.version for event in world.of(Connected)} == {version}
    assert len(world.of(Connected)) == 2


@pytest.mark.parametrize("version", VERSIONS)
def test_a_connection_that_is_open_on_one_side_only(version):
    """The breaker has forgotten it (its power was cut): no click arrives, each ends in an error, and it comes back."""
    world = World(version).up()
    world.rewrite = lambda frame: []
    world.stall()
    world.link.write({1: False}, world.now_s)
    world.run(4.0)
    world.link.write({1: False}, world.now_s)
    assert told(world) == [NotConfirmed, NotConnected]
    world.stalled, world.rewrite = False, lambda frame: [frame]
    world.run(60.0)
    assert world.link.connected
    assert world.breaker.writes == []


@pytest.mark.parametrize("version", VERSIONS)
def test_at_the_limits(version):
    """As many data points as one message may bring, more of them, and as many clicks as may wait at once."""
    world = World(version).up()
    many = {str(dp): dp for dp in range(200, 200 + 2 * MAX_DPS)}
    world.session.answer(STATUS, 0, wrapped(world, {"19": 4321, **many}))
    world.flush()
    world.run(0.1)
    assert world.of(Status)[-1].dps[19] == 4321
    for number in range(PENDING_WRITES):
        world.link.write({1: bool(number % 2)}, world.now_s)
    world.run(10.0)
    assert told(world) == [None] * PENDING_WRITES
    assert len(world.breaker.writes) == PENDING_WRITES
    assert_at_peace(world)


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("version", [version for version in VERSIONS if version != "3.1"])
def test_nonsense_under_the_right_key_does_not_disprove_it(version, at_once):
    """A device that has lost its mind says nothing that can be read; that its key is another one would be false."""
    world = World(version).up()
    world.fault("bad_json", {"kind": "bytes"})
    if at_once:
        world.hang_up()
    for _ in range(30):
        world.run(1.0)
        if world.link.connected:
            world.breaker.push({20: 2345})
    assert [e.error for e in world.events if isinstance(getattr(e, "error", None), (WrongKey, WrongVersion))] == []
    world.clear_faults(["bad_json"])
    world.run(60.0)
    assert world.link.connected
