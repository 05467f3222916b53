"""Which messages are commands, and what is answered."""

from __future__ import annotations

import json
from typing import Any, Dict, List

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.mqtt.snapshots import DEVICE_ID
from tuya.mqtt.commands import BURST_REFUSALS, MAX_ANSWERS, MAX_WAITING, Desk, Message
from tuya.mqtt.topics import BadMessage, Topics, valid_prefix
from tuya.sharing.allowance import BURST_COMMANDS

SET = f"tuya/{DEVICE_ID}/set"
SET_1 = f"tuya/{DEVICE_ID}/1/set"
RESULT = f"tuya/{DEVICE_ID}/result"


def desk() -> Desk:
    one = Desk(Topics("tuya"))
    one.serve(DEVICE_ID)
    return one


def commands(one: Desk, *messages: Message, now_s: float = 0.0) -> List[Dict[int, Any]]:
    for message in messages:
        one.message(message, now_s)
    return [command.dps for command in one.take_commands()]


def answers(one: Desk) -> List[Dict[str, Any]]:
    return [json.loads(each.payload) for each in one.take_answers() if each.topic == RESULT]


@pytest.mark.parametrize(
    ("topic", "payload", "dps"),
    [
        (SET, b'{"1": true}', {1: True}),
        (SET, b' {"1": false, "38": "memory", "9": 60}\n', {1: False, 38: "memory", 9: 60}),
        (SET_1, b"ON", {1: True}),
        (SET_1, b"OFF", {1: False}),
        (SET, b'\t{"1"\n:\rtrue }', {1: True}),
        (f"tuya/{DEVICE_ID}/38/set", b"memory", {38: "memory"}),
        (f"tuya/{DEVICE_ID}/9/set", b"60", {9: 60}),
    ],
)
def test_commands(topic: str, payload: bytes, dps: Dict[int, Any]):
    one = desk()
    assert commands(one, Message(topic, payload)) == [dps]
    one.answered(1, None, None)
    assert answers(one) == [{"dps": {str(dp): value for dp, value in dps.items()}, "error": None, "message": None}]


@pytest.mark.parametrize(
    "payload",
    [
        *(b"{}", b"[]", b"null", b"true", b"1", b"ON", b'{"1": ', b"\xff\xfe", b'{"1": null}', b'{"1": [true]}'),
        *(b'{"1": {"1": true}}', b'{"0": true}', b'{"256": true}', b'{"01": true}', b'{"a": true}', b'{"": 1}'),
        *(
            b'{"1": 1.5}',
            b'{"1": NaN}',
            b'{"1": 1e999}',
            b'{"1": -Infinity}',
            b'\xef\xbb\xbf{"1": true}',
            b"[" * 4000,
            b'{"1":' * 700,
            b'{"1": true, "1": false}',
            b"x" * 65536,
        ),
        '{"\u0661": true}'.encode(),
        b"{" + b",".join(b'"%d": true' % dp for dp in range(1, 60)) + b"}",
    ],
)
def test_what_is_no_command_is_answered(payload: bytes):
    one = desk()
    assert commands(one, Message(SET, payload)) == []
    (answer,) = answers(one)
    assert (answer["dps"], answer["error"]) == ({}, "BadMessage")
    assert len(answer["message"]) < 200


@pytest.mark.parametrize(
    "payload", [b"on", b"off", b"On", b"true", b"TRUE", b" ON", b"ON ", b"TOGGLE", b"0x1", b'"ON"']
)
def test_nearly_on_is_a_word_and_not_on(payload: bytes):
    """A device refuses a word for a switch, and its answer says what the switch takes."""
    assert commands(desk(), Message(SET_1, payload)) == [{1: payload.decode()}]


@pytest.mark.parametrize("payload", [b"1", b"0"])
def test_a_number_is_a_number_and_not_on(payload: bytes):
    (command,) = commands(desk(), Message(SET_1, payload))
    assert type(command[1]) is int


