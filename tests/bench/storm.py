"""A storm over many devices: random faults of the simulator's whole table, and how the client comes through it.

python -m tests.bench.storm [--seconds 600] [--devices 100] [--faults 1650] [--clicks 600] [--seed N]

The breakers (all protocol versions, announced, in a process of their own) suffer faults at random moments, each for
some seconds; the client of this process is clicked at now and then. Afterwards all faults end. Printed as one JSON
object: the seed; how long until every device reported again; connections a minute and device; false WrongKey errors;
errors by class; and what became of the clicks: none may reach a breaker twice, or after its outcome was told. What the
kernel at the breaker's end had acknowledged by then, and its program did later, is counted for itself.
"""

from __future__ import annotations

import argparse
import collections
import json
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, ClassVar, Counter, Dict, List, NamedTuple, Optional, Tuple
from unittest import mock

from tests.lan.lan_helpers import free_ports
from tuya.lan.client import Client, Device
from tuya.lan.errors import NotConnected, TuyaError
from tuya.lan.events import Connected, Failed, Lost, Status, WriteDone
from tuya.lan.network import interfaces, reactor
from tuya.lan.network.channel import Channel
from tuya.lan.network.listener import Listener
from tuya.simulator import FAULTS, Breaker, Fleet
from tuya.simulator.announce import Ports

ROOT = Path(__file__).resolve().parents[2]
VERSIONS = ("3.1", "3.2", "3.3", "3.4", "3.5")
WINDOW_S = 60.0
CALM_S = 45.0  # how long is waited for all to come back
CALM_VALUE = 2222
LONGEST_FAULT_S = 15.0
AFTERMATH_S = 6.0  # what is on its way when latency ends still takes as long, and what follows does not overtake it
GRACE_S = 0.05  # between a write's arrival at the breaker and its report on the client's clock
NOT_IN_A_STORM = {
    "new_key": "its key is another one afterwards, which is no error of the client",
    "version": "it speaks another version afterwards, which an announcement may not lower",
    "wrong_key": "is only for clients with another key",
    "move": "is tried with another address, see strike()",
}


# the breakers' process


def strike(breaker: Breaker, rng: random.Random, hosts: List[str]) -> Tuple[str, float]:
    """Let one random fault befall a breaker. Returns its name and for how long it is meant to stay."""
    name = rng.choice([name for name in FAULTS if name not in NOT_IN_A_STORM] + ["move"])
    given: Dict[str, Any] = {}
    for word, parameter in FAULTS[name].parameters.items():
        if parameter.choices:
            given[word] = rng.choice(parameter.choices)
        elif parameter.kind == "number" and parameter.default:
            given[word] = round(parameter.default * rng.uniform(0.3, 1.2), 3)
    if name == "wedges":
        given["after"] = breaker.boot.connections + rng.randrange(1, 3)
    if name == "move":
        given = {"host": hosts.pop()}
    breaker.fault(name, **given)
    return name, given.get("dark_s", rng.uniform(1.0, LONGEST_FAULT_S))


def serve(options: argparse.Namespace) -> None:
    """The breakers: prints a devices.json, then what happened; pushes the calm value until stdin ends."""
    rng = random.Random(options.seed)
    ports = Ports(*options.ports)
    hosts = [f"127.1.{number // 250}.{number % 250 + 2}" for number in range(options.faults)]
    struck: Counter[str] = collections.Counter()
    accepted: Dict[str, List[Tuple[float, int]]] = collections.defaultdict(list)
    with Fleet(version=VERSIONS, count=options.devices, announce=True, announce_ports=ports, noise=0.0) as fleet:
        print(json.dumps(fleet.devices()), flush=True)
        sys.stdin.readline()
        begun_s = time.monotonic()
        moments = sorted(rng.uniform(0.0, options.seconds) for _ in range(options.faults))
        ends: List[Tuple[float, int, str]] = []
        suffered: Dict[str, List[Tuple[float, float, str]]] = collections.defaultdict(list)
        while moments or ends:
            now_s = time.monotonic()
            while moments and begun_s + moments[0] <= now_s:
                moments.pop(0)
                number = rng.randrange(len(fleet.breakers))
                name, lasts_s = strike(fleet.breakers[number], rng, hosts)
                struck[name] += 1
                ends.append((now_s + lasts_s, number, name))
                suffered[fleet.breakers[number].device_id].append((now_s, now_s + lasts_s, name))
            for end in [end for end in ends if end[0] <= now_s]:
                ends.remove(end)
                fleet.breakers[end[1]].clear_faults(end[2])
            for breaker in fleet.breakers:
                accepted[breaker.device_id].append((now_s, breaker.connections))
            time.sleep(0.1)
        for breaker in fleet.breakers:
            breaker.clear_faults()
        calm_s = time.monotonic()
        print(json.dumps({"calm_s": calm_s}), flush=True)
        while time.monotonic() < calm_s + CALM_S:
            for breaker in fleet.breakers:
                breaker.push({20: CALM_VALUE})
                accepted[breaker.device_id].append((time.monotonic(), breaker.connections))
            time.sleep(0.2)
        facts = {
            "struck": dict(struck),
            "connections": {device_id: busiest_minute(samples) for device_id, samples in accepted.items()},
            "at_once": max(breaker.most_at_once for breaker in fleet.breakers),
            "writes": {breaker.device_id: written(breaker) for breaker in fleet.breakers},
            "suffered": suffered,
        }
        print(json.dumps(facts), flush=True)
        sys.stdin.read()


