"""When a device's connection was closed, told to the next process: the pause holds over restarts. No protocol.

One small file per device in a folder that only this user can enter, holding a time of the monotonic clock, which all
processes of a machine share. Anybody can take the folder's name first: then it is one with something random behind the
name, found again by whose it is. Whatever else is wrong with folder or file means that nothing is known, and nobody
waits.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tempfile
import time
from pathlib import Path
from typing import Callable, Optional

from ..limits import PAUSE_MAX_S

_FILE_BYTES = 64
_OPEN_FOLDER = getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0) | os.O_RDONLY
_NO_LINKS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)  # and no waiting for the end of a pipe


class Closings:
    """Ages in seconds go in and out. Nothing raises."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._folder: Optional[int] = None
        with contextlib.suppress(OSError, AttributeError, NotImplementedError):  # another system, a strange folder
            self._folder = _find_folder(Path(tempfile.gettempdir()) / f"tuya-breakers-{os.getuid()}")

    def remember(self, device_id: str, age_s: float) -> None:
        """The connection of this device was closed so long ago."""
        if self._folder is None:
            return
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _NO_LINKS
        with contextlib.suppress(OSError):
            descriptor = os.open(_file_name(device_id), flags, 0o600, dir_fd=self._folder)
            try:
                os.write(descriptor, repr(self._clock() - age_s).encode("ascii"))
            finally:
                os.close(descriptor)

    def recall(self, device_id: str) -> Optional[float]:
        """How long ago it was closed, None where that is unknown or too long ago to matter. Forgotten by asking."""
        if self._folder is None:
            return None
        name = _file_name(device_id)
        try:
            descriptor = os.open(name, os.O_RDONLY | _NO_LINKS, dir_fd=self._folder)
            try:
                age_s = self._clock() - float(os.read(descriptor, _FILE_BYTES))
            finally:
                os.close(descriptor)
                os.unlink(name, dir_fd=self._folder)
        except (OSError, ValueError):
            return None
        # a time of an earlier boot is too old or still to come (and a NaN is neither)
        return age_s if 0.0 <= age_s < PAUSE_MAX_S else None

    def close(self) -> None:
        """Let go of the folder."""
        folder, self._folder = self._folder, None
        if folder is not None:
            os.close(folder)


def _find_folder(path: Path) -> Optional[int]:
    """The folder, open: the usual one; where somebody else has its name, another one of ours, made if need be.

    Raises OSError. None where the usual one is ours and still not private.
    """
    with contextlib.suppress(FileExistsError):
        path.mkdir(0o700)
    # by whose it is before anything is opened: a pipe of somebody else would keep us waiting
    if _is_ours(path):
        return _private_folder(path)
    for other in path.parent.glob(f"{path.name}-*"):
        if _is_ours(other):
            folder = _private_folder(other)
            if folder is not None:
                return folder
    return _private_folder(Path(tempfile.mkdtemp(prefix=f"{path.name}-", dir=path.parent)))


def _is_ours(path: Path) -> bool:
    try:
        return os.lstat(path).st_uid == os.getuid()
    except FileNotFoundError:
        return False


def _private_folder(path: Path) -> Optional[int]:
    """The folder, open; None when it is not ours alone. Raises OSError."""
    folder = os.open(path, _OPEN_FOLDER)
    status = os.fstat(folder)
    if status.st_uid == os.getuid() and not stat.S_IMODE(status.st_mode) & 0o077:
        return folder
    os.close(folder)
    return None


def _file_name(device_id: str) -> str:
    return hashlib.sha256(device_id.encode("utf-8", "replace")).hexdigest()[:32]
