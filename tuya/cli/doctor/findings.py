"""What the doctor finds: one finding a check, and how it is shown. Knows no check."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass
from typing import Callable

from tuya.cli.common import print_json

OK, FAILED, NOTE, SKIPPED = "ok", "failed", "note", "skipped"

_SIGNS = {OK: "ok", FAILED: "FAIL", NOTE: "note", SKIPPED: "--"}
_COLOURS = {OK: "\x1b[32m", FAILED: "\x1b[1;31m", NOTE: "\x1b[33m", SKIPPED: "\x1b[2m"}
_PLAIN = "\x1b[0m"


@dataclass(frozen=True)
class Finding:
    """One check of the machine (device "") or of a device. `cure`: what to do, for a failure always given."""

    check: str
    state: str
    text: str
    cure: str = ""
    device: str = ""

    @property
    def failed(self) -> bool:
        """Whether what builds on this cannot work."""
        return self.state == FAILED


Tell = Callable[[Finding], None]


def tell_json(finding: Finding) -> None:
    """One object a line: check, state, text, cure, device."""
    print_json(asdict(finding))


def tell_person(finding: Finding) -> None:
    """One line a check, the cure below it; colours on a terminal only."""
    sign = f"{_SIGNS[finding.state]:>4}"
    if sys.stdout.isatty():
        sign = f"{_COLOURS[finding.state]}{sign}{_PLAIN}"
    what = f"{finding.check}, {finding.device}" if finding.device else finding.check
    print(f"{sign}  {what}: {finding.text}")
    if finding.cure:
        print(f"      -> {finding.cure}")
    sys.stdout.flush()
