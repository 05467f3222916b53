"""What each program exports, and what is said of exports without keys."""

from __future__ import annotations

import json

import pytest

from tuya.keys.sources import SourceProblem, devices_in, read_export

ID = "bf0123456789abcdefgh"
OTHER_ID = "bfzzzz56789abcdefgh1"
KEY = "a'b\"c&d<e>$`\\{}1"  # 16 characters that shells, HTML, YAML and JSON each mangle
assert len(KEY) == 16


def one(text):
    devices = devices_in(text)
    assert len(devices) == 1
    return devices[0]


def test_tinytuya_devices_json():
    entry = {
        "name": "Boiler",
        "id": ID,
        "key": KEY,
        "mac": "aa:bb",
        "product_id": "jdj6ccklup7btq3a",
        "category": "dlq",
    }
    mapping = {"1": {"code": "switch", "type": "Boolean", "values": {}}}
    assert one(json.dumps([{**entry, "mapping": mapping, "last_ip": "192.168.1.5"}])) == {**entry, "mapping": mapping}


def test_tinytuya_snapshot():
    snapshot = {
        "timestamp": 1.5,
        "devices": [{"id": ID, "ip": "192.168.1.5", "ver": "3.4", "key": KEY, "dps": {"1": True}}],
    }
    assert one(json.dumps(snapshot)) == {"id": ID, "key": KEY, "ip": "192.168.1.5", "version": "3.4"}


def test_tinytuya_raw():
    raw = {
        "success": True,
        "result": [{"id": ID, "local_key": KEY, "name": "Boiler", "ip": "84.22.1.7", "product_id": "x1"}],
    }
    assert one(json.dumps(raw)) == {"id": ID, "key": KEY, "name": "Boiler", "product_id": "x1"}


def home_assistant(*entries):
    return json.dumps({"version": 1, "key": "core.config_entries", "data": {"entries": list(entries)}})


LOCALTUYA = {
    "domain": "localtuya",
    "title": "localtuya",
    "data": {
        "client_id": "someproject",
        "client_secret": "0123456789abcdef",
        "devices": {
            ID: {
                "device_id": ID,
                "friendly_name": "Boiler",
                "host": "192.168.1.5",
                "local_key": KEY,
                "protocol_version": "3.3",
                "entities": [{"id": 1, "platform": "switch"}],
            }
        },
    },
}
TUYA_LOCAL = {
    "domain": "tuya_local",
    "title": "Workshop",
    "data": {"device_id": OTHER_ID, "host": "Auto", "local_key": "0" * 16, "protocol_version": "auto", "type": "x"},
    "options": {"local_key": KEY, "host": "192.168.1.6", "protocol_version": 3.4},
}


def test_home_assistant_localtuya_and_tuya_local():
    devices = devices_in(home_assistant(LOCALTUYA, {"domain": "sun", "data": {}}, TUYA_LOCAL))
    assert devices == [
        {"id": ID, "key": KEY, "name": "Boiler", "ip": "192.168.1.5", "version": "3.3"},
        {"id": OTHER_ID, "key": KEY, "name": "Workshop", "ip": "192.168.1.6", "version": "3.4"},
    ]


def test_localtuya_of_old_one_entry_for_each_device():
    data = {
        "device_id": ID,
        "host": "192.168.1.5",
        "local_key": KEY,
        "friendly_name": "Boiler",
        "protocol_version": "3.1",
    }
    assert one(home_assistant({"domain": "localtuya", "title": "Boiler", "data": data}))["version"] == "3.1"


def test_localtuya_yaml():
    settings = f"host: 192.168.1.5\n    device_id: {ID}\n    local_key: {json.dumps(KEY)}\n    friendly_name: Boiler\n"
    text = f"localtuya:\n  - {settings}"
    assert one(text) == {"id": ID, "key": KEY, "name": "Boiler", "ip": "192.168.1.5"}


def test_tuyapi_wizard_with_a_sub_device():
    escaped = KEY.replace("\\", "\\\\").replace("'", "\\'")
    sub_device = f"{{ name: 'S', id: '{OTHER_ID}', cid: '12' }}"
    text = f"[\n  {{ name: 'Boiler', id: '{ID}', key: '{escaped}', subDevices: [ {sub_device} ] }}\n]"
    assert one(text) == {"id": ID, "key": KEY, "name": "Boiler"}


def test_a_gateways_child_is_marked():
    device = one(json.dumps([{"id": ID, "key": KEY, "node_id": "a1b2", "sub": True}]))
    assert (device["sub"], device["node_id"]) == (True, "a1b2")


def test_html_entities_in_a_key_are_undone():
    spelled = KEY.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    assert one(json.dumps([{"id": ID, "key": spelled}]))["key"] == KEY


