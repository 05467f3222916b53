"""lib/ and its stamp, and changes of the devices file."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from tuya.devices.file_watch import FileWatch
from tuya.domoticz.installation import InstallationError, check


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


@pytest.mark.parametrize("harm", ["cut", "gone"])
def test_a_damaged_package_is_named_before_anything_of_it_is_loaded(tmp_path: Path, harm: str):
    pins = tmp_path / "requirements.txt"
    pins.write_bytes(b"tinytuya==1\n")
    lib = tmp_path / "lib"
    compiled = lib / "Crypto" / "raw.so"
    for made in (compiled.parent, lib / "crypto-1.dist-info"):
        made.mkdir(parents=True)
    compiled.write_bytes(bytes(4096))
    (lib / "STAMP").write_text(hashlib.sha256(pins.read_bytes()).hexdigest())
    record = lib / "crypto-1.dist-info" / "RECORD"
    record.write_text(
        'Crypto/raw.so,sha256=x,4096\nCrypto/__pycache__/a.pyc,,\n../../bin/tool,sha256=x,242\n"bin/a,b",sha256=x,1\n'
        "tool-1.data/scripts/tool,sha256=x,242\ncrypto-1.dist-info/RECORD,,\n\n"
    )
    check(tmp_path)
    if harm == "cut":
        compiled.write_bytes(bytes(2048))
    else:
        compiled.unlink()
    with pytest.raises(InstallationError, match=r"damaged: Crypto/raw\.so .*bash install\.sh.*restart Domoticz"):
        check(tmp_path)
    record.write_text("Crypto/raw.so,sha256=x,four\n")
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
