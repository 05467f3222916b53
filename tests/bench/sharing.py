"""What listeners cost the plugin: CPU of its process at 200 pushes a second, without listeners and with ten of them.

python -m tests.bench.sharing [--seconds N] [--rounds N] [--listeners N]: prints one JSON object a measurement, then the
ratio, and how many events each listener missed. Breakers and listeners run in processes of their own; the plugin's
path is the whole of it (network thread, publisher, units), with a stand-in for Domoticz's objects.
"""

from __future__ import annotations

import argparse
import json
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
from tuya.lan.events import Event
from tuya.metering.profile import match
from tuya.sharing.server import Server as Sharing

DEVICES, PUSHES_PER_S = 20, 10.0
SETTLE_S = 6.0

LISTENER = """
import json, sys
from tuya.sharing import place
sock = place.connect(sys.argv[1])
sock.setblocking(True)
sock.sendall(b'{"listen": null}\\n')
counts, file = {"status": 0, "snapshot": 0}, sock.makefile("rb")
for line in file:
    kind = json.loads(line)["event"]
    counts[kind] = counts.get(kind, 0) + 1
    if kind == "snapshot" and counts[kind] == int(sys.argv[2]):
        print("ready", flush=True)
    if kind == "removed":
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
        self.events += 1
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


def measure(listeners: int, seconds: float) -> Dict[str, Any]:
    """One run with fresh breakers. Returns its figures."""
    server = Server("3.4", DEVICES, PUSHES_PER_S)
    plugin = Plugin(list(parse_devices(json.dumps(server.devices)).entries))
    try:
        until_s = time.monotonic() + SETTLE_S
        heard: List[subprocess.Popen[str]] = []
        while time.monotonic() < until_s:
            plugin.beat()
            time.sleep(0.5)
        words = [sys.executable, "-c", LISTENER, plugin.sharing.address, str(DEVICES)]
        heard = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(listeners)]
        for one in heard:
            assert one.stdout is not None
            assert one.stdout.readline() == "ready\n"
        before, began_s = plugin.events, time.process_time()
        pushing = threading.Thread(target=server.push, args=(seconds,))
        pushing.start()
        while pushing.is_alive():
            plugin.beat()
            pushing.join(2.0)
        time.sleep(0.5)
        cpu_s, events = time.process_time() - began_s, plugin.events - before
        for entry in list(plugin.household.devices):
            plugin.household.drop(entry)
        counts = [json.loads(one.communicate(timeout=20)[0]) for one in heard]
        told = {"listeners": listeners, "pushes": events, "cpu_us_a_push": round(cpu_s / events * 1e6, 1)}
        if counts:
            told["snapshots_again"] = sum(one["snapshot"] - DEVICES for one in counts)
            told["missed"] = max(events - one["status"] for one in counts)
        return told
    finally:
        plugin.stop()
        server.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--listeners", type=int, default=10)
    args = parser.parse_args()
    best = {0: float("inf"), args.listeners: float("inf")}
    for _ in range(args.rounds):  # in turn, so that a busy moment strikes both
        for count in best:
            told = measure(count, args.seconds)
            print(json.dumps(told), flush=True)
            best[count] = min(best[count], told["cpu_us_a_push"])
    print(f"with {args.listeners} listeners: {best[args.listeners] / best[0]:.2f} times the CPU of none")


if __name__ == "__main__":
    main()
