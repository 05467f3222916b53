"""One stream of events for a set of devices, no matter whether they are held here or by another process.

For the command line and MQTT. A device that nobody holds is taken and connected to; else its holder is listened to.
When the holder ends, the device is taken over; when a plugin asks for it, it is given back, and the plugin heard.

    with Source(entries, "watch") as source:
        for told in source.events(10.0):
            print(told)
"""

from __future__ import annotations

import time
from collections import deque
from types import TracebackType
from typing import Any, Callable, Deque, Dict, Iterable, Iterator, List, Mapping, Optional, Tuple, Type

from ..boot_clock import boot_clock_s
from ..devices.device import KnownDevice, Terms
from ..devices.devices_file import DeviceEntry
from ..devices.household import Household, saved_energy
from ..devices.journal import Line
from ..devices.lan_device import device_of
from ..lan.client import Client
from ..lan.device import Polling
from ..lan.errors import Closed, NotConnected, OwnedElsewhere
from ..lan.events import Connected, Event, Failed, Lost, Status
from ..metering.energy import Circuit, totals_of
from ..metering.reading import Channel
from .holding import Holding
from .inbox import Inbox
from .server import Server
from .telling import dps_to_json, error_fields, event_to_json, snapshot, totals_from_json, totals_to_json

STOP_S = 2.0
GIVEN_BACK_S = 2.0  # so long the one who asked has time to take it
GIVEN_AWAY_TOLD_S = (1.0, GIVEN_BACK_S)  # our own listeners hear of it when that one has it, and do not come first
MAX_LINES = 1000  # that nobody has taken
WAKE_S = 1.0  # Ctrl-C is seen at least so often
# In what is saved of a device, besides its totals: those that were heard last, from which we have counted on; and where
# none was ever heard, since when we count, by the time of day.
HEARD, ALONE_SINCE = "heard", "alone_since_s"


