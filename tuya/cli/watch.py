"""python3 -m tuya watch: follows what devices report, whoever holds them."""

from __future__ import annotations

import argparse
import signal
import time
from typing import Any, Dict, List, Set

from tuya import process
from tuya.lan.errors import OwnedElsewhere

from .common import EXIT_FAULT, EXIT_OK, add_device_arguments, chosen_devices, print_json, print_message
from .lan_tools import follow


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `watch`."""
    add_device_arguments(parser)
    parser.add_argument("--seconds", type=process.seconds, metavar="N", help="end after so long; without it: Ctrl-C")
    parser.add_argument("--json", action="store_true", help="one JSON object a line and nothing else on stdout")


def run(args: argparse.Namespace) -> int:
    """Follow one device or all of them. Returns 0 when all of them are connected at the end, else 1."""
    entries = chosen_devices(args)
    names = {entry.device_id: entry.shown_name for entry in entries}
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    elsewhere: Set[str] = set()
    with follow(entries) as source:
        try:
            for event in source.events(args.seconds):
                for told in _told(event):
                    if args.json:
                        print_json(told)
                    else:
                        print(_line(names[told["id"]], told), flush=True)
                if event["event"] == "error" and event["error"] == OwnedElsewhere.__name__ and "via" not in event:
                    elsewhere.add(event["id"])
                    if len(elsewhere) == len(entries):
                        break
        except KeyboardInterrupt:
            pass  # the usual end of watching
        connected = [entry for entry in entries if source.state(entry.device_id)["connected"]]
        for problem in source.problems:
            print_message(f"watch: {problem}")
    return EXIT_OK if len(connected) == len(entries) else EXIT_FAULT


_NOT_TOLD = ("full", "device", "what", "cure")  # of use to programs that follow a device, not to who reads


def _told(event: Dict[str, Any]) -> List[Dict[str, Any]]:
    """Return what is printed of an event: of a holder's first word the events that lead there."""
    kind = event["event"]
    if kind in ("connected", "status", "lost", "error"):
        return [{name: value for name, value in event.items() if name not in _NOT_TOLD}]
    if kind != "snapshot" or "via" not in event:
        return []
    via = {"id": event["id"], "via": event["via"]}
    if not event["connected"]:
        return [{"event": "error", **via, **_of(event, "error", "message")}] if event["error"] else []
    return [
        {"event": "connected", **via, **_of(event, "address", "port", "version")},
        {"event": "status", **via, **_of(event, "dps", "readings", "totals_wh")},
    ]


def _of(event: Dict[str, Any], *names: str) -> Dict[str, Any]:
    return {name: event[name] for name in names}


def _line(name: str, told: Dict[str, Any]) -> str:
    """One event for a person."""
    clock = time.strftime("%H:%M:%S")
    kind = told["event"]
    if kind == "connected":
        via = f", held by {told['via']}" if "via" in told else ""
        return f"{clock} {name}: connected to {told['address']}:{told['port']}, protocol {told['version']}{via}"
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
