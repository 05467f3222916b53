"""Unit 10: what went wrong with a breaker, in plain words. Pure.

Grey: all is well. Orange: a warning, or a relay that opened without our command. Red: a protection opened the relay.
"""

from __future__ import annotations

from typing import Iterable, Optional, Tuple

from ..metering.reading import Fault, Reading
from .units import State, alert

WELL = alert(0, "No fault")
OPENED_TEXT = "Switched off at the breaker or tripped"
TRIPPED_WORD = "Tripped: "
OFF_WORD = "Off: "
_OPENED_WORDS = (OPENED_TEXT, TRIPPED_WORD, OFF_WORD)
ORANGE = 3
RED = 4
# Some breakers report the cause just before or after the relay, and clear it while the relay stays open.
SAME_EVENT_S = 10.0


class Alarm:
    """Follows one relay and its faults. `held`: what unit 10 shows already (after a restart of the plugin)."""

    def __init__(self, held: Optional[State]) -> None:
        self._is_on: Optional[bool] = None
        self._countdown_s = 0
        self._faults: Tuple[Fault, ...] = ()
        self._faults_at_s = float("-inf")
        self._opened_at_s: Optional[float] = None  # without our command
        self._cause: Tuple[Fault, ...] = ()
        self._held = held if held is not None and held.svalue.startswith(_OPENED_WORDS) else None

    def observe(self, reading: Reading, is_on: Optional[bool], at_s: float, is_ours: bool) -> Optional[State]:
        """Take what the device says now and return what unit 10 shows; None while nothing can be said.

        is_on: the relay, None for a device without one. is_ours: a command of ours has just asked for this state.
        """
        first = self._is_on is None
        if is_on is not None:
            self._follow_relay(is_on, at_s, is_ours)
        faults = reading.faults if reading.faults is not None else ()
        if faults:
            self._faults, self._faults_at_s = faults, at_s
            if self._opened_at_s is not None:
                self._cause = faults
        if reading.countdown_s is not None:
            self._countdown_s = reading.countdown_s
        if reading.faults is None and is_on is None:
            return None
        state = self._state(faults)
        if first and not is_on and is_on is not None and state == WELL and self._held is not None:
            # it tripped before the plugin was restarted and is still off: keep the cause
            self._opened_at_s = at_s
            self._cause = ()
        if self._held is not None and self._opened_at_s is not None and not self._cause:
            return self._held
        return state

    def _follow_relay(self, is_on: bool, at_s: float, is_ours: bool) -> None:
        if is_on or is_ours:
            self._opened_at_s = None
            self._cause = ()
            self._held = None
        elif self._is_on:
            if self._countdown_s == 0 or self._faults_at_s >= at_s - SAME_EVENT_S:
                self._opened_at_s = at_s
            if self._faults_at_s >= at_s - SAME_EVENT_S:
                self._cause = self._faults
        self._is_on = is_on

    def _state(self, faults: Iterable[Fault]) -> State:
        shown = tuple(faults) or self._cause
        opened = self._opened_at_s is not None
        if not shown:
            return alert(ORANGE, OPENED_TEXT) if opened else WELL
        words = ", ".join(dict.fromkeys(fault.text for fault in shown))
        if any(fault.tripped for fault in shown) and (opened or self._is_on is not True):
            return alert(RED, TRIPPED_WORD + words)
        if opened:
            return alert(RED, OFF_WORD + words)
        return alert(ORANGE, words[:1].upper() + words[1:])
