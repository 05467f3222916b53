"""How long something has waited, also where the process was stopped or the machine slept meanwhile."""

from __future__ import annotations

import time


def boot_clock_s() -> float:
    """Seconds on a clock that goes on while the machine sleeps; the same clock for all processes of a machine."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
