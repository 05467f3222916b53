"""The kWh from one run to the next."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tuya.mqtt import totals_file
from tuya.mqtt.totals_file import TotalsError, read_totals, totals_path, write_totals

TOTALS = {"device": {"total/used": [12.5, None, None]}}


def test_what_was_written_is_read_and_only_ours(tmp_path: Path):
    path = tmp_path / "deep" / "totals.json"
    assert read_totals(path) == {}
    write_totals(path, TOTALS)
    write_totals(path, TOTALS)
    assert read_totals(path) == TOTALS
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in path.parent.iterdir()] == ["totals.json"], "nothing else stays"


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"a": 1}', b"\xff", b"[" * 100000])
def test_what_holds_no_totals_is_said_and_left_as_it_is(tmp_path: Path, content: bytes):
    path = tmp_path / "totals.json"
    path.write_bytes(content)
    with pytest.raises(TotalsError, match="no kWh totals"):
        read_totals(path)
    assert path.read_bytes() == content


def test_a_failed_write_leaves_the_old_totals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "totals.json"
    write_totals(path, TOTALS)

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(TotalsError, match="No space left"):
        write_totals(path, {})
    assert read_totals(path) == TOTALS
    assert [one.name for one in tmp_path.iterdir()] == ["totals.json"]


def test_a_link_in_the_way_is_not_followed(tmp_path: Path):
    path, target = tmp_path / "totals.json", tmp_path / "target"
    target.write_text("theirs")
    path.with_name(f".{path.name}.{os.getpid()}").symlink_to(target)
    with pytest.raises(TotalsError):
        write_totals(path, TOTALS)
    assert target.read_text() == "theirs"


def test_beside_the_devices_file_or_where_the_user_may_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    devices_file = tmp_path / "devices.json"
    assert totals_path(devices_file) == tmp_path / totals_file.TOTALS_NAME
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert totals_path(devices_file) == tmp_path / "state" / "tuya-mqtt" / totals_file.TOTALS_NAME
    for none in ("", "relative"):
        monkeypatch.setenv("XDG_STATE_HOME", none)
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        assert totals_path(devices_file).parent == tmp_path / "home" / ".local" / "state" / "tuya-mqtt"
