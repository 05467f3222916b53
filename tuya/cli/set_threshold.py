"""`python3 -m tuya set-threshold NAME over_voltage 265`: changes one protection threshold, read before and after."""

from __future__ import annotations

import argparse
import re
import sys
from typing import Any, Dict, Optional

from tuya.cli.asking import Asking
from tuya.cli.common import (
    EXIT_FAULT,
    EXIT_OK,
    EXIT_USAGE,
    add_device_arguments,
    chosen_devices,
    print_json,
    print_message,
)
from tuya.devices.device import KnownDevice
from tuya.devices.devices_file import DeviceEntry
from tuya.lan.client import Polling
from tuya.lan.errors import TuyaError
from tuya.metering.profile import Profile, match
from tuya.metering.reading import Threshold
from tuya.metering.thresholds import Change, ThresholdRefused, is_done, plan, set_dps

_NUMBER = re.compile("[0-9]{1,9}")
READ_S = 20.0
CONFIRM_S = 15.0
READ_BACK_S = 15.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this sub-command."""
    add_device_arguments(parser, name=False)
    parser.add_argument("words", metavar="[NAME] THRESHOLD VALUE", nargs="+", help="NAME only without --id")
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--trip", action="store_true", help="open the relay at this threshold")
    action.add_argument("--alarm", action="store_true", help="only report it (or ignore it: as the device does)")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--json", action="store_true", help="one JSON object, and nothing else")


def run(args: argparse.Namespace) -> int:
    """Change one threshold. Returns 0 when it was read back, 1 when it was refused or not, 2 on wrong use."""
    count = 2 if args.id else 3
    if len(args.words) != count or not _NUMBER.fullmatch(args.words[-1]):
        print_message("set-threshold: wanted NAME THRESHOLD VALUE, for example: Kitchen over_voltage 265")
        return EXIT_USAGE
    threshold, value = args.words[-2], int(args.words[-1])
    entry = chosen_devices(args, args.words[0] if count == 3 else None)[0]
    trips = True if args.trip else False if args.alarm else None
    if not KnownDevice(entry).may_switch:
        print_message(f'{entry.shown_name}: writing is refused for this device ("switch" in devices.json)')
        return EXIT_FAULT
    if not args.yes and not sys.stdin.isatty():
        print_message("set-threshold asks before it writes: there is no terminal, so say --yes")
        return EXIT_USAGE
    try:
        with Asking(entry, "set-threshold", discovery=args.ip is None) as asking:
            change = _planned(entry, asking, threshold, value, trips)
            if not args.yes and not _really(entry, change):
                return EXIT_FAULT
            return _write(entry, asking, change, trips, args.json)
    except (TuyaError, ThresholdRefused) as error:
        print_message(str(error))
        return EXIT_FAULT


def _planned(entry: DeviceEntry, asking: Asking, threshold: str, value: int, trips: Optional[bool]) -> Change:
    """Read the device's alarm sets and return the write. Raises ThresholdRefused and TuyaError."""
    asking.wait(lambda: bool(asking.dps), READ_S)
    profile = _profile(entry, asking.dps)
    wanted = set_dps(profile.layout)
    if any(dp not in asking.dps for dp in wanted):
        asking.refresh(Polling(refresh_dps=wanted, later_dps=wanted))
        asking.wait(lambda: all(dp in asking.dps for dp in wanted), READ_S)
        profile = _profile(entry, asking.dps)
    return plan(profile.layout, asking.dps, threshold, value, trips)


def _profile(entry: DeviceEntry, dps: Dict[int, Any]) -> Profile:
    wishes = entry.raw.get("domoticz")
    described = {"product_id": entry.product_id, "category": entry.category, "mapping": entry.mapping}
    return match({**described, "domoticz": wishes}, dps)


def _words(record: Threshold) -> str:
    return f"{record.value:g}{' ' + record.unit if record.unit else ''} ({'trips' if record.trips else 'alarm or off'})"


def _really(entry: DeviceEntry, change: Change) -> bool:
    """Ask at the terminal; the question goes to stderr, so that --json stays clean."""
    step = f"{_words(change.before)} -> {_words(change.after)}"
    sys.stderr.write(f"{entry.shown_name}: {change.before.name} {step}. Really? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _write(entry: DeviceEntry, asking: Asking, change: Change, trips: Optional[bool], as_json: bool) -> int:
    """Write once and read back; what counts is what the device then says."""
    asking.dps.pop(change.dp, None)
    error = asking.write_threshold(change.before.name, int(change.after.value), trips, CONFIRM_S)
    confirmed = asking.dps.pop(change.dp, None) if error is None else None
    asking.refresh(Polling(refresh_dps=(change.dp,), later_dps=(change.dp,)))
    asking.wait(lambda: change.dp in asking.dps, READ_BACK_S)
    # a device that leaves its sets out of queries has read it back by the report that confirmed the write
    done = is_done(change, asking.dps.get(change.dp, confirmed))
    if as_json:
        print_json(
            {
                "threshold": change.before.name,
                "before": change.before.value,
                "after": change.after.value if done else None,
                "confirmed": done,
                **({"via": asking.via} if asking.via else {}),
            }
        )
    elif done:
        print(f"{entry.shown_name}: {change.before.name} is now {_words(change.after)}")
    if not done:
        print_message(str(error) if error else f"{entry.shown_name}: the device does not report the new threshold")
    return EXIT_OK if done else EXIT_FAULT
