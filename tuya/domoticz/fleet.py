"""All units of one hardware instance and what is due of them: the household's devices, seen by Domoticz.

Shared by three threads: events come on the network's thread, what is due is asked for by the publisher, creation and
clicks come from the plugin's thread. The household's lock is held for computing only, never through an Update: so the
newest value waits in the plans while Domoticz is busy, and nothing queues up.
"""

from __future__ import annotations

import time
from typing import Callable, Dict, Iterable, List, Mapping, NamedTuple, Optional, Set, Tuple, Union

from ..devices.device import KnownDevice
from ..devices.devices_file import DeviceEntry
from ..devices.household import Household
from ..lan.events import DpValue, Event, Status
from ..metering.energy import Circuit
from ..metering.profile import Profile
from ..metering.reading import Channel
from .breaker import Birth, Breaker, Write, shown_wh
from .created import Memory
from .settings import Rules
from .units import State

FORCED_S = float("-inf")
MAX_GIVEN_TOLD = 400  # devices whose last values are told: what is told is one line, which has a limit


class TimedOut(NamedTuple):
    """A breaker's header that is to become red, or not red any more."""

    device_id: str
    is_timed_out: bool


class Fleet:
    """Units and memory of one hardware instance. It observes the household, whose devices it brings.

    time_of_day: the only clock that tells how long nobody here has counted.
    """

    def __init__(
        self, rules: Rules, memory: Memory, household: Household, time_of_day: Callable[[], float] = time.time
    ) -> None:
        self.household = household
        self.memory = memory
        self._lock = household.lock
        self._rules = rules
        self._time_of_day = time_of_day
        self._breakers: Dict[str, Breaker] = {}
        self._held_of: Mapping[str, Mapping[int, State]] = {}
        self._strangers: Set[str] = set()  # devices in Domoticz that are not served (any more)
        self._timed_out: Dict[str, bool] = {}  # what was set last
        household.observe(self)

    # -- who is served (the plugin's thread)

    def serve(
        self,
        entries: Iterable[DeviceEntry],
        profiles: Mapping[str, Profile],
        held_of: Mapping[str, Mapping[int, State]],
        now_s: float,
    ) -> None:
        """Serve these breakers from now on.

        profiles: device id -> what is known of each without its data points. held_of: device id -> what its existing
        units in Domoticz hold.
        """
        wanted = {entry.device_id: entry for entry in entries}
        with self._lock:
            self._held_of = held_of
            devices = self.household.devices
            for device_id in [known for known in devices if known not in wanted]:
                self.household.drop(device_id)
            for device_id, entry in wanted.items():
                device = devices.get(device_id)
                if device is None:
                    self.household.serve(self._new_device(entry, profiles[device_id], now_s), now_s)
                elif device.entry != entry:
                    device.reconfigure(entry)
                    self.household.reconfigured(device, now_s)
            self._strangers = set(held_of) - set(wanted)
            for device_id in (self.memory.units.keys() | held_of.keys()) - wanted.keys():
                # taking an entry out of the file and putting it back restores its deleted units
                self.memory.set_units(device_id, held_of.get(device_id, {}))

    def _new_device(self, entry: DeviceEntry, profile: Profile, now_s: float) -> KnownDevice:
        held = self._held_of.get(entry.device_id, {})

        def shown(channels: Iterable[Channel]) -> Mapping[Circuit, float]:
            return shown_wh(held, tuple(channels))

        saved = self.memory.energy.get(entry.device_id, {})
        known_at_s = now_s - self.memory.energy_age_s(entry.device_id, self._time_of_day())
        return KnownDevice(entry, profile, self._rules.terms, shown, saved, known_at_s)

    # -- what the household tells (under its lock)

    def served(self, device: KnownDevice, now_s: float) -> None:  # noqa: ARG002 - the observer's form
        """A device is served from now on, or has another entry."""
        device_id = device.device_id
        if device_id not in self._breakers:
            held = self._held_of.get(device_id, {})
            breaker = Breaker(device, held, self.memory.remembered(device_id), self._rules.show_all)
            self._breakers[device_id] = breaker
            self.memory.set_units(device_id, breaker.remembered)

    def dropped(self, device: KnownDevice) -> None:
        """A device is served no longer: its totals are kept for its return."""
        state = device.saved_energy()
        if state is not None:
            self.memory.set_energy(device.device_id, state, self._time_of_day())
        self._breakers.pop(device.device_id, None)

    def heard(self, device: KnownDevice, event: Event, now_s: float) -> None:  # noqa: ARG002 - the observer's form
        """Something happened to a device: its units may have become due."""
        breaker = self._breakers[device.device_id]
        if isinstance(event, Status) and device.reading is not None:
            alarm = breaker.observe(device.reading, event.at_s)
            if alarm:
                self.household.journal.say(f"{device.entry.shown_name}: {alarm}", is_error=True)
        breaker.next_due_s = FORCED_S

    # -- clicks and deletions (the plugin's thread)

    def click(self, device_id: str, unit: int, word: str, level: int, now_s: float) -> Dict[int, DpValue]:
        """Return the data points to write for a click. Raises CommandRefused; KeyError if it is not served."""
        with self._lock:
            return self._breakers[device_id].click(unit, word, level, now_s)

    def gone(self, device_id: str, unit: int) -> None:
        """Note that the user deleted a unit."""
        with self._lock:
            breaker = self._breakers.get(device_id)
            if breaker is not None:
                breaker.gone(unit)
                self.memory.set_units(device_id, breaker.remembered)

    def is_deleted(self, device_id: str, unit: int) -> bool:
        """Whether this unit was deleted by the user and is to stay away."""
        with self._lock:
            breaker = self._breakers.get(device_id)
            return breaker is not None and unit in breaker.remembered and unit not in breaker.existing

    def deleted(self) -> Dict[str, List[int]]:
        """Return the units that the user deleted and that stay away, by device."""
        with self._lock:
            found = {
                device_id: sorted(breaker.remembered - breaker.existing - breaker.device.entry.wishes.hide)
                for device_id, breaker in self._breakers.items()
            }
        return {device_id: gone for device_id, gone in found.items() if gone}

    def written_ages_s(self, now_s: float) -> Dict[str, Dict[int, int]]:
        """Return how many seconds ago each meter was given to Domoticz, by device; what was not in this run is not."""
        with self._lock:
            given = {device_id: breaker.given() for device_id, breaker in self._breakers.items()}
        return {
            device_id: {unit: max(0, int(now_s - told[0].at_s)) for unit, told in units.items()}
            for device_id, units in given.items()
            if units
        }

    def given(self, now_s: float) -> Dict[str, Dict[int, List[Tuple[float, str]]]]:
        """Return what each meter was given last: seconds ago and sValue, the newest first; by device and unit."""
        with self._lock:
            given = {device_id: breaker.given() for device_id, breaker in list(self._breakers.items())[:MAX_GIVEN_TOLD]}
        return {
            device_id: {
                unit: [(round(now_s - one.at_s, 1), one.svalue) for one in told] for unit, told in units.items()
            }
            for device_id, units in given.items()
            if units
        }

    def unkept(self) -> Dict[str, List[int]]:
        """Return the existing units that nothing which their connected device tells belongs to, by device."""
        with self._lock:
            found = {
                device_id: sorted(breaker.unkept)
                for device_id, breaker in self._breakers.items()
                if breaker.device.is_connected
            }
        return {device_id: units for device_id, units in found.items() if units}

    def overwritten(self, now_s: float) -> Dict[str, Dict[int, List[float]]]:
        """Return how many seconds ago somebody else changed the state of units, by device and unit, the newest last."""
        with self._lock:
            return {
                device_id: {unit: [round(now_s - at_s, 1) for at_s in times] for unit, times in its.items()}
                for device_id, breaker in self._breakers.items()
                for its in [breaker.overwritten]
                if its
            }

    def held(self, device_id: str, unit: int, state: State) -> None:
        """Note what a unit holds that is not what it was given."""
        with self._lock:
            breaker = self._breakers.get(device_id)
            if breaker is not None:
                breaker.held(unit, state)
                breaker.next_due_s = FORCED_S

    def modified(self, device_id: str, unit: int, state: State, now_s: float) -> None:
        """Note that somebody else changed what a unit holds."""
        with self._lock:
            breaker = self._breakers.get(device_id)
            if breaker is not None:
                breaker.modified(unit, state, now_s)
                breaker.next_due_s = FORCED_S

    # -- what is due

    def births(self, now_s: float) -> List[Birth]:
        """Return the units that are to be created now."""
        with self._lock:
            return [birth for breaker in self._breakers.values() for birth in breaker.births(now_s)]

    def written(self, device_id: str, unit: int, state: State, now_s: float) -> None:
        """Note that a unit was created with, or has been given, this value."""
        with self._lock:
            breaker = self._breakers.get(device_id)
            if breaker is not None:
                is_new = unit not in breaker.remembered
                breaker.written(unit, state, now_s)
                breaker.next_due_s = FORCED_S
                if is_new:
                    self.memory.remember(device_id, (unit,))

    def next_due(self, now_s: float) -> Union[Write, TimedOut, float, None]:
        """Return what is to be written now, else the time of the next write, else None.

        A switch goes before a meter of the same breaker; breakers take turns by how long they have been due.
        """
        with self._lock:
            for device_id, is_timed_out in self._headers(now_s):
                if self._timed_out.get(device_id, False) != is_timed_out:
                    self._timed_out[device_id] = is_timed_out
                    return TimedOut(device_id, is_timed_out)
            next_s: Optional[float] = None
            for device_id, breaker in list(self._breakers.items()):
                if breaker.next_due_s is None:
                    continue
                if breaker.next_due_s <= now_s:
                    write = breaker.due(now_s)
                    if write is not None:
                        self._breakers[device_id] = self._breakers.pop(device_id)
                        return write
                due_s = breaker.next_due_s
                if due_s is not None and (next_s is None or due_s < next_s):
                    next_s = due_s
            return next_s

    def _headers(self, now_s: float) -> List[Tuple[str, bool]]:
        journal = self.household.journal
        headers = [(device_id, journal.is_offline(device_id, now_s)) for device_id in self._breakers]
        headers.extend((device_id, True) for device_id in self._strangers)
        return headers

    def tick(self, now_s: float) -> None:
        """Look at everything again: energy has flowed, breakers have stayed away."""
        with self._lock:
            self.household.tick(now_s)
            for breaker in self._breakers.values():
                breaker.next_due_s = FORCED_S

    # -- what survives

    def save_energy(self, now_s: float, is_last: bool = False) -> bool:
        """Put the state of the totals into the memory when it is time; return whether it has to be stored."""
        with self._lock:
            states = self.household.energy_to_save(now_s, is_last)
            if states is None:
                return False
            before = dict(self.memory.energy)
            for device_id, state in states.items():
                self.memory.set_energy(device_id, state, self._time_of_day())
            return before != self.memory.energy

    def dump_memory(self) -> Dict[str, str]:
        """Return what is to be stored in Configuration()."""
        with self._lock:
            return self.memory.dump()
