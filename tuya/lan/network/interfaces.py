"""The IPv4 addresses of this machine, and the broadcast addresses around it, without a package for it."""

from __future__ import annotations

import socket
import struct
import sys
from typing import List, Optional, Tuple

if sys.platform != "win32":
    import fcntl  # here and not where it is needed: an import takes a file descriptor

# linux/sockios.h: address, broadcast address and flags of an interface, by name
_SIOCGIFADDR, _SIOCGIFFLAGS, _SIOCGIFBRDADDR = 0x8915, 0x8913, 0x8919
_IFF_UP, _IFF_BROADCAST, _IFF_LOOPBACK = 0x1, 0x2, 0x8
_IFREQ_BYTES, _NAME_BYTES = 256, 15
LOOPBACK = ("127.0.0.1", "127.255.255.255")
_ANY_PORT = 9
EVERYWHERE = ("0.0.0.0", "255.255.255.255")  # noqa: S104 - no bind: the address that stands for "me" in a request


def broadcasts() -> List[Tuple[str, str]]:
    """(own address, broadcast address) of each interface that is up; one for all where they cannot be listed."""
    if not sys.platform.startswith("linux"):
        return [EVERYWHERE, LOOPBACK]
    found: List[Tuple[str, str]] = []
    try:
        names = [name for _, name in socket.if_nameindex()]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            for name in names:
                pair = _broadcast_of(sock, name)
                if pair is not None and pair not in found:
                    found.append(pair)
    except OSError:
        return [EVERYWHERE, LOOPBACK]
    return found


def is_loopback(address: str) -> bool:
    """Whether an IPv4 address leads nowhere but to this machine, from any machine."""
    return address.startswith("127.")


def is_own(address: str) -> bool:
    """Whether an interface has this IPv4 address: the kernel would send from it to itself. Nothing is sent."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect((address, _ANY_PORT))
            name: Tuple[str, int] = sock.getsockname()
    except OSError:  # no way there, or a broadcast address
        return False
    return name[0] == address


def _broadcast_of(sock: socket.socket, name: str) -> Optional[Tuple[str, str]]:
    flags_raw = _ask(sock, name, _SIOCGIFFLAGS)
    if flags_raw is None:
        return None
    flags: int = struct.unpack_from("H", flags_raw)[0]
    if not flags & _IFF_UP:
        return None
    if flags & _IFF_LOOPBACK:
        return LOOPBACK
    address = _ask(sock, name, _SIOCGIFADDR)
    broadcast = _ask(sock, name, _SIOCGIFBRDADDR)
    if not flags & _IFF_BROADCAST or address is None or broadcast is None:
        return None
    return socket.inet_ntoa(address[4:8]), socket.inet_ntoa(broadcast[4:8])


def _ask(sock: socket.socket, name: str, what: int) -> Optional[bytes]:
    """The union part of struct ifreq, or None when the interface has no such thing."""
    if sys.platform == "win32":
        return None
    request = struct.pack(f"{_IFREQ_BYTES}s", name.encode("utf-8")[:_NAME_BYTES])
    try:
        answer: bytes = fcntl.ioctl(sock.fileno(), what, request)
    except OSError:
        return None
    return answer[_NAME_BYTES + 1 :]
