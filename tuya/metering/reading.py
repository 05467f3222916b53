"""What a device says, in SI-like units: values that never change.

Channels: "1" (the only circuit), "a" "b" "c" (phases or clamps), "1" ... beyond three circuits;
"total" is the device's own sum, for any quantity. What is not known is absent, never 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Mapping, NamedTuple, Optional, Tuple

Channel = str
TOTAL: Channel = "total"


class Fault(NamedTuple):
    """One fault, trip or alarm. `label`: the thing model's label (ov_cr, ov_vol ...). `text`: plain words.

    `tripped`: the protection opened the relay; else an alarm or warning.
    """

    label: str
    text: str
    tripped: bool = False


class Threshold(NamedTuple):
    """One record of an alarm set: standard name, threshold as sent, unit where it is certain, and what it does."""

    name: str
    value: float
    unit: str
    trips: bool


@dataclass(frozen=True)
class Reading:
    """Everything that is known of one device, or (with `changed`) what one frame brought.

    power_w is negative where energy is returned to the grid. energy_increment_wh is the raw increment of a
    device without a total (a query repeats the last one), not a counter. faults None: the device said nothing
    about faults; (): it said that all is well.
    """

    switch: Mapping[int, bool] = field(default_factory=dict)
    voltage_v: Mapping[Channel, float] = field(default_factory=dict)
    current_a: Mapping[Channel, float] = field(default_factory=dict)
    power_w: Mapping[Channel, float] = field(default_factory=dict)
    power_factor: Mapping[Channel, float] = field(default_factory=dict)
    energy_kwh: Mapping[Channel, float] = field(default_factory=dict)
    returned_kwh: Mapping[Channel, float] = field(default_factory=dict)
    energy_increment_wh: Optional[float] = None
    frequency_hz: Optional[float] = None
    temperature_c: Optional[float] = None
    leakage_ma: Optional[float] = None
    balance_kwh: Optional[float] = None
    faults: Optional[Tuple[Fault, ...]] = None
    event: Optional[str] = None
    thresholds: Tuple[Threshold, ...] = ()
    power_on_state: Optional[str] = None
    child_lock: Optional[bool] = None
    countdown_s: Optional[int] = None
