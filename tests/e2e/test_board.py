"""The distribution board as a user has it: served by a real Domoticz, seen in a real browser, with 40 breakers."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any, NamedTuple

import pytest

from tests.domoticz.board.browser import EVIL, chromium, click, needs_chromium, texts, wait_for
from tests.e2e.conftest import eventually, real_domoticz
from tests.e2e.peer import Domoticz
from tuya.simulator import Fleet

pytestmark = [pytest.mark.e2e, needs_chromium, pytest.mark.timeout(600)]
COUNT = 40
LOAD_W = 100.0
EVIL_AT, CLICKED_AT = 1, 7
PHONE = {"width": 390, "height": 800, "deviceScaleFactor": 2, "mobile": True}
# how bright text and card are, 0 to 255, as the browser has computed them
BRIGHTNESS = """
    const light = text => { const [r, g, b] = text.match(/[\\d.]+/g).map(Number); return 0.299*r + 0.587*g + 0.114*b; };
    const style = getComputedStyle(document.querySelector('.tb-card'));
    return [light(style.color), light(style.backgroundColor)];
"""

EDGES = """
    return Array.from(document.querySelectorAll('.tb, .tb-card, .tb-switch')).map(element => {
        const box = element.getBoundingClientRect();
        return [box.left, box.right];
    });
"""


class Home(NamedTuple):
    """A Domoticz with the plugin, its breakers and a browser."""

    domoticz: Domoticz
    fleet: Fleet
    browser: Any

    def open(self) -> None:
        """Go to the page by Domoticz's own web server and wait for all breakers."""
        self.browser.get("about:blank")
        self.browser.get(f"http://127.0.0.1:{self.domoticz.port}/#/Custom/Distribution_board")
        wait_for(lambda: len(texts(self.browser, ".tb-card")) == COUNT, f"{COUNT} cards", 90)

    def total_w(self) -> float:
        """Return the sum that the page shows, in W; -1 before there is one."""
        shown = "".join(texts(self.browser, ".tb-total")).split()
        return float(shown[0]) * (1000 if shown[1] == "kW" else 1) if len(shown) == 2 else -1.0


@pytest.fixture(scope="module", name="home")
def _home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    folder = tmp_path_factory.mktemp("board")
    domoticz = real_domoticz(folder)
    try:
        with Fleet(version="3.4", count=COUNT, noise=0.0) as fleet, chromium() as browser:
            entries = fleet.devices()
            for number, (entry, breaker) in enumerate(zip(entries, fleet.breakers)):
                entry["name"] = EVIL if number == EVIL_AT else f"Breaker {number:02d}"
                breaker.set_load(LOAD_W)
            file = folder / "devices.json"
            file.write_text(json.dumps(entries))
            idx = domoticz.add_hardware(parameters={"Mode1": str(file), "Mode5": "2"})
            eventually(lambda: len(domoticz.devices(idx)) == 4 * COUNT, 120, "all units")
            yield Home(domoticz, fleet, browser)
    finally:
        domoticz.close()


def test_values_move(home: Home) -> None:
    home.open()
    wait_for(lambda: abs(home.total_w() - COUNT * LOAD_W) < 0.03 * COUNT * LOAD_W, "the sum")
    assert texts(home.browser, ".tb-line")[0].startswith("230.0 V")
    assert all(text.startswith("answered ") for text in texts(home.browser, ".tb-age"))
    home.fleet.breakers[0].set_load(LOAD_W + 2000.0)
    wait_for(lambda: abs(home.total_w() - COUNT * LOAD_W - 2000) < 0.03 * COUNT * LOAD_W, "the sum with the new load")
    home.fleet.breakers[0].set_load(LOAD_W)


def test_a_name_with_markup_is_text(home: Home) -> None:
    home.open()
    assert EVIL in texts(home.browser, ".tb-name")
    assert home.browser.execute_script("return window.pwned") is None
    assert home.browser.execute_script("return document.querySelectorAll('.tb img').length") == 0


def test_a_click_switches_the_relay(home: Home) -> None:
    breaker = home.fleet.breakers[CLICKED_AT]
    button = f".tb-switch[aria-label='Breaker {CLICKED_AT:02d}']"
    home.open()
    assert breaker.relay
    for state, word in ((False, "Off"), (True, "On")):
        click(home.browser, button)
        wait_for(lambda state=state: breaker.relay is state, f"the relay, {word}")
        wait_for(lambda word=word: texts(home.browser, button) == [word], f"{word}, said by the breaker")
    assert [len(other.writes) for other in home.fleet.breakers if other.writes] == [2]


def test_it_fits_a_phone(home: Home) -> None:
    home.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    try:
        home.open()
        assert home.browser.execute_script("return innerWidth") == PHONE["width"]
        sides = "return Array.from(document.querySelectorAll('.tb, .tb-card, .tb-switch')).map(e => {"
        edges = home.browser.execute_script(
            f"{sides} const b = e.getBoundingClientRect(); return [b.left, b.right]; }})"
        )
        assert len(edges) > 2 * COUNT
        assert all(left >= 0 and right <= PHONE["width"] for left, right in edges)
    finally:
        home.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize(("theme", "is_dark"), [("simple-gray", False), ("dark-th3me", True), ("default", True)])
def test_it_can_be_read_in_light_and_dark_themes(home: Home, theme: str, is_dark: bool) -> None:
    home.domoticz.quit()
    with closing(sqlite3.connect(str(home.domoticz.database), timeout=20)) as database, database:
        database.execute("UPDATE Preferences SET sValue=? WHERE Key='WebTheme'", (theme,))
    home.domoticz.launch()
    home.open()
    page_is_dark = "return document.querySelector('.tb').classList.contains('tb-dark')"
    wait_for(lambda: home.browser.execute_script(page_is_dark) is is_dark, f"colours for {theme}")
    assert abs(home.total_w() - COUNT * LOAD_W) < 0.03 * COUNT * LOAD_W
    ink, card = home.browser.execute_script(BRIGHTNESS)
    assert (card < 128) is is_dark
    assert abs(ink - card) > 150
