"""devices.json as users have it: tinytuya's file, older spellings, typing errors with their lines."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tuya.devices.devices_file import (
    DevicesFileError,
    clean_text,
    key_bytes,
    key_problem,
    local_address,
    parse_devices,
    read_devices,
)
from tuya.devices.file_bytes import is_there
from tuya.lan.device import short_id

KEY = "k3y-Of_A,breaker"
ENTRY: Dict[str, Any] = {
    "name": "Kitchen",
    "id": "bf0123456789abcdefghij",
    "key": KEY,
    "mac": "aa:bb:cc:dd:ee:ff",
    "category": "dlq",
    "product_id": "jdj6ccklup7btq3a",
    "sub": False,
    "version": "3.4",
    "ip": "192.168.1.20",
    "mapping": {"1": {"code": "switch_1", "type": "Boolean", "values": {}}},
}


def one(**changes: Any):
    file = parse_devices(json.dumps([{**ENTRY, **changes}]))
    assert len(file.entries) == 1
    return file.entries[0], file.problems


def test_an_entry_of_the_wizard():
    entry, problems = one()
    assert problems == ()
    assert (entry.device_id, entry.local_key, entry.name) == ("bf0123456789abcdefghij", KEY.encode(), "Kitchen")
    assert (entry.address, entry.port, entry.version) == ("192.168.1.20", 6668, "3.4")
    assert (entry.product_id, entry.category, entry.is_sub_device) == ("jdj6ccklup7btq3a", "dlq", False)
    assert entry.mapping["1"]["code"] == "switch_1"
    assert entry.raw["mac"] == "aa:bb:cc:dd:ee:ff"
    assert entry.shown_name == "Kitchen"


@pytest.mark.parametrize("wrapped", [False, True])
def test_lines_of_entries_and_wishes(wrapped: bool):
    text = json.dumps([ENTRY, {**ENTRY, "id": "bf02", "domoticz": {"use": True, "hide": 2}}], indent=1)
    if wrapped:
        text = '{"timestamp": 1, "devices":\n' + text + "\n}"
    file = parse_devices(text)
    lines = text.split("\n")
    begin = [number for number, line in enumerate(lines, 1) if line == " {"]
    assert [entry.line for entry in file.entries] == begin
    hide_line = next(number for number, line in enumerate(lines, 1) if '"hide"' in line)
    assert len(file.problems) == 1
    assert file.problems[0].startswith(f'line {hide_line}: Kitchen: "hide" in "domoticz" is not used: ')
    assert file.entries[1].wishes.use is True
    assert file.entries[1].wishes.lines == {"use": hide_line - 1, "hide": hide_line}


@pytest.mark.parametrize(
    ("text", "line"),
    [("[\n{\n]", 3), ("", 1), ("{}", 1), ('{"devices": {}}', 1), ("7", 1), ('["a"\n "b"]', 2), ("[" * 100000, 0)],
)
def test_broken_files_name_the_line(text: str, line: int):
    with pytest.raises(DevicesFileError) as caught:
        parse_devices(text)
    assert caught.value.line == line


def test_read_names_the_file(tmp_path: Path):
    path = tmp_path / "devices.json"
    with pytest.raises(DevicesFileError, match="cannot be read: No such file"):
        read_devices(path)
    path.write_text("[\n\n{]")
    with pytest.raises(DevicesFileError) as caught:
        read_devices(path)
    assert str(caught.value).startswith(f"{path}:3: ")
    path.write_bytes(b'[\n{"name": "\xff"}]')
    with pytest.raises(DevicesFileError) as caught:
        read_devices(path)
    assert (caught.value.line, str(path) in str(caught.value)) == (2, True)
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps([ENTRY]).encode())
    assert read_devices(path).entries[0].device_id == ENTRY["id"]


@pytest.mark.parametrize(
    ("given_value", "expected"),
    [
        ("3.3", "3.3"),
        (3.5, "3.5"),
        ("", None),
        (None, None),
        ("default", None),
        ("2.0", None),
        ([], None),
        (True, None),
    ],
)
def test_version(given_value: object, expected: object):
    assert one(version=given_value)[0].version == expected


@pytest.mark.parametrize(
    ("given_value", "expected"),
    [
        ("192.168.1.20", "192.168.1.20"),
        ("127.0.0.1", "127.0.0.1"),
        ("10.0.0.7 ", "10.0.0.7"),
        ("100.64.3.2", "100.64.3.2"),
        ("85.10.20.30", None),  # what the cloud knows: the public address of the house
        ("255.255.255.255", None),
        ("0.0.0.0", None),  # noqa: S104
        ("224.0.0.1", None),
        ("breaker.local", None),
        ("", None),
        (None, None),
        (7, None),
    ],
)
def test_address(given_value: object, expected: object):
    assert local_address(given_value) == expected
    assert one(ip=given_value, last_ip=None)[0].address == expected


def test_last_ip_is_the_second_guess():
    assert one(ip="85.10.20.30", last_ip="192.168.1.9")[0].address == "192.168.1.9"
    assert one(ip="", last_ip="192.168.1.9")[0].address == "192.168.1.9"


@pytest.mark.parametrize(
    ("port", "expected", "complaints"),
    [
        (None, 6668, 0),
        ("", 6668, 0),
        (7001, 7001, 0),
        ("7001", 7001, 0),
        (0, 6668, 1),
        (70000, 6668, 1),
        ("x", 6668, 1),
    ],
)
def test_port(port: object, expected: int, complaints: int):
    entry, problems = one(port=port)
    assert (entry.port, len(problems)) == (expected, complaints)


@pytest.mark.parametrize(
    ("text", "expected", "is_usable"),
    [
        (KEY, KEY.encode(), True),
        ("a&b<c>d\"e'f|g$hi", b"a&b<c>d\"e'f|g$hi", True),
        ("a&amp;b&lt;cdefghijklm", b"a&amp;b&lt;cdefghijklm", False),
        ("a&amp;b&lt;cdefghijklmn", b"a&b<cdefghijklmn", True),
        ("\u00a7123456789abcdef", b"\xa7123456789abcdef", True),
        ("", b"", False),
        ("short", b"short", False),
    ],
)
def test_keys(text: str, expected: bytes, is_usable: bool):
    assert key_bytes(text) == expected
    problem = key_problem(expected)
    assert (problem is None) is is_usable
    assert not problem or not text or text not in problem


def test_no_key_in_a_repr():
    entry, _ = one(domoticz={"use": 1, "hide": "x"})
    assert KEY not in repr(entry)
    assert KEY not in repr(parse_devices(json.dumps([ENTRY])))


@pytest.mark.parametrize("kind", ["pipe", "folder", "socket", "/dev/zero", "/dev/tty"])
def test_what_is_no_file_never_hangs(tmp_path: Path, kind: str):
    path = Path(kind) if kind.startswith("/") else tmp_path / kind
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
    with pytest.raises(DevicesFileError, match="this is no file"):
        read_devices(path)


@pytest.mark.parametrize("name", ["x" * 5000, "a/" * 3000 + "b", "nul\0", "\udcff/" * 2])
def test_names_that_cannot_be_are_typed_errors(tmp_path: Path, name: str):
    path = tmp_path / name
    if is_there(path):
        with pytest.raises(DevicesFileError, match="it cannot be read") as caught:
            read_devices(path)
        assert len(str(caught.value)) < 500


def test_a_link_to_itself_is_there_and_cannot_be_read(tmp_path: Path):
    path = tmp_path / "loop"
    path.symlink_to(path)
    assert is_there(path)
    with pytest.raises(DevicesFileError, match="it cannot be read"):
        read_devices(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone can become another user")
def test_no_right_to_read_is_told_with_the_cure():
    folder = Path(tempfile.mkdtemp(prefix="no right-"))
    path = folder / "devices.json"
    path.write_text("[]")
    path.chmod(0o600)
    code = (
        "import os, sys; from pathlib import Path; from tuya.devices.devices_file import read_devices\n"
        "os.setuid(65534)\n"
        "try: read_devices(Path(sys.argv[1]))\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    try:
        for mode in (0o755, 0o700):  # the file, then its folder
            folder.chmod(mode)
            done = subprocess.run(
                [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True, timeout=60
            )
            assert done.stdout.startswith(f"DevicesFileError {path}: it cannot be read: Permission denied. ")
            cure = f"sudo chown nobody '{path}'" if mode == 0o755 else f"let nobody enter its folder, {folder}"
            assert cure in done.stdout
    finally:
        shutil.rmtree(folder)


def test_a_second_entry_of_an_id_with_another_key_is_told():
    text = json.dumps([ENTRY, {**ENTRY, "key": "another key 0123"}])
    assert (
        "stands already in line 1, with another local key; the first entry is used" in parse_devices(text).problems[0]
    )


def test_entries_that_cannot_be_used():
    text = json.dumps(["x", {"name": "No id"}, {**ENTRY, "id": 'quo"te'}, ENTRY, {**ENTRY, "name": "Again"}], indent=0)
    file = parse_devices(text)
    assert [entry.name for entry in file.entries] == ["Kitchen"]
    assert len(file.problems) == 4
    assert file.problems[1] == "line 3: No id: its id is missing or is no Tuya device id"
    assert file.problems[3].endswith(
        f"Again: its id stands already in line {file.entries[0].line}; the first entry is used"
    )


@pytest.mark.parametrize(
    ("wishes", "attribute", "expected"),
    [
        ({"name": "Cooker\n1"}, "name", "Cooker 1"),
        ({"use": False}, "use", False),
        ({"switch": "refused"}, "switch", "refused"),
        ({"hide": [3, 4]}, "hide", frozenset({3, 4})),
        ({"restore": True}, "restore", True),
    ],
)
def test_wishes(wishes: Dict[str, Any], attribute: str, expected: object):
    entry, problems = one(domoticz=wishes)
    assert problems == ()
    assert getattr(entry.wishes, attribute) == expected


@pytest.mark.parametrize(
    "wishes",
    [
        {"name": 7},
        {"name": " "},
        {"hide": 3},
        {"hide": [0]},
        {"hide": [256]},
        {"hide": [True]},
        {"restore": 1},
        {"colour": "red"},
    ],
)
def test_wrong_wishes_are_refused_with_a_line(wishes: Any):
    entry, problems = one(domoticz=wishes)
    assert len(problems) == 1
    assert problems[0].startswith("line 1: Kitchen: ")
    assert replace(entry.wishes, lines={}) == one()[0].wishes


@pytest.mark.parametrize(
    "wishes",
    [
        {"switch": "refuse"},
        {"switch": "off"},
        {"switch": ["allowed"]},
        {"switch": None},
        {"Switch": "refused"},
        {"swich": "refused"},
        {"switching": "refused", "switch": "allowed"},
        {"readonly": True},
        {"use": "false"},
        {"domoticz": {"switch": "refused"}},
        {"switching off": {"is": "refused"}},
        [],
        "x",
    ],
)
def test_a_wish_to_refuse_that_is_not_understood_refuses(wishes: Any):
    entry, problems = one(domoticz=wishes)
    assert entry.wishes.switch == "refused"
    assert len(problems) == 1
    assert problems[0].startswith("line 1: Kitchen: ")
    assert problems[0].endswith("until that is corrected, switching is refused for it")


@pytest.mark.parametrize(
    "changes",
    [
        {"switch": "refused"},
        {"Switch": "refused"},
        {"use": False},
        {"Domoticz": {"switch": "refused"}},
        {"domotics": {"switch": "refused"}},
        {"domoticz ": {"Swich": "refused"}},
        {"domo": [{"switch": "refused"}]},
        {"Domoticz": "refused"},
        {"domotics": "refuse"},
    ],
)
def test_a_wish_to_refuse_in_the_wrong_place_refuses(changes: Any):
    for wishes in ({}, {"domoticz": {"name": "Cooker", "switch": "allowed"}}):
        entry, problems = one(**{**wishes, **changes})
        assert entry.wishes.switch == "refused"
        assert [problem.startswith("line 1: Kitchen: ") for problem in problems] == [True]
        assert problems[0].endswith("until that is corrected, switching is refused for it")


@pytest.mark.parametrize(
    "changes",
    [{"hide": [3]}, {"Invert": ["power"]}, {"layout": "block21"}, {"Domoticz": {"name": "x"}}],
)
def test_another_wish_in_the_wrong_place_is_told(changes: Any):
    entry, problems = one(**changes)
    assert entry.wishes.switch is None
    assert len(problems) == 1
    assert "is not read" in problems[0]


@pytest.mark.parametrize(
    "changes",
    ['"domoticz": {"switch": "refused"}, "domoticz": {"name": "x"}', '"domoticz": {"switch": "refused", "switch": ""}'],
)
def test_of_two_values_that_contradict_the_safe_one_counts(changes: str):
    file = parse_devices(f'[{{"id": "{ENTRY["id"]}", "key": "{KEY}", {changes}}}]')
    assert file.entries[0].wishes.switch == "refused"
    assert "given twice" in file.problems[0]


def test_a_refusal_in_the_second_entry_of_an_id_counts():
    file = parse_devices(json.dumps([ENTRY, {**ENTRY, "domoticz": {"switch": "refused"}}]))
    assert [entry.wishes.switch for entry in file.entries] == ["refused"]
    assert file.problems[0].endswith("until that is corrected, switching is refused for it")


@pytest.mark.parametrize(
    "around", [{"domoticz": {"switch": "refused"}}, {"switch": "refused"}, {"domoticz": "refused"}]
)
def test_a_refusal_beside_the_list_counts_for_every_device(around: Dict[str, Any]):
    file = parse_devices(json.dumps({**around, "devices": [ENTRY, {**ENTRY, "id": "bf0000000000000000000b"}]}))
    assert [entry.wishes.switch for entry in file.entries] == ["refused", "refused"]
    assert len(file.problems) == 1


def test_what_wizards_write_is_no_misplaced_wish():
    more = {
        **dict.fromkeys(["uuid", "sn", "icon", "last_ip", "parent", "ver", "biz_type"], "x"),
        "product_name": "Smart switch",
        "model": "refused",
        "port": 6668,
        "node_id": "",
        "dps": {"devId": "x", "dps": {"1": True}},
        "status": [{"code": "switch", "value": True}],
        "mapping": {"1": {"code": "switch", "values": {"scale": 1}}},
        "functions": [{"code": "switch", "values": {"scale": 1}}],
        "domoticz_idx": 12,
    }
    assert one(**more)[1] == ()
    assert parse_devices(json.dumps({"timestamp": 1.5, "devices": [ENTRY]})).problems == ()


def test_names_are_cleaned_and_ids_shortened():
    assert one(name="a\r\nb\x1b[31m")[0].name == "a b [31m"
    assert one(name=7)[0].shown_name == "bf01..ghij"
    assert short_id("bf012345") == "bf012345"
    assert clean_text("x\ud800y") == "x?y"


json_scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)
json_values = (
    json_scalars | st.lists(json_scalars, max_size=3) | st.dictionaries(st.text(max_size=5), json_scalars, max_size=3)
)
FIELDS = [*sorted(ENTRY), "domoticz", "node_id", "port"]


@given(st.dictionaries(st.sampled_from(FIELDS), json_values, max_size=4), st.booleans())
@settings(max_examples=examples(50), suppress_health_check=[HealthCheck.too_slow])  # first: unicode tables
def test_any_entry_ends_in_an_entry_or_a_complaint(changes: Dict[str, Any], wrapped: bool):
    entries = [{**ENTRY, **changes}, changes]
    file = parse_devices(json.dumps({"devices": entries} if wrapped else entries))
    assert len(file.entries) + len(file.problems) >= 1


@given(st.text(max_size=50))
@settings(max_examples=examples(50))
def test_any_text_is_refused_or_read(text: str):
    with contextlib.suppress(DevicesFileError):
        parse_devices(text)
