"""What is known of a device so far, when one frame brought a part of it. Pure; knows no DP and no unit."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Dict, Mapping

from ..metering.reading import Reading


def merged(known: Reading, part: Reading) -> Reading:
    """Return `known` with everything that `part` says; what `part` does not say stays.

    A push is decoded once, for what it brought, and put in here: cheaper than decoding all data points again.
    """
    values: Dict[str, Any] = {}
    for one in fields(Reading):
        old, new = getattr(known, one.name), getattr(part, one.name)
        if isinstance(new, Mapping):
            values[one.name] = {**old, **new} if new else old
        elif one.name == "thresholds":
            values[one.name] = new or old
        else:
            values[one.name] = old if new is None else new
    return Reading(**values)
