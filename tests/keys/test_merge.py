"""Merging loses nothing, replaces keys, and tells what it did without showing a key."""

from __future__ import annotations

import copy
import json

from hypothesis import given
from hypothesis import strategies as st

from tuya.keys.merge import merge

ID = "bf0123456789abcdefgh"
KEY = "0123456789abcde'"
NEW_KEY = "fedcba9876543210"
OLD = {
    "name": "Boiler",
    "id": ID,
    "key": KEY,
    "ip": "192.168.1.5",
    "mapping": {"1": {"code": "switch"}},
    "somebody's": [1, {"else": 2}],
    "domoticz": {"name": "Hot water", "invert": ["power"]},
}


def test_a_new_key_is_taken_and_everything_else_stays():
    found = {"id": ID, "key": NEW_KEY, "name": "From the app", "ip": "192.168.1.9", "version": "3.4", "mapping": {}}
    merged, changes = merge([OLD, "not an entry"], [found])
    assert merged == [{**OLD, "key": NEW_KEY, "ip": "192.168.1.9", "version": "3.4"}, "not an entry"]
    assert changes[0] == ("key", "Hot water", ID, "new key, ip, version")


def test_the_form_of_the_file_stays():
    document = {"devices": [OLD], "note": "mine"}
    merged, _ = merge(document, [{"id": "bfother0000000000000", "key": KEY}])
    assert list(merged) == ["devices", "note"]
    assert [entry["id"] for entry in merged["devices"]] == [ID, "bfother0000000000000"]


def test_nothing_new_changes_nothing():
    merged, changes = merge([OLD], [{"id": ID, "key": KEY, "name": "Other", "ip": ""}])
    assert merged == [OLD]
    assert changes[0].kind == "same"


def test_a_useless_key_never_replaces_a_good_one():
    merged, changes = merge([OLD], [{"id": ID, "key": "short"}])
    assert merged[0]["key"] == KEY
    assert changes[0].kind == "same"


def test_a_useless_key_is_told_with_its_reason():
    _, changes = merge(None, [{"id": ID, "key": "short", "name": "Boiler"}])
    assert changes[0].text == "added; but its local key has 5 characters instead of 16"


def test_a_source_cannot_set_the_users_wishes():
    merged, _ = merge([OLD], [{"id": ID, "key": KEY, "domoticz": {"switch": "allowed"}}])
    assert merged == [OLD]
    merged, _ = merge(None, [{"id": ID, "key": KEY, "domoticz": {"switch": "allowed"}}])
    assert "domoticz" not in merged[0]


entries = st.dictionaries(
    st.sampled_from(["name", "key", "ip", "mapping", "domoticz", "x"]),
    st.none() | st.text(max_size=17) | st.dictionaries(st.text(), st.text()),
).flatmap(lambda entry: st.sampled_from(["bfa", "bfb", "bfc"]).map(lambda identity: {**entry, "id": identity}))
devices = st.fixed_dictionaries(
    {"id": st.sampled_from(["bfa", "bfb", "bfd"]), "key": st.text(min_size=1, max_size=17)},
    optional={"ip": st.just("10.0.0.1"), "name": st.text(), "mapping": st.dictionaries(st.text(), st.text())},
)


@given(st.lists(entries, max_size=4), st.lists(devices, max_size=4))
def test_no_field_and_no_entry_is_ever_lost(document, found):
    before = copy.deepcopy(document)
    merged, changes = merge(document, found)
    assert document == before
    assert len(changes) == len(found)
    assert [entry["id"] for entry in merged[: len(before)]] == [entry["id"] for entry in before]
    for old, new in zip(before, merged):
        assert set(old) <= set(new)
        assert new.get("domoticz") == old.get("domoticz")
        for field, value in old.items():
            if value not in (None, "", {}) and field not in ("key", "ip"):
                assert new[field] == value
    for key in (device["key"] for device in found if len(device["key"]) > 8):
        assert not any(key in change.text for change in changes)
    assert merge(merged, found)[0] == merge(merge(merged, found)[0], found)[0]
    json.dumps(merged)
