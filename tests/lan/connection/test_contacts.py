"""How often a device is contacted, what its ways of refusing are called, and who is believed; in virtual time."""

from __future__ import annotations

import random
from typing import Any, Callable, List

import pytest

from tests.lan.connection.test_link import ID, KEY, World
from tuya.lan.client import Device
from tuya.lan.connection.lives import Lives
from tuya.lan.connection.reconnect import Tries
from tuya.lan.connection.session_outputs import Ended
from tuya.lan.errors import Busy, Closed, Mute, NotConfirmed, ProtocolViolation, Unreachable, WrongKey, WrongVersion
from tuya.lan.events import Connected, Failed, Lost, Status, WriteDone
from tuya.lan.limits import Contacts
from tuya.lan.locks.address_use import Places
from tuya.lan.versions import CONTROL, DP_QUERY, HEART_BEAT

ADDRESS = "10.0.0.5"


def live(world: World, seconds: float, connected: Callable[[], Any], announce_s: float = 0.0) -> None:
    """Let time pass; `connected` is called when TCP would be connected; announced every `announce_s` seconds."""
    until_s = world.now_s + seconds
    next_s = world.now_s + announce_s if announce_s else float("inf")
    while world.now_s < until_s:
        if world.connecting:
            connected()
        if world.now_s >= next_s:
            next_s += announce_s
            world.link.announced(ADDRESS, "3.3", world.now_s)
        world.run(0.05)


def most_in_a_minute(world: World) -> int:
    times = [at_s for at_s, _ in world.attempts]
    return max(sum(at_s <= other < at_s + 60.0 for other in times) for at_s in times)


def refuses(world: World) -> Callable[[], None]:
    def connected() -> None:
        world.answers = False
        world.link.tcp_opened(world.now_s)
        world.link.tcp_closed(world.now_s)

    return connected


@pytest.mark.parametrize("announce_s", [0.0, 0.2, 1.0, 5.0])
def test_resets_on_accept_six_times_a_minute_at_most_and_ever_less(announce_s):
    world = World(version_fixed=True).start()
    live(world, 1200.0, refuses(world), announce_s)
    assert most_in_a_minute(world) <= 6
    late = [at_s for at_s, _ in world.attempts if at_s > 2000.0]
    assert len(late) <= 4  # one a minute in the end
    failed = world.of(Failed)
    assert {type(event.error) for event in failed} == {Busy}
    told = [event for event in failed if "power is switched off and on" in str(event.error)]
    assert told
    assert "20 times in a row" in str(told[0].error)
    assert sum(at_s < told[0].at_s + 0.1 for at_s, _ in world.attempts) == 20


def test_a_mute_device_is_contacted_no_more_often_than_one_that_resets():
    world = World(version_fixed=True).start()
    world.answers = False
    live(world, 900.0, lambda: world.link.tcp_opened(world.now_s), announce_s=5.0)
    assert most_in_a_minute(world) <= 6
    assert any("power is switched off and on" in str(event.error) for event in world.of(Failed))


@pytest.mark.parametrize("addresses", [1, 3, 250])
def test_no_announcements_make_more_contacts(addresses):
    world = World(version_fixed=True).start()
    until_s = world.now_s + 300.0
    number = 0
    while world.now_s < until_s:
        number += 1
        world.link.announced(f"10.9.0.{number % addresses}", ["3.1", "3.3", "3.5"][number % 3], world.now_s)
        if world.connecting:
            refuses(world)()
        world.run(0.1)
    assert most_in_a_minute(world) <= 6
    home = sum(where == ADDRESS for _, where in world.attempts)
    assert home >= len(world.attempts) // 2 - 1


def test_a_device_that_comes_back_while_it_announces_itself_is_there_within_half_a_minute():
    for minutes in (1, 2, 4):
        world = World(version_fixed=True).start()
        live(world, 60.0 * minutes, refuses(world), announce_s=5.0)
        healed_s = world.now_s

        def works(world: World = world) -> None:
            world.answers = True
            world.link.tcp_opened(world.now_s)
            world.deliver()

        live(world, 31.0, works, announce_s=5.0)
        assert world.of(Connected)[0].at_s - healed_s < 30.0


