"""Who holds a device and is silent: stopped, not allowed to be asked, or busy."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.lan.locks.other_user import NOBODY, OtherUser, as_root
from tuya.cli.doctor import holder as holders
from tuya.cli.doctor.device import examine
from tuya.cli.doctor.holder import Holder, holder_of, is_stopped, silent
from tuya.devices.devices_file import parse_devices
from tuya.keys.accounts import Account
from tuya.lan.locks import device_lock, peer_credentials

REPOSITORY = Path(__file__).resolve().parents[3]
DEVICE_ID = f"bfholder{os.getpid():014d}"
HOLD = """
import sys, time
from tuya.lan.locks import device_lock
lock = device_lock.take(sys.argv[1], "a holder")
print("held" if lock else "not held", flush=True)
time.sleep(600)
"""

pytestmark = pytest.mark.skipif(not device_lock.HAS_ABSTRACT_SOCKETS, reason="needs the kernel's word")


def wait_for(what, within_s=30.0):
    until_s = time.monotonic() + within_s
    while not what():
        assert time.monotonic() < until_s
        time.sleep(0.02)


def test_a_stopped_process_is_named():
    words = [sys.executable, "-c", HOLD, DEVICE_ID]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            found = holder_of(DEVICE_ID)
            assert found is not None
            assert (found.pid, found.user.uid, found.is_stopped) == (process.pid, os.geteuid(), False)
            finding = silent(found)
            assert (finding.state, "did not answer" in finding.text) == ("unchecked", True)
            process.send_signal(signal.SIGSTOP)
            wait_for(lambda: is_stopped(process.pid))
            found = holder_of(DEVICE_ID)
            assert found is not None
            finding = silent(found)
            assert (finding.state, f"process {process.pid} (" in finding.text) == ("failed", True)
            assert "is stopped" in finding.text
            assert finding.cure.endswith(f"sudo kill -CONT {process.pid}")
        finally:
            process.kill()
    assert not is_stopped(process.pid)


def test_a_process_that_may_not_tell_us_is_no_fault(monkeypatch):
    monkeypatch.setattr(holders.os, "geteuid", lambda: 54321)
    finding = silent(Holder(4711, Account(54322, 54322), "domoticz", is_stopped=False))
    assert finding.state == "unchecked"
    assert finding.text.startswith("process 4711 (domoticz) of user 54322 holds it, and tells how it is to that user")
    assert finding.cure == "sudo python3 -m tuya doctor"
    named = Account(54322, 54322)
    monkeypatch.setattr(Account, "name", "dz")
    assert silent(Holder(4711, named, "", is_stopped=False)).cure == "sudo -u dz python3 -m tuya doctor"


@as_root
def test_a_device_that_a_stranger_holds_is_left_alone(monkeypatch):
    monkeypatch.setattr(peer_credentials, "_accepts_owner", None)
    device_id = DEVICE_ID + "s"
    (entry,) = parse_devices(f'[{{"id": "{device_id}", "key": "0123456789abcdef", "ip": "127.0.0.1"}}]').entries

    def hold():
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.bind(device_lock.socket_name(device_id))
        sock.listen(4)
        return sock

    with OtherUser(NOBODY, hold):
        assert holder_of(device_id) is None
        found = list(examine(entry, None, False))
    assert [(finding.check, finding.state) for finding in found] == [("key", "ok"), ("owner", "unchecked")]
    assert "of nobody holds it" in found[1].text
    assert "sudo -u nobody python3 -m tuya doctor" in found[1].cure


def test_where_nobody_listens_nobody_is_named():
    assert holder_of("bfnobodyholdsthisone00") is None
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.bind(device_lock.socket_name(DEVICE_ID + "x"))  # bound, and listens to nobody
        assert holder_of(DEVICE_ID + "x") is None


@pytest.mark.parametrize(("states", "is_one"), [("TTTT", True), ("TTTS", False), ("S", False)])
def test_one_that_is_stopped_and_let_go_on_all_the_time_is_not_stopped(monkeypatch, states, is_one):
    seen = iter(states)
    monkeypatch.setattr(holders, "_is_stopped_now", lambda _pid: next(seen) == "T")
    paused_s: list[float] = []
    assert is_stopped(4711, paused_s.append) is is_one
    assert sum(paused_s) < 1.0
