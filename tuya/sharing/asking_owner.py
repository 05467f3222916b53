"""Who holds devices on this machine, asked once: for the doctor. Waits for answers, up to the time given."""

from __future__ import annotations

import contextlib
import select
import socket
import time
from typing import Any, Dict, Iterable, List, Optional, Tuple

from ..lan.locks import device_lock
from ..lan.locks.peer_credentials import peer_of
from . import place
from .lines import MAX_LINE_BYTES, LineError, LineReader, line_of

READ_BYTES = 64 * 1024
MAX_OWNERS = 64


def owners(timeout_s: float = 2.0) -> List[Dict[str, Any]]:
    """Return what every owner says of itself that is found on this machine and that we may hear.

    See Server.description: its name, kind, version, settings, devices, units and last errors.
    """
    return _descriptions(place.addresses(), time.monotonic() + timeout_s)


def is_there(pid: int, of_anybody: bool = False) -> bool:
    """Whether an owner that we may hear listens in that process, be it that it answers or not.

    of_anybody: also one whose word does not count for us.
    """
    for address in place.addresses():
        sock = place.connect(address, of_anybody)
        if sock is not None:
            with sock:
                if _pid_of(sock, place.pid_of(address)) == pid:
                    return True
    return False


def _pid_of(sock: socket.socket, said: int) -> int:
    """The process at the other end, by the number that it has for us: a container numbers its own."""
    peer = peer_of(sock)
    return peer.pid if peer is not None and peer.pid else said


def owner_of(device_id: str, timeout_s: float = 1.0) -> Optional[Dict[str, Any]]:
    """Return what the owner of one device says of itself; None where nobody holds it or its owner tells nothing."""
    until_s = time.monotonic() + timeout_s
    state = device_lock.ask(device_id)
    said = _descriptions([state.share], until_s) if state is not None and state.share else []
    return said[0] if said else None


def snapshot_of(device_id: str, timeout_s: float = 1.0) -> Optional[Dict[str, Any]]:
    """Return all that the owner of one device knows of it (see telling.snapshot); None where it tells nothing."""
    until_s = time.monotonic() + timeout_s
    state = device_lock.ask(device_id)
    said = _told([state.share], until_s, [device_id], "snapshot") if state is not None and state.share else []
    return next((one for one in said if one.get("id") == device_id), None)


def _descriptions(addresses: Iterable[str], until_s: float) -> List[Dict[str, Any]]:
    """What owners say of themselves."""
    return _told(addresses, until_s, [], "owner")


def _told(addresses: Iterable[str], until_s: float, device_ids: List[str], event: str) -> List[Dict[str, Any]]:
    """Ask all of them at once: one that is stopped or slow takes no time from the others."""
    readers: Dict[socket.socket, LineReader] = {}
    found: List[Dict[str, Any]] = []
    with contextlib.ExitStack() as closing:
        for address in addresses:
            if len(readers) == MAX_OWNERS:
                break
            sock = place.connect(address)
            if sock is None:  # nobody there, or not trusted: does not count, else strangers could fill the number
                continue
            closing.enter_context(sock)
            with contextlib.suppress(OSError):
                sock.send(line_of({"listen": device_ids, "name": "the doctor"}))
                readers[sock] = LineReader(MAX_LINE_BYTES)
        while readers:
            left_s = until_s - time.monotonic()
            ready = select.select(list(readers), [], [], left_s)[0] if left_s > 0 else []
            if not ready:
                break
            for sock in ready:
                told, is_over = _read(sock, readers[sock], event)
                if told is not None:
                    said = told.get("pid")
                    found.append({**told, "pid": _pid_of(sock, said if isinstance(said, int) else 0)})
                if is_over or told is not None:
                    del readers[sock]
    return found


def _read(sock: socket.socket, reader: LineReader, event: str) -> Tuple[Optional[Dict[str, Any]], bool]:
    """The first event of that kind, if it has come; and whether nothing more comes."""
    try:
        data = sock.recv(READ_BYTES)
        lines = reader.feed(data)
    except BlockingIOError:
        return None, False
    except (OSError, LineError):
        return None, True
    return next((told for told in lines if told.get("event") == event), None), not data
