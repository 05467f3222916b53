"""Whose word counts beside that of trusted users: of the user that the Domoticz of this plugin runs as."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuya.cli import our_domoticz
from tuya.keys.accounts import Account
from tuya.setup.running import Started

USER = Account(54321, 54321)


@pytest.fixture(name="machine")
def _machine(tmp_path, monkeypatch):
    """A Domoticz of user 54321 with this plugin in its plugins folder, and a devices file that everybody may read."""
    plugin = tmp_path / "plugins" / "TuyaEnergy"
    plugin.mkdir(parents=True)
    file = plugin / "devices.json"
    file.write_text("[]")
    one = Started(Path("/opt/domoticz/domoticz"), {"-userdata": str(tmp_path)}, Path("/"), pid=4711)
    monkeypatch.setattr(our_domoticz, "PLUGIN_FOLDER", plugin)
    monkeypatch.setattr(our_domoticz, "devices_path", lambda _given: file)
    monkeypatch.setattr(our_domoticz, "running", lambda: [one])
    monkeypatch.setattr(our_domoticz, "account_of_process", lambda pid: USER if pid == 4711 else None)
    monkeypatch.setattr(our_domoticz, "_known", {})
    monkeypatch.setattr(Account, "may_read", lambda _account, path: bool(path.stat().st_mode & 0o004))
    return file


def test_the_user_of_our_domoticz(machine):
    machine.chmod(0o644)
    assert our_domoticz.runs_as(USER.uid)
    assert not our_domoticz.runs_as(USER.uid + 1)


def test_who_may_not_read_the_keys_does_not_count(machine):
    machine.chmod(0o600)
    assert not our_domoticz.runs_as(USER.uid)


def test_a_domoticz_with_other_plugins_does_not_count(machine):
    machine.chmod(0o644)
    folder = machine.parent
    folder.rename(folder.parent.parent / "elsewhere")
    assert not our_domoticz.runs_as(USER.uid)


def test_it_is_not_looked_for_at_every_question(machine, monkeypatch):
    machine.chmod(0o644)
    looks = []
    monkeypatch.setattr(our_domoticz, "_look", lambda uid: bool(looks.append(uid)) or uid == USER.uid)
    assert [our_domoticz.runs_as(uid) for uid in (USER.uid, 1, USER.uid, 1)] == [True, False, True, False]
    assert looks == [USER.uid, 1]