def test_contacts():
    contacts = Contacts()
    begun: List[float] = []
    now_s = 0.0
    while now_s < 600.0:
        now_s = contacts.next_s(now_s)
        contacts.begin(now_s)
        begun.append(now_s)
        now_s += 1.0
    assert begun[:4] == [0.0, 1.0, 2.0, 3.0]
    assert all(after - before <= 30.001 for before, after in zip(begun, begun[1:]))
    assert all(sum(at_s <= other < at_s + 60.0 for other in begun) <= 6 for at_s in begun)
    contacts = Contacts()
    for number in range(100):
        contacts.begin(float(number))
        contacts.nobody()  # reached nobody
    assert contacts.next_s(100.0) == 100.0


# -- the device's own ways


def closes_after(world: World, seconds: float) -> Callable[[], None]:
    def connected() -> None:
        world.answers = True
        world.link.tcp_opened(world.now_s)
        world.deliver()
        opened_s = world.now_s
        while world.now_s < opened_s + seconds:
            world.push(b'{"dps":{"19":%d}}' % int(world.now_s * 10))
            world.run(0.5)
        if world.open:
            world.link.tcp_closed(world.now_s)

    return connected


def test_a_device_that_closes_after_ten_seconds_is_not_said_to_be_taken_and_stays_there():
    world = World(version_fixed=True).start()
    live(world, 600.0, closes_after(world, 10.0))
    losses = world.of(Lost)
    assert {type(event.error) for event in losses} == {Closed}
    assert "another program" not in "".join(str(event.error) for event in losses)
    assert "closes each connection after about 10 s" in str(losses[-1].error)
    assert most_in_a_minute(world) <= 6
    pauses = [after - before[0] for before, (after, _) in zip(world.closes, world.attempts[1:])]
    assert max(pauses) < 3.0  # it delivers data
    assert len(world.of(Status)) > 600


def test_a_rival_is_still_called_one():
    rng = random.Random(3)
    world = World(version_fixed=True).start()
    live(world, 300.0, lambda: closes_after(world, rng.uniform(0.5, 20.0))())
    assert Busy in {type(event.error) for event in world.of(Lost)}
    assert "another program" in "".join(str(event.error) for event in world.of(Lost))
    assert most_in_a_minute(world) <= 6


def test_lives():
    lives = Lives()
    lives.ended(10.0, brought=True, our_fault=False)
    assert not lives.taken_away
    lives.ended(10.4, brought=True, our_fault=False)
    assert not lives.taken_away
    assert lives.habit_s == 10.4
    for _ in range(5):
        lives.ended(10.1, brought=False, our_fault=False)
    assert lives.pauses_grow
    lives.ended(10.0, brought=True, our_fault=False)
    assert not lives.pauses_grow
    lives.ended(1.0, brought=True, our_fault=False)
    assert lives.taken_away
    lives.ended(100.0, brought=True, our_fault=False)
    assert lives.short == 0
    lives.ended(2.0, brought=True, our_fault=True)
    assert lives.short == 0


def test_a_reset_by_a_ping_is_blamed_on_the_ping():
    # resets when asked within a second of its push; pushes every 12 s: heartbeats and queries come in between
    world = World(version_fixed=True).up()
    for _ in range(6):
        world.run(12.0)
        world.push(b'{"dps":{"19":7}}')
        world.link.query(world.now_s)
        world.run(0.3)
        world.link.tcp_closed(world.now_s)
        world.run(2.0)
        world.link.tcp_opened(world.now_s)
        world.deliver()
    assert {type(event.error) for event in world.of(Lost)} == {Closed}
    assert "another program" not in "".join(str(event.error) for event in world.of(Lost))


# -- what is said


def judged(error: Any, **device: Any) -> Any:
    tries = Tries(Device(ID, KEY, "Oven", ADDRESS, **device), Places(), random.Random(1))
    return tries.judged(error, ADDRESS, 1000.0)


def test_a_close_names_the_key_among_its_causes_as_long_as_it_has_not_worked():
    said = str(judged(Busy("Oven", "takes the connection and closes it before an answer")))
    assert said.index("Tuya app") < said.index("local key") < said.index("version")
    world = World(version_fixed=True).up()
    world.link.tcp_closed(world.now_s)
    live(world, 5.0, refuses(world))
    assert "local key" not in str(world.of(Failed)[0].error)  # it has worked


@pytest.mark.parametrize("given", [None, "3.4"])
def test_auto_is_not_recommended_to_who_has_it(given):
    error = WrongVersion("Oven", "does not speak protocol 3.4")
    assert "auto" not in str(judged(error, version=given))
    assert "Choose Protocol auto" in str(judged(error, version="3.4", version_fixed=True))


