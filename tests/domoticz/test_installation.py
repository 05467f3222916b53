"""lib/ and its stamp, and changes of the devices file."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from tests.lan.locks.other_user import NOBODY, OtherUser, as_root, open_folder
from tuya.devices.file_watch import FileWatch, content_state
from tuya.domoticz.installation import InstallationError, check, code_content, code_state

__all__ = ["open_folder"]  # a fixture


def test_stamp(tmp_path: Path):
    pins = tmp_path / "requirements.txt"
    pins.write_bytes(b"tinytuya==1\n")
    with pytest.raises(InstallationError, match=r"not installed yet.*bash install.sh.*restart Domoticz"):
        check(tmp_path)
    (tmp_path / "lib").mkdir()
    with pytest.raises(InstallationError, match=r"not whole: .*STAMP is missing.*bash install.sh"):
        check(tmp_path)
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


@as_root
@pytest.mark.parametrize("closed", ["lib", "lib/STAMP", "lib/Crypto", "lib/Crypto/raw.py", "lib/c.dist-info"])
def test_what_domoticzs_user_may_not_read_is_named_with_the_command_that_opens_it(open_folder: Path, closed: str):
    lib = open_folder / "lib"
    for made in (lib / "Crypto", lib / "c.dist-info"):
        made.mkdir(parents=True)
    (open_folder / "requirements.txt").write_bytes(b"tinytuya==1\n")
    (lib / "STAMP").write_text(hashlib.sha256(b"tinytuya==1\n").hexdigest())
    (lib / "Crypto" / "raw.py").write_bytes(b"1234")
    (lib / "c.dist-info" / "RECORD").write_text("Crypto/raw.py,sha256=x,4\n")
    (open_folder / closed).chmod(0o700 if (open_folder / closed).is_dir() else 0o600)
    said = open_folder / "said"
    said.touch()
    said.chmod(0o666)

    def begin() -> bool:
        with pytest.raises(InstallationError) as error:
            check(open_folder)
        said.write_text(str(error.value))
        return True

    with OtherUser(NOBODY, begin):
        pass
    assert "may not be read by nobody" in said.read_text()
    assert f"sudo chmod -R a+rX {lib}', then restart Domoticz" in said.read_text()


def test_rights_that_change_are_a_change_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "devices.json"
    path.write_text("[]")
    watch = FileWatch(lambda: path)
    watch.mark()
    assert not watch.has_changed()
    path.chmod(0o640)  # as chmod and chown do, this leaves the time of the content
    assert [watch.has_changed(), watch.has_changed()] == [False, True]
    watch.mark()
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda _path, _mode: False)  # a list of rights (ACL), which no mode tells
        assert [watch.has_changed(), watch.has_changed()] == [False, True]
        watch.mark()
    assert [watch.has_changed(), watch.has_changed()] == [False, True]
    watch.mark()
    if os.geteuid() == 0:
        os.chown(path, NOBODY, -1)
        assert [watch.has_changed(), watch.has_changed()] == [False, True]


def test_a_time_that_was_set_back_hides_no_change(tmp_path: Path):
    path = tmp_path / "devices.json"
    path.write_text("[1]")
    before = path.stat()
    watch = FileWatch(lambda: path)
    watch.mark()
    while path.stat().st_ctime_ns == before.st_ctime_ns:  # the clock of files goes in steps of some milliseconds
        path.write_text("[2]")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert [watch.has_changed(), watch.has_changed()] == [False, True]


def test_the_state_of_the_code_and_of_its_content(tmp_path: Path):
    (tmp_path / "tuya").mkdir()
    file = tmp_path / "tuya" / "a.py"
    file.write_text("1")
    os.utime(file, (1e9, 1e9))
    state, content = code_state(tmp_path), code_content(tmp_path)
    os.utime(file, (2e9, 2e9))
    assert (code_state(tmp_path) != state, code_content(tmp_path) == content) == (True, True)
    file.write_text("2")
    assert code_content(tmp_path) != content


def test_a_change_counts_when_nobody_writes_any_more(tmp_path: Path):
    path = tmp_path / "devices.json"
    watch = FileWatch(lambda: path if path.exists() else None)
    assert watch.mark() is None
    assert (watch.taken, content_state(path)) == ("", "")
    assert not watch.has_changed()
    path.write_text("[")
    assert [watch.has_changed(), watch.has_changed()] == [False, True]
    assert watch.mark() == path
    assert watch.taken == content_state(path)
    assert not watch.has_changed()
    path.write_text("[1")
    assert watch.taken != content_state(path)
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
