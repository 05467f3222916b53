"""Packets into frames: varints, order, gaps, repetitions."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuya.ble.capture import TO_APP, TO_DEVICE, AttValue
from tuya.ble.packets import MAX_FRAME_BYTES, PacketError, read_varint, reassemble, write_varint


def split(body: bytes, counter: int, size: int = 20, direction: str = TO_APP, line: int = 1) -> list[AttValue]:
    """A frame as a device sends it: 20 bytes a value unless told."""
    values, position, number = [], 0, 0
    while position < len(body) or number == 0:
        head = write_varint(number)
        if number == 0:
            head += write_varint(len(body)) + bytes([3 << 4 | counter])
        room = size - len(head)
        values.append(AttValue(direction, head + body[position : position + room], line + number))
        position += room
        number += 1
    return values


@pytest.mark.parametrize(("value", "encoded"), [(0, "00"), (33, "21"), (127, "7f"), (128, "8001"), (129, "8101")])
def test_varint_samples(value: int, encoded: str) -> None:
    assert write_varint(value).hex() == encoded
    assert read_varint(bytes.fromhex(encoded), 0) == (value, len(encoded) // 2)


@pytest.mark.parametrize("encoded", ["", "80", "8080808001"])
def test_varint_that_does_not_end(encoded: str) -> None:
    with pytest.raises(PacketError):
        read_varint(bytes.fromhex(encoded), 0)


@given(st.integers(0, (1 << 28) - 1))
def test_varint_round_trip(value: int) -> None:
    encoded = write_varint(value)
    assert read_varint(encoded, 0) == (value, len(encoded))


def test_varint_out_of_range() -> None:
    with pytest.raises(PacketError):
        write_varint(1 << 28)


@given(st.lists(st.binary(min_size=1, max_size=400), min_size=1, max_size=6), st.integers(8, 244))
def test_frames_come_back_whole_at_any_packet_size(bodies: list[bytes], size: int) -> None:
    values = []
    for index, body in enumerate(bodies):
        values += split(body, index % 16, size, line=1 + len(values))
    frames, problems = reassemble(values)
    assert problems == []
    assert [(f.body, f.counter, f.version, f.complete, f.problems) for f in frames] == [
        (body, index % 16, 3, True, ()) for index, body in enumerate(bodies)
    ]


def test_two_directions_do_not_disturb_each_other() -> None:
    app = split(b"a" * 50, 0, direction=TO_DEVICE)
    device = split(b"d" * 50, 5, direction=TO_APP, line=100)
    mixed = [value for pair in zip(app, device) for value in pair]
    frames, problems = reassemble(mixed)
    assert problems == []
    assert [(f.direction, f.body) for f in frames] == [(TO_DEVICE, b"a" * 50), (TO_APP, b"d" * 50)]


def test_another_device_in_the_same_log_does_not_disturb() -> None:
    device = split(b"d" * 50, 5, direction=TO_APP)
    watch = [replace(value, connection=2, handle=9) for value in split(b"w" * 50, 0, direction=TO_APP, line=100)]
    mixed = [value for pair in zip(device, watch) for value in pair]
    frames, problems = reassemble(mixed)
    assert problems == []
    assert [frame.body for frame in frames] == [b"d" * 50, b"w" * 50]


def test_a_missing_packet_is_named_with_its_line_and_the_next_frame_is_whole() -> None:
    first = split(b"x" * 60, 0, line=10)
    del first[2]
    second = split(b"y" * 30, 1, line=20)
    frames, problems = reassemble(first + second)
    assert problems == []
    assert [f.complete for f in frames] == [False, True]
    assert frames[0].problems[0] == "line 13: packet 2 is missing"
    assert "bytes never came" in frames[0].problems[1]
    assert frames[1].body == b"y" * 30


def test_a_repeated_packet_is_named_and_left_out() -> None:
    values = split(b"x" * 60, 0)
    again = AttValue(TO_APP, values[1].data, 99)
    frames, _ = reassemble([*values[:2], again, *values[2:]])
    assert frames[0].body == b"x" * 60
    assert frames[0].problems == ("line 99: packet 1 is repeated",)


def test_more_bytes_than_announced_are_named() -> None:
    frames, _ = reassemble([AttValue(TO_APP, bytes([0, 2, 0x30]) + b"abcd", 7)])
    assert frames[0].body == b"ab"
    assert frames[0].problems == ("line 7: 2 bytes more than the frame's length",)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "ends inside"),
        (b"\x05abc", "packet 0 is missing"),
        (b"\x00\x21", "before its version byte"),
        (b"\x00\x00\x30", "a frame of 0 bytes"),
        (b"\x00" + write_varint(MAX_FRAME_BYTES + 1) + b"\x30x", "a frame of 4097 bytes"),
    ],
)
def test_values_that_belong_to_no_frame(data: bytes, words: str) -> None:
    frames, problems = reassemble([AttValue(TO_APP, data, 3)])
    assert frames == []
    assert problems[0].line == 3
    assert words in problems[0].text


@given(st.lists(st.tuples(st.sampled_from([TO_APP, TO_DEVICE]), st.binary(max_size=40)), max_size=60))
def test_any_values_never_raise_and_each_byte_has_one_place(values: list[tuple[str, bytes]]) -> None:
    taken = [AttValue(direction, data, line) for line, (direction, data) in enumerate(values, start=1)]
    frames, problems = reassemble(taken)
    assert sum(len(f.body) for f in frames) <= sum(len(v.data) for v in taken)
    assert all(len(f.body) <= f.length <= MAX_FRAME_BYTES for f in frames)
    assert len(problems) <= len(taken)
