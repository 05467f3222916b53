"""devices.json: text -> entries and complaints. Pure.

The file is tinytuya's (a list, or an object with a list "devices"); of an entry we read its fields and our own
object "domoticz" (the wishes). A local key never reaches a complaint or a repr.
"""

from __future__ import annotations

import ipaddress
import json
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Dict, FrozenSet, Iterable, List, Mapping, NamedTuple, NoReturn, Optional, Set, Tuple

from ..lan import versions
from ..lan.device import TCP_PORT, short_id
from .file_bytes import DevicesFileError as DevicesFileError
from .file_bytes import read_bytes
from .json_places import entry_spans
from .misplaced import READING_WISHES, WISHES, given_twice, misplaced, object_of, protects, protects_inside
from .secrets import without_keys

DEFAULT_PORT = TCP_PORT
KEY_LENGTH = versions.KEY_BYTES

# Domoticz keeps a DeviceID of at most 25 ASCII characters without quotes (facts of the framework).
_DEVICE_ID = re.compile(r"[0-9A-Za-z_-]{1,25}")
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_MAX_NAME_CHARACTERS = 60

REFUSED = "refused"
_REFUSED_UNTIL = "until that is corrected, switching is refused for it"


@dataclass(frozen=True)
class Wishes:
    """The object "domoticz" of an entry, as far as it is not about readings.

    "invert", "scale" and "layout" are read and judged by tuya/metering/wishes.py; `lines` says where each wish stands.
    """

    name: Optional[str] = None
    use: Optional[bool] = None
    switch: Optional[str] = None  # "allowed" or "refused"; None = the setting of the hardware
    hide: FrozenSet[int] = frozenset()
    restore: bool = False
    lines: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class DeviceEntry:
    """One device of the file. `local_key` may be unusable: see key_problem. `line`: where the entry begins."""

    device_id: str
    local_key: bytes = field(repr=False)
    name: str = ""
    address: Optional[str] = None
    port: int = DEFAULT_PORT
    version: Optional[str] = None
    version_fixed: bool = False  # chosen on the Hardware page or the command line, never by the file
    product_id: str = ""
    category: str = ""
    mapping: Mapping[str, Any] = field(default_factory=dict, repr=False)
    is_sub_device: bool = False
    wishes: Wishes = field(default_factory=Wishes)
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)
    line: int = 0
    key_cure: str = ""  # where to correct a wrong key; "" if it is the file's

    @property
    def shown_name(self) -> str:
        """The user's name for it, else the file's, else the shortened id: for messages and new units."""
        return self.wishes.name or self.name or short_id(self.device_id)


class DevicesFile(NamedTuple):
    """All usable entries in the order of the file, and what could not be used ("line 12: Kettle: ...").

    left_out: those of the problems for which a whole entry is left out; harmless: those where nothing is lost by that.
    """

    entries: Tuple[DeviceEntry, ...] = ()
    problems: Tuple[str, ...] = ()
    left_out: Tuple[str, ...] = ()
    harmless: Tuple[str, ...] = ()


def clean_text(text: str, limit: int = _MAX_NAME_CHARACTERS) -> str:
    """Text from outside, fit for one line of a log or a device name: no control characters, cut to `limit`."""
    printable = text.encode("utf-8", "replace").decode("utf-8")  # JSON may hold half of a surrogate pair
    return _CONTROL_CHARACTERS.sub(" ", printable).strip()[:limit]


def key_bytes(text: str) -> bytes:
    """Turn a local key as typed or exported into bytes (of any length: see key_problem).

    Keys may hold any printable character; some exports spell &, < and quotes as HTML entities.
    """
    if len(text) != KEY_LENGTH and "&" in text:
        import html  # here: its tables take a while, and hardly any file needs them

        if len(html.unescape(text)) == KEY_LENGTH:
            text = html.unescape(text)
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


def key_problem(local_key: bytes) -> Optional[str]:
    """Why this cannot be a local key, in words that do not show it; None if it can."""
    if not local_key:
        return "it has no local key: fetch it with 'bash install.sh keys'"
    if len(local_key) != KEY_LENGTH:
        return f"its local key has {len(local_key)} characters instead of {KEY_LENGTH}"
    return None


def local_address(text: object) -> Optional[str]:
    """Accept an IPv4 address that can be in a home network, else None (the cloud writes the public address here)."""
    if not isinstance(text, str):
        return None
    try:
        address = ipaddress.IPv4Address(text.strip())
    except ValueError:
        return None
    if (
        address.is_global
        or address.is_multicast
        or address.is_unspecified
        or address == ipaddress.IPv4Address(2**32 - 1)
    ):
        return None
    return str(address)


