"""What a layout is: which data point (DP) carries which quantity, in which unit."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Dict, FrozenSet, NamedTuple, Optional, Tuple

from .reading import TOTAL, Channel

# role -> the unit its readings have (see Reading); an LSB is always given in this unit
MEASURES: Dict[str, str] = {
    "voltage": "V",
    "current": "A",
    "power": "W",
    "power_factor": "",
    "energy": "kWh",
    "returned": "kWh",
    "increment": "Wh",
    "frequency": "Hz",
    "temperature": "C",
    "leakage": "mA",
    "balance": "kWh",
}
# quantities of which a device has one, whatever its number of circuits
DEVICE_LEVEL = frozenset(("increment", "frequency", "temperature", "leakage", "balance"))
# the direct-current side of an inverter: proof of what the mains side says, never a reading
DIRECT: Dict[str, str] = {"dc_voltage": "V", "dc_current": "A", "dc_power": "W"}
# what may be written; a device's own model that names such a DP otherwise is right (see evidence.py)
CONTROLS = frozenset(("switch", "child_lock", "power_on", "countdown"))
# DPs that are no integers to be scaled
STATES = frozenset(("switch", "phase", "faults", "event", "alarm_set", "limit", "power_on", "child_lock", "countdown"))
# DPs that are known and are no readings: thresholds, coefficients, direction flags (read through `signed_by`)
SILENT = frozenset(("direction", "ignore"))
ROLES = frozenset(MEASURES) | frozenset(DIRECT) | STATES | SILENT

DEFAULT_POWER_MAX_AGE_S = 60.0


class Slice(NamedTuple):
    """Bytes start..end of a raw value that must be `size` bytes long."""

    size: int
    start: int
    end: int
    little: bool = False
    signed: bool = False


@dataclass(frozen=True)
class Field:
    """One quantity of one DP. `lsb` in the unit of MEASURES[role].

    name, unit, action: of a threshold that is an integer of its own (role "limit"): its name, its unit, and the DP
    that says what happens there ("Trip", "Alarm" or off).
    records: lengths of phase records that are accepted (role "phase"). number: which alarm set (1, 2).
    signed_by: a DP that says "reverse" where the value itself has no sign. fallback: used only where no other
    field gives the quantity. zero_when_off: the value goes stale when the relay opens, and is 0 then.
    no_data: a value that means "nothing measured". certain: the LSB is the user's, physics never corrects it.
    doubtful: the thing model is the only witness of the LSB, and models err here. needs_proof: doubtful to the point
    that the value is shown only beside V and I. by_id: believed only where product id or wish names the layout.
    by_shape: an energy or a temperature that is believed also where only the shape names the layout.
    key: the member of an object or a JSON text that holds the quantity.
    power_lsb_known: the LSB of the power in 15-byte records is given. scales: the user's factors (role, factor) for
    the quantities of a phase record.
    """

    dp: int
    role: str
    channel: Channel = "1"
    lsb: float = 1.0
    part: Optional[Slice] = None
    records: Tuple[int, ...] = ()
    key: str = ""
    number: int = 0
    name: str = ""
    unit: str = ""
    action: Optional[int] = None
    labels: Tuple[str, ...] = ()
    signed_by: Optional[int] = None
    fallback: bool = False
    zero_when_off: bool = False
    no_data: Optional[float] = None
    maximum: Optional[float] = None
    certain: bool = False
    doubtful: bool = False
    needs_proof: bool = False
    by_id: bool = False
    by_shape: bool = False
    invert: bool = False
    power_lsb_known: bool = False
    scales: Tuple[Tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Layout:
    """The DPs of one kind of device, however many products share it.

    kind: a kind of device (see families.py) that must be told by category or model before the shape is tried.
    produces: what flows here is production (an inverter): its W and kWh are positive, and counted as generated.
    max_power_w: more than the biggest device of this layout carries on one circuit.
    """

    name: str
    fields: Tuple[Field, ...]
    title: str = ""
    refresh_dps: Tuple[int, ...] = ()
    query_dps: Tuple[int, ...] = ()
    power_max_age_s: float = DEFAULT_POWER_MAX_AGE_S
    shape: bool = False
    kind: str = ""
    produces: bool = False
    max_power_w: Optional[float] = None
    thresholds: Dict[str, Tuple[int, int]] = field(default_factory=dict)

    def of(self, *roles: str) -> Tuple[Field, ...]:
        """Return the fields of these roles, in the order of the catalogue."""
        found = self._of.get(roles)
        if found is None:
            found = self._of[roles] = tuple(one for one in self.fields if one.role in roles)
        return found

    @cached_property
    def _of(self) -> Dict[Tuple[str, ...], Tuple[Field, ...]]:
        """What was asked of it before: each device that is looked at asks all layouts the same."""
        return {}

    @cached_property
    def dps(self) -> FrozenSet[int]:
        """The data points that it names, with a meaning or as known to have none."""
        return frozenset(one.dp for one in self.fields)

    @property
    def switch_dps(self) -> Tuple[int, ...]:
        """DPs of the relays, in the order of the gangs."""
        return tuple(one.dp for one in self.of("switch"))

    @property
    def channels(self) -> Tuple[Channel, ...]:
        """Circuits, without the device's own sum."""
        seen = []
        for one in self.of("voltage", "current", "power", "energy", "returned", "phase"):
            if one.channel != TOTAL and one.channel not in seen:
                seen.append(one.channel)
        return tuple(seen)
