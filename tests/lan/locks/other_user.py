"""Another user of this machine, for tests that run as root: a forked child that gives up what root may do."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Callable, Iterator

import pytest

NOBODY = 65534
as_root = pytest.mark.skipif(
    not sys.platform.startswith("linux") or os.geteuid() != 0, reason="only root can be somebody else for a while"
)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter; pytest's own is closed to others."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name).resolve()


class OtherUser:
    """Runs `begin` as user `uid` in a child process, which then stays until the with block ends.

    Entering waits until `begin` has returned; what it returns is kept alive in the child. Raises AssertionError when
    it raised.
    """

    def __init__(self, uid: int, begin: Callable[[], object]) -> None:
        self._uid = uid
        self._begin = begin
        self._pid = 0
        self._end = -1

    def __enter__(self) -> OtherUser:
        ready_in, ready_out = os.pipe()
        end_in, self._end = os.pipe()
        self._pid = os.fork()
        if not self._pid:
            status, kept = b"F", None
            try:
                os.close(self._end)
                os.setgroups([])
                os.setgid(self._uid)
                os.setuid(self._uid)
                kept = self._begin()
                status = b"R"
            except BaseException:  # noqa: BLE001 - a child of a test must never go on as the test
                traceback.print_exc()
            os.write(ready_out, status)
            if status == b"R":
                os.read(end_in, 1)
            os._exit(0 if kept is not None else 1)
        os.close(ready_out)
        os.close(end_in)
        status = os.read(ready_in, 1)
        os.close(ready_in)
        if status != b"R":
            self.__exit__()
        assert status == b"R"
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._end)
        os.waitpid(self._pid, 0)
