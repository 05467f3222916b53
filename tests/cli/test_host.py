import argparse
import contextlib
import json
import os
import pty
import resource
import select
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import time

import pytest

from tests.host.host_helpers import HEADER, SWITCH_AND_METER, TOOLS, eventually
from tests.lateness import lateness
from tuya import process
from tuya.cli import host


@pytest.fixture
def arguments(tmp_path):
    folder = tmp_path / "plugin"
    folder.mkdir()
    (folder / "plugin.py").write_text(HEADER + SWITCH_AND_METER)
    (folder / "tools.py").write_text(TOOLS)

    def parse(*words):
        parser = argparse.ArgumentParser()
        host.add_arguments(parser)
        args = parser.parse_args(list(words))
        args.plugin = folder / "plugin.py"
        return args

    return parse


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("abc:1=On@5", host.PlannedCommand("abc", 1, "On", 0, 5.0)),
        ("abc:41=Off@0.5", host.PlannedCommand("abc", 41, "Off", 0, 0.5)),
        ("abc:1=Off", host.PlannedCommand("abc", 1, "Off", 0, 0.0)),
        ("abc:61=Set Level 20@1", host.PlannedCommand("abc", 61, "Set Level", 20, 1.0)),
    ],
)
def test_planned_commands(text, expected):
    assert host.planned_command(text) == expected


@pytest.mark.parametrize(
    "text", ["abc", "abc:1", "abc=On", "abc:x=On", "abc:1=On@soon", ":1=On", "abc:1=@3", "abc:1=On@-1"]
)
def test_what_is_no_command(text):
    with pytest.raises(argparse.ArgumentTypeError):
        host.planned_command(text)


def test_json_is_one_list_with_the_agreed_fields(arguments, capsys):
    assert host.run(arguments("--json", "--seconds", "1.5", "--command", "breaker:1=On@0.5")) == 0
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert json.loads(out) == [
        {
            **{"device_id": "breaker", "unit": 1, "name": "Switch", "type": 244, "subtype": 73, "switchtype": 0},
            **{"nvalue": 1, "svalue": "On", "timed_out": False, "used": True, "updates": 1},
        },
        {
            **{"device_id": "breaker", "unit": 2, "name": "Meter", "type": 243, "subtype": 29, "switchtype": 0},
            **{"nvalue": 0, "svalue": "100.0;5000.000", "timed_out": False, "used": True, "updates": 0},
        },
    ]


def test_restart_every(arguments, capsys):
    assert host.run(arguments("--json", "--seconds", "3", "--restart-every", "1")) == 0
    assert capsys.readouterr().err.count("Started.") == 3


def test_data_are_kept_where_asked(arguments, tmp_path, capsys):
    args = arguments("--json", "--seconds", "1", "--command", "breaker:1=On@0.2", "--data", str(tmp_path / "kept"))
    assert host.run(args) == 0
    assert (tmp_path / "kept" / "domoticz.db").is_file()
    capsys.readouterr()


def test_a_second_run_goes_on_with_the_same_hardware_and_nobody_else_can_read_its_password(arguments, tmp_path, capsys):
    kept = tmp_path / "kept"
    kept.mkdir()
    database = kept / "domoticz.db"
    database.touch(0o644)  # as an earlier release made it
    words = ("--json", "--seconds", "0.5", "--data", str(kept))
    assert host.run(arguments(*words, "--param", "Password=0123456789abcdef", "--param", "Mode5=2")) == 0
    assert host.run(arguments(*words)) == 0
    rows = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [(row["device_id"], row["unit"]) for row in rows] == [("breaker", 1), ("breaker", 2)]
    assert {stat.S_IMODE(path.stat().st_mode) for path in kept.glob("domoticz.db*")} == {0o600}
    with contextlib.closing(sqlite3.connect(database)) as connection:
        hardware = connection.execute("SELECT Parameters FROM Hardware").fetchall()
    assert len(hardware) == 1
    assert json.loads(hardware[0][0])["Mode5"] == "5"  # what this run was given, not the one before


