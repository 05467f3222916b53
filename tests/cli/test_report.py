"""report: what a user may post in public, from the file and from a simulated breaker."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict

import pytest

from tuya.__main__ import main
from tuya.metering.decode import decode_dump
from tuya.simulator import Fleet

KEY = "0123456789abcdef"
ENTRY: Dict[str, Any] = {
    "id": "bf0123456789abcdefghij",
    "key": KEY,
    "name": "Grandmother's kitchen",
    "ip": "192.168.1.77",
    "mac": "10:5a:17:aa:bb:cc",
    "uuid": "f00dfeedf00dfeed",
    "product_id": "jdj6ccklup7btq3a",
    "category": "dlq",
    "mapping": {"20": {"code": "cur_voltage", "type": "Integer", "values": {"unit": "V"}, "custom_name": "Granny"}},
    "dps": {"1": True, "18": 302, "19": 412, "20": 2412, "19x": 1, "44": "202311813370", "45": "10:5a:17:aa:bb:cc"},
}


def test_offline(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "devices.json"
    path.write_text(json.dumps([ENTRY]))
    assert main(["report", "--devices", str(path), "--offline", "--json"]) == 0
    text = capsys.readouterr().out
    for secret in (KEY, ENTRY["id"], "Grandmother", "Granny", "192.168", "10:5a", "f00d", "202311813370"):
        assert secret not in text
    report = json.loads(text)
    assert report["meaning"]["power_w"] == {"1": 41.2}
    assert report["dps"]["44"] == "#"
    assert len(report["device"]) == 12
    assert decode_dump(report)["power_w"] == {"1": 41.2}


def test_of_a_simulated_breaker(capsys: pytest.CaptureFixture[str]) -> None:
    with Fleet(product="jdj6ccklup7btq3a", version="3.4", noise=0.0, load_w=230.0) as fleet:
        device = fleet.devices()[0]
        words = ["report", "--id", device["id"], "--ip", "127.0.0.1", "--port", str(device["port"])]
        code = main([*words, "--version", "3.4", f"--key={device['key']}", "--seconds", "8", "--json"])
    out = capsys.readouterr().out
    assert code == 0, out
    report = json.loads(out)
    assert report["version"] == "3.4"
    assert report["dps"]["20"] == 2300
    assert device["id"] not in out
    assert device["key"] not in out
    assert report["meaning"]["matched_by"] == "shape"
    assert report["meaning"]["power_w"] == {"1": 230}


def test_a_device_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["report", "--id", ENTRY["id"], "--ip", "127.0.0.1", "--port", "9", "--version", "3.4", f"--key={KEY}"]
    assert main([*words, "--seconds", "1.5", "--json"]) == 1
    captured = capsys.readouterr()
    assert json.loads(captured.out)["error"] in ("Refused", "Unreachable")
    assert KEY not in captured.err
