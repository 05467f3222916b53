"""A headless Chromium for the tests of the board. Where there is none they are skipped, with the reason."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Callable

import pytest

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed: no browser test")
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None or DRIVER is None, reason="no chromium and chromedriver on this machine: the page is not tried"
)
EVIL = '<img src=x onerror="window.pwned=1">'
OPTIONS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1000,900",
]
WAIT_S = 30.0


@contextmanager
def chromium() -> Iterator[Any]:
    """Start the browser and end it."""
    options = webdriver.ChromeOptions()
    for option in OPTIONS:
        options.add_argument(option)
    options.binary_location = CHROMIUM
    temporary = tempfile.mkdtemp(prefix="tuya-chromium-")  # it leaves things there when it is ended
    service = webdriver.ChromeService(DRIVER, env={**os.environ, "TMPDIR": temporary})
    try:
        driver = webdriver.Chrome(options=options, service=service)
        try:
            yield driver
        finally:
            driver.quit()
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def wait_for(condition: Callable[[], object], what: str, timeout_s: float = WAIT_S) -> None:
    """Wait until `condition` is true."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError(f"not seen within {timeout_s:.0f} s: {what}")


def texts(browser: Any, selector: str) -> list[str]:
    """Return the texts of all elements that a selector finds."""
    script = "return Array.from(document.querySelectorAll(arguments[0])).map(e => e.textContent)"
    return list(browser.execute_script(script, selector))


def click(browser: Any, selector: str) -> None:
    """Click the first element that a selector finds."""
    browser.execute_script("document.querySelector(arguments[0]).click()", selector)
