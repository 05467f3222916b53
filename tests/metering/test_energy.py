"""EnergyBook, case by case: what is published after which reports."""

from __future__ import annotations

import json
from typing import Dict, Mapping, Optional

import pytest

from tuya.metering.energy import EnergyBook
from tuya.metering.reading import Reading

USED = ("total", "used")
RETURNED = ("total", "returned")


def new_book(
    shown: Optional[Mapping] = None, saved: Optional[Mapping] = None, step: float = 0.0, **more: object
) -> EnergyBook:
    steps: Dict[str, float] = {"1": step} if step else {}
    more.setdefault("step_kwh", steps)
    return EnergyBook(shown_wh=shown or {}, saved=saved or {}, **more)  # type: ignore[arg-type]


def restart(book: EnergyBook, lag_wh: float = 0.0, **more: object) -> EnergyBook:
    """The book of the next run: Domoticz shows a little less, the saved state went through JSON."""
    shown = {circuit: wh - lag_wh for circuit, wh in book.totals_wh(0).items()}
    return new_book(shown, json.loads(json.dumps(book.saved())), **more)


def watts(power_w: float) -> Reading:
    return Reading(power_w={"1": power_w})


def counter(kwh: float, power_w: Optional[float] = None) -> Reading:
    return Reading(energy_kwh={"1": kwh}, power_w={} if power_w is None else {"1": power_w})


def used(book: EnergyBook, at_s: float = 0.0) -> float:
    return book.totals_wh(at_s)[USED]


# W only


def test_w_is_held_to_the_last_answer_and_not_beyond():
    book = new_book()
    book.report(watts(3600.0), 100.0, True)
    assert used(book) == 0.0
    book.answered(109.0)
    assert used(book, 117.0) == pytest.approx(9.0)


@pytest.mark.parametrize("later_w", [1010.0, 1500.0, 990.0, 0.0, -500.0])
@pytest.mark.parametrize("after_s", [0.6, 2.0, 5.0, 30.0])
@pytest.mark.parametrize("full", [False, True])
def test_the_last_w_is_held_up_to_the_next_however_it_changes(later_w, after_s, full):
    book = new_book()
    book.report(watts(1000.0), 0.0, True)
    book.report(watts(later_w), after_s, full)
    assert used(book) == pytest.approx(after_s * 1000 / 3600)


def test_a_rise_that_falls_on_a_full_query_is_held_like_any_other():
    book = new_book()
    book.report(watts(0.0), 0.0, True)
    book.report(watts(1800.0), 2.0, False)
    book.report(watts(3600.0), 4.0, False)
    for t in range(9, 34, 5):
        book.report(watts(3600.0 + t % 2), float(t), False)
    book.report(watts(1.0), 35.0, False)
    book.answered(59.0)
    before = used(book)
    book.report(watts(2200.0), 60.0, True)  # its push would have been due in the same second
    assert used(book) - before == pytest.approx(1.0 / 3600)


def moving_kettle() -> EnergyBook:
    """A kettle of 3600 W that every refresh finds changed a little, last at 50 s."""
    book = new_book()
    book.report(watts(1.0), 0.0, True)
    for t in range(5, 55, 5):
        book.report(watts(3600.0 - t % 2), float(t), False)
    return book


def settled(book: EnergyBook, at_s: float) -> float:
    """Wh once a later load has made up for what had been published before a 0 was dated back."""
    book.report(watts(3600.0), at_s, False)
    book.answered(at_s + 40.0)
    return used(book) - 40.0


def test_a_zero_that_refreshes_leave_out_came_before_the_first_that_brought_no_w():
    book = moving_kettle()
    start = used(book)
    book.answered(75.0)
    book.report(watts(0.0), 75.0, True)
    assert used(book) - start == pytest.approx(25.0, abs=0.1)  # was published: nothing is taken back
    assert settled(book, 100.0) - start == pytest.approx(2.5)


def test_a_zero_whose_beginning_was_pushed_follows_that_second():
    book = moving_kettle()
    book.report(watts(1800.0), 52.0, False)
    start = used(book)
    book.report(watts(0.0), 75.0, True)
    assert settled(book, 100.0) - start == pytest.approx(0.5)


