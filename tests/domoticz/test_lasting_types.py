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
from tuya.domoticz import lasting_types
assert lasting_types.keep() and lasting_types.keep()
counts = [sys.getrefcount(kind) for kind in lasting_types.TYPES]
assert all(lasting_types.MARGIN // 2 < count < 2 ** 33 for count in counts), counts
if sys.version_info < lasting_types.IMMORTAL_SINCE:
    assert all(count < 1.5 * lasting_types.MARGIN for count in counts), "kept twice"
    for kind in lasting_types.TYPES:
        ctypes.c_ssize_t.from_address(id(kind)).value -= {DROPPED}
    isinstance("text", str), str(5), int("5"), [str, int] * 10
print("alive")
"""


def test_lost_references_do_not_end_the_process() -> None:
    ended = subprocess.run([sys.executable, "-c", PROGRAM], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert (ended.stdout, ended.returncode) == ("alive\n", 0), ended.stderr
