"""What may happen to messages on their way: they take long, or they never arrive."""

from __future__ import annotations

import ctypes
import math
import socket
import struct
from collections import deque
from typing import Callable, Deque

from .loop import Loop

# Linux, asm-generic/socket.h: a classic BPF program decides what a socket receives
# (https://docs.kernel.org/networking/filter.html)
SO_ATTACH_FILTER, SO_DETACH_FILTER = 26, 27
_INSTRUCTION = struct.Struct("HBBI")
_ONLY_WITHOUT_DATA = b"".join(
    _INSTRUCTION.pack(*instruction)
    for instruction in (
        (0x80, 0, 0, 0),  # A = length of the segment, from its TCP header on
        (0x07, 0, 0, 0),  # X = A
        (0x30, 0, 0, 12),  # A = byte 12: length of the TCP header in words of 4 bytes, in its upper half
        (0x54, 0, 0, 0xF0),
        (0x74, 0, 0, 2),  # A = length of the TCP header in bytes
        (0x1D, 0, 1, 0),  # if A == X
        (0x06, 0, 0, 0xFFFFFFFF),  # then no data: let it through
        (0x06, 0, 0, 0),  # else lose it
    )
)


def lose_what_arrives(connection: socket.socket) -> None:
    """Lose every segment that brings data, as if the air had: never acknowledged, while ours still go out.

    SO_DETACH_FILTER ends it; the peer's kernel then sends again what it still has. Raises OSError where the kernel
    has no such filters (other than Linux).
    """
    program = ctypes.create_string_buffer(_ONLY_WITHOUT_DATA)
    count = len(_ONLY_WITHOUT_DATA) // _INSTRUCTION.size
    connection.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HP", count, ctypes.addressof(program)))


class Passage:
    """One direction of a connection that takes its time: in order, each message with a delay of its own."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._free_s = -math.inf
        self._under_way: Deque[Callable[[], None]] = deque()

    @property
    def busy(self) -> bool:
        """Whether something is still on its way."""
        return bool(self._under_way)

    def carry(self, delay_s: float, arrive: Callable[[], None]) -> None:
        """Call `arrive` after the delay, but not before what was sent earlier has arrived; at once if there is none."""
        if not delay_s and not self._under_way:
            arrive()
            return
        now_s = self._loop.clock()
        self._free_s = max(self._free_s, now_s + delay_s)
        self._under_way.append(arrive)
        self._loop.later(self._free_s - now_s, lambda: self._under_way.popleft()())