def test_a_version_is_not_to_be_chosen_while_another_device_may_have_the_address():
    """Addresses dealt anew: what speaks another version there is another breaker, and what is chosen stays."""
    error = WrongVersion("Oven", "does not speak protocol 3.4")
    places, other = Places(), ("192.168.1.9", 6668)
    tries = Tries(Device(ID, KEY, "Oven", ADDRESS, version="3.4"), places, random.Random(1))
    tries.session_up(ADDRESS, "3.4", proven=True)
    assert "choose it as Protocol" in str(tries.judged(error, ADDRESS, 1000.0)), "there is no other one"
    places.want("other", "Boiler", other)
    for at_s, may_be in ((1000.0, True), (1005.0, True), (1030.0, False)):
        if at_s == 1005.0:
            places.take("other", other, at_s)
            places.worked("other", other)
        said = str(tries.judged(error, ADDRESS, at_s))
        assert ("Another device of the file may have its address" in said) == may_be
        assert ("choose it as Protocol" in said) != may_be
    places.disproved("other", other, 1040.0, at_home=True, certain=True)
    assert "Another device" in str(tries.judged(error, ADDRESS, 1040.0))
    pinned = Tries(Device(ID, KEY, "Oven", ADDRESS, version="3.4", version_fixed=True), places, random.Random(1))
    pinned.session_up(ADDRESS, "3.4", proven=True)
    assert "Choose Protocol auto" in str(pinned.judged(error, ADDRESS, 1040.0))


def test_a_wrong_key_is_told_on_the_second_proof():
    tries = Tries(Device(ID, KEY, "Oven", ADDRESS, version="3.4"), Places(), random.Random(1))
    proof = Ended(WrongKey("Oven", "x"), key_disproved=True)
    tries.try_failed(ADDRESS, "3.4", proof.error, 1.0, answered=True, ended=proof)
    assert tries.needs_another_proof
    assert tries.due_s < 3.0
    tries.session_up(ADDRESS, "3.4", proven=True)
    assert not tries.needs_another_proof
    for at_s in (5.0, 7.0):
        tries.try_failed(ADDRESS, "3.4", proof.error, at_s, answered=True, ended=proof)
    assert not tries.needs_another_proof
    assert tries.due_s == 67.0


def test_3_1_that_is_only_announced_is_explained():
    world = World(version=None).start()
    world.link.announced(ADDRESS, "3.1", world.now_s)
    live(world, 30.0, refuses(world))
    assert world.link._attempt.version != "3.1"
    assert isinstance(world.link.last_error, WrongVersion)
    assert "choose Protocol 3.1" in str(world.link.last_error)


# -- who is believed


def test_an_announcement_does_not_break_off_a_connection_to_the_given_address():
    world = World(version="3.5").start()
    world.link.announced("10.6.6.6", "3.3", world.now_s)
    assert world.connecting
    assert world.attempts == [(1000.0, ADDRESS)]
    world.run(0.9)
    assert world.connecting
    world.run(0.2)  # who answers to TCP at all does so within a second
    assert not world.connecting
    world.run(2.0)
    assert world.attempts[1][1] == "10.6.6.6"


def test_a_peer_that_proves_nothing_does_not_keep_us_from_the_device():
    """It takes connections at its own address, answers everything without a key, and announces itself all the time."""
    world = World().start()
    real = {"here": False}

    def connected() -> None:
        world.answers = False
        world.link.tcp_opened(world.now_s)
        if world.attempts[-1][1] == ADDRESS and real["here"]:
            world.answers = True
            world.inbox = [world.wire.answer(DP_QUERY, 1, b'{"dps":{"1":true,"19":412}}')]
            world.deliver()

    for second in range(2400):
        world.link.announced("10.6.6.6", "3.3", world.now_s)
        if world.connecting:
            connected()
        elif world.open and not world.link.connected and world.attempts[-1][1] == "10.6.6.6":
            world.link.received(bytes.fromhex("000055aa00000001000000090000000c00000000b051ab030000aa55"), world.now_s)
        real["here"] = second > 1200  # the breaker was without mains for some minutes
        world.run(0.25)
        if world.link.connected:
            break
    assert world.link.connected
    assert world.of(Connected)[0].address == ADDRESS
    assert second < 1200 + 4 * 120
    held = [after[0] - before[0] for before, after in zip(world.attempts, world.attempts[1:])]
    assert max(held) < 250.0


