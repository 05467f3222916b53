"""Takes the README's pictures: breakers in a real Domoticz, seen in a real browser.

DOMOTICZ_BIN=… DOMOTICZ_ROOT=… python3 -m tests.e2e.screenshots tests/data/images   (needs selenium and Chromium)
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select

from tests.domoticz.board.browser import chromium
from tests.e2e.peer import Domoticz
from tests.e2e.plugin_folder import make_plugin_folder
from tuya.domoticz.units import ENERGY, RETURNED
from tuya.host import manifest
from tuya.simulator import Fleet
from tuya.simulator.products import THREE_PHASE_METER, TWO_CLAMP_METER

BREAKERS = (("Kitchen", 1840.0, True), ("Heat pump", 962.0, True), ("Workshop", 0.0, False))
# page, height of the window
PAGES = {"utility": ("Utility", 760), "switches": ("LightSwitches", 430), "board": ("Custom/Distribution_board", 530)}
WIDTH = 1180
NAVIGATION_PX = 60  # the bar that stays at the top of each page
HARDWARE_HEIGHT = 1010
ENERGY_HEIGHT = 560
LARGEST_BYTES = 200_000
SETTLING_S = 4.0


def take_hardware(driver: Any, domoticz: Domoticz, images: Path) -> None:
    """Photograph the Hardware page with the plugin's form, before anything was added."""
    driver.set_window_size(WIDTH, HARDWARE_HEIGHT)
    driver.get(f"http://127.0.0.1:{domoticz.port}/#/Hardware")
    time.sleep(SETTLING_S)
    types = Select(driver.find_element(By.CSS_SELECTOR, "#hardwarecontent #combotype"))
    types.select_by_visible_text(domoticz.manifest.name)
    name = driver.find_element(By.CSS_SELECTOR, "#hardwarecontent #hardwarename")
    name.clear()
    name.send_keys("Breakers")
    time.sleep(SETTLING_S / 2)
    form = driver.find_element(By.CSS_SELECTOR, "#hardwarecontent #hardwareparamstable")
    driver.execute_script(f"arguments[0].scrollIntoView(); scrollBy(0, -{NAVIGATION_PX})", form)
    _save(driver, images / "hardware.png")


def take(driver: Any, domoticz: Domoticz, images: Path) -> None:
    """Photograph each page once its devices are there."""
    for name, (page, height) in PAGES.items():
        driver.set_window_size(WIDTH, height)
        driver.get(f"http://127.0.0.1:{domoticz.port}/#/{page}")
        time.sleep(SETTLING_S)
        assert BREAKERS[0][0] in driver.find_element(By.TAG_NAME, "body").text
        _save(driver, images / f"{name}.png")


def take_energy(driver: Any, domoticz: Domoticz, images: Path, folder: Path) -> None:
    """Photograph Domoticz's Energy dashboard with a house meter as the grid and a clamp on the solar line."""
    with Fleet(product=(THREE_PHASE_METER.product_id, TWO_CLAMP_METER.product_id), version="3.4", count=2) as fleet:
        entries = fleet.devices()
        for entry, name in zip(entries, ("House", "Solar")):
            entry["name"] = name
        house, solar = fleet.breakers
        house.set_load(413.0, power_factor=0.97)  # on each of its phases
        solar.set_load(-1155.0)  # on each of its clamps
        path = folder / "meters.json"
        path.write_text(json.dumps(entries))
        idx = domoticz.add_hardware("Meters", parameters={"Mode1": str(path), "Mode4": "all", "Mode5": "2"})
        deadline = time.monotonic() + 30
        grid = returned = None
        while (grid is None or returned is None) and time.monotonic() < deadline:
            grid = domoticz.device(idx, entries[0]["id"], ENERGY)
            returned = domoticz.device(idx, entries[1]["id"], RETURNED)
            time.sleep(0.2)
        assert grid is not None
        assert returned is not None
        domoticz.store_settings(EP1=grid.idx, ESolar=returned.idx)
        time.sleep(SETTLING_S * 4)
        driver.set_window_size(WIDTH, ENERGY_HEIGHT)
        driver.get(f"http://127.0.0.1:{domoticz.port}/#/Energy")
        time.sleep(SETTLING_S)
        assert re.search(r"\b2[23]\d\d Watt", driver.find_element(By.TAG_NAME, "body").text)
        _save(driver, images / "energy-dashboard.png")


def _save(driver: Any, path: Path) -> None:
    driver.save_screenshot(str(path))
    assert path.stat().st_size < LARGEST_BYTES, f"{path} is too large"


def main(images: Path) -> None:
    """Start breakers, Domoticz and browser, and leave the pictures in `images`."""
    images.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary, Fleet(version="3.4", count=len(BREAKERS)) as fleet:
        folder = Path(temporary)
        entries = fleet.devices()
        for entry, breaker, (name, load_w, is_on) in zip(entries, fleet.breakers, BREAKERS):
            entry["name"] = name
            breaker.set_load(load_w, power_factor=0.96)
            breaker.set_relay(is_on)
        (folder / "devices.json").write_text(json.dumps(entries))
        plugin = make_plugin_folder(folder / "TuyaEnergy")
        root = Path(os.environ["DOMOTICZ_ROOT"])
        domoticz = Domoticz(os.environ["DOMOTICZ_BIN"], root, folder, plugin, manifest.read(plugin / "plugin.py"))
        try:
            with chromium() as driver:
                take_hardware(driver, domoticz, images)
                idx = domoticz.add_hardware(parameters={"Mode1": str(folder / "devices.json"), "Mode5": "2"})
                deadline = time.monotonic() + 30
                while len(domoticz.devices(idx)) < 4 * len(BREAKERS) and time.monotonic() < deadline:
                    time.sleep(0.2)
                time.sleep(SETTLING_S * 5)  # some energy to show
                take(driver, domoticz, images)
                take_energy(driver, domoticz, images, folder)
        finally:
            domoticz.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
