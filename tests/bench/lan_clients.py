"""The clients of the LAN benchmark, each in a process of its own so that its CPU time is only its own.

python -m tests.bench.lan_clients NAME DEVICES.json: connects to all, prints "ready", measures from "go" to "stop" on
stdin, and prints one JSON object: pushes, CPU seconds of the process (all threads), latencies in microseconds.
"""

from __future__ import annotations

import json
import resource
import sys
import threading
import time
from pathlib import Path
from typing import Any, Callable, Dict, List

from tests.bench.lan_server import CLOCK_MODULO

Stop = Callable[[], object]


class Meter:
    """Counts pushes and notes their age."""

    def __init__(self) -> None:
        self.latencies_us: List[int] = []
        self.running = False

    def push(self, stamp: Any) -> None:
        if self.running and isinstance(stamp, int):
            self.latencies_us.append((time.monotonic_ns() // 1000 - stamp) % CLOCK_MODULO)


def ours(devices: List[Dict[str, Any]], meter: Meter, ready: Callable[[str], None]) -> Stop:
    from tuya.lan.client import Client, Device
    from tuya.lan.events import Status

    def sink(event: object) -> None:
        if isinstance(event, Status):
            if event.full:
                ready(event.device_id)
            else:
                meter.push(event.dps.get(19))

    client = Client(
        [
            Device(
                entry["id"], entry["key"].encode(), address=entry["ip"], port=entry["port"], version=entry["version"]
            )
            for entry in devices
        ],
        sink,
        discovery=False,
    )
    client.start()
    return client.stop


def _tinytuya(entry: Dict[str, Any]) -> Any:
    import tinytuya

    return tinytuya.Device(
        entry["id"], entry["ip"], entry["key"], version=float(entry["version"]), persist=True, port=entry["port"]
    )


def monitor(devices: List[Dict[str, Any]], meter: Meter, ready: Callable[[str], None]) -> Stop:
    import tinytuya

    def status(_device: Any, result: Any) -> None:
        dps = (result or {}).get("dps") or (result or {}).get("data", {}).get("dps", {})
        meter.push(dps.get("19"))

    watcher = tinytuya.Monitor(on_status=status)
    for entry in devices:
        watcher.add(_tinytuya(entry))
        ready(entry["id"])
    watcher.start()
    return watcher.stop


def status(devices: List[Dict[str, Any]], meter: Meter, ready: Callable[[str], None]) -> Stop:
    """One query after the other on held connections, without its pauses: the CPU is per query."""
    handles = [_tinytuya(entry) for entry in devices]
    for handle in handles:
        handle.set_sendWait(None)
        handle.status()
        ready(handle.id)
    ended = threading.Event()

    def poll() -> None:
        while not ended.is_set():
            for handle in handles:
                if meter.running:
                    handle.status()
                    meter.latencies_us.append(0)
            time.sleep(0.01)

    thread = threading.Thread(target=poll)
    thread.start()

    def stop() -> None:
        ended.set()
        thread.join()

    return stop


def rustuya(devices: List[Dict[str, Any]], meter: Meter, ready: Callable[[str], None]) -> Stop:
    import rustuya as library

    handles = [
        library.Device(entry["id"], entry["key"], address=entry["ip"], version=entry["version"], port=entry["port"])
        for entry in devices
    ]
    for handle in handles:
        handle.status()
        ready(handle.id)
    receiver = library.unified_listener(handles)

    def listen() -> None:
        for message in receiver:
            payload = message.get("payload") if isinstance(message, dict) else None
            if payload is None:
                continue
            content = json.loads(payload) if isinstance(payload, str) else payload
            dps = content.get("dps") or content.get("data", {}).get("dps", {})
            meter.push(dps.get("19"))

    threading.Thread(target=listen, daemon=True).start()
    return lambda: [handle.stop() for handle in handles]


def floor(devices: List[Dict[str, Any]], meter: Meter, ready: Callable[[str], None]) -> Stop:
    """What no Python client can go below: select and recv and nothing else (3.1-3.3; no push is understood)."""
    import selectors
    import socket

    from tuya.lan.protocol import payloads
    from tuya.lan.protocol.wire import Wire
    from tuya.lan.versions import TABLE

    selector = selectors.DefaultSelector()
    for entry in devices:
        sock = socket.create_connection((entry["ip"], entry["port"]))
        sock.sendall(
            Wire(entry["version"], entry["key"].encode()).pack(*payloads.query(TABLE[entry["version"]], entry["id"], 0))
        )
        sock.recv(16384)
        selector.register(sock, selectors.EVENT_READ)
        ready(entry["id"])
    ended = threading.Event()

    def listen() -> None:
        while not ended.is_set():
            for key, _ in selector.select(0.5):
                key.fileobj.recv(16384)  # type: ignore[union-attr]
                meter.push(0)

    threading.Thread(target=listen, daemon=True).start()
    return ended.set


CLIENTS = {"floor": floor, "ours": ours, "monitor": monitor, "status": status, "rustuya": rustuya}


def main() -> None:
    devices = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
    meter = Meter()
    seen: Dict[str, float] = {}
    complete = threading.Event()

    def ready(device_id: str) -> None:
        seen.setdefault(device_id, time.monotonic())
        if len(seen) == len(devices):
            complete.set()

    before_kb = _rss_kb()
    started_s = time.monotonic()
    stop = CLIENTS[sys.argv[1]](devices, meter, ready)
    if not complete.wait(30 + 0.05 * len(devices)):
        sys.exit(f"only {len(seen)} of {len(devices)} answered")
    first_values_s = max(seen.values()) - started_s
    time.sleep(0.5)
    after_kb = _rss_kb()
    print("ready", flush=True)
    sys.stdin.readline()
    meter.running = True
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu_s, wall_s = time.process_time(), time.monotonic()
    sys.stdin.readline()
    cpu_s, wall_s = time.process_time() - cpu_s, time.monotonic() - wall_s
    after = resource.getrusage(resource.RUSAGE_SELF)
    meter.running = False
    ages = sorted(meter.latencies_us)
    stop_s = time.monotonic()
    stop()
    stop_s = time.monotonic() - stop_s
    result = {
        "pushes": len(ages),
        "cpu_s": cpu_s,
        "system_s": after.ru_stime - used.ru_stime,
        "wakeups": after.ru_nvcsw - used.ru_nvcsw,
        "wall_s": wall_s,
        "p50_us": ages[len(ages) // 2] if ages else None,
        "p99_us": ages[len(ages) * 99 // 100] if ages else None,
        "first_values_s": first_values_s,
        "kb_per_device": (after_kb - before_kb) / len(devices),
        "kb_before": before_kb,
        "kb_after": after_kb,
        "stop_s": stop_s,
        "peak_kb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }
    print(json.dumps(result), flush=True)


def _rss_kb() -> int:
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


if __name__ == "__main__":
    main()
    sys.stdout.flush()
