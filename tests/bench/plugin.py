"""What the plugin costs a Domoticz: CPU of start, first minute and idle hour with many breakers that hardly change.

python -m tests.bench.plugin [--count N] [--seconds N]: plugin.py on the stand-in (its own cost is in the figures), in
a process of its own against simulated breakers in another. The idle hour is what lies between a short and a long run.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).resolve().parents[2]
SHORT_S = 8.0  # by then all are connected and their devices made
HOUR_S = 3600.0
MINUTE_S = 60.0


class Run(NamedTuple):
    """One life of the plugin: CPU of its process, how long it took, writes to Domoticz."""

    cpu_s: float
    wall_s: float
    units: int
    updates: int


def live(devices: Path, seconds: float) -> Run:
    """Let the plugin live so long. Raises RuntimeError when the stand-in fails."""
    words = [sys.executable, "-m", "tuya", "host", "--devices", str(devices), "--seconds", str(seconds), "--json"]
    began_s = time.monotonic()
    process = subprocess.Popen(words, cwd=REPOSITORY, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 1):
        raise RuntimeError(f"the stand-in ended with {process.returncode}")
    units = json.loads(output.splitlines()[-1])
    updates = sum(unit["updates"] for unit in units)
    return Run(used.ru_utime + used.ru_stime, time.monotonic() - began_s, len(units), updates)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60.0, help="what the idle time is measured over")
    args = parser.parse_args()
    words = [sys.executable, "-m", "tuya", "simulate", "--count", str(args.count), "--load", "2", "--json"]
    breakers = subprocess.Popen(words, cwd=REPOSITORY, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
    try:
        assert breakers.stdout is not None
        with tempfile.TemporaryDirectory() as folder:
            devices = Path(folder) / "devices.json"
            devices.write_text(breakers.stdout.readline(), encoding="utf-8")
            nothing = Path(folder) / "nothing.json"
            nothing.write_text("[]", encoding="utf-8")
            bare = live(nothing, 0.5)
            short = live(devices, SHORT_S)
            long = live(devices, SHORT_S + args.seconds)
    finally:
        breakers.terminate()
        breakers.wait(10)
    idle_s = long.cpu_s - short.cpu_s
    first_minute_s = short.cpu_s + idle_s * (MINUTE_S - SHORT_S) / args.seconds
    print(f"a start and a stop without a device: {bare.cpu_s:.2f} s of CPU, {bare.wall_s:.1f} s")
    print(
        f"{args.count} breakers, {short.units} devices in Domoticz: {short.cpu_s:.2f} s of CPU in the first {SHORT_S:g} s"
    )
    print(f"the first minute: {first_minute_s:.2f} s of CPU")
    print(f"an idle hour: {idle_s * HOUR_S / args.seconds:.1f} s of CPU, {100 * idle_s / args.seconds:.2f} % of a core")
    writes = (long.updates - short.updates) * HOUR_S / args.seconds / args.count
    print(f"writes to Domoticz, an idle hour and breaker: {writes:.0f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