class Source:
    """See the module. Events are dicts as `watch --json` prints them (see telling.py), and three more kinds.

    - "snapshot": everything that is known of a device; first for each, and again after a gap or another holder;
    - "result": the end of a command: {"request", "id", "dps", "error", "message"};
    - "removed": the device is served no longer.
    "via" names the holder where another process has the device. owner: what others call this process.
    saved_energy: what saved_energy() returned in an earlier run. waited_s: how long somebody has waited already.
    Raises CodecMissing.
    """

    def __init__(
        self,
        entries: Iterable[DeviceEntry],
        owner: str,
        *,
        discovery: bool = True,
        saved_energy: Optional[Mapping[str, Mapping[str, object]]] = None,
        waited_s: float = 0.0,
        about: Callable[[], Dict[str, Any]] = dict,
        terms: Optional[Terms] = None,
        clock: Callable[[], float] = time.monotonic,
        time_of_day: Callable[[], float] = time.time,
    ) -> None:
        self.owner = owner
        self.household = Household()
        self._clock = clock
        self._time_of_day = time_of_day
        self._terms = terms or Terms()
        self._saved = dict(saved_energy or {})
        self._entries: Dict[str, DeviceEntry] = {}
        self._heard_totals_wh: Dict[str, Dict[Circuit, float]] = {}  # of devices that others hold, or held
        self._base_wh: Dict[str, Dict[Circuit, float]] = {}  # as holders told it last: we have counted on from there
        self._alone_since_s: Dict[str, float] = {}  # devices that nobody has told a total of: the time of day
        self._inbox = Inbox(self.state)
        self._request = 0
        self._lines: Deque[Line] = deque(maxlen=MAX_LINES)
        self._given: Dict[str, float] = {}  # devices that a plugin asked for -> until when they are left alone
        self._server = Server(self.household, owner, about, give_back=self._give_back)
        self._holding = Holding(self._server, owner, self._heard_elsewhere, self._own_again, self._counted, clock)
        self._client = Client(
            [], self._sink, owner=owner, discovery=discovery, clock=clock, waited_s=waited_s, guest=self._holding
        )
        self._server.access = self._client
        self._holding.client = self._client
        self.household.observe(self)
        self.set_entries(entries)

    # -- life

    def start(self) -> None:
        """Begin. Raises OSError without file descriptors."""
        self._client.start()

    def stop(self, timeout_s: float = STOP_S) -> bool:
        """End: what is held becomes free. Return whether the thread has ended in time."""
        self.household.settle(self._clock())
        return self._client.stop(timeout_s)

    def __enter__(self) -> Source:
        self.start()
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.stop()

    @property
    def problems(self) -> Tuple[str, ...]:
        """What does not work on this machine (a UDP port that cannot be bound), in words."""
        return self._client.problems

    def go_on_from(self, saved: Mapping[str, Mapping[str, object]]) -> None:
        """Take these totals for devices that are not followed now: another process has counted meanwhile."""
        with self.household.lock:
            for device_id, state in saved.items():
                if device_id not in self._entries:
                    self._saved[device_id] = state
                    self._heard_totals_wh.pop(device_id, None)

    def set_entries(self, entries: Iterable[DeviceEntry]) -> None:
        """Follow exactly these devices from now on; what is known of those that stay goes on."""
        wanted = {entry.device_id: entry for entry in entries}
        now_s = self._clock()
        changed = []
        with self.household.lock:
            gone = [one for one in self._entries if one not in wanted]
            if gone:
                self.household.settle(now_s)
                kept = self.saved_energy()
                self._saved.update({one: kept[one] for one in gone if one in kept})  # for when they come back
            for device_id in gone:
                del self._entries[device_id]
                self.household.drop(device_id)
                self._holding.forget(device_id)
                self._inbox.put({"event": "removed", "id": device_id})
            for device_id, entry in wanted.items():
                device = self.household.devices.get(device_id)
                if device is None:
                    self._entries[device_id] = entry
                    self.household.serve(self._new_device(entry), now_s)
                elif device.entry != entry:
                    self._entries[device_id] = entry
                    device.reconfigure(entry)
                    self.household.reconfigured(device, now_s)
                    changed.append(device_id)
        for device_id in changed:
            self._inbox.put(self.state(device_id))
        self._set_devices()
        self._pass_polling()

    def _set_devices(self) -> None:
        now_s = self._clock()
        kept = [entry for entry in self._entries.values() if self._given.get(entry.device_id, 0.0) <= now_s]
        self._client.set_devices([device_of(entry) for entry in kept])

    def _new_device(self, entry: DeviceEntry) -> KnownDevice:
        device_id = entry.device_id

        def shown_wh(_channels: Iterable[Channel]) -> Mapping[Circuit, float]:
            return self._heard_totals_wh.get(device_id, {})

        saved = self._saved.get(device_id)
        if saved is not None:
            self._restore_base(device_id, saved)
        elif device_id not in self._heard_totals_wh:
            self._alone_since_s.setdefault(device_id, self._time_of_day())
        return KnownDevice(entry, terms=self._terms, shown_wh=shown_wh, saved=saved, known_at_s=self._clock())

    def _restore_base(self, device_id: str, saved: Mapping[str, Any]) -> None:
        """Take from what was saved on which total we have counted on; where that is not known, on what was saved."""
        since_s, heard = saved.get(ALONE_SINCE), saved.get(HEARD)
        self._alone_since_s.pop(device_id, None)
        self._base_wh.pop(device_id, None)
        if isinstance(since_s, (int, float)):
            self._alone_since_s[device_id] = since_s
        else:
            self._base_wh[device_id] = totals_of(heard if isinstance(heard, dict) else saved)

    # -- events

    def next(self, timeout_s: float) -> Optional[Dict[str, Any]]:
        """Return the next event; None when none has come for so long."""
        return self._inbox.next(timeout_s)

    def take_lines(self) -> List[Line]:
        """Return what a log should have of it since the last call (the newest lines only): who asked, faults."""
        self.household.tick(self._clock())
        self._lines.extend(self.household.take_lines())
        lines: List[Line] = []
        while self._lines:
            lines.append(self._lines.popleft())
        return lines

    def events(self, seconds: Optional[float]) -> Iterator[Dict[str, Any]]:
        """Yield events as they come, for so long (None: until interrupted)."""
        until_s = None if seconds is None else time.monotonic() + seconds
        while True:
            left_s = WAKE_S if until_s is None else until_s - time.monotonic()
            if left_s <= 0.0:
                return
            told = self.next(min(left_s, WAKE_S))
            if told is not None:
                yield told

    def state(self, device_id: str) -> Dict[str, Any]:
        """Return everything that is known of a device, as in its "snapshot" event. KeyError for one not followed."""
        elsewhere = self._holding.state(device_id)
        if elsewhere is not None:
            return elsewhere
        with self.household.lock:
            return snapshot(self.household.devices[device_id], self._clock())

    def saved_energy(self) -> Dict[str, Mapping[str, object]]:
        """Return the state of all totals, to be given to the next run; JSON-able."""
        with self.household.lock:
            states = {**self._saved, **saved_energy(self.household.devices.values())}
            for device_id, totals_wh in self._heard_totals_wh.items():
                # also of one whose holder has ended a moment ago, and of which nothing was heard here yet
                if device_id not in states or self._holding.state(device_id) is not None:
                    states[device_id] = _state_of(totals_wh)
            for device_id in states.keys() & self._base_wh.keys():
                states[device_id] = {**states[device_id], HEARD: _state_of(self._base_wh[device_id])}
            for device_id in states.keys() & self._alone_since_s.keys():
                states[device_id] = {**states[device_id], ALONE_SINCE: self._alone_since_s[device_id]}
        return states

    def _counted(self, device_id: str) -> Optional[Dict[str, Any]]:
        """What the holder of a device is told before it is listened to: it may have been away while we counted."""
        with self.household.lock:
            device = self.household.devices.get(device_id)
            totals_wh = totals_of(self._saved.get(device_id, {}))
            totals_wh.update(self._heard_totals_wh.get(device_id, {}))
            if device is not None:
                totals_wh.update(device.totals_wh(self._clock()))
            if not totals_wh:
                return None
            told: Dict[str, Any] = {"totals_wh": totals_to_json(totals_wh)}
            if device_id in self._base_wh:
                told["heard_wh"] = totals_to_json(self._base_wh[device_id])
            since_s = self._alone_since_s.get(device_id)
            # what others have counted before us is in it: then it does not begin at 0
            if since_s is not None and not (device is not None and device.hand_over.added_wh):
                told["alone_s"] = max(0.0, self._time_of_day() - since_s)
            return told

    # -- asking

    def command(self, device_id: str, dps: Mapping[int, Any], asker: str = "") -> int:
        """Write data points of a device, once or not at all; return the number of its "result" event.

        asker: for the log of whoever holds the device.
        """
        return self._ask("command", device_id, {"id": device_id, "dps": dps_to_json(dps)}, asker)

    def set_threshold(self, device_id: str, name: str, value: int, trips: Optional[bool], asker: str = "") -> int:
        """Change one protection threshold, once or not at all; return the number of its "result" event."""
        words = {"id": device_id, "name": name, "value": value, "trips": trips}
        return self._ask("threshold", device_id, words, asker)

    def _ask(self, kind: str, device_id: str, words: Dict[str, Any], asker: str) -> int:
        self._request += 1
        request = {
            kind: words,
            "request": self._request,
            "asked_at_s": self._clock(),
            "asked_running_s": boot_clock_s(),
        }
        dps = words.get("dps", {})

        def work(now_s: float) -> None:
            if not self._holding.pass_on(device_id, request, self):
                self._server.take_command(self, request, asker or self.owner, now_s)

        if not self._holding.do(work):
            error = NotConnected("", "the connection to the devices is stopped", "Nothing was sent")
            self.answer(
                {"event": "result", "request": self._request, "id": device_id, "dps": dps, **error_fields(error)}
            )
        return self._request

    def answer(self, told: Dict[str, Any]) -> None:
        """Take the result of a command."""
        self._inbox.put(told)

    def query(self, device_id: str, dps: Iterable[int] = ()) -> None:
        """Have a device asked for everything soon, and for these data points too."""
        words = {"id": device_id, "dps": list(dps)}

        def work(now_s: float) -> None:
            if not self._holding.pass_on(device_id, {"query": words}, None):
                self._server.take_query(words, now_s)

        self._holding.do(work)

    # -- devices that are held here (network thread)

    def _sink(self, event: Event) -> None:
        self.household.handle(event, self._clock())
        self._pass_polling()

    def _pass_polling(self) -> None:
        polling: List[Tuple[str, Polling]] = self.household.take_polling()
        for device_id, how in polling:
            self._client.set_polling(device_id, how)
        self._lines.extend(self.household.take_lines())

    def served(self, device: KnownDevice, now_s: float) -> None:
        """A device is followed from now on: the household's observer."""
        self._inbox.put(snapshot(device, now_s))

    def dropped(self, device: KnownDevice) -> None:
        """A device is followed no longer, or begins anew because its holder is another one."""

    def heard(self, device: KnownDevice, event: Event, now_s: float) -> None:  # noqa: ARG002 - the observer's form
        """A device that is held here told something."""
        if isinstance(event, (Connected, Status, Lost, Failed)):
            told = event_to_json(device, event)
            if told is not None:
                self._inbox.put(told)

    # -- devices that are held elsewhere (network thread)

    def _heard_elsewhere(self, told: Dict[str, Any]) -> None:
        device_id = told["id"]
        totals = told.get("totals_wh")
        if totals:  # the holder's totals are the totals; one that has none yet takes nothing away
            with self.household.lock:
                self._heard_totals_wh[device_id] = self._base_wh[device_id] = totals_from_json(totals)
                self._saved.pop(device_id, None)
                self._alone_since_s.pop(device_id, None)
                device = self.household.devices.get(device_id)
                if device is not None and device.saved_energy() is not None:
                    self._begin_anew(device)
        self._inbox.put(told)

    def _begin_anew(self, device: KnownDevice) -> None:
        """Forget our own totals of a device: they go on from its holder's when it is taken over."""
        fresh = self._new_device(device.entry)
        self.household.devices[device.device_id] = fresh

    def _own_again(self, device_id: str, via: str) -> None:
        """The holder of a device has ended."""
        device = self.household.devices.get(device_id)
        if device is not None:
            error = Closed(device.entry.shown_name, f"{via} has ended, the device is taken over")
            self._inbox.put({"event": "lost", "id": device_id, **error_fields(error)})

    def _give_back(self, ids: List[str], name: str, now_s: float) -> None:
        """A plugin wants these devices: leave them alone until it has them, then listen to it."""
        given = [one for one in ids if one in self._entries and self._holding.state(one) is None]
        for device_id in given:
            self._given[device_id] = now_s + GIVEN_BACK_S
            with self.household.lock:
                device = self.household.devices.get(device_id)
                if device is not None:
                    device.answered(now_s)
                    self._heard_totals_wh[device_id] = dict(device.totals_wh(now_s))
                    device.is_connected = False
                    error = OwnedElsewhere(device.entry.shown_name, f"is given back to {name}")
                    self._inbox.put({"event": "lost", "id": device_id, **error_fields(error)})
        if not given:
            return
        self._set_devices()
        self._holding.later(now_s + GIVEN_BACK_S, self._set_devices)

        def tell_listeners() -> None:
            for device_id in given:
                self._server.given_away(device_id)

        for wait_s in GIVEN_AWAY_TOLD_S:
            self._holding.later(now_s + wait_s, tell_listeners)


def _state_of(totals_wh: Mapping[Circuit, float]) -> Dict[str, object]:
    """Return totals as EnergyBook.saved() has them, of circuits without a counter."""
    return {f"{channel}/{way}": [energy_wh, None, None] for (channel, way), energy_wh in totals_wh.items()}
