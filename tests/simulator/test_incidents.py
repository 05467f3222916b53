"""Every fault of connections and frames, over real sockets, on every protocol version."""

import socket
import time

import pytest

from tests.lateness import again_if_late, lateness
from tests.simulator.peer import VERSIONS, Peer
from tests.simulator.test_distortion import only_status
from tuya.simulator import FAULTS, Fleet

every_version = pytest.mark.parametrize("version", VERSIONS)


@pytest.fixture
def fleet(version):
    with Fleet(version=version, count=2, noise=0.0, load_w=230.0) as fleet:
        yield fleet


@pytest.fixture
def breaker(fleet):
    return fleet.breakers[0]


@pytest.fixture
def peer(breaker):
    with Peer(breaker) as peer:
        yield peer


def is_answered(peer, seconds=3.0):
    peer.query()
    try:
        return peer.wait_for(lambda frame: frame.command in (10, 16), seconds).dps[18] == 1000
    except AssertionError:
        return False


def is_served(breaker):
    with Peer(breaker) as peer:
        return is_answered(peer)


def wait_until(condition, seconds=3.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return False


@every_version
@pytest.mark.parametrize("how", ["reset", "close"])
def test_ends(breaker, peer, how):
    assert is_answered(peer)
    breaker.fault(how)
    assert peer.wait_for_end()
    assert is_served(breaker)


@every_version
def test_reset_is_a_reset_and_close_is_none(breaker):
    for how, error in (("reset", ConnectionResetError), ("close", None)):
        with Peer(breaker) as peer:
            breaker.fault(how)
            time.sleep(0.05)
            if error is None:
                assert peer.socket.recv(100) == b""
            else:
                with pytest.raises(error):
                    peer.socket.recv(100)


@every_version
def test_half_open(breaker, peer):
    breaker.fault("half_open")
    assert not is_answered(peer, 0.3)
    assert not peer.ended
    assert is_served(breaker)
    assert not breaker.connected or wait_until(lambda: not breaker.connected)


@every_version
def test_mute_and_back(breaker, peer):
    breaker.fault("mute")
    assert not is_answered(peer, 0.2)
    breaker.push()
    assert peer.frames(0.1) == []
    breaker.clear_faults("mute")
    assert is_answered(peer)


@every_version
def test_delay(breaker, peer):
    breaker.fault("delay", delay_s=0.3)
    started = time.monotonic()
    late_s = lateness()
    assert is_answered(peer)
    assert 0.3 <= time.monotonic() - started < 1.5 + late_s()


@every_version
@again_if_late
def test_slow(breaker, peer):
    breaker.fault("slow", delay_s=0.005)
    peer.send(9)
    pieces = []
    while sum(map(len, pieces)) < 28:
        pieces.append(peer.socket.recv(100))
    # what piled up while this process was not running comes in one piece
    assert sorted(map(len, pieces))[len(pieces) // 2] <= 3
    assert peer.rest_of(b"".join(pieces)).command == 9
    breaker.clear_faults()
    assert is_answered(peer)


@every_version
def test_split(breaker, peer):
    breaker.fault("split", size=11, delay_s=0.002)
    assert is_answered(peer)


@every_version
def test_join(breaker, peer):
    breaker.fault("join", count=3, hold_s=0.4)
    breaker.push([1])
    breaker.push([18])
    assert peer.frames(0.15) == []
    breaker.push([19])
    peer.socket.settimeout(2)
    peer.raw = peer.socket.recv(4096)
    assert [frame.dps for frame in peer._whole_frames()] == [{1: True}, {18: 1000}, {19: 2300}]
    breaker.push([20])
    assert peer.frames(0.15) == []
    assert [frame.dps for frame in peer.frames(0.6)] == [{20: 2300}]


@every_version
def test_busy(breaker):
    breaker.fault("busy")
    with Peer(breaker, handshake=False) as peer:
        assert peer.wait_for_end()
    assert breaker.refused == 1
    breaker.clear_faults()
    assert is_served(breaker)


@every_version
def test_evict(breaker, peer):
    breaker.fault("second", policy="evict")
    assert is_answered(peer)
    with Peer(breaker) as second:
        assert is_answered(second)
        assert peer.wait_for_end()
    assert breaker.most_at_once == 1


@every_version
def test_allow(breaker, peer):
    breaker.fault("second", policy="allow")
    with Peer(breaker) as second:
        assert is_answered(second)
        assert is_answered(peer)
        assert breaker.most_at_once == 2
        breaker.push({26: 4})
        for client in (peer, second):
            client.wait_for(lambda frame: frame.dps == {26: 4})


@every_version
def test_wedge_until_power_cycle(breaker, peer):
    breaker.fault("second", policy="wedge")
    assert is_answered(peer)
    with Peer(breaker, handshake=False) as second:
        assert second.wait_for_end()
    assert peer.wait_for_end()
    breaker.clear_faults()
    for _ in range(3):
        with Peer(breaker, handshake=False) as later:
            assert later.wait_for_end()
    breaker.stop()
    breaker.start()
    assert is_served(breaker)


@every_version
def test_garbage(breaker, peer):
    assert is_answered(peer)
    prefix = b"\x00\x00\x66\x99" if breaker.version == "3.5" else b"\x00\x00\x55\xaa"
    for where in ("before", "behind", "instead"):
        for kind in ("random", "zeros", "prefix"):
            breaker.fault("garbage", where=where, kind=kind, size=16)
            received = one_answer(peer)
            if where == "instead":
                assert len(received) == 16
            else:
                assert received[16 if where == "before" else 0 :].startswith(prefix)
    breaker.clear_faults()
    assert is_answered(peer)


def one_answer(peer):
    """What comes for one heartbeat, as bytes."""
    peer.send(9)
    received = peer.socket.recv(4096)
    peer.socket.settimeout(0.01)
    try:
        while True:
            received += peer.socket.recv(4096)
    except socket.timeout:
        peer.socket.settimeout(3.0)
        return received


@every_version
def test_damaged_frames(breaker, peer):
    breaker.fault("quiet")
    assert is_answered(peer)
    whole = one_answer(peer)
    assert peer.codec.unpack(whole).good
    for length in (0x7FFFFFFF, 0xFFFFFFFF, 0, 1450):
        breaker.fault("length", length=length)
        at = 14 if breaker.version == "3.5" else 12
        assert one_answer(peer)[at : at + 4] == length.to_bytes(4, "big")
        breaker.clear_faults("length")
    breaker.fault("bad_check")
    assert not peer.codec.unpack(one_answer(peer)).good
    breaker.clear_faults("bad_check")
    breaker.fault("bad_suffix")
    assert one_answer(peer)[-4:] == b"\xde\xad\xbe\xef"
    breaker.clear_faults("bad_suffix")
    breaker.fault("truncate", drop=7)
    assert len(one_answer(peer)) == len(whole) - 7
    breaker.clear_faults("truncate")
    assert len(one_answer(peer)) == len(whole)
    assert is_answered(peer)


@every_version
def test_replay(breaker, peer):
    breaker.fault("replay")
    breaker.push([1])
    frames = only_status(peer.frames(0.2))
    assert [frame.dps for frame in frames] == [{1: True}, {1: True}]
    assert frames[0] == frames[1]


@every_version
def test_bad_json(breaker, peer):
    for kind in FAULTS["bad_json"].parameters["kind"].choices:
        breaker.fault("bad_json", kind=kind)
        breaker.push([1, 19])
        frame = peer.wait_for(lambda frame: frame.command == 8)
        assert frame.good
        assert frame.dps is None or frame.dps != {1: True, 19: 2300}
    breaker.clear_faults()
    assert is_answered(peer)


@every_version
def test_a_new_key_ends_the_connection_and_the_old_one_is_wrong(breaker, peer):
    old = breaker.local_key
    breaker.fault("new_key")
    assert peer.wait_for_end()
    assert breaker.local_key != old
    assert is_served(breaker)
    if breaker.version >= "3.4":
        with Peer(breaker, key=old, handshake=False) as stale:
            stale.send_raw(stale.codec.pack(3, stale.codec.nonce))
            assert stale.wait_for(lambda frame: frame.command == 4).good is False


@every_version
def test_a_new_key_may_leave_the_connection(breaker, peer):
    breaker.fault("new_key", key="0\"\\'$(`ls)`; #xy", drop=False)
    assert is_answered(peer)
    peer.socket.close()
    assert wait_until(lambda: not breaker.connected)
    assert is_served(breaker)
    assert breaker.entry()["key"] == "0\"\\'$(`ls)`; #xy"


@every_version
def test_reboot(breaker, peer):
    breaker.fault("reboot", dark_s=0.3)
    assert peer.wait_for_end()
    with pytest.raises(ConnectionRefusedError):
        Peer(breaker)
    time.sleep(0.4)
    assert is_served(breaker)


@every_version
def test_a_silent_reboot_answers_no_connection_attempt(breaker, peer):
    breaker.fault("reboot", dark_s=0.6, silent=True)
    with pytest.raises(socket.timeout):
        socket.create_connection((breaker.host, breaker.port), timeout=0.3)
    assert not peer.wait_for_end(0.1)
    assert peer.wait_for_end(2.0)
    assert is_served(breaker)


@every_version
def test_unreachable(breaker, peer):
    breaker.fault("unreachable")
    assert not is_answered(peer, 0.2)
    assert not peer.ended
    with pytest.raises(socket.timeout):
        socket.create_connection((breaker.host, breaker.port), timeout=0.3)
    breaker.clear_faults("unreachable")
    assert peer.wait_for_end()
    assert is_served(breaker)


@every_version
def test_move(breaker, peer):
    old = breaker.port
    breaker.fault("move", port=0)
    assert peer.wait_for_end()
    assert breaker.port != old
    assert is_served(breaker)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((breaker.host, old), timeout=1)


@every_version
@pytest.mark.parametrize("newer", ["3.3", "3.5"])
def test_version(breaker, peer, newer):
    breaker.fault("version", version=newer, dark_s=0.2)
    assert peer.wait_for_end()
    time.sleep(0.3)
    assert breaker.entry()["version"] == newer
    assert is_served(breaker)


@every_version
def test_the_other_breakers_notice_nothing(fleet, breaker):
    with Peer(fleet.breakers[1]) as other:
        breaker.fault("slow", delay_s=0.001)
        breaker.fault("garbage", kind="prefix", size=200)
        with Peer(breaker, handshake=False) as peer:
            peer.send_raw(b"\x00\x00\x55\xaa" * 500)
            assert is_answered(other)
        breaker.fault("reboot", dark_s=0.1)
        assert is_answered(other)
        assert all(frame.good for frame in other.frames(0.2))


def test_every_fault_is_tested():
    """Each name of the table stands in a test of this folder."""
    from pathlib import Path

    text = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    assert [name for name in FAULTS if f'"{name}"' not in text] == []
