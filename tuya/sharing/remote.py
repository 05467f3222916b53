"""A listener's side: the connection to one owner. On the listener's own network thread; never blocks."""

from __future__ import annotations

import selectors
import socket
from typing import Any, Dict, Optional, Protocol, Set

from . import place
from .lines import MAX_LINE_BYTES, LineError, LineReader, line_of

READ_BYTES = 256 * 1024
MAX_UNSENT_BYTES = 2 * 1024 * 1024  # the totals of some thousand devices, told at once
COUNTED_AT_ONCE = 100  # devices whose totals are one line: far from the longest that an owner takes


class Hearer(Protocol):
    """Who hears what the owner tells."""

    def told(self, remote: Remote, told: Dict[str, Any], now_s: float) -> None:
        """The owner says something."""

    def ended(self, remote: Remote, now_s: float) -> None:
        """The owner is gone, or talks nonsense."""

    def counted(self, device_id: str) -> Optional[Dict[str, Any]]:
        """Return the totals of a device as far as they are known here; None for none.

        {"totals_wh", "heard_wh", "alone_s"}: see Counted.
        """


class Remote:
    """The owner at one address. ids: the devices that are heard of. name: the owner's, for people."""

    link = None

    def __init__(self, hearer: Hearer, address: str, name: str, sock: socket.socket) -> None:
        self.address = address
        self.name = name
        self.ids: Set[str] = set()
        self._hearer = hearer
        self._socket = sock
        self._selector: Optional[selectors.BaseSelector] = None
        self._reader = LineReader(MAX_LINE_BYTES)
        self._unsent = b""
        self._counted_told: Set[str] = set()
        self._mask = selectors.EVENT_READ

    def open(self, selector: selectors.BaseSelector) -> None:
        """Begin to hear."""
        self._selector = selector
        selector.register(self._socket, self._mask, self)

    def listen(self, own_name: str) -> None:
        """Ask to be told of `ids`; before that tell of each what was counted here, so that what is told includes it."""
        counted = {one: self._hearer.counted(one) for one in sorted(self.ids - self._counted_told)}
        self._counted_told |= self.ids
        told = [(one, what) for one, what in counted.items() if what is not None]
        for start in range(0, len(told), COUNTED_AT_ONCE):
            self.send({"counted": dict(told[start : start + COUNTED_AT_ONCE]), "name": own_name})
        self.send({"listen": sorted(self.ids), "name": own_name})

    def send(self, request: Dict[str, Any]) -> bool:
        """Ask for something; return whether it is on its way."""
        line = line_of(request)
        if self._selector is None or len(self._unsent) + len(line) > MAX_UNSENT_BYTES:
            return False
        self._unsent += line
        self._flush()
        return True

    def _flush(self) -> None:
        try:
            sent = self._socket.send(self._unsent)
        except BlockingIOError:
            sent = 0
        except OSError:  # the end is read soon
            self._unsent = b""
            return
        self._unsent = self._unsent[sent:]
        mask = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._unsent else 0)
        if self._selector is not None and mask != self._mask:
            self._selector.modify(self._socket, mask, self)
            self._mask = mask

    def handle(self, mask: int, now_s: float) -> None:
        """The owner has said something, or takes more."""
        if self._selector is None:
            return
        if mask & selectors.EVENT_WRITE:
            self._flush()
        if not mask & selectors.EVENT_READ:
            return
        try:
            data = self._socket.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        try:
            lines = self._reader.feed(data) if data else []
        except LineError:
            data, lines = b"", []
        for told in lines:
            self._hearer.told(self, told, now_s)
        if not data and self._selector is not None:
            self._hearer.ended(self, now_s)

    def close(self) -> None:
        """Hear no more; may be called again."""
        selector, self._selector = self._selector, None
        if selector is not None:
            selector.unregister(self._socket)
            self._socket.close()


def reach(hearer: Hearer, address: str, name: str, selector: selectors.BaseSelector) -> Optional[Remote]:
    """Return a connection to the owner at this address; None when it cannot be had, or its user is not trusted."""
    sock = place.connect(address)
    if sock is None:
        return None
    remote = Remote(hearer, address, name, sock)
    remote.open(selector)
    return remote
