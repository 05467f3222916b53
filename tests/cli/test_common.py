"""Naming devices on the command line: by name, id or options; where the file and the key come from."""

from __future__ import annotations

import argparse
import json

import pytest

from tuya.cli import common
from tuya.cli.common import UsageError, add_device_arguments, chosen_devices, print_json

ID = "bf0123456789abcdefgh"
KEY = "a'b\"c&d<e>$`\\{}1"
BOILER = {"id": ID, "name": "Boiler", "key": KEY, "ip": "192.168.1.5", "version": "3.4"}
FRIDGE = {"id": "bf99999999999999zzzz", "name": "Fridge", "key": "0" * 16, "domoticz": {"name": "Cold"}}
CHILD = {"id": "bfchild0000000000000", "name": "Child", "key": "1" * 16, "node_id": "ab"}
UNUSED = {"id": "bfunused000000000000", "name": "Lamp", "key": "2" * 16, "domoticz": {"use": False}}


@pytest.fixture
def devices_file(tmp_path):
    path = tmp_path / "my devices.json"
    path.write_text(json.dumps([BOILER, FRIDGE, CHILD, UNUSED]))
    return path


@pytest.fixture
def choose(devices_file, monkeypatch):
    monkeypatch.delenv(common.KEY_VARIABLE, raising=False)

    def run(*words):
        parser = argparse.ArgumentParser()
        add_device_arguments(parser)
        return chosen_devices(parser.parse_args([*words, "--devices", str(devices_file)]))

    return run


@pytest.mark.parametrize("wanted", ["Boiler", "boiler", "BOILER", ID])
def test_by_name_or_id(choose, wanted):
    (device,) = choose(wanted)
    assert (device.device_id, device.local_key, device.address) == (ID, KEY.encode(), "192.168.1.5")


@pytest.mark.parametrize("wanted", ["Fridge", "Cold", "cold"])
def test_by_the_users_own_name_as_well(choose, wanted):
    assert choose(wanted)[0].device_id == FRIDGE["id"]


def test_without_a_name_all_that_may_be_connected(choose):
    assert [device.name for device in choose()] == ["Boiler", "Fridge"]


def test_options_win_over_the_file(choose):
    (device,) = choose("Boiler", "--ip", "10.0.0.9", "--port", "7", "--version", "3.5", "--key=fedcba9876543210")
    assert (device.address, device.port, device.version) == ("10.0.0.9", 7, "3.5")
    assert device.local_key == b"fedcba9876543210"


def test_a_device_that_is_in_no_file(choose):
    (device,) = choose("--id", "bfnowhere00000000000", "--ip", "10.0.0.9", "--key=fedcba9876543210")
    assert (device.device_id, device.port) == ("bfnowhere00000000000", 6668)


def test_the_key_from_the_environment(choose, monkeypatch):
    monkeypatch.setenv(common.KEY_VARIABLE, "fedcba9876543210")
    assert choose("Boiler")[0].local_key == b"fedcba9876543210"
    assert choose()[0].local_key == KEY.encode()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["Kettle"], "no device 'Kettle'.*'Boiler', 'Cold', 'Child', 'Lamp'"),
        (["--id", "bfnowhere00000000000"], "no local key"),
        (["--id", "not an id", "--key=fedcba9876543210"], "no Tuya device id"),
        (["--ip", "10.0.0.9"], "name it, or give its --id"),
        (["Boiler", "--key=short"], "5 characters instead of 16"),
    ],
)
def test_wrong_use(choose, words, why):
    with pytest.raises(UsageError, match=why):
        choose(*words)


def test_two_of_one_name(tmp_path):
    path = tmp_path / "devices.json"
    path.write_text(json.dumps([BOILER, {**FRIDGE, "name": "Boiler"}]))
    parser = argparse.ArgumentParser()
    add_device_arguments(parser)
    with pytest.raises(UsageError, match="2 devices are named 'Boiler'"):
        chosen_devices(parser.parse_args(["Boiler", "--devices", str(path)]))


@pytest.mark.parametrize("port", ["0", "65536", "x"])
def test_ports(choose, port):
    with pytest.raises(SystemExit):
        choose("Boiler", "--port", port)


def test_the_file_of_the_plugin_folder_then_of_domoticzs_data(tmp_path, monkeypatch):
    plugin = tmp_path / "userdata/plugins/tuya"
    plugin.mkdir(parents=True)
    monkeypatch.setattr(common, "PLUGIN_FOLDER", plugin)
    assert common.devices_path(None) is None
    (tmp_path / "userdata/devices.json").write_text("[]")
    assert common.devices_path(None) == tmp_path / "userdata/devices.json"
    (plugin / "devices.json").write_text("[]")
    assert common.devices_path(None) == plugin / "devices.json"
    assert common.devices_path(tmp_path / "other.json") == tmp_path / "other.json"


def test_no_file_at_all(tmp_path, monkeypatch):
    monkeypatch.setattr(common, "PLUGIN_FOLDER", tmp_path)
    parser = argparse.ArgumentParser()
    add_device_arguments(parser)
    with pytest.raises(UsageError, match=r"bash install\.sh keys"):
        chosen_devices(parser.parse_args([]))


def test_name_in_another_encoding_than_the_locale_s(choose, devices_file):
    """As Python reads a command line in UTF-8 where the locale has ASCII."""
    devices_file.write_text(json.dumps([{**BOILER, "name": "Şalter"}]), encoding="utf-8")
    for typed in ("Şalter", "şalter", "Şalter".encode().decode("ascii", "surrogateescape")):
        assert [entry.device_id for entry in choose(typed)] == [ID]
    with pytest.raises(UsageError, match="no device"):
        choose(b"\xde".decode("ascii", "surrogateescape"))


def test_lines_of_several_threads_stay_whole(monkeypatch):
    writes = []
    monkeypatch.setattr(common.sys, "stderr", argparse.Namespace(write=writes.append, flush=lambda: None))
    common.print_message("one line")
    assert writes == ["one line\n"], "its end in a write of its own lets another line come between"


def test_json_is_one_line_of_ascii(capsys):
    print_json({"name": "Küche\n☂", "value": [1.5, None]})
    out = capsys.readouterr().out
    assert out == '{"name": "K\\u00fcche\\n\\u2602", "value": [1.5, null]}\n'
