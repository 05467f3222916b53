"""Nearly-JSON and simple YAML, with the quotes and signs that local keys really hold."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuya.keys.loose_text import NotUnderstood, parse

NODE_OUTPUT = r"""
? The API key from tuya.com: abc
[
  { name: 'Boiler', id: 'bf01', key: "it's \\ 16 chars" },
  {
    name: 'Kid\'s "lamp"',
    id: 'bf02',
    key: `'"x`,
    subDevices: [ { name: 'Sensor', cid: '0x12' } ],
    online: true,
    ip: undefined,
    level: -1.5,
  }
]
"""


def test_what_node_prints():
    assert parse(NODE_OUTPUT) == [
        {"name": "Boiler", "id": "bf01", "key": r"it's \ 16 chars"},
        {
            "name": 'Kid\'s "lamp"',
            "id": "bf02",
            "key": "'\"x",
            "subDevices": [{"name": "Sensor", "cid": "0x12"}],
            "online": True,
            "ip": None,
            "level": -1.5,
        },
    ]


YAML = """\
# from configuration.yaml
localtuya:
  - host: 192.168.1.7   # the boiler
    device_id: bf0123456789abcdefgh
    local_key: "a\\"b#c:d'e f{gh"
    friendly_name: 'Boiler''s switch'
    protocol_version: "3.3"
    entities:
      - platform: switch
        id: 1
      - platform: sensor
        id: 19
  - host: 192.168.1.8
    local_key: 'x: y # z'
    plain: a#b
    empty:
other: yes
"""


def test_yaml():
    parsed = parse(YAML)
    assert parsed["other"] is True
    first, second = parsed["localtuya"]
    assert first["local_key"] == "a\"b#c:d'e f{gh"
    assert first["friendly_name"] == "Boiler's switch"
    assert first["host"] == "192.168.1.7"
    assert first["entities"] == [{"platform": "switch", "id": "1"}, {"platform": "sensor", "id": "19"}]
    assert second == {"host": "192.168.1.8", "local_key": "x: y # z", "plain": "a#b", "empty": None}


@given(
    st.recursive(
        st.none() | st.booleans() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_json_stays_json(value):
    assert parse(json.dumps(value)) == value


@given(st.text())
def test_no_text_raises_anything_else(text):
    with contextlib.suppress(NotUnderstood):
        parse(text)


@pytest.mark.parametrize("text", ["", "hello", "{ name: 'x", "[1, 2", "- a\n- b", "\x00", "[" * 5000])
def test_what_is_neither(text):
    with pytest.raises(NotUnderstood):
        parse(text)


@pytest.mark.parametrize(
    "text",
    [
        '[{ id: "bf0123456789abcdefgh", key: abcdef0123456789 }]',
        "localtuya:\n  - device_id: x\n  abcdef0123456789: {\n x\n",
        '[{"key": "abcdef0123456789" abcdef0123456789}]',
        "{'abcdef0123456789",
    ],
)
def test_what_is_said_of_a_text_never_shows_it(text):
    with pytest.raises(NotUnderstood) as caught:
        parse(text)
    assert "abcdef" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it is empty"),
        (" \r\n\0", "it is empty"),
        ('[\n{"id": "x",\n "key": yes no}]', "line 3: , or } expected"),
        ('[{"version": ' + "9" * 5000 + "}]", "a number of thousands of digits"),
        ("a: 1\n\nb: 2\n c: 3\n", "neither JSON nor simple YAML, from line 4 on"),
    ],
)
def test_what_is_said_names_the_place(text, said):
    with pytest.raises(NotUnderstood, match=said):
        parse(text)


def test_what_is_no_json_value_is_nothing():
    assert parse('[{"port": NaN, "x": -Infinity}]') == [{"port": None, "x": None}]
