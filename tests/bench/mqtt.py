"""What MQTT costs: CPU and memory of the service for many devices that push once a second, through to a broker.

    python tests/bench/mqtt.py [20 200 2000]

The source only pretends (the cost of devices is lan.py's to measure); broker, connection and topics are real. Each push
changes W beyond its deadband, and the kWh: the worst case for the pace of publications. The cost of making the pushes
is measured by itself and taken off.
"""

from __future__ import annotations

import queue
import resource
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Optional

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.mqtt.brokers import Friend, mosquitto
from tests.mqtt.snapshots import breaker
from tuya.mqtt.broker import Broker
from tuya.mqtt.client import Client
from tuya.mqtt.core import Core
from tuya.mqtt.service import Service
from tuya.mqtt.topics import Topics

SECONDS = 20.0


class Pushing:
    """Devices that push once a second each, spread over the second."""

    def __init__(self, count: int) -> None:
        self.states: Dict[str, Dict[str, Any]] = {f"device{n}": breaker(f"device{n}") for n in range(count)}
        self.pushes = 0
        self.making_s = 0.0  # CPU
        self._first: queue.Queue[Dict[str, Any]] = queue.Queue()
        for state in self.states.values():
            self._first.put(state)
        self._round = 0
        self._ids = list(self.states)
        self._due_s = time.monotonic() + 1.0

    def events(self, seconds: Optional[float]) -> Iterator[Dict[str, Any]]:
        until_s = time.monotonic() + (seconds or 1.0)
        while not self._first.empty():
            yield self._first.get()
        while time.monotonic() < until_s:
            wait_s = self._due_s - time.monotonic()
            if wait_s > 0:
                time.sleep(min(wait_s, 0.05))
                continue
            self._due_s += 1.0 / len(self._ids)
            began_s = time.thread_time()
            event = self._push(self._ids[self.pushes % len(self._ids)])
            self.making_s += time.thread_time() - began_s
            yield event

    def _push(self, device_id: str) -> Dict[str, Any]:
        self.pushes += 1
        second = self.pushes // len(self._ids)
        readings = {**self.states[device_id]["readings"], "power_w": {"1": 400 + second % 7 * 50}}
        totals = {"total": {"used": 1000.0 + second * 0.1}}
        told = {"event": "status", "id": device_id, "dps": {"19": 4000}, "full": False}
        return {**told, "readings": readings, "totals_wh": totals}

    def state(self, device_id: str) -> Mapping[str, Any]:
        return self.states[device_id]

    def command(self, device_id: str, dps: Mapping[int, Any], asker: str = "") -> int:
        return 0

    def saved_energy(self) -> Mapping[str, Mapping[str, Any]]:
        return {}


def measure(count: int) -> None:
    """Print one row."""
    source = Pushing(count)
    topics = Topics("tuya")
    said: List[str] = []
    with tempfile.TemporaryDirectory() as folder, mosquitto(Path(folder)) as broker:

        def make(happened: Any) -> Client:
            return Client(Broker("127.0.0.1", broker.port), topics, happened, "bench")

        service = Service(source, Core(topics, "homeassistant", "1"), make, said.append, topics, "homeassistant")
        thread = threading.Thread(target=service.run, daemon=True)
        thread.start()
        time.sleep(5.0 + count / 60)  # discovery is out
        cpu_s, making_s, pushes, began_s = time.process_time(), source.making_s, source.pushes, time.monotonic()
        time.sleep(SECONDS)
        took_s = time.monotonic() - began_s
        cpu_s = time.process_time() - cpu_s - (source.making_s - making_s)
        pushes = source.pushes - pushes
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        with Friend(broker.port, topics="tuya/+/state") as friend:
            time.sleep(1.0 + count / 1000)
            states = len(friend.newest)
        service.stop()
        thread.join(20.0)
    print(
        f"{count:5} devices: {pushes / took_s:6.0f} pushes/s, {100 * cpu_s / took_s:5.1f} % of one core "
        f"({1e6 * cpu_s / max(pushes, 1):4.0f} us a push), peak {peak_mb:4.0f} MB, {states} states at the broker"
        + (f"; {said[1:]}" if len(said) > 1 else "")
    )


def main() -> None:
    """One row for each count."""
    for count in [int(word) for word in sys.argv[1:]] or [20, 200, 2000]:
        measure(count)


if __name__ == "__main__":
    main()
