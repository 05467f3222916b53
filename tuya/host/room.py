"""Whether this machine gives a plugin in an interpreter of its own what it takes: threads, memory, files.

An interpreter that is denied them while it is made ends the whole process, without a word of ours; a plugin that is
denied them half-way waits for ever. So they are asked for before, all at once, and given back.
"""

from __future__ import annotations

import mmap
import os
import threading
from typing import List

THREADS = 12  # of the stand-in and a plugin; each reserves its stack
MEMORY_BYTES = 128 * 1024 * 1024  # of addresses: what the plugin's modules and libraries take, and its data
FILES = 24  # pipes, the device table, sockets of a plugin that serves nobody yet


def check() -> None:
    """Return where there is room. Raises OSError or RuntimeError for what is denied."""
    over = threading.Event()
    threads: List[threading.Thread] = []
    files: List[int] = []
    try:
        for _ in range(FILES):
            files.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
        for _ in range(THREADS):
            thread = threading.Thread(target=over.wait, name="room", daemon=True)
            thread.start()
            threads.append(thread)
        mmap.mmap(-1, MEMORY_BYTES).close()
    finally:
        over.set()
        for thread in threads:
            thread.join()
        for one in files:
            os.close(one)
