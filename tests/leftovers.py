"""Which threads of this process a test has left behind: those that began since, never how many there are.

Other tests' threads may end at any moment, so counts and names say nothing; a thread is told from another one by its
number and the moment of its start, as the kernel has them. Threads of sub-interpreters are among them, which no list
of Python's shows.
"""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path
from typing import Dict, List, Tuple

_TASKS = Path("/proc/self/task")
_STARTED_FIELD = 21 - 2  # starttime in /proc/[pid]/stat, counted behind the name in brackets (proc(5))
PATIENCE_S = 20.0  # that a thread which was told to end may take on a busy machine

Identity = Tuple[int, int]


def _now() -> Dict[Identity, str]:
    if sys.platform != "linux":
        return {(thread.native_id or 0, 0): thread.name for thread in threading.enumerate()}
    found: Dict[Identity, str] = {}
    for task in _TASKS.iterdir():
        try:
            name, _, rest = (task / "stat").read_text(encoding="ascii", errors="replace").rpartition(")")
        except OSError:  # it has ended
            continue
        found[(int(task.name), int(rest.split()[_STARTED_FIELD]))] = name.partition("(")[2]
    return found


class Leftovers:
    """Begin before the test's own threads do."""

    def __init__(self) -> None:
        self._before = set(_now())

    def names(self) -> List[str]:
        """The threads that have begun since and are there, by the kernel's name for them."""
        return [name for identity, name in _now().items() if identity not in self._before]

    def after_a_while(self, prefix: str = "", seconds: float = PATIENCE_S) -> List[str]:
        """The same, with patience: returns as soon as none is left. prefix: only threads of such a name count."""
        deadline_s = time.monotonic() + seconds
        while True:
            left = [name for name in self.names() if name.startswith(prefix)]
            if not left or time.monotonic() > deadline_s:
                return left
            time.sleep(0.01)
