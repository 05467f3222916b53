"""The Hardware page and devices.json together: defaults, refusals with their cure, and who is served."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List

import pytest

from tests.domoticz.fakes import KEY, SY1
from tuya.devices.devices_file import DevicesFileError
from tuya.domoticz.settings import SettingsError, choose, devices_path, read_settings

METER = {"name": "Oven", "id": "bf00000000000000000001", "key": KEY, "product_id": SY1, "version": "3.3"}


def page(tmp_path: Path, **fields: str) -> Dict[str, Any]:
    (tmp_path / "plugin").mkdir(exist_ok=True)
    (tmp_path / "data").mkdir(exist_ok=True)
    return {
        "HomeFolder": f"{tmp_path}/plugin/",
        "UserDataFolder": f"{tmp_path}/data/",
        "Name": "Breakers",
        "HardwareID": 3,
        **fields,
    }


def write(tmp_path: Path, entries: List[Any], folder: str = "plugin", name: str = "devices.json") -> Path:
    path = tmp_path / folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(entries, indent=1), encoding="utf-8")
    return path


def chosen(tmp_path: Path, entries: List[Any], **fields: str):
    settings = read_settings(page(tmp_path, **fields))
    write(tmp_path, entries)
    return choose(settings, devices_path(settings))


@pytest.mark.parametrize("empty", ["", "unknown", "0"])
def test_empty_and_unknown_values_are_the_defaults(tmp_path: Path, empty: str):
    settings = read_settings(page(tmp_path, Mode2=empty, Mode3=empty, Mode4=empty, Mode5=empty, Mode6=empty))
    # what protects fails closed: a value that is not understood refuses, and that is said
    assert settings.rules.terms.may_switch is (empty == "")
    said = [remark.partition(":")[0] for remark in settings.remarks if "is not understood" in remark]
    assert said == ([] if empty == "" else ["Switching", "Protocol", "Devices shown", "Update interval", "Log"])
    assert (settings.rules.show_all, settings.rules.terms.interval_s) == (False, 5.0)
    assert (settings.version, settings.debug, settings.device_id, settings.address) == (None, False, "", None)


@pytest.mark.parametrize("interval", ["5", "2", "10", "30", "60"])
def test_chosen_values(tmp_path: Path, interval: str):
    settings = read_settings(page(tmp_path, Mode2="refused", Mode4="all", Mode5=interval, Mode6="debug"))
    assert (settings.rules.terms.may_switch, settings.rules.show_all) == (False, True)
    assert (settings.rules.terms.interval_s, settings.debug) == (float(interval), True)


@pytest.mark.parametrize(
    ("fields", "label"),
    [
        ({"Address": "breaker.local"}, "IP address"),
        ({"Address": "300.1.1.1"}, "IP address"),
        ({"Username": 'quo"te'}, "Device ID"),
        ({"Username": "x" * 26}, "Device ID"),
        ({"Username": METER["id"], "Password": "too-short"}, "Local key"),
    ],
)
def test_wrong_fields_are_named(tmp_path: Path, fields: Dict[str, str], label: str):
    with pytest.raises(SettingsError) as caught:
        read_settings(page(tmp_path, **fields))
    assert str(caught.value).startswith(f"{label}: ")
    assert "too-short" not in str(caught.value)


def test_fields_of_one_device_without_its_id_are_not_used(tmp_path: Path):
    settings = read_settings(page(tmp_path, Address="192.168.1.5", Password=KEY, Mode3="3.4"))
    assert (settings.address, settings.local_key, settings.version) == (None, b"", None)
    assert len(settings.remarks) == 1
    assert KEY not in repr(settings)


def test_where_the_devices_file_is(tmp_path: Path):
    settings = read_settings(page(tmp_path))
    assert devices_path(settings) is None
    in_data = write(tmp_path, [], "data")
    assert devices_path(settings) == in_data
    in_plugin = write(tmp_path, [], "plugin")
    assert devices_path(settings) == in_plugin
    other = write(tmp_path, [], "data", "other.json")
    assert devices_path(read_settings(page(tmp_path, Mode1="other.json"))) == other
    assert devices_path(read_settings(page(tmp_path, Mode1=str(other)))) == other


def test_no_devices_file(tmp_path: Path):
    settings = read_settings(page(tmp_path))
    with pytest.raises(SettingsError, match=r"there is no .*plugin/devices.json or .*data/devices.json yet. Run"):
        choose(settings, devices_path(settings))


def test_every_metering_device_of_the_file(tmp_path: Path):
    mapping = {"19": {"code": "cur_power", "type": "Integer", "values": {"unit": "W", "scale": 1}}}
    entries = [
        METER,
        {**METER, "id": "bf02", "name": "By codes", "product_id": "", "mapping": mapping},
        {**METER, "id": "bf03", "name": "Lamp", "product_id": "lamp"},
        {**METER, "id": "bf04", "name": "Wanted", "product_id": "other", "domoticz": {"use": True}},
        {**METER, "id": "bf05", "name": "Not wanted", "domoticz": {"use": False}},
        {**METER, "id": "bf06", "name": "Zigbee", "node_id": "1234"},
        {**METER, "id": "bf07", "name": "No key", "key": ""},
        {**METER, "id": "bf08", "name": "Odd wish", "domoticz": {"scale": {"amps": 2}}},
    ]
    choice = chosen(tmp_path, entries)
    assert [entry.name for entry in choice.entries] == ["Oven", "By codes", "Wanted", "Odd wish"]
    assert len(choice.problems) == 2
    assert "No key: it has no local key" in choice.problems[0]
    line = (tmp_path / "plugin" / "devices.json").read_text().split("\n").index('   "scale": {') + 1
    assert choice.problems[1].startswith(f'devices.json: line {line}: Odd wish: "scale": ')
    assert len(choice.remarks) == 1
    assert "4 served; not served: 1 not known to measure" in choice.remarks[0]


def test_an_ordinary_file_is_no_news(tmp_path: Path):
    choice = chosen(tmp_path, [METER])
    assert (choice.problems, choice.remarks) == ((), ())


def test_one_device_the_page_wins_over_the_file(tmp_path: Path):
    other = {**METER, "id": "bf02", "key": ""}
    fields = {"Username": METER["id"], "Address": "10.0.0.9", "Mode3": "3.5", "Password": "another-key_16ch"}
    choice = chosen(tmp_path, [METER, other], **fields)
    (entry,) = choice.entries
    assert (entry.name, entry.address, entry.version, entry.version_fixed) == ("Oven", "10.0.0.9", "3.5", True)
    assert entry.local_key == b"another-key_16ch"
    assert choice.problems == ()
    (entry,) = chosen(tmp_path, [METER, other], Username=METER["id"]).entries
    assert (entry.version, entry.version_fixed, entry.local_key) == ("3.3", False, KEY.encode())


@pytest.mark.parametrize("file", ["none", "without it", "broken"])
def test_one_device_works_without_the_file(tmp_path: Path, file: str):
    settings = read_settings(page(tmp_path, Username="bf09", Password=KEY, Address="10.0.0.9"))
    if file != "none":
        write(tmp_path, [METER])
    if file == "broken":
        (tmp_path / "plugin" / "devices.json").write_text("[\n{")
    choice = choose(settings, devices_path(settings))
    (entry,) = choice.entries
    assert (entry.device_id, entry.address, entry.shown_name) == ("bf09", "10.0.0.9", "Breakers")
    assert len(choice.problems) == (1 if file == "broken" else 0)


def test_one_device_that_is_nowhere(tmp_path: Path):
    with pytest.raises(SettingsError, match=r"Device ID: bf00..0009 is not found in"):
        chosen(tmp_path, [METER], Username="bf00000000000000000009")
    with pytest.raises(SettingsError, match="Oven: it has no local key"):
        chosen(tmp_path, [{**METER, "key": ""}], Username=METER["id"])


def test_a_broken_file(tmp_path: Path):
    settings = read_settings(page(tmp_path))
    (tmp_path / "plugin" / "devices.json").write_text("[\n\n{]")
    with pytest.raises(DevicesFileError, match=r"devices.json:3: "):
        choose(settings, devices_path(settings))
