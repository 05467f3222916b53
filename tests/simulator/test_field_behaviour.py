"""What public reports say of real devices, on every version where it can be: frame by frame, without sockets.

What needs sockets (how connections end, latency, a stalled uplink) is in test_field_connections.py.
"""

import json

import pytest
from tinytuya.core.message_helper import unpack_message

from tests.simulator.bench import Bench
from tests.simulator.peer import VERSIONS, Codec
from tuya.simulator.frames import Wire

every_version = pytest.mark.parametrize("version", VERSIONS)
TEXT = b"json obj data unvalid"
KEY = b"0123456789abcdef"
QUERY = {"3.1": 10, "3.2": 10, "3.3": 10, "3.4": 16, "3.5": 16}


def told(frames):
    """(command, return code, text or DPs) of each frame."""
    return [(frame.command, frame.code, frame.payload if frame.dps is None else frame.dps) for frame in frames]


def is_acknowledgement(frame):
    return (frame.code, frame.payload) == (0, b"")


@every_version
def test_asleep_until_updatedps_or_a_command(version):
    for wake in (lambda bench: bench.ask(18, {"dpId": [18]}), lambda bench: bench.write({1: True})):
        bench = Bench(version, load_w=230.0)
        bench.breaker.fault("asleep")
        for _ in range(3):
            assert told(bench.query()) == [(QUERY[version], 1, TEXT)]
        assert is_acknowledgement(bench.ask(9)[0])
        assert is_acknowledgement(wake(bench)[0])
        assert bench.query()[0].dps[18] == 1000
        bench.breaker.stop()
        bench.breaker.power_returned()
        assert told(bench.query()) == [(QUERY[version], 1, TEXT)]


def test_asleep_with_another_text():
    bench = Bench("3.3")
    bench.breaker.fault("asleep", text="devid not found")
    assert bench.query()[0].payload == b"devid not found"


@every_version
def test_a_text_for_ever_and_a_push_a_minute(version):
    bench = Bench(version, load_w=230.0)
    bench.breaker.fault("text_only")
    assert told(bench.query()) == [(QUERY[version], 1, TEXT)]
    assert [is_acknowledgement(frame) for frame in bench.ask(18, {"dpId": [18, 19, 20]})] == [True]
    assert told(bench.write({1: None, 20: None}))[0][1:] == (1, TEXT)
    bench.breaker.set_load(460.0)
    pushed = bench.go(130)
    assert [(frame.command, frame.dps[19], frame.dps[1]) for frame in pushed] == [(8, 4600, True)] * 2
    assert told(bench.query()) == [(QUERY[version], 1, TEXT)]


@every_version
def test_queries_that_are_never_answered(version):
    bench = Bench(version, load_w=230.0)
    bench.breaker.fault("no_query", every_s=10.0)
    assert bench.query() == []
    assert bench.write({1: None}) == []
    assert is_acknowledgement(bench.ask(9)[0])
    acknowledged, data = bench.ask(18, {"dpId": [18, 19]})
    assert is_acknowledgement(acknowledged)
    assert set(data.dps) == {18, 19}
    assert bench.write({1: False})[1].dps == {1: False}
    assert [frame.dps[19] for frame in bench.go(25)] == [0, 0]


@every_version
def test_a_bare_acknowledgement(version):
    bench = Bench(version)
    bench.breaker.fault("bare_query")
    assert told(bench.query()) == [(QUERY[version], 0, b"")]


@every_version
def test_an_empty_answer_and_then_one_dp_a_frame(version):
    bench = Bench(version, load_w=230.0)
    expected = bench.query()[0].dps
    bench.breaker.fault("empty_query", gap_s=1.0)
    answer, *_ = bench.query()
    assert json.loads(answer.payload) == {"dps": {}, "type": "query"}
    frames = bench.go(len(expected))
    assert all(len(frame.dps) == 1 for frame in frames)
    assert {dp: value for frame in frames for dp, value in frame.dps.items()} == expected
    bench.breaker.push([18, 19, 20])
    assert [frame.dps for frame in bench.take()] == [{18: 1000}, {19: 2300}, {20: 2300}]


@every_version
def test_a_query_answers_the_state_before_the_write_for_a_while(version):
    bench = Bench(version, load_w=230.0)
    bench.breaker.fault("stale_query", for_s=5.0)
    assert bench.query()[0].dps[1] is True
    assert bench.write({1: False})[1].dps == {1: False}
    assert (bench.query()[0].dps[1], bench.query()[0].dps[19]) == (True, 2300)
    bench.go(5)
    assert (bench.query()[0].dps[1], bench.query()[0].dps[19]) == (False, 0)


@every_version
def test_long_answers(version):
    bench = Bench(version, load_w=230.0)
    bench.breaker.fault("long_answers")
    frame = whole_answer(bench)
    assert len(frame) > 30000
    bench.breaker.clear_faults()
    bench.session.out.clear()
    assert len(whole_answer(bench)) < 1500


