"""What the commands that follow devices share: who they are for others, and how long their user has waited."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Iterable

from tuya.boot_clock import boot_clock_s
from tuya.devices.devices_file import DeviceEntry
from tuya.setup.running import word_of_stat
from tuya.sharing.source import Source

OWNER = "the command line"
MAX_WAITED_S = 1.5  # more than this of a slow start is not taken off the time in which a device may answer


def process_age_s() -> float:
    """Return the seconds since this process began (0 where that is not known): its user has waited for so long."""
    try:
        ticks = int(word_of_stat(Path("/proc/self"), 22))  # its start, in clock ticks since the boot
        age_s = boot_clock_s() - ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, AttributeError):
        return 0.0
    return max(0.0, age_s)


def follow(entries: Iterable[DeviceEntry]) -> Source:
    """Return a source of what these devices tell, to be used as a context manager. Raises CodecMissing."""
    return Source(entries, OWNER, waited_s=min(process_age_s(), MAX_WAITED_S))
