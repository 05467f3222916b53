"""Our client against a device that others wrote (tuyamock), with outages. It lives in a virtual environment of its own.

TUYAMOCK_PYTHON names the interpreter that can import it; without one these tests are skipped.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from contextlib import contextmanager

import pytest

from tests.lan.lan_helpers import Running
from tuya.lan.client import Device, Polling
from tuya.lan.events import Alive, Connected, Lost, Status

PYTHON = os.environ.get("TUYAMOCK_PYTHON", "")
KEY = "thisisarealkey00"
DPS = {"1": True, "18": 302, "19": 412, "20": 2412}

pytestmark = pytest.mark.skipif(
    not (PYTHON and shutil.which(PYTHON)), reason="TUYAMOCK_PYTHON names no Python with tuyamock"
)


@contextmanager
def mock(version, *options):
    words = [
        PYTHON,
        "-m",
        "tuyamock",
        "--version",
        version,
        "--port",
        "0",
        "--local-key",
        KEY,
        "--gw-id",
        "bfmock" + version,
    ]
    words += ["--dps", json.dumps(DPS), *options]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        yield Device(
            "bfmock" + version, KEY.encode(), address="127.0.0.1", port=int(process.stdout.readline()), version=version
        )
    finally:
        process.terminate()
        process.wait(5)
        process.stdout.close()


@pytest.mark.parametrize("version", ["3.1", "3.2", "3.3", "3.4", "3.5"])
@pytest.mark.parametrize("sequence", ["faithful", "global", "echo", "zero"])
def test_values_and_a_switch(version, sequence):
    with mock(version, "--seqno-mode", sequence) as device, Running([device]) as run:
        run.client.set_polling(device.device_id, Polling(refresh_dps=(18, 19, 20), refresh_interval_s=5.0))
        status = run.seen.wait_status(device.device_id, full=True)
        assert status.dps == {1: True, 18: 302, 19: 412, 20: 2412}
        run.client.write(device.device_id, {1: False})
        done = run.seen.wait_done(device.device_id, 1.0)
        assert done.error is None


@pytest.mark.parametrize("version", ["3.2", "3.3", "3.4"])
def test_device22(version):
    with mock(version, "--dev22") as device:
        run = Running([device])
        # before the start: afterwards the first query may be under way already
        run.client.set_polling(device.device_id, Polling(query_dps=(19,), later_dps=(1,)))
        with run:
            # the relay is named when two answers have shown that nulls set nothing; queries are 10 s apart
            assert run.seen.wait_status(device.device_id, full=True).dps == {19: 412}
            assert run.seen.wait_value(device.device_id, 1, True, 25.0).dps == {1: True, 19: 412}
            assert run.client.snapshot()[device.device_id].device22


@pytest.mark.parametrize("version", ["3.1", "3.3", "3.4", "3.5"])
def test_an_outage_is_noticed_and_survived(version):
    # it goes dark after the handshake and two answers, and drops the connection a second later
    answers = 3 if version in ("3.4", "3.5") else 2
    options = ("--go-dark-after", str(answers), "--drop-after-dark", "1", "--outages", "1")
    with mock(version, *options) as device, Running([device]) as run:
        run.seen.wait_status(device.device_id, full=True)
        run.client.write(device.device_id, {1: False})
        run.client.write(device.device_id, {1: True})
        run.seen.wait_lost(device.device_id, 14.0)
        since = len(run.seen.events)
        run.seen.wait_connected(device.device_id, 4.0, since)
        run.seen.wait_status(device.device_id, 2.0, since, full=True)


@pytest.mark.parametrize("version", ["3.4", "3.5"])
def test_a_wrong_key_is_proven(version):
    with (
        mock(version) as device,
        Running(
            [Device(device.device_id, b"0123456789abcdef", address="127.0.0.1", port=device.port, version=version)]
        ) as run,
    ):
        run.seen.wait_failed(device.device_id, 5.0)
        assert not run.seen.of(Connected)


def test_a_held_connection_stays_for_a_minute():
    if os.environ.get("LAN_LONG_TESTS", "") == "":
        pytest.skip("LAN_LONG_TESTS is not set")
    with mock("3.4") as device, Running([device]) as run:
        run.seen.wait_status(device.device_id, full=True)
        time.sleep(60.0)
        assert not run.seen.of(Lost)
        assert len(run.seen.of(Alive)) >= 6
        assert len(run.seen.of(Status)) >= 2
