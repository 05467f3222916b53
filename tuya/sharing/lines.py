"""One JSON object a line, bounded in both directions."""

from __future__ import annotations

import json
from typing import Any, Dict, List

# A device's data points are 64 kB at most, in JSON up to six times that.
MAX_LINE_BYTES = 1 << 20
MAX_REQUEST_BYTES = 128 * 1024  # the longest: the ids of some thousand devices
REMOVED = b'{"event":"removed",'  # so begins the line that says that a device is not held here any more
_ENCODE = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


class LineError(ValueError):
    """What came is no line of ours: too long, no JSON object."""


def line_of(told: Dict[str, Any]) -> bytes:
    """Return the line, ASCII, with its end."""
    return _ENCODE(told).encode("ascii") + b"\n"


def removed_line(device_id: str) -> bytes:
    """Return the line that says that a device is not held here any more; it begins with REMOVED."""
    return REMOVED + _ENCODE({"id": device_id}).encode("ascii")[1:] + b"\n"


class LineReader:
    """Puts lines together from what a socket brings. limit: bytes of one line."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._data = bytearray()

    def feed(self, data: bytes) -> List[Dict[str, Any]]:
        """Return the objects that are complete now. Raises LineError; then nothing more can be understood."""
        self._data += data
        found: List[Dict[str, Any]] = []
        start = 0
        while True:
            end = self._data.find(b"\n", start)
            if (end if end >= 0 else len(self._data)) - start > self._limit_bytes:
                raise LineError(f"a line of more than {self._limit_bytes} bytes")
            if end < 0:
                del self._data[:start]
                return found
            found.append(_object(bytes(self._data[start:end])))
            start = end + 1


def _object(line: bytes) -> Dict[str, Any]:
    try:
        thing = json.loads(line)
    except (ValueError, RecursionError):
        raise LineError("a line that is no JSON") from None
    if not isinstance(thing, dict):
        raise LineError("a line that is no JSON object")
    return thing


def text_of(thing: object, limit: int = 60) -> str:
    """Return a text from another process, fit for a log: one line, printable, cut; "" for anything else."""
    return "".join(c if c.isprintable() else " " for c in thing)[:limit] if isinstance(thing, str) else ""
