"""What the doctor finds: one finding a check, and how it is shown."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass, replace
from typing import Callable, Collection, Sequence

from tuya.cli.common import print_json
from tuya.devices.secrets import without_keys

# skipped: of no importance for the verdict; unchecked: what nobody has looked at, so that nothing can be called well
OK, FAILED, NOTE, SKIPPED, UNCHECKED = "ok", "failed", "note", "skipped", "unchecked"
VERDICT = "verdict"
WELL, NOT_WELL, NOT_CHECKED = "well", "not well", "not checked"

_SIGNS = {OK: "ok", FAILED: "FAIL", NOTE: "note", SKIPPED: "--", UNCHECKED: "??"}
_COLOURS = {OK: "\x1b[32m", FAILED: "\x1b[1;31m", NOTE: "\x1b[33m", SKIPPED: "\x1b[2m", UNCHECKED: "\x1b[1;33m"}
_PLAIN = "\x1b[0m"


@dataclass(frozen=True)
class Finding:
    """One check of the machine (device "") or of a device. `cure`: what to do, for failed and unchecked always."""

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


def discreet(tell: Tell, keys: Collection[str]) -> Tell:
    """Tell without these local keys, wherever somebody has pasted one. keys: looked at with each finding."""

    def told(finding: Finding) -> None:
        text, cure, device = (without_keys(one, keys) for one in (finding.text, finding.cure, finding.device))
        tell(replace(finding, text=text, cure=cure, device=device))

    return told


def tell_json(finding: Finding) -> None:
    """One object a line: check, state, text, cure, device."""
    print_json(asdict(finding))


def counted(number: int, noun: str) -> str:
    """So many of something: "1 error", "2 errors"."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def lasted(seconds: float) -> str:
    """A time in words, as "95 s", "12 min", "5 h", "3 days"."""
    for limit_s, unit_s, unit in ((120.0, 1.0, "s"), (7200.0, 60.0, "min"), (172800.0, 3600.0, "h")):
        if seconds < limit_s:
            return f"{max(0.0, seconds) / unit_s:.0f} {unit}"
    return f"{seconds / 86400.0:.0f} days"


def verdict_of(findings: Sequence[Finding]) -> Finding:
    """The last finding: "well", "not well" with what is to be mended first, or "not checked" with what was not."""
    failed = [finding for finding in findings if finding.failed]
    unchecked = [finding for finding in findings if finding.state == UNCHECKED]
    if failed:
        return Finding(VERDICT, FAILED, NOT_WELL, f"to be mended first: {_named(failed)}")
    if unchecked:
        return Finding(VERDICT, UNCHECKED, NOT_CHECKED, f"nothing is known to be wrong, but for {_named(unchecked)}")
    return Finding(VERDICT, OK, WELL)


def _named(findings: Sequence[Finding]) -> str:
    first = findings[0]
    where = f" of {first.device}" if first.device else ""
    more = f" ({len(findings) - 1} more above)" if len(findings) > 1 else ""
    return f"{first.check}{where}{more}"


def tell_person(finding: Finding) -> None:
    """One line a check, the cure below it; colours on a terminal only."""
    sign = f"{_SIGNS[finding.state]:>4}"
    if sys.stdout.isatty():
        sign = f"{_COLOURS[finding.state]}{sign}{_PLAIN}"
    what = f"{finding.check}, {finding.device}" if finding.device else finding.check
    start = "\n" if finding.check == VERDICT else ""
    print(f"{start}{sign}  {what}: {finding.text}")
    if finding.cure:
        print(f"      -> {finding.cure}")
    sys.stdout.flush()
