"""One device as units of Domoticz: what each is to show, what is to be created and what is to be written now.

Pure; time is passed in. All calls come under the household's lock.
"""

from __future__ import annotations

from collections import deque
from typing import AbstractSet, Deque, Dict, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple, Union

from ..devices.device import KnownDevice
from ..devices.readings import is_open
from ..lan.events import DpValue
from ..metering.energy import Circuit
from ..metering.reading import Channel, Reading
from . import controls, units
from .alarm import OPENED_TEXT, ORANGE, Alarm
from .planner import MeterPlan, StatePlan
from .units import Number, State

# A full answer comes right after the connection; a unit may be born without one when the device only pushes.
FIRST_ANSWER_S = 10.0
SAY_AGAIN_S = 600.0  # a fault that comes and goes is not a line each time
MAX_ALARMS = 50
MAX_OVERWRITTEN = 20  # times that are kept of each unit
GIVEN_TOLD = 2  # values of a meter: the newest may be on its way while Domoticz still shows the one before


class Birth(NamedTuple):
    """A unit that is to be created, with its first value."""

    device_id: str
    unit: int
    name: str
    state: State
    produces: bool = False


class Write(NamedTuple):
    """A value that is to be written now."""

    device_id: str
    unit: int
    state: State


def shown_wh(held: Mapping[int, State], channels: Sequence[Channel]) -> Dict[Circuit, float]:
    """Return the Wh of each circuit that existing units show; held: unit number -> what it holds."""
    shown: Dict[Circuit, float] = {}
    for circuit, unit in units.circuit_units(channels).items():
        if unit in held:
            energy_wh = units.parse_meter(held[unit].svalue)[1]
            if energy_wh is not None:
                shown[circuit] = energy_wh
    return shown


class Given(NamedTuple):
    """What a meter was given, and when."""

    at_s: float
    svalue: str


