import json
import math

import pytest

from tests.simulator.bench import Bench
from tests.simulator.peer import VERSIONS
from tuya.simulator import FAULTS
from tuya.simulator.distortion import FrameDistortion, content, values
from tuya.simulator.faults import Faults, checked
from tuya.simulator.frames import Wire


def faults_with(name, **given):
    faults = Faults([18, 19, 20])
    faults.switch_on(name, checked(name, given))
    return faults


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        ("huge", 2147483647),
        ("negative", -413),
        ("zero", 0),
        ("minimum", -99999999),
        ("fraction", 412.5),
        ("text", "n/a"),
        ("bool", True),
        ("null", None),
    ],
)
def test_values_that_cannot_be(kind, shown):
    assert values(faults_with("values", kind=kind, dps=[19]), {1: True, 18: 302, 19: 412}) == {
        1: True,
        18: 302,
        19: shown,
    }


def test_values_strike_all_that_is_measured_if_none_is_named():
    assert values(faults_with("values"), {1: True, 18: 302}) == {1: True, 18: 2**31 - 1}


def test_every_kind_of_value_and_json_is_tried_here_and_fits_into_a_frame():
    query, push = {"dps": {"1": True}}, {"protocol": 4, "t": 1, "data": {"dps": {"1": True}}}
    made = {
        kind: [content(faults_with("bad_json", kind=kind), message) for message in (query, push)]
        for kind in FAULTS["bad_json"].parameters["kind"].choices
    }
    assert max(len(plain) for pair in made.values() for plain in pair) < 1400
    for kind in ("text", "cut", "bytes"):
        for plain in made[kind]:
            with pytest.raises(ValueError, match=r"."):
                json.loads(plain)
    assert [json.loads(plain) for plain in made["number"]] == [42, 42]
    assert [type(json.loads(plain)) for plain in made["list"]] == [list, list]
    for kind, check in {
        "nan": lambda dps: math.isnan(dps["19"]),
        "infinity": lambda dps: dps["18"] == math.inf and dps["19"] == -math.inf and dps["20"] == math.inf,
        "digits": lambda dps: dps["18"] > 10**299,
        "deep": lambda dps: dps["19"] != [],
        "dps_list": lambda dps: dps == [1, 2, 3],
        "dps_null": lambda dps: dps is None,
        "names": lambda dps: dps["one"] == 1 and dps["-1"] == 2 and dps["\u0662"] == 5,
        "objects": lambda dps: dps["1"] == {"on": True} and dps["18"] == [18],
    }.items():
        plain_query, plain_push = (json.loads(plain) for plain in made[kind])
        assert check(plain_query["dps"])
        assert check(plain_push["data"]["dps"])
    assert [json.loads(plain) for plain in made["no_dps"]] == [{}, {"protocol": 4, "data": {}}]


def test_without_faults_nothing_is_touched():
    faults = Faults([18])
    assert FrameDistortion(faults).apply(b"frame", False) == [b"frame"]
    assert content(faults, {"dps": {"47": "°C"}}) == '{"dps":{"47":"°C"}}'.encode()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", ["bad_check", "bad_suffix", "truncate", "length"])
def test_damage_is_where_it_should_be(version, name):
    whole = Wire(version, b"0123456789abcdef").answer(9, 1, b"")
    (damaged,) = FrameDistortion(faults_with(name)).apply(whole, False)
    differing = [at for at, (good, bad) in enumerate(zip(whole, damaged)) if good != bad]
    at_length = 14 if version == "3.5" else 12
    assert (
        len(whole) - len(damaged),
        set(differing)
        <= {"length": set(range(at_length, at_length + 4))}.get(name, set(range(len(whole) - 8, len(whole)))),
    ) == (5 if name == "truncate" else 0, True)
    assert bool(differing) is (name != "truncate")


@pytest.mark.parametrize(("where", "order"), [("before", "gf"), ("behind", "fg"), ("instead", "g")])
@pytest.mark.parametrize("kind", ["random", "zeros", "prefix"])
def test_garbage(where, order, kind):
    frame = Wire("3.3", b"0123456789abcdef").answer(9, 1, b"")
    sent = FrameDistortion(faults_with("garbage", where=where, kind=kind, size=21)).apply(frame, False)
    assert "".join("f" if piece == frame else "g" for piece in sent) == order
    (noise,) = [piece for piece in sent if piece != frame]
    assert len(noise) == 21
    if kind == "prefix":
        assert noise[:4] in (b"\x00\x00\x55\xaa", b"\x00\x00\x66\x99")
    else:
        assert (noise == bytes(21)) is (kind == "zeros")


def test_replays_of_any_age():
    distortion = FrameDistortion(faults_with("replay", age=2))
    sent = [distortion.apply(frame, False) for frame in (b"a", b"b", b"c", b"d")]
    assert sent == [[b"a"], [b"b"], [b"c", b"a"], [b"d", b"b"]]
    for number in range(500):
        distortion.apply(b"%d" % number, False)
    assert len(distortion._history) == 64


