"""Stand-ins of this room's tests: DomoticzEx as a module object, and the LAN client without a network."""

# ruff: noqa: N802 - the names are Domoticz's

from __future__ import annotations

import threading
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

from tuya.devices.devices_file import DeviceEntry, parse_devices
from tuya.lan.device import Device, Polling
from tuya.lan.errors import TuyaError
from tuya.lan.events import Alive, Connected, Failed, Lost, Status, WriteDone

SY1 = "jdj6ccklup7btq3a"
KEY = "k3y-Of_A,breaker"
DEVICE_ID = "bf0123456789abcdefgh"
# a real dump of the first target (3.4): 0.302 A, 41.2 W, 241.2 V
SY1_DPS: Dict[int, Any] = {
    1: True,
    9: 0,
    17: 100,
    18: 302,
    19: 412,
    20: 2412,
    21: 1,
    26: 0,
    38: "on",
    40: "relay",
    41: False,
    42: "",
    66: "online",
}


class Clock:
    """A clock that tests set."""

    def __init__(self, now_s: float = 1000.0) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s


def entry(device_id: str = DEVICE_ID, **changes: Any) -> DeviceEntry:
    import json

    raw = {"name": "Kitchen", "id": device_id, "key": KEY, "product_id": SY1, "category": "dlq", **changes}
    return parse_devices(json.dumps([raw])).entries[0]


class FakeUnit:
    """DomoticzEx.Unit, as far as the plugin uses it."""

    def __init__(self, domoticz: FakeDomoticz, **words: Any) -> None:
        self._domoticz = domoticz
        self.words = words
        self.nValue = 0
        self.sValue = ""
        self.Name = words["Name"]
        self.LastUpdate = ""
        self._stored = (0, "")

    def Create(self) -> None:
        domoticz = self._domoticz
        self._stored = (self.nValue, self.sValue)
        if not domoticz.accepts_new:
            domoticz.lines.append(("error", "Unit creation failed, Domoticz settings prevent accepting new devices."))
            return
        assert domoticz.plugin_thread == threading.current_thread(), "only the plugin's thread creates"
        device = domoticz.devices.setdefault(self.words["DeviceID"], FakeDevice())
        device.Units[self.words["Unit"]] = self
        domoticz.created.append((self.words["DeviceID"], self.words["Unit"], self.nValue, self.sValue))

    def Update(self) -> None:
        domoticz = self._domoticz
        if domoticz.hold is not None:
            domoticz.in_update.set()
            domoticz.hold.wait()
        domoticz.updates.append((self.words["DeviceID"], self.words["Unit"], self.nValue, self.sValue))
        if not domoticz.is_locked:
            domoticz.moment += 1
            self.LastUpdate = f"moment {domoticz.moment}"
            self._stored = (self.nValue, self.sValue)
        elif not domoticz.is_old:  # Update() ends with a look into the database
            self.nValue, self.sValue = self._stored
        domoticz.threads.add(threading.current_thread().name)

    def Refresh(self) -> None:
        self._domoticz.refreshed += 1
        self.nValue, self.sValue = self._stored

    def Delete(self) -> None:
        self._domoticz.deleted.append((self.words["DeviceID"], self.words["Unit"]))


class FakeDevice:
    """DomoticzEx.Device."""

    def __init__(self) -> None:
        self.Units: Dict[int, FakeUnit] = {}
        self.TimedOut = 0


