"""What is worth an Update, and when: one plan per unit. Pure: time is passed in.

Switch, selector, alert and text are written when they differ from what the unit holds, never else: an Update of an
unchanged switch runs its On action, scenes and notifications each time. Meters are written when they left their
deadband, at a pace, and kept alive for the short log while the breaker answers.
"""

from __future__ import annotations

from collections import deque
from typing import Deque, Optional, Tuple

from ..devices.deadbands import ENERGY_STEP_WH
from .units import Kind, Number, State, format_number, parse_meter

# Domoticz's short log skips a device that was not written for some minutes; a little less than four minutes
KEEP_ALIVE_S = 235.0
# What a person looks at is never older than a minute: "Last seen" of a kWh meter, and its kWh
ENERGY_KEEP_ALIVE_S = 58.0
# A push is a sample with noise (mains voltage wanders by some 0.3 V a second): what is shown is the mean of the
# newest samples that agree. Short enough not to eat the time in which a real change has to be shown.
AGREEMENT_S = 3.0
MAX_SAMPLES = 32  # of a device that pushes more often than ten times a second: the newest are enough
_NEVER_S = float("-inf")


class StatePlan:
    """Switch, selector, alert, text. `held`: what the unit in Domoticz holds."""

    def __init__(self, held: Optional[State]) -> None:
        self.held = held
        self.wanted: Optional[State] = None

    def due_at_s(self) -> Optional[float]:
        """When it has to be written: at once or not at all."""
        return _NEVER_S if self.wanted is not None and self.wanted != self.held else None

    def value(self) -> Optional[State]:
        """What is to be written now."""
        return self.wanted

    def written(self, state: State) -> None:
        """The unit holds this now."""
        self.held = state


class MeterPlan:
    """One meter. interval_s: the user's update interval. Values in the unit of the quantity, energy in Wh."""

    def __init__(self, kind: Kind, interval_s: float, held: Optional[State]) -> None:
        self._kind = kind
        self._pace_s = kind.pace * interval_s
        self._samples: Deque[Tuple[float, float]] = deque(maxlen=MAX_SAMPLES)
        self._number: Optional[Number] = None
        self._shown, self._shown_wh = parse_meter(held.svalue) if held is not None else (None, None)
        self._written_at_s = _NEVER_S  # what was written before a restart is older than we know

    def observe(self, number: Number, at_s: float) -> None:
        """One value that the breaker reported (or that follows from what it reported) at `at_s`."""
        newest = number.value
        samples = self._samples
        samples.append((at_s, newest))
        while samples[0][0] < at_s - AGREEMENT_S:
            samples.popleft()
        mean = newest
        if newest != 0.0:
            limit = self._kind.deadband.width(newest, newest)
            agreeing = [value for _, value in samples if abs(value - newest) <= limit and value != 0.0]
            mean = sum(agreeing) / len(agreeing)
        self._number = Number(mean, number.circuit)

    def due_at_s(self, energy_wh: Optional[float], is_answering: bool, is_open: bool) -> Optional[float]:
        """When it has to be written, None if nothing calls for it.

        energy_wh: the total now, None for a meter without one. is_answering: the breaker is connected and answers.
        is_open: the relay is open; then 0 W is shown at once.
        """
        if self._number is None or (self._number.circuit is not None and energy_wh is None):
            return None
        value = self._number.value
        if self._written_at_s == _NEVER_S or self._shown is None:
            return _NEVER_S
        if self._number.circuit is not None and is_open and value == 0.0 and self._shown != 0.0:
            return _NEVER_S
        if abs(value - self._shown) > self._kind.deadband.width(value, self._shown):
            return self._written_at_s + self._pace_s
        if energy_wh is not None and energy_wh - (self._shown_wh or 0.0) >= ENERGY_STEP_WH:
            return self._written_at_s + self._pace_s
        keep_alive_s = KEEP_ALIVE_S if self._number.circuit is None else ENERGY_KEEP_ALIVE_S
        return self._written_at_s + keep_alive_s if is_answering else None

    def value(self, energy_wh: Optional[float]) -> Optional[State]:
        """What is to be written now; None while it is not known."""
        if self._number is None or (self._number.circuit is not None and energy_wh is None):
            return None
        return State(0, format_number(self._kind, self._number, energy_wh or 0.0))

    def written(self, state: State, at_s: float) -> None:
        """The unit shows this since `at_s`."""
        self._shown, self._shown_wh = parse_meter(state.svalue)
        self._written_at_s = at_s