def test_a_zero_without_a_trace_is_dated_to_the_middle_once_the_device_is_known_for_it():
    book = new_book()
    book.report(watts(3600.0), 0.0, True)
    book.report(watts(0.0), 30.0, True)
    assert settled(book, 60.0) == pytest.approx(30.0)  # nothing is known of it: held
    book.report(watts(3600.0), 120.0, True)
    start = used(book)
    book.report(watts(0.0), 150.0, True)
    assert settled(book, 180.0) - start == pytest.approx(15.0)


@pytest.mark.parametrize("moving", [False, True])
def test_a_device_that_once_told_a_zero_unasked_leaves_none_out(moving):
    book = moving_kettle() if moving else new_book()
    book.report(watts(0.0), 52.0, False)
    for start_s in (60.0, 160.0):
        book.report(watts(3600.0), start_s, False)
        start = used(book)
        book.report(watts(0.0), start_s + 30.0, True)
        assert settled(book, start_s + 50.0) - start == pytest.approx(30.0)
        book.report(watts(0.0), start_s + 90.0, True)


def test_a_zero_within_a_refresh_is_held_like_any_other():
    book = moving_kettle()
    start = used(book)
    book.report(watts(0.0), 54.0, True)
    assert settled(book, 60.0) - start == pytest.approx(4.0)


def test_a_zero_concluded_from_an_open_relay_says_nothing_of_how_the_device_tells_zeros():
    for full in (False, True):
        book = moving_kettle()
        start = used(book)
        book.report(Reading(switch={1: False}), 60.0, full)
        assert settled(book, 70.0) - start == pytest.approx(10.0)
        for t in range(111, 151, 5):
            book.report(watts(3600.0 - t % 2), float(t), False)
        start = used(book)
        book.report(watts(0.0), 170.0, True)
        assert settled(book, 200.0) - start == pytest.approx(2.5)


def test_an_answer_of_any_kind_keeps_w_for_its_longest_age():
    book = new_book(power_max_age_s=60.0)
    book.report(watts(3600.0), 0.0, True)
    for t in range(9, 200, 9):
        book.answered(float(t))
    assert used(book) == pytest.approx(60.0)
    book.report(watts(3600.0), 200.0, True)
    assert used(book) == pytest.approx(60.0)


def test_silence_invents_nothing_and_is_said_once():
    book = new_book()
    book.report(watts(3600.0), 0.0, True)
    book.answered(9.0)
    book.report(watts(3600.0), 609.0, True)
    assert used(book) == pytest.approx(9.0)
    assert book.notices() == ["no answer for 10 min: the energy of that time is not known and not counted"]
    book.answered(618.0)
    assert used(book) == pytest.approx(18.0)
    assert book.notices() == []


def test_power_that_comes_rarely_is_said_once():
    book = new_book()
    for t in range(0, 3000, 10):
        book.report(watts(3600.0), float(t), False) if t % 300 == 0 else book.answered(float(t))
    assert book.notices() == ["it answers, but its power was not reported for 4 min: not counted so long"]
    assert used(book) == pytest.approx(600.0)


def test_a_lost_connection_counts_to_its_last_answer_only():
    book = new_book()
    book.report(watts(3600.0), 0.0, True)
    book.answered(9.0)
    book.lost(27.0)
    book.report(watts(3600.0), 30.0, True)
    book.answered(31.0)
    assert used(book) == pytest.approx(10.0)
    assert book.notices() == []


def test_repeated_increments_never_count():
    book = new_book()
    for t in range(0, 600, 30):
        book.report(Reading(power_w={"1": 0.0}, energy_increment_wh=100.0), float(t), True)
    assert used(book) == 0.0


def test_an_opened_relay_is_zero_watts_also_when_w_is_left_out():
    book = new_book()
    book.report(Reading(switch={1: True}, power_w={"1": 3600.0}), 0.0, True)
    book.report(Reading(switch={1: False}), 10.0, False)
    book.answered(40.0)
    assert used(book) == pytest.approx(9.0, abs=1.1)