def busiest_minute(samples: List[Tuple[float, int]]) -> int:
    """Most connections within any 60 s of (time, connections so far)."""
    most, first = 0, 0
    for at_s, count in samples:
        while samples[first][0] < at_s - WINDOW_S:
            first += 1
        most = max(most, count - samples[first][1])
    return most


def written(breaker: Breaker) -> List[Tuple[float, Any]]:
    """(time, value) of each write of the relay that arrived."""
    return [(at_s, dps[1]) for at_s, dps in breaker.writes if 1 in dps]


# the client's process


class Order(NamedTuple):
    """A click that was sent: when, what for, and when what was told of it."""

    clicked_s: float
    value: bool
    told_s: float
    error: Optional[TuyaError]


class Abort(NamedTuple):
    """A connection that was aborted. taken: the kernel at the other end had acknowledged all that was sent."""

    at_s: float
    taken: bool


class Watched(Channel):
    """A channel that notes its aborts by device."""

    aborts: ClassVar[Dict[str, List[Abort]]] = collections.defaultdict(list)

    def close(self, *, abort: bool) -> None:
        if abort and self.link is not None:
            self.aborts[self.link.device.device_id].append(Abort(time.monotonic(), self.is_taken()))
        super().close(abort=abort)


class Log:
    """A sink that keeps what counts."""

    def __init__(self) -> None:
        self.told: Counter[str] = collections.Counter()
        self.wrong_key: List[str] = []
        self.back_s: Dict[str, float] = {}
        self.connected: Counter[str] = collections.Counter()
        self.done: List[WriteDone] = []

    def __call__(self, event: object) -> None:
        if isinstance(event, (Failed, Lost)):
            name = type(event.error).__name__
            self.told[name] += 1
            if name == "WrongKey":
                self.wrong_key.append(str(event.error))
        elif isinstance(event, Connected):
            self.connected[event.device_id] += 1
        elif isinstance(event, WriteDone):
            self.done.append(event)
        elif isinstance(event, Status) and event.dps.get(20) == CALM_VALUE:
            self.back_s.setdefault(event.device_id, event.at_s)


def device_of(entry: Dict[str, Any]) -> Device:
    """An entry of devices.json as the client takes it."""
    return Device(
        entry["id"],
        entry["key"].encode(),
        entry["name"],
        address=entry["ip"],
        port=entry["port"],
        version=entry["version"],
    )


def ride_out(options: argparse.Namespace) -> Dict[str, Any]:
    """Start the breakers, go through the storm, and return what is to be told."""
    ports = free_ports()
    words = [f"--{name}={getattr(options, name)}" for name in ("seconds", "devices", "faults", "seed")]
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.storm", "--serve", *words, "--ports", *map(str, ports)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    commands, output = server.stdin, server.stdout
    if commands is None or output is None:
        raise RuntimeError("no pipes to the breakers")
    devices = [device_of(entry) for entry in json.loads(output.readline())]
    log = Log()
    listener = Listener(tuple(ports), ports.asked, lambda: [interfaces.LOOPBACK])
    client = Client(devices, log, owner="storm", listener=listener)
    client.start()
    rng = random.Random(options.seed + 1)
    clicks: Dict[str, List[Tuple[float, bool]]] = collections.defaultdict(list)
    try:
        time.sleep(8.0)
        began = dict(log.connected)
        commands.write("go\n")
        commands.flush()
        begun_s, cpu_s = time.monotonic(), time.process_time()
        for number in range(options.clicks):
            time.sleep(max(0.0, begun_s + options.seconds * number / options.clicks - time.monotonic()))
            device_id, value = rng.choice(devices).device_id, bool(rng.randrange(2))
            clicks[device_id].append((time.monotonic(), value))
            client.write(device_id, {1: value})
        calm_s = json.loads(output.readline())["calm_s"]
        cpu_s = time.process_time() - cpu_s
        facts = json.loads(output.readline())
    finally:
        client.stop(2.0)
        commands.close()
        server.wait(10)
        output.close()
    return {
        "seed": options.seed,
        "connected_before": len(began),
        **verdict(log, clicks, facts, devices, calm_s),
        "cpu_s": cpu_s,
    }


