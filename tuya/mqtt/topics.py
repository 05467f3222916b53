"""Names of topics, and what a message on one of them asks for."""

from __future__ import annotations

import json
import re
from typing import Callable, Container, Dict, List, Mapping, NamedTuple, Optional, Tuple, Union

MAX_PAYLOAD_BYTES = 4096  # a command is some ten bytes; more is none
MAX_WRITTEN_DPS = 32  # data points of one command
ONLINE = "online"
OFFLINE = "offline"
ON = "ON"
OFF = "OFF"

_LEVEL = re.compile(r"[0-9A-Za-z_.:-]{1,64}")
_DEVICE_ID = re.compile(r"[0-9A-Za-z_-]{1,25}")
_DP = re.compile(r"[1-9][0-9]{0,2}")
_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,9}")

Value = Union[bool, int, str]


class BadMessage(Exception):
    """A message that is no command; the text says why. It may hold no more of the payload than its kind."""


class Request(NamedTuple):
    """What a message asks for: values to be written, by data point."""

    device_id: str
    dps: Dict[int, Value]


def json_text(content: Mapping[str, object], is_compact: bool = True) -> str:
    r"""Return a JSON object as text that UTF-8 can carry: devices and senders of commands may name half a surrogate.

    >>> json_text({"option_38": "\ud800"})
    '{"option_38":"?"}'
    """
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":") if is_compact else None)
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def valid_prefix(text: str) -> str:
    """Return a base topic or discovery prefix as it is used. Raises ValueError, whose text says what is wrong.

    >>> valid_prefix("house/tuya/")
    'house/tuya'
    """
    prefix = text.strip("/")
    levels = prefix.split("/")
    if not all(_LEVEL.fullmatch(level) for level in levels) or len(levels) > 8:
        raise ValueError("a topic is made of letters, digits, _ . : and -, with / between its levels, as house/tuya")
    return prefix


def no_options(_device_id: str, _dp: int) -> Container[str]:
    """No data point takes words."""
    return ()


class Topics:
    """The topics below one base ("tuya" by default). Raises ValueError for a base that cannot be one."""

    def __init__(self, base: str) -> None:
        self.base = valid_prefix(base)
        self.bridge_availability = f"{self.base}/bridge/availability"
        self.claim = f"{self.base}/bridge/claim"
        self.availabilities = f"{self.base}/+/availability"
        self.own = (self.claim, self.bridge_availability)
        self.subscriptions = (f"{self.base}/+/set", f"{self.base}/+/+/set")

    def state(self, device_id: str) -> str:
        """Retained: what is known of a device, one JSON object."""
        return f"{self.base}/{device_id}/state"

    def availability(self, device_id: str) -> str:
        """Retained: `online` or `offline`."""
        return f"{self.base}/{device_id}/availability"

    def retained_of(self, topic: str) -> Optional[str]:
        """Return whose state or availability this topic is; None for any other topic."""
        levels = topic[len(self.base) + 1 :].split("/") if topic.startswith(f"{self.base}/") else []
        is_one = len(levels) == 2 and levels[1] in ("state", "availability") and topic != self.bridge_availability
        return levels[0] if is_one and _DEVICE_ID.fullmatch(levels[0]) else None

    def kind_of(self, topic: str) -> str:
        """Return what brokers may have a rule for: the last level below the base, "" for everything else."""
        return topic.rpartition("/")[2] if topic.startswith(f"{self.base}/") else ""

    def result(self, device_id: str) -> str:
        """What became of a command."""
        return f"{self.base}/{device_id}/result"

    def set_dp(self, device_id: str, dp: int) -> str:
        """Takes the value of one data point."""
        return f"{self.base}/{device_id}/{dp}/set"

    def device_of(self, topic: str) -> Optional[str]:
        """Return whose command topic this is; None for any other topic."""
        levels = self._levels(topic)
        return levels[0] if levels else None

    def request(
        self, topic: str, payload: bytes, options: Callable[[str, int], Container[str]] = no_options
    ) -> Request:
        """Return what a message on a command topic asks for. Raises BadMessage.

        options: the words that a data point of a device takes; such a word is the value, also where it looks like
        another kind of value ("60", "ON").
        """
        levels = self._levels(topic)
        if levels is None:
            raise BadMessage("this is no topic for commands")
        if len(payload) > MAX_PAYLOAD_BYTES:
            raise BadMessage(f"a command of more than {MAX_PAYLOAD_BYTES} bytes")
        try:
            text = payload.decode("utf-8")
        except UnicodeDecodeError:
            raise BadMessage("a command is UTF-8 text") from None
        device_id, dp = levels[0], levels[1]
        if dp:
            return Request(device_id, {int(dp): text if text in options(device_id, int(dp)) else _value_of(text)})
        return Request(device_id, _values_of(text))

    def _levels(self, topic: str) -> Optional[Tuple[str, str]]:
        """The device id and the data point ("" for all in one object) of a command topic."""
        if not topic.startswith(self.base + "/") or not topic.endswith("/set"):
            return None
        levels = topic[len(self.base) + 1 : -len("/set")].split("/")
        if not _DEVICE_ID.fullmatch(levels[0]) or len(levels) > 2:
            return None
        dp = levels[1] if len(levels) == 2 else ""
        if len(levels) == 2 and (not _DP.fullmatch(dp) or int(dp) > 255):
            return None
        return levels[0], dp


def _value_of(text: str) -> Value:
    """One value as a topic of its own takes it: ON, OFF, a whole number, else a text (of an option).

    Nothing is guessed: "on", " ON" and "true" are texts, which no switch takes, and its answer says what it takes.
    """
    if text in (ON, OFF):
        return text == ON
    if _WHOLE_NUMBER.fullmatch(text):
        return int(text)
    if not text or len(text) > 64 or not text.isprintable():
        raise BadMessage("a value is ON or OFF, a whole number or a short text")
    return text


def _values_of(text: str) -> Dict[int, Value]:
    """The object that a device's own topic takes, as {"1": true}."""
    form = 'a command is an object of values by data point, as {"1": true}'
    try:
        if "[" in text or text.count("{") > 1:  # before it is parsed: nesting is what parsing takes long for
            raise BadMessage(form)
        content = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise BadMessage(f"this is no JSON: {form}") from None
    if not isinstance(content, dict) or not 0 < len(content) <= MAX_WRITTEN_DPS:
        raise BadMessage(form)
    values: Dict[int, Value] = {}
    for name, value in content.items():
        if not _DP.fullmatch(name) or int(name) > 255:
            raise BadMessage(form)
        if not isinstance(value, (bool, int, str)):
            raise BadMessage("a value is true or false, a whole number or a text")
        values[int(name)] = value
    return values


def _once(pairs: List[Tuple[str, object]]) -> Dict[str, object]:
    """The object of these pairs. Raises ValueError where a name stands twice, since nobody knows which one is meant."""
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ValueError
    return content
