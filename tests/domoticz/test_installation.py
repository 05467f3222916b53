"""lib/ and its stamp, and changes of the devices file."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from tuya.domoticz.installation import InstallationError, check
from tuya.domoticz.watch import FileWatch


def test_stamp(tmp_path: Path):
    pins = tmp_path / "requirements.txt"
    pins.write_bytes(b"tinytuya==1\n")
    with pytest.raises(InstallationError, match=r"not installed yet.*bash install.sh.*restart Domoticz"):
        check(tmp_path)
    (tmp_path / "lib").mkdir()
    stamp = tmp_path / "lib" / "STAMP"
    stamp.write_text(hashlib.sha256(pins.read_bytes()).hexdigest() + "\n")
    check(tmp_path)
    pins.write_bytes(b"tinytuya==2\n")
    with pytest.raises(InstallationError, match=r"was updated.*bash install.sh"):
        check(tmp_path)
    pins.unlink()
    with pytest.raises(InstallationError, match="cannot be checked"):
        check(tmp_path)


def test_a_change_counts_when_nobody_writes_any_more(tmp_path: Path):
    path = tmp_path / "devices.json"
    watch = FileWatch(lambda: path if path.exists() else None)
    assert watch.mark() is None
    assert not watch.has_changed()
    path.write_text("[")
    assert [watch.has_changed(), watch.has_changed()] == [False, True]
    assert watch.mark() == path
    assert not watch.has_changed()
    path.write_text("[1")
    assert not watch.has_changed()
    path.write_text("[1]")
    assert not watch.has_changed()  # it was written since the last look
    assert watch.has_changed()
    watch.mark()
    other = tmp_path / "new"
    other.write_text("[2]")
    found = path.stat()
    os.utime(other, ns=(found.st_atime_ns, found.st_mtime_ns))
    other.replace(path)  # same size, same time, another file
    assert [watch.has_changed(), watch.has_changed()] == [False, True]
    watch.mark()
    path.unlink()
    assert [watch.has_changed(), watch.has_changed()] == [False, True]
