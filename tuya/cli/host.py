"""python3 -m tuya host: plugin.py on the stand-in for Domoticz, with a live table."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Sequence

from tuya import process
from tuya.host import LogLine, Stage, room
from tuya.host.manifest import ManifestError
from tuya.host.releases import DEFAULT_RELEASE, RELEASES
from tuya.host.table import PARAMETER_FIELDS

from .common import print_message

PLUGIN = Path(__file__).resolve().parent.parent.parent / "plugin.py"
TICK_S = 0.1
START_TIMEOUT_S = 30.0
LEAST_FREE_BYTES = 1024 * 1024  # less than that: a table that cannot be written fails for want of room
FATAL = ("crash", "hang")

_COMMAND = re.compile(r"(?P<device>[^:=@]+):(?P<unit>\d+)=(?P<command>[^@]+?)(?:@(?P<at>\d+(?:\.\d+)?))?")
_LEVEL = re.compile(r"Set Level (\d+)")


@dataclass(frozen=True)
class PlannedCommand:
    """A click to come: `at_s` seconds after onStart."""

    device_id: str
    unit: int
    command: str
    level: int
    at_s: float


def planned_command(text: str) -> PlannedCommand:
    """Parse DEVICEID:UNIT=COMMAND@SECONDS; COMMAND is On, Off, "Set Level 10" …; without @ it comes at once."""
    match = _COMMAND.fullmatch(text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not DEVICEID:UNIT=On@SECONDS")
    level = _LEVEL.fullmatch(match["command"])
    command = "Set Level" if level else match["command"]
    number = int(level.group(1)) if level else 0
    return PlannedCommand(match["device"], int(match["unit"]), command, number, float(match["at"] or 0))


def parameter(text: str) -> List[str]:
    """Parse FIELD=VALUE, a field of the Hardware page."""
    name, equals, value = text.partition("=")
    if not equals or name not in PARAMETER_FIELDS:
        raise argparse.ArgumentTypeError(f"{text!r} is not FIELD=VALUE with one of {', '.join(PARAMETER_FIELDS)}")
    return [name, value]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `host`."""
    parser.add_argument(
        "--devices", metavar="FILE", type=Path, help="the devices file (default: as the plugin finds it)"
    )
    parser.add_argument(
        "--param", metavar="FIELD=VALUE", type=parameter, action="append", default=[], dest="parameters"
    )
    parser.add_argument("--seconds", metavar="N", type=process.seconds, help="end after this time (default: at Ctrl-C)")
    parser.add_argument(
        "--restart-every", metavar="N", type=process.seconds, help="press Update on the Hardware page every N s"
    )
    parser.add_argument("--command", metavar="DEVICEID:1=On@T", type=planned_command, action="append", default=[])
    parser.add_argument("--release", choices=sorted(RELEASES), default=DEFAULT_RELEASE, help="the Domoticz to play")
    parser.add_argument(
        "--data", metavar="FOLDER", type=Path, help="keep the device table here (default: throw it away)"
    )
    parser.add_argument("--json", action="store_true", help="print the device table as one JSON list at the end")
    parser.set_defaults(plugin=PLUGIN)


class End:
    """Whether it is time to end. Not an Event: a signal may come while the one that it interrupts holds its lock."""

    def __init__(self) -> None:
        self.is_set = False

    def set(self, *_signal: object) -> None:
        """Have it end; the handler of a signal."""
        self.is_set = True


@contextlib.contextmanager
def ended_by_signals(end: End) -> Iterator[None]:
    """Set `end` at Ctrl-C and SIGTERM instead of being interrupted."""
    before = {}
    for number in (signal.SIGINT, signal.SIGTERM):
        before[number] = signal.signal(number, end.set)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _folder(kept: Optional[Path]) -> Iterator[Path]:
    """Where the device table is: in the folder that the user named, else in one that is removed at the end."""
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept
    else:
        with tempfile.TemporaryDirectory(prefix="tuya-host-") as temporary:
            yield Path(temporary)


