"""A source of devices that only pretends, and the service on it."""

from __future__ import annotations

import queue
import threading
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Tuple

from tests.mqtt.snapshots import DEVICE_ID, breaker
from tuya.mqtt.broker import Broker, Happening
from tuya.mqtt.client import Client
from tuya.mqtt.core import Core
from tuya.mqtt.service import Service
from tuya.mqtt.topics import Topics


class FakeSource:
    """Devices that tell what a test says, and confirm each command at once."""

    def __init__(self, *device_ids: str) -> None:
        self.states: Dict[str, Dict[str, Any]] = {one: breaker(one) for one in device_ids or (DEVICE_ID,)}
        self.commands: List[Tuple[str, Dict[int, Any]]] = []
        self._events: queue.Queue[Dict[str, Any]] = queue.Queue()
        for state in self.states.values():
            self._events.put(state)

    def events(self, seconds: Optional[float]) -> Iterator[Dict[str, Any]]:
        try:
            while True:
                yield self._events.get(timeout=seconds)
        except queue.Empty:
            return

    def state(self, device_id: str) -> Mapping[str, Any]:
        return self.states[device_id]

    def command(self, device_id: str, dps: Mapping[int, Any], asker: str = "") -> int:
        assert asker == "MQTT"
        self.commands.append((device_id, dict(dps)))
        number = len(self.commands)
        result = {"event": "result", "request": number, "id": device_id, "error": None, "message": None}
        self._events.put(result)
        if 1 in dps:
            self.tell(device_id, switch={"1": dps[1]})
        return number

    def tell(self, device_id: str = DEVICE_ID, **readings: Any) -> None:
        state = breaker(device_id, **readings)
        self.states[device_id] = state
        told = {"event": "status", "id": device_id, "dps": {}, "full": False}
        self._events.put({**told, "readings": state["readings"], "totals_wh": state["totals_wh"]})

    def remove(self, device_id: str) -> None:
        del self.states[device_id]
        self._events.put({"event": "removed", "id": device_id})

    def saved_energy(self) -> Mapping[str, Mapping[str, Any]]:
        return {one: {"total/used": [1.0, None, None]} for one in self.states}


class Home:
    """The service of a fake source on a broker, running in a thread."""

    def __init__(
        self,
        port: int,
        source: Optional[FakeSource] = None,
        totals: Optional[Path] = None,
        prefix: str = "homeassistant",
        host: str = "127.0.0.1",
        base: str = "tuya",
        **how: Any,
    ) -> None:
        self.source = source or FakeSource()
        self.said: List[str] = []
        topics = Topics(base)

        def make(happened: Callable[[Happening], None]) -> Client:
            return Client(Broker(host, port, **how), topics, happened, f"tuya-test-{id(self)}")

        self.service = Service(self.source, Core(topics, prefix, "1"), make, self.said.append, topics, prefix, totals)
        self._thread = threading.Thread(target=self.service.run, daemon=True)

    def heard(self, words: str) -> bool:
        return any(words in line for line in list(self.said))

    def __enter__(self) -> Home:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.service.stop()
        self._thread.join(20.0)
        assert not self._thread.is_alive()
