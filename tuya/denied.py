"""What a machine denies a process: threads, memory, open files."""

from __future__ import annotations

import errno

NO_ROOM = "this system gives the program too little memory or too few threads (free -h; ulimit -v and -u)"
NO_FILES = "this system lets the program open too few files (ulimit -n)"


def denied(error: BaseException) -> str:
    """Return what the machine has denied, and how to look at it; "" for an error of another kind.

    denied(RuntimeError("can't start new thread")) is NO_ROOM: Python has no type of its own for that.
    """
    number = error.errno if isinstance(error, OSError) else None
    if isinstance(error, MemoryError) or number == errno.ENOMEM or "can't start new thread" in str(error):
        return NO_ROOM
    return NO_FILES if number in (errno.EMFILE, errno.ENFILE) else ""