def run(args: argparse.Namespace) -> int:
    """Run plugin.py until the time is up. Returns 0, 1 where it did not start or would have hurt Domoticz, 2."""
    if args.devices is not None and not args.devices.is_file():
        print_message(f"there is no file {args.devices}")
        return 2
    parameters: Dict[str, str] = dict(args.parameters)
    if args.devices is not None:
        parameters["Mode1"] = str(args.devices.resolve())
    room.check()
    end = End()
    with ended_by_signals(end), _folder(args.data) as folder:
        try:
            on_log = None if _is_live(args) else _print_line
            stage = Stage(args.plugin, folder, release=args.release, start_stored=False, on_log=on_log)
        except ManifestError as error:
            print_message(str(error))
            return 2
        except sqlite3.Error as error:
            raise _no_table(folder, error) from None
        try:
            rows = _play(stage, args, parameters, end)
        except sqlite3.Error as error:
            raise _no_table(folder, error) from None
        finally:
            clean = stage.close()
    if args.json:
        print(json.dumps(rows or []), flush=True)
    for problem in stage.problems:
        print_message(f"{problem.kind}: {problem.text}")
    failed = rows is None or any(problem.kind in FATAL for problem in stage.problems)
    if not clean:
        # Threads of the plugin still run in interpreters that cannot be ended: an orderly exit would wait or abort.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(1)
    return 1 if failed else 0


def _no_table(folder: Path, error: sqlite3.Error) -> process.CommandError:
    """Say why the device table cannot be kept; SQLite calls a full disk by more than one name."""
    cure = "make room there, or name another folder with --data"
    try:
        is_full = shutil.disk_usage(folder).free < LEAST_FREE_BYTES
    except OSError:
        is_full = False
    what = f"the disk is full: {cure}" if is_full or "is full" in str(error) else f"{error}; {cure}"
    return process.CommandError(f"{folder}: the device table cannot be written, {what}")


def _is_live(args: argparse.Namespace) -> bool:
    return bool(not args.json and sys.stdout.isatty())


def _print_line(line: LogLine) -> None:
    moment = time.strftime("%H:%M:%S", time.localtime(line.at_s))
    print_message(f"{moment} {line.level}: {line.name}: {line.text}")


def _play(
    stage: Stage, args: argparse.Namespace, parameters: Dict[str, str], end: End
) -> Optional[List[Dict[str, object]]]:
    """Start the plugin and follow the plan. Returns the final table, None when the plugin did not start."""
    idx = stage.have("Breakers", parameters)
    deadline = time.monotonic() + START_TIMEOUT_S
    while not stage.wait_started(idx, TICK_S):
        if end.is_set:
            return []
        if stage.has_failed(idx) or time.monotonic() > deadline:
            return None
    view = None
    if _is_live(args):
        from tuya.cli.host_view import View

        view = View(stage, idx)
    with view or contextlib.nullcontext():
        _follow(stage, idx, args, end, view)
    if view is None and not args.json:
        for row in stage.devices(idx):
            print(f"{row.device_id} {row.unit:3} {row.name}: {row.nvalue} {row.svalue}")
    return [row.as_json() for row in stage.devices(idx)]


def _follow(stage: Stage, idx: int, args: argparse.Namespace, end: End, view: Optional[object]) -> None:
    started = time.monotonic()
    waiting: Sequence[PlannedCommand] = sorted(args.command, key=lambda planned: planned.at_s)
    next_restart = args.restart_every
    while not end.is_set:
        passed = time.monotonic() - started
        while waiting and waiting[0].at_s <= passed:
            click, waiting = waiting[0], waiting[1:]
            stage.command(idx, click.device_id, click.unit, click.command, click.level)
        if args.seconds is not None and passed >= args.seconds:
            return
        if next_restart is not None and passed >= next_restart:
            next_restart += args.restart_every
            stage.restart(idx)
        if view is not None and not view.refresh():  # type: ignore[attr-defined]
            return
        time.sleep(TICK_S)
