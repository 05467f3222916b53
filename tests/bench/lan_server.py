"""The device side of the LAN benchmark: simulated breakers that push at a given rate. One process of its own.

python -m tests.bench.lan_server VERSION COUNT RATE: prints a devices.json on one line; on each line from stdin that
says "go N" all breakers push for N seconds, RATE times a second each, spread evenly; ends with stdin. DP 19 of
each push is the monotonic clock in microseconds modulo 2^31, so that a client on this machine can tell its age.
"""

from __future__ import annotations

import json
import sys
import time

from tuya.simulator import Fleet

CLOCK_MODULO = 2**31


def push_for(fleet: Fleet, seconds: float, rate: float) -> int:
    """Push with all breakers in turn, evenly spread. Returns how many pushes were sent."""
    interval_s = 1.0 / (rate * len(fleet.breakers))
    start_s = time.monotonic()
    sent = 0
    while True:
        now_s = time.monotonic()
        if now_s - start_s >= seconds:
            return sent
        due_s = start_s + sent * interval_s
        if due_s > now_s:
            time.sleep(due_s - now_s)
        breaker = fleet.breakers[sent % len(fleet.breakers)]
        stamp = time.monotonic_ns() // 1000 % CLOCK_MODULO
        breaker.push({18: 302 + sent % 7, 19: stamp, 20: 2300 + sent % 9})
        sent += 1


def main() -> None:
    version, count, rate = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    with Fleet(version=version, count=count, noise=0.0) as fleet:
        for breaker in fleet.breakers:
            breaker.fault("quiet")
        print(json.dumps(fleet.devices()), flush=True)
        for line in sys.stdin:
            sent = push_for(fleet, float(line.split()[1]), rate)
            connected = sum(breaker.connected for breaker in fleet.breakers)
            print(json.dumps({"sent": sent, "connected": connected}), flush=True)


if __name__ == "__main__":
    main()
