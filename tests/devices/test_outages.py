"""What the log says of breakers that come and go, over virtual days."""

from __future__ import annotations

from typing import List, Tuple

import pytest

from tuya.devices.journal import OFFLINE_GRACE_S, Journal, Line
from tuya.lan.errors import OwnedElsewhere, TuyaError, Unreachable, WrongKey

ID, NAME = "bf0123456789abcdefgh", "Kitchen"
SILENT = Unreachable(NAME, "it does not answer")
CURE = f"{SILENT.what}. {SILENT.cure}"
DETAIL = "192.168.1.20, protocol 3.4"
MINUTE_S, HOUR_S, DAY_S = 60.0, 3600.0, 86_400.0
STEP_S = 5.0
GAP = "no answer for {} min: the energy of that time is not known and not counted"


class House:
    """A journal, its clock and the lines with their times."""

    def __init__(self) -> None:
        self.now_s = 5000.0
        self.journal = Journal()
        self.journal.add(ID, NAME, self.now_s)
        self.journal.connected(ID, DETAIL, self.now_s)
        self.said: List[Tuple[float, Line]] = []
        self.began_s = self.now_s
        self.wait(10.0)
        self.said.clear()
        self.began_s = self.now_s

    def wait(self, seconds: float) -> None:
        """Let time pass with heartbeats."""
        end_s = self.now_s + seconds
        while self.now_s < end_s:
            self.now_s = min(self.now_s + STEP_S, end_s)
            self.journal.tick(self.now_s)
            self.said += [(self.now_s - self.began_s, line) for line in self.journal.take()]

    def lose(self, error: TuyaError = SILENT) -> None:
        self.journal.failed(ID, error, self.now_s)
        self.wait(0.001)

    def back(self, notice: str = "") -> None:
        self.journal.connected(ID, DETAIL, self.now_s)
        if notice:
            self.journal.notice(ID, notice)
        self.wait(0.001)

    def outage(self, away_s: float, there_s: float) -> None:
        self.lose()
        self.wait(away_s)
        self.back(GAP.format(round(away_s / 60)) if away_s >= MINUTE_S else "")
        self.wait(there_s)

    @property
    def texts(self) -> List[str]:
        return [line.text for _, line in self.said]


@pytest.mark.parametrize(
    ("away_s", "there_s"),
    [
        (40.0, 80.0),
        (3 * MINUTE_S, 4 * MINUTE_S),
        (3 * MINUTE_S, 40 * MINUTE_S),
        (20 * MINUTE_S, 2.5 * HOUR_S),
        (10.0, 20.0),
    ],
)
def test_a_whole_day_of_coming_and_going_is_under_twenty_lines(away_s: float, there_s: float) -> None:
    house = House()
    while house.now_s - house.began_s < DAY_S:
        house.outage(away_s, there_s)
    assert len(house.said) < 20, house.texts
    if away_s < OFFLINE_GRACE_S:
        assert house.said == []


def test_the_first_outages_are_told_then_counted_then_the_end() -> None:
    house = House()
    for _ in range(20):
        house.outage(2 * MINUTE_S, 4 * MINUTE_S)
    assert house.texts[:6] == [
        f"Kitchen: is offline: {CURE}",
        "Kitchen: is back (192.168.1.20, protocol 3.4)",
        f"Kitchen: {GAP.format(2)}",
        f"Kitchen: is offline: {CURE}",
        "Kitchen: is back (192.168.1.20, protocol 3.4)",
        f"Kitchen: {GAP.format(2)}",
    ]
    assert house.texts[6:8] == [
        f"Kitchen: is offline: {CURE}; that is 3 times in 13 min: from now on its outages are counted and summed up",
        "Kitchen: is back (192.168.1.20, protocol 3.4)",
    ]
    at_s, summary = house.said[8]
    assert summary == Line(
        "Kitchen: comes and goes: away 10 times in the last 60 min, for 20 min in all; "
        f"is offline for 1 min now: {CURE}",
        True,
    )
    assert at_s == pytest.approx(72 * MINUTE_S, abs=60)
    assert len(house.said) == 9
    house.wait(4 * HOUR_S)
    assert house.said[-1][1] == Line("Kitchen: is steady again: no outage for 3 h, after 20 in 116 min")
    assert [line.is_error for _, line in house.said[9:]] == [True, False]  # the rest of the count, and the end
    house.lose()
    house.wait(MINUTE_S)
    assert house.texts[-1] == f"Kitchen: is offline: {CURE}"


def test_one_that_dies_while_it_flaps_is_told_within_the_hour_and_so_is_its_return() -> None:
    house = House()
    for _ in range(30):
        house.outage(2 * MINUTE_S, 4 * MINUTE_S)
    house.lose()
    died_s = house.now_s - house.began_s
    house.wait(10 * HOUR_S)
    told = [(at_s, line) for at_s, line in house.said if "is offline for" in line.text and at_s > died_s]
    assert told[0][0] - died_s <= HOUR_S + STEP_S
    assert len(told) == 2  # a summary, and an hour after it that it is away for good
    assert told[1][1].text.endswith(f"min now: {CURE}")
    assert told[1][1].is_error
    assert told[1][0] - told[0][0] == pytest.approx(HOUR_S, abs=STEP_S)
    house.back()
    assert house.texts[-1] == "Kitchen: is back (192.168.1.20, protocol 3.4)"


def test_a_new_problem_of_one_that_flaps_is_told_at_once_and_once() -> None:
    house = House()
    for _ in range(8):
        house.outage(2 * MINUTE_S, 4 * MINUTE_S)
    house.said.clear()
    wrong = WrongKey(NAME, "x")
    for _ in range(10):
        house.lose(wrong)
        house.wait(40.0)
        house.back()
        house.wait(20.0)
    assert [line for _, line in house.said] == [
        Line(str(wrong), True),
        Line("Kitchen: is back (192.168.1.20, protocol 3.4)"),
    ]
    other = OwnedElsewhere(NAME, "is served by hardware Other")
    house.lose(other)
    assert house.said[-1][1] == Line(str(other), True)
    house.journal.notice(ID, "the counter fell from 5.2 to 0.1 kWh: its new start is taken over")
    house.journal.notice(ID, "the counter fell from 7.9 to 0.3 kWh: its new start is taken over")
    house.wait(2.0)
    assert [text for text in house.texts if "counter fell" in text] == [
        "Kitchen: the counter fell from 5.2 to 0.1 kWh: its new start is taken over"
    ]


def test_causes_that_take_turns_are_told_once_in_an_outage() -> None:
    house = House()
    for _ in range(5):
        house.lose(WrongKey(NAME, "x"))
        house.lose(OwnedElsewhere(NAME, "is served by hardware Other"))
    house.wait(MINUTE_S)
    assert len(house.said) == 2
    house.back()
    assert len(house.said) == 3


def test_outages_far_apart_are_all_told() -> None:
    house = House()
    for _ in range(5):
        house.outage(10 * MINUTE_S, 4 * HOUR_S)
    assert len([text for text in house.texts if "is offline" in text]) == 5
    assert not any("counted and summed" in text for text in house.texts)


def test_breakers_that_have_gone_meanwhile_are_not_among_the_connected():
    journal = Journal()
    for device_id in (ID, "other"):
        journal.add(device_id, NAME, 0.0)
    journal.connected(ID, DETAIL, 1.0)
    journal.rename(ID, "Cellar")
    journal.remove("other")
    journal.remove(ID)
    journal.tick(60.0)
    assert journal.take() == ()
