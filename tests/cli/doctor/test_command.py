"""python3 -m tuya doctor as a whole: order, where it stops, JSON, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tuya.__main__ import main
from tuya.cli.doctor import command, machine
from tuya.cli.doctor.findings import Finding
from tuya.cli.doctor.life import life_sign
from tuya.lan.locks.device_lock import OwnerState
from tuya.setup.running import Started
from tuya.simulator import Fleet


@pytest.fixture(autouse=True)
def _no_domoticz(monkeypatch):
    monkeypatch.setattr(machine.find_domoticz, "find", lambda folder: None)
    monkeypatch.setattr(command.find_domoticz, "containers", list)
    monkeypatch.setattr(command, "running", list)
    monkeypatch.setattr(command, "signs_of_life", list)
    monkeypatch.setattr(command, "check_packages", lambda machine: Finding("packages", "ok", "stand-in"))


@pytest.fixture
def devices(tmp_path):
    path = tmp_path / "devices.json"
    with Fleet(product="jdj6ccklup7btq3a", version="3.4", count=2) as fleet:
        entries = fleet.devices()
        entries[0]["name"], entries[1]["name"] = "Boiler", "Fridge"
        path.write_text(json.dumps(entries))
        path.chmod(0o600)
        yield path, entries


def call(path, *words):
    return main(["doctor", *words, "--devices", str(path), "--seconds", "0"])


def lines(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_all_devices_well_and_no_domoticz_is_not_checked(devices, capsys):
    assert call(devices[0]) == 1
    out = capsys.readouterr().out
    assert "  ok  key proof, Boiler: it answers under this key" in out
    assert "  ok  values, Fridge: " in out
    assert "  ??  domoticz: no Domoticz was found on this machine\n      -> look there at Setup > Log" in out
    assert out.endswith("\n  ??  verdict: not checked\n      -> nothing is known to be wrong, but for domoticz\n")
    assert "\x1b" not in out


def test_a_name_that_two_devices_have_means_both(devices, capsys):
    path, entries = devices
    path.write_text(json.dumps([{**entry, "name": "Boiler"} for entry in entries]))
    call(path, "Boiler")
    assert capsys.readouterr().out.count("key proof, Boiler: it answers under this key") == 2
    assert call(path, "Boiler", "--ip", "127.0.0.1") == 2
    assert "2 devices are named" in capsys.readouterr().err


def test_one_wrong_key_does_not_hide_the_other_device(devices, capsys):
    path, entries = devices
    path.write_text(json.dumps([{**entries[0], "key": "0123456789abcdef"}, entries[1]]))
    assert call(path) == 1
    out = capsys.readouterr().out
    assert "FAIL  key proof, Boiler: " in out
    assert "      -> The key changes at each new pairing" in out
    assert "  ok  values, Fridge: " in out
    assert out.endswith("\nFAIL  verdict: not well\n      -> to be mended first: key proof of Boiler\n")
    assert "0123456789abcdef" not in out


def test_json_for_a_report(devices, capsys):
    assert call(devices[0], "Boiler", "--json") == 1
    found = lines(capsys)
    assert {finding["device"] for finding in found} == {"", "Boiler"}
    assert all(set(finding) == {"check", "state", "text", "cure", "device"} for finding in found)
    assert [finding["check"] for finding in found][:2] == ["files", "packages"]
    assert [finding["check"] for finding in found][-2:] == ["domoticz", "verdict"]
    assert (found[-1]["state"], found[-1]["text"]) == ("unchecked", "not checked")


def test_it_stops_at_files(tmp_path, capsys):
    path = tmp_path / "devices.json"
    path.write_text("nonsense")
    assert call(path, "--json") == 1
    assert [(finding["check"], finding["state"]) for finding in lines(capsys)] == [
        ("files", "failed"),
        ("verdict", "failed"),
    ]


def test_it_stops_at_packages(devices, monkeypatch, capsys):
    monkeypatch.setattr(command, "check_packages", lambda machine: Finding("packages", "failed", "missing", "install"))
    assert call(devices[0], "--json") == 1
    assert [finding["check"] for finding in lines(capsys)] == ["files", "packages", "verdict"]


def test_a_device_by_options_alone(devices, capsys, tmp_path):
    entry = devices[1][0]
    path = tmp_path / "none.json"
    path.write_text("[]")
    words = ["--id", entry["id"], "--ip", "127.0.0.1", "--port", str(entry["port"]), f"--key={entry['key']}"]
    assert call(path, *words, "--json") == 0
    told = lines(capsys)
    assert [finding["check"] for finding in told][-3:] == ["values", "plugin", "verdict"]
    assert told[-1]["text"] == "well"


@pytest.mark.parametrize(
    ("key", "settings", "words", "told"),
    [
        ("0123456789abcdef", {}, ("--id", "ID", "--key=KEY"), True),
        ("0123456789abcdef", {}, ("Boiler", "--key=KEY"), True),
        ("", {}, ("--id", "ID", "--key=KEY"), False),  # that of the file, which its owner uses
        ("", {"has_own_key": True}, ("--id", "ID", "--key=KEY"), True),
        ("", {}, ("Boiler",), False),
    ],
)
def test_a_key_that_was_not_tried_is_said_to_be(devices, capsys, monkeypatch, key, settings, words, told):
    path, entries = devices
    state = OwnerState("hardware Breakers", True, "127.0.0.1", "3.4", "", "", 0.4)
    monkeypatch.setattr(command, "ask", lambda device_id: state)
    monkeypatch.setattr(command, "owner_of", lambda device_id: {"settings": settings})
    known = {"ID": entries[0]["id"], "KEY": key or entries[0]["key"]}
    words = [word.replace("ID", known["ID"]).replace("KEY", known["KEY"]) for word in words]
    assert call(path, *words, "--json") == 1
    found = [finding for finding in lines(capsys) if finding["check"] == "given key"]
    assert [(finding["state"], finding["device"]) for finding in found] == [("unchecked", "Boiler")] * told


@pytest.mark.parametrize(("key", "told"), [("0123456789abcdef", True), ("", False)])
def test_keys_of_a_named_file_are_not_those_that_the_plugin_uses(devices, capsys, monkeypatch, tmp_path, key, told):
    """Well is said of the plugin's file only, where another one is named."""
    path, entries = devices
    other = tmp_path / "other.json"
    other.write_text(json.dumps([{**entries[0], "key": key or entries[0]["key"]}]))
    other.chmod(0o600)
    sign = life_sign({"kind": "plugin", "settings": {"devices_file": str(path)}})
    monkeypatch.setattr(command, "plugins_of", lambda *_: [sign])
    monkeypatch.setattr(
        command, "ask", lambda device_id: OwnerState("hardware B", True, "127.0.0.1", "3.4", "", "", 0.4)
    )
    monkeypatch.setattr(command, "owner_of", lambda device_id: {"settings": {}})
    assert call(other, "--json") == 1
    assert ["given key" in finding["check"] for finding in lines(capsys)].count(True) == told