def test_the_usable_one_of_two_keys_for_one_device():
    assert one(json.dumps([{"id": ID, "key": KEY}, {"id": ID, "key": "short"}]))["key"] == KEY


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("not a file of keys", "not understood"),
        ("{}", "no device with an id and a local key"),
        (json.dumps([{"id": ID, "key": ""}]), "no device with an id and a local key"),
        (json.dumps([{"device_id": ID, "local_key": "**REDACTED**"}]), "core.config_entries"),
        (
            home_assistant({"domain": "tuya", "title": "me@example.org", "data": {"token_info": {}}}),
            "works through the cloud",
        ),
        (json.dumps({"devices": 5}), "no device"),
        (
            json.dumps({"apiKey": "abc", "apiSecret": "def", "apiRegion": "eu", "apiDeviceID": ID}),
            "credentials of your developer project",
        ),
        (
            f"- device_id: {ID}\n  local_key: !secret boiler_key\n  name: Boiler\n",
            r"!secret boiler_key\): write the key",
        ),
    ],
)
def test_nothing_to_take(text, why):
    with pytest.raises(SourceProblem, match=why):
        devices_in(text)


def test_no_key_is_in_any_message():
    with pytest.raises(SourceProblem) as caught:
        devices_in(f"[ {{ name: 'x', key: '{KEY}'")
    assert KEY not in str(caught.value)
    assert KEY[:6] not in str(caught.value)


@pytest.mark.parametrize(
    ("entry", "said", "device_id"),
    [
        ({"id": OTHER_ID, "name": "Fridge", "key": ""}, "Fridge (bfzz..fgh1): it has no local key there", OTHER_ID),
        ({"id": OTHER_ID, "name": "Fridge", "mapping": {}}, "Fridge (bfzz..fgh1): it has no local key", OTHER_ID),
        ({"id": OTHER_ID, "local_key": "**REDACTED**"}, "bfzz..fgh1: its local key is blacked out there", OTHER_ID),
        ({"name": "Fridge", "key": "0123456789abcdef"}, "Fridge: it has a local key and no device id there", ""),
        ({"local_key": "0123456789abcdef"}, "an entry without a name: it has a local key and no device id", ""),
    ],
)
def test_what_could_not_be_taken_is_told(entry, said, device_id):
    export = read_export(json.dumps([{"id": ID, "key": KEY, "name": "Boiler"}, entry]))
    assert [device["id"] for device in export.devices] == [ID]
    assert [(lost.text.startswith(said), lost.device_id, lost.is_lost) for lost in export.lost] == [
        (True, device_id, True)
    ], export.lost


def test_two_keys_for_one_device_are_told_and_none_is_lost():
    export = read_export(json.dumps([{"id": ID, "key": KEY, "name": "Boiler"}, {"id": ID, "key": "0123456789abcdef"}]))
    assert [device["key"] for device in export.devices] == ["0123456789abcdef"]
    assert "stands there twice, with different local keys" in export.lost[0].text
    assert not export.lost[0].is_lost
    assert read_export(json.dumps([{"id": ID, "key": KEY}, {"id": ID, "key": KEY}])).lost == []


def test_a_reference_is_never_a_key():
    shown = {
        "!secret abcdefghi": "!secret abcdefghi",
        "*alias0123456789": "*...",
        "&anchor012345678": "&...",
        "|": "|...",
    }
    for value, said in shown.items():
        other = f"- device_id: {OTHER_ID}\n  local_key: '{'k' * 16}'\n"
        export = read_export(f"- device_id: {ID}\n  local_key: {value}\n{other}")
        assert [device["id"] for device in export.devices] == [OTHER_ID]
        assert [f"named there ({said}):" in lost.text for lost in export.lost] == [True]


WIZARD = f"[ {{ name: 'Boiler', id: '{ID}', key: '0123[31m456789ab' }} ]"


@pytest.mark.parametrize(
    "colour",
    [
        lambda text: text.replace("'", "\x1b[32m'", 1).replace("{", "\x1b[0m{\x1b[1;33m"),
        lambda text: "\x1b[?25h\x1b]0;title\x07" + text,
        lambda text: text.replace("name:", "[39mname:").replace("}", "[0m}"),  # the Escape was lost on the way
    ],
)
def test_a_coloured_paste(colour):
    plain = WIZARD.replace("0123[31m456789ab", "0123456789abcdef")
    assert one(colour(plain))["key"] == "0123456789abcdef"


def test_what_looks_like_a_colour_inside_a_key_stays():
    assert one(WIZARD)["key"] == "0123[31m456789ab"
