"""When a device's state is worth a publication: at once for what a person waits for, at a pace for measurements."""

from __future__ import annotations

from typing import Any, Dict, Optional, Sequence

from ..devices.deadbands import DEADBANDS, ENERGY_STEP_WH
from .values import Plain

PACE_S = 5.0  # W and kWh no more often than this; the others no more often than twice this
KEEP_ALIVE_S = 60.0  # at least so often while the device answers
ENERGY_STEP_KWH = ENERGY_STEP_WH / 1000.0
_FAST = ("power",)  # published at the pace; every other measurement at half of it
_TOTALS = ("energy", "returned")
AT_ONCE_S = float("-inf")


class Gate:
    """One device's. Look at due_s after each observe(); call published() when it was done.

    due_s: when it is to be published (minus infinity: at once); None if nothing calls for it.
    """

    def __init__(self) -> None:
        self.due_s: Optional[float] = None
        self._shown: Optional[Dict[str, Any]] = None
        self._at_s = AT_ONCE_S

    def observe(self, values: Sequence[Plain], is_answering: bool) -> None:
        """What is known now; nothing known is not published."""
        if not values:
            self.due_s = None
            return
        shown = self._shown
        if shown is None or len(shown) != len(values):
            self.due_s = AT_ONCE_S
            return
        due_s: Optional[float] = self._at_s + KEEP_ALIVE_S if is_answering else None
        for value in values:
            before = shown.get(value.name)
            if before == value.value:
                continue
            value_due_s = AT_ONCE_S if before is None else self._due_of(value, before)
            if value_due_s is not None and (due_s is None or value_due_s < due_s):
                due_s = value_due_s
        self.due_s = due_s

    def _due_of(self, value: Plain, before: Any) -> Optional[float]:
        if value.kind in _TOTALS:
            is_step = abs(value.value - before) >= ENERGY_STEP_KWH
            return self._at_s + PACE_S if is_step else None
        deadband = DEADBANDS.get(value.kind)
        if deadband is None:
            return AT_ONCE_S  # a switch, a fault, an option
        if value.kind == "power" and value.value == 0.0:
            return AT_ONCE_S  # it was opened
        if abs(value.value - before) > deadband.width(value.value, before):
            return self._at_s + (PACE_S if value.kind in _FAST else 2.0 * PACE_S)
        return None

    def published(self, values: Sequence[Plain], now_s: float, is_answering: bool) -> None:
        """The broker's topic says this now."""
        self._shown = {value.name: value.value for value in values}
        self._at_s = now_s
        self.due_s = now_s + KEEP_ALIVE_S if is_answering else None

    def again(self) -> None:
        """Whatever was published is to be published once more (another broker, or one that has forgotten)."""
        self._shown = None
