"""Which names of the abstract namespace are bound on this machine, and by which user: the kernel's own list.

Two sources: sock_diag (a netlink socket; names with their users since Linux 5.3) and, where that is not to be had,
/proc/net/unix, which knows no users: those are asked for by a connection (SO_PEERCRED). Both see this process's network
namespace only, as abstract names themselves do.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
from pathlib import Path
from typing import Dict, Optional

from .peer_credentials import peer_of

# linux/netlink.h, linux/sock_diag.h, linux/unix_diag.h
_NETLINK_SOCK_DIAG, _SOCK_DIAG_BY_FAMILY, _REQUEST_DUMP = 4, 20, 0x301
_DONE, _ERROR = 3, 2
_SHOW_NAME, _SHOW_UID = 0x1, 0x40
_NAME, _UID = 0, 7  # attributes
_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, port
_REQUEST = struct.Struct("=BBHIIIII")  # family, protocol, padding, states, inode, what to show, cookie [2]
_MESSAGE = struct.Struct("=BBBBIII")  # family, type, state, padding, inode, cookie [2]
_ATTRIBUTE = struct.Struct("=HH")  # length with these 4 bytes, type
_ANY = 0xFFFFFFFF
_READ_BYTES = 64 * 1024
_TIMEOUT_S = 0.5
_LISTED = Path("/proc/net/unix")


def users_of(prefix: str, kind: int) -> Dict[str, Optional[int]]:
    """The bound names that begin with `prefix` (a zero byte and so on), each with its user; None: user unknown.

    kind: socket.SOCK_STREAM or SOCK_DGRAM; the names of one kind are not those of the other. Empty where nothing can be
    found out. Never raises OSError.
    """
    if not sys.platform.startswith("linux"):
        return {}
    wanted = prefix.encode("utf-8", "replace")
    with contextlib.suppress(OSError, struct.error):
        return _by_sock_diag(wanted, kind)
    names: Dict[str, Optional[int]] = {}
    with contextlib.suppress(OSError):
        for line in _LISTED.read_bytes().splitlines()[1:]:
            fields = line.split(None, 7)
            if len(fields) == 8 and int(fields[4], 16) == kind and fields[7].startswith(b"@" + wanted[1:]):
                name = "\0" + fields[7][1:].decode("utf-8", "replace")
                if name not in names:  # its connections stand there too
                    names[name] = _user_by_connecting(name, kind)
    return names


def _by_sock_diag(wanted: bytes, kind: int) -> Dict[str, Optional[int]]:
    """Raises OSError where the kernel has no sock_diag for Unix sockets, struct.error where it answers nonsense."""
    names: Dict[str, Optional[int]] = {}
    with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _NETLINK_SOCK_DIAG) as sock:
        sock.settimeout(_TIMEOUT_S)
        request = _REQUEST.pack(socket.AF_UNIX, 0, 0, _ANY, 0, _SHOW_NAME | _SHOW_UID, _ANY, _ANY)
        sock.send(_HEADER.pack(_HEADER.size + len(request), _SOCK_DIAG_BY_FAMILY, _REQUEST_DUMP, 1, 0) + request)
        while True:
            data = sock.recv(_READ_BYTES)
            at = 0
            while at + _HEADER.size <= len(data):
                length, what = _HEADER.unpack_from(data, at)[:2]
                if what == _DONE:
                    return names
                if what == _ERROR or length < _HEADER.size:
                    raise OSError("no list of Unix sockets")
                # most are not ours: no look inside of those
                if data.find(wanted, at, at + length) >= 0:
                    _add(names, data[at + _HEADER.size : at + length], wanted, kind)
                at += length + 3 & ~3


def _add(names: Dict[str, Optional[int]], message: bytes, wanted: bytes, kind: int) -> None:
    name, user = b"", None
    at = _MESSAGE.size
    while at + _ATTRIBUTE.size <= len(message):
        length, what = _ATTRIBUTE.unpack_from(message, at)
        if length < _ATTRIBUTE.size:
            break
        value = message[at + _ATTRIBUTE.size : at + length]
        if what == _NAME:
            name = value
        elif what == _UID:
            user = int.from_bytes(value, sys.byteorder)
        at += length + 3 & ~3
    if message[1] == kind and name.startswith(wanted):
        text = name.decode("utf-8", "replace")
        if text not in names:  # its connections stand there too
            names[text] = _user_by_connecting(text, kind) if user is None else user


def _user_by_connecting(name: str, kind: int) -> Optional[int]:
    if kind != socket.SOCK_STREAM:
        return None
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, kind) as sock:
        sock.setblocking(False)
        sock.connect(name)
        peer = peer_of(sock)
        return None if peer is None else peer.uid
    return None
