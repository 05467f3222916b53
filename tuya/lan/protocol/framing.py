"""Cuts a byte stream into Tuya frames and finds its way back after garbage. Knows no key, cipher or meaning.

Layout, big-endian, from the outside:
  55AA (3.1-3.4): 000055AA · sequence u32 · command u32 · length u32 · length bytes, of which the last ones are
                  CRC32 u32 or (3.4) HMAC-SHA256 [32], and 0000AA55
  6699 (3.5):     00006699 · 2 unknown bytes · sequence u32 · command u32 · length u32 · length bytes (nonce [12],
                  ciphertext, tag [16]) · 00009966
"""

from __future__ import annotations

import struct
from typing import NamedTuple, Optional

from ..limits import MAX_PAYLOAD_BYTES

PREFIX_55AA = 0x000055AA
PREFIX_6699 = 0x00006699
_BYTES_55AA = PREFIX_55AA.to_bytes(4, "big")
_BYTES_6699 = PREFIX_6699.to_bytes(4, "big")
_SUFFIX_55AA = bytes.fromhex("0000aa55")
_SUFFIX_6699 = bytes.fromhex("00009966")
_HEADER_55AA = struct.Struct(">IIII")
_HEADER_6699 = struct.Struct(">IHIII")
_LEAST_55AA = 8  # CRC and suffix
_LEAST_6699 = 28  # nonce and tag
MAX_FRAME_BYTES = _HEADER_6699.size + MAX_PAYLOAD_BYTES + 4


class Frame(NamedTuple):
    """One complete frame whose length and suffix fit. `length` as its header says it."""

    prefix: int
    sequence: int
    command: int
    length: int
    data: bytes


class FrameBuffer:
    """Collects what a peer sends and hands out frames. Never holds more than one frame of the largest size.

    `garbage_bytes` counts what was skipped since the last frame that was not rejected.
    """

    __slots__ = ("_data", "_frame_start", "_pos", "garbage_bytes")

    def __init__(self) -> None:
        self._data = b""
        self._pos = 0
        self._frame_start = 0
        self.garbage_bytes = 0

    def __len__(self) -> int:
        return len(self._data) - self._pos

    def feed(self, data: bytes) -> None:
        """Append bytes. Call next() until it returns None before feeding more, so that nothing piles up."""
        self._data = self._data[self._pos :] + data if self._pos < len(self._data) else data
        self._pos = 0

    def next(self) -> Optional[Frame]:
        """The next frame, or None when more bytes are needed."""
        data = self._data
        if self._pos == len(data):
            self._data = b""
            self._pos = 0
            return None
        while True:
            pos = self._pos
            end = _frame_end(data, pos)
            if end > 0:
                if end <= len(data):
                    if data[end - 4 : end] == (_SUFFIX_55AA if data[pos + 2] == 0x55 else _SUFFIX_6699):
                        self._frame_start = pos
                        self._pos = end
                        return _frame(data, pos, end)
                elif not self._skip_to_frame_inside(pos):
                    return None
                else:
                    continue
            elif end == 0:
                return None
            self._skip(_find_prefix(data, pos + 1))

    @property
    def is_empty(self) -> bool:
        """Whether next() could not return anything: spares the usual push, one frame by itself, a second look."""
        return self._pos == len(self._data)

    def accept(self) -> None:
        """The frame that next() returned last has passed its check."""
        self.garbage_bytes = 0

    def reject(self) -> None:
        """The frame that next() returned last failed its check: look for others inside, its length may be a lie."""
        start = self._frame_start
        end = self._pos
        self._pos = start
        inside = _find_prefix(self._data, start + 4)
        self._skip(min(inside, end))

    def _skip(self, to: int) -> None:
        self.garbage_bytes += to - self._pos
        self._pos = to

    def _skip_to_frame_inside(self, pos: int) -> bool:
        """An unfinished frame in which a complete one lies was none: a header that lied must not swallow the stream."""
        data = self._data
        inside = _find_prefix(data, pos + 4)
        while inside < len(data):
            end = _frame_end(data, inside)
            if 0 < end <= len(data) and data[end - 4 : end] in (_SUFFIX_55AA, _SUFFIX_6699):
                self._skip(inside)
                return True
            inside = _find_prefix(data, inside + 1)
        return False


def _frame(data: bytes, pos: int, end: int) -> Frame:
    raw = data if pos == 0 and end == len(data) else data[pos:end]
    if data[pos + 2] == 0x55:
        prefix, sequence, command, length = _HEADER_55AA.unpack_from(data, pos)
    else:
        prefix, _, sequence, command, length = _HEADER_6699.unpack_from(data, pos)
    return Frame(prefix, sequence, command, length, raw)


def _frame_end(data: bytes, pos: int) -> int:
    """Where the frame at `pos` ends; 0 = the header is not complete yet, -1 = here is no possible header."""
    prefix = data[pos : pos + 4]
    if prefix == _BYTES_55AA:
        if len(data) - pos < 16:
            return 0
        length = int.from_bytes(data[pos + 12 : pos + 16], "big")
        if _LEAST_55AA <= length <= MAX_PAYLOAD_BYTES:
            return pos + 16 + length
        return -1
    if prefix == _BYTES_6699:
        if len(data) - pos < 18:
            return 0
        length = int.from_bytes(data[pos + 14 : pos + 18], "big")
        if _LEAST_6699 <= length <= MAX_PAYLOAD_BYTES:
            return pos + 22 + length
        return -1
    if len(prefix) < 4 and (_BYTES_55AA.startswith(prefix) or _BYTES_6699.startswith(prefix)):
        return 0
    return -1


def _find_prefix(data: bytes, start: int) -> int:
    """Where the next prefix, or what may become one at the end, begins; len(data) if there is none."""
    found = [at for at in (data.find(_BYTES_55AA, start), data.find(_BYTES_6699, start)) if at >= 0]
    if found:
        return min(found)
    for at in range(max(start, len(data) - 3), len(data)):
        rest = data[at:]
        if _BYTES_55AA.startswith(rest) or _BYTES_6699.startswith(rest):
            return at
    return len(data)
