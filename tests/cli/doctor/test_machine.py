"""What can be wrong on the machine: files, rights, packages, Domoticz's Python and its log."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from tests.lan.locks.other_user import open_folder
from tuya.cli.doctor import machine
from tuya.cli.doctor.machine import Machine, check_files, check_packages, read_log
from tuya.keys.accounts import Account
from tuya.setup.find_domoticz import Domoticz, LoadedPython
from tuya.setup.pins import stamp
from tuya.setup.running import Started

__all__ = ["open_folder"]  # a fixture
REPOSITORY = Path(__file__).resolve().parents[3]
KEY = "0123456789abcde'"
BREAKER = {"id": "bf0123456789abcdefgh", "name": "Boiler", "key": KEY, "product_id": "jdj6ccklup7btq3a"}
LAMP = {"id": "bflamp00000000000000", "name": "Lamp", "key": KEY, "mapping": {"1": {"code": "switch_led"}}}


def devices_file(folder, content, mode=0o600):
    path = folder / "devices.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    path.chmod(mode)
    return path


def files(path, domoticz=None, needed=True):
    findings, entries = check_files(Machine(domoticz, path), needed)
    assert KEY not in repr(findings)
    return findings, [entry.name for entry in entries]


def test_a_good_file(tmp_path):
    findings, names = files(devices_file(tmp_path, [BREAKER, LAMP]))
    assert names == ["Boiler"]
    assert [finding.state for finding in findings] == ["ok"]
    assert findings[0].text.endswith(
        '1 to be served, 1 others are not (no meters, behind a gateway, or with "use": false)'
    )


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"category": "dlq"}, "unchecked"),
        ({"category": "zndb", "product_id": "unknown"}, "unchecked"),
        ({}, "unchecked"),  # an id and a key, as tuya-cli prints them
        ({"product_id": "x"}, "unchecked"),
        ({"category": "qt", "mapping": {}}, "unchecked"),
        ({"category": "dlq", "domoticz": {"use": False}}, None),
        ({"category": "dlq", "domoticz": {"use": True}}, None),
        ({"category": "dlq", "sub": True, "node_id": "1"}, None),
        ({"category": "dj"}, None),
        ({"category": "cz"}, "note"),  # most sockets measure nothing
        ({"category": "cz", "mapping": {"1": {"code": "switch_1", "type": "Boolean", "values": {}}}}, None),
    ],
)
def test_a_breaker_that_nothing_is_known_of_is_named(tmp_path, changes, state):
    other = {"id": "bfother0000000000000", "name": "Other", "key": KEY, **changes}
    findings, _ = files(devices_file(tmp_path, [BREAKER, other]))
    told = [finding for finding in findings if finding.text.startswith("Other: ")]
    assert [(finding.state, bool(finding.cure)) for finding in told] == ([(state, True)] if state else [])


def test_no_file():
    findings, _ = files(None)
    assert (findings[0].state, findings[0].cure) == ("failed", "bash install.sh keys")
    assert files(None, needed=False) == ([], [])


def test_a_broken_file_names_the_line(tmp_path):
    path = devices_file(tmp_path, '[\n{"id": "bf01",\n "key": oops}]')
    findings, _ = files(path)
    assert findings[0].failed
    assert findings[0].text.startswith(f"{path}:3: this is not valid JSON")


def test_a_file_without_meters(tmp_path):
    findings, _ = files(devices_file(tmp_path, [LAMP]))
    assert findings[-1].failed
    assert '"use": true' in findings[-1].cure


def test_a_key_that_cannot_be_right_is_left_to_the_device_check(tmp_path):
    assert files(devices_file(tmp_path, [{**BREAKER, "key": "short"}]))[1] == ["Boiler"]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"domoticz": {"colour": 1}}, "there is no such setting"),
        ({"domoticz": {"invert": ["Power"]}}, "'Power' is none of"),
        ({"domoticz": {"layout": "nosuch"}}, "there is no 'nosuch'"),
        ({"domoticz": {"use": "false"}}, "it must be true or false"),
        ({"domoticz": "text"}, "must be an object"),
        ({"switch": "refused"}, "it is not read there"),
    ],
)
def test_a_wish_that_is_not_followed_is_nothing_well(tmp_path, changes, text):
    findings, names = files(devices_file(tmp_path, [{**BREAKER, **changes}]))
    assert [finding.state for finding in findings] == ["unchecked", "ok"]
    assert text in findings[0].text
    assert findings[0].cure == f"correct it in {tmp_path / 'devices.json'}"
    assert names == ["Boiler"]


def test_everybody_can_read_the_keys(tmp_path):
    findings, _ = files(devices_file(tmp_path, [BREAKER], mode=0o644))
    assert findings[0].state == "note"
    assert findings[0].cure == f"chmod o-rwx {tmp_path / 'devices.json'}"


def domoticz_of(tmp_path, pid=None):
    binary = tmp_path / "domoticz"
    binary.write_text("#!/bin/sh\n")
    binary.chmod(0o755)
    return Domoticz(binary, tmp_path, "test", pid)


@pytest.mark.parametrize(("uid", "gid", "fails"), [(12345, 12345, True), (12345, os.getegid(), False), (0, 0, False)])
def test_domoticz_must_be_able_to_read_it(monkeypatch, uid, gid, fails):
    folder = Path(tempfile.mkdtemp(prefix="plugins-"))
    try:
        folder.chmod(0o755)
        path = devices_file(folder, [BREAKER], mode=0o640)
        monkeypatch.setattr(machine.find_domoticz, "reader_of_keys", lambda *_: machine.Account(uid, gid))
        findings, _ = files(path, domoticz_of(folder, 1))
        assert any(finding.failed for finding in findings) is fails
        if fails:
            assert findings[0].text == f"Domoticz runs as user 12345 and cannot read {path}"
            folder.chmod(0o700)
            assert "a folder that user 12345 may enter" in files(path, domoticz_of(folder, 1))[0][0].cure
    finally:
        shutil.rmtree(folder)


@pytest.mark.skipif(os.geteuid() == 0, reason="root can read everything")
def test_a_file_that_the_doctor_cannot_read(tmp_path):
    path = devices_file(tmp_path, [BREAKER], mode=0o000)
    findings, _ = files(path)
    assert (findings[0].state, findings[0].cure) == ("failed", f"sudo chmod u+r {path}")


@pytest.mark.parametrize("uid", [os.geteuid(), 12345])
def test_a_file_of_another_user_is_not_to_be_taken_from_him(tmp_path, monkeypatch, uid):
    path = devices_file(tmp_path, [BREAKER])

    def refuse(path):
        try:
            raise PermissionError(13, "Permission denied")
        except PermissionError:
            raise machine.DevicesFileError(0, "Let me read it: sudo chown me devices.json", str(path)) from None

    monkeypatch.setattr(machine, "read_devices", refuse)
    reader = machine.Account(uid, 12345)
    monkeypatch.setattr(machine.Account, "may_enter", lambda account, folder: True)
    monkeypatch.setattr(machine.find_domoticz, "reader_of_keys", lambda *_: reader)
    (finding,), names = files(path)
    assert names == []
    if uid == os.geteuid():
        assert (finding.state, "chown" in finding.text + finding.cure) == ("unchecked", False)
        assert f"sudo -u {path.owner()} python3 -m tuya doctor" in finding.cure
    else:
        assert (finding.state, finding.cure) == ("failed", f"sudo chown {reader.name} {path}")


@pytest.fixture
def plugin(tmp_path):
    folder = tmp_path / "plugin"
    folder.mkdir()
    shutil.copytree(REPOSITORY / "tuya", folder / "tuya", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "requirements.txt", folder)
    shutil.copy(REPOSITORY / "plugin.py", folder)
    (folder / "lib").mkdir()
    (folder / "lib/STAMP").write_text(stamp(folder / "requirements.txt"))
    return folder


def test_packages_that_work(plugin):
    finding = check_packages(Machine(None, None, plugin))  # lib/ is empty: this Python has the packages itself
    assert finding.state == "ok"
    assert "tinytuya 1.20.0 and PyCryptodome work" in finding.text
    assert "no Domoticz was found" in finding.text


def test_packages_that_are_not_installed(plugin):
    shutil.rmtree(plugin / "lib")
    finding = check_packages(Machine(None, None, plugin))
    assert finding.failed
    assert finding.cure == f"bash {plugin / 'install.sh'}"


@pytest.mark.parametrize("closed", ["lib", "lib/STAMP", "tuya/sharing", "tuya/__main__.py"])
def test_packages_that_domoticz_may_not_read(plugin, open_folder, tmp_path, monkeypatch, closed):
    """Whoever runs the doctor may read them, and would see nothing wrong."""
    plugin = plugin.rename(open_folder / "plugin")
    reader = Account(54321, 54321)
    monkeypatch.setattr(Domoticz, "account", reader)
    domoticz = replace(domoticz_of(tmp_path), is_ours=True)
    assert "Domoticz runs as" not in check_packages(Machine(domoticz, None, plugin)).text
    path = plugin / closed
    path.chmod(0o700 if path.is_dir() else 0o600)
    finding = check_packages(Machine(domoticz, None, plugin))
    assert (finding.state, finding.text) == ("failed", f"Domoticz runs as user 54321 and cannot read {path}")
    what = f"-R a+rX {plugin / 'lib'}" if closed.startswith("lib") else f"a+rX {path}"
    assert finding.cure == f"sudo chmod {what}, then restart Domoticz"


def test_packages_of_an_older_release(plugin):
    (plugin / "requirements.txt").write_text("# newer\n")
    assert check_packages(Machine(None, None, plugin)).failed


def test_packages_that_cannot_be_imported(plugin):
    (plugin / "lib/Crypto").mkdir()
    (plugin / "lib/Crypto/__init__.py").write_text("raise ImportError('wrong ELF class')\n")
    finding = check_packages(Machine(None, None, plugin))
    assert finding.failed
    assert "they cannot be imported in" in finding.text
    assert "CodecMissing" in finding.text


@pytest.mark.parametrize(
    ("loaded", "said"),
    [
        (None, "finds no libpython3.N.so"),
        (LoadedPython(8, Path("/usr/lib/libpython3.8.so"), None), "loads Python 3.8; the plugin needs 3.9"),
        (LoadedPython(12, Path("/usr/lib/libpython3.12.so"), "/no/such/python3.12"), "cannot be started"),
    ],
)
def test_a_python_of_domoticzs_that_cannot_be_used(plugin, tmp_path, monkeypatch, loaded, said):
    monkeypatch.setattr(machine.find_domoticz, "python_of", lambda domoticz: loaded)
    finding = check_packages(Machine(domoticz_of(tmp_path), None, plugin))
    assert finding.failed
    assert said in finding.text


def test_the_log_of_the_domoticz_that_counts_and_of_its_present_run(tmp_path, plugin):
    log = tmp_path / "domoticz.log"
    log.write_text("Status: Breakers: Initialized version 1.0.0, author 'domoticz-tuya-breakers'\n")
    began_s = log.stat().st_mtime

    def word(is_ours=True, began_s=began_s, **options):
        started = Started(tmp_path / "domoticz", options, began_s=began_s)
        return read_log(Machine(Domoticz(started.binary, tmp_path, "test", 1, started, is_ours), None, plugin))

    named = {"-log": str(log)}
    found = word(**named)
    assert found is not None
    assert (found.finding.state, found.hardware) == ("ok", {"Breakers": ("1.0.0", True)})
    assert word(is_ours=False, **named) is None  # another instance's
    assert word(began_s=began_s + 60, **named) is None  # of an earlier run
    assert word() is None  # without -log
    assert word(**{"-log": str(tmp_path / "gone.log")}) is None
    assert read_log(Machine(None, None, plugin)) is None