class FakeDomoticz:
    """The module DomoticzEx together with what the framework puts into plugin.py's globals."""

    def __init__(self, version: str = "2025.1 (build 16785)", **parameters: str) -> None:
        self.devices: Dict[str, FakeDevice] = {}
        self.accepts_new = True
        self.says_settings = True
        self.announces = True  # what is accepted stands in the settings ("for 5 minutes" does not)
        self.lines: List[Tuple[str, str]] = []
        self.created: List[Tuple[str, int, int, str]] = []
        self.updates: List[Tuple[str, int, int, str]] = []
        self.deleted: List[Tuple[str, int]] = []
        self.refreshed = 0
        self.threads: set[str] = set()
        self.hold: Optional[threading.Event] = None
        self.moment = 0
        self.is_old = version < "2024"  # there an Update that was not stored leaves the object as the plugin made it
        self.is_locked = False  # its database: it stores nothing, and says nothing of that
        self.in_update = threading.Event()
        self.configuration: Dict[str, str] = {}
        self.heartbeat_s = 10
        self.plugin_thread = threading.current_thread()
        self.parameters = {"HardwareID": 2, "Name": "Breakers", "DomoticzVersion": version, **parameters}

    @property
    def namespace(self) -> Mapping[str, Any]:
        fake = self

        class Namespace(Dict[str, Any]):
            def get(self, name: str, default: Any = None) -> Any:
                if name == "Settings" and fake.says_settings:
                    return {"AcceptNewHardware": "1" if fake.accepts_new and fake.announces else "0"}
                return {"Parameters": fake.parameters, "Devices": fake.devices}.get(name, default)

        return Namespace()

    def Unit(self, **words: Any) -> FakeUnit:
        return FakeUnit(self, **words)

    def Heartbeat(self, seconds: int) -> None:
        self.heartbeat_s = seconds

    def Log(self, text: str) -> None:
        self.lines.append(("log", text))

    def Status(self, text: str) -> None:
        self.lines.append(("status", text))

    def Error(self, text: str) -> None:
        self.lines.append(("error", text))

    def Configuration(self, configuration: Optional[Dict[str, str]] = None) -> Dict[str, str]:
        if configuration is not None:
            assert not any(sign in text for text in configuration.values() for sign in '"\\')
            self.configuration = dict(configuration)
        return dict(self.configuration)

    # what tests ask and do

    def shown(self, device_id: str = DEVICE_ID) -> Dict[int, str]:
        """What each unit of a device shows."""
        return {unit: found.sValue for unit, found in self.devices[device_id].Units.items()}

    def texts(self, level: str) -> List[str]:
        return [text for kind, text in self.lines if kind == level]


class FakeClient:
    """tuya.lan.client.Client without a network: tests send the events."""

    def __init__(self, devices: Any, sink: Callable[[Any], None], *, owner: str, clock: Clock, guest: Any) -> None:
        self.guest = guest
        self.sink = sink
        self.owner = owner
        self.clock = clock
        self.devices: Dict[str, Device] = {}
        self.polling: Dict[str, Polling] = {}
        self.commands: List[Tuple[str, Dict[int, Any]]] = []
        self.problems: Tuple[str, ...] = ()
        self.starts = 0
        self.is_running = False
        self.stop_result = True

    def start(self) -> None:
        self.starts += 1
        self.is_running = True

    def stop(self, timeout_s: float) -> bool:
        self.is_running = False
        return self.stop_result

    def is_alive(self) -> bool:
        return self.is_running

    def set_devices(self, devices: Any) -> None:
        self.devices = {device.device_id: device for device in devices}

    def set_polling(self, device_id: str, polling: Polling) -> None:
        self.polling[device_id] = polling

    def write(self, device_id: str, dps: Mapping[int, Any], *, asked_s: Optional[float] = None) -> None:
        self.commands.append((device_id, dict(dps)))

    def wake(self) -> None:
        pass

    # what a breaker does

    def connect(self, device_id: str = DEVICE_ID, dps: Optional[Mapping[int, Any]] = None) -> None:
        self.sink(Connected(device_id, self.clock(), "192.168.1.20", 6668, "3.4"))
        self.report(SY1_DPS if dps is None else dps, device_id, full=True)

    def report(self, dps: Mapping[int, Any], device_id: str = DEVICE_ID, full: bool = False) -> None:
        self.sink(Status(device_id, self.clock(), dict(dps), full))

    def alive(self, device_id: str = DEVICE_ID) -> None:
        self.sink(Alive(device_id, self.clock()))

    def lose(self, error: TuyaError, device_id: str = DEVICE_ID) -> None:
        self.sink(Lost(device_id, self.clock(), error))

    def fail(self, error: TuyaError, device_id: str = DEVICE_ID) -> None:
        self.sink(Failed(device_id, self.clock(), error))

    def done(self, dps: Mapping[int, Any], error: Optional[TuyaError], device_id: str = DEVICE_ID) -> None:
        self.sink(WriteDone(device_id, self.clock(), dict(dps), error))
