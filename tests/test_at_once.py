"""All cases run, at the same time, and each failure is told with its case."""

from __future__ import annotations

import threading

import pytest

from tests.at_once import at_once

MEETING = threading.Barrier(3)
SEEN = []


@at_once("first, second", [(1, "a"), (2, "b"), (3, "c")])
def test_all_run_at_the_same_time_with_the_fixtures(first, second, tmp_path):
    MEETING.wait(60.0)  # nobody passes before all three are here
    SEEN.append((first, second, tmp_path.is_dir()))


@pytest.mark.parametrize("outer", ["x", "y"])
@at_once("inner", [1, 2])
def test_parameters_may_stand_around_it(outer, inner):
    assert (outer, inner) in {("x", 1), ("x", 2), ("y", 1), ("y", 2)}


def test_every_failure_is_told_with_its_case():
    @at_once("number", range(4))
    def test(number):
        assert number % 2 == 0, f"{number} is odd"

    with pytest.raises(AssertionError) as caught:
        test()
    assert "{'number': 1}" in str(caught.value)
    assert "3 is odd" in str(caught.value)
    assert "{'number': 2}" not in str(caught.value)


def test_what_is_no_assertion_fails_as_well():
    @at_once("number", [1])
    def test(number):
        raise OSError("no such place")

    with pytest.raises(AssertionError, match="no such place"):
        test()
