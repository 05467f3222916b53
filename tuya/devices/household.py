"""All devices that one front end serves: events of the LAN client in, what they mean out, and what is worth saying.

Shared by threads: events come on the network's thread, the clock and commands on the front end's. The lock is held for
computing only, never while a front end writes or a socket is waited for.
"""

from __future__ import annotations

import threading
from typing import Dict, Iterable, List, Mapping, Optional, Protocol, Set, Tuple

from ..lan.device import Polling
from ..lan.errors import TuyaError, WrongKey
from ..lan.events import (
    Alive,
    Announced,
    Connected,
    Dps,
    DpValue,
    Event,
    Failed,
    Lost,
    Status,
    WriteDone,
)
from ..lan.limits import HEARTBEAT_INTERVAL_S
from ..metering.profile import NO_METER
from .device import UNREPORTED_S, KnownDevice
from .devices_file import DeviceEntry
from .journal import Journal, Line
from .key_mask import without_key
from .two_places import TwoPlaces

# What the totals need to survive a crash is small; the front end shows the totals themselves.
ENERGY_SAVE_INTERVAL_S = 600.0
MAX_FAULTS = 20  # different ones; the log is not to be filled by us


class Observer(Protocol):
    """Who wants to know what happens to the devices. All calls come under the household's lock; none may block."""

    def served(self, device: KnownDevice, now_s: float) -> None:
        """A device is served from now on, or its entry in the devices file was changed."""

    def dropped(self, device: KnownDevice) -> None:
        """A device is served no longer."""

    def heard(self, device: KnownDevice, event: Event, now_s: float) -> None:
        """The device has taken this event (any but Announced)."""


def _with_cure(error: TuyaError, entry: DeviceEntry) -> TuyaError:
    """The error; of a wrong key that is not the file's, with the place where it is corrected."""
    if isinstance(error, WrongKey) and entry.key_cure:
        return WrongKey(error.device, error.what, entry.key_cure)
    return error


