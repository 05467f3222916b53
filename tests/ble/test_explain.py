"""The capture of the breaker that it all began with, and frames that keys open.

Vectors: OTHER_* were made by running other implementations with the made-up keys below: PlusPlus-ua/ha_tuya_ble for
flags 4 and 5, the key and encryption functions of tuya/TuyaOpen for flags 11, 12, 14, 15 and 16. Flags 1 and 2 have no
public implementation to ask: their vectors are SELF-MADE from the recipe, in `self_made_frame`, and prove only that
this code agrees with itself.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from Crypto.Cipher import AES
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tuya.ble.capture import TO_APP, TO_DEVICE, AttValue, read_capture
from tuya.ble.commands import describe, parse_dps
from tuya.ble.explain import explain
from tuya.ble.frame import Message, build_plaintext, crc16_modbus, parse_plaintext
from tuya.ble.keys import FLAGS, KeyMaterialError, Secrets, candidate_keys
from tuya.ble.packets import write_varint

CAPTURE = Path(__file__).parent.parent / "data" / "tongou-ble-capture.txt"

AUTH_KEY = b"abcdefghijklmnopqrstuvwxyz012345"
UUID = b"tuya0123456789ab"
LOCAL_KEY = b"0123456789abcdef"
SEC_KEY = b"fedcba9876543210"
SRAND = bytes([1, 2, 3, 4, 5, 6])
ALL = Secrets(AUTH_KEY, UUID, LOCAL_KEY, SEC_KEY)

OTHER_FLAG_4_5 = [
    (TO_DEVICE, "0021300403080d12171c21262b30353a3f44494e"),
    (TO_DEVICE, "014f2651f1ec271845d7d49123c8988d51"),
    (TO_APP, "0051300403080d12171c21262b30353a3f44494e"),
    (TO_APP, "0126acd3e4609600286fa03fea05de516d0ccd81"),
    (TO_APP, "022171af0b01b779df04ab2f173c8260bd1db820"),
    (TO_APP, "03420e54cf0fd433db51c65fcc28bff1977ad11a"),
    (TO_APP, "041cc2b1994cb97e"),
    (TO_APP, "0021310503080d12171c21262b30353a3f44494e"),
    (TO_APP, "010ae83884c65a63a36881e76a08621261"),
    (TO_APP, "0031320503080d12171c21262b30353a3f44494e"),
    (TO_APP, "01efbbd95752ea0acdbe37219c1dea0df943dee1"),
    (TO_APP, "0208833454d2c37e20140bdab6b8"),
]
OTHER_APP_11 = "0b01080f161d242b323940474e555c636ada88a2dac8ff2db962981fabf557701b"
OTHER_INFO_11 = (
    "0b55080f161d242b323940474e555c636a3b11a4c0988a8ad9d42f08acb7fc1132e88396df4002060f4dd42f401751d085172f2905ae1b3235"
    "39d76fa09a41105d03f1ec40a5fd7098fe927d1aad245bb996fb36333d52e1d9ae63dae38ff6860b"
)
OTHER_PAIR_12 = "0c56080f161d242b323940474e555c636a292ac85fe1fc45f3897d36c98c4837b3"
OTHER_DPS_12 = (
    "0c57080f161d242b323940474e555c636a62db8eeb744c5562531f1536d6fff04976e4299643e41ab6f102f8a8b15a21c2d8d30edae0cb6087"
    "1070431bb67c4ade"
)
OTHER_INFO_14 = (
    "0e58080f161d242b323940474e555c636a0f718e541d55720ace3996a8fe5099363e29696d908f43a18db8dec763c0b2aa42f1f28902b0ba36"
    "a8fdf422240dc4fa5a99004308b07ba4ebf359d87cfa04ba5195c3c6b40c78126753033672696940"
)
OTHER_DPS_15 = (
    "0f59080f161d242b323940474e555c636ac8ec18050be0bd9244f2f78b984037396d54de15147d644079a45467150a9e8ac7fcef735072ca3e"
    "89f15495ae8e2699"
)
OTHER_UNBIND_16 = "1059080f161d242b323940474e555c636a76f325e4630ebe0448c2a334c25ea2ae"
DPS_V4 = {"1": True, "20": 2412, "38": 2}


def one_value(direction: str, body_hex: str, counter: int, line: int) -> AttValue:
    """A frame in a single ATT value, as on a connection with a large packet size."""
    body = bytes.fromhex(body_hex)
    return AttValue(direction, write_varint(0) + write_varint(len(body)) + bytes([0x40 | counter]) + body, line)


def self_made_frame(flag: int, key: bytes, iv: bytes, message: Message) -> str:
    return (bytes([flag]) + iv + AES.new(key, AES.MODE_CBC, iv=iv).encrypt(build_plaintext(message))).hex()


def test_the_capture_of_a_sy1_has_57_values_19_frames_and_nothing_left_over() -> None:
    values = read_capture(CAPTURE.read_bytes()).values
    explained = explain(values, Secrets())
    assert (explained.values, explained.value_bytes) == (57, 1043)
    assert len(explained.frames) == 19
    assert explained.problems == ()
    assert all(f.raw.complete and not f.problems for f in explained.frames)
    from_device = [f for f in explained.frames if f.raw.direction == TO_APP]
    assert [f.raw.counter for f in from_device] == list(range(14))
    assert {f.raw.version for f in from_device} == {3}
    assert {f.raw.version for f in explained.frames if f.raw.direction == TO_DEVICE} == {2}
    assert [f.envelope.flag for f in explained.frames] == [1, 1, 2, 2, 2, 2, 5, 5, 2, 2, 5, 5, 5, 5, 5, 5, 2, 2, 5]
    assert [len(f.envelope.ciphertext) for f in explained.frames] == [
        *(16, 112, 64, 16, 80, 16, 16, 16, 16, 16),
        *(32, 48, 32, 32, 32, 32, 16, 16, 16),
    ]
    assert sum(len(f.raw.lines) for f in explained.frames) == 57


def test_the_capture_closed_is_told_as_inference() -> None:
    frames = explain(read_capture(CAPTURE.read_bytes()).values, Secrets()).frames
    assert all(f.inferred and f.message is None for f in frames)
    assert [frames[i].step for i in (0, 1, 2, 3, 4, 5)] == [
        "asks for device information",
        "device information with srand",
        "asks to pair",
        "answers: asks to pair",
        "hands over Wi-Fi network, password and token",
        "answers: hands over Wi-Fi network, password and token",
    ]
    assert "local key" in frames[6].why
    assert frames[2].envelope.data_bytes_range == (35, 50)


def test_the_local_key_alone_opens_nothing_of_a_first_pairing() -> None:
    frames = explain(read_capture(CAPTURE.read_bytes()).values, Secrets(local_key=LOCAL_KEY)).frames
    assert all(f.message is None for f in frames)
    assert any("srand" in problem for problem in frames[6].problems)
    assert frames[0].problems == ()  # its key was not given, so nothing failed


def test_other_implementation_flags_4_and_5() -> None:
    values = [AttValue(d, bytes.fromhex(h), line) for line, (d, h) in enumerate(OTHER_FLAG_4_5, start=1)]
    explained = explain(values, Secrets(local_key=LOCAL_KEY))
    assert explained.problems == ()
    messages = [f.message for f in explained.frames]
    assert [(m.sn, m.ack_sn, m.command) for m in messages if m] == [(1, 0, 0), (1, 1, 0), (2, 2, 1), (3, 0, 0x8001)]
    assert all(not f.inferred and not f.problems for f in explained.frames)
    assert explained.frames[3].to_json()["decrypted"]["dps"] == {"1": True, "18": 302, "38": 2}  # type: ignore[index]


@pytest.mark.parametrize(
    ("secrets", "info", "rest"),
    [
        (Secrets(AUTH_KEY, UUID), OTHER_INFO_11, [(OTHER_PAIR_12, 1), (OTHER_DPS_12, 0x8006)]),
        (Secrets(local_key=LOCAL_KEY, sec_key=SEC_KEY), OTHER_INFO_14, [(OTHER_DPS_15, 0x8006)]),
    ],
)
def test_other_implementation_flags_11_to_15(secrets: Secrets, info: str, rest: list[tuple[str, int]]) -> None:
    values = [one_value(TO_DEVICE, OTHER_APP_11, 0, 1), one_value(TO_APP, info, 0, 2)]
    values += [one_value(TO_APP, body, i, 2 + i) for i, (body, _) in enumerate(rest, start=1)]
    frames = explain(values, secrets).frames
    assert [f.message.command if f.message else None for f in frames[1:]] == [0, *(command for _, command in rest)]
    assert frames[-1].to_json()["decrypted"]["dps"] == DPS_V4  # type: ignore[index]


def test_other_implementation_flag_16() -> None:
    frames = explain([one_value(TO_DEVICE, OTHER_UNBIND_16, 0, 1)], Secrets(AUTH_KEY, UUID)).frames
    assert frames[0].message is not None
    assert (frames[0].message.command, frames[0].step) == (5, "unbind")


@pytest.mark.parametrize("form", ["KEY1", "md5(auth_key)"])
def test_self_made_flags_1_and_2(form: str) -> None:
    rand, iv = bytes(range(16)), bytes(range(16, 32))
    key1 = AES.new(AUTH_KEY[:16], AES.MODE_CBC, iv=bytes(16)).encrypt(AUTH_KEY + rand)[-16:]
    base = key1 if form == "KEY1" else hashlib.md5(AUTH_KEY).digest()  # noqa: S324 - the protocol's own
    key2 = hashlib.md5(base + SRAND).digest()  # noqa: S324 - the protocol's own
    info = bytes([1, 0, 3, 2, 1, 0]) + SRAND + bytes(34)
    wifi = b'{"ssid":"home","pwd":"a password","token":"EU123"}'
    bodies = [
        (TO_DEVICE, self_made_frame(1, key1, rand, Message(1, 0, 0, b"\x00\x14"))),
        (TO_APP, self_made_frame(1, key1, iv, Message(1, 1, 0, info))),
        (TO_DEVICE, self_made_frame(2, key2, iv, Message(2, 0, 0x21, wifi))),
    ]
    frames = explain([one_value(d, b, 0, n) for n, (d, b) in enumerate(bodies, start=1)], Secrets(AUTH_KEY)).frames
    assert [f.message.command if f.message else None for f in frames] == [0, 0, 0x21]
    assert frames[1].to_json()["decrypted"]["protocol_version"] == "3.2"  # type: ignore[index]
    shown = str(frames[2].to_json())
    assert "'ssid': 'home'" in shown
    assert "a password" not in shown
    assert "EU123" not in shown


@pytest.mark.parametrize("flag", sorted(FLAGS))
def test_each_flag_has_a_recipe_for_keys_or_needs_none(flag: int) -> None:
    keys = candidate_keys(flag, ALL, (bytes(16),), (SRAND,))
    assert (flag == 0) == (keys == [])
    assert all(len(key) == 16 for key in keys)
    assert candidate_keys(flag, Secrets(), (bytes(16),), (SRAND,)) == []


@pytest.mark.parametrize(
    "wrong", [{"auth_key": b"short"}, {"local_key": b"x" * 15}, {"sec_key": b""}, {"uuid": b"1234"}]
)
def test_a_key_of_wrong_length_is_refused_without_showing_it(wrong: dict[str, bytes]) -> None:
    with pytest.raises(KeyMaterialError) as caught:
        Secrets(**wrong)
    name, value = next(iter(wrong.items()))
    assert name in str(caught.value)
    assert not value or value.decode() not in str(caught.value)


def test_secrets_are_not_in_their_repr() -> None:
    assert "0123456789abcdef" not in repr(ALL)
    assert "abcdefgh" not in repr(ALL)


def test_unknown_flag_wrong_length_and_lost_frames_are_problems_with_a_line() -> None:
    frames = explain(
        [
            one_value(TO_APP, "63" + "00" * 32, 0, 5),
            one_value(TO_APP, "02" + "00" * 21, 1, 6),
            one_value(TO_APP, "02" + "00" * 32, 4, 7),
        ],
        Secrets(),
    ).frames
    assert frames[0].problems == ("line 5: security flag 99 is not known",)
    assert frames[1].problems == ("line 6: a ciphertext of 5 bytes is not a multiple of 16",)
    assert frames[2].problems == ("line 7: the device's frame counter goes from 1 to 4: frames are missing",)


def test_crc_is_modbus_and_a_flipped_bit_is_seen() -> None:
    assert crc16_modbus(b"123456789") == 0x4B37  # the published check value of CRC-16/MODBUS
    plaintext = build_plaintext(Message(7, 0, 0x8001, b"\x01\x01\x01\x01"))
    assert parse_plaintext(plaintext) == Message(7, 0, 0x8001, b"\x01\x01\x01\x01")
    for bit in range(8 * 18):
        damaged = bytearray(plaintext)
        damaged[bit // 8] ^= 1 << bit % 8
        assert parse_plaintext(bytes(damaged)) is None


def test_data_points_of_both_widths() -> None:
    assert parse_dps(bytes([20, 2, 4, 0, 0, 9, 0x6C, 66, 3, 2, 0x68, 0x69]), 0, wide=False) == [(20, 2412), (66, "hi")]
    assert parse_dps(bytes([26, 5, 0, 1, 3]), 0, wide=True) == [(26, 3)]
    assert describe(0x8004, bytes([0, 1, 0, 1, 1, 1, 0]), from_device=True) == {"dps": {"1": False}}
    assert describe(0x8007, bytes(7) + bytes([1, 0, 0, 0, 9, 1, 1, 0, 1, 1]), from_device=True) == {"dps": {"1": True}}
    assert "problem" in describe(0x8001, bytes([1, 1, 9, 1]), from_device=True)


@settings(max_examples=examples(100))
@given(
    st.lists(st.tuples(st.sampled_from([TO_APP, TO_DEVICE]), st.integers(0, 20), st.binary(max_size=80)), max_size=12)
)
def test_any_frames_are_explained_without_an_exception(frames: list[tuple[str, int, bytes]]) -> None:
    values = [one_value(d, bytes([flag]).hex() + body.hex(), 0, n) for n, (d, flag, body) in enumerate(frames, start=1)]
    explained = explain(values, ALL)
    assert len(explained.frames) == len(frames)
    assert all(f.to_json()["frame"] == f.number for f in explained.frames)


@given(st.integers(0, 0xFFFF), st.binary(max_size=60), st.booleans())
def test_any_data_of_any_command_are_described(command: int, data: bytes, from_device: bool) -> None:
    assert isinstance(describe(command, data, from_device), dict)
