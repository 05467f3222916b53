import threading
import time

import pytest

from tests.simulator.peer import VERSIONS, FakeClock, Peer
from tuya.simulator import Fleet


def threads(before):
    return [thread for thread in threading.enumerate() if thread.name == "simulated breakers" and thread not in before]


@pytest.mark.parametrize("version", VERSIONS)
def test_one_thread_serves_several_breakers(version):
    before = set(threading.enumerate())
    with Fleet(version=version, count=3, noise=0.0, load_w=230.0) as fleet:
        (thread,) = threads(before)
        peers = [Peer(breaker) for breaker in fleet.breakers]
        for number, (peer, breaker) in enumerate(zip(peers, fleet.breakers)):
            breaker.set_load(230.0 * (number + 1))
            peer.query()
            answer = peer.wait_for(lambda frame: frame.command in (10, 16))
            assert answer.dps[18] == 1000 * (number + 1)
            assert breaker.connected
        peers[1].write(_1=False)
        peers[1].wait_for(lambda frame: frame.dps == {1: False})
        assert [breaker.relay for breaker in fleet.breakers] == [True, False, True]
        for peer in peers:
            peer.socket.close()
    assert not thread.is_alive()


def test_readings_are_pushed_by_themselves():
    with Fleet(noise=0.0, load_w=230.0) as fleet, Peer(fleet.breakers[0]) as peer:
        started = time.monotonic()
        peer.wait_for(lambda frame: frame.command == 8 and frame.dps.get(19) == 2300)
        fleet.breakers[0].set_load(460.0)
        peer.wait_for(lambda frame: frame.command == 8 and frame.dps.get(19) == 4600, seconds=5.0)
        assert time.monotonic() - started < 5.0


def test_pushes_at_an_interval():
    with Fleet(noise=0.0) as fleet, Peer(fleet.breakers[0]) as peer:
        fleet.breakers[0].push_every(0.05)
        pushed = [frame for frame in peer.frames(0.6) if frame.command == 8]
        assert 8 <= len(pushed) <= 14
        fleet.breakers[0].push_every(None)
        peer.frames(0.1)
        assert peer.frames(0.3) == []


def test_a_second_client_is_refused_and_the_first_keeps_its_connection():
    with Fleet() as fleet, Peer(fleet.breakers[0]) as first:
        with Peer(fleet.breakers[0], handshake=False) as second:
            assert second.wait_for_end()
        breaker = fleet.breakers[0]
        assert (breaker.connections, breaker.refused, breaker.most_at_once) == (2, 1, 1)
        first.query()
        assert first.wait_for(lambda frame: frame.command == 16).dps[1] is True


def test_the_place_is_free_again_when_the_client_goes():
    with Fleet() as fleet:
        for _ in range(5):
            with Peer(fleet.breakers[0]) as peer:
                peer.query()
                peer.wait_for(lambda frame: frame.command == 16)
            time.sleep(0.02)
        assert (fleet.breakers[0].connections, fleet.breakers[0].refused) == (5, 0)


def test_power_off_refuses_and_power_on_serves_at_the_same_address():
    with Fleet() as fleet:
        breaker = fleet.breakers[0]
        port = breaker.port
        with Peer(breaker) as peer:
            breaker.stop()
            assert peer.wait_for_end()
        with pytest.raises(ConnectionRefusedError):
            Peer(breaker)
        breaker.stop()
        breaker.start()
        assert breaker.port == port
        with Peer(breaker) as peer:
            peer.query()
            peer.wait_for(lambda frame: frame.command == 16)


def test_another_port_and_another_host():
    with Fleet() as fleet:
        breaker = fleet.breakers[0]
        old = breaker.port
        breaker.move(port=0)
        assert breaker.port != old
        Peer(breaker).socket.close()
        breaker.move(host="127.0.0.77")
        assert fleet.devices()[0]["ip"] == "127.0.0.77"
        Peer(breaker).socket.close()
        with pytest.raises(ValueError, match="not a loopback address"):
            breaker.move(host="192.168.1.5")


def test_moving_to_a_taken_address_changes_nothing():
    with Fleet(count=2) as fleet:
        first, second = fleet.breakers
        before = first.port
        with pytest.raises(OSError, match="in use"):
            first.move(port=second.port)
        assert first.port == before
        Peer(first).socket.close()


def test_ports_are_consecutive_if_one_is_given():
    with Fleet(count=1) as probe:
        free = probe.breakers[0].port
    try:
        with Fleet(count=3, port=free) as fleet:
            assert [breaker.port for breaker in fleet.breakers] == [free, free + 1, free + 2]
            with pytest.raises(OSError, match="in use"):
                Fleet(port=free + 1).start()
    except OSError as error:
        pytest.skip(f"{free} to {free + 2} are not all free: {error}")


def test_only_loopback_and_only_what_exists():
    with pytest.raises(ValueError, match="not a loopback address"):
        Fleet(host="0.0.0.0")  # noqa: S104 (must be refused)
    with pytest.raises(ValueError, match="no simulated product x"):
        Fleet(product="x")
    with pytest.raises(ValueError, match=r"no protocol version 3\.6"):
        Fleet(version="3.6")


def test_a_virtual_clock_drives_reports():
    clock = FakeClock()
    with Fleet(noise=0.0, load_w=3600.0, clock=clock) as fleet, Peer(fleet.breakers[0]) as peer:
        frames = []
        for _ in range(24):
            clock.go(25.0)
            peer.send(9)
            frames += peer.frames(0.06)
        assert fleet.breakers[0].used_wh == pytest.approx(600.0)
        assert [frame.dps[17] for frame in frames if frame.dps and frame.dps.get(17)] == [600]


def test_a_client_that_does_not_read_is_thrown_out():
    with Fleet() as fleet, Peer(fleet.breakers[0]):
        breaker = fleet.breakers[0]
        for _ in range(60):
            if not breaker.connected:
                break
            for _ in range(1000):
                breaker.push()
        assert not breaker.connected


def test_what_a_load_raises_is_told_at_the_end():
    before = set(threading.enumerate())
    fleet = Fleet(count=1)
    fleet.start()
    (thread,) = threads(before)
    with Peer(fleet.breakers[0]):
        fleet.breakers[0].set_load(100.0)
        fleet.breakers[0].meter._loads["1"] = fleet.breakers[0].meter._loads["1"].__class__(lambda t_s: 1 / 0)
        time.sleep(1.3)
    with pytest.raises(ZeroDivisionError):
        fleet.stop()
    fleet.stop()
    assert not thread.is_alive()


def test_breakers_may_be_used_from_many_threads():
    with Fleet(count=4) as fleet:
        peers = [Peer(breaker) for breaker in fleet.breakers]

        def stir(breaker):
            for number in range(150):
                breaker.set_load(float(number))
                breaker.push()
                breaker.set_relay(bool(number % 2))

        stirrers = [threading.Thread(target=stir, args=(breaker,)) for breaker in fleet.breakers for _ in range(2)]
        for stirrer in stirrers:
            stirrer.start()
        for stirrer in stirrers:
            stirrer.join()
        for peer in peers:
            frames = peer.frames(0.2)
            assert len(frames) > 400
            assert all(frame.good for frame in frames)
            peer.socket.close()
