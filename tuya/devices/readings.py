"""Readings put together: what one frame brought and what was known before, and the W of a device as a whole."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Dict, Optional, Sequence

from ..metering.reading import TOTAL, Channel, Reading

# Looked up once: this comes with each push of each device.
_MAPPINGS = tuple(one.name for one in fields(Reading) if one.default_factory is dict)  # by circuit or data point
_SINGLE = tuple(one.name for one in fields(Reading) if one.default is None)


def merged(known: Reading, part: Reading) -> Reading:
    """Return `known` with everything that `part` says; what `part` does not say stays.

    A push is decoded once, for what it brought, and put in here: cheaper than decoding all data points again.
    """
    values: Dict[str, Any] = {"thresholds": part.thresholds or known.thresholds}
    for name in _MAPPINGS:
        old, new = getattr(known, name), getattr(part, name)
        values[name] = {**old, **new} if new else old
    for name in _SINGLE:
        new = getattr(part, name)
        values[name] = getattr(known, name) if new is None else new
    return Reading(**values)


def is_open(reading: Reading, switch_dps: Sequence[int]) -> bool:
    """Whether every relay of a device says that it is off; a device without one is not open."""
    return bool(switch_dps) and all(reading.switch.get(dp) is False for dp in switch_dps)


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
