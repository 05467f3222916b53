"""watch, set and scan against simulated breakers: exit codes, pure JSON, what is refused."""

from __future__ import annotations

import io
import json
import signal
import socket
import subprocess
import sys
import time

import pytest

from tests.cli import in_process
from tests.lateness import lateness
from tuya.boot_clock import boot_clock_s
from tuya.cli import scan
from tuya.cli.set import TYPED_LIMIT_S
from tuya.simulator import Fleet


def tuya(*words, timeout_s=100.0, environment=None):
    """Run one command. Returns exit code, stdout lines, stderr."""
    import os

    done = subprocess.run(
        [sys.executable, "-m", "tuya", *words],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
        env={**os.environ, **(environment or {})},
    )
    return done.returncode, done.stdout.splitlines(), done.stderr


@pytest.fixture
def home(tmp_path):
    """Two breakers and their devices.json; the second one may not be switched."""
    with Fleet(version=("3.4", "3.3"), count=2, noise=0.0) as fleet:
        entries = fleet.devices()
        entries[0]["name"], entries[1]["name"] = "Oven", "Freezer"
        entries[1]["domoticz"] = {"switch": "refused"}
        path = tmp_path / "devices.json"
        path.write_text(json.dumps(entries), encoding="utf-8")
        yield fleet, str(path)


def test_watch_tells_events_as_json(home):
    fleet, path = home
    code, lines, _ = tuya("watch", "Oven", "--devices", path, "--seconds", "2", "--json")
    events = [json.loads(line) for line in lines]
    assert code == 0
    assert events[0]["event"] == "connected"
    assert events[0]["version"] == "3.4"
    status = events[1]
    assert status["event"] == "status"
    assert status["id"] == fleet.breakers[0].device_id
    assert status["dps"]["1"] is True
    assert status["readings"]["power_w"] == {"1": fleet.breakers[0].dps[19] / 10}
    assert status["readings"]["matched_by"] == "product"


def test_watch_follows_all_devices_for_people(home):
    _, path = home
    code, lines, _ = tuya("watch", "--devices", path, "--seconds", "2")
    assert code == 0
    text = "\n".join(lines)
    assert "Oven: connected to 127.0.0.1" in text
    assert "Freezer: on" in text


def test_the_first_error_comes_within_five_seconds(home):
    fleet, path = home
    fleet.breakers[0].fault("mute")
    started_s = time.monotonic()
    late_s = lateness()
    process = subprocess.Popen(
        [sys.executable, "-m", "tuya", "watch", "Oven", "--devices", path, "--json"], stdout=subprocess.PIPE, text=True
    )
    event = json.loads(process.stdout.readline())
    assert time.monotonic() - started_s < 5.0 + late_s()
    assert (event["event"], event["error"]) == ("error", "Mute")
    process.terminate()
    assert process.wait(5) == 1
    process.stdout.close()


def test_a_wrong_key_from_the_environment(home):
    fleet, _ = home
    breaker = fleet.breakers[0]
    words = ["--id", breaker.device_id, "--ip", "127.0.0.1", "--port", str(breaker.port), "--version", "3.4"]
    secret = "0123456789abcdeX"
    code, lines, errors = tuya("watch", *words, "--seconds", "3", "--json", environment={"TUYA_LOCAL_KEY": secret})
    assert code == 1
    assert json.loads(lines[0])["error"] == "WrongKey"
    assert secret not in "".join(lines) + errors


def test_set_switches_and_waits_for_the_confirmation(home):
    fleet, path = home
    code, lines, _ = tuya("set", "Oven", "1=false", "--devices", path, "--json")
    assert code == 0
    assert [json.loads(line) for line in lines] == [
        {"id": fleet.breakers[0].device_id, "dps": {"1": False}, "confirmed": True}
    ]
    assert fleet.breakers[0].relay is False


def test_set_without_confirmation_is_a_fault(home):
    fleet, path = home
    fleet.breakers[0].fault("write", how="deaf")
    code, lines, errors = tuya("set", "Oven", "1=false", "--devices", path, "--json")
    assert code == 1
    assert json.loads(lines[0])["error"] == "NotConfirmed"
    assert "Oven" in errors
    assert len(fleet.breakers[0].writes) == 1


def test_what_was_typed_long_ago_is_not_sent(home, monkeypatch):
    """A machine so busy that the program took that long to begin; or it was stopped on the way (Ctrl-Z)."""
    fleet, path = home
    monkeypatch.setattr("tuya.__main__.boot_clock_s", lambda: boot_clock_s() - TYPED_LIMIT_S)
    code, lines, errors = in_process.run("set", "Oven", "1=false", "--devices", path, "--json")
    assert (code, json.loads(lines[0])["error"]) == (1, "NotConnected")
    assert "too late" in errors
    assert fleet.breakers[0].writes == []


def test_what_became_too_old_while_the_device_was_connected_to_is_not_sent(home, monkeypatch):
    fleet, path = home
    monkeypatch.setattr("tuya.cli.set._connected", lambda *_words: time.sleep(1.0) or {"profile": {}, "dps": {}})
    monkeypatch.setattr("tuya.__main__.boot_clock_s", lambda: boot_clock_s() - TYPED_LIMIT_S + 0.5)
    code, lines, _ = in_process.run("set", "Oven", "1=false", "--devices", path, "--json")
    assert (code, json.loads(lines[0])["error"]) == (1, "NotConnected")
    assert fleet.breakers[0].writes == []


