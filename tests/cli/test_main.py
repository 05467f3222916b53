"""No traceback ever reaches the user of the command line, and exit codes are what the contract says."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import tuya.__main__ as main_module
from tests.lan.locks.other_user import NOBODY, as_root, open_folder
from tuya.cli import common
from tuya.devices.devices_file import DevicesFileError
from tuya.lan.errors import WrongKey

__all__ = ["open_folder"]  # a fixture
REPOSITORY = Path(__file__).resolve().parents[2]
KEY = "0123456789abcdef"


def raising(monkeypatch, error):
    def run(words):
        raise error

    monkeypatch.setattr(main_module, "_run", run)
    monkeypatch.delenv(main_module.DEBUG_VARIABLE, raising=False)
    return main_module.main(["watch"])


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (common.UsageError("name a file"), 2, "tuya: name a file"),
        (common.CommandError("the cloud is away"), 1, "tuya: the cloud is away"),
        (WrongKey("Boiler", "the local key is wrong"), 1, "tuya: Boiler: the local key is wrong. The key changes"),
        (DevicesFileError(3, "this is not valid JSON"), 1, "tuya: devices.json:3: this is not valid JSON"),
        (ModuleNotFoundError("No module named 'rich'", name="rich"), 1, "tuya: the package rich is missing: run 'bash"),
        (PermissionError(13, "Permission denied", "/x/devices.json"), 1, "tuya: Permission denied: /x/devices.json"),
        (ZeroDivisionError(KEY), 1, "tuya: this is a defect of the program (ZeroDivisionError in test_main.py:"),
    ],
)
def test_errors_become_one_line(monkeypatch, capsys, error, code, said):
    assert raising(monkeypatch, error) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(said)
    assert captured.err.count("\n") == 1
    assert KEY not in captured.err


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (SyntaxError("x", (str(REPOSITORY / "tuya/domoticz/service.py"), 18, 1, "")), r"half updated .*service\.py:18"),
        (ImportError("x", name="tuya.devices.served", path=None), r"half updated \(tuya\.devices\.served\)"),
        (ModuleNotFoundError("x", name="tuya.devices.served"), r"half updated .*git status and git pull"),
        (
            SyntaxError("x", (str(REPOSITORY / "lib/Crypto/__init__.py"), 3, 1, "")),
            r"packages are broken .*install\.sh",
        ),
    ],
)
def test_files_that_cannot_be_loaded(monkeypatch, capsys, error, said):
    assert raising(monkeypatch, error) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert re.search(said, captured.err)
    assert "defect" not in captured.err
    assert main_module.main(["doctor"]) == 1  # then this is the doctor's verdict
    assert capsys.readouterr().out == "FAIL  verdict: not well\n"
    assert main_module.main(["doctor", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["text"] == "not well"


def is_run_by_nobody(python: str) -> bool:
    try:
        done = subprocess.run([python, "-V"], user=NOBODY, group=NOBODY, cwd="/", capture_output=True, check=False)
    except PermissionError:
        return False
    return done.returncode == 0


@as_root
def test_packages_that_this_user_may_not_read(open_folder):
    folder = open_folder / "plugin"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPOSITORY / "tuya", folder / "tuya", ignore=ignored)
    (folder / "lib" / "cli").mkdir(parents=True)
    (folder / "lib" / "cli").chmod(0o755)
    (folder / "lib").chmod(0o700)
    pythons = (os.path.realpath(sys.executable), "/usr/bin/python3")  # the first may stand in a home that is closed
    python = next((path for path in pythons if os.access(path, os.X_OK) and is_run_by_nobody(path)), None)
    if python is None:
        pytest.skip("no Python here may be run by another user")
    done = subprocess.run(
        [python, "-S", "-B", "-m", "tuya", "scan", "--seconds", "0.1"],  # -S: lib/ only
        cwd=folder,
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        capture_output=True,
        text=True,
        check=False,
    )
    text = f"tuya: {folder / 'lib'} may not be read by the user of this run: sudo chmod -R a+rX {folder / 'lib'}\n"
    assert (done.returncode, done.stderr) == (1, text)


@pytest.mark.parametrize(
    "words",
    [
        ["doctor", "Boiler", "k3y-Of_A,breaker"],
        ["doctor", "--version", "k3y-Of_A,breaker"],
        ["doctor", "--seconds=k3y'Of_A,breaker"],
        ["k3y-Of_A,breaker"],
    ],
)
def test_a_key_where_argparse_wants_something_else_is_not_shown(capsys, words):
    with pytest.raises(SystemExit) as wrong_use:
        main_module.main(words)
    told = capsys.readouterr().err
    assert wrong_use.value.code == 2
    assert "(a local key, not shown)" in told
    assert "Of_A" not in told


def test_ctrl_c_says_nothing(monkeypatch, capsys):
    assert raising(monkeypatch, KeyboardInterrupt()) == 130
    assert capsys.readouterr() == ("", "")


def run(*words, **kwargs):
    return subprocess.run(
        [sys.executable, "-m", "tuya", *words], cwd=REPOSITORY, capture_output=True, text=True, check=False, **kwargs
    )


def test_no_command_and_an_unknown_one_are_wrong_use():
    for words in ((), ("bogus",), ("keys", "--bogus")):
        done = run(*words)
        assert done.returncode == 2
        assert done.stderr.startswith("usage: python3 -m tuya")


@pytest.mark.parametrize("isolation", [(), ("-I",)])
@pytest.mark.parametrize("named", ["tuya", "tuya/__main__.py"])
def test_from_another_folder_by_path(tmp_path, named, isolation):
    link = tmp_path / "plugin"
    link.symlink_to(REPOSITORY)
    for module in ("keys", "process", "tuya"):  # of the caller's folder: none of ours is taken from there
        (tmp_path / f"{module}.py").write_text("raise SystemExit(7)")
    words = [sys.executable, *isolation, str(link / named), "decode", "-"]
    done = subprocess.run(
        words, cwd=tmp_path, input='{"dps": {}}', capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert '"profile"' in done.stdout


def test_the_set_up_by_path_says_how_it_is_started(tmp_path):
    words = [sys.executable, str(REPOSITORY / "tuya" / "setup")]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (1, "this is started by: bash install.sh\n")


@pytest.mark.parametrize("command", sorted(main_module.COMMANDS))
def test_every_command_has_help(command):
    done = run(command, "--help")
    assert done.returncode == 0, done.stderr
    assert main_module.COMMANDS[command][1] in " ".join(done.stdout.split())


def test_a_reader_that_has_seen_enough_is_no_fault():
    read, write = os.pipe()
    os.close(read)
    code = "import sys, tuya.__main__ as m; m._run = lambda words: print('x' * 100000) or 0; sys.exit(m.main([]))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, stdout=write, stderr=subprocess.PIPE, check=False
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")
