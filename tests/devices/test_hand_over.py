"""What another process counted while it had a device: added once, and only as much as can have flowed."""

from __future__ import annotations

import json
from typing import Any, Mapping, Optional

import pytest

from tuya.devices.device import KnownDevice
from tuya.devices.devices_file import DeviceEntry, parse_devices
from tuya.devices.hand_over import MAX_WAITING, Counted, HandOver
from tuya.lan.events import Connected, Status
from tuya.metering.energy import Circuit, EnergyBook
from tuya.metering.reading import Reading

SY1, DTS238 = "jdj6ccklup7btq3a", "1rlikmowi2erb6qw"  # W only; a counter on 1, W on 9
TOTAL: Circuit = ("total", "used")
KEPT_WH = 1000.0
HOUR_S = 3600.0


def entry(product_id: str = SY1) -> DeviceEntry:
    described = {"id": "bf0123456789abcdef0001", "key": "k" * 16, "name": "Oven", "product_id": product_id}
    return parse_devices(json.dumps([described])).entries[0]


DPS = {1: True, 18: 8696, 19: 20000, 20: 2300}  # 2000 W


class Home:
    """One device of a front end that kept 1 kWh, `away_s` before its clock stood at 0."""

    def __init__(self, away_s: Optional[float] = HOUR_S, product_id: str = SY1, **words: Any) -> None:
        saved: Mapping[str, object] = words.pop("saved", {"total/used": [KEPT_WH, None, None]})
        self.device = KnownDevice(
            entry(product_id), saved=saved, known_at_s=None if away_s is None else -away_s, **words
        )
        self.device.connected(Connected("bf0123456789abcdef0001", 0.0, "127.0.0.1", 6668, "3.4"))

    def report(self, at_s: float) -> None:
        self.device.report(Status("bf0123456789abcdef0001", at_s, DPS, full=True))

    def tell(
        self,
        total_wh: float,
        at_s: float = 10.0,
        alone_s: Optional[float] = None,
        circuit: Circuit = TOTAL,
        heard_wh: Optional[float] = None,
    ) -> None:
        heard = {} if heard_wh is None else {circuit: heard_wh}
        self.device.hand_over.told(Counted("mqtt", {circuit: total_wh}, at_s, heard, alone_s))

    @property
    def total_wh(self) -> float:
        return self.device.totals_wh(0.0)[TOTAL]


def test_what_flowed_meanwhile_is_added_to_what_was_counted_since():
    home = Home()
    home.report(0.0)
    home.report(18.0)  # 2000 W for 18 s: 10 Wh of our own
    assert home.total_wh == pytest.approx(KEPT_WH + 10.0)
    home.tell(1750.0, 18.0)
    assert home.total_wh == pytest.approx(1760.0)
    home.report(36.0)
    assert home.total_wh == pytest.approx(1770.0), "and W counts on from there"
    assert home.device.saved_energy()["total/used"][0] == pytest.approx(1770.0)  # type: ignore[index]
    assert home.device.notices() == ["0.750 kWh flowed while mqtt had it, and are counted too"]


def test_told_before_the_device_has_reported_it_begins_with_that():
    home = Home()
    home.tell(1750.0)
    assert home.device.totals_wh(0.0) == {}
    home.report(10.0)
    assert home.total_wh == 1750.0


def test_the_same_is_added_once_whoever_tells_it():
    home = Home()
    home.tell(1750.0)
    home.report(10.0)
    for _ in range(3):
        home.tell(1750.0)
    home.tell(1700.0)  # who had it before, and was killed then
    assert home.total_wh == 1750.0
    home.tell(1800.0)  # who has counted on from there
    assert home.total_wh == 1800.0


def test_our_own_word_that_comes_back_adds_nothing():
    """A service that has heard us for hours, and connects again: its total is ours."""
    home = Home()
    home.report(0.0)
    home.tell(1750.0, 0.0, heard_wh=KEPT_WH)
    for number in range(1, 200):  # 2 kW for an hour
        home.report(18.0 * number)
        home.tell(home.total_wh, heard_wh=home.total_wh)
    assert home.total_wh == pytest.approx(1750.0 + 199 * 10.0)


def test_what_we_had_told_and_have_lost_comes_back():
    """Killed before the last 30 Wh were stored; the other one went on from them, or has only heard them."""
    home = Home()
    home.tell(1750.0, heard_wh=KEPT_WH + 30.0)
    home.report(0.0)
    assert home.total_wh == 1750.0
    only_heard = Home()
    only_heard.report(0.0)
    only_heard.tell(KEPT_WH + 30.0, heard_wh=KEPT_WH + 30.0)
    assert only_heard.total_wh == KEPT_WH + 30.0


def test_one_who_has_only_heard_it_and_the_one_who_counted_it_are_counted_once():
    for order in ((1750.0, KEPT_WH), (KEPT_WH, 1750.0)):
        home = Home()
        home.report(0.0)
        home.report(9.0)  # 5 Wh of ours
        for heard_wh in order:
            home.tell(1750.0, heard_wh=heard_wh)
        assert home.total_wh == pytest.approx(1755.0)


def test_what_is_said_to_be_heard_is_bounded_too():
    home = Home(away_s=60.0)
    home.report(0.0)
    home.tell(KEPT_WH + 100.0, heard_wh=1e11)
    assert home.total_wh == KEPT_WH + 100.0
    home.tell(1e11, heard_wh=1e11)
    assert home.total_wh == KEPT_WH + 100.0


