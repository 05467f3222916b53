"""The JSON inside of messages: requests of ours, reports of a device.

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
from ..versions import CONTROL_NEW, HEART_BEAT, UPDATEDPS, WRAPPED, Version

Request = Tuple[int, bytes]  # command, payload
MAX_DP = 65535
_OUR_PROTOCOL = 5  # in our writes; devices report under 4
_OUR_WORDS = {"gwId", "devId", "uid", "t"}
_DP_NUMBERS = {str(number): number for number in range(1, 256)}


def _bytes(content: object) -> bytes:
    return json.dumps(content, separators=(",", ":"), allow_nan=False).encode("ascii")


def query(version: Version, device_id: str, time_s: float) -> Request:
    """Ask for all data points. time_s: seconds of the wall clock, as all `time_s` here."""
    if version.shape == WRAPPED:
        return version.query, b"{}"
    return version.query, _bytes({"gwId": device_id, "devId": device_id, "uid": device_id, "t": str(int(time_s))})


def query_by_nulls(device_id: str, time_s: float, dps: Iterable[int]) -> Request:
    """Ask for these data points by a message that has the shape of a write, all of whose values are null.

    "Device22" devices answer nothing else. Of one device it is known that null *sets* a data point
    (jasonacox/tinytuya issue 408): what may be named, and when, is decided in connection/questions.py.
    """
    wanted: Dict[str, None] = {str(dp): None for dp in dps}
    return CONTROL_NEW, _bytes({"devId": device_id, "uid": device_id, "t": str(int(time_s)), "dps": wanted})


def refresh(dps: Iterable[int]) -> Request:
    """Ask the device to push what changed among these data points (UPDATEDPS)."""
    return UPDATEDPS, _bytes({"dpId": list(dps)})


def heartbeat(device_id: str) -> Request:
    """Keep the connection; a device that hears nothing for some 30 s closes it."""
    return HEART_BEAT, _bytes({"gwId": device_id, "devId": device_id})


def control(version: Version, device_id: str, time_s: float, dps: Mapping[int, DpValue]) -> Request:
    """Write data points. Raises BadValue for numbers or values that no data point can have."""
    if not dps:
        raise BadValue("", "no data point to write")
    for dp in dps:
        if isinstance(dp, bool) or not isinstance(dp, int) or not 0 < dp <= MAX_DP:
            raise BadValue("", "no such data point number")
    values = {str(dp): value for dp, value in dps.items()}
    try:
        if version.shape == WRAPPED:
            return version.control, _bytes({"protocol": _OUR_PROTOCOL, "t": int(time_s), "data": {"dps": values}})
        return version.control, _bytes({"devId": device_id, "uid": device_id, "t": str(int(time_s)), "dps": values})
    except (TypeError, ValueError, RecursionError) as error:
        raise BadValue("", "a value that JSON cannot hold") from error


class Report(NamedTuple):
    """What a device's JSON says: its data points, and whose they are ("" where it does not say).

    is_request: it is made like a request of ours, which nobody but us sends: one of ours that came back.
    is_dated: it says when it was made (devices count seconds).
    """

    dps: Dict[int, DpValue]
    device_id: str
    is_request: bool = False
    is_dated: bool = False


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
    raw, sub_device = content.get("dps"), content.get("cid")
    inner = content.get("data")
    if isinstance(inner, dict):
        sub_device = sub_device or inner.get("cid")
        if "dps" not in content:
            raw = inner.get("dps")
    if not isinstance(raw, dict):
        return None
    dated = content.get("t")
    if "uid" in content:
        # a device's uid is its user's; only we write the device's own there, and the time as text
        is_request = isinstance(dated, str) or content["uid"] == content.get("devId")
    else:
        is_request = content.get("protocol") == _OUR_PROTOCOL
    if sub_device:
        return Report({}, "", is_request)  # a sub-device behind this one speaks
    try:
        dps: Dict[int, DpValue] = {_DP_NUMBERS[key]: value for key, value in raw.items()}
    except KeyError:
        dps = _odd_dps(raw)
    who = content.get("devId", content.get("gwId"))
    return Report(dps, who if isinstance(who, str) else "", is_request, dated is not None)


def is_request(version: Version, plain: bytes) -> bool:
    """Whether this JSON without data points is made like a query, a heartbeat or an UPDATEDPS of ours."""
    content = parse_json(plain)
    if not isinstance(content, dict):
        return False
    if not content:
        return version.shape == WRAPPED  # its query
    return "dpId" in content or ("gwId" in content and content.keys() <= _OUR_WORDS)


def _odd_dps(raw: Mapping[str, DpValue]) -> Dict[int, DpValue]:
    """Data points some of whose keys are beyond 255, written oddly, or no numbers at all: those are passed over."""
    dps: Dict[int, DpValue] = {}
    for key, value in raw.items():
        number = _dp_number(key)
        if number and len(dps) < MAX_DPS:
            dps[number] = value
    return dps


def _dp_number(key: str) -> int:
    """Number of a data point; 0 where it is none, or is not written as numbers are ("018")."""
    if len(key) <= 5 and not key.startswith("0") and key.isascii() and key.isdecimal():
        number = int(key)
        return number if number <= MAX_DP else 0
    return 0
