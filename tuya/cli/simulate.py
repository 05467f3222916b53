"""python3 -m tuya simulate: serves simulated breakers on loopback until it is told to end.

stdout holds one JSON document in one line, a devices.json of what is served, when all of it listens; on a terminal it
is a table for people instead, unless --json is given. All else goes to stderr. Commands are read from stdin while it
runs; the end of stdin ends nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
import time
from types import FrameType
from typing import Any, Dict, List, Optional, Tuple

from tuya.simulator import PRODUCTS, Fleet
from tuya.simulator.console import BadCommand, execute, grammar
from tuya.simulator.faults import named, table
from tuya.simulator.frames import VERSIONS

from .common import print_message

SIGNALS = (signal.SIGINT, signal.SIGTERM)
COUNT_LIMIT = 500
LAST_PORT = 65535
STDIN_BYTES = 4096
LONGEST_LINE_BYTES = 65536


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `simulate`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    products = "\n".join(f"  {product.product_id:18} {product.model}" for product in PRODUCTS.values())
    parser.epilog = (
        f"products:\n{products}\n\ncommands on stdin while it runs, one a line; answers come on stderr\n{grammar()}"
        f"\n\nfaults\n{table()}"
    )
    parser.add_argument("--product", nargs="+", default=["jdj6ccklup7btq3a"], metavar="ID", help="dealt out in turn")
    parser.add_argument("--version", nargs="+", default=["3.4"], choices=VERSIONS, help="dealt out in turn")
    parser.add_argument("--count", type=int, default=1, metavar="N", help="how many breakers (default 1)")
    parser.add_argument("--port", type=int, default=0, metavar="P", help="first of N ports; default: any free ones")
    parser.add_argument("--host", default="127.0.0.1", metavar="127.x.y.z", help="a loopback address")
    parser.add_argument("--announce", action="store_true", help="announce on UDP 6666, 6667 and 7000, on loopback only")
    parser.add_argument("--load", type=float, default=100.0, metavar="W", help="what hangs on each (default 100)")
    parser.add_argument("--noise", type=float, default=1.0, metavar="X", help="1 as on real mains, 0 exact")
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="NAME[=VALUE[,PARAMETER=VALUE ...]]",
        help="what each of them does wrong from the start, e.g. --fault asleep --fault latency=3; 'help' lists all",
    )
    parser.add_argument("--json", action="store_true", help="a devices.json on stdout also where that is a terminal")
    parser.add_argument("--seed", metavar="TEXT", help="the same ids and keys each time")


def run(args: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM. Returns 0; 2 for arguments that cannot be, 1 for a port in use."""
    if "help" in args.fault:
        print(table())
        return 0
    ended = threading.Event()

    def end(number: int, frame: Optional[FrameType]) -> None:
        del number, frame
        ended.set()

    if not 1 <= args.count <= COUNT_LIMIT:
        print(f"simulate: --count is 1 to {COUNT_LIMIT}", file=sys.stderr)
        return 2
    if args.port and not 1 <= args.port <= LAST_PORT + 1 - args.count:
        print(f"simulate: --port and the {args.count - 1} after it must be 1 to {LAST_PORT}", file=sys.stderr)
        return 2
    try:
        fleet = Fleet(
            product=args.product,
            version=args.version,
            count=args.count,
            host=args.host,
            port=args.port,
            announce=args.announce,
            load_w=args.load,
            noise=args.noise,
            seed=args.seed,
        )
        faults = [named(text) for text in args.fault]
    except ValueError as error:
        print(f"simulate: {error}", file=sys.stderr)
        return 2
    for number in SIGNALS:
        signal.signal(number, end)
    if hasattr(signal, "SIGTTIN"):
        signal.signal(signal.SIGTTIN, signal.SIG_IGN)  # in the background of a terminal: no commands, but no halt
    try:
        fleet.start()
    except OSError as error:
        print(f"simulate: cannot listen: {error}. Choose another --port", file=sys.stderr)
        return 1
    try:
        try:
            _begin(fleet, faults)
        except (ValueError, OSError) as error:
            print(f"simulate: --fault: {error}", file=sys.stderr)
            return 2
        is_for_people = sys.stdout.isatty() and not args.json
        print(listing(fleet.devices()) if is_for_people else json.dumps(fleet.devices()), flush=True)
        threading.Thread(target=_follow_stdin, args=(fleet,), name="commands", daemon=True).start()
        while not ended.wait(3600.0):
            pass
    finally:
        fleet.stop()
    return 0


def _begin(fleet: Fleet, faults: List[Tuple[str, Dict[str, Any]]]) -> None:
    """Switch the faults of the command line on. Some change versions or addresses: before anything is printed."""
    for breaker in fleet.breakers:
        for name, given in faults:
            breaker.fault(name, **given)


def listing(entries: List[Dict[str, Any]]) -> str:
    """What is served, for a person at a terminal: one line each, and what to do with it."""
    width = max(len(entry["name"]) for entry in entries)
    row = "{name:{width}}  {id}  {version}  {ip}:{port}"
    lines = [row.format(width=width, **entry) for entry in entries]
    return "\n".join(
        (
            *lines,
            "",
            "Local keys and all else are in the devices.json of these breakers, which the plugin's setting",
            '"Devices file" and every other command\'s --devices take. To write it, end this and add:  > FILE',
            "Commands: type '1 relay off', '* fault asleep' …; all of them: --help. Ctrl-C ends.",
        )
    )


def _follow_stdin(fleet: Fleet) -> None:
    """Carry out what comes in on stdin, until its end.

    Read by file descriptor: a daemon thread inside sys.stdin would hold its lock while Python shuts down.
    """
    pending = b""
    while True:
        try:
            data = os.read(0, STDIN_BYTES)
        except OSError:
            return
        if not data:
            return
        *lines, pending = (pending + data).split(b"\n")
        pending = pending[:LONGEST_LINE_BYTES]
        for line in lines:
            _carry_out(fleet, line.decode("utf-8", "replace"))


def _carry_out(fleet: Fleet, line: str) -> None:
    try:
        said = execute(fleet, line, _second_of_day)
    except BadCommand as error:
        said = f"not done: {error}"
    if said:
        print_message(said)


def _second_of_day(t_s: float) -> float:
    """Local seconds since midnight at a time of the monotonic clock."""
    wall_s = time.time() - time.monotonic() + t_s
    local = time.localtime(wall_s)
    return local.tm_hour * 3600.0 + local.tm_min * 60.0 + local.tm_sec + wall_s % 1.0
