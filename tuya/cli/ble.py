"""`python3 -m tuya ble FILE`: explains the capture of a Bluetooth pairing."""

from __future__ import annotations

import argparse
import json
import os
import sys
import textwrap
from typing import Dict, Optional

from tuya.ble.capture import CaptureError, read_capture
from tuya.ble.explain import ExplainedFrame, Explanation, explain, why_not_without_the_app
from tuya.ble.keys import FLAGS, KeyMaterialError, Secrets
from tuya.cli.common import read_input

EXIT_OK = 0
EXIT_USE = 2
MAX_FILE_BYTES = 256 * 2**20  # a phone's log of a whole day has some 10 MB
# option -> environment variable, which keeps the key out of the shell's history
SECRET_OPTIONS = {
    "auth_key": "TUYA_AUTH_KEY",
    "uuid": "TUYA_UUID",
    "local_key": "TUYA_LOCAL_KEY",
    "sec_key": "TUYA_SEC_KEY",
}
_HEADER = "  #     lines  packets  bytes  ver  ctr  flag  cipher  IV"
_TEXT_WIDTH = 96


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this sub-command."""
    parser.add_argument("file", metavar="FILE", help="lines of '>' or '<' and hex, or a btsnoop log; - for stdin")
    parser.add_argument("--json", action="store_true", help="one JSON object a frame, and nothing else")
    for name, variable in SECRET_OPTIONS.items():
        parser.add_argument(
            "--" + name.replace("_", "-"), metavar="KEY", help=f"opens frames (or the environment variable {variable})"
        )


def run(args: argparse.Namespace) -> int:
    """Print the explanation. Returns 0, or 2 where the file or a key cannot be used."""
    try:
        secrets = _secrets(args)
        content = _content(args.file)
        capture = read_capture(content)
        explanation = explain(capture.values, secrets, capture.problems)
    except (CaptureError, KeyMaterialError) as error:
        print(f"ble: {args.file}: {error}", file=sys.stderr)
        return EXIT_USE
    except OSError as error:
        print(f"ble: {args.file} cannot be read: {error.strerror}", file=sys.stderr)
        return EXIT_USE
    except ImportError:
        print("ble: keys need the package pycryptodome; run 'bash install.sh' once", file=sys.stderr)
        return EXIT_USE
    if args.json:
        for frame in explanation.frames:
            print(json.dumps(frame.to_json()))
        for problem in explanation.problems:
            print(f"ble: line {problem.line}: {problem.text}", file=sys.stderr)
    else:
        _print_table(explanation)
    return EXIT_OK


def _content(name: str) -> bytes:
    """The bytes of a file or of stdin ("-"). Raises CaptureError for more than any capture has, and OSError."""
    content = read_input(name, MAX_FILE_BYTES)
    if len(content) > MAX_FILE_BYTES:
        raise CaptureError(0, f"more than {MAX_FILE_BYTES // 2**20} MB: cut the log to the minutes of the pairing")
    return content


def _secrets(args: argparse.Namespace) -> Secrets:
    given: Dict[str, Optional[bytes]] = {}
    for name, variable in SECRET_OPTIONS.items():
        text = getattr(args, name) or os.environ.get(variable) or None
        given[name] = os.fsencode(text) if text is not None else None
    return Secrets(**given)


def _print_table(explanation: Explanation) -> None:
    print(
        f"{explanation.values} values, {explanation.value_bytes:,} bytes, {len(explanation.frames)} frames, "
        f"{len(explanation.problems) or 'no'} leftovers\n"
    )
    if not explanation.values:
        print("Nothing was written to a characteristic or notified by one in this capture.")
    print(_HEADER)
    for frame in explanation.frames:
        _print_frame(frame)
    for problem in explanation.problems:
        print(f"  ! line {problem.line}: {problem.text}")
    _print_keys(explanation)


def _print_frame(frame: ExplainedFrame) -> None:
    raw, envelope = frame.raw, frame.envelope
    lines = f"{raw.lines[0]}-{raw.lines[-1]}" if len(raw.lines) > 1 else str(raw.lines[0])
    print(
        f"{frame.number:3} {raw.direction} {lines:>7}  {len(raw.lines):7}  {raw.length:5}  {raw.version:3}  "
        f"{raw.counter:3}  {envelope.flag:4}  {len(envelope.ciphertext):6}  {envelope.iv.hex()}"
    )
    kind = "inferred: " if frame.inferred else ""
    _print_wrapped(f"{kind}{frame.step} ({frame.why})")
    if frame.message is not None:
        message = frame.message
        _print_wrapped(f"sn {message.sn}, answers {message.ack_sn}: {json.dumps(frame.content())}")
    for problem in frame.problems:
        _print_wrapped("! " + problem)


def _print_wrapped(text: str) -> None:
    print(textwrap.fill(text, _TEXT_WIDTH, initial_indent="      ", subsequent_indent="        "))


def _print_keys(explanation: Explanation) -> None:
    closed = sorted({frame.envelope.flag for frame in explanation.frames if frame.message is None})
    if not closed:
        return
    print("\nKeys that the closed frames take:")
    for flag in closed:
        info = FLAGS.get(flag)
        text = f"flag {flag}: {info.name} = {info.recipe}. {info.holder}" if info else f"flag {flag}: not known"
        _print_wrapped(text)
    print()
    print(textwrap.fill(why_not_without_the_app(), _TEXT_WIDTH))
