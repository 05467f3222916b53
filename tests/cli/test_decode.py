"""decode on the command line: any JSON object is answered, anything else is wrong use."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from tuya.__main__ import main

DUMP = {"product_id": "jdj6ccklup7btq3a", "dps": {"1": True, "18": 302, "19": 412, "20": 2412, "26": 1}}


def test_a_file_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "dump.json"
    path.write_text(json.dumps(DUMP))
    assert main(["decode", str(path), "--json"]) == 0
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert json.loads(out) == {
        "profile": "socket",
        "matched_by": "product",
        "switch": {"1": True},
        "voltage_v": {"1": 241.2},
        "current_a": {"1": 0.302},
        "power_w": {"1": 41.2},
        "faults": ["ov_cr"],
    }


def test_a_snapshot_is_answered_device_by_device(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "snapshot.json"
    deeper = {**DUMP, "id": "bf0123456789abcdefgh", "name": "Boiler\n", "dps": {"devId": "x", "dps": DUMP["dps"]}}
    devices = [deeper, {"id": "bfother0000000000000", "ip": "10.0.0.5"}]
    path.write_text(json.dumps({"timestamp": 1.5, "devices": devices}))
    assert main(["decode", str(path), "--json"]) == 0
    boiler, other = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (boiler["device"], boiler["id"], boiler["power_w"]) == ("Boiler", "bf01..efgh", {"1": 41.2})
    assert (other["device"], other["profile"]) == ("bfot..0000", boiler["profile"]) or other["matched_by"] == "none"
    path.write_text(json.dumps({"devices": []}))
    assert main(["decode", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["matched_by"] == "none"


def test_standard_input_with_reasons(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(b"\xef\xbb\xbf" + json.dumps(DUMP).encode()))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert main(["decode", "-", "--explain"]) == 0
    out = capsys.readouterr().out
    assert "1: 41.2" in out
    assert "Tongou TO-Q-SY1-JWT" in out


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        '{"dps": null}',
        '{"dps": [1]}',
        '{"dps": {"20": NaN}}',
        '{"mapping": 5}',
        '{"dps": {"1": ' + "9" * 5000 + "}}",
    ],
)
def test_any_object_is_answered(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "dump.json"
    path.write_text(text)
    assert main(["decode", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"profile": "unknown", "matched_by": "none"}


@pytest.mark.parametrize("text", ["", "[]", "5", '"text"', "{", "null", "[" * 100_000])
def test_anything_else_is_wrong_use(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "dump.json"
    path.write_text(text)
    assert main(["decode", str(path), "--json"]) == 2
    assert capsys.readouterr().out == ""


def test_no_such_file(tmp_path: Path) -> None:
    assert main(["decode", str(tmp_path / "missing.json")]) == 2


def test_a_file_without_an_end(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["decode", "/dev/zero"]) == 2
    assert "more than 16 MB" in capsys.readouterr().err


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "dump.json"
    path.write_bytes(b"\xff\xfe{}")
    assert main(["decode", str(path)]) == 2


def test_a_pipe_gets_json_also_without_the_option(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "dump.json"
    path.write_text('{"product_id": "jdj6ccklup7btq3a", "dps": {"1": true, "18": 302, "19": 412, "20": 2412}}')
    assert main(["decode", str(path)]) == 0
    assert json.loads(capsys.readouterr().out)["power_w"] == {"1": 41.2}


@pytest.mark.parametrize(("text", "code"), [('{"x": ' + "[" * 100000 + "]" * 100000 + "}", 0), ("[" * 100000, 2)])
def test_depths_that_no_parser_reads(tmp_path: Path, text: str, code: int) -> None:
    path = tmp_path / "deep.json"
    path.write_text(text)
    assert main(["decode", str(path), "--json"]) == code