def parse_devices(text: str) -> DevicesFile:
    """Read the text of a devices file. Raises DevicesFileError where the JSON itself is broken or holds no list."""
    try:
        document = json.loads(text, object_pairs_hook=object_of)
    except json.JSONDecodeError as error:
        raise DevicesFileError(error.lineno, f"this is not valid JSON: {error.msg}") from None
    except ValueError:
        raise DevicesFileError(0, "this is no devices file: it holds a number of thousands of digits") from None
    except RecursionError:
        raise DevicesFileError(0, "this is no devices file: it is nested too deeply") from None
    raw_entries = document.get("devices") if isinstance(document, dict) else document
    if not isinstance(raw_entries, list):
        raise DevicesFileError(1, 'expected a list of devices, or an object with a list "devices"')
    entries: List[DeviceEntry] = []
    problems: List[str] = []
    left_out: List[str] = []
    harmless: List[str] = []
    place_of: Dict[str, int] = {}  # device id -> which of the entries
    line, counted = 1, 0
    keys = {raw["key"] for raw in raw_entries if isinstance(raw, dict) and isinstance(raw.get("key"), str)}
    for raw, (start, end) in zip(raw_entries, entry_spans(text, isinstance(document, dict))):
        line, counted = line + text.count("\n", counted, start), start
        reader, known = _EntryReader(text[start:end], line, problems, keys), len(problems)
        entry = reader.entry(raw)
        if entry is None:
            left_out += problems[known:]
            continue
        if entry.device_id in place_of:
            at = place_of[entry.device_id]
            first = entries[at]
            other = "" if entry.local_key == first.local_key else ", with another local key"
            what = f"its id stands already in line {first.line}{other}; the first entry is used"
            if entry.wishes.switch == REFUSED and first.wishes.switch != REFUSED:
                entries[at] = _refusing(first)
                what += f"; {_REFUSED_UNTIL}"
            reader.complain(entry.shown_name, what)
            harmless += problems[-1:] if raw == first.raw else []
            continue
        place_of[entry.device_id] = len(entries)
        entries.append(entry)
    if isinstance(document, dict):
        # a wish for all of them: there is no such thing
        around = {key: value for key, value in document.items() if key != "devices"}
        if _EntryReader(text, 1, problems).complain_of_misplaced("", around, is_entry=False):
            entries = [_refusing(entry) for entry in entries]
    return DevicesFile(tuple(entries), tuple(problems), tuple(left_out), tuple(harmless))


def _refusing(entry: DeviceEntry) -> DeviceEntry:
    return replace(entry, wishes=replace(entry.wishes, switch=REFUSED))