@pytest.mark.parametrize("word", ["off", "on", "ON", "60"])
def test_word_that_is_an_option_is_that_option(word: str):
    one = Desk(Topics("tuya"), lambda _device_id, dp: ("off", "on", "ON", "60") if dp == 38 else ())
    one.serve(DEVICE_ID)
    assert commands(one, Message(f"tuya/{DEVICE_ID}/38/set", word.encode())) == [{38: word}]


@pytest.mark.parametrize(
    "payload", [b"\x00", b"ON\n", b"ON\r\n", b"ON\x00", b"\xff", b"x" * 65, b"o\nn", b"ON " * 2000]
)
def test_no_value_of_a_data_point_is_answered(payload: bytes):
    one = desk()
    assert commands(one, Message(SET_1, payload)) == []
    assert [answer["error"] for answer in answers(one)] == ["BadMessage"]


@pytest.mark.parametrize(
    "topic",
    [
        *("tuya/set", "tuya//set", "tuya/+/set", "tuya/#/set", "tuya/a b/set", "tuya/ä/set", "tuya/" + "x" * 60000),
        *(
            f"tuya/{DEVICE_ID}/0/set",
            f"tuya/{DEVICE_ID}/256/set",
            f"tuya/{DEVICE_ID}/1/2/set",
            f"tuya/{DEVICE_ID}//set",
        ),
        *(
            f"tuya/{DEVICE_ID}/\u0661/set",
            f"tuya/{DEVICE_ID}/state",
            f"tuya/{DEVICE_ID}/set/",
            f"other/{DEVICE_ID}/set",
        ),
        *("tuya/" + "x" * 60000 + "/set", "tuya/\ud800/set"),
    ],
)
def test_other_topics_are_harmless(topic: str):
    one = desk()
    assert commands(one, Message(topic, b"ON"), Message(topic, b'{"1": true}')) == []
    assert one.take_answers() == []
    assert all(len(remark) < 200 for remark in one.take_remarks())


@given(st.text(max_size=40), st.binary(max_size=100))
def test_no_message_raises(level: str, payload: bytes):
    one = desk()
    for topic in (f"tuya/{level}/set", f"tuya/{DEVICE_ID}/{level}/set", level, SET, SET_1):
        one.message(Message(topic, payload, qos=1), 0.0)


def test_retained_command_is_refused_and_said():
    one = desk()
    assert commands(one, Message(SET_1, b"ON", is_retained=True)) == []
    (answer,) = answers(one)
    assert answer["error"] == "CommandRefused"
    assert "retained" in answer["message"]
    assert len(one.take_remarks()) == 1


@pytest.mark.parametrize("is_retained", [True, False])
@pytest.mark.parametrize("topic", [SET, SET_1])
def test_removing_a_retained_command_is_no_command(topic: str, is_retained: bool):
    one = desk()
    assert commands(one, Message(topic, b"", is_retained=is_retained, qos=1)) == []
    assert answers(one) == []
    assert one.take_remarks() == []


@pytest.mark.parametrize(("expires_s", "read_s_ago"), [(1.0, 1.0), (0.0, 0.0), (60.0, 2.1), (None, 2.1)])
def test_command_that_waited_too_long_is_refused(expires_s: Any, read_s_ago: float):
    one = desk()
    message = Message(SET_1, b"ON", at_s=100.0 - read_s_ago, expires_s=expires_s)
    assert commands(one, message, now_s=100.0) == []
    assert [answer["error"] for answer in answers(one)] == ["CommandRefused"]


def test_command_that_may_have_been_on_its_way_for_long_is_refused():
    one = desk()
    assert commands(one, Message(SET_1, b"ON", at_s=100.0, sent_after_s=96.5), now_s=100.0) == [{1: True}]
    assert commands(one, Message(SET_1, b"OFF", at_s=100.0, sent_after_s=95.5), now_s=100.0) == []
    assert "stood still" in answers(one)[0]["message"]


