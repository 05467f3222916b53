"""python3 -m tuya keys: local keys from what the user has (files, or a developer project) into devices.json.

Keys are never shown. Nothing here is used while the plugin runs.
"""

from __future__ import annotations

import argparse
import codecs
import getpass
import json
import os
import sys
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Tuple

from tuya.cli.common import (
    DEVICES_FILE_NAME,
    EXIT_FAULT,
    EXIT_OK,
    PLUGIN_FOLDER,
    UsageError,
    add_devices_file_argument,
    devices_path,
    print_json,
    print_message,
    read_input,
)
from tuya.devices.devices_file import DevicesFileError, key_bytes, key_problem, parse_devices
from tuya.devices.file_bytes import MAX_FILE_BYTES, is_there, read_bytes
from tuya.devices.served import SERVE_CURE, is_unknown, named
from tuya.keys import cloud
from tuya.keys.merge import Change, merge
from tuya.keys.sources import Export, Lost, SourceProblem, read_export
from tuya.keys.writer import only_writer, real_path, remove_leftovers, write_devices
from tuya.lan.device import short_id
from tuya.setup import find_domoticz

SECRET_VARIABLE = "TUYA_ACCESS_SECRET"  # noqa: S105 - the name of a variable; keeps the secret out of the history
TINYTUYA_CONFIG = "tinytuya.json"
_HOME_ASSISTANT_FILE = ".storage/core.config_entries"
_HOME_ASSISTANT_FOLDERS = ("/config", "~/.homeassistant", "~/homeassistant", "/usr/share/hassio/homeassistant")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `keys`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = (
        "files that are understood: tinytuya's devices.json, snapshot.json and tuya-raw.json, Home Assistant's\n"
        "core.config_entries (localtuya, tuya-local), localtuya's YAML, what TuyAPI's 'tuya-cli wizard' printed\n"
        f"the project's access secret is asked for, or taken from {SECRET_VARIABLE} or from {TINYTUYA_CONFIG}"
    )
    parser.add_argument("files", metavar="FILE", nargs="*", type=Path, help="exports to take keys from, - for stdin")
    parser.add_argument("--cloud", action="store_true", help="ask Tuya's cloud, with a developer project of yours")
    parser.add_argument("--region", choices=cloud.REGIONS, help="data centre of the project")
    parser.add_argument("--access-id", metavar="ID", help="access id (client id) of the project")
    parser.add_argument("--dry-run", action="store_true", help="show what would change, and change nothing")
    parser.add_argument("--json", action="store_true", help="one object for each device")
    add_devices_file_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Collect, merge, write, and say what changed. Returns 0; 1 if a device still has no usable key."""
    wants_cloud = args.cloud or args.region or args.access_id
    if not args.files and not wants_cloud:
        if not sys.stdin.isatty():
            raise UsageError("name a file to take keys from, or --cloud; 'keys --help' says which files are understood")
        _ask(args)
        wants_cloud = args.cloud
    path = real_path(devices_path(args.devices) or PLUGIN_FOLDER / DEVICES_FILE_NAME)
    exports = [_export_of(file) for file in args.files]
    if wants_cloud:
        exports.append(Export(_from_cloud(args, _read_target(path).entries), []))
    with only_writer(path):
        _clean(path)
        changes, document = _merge_into(_read_target(path), exports, args)
    unusable = [change for change in changes if "; but " in change.text]
    lost = [lost for export in exports for lost in export.lost if lost.is_lost and not _has_key(document, lost)]
    return EXIT_FAULT if unusable or lost else EXIT_OK


def _has_key(document: Any, lost: Lost) -> bool:
    """Whether the devices file has a usable key of a device of which a source had none."""
    listed = document.get("devices", []) if isinstance(document, dict) else document or []
    return any(
        isinstance(entry, dict) and entry.get("id") == lost.device_id and not key_problem(key_bytes(str(entry["key"])))
        for entry in listed
        if lost.device_id and "key" in entry
    )


def _clean(path: Path) -> None:
    """Remove what a run that was killed left, and say so: it holds keys."""
    try:
        removed = remove_leftovers(path)
    except OSError as error:
        print_message(f"an interrupted run left keys in {error.filename}, which cannot be removed: {error.strerror}")
        return
    for other in removed:
        print_message(f"{other}, left by an interrupted run, is removed")


def _merge_into(target: _Target, exports: List[Export], args: argparse.Namespace) -> Tuple[List[Change], Any]:
    """Merge what was found into the devices file, write it if that changed anything, and say what changed.

    Returns the changes and the document as it is after them.
    """
    document = target.document
    changes: List[Change] = []
    for export in exports:
        document, of_source = merge(document, export.devices)
        changes += of_source
    _show(changes, args.json)
    if args.dry_run:
        print_message(f"{target.path} is not changed (--dry-run)")
    elif document == target.document:
        print_message(f"{target.path} is up to date")
    else:
        reader = find_domoticz.reader_of_keys(PLUGIN_FOLDER, find_domoticz.find(PLUGIN_FOLDER))
        advice = write_devices(target.path, document, reader)
        backup = f"; what it was before is in {target.path.name}.bak" if target.document is not None else ""
        print_message(f"{target.path} is written{backup}. A running plugin notices by itself")
        if advice:
            print_message(advice)
    entries = parse_devices(json.dumps(document)).entries if document else ()
    unknown = [entry for entry in entries if is_unknown(entry)]
    if unknown:
        print_message(
            f"not served, as nothing says what they measure: {named(unknown)}. {SERVE_CURE}; what is missing stands in "
            "tinytuya's own devices.json, and --cloud fetches it"
        )
    return changes, document


class _Target(NamedTuple):
    """The devices file to be written, and what is in it now (document None: there is none)."""

    path: Path
    document: Any
    entries: List[Dict[str, Any]]


def _read_target(path: Path) -> _Target:
    """Read the file that keys go into. Raises UsageError where it is damaged: it is not replaced then."""
    try:
        text = _decoded(read_bytes(path), str(path)) if is_there(path) else ""
    except DevicesFileError as error:
        raise UsageError(f"{error}; nothing was changed") from None
    if not text.strip():
        return _Target(path, None, [])
    try:
        problems = parse_devices(text).problems
    except DevicesFileError as error:
        raise UsageError(f"{DevicesFileError(error.line, error.what, str(path))}; nothing was changed") from None
    for problem in problems:
        print_message(f"{path.name}: {problem}")
    document = json.loads(text)
    listed = document["devices"] if isinstance(document, dict) else document
    return _Target(path, document, [entry for entry in listed if isinstance(entry, dict) and "id" in entry])


def _read_text(path: Path) -> str:
    """The text of an export, "-": of the standard input. Raises UsageError."""
    try:
        content = read_input(str(path), MAX_FILE_BYTES)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    return _decoded(content, "the standard input" if str(path) == "-" else str(path))


def _decoded(content: bytes, name: str) -> str:
    """Text as exports have it: UTF-8, or with a mark at its beginning UTF-16, which Windows' PowerShell writes."""
    if len(content) > MAX_FILE_BYTES:
        raise UsageError(f"{name} is too large to be such a file")
    encoding = "utf-16" if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        raise UsageError(f"{name} is no text in UTF-8") from None


