"""What the commands that talk to devices share: entries to devices, events to JSON, a client with a queue.

Knows no protocol. Used by watch, set and whoever needs the present DPs of a device.
"""

from __future__ import annotations

import os
import queue
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Optional, Type

from tuya.devices.devices_file import DeviceEntry
from tuya.devices.lan_device import device_of
from tuya.lan.client import Client, Polling
from tuya.lan.errors import TuyaError
from tuya.lan.events import Announced, Connected, DpValue, Event, Failed, Lost, Status
from tuya.metering.decode import reading_to_json
from tuya.metering.profile import Profile, match

MAX_KNOWN_DPS = 1024
OWNER = "the command line"
MAX_WAITED_S = 1.5  # more than this of a slow start is not taken off the time in which a device may answer


def process_age_s() -> float:
    """Seconds since this process began (0 where that is not known): its user has waited for so long."""
    try:
        # field 22 of /proc/self/stat, counted behind the name in brackets: start in clock ticks since the boot
        ticks = int(
            Path("/proc/self/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[19]
        )
        age_s = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, AttributeError):
        return 0.0
    return max(0.0, age_s)


class Known:
    """Everything that one device has reported so far, and the profile that fits it."""

    def __init__(self, entry: DeviceEntry) -> None:
        self.entry = entry
        self._description: Dict[str, Any] = dict(entry.raw)
        self.dps: Dict[int, DpValue] = {}
        self.profile: Optional[Profile] = None

    def announced(self, product_id: str) -> None:
        """The device names its product itself: of use where it is in no file."""
        if product_id and not self.entry.product_id and self._description.get("product_id") != product_id:
            self._description["product_id"] = product_id
            self.profile = None

    def report(self, dps: Mapping[int, DpValue]) -> bool:
        """Data points of one frame. Returns whether the profile was chosen anew, for there are new ones."""
        news = dps.keys() - self.dps.keys()
        self.dps.update({dp: value for dp, value in dps.items() if dp not in news or len(self.dps) < MAX_KNOWN_DPS})
        if news or self.profile is None:
            self.profile = match(self._description, self.dps)
            return True
        return False

    def readings(self) -> Dict[str, Any]:
        """What everything that is known means, as the JSON object of `decode`."""
        profile = self.profile or match(self._description, self.dps)
        return reading_to_json(profile.decode(self.dps), profile)

    def polling(self) -> Polling:
        """How the profile wants the device to be asked."""
        profile = self.profile
        if profile is None:
            return Polling()
        later = () if self.entry.wishes.switch == "refused" else profile.later_dps
        return Polling(refresh_dps=profile.refresh_dps, query_dps=profile.query_dps, later_dps=later)


class Following:
    """A running client for some devices, as a context manager. Raises CodecMissing."""

    def __init__(self, entries: Iterable[DeviceEntry]) -> None:
        self.known: Dict[str, Known] = {entry.device_id: Known(entry) for entry in entries}
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        devices = [device_of(known.entry) for known in self.known.values()]
        self.client = Client(devices, self._events.put, owner=OWNER, waited_s=min(process_age_s(), MAX_WAITED_S))

    def __enter__(self) -> Following:
        self.client.start()
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.client.stop(2.0)

    def events(self, seconds: Optional[float]) -> Iterator[Event]:
        """Events of these devices as they come, for so long (None: until interrupted)."""
        until_s = None if seconds is None else time.monotonic() + seconds
        while True:
            left_s = 1.0 if until_s is None else until_s - time.monotonic()
            if left_s <= 0.0:
                return
            try:
                event = self._events.get(timeout=min(left_s, 1.0))
            except queue.Empty:
                continue
            known = self.known.get(event.device_id)
            if known is None:
                continue
            if isinstance(event, Announced):
                known.announced(event.product_id)
            if isinstance(event, Status) and known.report(event.dps):
                self.client.set_polling(event.device_id, known.polling())
            yield event

    def connected(self) -> List[str]:
        """Ids of the devices that are connected now."""
        return [device_id for device_id, state in self.client.snapshot().items() if state.connected]


def error_fields(error: TuyaError) -> Dict[str, Any]:
    """Class and text of an error."""
    return {"error": type(error).__name__, "message": str(error)}


def event_to_json(event: Event, known: Known) -> Optional[Dict[str, Any]]:
    """One event as the JSON object of `watch`, None for what it does not tell."""
    if isinstance(event, Connected):
        place = {"address": event.address, "port": event.port, "version": event.version}
        return {"event": "connected", "id": event.device_id, **place}
    if isinstance(event, Status):
        dps = {str(dp): value for dp, value in sorted(event.dps.items())}
        return {"event": "status", "id": event.device_id, "dps": dps, "readings": known.readings()}
    if isinstance(event, Lost):
        return {"event": "lost", "id": event.device_id, **error_fields(event.error)}
    if isinstance(event, Failed):
        return {"event": "error", "id": event.device_id, **error_fields(event.error)}
    return None
