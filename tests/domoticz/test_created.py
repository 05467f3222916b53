"""Memory in Configuration(): survives quotes, strangers' content and damage."""

from __future__ import annotations

import base64
import json

import pytest

from tuya.domoticz.created import CONFIGURATION_KEY, Memory


def test_round_trip_without_quotes():
    memory = Memory()
    memory.remember("bf01", (1, 2))
    memory.remember("bf01", (2, 3))
    memory.set_energy("bf01", {"total/used": [1.5, None, None]})
    stored = memory.dump()
    assert not any(sign in text for text in stored.values() for sign in "\"'\\")
    again = Memory.load(json.loads(json.dumps(stored)))
    assert again.remembered("bf01") == {1, 2, 3}
    assert again.energy == {"bf01": {"total/used": [1.5, None, None]}}
    assert again.dump() == stored


def test_units_can_be_forgotten():
    memory = Memory()
    memory.remember("bf01", (1, 2))
    memory.set_units("bf01", (2,))
    assert memory.remembered("bf01") == {2}
    memory.set_units("bf01", ())
    assert memory.units == {}


def _packed(value: object) -> str:
    return base64.b64encode(json.dumps(value).encode()).decode()


@pytest.mark.parametrize(
    "stored",
    [None, {}, [], "x", {CONFIGURATION_KEY: 7}, {CONFIGURATION_KEY: "!!"}, {CONFIGURATION_KEY: "eHg="}]
    + [{CONFIGURATION_KEY: _packed(value)} for value in ([], 1, {"units": 3, "energy": []}, {"units": {"a": "b"}})],
)
def test_damage_is_an_empty_memory(stored: object):
    memory = Memory.load(stored)
    assert (memory.units, memory.energy) == ({}, {})
