"""Frames both ways: tinytuya's golden ones, cut and joined at every byte, after garbage, broken, of other versions."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
import tinytuya

from tests.lan.make_golden_frames import KEY, NONCE, SESSION_KEY
from tuya.lan import versions
from tuya.lan.errors import BadValue, CodecMissing
from tuya.lan.protocol import payloads, tinytuya_codec
from tuya.lan.protocol.framing import MAX_FRAME_BYTES
from tuya.lan.protocol.wire import BAD_CHECK, GOOD, OTHER_VERSION, UNREADABLE, Wire
from tuya.simulator.frames import Wire as DeviceWire

VERSIONS = versions.names()
GOLDEN = json.loads((Path(__file__).parents[2] / "data" / "golden_frames.json").read_text(encoding="utf-8"))
REPORTED = {1: True, 18: 302, 19: 412, 20: 2412}


def opened(version: str) -> Wire:
    """A wire that uses the key which the golden frames were made with."""
    made = Wire(version, KEY.encode(), lambda count: NONCE[:count])
    if made.row.handshake:
        made._use_key(SESSION_KEY)
    return made


def frame_of(version: str, **wanted) -> bytes:
    return next(
        bytes.fromhex(entry["frame"])
        for entry in GOLDEN[version]["received"]
        if all(entry[key] == value for key, value in wanted.items())
    )


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("number", range(4))
def test_what_is_sent_is_what_tinytuya_sends(version, number):
    golden = GOLDEN[version]["sent"][number]
    made = opened(version)
    ours = made.pack(golden["command"], golden["payload"].encode())
    theirs = bytes.fromhex(golden["frame"])
    if version != "3.5":
        assert ours == theirs
        return
    # the nonces differ: tinytuya's is random
    message = tinytuya.unpack_message(ours, hmac_key=SESSION_KEY, no_retcode=True)
    expected = tinytuya.unpack_message(theirs, hmac_key=SESSION_KEY, no_retcode=True)
    assert message.crc_good
    assert (message.seqno, message.cmd, message.payload) == (expected.seqno, expected.cmd, expected.payload)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("retcode", [True, False])
def test_what_tinytuya_packs_is_read(version, header, retcode):
    messages = opened(version).receive(frame_of(version, header=header, retcode=retcode))
    assert [message.fault for message in messages] == [GOOD]
    assert (messages[0].command, messages[0].sequence, messages[0].retcode) == (8, 7, 0)
    assert payloads.parse_report(messages[0].payload).dps == REPORTED


@pytest.mark.parametrize("version", VERSIONS)
def test_split_and_joined_at_every_byte(version):
    stream = b"".join(bytes.fromhex(entry["frame"]) for entry in GOLDEN[version]["received"]) * 2
    expected = [message.payload for message in opened(version).receive(stream)]
    assert len(expected) == 8
    one_by_one = opened(version)
    assert [m.payload for at in range(len(stream)) for m in one_by_one.receive(stream[at : at + 1])] == expected
    for cut in range(1, len(stream)):
        made = opened(version)
        assert [m.payload for part in (stream[:cut], stream[cut:]) for m in made.receive(part)] == expected
        assert len(made._frames) == 0


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "garbage",
    [
        b"\0",
        b"\0\0\x55",
        b"\0\0\x55\xaa",
        b"\0\0\x66\x99",
        b"\0\0\x55\xaa" + bytes(7),
        bytes.fromhex("000055aa000000010000000800000100") + b"half a frame",
        bytes.fromhex("000066990000000000010000000800000fff"),
        bytes.fromhex("000055aa00000001000000087fffffff"),
        bytes.fromhex("000055aa0000000100000008ffffffff"),
        bytes.fromhex("000055aa000000010000000800000000"),
        bytes.fromhex("0000aa5500009966"),
        bytes(1000),
        b"\xff" * 3000,
    ],
)
def test_the_next_frame_is_found_after_garbage(version, garbage):
    good = frame_of(version, header=True, retcode=True)
    messages = [m for m in opened(version).receive(garbage + good + garbage + good) if m.fault == GOOD]
    assert [payloads.parse_report(message.payload).dps for message in messages] == [REPORTED, REPORTED]
    made = opened(version)
    seen = [m for byte in garbage + good for m in made.receive(bytes((byte,)))]
    assert [m.fault for m in seen if m.fault == GOOD] == [GOOD]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_truncated_frame_costs_itself_only(version):
    good = frame_of(version, header=True, retcode=True)
    for kept in range(1, len(good)):
        messages = [m for m in opened(version).receive(good[:kept] + good + good) if m.fault == GOOD]
        assert len(messages) == 2, kept


@pytest.mark.parametrize("version", VERSIONS)
def test_every_flipped_bit_is_noticed(version):
    good = frame_of(version, header=True, retcode=True)
    length_at = 14 if version == "3.5" else 12
    for at in range(len(good)):
        broken = bytearray(good)
        broken[at] ^= 0x10
        messages = opened(version).receive(bytes(broken) + good)
        good_ones = [m for m in messages if m.fault == GOOD]
        assert len(good_ones) == 1, at
        if at >= length_at + 4 and at < len(good) - 4:
            assert messages[0].fault == BAD_CHECK


@pytest.mark.parametrize("version", ["3.2", "3.3"])
def test_a_ciphertext_may_begin_with_anything(version):
    device = DeviceWire(version, KEY.encode())
    made = Wire(version, KEY.encode())
    for number in range(6000):
        plain = b'{"dps":{"19":%d}}' % number
        (message,) = made.receive(device.answer(10, number, plain))
        assert message[:7] == (10, number, 0, plain, GOOD, "", True)


@pytest.mark.parametrize("version", VERSIONS)
def test_another_key_is_never_read(version):
    device = DeviceWire(version, b"another key 1234")
    made = Wire(version, KEY.encode())
    faults = []
    for number in range(500):
        plain = b'{"dps":{"19":%d}}' % number
        (message,) = made.receive(device.answer(8, number, plain, pushed=True))
        faults.append(message.fault)
    assert set(faults) <= {UNREADABLE, BAD_CHECK}
    assert faults[0] == (BAD_CHECK if made.row.handshake else UNREADABLE)


@pytest.mark.parametrize(
    ("ours", "theirs", "hint"),
    [
        ("3.3", "3.5", "3.5"),
        ("3.4", "3.5", "3.5"),
        ("3.4", "3.3", "3.3"),
        ("3.3", "3.4", "3.4"),
        ("3.5", "3.3", "3.3"),
        ("3.5", "3.4", "3.4"),
    ],
)
def test_frames_of_another_version_are_recognised(ours, theirs, hint):
    frame = DeviceWire(theirs, KEY.encode()).answer(8, 1, b'{"dps":{"1":true}}', pushed=True)
    (message,) = Wire(ours, KEY.encode()).receive(frame)
    assert (message.fault, message.hint) == (OTHER_VERSION, hint)


@pytest.mark.parametrize("version", VERSIONS)
def test_long_frames_are_read_and_endless_ones_are_not_kept(version):
    plain = b'{"dps":{"1":"' + b"x" * 12000 + b'"}}'
    (message,) = Wire(version, KEY.encode()).receive(DeviceWire(version, KEY.encode()).answer(10, 1, plain))
    assert message.payload == plain
    made = opened(version)
    rng = random.Random(1)
    most = 0
    for _ in range(400):
        made.receive(rng.randbytes(4096).replace(b"\xff", b"\0\0\x55\xaa"))
        most = max(most, len(made._frames))
    assert most <= MAX_FRAME_BYTES
    assert made.garbage_bytes > 1_000_000


def test_empty_acknowledgements_and_return_codes():
    for version in VERSIONS:
        for code in (0, 1):
            frame = DeviceWire(version, KEY.encode()).answer(18, 3, b"", code=code)
            (message,) = Wire(version, KEY.encode()).receive(frame)
            assert (message.fault, message.payload, message.retcode) == (GOOD, b"", code)


def test_bad_settings_say_so_without_the_key():
    with pytest.raises(BadValue) as caught:
        Wire("3.3", b"short secret")
    assert "short secret" not in str(caught.value)
    with pytest.raises(BadValue):
        Wire("3.6", KEY.encode())
    with pytest.raises(BadValue):
        Wire("3.3", KEY.encode()).pack(7, bytes(9000))
    assert KEY not in repr(Wire("3.3", KEY.encode()))


def test_sequence_numbers_and_nonces_never_repeat():
    made = Wire("3.5", KEY.encode())
    frames = {made.pack(9, b"{}") for _ in range(50)}
    assert len({frame[18:30] for frame in frames}) == 50
    assert {int.from_bytes(frame[6:10], "big") for frame in frames} == set(range(1, 51))
    made._sequence = 0xFFFFFFFF
    assert made.pack(9, b"{}")[6:10] == bytes.fromhex("00000001")


def test_the_nonce_stays_random_when_the_root_logger_is_at_debug(caplog):
    caplog.set_level("DEBUG")
    made = Wire("3.5", KEY.encode())
    assert len({made.pack(7, b"{}")[18:30] for _ in range(4)}) == 4
    made.receive(frame_of("3.5"))
    assert KEY not in caplog.text
    assert not [record for record in caplog.records if record.name.startswith("tinytuya")]


# -- ciphers and the import of the codec


def test_the_codec_is_a_private_copy_on_pycryptodome():
    import importlib.util
    import sys

    # whichever of them this Python has must be left as it is
    present = [name for name in tinytuya_codec.HIDDEN if importlib.util.find_spec(name) is not None]
    before = {name: importlib.import_module(name) for name in present}
    codec = tinytuya_codec._import_private_copy()
    assert codec.crypto.startswith("PyCryptodome")
    assert codec.version == "1.20.0"
    assert sys.modules["tinytuya"] is tinytuya
    assert codec.cipher is not tinytuya.AESCipher
    assert {name: sys.modules.get(name) for name in tinytuya_codec.HIDDEN} == {
        name: before.get(name) for name in tinytuya_codec.HIDDEN
    }


def test_a_missing_codec_is_a_typed_error_with_its_cure(monkeypatch):
    monkeypatch.setattr(tinytuya_codec, "PACKAGE", "no_such_package")
    with pytest.raises(CodecMissing, match=r"install\.sh"):
        tinytuya_codec._import_private_copy()


def test_importing_the_codec_brings_nothing_dangerous_and_prints_nothing(tmp_path):
    import subprocess
    import sys

    code = (
        "import sys\nfrom tuya.lan.protocol import tinytuya_codec\ntinytuya_codec.load()\n"
        "bad = [m for m in ('cryptography', 'requests', 'colorama', 'tinytuya') if m in sys.modules]\n"
        "assert not bad, bad\nassert not [m for m in tinytuya_codec.HIDDEN if m in sys.modules]\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# -- payloads


@pytest.mark.parametrize(
    ("plain", "dps"),
    [
        (b'{"dps":{"1":true}}', {1: True}),
        (b'{"devId":"x","dps":{"1":1},"t":5}', {1: 1}),
        (b'{"protocol":4,"t":1,"data":{"dps":{"18":0}}}', {18: 0}),
        (b'{"dps":{"18":NaN,"19":Infinity,"20":-Infinity,"21":1e999}}', {18: None, 19: None, 20: None, 21: None}),
        (b'{"dps":{"1":null,"2":{"a":[1]},"3":[],"4":"\\ud800"}}', {1: None, 2: {"a": [1]}, 3: [], 4: "\ud800"}),
        (b'{"dps":{"1":%s}}' % (b"9" * 300), {1: int("9" * 300)}),
        (b'{"dps":{"one":1,"-1":2,"1e3":3,"":4,"\xd9\xa2":5,"99999999":6,"65536":7,"0":8}}', {}),
        (b'{"dps":{"256":1,"65535":2,"007":3,"+18":4," 18":5}}', {256: 1, 65535: 2}),
        (b'{"dps":{"1":"\xff\xfe"}}', {1: "\ufffd\ufffd"}),
        (b'{"dps":{"1":true}}\0\0\0', {1: True}),
        (b' {"dps":{}}', {}),
        (b'{"dps":{"1":true},"cid":"sub"}', {}),
        (b'{"data":{"cid":"sub","dps":{"1":true}}}', {}),
    ],
)
def test_reports(plain, dps):
    assert payloads.parse_report(plain).dps == dps


@pytest.mark.parametrize(
    "plain",
    [
        b"",
        b"{",
        b"[]",
        b"[{}]",
        b"42",
        b"null",
        b'"dps"',
        b"NaN",
        b'{"dps":[1]}',
        b'{"dps":null}',
        b"{}",
        b'{"data":7}',
        b'{"data":{"dps":3}}',
        b"json obj data unvalid",
        b"\xff" * 20,
        b'{"dps":' + b"[" * 9000,
        b'{"dps":{"1":' + b"9" * 5000 + b"}}",
    ],
)
def test_no_reports(plain):
    report = payloads.parse_report(plain)
    # what Python may read beyond 4,300 digits depends on its release
    assert report is None or list(report.dps) == [1]


@pytest.mark.parametrize(
    "dps", [{}, {0: 1}, {-1: 1}, {70000: 1}, {"1": 1}, {True: 1}, {1: float("nan")}, {1: object()}, {1: {2}}]
)
def test_what_cannot_be_written(dps):
    with pytest.raises(BadValue):
        payloads.control(versions.TABLE["3.4"], "id", 0.0, dps)


def test_spaces_inside_of_values_survive():
    command, payload = payloads.control(versions.TABLE["3.4"], "id", 1700000000.9, {101: "a b"})
    assert command == versions.CONTROL_NEW
    assert payload == b'{"protocol":5,"t":1700000000,"data":{"dps":{"101":"a b"}}}'
