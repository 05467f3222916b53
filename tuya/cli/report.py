"""`python3 -m tuya report [NAME]`: a redacted dump of a device, ready for an issue. Keys never enter it."""

from __future__ import annotations

import argparse
import hashlib
import json
import re
from typing import Any, Dict, Optional, Tuple

from tuya import process
from tuya.cli.asking import Asking
from tuya.cli.common import EXIT_FAULT, EXIT_OK, add_device_arguments, chosen_devices, print_message
from tuya.devices.devices_file import DeviceEntry
from tuya.devices.key_mask import without_key
from tuya.lan.client import Polling
from tuya.lan.errors import TuyaError
from tuya.metering.decode import numbered, reading_to_json
from tuya.metering.profile import match

DEFAULT_SECONDS = 20.0
# a device that sends nothing new for this long has said what it says without being asked twice
SETTLE_S = 4.0
# numbers of meters, cards and breakers, which name a house
_PERSONAL = re.compile(r"\d{6,}|[0-9a-f]{2}(?::[0-9a-f]{2}){5}|(?:\d{1,3}\.){3}\d{1,3}", re.IGNORECASE)
# fields of a thing model that say what a data point is; names and descriptions may be the user's own
_MODEL_FIELDS = ("code", "type", "values")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this sub-command."""
    add_device_arguments(parser)
    parser.add_argument(
        "--seconds", type=process.seconds, default=DEFAULT_SECONDS, metavar="N", help="how long to listen (20)"
    )
    parser.add_argument("--offline", action="store_true", help="only what devices.json says, without connecting")
    parser.add_argument("--json", action="store_true", help="one JSON object a line, and nothing else")


def run(args: argparse.Namespace) -> int:
    """Print one report for each device. Returns 0, or 1 where a device could not be asked."""
    code = EXIT_OK
    for entry in chosen_devices(args):
        dps: Dict[int, Any] = numbered(entry.raw.get("dps"))
        version, problem, via = entry.version, None, ""
        if not args.offline:
            try:
                version, via = _gather(entry, dps, args.seconds, discovery=args.ip is None)
            except TuyaError as error:
                problem, code = type(error).__name__, EXIT_FAULT
                print_message(str(error))
        report = redacted(entry, dps, version, problem)
        if via:
            report["via"] = via
        print(json.dumps(report) if args.json else json.dumps(report, indent=2), flush=True)
    return code


def _gather(entry: DeviceEntry, dps: Dict[int, Any], seconds: float, discovery: bool) -> Tuple[Optional[str], str]:
    """Listen to a device into `dps`; return its protocol version and who holds it ("": we do).

    Raises TuyaError where it cannot be asked.
    """
    with Asking(entry, "report", discovery) as asking:
        asking.wait(lambda: bool(asking.dps), seconds)
        profile = match({**entry.raw, "mapping": entry.mapping}, asking.dps)
        asking.refresh(Polling(refresh_dps=profile.refresh_dps, query_dps=profile.query_dps))
        asking.wait(lambda: False, min(SETTLE_S, seconds))
        dps.update(asking.dps)
        return asking.version, asking.via


def redacted(
    entry: DeviceEntry, dps: Dict[int, Any], version: Optional[str], problem: Optional[str] = None
) -> Dict[str, Any]:
    """Return the report: no key, no id, no name, no address; long numbers inside texts are blotted out.

    It is a dump that `decode` reads. `problem`: the class of the error that kept the device from being asked.
    """
    dps = dict(without_key(dps, entry.local_key))
    wishes = entry.raw.get("domoticz")
    described = {
        "product_id": entry.product_id,
        "category": entry.category,
        "mapping": entry.mapping,
        "domoticz": wishes,
    }
    profile = match(described, dps)
    mapping = {
        str(dp): {name: line[name] for name in _MODEL_FIELDS if name in line}
        for dp, line in entry.mapping.items()
        if isinstance(line, dict)
    }
    report: Dict[str, Any] = {
        "device": hashlib.sha256(entry.device_id.encode()).hexdigest()[:12],
        "product_id": entry.product_id,
        "category": entry.category,
        "version": version,
        "mapping": mapping,
        "dps": {str(dp): _blotted(value) for dp, value in sorted(dps.items())},
        "meaning": reading_to_json(profile.decode(dps), profile),
        "why": [_PERSONAL.sub("#", sentence) for sentence in profile.explain(dps)],
    }
    if isinstance(wishes, dict):
        report["domoticz"] = {name: wishes[name] for name in ("invert", "scale", "layout") if name in wishes}
    if problem:
        report["error"] = problem
    return report


def _blotted(value: Any) -> Any:
    """Return a value whose texts hold no long number, address or hardware id. Raw values (base64) stay as they are."""
    if isinstance(value, str):
        return _PERSONAL.sub("#", value) if _PERSONAL.search(value) and not _is_raw(value) else value
    if isinstance(value, dict):
        return {str(name): _blotted(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_blotted(part) for part in value]
    return value


def _is_raw(text: str) -> bool:
    return bool(re.fullmatch(r"[A-Za-z0-9+/]*={0,2}", text)) and not text.isdigit()
