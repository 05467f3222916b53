"""A frame's part and what was known before give what decoding everything gives."""

from __future__ import annotations

import random
from dataclasses import fields

from tests.domoticz.fakes import SY1, SY1_DPS
from tuya.devices.readings import merged
from tuya.metering.profile import match
from tuya.metering.reading import Fault, Reading, Threshold

PROFILE = match({"product_id": SY1}, SY1_DPS)


def test_parts_add_up_to_the_whole():
    chance = random.Random(5)
    dps = dict(SY1_DPS)
    known = PROFILE.decode(dps)
    for _ in range(300):
        amps = chance.randrange(0, 9000)
        changes = {
            1: chance.random() < 0.5,
            9: chance.randrange(0, 8000),
            18: amps,
            19: amps * 23 // 10,
            20: chance.randrange(2200, 2400),
            26: chance.randrange(0, 64),
            38: chance.choice(["on", "off", "memory"]),
            41: chance.random() < 0.5,
        }
        changes[19] = amps * changes[20] // 1000  # V, I and P fit together, also where one of them is old
        sent = {dp: changes[dp] for dp in {18, 19, 20} | set(chance.sample(sorted(changes), 3))}
        dps.update(sent)
        known = merged(known, PROFILE.decode(dps, frozenset(sent)))
        assert known == PROFILE.decode(dps)


def test_what_a_part_does_not_say_stays():
    fault = Fault("ov_vol", "over-voltage")
    threshold = Threshold("over-voltage", 275.0, "V", True)
    known = Reading(
        power_w={"a": 1.0, "b": 2.0}, faults=(fault,), thresholds=(threshold,), countdown_s=5, child_lock=True
    )
    part = Reading(power_w={"b": 0.0}, faults=(), countdown_s=0, child_lock=False)
    assert merged(known, part) == Reading(
        power_w={"a": 1.0, "b": 0.0}, faults=(), thresholds=(threshold,), countdown_s=0, child_lock=False
    )
    assert merged(known, Reading()) == known


def test_every_field_of_a_reading_is_put_together():
    """Each as the part says it where it says something, and else as it was known."""
    for one in fields(Reading):
        value = {"a": 1.0} if isinstance(getattr(Reading(), one.name), dict) else ("something",)
        said = Reading(**{one.name: value})
        assert merged(Reading(), said) == said
        assert merged(said, Reading()) == said
