"""What the sub-commands share: naming devices, JSON output, exit codes."""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

from tuya import process
from tuya.devices.devices_file import (
    DeviceEntry,
    DevicesFileError,
    key_bytes,
    key_problem,
    parse_devices,
    read_devices,
)
from tuya.devices.file_bytes import is_there
from tuya.devices.secrets import key_texts, without_keys
from tuya.lan import versions
from tuya.process import EXIT_FAULT as EXIT_FAULT
from tuya.process import EXIT_USAGE as EXIT_USAGE
from tuya.process import CommandError as CommandError
from tuya.process import UsageError as UsageError

EXIT_OK = 0

KEY_VARIABLE = "TUYA_LOCAL_KEY"  # keeps a key out of the shell's history and the process list
PLUGIN_FOLDER = Path(__file__).resolve().parent.parent.parent
DEVICES_FILE_NAME = "devices.json"
MAX_PASSWORD_BYTES = 65535  # as MQTT limits it; nobody has a longer one for Domoticz either


def add_devices_file_argument(parser: argparse.ArgumentParser) -> None:
    """Add --devices FILE."""
    parser.add_argument("--devices", metavar="FILE", type=Path, help="another file than devices.json of the plugin")


def add_device_arguments(parser: argparse.ArgumentParser, name: bool = True) -> None:
    """Add what names a device: NAME (unless `name` is false) and --id --ip --port --version --key --devices."""
    if name:
        parser.add_argument("name", metavar="NAME", nargs="?", help="name or id of a device in devices.json")
    parser.add_argument("--id", metavar="ID", help="device id, for a device that is in no file")
    parser.add_argument("--ip", metavar="ADDRESS", help="IP address; without it announcements are listened to")
    parser.add_argument("--port", type=process.port, metavar="N", help="TCP port (6668)")
    parser.add_argument("--version", metavar="V", choices=versions.names(), help=versions.choices())
    parser.add_argument(
        "--key",
        metavar="KEY",
        help=f"local key, as --key='...'; or in the environment variable {KEY_VARIABLE}, which no history keeps",
    )
    add_devices_file_argument(parser)


def devices_path(given: Optional[Path]) -> Optional[Path]:
    """The devices file: the given one, else that of the plugin folder, else of Domoticz's user data folder; or None.

    The user data folder is known from the plugin's own place, <user data>/plugins/<plugin>.
    """
    if given is not None:
        return given
    folders = [PLUGIN_FOLDER]
    if PLUGIN_FOLDER.parent.name == "plugins":
        folders.append(PLUGIN_FOLDER.parent.parent)
    for folder in folders:
        if is_there(folder / DEVICES_FILE_NAME):
            return folder / DEVICES_FILE_NAME
    return None


def read_entries(given: Optional[Path]) -> Tuple[DeviceEntry, ...]:
    """All entries of the devices file, () where there is none. Complaints about single entries go to stderr.

    Raises UsageError when the file cannot be used at all.
    """
    path = devices_path(given)
    if path is None:
        return ()
    try:
        content = read_devices(path)
    except DevicesFileError as error:
        raise UsageError(str(error)) from None
    for problem in content.problems:
        print_message(f"{path.name}: {problem}")
    return content.entries


def chosen_devices(args: argparse.Namespace, name: Optional[str] = None) -> List[DeviceEntry]:
    """The devices that the arguments of add_device_arguments name, with --ip, --port, --version and key applied.

    name: the NAME where the sub-command parses it itself. Without NAME and --id: every entry of the file that is
    not a sub-device and not excluded by "use": false; whether it measures anything is the caller's to judge.
    Raises UsageError: no such device, more than one of that name, no file, no usable key.
    """
    wanted = name if name is not None else getattr(args, "name", None)
    entries = read_entries(args.devices)
    if args.id is not None:
        entry = next((known for known in entries if known.device_id == args.id), None) or _entry_of_id(args.id)
    elif wanted is not None:
        entry = _find(entries, wanted)
    else:
        if args.ip or args.port or args.version or args.key:
            raise UsageError("--ip, --port, --version and --key are of one device: name it, or give its --id")
        everything = [entry for entry in entries if not entry.is_sub_device and entry.wishes.use is not False]
        if not everything:
            raise UsageError(_no_devices(args.devices))
        return everything
    return [_with_options(entry, args)]


