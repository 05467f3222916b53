"""How far a measured value must move before it is worth telling again, for every front end (a design decision)."""

from __future__ import annotations

from typing import Dict, NamedTuple


class Deadband(NamedTuple):
    """A change counts that is more than both: `amount` in the unit of the quantity, `share` of the smaller value.

    >>> Deadband(2.0, 0.01).width(1000.0, 1500.0)
    10.0
    """

    amount: float = 0.0
    share: float = 0.0

    def width(self, one: float, other: float) -> float:
        """Return how far these two values may lie apart without it being a change."""
        return max(self.amount, self.share * min(abs(one), abs(other)))


NO_DEADBAND = Deadband()
DEADBANDS: Dict[str, Deadband] = {
    "power": Deadband(2.0, 0.01),  # W
    "voltage": Deadband(1.0),  # V
    "current": Deadband(0.02, 0.02),  # A
    "power_factor": Deadband(0.02),
    "frequency": Deadband(0.1),  # Hz
    "temperature": Deadband(0.5),  # °C
    "leakage": Deadband(1.0, 0.1),  # mA
    "balance": Deadband(0.005),  # kWh
}
ENERGY_STEP_WH = 10.0  # so much energy is worth telling of its own (still at the pace of W)
