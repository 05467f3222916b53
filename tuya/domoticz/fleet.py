"""All breakers of one hardware instance behind one lock. Knows no thread, no framework; time is passed in.

Events are taken on the network thread, what is due is asked for by the publisher, creation and commands come from
the plugin's thread. The lock is held for computing only, never through an Update: so the newest value waits in the
plans while Domoticz is busy, and nothing queues up.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Dict, Iterable, List, Mapping, Optional, Set, Tuple, Union

from ..devices.devices_file import DeviceEntry
from ..devices.journal import Journal, Line
from ..lan.device import Polling
from ..lan.events import Alive, Announced, Connected, DpValue, Event, Failed, Lost, Status, WriteDone
from ..lan.limits import HEARTBEAT_INTERVAL_S
from ..metering.profile import Profile
from .breaker import NO_PROFILE, Birth, Breaker, Rules, Write
from .created import Memory
from .units import State

FORCED_S = float("-inf")
# What the totals need to survive a crash is small; Domoticz shows the totals themselves.
ENERGY_SAVE_INTERVAL_S = 600.0
MAX_FAULTS = 20  # different ones; the log is not to be filled by us


@dataclass(frozen=True)
class TimedOut:
    """A breaker's header that is to become red, or not red any more."""

    device_id: str
    is_timed_out: bool


