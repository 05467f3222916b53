"""Reading captures: plain lines and btsnoop logs of the three data links."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuya.ble.capture import (
    BTSNOOP_MAGIC,
    DATALINK_H4,
    DATALINK_HCI,
    DATALINK_MONITOR,
    TO_APP,
    TO_DEVICE,
    CaptureError,
    read_capture,
)

WRITE_COMMAND, WRITE_REQUEST, NOTIFICATION, READ_REQUEST = 0x52, 0x12, 0x1B, 0x0A


def att(opcode: int, handle: int, value: bytes) -> bytes:
    body = struct.pack("<BH", opcode, handle) + value
    return struct.pack("<HH", len(body), 4) + body


def acl(l2cap: bytes, boundary: int = 2) -> bytes:
    return struct.pack("<HH", 0x0040 | boundary << 12, len(l2cap)) + l2cap


def btsnoop(datalink: int, packets: list[tuple[bool, bytes]]) -> bytes:
    out = BTSNOOP_MAGIC + struct.pack(">II", 1, datalink)
    for received, packet in packets:
        flags = int(received)
        data = packet
        if datalink == DATALINK_H4:
            data = b"\x02" + packet
        elif datalink == DATALINK_MONITOR:
            flags = 5 if received else 4
        out += struct.pack(">IIIIQ", len(data), len(data), flags, 0, 0) + data
    return out


def test_lines_with_comments_separators_and_a_subscription() -> None:
    text = b"# a capture\n> 00 21\n\n< 01:02:03  # answer\n> 0100\n>ff\n"
    values = read_capture(text).values
    assert [(v.direction, v.data, v.line) for v in values] == [
        (TO_DEVICE, b"\x00\x21", 2),
        (TO_APP, b"\x01\x02\x03", 4),
        (TO_DEVICE, b"\xff", 6),
    ]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (b"> 0021\n= 00", 2, "starts with"),
        (b"\n\n< 0x00", 3, "hexadecimal"),
        (b"> 012", 1, "hexadecimal"),
        (b"> " + b"00" * 513, 1, "512"),
        (b"\xff\xfe\x00", 0, "neither"),
        (BTSNOOP_MAGIC, 0, "header"),
        (BTSNOOP_MAGIC + struct.pack(">II", 1, 7), 0, "data link 7"),
    ],
)
def test_what_is_no_capture_is_refused_with_its_line(text: bytes, line: int, words: str) -> None:
    with pytest.raises(CaptureError) as caught:
        read_capture(text)
    assert caught.value.line == line
    assert words in str(caught.value)


@pytest.mark.parametrize("datalink", [DATALINK_HCI, DATALINK_H4, DATALINK_MONITOR])
def test_btsnoop_gives_writes_and_notifications_only(datalink: int) -> None:
    packets = [
        (False, acl(att(READ_REQUEST, 3, b""))),
        (False, acl(att(WRITE_REQUEST, 0x15, b"\x01\x00"))),
        (False, acl(att(WRITE_COMMAND, 0x12, b"abc"))),
        (True, acl(att(NOTIFICATION, 0x14, b"defg"))),
        (False, acl(att(WRITE_REQUEST, 0x12, b"h"))),
    ]
    values = read_capture(btsnoop(datalink, packets)).values
    assert [(v.direction, v.data, v.line, v.handle) for v in values] == [
        (TO_DEVICE, b"abc", 3, 0x12),
        (TO_APP, b"defg", 4, 0x14),
        (TO_DEVICE, b"h", 5, 0x12),
    ]


@pytest.mark.parametrize(("kept", "said"), [(-1, "ends inside this record"), (-28, "ends inside this record's header")])
def test_a_btsnoop_log_that_is_cut_gives_what_is_there(kept: int, said: str) -> None:
    packets = [(True, acl(att(NOTIFICATION, 0x14, b"first"))), (True, acl(att(NOTIFICATION, 0x14, b"lost")))]
    values, problems = read_capture(btsnoop(DATALINK_H4, packets)[:kept])
    assert [value.data for value in values] == [b"first"]
    assert [problem.line for problem in problems] == [2]
    assert problems[0].text.endswith(said)


def test_a_record_that_was_logged_in_part_is_said() -> None:
    packet = b"\x02" + acl(att(NOTIFICATION, 0x14, bytes(40)))
    record = struct.pack(">IIIIQ", len(packet), 20, 1, 0, 0) + packet[:20]
    values, problems = read_capture(BTSNOOP_MAGIC + struct.pack(">II", 1, DATALINK_H4) + record)
    assert values == []
    assert [(problem.line, problem.text) for problem in problems] == [
        (1, "only 20 of this record's 52 bytes were logged")
    ]


def test_btsnoop_joins_fragments_of_one_att_value() -> None:
    whole = att(NOTIFICATION, 0x14, bytes(range(40)))
    packets = [
        (True, acl(whole[:20])),
        (False, acl(att(WRITE_COMMAND, 0x12, b"x"))),
        (True, acl(whole[20:], boundary=1)),
    ]
    values = read_capture(btsnoop(DATALINK_H4, packets)).values
    assert [(v.direction, v.data) for v in values] == [(TO_DEVICE, b"x"), (TO_APP, bytes(range(40)))]


@given(st.binary(max_size=200), st.sampled_from([DATALINK_HCI, DATALINK_H4, DATALINK_MONITOR]))
def test_any_bytes_end_in_values_or_a_capture_error(tail: bytes, datalink: int) -> None:
    for content in (tail, BTSNOOP_MAGIC + struct.pack(">II", 1, datalink) + tail):
        try:
            values = read_capture(content).values
        except CaptureError:
            continue
        assert all(v.direction in (TO_DEVICE, TO_APP) for v in values)
