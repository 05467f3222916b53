"""No file descriptors left, sources that fail, owners that lie: the network thread serves on, and is not kept busy."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

import pytest

from tests.lan.lan_helpers import Running, device_of, served
from tuya.lan.client import Device
from tuya.lan.errors import OwnedElsewhere
from tuya.lan.locks import device_lock
from tuya.lan.network.reactor import Reactor
from tuya.simulator import Fleet

REPOSITORY = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits and abstract sockets of Linux")

# Runs in a process of its own: argv[1] is a list of devices. One line a step; a line on stdin begins the next one.
SCARCE = """
import json, os, resource, socket, sys, threading, time
from tuya.lan.client import Client, Device
from tuya.lan.events import Connected, Failed, WriteDone
devices = [Device(**{**each, "local_key": each["local_key"].encode()}) for each in json.loads(sys.argv[1])]
events = []
client = Client(devices, events.append, owner="scarce", discovery=True)
client.start()
def wait(accept, seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until and not any(accept(each) for each in list(events)):
        time.sleep(0.02)
    return any(accept(each) for each in list(events))
first = wait(lambda e: isinstance(e, (Connected, Failed)), 10)
print(json.dumps({"first": first}), flush=True)
sys.stdin.readline()
low, high = resource.getrlimit(resource.RLIMIT_NOFILE)
free = os.open("/dev/null", os.O_RDONLY)
resource.setrlimit(resource.RLIMIT_NOFILE, (free, high))
os.close(free)
kept = []
try:
    while True:
        kept.append(os.open("/dev/null", os.O_RDONLY))
except OSError as error:
    print(json.dumps({"none_left": error.errno}), flush=True)
since = len(events)
sys.stdin.readline()
cpu, began = time.process_time(), time.monotonic()
time.sleep(7)
busy = (time.process_time() - cpu) / (time.monotonic() - began)
said = [type(e.error).__name__ + ": " + str(e.error) for e in events[since:] if isinstance(e, Failed)]
print(json.dumps({"alive": client.is_alive(), "busy": busy, "said": said}), flush=True)
for each in kept:
    os.close(each)
resource.setrlimit(resource.RLIMIT_NOFILE, (low, high))
sys.stdin.readline()
ids = {each.device_id for each in devices}
back = all(wait(lambda e: isinstance(e, Connected) and e.device_id == one, 30) for one in ids)
print(json.dumps({"back": back, "alive": client.is_alive()}), flush=True)
client.stop(2)
"""


class Scarce:
    """The process, step by step."""

    def __init__(self, devices):
        given = [
            {
                "device_id": each.device_id,
                "local_key": each.local_key.decode(),
                "name": each.name,
                "address": each.address,
                "port": each.port,
                "version": each.version,
            }
            for each in devices
        ]
        self.process = subprocess.Popen(
            [sys.executable, "-c", SCARCE, json.dumps(given)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=REPOSITORY,
        )

    def told(self):
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read()
        return json.loads(line)

    def go_on(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


def test_the_thread_lives_through_no_file_descriptors_whatever_it_needs_them_for():
    with Fleet(version="3.4", count=3, noise=0.0) as fleet:
        connected, owned, dark = fleet.breakers
        port = dark.port
        dark.stop()
        lock = device_lock.take(owned.device_id, "somebody")  # the question to its owner needs a socket
        with Scarce([device_of(connected), device_of(owned), device_of(dark, port=port)]) as scarce:
            assert scarce.told()["first"]
            time.sleep(1.0)
            scarce.go_on()
            assert scarce.told()["none_left"] == 24
            connected.fault("reset")  # a new connection needs one; so does whoever asks at a lock's door
            with socket.socket(socket.AF_UNIX) as asker:
                asker.connect(device_lock.socket_name(connected.device_id))
                scarce.go_on()
                told = scarce.told()
            assert told["alive"]
            assert told["busy"] < 0.2, "hot loop"
            assert any("Too many open files" in text for text in told["said"])
            lock.release()
            dark.start()
            scarce.go_on()
            assert scarce.told() == {"back": True, "alive": True}
            assert scarce.process.wait(10) == 0
            assert "Traceback" not in scarce.process.stderr.read()


LIES = [
    b'{"owner":"x","age_s":1e999}',
    b'{"owner":"x","age_s":-1e999}',
    b'{"owner":"x","age_s":NaN}',
    b'{"owner":"x","age_s":' + b"9" * 4000 + b"}",
    b'{"owner":"x","age_s":"' + b"9" * 300 + b'"}',
    b'{"owner":{"a":1},"connected":[],"address":7,"version":null,"error":true,"share":["x"],"yields":"yes"}',
    b"[" * 4090,
    b'{"a":' * 800,
    b"\xff\xfe\x00" * 900,
    b"null",
    b"",
    b"x" * 100_000,
]


@pytest.mark.parametrize("said", LIES[:-2])
def test_what_no_owner_says_is_harmless(said):
    state = device_lock.parse_state(said[:4096])
    assert state is None or state.age_s is None
    assert state is None or (isinstance(state.owner, str) and state.yields is False)


@pytest.mark.parametrize("said", LIES, ids=range(len(LIES)))
def test_an_owner_that_lies_is_an_owner_and_nothing_more(said, caplog):
    device_id = "bf" + uuid.uuid4().hex[:18]
    with socket.socket(socket.AF_UNIX) as owner:
        owner.bind(device_lock.socket_name(device_id))
        owner.listen(8)

        def lie():
            while True:
                try:
                    asker, _ = owner.accept()
                except OSError:
                    return
                with asker:
                    try:
                        asker.sendall(said)
                    except OSError:
                        continue

        liar = threading.Thread(target=lie, daemon=True)
        liar.start()
        with Running([Device(device_id, b"0123456789abcdef", address="127.0.0.1", port=1)]) as run:
            assert isinstance(run.seen.wait_failed(device_id, 3.0).error, OwnedElsewhere)
            assert run.client.is_alive()
        assert "error while serving" not in caplog.text
        owner.shutdown(socket.SHUT_RDWR)
    liar.join(2.0)


class Broken:
    """A source that is always ready and always fails."""

    link = None

    def __init__(self):
        self.calls = 0

    def handle(self, _mask, _now_s):
        self.calls += 1
        raise RuntimeError("broken")


def test_a_source_that_fails_is_not_served_again(caplog):
    reactor = Reactor(lambda _event: None, time.monotonic, None, "test")
    broken = Broken()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.send(b"always ready")
        reactor._selector.register(ours, 1, broken)
        until_s = time.monotonic() + 0.5
        rounds = []

        def work(_now_s):
            rounds.append(1)
            return time.monotonic() < until_s

        timer = threading.Timer(0.6, reactor.wake)
        timer.start()
        reactor.wake()
        reactor.run(work)
        timer.join()
    assert broken.calls == 1
    assert len(rounds) < 10
    assert caplog.text.count("error while serving") == 1


class Guest:
    """Something beside the devices whose tick always fails."""

    address, yields = "", False

    def __init__(self):
        self.deadline_s = 0.0
        self.ticks = 0

    def open(self, _selector):
        pass

    def tick(self, _now_s):
        self.ticks += 1
        raise OSError("no file descriptors")

    def denied(self, _device_id, _owner, _now_s):
        return True, None

    def close(self):
        pass


def test_what_fails_beside_the_devices_is_tried_again_once_a_second():
    guest = Guest()
    with served("3.3", guest=guest) as (breaker, run):
        time.sleep(2.5)
        assert 1 <= guest.ticks <= 5
        breaker.push({19: 4711})
        run.seen.wait_value(breaker.device_id, 19, 4711, 1.0)
