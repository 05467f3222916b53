import hmac
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.simulator.bench import WALL_S, Bench
from tests.simulator.peer import VERSIONS

SY1_DPS = {1, 9, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 38, 40, 41, 42, 66}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_full_query_answers_with_every_dp_under_the_same_command(version):
    bench = Bench(version, load_w=230.0)
    (answer,) = bench.query()
    assert answer.command == (16 if version >= "3.4" else 10)
    assert answer.code == 0
    assert set(answer.dps) == SY1_DPS
    assert (answer.dps[1], answer.dps[18], answer.dps[19], answer.dps[20]) == (True, 1000, 2300, 2300)


@pytest.mark.parametrize("version", ["3.4", "3.5"])
def test_new_firmware_answers_the_old_query_too(version):
    (answer,) = Bench(version).ask(10, {})
    assert (answer.command, set(answer.dps)) == (10, SY1_DPS)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_heartbeat_is_answered_empty(version):
    (answer,) = Bench(version).ask(9, {"gwId": "x", "devId": "x"})
    assert (answer.command, answer.code, answer.payload) == (9, 0, b"")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_write_is_acknowledged_empty_and_then_reported(version):
    bench = Bench(version)
    acknowledged, pushed = bench.write({1: False})
    assert (acknowledged.command, acknowledged.code, acknowledged.payload) == (13 if version >= "3.4" else 7, 0, b"")
    assert (pushed.command, pushed.dps) == (8, {1: False})
    assert bench.breaker.relay is False
    assert bench.breaker.writes == [(1000.0, {1: False})]
    assert bench.query()[0].dps[19] == 0


@pytest.mark.parametrize("version", VERSIONS)
def test_updatedps_is_acknowledged_empty_and_pushes_what_changed(version):
    bench = Bench(version, load_w=230.0)
    bench.query()
    (acknowledged,) = bench.ask(18, {"dpId": [18, 19, 20]})
    assert (acknowledged.command, acknowledged.payload) == (18, b"")
    bench.breaker.set_load(232.3)
    acknowledged, pushed = bench.ask(18, {"dpId": [18, 19, 20]})
    assert (pushed.command, pushed.dps) == (8, {18: 1010, 19: 2323})


@pytest.mark.parametrize("version", VERSIONS)
def test_a_write_of_nulls_is_a_query_of_these_dps(version):
    bench = Bench(version)
    acknowledged, pushed = bench.write({1: None, 20: None, 99: None})
    assert acknowledged.payload == b""
    assert (pushed.command, pushed.dps) == (8, {1: True, 20: 2300})
    assert bench.breaker.writes == []


@pytest.mark.parametrize("version", VERSIONS)
def test_status_holds_what_real_ones_hold_around_the_dps(version):
    bench = Bench(version)
    message = json.loads(bench.write({41: True})[1].payload)
    if version >= "3.4":
        assert message == {"protocol": 4, "t": int(WALL_S), "data": {"dps": {"41": True}}}
    else:
        assert message == {"devId": bench.breaker.device_id, "dps": {"41": True}, "t": int(WALL_S)}


def test_sequence_numbers_up_to_3_4():
    bench = Bench("3.3")
    assert bench.query()[0].sequence == 1
    assert bench.ask(9)[0].sequence == 0
    acknowledged, pushed = bench.write({1: False})
    assert (acknowledged.sequence, pushed.sequence) == (3, 0)
    bench = Bench("3.4")
    assert [frame.sequence for frame in bench.query() + bench.ask(9)] == [3, 4]


def test_sequence_numbers_of_3_5_are_the_devices_own():
    bench = Bench("3.5")
    found = bench.query() + bench.ask(9) + bench.write({1: False})
    assert [frame.sequence for frame in found] == [0x2601, 0x2602, 0x2603, 0x2604]


@pytest.mark.parametrize("version", ["3.4", "3.5"])
def test_nothing_is_said_before_the_handshake_is_done(version):
    bench = Bench(version, handshake=False)
    bench.breaker.push()
    assert bench.take() == []
    assert bench.query() == []
    assert bench.session.closing


@pytest.mark.parametrize("version", ["3.4", "3.5"])
def test_message_4_under_another_key_proves_that_the_key_is_wrong(version):
    bench = Bench(version, handshake=False, key=b"another local ke")
    (answer,) = bench.give(bench.codec.pack(3, bench.codec.nonce))
    assert (answer.command, answer.good) == (4, False)
    assert bench.breaker.bad_frames == 1
    assert not bench.session.up


@pytest.mark.parametrize("version", ["3.4", "3.5"])
def test_a_wrong_message_5_ends_the_connection(version):
    bench = Bench(version, handshake=False)
    bench.give(bench.codec.pack(3, bench.codec.nonce))
    assert bench.give(bench.codec.pack(5, hmac.new(b"no", b"no", "sha256").digest())) == []
    assert bench.session.closing
    assert not bench.session.up