def test_command_in_time_is_carried_out():
    assert commands(desk(), Message(SET_1, b"ON", at_s=99.0, expires_s=2.0), now_s=100.0) == [{1: True}]


# -- the same delivery again

AGAIN = Message(SET_1, b"ON", qos=1)


def test_the_same_delivery_within_a_second_is_one_command_and_one_answer():
    one = desk()
    assert commands(one, AGAIN._replace(at_s=10.0), now_s=10.0) == [{1: True}]
    assert commands(one, AGAIN._replace(at_s=10.9), now_s=10.9) == []
    one.answered(1, None, None)
    assert len(answers(one)) == 1


def test_after_a_second_it_is_another_one():
    one = desk()
    assert commands(one, AGAIN._replace(at_s=10.0), now_s=10.0) == [{1: True}]
    assert commands(one, AGAIN._replace(at_s=11.0), now_s=11.0) == [{1: True}]


def test_marked_as_repeated_it_is_none_for_a_minute_whatever_came_between():
    one = desk()
    off = Message(SET_1, b"OFF", qos=1, at_s=11.0)
    assert commands(one, AGAIN._replace(at_s=10.0), now_s=10.0) == [{1: True}]
    assert commands(one, off, now_s=11.0) == [{1: False}]
    assert commands(one, AGAIN._replace(is_again=True, at_s=15.0), now_s=15.0) == []


def test_marked_as_repeated_and_never_seen_it_is_a_command_once():
    one = desk()
    repeated = AGAIN._replace(is_again=True)
    assert commands(one, repeated, repeated, repeated) == [{1: True}]


def test_on_off_on_is_three_commands():
    one = desk()
    off = Message(SET_1, b"OFF", qos=1)
    assert commands(one, AGAIN, off, AGAIN) == [{1: True}, {1: False}, {1: True}]


def test_two_askers_are_two_commands():
    one = desk()
    asked = [AGAIN._replace(correlation=word, response_topic="me") for word in (b"1", b"2")]
    assert commands(one, *asked) == [{1: True}, {1: True}]


# -- storms


def test_storm_is_bounded_and_every_message_answered():
    one = desk()
    done = commands(one, *(Message(SET_1, b"ON") for _ in range(400)))
    assert len(done) == BURST_COMMANDS
    refused = answers(one)
    assert len(refused) == 400 - BURST_COMMANDS
    assert all("too many" in answer["message"] for answer in refused)
    assert len(one.take_remarks()) <= 20, "a storm is not one in the log"


@pytest.mark.parametrize("payload", [b"{", b'{"1": "x"}'])
def test_refusals_of_a_lasting_storm_are_counted(payload: bytes):
    one = desk()
    for step in range(10_000):
        commands(one, Message(SET, payload, at_s=step / 1000), now_s=step / 1000)
    assert commands(one, Message(SET, b"{", at_s=10.0), now_s=10.0) == []
    told = answers(one)
    assert 90 <= len([answer for answer in told if "more refused messages" in answer["message"]]) <= 101
    assert len(told) <= BURST_REFUSALS + 101
    one.serve("another")
    commands(one, Message("tuya/another/set", b"{", at_s=10.0), now_s=10.0)
    assert len(one.take_answers()) == 1, "the storm of one device is not that of another"


def test_storm_does_not_keep_others_from_switching():
    one = desk()
    one.serve("another")
    commands(one, *(Message(SET_1, b"ON") for _ in range(100)))
    assert commands(one, Message("tuya/another/1/set", b"ON")) == [{1: True}]
    assert commands(one, Message(SET_1, b"OFF", at_s=1.0), now_s=1.0) == [{1: False}], "one more each second"


def test_commands_without_a_result_are_bounded():
    one = desk()
    done = [commands(one, Message(SET_1, b"ON", at_s=float(s)), now_s=float(s)) for s in range(100)]
    assert sum(map(len, done)) == MAX_WAITING
    one.answered(1, None, None)
    assert commands(one, Message(SET_1, b"ON", at_s=200.0), now_s=200.0) == [{1: True}]


