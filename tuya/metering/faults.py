"""Faults and trips in plain words: labels of bitmaps and texts of events -> Fault."""

from __future__ import annotations

import re
from typing import Dict, Optional, Tuple

from .reading import Fault

# label -> (plain words, the protection opens the relay)
FAULTS: Dict[str, Tuple[str, bool]] = {
    "ov_cr": ("over-current", True),
    "ov_vol": ("over-voltage", True),
    "ov_pwr": ("over-power", True),
    "ls_cr": ("current too low", False),
    "ls_vol": ("under-voltage", True),
    "ls_pow": ("power too low", False),
    "short_circuit": ("short circuit", True),
    "surge": ("surge", True),
    "overload": ("overload", True),
    "leakagecurr": ("leakage current", True),
    "temp_dif": ("temperature too high", True),
    "fire": ("fire alarm", True),
    "high_power": ("power too high", True),
    "self_test": ("self-test", False),
    "unbalance": ("phases unbalanced", False),
    "undervoltage": ("under-voltage", True),
    "miss_phase": ("a phase is missing", True),
    "outage": ("power failure", False),
    "magnetism": ("magnetic interference", False),
    "credit": ("credit is low", False),
    "no_balance": ("credit is used up", True),
}
_CAUSES = (
    ("over_current", "over-current"),
    ("over_voltage", "over-voltage"),
    ("under_voltage", "under-voltage"),
    ("over_power", "over-power"),
    ("over_temp", "temperature too high"),
    ("leakage", "leakage current"),
    ("overload", "overload"),
    ("short_circuit", "short circuit"),
    ("shortage", "credit is used up"),
)
_WORD = re.compile(r"[^A-Za-z0-9_ -]")
MAX_LABEL = 40


def clean(label: str) -> str:
    """Return a peer's label fit for a log: letters, digits, _ and -, cut at 40 characters."""
    return _WORD.sub("", label)[:MAX_LABEL]


def fault(label: str) -> Fault:
    """Return the fault of a bitmap's label; one that is not known keeps its label as text."""
    known = label.lower()
    for ending in ("_alarm", "_fault"):
        known = known[: -len(ending)] if known.endswith(ending) else known
    text, tripped = FAULTS.get(known, (clean(label).replace("_", " "), False))
    return Fault(label, text, tripped)


def event_fault(event: str) -> Optional[Fault]:
    """Return the fault that an event text tells of (Over_Current_Trip, Leakage_Alarm ...), None for all others."""
    lowered = event.lower().replace(" ", "_").replace("-", "_")
    tripped = lowered.endswith("_trip")
    if not tripped and not lowered.endswith("_alarm"):
        return None
    cause = next((text for word, text in _CAUSES if word in lowered), clean(event).replace("_", " "))
    return Fault(event[:MAX_LABEL], cause, tripped)
