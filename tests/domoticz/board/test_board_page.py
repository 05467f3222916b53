"""The page in a real browser against the stand-in's JSON: values move, clicks switch, hostile names do nothing."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.domoticz.board.browser import EVIL, chromium, click, needs_chromium, texts, wait_for, webdriver
from tests.e2e.conftest import stand_in
from tuya.domoticz.board import Board, BreakerState
from tuya.host.records import DeviceRow
from tuya.host.web import RIGHTS_ADMIN, RIGHTS_VIEWER, WebServer, serve
from tuya.simulator import Fleet

pytestmark = needs_chromium


class House:
    """What the server shows: some breakers whose rows the test changes."""

    def __init__(self, www: Path, count: int) -> None:
        self.rows: list[DeviceRow] = []
        self.commands: list[tuple[int, str]] = []
        self.states = {}
        for number in range(count):
            device_id, name = f"bf{number:020d}", EVIL if number == 1 else f"Breaker {number:02d}"
            self.add(device_id, 1, name, (244, 73, 0), 1, "On")
            self.add(device_id, 2, f"{name} Energy", (243, 29, 0), 0, f"{100 * number + 10}.0;{1000 * number}.000")
            self.add(device_id, 3, f"{name} Voltage", (243, 8, 0), 0, "230.4")
            self.add(device_id, 4, f"{name} Current", (243, 23, 0), 0, "0.302")
            self.states[device_id] = BreakerState(time.time() - 5)
        self.board = Board(www, 2)
        self.board.install()
        self.publish()

    def add(self, device_id: str, unit: int, name: str, kind: tuple[int, int, int], nvalue: int, svalue: str) -> None:
        number = len(self.rows) + 1
        self.rows.append(DeviceRow(number, 2, device_id, unit, name, *kind, nvalue, svalue, False, True, 0, self.now()))

    @staticmethod
    def now() -> str:
        return time.strftime("%Y-%m-%d %H:%M:%S")

    def change(self, index: int, **values: object) -> None:
        self.rows[index] = dataclasses.replace(self.rows[index], last_update=self.now(), **values)  # type: ignore[arg-type]

    def publish(self) -> None:
        self.board.publish(self.states, time.time(), 2.0)

    def command(self, row: DeviceRow, word: str) -> None:
        self.commands.append((row.idx, word))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as driver:
        yield driver


@pytest.fixture
def www(tmp_path: Path) -> Path:
    (tmp_path / "www" / "templates").mkdir(parents=True)
    return tmp_path / "www"


def open_page(browser: Any, server: WebServer, cards: int) -> None:
    browser.get(f"{server.address}/templates/Distribution_board.html")
    wait_for(lambda: len(texts(browser, ".tb-card")) == cards, f"{cards} cards")


def test_values_sum_ages_and_a_hostile_name(browser: Any, www: Path) -> None:
    house = House(www, 3)
    with WebServer(www, lambda: house.rows, house.command, history=lambda _idx: [(time.time() - 900, 50.0)]) as server:
        open_page(browser, server, 3)
        assert EVIL in texts(browser, ".tb-name")
        assert browser.execute_script("return window.pwned") is None
        assert browser.execute_script("return document.querySelectorAll('.tb img').length") == 0
        assert texts(browser, ".tb-total") == ["330 W"]  # 10 + 110 + 210
        assert texts(browser, ".tb-card .tb-line")[:1] == ["230.4 V  0.302 A"]
        assert all(text.startswith("answered ") for text in texts(browser, ".tb-age"))
        wait_for(lambda: texts(browser, ".tb-curve path"), "a curve")
        house.change(1, svalue="999.0;5.000")
        wait_for(lambda: texts(browser, ".tb-total") == ["1319 W"], "the new sum")


def test_a_click_switches_and_the_state_waits_for_the_breaker(browser: Any, www: Path) -> None:
    house = House(www, 1)
    with WebServer(www, lambda: house.rows, house.command) as server:
        open_page(browser, server, 1)
        click(browser, "button.tb-switch")
        wait_for(lambda: house.commands == [(1, "Off")], "the command")
        assert texts(browser, ".tb-switch") == ["asked …"]
        checked = "return document.querySelector('.tb-switch').getAttribute('aria-checked')"
        assert browser.execute_script(checked) == "true"
        house.change(0, nvalue=0)
        wait_for(lambda: texts(browser, ".tb-switch") == ["Off"], "the confirmed state")
        assert house.commands == [(1, "Off")]


def test_an_unconfirmed_click_falls_back_to_the_last_state(browser: Any, www: Path) -> None:
    house = House(www, 1)
    with WebServer(www, lambda: house.rows, house.command) as server:
        open_page(browser, server, 1)
        click(browser, "button.tb-switch")
        wait_for(lambda: texts(browser, ".tb-switch") == ["asked …"], "asked")
        wait_for(lambda: texts(browser, ".tb-switch") == ["On"], "the old state again")
        assert len(house.commands) == 1


@pytest.mark.parametrize(("rights", "read_only"), [(RIGHTS_VIEWER, False), (RIGHTS_ADMIN, True)])
def test_no_buttons_without_the_right_to_switch(browser: Any, www: Path, rights: int, read_only: bool) -> None:
    house = House(www, 2)
    house.states = {key: BreakerState(state.answered_at, read_only) for key, state in house.states.items()}
    house.publish()
    with WebServer(www, lambda: house.rows, house.command, rights=rights) as server:
        open_page(browser, server, 2)
        assert texts(browser, "button.tb-switch") == []
        assert texts(browser, "span.tb-switch") == ["On", "On"]
        click(browser, "span.tb-switch")
        assert house.commands == []


def test_away_breaker_fault_and_silent_domoticz_are_told(browser: Any, www: Path) -> None:
    house = House(www, 2)
    house.add("bf" + "0" * 20, 10, "Breaker 00 Faults", (243, 22, 0), 4, "over-voltage trip")
    for index in range(4, 8):
        house.change(index, timed_out=True)
    house.states["bf" + "0" * 19 + "1"] = BreakerState(time.time() - 600)
    house.publish()
    server = WebServer(www, lambda: house.rows, house.command)
    try:
        open_page(browser, server, 2)
        assert texts(browser, ".tb-fault .tb-alarm") == ["over-voltage trip"]
        assert texts(browser, ".tb-away .tb-age") == ["away for 10 min"]
        assert browser.execute_script("return document.querySelector('.tb-away .tb-switch').disabled") is True
        assert texts(browser, ".tb-total") == ["10.0 W"]
    finally:
        server.close()
    wait_for(lambda: "does not answer" in "".join(texts(browser, ".tb-note")), "the note")
    assert len(texts(browser, ".tb-card")) == 2


def test_without_an_order_of_the_user_numbers_are_sorted_as_numbers(browser: Any, www: Path) -> None:
    house = House(www, 4)
    for row, name in zip([row for row in house.rows if row.unit == 1], ("Socket 10", "Socket 9", "Boiler", "Socket 1")):
        house.rows[house.rows.index(row)] = dataclasses.replace(row, name=name)
    with WebServer(www, lambda: house.rows, house.command) as server:
        open_page(browser, server, 4)
        browser.execute_script("localStorage.clear()")
        open_page(browser, server, 4)
        assert texts(browser, ".tb-name") == ["Boiler", "Socket 1", "Socket 9", "Socket 10"]


def test_the_order_of_the_user_is_kept(browser: Any, www: Path) -> None:
    house = House(www, 4)
    with WebServer(www, lambda: house.rows, house.command) as server:
        open_page(browser, server, 4)
        browser.execute_script("localStorage.clear()")
        before = texts(browser, ".tb-name")
        actions = webdriver.ActionChains(browser)
        grips = browser.find_elements("css selector", ".tb-grip")
        cards = browser.find_elements("css selector", ".tb-card")
        actions.click_and_hold(grips[0]).move_to_element(cards[1]).move_to_element(cards[2]).release().perform()
        moved = [before[1], before[2], before[0], before[3]]
        wait_for(lambda: texts(browser, ".tb-name") == moved, "the new order")
        open_page(browser, server, 4)
        wait_for(lambda: texts(browser, ".tb-name") == moved, "the order after a reload")
        browser.execute_script(
            "document.querySelectorAll('.tb-grip')[3].dispatchEvent("
            "new KeyboardEvent('keydown', {key: 'ArrowLeft', bubbles: true}))"
        )
        assert texts(browser, ".tb-name") == [before[1], before[2], before[3], before[0]]


def test_forty_breakers_fit_a_phone_without_scrolling_sideways(browser: Any, www: Path) -> None:
    house = House(www, 40)
    with WebServer(www, lambda: house.rows, house.command) as server:
        browser.set_window_size(500, 900)
        try:
            open_page(browser, server, 40)
            wide = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
            assert browser.execute_script(wide) <= 6
        finally:
            browser.set_window_size(1000, 900)


def test_a_stopped_plugin_is_told(browser: Any, www: Path) -> None:
    with WebServer(www, list, lambda _row, _word: None) as server:
        House(www, 1).board.publish({}, time.time(), 2.0)
        (www / "templates" / "Distribution_board" / "index.json").unlink()
        browser.get(f"{server.address}/templates/Distribution_board.html")
        wait_for(lambda: "is not running" in "".join(texts(browser, "#tuya-board")), "the words")


def test_another_domoticz_with_the_same_web_folder_and_numbers_is_kept_apart(browser: Any, www: Path) -> None:
    house = House(www, 1)
    other = www / "templates" / "Distribution_board" / "state-1-2.json"
    now = time.time()
    strange = {"00000000": {"answered": now, "read_only": True}}
    other.write_text(json.dumps({"hardware": 2, "time": now + 60, "interval_s": 2, "breakers": strange}))
    house.board.install()
    with WebServer(www, lambda: house.rows, house.command) as server:
        open_page(browser, server, 1)
        assert texts(browser, ".tb-age")[0].startswith("answered ")
        assert texts(browser, "button.tb-switch") == ["On"]


def test_the_plugin_on_the_stand_in_feeds_the_page_and_a_click_reaches_the_relay(browser: Any, tmp_path: Path) -> None:
    with Fleet(version="3.4", count=2, noise=0.0) as fleet:
        fleet.breakers[0].set_load(1500.0)
        fleet.breakers[1].set_load(300.0)
        file = tmp_path / "devices.json"
        file.write_text(json.dumps(fleet.devices()))
        stage = stand_in(tmp_path)
        try:
            idx = stage.add_hardware(parameters={"Mode1": str(file), "Mode5": "2"})
            assert stage.wait_started(idx)
            wait_for(lambda: len(stage.devices(idx)) == 8, "the units")
            with serve(stage) as server:
                open_page(browser, server, 2)
                wait_for(lambda: texts(browser, ".tb-total") == ["1800 W"], "the sum")
                assert all(text.startswith("answered ") for text in texts(browser, ".tb-age"))
                click(browser, "button.tb-switch")
                wait_for(lambda: sum(breaker.relay for breaker in fleet.breakers) == 1, "one relay open")
                wait_for(lambda: "Off" in texts(browser, "button.tb-switch"), "the state from the breaker")
                writes = [write for breaker in fleet.breakers for write in breaker.writes]
                assert len(writes) == 1
        finally:
            stage.close()
        assert not (stage.user_data / "www" / "templates" / "Distribution_board.html").exists()
