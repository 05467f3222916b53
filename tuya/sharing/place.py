"""Where owners are heard: a Unix socket with a name that nobody else can have, and how to get there.

Abstract sockets are named "@tuya-breakers/share/..." in what people and programs read, as in /proc/net/unix; where the
system has none, the socket is a file in a folder that only its user can enter.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import tempfile
from pathlib import Path
from typing import List, Optional, Union

from ..lan.locks.device_lock import HAS_ABSTRACT_SOCKETS
from ..lan.locks.peer_credentials import is_owner, is_trusted

PREFIX = "@tuya-breakers/share/"
_BACKLOG = 32
_UNIX_SOCKETS = Path("/proc/net/unix")
_LISTENING = "00010000"  # flag __SO_ACCEPTCON in the fourth column


def new_address() -> str:
    """Return an address for an owner that begins; "" where none can be had (no private folder)."""
    name = f"{os.getpid()}-{os.urandom(8).hex()}"
    if HAS_ABSTRACT_SOCKETS:
        return PREFIX + name
    folder = _folder()
    return str(folder / name) if folder is not None else ""


def pid_of(address: str) -> int:
    """Return the process that an owner's address names; 0 where it names none. Anybody can choose a name."""
    number = address.rpartition("/")[2].partition("-")[0]
    return int(number) if number.isascii() and number.isdigit() else 0


def _folder() -> Optional[Path]:
    """Return the folder of socket files, made if need be; None when it is not ours alone."""
    folder = Path(tempfile.gettempdir()) / f"tuya-breakers-{os.getuid()}"
    try:
        with contextlib.suppress(FileExistsError):
            folder.mkdir(0o700)
        status = folder.lstat()
    except OSError:
        return None
    is_private = stat.S_ISDIR(status.st_mode) and not stat.S_IMODE(status.st_mode) & 0o077
    return folder if is_private and status.st_uid == os.getuid() else None


def _socket_address(address: str) -> Union[str, bytes]:
    return "\0" + address[1:] if address.startswith("@") else address


def listen(address: str) -> socket.socket:
    """Return a socket on which others arrive. Raises OSError."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.bind(_socket_address(address))
        sock.listen(_BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


def leave(address: str) -> None:
    """Remove what a socket file leaves behind."""
    if address and not address.startswith("@"):
        with contextlib.suppress(OSError):
            Path(address).unlink()


def may_hear(sock: socket.socket, address: str) -> bool:
    """Whether who came to us is trusted: by the kernel's word, or because only our user can have made the file."""
    return is_trusted(sock) or _is_private(address)


def _is_private(address: str) -> bool:
    return not HAS_ABSTRACT_SOCKETS and not address.startswith("@") and _folder() is not None


def connect(address: str, of_anybody: bool = False) -> Optional[socket.socket]:
    """Return a connection to an owner, not blocking; None when nobody is there, or somebody whose word does not count.

    of_anybody: also to the latter, to see who it is.
    """
    if not address.startswith("@") and _folder() != Path(address).parent:
        return None
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.connect(_socket_address(address))
    except (OSError, ValueError):  # gone, or its queue is full; or a name with a zero in it
        sock.close()
        return None
    if not (of_anybody or is_owner(sock) or _is_private(address)):
        sock.close()
        return None
    return sock


def addresses() -> List[str]:
    """Return where owners are heard on this machine, as far as this process can see."""
    if not HAS_ABSTRACT_SOCKETS:
        folder = _folder()
        return sorted(str(path) for path in folder.iterdir() if path.is_socket()) if folder is not None else []
    found = set()
    with contextlib.suppress(OSError):
        for line in _UNIX_SOCKETS.read_text(encoding="ascii", errors="replace").splitlines():
            words = line.split()
            if len(words) == 8 and words[3] == _LISTENING and words[7].startswith(PREFIX):
                found.add(words[7])
    return sorted(found)