def test_a_password_file_without_an_end_is_wrong_use(devices, capsys):
    assert call(devices[0], "--domoticz", "http://127.0.0.1:1", "--password-file", "/dev/zero") == 2
    assert "/dev/zero: a password has no more than 65535 bytes" in capsys.readouterr().err


def test_an_unknown_name_is_wrong_use(devices, capsys):
    assert call(devices[0], "Kettle") == 2
    assert "there is no device 'Kettle'" in capsys.readouterr().err


@pytest.mark.parametrize("where", ["name", "wish", "file", "device", "password"])
def test_a_key_that_was_pasted_somewhere_is_not_shown(devices, capsys, where):
    path, entries = devices
    key = entries[0]["key"]
    words = [str(path)]
    if where == "name":
        path.write_text(json.dumps([{**entries[0], "name": key}]))
    elif where == "wish":
        path.write_text(json.dumps([{**entries[0], "domoticz": {"layout": key, "name": f"x {key}"}}]))
    elif where == "file":
        words = ["k3y-Of_A,breaker"]
    elif where == "device":
        words += ["--", key]
    else:
        words += ["--domoticz", "http://127.0.0.1:1", "--password-file", "k3y-Of_A,breaker"]
    main(["doctor", "--seconds", "0", "--devices", *words])
    captured = capsys.readouterr()
    assert "(a local key, not shown)" in captured.out + captured.err
    for one in (key, "k3y-Of_A,breaker"):
        assert one not in captured.out + captured.err


def test_what_announces_itself_and_is_in_no_entry_is_told():
    heard = {"bf0123456789abcdefgh": ("192.168.1.20", "3.4"), "bf9999999999999zzzzz": ("192.168.1.21", "3.5")}
    (note,) = command.strangers(heard, {"bf0123456789abcdefgh"})
    assert (note.state, note.text[-27:]) == ("note", " bf99..zzzz at 192.168.1.21")
    assert "bash install.sh keys" in note.cure
    assert list(command.strangers(heard, set(heard))) == []
    many = {f"bf{number:018d}": ("192.168.1.3", "3.4") for number in range(9)}
    assert next(command.strangers(many, ())).text.endswith(" and 4 more")


def test_a_plugin_that_says_in_which_process_it_runs_is_believed(tmp_path, monkeypatch):
    """Whatever the program of its Domoticz is called; Python is none."""
    sign = life_sign({"kind": "plugin", "pid": 4711, "folder": str(tmp_path)})
    for binary, is_found in ((Path("/srv/dz"), True), (Path("/usr/bin/python3.11"), False)):
        monkeypatch.setattr(machine, "of_process", lambda pid, binary=binary: Started(binary, {}, None, pid))
        found = machine.by_its_word(machine.Machine(None, None, tmp_path), [sign]).domoticz
        assert (found is not None) == is_found
        assert found is None or (found.pid, found.is_ours) == (4711, True)
