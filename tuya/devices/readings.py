"""Readings put together: what one frame brought and what was known before, and the W of a device as a whole."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Dict, Mapping, Optional, Sequence

from ..metering.reading import TOTAL, Channel, Reading


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


def total_power_w(reading: Reading, channels: Sequence[Channel]) -> Optional[float]:
    """Return the W of the whole device: the sum of its circuits where all are known (its own sum may lag)."""
    power_w = reading.power_w
    if len(channels) > 1:
        if all(channel in power_w for channel in channels):
            return sum(power_w[channel] for channel in channels)
        return power_w.get(TOTAL)
    if TOTAL in power_w:
        return power_w[TOTAL]
    return next(iter(power_w.values()), None)
