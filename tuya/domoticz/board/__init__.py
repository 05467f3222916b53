"""Puts the distribution board page into Domoticz's Custom menu and takes it out again. Knows no breaker and no LAN.

Domoticz lists each *.html file of <www>/templates in its Custom menu and serves the folder to logged-in browsers. The
page reads Domoticz's JSON API; what that cannot tell (when a breaker last answered) comes from one small state file
an instance, kept in memory (/dev/shm) where there is such a place, so that no SD card wears out.

Several hardware instances share the page, also of two Domoticz processes with one web folder: each has its own state
file, named by process and hardware and listed in index.json; the last one that stops takes the page along.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import stat
import time
from pathlib import Path
from typing import Dict, List, Mapping, NamedTuple, Optional

PAGE_NAME = "Distribution_board"
MARK = 'id="tuya-board"'  # stands in our page and in nobody else's
SOURCE_FOLDER = Path(__file__).resolve().parent
PARTS = ("board.css", "board.js")
INDEX = "index.json"
STATE_FILES = "state-*.json"
MEMORY_FOLDER = Path("/dev/shm")  # noqa: S108 - owned by the kernel; the files there are 0600 and named by process
MEMORY_FILE = re.compile(r"tuya-board-(\d+)-\d+\.json(\.new)?")  # ours: process, hardware
DISK_INTERVAL_S = 60.0
ABANDONED_S = 3600.0  # a running instance writes its file every 2 s; the number of a dead process may be another's now
FNV_OFFSET = 0x811C9DC5
FNV_PRIME = 0x01000193


class BoardError(Exception):
    """The page cannot be installed; says why and what to do. The plugin works without it."""


class BreakerState(NamedTuple):
    """What the page needs beside Domoticz's JSON. answered_at: seconds since 1970, None before the first answer."""

    answered_at: Optional[float]
    read_only: bool = False


def short_hash(device_id: str) -> str:
    """FNV-1a, 32 bits, 8 hex digits: names a breaker in the state file without telling its id (board.js does the same).

    http://www.isthe.com/chongo/tech/comp/fnv/
    """
    value = FNV_OFFSET
    for byte in device_id.encode("latin-1", errors="replace"):
        value = ((value ^ byte) * FNV_PRIME) & 0xFFFFFFFF
    return f"{value:08x}"


def find_www(startup_folder: str, command_line: Optional[List[str]] = None) -> Path:
    """Domoticz's web folder: -wwwroot of its command line, else <startup folder>/www.

    command_line: the words Domoticz was started with; read from /proc where it is not given.
    """
    words = _own_command_line() if command_line is None else command_line
    for word, following in zip(words, words[1:]):
        if word == "-wwwroot":
            return Path(following)
    return Path(startup_folder) / "www"


