"""devices.json on the disk: all or nothing, rights kept, secrets private."""

from __future__ import annotations

import json
import os
import shutil
import stat
import tempfile
import threading
from pathlib import Path

import pytest

from tuya.cli.common import CommandError
from tuya.keys import writer
from tuya.keys.accounts import Account, account_of_owner, account_of_process, account_of_user
from tuya.keys.writer import leftovers, write_devices

DOCUMENT = [{"id": "bf01", "key": "a'b\"c\\d<e>&fgh§1", "name": "Küche"}]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to other users")


@pytest.fixture
def folder():
    """A folder that every user may enter, as a plugins folder is; pytest's own are private."""
    made = Path(tempfile.mkdtemp(prefix="plugins-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_is_private_and_complete(tmp_path):
    path = tmp_path / "devices.json"
    assert write_devices(path, DOCUMENT, None) == ""
    assert json.loads(path.read_text()) == DOCUMENT
    assert mode(path) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["devices.json"]


def test_an_old_file_keeps_its_rights_and_a_backup(tmp_path):
    path = tmp_path / "devices.json"
    path.write_text("[]")
    path.chmod(0o640)
    write_devices(path, DOCUMENT, Account(12345, 12345))
    assert mode(path) == 0o640
    assert path.stat().st_uid == os.geteuid()
    backup = tmp_path / "devices.json.bak"
    assert (backup.read_text(), mode(backup)) == ("[]", 0o640)


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    target = tmp_path / "real/devices.json"
    target.write_text("[]")
    link = tmp_path / "devices.json"
    link.symlink_to(target)
    write_devices(link, DOCUMENT, None)
    assert link.is_symlink()
    assert json.loads(target.read_text()) == DOCUMENT


def test_a_link_to_itself_is_said(tmp_path):
    link = tmp_path / "devices.json"
    link.symlink_to(link)
    with pytest.raises(CommandError, match="leads nowhere"):
        write_devices(link, DOCUMENT, None)


def test_a_second_writer_waits(tmp_path):
    path = tmp_path / "devices.json"
    order = []

    def second():
        with writer.only_writer(path):
            order.append("second")

    with writer.only_writer(path):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.2)
        order.append("first")
    thread.join(30)
    assert order == ["first", "second"]
    assert list(tmp_path.iterdir()) == []


def test_a_failure_in_the_middle_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "devices.json"
    path.write_text("[]")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writer.os, "fsync", full)
    with pytest.raises(CommandError, match="No space left on device"):
        write_devices(path, DOCUMENT, None)
    assert path.read_text() == "[]"
    assert [entry.name for entry in tmp_path.iterdir()] == ["devices.json"]


@as_root
def test_owner_and_group_are_kept(tmp_path):
    path = tmp_path / "devices.json"
    path.write_text("[]")
    os.chown(path, 12345, 23456)
    path.chmod(0o604)
    write_devices(path, DOCUMENT, None)
    assert (path.stat().st_uid, path.stat().st_gid, mode(path)) == (12345, 23456, 0o604)


@as_root
def test_a_new_file_is_for_the_user_that_domoticz_runs_as(folder):
    path = folder / "devices.json"
    assert write_devices(path, DOCUMENT, Account(12345, 23456)) == ""
    assert (path.stat().st_uid, path.stat().st_gid, mode(path)) == (12345, 23456, 0o600)


def test_another_user_gives_it_to_domoticzs_group(folder, monkeypatch):
    monkeypatch.setattr(writer.os, "geteuid", lambda: 54321)
    path = folder / "devices.json"
    assert write_devices(path, DOCUMENT, Account(12345, os.getegid())) == ""
    assert mode(path) == 0o640


def test_root_can_read_it_anyway(tmp_path, monkeypatch):
    monkeypatch.setattr(writer.os, "geteuid", lambda: 54321)
    path = tmp_path / "devices.json"
    assert write_devices(path, DOCUMENT, Account(0, 0)) == ""
    assert mode(path) == 0o600


def test_where_the_group_cannot_be_given_the_user_is_told(folder, monkeypatch):
    def refuse(path, uid, gid):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(writer.os, "geteuid", lambda: 54321)
    monkeypatch.setattr(writer.os, "chown", refuse)
    path = folder / "devices.json"
    advice = write_devices(path, DOCUMENT, Account(12345, 12345))
    assert advice == f"Domoticz runs as user 12345, who cannot read this file yet: sudo chown user 12345 {path}"
    assert mode(path) == 0o600