def test_a_plugin_that_does_not_start_is_1(arguments, capsys):
    args = arguments("--json", "--seconds", "1")
    args.plugin.write_text(HEADER + "1 / 0\n")
    assert host.run(args) == 1
    assert capsys.readouterr().out == "[]\n"


def test_a_plugin_that_domoticz_would_not_list_is_2(arguments, capsys):
    args = arguments("--json", "--seconds", "1")
    args.plugin.write_text('"""<plugin key="x">"""\n')
    assert host.run(args) == 2
    assert "line of their own" in capsys.readouterr().err


def test_handlers_are_put_back(arguments, capsys):
    before = signal.getsignal(signal.SIGTERM)
    host.run(arguments("--json", "--seconds", "0.2"))
    assert signal.getsignal(signal.SIGTERM) is before
    capsys.readouterr()


@pytest.mark.parametrize(
    ("limit", "soft", "said"),
    [
        ("RLIMIT_AS", 120_000_000, "too little memory or too few threads"),
        ("RLIMIT_AS", 200_000_000, "too little memory or too few threads"),
        ("RLIMIT_NOFILE", 10, "too few files"),
        ("RLIMIT_NOFILE", 16, "too few files"),
    ],
)
def test_a_machine_that_denies_what_a_plugin_takes_is_named(limit, soft, said):
    """Asked for before: half-way there are hangs, aborts of the interpreter, and faults that look like the plugin's."""

    def narrowed():
        number = getattr(resource, limit)
        resource.setrlimit(number, (soft, resource.getrlimit(number)[1]))

    done = subprocess.run(
        [sys.executable, "-m", "tuya", "host", "--seconds", "1"],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        preexec_fn=narrowed,
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert said in done.stderr


@pytest.mark.parametrize("words", ["database or disk is full", "disk I/O error"])
def test_a_full_disk_is_named(arguments, monkeypatch, tmp_path, words):
    usage = shutil.disk_usage(tmp_path)

    def full(*_arguments, **_options):
        raise sqlite3.OperationalError(words)

    monkeypatch.setattr(host, "Stage", full)
    monkeypatch.setattr(host.shutil, "disk_usage", lambda _folder: usage._replace(free=0))
    with pytest.raises(process.CommandError, match=f"{tmp_path}/data.*the disk is full: make room") as told:
        host.run(arguments("--data", str(tmp_path / "data")))
    assert told.value.exit_code == 1


def test_an_interpreter_that_ends_before_the_plugin_has_started_is_not_waited_for(arguments, monkeypatch, capsys):
    monkeypatch.setattr("tuya.host.instance._BOOT", "raise OSError({announce_fd}, {init!r}, {folder!r})")
    began_s, late_s = time.monotonic(), lateness()
    assert host.run(arguments("--json", "--seconds", "1")) == 1
    assert time.monotonic() - began_s < 10.0 + late_s()
    assert "crash: the framework's loop failed" in capsys.readouterr().err


PROGRAM = """
import argparse, pathlib, sys
from tuya.cli import host
parser = argparse.ArgumentParser()
host.add_arguments(parser)
args = parser.parse_args(sys.argv[2:])
args.plugin = pathlib.Path(sys.argv[1])
sys.exit(host.run(args))
"""


def test_a_number_and_enter_switch_on_a_terminal(arguments):
    pytest.importorskip("rich")
    plugin = arguments().plugin
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(plugin)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120", "LINES": "40"},
    )
    os.close(theirs)
    seen = bytearray()

    def shows(text):
        while select.select([ours], [], [], 0)[0]:
            seen.extend(os.read(ours, 65536))
        return text.encode() in seen

    try:
        eventually(lambda: shows("Off"), 10)
        os.write(ours, b"9\n")
        eventually(lambda: shows("there is no switch 9"), 5)
        seen.clear()
        os.write(ours, b"1\n")
        eventually(lambda: shows("● On"), 5)
        os.write(ours, b"q")
        deadline = time.monotonic() + 10
        while process.poll() is None and time.monotonic() < deadline:
            shows("")
            time.sleep(0.05)
        assert process.poll() == 0
    finally:
        process.kill()
        process.wait()
        os.close(ours)
