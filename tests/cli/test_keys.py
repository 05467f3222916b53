"""python3 -m tuya keys: from exports and the cloud into devices.json; nothing lost, no key shown."""

from __future__ import annotations

import io
import json
import os
import stat
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.keys.cloud_stand_in import ACCESS_ID, SECRET, Cloud
from tuya.__main__ import main
from tuya.cli import keys
from tuya.keys import cloud as maker_cloud

REPOSITORY = Path(__file__).resolve().parents[2]
ID = "bf0123456789abcdefgh"
KEY = "a'b\"c&d<e>$`\\{}1"
NEW_KEY = "fedcba9876543210"
EXPORT = [{"id": ID, "key": NEW_KEY, "name": "Boiler", "version": "3.4"}]


@pytest.fixture(autouse=True)
def _own_world(monkeypatch, tmp_path):
    """No terminal, no settings of tinytuya, no Domoticz of this machine."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(keys, "PLUGIN_FOLDER", tmp_path)
    monkeypatch.setattr(keys.find_domoticz, "find", lambda folder: None)
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    monkeypatch.delenv(keys.SECRET_VARIABLE, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


@pytest.fixture
def target(tmp_path):
    return tmp_path / "target.json"


@pytest.fixture
def export(tmp_path):
    path = tmp_path / "export.json"
    path.write_text(json.dumps(EXPORT))
    return path


def call(*words):
    return main(["keys", *map(str, words)])


def test_a_first_import(target, export, capsys):
    assert call(export, "--devices", target) == 0
    assert json.loads(target.read_text()) == EXPORT
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    captured = capsys.readouterr()
    assert captured.out == "Boiler (bf01..efgh): added\n"
    assert f"{target} is written. A running plugin notices by itself" in captured.err


def test_what_nothing_is_known_of_is_named_as_not_served(target, tmp_path, capsys):
    """An id and a key are all that some sources have: the plugin then waits for a word of the user."""
    export = tmp_path / "export.json"
    breaker = {"id": "bf02abcdefgh", "key": KEY, "name": "Oven", "product_id": "jdj6ccklup7btq3a", "category": "dlq"}
    lamp = {"id": "bf03abcdefgh", "key": KEY, "name": "Lamp", "category": "dj"}
    export.write_text(json.dumps([*EXPORT, breaker, lamp]))
    assert call(export, "--devices", target) == 0
    (told,) = [line for line in capsys.readouterr().err.splitlines() if "not served" in line]
    assert "measure: Boiler. " in told
    assert '"use": true' in told
    export.write_text(json.dumps([breaker, lamp]))
    target.unlink()
    assert call(export, "--devices", target) == 0
    assert "not served" not in capsys.readouterr().err


def test_a_changed_key(target, export, capsys):
    target.write_text(
        json.dumps([{"id": ID, "key": KEY, "name": "Boiler", "domoticz": {"invert": ["power"]}, "own": 1}])
    )
    assert call(export, "--devices", target) == 0
    assert json.loads(target.read_text()) == [
        {"id": ID, "key": NEW_KEY, "name": "Boiler", "domoticz": {"invert": ["power"]}, "own": 1, "version": "3.4"}
    ]
    captured = capsys.readouterr()
    assert captured.out == "Boiler (bf01..efgh): new key, version\n"
    for secret in (KEY, NEW_KEY):
        assert secret not in captured.out + captured.err


def test_the_same_again_writes_nothing(target, export, capsys):
    call(export, "--devices", target)
    before = target.stat()
    assert call(export, "--devices", target) == 0
    after = target.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert "is up to date" in capsys.readouterr().err


def test_what_a_killed_run_left_is_removed_by_the_next_one_whatever_it_does(target, export, capsys):
    call(export, "--devices", target)
    left = target.with_name(f".{target.name}-k1ll3d")
    left.write_text("[]")
    assert call(export, "--devices", target, "--dry-run") == 0
    assert not left.exists()
    assert f"{left}, left by an interrupted run, is removed" in capsys.readouterr().err


def test_dry_run_writes_nothing(target, export, capsys):
    assert call(export, "--devices", target, "--dry-run") == 0
    assert not target.exists()
    assert "is not changed" in capsys.readouterr().err


def test_json_for_scripts(target, export, capsys):
    assert call(export, "--devices", target, "--json") == 0
    out = capsys.readouterr().out
    assert [json.loads(line) for line in out.splitlines()] == [
        {"change": "new", "name": "Boiler", "id": ID, "text": "added"}
    ]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_exports_as_windows_writes_them(target, tmp_path, encoding):
    path = tmp_path / "export"
    mark = "\ufeff" if encoding.endswith("e") else ""
    path.write_bytes((mark + json.dumps(EXPORT, indent=1).replace("\n", "\r\n")).encode(encoding))
    assert call(path, "--devices", target) == 0
    assert json.loads(target.read_text()) == EXPORT


@pytest.mark.parametrize("source", ["/dev/zero", "-"])
def test_an_endless_source_is_too_large(target, source, monkeypatch, capsys):
    class Endless:
        buffer = Path("/dev/zero").open("rb")  # noqa: SIM115 - lives as long as the test
        isatty = staticmethod(lambda: False)

    monkeypatch.setattr("sys.stdin", Endless())
    assert call(source, "--devices", target) == 2
    assert "is too large to be such a file" in capsys.readouterr().err
    assert not target.exists()


def test_a_link_is_named_by_what_it_stands_for(tmp_path, export, capsys):
    (tmp_path / "real").mkdir()
    (tmp_path / "real/d.json").write_text("[]")
    (tmp_path / "link.json").symlink_to("real/d.json")
    assert call(export, "--devices", tmp_path / "link.json") == 0
    assert "what it was before is in d.json.bak" in capsys.readouterr().err
    assert (tmp_path / "link.json").is_symlink()


def test_runs_at_the_same_time_lose_nothing(target, tmp_path):
    target.write_text("[]")
    runs = []
    for number in range(4):
        source = tmp_path / f"{number}.json"
        source.write_text(json.dumps([{"id": f"bf{number:018d}", "key": NEW_KEY}]))
        words = [sys.executable, "-m", "tuya", "keys", str(source), "--devices", str(target)]
        runs.append(subprocess.Popen(words, cwd=REPOSITORY, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL))
    assert [run.wait(100) for run in runs] == [0, 0, 0, 0]
    assert sorted(entry["id"] for entry in json.loads(target.read_text())) == [f"bf{n:018d}" for n in range(4)]


def test_several_sources_and_stdin(target, export, monkeypatch, capsys):
    other = {"id": "bfother0000000000000", "key": KEY, "name": "Fridge"}
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(json.dumps([other]).encode())))
    assert call(export, "-", "--devices", target) == 0
    assert {entry["name"]: entry["key"] for entry in json.loads(target.read_text())} == {
        "Boiler": NEW_KEY,
        "Fridge": KEY,
    }


def test_a_key_that_cannot_be_right_is_exit_1(target, tmp_path, capsys):
    path = tmp_path / "export.json"
    path.write_text(json.dumps([{"id": ID, "key": "short", "name": "Boiler"}]))
    assert call(path, "--devices", target) == 1
    assert "its local key has 5 characters instead of 16" in capsys.readouterr().out


def test_an_entry_without_key_is_told_and_counts_unless_its_key_is_known(target, tmp_path, capsys):
    path = tmp_path / "export.json"
    path.write_text(json.dumps([*EXPORT, {"id": "bfother0000000000000", "name": "Fridge", "key": ""}]))
    assert call(path, "--devices", target) == 1
    assert f"{path}: Fridge (bfot..0000): it has no local key there" in capsys.readouterr().err
    target.write_text(json.dumps([{"id": "bfother0000000000000", "key": KEY}]))
    assert call(path, "--devices", target) == 0


@pytest.mark.parametrize("kind", ["pipe", "folder", "device"])
def test_a_target_that_is_no_file_is_said_at_once(tmp_path, export, capsys, kind):
    target = {"pipe": tmp_path / "pipe", "folder": tmp_path / "folder", "device": Path("/dev/zero")}[kind]
    if kind == "pipe":
        os.mkfifo(target)
    elif kind == "folder":
        target.mkdir()
    assert call(export, "--devices", target) == 2
    assert "this is no file (but a folder, a pipe or a device); nothing was changed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        ("nothing here", 2, "export: this text is not understood"),
        (b"\xff\xfe\x00", 2, "export is no text"),
        (b'[{"name": "\xfc"}]', 2, "export is no text in UTF-8"),
        (b"", 2, "export: this text is not understood (it is empty)"),
        (b'{"data": {"entries": true}}', 2, "there is no device with an id and a local key in it"),
        (None, 2, "export cannot be read: No such file or directory"),
    ],
)
def test_sources_that_are_none(target, tmp_path, capsys, content, code, said):
    path = tmp_path / "export"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        path.write_text(content)
    assert call(path, "--devices", target) == code
    assert said in capsys.readouterr().err
    assert not target.exists()


def test_a_damaged_target_is_left_alone(target, export, capsys):
    target.write_text('[\n{"id": broken}]')
    assert call(export, "--devices", target) == 2
    err = capsys.readouterr().err
    assert f"{target}:2: this is not valid JSON" in err
    assert "nothing was changed" in err
    assert target.read_text() == '[\n{"id": broken}]'


def test_an_empty_target_is_a_new_one(target, export):
    target.write_text("\n")
    assert call(export, "--devices", target) == 0
    assert json.loads(target.read_text()) == EXPORT


def test_without_a_terminal_nothing_is_asked(capsys):
    assert call() == 2
    assert "name a file to take keys from" in capsys.readouterr().err


@pytest.fixture
def cloud(monkeypatch):
    device = {
        "id": ID,
        "name": "From the app",
        "local_key": NEW_KEY,
        "product_id": "jdj6ccklup7btq3a",
        "category": "dlq",
    }
    specification = {"functions": [], "status": [{"code": "cur_power", "dp_id": 19, "type": "Integer", "values": "{}"}]}
    with Cloud([device], {ID: specification}) as stand_in:
        monkeypatch.setattr(maker_cloud, "fetch", partial(maker_cloud.fetch, base_url=stand_in.url))
        yield stand_in


def test_the_cloud_with_settings_from_the_environment(target, cloud, monkeypatch, capsys):
    target.write_text(json.dumps([{"id": ID, "key": KEY, "name": "Boiler"}]))
    monkeypatch.setenv(keys.SECRET_VARIABLE, SECRET)
    assert call("--cloud", "--region", "eu", "--access-id", ACCESS_ID, "--devices", target) == 0
    entry = json.loads(target.read_text())[0]
    assert (entry["key"], entry["name"], entry["mapping"]["19"]["code"]) == (NEW_KEY, "Boiler", "cur_power")
    captured = capsys.readouterr()
    assert captured.out.startswith("Boiler (bf01..efgh): new key, ")
    for secret in (KEY, NEW_KEY, SECRET):
        assert secret not in captured.out + captured.err


def test_the_cloud_with_tinytuyas_settings(target, cloud, tmp_path):
    config = {"apiKey": ACCESS_ID, "apiSecret": SECRET, "apiRegion": "eu", "apiDeviceID": ID}
    (tmp_path / "tinytuya.json").write_text(json.dumps(config))
    assert call("--cloud", "--devices", target) == 0
    assert json.loads(target.read_text())[0]["key"] == NEW_KEY


def test_the_cloud_that_refuses(target, cloud, monkeypatch, capsys):
    cloud.refuse["/v1.0/iot-01"] = (
        28841002,
        "No permissions. Your subscription to cloud development plan has expired.",
    )
    monkeypatch.setenv(keys.SECRET_VARIABLE, SECRET)
    assert call("--cloud", "--region", "eu", "--access-id", ACCESS_ID, "--devices", target) == 1
    captured = capsys.readouterr()
    assert "the trial of the service 'IoT Core' has expired" in captured.err
    assert "Traceback" not in captured.err
    assert not target.exists()


def test_the_cloud_without_settings_and_terminal(target, capsys):
    assert call("--cloud", "--devices", target) == 2
    assert f"the secret in {keys.SECRET_VARIABLE}" in capsys.readouterr().err


class Terminal(io.StringIO):
    def isatty(self):
        return True


def answers(monkeypatch, *lines):
    waiting = iter(lines)
    monkeypatch.setattr("sys.stdin", Terminal(""))
    monkeypatch.setattr("builtins.input", lambda prompt="": next(waiting))
    monkeypatch.setattr("getpass.getpass", lambda prompt="": next(waiting))


def test_a_person_is_asked_for_the_source(target, export, monkeypatch, capsys):
    answers(monkeypatch, str(export))
    assert call("--devices", target) == 0
    assert json.loads(target.read_text()) == EXPORT


def test_files_that_are_there_are_offered(target, monkeypatch, capsys):
    home = Path.cwd() / "home"
    home.mkdir()
    (home / "snapshot.json").write_text(json.dumps({"devices": EXPORT}))
    answers(monkeypatch, "1")
    assert call("--devices", target) == 0
    assert f"1  {home / 'snapshot.json'}" in capsys.readouterr().out
    assert json.loads(target.read_text()) == EXPORT


def test_a_person_is_asked_for_the_project(target, cloud, monkeypatch, capsys):
    answers(monkeypatch, "c", ACCESS_ID, SECRET, "eu")
    assert call("--devices", target) == 0
    captured = capsys.readouterr()
    assert SECRET not in captured.out + captured.err


def test_no_answer_is_no_change(target, monkeypatch):
    answers(monkeypatch, "")
    assert call("--devices", target) == 2
