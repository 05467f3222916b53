"""The JSON inside of messages: requests of ours, reports of a device. Knows no encryption, socket or meaning of a DP.

Shapes: requests as tinytuya and the vendor's app send them, without spaces (devices fall silent on spaces).
Reports: {"dps": {...}} and {"protocol": 4, "t": ..., "data": {"dps": {...}}}, keys are decimal strings.
"""

from __future__ import annotations

import json
import math
from typing import Any, Dict, Iterable, Mapping, NamedTuple, Optional, Tuple

from ..errors import BadValue
from ..events import DpValue
from ..limits import MAX_DPS
from .wire import CONTROL, CONTROL_NEW, DP_QUERY, DP_QUERY_NEW, HEART_BEAT, UPDATEDPS

Request = Tuple[int, bytes]  # command, payload
DEVICE22_TEXT = b"data unvalid"  # what a device22 device answers to a plain query
DEVICE22_DPS = tuple(range(1, 26))  # asked for where nobody said which; a longer list does not fit their buffer
MAX_DP = 65535
_NEW_STYLE = ("3.4", "3.5")
_DP_NUMBERS = {str(number): number for number in range(1, 256)}


def _bytes(content: object) -> bytes:
    return json.dumps(content, separators=(",", ":"), allow_nan=False).encode("ascii")


def query(version: str, device_id: str, time_s: float) -> Request:
    """Ask for all data points. time_s: seconds of the wall clock, as all `time_s` here."""
    if version in _NEW_STYLE:
        return DP_QUERY_NEW, b"{}"
    return DP_QUERY, _bytes({"gwId": device_id, "devId": device_id, "uid": device_id, "t": str(int(time_s))})


def query_device22(device_id: str, time_s: float, dps: Iterable[int]) -> Request:
    """Ask a device22 device for these data points: a control message whose values are all null."""
    wanted: Dict[str, None] = {str(dp): None for dp in tuple(dps) or DEVICE22_DPS}
    return CONTROL_NEW, _bytes({"devId": device_id, "uid": device_id, "t": str(int(time_s)), "dps": wanted})


def refresh(dps: Iterable[int]) -> Request:
    """Ask the device to push what changed among these data points (UPDATEDPS)."""
    return UPDATEDPS, _bytes({"dpId": list(dps)})


def heartbeat(device_id: str) -> Request:
    """Keep the connection; a device that hears nothing for some 30 s closes it."""
    return HEART_BEAT, _bytes({"gwId": device_id, "devId": device_id})


def control(version: str, device_id: str, time_s: float, dps: Mapping[int, DpValue]) -> Request:
    """Write data points. Raises BadValue for numbers or values that no data point can have."""
    if not dps:
        raise BadValue("", "no data point to write")
    for dp in dps:
        if isinstance(dp, bool) or not isinstance(dp, int) or not 0 < dp <= MAX_DP:
            raise BadValue("", "no such data point number")
    values = {str(dp): value for dp, value in dps.items()}
    try:
        if version in _NEW_STYLE:
            return CONTROL_NEW, _bytes({"protocol": 5, "t": int(time_s), "data": {"dps": values}})
        return CONTROL, _bytes({"devId": device_id, "uid": device_id, "t": str(int(time_s)), "dps": values})
    except (TypeError, ValueError, RecursionError) as error:
        raise BadValue("", "a value that JSON cannot hold") from error


class Report(NamedTuple):
    """What a device's JSON says: its data points, and whose they are ("" where it does not say)."""

    dps: Dict[int, DpValue]
    device_id: str


def _finite(text: str) -> Optional[float]:
    number = float(text)
    return number if math.isfinite(number) else None


def _no_number(_text: str) -> None:
    """NaN and Infinity are no JSON and no reading: the value is unknown."""


# the scanner itself: JSONDecoder.decode() would add two regular expressions to every push
_scan: Any = getattr(json.JSONDecoder(parse_float=_finite, parse_constant=_no_number), "scan_once")  # noqa: B009


def parse_json(plain: bytes) -> Any:
    """The JSON value that `plain` begins with (padding may follow); None when it is none. Never raises."""
    try:
        # replaced, not refused: one broken text value must not cost the readings beside it
        return _scan(plain.decode("utf-8", "replace").lstrip(), 0)[0]
    except (StopIteration, ValueError, RecursionError):
        return None


def parse_report(plain: bytes) -> Optional[Report]:
    """Data points of a device's JSON, also an empty set of them; None where it is no report. Never raises."""
    content = parse_json(plain)
    if not isinstance(content, dict):
        return None
    inner = content.get("data")
    if not isinstance(inner, dict):
        inner = content
    raw = content.get("dps", inner.get("dps"))
    if not isinstance(raw, dict):
        return None
    if content.get("cid") or inner.get("cid"):
        return Report({}, "")  # a sub-device behind this one speaks
    try:
        dps: Dict[int, DpValue] = {_DP_NUMBERS[key]: value for key, value in raw.items()}
    except KeyError:
        dps = _odd_dps(raw)
    who = content.get("devId", content.get("gwId"))
    return Report(dps, who if isinstance(who, str) else "")


def _odd_dps(raw: Mapping[str, DpValue]) -> Dict[int, DpValue]:
    """Data points some of whose keys are beyond 255, written oddly, or no numbers at all: those are passed over."""
    dps: Dict[int, DpValue] = {}
    for key, value in raw.items():
        number = _dp_number(key)
        if number and len(dps) < MAX_DPS:
            dps[number] = value
    return dps


def _dp_number(key: str) -> int:
    """Number of a data point; 0 where it is none."""
    if len(key) <= 5 and key.isascii() and key.isdecimal():
        number = int(key)
        return number if number <= MAX_DP else 0
    return 0