def test_one_open_gang_of_two_does_not_stop_the_count():
    book = new_book()
    book.report(Reading(switch={1: True, 2: True}, power_w={"1": 3600.0}), 0.0, True)
    book.report(Reading(switch={2: False}), 10.0, False)
    book.answered(40.0)
    assert used(book) == pytest.approx(40.0)


def test_a_boolean_that_cuts_nothing_does_not_stop_the_count():
    book = new_book()
    for t in (0.0, 30.0, 60.0):
        book.report(Reading(switch={1: False}, power_w={"1": 3600.0}), t, True)
    book.report(Reading(switch={1: False}), 65.0, False)
    book.answered(80.0)
    assert used(book) == pytest.approx(80.0)


@pytest.mark.parametrize("power_w", [float("nan"), float("inf"), -1e9])
def test_w_that_is_no_reading_changes_nothing(power_w):
    book = new_book()
    book.report(watts(3600.0), 0.0, True)
    book.report(watts(power_w), 10.0, False)
    book.report(watts(3600.0), 20.0, False)
    assert book.totals_wh(20.0) == {USED: pytest.approx(20.0)}


def test_reports_out_of_order_do_not_count_backwards():
    book = new_book()
    book.report(watts(3600.0), 10.0, True)
    book.report(watts(3600.0), 20.0, False)
    book.report(watts(3600.0), 12.0, False)
    book.report(watts(3600.0), 30.0, False)
    assert used(book) == pytest.approx(20.0)


# directions


def test_both_directions_have_their_own_total():
    book = new_book()
    book.report(watts(3600.0), 0.0, True)
    book.report(watts(-1800.0), 10.0, False)
    book.answered(29.0)
    assert book.totals_wh(29.0) == {USED: pytest.approx(10.0), RETURNED: pytest.approx(9.5)}


def test_noise_around_zero_is_no_export():
    book = new_book()
    for t in range(0, 1000, 5):
        book.report(watts(-0.5 if t % 10 else 0.3), float(t), False)
    assert RETURNED not in book.totals_wh(0)


def test_returned_counter_is_followed_like_the_other():
    book = new_book(step=0.01)
    book.report(Reading(energy_kwh={"1": 10.0}, returned_kwh={"1": 5.0}, power_w={"1": -3600.0}), 0.0, True)
    book.answered(4.0)
    assert book.totals_wh(4.0) == {USED: 10000.0, RETURNED: pytest.approx(5004.0)}
    book.report(Reading(returned_kwh={"1": 5.01}), 10.0, False)
    assert book.totals_wh(10.0) == {USED: 10000.0, RETURNED: 5010.0}


# counters


def test_a_new_unit_is_born_with_the_counters_value():
    book = new_book(step=0.01)
    book.report(watts(500.0), 0.0, False)
    assert book.totals_wh(0.0) == {}
    book.report(counter(1234.56, 500.0), 1.0, True)
    assert used(book) == 1234560.0


def test_a_counter_that_never_comes_is_not_waited_for():
    book = new_book(step=0.01)
    for t in range(0, 70, 10):
        book.report(watts(3600.0), float(t), False)
        assert book.totals_wh(float(t)) == {}
    book.report(watts(3600.0), 70.0, False)
    assert used(book) == pytest.approx(70.0)
    book.report(counter(1234.56, 3600.0), 80.0, True)  # and then it does: no lifetime into Today
    assert used(book) == pytest.approx(80.0)
    book.report(counter(1234.58), 85.0, False)
    assert used(book) == pytest.approx(100.0)


def test_between_steps_the_total_follows_w_up_to_the_next_step_and_equals_each_step():
    book = new_book(step=0.01)
    book.report(counter(2.00, 360.0), 0.0, True)
    for t in range(10, 200, 10):
        book.report(Reading(), float(t), False) if t % 30 else book.report(counter(2.00, 360.0), float(t), True)
        assert used(book) == pytest.approx(min(2000.0 + t * 0.1, 2010.0))
    book.report(counter(2.01), 195.0, False)
    assert used(book) == 2010.0


