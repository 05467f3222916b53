"""The doctor looks at what the plugin reads, wherever that is; where no file is needed, a missing one is no fault."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tuya.cli.doctor.files import check_in_use, look_at_files, plugins_of
from tuya.cli.doctor.life import life_sign
from tuya.cli.doctor.machine import Machine
from tuya.setup.find_domoticz import Domoticz
from tuya.setup.running import Started

BOILER = {"id": "bf0123456789abcdefgh", "name": "Boiler", "key": "0123456789abcdef", "product_id": "jdj6ccklup7btq3a"}
FRIDGE = {**BOILER, "id": "bf9999999999999zzzzz", "name": "Fridge"}
PID = 4711


@pytest.fixture
def machine(tmp_path):
    folder = tmp_path / "plugins/TuyaEnergy"
    folder.mkdir(parents=True)
    started = Started(Path("/opt/domoticz/domoticz"), {}, None, PID)
    domoticz = Domoticz(started.binary, Path("/opt"), "it is running", PID, started, is_ours=True)
    return Machine(domoticz, None, folder)


def write(path, *devices):
    path.write_text(json.dumps(devices))
    path.chmod(0o600)
    return path


def hardware(path, *served, has_own_key=False):
    """What a hardware says of itself that reads this file and serves these."""
    settings = {"devices_file": None if path is None else str(path), "has_own_key": has_own_key}
    told = [{"id": one["id"], "name": one["name"], "connected": True} for one in served]
    return life_sign({"name": "hardware B", "kind": "plugin", "pid": PID, "settings": settings, "served": told})


def looked(machine, *signs, is_named=False):
    """States of the findings, names of the devices, names of the files."""
    findings, entries, files = look_at_files(machine, signs, is_named, needed=True)
    return (
        [finding.state for finding in findings],
        [entry.shown_name for entry in entries],
        [file.name for file in files],
    )


def test_without_a_plugin_the_file_of_the_folder_counts(machine, tmp_path):
    assert looked(machine) == (["failed"], [], [])
    found = Machine(machine.domoticz, write(tmp_path / "devices.json", BOILER), machine.folder)
    assert looked(found) == (["ok"], ["Boiler"], ["devices.json"])


def test_the_file_that_the_plugin_reads_counts(machine, tmp_path):
    mine = write(tmp_path / "mine.json", BOILER)
    assert looked(machine, hardware(mine, BOILER)) == (["ok"], ["Boiler"], ["mine.json"])
    unused = Machine(machine.domoticz, write(tmp_path / "devices.json", FRIDGE), machine.folder)
    assert looked(unused, hardware(mine, BOILER)) == (["ok"], ["Boiler"], ["mine.json"])
    assert looked(unused, hardware(mine, BOILER), is_named=True) == (["ok"], ["Fridge"], ["devices.json"])


def test_a_second_file_that_is_not_read_is_told_with_the_one_that_is(machine, tmp_path):
    other = write(tmp_path / "devices.json", FRIDGE)
    read = write(machine.folder / "devices.json", BOILER)
    for found, signs in ((Machine(machine.domoticz, read, machine.folder), []), (machine, [hardware(read, BOILER)])):
        findings, entries, _ = look_at_files(found, signs, False, needed=True)
        assert [finding.state for finding in findings] == ["ok", "note"]
        assert findings[1].text == f"{other} is not read: {read} is"
        assert [entry.name for entry in entries] == ["Boiler"]


def test_each_hardware_may_have_its_own_file(machine, tmp_path):
    one, two = write(tmp_path / "one.json", BOILER), write(tmp_path / "two.json", FRIDGE, BOILER)
    found = looked(machine, hardware(one, BOILER), hardware(two, FRIDGE), hardware(one))
    assert found == (["ok", "ok"], ["Boiler", "Fridge"], ["one.json", "two.json"])


def test_an_entry_that_is_left_out_is_not_looked_at_and_the_others_are(machine, tmp_path):
    path = write(tmp_path / "mine.json", BOILER, {**FRIDGE, "id": ""})
    findings, entries, _ = look_at_files(machine, [hardware(path, BOILER)], False, needed=True)
    assert [(finding.state, bool(finding.cure)) for finding in findings] == [("unchecked", True), ("ok", False)]
    assert "Fridge: its id is missing" in findings[0].text
    assert [entry.shown_name for entry in entries] == ["Boiler"]
    twice = write(tmp_path / "twice.json", BOILER, BOILER)
    assert looked(machine, hardware(twice, BOILER))[:2] == (["note", "ok"], ["Boiler"])


def test_all_in_the_fields_of_the_hardware_page_needs_no_file(machine):
    findings, entries, files = look_at_files(machine, [hardware(None, BOILER, has_own_key=True)], False, needed=True)
    assert ([finding.state for finding in findings], files) == (["ok"], ())
    assert [(entry.shown_name, entry.local_key) for entry in entries] == [("Boiler", b"")]


def test_what_is_served_from_memory_hides_no_file_that_is_gone(machine, tmp_path):
    assert looked(machine, hardware(None, BOILER)) == (["failed"], [], [])
    kept = write(tmp_path / "kept.json", FRIDGE)
    assert looked(machine, hardware(kept, FRIDGE, BOILER))[1] == ["Fridge"]


def test_whose_word_counts(machine):
    mine, host = hardware(None), life_sign({"kind": "host", "pid": PID})
    other = life_sign({"kind": "plugin", "pid": PID + 1})
    assert plugins_of(machine.domoticz, [host, other, mine]) == [mine]
    assert plugins_of(None, [mine]) == []


@pytest.mark.parametrize(
    ("content", "is_named", "states"),
    [("[]", True, ["note"]), ("[]", False, ["unchecked"]), ("[", True, ["note", "failed"]), (None, True, ["note"])],
)
def test_the_file_that_the_plugin_reads_while_another_one_is_named(tmp_path, content, is_named, states):
    """Whatever is named: a broken one leaves the plugin without a device at its next start."""
    read, named = tmp_path / "read.json", write(tmp_path / "named.json", BOILER)
    if content is not None:
        read.write_text(content)
    else:
        read = named.with_name("link.json")
        read.symlink_to(named)
        states = []
    found = list(check_in_use(hardware(read, BOILER), read, [named], is_named))
    assert [finding.state for finding in found] == states