@pytest.mark.parametrize("version", ["3.2", "3.3"])
def test_another_key_is_answered_with_an_error_under_the_breakers_own(version):
    bench = Bench(version, key=b"another local ke")
    frame = bench.codec.pack(10, b'{"gwId":"x","devId":"x"}')
    bench.codec.key = bench.breaker.local_key
    (answer,) = bench.give(frame)
    assert (answer.command, answer.sequence, answer.code, answer.payload) == (10, 1, 1, b"parse data error")


def test_3_1_queries_need_no_key_but_writes_do():
    bench = Bench("3.1", key=b"another local ke")
    assert bench.query()[0].dps[1] is True
    (answer,) = bench.write({1: False})
    assert (answer.command, answer.code) == (7, 1)
    assert bench.breaker.relay is True


@pytest.mark.parametrize("version", VERSIONS)
def test_nonsense_is_answered_with_an_error_or_not_at_all(version):
    bench = Bench(version)
    for command, payload in ((7, b"no json"), (13, b"[1]"), (10, b"[]"), (18, b"7"), (13, b'{"data":3}'), (99, b"{}")):
        for answer in bench.give(bench.codec.pack(command, payload)):
            assert answer.dps is None
    assert not bench.session.closing
    assert bench.breaker.writes == []
    assert set(bench.query()[0].dps) == SY1_DPS


@pytest.mark.parametrize("version", ["3.1", "3.2", "3.3"])
def test_old_firmware_answers_a_handshake_with_an_error(version):
    (answer,) = Bench(version).ask(3, {})
    assert (answer.command, answer.code, answer.payload) == (3, 1, b"json obj data unvalid")


def test_old_firmware_answers_the_handshake_of_a_3_4_client():
    bench, newer = Bench("3.3"), Bench("3.4", handshake=False)
    (answer,) = bench.give(newer.codec.pack(3, newer.codec.nonce))
    assert (answer.command, answer.code) == (3, 1)
    assert not bench.session.closing


def test_a_3_3_client_is_thrown_out_by_3_4():
    bench, older = Bench("3.4", handshake=False), Bench("3.3")
    assert bench.give(older.codec.pack(10, b"{}")) == []
    assert bench.session.closing


def test_only_what_may_be_written_is_written_and_reported():
    bench = Bench("3.4")
    before = bench.breaker.dps
    for dps in ({19: 5}, {1: 1}, {1: "on"}, {38: "sometimes"}, {9: -1}, {9: True}, {77: True}, {17: 0}):
        assert [frame.command for frame in bench.write(dps)] == [13]
    assert bench.breaker.dps == before
    assert bench.write({38: "off", 9: 60, 5: 1})[1].dps == {38: "off", 9: 60}


def test_a_silent_client_is_thrown_out_after_30_s():
    bench = Bench("3.3")
    assert not bench.session.idle(bench.clock.go(30.0))
    bench.ask(9)
    assert not bench.session.idle(bench.clock.go(30.0))
    assert bench.session.idle(bench.clock.go(0.1))


@pytest.mark.parametrize("version", VERSIONS)
def test_frames_cut_byte_by_byte_are_answered_alike(version):
    bench = Bench(version)
    stream = bench.codec.pack(9, b"") + bench.codec.pack(16 if version >= "3.4" else 10, b"{}")
    found = [frame for at in range(len(stream)) for frame in bench.give(stream[at : at + 1])]
    assert [frame.command for frame in found] == [9, 16 if version >= "3.4" else 10]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["1", "9", "38", "٢", "x", ""]), inner),
    max_leaves=8,
)
messages = st.one_of(
    st.binary(max_size=60),
    st.builds(
        lambda key, value: json.dumps({key: value}).encode(), st.sampled_from(["dps", "data", "dpId"]), json_values
    ),
    st.builds(lambda value: json.dumps({"data": {"dps": value}}).encode(), json_values),
    st.just(b"[" * 3000),
    st.just(b'{"dps":' * 400),
)


@pytest.mark.parametrize("version", VERSIONS)
@settings(max_examples=examples(60), deadline=None)
@given(stream=st.lists(st.tuples(st.integers(0, 70), messages), max_size=6))
def test_whatever_a_client_says_the_breaker_lives(version, stream):
    bench = Bench(version)
    for command, payload in stream:
        bench.give(bench.codec.pack(command, payload))
    assert not bench.session.closing
    assert set(bench.query()[0].dps) == SY1_DPS
    assert all(set(dps) <= {1, 2, 9, 38} for _, dps in bench.breaker.writes)