def whole_answer(bench):
    """The frame of a query's answer; tinytuya's codec does not take more than 1,440 bytes of payload."""
    bench.session.receive(bench.codec.pack(QUERY[bench.codec.version], b"{}"), bench.clock())
    ((frame, _),) = bench.session.out
    return frame


@pytest.mark.parametrize("version", ["3.2", "3.3"])
def test_reports_without_encryption(version):
    bench = Bench(version)
    bench.breaker.fault("plain_json")
    bench.breaker.push([1])
    bench.session.receive(bench.codec.pack(10, b"{}"), bench.clock())
    pushed, answer = (frame for frame, _ in bench.session.out)
    assert b'"dps":{"1":true}' in pushed
    assert b'"dps":{"1":true,' in answer
    bench.session.out.clear()
    bench.session.receive(bench.codec.pack(7, b'{"dps":{"1":false}}'), bench.clock())
    acknowledged, pushed = (frame for frame, _ in bench.session.out)
    assert is_acknowledgement(bench.codec.unpack(acknowledged))
    assert b'"dps":{"1":false}' in pushed
    assert bench.breaker.relay is False


@pytest.mark.parametrize("version", ["3.2", "3.3"])
def test_texts_without_encryption_are_as_they_were_seen(version):
    bench = Bench(version)
    bench.breaker.fault("plain_text")
    bench.breaker.fault("asleep")
    bench.session.receive(bench.codec.pack(10, b"{}"), bench.clock())
    ((frame, _),) = bench.session.out
    # a 3.2 device, AMoo-Miki/homebridge-tuya-lan#69, but for the sequence number and with it the CRC
    assert frame[8:37] == bytes.fromhex("0000000a00000021000000016a736f6e206f626a206461746120756e76616c6964")[:29]
    assert TEXT in frame


@every_version
def test_nulls_that_set(version):
    bench = Bench(version, load_w=230.0)
    bench.breaker.fault("null_sets")
    acknowledged, pushed = bench.write({1: None, 18: None, 38: None, 9: None})
    assert is_acknowledgement(acknowledged)
    assert pushed.dps == {1: False, 38: "off", 9: 0}
    assert bench.breaker.relay is False
    assert [dps for _, dps in bench.breaker.writes] == [{1: None, 18: None, 38: None, 9: None}]


@every_version
def test_the_first_named_dp_only(version):
    bench = Bench(version, load_w=230.0)
    bench.breaker.fault("device22")
    bench.breaker.fault("first_only")
    assert bench.query()[0].payload == TEXT
    assert bench.write({20: None, 1: None, 18: None})[1].dps == {20: 2300}


@every_version
def test_new_old_new(version):
    bench = Bench(version, load_w=230.0)
    bench.breaker.fault("flicker", gap_s=1.0)
    frames = bench.write({1: False}) + [frame for frame in bench.go(4) if 1 in frame.dps]
    assert [frame.dps for frame in frames[1:]] == [{1: False}, {1: True}, {1: False}]
    assert bench.breaker.relay is False
    assert len(bench.breaker.writes) == 1


@every_version
def test_an_error_code_although_it_switched(version):
    bench = Bench(version)
    bench.breaker.fault("write", how="code_1")
    acknowledged, pushed = bench.write({1: False})
    assert (acknowledged.code, acknowledged.payload, pushed.dps) == (1, b"", {1: False})
    assert bench.breaker.relay is False


@pytest.mark.parametrize("version", ["3.1", "3.2", "3.3"])
@pytest.mark.parametrize("how", ["text", "foreign_hmac"])
def test_a_wrong_key_before_3_4(version, how):
    bench = Bench(version, key=b"another local ke")
    bench.breaker.fault("wrong_key", how=how)
    bench.session.receive(bench.codec.pack(7, b'{"dps":{"1":false}}'), bench.clock())
    ((frame, _),) = bench.session.out
    assert (b"data format error" in frame) is (how == "text")
    assert bench.breaker.relay is True
    if how == "text":  # rospogrigio/localtuya#1232, a 3.2 device
        assert frame[12:].startswith(bytes.fromhex("0000001d000000016461746120666f726d6174206572726f72"))


@pytest.mark.parametrize("version", ["3.4", "3.5"])
@pytest.mark.parametrize("how", ["text", "foreign_hmac"])
def test_a_wrong_key_from_3_4_on(version, how):
    bench = Bench(version, handshake=False, key=b"another local ke")
    bench.breaker.fault("wrong_key", how=how)
    bench.session.receive(bench.codec.pack(3, bench.codec.nonce), bench.clock())
    ((frame, is_handshake),) = bench.session.out
    assert is_handshake
    assert (b"data format error" in frame) is (how == "text")
    for key in (b"another local ke", bench.breaker.local_key):
        codec = Codec(version, key)
        assert how == "text" or (codec.unpack(frame).command, codec.unpack(frame).good) == (3, False)
    if how == "foreign_hmac" and version == "3.4":  # as long as the one in jasonacox/tinytuya#542
        assert frame[4:20] == bytes.fromhex("00000001000000030000002c00000001")
    assert not bench.session.up


