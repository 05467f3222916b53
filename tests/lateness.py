"""How long the machine, and not the code under test, held this process up.

A stated time (a click is confirmed within half a second) is a promise about the code. On a machine whose processors
are busy with other things the same code is late without a fault of its own; the kernel says by how much.
"""

from __future__ import annotations

from pathlib import Path
from typing import Callable

_TASKS = Path("/proc/self/task")


def _waited_s() -> float:
    """Seconds that the threads of this process have stood in line for a processor; 0 where the kernel does not tell.

    schedstat: time on a processor, time waiting for one (both in ns), number of turns
    (https://docs.kernel.org/scheduler/sched-stats.html).
    """
    waited_ns = 0
    for task in _TASKS.glob("*/schedstat"):
        try:
            waited_ns += int(task.read_text(encoding="ascii").split()[1])
        except (OSError, IndexError, ValueError):  # the thread has ended
            continue
    return waited_ns / 1e9


def lateness() -> Callable[[], float]:
    """Begin to count; the result tells how many seconds of waiting for a processor have come since."""
    start_s = _waited_s()
    return lambda: max(0.0, _waited_s() - start_s)
