"""What each protocol version has, as one table: whoever needs to know asks here, and a new version is a row more.

What is new about its bytes (another cipher, another frame) goes into protocol/; everything else follows the columns.
Ask when it is needed and keep no copy of the names: then a row that is added is offered, tried and spoken everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, FrozenSet, Optional, Tuple

KEY_BYTES = 16  # a local key: an AES-128 key, in all of them

SESSION_START, SESSION_ANSWER, SESSION_FINISH = 3, 4, 5
CONTROL, STATUS, HEART_BEAT, DP_QUERY = 7, 8, 9, 10
CONTROL_NEW, DP_QUERY_NEW, UPDATEDPS = 13, 16, 18

# Version.framing: prefix and header of a frame (protocol/framing.py)
FRAMES_55AA, FRAMES_6699 = "55AA", "6699"
# Version.check: what proves that a frame is whole, and under a key also whose it is
CRC32, HMAC_SHA256, GCM_TAG = "crc32", "hmac-sha256", "gcm-tag"
# Version.sealing: how the JSON of a message is encrypted
SIGNED_BASE64 = "signed-base64"  # "3.1" + 16 digits of an MD5 + base64(ECB(JSON)); requests but CONTROL are plain
ECB_BEHIND_HEADER = "header+ecb"  # header + ECB(JSON)
ECB_WITH_HEADER = "ecb(header)"  # ECB(header + JSON)
GCM_WITH_HEADER = "gcm(header)"  # GCM(header + JSON), the frame's own header as associated data
# Version.shape: the JSON of requests
NAMED = "named"  # {"devId": ..., "uid": ..., "t": "...", "dps": {...}}
WRAPPED = "wrapped"  # {"protocol": 5, "t": ..., "data": {"dps": {...}}}; a query is {}

_NO_HEADER = frozenset((SESSION_START, SESSION_ANSWER, SESSION_FINISH, HEART_BEAT, DP_QUERY, DP_QUERY_NEW, UPDATEDPS))


@dataclass(frozen=True)
class Version:
    """One protocol version. name: as devices announce it, and as devices.json and the settings hold it."""

    name: str
    turn: int  # the order of tries where nothing is known: by how many devices speak it
    framing: str
    check: str
    sealing: str
    shape: str
    query: int  # the command that asks for all data points
    control: int  # the command that writes data points
    handshake: bool  # a session key is agreed first (commands 3, 4, 5), and a wrong local key is proven by it
    reports_sealed: bool  # False: anybody can answer a query in the device's name
    headerless: FrozenSet[int] = _NO_HEADER  # commands whose payload has no version header

    @property
    def header(self) -> bytes:
        """The version header of 15 bytes: its name and 12 bytes that devices do not look at."""
        return self.name.encode("ascii") + bytes(12)


_ROWS = (
    Version(
        name="3.1",
        turn=4,
        framing=FRAMES_55AA,
        check=CRC32,
        sealing=SIGNED_BASE64,
        shape=NAMED,
        query=DP_QUERY,
        control=CONTROL,
        handshake=False,
        reports_sealed=False,
    ),
    Version(
        name="3.2",
        turn=5,
        framing=FRAMES_55AA,
        check=CRC32,
        sealing=ECB_BEHIND_HEADER,
        shape=NAMED,
        query=DP_QUERY,
        control=CONTROL,
        handshake=False,
        reports_sealed=True,
    ),
    Version(
        name="3.3",
        turn=1,
        framing=FRAMES_55AA,
        check=CRC32,
        sealing=ECB_BEHIND_HEADER,
        shape=NAMED,
        query=DP_QUERY,
        control=CONTROL,
        handshake=False,
        reports_sealed=True,
    ),
    Version(
        name="3.4",
        turn=2,
        framing=FRAMES_55AA,
        check=HMAC_SHA256,
        sealing=ECB_WITH_HEADER,
        shape=WRAPPED,
        query=DP_QUERY_NEW,
        control=CONTROL_NEW,
        handshake=True,
        reports_sealed=True,
    ),
    Version(
        name="3.5",
        turn=3,
        framing=FRAMES_6699,
        check=GCM_TAG,
        sealing=GCM_WITH_HEADER,
        shape=WRAPPED,
        query=DP_QUERY_NEW,
        control=CONTROL_NEW,
        handshake=True,
        reports_sealed=True,
    ),
)
TABLE: Dict[str, Version] = {row.name: row for row in _ROWS}


def names() -> Tuple[str, ...]:
    """All versions, the oldest first: what can be chosen."""
    return tuple(sorted(TABLE))


def order() -> Tuple[str, ...]:
    """All versions in the order in which they are tried where nothing is known."""
    return tuple(sorted(TABLE, key=lambda name: TABLE[name].turn))


def known(name: object) -> bool:
    """Whether there is such a version."""
    return isinstance(name, str) and name in TABLE


def choices() -> str:
    """The versions as a sentence offers them: "3.1, 3.2, 3.3, 3.4 or 3.5"."""
    *others, last = names()
    return f"{', '.join(others)} or {last}"


def first_with(framing: str, check: str) -> Optional[str]:
    """The most usual version with such frames: what a frame says of a device whose version is not known."""
    return next((name for name in order() if (TABLE[name].framing, TABLE[name].check) == (framing, check)), None)