def test_answers_that_nobody_takes_are_bounded():
    one = desk()
    for number in range(4):
        one.serve(f"device{number}")
        commands(one, *(Message(f"tuya/device{number}/1/set", b"ON") for _ in range(MAX_ANSWERS)))
    assert len(one.take_answers()) == MAX_ANSWERS


# -- answers


def test_response_topic_and_correlation():
    one = desk()
    commands(one, Message(SET, b'{"1": true}', response_topic="me/answers", correlation=b"\x01"))
    one.answered(1, "NotConfirmed", "not confirmed")
    first, second = one.take_answers()
    assert (first.topic, second.topic, second.correlation) == (RESULT, "me/answers", b"\x01")
    expected = {"dps": {"1": True}, "error": "NotConfirmed", "message": "not confirmed"}
    assert json.loads(first.payload) == json.loads(second.payload) == expected
    assert not first.retain
    assert not second.retain
    one.answered(1, None, None)
    assert one.take_answers() == [], "one answer a command"


@pytest.mark.parametrize("topic", ["a/+", "#", "$SYS/x", "a\0b", SET, SET_1, f"tuya/{DEVICE_ID}/state", "x" * 2000])
def test_response_topics_that_are_not_answered_on(topic: str):
    one = desk()
    commands(one, Message(SET_1, b"ON", response_topic=topic))
    one.answered(1, None, None)
    assert [each.topic for each in one.take_answers()] == [RESULT]


def test_device_that_is_gone_takes_nothing_and_its_result_is_still_told():
    one = desk()
    commands(one, Message(SET_1, b"ON"))
    one.drop(DEVICE_ID)
    one.answered(1, "NotConnected", "gone")
    assert len(answers(one)) == 1
    assert commands(one, Message(SET_1, b"ON")) == []


# -- names


@pytest.mark.parametrize("text", ["", "/", "a//b", "a/+", "#", "a b", "ä", "x" * 65, "$SYS", "/".join("abcdefghi")])
def test_bases_that_cannot_be_one(text: str):
    with pytest.raises(ValueError, match="topic"):
        valid_prefix(text)


def test_base_of_several_levels():
    topics = Topics("house/tuya/")
    assert topics.subscriptions == ("house/tuya/+/set", "house/tuya/+/+/set")
    assert topics.request(f"house/tuya/{DEVICE_ID}/1/set", b"ON").dps == {1: True}
    with pytest.raises(BadMessage):
        topics.request(f"tuya/{DEVICE_ID}/1/set", b"ON")


@pytest.mark.parametrize("payload", [b"ON", b'{"1": true}', b"[", b"\xff"])
def test_command_for_a_device_that_is_not_here_is_answered_once_and_a_storm_of_them_with_measure(payload: bytes):
    one = desk()
    one.drop(DEVICE_ID)
    assert commands(one, Message(SET_1, payload, qos=1), Message(SET_1, payload, qos=1)) == []
    (answer,) = answers(one)
    assert (answer["error"], answer["dps"]) == ("CommandRefused", {})
    assert "no such device" in answer["message"]
    assert commands(one, *(Message(f"tuya/x{number}/1/set", b"ON") for number in range(2 * BURST_REFUSALS))) == []
    assert len(one.take_answers()) <= BURST_REFUSALS
    assert len(one.take_remarks()) <= 30


def test_nesting_is_refused_before_it_is_parsed(monkeypatch: pytest.MonkeyPatch):
    def parse(*_: Any, **__: Any) -> None:
        raise AssertionError("parsed")

    monkeypatch.setattr("tuya.mqtt.topics.json.loads", parse)
    for payload in ("[" * 4000, '{"1":' * 500, '{"1": [true]}', " [true]"):
        with pytest.raises(BadMessage, match="is an object of values"):
            Topics("tuya").request(SET, payload.encode())
