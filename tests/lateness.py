"""How long the machine, and not the code under test, held things up.

A stated time (a click is confirmed within half a second) is a promise about the code. On a machine whose processors
are busy with other things the same code is late without a fault of its own; the kernel says by how much.
"""

from __future__ import annotations

import functools
import time
from pathlib import Path
from typing import Any, Callable

_PRESSURE = Path("/proc/pressure/cpu")
_TASKS = Path("/proc/self/task")
ATTEMPTS = 3
LATE_SHARE = 0.1  # of the time of an attempt: below it, the machine was not what it failed of


def _waited_s() -> float:
    """Seconds in which something stood in line for a processor; 0 where the kernel does not tell.

    The whole machine's count, where there is one: it holds the waiting of threads that have ended and of processes
    that a test has started, and grows no faster than the clock. "some" counts the time in which at least one task
    waited, total in microseconds (https://docs.kernel.org/accounting/psi.html). Else the threads of this process that
    are there now: time on a processor, time waiting for one in ns, turns
    (https://docs.kernel.org/scheduler/sched-stats.html).
    """
    try:
        return int(_PRESSURE.read_text(encoding="ascii").split("total=")[1].split()[0]) / 1e6
    except (OSError, IndexError, ValueError):
        pass
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


def again_if_late(test: Callable[..., None]) -> Callable[..., None]:
    """Let a test in real time that fails try again, only where the machine itself was late meanwhile.

    All that it asserts stays asserted: a fault of the code fails each time, and on a quiet machine the first time.
    """

    @functools.wraps(test)
    def attempts(*args: Any, **kwargs: Any) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            began_s, late_s = time.monotonic(), lateness()
            try:
                test(*args, **kwargs)
            except AssertionError:
                if attempt == ATTEMPTS or late_s() < LATE_SHARE * (time.monotonic() - began_s):
                    raise
            else:
                return

    return attempts