def test_who_waits_for_a_breaker_that_is_not_there_yet_is_told_so(home, monkeypatch):
    """It would be written as soon as the breaker comes: who has given up has to know that there is something to end."""
    fleet, path = home
    device_id = fleet.breakers[0].device_id
    monkeypatch.setattr("tuya.cli.set.CONNECT_LIMIT_S", 3.0)
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    code, lines, errors = in_process.run(
        "set", "Oven", "1=false", "--devices", path, "--json", "--ip", "127.0.0.1", "--port", str(port)
    )
    told = json.loads(lines[0])
    assert (code, len(lines), told["id"], told["confirmed"]) == (1, 1, device_id, False)
    assert errors.count("Oven: waiting for the breaker to answer") == 1
    assert errors.index("Ctrl-C ends this, nothing is sent later") < errors.index(told["message"])
    assert fleet.breakers[0].writes == []


def test_an_owner_that_was_stopped_is_named_and_writes_nothing_later(home):
    fleet, path = home
    words = [sys.executable, "-m", "tuya", "watch", "--devices", path, "--json"]
    owner = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        for _ in range(4):  # both are connected, and have told something
            assert json.loads(owner.stdout.readline())["event"] in ("connected", "status")
        owner.send_signal(signal.SIGSTOP)
        late_s, began_s = lateness(), time.monotonic()
        code, lines, errors = tuya("set", "Oven", "1=false", "--devices", path, "--json")
        assert time.monotonic() - began_s < 10.0 + late_s()
        assert (code, json.loads(lines[0])["error"]) == (1, "OwnedElsewhere")
        assert f"does not answer (python3 -m tuya watch, process {owner.pid})" in errors
        owner.send_signal(signal.SIGCONT)
        time.sleep(3.0)
        assert fleet.breakers[0].writes == []
    finally:
        owner.kill()
        owner.wait()
        owner.stdout.close()


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("Freezer", "1=false"), "refused"),
        (("Oven", "17=5"), "no control"),
        (("Oven", "22=5"), "no control"),
        (("Oven", "1=1"), "true or false"),
        (("Oven", "9=-1"), "whole number"),
        (("Oven", "1=NaN"), "no value"),
        (("Oven", "1=true", "1=false"), "twice"),
        (("Oven", "1=true", "9=60", "01=true"), "twice"),
        (("Oven",), "DP=VALUE"),
        (("1=true",), "which device"),
        (("Nobody", "1=true"), "no device"),
    ],
)
def test_what_set_refuses(home, words, reason):
    fleet, path = home
    code, lines, errors = in_process.run("set", *words, "--devices", path, "--json")
    assert (code, lines) == (2, [])
    assert reason in errors
    assert all(breaker.writes == [] for breaker in fleet.breakers)


def test_who_comes_second_listens_to_the_holder_and_is_told_who_that_is(home):
    fleet, path = home
    first = subprocess.Popen(
        [sys.executable, "-m", "tuya", "watch", "Oven", "--devices", path, "--json"], stdout=subprocess.PIPE, text=True
    )
    assert json.loads(first.stdout.readline())["event"] == "connected"
    code, lines, _ = tuya("watch", "Oven", "--devices", path, "--seconds", "4", "--json")
    assert code == 0
    connected, status, *_ = map(json.loads, lines)
    assert (connected["event"], connected["via"]) == ("connected", "the command line")
    assert (status["event"], status["via"], status["dps"]["1"]) == ("status", "the command line", True)
    assert set(status["totals_wh"]["total"]) == {"used"}
    code, lines, _ = tuya("set", "Oven", "1=off", "--devices", path, "--json")
    assert code == 0
    assert json.loads(lines[0]) == {
        "id": fleet.breakers[0].device_id,
        "dps": {"1": False},
        "via": "the command line",
        "confirmed": True,
    }
    assert [dps for _, dps in fleet.breakers[0].writes] == [{1: False}]
    first.terminate()
    assert first.wait(5) == 0
    first.stdout.close()


def test_scan_lists_what_is_not_heard(home):
    fleet, path = home
    code, lines, _ = tuya("scan", "--devices", path, "--seconds", "1", "--json")
    rows = {row["id"]: row for row in map(json.loads, lines)}
    assert code in (0, 1)
    assert rows[fleet.breakers[0].device_id]["name"] == "Oven"
    assert set(rows[fleet.breakers[0].device_id]) == {"id", "name", "address", "version", "product", "state"}


@pytest.mark.parametrize("width", [40, 60, 80, 160])
def test_scan_shows_the_whole_id_however_narrow_the_terminal_is(width):
    console = pytest.importorskip("rich.console").Console(width=width, file=io.StringIO())
    device_id = "bf0123456789abcdefghijkl"
    name = "A long name in a house with many breakers"
    console.print(scan._table([scan.Row(device_id, name, "192.168.100.200", "3.4", "jdj6ccklup7btq3a", scan.NO_KEY)]))
    assert device_id in console.file.getvalue()


def test_the_age_of_a_process():
    code = "import time\ntime.sleep(0.3)\nfrom tuya.cli.lan_tools import process_age_s\nprint(process_age_s())"
    started_s = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # ticks of the kernel: the start is known to a hundredth of a second
    assert 0.25 < float(done.stdout) < time.monotonic() - started_s + 0.05
