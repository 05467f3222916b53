"""A local key that somebody pasted where none belongs is shown to nobody."""

from __future__ import annotations

import json

import pytest

from tuya.devices.devices_file import parse_devices
from tuya.devices.secrets import HIDDEN, looks_like_key, without_keys
from tuya.devices.served import reading_problems
from tuya.metering.profile import match

KEY = "k3y-Of_A,breaker"


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        (KEY, True),
        ("0123456789abcdef", True),
        ("/etc/devices.jso", False),
        ("Boiler in attic1", False),
        ("1" * 16, False),
    ],
)
def test_what_looks_like_a_key(text: str, is_one: bool):
    assert looks_like_key(text) is is_one


def test_short_texts_hide_nothing():
    assert without_keys("a line of text", ["a", "", "line"]) == "a line of text"
    assert without_keys(f"<{KEY}>", [KEY]) == f"<{HIDDEN}>"


@pytest.mark.parametrize("key", ["k3y\\Of_A,breaker", "k3y'Of\"A,breaker", 'k3y"Of_A,breaker', "schl\u00fcssel-12345"])
def test_a_key_that_was_escaped_for_a_message_is_hidden_too(key: str):
    for text in (key, repr(key), repr(f'a "key\'" {key}'), json.dumps(key), json.dumps([json.dumps(key)])):
        assert HIDDEN in without_keys(text, [key]), text
        assert "breaker" not in without_keys(text, [key])
    wishes = {"layout": key, "scale": {key: 2}}
    (one,) = parse_devices(json.dumps([{"id": "bf0123456789abcdefgh", "key": key, "domoticz": wishes}])).entries
    problems = reading_problems(one, match(one.raw, {}), "devices.json")
    assert [HIDDEN in without_keys(problem, [key]) for problem in problems] == [True, True]


def test_a_key_as_a_name_is_not_a_name():
    text = json.dumps(
        [
            {"id": "bf0123456789abcdefgh", "name": f"is {KEY}", "key": KEY, "domoticz": {"hide": 1}},
            {"id": "bf0123456789abcdefgi", "key": "0" * 16, "domoticz": {"name": KEY, KEY: 1}},
        ]
    )
    file = parse_devices(text)
    assert [entry.shown_name for entry in file.entries] == [f"is {HIDDEN}", HIDDEN]
    assert len(file.problems) == 2
    assert KEY not in repr(file.problems)
