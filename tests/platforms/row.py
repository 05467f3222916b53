"""Runs tests/e2e on the Domoticz of DOMOTICZ_BIN and DOMOTICZ_ROOT; its last line is a row for docs/platforms.md.

Arguments go to pytest. Exit status: pytest's.
"""

from __future__ import annotations

import os
import platform
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, List, Tuple

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PYTHON_LINE = re.compile(r"Python version '([\d.]+)")
OS_RELEASE = re.compile(r'^PRETTY_NAME="?([^"\n]*)', re.MULTILINE)


class Tally:
    """What pytest says at its end, and the names of what failed; a plugin of pytest."""

    def __init__(self) -> None:
        self.result = "no test was run"
        self.failed: List[str] = []

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Count what pytest itself counts."""
        ended = terminalreporter.stats
        self.failed = [report.nodeid for kind in ("failed", "error") for report in ended.get(kind, ())]
        passed, skipped = len(ended.get("passed", ())), len(ended.get("skipped", ()))
        self.result = f"{passed} passed, {len(self.failed)} failed, {skipped} skipped"


def release() -> Tuple[str, str]:
    """Start Domoticz once and return its own words for its release, and which Python it has loaded."""
    from tests.e2e.conftest import real_domoticz

    with tempfile.TemporaryDirectory() as folder:
        domoticz = real_domoticz(Path(folder))
        try:
            version = str(domoticz.api("getversion")["version"])
            log = (domoticz.user_data / "domoticz.log").read_text(errors="replace")
        finally:
            domoticz.close()
    found = PYTHON_LINE.search(log)
    return version, found[1] if found else "unknown"


def distribution() -> str:
    """Return the distribution's name for itself, and for Debian the point release."""
    found = OS_RELEASE.search(Path("/etc/os-release").read_text(encoding="utf-8"))
    name = found[1] if found else platform.platform()
    point = Path("/etc/debian_version")
    return f"{name}, {point.read_text(encoding='ascii').strip()}" if point.is_file() else name


def main(arguments: List[str]) -> int:
    """Run the tests and print the row; return pytest's exit status."""
    os.chdir(REPOSITORY)
    sys.path.insert(0, str(REPOSITORY))
    version, python = release()
    tally = Tally()
    # in the order of the files, one after the other: one Domoticz at a time, as on a small machine
    code = pytest.main(["-p", "no:randomly", "-q", *(arguments or ["tests/e2e"])], plugins=[tally])
    for name in tally.failed:
        print(f"failed: {name}")
    day = time.strftime("%Y-%m-%d", time.gmtime())
    machine = f"{distribution()}, {platform.machine()}"
    print(f"| {version} | {machine} | {python} | {tally.result} | {day} |")
    return int(code)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
