"""Ways of real devices that take minutes to show, on each version (sources: simulator/fault_field.py): virtual time."""

from __future__ import annotations

import pytest

from tests.lan.connection.virtual import World
from tests.lan.lan_helpers import VERSIONS
from tuya.lan.errors import Busy, Closed, WrongKey, WrongVersion
from tuya.lan.events import Connected, Failed, Lost, Status, WriteDone

CONTACTS_A_MINUTE = 6
MEASURED = {18: 1000, 19: 2300, 20: 2300}


def most_in_a_minute(world):
    times = [at_s for at_s, _ in world.connects]
    return max(sum(at_s <= other < at_s + 60.0 for other in times) for at_s in times)


def words(world):
    return "; ".join(str(event.error) for event in world.events if isinstance(event, (Failed, Lost)))


def announcing(world, seconds, every_s=5.0):
    for _ in range(int(seconds / every_s)):
        world.link.announced("10.0.0.5", world.breaker.version, world.now_s)
        world.run(every_s)


@pytest.mark.parametrize("how", ["reset", "mute"])
@pytest.mark.parametrize("version", VERSIONS)
def test_of_no_use_and_announced_every_5_s(version, how):
    world = World(version)
    if how == "reset":
        world.accepted = world.hang_up
    else:
        world.breaker.fault("mute")
        world.rewrite = lambda frame: []
    world.link.start(world.now_s)
    announcing(world, 1800.0)
    assert 1 <= most_in_a_minute(world) <= CONTACTS_A_MINUTE
    assert not world.of(Connected)
    assert "power is switched off and on" in words(world)
    last = [at_s for at_s, _ in world.connects if at_s > world.now_s - 300.0]
    assert len(last) <= 6  # the longer it is of no use, the less often


@pytest.mark.parametrize("version", VERSIONS)
def test_closes_each_connection_after_10_s(version):
    world = World(version)
    world.breaker.fault("quiet")
    world.accepted = lambda: world.later(10.0, world.hang_up)
    world.link.start(world.now_s)
    announcing(world, 600.0)
    assert not [e for e in world.events if isinstance(e, (Failed, Lost)) and isinstance(e.error, (Busy, WrongKey))]
    assert {type(event.error) for event in world.of(Lost)} == {Closed}
    assert "closes each connection after about 10 s" in words(world)
    assert most_in_a_minute(world) <= CONTACTS_A_MINUTE
    pauses = [after - before[0] for before, (after, _) in zip(world.closes, world.connects[1:])]
    assert max(pauses) < 5.0  # it delivers
    assert len(world.of(Status)) > 40


@pytest.mark.parametrize("clicks", [False, True])
@pytest.mark.parametrize("every_s", [0.5, 1.0, 3.0, 9.5])
@pytest.mark.parametrize("version", VERSIONS)
def test_resets_when_pinged_within_a_second_of_its_push(version, every_s, clicks):
    world = World(version)
    world.breaker.fault("pinged")
    world.link.start(world.now_s)
    world.push_every(every_s)
    for number in range(15):
        world.run(40.0)
        if clicks:
            world.link.write({1: bool(number % 2)}, world.now_s)
    world.run(10.0)
    assert world.closes == []
    assert [event.error for event in world.of(WriteDone)] == [None] * (15 * clicks)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("least_s", "most_s"), [(1.0, 2.0), (2.0, 5.0)])
@pytest.mark.parametrize("version", VERSIONS)
def test_seconds_late_both_ways(version, least_s, most_s, seed):
    """Each message has a delay of its own and the order stays; clicks are done and confirmed, nothing is lost."""
    world = World(version)
    world.late(seed, least_s, most_s)
    world.link.start(world.now_s)
    world.run(120.0)
    assert world.link.connected
    since = len(world.events)
    for number in range(6):
        world.link.write({1: bool(number % 2)}, world.now_s)
        world.run(30.0)
    assert [event.error for event in world.of(WriteDone)] == [None] * 6
    assert not [event for event in world.events[since:] if isinstance(event, Lost)]
    assert not [e for e in world.of(Failed) if isinstance(e.error, (WrongKey, WrongVersion))]


@pytest.mark.parametrize("version", ["3.4", "3.5"])
def test_one_bad_proof_after_a_boot(version):
    world = World(version)
    world.breaker.fault("boot_hmac")
    world.link.start(world.now_s)
    world.run(10.0)
    assert world.link.connected
    assert "key" not in words(world)


@pytest.mark.parametrize("how", ["close", "text", "foreign_hmac", "silent"])
@pytest.mark.parametrize("version", VERSIONS[1:])
def test_another_key_is_named_whatever_it_is_answered_by(version, how):
    world = World(version, local_key=b"another local ke")
    world.breaker.fault("wrong_key", how=how)
    world.link.start(world.now_s)
    world.run(60.0)
    assert not world.of(Connected)
    assert "key" in words(world)
    assert "Choose Protocol auto" not in words(world) or world.link.device.version_fixed


@pytest.mark.parametrize("kind", ["text", "number", "on"])
@pytest.mark.parametrize("version", VERSIONS)
def test_relays_in_other_words(version, kind):
    """Both the plain boolean and the device's own word are written, taken and confirmed."""
    spelled = {"text": ("false", "true"), "number": (0, 1), "on": ("off", "on")}[kind]
    world = World(version)
    world.breaker.fault("booleans", kind=kind)
    world.up()
    for value in (False, True, *spelled):
        world.link.write({1: value}, world.now_s)
        world.run(3.0)
        assert world.breaker.relay is (value in (True, spelled[1]))
    assert [event.error for event in world.of(WriteDone)] == [None] * 4
    assert world.closes == []