class Household:
    """Devices and journal of one front end. debug: every event is a line in the log."""

    def __init__(self, debug: bool = False) -> None:
        self.lock = threading.RLock()
        self.journal = Journal()
        self.devices: Dict[str, KnownDevice] = {}
        self._debug = debug
        self._observers: List[Observer] = []
        self._polling: List[Tuple[str, Polling]] = []
        self._faults: Set[str] = set()
        self._energy_saved_s: Optional[float] = None
        self._anchors: Dict[str, object] = {}
        self._places = TwoPlaces()

    def observe(self, observer: Observer) -> None:
        """Tell this one, too, what happens from now on."""
        with self.lock:
            self._observers.append(observer)

    # -- who is served (the front end's thread)

    def serve(self, device: KnownDevice, now_s: float) -> None:
        """Serve one more device."""
        with self.lock:
            self.devices[device.device_id] = device
            self.journal.add(device.device_id, device.entry.shown_name, now_s)
            self._tell_served(device, now_s)

    def reconfigured(self, device: KnownDevice, now_s: float) -> None:
        """Note that a device has been given another entry."""
        with self.lock:
            self.journal.rename(device.device_id, device.entry.shown_name)
            self._tell_served(device, now_s)

    def _tell_served(self, device: KnownDevice, now_s: float) -> None:
        self._polling.append((device.device_id, device.polling))
        for observer in self._observers:
            observer.served(device, now_s)

    def drop(self, device_id: str) -> None:
        """Serve a device no longer; nothing happens for one that is not served."""
        with self.lock:
            device = self.devices.pop(device_id, None)
            if device is None:
                return
            self.journal.remove(device_id)
            self._places.drop(device_id)
            for observer in self._observers:
                observer.dropped(device)

    def take_polling(self) -> List[Tuple[str, Polling]]:
        """Return how the client is to ask devices whose profile has become known; each is returned once."""
        with self.lock:
            polling, self._polling = self._polling, []
            return polling

    def ages(self, now_s: float) -> Dict[str, Tuple[Optional[float], bool]]:
        """Return for each device how many seconds ago it answered (None: never), and whether it is read-only."""
        with self.lock:
            return {
                device_id: (
                    None if device.heard_at_s is None else max(0.0, now_s - device.heard_at_s),
                    not device.may_switch,
                )
                for device_id, device in self.devices.items()
            }

    def name_of(self, device_id: str) -> Optional[str]:
        """Return the device's name for messages; None for one that is not served."""
        with self.lock:
            device = self.devices.get(device_id)
            return device.entry.shown_name if device is not None else None

    # -- events (the network's thread)

    def handle(self, event: Event, now_s: float) -> bool:
        """Take one event of the LAN client; return whether it was more than a sign of life of a served device."""
        with self.lock:
            device = self.devices.get(event.device_id)
            if device is None:
                return False
            if isinstance(event, Announced):
                if device.announced(event.product_id):
                    self._polling.append((event.device_id, device.polling))
                self._doubt(device, event)
                return False
            if isinstance(event, (Alive, Connected, Status)):
                device.heard(event.at_s)
            if isinstance(event, Alive):
                device.answered(event.at_s)
                return False
            if isinstance(event, Status):
                event = event._replace(dps=without_key(event.dps, device.entry.local_key))
            if self._debug:
                self.journal.say(describe(device.entry.shown_name, event))
            if isinstance(event, Status):
                self._status(device, event)
            elif isinstance(event, Connected):
                device.connected(event)
                self._places.connected(event)
                self.journal.connected(event.device_id, f"{event.address}, protocol {event.version}", now_s)
            elif isinstance(event, Lost):
                error = _with_cure(event.error, device.entry)
                device.lost(error, event.at_s)
                self.journal.failed(event.device_id, error, event.at_s)
            elif isinstance(event, Failed):
                error = _with_cure(event.error, device.entry)
                device.failed(error)
                self.journal.failed(event.device_id, error, event.at_s)
            elif isinstance(event, WriteDone):
                device.command_ended(event.dps, event.error, event.at_s)
                if event.error is not None:
                    self.journal.say(str(event.error), is_error=True)
            for observer in self._observers:
                observer.heard(device, event, now_s)
            return True

    def _doubt(self, device: KnownDevice, event: Announced) -> None:
        """Say where two go by the id of one breaker."""
        if device.is_connected and device.connection is not None:
            doubt = self._places.announced(event, device.connection)
            if doubt:
                self.journal.say(f"{device.entry.shown_name}: {doubt}", is_error=True)

    def _status(self, device: KnownDevice, event: Status) -> None:
        was_recognised = device.is_recognised
        if device.report(event):
            self._polling.append((event.device_id, device.polling))
        name = device.entry.shown_name
        if not was_recognised and device.is_recognised:
            profile = device.profile
            self.journal.say(f"{name}: recognised by its {profile.matched_by} as {profile.name}")
        if device.is_unknown_now():
            why = "this device is not known yet, nothing is shown of it. "
            why += "Please send the output of 'python3 -m tuya report' with its name"
            if device.profile.name == NO_METER:
                why = "this device measures nothing of the mains, nothing is shown of it"
            self.journal.say(f"{name}: {why}", is_error=True)
        if event.full:  # only there V, I and P are of one moment
            for doubt in device.new_doubts():
                self.journal.say(f"{name}: {doubt}")
        for notice in device.notices():
            self.journal.notice(event.device_id, notice)

    # -- commands (the front end's thread)

    def command(self, device_id: str, dps: Dps, now_s: float) -> Dict[int, DpValue]:
        """Return the data points to write for a command. Raises CommandRefused; KeyError if it is not served."""
        with self.lock:
            return self.devices[device_id].command(dps, now_s)

    # -- the log

    def tick(self, now_s: float) -> None:
        """Look at the clock: devices may have stayed away for long enough to say so."""
        with self.lock:
            self.journal.tick(now_s)
            for device in list(self.devices.values()):
                if device.is_silent_now(now_s):
                    why = f"connected, but it has reported nothing for {UNREPORTED_S / 60:.0f} minutes, though asked"
                    cure = "If that stays, switch its power off for ten seconds"
                    self.journal.say(f"{device.entry.shown_name}: {why}. {cure}")

    def take_lines(self) -> Tuple[Line, ...]:
        """Return the lines for the log; each is returned once."""
        with self.lock:
            return self.journal.take()

    def fault(self, text: str) -> None:
        """Keep a fault of this program itself for the log, each text once."""
        with self.lock:
            if text not in self._faults and len(self._faults) < MAX_FAULTS:
                self._faults.add(text)
                self.journal.say(text, is_error=True)

    # -- what survives

    def settle(self, now_s: float) -> None:
        """Serving ends: hold W up to now at each device that owes no answer, its next heartbeat not being due.

        Without it each restart would lose what flowed since the last report, and a row of quick ones nearly
        everything. Longer silence counts for nothing, as ever.
        """
        with self.lock:
            for device in self.devices.values():
                heard_s = device.heard_at_s
                if device.is_connected and heard_s is not None and now_s - heard_s <= HEARTBEAT_INTERVAL_S:
                    device.answered(now_s)

    def energy_to_save(self, now_s: float, is_last: bool = False) -> Optional[Dict[str, Mapping[str, object]]]:
        """Return the state of the totals by device id when it is time to store it, else None.

        It is time now and then, at the end, and soon after an anchor (see EnergyBook.saved) appeared or changed, or
        what another process has counted was added.
        """
        with self.lock:
            states = saved_energy(self.devices.values())
            anchors = {
                device_id: (_anchors(state), dict(self.devices[device_id].hand_over.added_wh))
                for device_id, state in states.items()
            }
            is_time = self._energy_saved_s is None or now_s - self._energy_saved_s >= ENERGY_SAVE_INTERVAL_S
            if not (is_last or is_time or anchors != self._anchors):
                return None
            self._energy_saved_s = now_s
            self._anchors = dict(anchors)
            return states


def saved_energy(devices: Iterable[KnownDevice]) -> Dict[str, Mapping[str, object]]:
    """Return the state of the totals of these devices by id; those of which nothing is known are left out."""
    states = {device.device_id: device.saved_energy() for device in devices}
    return {device_id: state for device_id, state in states.items() if state is not None}


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
