"""Parameters of the Hardware page and devices.json -> validated settings and the breakers to serve.

Knows no framework object (Parameters is a mapping of texts), no thread and no socket. Raises SettingsError with the
field's label and the cure where nothing can be served. The local key is in no text that leaves this module.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, List, Mapping, NamedTuple, Optional, Tuple

from ..devices.device import Terms
from ..devices.devices_file import (
    KEY_LENGTH,
    DevicesFile,
    DevicesFileError,
    clean_text,
    key_bytes,
    key_problem,
    parse_devices,
    read_devices,
)
from ..devices.file_bytes import is_there
from ..devices.secrets import hidden_if_key
from ..devices.served import Choice, choose_all, reading_problems
from ..lan import versions
from ..lan.device import short_id
from ..metering.profile import match

DEVICES_FILE_NAME = "devices.json"
# stored values of the drop-downs; the first one is the default, for empty and unknown ones too
SWITCHING = ("allowed", "refused")
NOT_UNDERSTOOD = "is not understood"
AUTO = "auto"  # the version; the others are those of lan/versions.py
SHOWN = ("basic", "all")
INTERVALS_S = ("5", "2", "10", "30", "60")
LOGS = ("normal", "debug")

_DEVICE_ID = re.compile(r"[0-9A-Za-z_-]{1,25}")

KEY_FIELD_CURE = (
    "Setup > Hardware: its field 'Local key' wins over devices.json: write the right key into it, or empty it and "
    "fetch the key with 'bash install.sh keys'"
)


class SettingsError(Exception):
    """A setting with which nothing can be served; the text names its label on the Hardware page and the cure."""


class Rules(NamedTuple):
    """What the settings say for all breakers of a hardware instance."""

    terms: Terms = Terms()
    show_all: bool = False


@dataclass(frozen=True)
class Settings:
    """The Hardware page, validated. `device_id` empty: every metering device of the file."""

    home_folder: Path
    candidates: Tuple[Path, ...]  # where the devices file may be; the first one that exists is it
    hardware_name: str = ""
    device_id: str = ""
    address: Optional[str] = None
    local_key: bytes = field(default=b"", repr=False)
    version: Optional[str] = None
    rules: Rules = field(default_factory=Rules)
    debug: bool = False
    remarks: Tuple[str, ...] = ()


def read_settings(parameters: Mapping[str, Any]) -> Settings:
    """Validate the Hardware page. Raises SettingsError."""
    text = {name: str(parameters.get(name) or "").strip() for name in _NAMES}
    remarks: List[str] = []
    device_id = text["Username"]
    if device_id and not _DEVICE_ID.fullmatch(device_id):
        raise SettingsError(
            "Device ID: this is no Tuya device id (20 to 22 letters and digits); empty: all of the file"
        )
    address = _address(text["Address"])
    local_key = key_bytes(text["Password"])
    if device_id and local_key and key_problem(local_key):
        raise SettingsError(f"Local key: it has {len(local_key)} characters instead of {KEY_LENGTH}")
    version = _choice(text["Mode3"], (AUTO, *versions.names()))
    if not device_id and (address or local_key or version != AUTO):
        remarks.append("IP address, Local key and Protocol are used together with a Device ID only")
        address, local_key, version = None, b"", AUTO
    if text["Mode2"] not in ("", *SWITCHING):
        remarks.append(f"Switching: {clean_text(text['Mode2'])!r} {NOT_UNDERSTOOD}: switching is refused")
    for field_name, label, values in _CHOICES:
        if text[field_name] not in ("", *values):
            remarks.append(f"{label}: {clean_text(text[field_name])!r} {NOT_UNDERSTOOD}: {values[0]} is used")
    home = Path(text["HomeFolder"] or ".")
    return Settings(
        home_folder=home,
        candidates=_candidates(text["Mode1"], home, text["UserDataFolder"]),
        hardware_name=text["Name"],
        device_id=device_id,
        address=address,
        local_key=local_key,
        version=None if version == AUTO else version,
        rules=Rules(
            terms=Terms(
                may_switch=text["Mode2"] in ("", SWITCHING[0]),
                interval_s=float(_choice(text["Mode5"], INTERVALS_S)),
            ),
            show_all=_choice(text["Mode4"], SHOWN) == "all",
        ),
        debug=_choice(text["Mode6"], LOGS) == "debug",
        remarks=tuple(remarks),
    )


_CHOICES = (
    ("Mode3", "Protocol", (AUTO, *versions.names())),
    ("Mode4", "Devices shown", SHOWN),
    ("Mode5", "Update interval", INTERVALS_S),
    ("Mode6", "Log", LOGS),
)
_MODES = ("Mode1", "Mode2", "Mode3", "Mode4", "Mode5", "Mode6")
_NAMES = ("HomeFolder", "UserDataFolder", "Name", "Address", "Username", "Password", *_MODES)


def _choice(text: str, values: Tuple[str, ...]) -> str:
    return text if text in values else values[0]


def _address(text: str) -> Optional[str]:
    if not text:
        return None
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        raise SettingsError(
            "IP address: give an IPv4 address as 192.168.1.20 (host names are not looked up), or leave it empty"
        ) from None


def _candidates(text: str, home: Path, user_data: str) -> Tuple[Path, ...]:
    folders = [home] + ([Path(user_data)] if user_data else [])
    named = Path(text or DEVICES_FILE_NAME)
    return (named,) if named.is_absolute() else tuple(dict.fromkeys(folder / named for folder in folders))


def devices_path(settings: Settings) -> Optional[Path]:
    """Return the devices file, None where there is none."""
    return next((path for path in settings.candidates if is_there(path)), None)


def choose(settings: Settings, path: Optional[Path]) -> Choice:
    """Read the devices file and choose the breakers to serve.

    Raises DevicesFileError (the file cannot be used), SettingsError (nothing can be served).
    """
    if settings.device_id and settings.local_key:
        try:
            return _one(settings, read_devices(path) if path is not None else DevicesFile(), path)
        except DevicesFileError as error:  # what stands on the Hardware page is enough
            choice = _one(settings, DevicesFile(), None)
            return choice._replace(problems=(*choice.problems, str(error)))
    file = read_devices(path) if path is not None else DevicesFile()
    if settings.device_id:
        return _one(settings, file, path)
    if path is None:
        places = " or ".join(str(one.parent / hidden_if_key(one.name)) for one in settings.candidates)
        raise SettingsError(f"Devices file: there is no {places} yet. Run 'bash install.sh keys' in the plugin folder")
    return choose_all(file, path.name)


def _one(settings: Settings, file: DevicesFile, path: Optional[Path]) -> Choice:
    """The Username device; Address, Password and Mode3 win over the file."""
    shown_id = short_id(settings.device_id)
    entry = next((entry for entry in file.entries if entry.device_id == settings.device_id), None)
    if entry is None:
        if not settings.local_key:
            where = f"in {path}" if path is not None else "because there is no devices file"
            raise SettingsError(f"Device ID: {shown_id} is not found {where}. Enter its Local key too, or add it there")
        entry = parse_devices(f'[{{"id": "{settings.device_id}"}}]').entries[0]
        entry = replace(entry, name=settings.hardware_name)
    entry = replace(
        entry,
        address=settings.address or entry.address,
        local_key=settings.local_key or entry.local_key,
        key_cure=KEY_FIELD_CURE if settings.local_key else "",
        version=settings.version or entry.version,
        version_fixed=settings.version is not None,
    )
    problem = key_problem(entry.local_key)
    if problem:
        raise SettingsError(f"{entry.shown_name}: {problem}")
    profile = match(entry.raw, {})
    problems = reading_problems(entry, profile, path.name if path is not None else "")
    return Choice((entry,), {entry.device_id: profile}, tuple(problems))