def _no_devices(given: Optional[Path]) -> str:
    path = devices_path(given)
    if path is None:
        return "there is no devices.json yet: run 'bash install.sh keys', or give --id, --ip and its key"
    return f"{path}: there is no device in it that could be connected to"


def _entry_of_id(device_id: str) -> DeviceEntry:
    entries = parse_devices(json.dumps([{"id": device_id, "name": ""}])).entries
    if not entries:
        raise UsageError("--id: this is no Tuya device id (letters and digits, at most 25)")
    return entries[0]


def _find(entries: Tuple[DeviceEntry, ...], wanted: str) -> DeviceEntry:
    """The entry of that id or name; upper and lower case matter only where they must. Raises UsageError."""
    wanted = as_utf8(wanted)
    for known in entries:
        if known.device_id == wanted:
            return known
    exact = [known for known in entries if wanted in (known.name, known.wishes.name)]
    alike = exact or [
        known for known in entries if wanted.casefold() in (known.name.casefold(), known.shown_name.casefold())
    ]
    if len(alike) == 1:
        return alike[0]
    if alike:
        raise UsageError(f"{len(alike)} devices are named {wanted!r}: give the id instead")
    if not entries:
        raise UsageError("no device is in devices.json: run 'bash install.sh keys', or give --id, --ip and its key")
    names = ", ".join(repr(known.shown_name) for known in entries)
    wanted = without_keys(wanted, key_texts(known.local_key for known in entries))
    raise UsageError(f"there is no device {wanted!r} in devices.json; it has {names}")


def as_utf8(word: str) -> str:
    """A word of the command line as its bytes read in UTF-8, which are a device's name in the file.

    Python reads the command line in the locale's encoding: under LC_ALL=C the name of a device may come in surrogates.
    Not for what names a file: that has to go back to the system as it came. A word that is no UTF-8 stays as it is.
    """
    try:
        return os.fsencode(word).decode("utf-8")
    except UnicodeError:
        return word


def _with_options(entry: DeviceEntry, args: argparse.Namespace) -> DeviceEntry:
    changes: Dict[str, Any] = {}
    if args.ip is not None:
        changes["address"] = args.ip
    if args.port is not None:
        changes["port"] = args.port
    if args.version is not None:
        changes.update(version=args.version, version_fixed=True)  # the only one that is tried
    given_key = args.key if args.key is not None else os.environ.get(KEY_VARIABLE)
    if given_key:
        changes["local_key"] = key_bytes(given_key)
    chosen = replace(entry, **changes)
    problem = key_problem(chosen.local_key)
    if problem:
        raise UsageError(f"{chosen.shown_name}: {problem}")
    return chosen


def read_input(file: str, most_bytes: int) -> bytes:
    """The content of a file, or of the standard input where it is "-". Raises OSError.

    Where there is more than `most_bytes`, one byte more than that is returned: a file without an end has one here.
    """
    if file == "-":
        return sys.stdin.buffer.read(most_bytes + 1)
    return _beginning_of(Path(file), most_bytes + 1)


def read_password(path: Path) -> str:
    """The password in a file, without ends of lines around it. Raises UsageError where there is none in it."""
    try:
        password = _beginning_of(path, MAX_PASSWORD_BYTES + 1).decode("utf-8").strip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'no text'}") from None
    if len(password.encode()) > MAX_PASSWORD_BYTES:
        raise UsageError(f"{path}: a password has no more than {MAX_PASSWORD_BYTES} bytes")
    return password


def _beginning_of(path: Path, most_bytes: int) -> bytes:
    with path.open("rb") as file:
        return file.read(most_bytes)


def is_same_file(one: Path, other: Path) -> bool:
    """Whether two paths lead to the same file or folder; false where one cannot be looked at. Raises nothing."""
    try:
        return one.samefile(other)
    except (OSError, ValueError):  # not there, no right to look; a NUL in what another process told
        return False


def print_json(value: object) -> None:
    """Print one JSON value as one line of ASCII on stdout, at once."""
    sys.stdout.write(json.dumps(value, separators=(", ", ": ")) + "\n")
    sys.stdout.flush()


def print_message(text: str) -> None:
    """Print one line for the person at the terminal: on stderr, so that --json stays clean.

    It stays one line where several threads print: print() writes its end apart from it.
    """
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
