"""Names in a message: of many the first ones."""

from __future__ import annotations

from tuya.devices.names import first_of


def test_of_many_the_first_ones():
    assert first_of(["a", "b"], 2) == "a, b"
    assert first_of(["a", "b", "c"], 2) == "a, b and 1 more"
    assert first_of(["a", "b", "c", "d"], 2, "; ") == "a; b and 2 more"
    assert first_of([], 2) == ""
