"""python3 -m tuya set: writes data points of one device and waits for its confirmation.

Only what the device's profile declares as a control is written (switches, state after power-on, child lock,
countdown), never thresholds, counters, balances or calibration. A write is sent once, and soon after it was asked for.
"""

from __future__ import annotations

import argparse
import json
import re
from typing import Any, Dict, List, Optional, Tuple

from tuya.boot_clock import boot_clock_s
from tuya.devices.commands import CommandRefused
from tuya.devices.device import KnownDevice
from tuya.devices.devices_file import DeviceEntry
from tuya.lan.connection.messages import too_late
from tuya.lan.errors import BadValue, NotConfirmed, NotFound, OwnedElsewhere, WrongKey
from tuya.lan.events import DpValue
from tuya.sharing.source import Source
from tuya.sharing.telling import error_fields

from .common import (
    EXIT_FAULT,
    EXIT_OK,
    UsageError,
    add_device_arguments,
    as_utf8,
    chosen_devices,
    print_json,
    print_message,
)
from .lan_tools import follow

CONNECT_LIMIT_S = 12.0  # time enough for some tries with other protocol versions
QUIET_S = 1.0  # who has waited for so long is told what for
# Nobody expects any more what was typed so long ago: the start of the program on a busy machine counts, and a Ctrl-Z.
TYPED_LIMIT_S = 15.0
CONFIRM_LIMIT_S = 15.0  # the client answers after 10 s at the latest
_ASSIGNMENT = re.compile(r"([0-9]{1,5})=(.*)", re.DOTALL)
_FINAL = tuple(error.__name__ for error in (BadValue, OwnedElsewhere, WrongKey))  # no further try makes these right
_WORDS = {"on": True, "off": False, "true": True, "false": False}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `set`."""
    parser.add_argument(
        "words", metavar="NAME DP=VALUE", nargs="+", help="the device, then one write: 1=on, 1=true (JSON, else text)"
    )
    add_device_arguments(parser, name=False)
    parser.add_argument("--json", action="store_true", help="one JSON object and nothing else on stdout")


def run(args: argparse.Namespace) -> int:
    """Write, and wait for the confirmation. Returns 0, 1 (unreachable or not confirmed); UsageError becomes 2."""
    name, words = _parse([as_utf8(word) for word in args.words])
    if name is None and args.id is None:
        raise UsageError("which device? Give its NAME, or --id")
    entry = chosen_devices(args, name=name)[0]
    if KnownDevice(entry).may_switch is False:
        raise UsageError(f"{entry.shown_name}: switching is refused for it in devices.json")
    with follow([entry]) as source:
        left_s = args.began_s + TYPED_LIMIT_S - boot_clock_s()
        state = _connected(source, entry, min(CONNECT_LIMIT_S, left_s))
        wanted = {
            dp: _value(text, state.get("profile", {}).get("controls", {}).get(str(dp))) for dp, text in words.items()
        }
        answer: Dict[str, Any] = {"id": entry.device_id, "dps": {str(dp): value for dp, value in wanted.items()}}
        if "via" in state:
            answer["via"] = state["via"]
        error, age_s = state, boot_clock_s() - args.began_s
        if age_s >= TYPED_LIMIT_S and (left_s <= 0 or not state.get("error")):
            error = error_fields(too_late(entry.shown_name, age_s))
        elif not state.get("error"):
            error = _result(source, source.command(entry.device_id, wanted, "set"))
    if error["error"] == CommandRefused.__name__:
        raise UsageError(error["message"])
    done = error["error"] is None
    if args.json:
        print_json({**answer, "confirmed": done, **({} if done else _of(error, "error", "message"))})
    elif done:
        print(f"{entry.shown_name}: confirmed")
    if not done:
        print_message(error["message"])
    return EXIT_OK if done else EXIT_FAULT


def _of(told: Dict[str, Any], *names: str) -> Dict[str, Any]:
    return {name: told[name] for name in names}


def _parse(words: List[str]) -> Tuple[Optional[str], Dict[int, str]]:
    """Return the device's name and the data points with their values as typed. Raises UsageError."""
    names: List[str] = []
    wanted: Dict[int, str] = {}
    for word in words:
        assignment = _ASSIGNMENT.fullmatch(word)
        if assignment is None:
            names.append(word)
            continue
        dp = int(assignment[1])
        if dp in wanted:
            raise UsageError(f"data point {dp} is given twice: nobody knows which value is meant; nothing was sent")
        wanted[dp] = assignment[2]
    if len(names) > 1:
        raise UsageError(f"{names[1]!r} is no DP=VALUE; a name with spaces needs quotes")
    if not wanted:
        raise UsageError("what is to be written? Give DP=VALUE, for example 1=true")
    return (names[0] if names else None), wanted


def _value(text: str, control: Optional[Dict[str, Any]]) -> DpValue:
    """Return a value as typed: JSON, else text; "on" and "off" where the control is a switch. Raises UsageError."""
    if control is not None and control.get("kind") == "bool" and text.strip().lower() in _WORDS:
        return _WORDS[text.strip().lower()]
    try:
        value: DpValue = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return text
    return value


def _no_number(text: str) -> DpValue:
    raise UsageError(f"{text} is no value that a device takes")


def _connected(source: Source, entry: DeviceEntry, seconds: float) -> Dict[str, Any]:
    """Wait for the first full answer, and return what is known then; "error" says why there is none."""
    last: Dict[str, Any] = error_fields(NotFound(entry.shown_name, "did not answer in time"))
    for is_late, wait_s in ((False, min(seconds, QUIET_S)), (True, seconds - QUIET_S)):
        if is_late and wait_s > 0.0:
            print_message(
                f"{entry.shown_name}: waiting for the breaker to answer, for up to {wait_s:.0f} s; then it is written. "
                "Ctrl-C ends this, nothing is sent later"
            )
        for told in source.events(wait_s):
            kind = told["event"]
            if (kind == "status" and told.get("full")) or (kind == "snapshot" and told["connected"] and told["dps"]):
                return source.state(entry.device_id)
            if kind in ("error", "snapshot") and told["error"] is not None:
                last = told
                if told["error"] in _FINAL:
                    return last
    return last


def _result(source: Source, number: int) -> Dict[str, Any]:
    for told in source.events(CONFIRM_LIMIT_S):
        if told["event"] == "result" and told["request"] == number:
            return told
    return error_fields(NotConfirmed("", "the write did not end"))
