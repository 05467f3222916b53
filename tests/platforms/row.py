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
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import List, NamedTuple, Tuple

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PYTHON_LINE = re.compile(r"Python version '([\d.]+)")
OS_RELEASE = re.compile(r'^PRETTY_NAME="?([^"\n]*)', re.MULTILINE)


class Counts(NamedTuple):
    """Of tests that ran."""

    passed: int
    failed: int
    skipped: int


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


def count(report: Path) -> Counts:
    """Return how a JUnit report ended."""
    cases = list(ElementTree.parse(report).iter("testcase"))
    failed = sum(1 for case in cases if case.find("failure") is not None or case.find("error") is not None)
    skipped = sum(1 for case in cases if case.find("skipped") is not None)
    return Counts(len(cases) - failed - skipped, failed, skipped)


def main(arguments: List[str]) -> int:
    """Run the tests and print the row; return pytest's exit status."""
    os.chdir(REPOSITORY)
    sys.path.insert(0, str(REPOSITORY))
    version, python = release()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        # in the order of the files, one after the other: one Domoticz at a time, as on a small machine
        code = pytest.main(["-p", "no:randomly", "-q", f"--junit-xml={report}", *(arguments or ["tests/e2e"])])
        counts = count(report) if report.is_file() else Counts(0, 0, 0)
    day = time.strftime("%Y-%m-%d", time.gmtime())
    machine = f"{distribution()}, {platform.machine()}"
    result = f"{counts.passed} passed, {counts.failed} failed, {counts.skipped} skipped"
    print(f"| {version} | {machine} | {python} | {result} | {day} |")
    return int(code)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
