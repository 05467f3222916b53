"""Announcements on UDP as a device makes them, and its answer to REQ_DEVINFO. Sends on loopback only.

3.1 announces in plain text on 6666, 3.2-3.4 encrypted on 6667, each about every 5 s while nobody is connected; 3.5
stays silent until a REQ_DEVINFO (command 37) comes in on 7000 and answers there. 127.255.255.255 reaches every socket
on this machine that is bound to the port on all addresses, as a broadcast does in a network, and never leaves it.
"""

from __future__ import annotations

import json
import socket
from typing import Dict, NamedTuple, Optional

from .breaker import Breaker
from .ciphers import ANNOUNCEMENT_KEY, Ecb
from .frames import WORD, Wire, seal_55aa, seal_6699

INTERVAL_S = 5.0
LOOPBACK_BROADCAST = "127.255.255.255"
UDP, UDP_NEW, BROADCAST_34, REQ_DEVINFO = 0, 0x13, 0x23, 0x25


class Ports(NamedTuple):
    """UDP ports; others than the real ones are for tests."""

    plain: int = 6666
    encrypted: int = 6667
    asked: int = 7000


def said_version(breaker: Breaker) -> str:
    """The version that this breaker announces, and the form in which it does: its own, unless a fault lies."""
    return str((breaker.faults.get("says_version") or {"version": breaker.version})["version"])


def announcement(breaker: Breaker) -> bytes:
    """The datagram that this breaker announces itself with."""
    version = said_version(breaker)
    facts: Dict[str, object] = {
        "ip": breaker.host,
        "gwId": breaker.device_id,
        "active": 2,
        "ability": 0,
        "mode": 0,
        "encrypt": True,
        "productKey": breaker.product.product_id,
        "version": version,
    }
    if version >= "3.4":
        facts.update(token=True, wf_cfg=True)
    plain = json.dumps(facts, separators=(",", ":")).encode()
    if version == "3.1":
        return seal_55aa(UDP, 0, plain)
    if version == "3.5":
        return seal_6699(ANNOUNCEMENT_KEY, BROADCAST_34, 0, WORD.pack(0) + plain)
    command = BROADCAST_34 if version == "3.4" else UDP_NEW
    return seal_55aa(command, 0, Ecb(ANNOUNCEMENT_KEY).encrypt(plain))


def waits_to_be_asked(breaker: Breaker) -> bool:
    """Whether this breaker announces itself only in answer to a REQ_DEVINFO, as 3.5 does."""
    return said_version(breaker) == "3.5" or breaker.faults.get("asked_only") is not None


def port_of(breaker: Breaker, ports: Ports) -> int:
    """Where this breaker announces itself."""
    if said_version(breaker) == "3.1":
        return ports.plain
    return ports.asked if waits_to_be_asked(breaker) else ports.encrypted


def is_question(datagram: bytes) -> bool:
    """Whether a datagram on 7000 is a client's REQ_DEVINFO."""
    wire = Wire("3.5", ANNOUNCEMENT_KEY)
    return any(request.intact and request.command == REQ_DEVINFO for request in wire.requests(datagram))


class Announcer:
    """Announces breakers and hears questions. ports: where; interval_s: how often."""

    def __init__(self, ports: Ports, interval_s: float) -> None:
        self._ports = ports
        self.interval_s = interval_s
        self.questions: Optional[socket.socket] = None

    def open(self) -> Optional[socket.socket]:
        """A socket on which REQ_DEVINFO arrives, on loopback's broadcast address only; None where that is taken."""
        listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setblocking(False)
        try:
            listener.bind((LOOPBACK_BROADCAST, self._ports.asked))
        except OSError:
            listener.close()
            return None
        self.questions = listener
        return listener

    def is_asked(self) -> bool:
        """Read one datagram; whether it is a REQ_DEVINFO."""
        if self.questions is None:
            return False
        try:
            return is_question(self.questions.recv(2048))
        except OSError:
            return False

    def announce(self, breaker: Breaker) -> None:
        """Send one announcement, from the breaker's own address. What the network refuses is lost, as on air."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            try:
                sender.bind((breaker.host, 0))
                sender.sendto(announcement(breaker), (LOOPBACK_BROADCAST, port_of(breaker, self._ports)))
            except OSError:
                return

    def close(self) -> None:
        """Hear no more."""
        if self.questions is not None:
            self.questions.close()