def read_devices(path: Path) -> DevicesFile:
    """Read a devices file. Raises DevicesFileError (with the path in its text) when it cannot be used."""
    data = read_bytes(path)
    try:
        return parse_devices(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = 1 + data.count(b"\n", 0, error.start)
        raise DevicesFileError(line, "this is not UTF-8 text", str(path)) from None
    except DevicesFileError as error:
        raise DevicesFileError(error.line, error.what, str(path)) from None


class _Refused(Exception):
    """A wish that cannot be used; the text says why."""


def _refuse(what: str) -> NoReturn:
    raise _Refused(what)


class _EntryReader:
    """Reads one entry and knows the lines of its text."""

    def __init__(self, text: str, line: int, problems: List[str], keys: Iterable[str] = ()) -> None:
        self._text = text
        self._line = line
        self._problems = problems
        self._keys = keys

    def complain(self, name: str, what: str, key: str = "") -> None:
        """Add one complaint; `key`: the member of "domoticz" (or of the entry) whose line is meant."""
        line = self._line_of(key)
        text = f"line {line}: {name}: {what}" if name else f"line {line}: {what}"
        self._problems.append(without_keys(text, self._keys))

    def _line_of(self, key: str) -> int:
        position = max(self._text.find('"domoticz"'), 0) if key in (*WISHES, "domoticz") else 0
        found = self._text.find(f'"{key}"', position) if key else -1
        return self._line + self._text.count("\n", 0, max(found, 0))

    def entry(self, raw: object) -> Optional[DeviceEntry]:
        """Return the entry as an object of ours; None (and a complaint) if there is no usable device in it."""
        if not isinstance(raw, dict):
            self.complain("", "this entry is not an object {...}")
            return None
        name = self._without_keys(raw["name"]) if isinstance(raw.get("name"), str) else ""
        device_id = raw.get("id")
        if not isinstance(device_id, str) or not _DEVICE_ID.fullmatch(device_id):
            self.complain(name, "its id is missing or is no Tuya device id", "id")
            return None
        name_or_id = name or short_id(device_id)
        key = raw.get("key")
        mapping = raw.get("mapping")
        wishes = self._wishes(name_or_id, raw.get("domoticz"))
        if self.complain_of_misplaced(name_or_id, raw):
            wishes = replace(wishes, switch=REFUSED)
        return DeviceEntry(
            device_id=device_id,
            local_key=key_bytes(key) if isinstance(key, str) else b"",
            name=name,
            address=local_address(raw.get("ip")) or local_address(raw.get("last_ip")),
            port=self._port(name_or_id, raw.get("port")),
            version=_version(raw.get("version")),
            product_id=_text(raw.get("product_id")),
            category=_text(raw.get("category")),
            mapping=mapping if isinstance(mapping, dict) else {},
            is_sub_device=bool(raw.get("sub")) or bool(raw.get("node_id")),
            wishes=wishes,
            raw=raw,
            line=self._line,
        )

    def complain_of_misplaced(self, name: str, raw: Mapping[str, Any], is_entry: bool = True) -> bool:
        """Complain of each wish in an object that nobody reads there; return whether switching is refused for it."""
        is_refused = False
        for one in misplaced(raw, is_entry):
            is_refused = is_refused or one.protects
            what = f'"{clean_text(one.key)}": {one.what}'
            self.complain(name, f"{what}; {_REFUSED_UNTIL}" if one.protects else what, one.key)
        if "domoticz" in given_twice(raw):
            is_refused = True
            self.complain(name, f'"domoticz" is given twice, and the last one is used; {_REFUSED_UNTIL}', "domoticz")
        return is_refused

    def _port(self, name: str, value: object) -> int:
        if value is None or value == "":
            return DEFAULT_PORT
        try:
            port = int(str(value))
        except ValueError:
            port = 0
        if not 0 < port < 65536:
            self.complain(name, f"its port is no number from 1 to 65535; {DEFAULT_PORT} is used", "port")
            return DEFAULT_PORT
        return port

    def _without_keys(self, name: str) -> str:
        return clean_text(without_keys(name, self._keys))

    def _wishes(self, name: str, raw: object) -> Wishes:
        if raw is None:
            return Wishes()
        if not isinstance(raw, dict):
            self.complain(name, f'"domoticz" must be an object {{...}}; {_REFUSED_UNTIL}', "domoticz")
            return Wishes(switch=REFUSED)
        accepted: Dict[str, Any] = {}
        is_refused = False
        for key, value in raw.items():
            reader = _WISH_READERS.get(key)
            try:
                if key in given_twice(raw):
                    _refuse("it is given twice")
                if key in READING_WISHES:
                    continue  # judged where it is fulfilled
                if reader is None:
                    _refuse(f"there is no such setting (there are {', '.join(WISHES)})")
                accepted[key] = reader(value)
            except _Refused as refusal:
                what = f'"{clean_text(str(key))}" in "domoticz" is not used: {refusal}'
                # what protects and is not understood means the safe side
                if protects(key) or (reader is None and key not in READING_WISHES and protects_inside(value)):
                    is_refused = True
                    what += f"; {_REFUSED_UNTIL}"
                self.complain(name, what, str(key))
        if is_refused:
            accepted["switch"] = REFUSED
        if "name" in accepted:
            accepted["name"] = self._without_keys(accepted["name"])
        return Wishes(**accepted, lines={key: self._line_of(key) for key in WISHES if key in raw})


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""


def _version(value: object) -> Optional[str]:
    text = str(value).strip() if isinstance(value, (str, int, float)) else ""
    return text if versions.known(text) else None


def _wish_name(value: object) -> str:
    name = clean_text(value) if isinstance(value, str) else ""
    return name or _refuse("it must be a text")


def _wish_bool(value: object) -> bool:
    return value if isinstance(value, bool) else _refuse("it must be true or false")


def _wish_switch(value: object) -> str:
    return str(value) if value in ("allowed", REFUSED) else _refuse('it must be "allowed" or "refused"')


def _wish_hide(value: object) -> FrozenSet[int]:
    if not isinstance(value, list):
        _refuse("it must be a list of unit numbers, as [3, 4]")
    units: Set[int] = set()
    for unit in value:
        if isinstance(unit, bool) or not isinstance(unit, int) or not 0 < unit < 256:
            _refuse("unit numbers are whole numbers from 1 to 255")
        units.add(unit)
    return frozenset(units)


_WISH_READERS: Mapping[str, Any] = {
    "name": _wish_name,
    "use": _wish_bool,
    "switch": _wish_switch,
    "hide": _wish_hide,
    "restore": _wish_bool,
}
