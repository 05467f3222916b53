"""One threshold is changed, and only that one; everything unread or out of bounds is refused."""

from __future__ import annotations

import pytest

from tuya.metering.catalogue import load
from tuya.metering.raw import alarm_set
from tuya.metering.thresholds import ThresholdRefused, is_done, plan, set_dps

BREAKER = load().layouts["phase1"]
DPS = {17: "BAEAMgUBAFA=", 18: "AQECdgMBARMEAQCv"}


def test_the_other_records_stay() -> None:
    change = plan(BREAKER, DPS, "over_voltage", 265)
    assert change.dp == 18
    assert (change.before.value, change.after.value) == (275.0, 265.0)
    after = {one.name: (one.value, one.trips) for one in alarm_set(change.value, 2)}
    assert after == {"over_current": (630.0, True), "over_voltage": (265.0, True), "under_voltage": (175.0, True)}


def test_the_action_is_changed_only_when_asked() -> None:
    change = plan(BREAKER, DPS, "temperature", 70, trips=False)
    assert {one.name: (one.value, one.trips) for one in alarm_set(change.value, 1)} == {
        "leakage": (50.0, True),
        "temperature": (70.0, False),
    }


def test_hex_is_answered_in_hex() -> None:
    assert plan(BREAKER, {17: "0401003205010050"}, "leakage", 30).value == "0401001E05010050".lower()
    assert plan(BREAKER, {17: "0401003c05010050".upper()}, "leakage", 30).value == "0401001E05010050"


@pytest.mark.parametrize(
    ("name", "value", "dps", "why"),
    [
        ("over_voltage", 301, DPS, "between 240 and 300"),
        ("over_voltage", 239, DPS, "between 240 and 300"),
        ("over_current", 63, DPS, "cannot be written"),  # its LSB differs per product
        ("colour", 1, DPS, "cannot be written"),
        ("over_voltage", 265, {}, "has not reported"),
        ("over_voltage", 265, {18: "BAEAMgUBAFA=X"}, "has not reported"),
        ("under_voltage", 180, {18: "AwEBEw=="}, "has not reported"),  # a set without this record
    ],
)
def test_refusals(name: str, value: int, dps: dict[int, object], why: str) -> None:
    with pytest.raises(ThresholdRefused, match=why):
        plan(BREAKER, dps, name, value)


def test_layouts_without_bounds_write_nothing() -> None:
    assert load().layouts["socket"].thresholds == {}
    assert load().layouts["phase1-meter"].thresholds == {}
    assert set_dps(BREAKER) == (17, 18)


def test_a_threshold_with_a_dp_of_its_own() -> None:
    layout = load().layouts["sys"]
    dps = {102: "Trip", 115: 280, 116: 165}
    change = plan(layout, dps, "over_voltage", 265)
    assert (change.dp, change.value, change.before.value, change.after.value) == (115, 265, 280.0, 265.0)
    assert change.before.trips
    assert is_done(change, 265)
    assert not is_done(change, 280)
    with pytest.raises(ThresholdRefused, match="another setting"):
        plan(layout, dps, "over_voltage", 265, trips=False)
    with pytest.raises(ThresholdRefused, match="has not reported"):
        plan(layout, {}, "over_voltage", 265)


def test_done_means_that_the_device_says_so() -> None:
    change = plan(BREAKER, DPS, "over_voltage", 265)
    assert is_done(change, change.value)
    for other in (DPS[18], None, 265, ""):
        assert not is_done(change, other)
