"""Cuts a byte stream into Tuya frames and finds its way back after garbage.

Layout, big-endian, from the outside:
  55AA (3.1-3.4): 000055AA · sequence u32 · command u32 · length u32 · length bytes, of which the last ones are
                  CRC32 u32 or (3.4) HMAC-SHA256 [32], and 0000AA55
  6699 (3.5):     00006699 · 2 unknown bytes · sequence u32 · command u32 · length u32 · length bytes (nonce [12],
                  ciphertext, tag [16]) · 00009966
"""

from __future__ import annotations

import collections
import heapq
import re
import struct
from typing import Deque, List, NamedTuple, Optional, Tuple, Union

from ..limits import MAX_PAYLOAD_BYTES

PREFIX_55AA = 0x000055AA
PREFIX_6699 = 0x00006699
_BYTES_55AA = PREFIX_55AA.to_bytes(4, "big")
_BYTES_6699 = PREFIX_6699.to_bytes(4, "big")
_SUFFIX_55AA = bytes.fromhex("0000aa55")
_SUFFIX_6699 = bytes.fromhex("00009966")
_PREFIX = re.compile(b"\\x00\\x00(?:\\x55\\xaa|\\x66\\x99)")
_HEADER_55AA = struct.Struct(">IIII")
_HEADER_6699 = struct.Struct(">IHIII")
_NUMBERS = struct.Struct(">II")  # command and length
_LEAST_55AA = 8  # CRC and suffix
_LEAST_6699 = 28  # nonce and tag
MAX_COMMAND = 0xFFF  # known ones are below 0x100; a prefix in the place of the command is none
MAX_FRAME_BYTES = _HEADER_6699.size + MAX_PAYLOAD_BYTES + 4


class Frame(NamedTuple):
    """One complete frame whose length and suffix fit. `length` as its header says it."""

    prefix: int
    sequence: int
    command: int
    length: int
    data: bytes


