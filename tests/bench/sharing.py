"""What listeners cost the plugin: CPU of its process at 200 pushes a second, without listeners and with ten of them.

python -m tests.bench.sharing [--seconds N] [--rounds N] [--listeners N]: one process, in turn without and with them
(--rounds pairs of --seconds each, so that a busy moment strikes both). Prints one JSON object a phase (user and system
CPU of the whole process, with its network thread and publisher), then the median of the pairs' ratios and how many
events a listener missed. Breakers and listeners run in processes of their own; the plugin's path is the whole of it,
with a stand-in for Domoticz's objects. Under a load average well above the number of processors the ratio says little.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import threading
import time
from typing import Any, Dict, List

from tests.bench.lan import Server
from tests.domoticz.fakes import FakeDomoticz
from tuya.devices.devices_file import parse_devices
from tuya.devices.household import Household
from tuya.devices.lan_device import device_of
from tuya.domoticz.created import Memory
from tuya.domoticz.fleet import Fleet
from tuya.domoticz.framework import Framework
from tuya.domoticz.publisher import Publisher
from tuya.domoticz.settings import Rules
from tuya.lan.client import Client
from tuya.lan.events import Event, Status
from tuya.metering.profile import match
from tuya.sharing.server import Server as Sharing

DEVICES, PUSHES_PER_S = 20, 10.0
SETTLE_S = 6.0

LISTENER = """
import json, select, sys
from tuya.sharing import place
sock = place.connect(sys.argv[1])
sock.setblocking(True)
sock.sendall(b'{"listen": null}\\n')
counts, data, is_over = {"status": 0, "snapshot": 0}, b"", False
while True:
    ready = select.select([sock, sys.stdin], [], [], 1.0 if is_over else None)[0]
    if sys.stdin in ready:
        is_over = True
    if sock not in ready:
        if is_over:
            break
        continue
    data += sock.recv(65536)
    *lines, data = data.split(b"\\n")
    for line in lines:
        kind = json.loads(line)["event"]
        counts[kind] = counts.get(kind, 0) + 1
        if kind == "snapshot" and counts[kind] == int(sys.argv[2]):
            print("ready", flush=True)
    if is_over:
        break
print(json.dumps(counts))
"""


class Plugin:
    """The plugin's path, with stand-ins for the objects of the framework."""

    def __init__(self, entries: List[Any]) -> None:
        domoticz = FakeDomoticz()
        self.household = Household()
        self.fleet = Fleet(Rules(), Memory(), self.household)
        self.framework = Framework(domoticz, domoticz.namespace)
        self.publisher = Publisher(self.fleet, self.framework, time.monotonic, self.household.take_lines)
        self.sharing = Sharing(self.household, "hardware bench")
        self.client = Client([], self._sink, owner="hardware bench", discovery=False, guest=self.sharing)
        self.sharing.access = self.client
        profiles = {entry.device_id: match(entry.raw, {}) for entry in entries}
        self.fleet.serve(entries, profiles, {}, time.monotonic())
        self.client.start()
        self.publisher.start()
        self.client.set_devices([device_of(entry) for entry in entries])
        self.events = 0

    def _sink(self, event: Event) -> None:
        self.events += isinstance(event, Status)  # as the listeners count them
        if self.household.handle(event, time.monotonic()):
            self.publisher.wake()

    def beat(self) -> None:
        for birth in self.fleet.births(time.monotonic()):
            self.framework.create(birth.device_id, birth.unit, birth.name, birth.state)
            self.fleet.written(birth.device_id, birth.unit, birth.state, time.monotonic())
        self.fleet.tick(time.monotonic())
        self.publisher.beat()

    def stop(self) -> None:
        self.client.stop(2.0)
        self.publisher.stop(2.0)


class Bench:
    """One plugin and its breakers, for all phases."""

    def __init__(self) -> None:
        self.server = Server("3.4", DEVICES, PUSHES_PER_S)
        self.plugin = Plugin(list(parse_devices(json.dumps(self.server.devices)).entries))
        until_s = time.monotonic() + SETTLE_S
        while time.monotonic() < until_s:
            self.plugin.beat()
            time.sleep(0.5)

    def phase(self, listeners: int, seconds: float) -> Dict[str, Any]:
        """So long with so many listeners. Returns its figures."""
        words = [sys.executable, "-c", LISTENER, self.plugin.sharing.address, str(DEVICES)]
        heard = [
            subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(listeners)
        ]
        for one in heard:
            assert one.stdout is not None
            assert one.stdout.readline() == "ready\n"
        time.sleep(0.5)
        before, began_s = self.plugin.events, time.process_time()
        pushing = threading.Thread(target=self.server.push, args=(seconds,))
        pushing.start()
        while pushing.is_alive():
            self.plugin.beat()
            pushing.join(2.0)
        time.sleep(0.5)
        cpu_s, events = time.process_time() - began_s, self.plugin.events - before
        told = {"listeners": listeners, "pushes": events, "cpu_us_a_push": round(cpu_s / events * 1e6, 1)}
        if heard:
            counts = [json.loads(one.communicate("end\n", timeout=20)[0]) for one in heard]
            told["snapshots_again"] = sum(one["snapshot"] - DEVICES for one in counts)
            told["missed"] = max(events - one["status"] for one in counts)
        return told

    def close(self) -> None:
        """End."""
        self.plugin.stop()
        self.server.close()


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--listeners", type=int, default=10)
    args = parser.parse_args()
    bench = Bench()
    ratios, missed = [], 0
    try:
        for number in range(args.rounds):
            pair = {}
            order = (0, args.listeners) if number % 2 else (args.listeners, 0)
            for count in order:
                told = bench.phase(count, args.seconds)
                print(json.dumps(told), flush=True)
                pair[count] = told["cpu_us_a_push"]
                missed = max(missed, told.get("missed", 0))
            ratios.append(pair[args.listeners] / pair[0])
    finally:
        bench.close()
    quarter = statistics.quantiles(ratios, n=4)
    print(
        f"with {args.listeners} listeners: {statistics.median(ratios):.3f} times the CPU of none "
        f"(median of {len(ratios)} pairs, quartiles {quarter[0]:.3f} to {quarter[2]:.3f}); missed at most {missed}"
    )


if __name__ == "__main__":
    main()
