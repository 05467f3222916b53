"""Puts ATT values together into frames, one stream a channel and direction.

A packet: varint packet number; in packet 0 then a varint total length of the frame and one byte
`version << 4 | frame counter`; then bytes of the frame. A varint has 7 bits a byte, low bits first, bit 7 = more
follows, at most 4 bytes (tuya/TuyaOpen, src/tuya_cloud_service/ble/ble_trsmitr.c).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, Iterable, List, Tuple

from .capture import AttValue, Channel, Problem

MAX_VARINT_BYTES = 4
MAX_FRAME_BYTES = 4096  # devices hold 1,024 at most (TUYA_BLE_AIR_FRAME_MAX); more is no frame
COUNTER_MODULUS = 16


class PacketError(Exception):
    """An ATT value that cannot be a packet."""


def read_varint(data: bytes, position: int) -> Tuple[int, int]:
    """(value, position behind it). Raises PacketError where the bytes end or more than four belong to it."""
    value = 0
    for index in range(MAX_VARINT_BYTES):
        if position + index >= len(data):
            raise PacketError("ends inside a variable-length number")
        byte = data[position + index]
        value |= (byte & 0x7F) << (7 * index)
        if not byte & 0x80:
            return value, position + index + 1
    raise PacketError(f"a variable-length number of more than {MAX_VARINT_BYTES} bytes")


def write_varint(value: int) -> bytes:
    """The bytes of a non-negative number below 2**28."""
    if not 0 <= value < 1 << (7 * MAX_VARINT_BYTES):
        raise PacketError(f"{value} does not fit a variable-length number")
    out = bytearray()
    while True:
        value, low = value >> 7, value & 0x7F
        out.append(low | (0x80 if value else 0))
        if not value:
            return bytes(out)


@dataclass(frozen=True)
class RawFrame:
    """A frame as it was put together. `complete` is False where packets are missing at its end."""

    channel: Channel
    lines: Tuple[int, ...]
    version: int
    counter: int
    length: int
    body: bytes = field(repr=False)
    problems: Tuple[str, ...] = ()

    @property
    def direction(self) -> str:
        """Who sent it: capture.TO_DEVICE or capture.TO_APP."""
        return self.channel[2]

    @property
    def complete(self) -> bool:
        """Whether all bytes that packet 0 announced are there."""
        return len(self.body) == self.length


@dataclass
class _Stream:
    """The frame under construction on one channel."""

    frame_lines: List[int] = field(default_factory=list)
    version: int = 0
    counter: int = 0
    length: int = 0
    body: bytearray = field(default_factory=bytearray)
    next_number: int = 0
    problems: List[str] = field(default_factory=list)

    def close(self, channel: Channel) -> RawFrame:
        return RawFrame(
            channel,
            tuple(self.frame_lines),
            self.version,
            self.counter,
            self.length,
            bytes(self.body),
            tuple(self.problems),
        )


class Reassembler:
    """Feeds on ATT values in order; gives frames in the order in which they end."""

    def __init__(self) -> None:
        self.frames: List[RawFrame] = []
        self.problems: List[Problem] = []
        self._streams: Dict[Channel, _Stream] = {}

    def feed(self, value: AttValue) -> None:
        """Take one value. Never raises: faults land in `problems`, complete frames in `frames`."""
        try:
            number, position = read_varint(value.data, 0)
            if number == 0:
                self._first(value, position)
                return
        except PacketError as error:
            self.problems.append(Problem(value.line, f"no packet: {error}"))
            return
        stream = self._streams.get(value.channel)
        if stream is None:
            self.problems.append(Problem(value.line, f"packet {number} belongs to no frame: its packet 0 is missing"))
            return
        if number != stream.next_number:
            what = "repeated" if number < stream.next_number else "missing"
            expected = number if what == "repeated" else stream.next_number
            stream.problems.append(f"line {value.line}: packet {expected} is {what}")
            if what == "repeated":
                return
        stream.next_number = number + 1
        self._append(stream, value, value.data[position:])

    def finish(self) -> None:
        """The capture ended: frames that are still open become incomplete ones."""
        for channel in list(self._streams):
            self._give_up(channel)

    def _first(self, value: AttValue, position: int) -> None:
        length, position = read_varint(value.data, position)
        if position >= len(value.data):
            raise PacketError("packet 0 ends before its version byte")
        if not 0 < length <= MAX_FRAME_BYTES:
            raise PacketError(f"a frame of {length} bytes")
        self._give_up(value.channel)
        stream = _Stream(
            version=value.data[position] >> 4, counter=value.data[position] & 0x0F, length=length, next_number=1
        )
        self._streams[value.channel] = stream
        self._append(stream, value, value.data[position + 1 :])

    def _append(self, stream: _Stream, value: AttValue, data: bytes) -> None:
        room = stream.length - len(stream.body)
        if len(data) > room:
            stream.problems.append(f"line {value.line}: {len(data) - room} bytes more than the frame's length")
        stream.body += data[:room]
        stream.frame_lines.append(value.line)
        if len(stream.body) == stream.length:
            del self._streams[value.channel]
            self.frames.append(stream.close(value.channel))

    def _give_up(self, channel: Channel) -> None:
        stream = self._streams.pop(channel, None)
        if stream is None:
            return
        missing = stream.length - len(stream.body)
        stream.problems.append(f"line {stream.frame_lines[-1]}: {missing} of {stream.length} bytes never came")
        self.frames.append(stream.close(channel))


def reassemble(values: Iterable[AttValue]) -> Tuple[List[RawFrame], List[Problem]]:
    """All frames of a capture in the order in which they end, and what belongs to none."""
    reassembler = Reassembler()
    for value in values:
        reassembler.feed(value)
    reassembler.finish()
    # a frame with a gap is known to be over only when the next one begins: put it back where its packets stand
    return sorted(reassembler.frames, key=lambda frame: frame.lines[-1]), reassembler.problems
