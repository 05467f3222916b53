"""Who holds devices on this machine, asked once: for the doctor. Waits for answers, up to the time given."""

from __future__ import annotations

import select
import time
from typing import Any, Dict, List, Optional

from ..lan.locks import device_lock
from . import place
from .lines import MAX_LINE_BYTES, LineError, LineReader, line_of

READ_BYTES = 64 * 1024
MAX_OWNERS = 64


def owners(timeout_s: float = 2.0) -> List[Dict[str, Any]]:
    """Return what every owner says of itself that is found on this machine and that we may hear.

    See Server.description: its name, kind, version, settings, devices, units and last errors.
    """
    until_s = time.monotonic() + timeout_s
    said = [_description(address, until_s) for address in place.addresses()[:MAX_OWNERS]]
    return [one for one in said if one is not None]


def owner_of(device_id: str, timeout_s: float = 1.0) -> Optional[Dict[str, Any]]:
    """Return what the owner of one device says of itself; None where nobody holds it or its owner tells nothing."""
    until_s = time.monotonic() + timeout_s
    state = device_lock.ask(device_id)
    return None if state is None or not state.share else _description(state.share, until_s)


def _description(address: str, until_s: float) -> Optional[Dict[str, Any]]:
    sock = place.connect(address)
    if sock is None:
        return None
    reader = LineReader(MAX_LINE_BYTES)
    with sock:
        try:
            sock.send(line_of({"listen": [], "name": "the doctor"}))
            while True:
                left_s = until_s - time.monotonic()
                if left_s <= 0 or not select.select([sock], [], [], left_s)[0]:
                    return None
                data = sock.recv(READ_BYTES)
                if not data:
                    return None
                for told in reader.feed(data):
                    if told.get("event") == "owner":
                        return told
        except (OSError, LineError):
            return None
