"""A write that is told as unconfirmed is never followed by a switch: stalled ways to the device, on each version."""

from __future__ import annotations

import json
import selectors
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.at_once import at_once
from tests.lan.lan_helpers import VERSIONS, Running, device_of, served
from tests.lateness import lateness
from tuya.lan.errors import Mute, NotConfirmed
from tuya.lan.events import Lost, WriteDone
from tuya.lan.network.channel import Channel
from tuya.simulator import Fleet

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the stalled uplink is Linux's")
ROOT = Path(__file__).resolve().parents[3]
PUSH_INTERVAL_S = 0.25
LONGEST_S = 8.0  # so long after the write its uplink goes on


def pushes(breaker, seconds):
    """Values go on while nothing of ours arrives."""
    until_s = time.monotonic() + seconds
    number = 0
    while time.monotonic() < until_s:
        number += 1
        breaker.push({19: 5000 + number})
        time.sleep(PUSH_INTERVAL_S)


@pytest.mark.parametrize("how", ["lost", "unread"])
@at_once("version", VERSIONS)
def test_a_stalled_write_is_stopped_before_it_is_told(version, how):
    with Fleet(version=version, noise=0.0) as fleet:
        breaker = fleet.breakers[0]
        breaker.set_relay(False)
        with Running([device_of(breaker)]) as run:
            run.seen.wait_status(breaker.device_id, full=True)
            breaker.fault("stalled", how=how)
            since = len(run.seen.events)
            asked_s = time.monotonic()
            late_s = lateness()
            for _ in range(3):
                run.client.write(breaker.device_id, {1: True})
            pushes(breaker, LONGEST_S - 4.0)
            first = run.seen.wait_done(breaker.device_id, 2.0, since)
            assert isinstance(first.error, NotConfirmed)
            assert 3.0 <= first.at_s - asked_s < 3.4 + late_s()
            done = run.seen.of(WriteDone, breaker.device_id, since)
            assert [type(each.error) for each in done] == [NotConfirmed] * 3
            lost = run.seen.of(Lost, breaker.device_id, since)
            assert isinstance(lost[0].error, Mute)
            # aborted before it is told, so that whoever reads it may rely on it
            assert run.seen.events.index(lost[0]) < run.seen.events.index(done[0])
            pushes(breaker, 4.0)
            breaker.clear_faults()
            time.sleep(3.0)
            assert breaker.writes == []
            assert breaker.relay is False
            run.seen.wait_connected(breaker.device_id, 30.0, since)
            assert len(run.seen.of(WriteDone, breaker.device_id)) == 3


@at_once("version", VERSIONS)
def test_a_device_that_answers_and_does_not_obey_keeps_its_connection(version):
    with served(version) as (breaker, run):
        breaker.fault("write", how="deaf")
        run.client.write(breaker.device_id, {1: False})
        assert isinstance(run.seen.wait_done(breaker.device_id, 5.0).error, NotConfirmed)
        time.sleep(1.0)
        assert not run.seen.of(Lost)
        assert breaker.connections == 1


CLICK_AND_WAIT = """
import json, sys, time
from tuya.lan.client import Client, Device
from tuya.lan.events import Status
entry = json.loads(sys.argv[1])
seen = []
where = {"address": entry["ip"], "port": entry["port"], "version": entry["version"]}
device = Device(entry["id"], entry["key"].encode(), "x", **where)
client = Client([device], seen.append, owner="killed", discovery=False)
client.start()
while not any(isinstance(event, Status) and event.full for event in seen):
    time.sleep(0.02)
print("up", flush=True)
sys.stdin.readline()
client.write(entry["id"], {1: True})
time.sleep(0.5)
print("clicked", flush=True)
time.sleep(60.0)
"""


@at_once("version", ["3.3", "3.5"])
def test_a_write_on_its_way_dies_with_its_process(version):
    with Fleet(version=version, noise=0.0) as fleet:
        breaker = fleet.breakers[0]
        breaker.set_relay(False)
        words = [sys.executable, "-c", CLICK_AND_WAIT, json.dumps(fleet.devices()[0])]
        with subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout.readline() == "up\n"
                breaker.fault("stalled", how="lost")
                process.stdin.write("go\n")
                process.stdin.flush()
                assert process.stdout.readline() == "clicked\n"
            finally:
                process.kill()
        breaker.clear_faults()
        time.sleep(3.0)
        assert (breaker.relay, breaker.writes) == (False, [])


class Sink:
    """A link that hears nothing."""

    deadline_s = float("inf")

    def __init__(self):
        self.heard = b""

    def tcp_opened(self, _now_s):
        pass

    def received(self, data, _now_s):
        self.heard += data

    def tcp_closed(self, _now_s):
        pass


@pytest.fixture
def channel_and_peer():
    with selectors.DefaultSelector() as selector, socket.create_server(("127.0.0.1", 0)) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        channel = Channel(selector, lambda _channel: None)
        channel.link = Sink()
        channel.connect(*server.getsockname())
        peer, _ = server.accept()
        with peer:
            selector.select(1.0)
            channel.handle(selectors.EVENT_WRITE, 0.0)
            yield channel, peer
            channel.close(abort=True)


def taken(channel, seconds=2.0):
    until_s = time.monotonic() + seconds
    while not channel.is_taken() and time.monotonic() < until_s:
        time.sleep(0.01)
    return channel.is_taken()


def test_what_the_kernel_at_the_other_end_has_is_taken(channel_and_peer):
    channel, peer = channel_and_peer
    assert channel.is_taken()
    channel.send(b"x" * 100)
    assert taken(channel)  # although nobody has read it
    assert peer.recv(200) == b"x" * 100
    channel.close(abort=False)
    assert not channel.is_taken()


def test_what_waits_here_or_in_our_kernel_is_not_taken_and_dies_with_an_abort(channel_and_peer):
    channel, peer = channel_and_peer
    channel._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    while not channel._backlog:  # until the peer's window, our kernel and a part of one more message are full
        channel.send(b"filling " * 512)
    channel.send(b"the write")
    assert not taken(channel, 0.3)
    channel.close(abort=True)
    peer.settimeout(5.0)
    got = []
    with pytest.raises(ConnectionResetError):
        got.extend(iter(lambda: peer.recv(65536), b""))
    assert b"the write" not in b"".join(got)
