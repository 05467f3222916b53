"""What both command lines owe their process: streams that are closed or narrow, Ctrl-C, numbers."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tuya import process

REPOSITORY = Path(__file__).resolve().parents[1]
CAPTURE = "tests/data/tongou-ble-capture.txt"


@pytest.mark.parametrize("redirection", [">&-", "2>&-", "<&-", ">&- 2>&- <&-", "| head -n 1", "| true"])
def test_closed_streams_and_readers_that_have_seen_enough_are_no_fault(redirection):
    command = f'set -o pipefail; "{sys.executable}" -m tuya ble {CAPTURE} {redirection}'
    done = subprocess.run(
        ["bash", "-c", command], cwd=REPOSITORY, capture_output=True, text=True, timeout=100, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_signs_that_a_terminal_does_not_have_become_question_marks():
    code = "from tuya import process; process.prepare(); print('21 \\xb0C \\ud800')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=REPOSITORY,
        capture_output=True,
        timeout=100,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, b"21 ?C ?\n")


@pytest.mark.parametrize(
    ("before", "after"), [(signal.SIG_DFL, signal.default_int_handler), (signal.SIG_IGN, signal.SIG_IGN)]
)
def test_ctrl_c_raises_unless_it_was_ignored(before, after):
    kept = signal.signal(signal.SIGINT, before)
    try:
        process.prepare()
        assert signal.getsignal(signal.SIGINT) == after
    finally:
        signal.signal(signal.SIGINT, kept)


FIRST_IMPORTS = """
import builtins, runpy, signal, sys
real = builtins.__import__
def importing(name, *words, **more):
    if sys._getframe(1).f_globals.get("__file__", "").endswith("__main__.py"):
        if name not in ("__future__", "_signal", "sys"):
            print(name, signal.getsignal(signal.SIGINT) == signal.SIG_DFL, flush=True)
            raise SystemExit
    return real(name, *words, **more)
builtins.__import__ = importing
runpy.run_module("tuya", run_name="__main__")
"""


def test_ctrl_c_during_the_first_import_just_ends():
    done = subprocess.run(
        [sys.executable, "-c", FIRST_IMPORTS],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert done.stdout == "stat True\n", done.stderr


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "soon", ""])
def test_what_is_no_duration(text):
    with pytest.raises(argparse.ArgumentTypeError, match="is not a number of seconds above 0"):
        process.seconds(text)


@pytest.mark.parametrize("text", ["0", "65536", "-6668", "6668.5", "nan", "x"])
def test_what_is_no_port(text):
    with pytest.raises(argparse.ArgumentTypeError, match="is not a port from 1 to 65535"):
        process.port(text)


def test_numbers_that_fit():
    assert (process.seconds("2.5"), process.seconds_or_none_at_all("0"), process.port("6668")) == (2.5, 0.0, 6668)
