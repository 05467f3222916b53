"""Each quantity of each circuit is missed for itself."""

from __future__ import annotations

from tuya.devices.quantity_watch import QuantityWatch
from tuya.metering.reading import Reading

WHOLE = Reading(power_w={"a": 100.0, "b": 0.0}, current_a={"a": 0.5, "b": 0.0}, voltage_v={"a": 230.0, "b": 231.0})


def begun() -> QuantityWatch:
    watch = QuantityWatch()
    watch.connected(0.0)
    watch.begin(WHOLE, 1.0)
    return watch


def test_the_circuit_that_is_silent_for_longest_counts():
    watch = begun()
    watch.report(Reading(power_w={"a": 90.0}, voltage_v={"a": 230.0, "b": 230.0}), False, 9.0)
    assert watch.ages_s(10.0) == {"power": 9.0, "current": 9.0, "voltage": 1.0}
    watch.report(Reading(power_w={"b": 5.0}), False, 10.0)
    assert watch.ages_s(12.0)["power"] == 3.0
    watch.connected(11.5)
    assert set(watch.ages_s(12.0).values()) == {0.5}, "silence before the session is none"


def test_what_open_relays_left_at_0_does_not_age():
    assert begun().ages_s(10.0, WHOLE) == {"power": 9.0, "current": 9.0, "voltage": 9.0}, "circuit a has a load"
    idle = Reading(power_w={"a": 0.0, "b": 0.0}, current_a={"a": 0.0}, voltage_v={"a": 230.0, "b": 231.0})
    assert begun().ages_s(10.0, idle) == {"power": 0.0, "current": 0.0, "voltage": 9.0}


def test_what_is_not_given_any_more():
    watch = begun()
    watch.report(Reading(current_a={"a": 0.5}), True, 4.0)
    assert watch.unusable_ages_s(WHOLE, 10.0) == {}
    part = Reading(power_w={"a": 100.0}, current_a={"a": 0.5, "b": 0.0}, voltage_v={})
    assert watch.unusable_ages_s(part, 10.0) == {"power": 9.0, "voltage": 9.0}
    assert watch.pushed_only == {"power", "voltage"}


def test_another_meaning_forgets_what_is_gone_and_keeps_the_rest():
    watch = begun()
    watch.begin(Reading(current_a={"a": 0.5, "1": 1.0}), 5.0)
    assert watch.ages_s(6.0) == {"current": 5.0}
    assert not watch.has_power
