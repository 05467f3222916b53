"""What devices answer to queries and clicks, as public reports say real ones do (tests/lan/field.py)."""

from __future__ import annotations

import time

import pytest

from tests.at_once import at_once
from tests.lan.field import Field
from tests.lateness import again_if_late
from tuya.lan.errors import WrongKey, WrongVersion
from tuya.lan.events import Status, WriteDone


def test_asleep_after_power_up_it_is_woken_and_reports():
    with Field(("asleep", {})) as field:
        field.wait_readings(8.0)
        field.assert_one_connection_and_no_false_word()
        assert all(breaker.writes == [] for breaker in field.breakers)
        assert set(field.click().values()) == {None}


def test_asleep_while_connected_after_its_power_was_cut():
    with Field(("asleep", {})) as field:
        field.wait_readings(8.0)
        since = len(field.seen.events)
        for breaker in field.breakers:
            breaker.stop()
            breaker.start()
        for breaker in field.breakers:
            field.seen.wait_value(breaker.device_id, 19, 2300, 12.0, since)
        assert field.errors(WrongKey, WrongVersion) == []


def test_asleep_a_click_wakes_it_too():
    with Field(("asleep", {}), ("refresh", {"how": "silent"})) as field:
        for breaker in field.breakers:
            if breaker.version >= "3.4":
                field.seen.wait_connected(breaker.device_id, 5.0)
        time.sleep(2.0)
        assert all(error is None for version, error in field.click().items() if version >= "3.2")
        assert field.errors(WrongKey, WrongVersion) == []


@at_once("name", ["text_only", "no_query"])
def test_only_its_own_pushes_tell_anything(name):
    with Field((name, {"every_s": 5.0})) as field:
        field.wait_readings(20.0)
        field.assert_one_connection_and_no_false_word()
        assert set(field.click().values()) == {None}
        time.sleep(6.0)
        field.assert_one_connection_and_no_false_word()


@pytest.mark.parametrize(("name", "given"), [("bare_query", {}), ("empty_query", {"gap_s": 0.05})])
def test_queries_that_tell_nothing(name, given):
    with Field((name, given)) as field:
        field.wait_readings(10.0)
        field.assert_one_connection_and_no_false_word()
        assert set(field.click().values()) == {None}


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("long_answers", {}),
        ("binary_heartbeat", {}),
        ("sub_devices", {}),
        ("sequence", {"how": "zero"}),
        ("sequence", {"how": "shuffled"}),
        ("sequence", {"how": "repeated"}),
        ("no_code", {}),
        ("join", {"count": 3, "hold_s": 0.3}),
        ("plain_text", {}),
        ("flicker", {"gap_s": 0.1}),
        ("stale_query", {}),
        ("write", {"how": "code_1"}),
    ],
)
@again_if_late
def test_odd_ways_that_change_nothing(name, given):
    with Field((name, given)) as field:
        field.wait_readings(8.0)
        assert set(field.click(False).values()) == {None}
        assert [breaker.relay for breaker in field.breakers] == [False] * len(field.breakers)
        time.sleep(1.0)
        field.assert_one_connection_and_no_false_word()
        assert not any(99999 in event.dps.values() for event in field.seen.of(Status))  # of devices behind it
        assert len(field.seen.of(WriteDone)) == len(field.breakers)
        assert all(len(breaker.writes) == 1 for breaker in field.breakers)


@pytest.mark.parametrize("kind", ["number", "text", "on"])
def test_booleans_in_other_words_are_confirmed(kind):
    with Field(("booleans", {"kind": kind})) as field:
        field.wait_readings(8.0)
        assert set(field.click(False).values()) == {None}
        assert [breaker.relay for breaker in field.breakers] == [False] * len(field.breakers)


def test_plain_json_where_it_should_be_encrypted_is_nobodys_word():
    with Field(("plain_json", {}), versions=("3.2", "3.3")) as field:
        time.sleep(6.0)
        field.click(False)
        assert field.seen.of(Status) == []
