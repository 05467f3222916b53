"""What is kept of a device stays small, whatever it sends and for how long it does."""

from __future__ import annotations

import tracemalloc
from typing import Any, Dict

import pytest

from tests.domoticz.fakes import SY1_DPS, entry
from tuya.devices.data_points import MAX_ALL_BYTES, MAX_DATA_POINTS, MAX_VALUE_BYTES, DataPoints, size_of
from tuya.devices.device import FREE_MATCHES, TOO_MUCH, KnownDevice
from tuya.lan.events import Status


def test_the_last_values_by_number():
    points = DataPoints()
    assert points.take({1: True, 18: 302})
    assert not points.take({18: 300})
    assert points.take({19: 412})
    assert (points.values, points.is_full) == ({1: True, 18: 300, 19: 412}, False)


def test_the_number_of_data_points_is_bounded():
    points = DataPoints()
    for number in range(10 * MAX_DATA_POINTS):
        points.take({number: number})
    assert len(points.values) == MAX_DATA_POINTS
    assert points.is_full
    points.take({5: 55})
    assert points.values[5] == 55


@pytest.mark.parametrize(
    "value",
    [
        "x" * (MAX_VALUE_BYTES + 1),
        "ü" * (MAX_VALUE_BYTES // 4 + 1),
        10 ** (MAX_VALUE_BYTES * 3),
        [[] for _ in range(200)],
        {str(number): number for number in range(200)},
    ],
    ids=["text", "text of two bytes a letter", "number of thousands of digits", "list of lists", "object"],
)
def test_a_value_too_large_takes_the_older_one_with_it(value: Any):
    points = DataPoints()
    points.take({1: True, 6: "AAEC"})
    assert not points.take({6: value})
    assert points.values == {1: True}
    assert points.is_full
    assert points.take({6: "AAED"})
    assert points.values == {1: True, 6: "AAED"}


def test_all_texts_together_are_bounded_and_what_goes_makes_room():
    points = DataPoints()
    text = "x" * 8000
    points.take(dict.fromkeys(range(1, 20), text))
    assert sum(map(size_of, points.values.values())) <= MAX_ALL_BYTES
    kept = len(points.values)
    assert kept == MAX_ALL_BYTES // 8000
    points.take({1: "short"})
    points.take({100: text})
    assert points.values[1] == "short"
    assert points.values[100] == text


def test_a_device_that_floods_does_not_grow_and_is_said_once():
    device = KnownDevice(entry())
    device.report(Status(device.device_id, 0.0, SY1_DPS, True))
    tracemalloc.start()
    try:
        for number in range(3000):
            flood: Dict[int, Any] = {number: f"{number}" + "x" * 16_000, number % 60_000 + 300: "y" * 8000}
            device.report(Status(device.device_id, 0.001 * number, flood, False))
        size_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size_bytes < 1_000_000
    assert device.notices() == [TOO_MUCH]
    assert device.notices() == []
    device.report(Status(device.device_id, 10.0, {19: 500}, False))
    assert device.reading is not None
    assert device.reading.power_w == {"1": 50.0}


def test_an_unknown_device_is_not_looked_at_for_each_frame(monkeypatch: pytest.MonkeyPatch):
    looks = []
    device = KnownDevice(entry(product_id=""))
    monkeypatch.setattr(device, "_match", lambda at_s: looks.append(at_s) or setattr(device, "_matched_at_s", at_s))
    for number in range(10_000):
        device.report(Status(device.device_id, number / 1000, {150: number}, False))
    assert len(looks) <= FREE_MATCHES + 10
