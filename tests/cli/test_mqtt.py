"""python3 -m tuya mqtt: what it takes, and what it says where it cannot."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import List

import pytest

from tests.mqtt.brokers import free_port
from tuya.cli.common import UsageError
from tuya.cli.mqtt import _broker, add_arguments, run


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(list(words))


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("mqtt://broker", "mqtt://broker:1883"),
        ("mqtt://me@broker:1234/", "mqtt://me@broker:1234"),
        ("mqtts://broker", "mqtts://broker:8883"),
        ("mqtt://[::1]", "mqtt://[::1]:1883"),
        ("mqtt://a%40b@broker", "mqtt://a@b@broker:1883"),
    ],
)
def test_brokers(url: str, shown: str):
    assert _broker(parsed("--broker", url)).shown == shown


@pytest.mark.parametrize(
    "url",
    [
        "",
        "broker",
        "http://broker",
        "mqtt://",
        "mqtt://b:99999",
        "mqtt://b:x",
        "mqtt://b/x",
        "mqtt://b?x=1",
        "mqtt://[",
    ],
)
def test_what_is_no_broker(url: str):
    with pytest.raises(UsageError):
        _broker(parsed("--broker", url))


def test_a_password_on_the_command_line_is_refused_and_not_repeated():
    with pytest.raises(UsageError) as raised:
        _broker(parsed("--broker", "mqtt://me:hunter2@broker"))
    assert "hunter2" not in str(raised.value)


def test_password_from_the_environment_or_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MQTT_PASSWORD", "from the environment")
    assert _broker(parsed("--broker", "mqtt://b")).password == "from the environment"
    path = tmp_path / "password"
    path.write_text("from a file\n")
    words = ["--broker", "mqtt://b", "--password-file", str(path)]
    assert _broker(parsed(*words)).password == "from a file"
    path.unlink()
    with pytest.raises(UsageError, match="password"):
        _broker(parsed(*words))


@pytest.mark.parametrize(
    ("scheme", "more"),
    [
        ("mqtt", ["--ca", "ca.pem"]),
        ("mqtt", ["--cert", "own.pem", "--client-key", "own.key"]),
        ("mqtts", ["--client-key", "own.key"]),
    ],
)
def test_certificates_that_would_not_be_used_are_refused(scheme: str, more: List[str]):
    with pytest.raises(UsageError, match=r"mqtts://|--cert"):
        _broker(parsed("--broker", f"{scheme}://b", *more))


def test_a_password_file_without_an_end_is_none():
    with pytest.raises(UsageError, match="/dev/zero"):
        _broker(parsed("--broker", "mqtt://b", "--password-file", "/dev/zero"))


@pytest.mark.parametrize(
    "more",
    [["--base", "a/+"], ["--discovery", "#"], ["--ca", "/nowhere/ca.pem"], ["--devices", "/nowhere/devices.json"]],
)
def test_wrong_use(more: List[str]):
    with pytest.raises(UsageError):
        run(parsed("--broker", "mqtts://127.0.0.1", "--seconds", "0.1", *more))


def test_totals_that_cannot_be_used_are_a_fault_and_nothing_begins(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    from tuya.__main__ import main

    devices, totals = tmp_path / "devices.json", tmp_path / "totals.json"
    device = (
        '[{"id": "bf5y0n0ou9wx0k90g9pv", "key": "0123456789abcdef", "name": "B", "product_id": "jdj6ccklup7btq3a"}]'
    )
    devices.write_text(device)
    totals.write_text("no totals")
    where = ["--devices", str(devices), "--totals", str(totals), "--seconds", "0.1"]
    assert main(["mqtt", "--broker", f"mqtt://127.0.0.1:{free_port()}", *where]) == 1
    assert "no kWh totals" in capsys.readouterr().err
    assert totals.read_text() == "no totals"
