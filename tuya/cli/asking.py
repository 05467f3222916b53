"""One device asked for its data points from the command line: connect, or hear its holder; gather, write, read back."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any, Callable, Dict, Mapping, Optional, Type

from tuya.devices.devices_file import DeviceEntry
from tuya.lan.device import Polling
from tuya.lan.errors import NotConfirmed, TuyaError, Unreachable
from tuya.metering.decode import numbered
from tuya.sharing.source import Source
from tuya.sharing.telling import error_from_json

POLL_S = 0.2


class Asking:
    """A way to one device for the length of a command. `dps`: the last value of each data point heard of.

    version and address: as found; None before the device has answered. via: who holds the device, "" if this process
    does. discovery: listen to announcements, which is of no use where the user gave the address.
    """

    def __init__(self, entry: DeviceEntry, owner: str, discovery: bool = True) -> None:
        self.dps: Dict[int, Any] = {}
        self.version: Optional[str] = None
        self.address: Optional[str] = None
        self.error: Optional[TuyaError] = None
        self.via = ""
        self._id = entry.device_id
        self._name = entry.shown_name
        self._owner = owner
        self._source = Source([entry], owner, discovery=discovery)

    def __enter__(self) -> Asking:
        self._source.start()
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self._source.stop()

    def refresh(self, polling: Polling) -> None:
        """Have the device asked this way for a short time, and for everything, as soon as it may be asked."""
        self._source.query(self._id, sorted({*polling.refresh_dps, *polling.query_dps, *polling.later_dps}))

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
        """Write controls once. Return None when the device confirmed them, else why not."""
        return self._result(self._source.command(self._id, dps, self._owner), seconds)

    def write_threshold(self, name: str, value: int, trips: Optional[bool], seconds: float) -> Optional[TuyaError]:
        """Write one threshold once. Return None when the device confirmed it, else why not."""
        return self._result(self._source.set_threshold(self._id, name, value, trips, self._owner), seconds)

    def _result(self, number: int, seconds: float) -> Optional[TuyaError]:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            told = self._take(POLL_S)
            if told is not None and told["event"] == "result" and told.get("request") == number:
                return error_from_json(told)
        return NotConfirmed(self._name, f"no confirmation within {seconds:g} s")

    def _take(self, seconds: float) -> Optional[Dict[str, Any]]:
        told = self._source.next(seconds)
        if told is None:
            return None
        kind = told["event"]
        if kind in ("snapshot", "connected", "status", "lost", "error"):
            self.via = told.get("via", "")
        if kind == "connected" or (kind == "snapshot" and told["connected"]):
            self.version, self.address = told["version"], told["address"]
        if kind in ("snapshot", "status"):
            self.dps.update(numbered(told["dps"]))
        if kind in ("snapshot", "lost", "error"):
            self.error = error_from_json(told) or self.error
        return told
