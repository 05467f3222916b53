"""`python3 -m tuya ble`: output, exit codes, keys out of the environment."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.ble.test_explain import CAPTURE, LOCAL_KEY, OTHER_FLAG_4_5
from tuya.__main__ import main
from tuya.cli import ble


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TUYA_AUTH_KEY", "TUYA_UUID", "TUYA_LOCAL_KEY", "TUYA_SEC_KEY"):
        monkeypatch.delenv(name, raising=False)


def test_json_is_one_object_a_frame(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ble", str(CAPTURE), "--json"]) == 0
    lines = capsys.readouterr().out.splitlines()
    frames = [json.loads(line) for line in lines]
    assert [frame["frame"] for frame in frames] == list(range(1, 20))
    assert [frame["counter"] for frame in frames if frame["direction"] == "device"] == list(range(14))


def test_table_tells_keys_and_why_not_without_the_app(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ble", str(CAPTURE)]) == 0
    out = capsys.readouterr().out
    assert "57 values, 1,043 bytes, 19 frames, no leftovers" in out
    assert "196b39321c6be47af779042b7f1210d1" in out
    assert "burned into the chip" in out
    assert "maker's app and cloud are needed once" in out


def test_a_key_from_the_environment_opens_frames_and_is_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "capture.txt"
    file.write_text("\n".join(f"{direction} {value}" for direction, value in OTHER_FLAG_4_5))
    monkeypatch.setenv("TUYA_LOCAL_KEY", LOCAL_KEY.decode())
    assert main(["ble", str(file)]) == 0
    out = capsys.readouterr().out
    assert '{"dps": {"1": true, "18": 302, "38": 2}}' in out
    assert LOCAL_KEY.decode() not in out


@pytest.mark.parametrize(
    ("content", "options", "words"),
    [
        (b"> zz", [], "line 1"),
        (b"> 00", ["--local-key=short"], "local_key has 5 bytes"),
        (b"> 00", ["--uuid=\udcff\udcfe"], "uuid has 2 bytes"),  # what a shell that speaks no UTF-8 hands over
    ],
)
def test_wrong_use_is_exit_2_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, options: list[str], words: str
) -> None:
    file = tmp_path / "capture.txt"
    file.write_bytes(content)
    assert main(["ble", str(file), *options]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert words in captured.err
    assert len(captured.err.splitlines()) == 1


def test_an_endless_file_is_exit_2(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(ble, "MAX_FILE_BYTES", 2**20)
    assert main(["ble", "/dev/zero"]) == 2
    assert "more than 1 MB" in capsys.readouterr().err


def test_a_capture_without_values_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").write_bytes(b"# nothing yet\n")
    assert main(["ble", str(tmp_path / "empty")]) == 0
    assert "Nothing was written to a characteristic or notified by one" in capsys.readouterr().out


def test_a_missing_file_is_exit_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ble", str(tmp_path / "nothing.txt")]) == 2
    assert "cannot be read" in capsys.readouterr().err
