"""Who is at the other end of a Unix socket, as the kernel says it (SO_PEERCRED), and whether that one is trusted.

Trusted are root, the user of this process and the owner of the plugin's folder (who could change our code anyway).
The kernel notes a client's user when it connects, and a listener's user when it calls listen(): neither can be forged.
In a container another user may look like one of ours only where the container shares our user namespace's numbers.

A program may take the word of further users as owners of devices (accept_owners): what they say is heard and their
locks count. They get nothing by it: who may listen to us and command our devices stays with the trusted ones.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import sys
from pathlib import Path
from typing import Callable, FrozenSet, NamedTuple, Optional

PLUGIN_FOLDER = Path(__file__).resolve().parents[3]
_UCRED = struct.Struct("iII")  # struct ucred of linux/socket.h: pid, uid, gid; unmapped ids come as 4294967295


# asked for the number of a user who is not trusted; for all of this process
_accepts_owner: Optional[Callable[[int], bool]] = None


class Peer(NamedTuple):
    """The process at the other end: numbers of this process's own namespaces (pid 0: in another pid namespace)."""

    pid: int
    uid: int
    gid: int


def peer_of(sock: socket.socket) -> Optional[Peer]:
    """The process at the other end of a connected Unix socket; None where the kernel does not tell.

    On the connecting side it is who called listen(), also before the other one has accepted. Never raises.
    """
    if sys.platform.startswith("linux"):
        with contextlib.suppress(OSError):
            return Peer(*_UCRED.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)))
    return None


def trusted_users() -> FrozenSet[int]:
    """The users that may hear of our devices, switch them, and keep them from us: root, ours, the folder's owner."""
    users = {0, os.geteuid()}
    with contextlib.suppress(OSError):  # the folder is gone from under us
        users.add(PLUGIN_FOLDER.stat().st_uid)
    return frozenset(users)


def is_trusted(sock: socket.socket) -> bool:
    """Whether the other end of a connected Unix socket belongs to a trusted user. Unknown ends are not trusted."""
    peer = peer_of(sock)
    return peer is not None and peer.uid in trusted_users()


def accept_owners(accepts: Optional[Callable[[int], bool]]) -> None:
    """From now on a user whom `accepts` says yes to may own devices, beside the trusted ones; None: nobody else may."""
    global _accepts_owner
    _accepts_owner = accepts


def may_own(uid: Optional[int]) -> bool:
    """Whether a user may keep devices from us and tell us of them. An unknown one may not."""
    if uid is None:
        return False
    return uid in trusted_users() or (_accepts_owner is not None and _accepts_owner(uid))


def is_owner(sock: socket.socket) -> bool:
    """Whether who listens at the other end of a connected Unix socket may own devices."""
    peer = peer_of(sock)
    return peer is not None and may_own(peer.uid)
