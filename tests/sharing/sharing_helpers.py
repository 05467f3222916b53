"""Owners and listeners of the tests of sharing."""

from __future__ import annotations

import json
import socket
import time
from typing import Any, Callable, Dict, List, Optional

from tuya.devices.devices_file import DeviceEntry, parse_devices
from tuya.lan.locks import device_lock
from tuya.sharing import place
from tuya.sharing.source import Source


def entries_of(fleet: Any, **changes: Any) -> List[DeviceEntry]:
    """The entries of a simulated fleet."""
    return list(parse_devices(json.dumps([{**entry, **changes} for entry in fleet.devices()])).entries)


def until(source: Source, fits: Callable[[Dict[str, Any]], bool], seconds: float = 15.0) -> Dict[str, Any]:
    """The first event that fits."""
    seen: List[str] = []
    for told in source.events(seconds):
        if fits(told):
            return told
        seen.append(f"{told['event']} {told.get('error') or ''} {told.get('via', '')}")
    raise AssertionError(f"it did not come within {seconds} s; seen: {seen[-20:]}")


def is_event(kind: str, **words: Any) -> Callable[[Dict[str, Any]], bool]:
    """Whether an event is of this kind and says this."""
    return lambda told: told["event"] == kind and all(told.get(name) == value for name, value in words.items())


def share_of(device_id: str) -> str:
    """Where the owner of a device is heard."""
    state = device_lock.ask(device_id)
    assert state is not None
    return state.share


class RawListener:
    """A listener that speaks for itself, bytes in and out."""

    def __init__(self, device_id: str) -> None:
        found = place.connect(share_of(device_id))
        assert found is not None
        self.socket = found
        self.socket.setblocking(True)
        self._data = b""

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def ask(self, **request: Any) -> None:
        self.send(json.dumps(request).encode() + b"\n")

    def line(self, seconds: float = 10.0) -> Optional[Dict[str, Any]]:
        """The next line; None at the end of the connection."""
        self.socket.settimeout(seconds)
        while b"\n" not in self._data:
            try:
                data = self.socket.recv(65536)
            except ConnectionError:
                return None
            if not data:
                return None
            self._data += data
        line, _, self._data = self._data.partition(b"\n")
        told: Dict[str, Any] = json.loads(line)
        return told

    def wait(self, kind: str, seconds: float = 10.0) -> Dict[str, Any]:
        until_s = time.monotonic() + seconds
        while time.monotonic() < until_s:
            told = self.line(seconds)
            assert told is not None, "the owner has closed the connection"
            if told["event"] == kind:
                return told
        raise AssertionError(f"no {kind}")

    def is_closed(self, seconds: float = 10.0) -> bool:
        """Whether the owner closes the connection."""
        self.socket.settimeout(seconds)
        try:
            while self.socket.recv(65536):
                pass
        except socket.timeout:
            return False
        except ConnectionError:
            pass
        return True

    def close(self) -> None:
        self.socket.close()
