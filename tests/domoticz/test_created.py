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
    memory.set_energy("bf01", {"total/used": [1.5, None, None]}, 1_700_000_000.5)
    stored = memory.dump()
    assert not any(sign in text for text in stored.values() for sign in "\"'\\")
    again = Memory.load(json.loads(json.dumps(stored)))
    assert again.remembered("bf01") == {1, 2, 3}
    assert again.energy == {"bf01": {"total/used": [1.5, None, None]}}
    assert again.dump() == stored
    assert again.energy_age_s("bf01", 1_700_000_060.0) == 60.0


@pytest.mark.parametrize("at_s", [None, "1700000000", True, -5, 10**400, 1.5])
def test_when_the_totals_were_kept_is_not_known_where_no_time_is_told(at_s: object):
    """An older release has kept none; then nothing that another process says has flowed since can be believed."""
    stored = {"energy": {"bf01": {"total/used": [1.5, None, None]}}, "energy_at_s": {"bf01": at_s}}
    memory = Memory.load({CONFIGURATION_KEY: _packed(stored)})
    assert memory.energy == stored["energy"]
    assert memory.energy_age_s("bf01", 1_700_000_000.0) == 0.0


def test_clock_that_was_set_back_makes_no_age():
    memory = Memory()
    memory.set_energy("bf01", {}, 1_700_000_000.0)
    assert memory.energy_age_s("bf01", 1_600_000_000.0) == 0.0


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
