"""python3 -m tuya set: writes data points of one device and waits for its confirmation. Knows no protocol.

Only what the device's profile declares as a control is written (switches, state after power-on, child lock,
countdown), never thresholds, counters, balances or calibration. A write is sent once.
"""

from __future__ import annotations

import argparse
import json
import re
from typing import Dict, List, Optional, Tuple

from tuya.devices.devices_file import DeviceEntry
from tuya.lan.errors import BadValue, NotFound, OwnedElsewhere, TuyaError, WrongKey
from tuya.lan.events import DpValue, Failed, Status, WriteDone
from tuya.metering.profile import Control, Profile

from .common import (
    EXIT_FAULT,
    EXIT_OK,
    UsageError,
    add_device_arguments,
    chosen_devices,
    print_json,
    print_message,
)
from .lan_tools import Following, error_fields

CONNECT_LIMIT_S = 12.0  # time enough for some tries with other protocol versions
CONFIRM_LIMIT_S = 5.0  # the client answers after 3 s at the latest
_ASSIGNMENT = re.compile(r"([0-9]{1,5})=(.*)", re.DOTALL)
_FINAL = (BadValue, OwnedElsewhere, WrongKey)  # no further try makes these right


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `set`."""
    parser.add_argument(
        "words", metavar="NAME DP=VALUE", nargs="+", help="the device, then one write: 1=true (JSON, else text)"
    )
    add_device_arguments(parser, name=False)
    parser.add_argument("--json", action="store_true", help="one JSON object and nothing else on stdout")


def run(args: argparse.Namespace) -> int:
    """Write, and wait for the confirmation. Returns 0, 1 (unreachable or not confirmed); UsageError becomes 2."""
    name, wanted = _parse(args.words)
    if name is None and args.id is None:
        raise UsageError("which device? Give its NAME, or --id")
    entry = chosen_devices(args, name=name)[0]
    if entry.wishes.switch == "refused":
        raise UsageError(f"{entry.shown_name}: switching is refused for it in devices.json")
    with Following([entry]) as following:
        error = _connect(following, entry)
        if error is None:
            profile = following.known[entry.device_id].profile
            _check(wanted, profile, entry)
            wanted = _spelled(wanted, profile)
            following.client.write(entry.device_id, wanted)
            error = _confirmation(following)
    if args.json:
        shown = {str(dp): value for dp, value in wanted.items()}
        answer = {"id": entry.device_id, "dps": shown, "confirmed": error is None}
        print_json(answer if error is None else {**answer, **error_fields(error)})
    elif error is None:
        print(f"{entry.shown_name}: confirmed")
    if error is not None:
        print_message(str(error))
        return EXIT_FAULT
    return EXIT_OK


def _parse(words: List[str]) -> Tuple[Optional[str], Dict[int, DpValue]]:
    """Device name and data points. Raises UsageError."""
    names: List[str] = []
    wanted: Dict[int, DpValue] = {}
    for word in words:
        assignment = _ASSIGNMENT.fullmatch(word)
        if assignment is None:
            names.append(word)
            continue
        wanted[int(assignment[1])] = _value(assignment[2])
    if len(names) > 1:
        raise UsageError(f"{names[1]!r} is no DP=VALUE; a name with spaces needs quotes")
    if not wanted:
        raise UsageError("what is to be written? Give DP=VALUE, for example 1=true")
    return (names[0] if names else None), wanted


def _value(text: str) -> DpValue:
    try:
        value: DpValue = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return text
    return value


def _no_number(text: str) -> DpValue:
    raise UsageError(f"{text} is no value that a device takes")


def _connect(following: Following, entry: DeviceEntry) -> Optional[TuyaError]:
    """Wait for the first full answer. Returns why there is none."""
    last: TuyaError = NotFound(entry.shown_name, "did not answer in time")
    for event in following.events(CONNECT_LIMIT_S):
        if isinstance(event, Status) and event.full:
            return None
        if isinstance(event, Failed):
            last = event.error
            if isinstance(last, _FINAL):
                return last
    return last


def _check(wanted: Dict[int, DpValue], profile: Optional[Profile], entry: DeviceEntry) -> None:
    """Only controls, and only values that they take. Raises UsageError."""
    controls = profile.controls if profile is not None else {}
    for dp, value in wanted.items():
        control = controls.get(dp)
        if control is None:
            known = ", ".join(f"{c.dp} ({c.role})" for c in controls.values()) or "none"
            raise UsageError(f"{entry.shown_name}: DP {dp} is no control of this device; its controls: {known}")
        problem = _problem(control, value)
        if problem:
            raise UsageError(f"{entry.shown_name}: DP {dp} ({control.role}) takes {problem}")


def _spelled(wanted: Dict[int, DpValue], profile: Optional[Profile]) -> Dict[int, DpValue]:
    """Return the write with true and false in the spelling that the device was heard to use ("on", 1 ...)."""
    controls = profile.controls if profile is not None else {}
    return {
        dp: controls[dp].spelled[value] if isinstance(value, bool) and dp in controls else value
        for dp, value in wanted.items()
    }


def _problem(control: Control, value: DpValue) -> str:
    """What the control takes instead of this value; "" where it fits."""
    if control.kind == "bool":
        spelled = any(type(value) is type(word) and value == word for word in control.spelled)
        return "" if isinstance(value, bool) or spelled else "true or false"
    if control.kind == "enum":
        return "" if value in control.values else " or ".join(control.values)
    fits = isinstance(value, int) and not isinstance(value, bool) and control.minimum <= value <= control.maximum
    return "" if fits else f"a whole number from {control.minimum} to {control.maximum}"


def _confirmation(following: Following) -> Optional[TuyaError]:
    for event in following.events(CONFIRM_LIMIT_S):
        if isinstance(event, WriteDone):
            return event.error
    return TuyaError("", "the write did not end")
