"""The line from inside the sub-interpreter to the stand-in: requests and answers over pipes.

A message is four bytes of length and a marshalled value. Each thread has its own pair of pipes, so that one thread
waiting for the database keeps no other waiting, as in Domoticz.
"""

from __future__ import annotations

import _thread
import marshal
import os
from typing import Any, Dict, Tuple

LENGTH_BYTES = 4


def send(fd: int, value: Any) -> None:
    """Write one value (None, bool, int, float, str, bytes, or tuples, lists and dicts of these)."""
    body = marshal.dumps(value)
    data = len(body).to_bytes(LENGTH_BYTES, "big") + body
    while data:
        data = data[os.write(fd, data) :]


def receive(fd: int) -> Any:
    """Read one value. Raises EOFError when the other side has closed."""
    size = int.from_bytes(_read(fd, LENGTH_BYTES), "big")
    return marshal.loads(_read(fd, size))  # noqa: S302 - both ends are this process


def _read(fd: int, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = os.read(fd, size - len(data))
        if not part:
            raise EOFError
        data += part
    return data


class Link:
    """The requests of all threads of one interpreter. New pairs of pipes are announced as (read end, write end)."""

    def __init__(self, announce_fd: int) -> None:
        self._announce_fd = announce_fd
        self._lock = _thread.allocate_lock()
        self._main_thread = _thread.get_ident()
        self._pairs: Dict[int, Tuple[int, int]] = {}  # by thread: where to write requests, where to read answers

    def call(self, operation: str, *arguments: Any) -> Any:
        """Ask the stand-in and wait for its answer."""
        write_fd, read_fd = self._pairs.get(_thread.get_ident()) or self._open()
        send(write_fd, (operation, arguments))
        return receive(read_fd)

    def on_main_thread(self) -> bool:
        """Tell whether the caller is the thread that runs the callbacks."""
        return _thread.get_ident() == self._main_thread

    def close(self) -> None:
        """Close this side's ends, which ends the threads that serve them."""
        with self._lock:
            for pair in self._pairs.values():
                for fd in pair:
                    os.close(fd)
            self._pairs.clear()

    def _open(self) -> Tuple[int, int]:
        there_read, here_write = os.pipe()
        here_read, there_write = os.pipe()
        with self._lock:
            self._pairs[_thread.get_ident()] = (here_write, here_read)
            send(self._announce_fd, (there_read, there_write))
        return here_write, here_read