@pytest.mark.parametrize("version", VERSIONS)
def test_a_right_key_is_not_treated_as_a_wrong_one(version):
    for how in ("silent", "close", "text", "foreign_hmac"):
        bench = Bench(version, handshake=False)
        bench.breaker.fault("wrong_key", how=how)
        if version >= "3.4":
            (answer,) = bench.give(bench.codec.pack(3, bench.codec.nonce))
            assert bench.give(bench.codec.finish(answer.payload)) == []
        assert bench.query()[0].dps[1] is True


@pytest.mark.parametrize("version", ["3.4", "3.5"])
def test_the_first_proof_after_each_boot_is_wrong(version):
    bench = Bench(version, handshake=False)
    bench.breaker.fault("boot_hmac")
    for is_right in (False, True, True):
        bench.hello()
        (answer,) = bench.give(bench.codec.pack(3, bench.codec.nonce))
        assert (answer.command, answer.good) == (4, True)
        if not is_right:
            with pytest.raises(AssertionError):
                bench.codec.finish(answer.payload)
            continue
        assert bench.give(bench.codec.finish(answer.payload)) == []
        assert bench.session.up
    bench.breaker.stop()
    bench.breaker.power_returned()
    bench.hello()
    (answer,) = bench.give(bench.codec.pack(3, bench.codec.nonce))
    with pytest.raises(AssertionError):
        bench.codec.finish(answer.payload)


@every_version
@pytest.mark.parametrize(
    ("kind", "on", "off", "others"),
    [("text", "true", "false", ("on", 1)), ("number", 1, 0, ("on", "true")), ("on", "on", "off", ("true", 1))],
)
def test_booleans_in_other_words(version, kind, on, off, others):
    bench = Bench(version)
    bench.breaker.fault("booleans", kind=kind)
    found = bench.query()[0].dps
    assert (found[1], type(found[1])) == (on, type(on))
    assert found[41] == off
    for value in (False, True, off, on):
        pushed = bench.write({1: value})[1]
        assert pushed.dps[1] == (on if value in (True, on) else off)
        assert bench.breaker.relay is (value in (True, on))
    for value in others:
        assert [is_acknowledgement(frame) for frame in bench.write({1: value})] == [True]


@every_version
def test_a_heartbeat_answered_by_bytes(version):
    bench = Bench(version)
    bench.breaker.fault("binary_heartbeat")
    (answer,) = bench.ask(9)
    assert (answer.command, answer.good, len(answer.payload)) == (9, True, 8)
    with pytest.raises(UnicodeDecodeError):
        answer.payload.decode()


@every_version
def test_reports_of_devices_behind_it(version):
    bench = Bench(version, load_w=230.0)
    bench.breaker.fault("sub_devices")
    bench.breaker.push([1, 19])
    other, extension, own = bench.take()
    message = json.loads(other.payload)
    data = message["data"] if version >= "3.4" else message
    assert (data["cid"], data["dps"]) == ("a4c138f0e1d2b3c4", {"1": False, "19": 99999})
    assert (extension.command, json.loads(extension.payload)["reqType"]) == (0x40, "subdev_online_stat_report")
    assert own.dps == {1: True, 19: 2300}
    assert b"cid" not in own.payload


@every_version
def test_sequence_numbers_that_tell_nothing(version):
    numbers = {}
    for how in ("zero", "shuffled", "repeated"):
        bench = Bench(version)
        bench.breaker.fault("sequence", how=how)
        numbers[how] = [frame.sequence for _ in range(6) for frame in bench.query()]
    assert numbers["zero"] == [0] * 6
    assert numbers["shuffled"] != sorted(numbers["shuffled"])
    assert len(set(numbers["repeated"])) <= 3


def test_3_5_without_a_return_code():
    bench = Bench("3.5", handshake=False)
    bench.breaker.fault("no_code")
    (answer,) = bench.give(bench.codec.pack(3, bench.codec.nonce))
    frame_bytes = 16 + 32  # nonce and proof, and nothing in front of them
    assert len(answer.payload) == frame_bytes - 4  # tinytuya takes the first four bytes for a return code
    for version in ("3.1", "3.2", "3.3", "3.4"):
        bench = Bench(version)
        bench.breaker.fault("no_code")
        assert bench.query()[0].code == 0


def test_what_is_not_encrypted_has_a_right_check():
    for version in ("3.2", "3.3", "3.4"):
        frame = Wire(version, KEY).answer(8, 0, b'{"dps":{"1":true}}', pushed=True, sealed=False)
        assert b'{"dps":{"1":true}}' in frame
        message = unpack_message(frame, hmac_key=KEY if version == "3.4" else None, no_retcode=False)
        assert (message.crc_good, message.retcode, message.payload) == (True, 0, b'{"dps":{"1":true}}')
