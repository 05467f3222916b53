"""What public reports say of real devices' connections and announcements, over real sockets."""

import json
import socket
import struct
import sys
import time

import pytest
import tinytuya

from tests.simulator.peer import VERSIONS, Peer
from tests.simulator.test_announce import QUESTION, ears, hear, ports  # noqa: F401 (fixtures)
from tests.simulator.test_incidents import is_answered, is_served, wait_until
from tuya.simulator import Fleet
from tuya.simulator.announce import LOOPBACK_BROADCAST, announcement

every_version = pytest.mark.parametrize("version", VERSIONS)
SIOCOUTQ = 0x5411  # Linux: bytes that the other end has not acknowledged


@pytest.fixture
def fleet(version):
    with Fleet(version=version, noise=0.0, load_w=230.0) as fleet:
        yield fleet


@pytest.fixture
def breaker(fleet):
    return fleet.breakers[0]


def ends_by_reset(peer):
    """Whether the connection ends, and how: True for RST."""
    peer.socket.settimeout(5.0)
    try:
        while peer.socket.recv(4096):
            pass
    except ConnectionResetError:
        return True
    return False


def is_reset_on_accept(breaker):
    try:
        with Peer(breaker, handshake=False) as peer:
            return ends_by_reset(peer)
    except ConnectionResetError:  # it came before connect() returned
        return True


@every_version
def test_reset_when_pinged_soon_after_a_push(breaker):
    breaker.fault("pinged", within_s=0.5)
    with Peer(breaker) as peer:
        peer.frames(0.1)
        time.sleep(0.6)
        peer.send(9)
        assert peer.wait_for(lambda frame: frame.command == 9).code == 0
        breaker.push([20])
        peer.wait_for(lambda frame: frame.dps == {20: 2300})
        peer.send(9)
        assert ends_by_reset(peer)
    assert is_served(breaker)


@every_version
def test_closes_after_a_while_whatever_is_said(breaker):
    with Peer(breaker) as before:
        breaker.fault("hangs_up", after_s=0.4)
        assert is_answered(before)
        assert before.wait_for_end(5.0)
    started_s = time.monotonic()
    with Peer(breaker) as peer:
        while not peer.ended and time.monotonic() < started_s + 5.0:
            peer.send(9)
            peer.frames(0.05)
        assert peer.ended
        assert time.monotonic() - started_s >= 0.4
    with Peer(breaker) as spared:
        breaker.clear_faults("hangs_up")
        time.sleep(0.5)
        assert is_answered(spared)


@every_version
@pytest.mark.parametrize("how", ["reset", "mute"])
def test_accepts_and_is_of_no_use_until_a_power_cycle(breaker, how):
    breaker.fault("accept", how=how)
    for _ in range(3):
        if how == "reset":
            assert is_reset_on_accept(breaker)
            continue
        with Peer(breaker, handshake=False) as peer:
            peer.query()
            assert peer.frames(0.2) == []
            assert not peer.ended
        assert not breaker.connected
    assert (breaker.connections, breaker.refused, breaker.most_at_once) == (3, 0, 0)
    breaker.stop()
    breaker.start()
    assert is_served(breaker)


@pytest.mark.parametrize("version", ["3.3"])
def test_useless_and_announcing(breaker, ears, ports):  # noqa: F811
    with Fleet(version="3.3", announce=True, announce_ports=ports, announce_interval_s=0.05) as fleet:
        fleet.breakers[0].fault("accept", how="mute")
        with Peer(fleet.breakers[0], handshake=False):
            hear(ears[1])
            assert len(hear(ears[1])) >= 2


@every_version
def test_wedges_after_so_many_connections(breaker):
    breaker.fault("wedges", after=3, how="reset")
    for _ in range(3):
        assert is_served(breaker)
        time.sleep(0.05)
    for _ in range(2):
        assert is_reset_on_accept(breaker)
    breaker.stop()
    breaker.start()
    assert is_served(breaker)