# -- writes


def test_a_push_is_no_answer_to_a_write():
    world = World(version_fixed=True).up()
    world.answers = False
    world.link.write({1: True}, world.now_s)
    for number in range(5):
        world.run(0.5)
        world.push(b'{"dps":{"19":%d}}' % number)
    world.run(0.5)
    (done,) = world.of(WriteDone)
    assert isinstance(done.error, NotConfirmed)
    assert world.closes == [(1003.0, True)]
    assert [type(event) for event in world.events[-2:]] == [Lost, WriteDone]  # stopped before it is told
    assert isinstance(world.of(Lost)[0].error, Mute)


@pytest.mark.parametrize("answered", [CONTROL, DP_QUERY, HEART_BEAT])
def test_an_answer_to_something_later_keeps_the_connection(answered):
    world = World(version_fixed=True).up()

    def answer(command: int) -> None:
        if command == answered:
            data = b"" if command != DP_QUERY else b'{"dps":{"1":true}}'
            world.inbox = [*world.inbox, world.wire.answer(command, 1, data)]

    world.answer = answer  # type: ignore[method-assign]
    world.link.write({1: False}, world.now_s)
    world.deliver()
    world.run(3.0)
    assert isinstance(world.of(WriteDone)[0].error, NotConfirmed)
    assert not world.of(Lost)
    assert len(world.sent(CONTROL)) == 1


def test_an_answer_to_what_was_sent_before_the_write_is_none():
    world = World(version_fixed=True).up()
    world.answers = False
    world.link.query(world.now_s)
    world.run(6.0)
    assert len(world.sent(DP_QUERY)) == 2
    world.link.write({1: False}, world.now_s)
    world.run(0.2)
    world.link.received(world.wire.answer(DP_QUERY, 1, b'{"dps":{"1":true}}'), world.now_s)
    world.run(3.0)
    assert isinstance(world.of(WriteDone)[0].error, NotConfirmed)
    assert world.of(Lost)


@pytest.mark.parametrize("taken", [True, False])
def test_where_answers_are_known_to_be_late_they_are_waited_for(taken):
    world = World(version_fixed=True).up()
    world.link._habits.answer_s = 2.4
    world.answers = False
    world.taken = taken
    world.link.write({1: False}, world.now_s)
    world.run(6.9)
    assert not world.of(WriteDone)
    world.run(0.2)
    (done,) = world.of(WriteDone)
    assert "within 7 s" in str(done.error)
    # the kernel at the other end has it: a click costs such a device no connection
    assert bool(world.of(Lost)) is not taken
    world.link._habits.answer_s = 400.0
    assert world.link._writes._limit_s() == 10.0


def test_a_second_write_is_judged_by_its_own_time():
    world = World(version_fixed=True).up()
    world.answers = False
    world.link.write({1: False}, world.now_s)
    world.run(2.0)
    world.link.write({1: True}, world.now_s)
    world.run(1.0)
    assert len(world.of(WriteDone)) == 1
    assert world.closes == [(1003.0, True)]  # both were on it, and neither can arrive any more
    world.run(2.0)
    assert [type(event.error) for event in world.of(WriteDone)] == [NotConfirmed] * 2
    assert len(world.sent(CONTROL)) == 2


def test_a_click_soon_after_a_silent_loss_is_aborted_with_its_connection():
    world = World(version_fixed=True).up()
    world.answers = False
    world.run(20.0)
    world.link.write({1: True}, world.now_s)
    world.run(10.0)
    assert world.closes[0][1] is True
    assert [type(event.error) for event in world.of(WriteDone)] == [NotConfirmed]


def test_refused_tcp_is_no_contact():
    world = World(version_fixed=True).start()
    for _ in range(10):
        world.link.connect_failed("no answer", False, world.now_s)
        world.run(world.link.deadline_s - world.now_s)
    waits = [after[0] - before[0] for before, after in zip(world.attempts, world.attempts[1:])]
    assert waits[:4] == sorted(waits[:4])
    assert waits[3] < 9.0
    assert isinstance(world.of(Failed)[0].error, Unreachable)


@pytest.mark.parametrize(
    ("reported", "means"),
    [("true", True), ("on", True), ("ON", True), ("1", True), ("false", False), ("off", False), ("0", False)],
)
def test_booleans_as_text_confirm_a_write(reported, means):
    for wanted in (True, False):
        world = World(version_fixed=True).up()
        world.push(b'{"dps":{"1":%s}}' % (b"false" if wanted else b"true"))
        world.link.write({1: wanted}, world.now_s)
        world.push(b'{"dps":{"1":"%s"}}' % reported.encode())
        assert bool(world.of(WriteDone)) is (wanted is means)