def test_a_counter_reported_rarely_is_followed_by_whole_steps():
    book = new_book(step=0.01)
    book.report(counter(2.00, 3600.0), 0.0, True)
    for t in range(5, 58, 5):
        book.report(watts(3600.0), float(t), False)
        assert used(book) == pytest.approx(2000 + max(min(t, 10), int(t * 0.99) // 10 * 10))
    book.report(counter(2.05), 58.0, False)
    assert used(book) == 2050.0
    book.report(watts(3600.0), 60.0, False)  # 5 s of this were before that report
    book.report(watts(3600.0), 69.0, False)
    assert used(book) == 2060.0


def test_a_w_that_is_only_held_does_not_pass_the_next_step():
    book = new_book(step=0.01)
    book.report(counter(2.00, 3600.0), 0.0, True)
    book.answered(55.0)
    assert used(book) == 2010.0
    book.report(watts(0.0), 56.0, False)
    assert used(book) == 2010.0


def test_a_total_that_ran_ahead_waits():
    book = new_book(step=0.01)
    book.report(counter(2.00, 3600.0), 0.0, True)
    book.report(watts(3600.0), 55.0, False)
    book.report(counter(2.03, 360.0), 56.0, False)
    assert used(book) == pytest.approx(2050.0)
    book.report(counter(2.05, 360.0), 100.0, False)
    assert used(book) == 2050.0
    book.answered(150.0)
    assert used(book) == pytest.approx(2055.0)


def test_an_outage_is_caught_up_exactly():
    book = new_book(step=0.01)
    book.report(counter(2.00, 3600.0), 0.0, True)
    book.answered(5.0)
    book.lost(20.0)
    book.report(counter(6.78, 3600.0), 7200.0, True)
    assert used(book) == 6780.0
    assert book.notices() == []


@pytest.mark.parametrize("glitch", [0.0, 42949672.95, 999999.99, 99.5, 250.0, -1.0, float("nan")])
def test_a_glitch_changes_nothing(glitch):
    book = new_book(step=0.01)
    book.report(counter(100.00, 0.0), 0.0, True)
    book.report(counter(glitch, 0.0), 30.0, True)
    book.report(counter(glitch, 0.0), 31.0, False)
    assert used(book) == 100000.0
    book.report(counter(100.02, 0.0), 60.0, True)
    assert used(book) == 100020.0
    book.report(counter(100.03, 0.0), 600.0, True)
    assert used(book) == 100030.0
    assert book.notices() == []


def test_a_restarted_counter_goes_on_from_the_total():
    book = new_book(step=0.01)
    book.report(counter(100.00, 0.0), 0.0, True)
    for t, kwh in ((30.0, 0.0), (60.0, 0.01), (90.0, 0.02)):
        book.report(counter(kwh, 0.0), t, True)
    assert used(book) == pytest.approx(100020.0)
    assert book.notices() == [
        "the energy counter restarted (from 100.00 to 0.00 kWh); the total goes on from 100.00 kWh"
    ]
    book.report(counter(0.05, 0.0), 120.0, True)
    assert used(book) == pytest.approx(100050.0)


def test_an_old_value_repeated_for_ever_is_no_restart():
    book = new_book(step=0.01)
    book.report(counter(100.00, 0.0), 0.0, True)
    for t in range(30, 3000, 30):
        book.report(counter(99.50, 0.0), float(t), True)
    book.report(counter(100.01, 0.0), 3000.0, False)
    assert used(book) == 100010.0


def test_a_counter_that_wobbles_by_a_step_is_waited_for():
    book = new_book(step=0.01)
    book.report(counter(100.00, 0.0), 0.0, True)
    for t in range(30, 900, 30):
        book.report(counter(99.99 if t % 60 else 100.00, 0.0), float(t), True)
    assert used(book) == 100000.0
    book.report(counter(99.99, 0.0), 900.0, True)
    book.report(counter(100.01, 0.0), 1800.0, True)
    assert used(book) == 100010.0


def test_a_counter_that_fell_by_a_step_and_counts_on_is_no_restart():
    book = new_book(step=0.01)
    for t, kwh in ((0.0, 100.00), (30.0, 99.98), (120.0, 99.99), (240.0, 100.00), (300.0, 100.01)):
        book.report(counter(kwh, 0.0), t, True)
    assert used(book) == 100010.0


def test_a_leap_that_cannot_have_flowed_is_not_counted():
    book = new_book(step=0.01)
    book.report(counter(0.00, 0.0), 0.0, True)
    for t in (30.0, 60.0, 90.0):
        book.report(counter(5000.00, 0.0), t, True)
    assert used(book) == 0.0
    assert len(book.notices()) == 1
    book.report(counter(5000.02, 0.0), 120.0, True)
    assert used(book) == pytest.approx(20.0)


def test_a_counter_that_lags_is_caught_up_at_once():
    book = new_book(step=0.01)
    for t in range(0, 3600, 30):
        book.report(counter(50.00, 3600.0), float(t), True)
    assert used(book) == 50010.0
    book.report(counter(53.60, 3600.0), 3600.0, True)
    assert used(book) == 53600.0


def test_a_net_counter_is_no_total():
    book = new_book(step=0.01)
    imported, net_wh, at_s = 0.0, 500000.0, 0.0
    for power_w in [720.0] * 100 + [-2400.0] * 100 + [1200.0] * 100:
        book.report(counter(net_wh // 10 / 100, power_w), at_s, True)
        at_s += 30.0
        net_wh += power_w / 120
        imported += max(power_w, 0.0) / 120
    assert used(book) - 500000.0 == pytest.approx(imported, abs=45.0)
    assert book.totals_wh(at_s)[RETURNED] == pytest.approx(2400 * 3000 / 3600, abs=45.0)
    assert book.notices() == [
        "the energy counter also counts backwards: it is no total, the power is integrated instead"
    ]
    again = restart(book, step=0.01)
    again.report(counter(490.00, 3600.0), 0.0, True)
    again.report(counter(489.00, 3600.0), 30.0, True)
    assert used(again) == pytest.approx(used(book) + 30.0)


# sums


def test_w_of_three_phases_and_their_sum():
    book = new_book(channels=("a", "b", "c"))
    book.report(Reading(power_w={"a": 3600.0, "b": 360.0, "c": -1800.0, "total": 99.0}), 0.0, True)
    book.answered(10.0)
    assert book.totals_wh(10.0) == {
        ("a", "used"): pytest.approx(10.0),
        ("b", "used"): pytest.approx(1.0),
        ("c", "used"): 0.0,
        ("c", "returned"): pytest.approx(5.0),
        USED: pytest.approx(11.0),
        RETURNED: pytest.approx(5.0),
    }


def test_the_sum_of_channel_counters_wins_over_a_stale_total():
    book = new_book(step_kwh={"a": 0.01, "b": 0.01, "total": 0.01})
    book.report(Reading(energy_kwh={"total": 1.0, "a": 3.0, "b": 4.0}), 0.0, True)
    assert used(book) == 7000.0
    book.report(Reading(energy_kwh={"total": 1.0, "a": 3.1, "b": 4.2}), 60.0, True)
    assert used(book) == pytest.approx(7300.0)


def test_the_devices_total_wins_where_phases_have_w_only():
    book = new_book(channels=("a", "b", "c"), step_kwh={"total": 0.01})
    phases = {"a": 1200.0, "b": 1200.0, "c": 1200.0}
    book.report(Reading(energy_kwh={"total": 50.0}, power_w=phases), 0.0, True)
    book.answered(4.0)
    assert used(book) == pytest.approx(50004.0)
    book.answered(40.0)
    book.report(Reading(energy_kwh={"total": 50.04}), 41.0, False)
    assert used(book) == pytest.approx(50040.0)
    assert book.totals_wh(41.0)["a", "used"] == pytest.approx(41 / 3)


def test_a_channel_born_late_brings_no_lifetime_into_the_sum():
    book = new_book(step_kwh={"a": 0.01, "b": 0.01})
    book.report(Reading(energy_kwh={"a": 3.0}), 0.0, True)
    book.report(Reading(energy_kwh={"a": 3.05, "b": 4000.0}), 60.0, True)
    assert used(book) == pytest.approx(3050.0)
    assert book.totals_wh(60.0)["b", "used"] == 4000000.0


def test_one_of_four_circuits_is_not_the_total():
    book = new_book(channels=("1", "2", "3", "4"))
    book.report(Reading(power_w={"1": 3600.0}), 0.0, True)
    book.report(Reading(power_w={"2": 3600.0}), 10.0, True)
    book.answered(20.0)
    totals = book.totals_wh(20.0)
    assert totals["1", "used"] == pytest.approx(20.0)
    assert totals["2", "used"] == pytest.approx(10.0)
    assert totals[USED] == pytest.approx(30.0)


# restarts


def test_state_saved_by_earlier_releases_is_read():
    saved = {
        "total/used": [1234572.5, 0.0, 1234570.0],
        "total/returned": [512.25, None, None],
        "a/used": [100.0, None, None, "net"],
    }
    shown = {USED: 1234571.0, RETURNED: 512.0, ("a", "used"): 100.0}
    again = new_book(shown, json.loads(json.dumps(saved)), step_kwh={"total": 0.01})
    assert again.totals_wh(0.0) == {USED: 1234572.5, RETURNED: 512.25, ("a", "used"): 100.0}
    assert again.saved() == saved


def test_w_goes_on_from_what_was_counted_not_only_from_what_was_shown():
    book = new_book()
    book.report(watts(3600.0), 0.0, True)
    book.answered(50.0)
    again = restart(book, lag_wh=9.0)
    assert used(again) == pytest.approx(50.0)
    again.report(watts(3600.0), 5.0, True)
    again.answered(10.0)
    assert used(again) == pytest.approx(55.0)


def test_a_counter_is_caught_up_over_a_restart():
    book = new_book(step=0.01)
    book.report(counter(2.00, 360.0), 0.0, True)
    book.answered(50.0)
    again = restart(book, lag_wh=3.0, step=0.01)
    again.report(counter(4.32, 360.0), 1.0, True)
    assert used(again) == 4320.0


def test_a_glitch_or_a_restart_of_the_counter_while_we_were_off():
    book = new_book(step=0.01)
    book.report(counter(200.00, 0.0), 0.0, True)
    for first in (0.0, 5000.0):
        again = restart(book, step=0.01)
        again.report(counter(first, 0.0), 0.0, True)
        again.report(counter(203.00, 0.0), 30.0, True)
        assert used(again) == 203000.0
    again = restart(book, step=0.01)
    for t, kwh in ((0.0, 3.0), (30.0, 3.01), (90.0, 3.02)):
        again.report(counter(kwh, 0.0), t, True)
    assert used(again) == pytest.approx(200020.0)


def test_months_away_are_caught_up_after_proof():
    book = new_book(step=0.01)
    book.report(counter(200.00, 0.0), 0.0, True)
    again = restart(book, step=0.01)
    for t in (0.0, 30.0, 60.0):
        again.report(counter(900.00, 0.0), t, True)
    assert used(again) == 900000.0
    assert again.notices() == []


def test_an_older_database_is_caught_up_by_the_counter():
    book = new_book(step=0.01)
    book.report(counter(2.00), 0.0, True)
    old_shown, old_saved = book.totals_wh(0.0), book.saved()
    book.report(counter(8.00), 3600.0, True)
    again = new_book(old_shown, old_saved, step=0.01)
    assert used(again) == 2000.0
    again.report(counter(8.01), 0.0, True)
    assert used(again) == 8010.0


def test_an_older_database_without_counter_goes_on_from_what_is_shown():
    again = new_book({USED: 2000.0}, {"total/used": [2003.0, None, None]})
    again.report(watts(3600.0), 0.0, True)
    again.answered(10.0)
    assert used(again) == pytest.approx(2013.0)


def test_lost_saved_state_goes_on_from_what_is_shown():
    again = new_book({USED: 2000.0}, {}, step=0.01)
    again.report(counter(9000.00), 0.0, True)
    assert used(again) == 2000.0
    again.report(counter(9000.05), 60.0, True)
    assert used(again) == pytest.approx(2050.0)


@pytest.mark.parametrize(
    ("shown_wh", "counter_kwh", "total_wh"),
    [
        (1234_560.0, 1236.00, 1236_000.0),  # just behind the counter: it was born with it
        (1234_565.2, 1234.56, 1234_565.2),  # refined, and nothing counted since
        (1234_570.0, 1234.56, 1234_570.0),  # the same up to the next step
        (1234_580.0, 1234.56, 1234_580.0),  # ahead: the counter restarted once, or W was counted before it came
        (30_000.0, 40.00, 30_000.0),  # far behind: a total of its own
        (1234_560.0, 1400.00, 1234_560.0),  # more than can be believed at once
        (0.0, 0.00, 0.0),
    ],
)
def test_lost_saved_state_is_caught_up_where_the_total_is_the_counter(shown_wh, counter_kwh, total_wh):
    again = new_book({USED: shown_wh}, {}, step=0.01)
    again.report(counter(counter_kwh), 0.0, True)
    assert used(again) == pytest.approx(total_wh)
    again.report(counter(counter_kwh + 0.05), 60.0, True)
    is_counter = abs(total_wh - counter_kwh * 1000) < 10.001
    assert used(again) == pytest.approx((counter_kwh * 1000 if is_counter else total_wh) + 50.0)


@pytest.mark.parametrize(
    "saved",
    [
        {"total/used": "x"},
        {"total/used": [None, 1.0, 1.0]},
        {"total/used": [True, float("inf"), 3]},
        {"used": [1.0, 0.0, 1.0]},
        {"total/used": [-5.0, 0.0, 0.0], "x/y": []},
        {"total": {"deep": []}},
    ],
)
def test_malformed_saved_state_is_none(saved):
    again = new_book({USED: 2000.0}, saved, step=0.01)
    again.report(counter(9000.00), 0.0, True)
    assert again.totals_wh(0.0) == {USED: 2000.0}


def test_a_unit_deleted_and_created_again_goes_on_with_its_total():
    book = new_book(step=0.01)
    book.report(counter(2.00), 0.0, True)
    again = new_book({}, book.saved(), step=0.01)
    again.report(counter(2.50), 0.0, True)
    assert again.totals_wh(0.0) == {USED: 2500.0}


def test_a_device_moved_to_another_instance_is_new_there_and_caught_up_when_it_comes_back():
    book = new_book(step=0.01)
    book.report(counter(2.00), 0.0, True)
    for t, kwh in ((0.0, 0.5), (60.0, 0.51), (90.0, 0.52)):  # it was cleared: the old instance says 2.52
        book.report(counter(kwh), 100 + t, True)
    elsewhere = new_book(step=0.01)
    elsewhere.report(counter(0.60), 0.0, True)
    assert used(elsewhere) == 600.0
    back = restart(book, step=0.01)
    back.report(counter(0.70), 0.0, True)
    assert used(back) == pytest.approx(2200.0)


def test_a_unit_that_was_set_back_stays_where_it_was_set():
    book = new_book(step=0.01)
    book.report(counter(5000.00), 0.0, True)
    again = new_book({USED: 0.0}, book.saved(), step=0.01)
    again.report(counter(5000.10), 0.0, True)
    assert used(again) == 0.0
    again.report(counter(5000.12), 60.0, True)
    assert used(again) == pytest.approx(20.0)


def test_a_sum_neither_loses_nor_gains_over_fifty_restarts():
    steps = {"a": 0.01, "b": 0.01}
    book = new_book(step_kwh=steps)
    power = {"a": 3600.0, "b": 360.0}
    a_wh, b_wh = 1000.0, 2000.0
    for _ in range(50):
        for _ in range(12):
            a_wh, b_wh = a_wh + 5, b_wh + 0.5
            counters = {"a": a_wh // 10 / 100, "b": b_wh // 10 / 100}
            book.report(Reading(power_w=power, energy_kwh=counters), a_wh, True)
        a_wh, b_wh = a_wh + 3000, b_wh + 300
        shown = {circuit: wh - 2 * len(circuit[0]) for circuit, wh in book.totals_wh(0).items()}
        book = new_book(shown, json.loads(json.dumps(book.saved())), step_kwh=steps)
    book.report(Reading(energy_kwh={"a": a_wh // 10 / 100, "b": b_wh // 10 / 100}), 0.0, True)
    totals = book.totals_wh(0.0)
    assert totals["a", "used"] == pytest.approx(a_wh, abs=10.0)
    assert totals["b", "used"] == pytest.approx(b_wh, abs=10.0)
    assert totals[USED] == pytest.approx(totals["a", "used"] + totals["b", "used"], abs=1.0)


def test_a_sum_is_not_inflated_by_writes_that_came_at_different_times():
    steps = {"a": 0.01, "b": 0.01}
    book = new_book(step_kwh=steps)
    book.report(Reading(energy_kwh={"a": 1.0, "b": 2.0}), 0.0, True)
    saved = book.saved()  # and then it is killed, with the sum written later than its parts
    book.report(Reading(energy_kwh={"a": 1.1, "b": 2.1}), 600.0, True)
    again = new_book({USED: 3200.0, ("a", "used"): 1050.0, ("b", "used"): 2000.0}, saved, step_kwh=steps)
    again.report(Reading(energy_kwh={"a": 1.1, "b": 2.1}), 0.0, True)
    assert again.totals_wh(0.0) == {USED: 3200.0, ("a", "used"): 1100.0, ("b", "used"): 2100.0}


def test_a_sum_of_w_goes_on_over_restarts_with_a_unit_missing():
    book = new_book(channels=("a", "b"))
    power = {"a": 3600.0, "b": 3600.0}
    book.report(Reading(power_w=power), 0.0, True)
    book.answered(50.0)
    shown = book.totals_wh(0)
    del shown["b", "used"]
    for saved in (book.saved(), {}):
        again = new_book(shown, saved, channels=("a", "b"))
        again.report(Reading(power_w=power), 0.0, True)
        again.answered(10.0)
        assert used(again) == pytest.approx(120.0)
        assert again.totals_wh(0)["a", "used"] == pytest.approx(60.0)


# a counter that stands still


def test_a_counter_that_stands_still_while_energy_flows_is_noticed():
    """990 W for 15 minutes are 25 steps of 0.01 kWh, of which the counter has counted none."""
    book = new_book(step=0.01)
    for minute in range(16):
        book.report(counter(7.0, 990.0), 60.0 * minute, True)
        book.answered(60.0 * minute + 59.0)
        assert (book.stood_wh() > 0.0) is (minute > 6), "100 Wh take more than six minutes"
    assert book.stood_wh() == pytest.approx(990.0 * 900.0 / 3600)
    book.report(counter(7.26, 990.0), 960.0, True)
    assert book.stood_wh() == 0.0


def test_a_counter_that_counts_rarely_is_known_by_what_it_did_before():
    book = new_book(step=0.01)
    for minute in range(60):
        book.report(counter(7.0 + minute // 15 * 0.5, 2000.0), 60.0 * minute, True)
        is_known = minute >= 16
        assert not (is_known and book.stood_wh()), minute


@pytest.mark.parametrize(("power_w", "days"), [(4.0, 20), (0.0, 300)])
def test_a_load_that_starts_no_counter_is_no_reason(power_w, days):
    book = new_book(step=0.01)
    for hour in range(24 * days):
        for part in range(2):
            book.report(counter(7.0, power_w), 3600.0 * hour + 30.0 * part, True)
            book.answered(3600.0 * hour + 30.0 * part + 29.0)
    assert book.stood_wh() == 0.0


def test_energy_without_a_counter_never_stands_still():
    book = new_book()
    for minute in range(60):
        book.report(watts(3000.0), 60.0 * minute, True)
    assert book.stood_wh() == 0.0


def test_a_counter_that_is_not_reported_any_more_holds_no_total():
    book = new_book(step=0.01)
    book.report(counter(7.0, 1000.0), 0.0, True)
    for minute in range(1, 31):
        book.report(watts(1000.0), 60.0 * minute, True)
    assert (used(book), book.stood_wh()) == (pytest.approx(7500.0, abs=15.0), 0.0)