class Fleet:
    """Breakers, journal and memory of one hardware instance. debug: every event is a line in the log."""

    def __init__(self, rules: Rules, memory: Memory, debug: bool = False) -> None:
        self.lock = threading.Lock()
        self.journal = Journal()
        self.memory = memory
        self._rules = rules
        self._debug = debug
        self._breakers: Dict[str, Breaker] = {}
        self._strangers: Set[str] = set()  # devices in Domoticz that are not served (any more)
        self._timed_out: Dict[str, bool] = {}  # what was set last
        self._energy_saved_s: Optional[float] = None
        self._anchors: Dict[str, object] = {}
        self._polling: List[Tuple[str, Polling]] = []
        self._faults: Set[str] = set()

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
        with self.lock:
            for device_id in [known for known in self._breakers if known not in wanted]:
                self._keep_energy(device_id)
                del self._breakers[device_id]
                self.journal.remove(device_id)
            for device_id, entry in wanted.items():
                breaker = self._breakers.get(device_id)
                if breaker is None:
                    breaker = Breaker(
                        entry,
                        profiles[device_id],
                        self._rules,
                        held_of.get(device_id, {}),
                        self.memory.remembered(device_id),
                        self.memory.energy.get(device_id, {}),
                    )
                    self._breakers[device_id] = breaker
                    self.memory.set_units(device_id, breaker.remembered)
                    self.journal.add(device_id, entry.shown_name, now_s)
                elif breaker.entry != entry:
                    breaker.reconfigure(entry)
                    self.journal.rename(device_id, entry.shown_name)
                else:
                    continue
                self._polling.append((device_id, breaker.polling))
            self._strangers = set(held_of) - set(wanted)
            for device_id in (self.memory.units.keys() | held_of.keys()) - wanted.keys():
                # taking an entry out of the file and putting it back restores its deleted units
                self.memory.set_units(device_id, held_of.get(device_id, {}))

    def take_polling(self) -> List[Tuple[str, Polling]]:
        """Return how the client is to ask devices whose profile has become known; each is returned once."""
        with self.lock:
            polling, self._polling = self._polling, []
            return polling

    def ages(self, now_s: float) -> Dict[str, Tuple[Optional[float], bool]]:
        """Return for each breaker how many seconds ago it answered (None: never), and whether it is read-only."""
        with self.lock:
            return {
                device_id: (
                    None if breaker.heard_at_s is None else max(0.0, now_s - breaker.heard_at_s),
                    not breaker.may_switch,
                )
                for device_id, breaker in self._breakers.items()
            }

    # -- events (the network's thread)

    def handle(self, event: Event, now_s: float) -> bool:
        """Take one event of the LAN client; return whether something may have become due."""
        if isinstance(event, Announced):
            return False
        with self.lock:
            breaker = self._breakers.get(event.device_id)
            if breaker is None:
                return False
            if isinstance(event, (Alive, Connected, Status)):
                breaker.heard_at_s = event.at_s
            if isinstance(event, Alive):
                breaker.answered(event.at_s)
                return False
            if self._debug:
                self.journal.say(describe(breaker.entry.shown_name, event))
            if isinstance(event, Status):
                self._status(breaker, event)
            elif isinstance(event, Connected):
                breaker.connected(event.at_s)
                self.journal.connected(event.device_id, f"{event.address}, protocol {event.version}", now_s)
            elif isinstance(event, (Lost, Failed)):
                if isinstance(event, Lost):
                    breaker.lost(event.at_s)
                self.journal.failed(event.device_id, event.error, event.at_s)
            elif isinstance(event, WriteDone) and event.error is not None:
                breaker.command_failed(event.dps)
                self.journal.say(str(event.error), is_error=True)
            breaker.next_due_s = FORCED_S
            return True

    def _status(self, breaker: Breaker, event: Status) -> None:
        known = breaker.profile.matched_by != NO_PROFILE
        if breaker.status(event):
            self._polling.append((event.device_id, breaker.polling))
        name = breaker.entry.shown_name
        if not known and breaker.profile.matched_by != NO_PROFILE:
            self.journal.say(f"{name}: recognised by its {breaker.profile.matched_by} as {breaker.profile.name}")
        if breaker.is_unknown_now():
            self.journal.say(
                f"{name}: this device is not known yet, nothing is shown of it. "
                f"Please send the output of 'python3 -m tuya report' with its name",
                is_error=True,
            )
        if event.full:  # only there V, I and P are of one moment
            for doubt in breaker.new_doubts():
                self.journal.say(f"{name}: {doubt}")
        for notice in breaker.notices():
            self.journal.notice(event.device_id, notice)

    # -- commands and deletions (the plugin's thread)

    def command(self, device_id: str, unit: int, command: str, level: int, now_s: float) -> Mapping[int, DpValue]:
        """Return the data points to write. Raises controls.Refusal; KeyError for a device that is not served."""
        with self.lock:
            return self._breakers[device_id].command(unit, command, level, now_s)

    def name_of(self, device_id: str) -> Optional[str]:
        """Return the breaker's name for messages; None for one that is not served."""
        with self.lock:
            breaker = self._breakers.get(device_id)
            return breaker.entry.shown_name if breaker is not None else None

    def gone(self, device_id: str, unit: int) -> None:
        """The user deleted a unit."""
        with self.lock:
            breaker = self._breakers.get(device_id)
            if breaker is not None:
                breaker.gone(unit)
                self.memory.set_units(device_id, breaker.remembered)

    def is_deleted(self, device_id: str, unit: int) -> bool:
        """Whether this unit was deleted by the user and is to stay away."""
        with self.lock:
            breaker = self._breakers.get(device_id)
            return breaker is not None and unit in breaker.remembered and unit not in breaker.existing

    def held(self, device_id: str, unit: int, state: State) -> None:
        """Somebody else changed what a unit holds."""
        with self.lock:
            breaker = self._breakers.get(device_id)
            if breaker is not None:
                breaker.held(unit, state)
                breaker.next_due_s = FORCED_S

    # -- what is due

    def births(self, now_s: float) -> List[Birth]:
        """Return the units that are to be created now."""
        with self.lock:
            return [birth for breaker in self._breakers.values() for birth in breaker.births(now_s)]

    def written(self, device_id: str, unit: int, state: State, now_s: float) -> None:
        """A unit was created with, or has been given, this value."""
        with self.lock:
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
        with self.lock:
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
        headers = [(device_id, self.journal.is_offline(device_id, now_s)) for device_id in self._breakers]
        headers.extend((device_id, True) for device_id in self._strangers)
        return headers

    def tick(self, now_s: float) -> None:
        """Look at everything again: energy has flowed, breakers have stayed away."""
        with self.lock:
            self.journal.tick(now_s)
            for breaker in self._breakers.values():
                breaker.next_due_s = FORCED_S

    def take_lines(self) -> Tuple[Line, ...]:
        """Return the lines for the log; each is returned once."""
        with self.lock:
            return self.journal.take()

    def fault(self, text: str) -> None:
        """Keep a fault of the plugin itself for the log, each text once."""
        with self.lock:
            if text not in self._faults and len(self._faults) < MAX_FAULTS:
                self._faults.add(text)
                self.journal.say(text, is_error=True)

    # -- what survives

    def settle(self, now_s: float) -> None:
        """Serving ends: hold W up to now at each breaker that owes no answer, its next heartbeat not being due.

        Without it each restart would lose what flowed since the last report, and a row of quick ones nearly
        everything. Longer silence counts for nothing, as ever.
        """
        with self.lock:
            for breaker in self._breakers.values():
                heard_s = breaker.heard_at_s
                if breaker.is_connected and heard_s is not None and now_s - heard_s <= HEARTBEAT_INTERVAL_S:
                    breaker.answered(now_s)

    def save_energy(self, now_s: float, is_last: bool = False) -> bool:
        """Put the state of the totals into the memory when it is time; return whether it has to be stored."""
        with self.lock:
            states = {device_id: breaker.saved_energy() for device_id, breaker in self._breakers.items()}
            anchors = {device_id: _anchors(state) for device_id, state in states.items() if state is not None}
            is_time = self._energy_saved_s is None or now_s - self._energy_saved_s >= ENERGY_SAVE_INTERVAL_S
            if not (is_last or is_time or anchors != self._anchors):
                return False
            self._energy_saved_s = now_s
            self._anchors = dict(anchors)
            before = dict(self.memory.energy)
            for device_id, state in states.items():
                if state is not None:
                    self.memory.set_energy(device_id, state)
            return before != self.memory.energy

    def dump_memory(self) -> Dict[str, str]:
        """Return what is to be stored in Configuration()."""
        with self.lock:
            return self.memory.dump()

    def _keep_energy(self, device_id: str) -> None:
        state = self._breakers[device_id].saved_energy()
        if state is not None:
            self.memory.set_energy(device_id, state)


def _anchors(state: Mapping[str, object]) -> Dict[str, object]:
    """Return which total belongs to which value of a counter (EnergyBook.saved(): [total, anchor, counter])."""
    return {circuit: numbers[1] for circuit, numbers in state.items() if isinstance(numbers, list) and len(numbers) > 1}


def describe(name: str, event: Event) -> str:
    """Return one line for the debug log."""
    if isinstance(event, Status):
        return f"{name}: {'answered' if event.full else 'reported'} {dict(event.dps)}"
    if isinstance(event, Connected):
        return f"{name}: connected to {event.address}:{event.port}, protocol {event.version}"
    if isinstance(event, WriteDone):
        return f"{name}: write of {dict(event.dps)} {'confirmed' if event.error is None else event.error}"
    if isinstance(event, (Lost, Failed)):
        return f"{name}: {type(event).__name__.lower()}: {type(event.error).__name__}: {event.error}"
    return f"{name}: {type(event).__name__.lower()}"
