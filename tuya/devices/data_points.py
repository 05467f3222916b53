"""The last value of each data point of one device, bounded for as long as the device is served.

A device that is broken, or is none, may send 16 kB texts under ever new numbers for days: what is kept of it must not
grow. Real devices have some 60 data points, their longest texts (raw tables in base64) some 500 characters.
"""

from __future__ import annotations

from typing import Dict, List

from ..lan.events import Dps, DpValue

MAX_DATA_POINTS = 256
MAX_VALUE_BYTES = 8 * 1024
MAX_ALL_BYTES = 64 * 1024  # of all texts, tables and huge numbers of one device
ELEMENT_BYTES = 100  # what a list, an object or a member of one costs beside its text
_SMALL_NUMBER = 1 << 64


class DataPoints:
    """`values`: what is kept, by number. `is_full`: something had to be left out at some time."""

    def __init__(self) -> None:
        self.values: Dict[int, DpValue] = {}
        self.is_full = False
        self._sizes_bytes: Dict[int, int] = {}  # of those that count
        self._all_bytes = 0

    def take(self, dps: Dps) -> bool:
        """Keep what one frame brought; return whether it has numbers that were not there before.

        A value too large to be kept takes the older value of its data point with it: that one holds no longer.
        """
        values, sizes = self.values, self._sizes_bytes
        has_new = False
        for dp, value in dps.items():
            is_new = dp not in values
            if is_new and len(values) >= MAX_DATA_POINTS:
                self.is_full = True
                continue
            size_bytes = 0 if type(value) is int and -_SMALL_NUMBER < value < _SMALL_NUMBER else size_of(value)
            if size_bytes or dp in sizes:
                self._all_bytes += size_bytes - sizes.pop(dp, 0)
                if size_bytes > MAX_VALUE_BYTES or self._all_bytes > MAX_ALL_BYTES:
                    self._all_bytes -= size_bytes
                    values.pop(dp, None)
                    self.is_full = True
                    continue
                if size_bytes:
                    sizes[dp] = size_bytes
            values[dp] = value
            has_new = has_new or is_new
        return has_new


def size_of(value: DpValue) -> int:
    """Return about how many bytes a value keeps alive beyond a plain number's."""
    total_bytes = 0
    waiting: List[object] = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            total_bytes += len(one) if one.isascii() else 4 * len(one)
        elif isinstance(one, int):
            total_bytes += one.bit_length() // 8 if not -_SMALL_NUMBER < one < _SMALL_NUMBER else 0
        elif isinstance(one, dict):
            total_bytes += ELEMENT_BYTES * (1 + len(one))
            waiting.extend(one)
            waiting.extend(one.values())
        elif isinstance(one, list):
            total_bytes += ELEMENT_BYTES * (1 + len(one))
            waiting.extend(one)
    return total_bytes
