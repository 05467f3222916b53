"""`python3 -m tuya decode FILE`: says what the data points in a dump mean. Needs no device and no network."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Dict

from tuya.metering.decode import decode_dump

EXIT_OK = 0
EXIT_USE = 2
# longer integers are no readings, and Python refuses to parse them from about 4,300 digits on
MAX_DIGITS = 300


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this sub-command."""
    parser.add_argument(
        "file", metavar="FILE", help='a JSON object {"product_id", "category", "mapping", "dps"}; - for standard input'
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on one line, also on a terminal")
    parser.add_argument("--explain", action="store_true", help="say why this layout and what was left out")


def run(args: argparse.Namespace) -> int:
    """Print what the dump means. Returns 0, or 2 where FILE is no JSON object."""
    try:
        content = sys.stdin.buffer.read() if args.file == "-" else Path(args.file).read_bytes()
        text = content.decode("utf-8-sig")
        meaning = decode_dump(_parsed(text), explain=args.explain)
    except OSError as error:
        print(f"decode: {args.file} cannot be read: {error.strerror}", file=sys.stderr)
        return EXIT_USE
    except (ValueError, TypeError) as error:
        print(f"decode: {args.file} is no JSON object with dps: {str(error)[:200]}", file=sys.stderr)
        return EXIT_USE
    # a script that reads the answer gets it in the form it can read, also without the option
    if args.json or not (args.explain or sys.stdout.isatty()):
        print(json.dumps(meaning))
    else:
        _print(meaning)
    return EXIT_OK


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
