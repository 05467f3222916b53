"""What both command lines (tuya, install.sh) owe their process: streams, Ctrl-C, numbers."""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
import threading
from typing import NoReturn

EXIT_FAULT = 1  # a fault of a device or the network
EXIT_USAGE = 2  # wrong use
EXIT_INTERRUPTED = 130  # as shells say it: 128 + SIGINT

_STREAMS = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))  # in the order of their descriptors


class CommandError(Exception):
    """Ends a command with one line on stderr; whoever runs the command turns it into `exit_code`."""

    exit_code = EXIT_FAULT


class UsageError(CommandError):
    """The command was given something it cannot use: a name that is in no file, an option of the wrong form."""

    exit_code = EXIT_USAGE


def prepare() -> None:
    """Make the streams usable, whatever was closed and whichever characters they take, and let Ctrl-C raise again.

    Ctrl-C raises only where whoever started us left it at its default: an ignored one (nohup) stays ignored.
    """
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without our signs shows ? instead of ending the program
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _open_closed_streams() -> None:
    """Point streams that the caller has closed (as in `>&-`) to nowhere, before a socket gets their descriptor."""
    for descriptor, (name, mode) in enumerate(_STREAMS):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, which is this one
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(descriptor, mode, encoding="utf-8", errors="replace", closefd=False))


def forget_reader() -> None:
    """Whoever read stdout (head, less) has seen enough: what is still to come goes nowhere, also at the exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def seconds(text: str) -> float:
    """Parse a number of seconds above 0, for argparse."""
    number = _number(text)
    if number <= 0:
        _refuse(text, "a number of seconds above 0")
    return number


def seconds_or_none_at_all(text: str) -> float:
    """Parse a number of seconds, or 0, for argparse."""
    number = _number(text)
    if number < 0:
        _refuse(text, "a number of seconds")
    return number


def port(text: str) -> int:
    """Parse a port from 1 to 65535, for argparse."""
    number = _number(text)
    if number != int(number) or not 0 < number < 65536:
        _refuse(text, "a port from 1 to 65535")
    return int(number)


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    return number if abs(number) < float("inf") else -1.0


def _refuse(text: str, wanted: str) -> NoReturn:
    raise argparse.ArgumentTypeError(f"{text!r} is not {wanted}")
