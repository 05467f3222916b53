"""One connection per address over all processes and instances of this machine.

The lock per device id (owner.py) does not help where a stale address of one device is the present one of another that
somebody else serves: a second connection would be opened beside theirs. So the address is locked too, from connect to
close, by an abstract Unix socket that nobody connects to. Without abstract sockets, or descriptors, nothing is locked.
"""

from __future__ import annotations

import errno
import socket
from typing import Dict

from .address_use import Place
from .bound_names import users_of
from .device_lock import HAS_ABSTRACT_SOCKETS
from .peer_credentials import may_own


class AddressLocks:
    """The addresses that one client has locked."""

    def __init__(self) -> None:
        self._held: Dict[Place, socket.socket] = {}

    def claim(self, place: Place) -> bool:
        """Lock an address. False while somebody else on this machine is connected there."""
        if not HAS_ABSTRACT_SOCKETS or place in self._held:
            return True
        try:
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        except OSError:  # no more file descriptors: the connection itself will say so
            return True
        name = "\0tuya-breakers/address/{}:{}".format(*place)
        try:
            sock.bind(name)
        except OSError as error:
            sock.close()
            return error.errno != errno.EADDRINUSE or _is_squatted(name)
        self._held[place] = sock
        return True

    def release(self, place: Place) -> None:
        """Let others have it; nothing happens for one that is not locked."""
        sock = self._held.pop(place, None)
        if sock is not None:
            sock.close()

    def close(self) -> None:
        """Release all."""
        for place in list(self._held):
            self.release(place)


def _is_squatted(name: str) -> bool:
    """Whether a user who has no right to it has bound this name, who then keeps nobody away."""
    user = users_of(name, socket.SOCK_DGRAM).get(name)
    return user is not None and not may_own(user)