class FrameBuffer:
    """Collects what a peer sends and hands out frames. Holds one frame of the largest size and one feed at most.

    A header may lie about its length: while its frame is unfinished, or when it fails its check, frames inside of it
    are looked for. Each byte is searched once for all of them, so that a stream of headers costs no more than its
    length: `_scanned` is how far the search has come, and what it found stands in three lists until it is judged.
    Positions count in the stream; the first byte that is held is at `_base`.
    """

    __slots__ = (
        "_base",
        "_by_end",
        "_by_start",
        "_data",
        "_frame_start",
        "_pos",
        "_scanned",
        "_whole",
        "garbage_bytes",
    )

    def __init__(self) -> None:
        self._data: Union[bytes, bytearray] = b""
        self._base = 0
        self._pos = 0  # all before it is done with
        self._frame_start = 0
        self._scanned = 0
        self._by_start: Deque[Tuple[int, int]] = collections.deque()  # (start, end) of what may be frames, in order
        self._by_end: List[Tuple[int, int]] = []  # the same as (end, start), a heap; what is not complete yet
        self._whole: List[int] = []  # starts of those that became complete and have their suffix, a heap
        self.garbage_bytes = 0  # skipped; set back by who has checked a frame and found it good

    def __len__(self) -> int:
        return self._base + len(self._data) - self._pos

    def feed(self, data: bytes) -> None:
        """Append bytes. Call next() until it returns None before feeding more, so that nothing piles up."""
        held, done = self._data, self._pos - self._base
        if done == len(held):
            self._data = data
            self._base = self._pos = self._scanned = 0
            if self._by_start or self._by_end or self._whole:
                self._by_start.clear()
                self._by_end.clear()
                self._whole.clear()
            return
        if isinstance(held, bytes):
            held = self._data = bytearray(held)
        if done:
            del held[:done]
            self._base = self._pos
        held += data

    def next(self) -> Optional[Frame]:
        """The next frame, or None when more bytes are needed."""
        data, pos = self._data, self._pos
        at = pos - self._base
        if at == len(data):
            return None
        if self._scanned <= pos:
            # nothing is known of what comes: mostly it is one frame, whole, and there is nothing to search
            end = _frame_end(data, at)
            if 0 < end <= len(data) and _ends(data, at, end):
                self._frame_start = pos
                self._pos = self._base + end
                return _frame(bytes(data if end == len(data) and not at else data[at:end]))
            self._scanned = pos
        return self._search()

    def reject(self) -> None:
        """The frame that next() returned last failed its check: look for others inside, its length may be a lie."""
        self._pos = self._frame_start
        self._scanned = max(self._scanned, self._frame_start + 1)
        self._drop_before(self._frame_start + 1)
        self._skip_garbage()

    # -- the search

    def _search(self) -> Optional[Frame]:
        data, base = self._data, self._base
        self._drop_before(self._pos)
        self._scan()
        by_start = self._by_start
        while True:
            self._skip_garbage()
            if not by_start:
                return None
            start, end = by_start[0]
            if end - base > len(data):
                inside = self._complete_inside(start)
                if inside is None:
                    return None
                self._drop_before(inside)
            elif _ends(data, start - base, end - base):
                return self._take(start, end)
            else:
                by_start.popleft()

    def _scan(self) -> None:
        """Note all that may be frames in what was not searched yet."""
        data, base = self._data, self._base
        for match in _PREFIX.finditer(data, self._scanned - base):
            at = match.start()
            end = _frame_end(data, at)
            if end == 0:  # its header is not complete
                self._scanned = base + at
                return
            if end > 0:
                self._by_start.append((base + at, base + end))
                heapq.heappush(self._by_end, (base + end, base + at))
            self._scanned = base + at + 1
        self._scanned = base + _unfinished_prefix(data, self._scanned - base)

    def _complete_inside(self, outer: int) -> Optional[int]:
        """Where the first complete frame begins inside of the unfinished one at `outer`: that one was none."""
        data, base, by_end, whole = self._data, self._base, self._by_end, self._whole
        while by_end and by_end[0][0] - base <= len(data):
            end, start = heapq.heappop(by_end)
            if start > outer and _ends(data, start - base, end - base):
                heapq.heappush(whole, start)
        while whole and whole[0] <= outer:
            heapq.heappop(whole)
        return whole[0] if whole else None

    def _skip_garbage(self) -> None:
        """Go on to the first thing that may be a frame."""
        to = self._by_start[0][0] if self._by_start else self._scanned
        if to > self._pos:
            self.garbage_bytes += to - self._pos
            self._pos = to

    def _drop_before(self, start: int) -> None:
        by_start = self._by_start
        while by_start and by_start[0][0] < start:
            by_start.popleft()

    def _take(self, start: int, end: int) -> Frame:
        self._frame_start = start
        self._pos = end
        return _frame(bytes(self._data[start - self._base : end - self._base]))


def _frame(raw: bytes) -> Frame:
    if raw[2] == 0x55:
        prefix, sequence, command, length = _HEADER_55AA.unpack_from(raw)
    else:
        prefix, _, sequence, command, length = _HEADER_6699.unpack_from(raw)
    return Frame(prefix, sequence, command, length, raw)


def _ends(data: Union[bytes, bytearray], start: int, end: int) -> bool:
    """Whether the frame's suffix is where its header says it is."""
    return data[end - 4 : end] == (_SUFFIX_55AA if data[start + 2] == 0x55 else _SUFFIX_6699)


def _frame_end(data: Union[bytes, bytearray], pos: int) -> int:
    """Where the frame at `pos` ends; 0 = the header is not complete yet, -1 = here is no possible header."""
    command: int
    length: int
    prefix = data[pos : pos + 4]
    if prefix == _BYTES_55AA:
        if len(data) - pos < 16:
            return 0
        command, length = _NUMBERS.unpack_from(data, pos + 8)
        if _LEAST_55AA <= length <= MAX_PAYLOAD_BYTES and command <= MAX_COMMAND:
            return pos + 16 + length
        return -1
    if prefix == _BYTES_6699:
        if len(data) - pos < 18:
            return 0
        command, length = _NUMBERS.unpack_from(data, pos + 10)
        if _LEAST_6699 <= length <= MAX_PAYLOAD_BYTES and command <= MAX_COMMAND:
            return pos + 22 + length
        return -1
    return -1


def _unfinished_prefix(data: Union[bytes, bytearray], start: int) -> int:
    """Where, from `start` on, the end of the data may be the beginning of a prefix; its length if it is not."""
    for at in range(max(start, len(data) - 3), len(data)):
        rest = bytes(data[at:])
        if _BYTES_55AA.startswith(rest) or _BYTES_6699.startswith(rest):
            return at
    return len(data)