def test_the_account_of_a_process():
    assert account_of_process(os.getpid()) == Account(os.geteuid(), os.getegid(), frozenset(os.getgroups()))
    assert account_of_process(None) is None
    assert account_of_process(2**22 + 1) is None


def test_one_who_is_killed_leaves_one_private_file_that_the_next_one_takes_over(tmp_path):
    """kill -9 in the middle: in a process of its own, which dies before the new content gets its name."""
    path = tmp_path / "devices.json"
    path.write_text("[]")
    path.chmod(0o644)
    child = os.fork()
    if child == 0:
        writer.os.fsync = lambda descriptor: os.kill(os.getpid(), 9)
        write_devices(path, DOCUMENT, None)
        os._exit(0)
    os.waitpid(child, 0)
    left = leftovers(path)
    assert [other.name for other in left] == [".devices.json.bak.new"]
    assert mode(left[0]) & 0o077 == 0o044  # that of the file it is a copy of
    assert write_devices(path, DOCUMENT, None) == ""
    assert leftovers(path) == []
    assert sorted(other.name for other in tmp_path.iterdir()) == ["devices.json", "devices.json.bak"]


def test_a_new_content_is_private_until_it_is_complete(tmp_path, monkeypatch):
    path = tmp_path / "devices.json"
    seen = []
    monkeypatch.setattr(writer.os, "fsync", lambda descriptor: seen.append(stat.S_IMODE(os.fstat(descriptor).st_mode)))
    previous = os.umask(0)
    try:
        write_devices(path, DOCUMENT, None)
    finally:
        os.umask(previous)
    assert seen[0] == 0o600


def test_a_link_in_the_place_of_the_unfinished_file_is_not_followed(tmp_path):
    path, victim = tmp_path / "devices.json", tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / ".devices.json.new").symlink_to(victim)
    write_devices(path, DOCUMENT, None)
    assert victim.read_text() == "mine"
    assert not path.is_symlink()


def test_what_earlier_releases_left_is_known_as_well(tmp_path):
    names = [".devices.json-abc123", ".devices.json.bak-xyz", ".devices.json.new", "devices.json.old", ".other.json-x"]
    for name in names:
        (tmp_path / name).write_text("[]")
    assert [other.name for other in leftovers(tmp_path / "devices.json")] == sorted(names[:3])
    assert [other.name for other in writer.remove_leftovers(tmp_path / "devices.json")] == sorted(names[:3])
    assert leftovers(tmp_path / "devices.json") == []


def test_what_a_user_may_read(folder):
    path = folder / "devices.json"
    path.write_text("[]")
    me, group = os.geteuid(), os.getegid()
    other = Account(54321, 54321)
    for bits, reader, may in (
        (0o600, Account(0, 0), True),
        (0o640, other, False),
        (0o640, Account(54321, group), True),
        (0o640, Account(54321, 54321, frozenset({group})), True),
        (0o604, other, True),
        (0o604, Account(54321, group), False),  # the group's bits count, not those of all others
    ):
        path.chmod(bits)
        assert reader.may_read(path) is may, (oct(bits), reader)
    path.chmod(0o644)
    folder.chmod(0o700)
    assert not other.may_read(path)
    assert not other.may_enter(folder)
    assert account_of_owner(folder).uid == me
    assert not other.may_read(folder / "gone")


def test_users_by_name():
    assert account_of_user("root").uid == 0
    assert account_of_user("0").name == "root"
    assert account_of_user("nobody of this name") is None
    assert Account(54321, 1).name == "user 54321"


@as_root
def test_a_rewritten_file_that_domoticz_cannot_read_is_told(folder):
    path = folder / "devices.json"
    path.write_text("[]")
    path.chmod(0o600)
    nobody = account_of_user("nobody")
    assert write_devices(path, DOCUMENT, nobody) == (
        f"Domoticz runs as nobody, who cannot read this file yet: sudo chown nobody {path}"
    )
    folder.chmod(0o700)
    assert f"cannot enter {folder}: put the file elsewhere" in write_devices(path, DOCUMENT, nobody)
