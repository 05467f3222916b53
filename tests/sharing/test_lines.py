"""Lines from other processes, and events that wait for a slow front end."""

from __future__ import annotations

from typing import Any, Dict

import pytest

from tuya.devices.commands import CommandRefused
from tuya.lan.errors import TuyaError, WrongKey
from tuya.sharing.inbox import Inbox
from tuya.sharing.lines import LineError, LineReader, line_of, text_of
from tuya.sharing.telling import error_fields, error_from_json, totals_from_json, totals_to_json


def test_lines_come_in_any_pieces():
    reader = LineReader(100)
    data = line_of({"event": "a", "text": "Küche\n"}) + line_of({"event": "b"})
    found = [told for index in range(len(data)) for told in reader.feed(data[index : index + 1])]
    assert found == [{"event": "a", "text": "Küche\n"}, {"event": "b"}]
    assert LineReader(100).feed(data) == found


@pytest.mark.parametrize("data", [b"x" * 101, b'{"a": "' + b"x" * 100 + b'"}\n', b"5\n", b"\n", b"{}\n" + b"y" * 200])
def test_what_is_no_line_of_ours_is_an_error(data: bytes):
    with pytest.raises(LineError):
        LineReader(100).feed(data)


def test_texts_of_others_are_cleaned():
    assert text_of("a\x1b[31m\nb", 8) == "a [31m b"
    assert text_of(5) == ""


@pytest.mark.parametrize("error", [WrongKey("Oven", "is wrong", "mend it"), CommandRefused("Oven", "no")])
def test_errors_arrive_as_what_they_were(error: TuyaError):
    arrived = error_from_json(error_fields(error))
    assert type(arrived) is type(error)
    assert (str(arrived), arrived.cure) == (str(error), error.cure)
    assert error_from_json(error_fields(None)) is None
    assert type(error_from_json({"error": "SystemExit", "message": "x"})) is TuyaError


def test_totals_arrive_as_what_they_were_and_nothing_else_does():
    totals_wh = {("total", "used"): 1234.567, ("a", "returned"): 0.0}
    assert totals_from_json(totals_to_json(totals_wh)) == totals_wh
    strange: Dict[Any, Any] = {
        "total": {"used": "5", "returned": -1},
        "a": 5,
        "b": {"other": 5.0, "used": float("nan")},
    }
    assert totals_from_json(strange) == {}
    assert totals_from_json([1]) == {}


def test_who_reads_too_slowly_gets_snapshots_and_every_result():
    inbox = Inbox(lambda device_id: {"event": "snapshot", "id": device_id}, max_events=5)
    for number in range(4):
        inbox.put({"event": "status", "id": "a", "n": number})
    inbox.put({"event": "result", "id": "a", "request": 1})
    for number in range(20):
        inbox.put({"event": "status", "id": "ab"[number % 2], "n": number})
    inbox.put({"event": "result", "id": "b", "request": 2})
    got = [inbox.next(0.0) for _ in range(4)]
    assert [told["event"] for told in got if told] == ["result", "result", "snapshot", "snapshot"]
    assert {told["id"] for told in got[2:] if told} == {"a", "b"}
    assert inbox.next(0.0) is None
    inbox.put({"event": "status", "id": "a", "n": 99})
    assert inbox.next(0.0) == {"event": "status", "id": "a", "n": 99}
