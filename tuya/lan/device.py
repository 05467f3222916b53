"""Who is to be served and how often it is asked: settings, learned habits and what is known of a device.

Knows no socket, frame or meaning of a data point.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import Dict, Optional, Set, Tuple

from . import versions
from .errors import BadValue, TuyaError
from .limits import LATE_S, REQUEST_SPACING_S
from .versions import KEY_BYTES

TCP_PORT = 6668
# RFC 1918, 3927 and 1122; ipaddress' is_private holds also networks for documentation and 0.0.0.0/8
_LOCAL_NETWORKS = tuple(
    ipaddress.IPv4Network(each)
    for each in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "127.0.0.0/8")
)
SHOWN_ID_CHARACTERS = 4  # at each end


@dataclass(frozen=True)
class Device:
    """One breaker to serve. The key never shows in a repr."""

    device_id: str
    local_key: bytes = field(repr=False)
    name: str = ""
    address: Optional[str] = None  # a first guess; announcements correct it
    port: int = TCP_PORT
    version: Optional[str] = None  # a first guess; None: from an announcement, else by spaced tries
    version_fixed: bool = False  # chosen by the user: never try another one

    @property
    def label(self) -> str:
        """The name for messages, or the shortened id."""
        return self.name or short_id(self.device_id)

    def problem(self) -> Optional[TuyaError]:
        """Why this entry cannot be served at all, or None."""
        if len(self.local_key) != KEY_BYTES:
            return BadValue(
                self.label,
                f"its local key has {len(self.local_key)} characters instead of {KEY_BYTES}",
                "Correct the key in devices.json or fetch it again with 'bash install.sh keys'",
            )
        if self.version is not None and not versions.known(self.version):
            return BadValue(self.label, "no such protocol version", f"Use auto, {versions.choices()}")
        if self.address is not None and not is_address(self.address):
            return BadValue(self.label, "its address is not an IPv4 address", "Give numbers (192.168.1.20), no name")
        if not 0 < self.port < 65536:
            return BadValue(self.label, "its port is not between 1 and 65535")
        return None


@dataclass(frozen=True)
class Polling:
    """How one device is asked, translated from its profile by the caller. Intervals in seconds."""

    refresh_dps: Tuple[int, ...] = ()  # for UPDATEDPS; empty: the device is only queried
    refresh_interval_s: float = 10.0
    query_interval_s: float = 30.0
    # for devices that want their data points named, in a query that has the shape of a write (device22):
    query_dps: Tuple[int, ...] = ()  # measuring ones; none: such a query is not sent
    later_dps: Tuple[int, ...] = ()  # relays and others, once the device has shown that the query sets nothing
    falling_dps: Tuple[int, ...] = ()  # which count down in seconds by themselves: a write of 60 may be reported as 59

    def __post_init__(self) -> None:
        object.__setattr__(self, "refresh_interval_s", max(REQUEST_SPACING_S, self.refresh_interval_s))
        object.__setattr__(self, "query_interval_s", max(REQUEST_SPACING_S, self.query_interval_s))


@dataclass
class Habits:
    """What has been learned of a device; outlives its connections."""

    device22: bool = False  # answers to queries by nulls only (connection/questions.py)
    device22_dps: Set[int] = field(default_factory=set)  # what it has answered to that
    null_proofs: int = 0  # answers which show that such a query set nothing
    nulls_set: bool = False  # it did: never again
    refresh_refused: bool = False  # UPDATEDPS is refused, ignored or answered by a crash
    refresh_crashes: int = 0
    troubled: bool = False  # errors have begun: ask more seldom
    answer_s: float = 0.0  # how long its answers take lately; the slow ones count more
    has_answered: bool = False
    silences: Dict[str, int] = field(default_factory=dict)  # by version: connections in a row on which nothing answered
    lively_versions: Set[str] = field(default_factory=set)  # in these something lived that did not prove itself

    @property
    def is_late(self) -> bool:
        """Whether answers of this device are known to take long."""
        return self.answer_s >= LATE_S


@dataclass(frozen=True)
class DeviceState:
    """What is known of one device at this moment. Ages are given by the caller's clock."""

    device_id: str
    name: str
    connected: bool
    address: Optional[str]
    port: int
    version: Optional[str]
    last_error: Optional[TuyaError]
    last_heard_s: Optional[float]  # on the client's clock
    last_heard_age_s: Optional[float]
    device22: bool = False


def short_id(device_id: str) -> str:
    """Shorten an id for logs and reports: "bf01..cdef".

    Enough to recognise a device in one house, not enough to look it up.
    """
    shown = "".join(c for c in device_id if c.isascii() and (c.isalnum() or c in "_-"))
    return (
        shown
        if len(shown) <= 2 * SHOWN_ID_CHARACTERS
        else (f"{shown[:SHOWN_ID_CHARACTERS]}..{shown[-SHOWN_ID_CHARACTERS:]}")
    )


def is_address(text: str) -> bool:
    """Whether this is an IPv4 address that one device can have."""
    try:
        address = ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return not (address.is_multicast or address.is_unspecified or address.is_reserved)


def is_local_address(text: str) -> bool:
    """Whether this is a private, link-local or loopback IPv4 address, as LAN devices have."""
    return is_address(text) and any(ipaddress.IPv4Address(text) in network for network in _LOCAL_NETWORKS)
