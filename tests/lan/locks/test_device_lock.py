"""The lock of a breaker: one owner on a machine, freed by the kernel, and a word from the owner."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

import pytest

from tests.lan.lan_helpers import Running, device_of
from tuya.lan.client import Device
from tuya.lan.errors import NotConnected, OwnedElsewhere
from tuya.lan.events import Failed, WriteDone
from tuya.lan.locks import device_lock
from tuya.simulator import Fleet

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture
def device_id():
    return "bf" + uuid.uuid4().hex[:18]


@pytest.fixture(params=["abstract", "file"])
def kind(request, monkeypatch, tmp_path):
    if request.param == "abstract" and not device_lock.HAS_ABSTRACT_SOCKETS:
        pytest.skip("no abstract sockets here")
    if request.param == "file":
        monkeypatch.setattr(device_lock, "HAS_ABSTRACT_SOCKETS", False)
        monkeypatch.setattr(device_lock.tempfile, "gettempdir", lambda: str(tmp_path))
    return request.param


def test_taken_once_and_free_again(kind, device_id):
    lock = device_lock.take(device_id, "hardware Breakers")
    assert lock is not None
    assert device_lock.take(device_id, "another") is None
    assert device_lock.take(device_id + "x", "another") is not None
    lock.release()
    again = device_lock.take(device_id, "another")
    assert again is not None
    again.release()


def test_nobody_owns_it(kind, device_id):
    assert device_lock.ask(device_id) is None


def test_the_file_names_its_owner(monkeypatch, tmp_path, device_id):
    monkeypatch.setattr(device_lock, "HAS_ABSTRACT_SOCKETS", False)
    monkeypatch.setattr(device_lock.tempfile, "gettempdir", lambda: str(tmp_path))
    lock = device_lock.take(device_id, "hardware Breakers")
    assert device_lock.ask(device_id).owner == "hardware Breakers"
    assert (device_lock.lock_path(device_id).stat().st_mode & 0o777) == 0o600
    lock.release()


def test_the_owner_tells_state_version_error_and_age(device_id):
    with Running([Device(device_id, b"0123456789abcdef", address="127.0.0.1", port=1, version="3.4")]) as run:
        run.seen.wait_failed(device_id)
        state = device_lock.ask(device_id)
        assert state.owner == "test"
        assert (state.connected, state.version, state.error, state.age_s) == (False, "3.4", "Refused", None)
        assert "0123456789abcdef" not in state.message
        assert state.process.endswith(f", process {os.getpid()}")
        assert str(state) == f"test ({state.process})"
    assert device_lock.ask(device_id) is None


def test_a_host_of_the_plugin_is_told_from_domoticz(device_id):
    """Both say "hardware Breakers"; what is to be stopped is the process."""
    hold = "import sys, time\nfrom tuya.lan.locks import device_lock\nlock = device_lock.take(sys.argv[1], 'x')\n"
    hold += "print('held', flush=True)\ntime.sleep(600)"
    words = [sys.executable, "-c", hold, device_id, "-m", "tuya", "host"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            found = device_lock.ask(device_id, 0.1)
            assert found is not None
            assert found.process == f"python3 -m tuya host, process {process.pid}"
        finally:
            process.kill()


def test_another_process_holds_it_until_it_dies(device_id):
    code = (
        "import sys\nfrom tuya.lan.locks import device_lock\n"
        f"lock = device_lock.take({device_id!r}, 'other')\nprint(lock is not None, flush=True)\nsys.stdin.read()\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline().strip() == "True"
    with Running([Device(device_id, b"0123456789abcdef", address="127.0.0.1", port=1)]) as run:
        failed = run.seen.wait_failed(device_id, 2.0)
        assert isinstance(failed.error, OwnedElsewhere)
        assert "another program" in str(failed.error)  # it holds the lock and answers nobody
        process.kill()
        process.wait(5)
        run.seen.wait(lambda e: isinstance(e, Failed) and not isinstance(e.error, OwnedElsewhere), 8.0)
    process.stdin.close()
    process.stdout.close()


def test_a_stop_right_after_a_start_leaves_no_lock_and_no_exception(monkeypatch):
    crashes = []
    monkeypatch.setattr(threading, "excepthook", crashes.append)
    ids = ["bf" + uuid.uuid4().hex[:18] for _ in range(20)]
    run = Running([Device(each, b"0123456789abcdef", address="127.0.0.1", port=1) for each in ids])
    for _ in range(20):
        run.client.start()
        run.client.set_devices(list(run.client._devices.values()))
        run.client.write(ids[0], {1: True})
        assert run.client.stop(2.0)
    assert crashes == []
    assert all(isinstance(event.error, NotConnected) for event in run.seen.of(WriteDone))
    assert len(run.seen.of(WriteDone)) == 20
    assert [each for each in ids if device_lock.ask(each) is not None] == []


def test_the_pause_holds_over_a_restart():
    with Fleet(version=("3.3", "3.4"), count=2, noise=0.0) as fleet:
        devices = [device_of(breaker) for breaker in fleet.breakers]
        since = 0
        gaps = []
        for number in range(3):
            with Running(devices) as run:
                for breaker in fleet.breakers:
                    opened = run.seen.wait_connected(breaker.device_id)
                    if number:
                        gaps.append(opened.at_s - since)
                since = time.monotonic()
        assert len(gaps) == 4
        assert all(gap >= 1.0 for gap in gaps)
        assert all(breaker.connections == 3 and breaker.most_at_once == 1 for breaker in fleet.breakers)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", None),
        (b"[]", None),
        (b"\xff{", None),
        (b"{}", device_lock.OwnerState("another program")),
        (b'{"owner":7,"connected":"yes","age_s":"x"}', device_lock.OwnerState("another program")),
        (b'{"owner":"a\\nb","connected":true,"age_s":2}', device_lock.OwnerState("a b", True, age_s=2.0)),
        (b'{"owner":"' + b"x" * 900 + b'"}', device_lock.OwnerState("x" * 200)),
    ],
)
def test_what_an_owner_says_is_cleaned(data, expected):
    assert device_lock.parse_state(data) == expected


def test_the_name_shows_no_id(device_id):
    assert device_id not in device_lock.socket_name(device_id)
    assert device_lock.socket_name(device_id).startswith("\0")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(0.2)
        with pytest.raises(ConnectionRefusedError):
            sock.connect(device_lock.socket_name(device_id))