def test_a_breaker_that_restarts_again_and_again_is_held_by_nobody():
    world = World(version_fixed=True).up()
    for _ in range(3):
        world.run(12.0)
        world.link.tcp_closed(world.now_s)
        world.run(1.6)
        assert world.connecting
        world.link.connect_failed("Connection refused", True, world.now_s)
        world.run(4.0)
        world.link.tcp_opened(world.now_s)
        world.deliver()
    world.run(4.0)
    world.link.tcp_closed(world.now_s)  # and once so quickly that it is connected at the next try
    first, *others = world.of(Lost)
    assert "again" not in first.error.what
    for lost in others:
        assert isinstance(lost.error, Closed)
        assert "restarts again and again" in lost.error.what
        assert "supply" in lost.error.cure


# -- strangers at its address, and other addresses


def only_at(world: World, address: str, opened: Callable[[], Any]) -> Callable[[], None]:
    """At one address TCP is connected, and `opened` called then; at the others nothing takes connections."""

    def connected() -> None:
        world.answers = False
        if world.attempts[-1][1] != address:
            world.link.connect_failed("no route", False, world.now_s)
            return
        world.link.tcp_opened(world.now_s)
        opened()

    return connected


def no_tuya(world: World, address: str) -> Callable[[], None]:
    """A web server at one address; at the others nothing takes connections."""

    def opened() -> None:
        world.link.received(b"HTTP/1.1 400 Bad Request\r\n\r\n", world.now_s)
        world.link.tcp_closed(world.now_s)

    return only_at(world, address, opened)


def test_a_web_server_at_its_address_says_nothing_of_versions():
    world = World().up()
    world.link.tcp_closed(world.now_s)
    versions: List[str] = []
    web = no_tuya(world, ADDRESS)

    def connected() -> None:
        web()
        versions.append(world.link._attempt.version)

    live(world, 200.0, connected)
    assert len(versions) >= 6
    assert set(versions) == {"3.3"}
    assert most_in_a_minute(world) <= 6


def test_where_something_is_there_again_it_is_tried_soon():
    """Gone for minutes, so that the waits have grown; then it is there and not ready yet."""
    world = World().up()
    world.link.tcp_closed(world.now_s)
    live(world, 300.0, lambda: world.link.connect_failed("no route", False, world.now_s))
    ready = refuses(world)
    answered_s: List[float] = []

    def connected() -> None:
        answered_s.append(world.now_s)
        ready()

    live(world, 70.0, connected)
    assert answered_s[1] - answered_s[0] < 3.0


def test_announcements_of_other_addresses_cut_short_one_connection_a_minute():
    """What lives at home and does not speak yet is left soon for an announcement, but not for a stream of them."""
    world = World(version_fixed=True).up()
    world.link.tcp_closed(world.now_s)
    kept_s: List[float] = []

    def opened() -> None:
        began_s = world.now_s
        for number in range(200):
            if not world.open:
                break
            world.link.received(world.wire.answer(HEART_BEAT, 1, b""), world.now_s)
            world.link.announced(f"10.0.9.{len(kept_s)}.{number}", "3.3", world.now_s)
            world.run(0.05)
        kept_s.append(world.now_s - began_s)

    live(world, 60.0, only_at(world, ADDRESS, opened))
    assert kept_s[0] < 4.0
    assert all(kept > 9.9 for kept in kept_s[1:3])


def test_forged_addresses_leave_home_a_turn_each_half_minute():
    world = World().up()
    world.link.tcp_closed(world.now_s)
    lost_s = world.now_s
    web = no_tuya(world, ADDRESS)
    for number in range(2400):
        world.link.announced(f"10.0.9.{number % 40}", "3.5", world.now_s)
        live(world, 0.1, web)
        live(world, 0.0, web)
    home_s = [at_s for at_s, address in world.attempts if address == ADDRESS and at_s >= lost_s]
    assert max(later - earlier for earlier, later in zip(home_s, home_s[1:])) <= 35.0
    assert {type(event.error) for event in world.of(Failed)} <= {ProtocolViolation, Unreachable}
    assert most_in_a_minute(world) <= 12  # those that reach nobody do not count
