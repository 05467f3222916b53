"""python3 -m tuya watch: follows what devices report. Knows no protocol and no data point."""

from __future__ import annotations

import argparse
import signal
import time
from typing import Any, Dict, Set

from tuya import process
from tuya.lan.errors import OwnedElsewhere
from tuya.lan.events import Failed

from .common import EXIT_FAULT, EXIT_OK, add_device_arguments, chosen_devices, print_json, print_message
from .lan_tools import Following, event_to_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `watch`."""
    add_device_arguments(parser)
    parser.add_argument("--seconds", type=process.seconds, metavar="N", help="end after so long; without it: Ctrl-C")
    parser.add_argument("--json", action="store_true", help="one JSON object a line and nothing else on stdout")


def run(args: argparse.Namespace) -> int:
    """Follow one device or all of them. Returns 0 when all of them are connected at the end, else 1."""
    entries = chosen_devices(args)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    elsewhere: Set[str] = set()
    connected: Set[str] = set()
    with Following(entries) as following:
        try:
            for event in following.events(args.seconds):
                known = following.known[event.device_id]
                told = event_to_json(event, known)
                if told is None:
                    continue
                if args.json:
                    print_json(told)
                else:
                    print(_line(known.entry.shown_name, told), flush=True)
                if isinstance(event, Failed) and isinstance(event.error, OwnedElsewhere):
                    elsewhere.add(event.device_id)
                    if len(elsewhere) == len(entries):
                        break
        except KeyboardInterrupt:
            pass  # the usual end of watching
        connected.update(following.connected())
        for problem in following.client.problems:
            print_message(f"watch: {problem}")
    return EXIT_OK if len(connected) == len(entries) else EXIT_FAULT


def _line(name: str, told: Dict[str, Any]) -> str:
    """One event for a person."""
    clock = time.strftime("%H:%M:%S")
    kind = told["event"]
    if kind == "connected":
        return f"{clock} {name}: connected to {told['address']}:{told['port']}, protocol {told['version']}"
    if kind == "status":
        return f"{clock} {name}: {_readings(told['readings']) or _dps(told['dps'])}"
    return f"{clock} {told['message']}"


_SHOWN = (
    ("switch", ""),
    ("power_w", "W"),
    ("voltage_v", "V"),
    ("current_a", "A"),
    ("energy_kwh", "kWh"),
    ("returned_kwh", "kWh returned"),
    ("power_factor", "PF"),
)


def _readings(readings: Dict[str, Any]) -> str:
    parts = []
    for name, unit in _SHOWN:
        values = readings.get(name, {})
        for channel, value in values.items():
            shown = ("on" if value else "off") if name == "switch" else f"{value} {unit}"
            parts.append(shown if len(values) == 1 else f"{channel}: {shown}")
    for name, unit in (("frequency_hz", "Hz"), ("temperature_c", "°C"), ("leakage_ma", "mA leakage")):
        if name in readings:
            parts.append(f"{readings[name]} {unit}")
    if readings.get("faults"):
        parts.append("faults: " + ", ".join(readings["faults"]))
    return "  ".join(parts)


def _dps(dps: Dict[str, Any]) -> str:
    return "  ".join(f"{dp}={value!r}" for dp, value in dps.items())