def only_status(frames):
    return [frame for frame in frames if frame.command in (8, 10, 16)]


@pytest.mark.parametrize("version", VERSIONS)
def test_faults_of_a_session(version):
    bench = Bench(version, load_w=230.0)
    breaker = bench.breaker

    breaker.fault("hide", dps=[19])
    assert 19 not in bench.query()[0].dps
    assert bench.write({19: None, 1: None})[1].dps == {1: True}
    breaker.clear_faults()
    assert 19 in bench.query()[0].dps

    breaker.fault("device22")
    (answer,) = bench.query()
    assert (answer.code, answer.payload) == (1, b"json obj data unvalid")
    assert bench.write({1: None, 18: None})[1].dps == {1: True, 18: 1000}
    breaker.clear_faults()

    breaker.fault("clock", jump_s=3600)
    pushed = json.loads(bench.write({41: True})[1].payload)
    assert pushed["t"] == 1_700_003_600
    breaker.clear_faults()

    breaker.fault("mute", commands=[9])
    assert bench.ask(9) == []
    assert len(bench.query()) == 1
    breaker.clear_faults()
    assert len(bench.ask(9)) == 1

    breaker.fault("unknown_command", command=0x55)
    assert [frame.command for frame in bench.query()] == [0x55, 16 if version >= "3.4" else 10]
    breaker.clear_faults()

    breaker.fault("own_sequence")
    assert bench.query()[0].sequence >= 0x2600
    breaker.clear_faults()

    breaker.fault("values", kind="negative", dps=[19])
    assert bench.query()[0].dps[19] == -2301
    breaker.clear_faults()

    breaker.fault("bad_json", kind="text")
    assert bench.query()[0].payload == b"json obj data unvalid"
    breaker.clear_faults()

    breaker.fault("quiet")
    breaker.set_load(2300.0)
    breaker.set_relay(False)
    assert bench.go(5) == []
    assert bench.write({1: True})[1].dps == {1: True}
    assert bench.ask(18, {"dpId": [18, 19, 20]})[1].dps == {18: 10000, 19: 23000}
    breaker.clear_faults()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("how", "codes", "closing"),
    [("silent", [], False), ("error", [1], False), ("empty", [0], False), ("close", [], True)],
)
def test_refused_refreshes(version, how, codes, closing):
    bench = Bench(version)
    bench.breaker.fault("refresh", how=how)
    assert [frame.code for frame in bench.ask(18, {"dpId": [18, 19, 20]})] == codes
    assert bench.session.closing is closing


@pytest.mark.parametrize("version", VERSIONS)
def test_a_heartbeat_right_after_a_refresh_may_be_too_much(version):
    bench = Bench(version)
    bench.breaker.fault("refresh", how="touchy")
    assert [frame.command for frame in bench.ask(18, {"dpId": [18]})] == [18, 8]
    bench.go(1)
    assert [frame.command for frame in bench.ask(9)] == [9]
    bench.ask(18, {"dpId": [18]})
    assert bench.ask(9) == []
    assert bench.session.closing


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("how", "codes", "relay"),
    [
        ("deaf", [0], True),
        ("unreported", [0], False),
        ("late", [0], True),
        ("refused", [1], True),
        ("unanswered", [], True),
    ],
)
def test_writes_that_go_wrong(version, how, codes, relay):
    bench = Bench(version)
    bench.query()
    bench.breaker.fault("write", how=how, delay_s=3)
    assert [frame.code for frame in bench.write({1: False})] == codes
    assert bench.breaker.relay is relay
    assert bench.breaker.writes == [(1000.0, {1: False})]
    switched = [frame.dps[1] for frame in bench.go(4) if 1 in frame.dps]
    assert switched == ([False] if how == "late" else [])
    assert bench.breaker.relay is (relay and how != "late")


def test_a_relay_that_trips_again_at_once():
    bench = Bench("3.4")
    bench.write({1: False})
    bench.breaker.fault("trip")
    assert [frame.dps for frame in only_status(bench.write({1: True}))] == [{1: False, 26: 1}]
    assert bench.breaker.relay is False
    bench.breaker.fault("trip", delay_s=0.4)
    assert [frame.dps for frame in only_status(bench.write({1: True}))] == [{1: True, 26: 0}]
    bench.clock.go(0.5)
    bench.fleet.run_due()
    assert [frame.dps for frame in bench.take()] == [{1: False, 26: 1}]


@pytest.mark.parametrize("version", ["3.2", "3.3", "3.4", "3.5"])
@pytest.mark.parametrize("how", ["silent", "close"])
def test_a_client_with_another_key_may_be_shunned(version, how):
    bench = Bench(version, handshake=False, key=b"another local ke")
    bench.breaker.fault("wrong_key", how=how)
    command = 3 if version >= "3.4" else 10
    assert bench.give(bench.codec.pack(command, b'{"gwId":"0123456789"}')) == []
    assert bench.session.closing is (how == "close")
