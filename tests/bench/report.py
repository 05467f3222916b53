"""docs/benchmarks.md by one command: every benchmark's own output, with machine, date and versions.

python -m tests.bench.report [--only NAME] [--quick]: about twelve minutes on two cores, with --quick three; on a busy
machine the times, not the ratios, are those of the machine. What a benchmark measures and beside whom, its own first
lines say.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import os
import platform
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import List, NamedTuple, Tuple

REPOSITORY = Path(__file__).resolve().parents[2]
TARGET = REPOSITORY / "docs" / "benchmarks.md"
TIMEOUT_S = 900
SHOWN_LINES = 120
PEERS = ("tinytuya", "rustuya", "pycryptodome", "paho-mqtt")


class Bench(NamedTuple):
    """One benchmark: its heading, the module, and what follows on the command line; quick: instead, with --quick.

    shown: only lines with this are shown.
    """

    title: str
    module: str
    words: Tuple[str, ...] = ()
    quick: Tuple[str, ...] = ()
    shown: str = ""


_LISTENERS = ("--clients", "ours,monitor,rustuya")
_ONE = ("--versions", "3.3")

BENCHES = (
    Bench("CPU of a push, without a network", "tests.bench.lan_path", (), ("2",)),
    Bench(
        "20 devices, 100 pushes a second each",
        "tests.bench.lan",
        ("--only", "push", "--seconds", "6", *_LISTENERS),
        ("--only", "push", "--seconds", "2", *_LISTENERS, *_ONE),
    ),
    Bench(
        "200 devices, one push a second each",
        "tests.bench.lan",
        ("--only", "scale", "--seconds", "12", "--clients", "floor,ours,monitor,rustuya"),
        ("--only", "scale", "--seconds", "3", *_LISTENERS, *_ONE),
    ),
    Bench(
        "2,000 devices, one push a second each",
        "tests.bench.lan",
        ("--only", "scale", "--devices", "2000", "--seconds", "10", "--clients", "ours", *_ONE),
        ("--only", "scale", "--devices", "2000", "--seconds", "3", "--clients", "ours", *_ONE),
    ),
    Bench(
        "Start and stop with 100 devices", "tests.bench.lan", ("--only", "start"), ("--only", "start", "--seconds", "2")
    ),
    Bench(
        "Start, first minute and idle hour of 50 breakers in Domoticz", "tests.bench.plugin", (), ("--seconds", "12")
    ),
    Bench(
        "Writes to Domoticz an hour and breaker, by load",
        "pytest",
        ("tests/domoticz/test_publishing_hour.py", "-q", "-s", "-n", "0", "-p", "no:randomly"),
        shown="updates an hour",
    ),
    Bench("Listeners beside the owner", "tests.bench.sharing"),
    Bench("Through to an MQTT broker", "tests.bench.mqtt", (), ("20",)),
    Bench("Energy of a day by load and method", "tests.bench.energy", ("--drawn", "--seed", "13"), ("--seed", "13")),
)


def _processor() -> str:
    try:
        found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else platform.processor() or platform.machine()


def _versions() -> str:
    names = []
    for name in PEERS:
        try:
            names.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            names.append(f"without {name}")
    return ", ".join(names)


def _run(bench: Bench, *, quick: bool) -> List[str]:
    """Return the section of one benchmark; its failure is in it, not hidden."""
    command = ["python", "-m", bench.module, *(bench.quick or bench.words if quick else bench.words)]
    began_s = time.monotonic()
    try:
        done = subprocess.run(
            [sys.executable, *command[1:]],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        output, verdict = done.stdout, "" if done.returncode == 0 else f"It failed (exit {done.returncode}).\n"
    except subprocess.TimeoutExpired:
        output, verdict = "", f"It did not end within {TIMEOUT_S} s.\n"
    # one JSON object a line is for programs; people get the table
    lines = [line for line in output.splitlines() if not line.startswith("{") and bench.shown in line][-SHOWN_LINES:]
    took = f"{time.monotonic() - began_s:.0f} s, load of the machine at the end {os.getloadavg()[0]:.1f}"
    return [f"## {bench.title}", "", f"`{' '.join(command)}` ({took})", "", verdict, "```text", *lines, "```", ""]


def main(words: List[str]) -> int:
    """Run the benchmarks and write the page. Returns 0."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.report")
    parser.add_argument("--only", metavar="MODULE", help="one of them, printed and not written, as tests.bench.energy")
    parser.add_argument("--quick", action="store_true", help="shorter runs, printed and not written")
    args = parser.parse_args(words)
    lines = [
        "# Benchmarks",
        "",
        "Written by `python -m tests.bench.report`; ratios count, times are of the machine.",
        "",
        f"{datetime.date.today().isoformat()}, {_processor()}, {os.cpu_count()} cores, {platform.system()} "
        f"{platform.release().split('-')[0]}, CPython {platform.python_version()}; {_versions()}.",
        "",
    ]
    for bench in BENCHES:
        if args.only in (None, bench.module):
            lines += _run(bench, quick=args.quick)
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(lines))
    if args.only is None and not args.quick:
        TARGET.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
