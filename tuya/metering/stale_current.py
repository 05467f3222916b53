"""W that has changed beside an A of before, told over time: not a scale error, but two moments.

Some devices push W at once and tell A later. A rise from 30 W to 3000 W beside the 0.13 A of before fits V x A at a
hundredth, and 0 W beside the 13 A of before looks as if it were not measured; so W is judged by A (physics.py) only
when A was told to be another one since, or just before.
"""

from __future__ import annotations

from typing import AbstractSet, Dict, FrozenSet, Mapping, Optional

from . import physics
from .physics import Verdict
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
        self.factor = 1.0  # at which they fitted


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

    def judge(
        self,
        channel: Channel,
        values: Mapping[str, float],
        fixed: AbstractSet[str],
        doubtful: AbstractSet[str],
        slack_w: float,
        from_dps: Mapping[str, AbstractSet[int]],
    ) -> Verdict:
        """Judge one circuit as physics.judge() does; where A is older than W, W keeps the scale that it had.

        from_dps: the DPs that each quantity comes from.
        """
        power_w, current_a = values.get("power"), values.get("current")
        if power_w is None or current_a is None or "voltage" not in values or "power" in fixed:
            return physics.judge(values, fixed, doubtful, slack_w)
        kept = self._scale_to_keep(channel, power_w, current_a, is_told=bool(from_dps["current"] & self._dps))
        if kept is not None:
            verdict = physics.judge({**values, "power": power_w * kept}, {*fixed, "power"}, doubtful, slack_w)
            return verdict if kept == 1.0 else verdict._replace(corrected={**verdict.corrected, "power": kept})
        verdict = physics.judge(values, fixed, doubtful, slack_w)
        known = self._circuits.setdefault(channel, _Circuit(power_w, current_a, self._at_s))
        if "power" not in verdict.refused and physics.is_telling(verdict.values):
            known.factor = verdict.corrected.get("power", 1.0)
        if known.stale_s is not None:
            known.stale_s = None
            self.settled |= from_dps["power"]
        return verdict

    def _scale_to_keep(self, channel: Channel, power_w: float, current_a: float, *, is_told: bool) -> Optional[float]:
        """Return the scale of W that stays, None where W and A may be compared. is_told: A is in this frame."""
        known = self._circuits.get(channel)
        if known is None:
            return None
        if current_a != known.current_a:
            known.current_a, known.current_s = current_a, self._at_s
        elif self._at_s - known.current_s > BURST_S:
            has_risen = abs(power_w) > RISE_RATIO * abs(known.power_w) + RISE_W
            has_ended = power_w == 0 != known.power_w and not is_told
            if has_risen or has_ended:
                known.stale_s = self._at_s
        known.power_w = power_w
        if known.stale_s is None or known.current_s > known.stale_s or self._at_s - known.stale_s > PATIENCE_S:
            return None
        return known.factor
