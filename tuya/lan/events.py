"""What the LAN client tells its owner. Frozen, without sockets, keys or meanings of data points.

Times (`at_s`) are seconds of the client's monotonic clock.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Union

from .errors import TuyaError

DpValue = Union[bool, int, float, str, None, Dict[str, Any], List[Any]]
Dps = Mapping[int, DpValue]


class Connected(NamedTuple):
    """A session is up: the device has answered under its key. Followed by the Status of a full query."""

    device_id: str
    at_s: float
    address: str
    port: int
    version: str


class Status(NamedTuple):
    """Data points of one frame, as sent. `full`: an answer to a full query, else a push or the answer to a refresh."""

    device_id: str
    at_s: float
    dps: Dps
    full: bool


class Alive(NamedTuple):
    """The device answered something without data points (heartbeat, empty acknowledgement)."""

    device_id: str
    at_s: float


class Lost(NamedTuple):
    """A connection that was up (Connected) is gone; the client tries again by itself."""

    device_id: str
    at_s: float
    error: TuyaError


class Failed(NamedTuple):
    """A try to connect failed, with the diagnosis. Sent when the diagnosis (its class) changes, not for each try."""

    device_id: str
    at_s: float
    error: TuyaError


class WriteDone(NamedTuple):
    """The end of a write: confirmed by the device's own report (error None), refused or not confirmed."""

    device_id: str
    at_s: float
    dps: Dps
    error: Optional[TuyaError]


class Announced(NamedTuple):
    """An announcement heard on UDP, also from devices that are not ours. A hint, never a fact."""

    device_id: str
    at_s: float
    address: str
    version: str
    product_id: str


Event = Union[Connected, Status, Alive, Lost, Failed, WriteDone, Announced]
