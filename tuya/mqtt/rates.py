"""When a device's state is worth a publication: at once for what a person waits for, at a pace for measurements."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional, Sequence, Tuple

from .values import Plain

PACE_S = 5.0  # W and kWh no more often than this; the others no more often than twice this
KEEP_ALIVE_S = 60.0  # at least so often while the device answers
ENERGY_STEP_KWH = 0.01
# kind -> (deadband in its unit, deadband as a share, paces): a change counts that is more than both
_METERS: Dict[str, Tuple[float, float, int]] = {
    "power": (2.0, 0.01, 1),
    "voltage": (1.0, 0.0, 2),
    "current": (0.02, 0.02, 2),
    "power_factor": (0.02, 0.0, 2),
    "frequency": (0.1, 0.0, 2),
    "temperature": (0.5, 0.0, 2),
    "leakage": (1.0, 0.1, 2),
}
_TOTALS = ("energy", "returned")
NEVER_S = float("-inf")


class Gate:
    """One device's. Look at due_s() after each change; call published() when it was done."""

    def __init__(self) -> None:
        self._shown: Dict[str, Any] = {}
        self._at_s = NEVER_S
        self._due_s: Optional[float] = NEVER_S

    def observe(self, values: Sequence[Plain], is_answering: bool) -> None:
        """What is known now."""
        self._due_s = min(
            (due_s for due_s in (self._due_of(value) for value in values) if due_s is not None),
            default=None,
        )
        if is_answering:
            latest_s = self._at_s + KEEP_ALIVE_S
            self._due_s = latest_s if self._due_s is None else min(self._due_s, latest_s)

    def due_s(self) -> Optional[float]:
        """When it is to be published (minus infinity: at once); None if nothing calls for it."""
        return self._due_s

    def _due_of(self, value: Plain) -> Optional[float]:
        shown = self._shown.get(value.name)
        if shown == value.value:
            return None
        if shown is None:
            return NEVER_S
        if value.kind in _TOTALS:
            return self._at_s + PACE_S if value.value - shown >= ENERGY_STEP_KWH else None
        meter = _METERS.get(value.kind)
        if meter is None:
            return NEVER_S  # a switch, a fault, an option
        deadband, share, paces = meter
        if value.kind == "power" and value.value == 0.0:
            return NEVER_S
        if abs(value.value - shown) > max(deadband, share * min(abs(value.value), abs(shown))):
            return self._at_s + paces * PACE_S
        return None

    def published(self, values: Mapping[str, Any], now_s: float) -> None:
        """The broker's topic says this now."""
        self._shown = dict(values)
        self._at_s = now_s
        self._due_s = None

    def again(self) -> None:
        """Whatever was published is to be published once more (another broker, or one that has forgotten)."""
        self._due_s = NEVER_S
        self._shown = {}
