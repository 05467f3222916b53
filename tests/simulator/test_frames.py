import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.simulator.bench import split_frames
from tests.simulator.peer import VERSIONS, Codec
from tuya.simulator.ciphers import Ecb
from tuya.simulator.frames import Wire, header_size, seal_55aa

KEY = b"0123456789abcdef"
MESSAGE = {"dps": {"1": True}}


def only(wire, data):
    (request,) = wire.requests(data)
    return request


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("command", [7, 9, 10, 13, 16, 18])
def test_reads_what_another_implementation_packs(version, command):
    payload = json.dumps(MESSAGE).encode()
    request = only(Wire(version, KEY), Codec(version, KEY).pack(command, payload))
    assert (request.command, request.sequence, request.body, request.intact) == (command, 1, payload, True)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("pushed", [False, True])
def test_another_implementation_reads_what_it_writes(version, pushed):
    frame = Wire(version, KEY).answer(8, 77, json.dumps(MESSAGE).encode(), code=1, pushed=pushed)
    read = Codec(version, KEY).unpack(frame)
    assert (read.command, read.sequence, read.code, read.good, read.dps) == (8, 77, 1, True, {1: True})


def test_frames_are_byte_for_byte_those_of_real_devices():
    # a heartbeat's answer and an empty acknowledgement, as published from 3.3 devices
    assert Wire("3.3", KEY).answer(9, 0, b"").hex() == "000055aa00000000000000090000000c00000000b051ab030000aa55"
    # the length fields of a published 3.4 heartbeat, 3.4 error and 3.3 error: 0x28, 0x48, 0x2c
    assert Wire("3.4", KEY).answer(9, 1, b"").hex()[24:32] == "00000028"
    assert Wire("3.4", KEY).answer(16, 1, b"json obj data unvalid", code=1).hex()[24:40] == "0000004800000001"
    assert Wire("3.3", KEY).answer(10, 1, b"json obj data unvalid", code=1).hex()[24:40] == "0000002c00000001"
    # message 4 of a published 3.5 handshake: 4 bytes return code, 16 of nonce, 32 of HMAC
    assert Wire("3.5", KEY).answer(4, 0x266E, bytes(48)).hex()[:36] == "0000669900000000266e0000000400000050"


@pytest.mark.parametrize("version", ["3.2", "3.3", "3.4"])
def test_pushes_count_in_their_version_header(version):
    wire = Wire(version, KEY)
    for count in (1, 2):
        body = wire.answer(8, 0, b"{}", pushed=True)[20:]
        plain = Ecb(KEY).decrypt_blocks(body[:32]) if version == "3.4" else body
        assert plain[:15] == version.encode() + bytes(4) + bytes([0, 0, 0, count]) + bytes([0, 0, 0, 1])


@pytest.mark.parametrize("version", VERSIONS)
@given(cuts=st.lists(st.integers(1, 40), max_size=12), noise=st.binary(max_size=20))
def test_requests_come_out_whole_however_they_are_cut(version, cuts, noise):
    codec, wire = Codec(version, KEY), Wire(version, KEY)
    noise = noise.replace(b"\x00", b"\x01")
    stream = noise + codec.pack(10, b"{}") + codec.pack(9, b"") + codec.pack(7, b'{"dps":{"1":false}}')
    found = []
    for size in [*cuts, len(stream)]:
        found += wire.requests(stream[:size])
        stream = stream[size:]
    assert [request.command for request in found] == [10, 9, 7]
    assert all(request.intact for request in found)


@pytest.mark.parametrize("version", VERSIONS)
def test_one_wrong_bit_is_noticed_and_the_next_frame_is_read(version):
    codec, wire = Codec(version, KEY), Wire(version, KEY)
    first, second = bytearray(codec.pack(10, b'{"a":1}')), codec.pack(9, b"")
    first[-9] ^= 1
    requests = list(wire.requests(bytes(first) + second))
    assert [request.intact for request in requests] == [False, True]


@pytest.mark.parametrize("version", ["3.2", "3.3", "3.4", "3.5"])
def test_another_key_gives_no_body(version):
    request = only(Wire(version, KEY), Codec(version, KEY[::-1]).pack(10, b'{"gwId":"1234567890"}'))
    assert request.body is None
    assert request.intact is (version in ("3.2", "3.3"))


def test_a_3_1_write_under_another_key_gives_no_body():
    assert only(Wire("3.1", KEY), Codec("3.1", KEY[::-1]).pack(7, b"{}")).body is None


@pytest.mark.parametrize("speaks", VERSIONS)
@pytest.mark.parametrize("hears", VERSIONS)
def test_any_version_survives_any_other(speaks, hears):
    for command in (3, 7, 10, 16):
        for request in Wire(hears, KEY).requests(Codec(speaks, KEY).pack(command, b'{"dps":{}}')):
            assert request.command == command


def test_a_frame_too_long_for_a_device_is_skipped():
    wire = Wire("3.3", KEY)
    monster = bytes.fromhex("000055aa00000001000000090000ffff")
    requests = list(wire.requests(monster + Codec("3.3", KEY).pack(9, b"")))
    assert [request.command for request in requests] == [9]


@given(st.binary(max_size=300))
def test_any_bytes_are_survived_and_not_kept(data):
    wire = Wire("3.4", KEY)
    list(wire.requests(data))
    list(wire.requests(bytes(5000)))
    assert len(wire._received) < 5000


def test_unknown_version():
    with pytest.raises(ValueError, match=r"3\.6"):
        Wire("3.6", KEY)


def test_joined_frames_are_cut_apart():
    frames = [Wire("3.3", KEY).answer(9, 0, b""), Wire("3.5", KEY).answer(8, 1, b"{}"), seal_55aa(0x13, 0, b"x")]
    assert split_frames(b"".join(frames)) == list(zip(frames, (9, 8, 0x13)))
    assert [header_size(frame) for frame in frames] == [16, 18, 16]
