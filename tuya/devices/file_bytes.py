"""The bytes of a devices file, or why they cannot be had, with the cure. Knows nothing of what they mean."""

from __future__ import annotations

import os
import pwd
import shlex
import stat
from pathlib import Path

MAX_FILE_BYTES = 16 * 1024 * 1024  # a household's file is some 100 kB; more is not a devices file
_MAX_SHOWN_PATH = 200


class DevicesFileError(Exception):
    """The file cannot be read, or is no JSON that could hold devices. line: 1-based, 0 = the file as a whole."""

    def __init__(self, line: int, what: str, path: str = "devices.json") -> None:
        self.line = line
        self.what = what
        self.path = path
        super().__init__(f"{path}:{line}: {what}" if line else f"{path}: {what}")


def is_there(path: Path) -> bool:
    """Whether there is anything of that name, or nobody can say: reading it tells why. Raises nothing."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError):  # no right to look, a name of 5,000 characters, a link to itself, a NUL in it
        return True
    return True


def read_bytes(path: Path) -> bytes:
    """Read a devices file. Raises DevicesFileError, with the cure: no right to read it, too large, no file at all.

    What is no file (a pipe, a device, a socket) is not even opened: that could wait for ever.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise DevicesFileError(0, "this is no file (but a folder, a pipe or a device)", str(path))
        # not blocking: it may have become a pipe meanwhile
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            data = file.read(MAX_FILE_BYTES + 1) or b""
    except PermissionError as error:
        raise DevicesFileError(0, f"it cannot be read: {error.strerror}. {_cure_of_rights(path)}", str(path)) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error) or "unknown reason"
        raise DevicesFileError(0, f"it cannot be read: {reason}", _cut(str(path))) from None
    if len(data) > MAX_FILE_BYTES:
        raise DevicesFileError(0, "this is no devices file: it is too large", str(path))
    return data


def _cure_of_rights(path: Path) -> str:
    """What lets the user that this process runs as read the file."""
    try:
        user = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        user = str(os.geteuid())
    if not os.access(path.parent, os.X_OK):
        return f"Give another place, or let {user} enter its folder, {path.parent}"
    return f"Let the user that this runs as read it: sudo chown {user} {shlex.quote(str(path))}"


def _cut(path: str) -> str:
    return path if len(path) <= _MAX_SHOWN_PATH else f"{path[:_MAX_SHOWN_PATH]}..."
