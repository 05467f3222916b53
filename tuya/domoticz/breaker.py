"""One breaker: events of the LAN client in, wanted units out. Pure; time is passed in; knows no thread, no framework.

All calls come under the fleet's lock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import AbstractSet, Dict, List, Mapping, Optional, Set, Tuple, Union

from ..devices.devices_file import DeviceEntry
from ..devices.merged import merged
from ..lan.device import Polling
from ..lan.events import DpValue, Status
from ..metering.energy import EnergyBook
from ..metering.profile import Profile, match
from ..metering.reading import Reading
from . import controls, units
from .alarm import Alarm
from .planner import MeterPlan, StatePlan
from .units import Circuit, Number, State

NO_PROFILE = "none"
# A full answer comes right after the connection; a unit may be born without one when the device only pushes.
FIRST_ANSWER_S = 10.0
# How long after a command its effect on the relay is counted as ours.
COMMAND_EFFECT_S = 10.0
REFRESH_INTERVALS_S = (5.0, 10.0)  # never less than 5 s between refreshes; readings older than 10 s look frozen


@dataclass(frozen=True)
class Rules:
    """What the settings say for all breakers of a hardware instance."""

    may_switch: bool = True
    show_all: bool = False
    interval_s: float = 5.0


@dataclass(frozen=True)
class Birth:
    """A unit that is to be created, with its first value."""

    device_id: str
    unit: int
    name: str
    state: State


@dataclass(frozen=True)
class Write:
    """A value that is to be written now."""

    device_id: str
    unit: int
    state: State


class Breaker:
    """State of one breaker and plans of its units.

    profile: of the entry alone. held: what its existing units in Domoticz hold. remembered: units ever created.
    saved: EnergyBook.saved() of the last run.
    """

    def __init__(
        self,
        entry: DeviceEntry,
        profile: Profile,
        rules: Rules,
        held: Mapping[int, State],
        remembered: AbstractSet[int],
        saved: Mapping[str, object],
    ) -> None:
        self.entry = entry
        self.rules = rules
        self.dps: Dict[int, DpValue] = {}
        self.is_connected = False
        self.heard_at_s: Optional[float] = None
        self.next_due_s: Optional[float] = None
        self.profile = profile
        self.existing: Set[int] = set(held)
        self.remembered: Set[int] = set(remembered) | self.existing
        self._restore_if_all_deleted()
        self._held = dict(held)
        self._saved = saved
        self._book: Optional[EnergyBook] = None
        self._book_layout: object = None
        self._is_unknown_said = False
        self._said_doubts: Set[str] = set()
        self._plans: Dict[int, Union[StatePlan, MeterPlan]] = {}
        self._alarm = Alarm(self._held.get(units.ALARM))
        self._known: Optional[Reading] = None
        self._measures: Dict[int, units.Measure] = {}
        self._connected_at_s = 0.0
        self._has_full_answer = False
        self._asked: Dict[int, Tuple[DpValue, float]] = {}
        self._is_open = False

    # -- events

    @property
    def polling(self) -> Polling:
        """How the client is to ask this device."""
        low_s, high_s = REFRESH_INTERVALS_S
        return Polling(
            refresh_dps=self.profile.refresh_dps,
            refresh_interval_s=min(max(self.rules.interval_s, low_s), high_s),
            query_dps=self.profile.query_dps,
        )

    def reconfigure(self, entry: DeviceEntry) -> None:
        """The entry in the devices file was changed; totals and shown values go on."""
        self.entry = entry
        self.profile = match(entry.raw, self.dps)
        self._known = None
        self._is_unknown_said = False
        self._said_doubts.clear()

    def is_unknown_now(self) -> bool:
        """Whether it has just become clear that nothing is known about this kind of device; true only once."""
        if self.profile.matched_by != NO_PROFILE or not self._has_full_answer or self._is_unknown_said:
            return False
        self._is_unknown_said = True
        return True

    def new_doubts(self) -> List[str]:
        """Return what metering corrected or left out in the last report and has not been said yet.

        What differs in its numbers only is the same doubt.
        """
        found: List[str] = []
        for sentence in self.profile.doubts(self.dps):
            doubt = ": ".join(sentence.split(": ")[:2])
            if doubt not in self._said_doubts:
                self._said_doubts.add(doubt)
                found.append(sentence)
        return found

    def connected(self, at_s: float) -> None:
        """A session is up."""
        self.is_connected = True
        self._connected_at_s = at_s
        self._has_full_answer = False

    def lost(self, at_s: float) -> None:
        """The session is gone; what is shown stays."""
        self.is_connected = False
        if self._book is not None:
            self._book.lost(at_s)

    def answered(self, at_s: float) -> None:
        """The device answered something without data points."""
        if self._book is not None:
            self._book.answered(at_s)

    def status(self, event: Status) -> bool:
        """Take one frame's data points; return whether the profile (and so the polling) changed."""
        new_dps = not self.dps.keys() >= event.dps.keys()
        self.dps.update(event.dps)
        self._has_full_answer = self._has_full_answer or event.full
        before = self.profile
        # a device that was idle at the start may be recognised by its first load, without any new data point
        if new_dps or self.profile.matched_by == NO_PROFILE:
            self.profile = match(self.entry.raw, self.dps)
        if self.profile.matched_by == NO_PROFILE:
            return False
        part = self.profile.decode(self.dps, frozenset(event.dps))
        self._open_book(event.at_s).report(part, event.at_s, event.full)
        if event.full or self.profile.layout != before.layout or self._known is None:
            self._known = self.profile.decode(self.dps)
        else:
            self._known = merged(self._known, part)
        self._observe(self._known, event.at_s)
        return (before.refresh_dps, before.query_dps) != (self.profile.refresh_dps, self.profile.query_dps)

    def _open_book(self, at_s: float) -> EnergyBook:
        """Return the totals; they begin with what Domoticz shows, and go on when the profile becomes another one."""
        if self._book is None or self._book_layout != self.profile.layout:
            circuits = units.circuit_units(self.profile.channels)
            shown: Dict[Circuit, float] = {}
            for circuit, unit in circuits.items():
                if unit in self._held:
                    energy_wh = units.parse_meter(self._held[unit].svalue)[1]
                    if energy_wh is not None:
                        shown[circuit] = energy_wh
            if self._book is not None:
                shown.update(self._book.totals_wh(at_s))
                self._saved = self._book.saved()
            self._book = EnergyBook(
                shown_wh=shown,
                saved=self._saved,
                power_max_age_s=self.profile.power_max_age_s,
                step_kwh=dict(self.profile.counter_step_kwh),
                channels=self.profile.channels,
            )
            self._book_layout = self.profile.layout
        return self._book

    def _observe(self, reading: Reading, at_s: float) -> None:
        """Turn what is known of the device into what its units are to show."""
        measures = units.measures(reading, self.profile.channels, self.profile.switch_dps)
        measures.update(controls.measures(reading, self.profile))
        is_on: Optional[bool] = None
        switch_dps = self.profile.switch_dps
        if len(switch_dps) == 1:
            is_on = reading.switch.get(switch_dps[0])
        self._is_open = bool(switch_dps) and all(reading.switch.get(dp) is False for dp in switch_dps)
        is_ours = len(switch_dps) == 1 and self._is_asked(switch_dps[0], is_on, at_s)
        alarm = self._alarm.observe(reading, is_on, at_s, is_ours)
        if alarm is not None:
            measures[units.ALARM] = alarm
        self._measures = measures
        totals_wh = self._totals_wh(at_s)
        for unit in measures:
            self._feed(unit, totals_wh, at_s)

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
        unit = units.circuit_units(self.profile.channels).get(returned)
        if unit is None or returned not in totals_wh or not (unit in self.existing or self._may_create(unit)):
            return number
        return Number(0.0, number.circuit)

    def _plan(self, unit: int) -> Union[StatePlan, MeterPlan]:
        if unit not in self._plans:
            kind, held = units.kind_of(unit), self._held.get(unit)
            self._plans[unit] = MeterPlan(kind, self.rules.interval_s, held) if kind.is_meter else StatePlan(held)
        return self._plans[unit]

    def _is_asked(self, dp: int, value: Optional[bool], at_s: float) -> bool:
        asked = self._asked.get(dp)
        return asked is not None and asked[0] == value and at_s - asked[1] <= COMMAND_EFFECT_S

    # -- commands

    @property
    def may_switch(self) -> bool:
        """Whether writing is allowed; both the hardware's setting and the file's can refuse it."""
        return self.rules.may_switch and self.entry.wishes.switch != "refused"

    def command_failed(self, dps: Mapping[int, DpValue]) -> None:
        """A write was refused or not confirmed: what happens to these data points now is not our doing."""
        for dp in dps:
            self._asked.pop(dp, None)

    def command(self, unit: int, command: str, level: int, now_s: float) -> Mapping[int, DpValue]:
        """Return the data points to write for a command of Domoticz. Raises controls.Refusal."""
        if not self.may_switch:
            raise controls.Refusal("switching is refused by the settings")
        dps = controls.writes(unit, command, level, self.profile, self.dps)
        self._asked.update({dp: (value, now_s) for dp, value in dps.items()})
        return dps

    # -- what is to be created and written

    def births(self, now_s: float) -> List[Birth]:
        """Return the units that are to be created now."""
        if not self._has_full_answer and now_s - self._connected_at_s < FIRST_ANSWER_S:
            return []
        totals_wh = self._totals_wh(now_s)
        result: List[Birth] = []
        for unit in sorted(self._measures):
            if unit in self.existing or not self._may_create(unit):
                continue
            if unit not in self._plans:
                self._feed(unit, totals_wh, now_s)  # deleted, and asked for again
            state = self._value(unit, totals_wh)
            if state is not None:
                name = units.name_of(self.entry.shown_name, unit)
                result.append(Birth(self.entry.device_id, unit, name, state))
        return result

    def _may_create(self, unit: int) -> bool:
        if unit in self.entry.wishes.hide or not (self.rules.show_all or unit in units.BASIC):
            return False
        return self.entry.wishes.restore or unit not in self.remembered

    def due(self, now_s: float) -> Optional[Write]:
        """Return the most urgent write of now, None if there is none; sets next_due_s."""
        totals_wh = self._totals_wh(now_s)
        best: Optional[Tuple[bool, float, int]] = None
        self.next_due_s = None
        for unit in self.existing & self._plans.keys():
            plan = self._plans[unit]
            if isinstance(plan, StatePlan):
                at_s = plan.due_at_s()
            else:
                at_s = plan.due_at_s(self._energy(unit, totals_wh), self.is_connected, self._is_open)
            if at_s is None:
                continue
            if at_s <= now_s and (best is None or (isinstance(plan, MeterPlan), at_s, unit) < best):
                best = (isinstance(plan, MeterPlan), at_s, unit)
            if self.next_due_s is None or at_s < self.next_due_s:
                self.next_due_s = at_s
        if best is None:
            return None
        state = self._value(best[2], totals_wh)
        return None if state is None else Write(self.entry.device_id, best[2], state)

    def written(self, unit: int, state: State, at_s: float) -> None:
        """The unit exists and holds this now (it was written, or created with it)."""
        self.existing.add(unit)
        self.remembered.add(unit)
        plan = self._plan(unit)
        if isinstance(plan, StatePlan):
            plan.written(state)
        else:
            plan.written(state, at_s)

    def held(self, unit: int, state: State) -> None:
        """Somebody else has changed what the unit holds (or it came back): decide again."""
        self.existing.add(unit)
        plan = self._plan(unit)
        if isinstance(plan, StatePlan):
            plan.written(state)

    def gone(self, unit: int) -> None:
        """The unit was deleted by the user. When all are deleted, they are asked for again."""
        self.existing.discard(unit)
        self._plans.pop(unit, None)
        self._held.pop(unit, None)
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

    def _totals_wh(self, at_s: float) -> Mapping[Circuit, float]:
        return self._book.totals_wh(at_s) if self._book is not None else {}

    # -- what survives

    def saved_energy(self) -> Optional[Mapping[str, object]]:
        """Return the state of the totals that must survive a restart; None while nothing is known."""
        return self._book.saved() if self._book is not None else None

    def notices(self) -> List[str]:
        """Return what the totals have to say in the log."""
        return self._book.notices() if self._book is not None else []
