"""What one value may be: a number, a truth, bytes in base64 or hex, JSON in text. Pure.

Everything that is not exactly of a known form is "no data" (None, or no form at all): never 0, never an exception.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import math
from typing import Dict, List, Optional, Tuple, Union

# a phase of a mains installation; outside of it a record is not believed
VOLTAGE_MIN_V = 80.0
VOLTAGE_MAX_V = 280.0
# |P| <= 1.05 V I + 2 W: 1.03 holds on every real sample seen, the rest is for values sampled at different moments
POWER_SLACK = 1.05
POWER_SLACK_W = 2.0
MAX_TEXT = 4096
# some firmware sends its relay as text or as 0 and 1; what was read is what may be written
_TRUTHS: Dict[str, bool] = {"true": True, "on": True, "1": True, "false": False, "off": False, "0": False}
Word = Union[bool, int, str]
SPELLINGS: Tuple[Tuple[Word, Word], ...] = (
    (False, True),
    (0, 1),
    ("false", "true"),
    ("False", "True"),
    ("off", "on"),
    ("OFF", "ON"),
    ("Off", "On"),
    ("0", "1"),
)


def number(value: object) -> Optional[float]:
    """Return a finite int or float; None for bools, text and everything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if isinstance(value, int) and abs(value) > 2**63:
        return None
    return float(value) if math.isfinite(value) else None


def truth(value: object) -> Optional[bool]:
    """Return what a relay says: a bool, or one in the spellings that firmware uses (0 and 1, "on", "false" ...)."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int) and value in (0, 1):
        return value == 1
    if isinstance(value, str) and len(value) <= 5:
        return _TRUTHS.get(value.strip().lower())
    return None


def spelling(value: object) -> Optional[Tuple[Word, Word]]:
    """Return how a relay that says this is to be told off and on, None where it says neither."""
    for off, on in SPELLINGS:
        if any(type(value) is type(word) and value == word for word in (off, on)):
            return off, on
    return None


def possible(voltage_v: float, current_a: float, power_w: float, slack_w: float = 0.0) -> bool:
    """Say whether these three can belong to one phase of a mains installation. slack_w: for coarse steps."""
    bound_w = POWER_SLACK * voltage_v * abs(current_a) + POWER_SLACK_W + slack_w
    return VOLTAGE_MIN_V <= voltage_v <= VOLTAGE_MAX_V and abs(power_w) <= bound_w


def byte_forms(value: object) -> Tuple[bytes, ...]:
    """Return the byte strings that a text may stand for: base64 (any number of "=", either alphabet), then hex."""
    if isinstance(value, (bytes, bytearray)):
        return (bytes(value),)
    if not isinstance(value, str) or not 4 <= len(value) <= MAX_TEXT:
        return ()
    text = "".join(value.split())
    forms: List[bytes] = []
    bare = text.rstrip("=").replace("-", "+").replace("_", "/")
    if "=" not in bare and len(bare) % 4 != 1:
        with contextlib.suppress(binascii.Error, ValueError):
            forms.append(base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True))
    digits = text[2:] if text[:2] in ("0x", "0X") else text
    with contextlib.suppress(ValueError):
        forms.append(bytes.fromhex(digits))
    return tuple(forms)


def parsed(text: str) -> object:
    """Return what a JSON text holds, None where it holds nothing readable or is longer than any device's."""
    if len(text) > MAX_TEXT:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def uint(data: bytes, start: int, end: int) -> int:
    """Return the big-endian number in bytes start to end."""
    return int.from_bytes(data[start:end], "big")
