"""Waits for a thread to end, from any thread.

Thread.join() asks who it is called by. In a thread that Python did not start, and Domoticz calls plugins in such, that
makes a dummy thread object, whose removal prints a traceback when Python 3.13 ends the interpreter.
"""

from __future__ import annotations

import threading
import time

STEP_S = 0.005  # of a wait that usually is over at once, because the thread was woken


def wait(thread: threading.Thread, timeout_s: float) -> bool:
    """Wait for a started thread; return whether it has ended within the time."""
    deadline_s = time.monotonic() + timeout_s
    while thread.is_alive():
        left_s = deadline_s - time.monotonic()
        if left_s <= 0.0:
            return False
        time.sleep(min(STEP_S, left_s))
    return True
