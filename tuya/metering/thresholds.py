"""Changes one record of an alarm set, and nothing else of it. Pure."""

from __future__ import annotations

import base64
from typing import List, Mapping, NamedTuple, Optional, Tuple, Union

from . import raw
from .layout import Field, Layout
from .reading import Threshold
from .values import number


class ThresholdRefused(ValueError):
    """The change is not made: the set was not read, holds no such record, or the value is out of bounds."""


class Change(NamedTuple):
    """One write: the DP, the value to send, which alarm set it is (0: an integer of its own), and before and after."""

    dp: int
    number: int
    value: Union[str, int]
    before: Threshold
    after: Threshold


def names(layout: Layout) -> Tuple[str, ...]:
    """Return the thresholds that may be written on devices of this layout."""
    return tuple(layout.thresholds)


def set_dps(layout: Layout) -> Tuple[int, ...]:
    """Return the DPs that carry thresholds."""
    return tuple(one.dp for one in layout.of("alarm_set", "limit"))


def plan(layout: Layout, dps: Mapping[int, object], name: str, value: int, trips: Optional[bool] = None) -> Change:
    """Return the write that sets one threshold. trips: True trip, False alarm or off, None as it was.

    Raises ThresholdRefused: the profile does not bound this threshold, the value is outside of its bounds, or no
    alarm set with this record was read from the device.
    """
    bounds = layout.thresholds.get(name)
    if bounds is None:
        known = ", ".join(names(layout)) or "none"
        raise ThresholdRefused(f"{name} cannot be written on this device; its profile bounds: {known}")
    low, high = bounds
    if not low <= value <= high:
        raise ThresholdRefused(f"{name} must be between {low} and {high} on this device")
    for one in layout.of("limit"):
        if one.name == name:
            return _plan_limit(one, dps, value, trips)
    for one in layout.of("alarm_set"):
        text = dps.get(one.dp)
        data = raw.alarm_bytes(text, one.number)
        if data is None or not isinstance(text, str):
            continue
        changed = _changed(data, one.number, name, value, trips)
        if changed is not None:
            before = next(record for record in raw.alarm_set(text, one.number) if record.name == name)
            after = Threshold(name, float(value), before.unit, before.trips if trips is None else trips)
            return Change(one.dp, one.number, _spelled_as(text, data, changed), before, after)
    raise ThresholdRefused(f"the device has not reported an alarm set with {name}: what was not read is not written")


def _plan_limit(one: Field, dps: Mapping[int, object], value: int, trips: Optional[bool]) -> Change:
    """Return the write of a threshold that has a DP of its own. Raises ThresholdRefused."""
    known = number(dps.get(one.dp))
    if known is None:
        raise ThresholdRefused(f"the device has not reported {one.name}: what was not read is not written")
    if trips is not None:
        raise ThresholdRefused(f"what happens at {one.name} is another setting of this device, and is left alone")
    does = one.action is not None and dps.get(one.action) == "Trip"
    before = Threshold(one.name, round(known * one.lsb, 6), one.unit, does)
    return Change(one.dp, 0, round(value / one.lsb), before, Threshold(one.name, float(value), one.unit, does))


def is_done(change: Change, reported: object) -> bool:
    """Say whether what the device reports after the write is what was written."""
    if isinstance(change.value, str):
        wanted = raw.alarm_bytes(change.value, change.number)
        return wanted is not None and raw.alarm_bytes(reported, change.number) == wanted
    return number(reported) == change.value


def _changed(data: bytes, which: int, name: str, value: int, trips: Optional[bool]) -> Optional[bytes]:
    """Return the set with one record changed; None where it holds no such record."""
    records: List[bytes] = []
    found = False
    for at in range(0, len(data), raw.RECORD_BYTES):
        record = data[at : at + raw.RECORD_BYTES]
        if raw.ALARM_RECORDS[which][record[0]][0] == name:
            action = record[1] if trips is None else int(trips)
            record = bytes((record[0], action)) + value.to_bytes(2, "big")
            found = True
        records.append(record)
    return b"".join(records) if found else None


def _spelled_as(text: str, data: bytes, changed: bytes) -> str:
    """Return the bytes in the spelling that was read: hex in its case, else base64."""
    for spelled, new in ((data.hex(), changed.hex()), (data.hex().upper(), changed.hex().upper())):
        if text == spelled:
            return new
    return base64.b64encode(changed).decode("ascii")