@pytest.mark.parametrize("total_wh", [0.0, 1.0, KEPT_WH - 0.001, KEPT_WH])
def test_a_total_never_falls(total_wh: float):
    home = Home()
    home.report(0.0)
    home.tell(total_wh)
    assert home.total_wh == KEPT_WH
    assert home.device.notices() == []


@pytest.mark.parametrize("is_waiting", [False, True])
def test_more_than_can_have_flowed_is_not_believed(is_waiting: bool):
    home = Home(away_s=60.0)
    if not is_waiting:
        home.report(0.0)
    limit_wh = 80_000.0 * 60.0 / HOUR_S
    home.tell(KEPT_WH + limit_wh + 1.0, 0.0)
    home.tell(1e11, 0.0)
    if is_waiting:
        home.report(0.0)
    assert home.total_wh == KEPT_WH
    assert home.device.notices() == ["mqtt has counted 1.334 kWh: more than can have flowed meanwhile"]
    home.tell(KEPT_WH + limit_wh - 1.0, 0.0)
    assert home.total_wh == KEPT_WH + limit_wh - 1.0


def test_many_small_steps_come_no_further_than_one():
    home = Home(away_s=60.0)
    home.report(0.0)
    for step in range(1, 2000):
        home.tell(KEPT_WH + 10.0 * step, 100.0 * step)
    assert home.total_wh <= KEPT_WH + 80_000.0 * 60.0 / HOUR_S


def test_nothing_is_believed_of_the_time_in_which_we_count():
    """The time of a hand-over ends with our first report, however late it is told."""
    home = Home(away_s=0.0)
    home.report(0.0)
    home.tell(KEPT_WH + 5.0, 100 * HOUR_S)
    assert home.total_wh == KEPT_WH


def test_where_it_is_not_known_how_long_nobody_counted_nothing_is_added():
    home = Home(away_s=None)
    home.tell(KEPT_WH + 5.0)
    home.report(10.0)
    assert home.total_wh == KEPT_WH


def test_one_that_never_heard_of_ours_has_counted_all_of_it_meanwhile():
    home = Home()
    home.tell(300.0, alone_s=HOUR_S / 2)
    home.report(10.0)
    assert home.total_wh == KEPT_WH + 300.0
    home.tell(310.0, alone_s=HOUR_S / 2)
    assert home.total_wh == KEPT_WH + 310.0


def test_one_that_began_before_we_had_the_device_last_is_not_asked_how_much_was_when():
    home = Home()
    home.tell(300.0, alone_s=2 * HOUR_S)
    home.report(10.0)
    assert home.total_wh == KEPT_WH


def test_a_device_with_a_counter_needs_no_telling():
    home = Home(product_id=DTS238, saved={"total/used": [KEPT_WH, 0.0, KEPT_WH]})
    home.tell(1750.0)
    home.device.report(Status("bf0123456789abcdef0001", 10.0, {1: 175, 9: 20000}, full=True))
    assert home.device.has_counter
    assert home.total_wh == 1750.0, "its own counter says so"
    own_wh = home.total_wh
    home.tell(1760.0)
    assert home.total_wh == own_wh, "what it counted itself is caught up by itself"


def test_a_total_that_was_set_back_by_hand_stays_there():
    home = Home(saved={"total/used": [50_000.0, None, None]}, shown_wh=lambda _channels: {TOTAL: 0.0})
    home.tell(50_010.0)
    home.report(10.0)
    assert home.total_wh == 0.0


def test_what_is_returned_is_told_by_its_own_name_and_no_other():
    home = Home(saved={"total/used": [KEPT_WH, None, None], "total/returned": [10.0, None, None]})
    home.report(0.0)
    home.tell(25.0, circuit=("total", "returned"))
    home.tell(25.0, circuit=("b", "used"))
    home.tell(25.0, circuit=("no such", "returned"))
    assert home.device.totals_wh(0.0) == {TOTAL: KEPT_WH, ("total", "returned"): 25.0}


def test_of_circuits_each_has_its_own_and_the_sum_follows():
    saved = {f"{phase}/used": [100.0, None, None] for phase in "abc"}
    book = EnergyBook(shown_wh={}, saved={**saved, "total/used": [300.0, None, None]}, channels=["a", "b", "c"])
    hand_over = HandOver(-HOUR_S)
    hand_over.told(Counted("mqtt", {("a", "used"): 140.0, ("b", "used"): 110.0, TOTAL: 350.0}, 0.0))
    hand_over.count_on(book, 0.0)
    totals_wh = {"a": 140.0, "b": 110.0, "c": 100.0, "total": 350.0}
    assert book.totals_wh(0.0) == {(circuit, "used"): total_wh for circuit, total_wh in totals_wh.items()}
    for at_s in (0.0, 36.0):
        book.report(Reading(power_w={"a": 1000.0, "b": 0.0, "c": 0.0}), at_s, True)
    assert book.totals_wh(36.0)[TOTAL] == pytest.approx(360.0)


def test_who_tells_without_end_fills_no_memory():
    home = Home()
    for number in range(10 * MAX_WAITING):
        home.tell(KEPT_WH + number)
    home.report(10.0)
    assert KEPT_WH < home.total_wh <= KEPT_WH + 10 * MAX_WAITING