class Breaker:
    """The plans of one device's units.

    held: what its existing units in Domoticz hold. remembered: units ever created. show_all: also the units beyond
    switch, kWh, V and A.
    """

    def __init__(
        self, device: KnownDevice, held: Mapping[int, State], remembered: AbstractSet[int], show_all: bool
    ) -> None:
        self.device = device
        self.next_due_s: Optional[float] = None
        self.existing: Set[int] = set(held)
        self.remembered: Set[int] = set(remembered) | self.existing
        self._restore_if_all_deleted()
        self._show_all = show_all
        self._held = dict(held)
        self._plans: Dict[int, Union[StatePlan, MeterPlan]] = {}
        self._alarm = Alarm(self._held.get(units.ALARM))
        self._alarm_shown = self._held.get(units.ALARM)
        self._alarms_said: Dict[str, float] = {}
        self._measures: Dict[int, units.Measure] = {}
        self._is_open = False
        self._given: Dict[int, Tuple[Given, ...]] = {}
        self._overwritten: Dict[int, Deque[float]] = {}

    # -- what units are to show

    def observe(self, reading: Reading, at_s: float) -> str:
        """Turn what is known of the device into what its units are to show.

        Return what deserves a line in the log: that it tripped, or that something is wrong with it; "" if nothing does.
        """
        profile = self.device.profile
        measures = units.measures(reading, profile.channels, profile.switch_dps)
        measures.update(controls.measures(reading, profile))
        is_on: Optional[bool] = None
        switch_dps = profile.switch_dps
        if len(switch_dps) == 1:
            is_on = reading.switch.get(switch_dps[0])
        self._is_open = is_open(reading, switch_dps)
        is_ours = len(switch_dps) == 1 and self.device.is_asked(switch_dps[0], is_on, at_s)
        alarm = self._alarm.observe(reading, is_on, at_s, is_ours)
        if alarm is not None:
            measures[units.ALARM] = alarm
        self._measures = measures
        totals_wh = self.device.totals_wh(at_s)
        for unit in measures:
            self._feed(unit, totals_wh, at_s)
        return "" if alarm is None else self._news(alarm, at_s)

    def _news(self, alarm: State, at_s: float) -> str:
        """Return an alarm's text when it has become another one, each text once in a while.

        A relay that opened for no cause that is told was most likely switched by hand: no line.
        """
        before, self._alarm_shown = self._alarm_shown, alarm
        if alarm == before or alarm.nvalue < ORANGE or alarm.svalue == OPENED_TEXT:
            return ""
        said_s = self._alarms_said.get(alarm.svalue)
        if said_s is not None and at_s - said_s < SAY_AGAIN_S:
            return ""
        if len(self._alarms_said) >= MAX_ALARMS:
            self._alarms_said.clear()
        self._alarms_said[alarm.svalue] = at_s
        return alarm.svalue

    def _feed(self, unit: int, totals_wh: Mapping[Circuit, float], at_s: float) -> None:
        """Tell a unit's plan what the unit is to show."""
        plan, measure = self._plan(unit), self._measures[unit]
        if isinstance(plan, StatePlan) and isinstance(measure, State):
            plan.wanted = measure
        elif isinstance(plan, MeterPlan) and isinstance(measure, Number):
            plan.observe(self._without_returned(measure, totals_wh), at_s)

    def _without_returned(self, number: Number, totals_wh: Mapping[Circuit, float]) -> Number:
        """Where returned power has a unit of its own, the unit of used energy does not show it as negative W."""
        if number.circuit is None or number.circuit[1] != "used" or number.value >= 0.0:
            return number
        returned: Circuit = (number.circuit[0], "returned")
        unit = units.circuit_units(self.device.profile.channels).get(returned)
        if unit is None or returned not in totals_wh or not (unit in self.existing or self._may_create(unit)):
            return number
        return Number(0.0, number.circuit)

    def _plan(self, unit: int) -> Union[StatePlan, MeterPlan]:
        if unit not in self._plans:
            kind, held = units.kind_of(unit), self._held.get(unit)
            interval_s = self.device.terms.interval_s
            self._plans[unit] = MeterPlan(kind, interval_s, held) if kind.is_meter else StatePlan(held)
        return self._plans[unit]

    # -- clicks

    def click(self, unit: int, word: str, level: int, now_s: float) -> Dict[int, DpValue]:
        """Return the data points to write for a click. Raises CommandRefused."""
        self.device.check_may_switch()
        return self.device.command(controls.wanted(unit, word, level, self.device.profile, self.device.dps), now_s)

    # -- what is to be created and written

    def births(self, now_s: float) -> List[Birth]:
        """Return the units that are to be created now."""
        device = self.device
        if not device.has_full_answer and now_s - device.connected_at_s < FIRST_ANSWER_S:
            return []
        totals_wh = device.totals_wh(now_s)
        result: List[Birth] = []
        for unit in sorted(self._measures):
            if unit in self.existing or not self._may_create(unit):
                continue
            if unit not in self._plans:
                self._feed(unit, totals_wh, now_s)  # deleted, and asked for again
            state = self._value(unit, totals_wh)
            if state is not None:
                name = units.name_of(device.entry.shown_name, unit)
                result.append(Birth(device.device_id, unit, name, state, device.profile.produces))
        return result

    def _may_create(self, unit: int) -> bool:
        wishes = self.device.entry.wishes
        if unit in wishes.hide or not (self._show_all or unit in units.BASIC):
            return False
        return wishes.restore or unit not in self.remembered

    def due(self, now_s: float) -> Optional[Write]:
        """Return the most urgent write of now, None if there is none; sets next_due_s."""
        totals_wh = self.device.totals_wh(now_s)
        best: Optional[Tuple[bool, float, int]] = None
        self.next_due_s = None
        for unit in self.existing & self._plans.keys():
            plan = self._plans[unit]
            if isinstance(plan, StatePlan):
                at_s = plan.due_at_s()
            else:
                at_s = plan.due_at_s(self._energy(unit, totals_wh), self.device.is_connected, self._is_open)
            if at_s is None:
                continue
            if at_s <= now_s and (best is None or (isinstance(plan, MeterPlan), at_s, unit) < best):
                best = (isinstance(plan, MeterPlan), at_s, unit)
            if self.next_due_s is None or at_s < self.next_due_s:
                self.next_due_s = at_s
        if best is None:
            return None
        state = self._value(best[2], totals_wh)
        return None if state is None else Write(self.device.device_id, best[2], state)

    def written(self, unit: int, state: State, at_s: float) -> None:
        """Note that the unit exists and holds this now (it was written, or created with it)."""
        self.existing.add(unit)
        self.remembered.add(unit)
        plan = self._plan(unit)
        if isinstance(plan, StatePlan):
            plan.written(state)
        else:
            plan.written(state, at_s)
            self._given[unit] = (Given(at_s, state.svalue), *self._given.get(unit, ()))[:GIVEN_TOLD]

    def given(self) -> Dict[int, Tuple[Given, ...]]:
        """Return what each meter was given last in this run of the plugin, the newest first."""
        return dict(self._given)

    @property
    def unkept(self) -> Set[int]:
        """Existing units that nothing which the device has told in this run belongs to: they show what they showed."""
        return self.existing - self._measures.keys()

    @property
    def overwritten(self) -> Mapping[int, Sequence[float]]:
        """When somebody else put another state into a switch, selector, alert or text than it was given."""
        return self._overwritten

    def modified(self, unit: int, state: State, at_s: float) -> None:
        """Note that somebody else, not the plugin, has changed what the unit holds: it is given again."""
        plan = self._plans.get(unit)
        if isinstance(plan, StatePlan) and plan.wanted is not None and state not in (plan.wanted, plan.held):
            self._overwritten.setdefault(unit, deque(maxlen=MAX_OVERWRITTEN)).append(at_s)
        self.held(unit, state)

    def held(self, unit: int, state: State) -> None:
        """Note what the unit holds, if it is not what it was given (or it came back): decide again."""
        self.existing.add(unit)
        plan = self._plan(unit)
        if isinstance(plan, StatePlan):
            plan.written(state)

    def gone(self, unit: int) -> None:
        """Note that the unit was deleted by the user. When all are deleted, they are asked for again."""
        self.existing.discard(unit)
        self._plans.pop(unit, None)
        self._held.pop(unit, None)
        self._given.pop(unit, None)
        self._restore_if_all_deleted()

    def _restore_if_all_deleted(self) -> None:
        if not self.existing:
            self.remembered.clear()

    def _value(self, unit: int, totals_wh: Mapping[Circuit, float]) -> Optional[State]:
        plan = self._plan(unit)
        return plan.value() if isinstance(plan, StatePlan) else plan.value(self._energy(unit, totals_wh))

    def _energy(self, unit: int, totals_wh: Mapping[Circuit, float]) -> Optional[float]:
        measure = self._measures.get(unit)
        if isinstance(measure, Number) and measure.circuit is not None:
            return totals_wh.get(measure.circuit)
        return None
