"""W that has changed beside an A of before, told over time: not a scale error, but two moments.

Some devices push W at once and tell A later. A rise from 30 W to 3000 W beside the 0.13 A of before fits V x A at a
hundredth, and 0 W beside the 13 A of before looks as if it were not measured; so W is judged by A (physics.py) only
when A was told to be another one since, or just before.
"""

from __future__ import annotations

from typing import AbstractSet, Dict, FrozenSet, Optional

from .reading import Channel

BURST_S = 3.0
"""Data points that a device sends one after the other for one change come within so long."""
PATIENCE_S = 60.0
"""Two full queries: an A that is still the same by then is all there is to judge by."""
RISE_RATIO, RISE_W = 1.5, 2.0
"""W that grew by more than both has risen."""


class _Circuit:
    def __init__(self, power_w: float, current_a: float, at_s: float) -> None:
        self.power_w, self.current_a, self.current_s = power_w, current_a, at_s
        self.stale_s: Optional[float] = None  # when W changed beside an old A; None: they belong together
        self.factor = 1.0


class StaleCurrents:
    """What one device told of W and A of each circuit, and at which scale of W they fitted."""

    def __init__(self) -> None:
        self._at_s = 0.0
        self._dps: AbstractSet[int] = frozenset()
        self._circuits: Dict[Channel, _Circuit] = {}
        self.settled: FrozenSet[int] = frozenset()

    def begin(self, at_s: float, dps: AbstractSet[int]) -> None:
        """A frame brings these DPs. `settled`: DPs of a W of before that it has made comparable with its A."""
        self._at_s, self._dps = at_s, dps
        self.settled = frozenset()

    def scale_to_keep(
        self, channel: Channel, power_w: float, current_a: float, current_dps: AbstractSet[int]
    ) -> Optional[float]:
        """Return the scale of W that stays, as A is older than W; None where the two may be compared."""
        known = self._circuits.get(channel)
        if known is None:
            return None
        if current_a != known.current_a:
            known.current_a, known.current_s = current_a, self._at_s
        elif self._at_s - known.current_s > BURST_S:
            has_risen = abs(power_w) > RISE_RATIO * abs(known.power_w) + RISE_W
            has_ended = power_w == 0 != known.power_w and not current_dps & self._dps
            if has_risen or has_ended:
                known.stale_s = self._at_s
        known.power_w = power_w
        is_stale = known.stale_s is not None and known.current_s <= known.stale_s
        return known.factor if is_stale and self._at_s - (known.stale_s or 0.0) <= PATIENCE_S else None

    def compared(
        self, channel: Channel, power_w: float, current_a: float, factor: Optional[float], power_dps: AbstractSet[int]
    ) -> None:
        """Note the scale at which W and A were found to fit; None: at none, or there is too little of both to tell."""
        known = self._circuits.setdefault(channel, _Circuit(power_w, current_a, self._at_s))
        if factor is not None:
            known.factor = factor
        if known.stale_s is not None:
            known.stale_s = None
            self.settled |= power_dps
