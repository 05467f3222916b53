"""The LAN benchmark: our client beside tinytuya's Monitor and status(), rustuya and TuyAPI, on the same breakers.

python -m tests.bench.lan [--seconds N] [--versions 3.3,3.4,3.5] [--clients ours,monitor,...] [--only push|scale|start]
[--devices N] (of scale)
Prints one JSON object a line and a table at the end. TuyAPI takes part where TUYAPI_DIR names a folder with it.
CPU is that of the client's process alone, all threads of it; latency is from the push to the client's callback.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, List

from tuya.lan.versions import TABLE

FOLDER = Path(__file__).resolve().parent
PUSH_DEVICES, PUSH_RATE = 20, 100.0
SCALE_DEVICES = 200
START_DEVICES = 100
LISTENERS = ("floor", "ours", "monitor", "rustuya")  # those that are told, rather than ask


class Server:
    """The process with the breakers."""

    def __init__(self, version: str, count: int, rate: float) -> None:
        words = [sys.executable, "-m", "tests.bench.lan_server", version, str(count), str(rate)]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.devices: List[Dict[str, Any]] = json.loads(self._line())

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def push(self, seconds: float) -> Dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(f"go {seconds}\n")
        self.process.stdin.flush()
        answer: Dict[str, Any] = json.loads(self._line())
        return answer

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(10)


def measure(client: str, version: str, count: int, rate: float, seconds: float) -> Dict[str, Any]:
    """One client against a fresh server. Returns its figures."""
    server = Server(version, count, rate)
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "devices.json"
            path.write_text(json.dumps(server.devices), encoding="utf-8")
            if client == "tuyapi":
                words = ["node", str(FOLDER / "lan_tuyapi.mjs"), str(path)]
            else:
                words = [sys.executable, "-m", "tests.bench.lan_clients", client, str(path)]
            process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            assert process.stdin is not None
            assert process.stdout is not None
            if process.stdout.readline().strip() != "ready":
                process.kill()
                return {"client": client, "version": version, "failed": True}
            process.stdin.write("go\n")
            process.stdin.flush()
            time.sleep(0.1)
            sent = server.push(seconds)
            time.sleep(0.1)
            process.stdin.write("stop\n")
            process.stdin.flush()
            result: Dict[str, Any] = json.loads(process.stdout.readline())
            process.kill()
            process.wait(10)
    finally:
        server.close()
    pushes = max(1, result["pushes"])
    if client == "floor":  # and knows no time of a push
        result.update(p50_us="-", p99_us="-")
    return {
        "client": client,
        "version": version,
        "devices": count,
        **sent,
        **result,
        "cpu_us_per_push": round(1e6 * result["cpu_s"] / pushes, 1),
        "cpu_share_percent": round(100 * result["cpu_s"] / result["wall_s"], 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--versions", default="3.3,3.4,3.5")
    parser.add_argument("--clients", default="ours,monitor,status,rustuya,tuyapi")
    parser.add_argument("--only", default="push,scale,start")
    parser.add_argument("--devices", type=int, default=SCALE_DEVICES)
    args = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # the processes with many sockets inherit it
    clients = [name for name in args.clients.split(",") if name != "tuyapi" or "TUYAPI_DIR" in os.environ]
    rows: List[Dict[str, Any]] = []
    for version in args.versions.split(","):
        if "push" in args.only:
            for client in clients:
                if (client, version) != ("tuyapi", "3.5"):
                    rows.append({"what": "push", **measure(client, version, PUSH_DEVICES, PUSH_RATE, args.seconds)})
                    print(json.dumps(rows[-1]), flush=True)
        if "scale" in args.only:
            for client in clients:
                # the floor understands nothing, so that it can shake no hands
                if client in LISTENERS and not (client == "floor" and TABLE[version].handshake):
                    rows.append({"what": "scale", **measure(client, version, args.devices, 1.0, args.seconds)})
                    print(json.dumps(rows[-1]), flush=True)
        if "start" in args.only:
            rows.append({"what": "start", **measure("ours", version, START_DEVICES, 1.0, args.seconds)})
            print(json.dumps(rows[-1]), flush=True)
    print(
        f"{'':6} {'version':8} {'client':8} {'CPU us/push':>11} "
        f"{'p50 us':>7} {'p99 us':>7} {'% core':>7} "
        f"{'kB each':>7} {'first s':>7} {'stop s':>7}"
    )
    for row in rows:
        if not row.get("failed"):
            print(
                f"{row['what']:6} {row['version']:8} {row['client']:8} {row['cpu_us_per_push']:>11} "
                f"{row['p50_us']!s:>7} {row['p99_us']!s:>7} {row['cpu_share_percent']:>7} "
                f"{row['kb_per_device']:>7.1f} {row['first_values_s']:>7.2f} {row['stop_s']:>7.2f}"
            )


if __name__ == "__main__":
    main()
