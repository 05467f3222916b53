"""Two devices and one address, and pauses that outlive a client: never two connections, never one too soon."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path
from typing import List

import pytest

from tests.lan.connection.test_link import World
from tests.lan.lan_helpers import Running, device_of
from tuya.lan.client import Device
from tuya.lan.errors import Refused, WrongKey
from tuya.lan.events import Connected, Failed
from tuya.lan.locks import last_closed
from tuya.lan.locks.address_locks import AddressLocks
from tuya.lan.locks.address_use import Places
from tuya.lan.locks.device_lock import HAS_ABSTRACT_SOCKETS
from tuya.lan.locks.last_closed import Closings
from tuya.simulator import Fleet

THERE = "10.0.0.5"
ELSEWHERE = "10.0.0.6"


class Net:
    """Breaker A and others in one virtual network; who is where decides what an opened connection answers."""

    def __init__(self) -> None:
        self.places = Places()
        self.worlds: List[World] = []
        self.at = {}  # address -> key of the device that answers there
        self.strangers: str = "complains"  # what a device does with a foreign key: or "closes", or is "mute"

    def add(self, name: str, key: bytes, address: str) -> World:
        world = World(
            places=self.places, device_id=f"bfvirtual{name}000000001", name=name, local_key=key, address=address
        )
        self.worlds.append(world)
        return world

    def start(self, *worlds: World) -> None:
        for world in worlds:
            world.link.start(world.now_s)

    def check(self) -> None:
        open_at = [world.attempts[-1][1] for world in self.worlds if world.open]
        assert len(open_at) == len(set(open_at))

    def run(self, seconds: float) -> None:
        """All links in step of 50 ms; TCP connects within one step where a device is."""
        for _ in range(round(seconds / 0.05)):
            for world in self.worlds:
                if world.connecting and world.attempts[-1][1] in self.at:
                    key = self.at[world.attempts[-1][1]]
                    world.wire.use_key(key)
                    world.answers = key == world.link.device.local_key or self.strangers == "complains"
                    world.link.tcp_opened(world.now_s)
                    world.deliver()
                    if not world.answers and self.strangers == "closes":
                        world.link.tcp_closed(world.now_s)
                world.run(0.05)
                self.check()

    def gaps(self, address: str) -> List[float]:
        """Seconds from each close of a connection to this address to the next open, whoever did it."""
        events = []
        for world in self.worlds:
            for number, (at_s, where) in enumerate(world.attempts):
                if where == address:
                    events.append((at_s, world.closes[number][0] if number < len(world.closes) else float("inf")))
        events.sort()
        return [after[0] - before[1] for before, after in zip(events, events[1:])]


A, B = b"0123456789abcdef", b"fedcba9876543210"


@pytest.mark.parametrize("false_one_first", [False, True])
def test_a_stale_address_of_another_entry_makes_no_second_connection(false_one_first):
    net = Net()
    first, second = (net.add("Boiler", B, THERE), net.add("Oven", A, THERE))
    if not false_one_first:
        first, second = second, first
    oven, boiler = (second, first) if false_one_first else (first, second)
    net.at = {THERE: A}
    net.start(first, second)
    net.run(30.0)
    assert oven.link.connected
    assert oven.of(Connected)[0].at_s - 1000.0 < 4.2  # the other one hears nothing readable for 3 s, and 1 s of pause
    assert len(oven.attempts) == 1
    assert len(boiler.attempts) == (1 if false_one_first else 0)
    assert all(gap >= 1.0 for gap in net.gaps(THERE))
    assert {type(event.error) for event in boiler.of(Failed)} == {Refused}  # and not WrongKey
    assert all("Oven" in str(event.error) for event in boiler.of(Failed))
    assert boiler.of(Failed)[0].at_s - 1000.0 < 5.0
    # its own announcement brings it home
    net.at[ELSEWHERE] = B
    boiler.link.announced(ELSEWHERE, "3.3", boiler.now_s)
    announced_s = boiler.now_s
    net.run(3.0)
    assert boiler.of(Connected)[0].at_s - announced_s < 1.2
    assert oven.link.connected


def test_a_false_announcement_of_a_held_address_makes_no_second_connection():
    net = Net()
    oven = net.add("Oven", A, THERE)
    boiler = net.add("Boiler", B, ELSEWHERE)
    net.at = {THERE: A}
    net.start(oven, boiler)
    net.run(1.0)
    for _ in range(200):
        boiler.link.announced(THERE, "3.3", boiler.now_s)
        net.run(0.2)
    assert all(where != THERE for _, where in boiler.attempts)
    assert sum(where == ELSEWHERE for _, where in boiler.attempts) >= 3  # the good address is not starved
    net.at[ELSEWHERE] = B
    net.run(70.0)
    assert boiler.link.connected
    assert oven.link.connected


def test_two_breakers_that_swap_addresses_are_followed():
    net = Net()
    oven, boiler = net.add("Oven", A, THERE), net.add("Boiler", B, ELSEWHERE)
    net.at = {THERE: A, ELSEWHERE: B}
    net.start(oven, boiler)
    net.run(2.0)
    assert oven.link.connected
    assert boiler.link.connected
    net.at = {THERE: B, ELSEWHERE: A}
    for world in (oven, boiler):
        world.link.tcp_closed(world.now_s)
    net.run(6.0)
    announced_s = oven.now_s
    oven.link.announced(ELSEWHERE, "3.3", oven.now_s)
    boiler.link.announced(THERE, "3.3", boiler.now_s)
    net.run(6.0)
    for world in (oven, boiler):
        assert world.of(Connected)[-1].at_s - announced_s < 3.0
        assert "another device there?" in str(world.of(Failed)[0].error).lower()  # nothing is said to be proven
    assert all(gap >= 1.0 for where in (THERE, ELSEWHERE) for gap in net.gaps(where))


def moved_about(count: int, strangers: str, turn: int) -> Net:
    """So many breakers that were connected; then each is where the one `turn` further on was, and nobody says so."""
    net = Net()
    net.strangers = strangers
    keys = [bytes([65 + number]) * 16 for number in range(count)]
    addresses = [f"10.0.1.{number}" for number in range(count)]
    for number in range(count):
        net.add(f"B{number}", keys[number], addresses[number])
    net.at = dict(zip(addresses, keys))
    net.start(*net.worlds)
    net.run(6.0)
    assert all(world.link.connected for world in net.worlds)
    net.at = {address: keys[(number + turn) % count] for number, address in enumerate(addresses)}
    for world in net.worlds:
        world.link.tcp_closed(world.now_s)
    return net


def seconds_until_all(net: Net, limit_s: float) -> float:
    passed_s = 0.0
    while passed_s < limit_s and not all(world.link.connected for world in net.worlds):
        net.run(1.0)
        passed_s += 1.0
    return passed_s


def most_contacts_in_a_minute(net: Net, address: str) -> int:
    times = [at_s for world in net.worlds for at_s, where in world.attempts if where == address]
    return max(sum(at_s <= other < at_s + 60.0 for other in times) for at_s in times)


@pytest.mark.parametrize(("count", "limit_s"), [(2, 30.0), (3, 90.0), (6, 360.0)])
@pytest.mark.parametrize("strangers", ["complains", "mute"])
def test_breakers_that_change_places_are_found_without_announcements(count, limit_s, strangers):
    net = moved_about(count, strangers, turn=1)
    assert seconds_until_all(net, limit_s) < limit_s
    for address in net.at:
        assert all(gap >= 1.0 for gap in net.gaps(address))
        assert most_contacts_in_a_minute(net, address) <= 6


@pytest.mark.parametrize("strangers", ["complains", "mute", "closes"])
def test_looking_elsewhere_leaves_home_its_turns(strangers):
    net = moved_about(6, strangers, turn=1)
    net.at = dict.fromkeys(net.at, b"nobody of ours!!")
    net.run(400.0)
    for number, world in enumerate(net.worlds):
        home_s = [at_s for at_s, where in world.attempts if where == f"10.0.1.{number}"]
        assert max(later - earlier for earlier, later in zip(home_s, home_s[1:])) <= 75.0


def test_what_answers_where_a_breaker_is_looked_for_is_not_its_trouble():
    net = moved_about(3, "complains", turn=1)
    net.at = dict.fromkeys(net.at, b"nobody of ours!!")
    for _ in range(200):
        net.run(1.0)
        for number, world in enumerate(net.worlds):
            error = world.link.last_error
            assert error is None or "answers at 10.0.1." not in error.what or f"10.0.1.{number} " in error.what
    for number, world in enumerate(net.worlds):
        home_s = [at_s for at_s, where in world.attempts if where == f"10.0.1.{number}"]
        assert len({where for _, where in world.attempts}) > 1  # it was looked for
        assert max(later - earlier for earlier, later in zip(home_s, home_s[1:])) <= 65.0


def test_breakers_that_close_on_strangers_are_found_after_some_minutes():
    assert seconds_until_all(moved_about(2, "closes", turn=1), 300.0) < 300.0


@pytest.mark.parametrize("strangers", ["complains", "mute", "closes"])
def test_a_breaker_in_trouble_is_nobody_elses(strangers):
    net = moved_about(6, strangers, turn=0)
    net.run(3.0)
    assert all(world.link.connected for world in net.worlds)
    ill, off, *others = net.worlds
    net.at["10.0.1.0"] = b"paired anew 1234"
    del net.at["10.0.1.1"]
    for world in (ill, off):
        world.link.tcp_closed(world.now_s)
    net.run(600.0)
    # one that is switched off may be behind the one with another key, but that is looked into twice and no more
    assert len([at_s for at_s, where in off.attempts if where == "10.0.1.0"]) == 0
    assert {where for _, where in ill.attempts} == {"10.0.1.0"}
    assert all(len(world.attempts) == 2 for world in others)


def test_two_that_are_held_by_somebody_else_are_soon_back():
    net = moved_about(2, "closes", turn=1)
    net.run(45.0)
    net.at = {"10.0.1.0": net.worlds[0].link.device.local_key, "10.0.1.1": net.worlds[1].link.device.local_key}
    assert seconds_until_all(net, 60.0) <= 31.0
    assert all(len({where for _, where in world.attempts}) == 1 for world in net.worlds)


def test_who_worked_at_an_address_keeps_it_between_two_connections():
    net = Net()
    oven, boiler = net.add("Oven", A, THERE), net.add("Boiler", B, THERE)
    net.at = {THERE: A}
    net.start(oven, boiler)
    net.run(2.0)
    net.at = {}
    oven.link.tcp_closed(oven.now_s)
    net.run(90.0)
    assert not boiler.attempts
    # another one answers there now: the first one's failure frees the place
    net.at = {THERE: B}
    net.run(130.0)
    assert boiler.link.connected
    assert not oven.link.connected
    assert WrongKey not in {type(event.error) for event in oven.of(Failed)}


def test_places_are_forgotten_with_the_device_and_pauses_are_not():
    places = Places()
    places.want("a", "Oven", (THERE, 6668))
    places.take("a", (THERE, 6668), 40.0)
    places.worked("a", (THERE, 6668))
    assert places.holder("b", (THERE, 6668), announced=True) == ("Oven", True)
    assert places.holder("b", (THERE, 6669), announced=False) is None
    places.leave("a", 50.0)
    assert places.holder("b", (THERE, 6668), announced=True) is None
    assert places.holder("b", (THERE, 6668), announced=False) == ("Oven", True)
    places.forget("a")
    assert places.holder("b", (THERE, 6668), announced=False) is None
    assert places.rival("b", (THERE, 6668)) is None
    assert places.closed_s("b", (THERE, 6668)) == places.closed_s("a") == 50.0
    for number in range(1000):
        places.want("a", "Oven", (f"10.1.{number // 250}.{number % 250}", 6668))
        places.take("a", (f"10.1.{number // 250}.{number % 250}", 6668), 50.0 + number)
        places.leave("a", 60.0 + number)
    assert len(places._closed_s) <= 4


# -- over restarts


@pytest.fixture
def clock(monkeypatch, tmp_path):
    monkeypatch.setattr(last_closed.tempfile, "gettempdir", lambda: str(tmp_path))
    return [5000.0]


def folder_of(tmp_path: Path) -> Path:
    return tmp_path / f"tuya-breakers-{os.getuid()}"


def test_a_pause_outlives_a_client():
    places = Places()
    places.recall("bfvirtualvirtual0001", 999.7)
    world = World(places=places).start()
    assert not world.attempts
    world.run(2.0)
    assert 1000.7 <= world.attempts[0][0] <= 1001.2


def test_a_first_start_does_not_wait():
    assert World(places=Places()).start().attempts == [(1000.0, THERE)]


def test_a_closing_is_recalled_once_and_for_a_short_while(clock, tmp_path):
    one = Closings(lambda: clock[0])
    one.remember("device", 0.25)
    two = Closings(lambda: clock[0])
    clock[0] += 0.5
    assert two.recall("another") is None
    assert two.recall("device") == 0.75
    assert two.recall("device") is None
    one.remember("device", 0.0)
    clock[0] += 1.6
    assert two.recall("device") is None
    one.remember("device", -10.0)  # still to come: of an earlier boot
    assert two.recall("device") is None
    folder = folder_of(tmp_path)
    assert list(folder.iterdir()) == []
    one.remember("device", 0.0)
    (file,) = folder.iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "device" not in file.name
    one.close()
    two.close()
    one.remember("device", 0.0)
    assert two.recall("device") is None


@pytest.mark.parametrize("content", [b"", b"nan", b"inf", b"-inf", b"\xff\xfe", b"1e999", b"9" * 500])
def test_a_spoilt_file_means_no_wait(clock, tmp_path, content):
    one = Closings(lambda: clock[0])
    one.remember("device", 0.0)
    (file,) = folder_of(tmp_path).iterdir()
    file.write_bytes(content)
    assert one.recall("device") is None
    one.close()


def test_a_folder_that_is_not_ours_alone_is_not_used(clock, tmp_path):
    folder = folder_of(tmp_path)
    target = tmp_path / "elsewhere"
    target.mkdir()
    folder.symlink_to(target)
    Closings(lambda: clock[0]).remember("device", 0.0)
    assert list(target.iterdir()) == []
    folder.unlink()
    folder.mkdir(0o755)
    folder.chmod(0o755)
    Closings(lambda: clock[0]).remember("device", 0.0)
    assert list(folder.iterdir()) == []
    folder.rmdir()
    folder.write_text("a file")
    assert Closings(lambda: clock[0]).recall("device") is None


def test_a_link_in_place_of_a_file_is_not_followed(clock, tmp_path):
    one = Closings(lambda: clock[0])
    one.remember("device", 0.0)
    (file,) = folder_of(tmp_path).iterdir()
    victim = tmp_path / "victim"
    victim.write_text("4999.9")
    file.unlink()
    file.symlink_to(victim)
    one.remember("device", 0.0)
    assert victim.read_text() == "4999.9"
    assert one.recall("device") is None
    one.close()


def test_a_stranger_at_the_address_is_not_disturbed_and_gets_a_pause():
    taken = {(THERE, 6668)}
    claimed = []

    def claim(place):
        if place not in taken:
            claimed.append(place)
        return place not in taken

    net = Net()
    net.places = Places(claim, claimed.remove)
    boiler = net.add("Boiler", B, THERE)
    net.at = {THERE: B}
    net.start(boiler)
    net.run(10.0)
    assert boiler.attempts == []
    assert [type(event.error) for event in boiler.of(Failed)] == [Refused]
    assert "another program or hardware" in str(boiler.of(Failed)[0].error)
    taken.clear()
    freed_s = boiler.now_s
    net.run(10.0)
    assert boiler.link.connected
    assert 1.0 <= boiler.attempts[0][0] - freed_s < 2.5
    assert claimed == [(THERE, 6668)]
    boiler.link.stop(boiler.now_s)
    assert claimed == []  # released with the connection


def test_an_address_is_locked_between_clients_from_connect_to_close():
    first, second = AddressLocks(), AddressLocks()
    place = ("127.99.0.1", 6668)
    assert first.claim(place)
    assert first.claim(place)
    assert second.claim(place) is (not HAS_ABSTRACT_SOCKETS)
    assert second.claim(("127.99.0.1", 6669))
    first.release(place)
    first.release(place)
    assert second.claim(place)
    second.close()
    assert first.claim(place)
    first.close()


@pytest.mark.skipif(not HAS_ABSTRACT_SOCKETS, reason="no abstract sockets here: only ids are locked")
def test_two_clients_with_one_address_make_one_connection():
    with Fleet(version="3.4") as fleet:
        breaker = fleet.breakers[0]
        # an id of this run's own: the lock of an id is the whole machine's, where others may run this test as well
        stale = Device(f"bf{secrets.token_hex(9)}", b"fedcba9876543210", "Stale", breaker.host, breaker.port, "3.4")
        with Running([device_of(breaker)]) as run:
            run.seen.wait_status(breaker.device_id, full=True)
            with Running([stale]) as other:
                failed = other.seen.wait_failed(stale.device_id, 10.0)
                assert "another program or hardware" in str(failed.error)
                assert breaker.connections == 1
                assert breaker.refused == 0
        # with the other one gone it may try, and learns that the key is another's
        with Running([stale]) as other:
            assert isinstance(other.seen.wait_failed(stale.device_id, 10.0).error, WrongKey)


@pytest.mark.parametrize("phase_s", [0.5, 2.0, 3.5, 5.0])
@pytest.mark.parametrize("pairs", [1, 4])
def test_breakers_that_swap_and_announce_themselves_while_nobody_is_connected(pairs, phase_s):
    """Each is silent towards a stranger, and announces itself every 5 s, but not while somebody is connected to it."""
    net = moved_about(2 * pairs, "mute", turn=0)
    net.run(120.0)
    worlds = net.worlds
    keys = {world.link.device.local_key: world for world in worlds}
    places = list(net.at)
    net.at = {place: worlds[number ^ 1].link.device.local_key for number, place in enumerate(places)}
    for world in worlds:
        world.link.tcp_closed(world.now_s)
    began_s = net.worlds[0].now_s
    net.run(phase_s)
    while not all(world.link.connected for world in worlds) and worlds[0].now_s < began_s + 60.0:
        for place, key in net.at.items():
            if not any(world.open and world.attempts[-1][1] == place for world in worlds):
                keys[key].link.announced(place, "3.3", worlds[0].now_s)
        net.run(5.0)
    assert all(world.of(Connected)[-1].at_s - began_s < 20.0 for world in worlds)
    assert all(most_contacts_in_a_minute(net, place) <= 6 for place in places)
