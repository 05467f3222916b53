"""`python3 -m tuya decode FILE`: says what the data points in a dump mean. Needs no device and no network."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any, Dict, List

from tuya.cli.common import read_input
from tuya.devices.devices_file import clean_text
from tuya.devices.file_bytes import MAX_FILE_BYTES
from tuya.lan.device import short_id
from tuya.metering.decode import decode_dump

EXIT_OK = 0
EXIT_USE = 2
# longer integers are no readings, and Python refuses to parse them from about 4,300 digits on
MAX_DIGITS = 300
_OF_SNAPSHOT = "\0snapshot"  # no key of a JSON file


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this sub-command."""
    parser.add_argument(
        "file",
        metavar="FILE",
        help='a JSON object {"product_id", "category", "mapping", "dps"}, or a snapshot.json; - for standard input',
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on one line, also on a terminal")
    parser.add_argument("--explain", action="store_true", help="say why this layout and what was left out")


def run(args: argparse.Namespace) -> int:
    """Print what the dump means. Returns 0, or 2 where FILE is no JSON object."""
    try:
        content = _read(args.file)
        text = content.decode("utf-8-sig")
        meanings = [_meaning(dump, args.explain) for dump in _dumps(_parsed(text))]
    except OSError as error:
        print(f"decode: {args.file} cannot be read: {error.strerror}", file=sys.stderr)
        return EXIT_USE
    except (ValueError, TypeError) as error:
        print(f"decode: {args.file} is no JSON object with dps: {str(error)[:200]}", file=sys.stderr)
        return EXIT_USE
    for meaning in meanings:
        # a script that reads the answer gets it in the form it can read, also without the option
        if args.json or not (args.explain or sys.stdout.isatty()):
            print(json.dumps(meaning))
        else:
            _print(meaning)
    return EXIT_OK


def _read(file: str) -> bytes:
    """The content of a file or of the standard input. Raises OSError; ValueError where it is no dump by its size."""
    content = read_input(file, MAX_FILE_BYTES)
    if len(content) > MAX_FILE_BYTES:
        raise ValueError(f"more than {MAX_FILE_BYTES // 2**20} MB")
    return content


def _dumps(document: object) -> List[object]:
    """The dumps in a document: itself, or one for each device of tinytuya's snapshot.json, {"devices": [...]}."""
    listed = document.get("devices") if isinstance(document, dict) and "dps" not in document else None
    devices = [device for device in listed if isinstance(device, dict)] if isinstance(listed, list) else []
    return [_of_snapshot(device) for device in devices] or [document]


def _of_snapshot(device: Dict[str, Any]) -> Dict[str, Any]:
    """A device of a snapshot as a dump: its data points may be one level deeper, as the device answered."""
    dps = device.get("dps")
    inner = dps.get("dps") if isinstance(dps, dict) else None
    return {**device, "dps": inner if isinstance(inner, dict) else dps, _OF_SNAPSHOT: True}


def _meaning(dump: object, explain: bool) -> Dict[str, Any]:
    """What a dump means; of a snapshot's device with the name of the device in front."""
    meaning = decode_dump(dump, explain=explain)
    if isinstance(dump, dict) and dump.get(_OF_SNAPSHOT) is True:
        device_id = short_id(str(dump.get("id", "")))
        return {"device": clean_text(str(dump.get("name") or "")) or device_id, "id": device_id, **meaning}
    return meaning


def _parsed(text: str) -> object:
    """Return what a JSON text holds. An object nested deeper than Python reads is a dump that says nothing.

    Raises ValueError where the text is no JSON.
    """
    try:
        return json.loads(text, parse_int=_integer)
    except RecursionError:
        return {} if text.lstrip().startswith("{") else None


def _integer(digits: str) -> float:
    return int(digits) if len(digits) <= MAX_DIGITS else float("inf")


def _print(meaning: Dict[str, Any]) -> None:
    why = meaning.pop("why", [])
    for name, value in meaning.items():
        if isinstance(value, dict):
            value = ", ".join(f"{channel}: {json.dumps(amount)}" for channel, amount in value.items())
        elif isinstance(value, list):
            value = ", ".join(str(label).encode("ascii", "replace").decode() for label in value) or "none"
        print(f"{name:20} {value}")
    for sentence in why:
        print(f"  {sentence}".encode("ascii", "replace").decode())