def _export_of(path: Path) -> Export:
    text = _read_text(path)
    try:
        export = read_export(text)
    except SourceProblem as problem:
        raise UsageError(f"{path}: {problem}") from None
    for lost in export.lost:
        print_message(f"{path}: {lost.text}")
    return export


def _from_cloud(args: argparse.Namespace, known: List[Dict[str, Any]]) -> List[Dict[str, Any]]:
    """Fetch from the cloud with what is given, else with tinytuya's settings, else with what the user types."""
    config = _tinytuya_config()
    interactive = sys.stdin.isatty()
    region = args.region or config.get("apiRegion")
    access_id = args.access_id or config.get("apiKey")
    secret = os.environ.get(SECRET_VARIABLE) or (config.get("apiSecret") if access_id == config.get("apiKey") else None)
    if interactive and not access_id:
        access_id = input("Access ID of your project (Cloud > your project > Overview): ").strip()
    if interactive and not secret:
        secret = getpass.getpass("Access Secret (is not shown and not kept): ").strip()
    if interactive and not region:
        region = input(f"Data centre ({', '.join(cloud.REGIONS)}): ").strip().lower()
    if not (region and access_id and secret):
        raise UsageError(
            f"--cloud needs --region, --access-id and the secret in {SECRET_VARIABLE}, or a terminal to ask"
        )
    if region not in cloud.REGIONS:
        raise UsageError(f"there is no data centre {region!r}; there are {', '.join(cloud.REGIONS)}")
    print_message("Asking Tuya's cloud (a few seconds) ...")
    return cloud.fetch(cloud.Project(region, access_id, secret), known)


def _tinytuya_config() -> Dict[str, str]:
    """What tinytuya's wizard has kept, here or in the plugin folder; {} without it."""
    for folder in (Path.cwd(), PLUGIN_FOLDER):
        path = folder / TINYTUYA_CONFIG
        if path.is_file():
            try:
                config = json.loads(_read_text(path))
            except ValueError:
                continue
            if isinstance(config, dict):
                return {name: str(value) for name, value in config.items() if value}
    return {}


def _ask(args: argparse.Namespace) -> None:
    """Ask a person where the keys are to come from; the answer is put into `args`."""
    candidates = _candidates()
    print("Where are your local keys?")
    for number, path in enumerate(candidates, start=1):
        print(f"  {number}  {path}")
    print("  c  nowhere yet: ask Tuya's cloud (needs a developer project on Tuya's platform, which is free)")
    print("  or the path of another file: tinytuya, Home Assistant (localtuya, tuya-local), tuya-cli")
    answer = input("> ").strip()
    if not answer:
        raise UsageError("nothing was chosen")
    if answer.lower() == "c":
        args.cloud = True
    elif answer.isdecimal() and 0 < int(answer) <= len(candidates):
        args.files = [candidates[int(answer) - 1]]
    else:
        args.files = [Path(answer).expanduser()]


def _candidates() -> List[Path]:
    """Files of this machine that look like a source."""
    paths = [folder / name for folder in (Path.cwd(), Path.home()) for name in ("devices.json", "snapshot.json")]
    paths += [Path(folder).expanduser() / _HOME_ASSISTANT_FILE for folder in _HOME_ASSISTANT_FOLDERS]
    target = PLUGIN_FOLDER / DEVICES_FILE_NAME
    found: List[Path] = []
    for path in paths:
        if path != target and path not in found and os.access(path, os.R_OK):
            found.append(path)
    return found


def _show(changes: List[Change], as_json: bool) -> None:
    """Print one line for each device; the last change of a device that several sources have."""
    last: Dict[str, Change] = {}
    for change in changes:
        if change.kind != "same" or change.device_id not in last:
            last[change.device_id] = change
    for change in last.values():
        if as_json:
            print_json({"change": change.kind, "name": change.name, "id": change.device_id, "text": change.text})
        else:
            print(f"{change.name} ({short_id(change.device_id)}): {change.text}")