@every_version
def test_late_in_both_directions_and_in_order(breaker):
    breaker.fault("latency", delay_s=0.2, spread_s=0.1)
    started_s = time.monotonic()
    with Peer(breaker) as peer:
        connected_s = time.monotonic()
        assert is_answered(peer)
        took_s = time.monotonic() - connected_s
        assert took_s >= 0.4
        if breaker.version >= "3.4":  # message 3 there, 4 back, 5 there
            assert connected_s - started_s >= 0.6
        peer.frames(0.4)
        for number in range(5):
            breaker.push({20: number})
            time.sleep(0.02)
        frames = [frame.dps[20] for frame in peer.frames(1.0) if frame.command == 8 and 20 in frame.dps]
        assert frames[-5:] == [0, 1, 2, 3, 4]
        breaker.clear_faults()
        breaker.push({20: 9})
        peer.wait_for(lambda frame: frame.dps == {20: 9}, 0.5)


@every_version
@pytest.mark.parametrize("linger", [(0, 0), (1, 0)])  # FIN, RST
def test_what_is_late_is_done_even_where_the_client_has_gone(breaker, linger):
    breaker.fault("latency", delay_s=0.3, spread_s=0.0)
    peer = Peer(breaker)
    peer.write(_1=False)
    time.sleep(0.05)
    peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", *linger))
    peer.socket.close()
    time.sleep(0.15)
    assert breaker.relay is True
    breaker.push()
    assert wait_until(lambda: breaker.relay is False)
    assert wait_until(lambda: not breaker.connected)
    breaker.clear_faults()
    breaker.set_relay(True)
    assert is_served(breaker)


def unacknowledged(peer):
    import fcntl

    return struct.unpack("i", fcntl.ioctl(peer.socket.fileno(), SIOCOUTQ, bytes(4)))[0]


@pytest.mark.skipif(sys.platform != "linux", reason="socket filters of Linux")
@every_version
def test_a_stalled_uplink_loses_what_is_sent_while_pushes_go_on(breaker):
    with Peer(breaker) as peer:
        assert is_answered(peer)
        breaker.fault("stalled")
        peer.write(_1=False)
        for number in range(20):
            breaker.push({20: number})
            peer.wait_for(lambda frame, number=number: frame.dps == {20: number})
        assert unacknowledged(peer) > 0
        assert breaker.relay is True
        breaker.clear_faults("stalled")
        peer.wait_for(lambda frame: frame.dps == {1: False}, 5.0)
        assert unacknowledged(peer) == 0
        assert breaker.relay is False


@pytest.mark.skipif(sys.platform != "linux", reason="socket filters of Linux")
@every_version
def test_what_a_stalled_uplink_lost_is_never_done_when_the_client_gives_up(breaker):
    with Peer(breaker) as peer:
        assert is_answered(peer)
        breaker.fault("stalled")
        peer.write(_1=False)
        time.sleep(0.1)
        peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    time.sleep(0.1)
    breaker.clear_faults()
    time.sleep(0.5)
    assert (breaker.relay, breaker.writes) == (True, [])
    assert is_served(breaker)


@every_version
def test_an_unread_buffer_fills_and_is_read_in_the_end(breaker):
    breaker.fault("stalled", how="unread")
    with Peer(breaker, handshake=False) as peer:
        heartbeat = peer.codec.pack(9, b"")
        peer.socket.settimeout(0.2)
        sent = 0
        while sent < 50_000_000:
            try:
                sent += peer.socket.send(heartbeat * 100)
            except socket.timeout:
                break
        assert 0 < sent < 50_000_000
        if sys.platform == "linux":
            assert unacknowledged(peer) > 0
        assert breaker.requests == {}
    breaker.clear_faults()
    assert is_served(breaker)


def test_an_announcement_only_when_asked(ears, ports):  # noqa: F811
    with Fleet(version="3.3", announce=True, announce_ports=ports, announce_interval_s=0.05) as fleet:
        fleet.breakers[0].fault("asked_only")
        [hear(ear) for ear in ears]
        assert [hear(ear) for ear in ears] == [[], [], []]
        ears[2].setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        ears[2].sendto(QUESTION, (LOOPBACK_BROADCAST, ports.asked))
        (facts,) = hear(ears[2])
        assert (facts["gwId"], facts["version"]) == (fleet.breakers[0].device_id, "3.3")


@pytest.mark.parametrize("version", ["3.3", "3.5"])
@pytest.mark.parametrize("said", VERSIONS)
def test_another_version_than_it_speaks(breaker, said):
    breaker.fault("says_version", version=said)
    facts = json.loads(tinytuya.decrypt_udp(announcement(breaker)))
    assert (facts["version"], breaker.version) == (said, breaker.entry()["version"])
    assert is_served(breaker)