def _own_command_line() -> List[str]:
    try:
        return Path("/proc/self/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []


class Board:
    """The page on behalf of one hardware instance. All methods are for the plugin thread; none raises but install."""

    def __init__(self, www: Path, hardware_id: int, memory_folder: Optional[Path] = MEMORY_FOLDER) -> None:
        self._templates = www / "templates"
        self._folder = self._templates / PAGE_NAME
        self._page = self._templates / f"{PAGE_NAME}.html"
        self._hardware_id = hardware_id
        self._link = self._folder / f"state-{os.getpid()}-{hardware_id}.json"
        self._memory_file: Optional[Path] = None
        if memory_folder is not None and memory_folder.is_dir() and os.access(memory_folder, os.W_OK):
            self._memory_file = memory_folder / f"tuya-board-{os.getpid()}-{hardware_id}.json"
        self._installed = False
        self._written_at: Optional[float] = None

    def install(self) -> None:
        """Write or refresh the page. Raises BoardError where it may not, or where another file has its name."""
        if self._memory_file is not None:
            forget_the_dead(self._memory_file.parent)
        if not self._templates.is_dir():
            raise BoardError(f"the distribution board was not installed: there is no folder {self._templates}")
        try:
            if self._page.exists() and MARK not in self._page.read_text(encoding="utf-8", errors="replace"):
                raise BoardError(f"the distribution board was not installed: {self._page} is somebody else's page")
            self._folder.mkdir(exist_ok=True)
            self._forget_the_dead()
            for name in PARTS:
                _write_if_changed(self._folder / name, (SOURCE_FOLDER / name).read_bytes())
            self._write_index()
            _write_if_changed(self._page, (SOURCE_FOLDER / "page.html").read_bytes())
        except OSError as error:
            raise BoardError(
                f"the distribution board was not installed: {self._templates} cannot be written ({error.strerror}). "
                "Everything else works without it"
            ) from error
        self._installed = True

    def publish(self, states: Mapping[str, BreakerState], now_s: float, interval_s: float) -> None:
        """Tell the page when each breaker last answered. now_s: seconds since 1970; interval_s: time to the next call.

        Without a place in memory it is written once in 60 s at most. A failed write is left for the next call.
        """
        if not self._installed:
            return
        if self._memory_file is None:
            interval_s = DISK_INTERVAL_S
            if self._written_at is not None and 0 <= now_s - self._written_at < DISK_INTERVAL_S:
                return
        breakers: Dict[str, object] = {
            short_hash(device_id): {
                "answered": None if state.answered_at is None else round(state.answered_at, 1),
                "read_only": state.read_only,
            }
            for device_id, state in states.items()
        }
        content = json.dumps(
            {
                "hardware": self._hardware_id,
                "time": round(now_s, 1),
                "interval_s": interval_s,
                "breakers": breakers,
            }
        ).encode()
        with contextlib.suppress(OSError):
            target = self._memory_file or self._link
            _replace(target, content)
            if self._memory_file is not None and not self._link.is_symlink():
                with contextlib.suppress(FileNotFoundError):
                    self._link.unlink()
                self._link.symlink_to(self._memory_file)
            if self._written_at is None:
                self._write_index()
            self._written_at = now_s

    def remove(self) -> None:
        """Take this instance's state away, and the page with the last one. Safe to call twice."""
        if not self._installed:
            return
        self._installed = False
        with contextlib.suppress(OSError):
            _unlink(self._link)
            if self._memory_file is not None:
                _unlink(self._memory_file)
            self._forget_the_dead()
            if list(self._folder.glob(STATE_FILES)):
                self._write_index()
                return
            _unlink(self._page)
            for name in (*PARTS, INDEX):
                _unlink(self._folder / name)
            self._folder.rmdir()

    def _write_index(self) -> None:
        """Tell the page the version of its parts and where the instances put their states."""
        states = sorted(path.name for path in self._folder.glob(STATE_FILES))
        _write_if_changed(self._folder / INDEX, json.dumps({"version": _version(), "states": states}).encode())

    def _forget_the_dead(self) -> None:
        """Drop state files of processes that ended without taking them along: state-<process>-<hardware>.json."""
        for path in self._folder.glob(STATE_FILES):
            words = path.stem.split("-")
            if len(words) == 3 and words[1].isdigit() and not _runs(int(words[1])):
                _unlink(path)


def forget_the_dead(memory_folder: Path = MEMORY_FOLDER) -> List[str]:
    """Remove what processes of this user left in memory when they were killed; returns the names. Raises nothing.

    The folder is everybody's: only files of this user count, and no link is followed. A file that is missed by a live
    instance after all (of a container that shares the folder and not the numbers of processes) is there again at once.
    """
    removed = []
    with contextlib.suppress(OSError):
        for path in sorted(memory_folder.iterdir()):
            named = MEMORY_FILE.fullmatch(path.name)
            if named is None:
                continue
            with contextlib.suppress(OSError):
                status = path.lstat()
                is_ours = stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid()
                if is_ours and (not _runs(int(named[1])) or time.time() - status.st_mtime > ABANDONED_S):
                    path.unlink()
                    removed.append(path.name)
    return removed


def _runs(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except OverflowError:
        return False  # no process has such a number
    except OSError:
        return True  # somebody else's process: alive
    return True


def _version() -> str:
    """A short name of the page's content: browsers keep files for a day, and this makes them fetch new ones."""
    digest = hashlib.sha256()
    for name in PARTS:
        digest.update((SOURCE_FOLDER / name).read_bytes())
    return digest.hexdigest()[:12]


def _write_if_changed(path: Path, content: bytes) -> None:
    with contextlib.suppress(FileNotFoundError):
        if path.read_bytes() == content:
            return
    _replace(path, content)
    path.chmod(0o644)


def _replace(path: Path, content: bytes) -> None:
    """Write a whole file at once: a reader sees the old one or the new one.

    The memory folder is everybody's: the new file must not exist, so that no link of a stranger is followed.
    """
    fresh = path.with_name(path.name + ".new")
    _unlink(fresh)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    fresh.replace(path)


def _unlink(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
