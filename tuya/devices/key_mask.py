"""Keeps a device's local key out of what is shown of it: there is firmware that reports its own key in a data point.

Its data points go into logs, databases, brokers and reports for issues, and whoever has the key can switch the breaker.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import json
import re
from typing import Any, Dict, List, Optional, Pattern

from ..lan.events import Dps
from .secrets import HIDDEN, LEAST_CHARACTERS, any_case, spelled


def without_key(dps: Dps, key: bytes) -> Dps:
    """Return data points in which nothing holds the key: raw, as JSON escapes it, in hex or base64.

    The same object where nothing had to be taken out, which is soon seen: almost all values are numbers.
    """
    found: Dict[int, Any] = {}
    # no form is shorter than the key, but for one of several bytes a character; the pattern takes two milliseconds
    least_characters = len(key) if key.isascii() else LEAST_CHARACTERS
    for dp, value in dps.items():
        if isinstance(value, (dict, list)) or (isinstance(value, str) and len(value) >= least_characters):
            shown = _masked(value, key)
            if shown is not value:
                found[dp] = shown
    return {**dps, **found} if found else dps


def _masked(value: Any, key: bytes) -> Any:
    pattern = _pattern(key)
    if pattern is None:
        return value
    if isinstance(value, str):
        return pattern.sub(HIDDEN, value) if pattern.search(value) else value
    try:
        text = json.dumps(value, ensure_ascii=False)
        return json.loads(pattern.sub(HIDDEN, text)) if pattern.search(text) else value
    except (ValueError, RecursionError):  # taken out of the middle of an escape, or nested too deep to be looked at
        return HIDDEN


@functools.lru_cache(maxsize=1024)
def _pattern(key: bytes) -> Optional[Pattern[str]]:
    """What finds the key in a text."""
    if len(key) < LEAST_CHARACTERS:
        return None
    forms = [any_case(key.hex()), *_base64(key)]
    with contextlib.suppress(UnicodeDecodeError):  # it is no text
        forms.append(spelled(key.decode("utf-8")))
    return re.compile("|".join(forms))


def _base64(key: bytes) -> List[str]:
    """The key anywhere in something longer: what all of its neighbours leave as it is, at each of three offsets."""
    forms: List[str] = []
    for offset in range(3):
        digits = base64.b64encode(bytes(offset) + key).decode("ascii")
        whole = digits[-(-offset * 8 // 6) : (offset + len(key)) * 8 // 6]
        forms.append("".join({"+": r"[+\-]", "/": r"\\?[/_]"}.get(digit, digit) for digit in whole))
    return forms
