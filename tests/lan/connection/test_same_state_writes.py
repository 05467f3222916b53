"""A write for what is the case already: what the device has said since decides, in virtual time."""

from __future__ import annotations

import pytest

from tests.lan.connection.test_unsettled_writes import CONTROLS, QUERIES, answering, told, without_pushes
from tests.lan.connection.virtual import World
from tests.lan.lan_helpers import VERSIONS
from tuya.lan.client import Polling
from tuya.lan.errors import NotConfirmed
from tuya.lan.events import Status, WriteDone


def tripped_unheard(version):
    """A breaker that is off by itself, which nobody has heard of, and from now on obeys nothing."""
    world = World(version).up()
    world.run(20.0)
    without_pushes(world)
    world.breaker.set_relay(False)
    world.breaker.write = lambda *_, **__: None
    return world


@pytest.mark.parametrize("queries", ["none", "text"])
@pytest.mark.parametrize("code", [0, 1])
@pytest.mark.parametrize("version", VERSIONS)
def test_an_acknowledgement_is_not_the_devices_word_about_its_state(version, code, queries):
    """Off by hand, which nobody has heard of; On is acknowledged and not done, and no query is answered."""
    world = tripped_unheard(version)
    session = world.session
    answer = type(session).answer

    def bare(command, sequence, plain, *, code_=code, code=0):
        if command in CONTROLS:
            answer(session, command, sequence, b"", code=code_)
        elif command not in QUERIES:
            answer(session, command, sequence, plain, code=code)
        elif queries == "text":
            answer(session, command, sequence, b"json obj data unvalid", code=1)

    session.answer = bare
    world.link.write({1: True}, world.now_s)
    world.run(8.0)
    assert told(world) == [NotConfirmed]
    text = str(world.of(WriteDone)[0].error)
    assert "did not report within 3 s that it is still so" in text
    assert ("error code 1" in text) is (code == 1)


@pytest.mark.parametrize("acks", [True, False])
@pytest.mark.parametrize("late_s", [0.5, 1.5, 60.0])
@pytest.mark.parametrize("version", VERSIONS)
def test_a_trip_whose_report_is_late_and_a_click_that_does_nothing(version, late_s, acks):
    """It has tripped 0.1 s before the click for On, tells of it later or never, and stays off."""
    world = tripped_unheard(version)
    if not acks:
        answering(world, lambda command, plain: None if command in CONTROLS else plain)
    world.later(late_s, lambda: world.session and (world.session.push({1: False}, world.now_s), world.flush()))
    world.run(0.1)
    world.link.write({1: True}, world.now_s)
    world.run(8.0)
    assert told(world) == [NotConfirmed]
    assert [event.dps[1] for event in world.of(Status) if 1 in event.dps][-1] is False


@pytest.mark.parametrize("how", ["queries", "push", "push only"])
@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_the_case_already_where_nothing_is_acknowledged(version, how):
    """On at a breaker that is on: it says so in answers to queries, in a push and an answer, or in a push."""
    world = World(version).up()
    world.run(20.0)
    without_pushes(world)
    deaf = CONTROLS + QUERIES if how == "push only" else CONTROLS
    answering(world, lambda command, plain: None if command in deaf else plain)
    world.link.write({1: True}, world.now_s)
    clicked_s = world.now_s
    world.run(0.1)
    if how != "queries":
        world.session.push({1: True}, world.now_s)
        world.flush()
    world.run(5.0)
    assert told(world) == [None]
    assert world.of(WriteDone)[0].at_s - clicked_s == pytest.approx(1.0 if how == "push" else 2.0, abs=0.2)
    assert (len(world.breaker.writes), world.closes) == (1, [])


@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_the_case_already_and_nothing_says_so(version):
    """A report of before the click is none, however it is acknowledged."""
    world = without_pushes(World(version).up())
    answering(world, lambda command, plain: None if command in QUERIES else plain)
    world.link.write({1: True}, world.now_s)
    world.run(5.0)
    assert told(world) == [NotConfirmed]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_burst_of_clicks_asks_little(version):
    world = World(version).up()
    world.run(20.0)
    before = sum(world.breaker.requests.values())
    for _ in range(32):
        world.link.write({1: True}, world.now_s)
        world.run(0.01)
    world.run(4.0)
    assert told(world) == [None] * 32
    assert sum(world.breaker.requests.values()) - before <= 32 + 5


@pytest.mark.parametrize(("wanted", "reported"), [(60, "60"), (True, "true"), (2.5, "2.50"), (60, "sixty"), (60, "61")])
def test_numbers_as_text_are_the_same_value(wanted, reported):
    world = World("3.3").up()
    answering(world, lambda command, plain: plain.replace(b'"9":0', b'"9":"%s"' % reported.encode()))
    world.breaker.write = lambda _dps: {}
    world.link.write({9: wanted}, world.now_s)
    world.run(0.2)
    world.push({9: reported})
    world.run(5.0)
    assert told(world) == [None if reported not in ("sixty", "61") else NotConfirmed]


def test_a_verdict_says_the_true_seconds_and_a_data_point_that_refuses():
    world = World("3.1").up()
    world.link.set_polling(Polling(falling_dps=(9,)), world.now_s)
    world.late(1, 1.5, 1.6)
    world.run(60.0)
    write = world.breaker.write
    world.breaker.write = lambda dps: write({9: dps[9]})
    world.link.write({1: False, 9: 30}, world.now_s)
    world.run(15.0)
    text = str(world.of(WriteDone)[0].error)
    took_s = world.of(WriteDone)[0].at_s - world.now_s + 15.0
    assert f"within {took_s:.0f} s" in text
    assert "within 3 s" not in text
    assert "data point 1" in text
    assert "local key" in text


@pytest.mark.parametrize("version", VERSIONS)
def test_a_trip_whose_report_is_late_at_a_breaker_whose_answers_are_old(version):
    """Queries are answered at once with what was the case 2.5 s ago; the click is acknowledged and does nothing."""
    world = World(version).up()
    world.run(20.0)
    without_pushes(world)
    old = {b'"1":false': b'"1":true'}

    def answered(command, plain):
        plain = plain.replace(b'"1": ', b'"1":')
        for now, then in old.items():
            assert command not in QUERIES or now in plain
            plain = plain.replace(now, then)
        return plain

    answering(world, answered)
    world.breaker.set_relay(False)
    world.breaker.write = lambda *_, **__: None
    world.later(0.8, lambda: (world.session.push({1: False}, world.now_s), world.flush()))
    world.run(0.1)
    world.link.write({1: True}, world.now_s)
    world.run(3.5)
    assert told(world) == [NotConfirmed]
