"""One device asked for its data points from the command line: connect, gather, write, read back. Knows no meaning."""

from __future__ import annotations

import queue
import time
from types import TracebackType
from typing import Any, Callable, Dict, Mapping, Optional, Type

from tuya.devices.devices_file import DeviceEntry
from tuya.devices.lan_device import device_of
from tuya.lan.client import Client, Polling
from tuya.lan.errors import NotConfirmed, TuyaError, Unreachable
from tuya.lan.events import Connected, Event, Failed, Lost, Status, WriteDone

POLL_S = 0.2
STOP_S = 2.0


class Asking:
    """A connection to one device for the length of a command. `dps`: the last value of each data point heard of.

    version and address: as found; None before the device has answered. discovery: listen to announcements, which is
    of no use where the user gave the address.
    """

    def __init__(self, entry: DeviceEntry, owner: str, discovery: bool = True) -> None:
        self.dps: Dict[int, Any] = {}
        self.version: Optional[str] = None
        self.address: Optional[str] = None
        self.error: Optional[TuyaError] = None
        self._id = entry.device_id
        self._name = entry.shown_name
        self._events: queue.Queue[Event] = queue.Queue()
        self._client = Client([device_of(entry)], self._events.put, owner=owner, discovery=discovery)

    def __enter__(self) -> Asking:
        self._client.start()
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self._client.stop(STOP_S)

    def refresh(self, polling: Polling) -> None:
        """Have the device asked this way from now on, and for everything at once."""
        self._client.set_polling(self._id, polling)
        self._client.query(self._id)

    def wait(self, enough: Callable[[], bool], seconds: float) -> bool:
        """Listen until `enough` says so. False when `seconds` went by first.

        Raises the TuyaError of a device that cannot be connected to, once the time is over.
        """
        deadline = time.monotonic() + seconds
        while not enough():
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                if self.version is None:
                    raise self.error or Unreachable(self._name, f"no answer within {seconds:g} s")
                return False
            self._take(min(left_s, POLL_S))
        return True

    def write(self, dps: Mapping[int, Any], seconds: float) -> Optional[TuyaError]:
        """Write data points once. Return None when the device confirmed them, else why not."""
        self._client.write(self._id, dps)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            event = self._take(POLL_S)
            if isinstance(event, WriteDone):
                return event.error
        return NotConfirmed(self._name, f"no confirmation within {seconds:g} s")

    def _take(self, seconds: float) -> Optional[Event]:
        try:
            event = self._events.get(timeout=seconds)
        except queue.Empty:
            return None
        if isinstance(event, Connected):
            self.version, self.address = event.version, event.address
        elif isinstance(event, Status):
            self.dps.update(event.dps)
        elif isinstance(event, (Lost, Failed)):
            self.error = event.error
        return event
