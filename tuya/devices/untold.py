"""Circuits of which a device tells no W, beside others of which it does."""

from __future__ import annotations

from dataclasses import replace
from typing import List, Optional, Sequence

from ..metering.reading import TOTAL, Channel, Reading

UNTOLD_S = 60.0  # two full queries and more


class UntoldCircuits:
    """Gives a device its W as a whole, where a circuit is never told: a phase, say, that nothing is connected to.

    Without that nothing would be shown as its W and kWh for as long as the circuit is awaited.
    """

    def __init__(self) -> None:
        self._since_s: Optional[float] = None  # W of some circuits is known, and not of all
        self._circuits: List[Channel] = []

    def completed(self, told: Reading, channels: Sequence[Channel], at_s: float) -> Reading:
        """Return what a device with these circuits told; after UNTOLD_S with the sum of the told ones as W of all."""
        power_w = told.power_w
        untold = [channel for channel in channels if channel not in power_w]
        self._circuits = []
        if not untold or not power_w or TOTAL in power_w:
            self._since_s = None
            return told
        if self._since_s is None:
            self._since_s = at_s
        if at_s - self._since_s < UNTOLD_S:
            return told
        self._circuits = untold
        return replace(told, power_w={**power_w, TOTAL: sum(power_w.values())})

    def notices(self) -> List[str]:
        """Return what is worth a line in the log, again and again."""
        if not self._circuits:
            return []
        return [f"it reports no power of {', '.join(self._circuits)}: that of the others is taken for the whole"]
