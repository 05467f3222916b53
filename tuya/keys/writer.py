"""Writes a devices.json so that it is never half there and never readable by others.

A new file is 0600 for the user that Domoticz runs as (0640 with its group where we are another user and may give it
to that group); a file that exists keeps owner, group and mode.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import stat
from pathlib import Path
from typing import Any, Iterator, List, Optional

from tuya.keys.accounts import ROOT_UID, Account
from tuya.process import CommandError

GROUP_MODE = 0o640
PRIVATE_MODE = 0o600
BACKUP_SUFFIX = ".bak"
UNFINISHED_SUFFIX = ".new"


def real_path(path: Path) -> Path:
    """What a link stands for: it stays a link. Raises CommandError for one that points to itself."""
    with contextlib.suppress(OSError, RuntimeError):  # RuntimeError: a loop, before Python 3.13
        real = path.resolve()
        if not real.is_symlink():
            return real
    raise CommandError(f"{path} is a link that leads nowhere")


@contextlib.contextmanager
def only_writer(path: Path) -> Iterator[None]:
    """Make others that want to change the file wait, so that none works on what another is about to replace.

    The lock is on the folder: the file itself is replaced, and a lock file would stay behind.
    """
    try:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {path.parent}: {error.strerror}") from None
    try:
        with contextlib.suppress(OSError):  # a file system without locks: as without other writers
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def write_devices(path: Path, document: Any, reader: Optional[Account]) -> str:
    """Replace `path` by the JSON of `document`, all or nothing; the old content stays in <name>.bak.

    reader: the account that Domoticz runs as, None = unknown. Returns a sentence that the user must know (a file
    that Domoticz cannot read), else "". Raises CommandError when it cannot be written.
    """
    target = real_path(path)
    content = (json.dumps(document, indent=4, ensure_ascii=False) + "\n").encode("utf-8", "surrogatepass")
    try:
        if target.exists():
            old = target.stat()
            _replace(target.with_name(target.name + BACKUP_SUFFIX), target.read_bytes(), old)
            _replace(target, content, old)
            return _advice(target, reader)
        _replace(target, content, None)
        return _let_read(target, reader)
    except OSError as error:
        raise CommandError(f"{target} cannot be written: {error.strerror or error}") from None


def leftovers(path: Path) -> List[Path]:
    """What a writer that was killed (kill -9, power cut) may have left beside a devices file: keys are in it.

    The second form of the names is that of earlier releases.
    """
    names = (path.name, path.name + BACKUP_SUFFIX)
    found = [_unfinished(path.with_name(name)) for name in names]
    with contextlib.suppress(OSError):
        for name in names:
            found += [other for other in path.parent.iterdir() if other.name.startswith(f".{name}-")]
    return sorted(other for other in set(found) if other.is_symlink() or other.is_file())


def remove_leftovers(path: Path) -> List[Path]:
    """Remove them, and return which there were. Only for whoever is the only writer."""
    removed = leftovers(path)
    for other in removed:
        other.unlink()
    return removed


def _unfinished(target: Path) -> Path:
    """The name that a new content has until it is complete: always the same, so that the next writer takes it over."""
    return target.with_name(f".{target.name}{UNFINISHED_SUFFIX}")


def _replace(target: Path, content: bytes, like: Optional[os.stat_result]) -> None:
    """Write a file beside `target`, push it to the disk, and let it take the name `target`."""
    unfinished = _unfinished(target)
    with contextlib.suppress(FileNotFoundError):
        unfinished.unlink()
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE_MODE)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            if like is not None:
                _copy_rights(file.fileno(), like)
            file.flush()
            os.fsync(file.fileno())
            if not os.path.samestat(os.fstat(file.fileno()), unfinished.lstat()):
                raise BlockingIOError(errno.EAGAIN, "somebody else writes it at the same time; run this again")
        unfinished.replace(target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            unfinished.unlink()
        raise
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # so that the new name survives a power cut
    finally:
        os.close(folder)


def _copy_rights(descriptor: int, like: os.stat_result) -> None:
    mine = os.fstat(descriptor)
    if (mine.st_uid, mine.st_gid) != (like.st_uid, like.st_gid):
        try:
            os.fchown(descriptor, like.st_uid, like.st_gid)
        except PermissionError:
            # Only root may give files away. Replacing would take the file from its owner, so it must not happen.
            raise PermissionError(
                1, f"it belongs to {Account(like.st_uid, like.st_gid).name}: run this as that user"
            ) from None
    os.fchmod(descriptor, stat.S_IMODE(like.st_mode))


def _let_read(target: Path, reader: Optional[Account]) -> str:
    """Let the account that Domoticz runs as read a new file. Returns what is to be done where that is impossible."""
    if reader is None or reader.uid in (os.geteuid(), ROOT_UID):
        return ""
    if os.geteuid() == ROOT_UID:
        os.chown(target, reader.uid, reader.gid)
        return _advice(target, reader)
    with contextlib.suppress(PermissionError):
        os.chown(target, -1, reader.gid)
        target.chmod(GROUP_MODE)
    return _advice(target, reader)


def _advice(target: Path, reader: Optional[Account]) -> str:
    """What lets Domoticz read the file, "" where it can or nobody knows as whom it runs."""
    if reader is None or reader.may_read(target):
        return ""
    if not reader.may_enter(target.parent):
        return f"Domoticz runs as {reader.name}, who cannot enter {target.parent}: put the file elsewhere"
    return f"Domoticz runs as {reader.name}, who cannot read this file yet: sudo chown {reader.name} {target}"