def verdict(
    log: Log,
    clicks: Dict[str, List[Tuple[float, bool]]],
    facts: Dict[str, Any],
    devices: List[Device],
    calm_s: float,
) -> Dict[str, Any]:
    """What the storm showed."""
    back = [log.back_s[device.device_id] - calm_s for device in devices if device.device_id in log.back_s]
    results = collections.Counter("confirmed" if e.error is None else type(e.error).__name__ for e in log.done)
    late: List[Dict[str, Any]] = []
    twice = 0
    for device in devices:
        device_id = device.device_id
        arrived = facts["writes"][device_id]
        orders = orders_of(clicks[device_id], [e for e in log.done if e.device_id == device_id])
        twice += max(0, len(arrived) - len(orders))
        late += [
            in_words(device, at_s, order, Watched.aborts[device_id], facts["suffered"].get(device_id, []))
            for at_s, order in told_too_early(arrived, orders)
        ]
    return {
        "faults": sum(facts["struck"].values()),
        "faults_by_name": dict(sorted(facts["struck"].items())),
        "not_back": len(devices) - len(back),
        "back_within_s": round(max(back, default=0.0), 1),
        "connections_a_minute_max": max(facts["connections"].values()),
        "connections_a_minute_all": dict(collections.Counter(facts["connections"].values())),
        "connections_at_once_max": facts["at_once"],
        "false_wrong_key": len(log.wrong_key),
        "told": dict(log.told.most_common()),
        "clicks": dict(results),
        "writes_arrived_twice": twice,
        "writes_arrived_after_the_verdict": sum(not write["out_of_reach"] for write in late),
        "of_these_after_confirmed": sum(not w["out_of_reach"] and w["as"] == "confirmed" for w in late),
        "writes_taken_before_the_verdict_and_done_after": sum(write["out_of_reach"] for write in late),
        "late_writes": late,
    }


def orders_of(clicks: List[Tuple[float, bool]], told: List[WriteDone]) -> List[Order]:
    """The clicks at one device that were sent, each with what was told of it, in the order of the clicks."""
    left, orders = list(clicks), []
    for done in sorted(told, key=lambda e: e.at_s):
        fits = [click for click in left if click[1] == done.dps[1] and click[0] <= done.at_s]
        if not fits:
            raise RuntimeError(f"told of a click that was none: {done}")
        refused = isinstance(done.error, NotConnected)  # at once, so it is of the last one
        click = fits[-1] if refused else fits[0]
        left.remove(click)
        if not refused:
            orders.append(Order(click[0], click[1], done.at_s, done.error))
    return sorted(orders, key=lambda order: order.clicked_s)


def told_too_early(arrived: List[Tuple[float, Any]], orders: List[Order]) -> List[Tuple[float, Order]]:
    """The writes of one device that arrived after they were told of, as (when, order).

    TCP keeps the order, so that each arrival belongs to an order behind the one before it: to the first of its value
    that was still open then, else to the last one that was told already.
    """
    late = []
    at = 0
    for at_s, value in sorted(arrived):
        fits = [n for n in range(at, len(orders)) if orders[n].value == value and orders[n].clicked_s <= at_s + GRACE_S]
        if not fits:
            continue  # counted as one that arrived twice
        in_time = [n for n in fits if orders[n].told_s >= at_s - GRACE_S]
        chosen = in_time[0] if in_time else fits[-1]
        at = chosen + 1
        if not in_time:
            late.append((at_s, orders[chosen]))
    return late


def in_words(device: Device, at_s: float, order: Order, aborts: List[Abort], faults: List[Any]) -> Dict[str, Any]:
    """A write that arrived too late, with the faults around it; times in seconds from its arrival.

    out_of_reach: when its connection was aborted, the kernel at the other end had acknowledged it already (and the
    breaker's program had not read it, or has put it off): no client can stop what is there.
    """
    stopped = [abort for abort in aborts if order.clicked_s <= abort.at_s <= order.told_s + GRACE_S]
    return {
        "device": device.label,
        "version": device.version,
        "value": order.value,
        "clicked": round(order.clicked_s - at_s, 2),
        "told": round(order.told_s - at_s, 2),
        "as": "confirmed" if order.error is None else type(order.error).__name__,
        "out_of_reach": bool(stopped) and all(abort.taken for abort in stopped),
        "faults": [
            (round(begun_s - at_s, 2), round(end_s - at_s, 2), name)
            for begun_s, end_s, name in faults
            if begun_s < at_s + 1.0 and end_s > order.clicked_s - AFTERMATH_S
        ],
    }


def main() -> int:
    """Run it; 1 where the client did not come through."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--devices", type=int, default=100)
    parser.add_argument("--faults", type=int, default=1650)
    parser.add_argument("--clicks", type=int, default=600)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--ports", type=int, nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options)
        return 0
    with mock.patch.object(reactor, "Channel", Watched):
        told = ride_out(options)
    print(json.dumps(told, indent=1))
    good = (
        not told["not_back"]
        and told["back_within_s"] <= 30.0
        and told["connections_a_minute_max"] <= 6
        and not told["false_wrong_key"]
        and not told["writes_arrived_twice"]
        and not told["writes_arrived_after_the_verdict"]
    )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
