"""Notices that the devices file was changed, replaced, made or removed, or that its rights were changed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Callable, NamedTuple, Optional, Tuple


class Signature(NamedTuple):
    """A file as it was found. changed_ns: the time of any change; is_readable: no mode tells that (ACLs)."""

    path: str
    content: str
    inode: int
    changed_ns: int
    owner: int
    group: int
    mode: int
    is_readable: bool


def content_state(path: Path) -> str:
    """Return a name for the content of a file: another one once it was written; "" where it cannot be looked at."""
    try:
        return _content_of(path.stat())
    except OSError:
        return ""


def _content_of(found: os.stat_result) -> str:
    return f"{found.st_mtime_ns}-{found.st_size}"


class FileWatch:
    """Watches the file that `find` names; a change counts when two looks in a row have seen the same."""

    def __init__(self, find: Callable[[], Optional[Path]]) -> None:
        self._find = find
        self._known: Optional[Signature] = None
        self._last: Optional[Signature] = None

    @property
    def taken(self) -> str:
        """The content_state of the file as it was at the last mark(); "" where there was none."""
        return self._known.content if self._known is not None else ""

    def mark(self) -> Optional[Path]:
        """Take the file as it is now for known; return its path, None where there is none."""
        path, self._known = self._look()
        self._last = self._known
        return path

    def has_changed(self) -> bool:
        """Whether the file is another one than at the last mark(), and nobody is writing it any more."""
        _, now = self._look()
        is_settled = now == self._last
        self._last = now
        return is_settled and now != self._known

    def _look(self) -> Tuple[Optional[Path], Optional[Signature]]:
        path = self._find()
        try:
            if path is not None:
                found = path.stat()
                return path, Signature(
                    str(path),
                    _content_of(found),
                    found.st_ino,
                    found.st_ctime_ns,  # who sets the time of the content back (cp -p, os.utime) cannot set that one
                    # chown and chmod leave the time of the content as it is
                    found.st_uid,
                    found.st_gid,
                    found.st_mode,
                    os.access(path, os.R_OK),
                )
        except OSError:
            pass
        return None, None
