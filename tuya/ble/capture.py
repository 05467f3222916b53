"""Reads ATT values out of a capture file: plain lines or a btsnoop log.

Plain: a line a value, `>` app to device or `<` device to app, then hex; `#` starts a comment.
btsnoop (Android's "HCI snoop log", BlueZ's `btmon -w`): https://www.bluez.org/ and RFC 1761 describe the file header;
records hold HCI packets, of which ACL data on L2CAP channel 4 is ATT.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple

TO_DEVICE = ">"
TO_APP = "<"

BTSNOOP_MAGIC = b"btsnoop\0"
_BTSNOOP_HEADER_BYTES = 16
_RECORD_HEADER = struct.Struct(">IIIIQ")  # original length, included length, flags, drops, time stamp
DATALINK_HCI = 1001  # HCI packets without a type byte; flags bit 1 set: command or event
DATALINK_H4 = 1002  # HCI UART: a type byte first
DATALINK_MONITOR = 2001  # BlueZ monitor: flags = adapter << 16 | opcode
_H4_ACL = 0x02
_MONITOR_ACL_TX = 4
_MONITOR_ACL_RX = 5
_FLAG_RECEIVED = 1
_FLAG_COMMAND_OR_EVENT = 2
_ACL_CONTINUATION = 1  # packet boundary flag
_L2CAP_ATT = 4
_ATT_WRITE_REQUEST = 0x12
_ATT_WRITE_COMMAND = 0x52
_ATT_NOTIFICATION = 0x1B
_ATT_INDICATION = 0x1D
_ATT_HEADER_BYTES = 3  # opcode, handle u16 little-endian
_MAX_ATT_VALUE_BYTES = 512  # Bluetooth Core 5.3, Vol 3, Part F, 3.2.9
_SUBSCRIPTIONS = (b"\x01\x00", b"\x02\x00", b"\x00\x00")  # writes to the client configuration descriptor


class CaptureError(Exception):
    """The file is no capture. `line`: its line, or its record in a btsnoop log (0: the whole file)."""

    def __init__(self, line: int, what: str) -> None:
        self.line = line
        self.what = what
        super().__init__(f"line {line}: {what}" if line else what)


Channel = Tuple[int, Optional[int], str]


@dataclass(frozen=True)
class Problem:
    """Something in the capture that belongs to no frame."""

    line: int
    text: str


@dataclass(frozen=True)
class AttValue:
    """One written or notified value. `line`: where it stands in the file (record number in a btsnoop log)."""

    direction: str
    data: bytes = field(repr=False)
    line: int
    handle: Optional[int] = None
    connection: int = 0  # a phone's log holds its watch and its earphones as well

    @property
    def channel(self) -> Channel:
        """What belongs together: values of one connection, characteristic and direction."""
        return self.connection, self.handle, self.direction


class Capture(NamedTuple):
    """All ATT values of a file in order, without subscriptions, and what of it could not be read."""

    values: List[AttValue]
    problems: List[Problem]


def read_capture(content: bytes) -> Capture:
    """Read a capture; a btsnoop log that is cut gives what is there, and a problem. Raises CaptureError."""
    if content.startswith(BTSNOOP_MAGIC):
        problems: List[Problem] = []
        return Capture(list(_read_btsnoop(content, problems)), problems)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CaptureError(0, "neither a btsnoop log nor text with '>' and '<' lines") from error
    return Capture(list(_read_lines(text)), [])


def _read_lines(text: str) -> Iterator[AttValue]:
    for number, raw_line in enumerate(text.splitlines(), start=1):
        line = raw_line.partition("#")[0].strip()
        if not line:
            continue
        direction, digits = line[0], line[1:]
        if direction not in (TO_DEVICE, TO_APP):
            raise CaptureError(number, "a line starts with '>' (app to device) or '<' (device to app)")
        try:
            data = bytes.fromhex(digits.replace(":", " ").replace("-", " "))
        except ValueError as error:
            raise CaptureError(number, "after the direction come hexadecimal digits, two a byte") from error
        if len(data) > _MAX_ATT_VALUE_BYTES:
            raise CaptureError(number, f"an ATT value has at most {_MAX_ATT_VALUE_BYTES} bytes, this one {len(data)}")
        if direction == TO_DEVICE and data in _SUBSCRIPTIONS:
            continue
        yield AttValue(direction, data, number)


def _records(content: bytes, problems: List[Problem]) -> Iterator[Tuple[int, int, bytes]]:
    """(record number, flags, bytes) of a btsnoop file. One that was copied while it grew ends inside a record."""
    position = _BTSNOOP_HEADER_BYTES
    number = 0
    while position < len(content):
        number += 1
        if position + _RECORD_HEADER.size > len(content):
            problems.append(Problem(number, "the btsnoop log ends inside this record's header"))
            return
        original, included, flags, _drops, _stamp = _RECORD_HEADER.unpack_from(content, position)
        position += _RECORD_HEADER.size
        if position + included > len(content):
            problems.append(Problem(number, "the btsnoop log ends inside this record"))
            return
        if included < original:
            problems.append(Problem(number, f"only {included} of this record's {original} bytes were logged"))
        yield number, flags, content[position : position + included]
        position += included


def _acl_packets(content: bytes, problems: List[Problem]) -> Iterator[Tuple[int, bool, bytes]]:
    """(record number, received, ACL packet) of a btsnoop file of any of the three data links."""
    if len(content) < _BTSNOOP_HEADER_BYTES:
        raise CaptureError(0, "the btsnoop log ends inside its header")
    version, datalink = struct.unpack_from(">II", content, len(BTSNOOP_MAGIC))
    if version != 1 or datalink not in (DATALINK_HCI, DATALINK_H4, DATALINK_MONITOR):
        raise CaptureError(0, f"a btsnoop log of version {version} and data link {datalink} is not known")
    for number, flags, data in _records(content, problems):
        if datalink == DATALINK_MONITOR:
            opcode = flags & 0xFFFF
            if opcode in (_MONITOR_ACL_TX, _MONITOR_ACL_RX):
                yield number, opcode == _MONITOR_ACL_RX, data
        elif datalink == DATALINK_H4:
            if data[:1] == bytes([_H4_ACL]):
                yield number, bool(flags & _FLAG_RECEIVED), data[1:]
        elif not flags & _FLAG_COMMAND_OR_EVENT:
            yield number, bool(flags & _FLAG_RECEIVED), data


def _read_btsnoop(content: bytes, problems: List[Problem]) -> Iterator[AttValue]:
    # L2CAP may be spread over ACL packets: collect per connection and direction until its length is reached
    pending: Dict[Tuple[int, bool], bytearray] = {}
    for number, received, acl in _acl_packets(content, problems):
        if len(acl) < 4:
            continue
        handle_and_flags, _length = struct.unpack_from("<HH", acl)
        key = (handle_and_flags & 0x0FFF, received)
        if (handle_and_flags >> 12) & 0x3 == _ACL_CONTINUATION:
            if key not in pending:
                continue
            pending[key] += acl[4:]
        else:
            pending[key] = bytearray(acl[4:])
        buffer = pending[key]
        if len(buffer) < 4:
            continue
        length, channel = struct.unpack_from("<HH", buffer)
        if len(buffer) < 4 + length:
            continue
        del pending[key]
        if channel == _L2CAP_ATT:
            value = _att_value(bytes(buffer[4 : 4 + length]), received, number, key[0])
            if value is not None:
                yield value


def _att_value(att: bytes, received: bool, record: int, connection: int) -> Optional[AttValue]:
    """The value of a write by us or a notification by the peer; None for all other ATT traffic."""
    if len(att) < _ATT_HEADER_BYTES:
        return None
    opcode, handle = struct.unpack_from("<BH", att)
    data = att[_ATT_HEADER_BYTES:]
    if not received and opcode in (_ATT_WRITE_REQUEST, _ATT_WRITE_COMMAND) and data not in _SUBSCRIPTIONS:
        return AttValue(TO_DEVICE, data, record, handle, connection)
    if received and opcode in (_ATT_NOTIFICATION, _ATT_INDICATION):
        return AttValue(TO_APP, data, record, handle, connection)
    return None
