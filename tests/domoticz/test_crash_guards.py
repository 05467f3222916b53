"""Types that cannot die of a miscount; in a process of its own, because it is for a process's whole life."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
# Drops far more references than there are, as lost counts would, and goes on using the types.
DROPPED = 100_000
PROGRAM = f"""
import ctypes, sys
from tuya.domoticz import crash_guards
assert crash_guards.apply() and crash_guards.apply()
needed = sys.version_info[:2] <= crash_guards.GUARDS[0].last_release
counts = [sys.getrefcount(kind) for kind in crash_guards.TYPES]
assert all(10_000 < count < 2 ** 33 for count in counts), counts
if needed:
    assert all(crash_guards.MARGIN // 2 < count for count in counts), counts
    assert all(count < 1.5 * crash_guards.MARGIN for count in counts), "kept twice"
    for kind in crash_guards.TYPES:
        ctypes.c_ssize_t.from_address(id(kind)).value -= {DROPPED}
    isinstance("text", str), str(5), int("5"), [str, int] * 10
print("alive")
"""


def test_lost_references_do_not_end_the_process() -> None:
    ended = subprocess.run([sys.executable, "-c", PROGRAM], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert (ended.stdout, ended.returncode) == ("alive\n", 0), ended.stderr
