"""What a session says of its connection: small facts for the link that owns it. No logic, no bytes."""

from __future__ import annotations

from typing import Dict, NamedTuple, Union

from ..errors import TuyaError
from ..events import DpValue


class Opened(NamedTuple):
    """The device has answered under its key."""


class Data(NamedTuple):
    """Data points of one message. full: the answer to a full query."""

    dps: Dict[int, DpValue]
    full: bool


class Answered(NamedTuple):
    """A message without data points."""


class Doubt(NamedTuple):
    """Not up within the usual time, but not given up yet either."""

    error: TuyaError


class Ended(NamedTuple):
    """Nothing more comes of this connection: close it. hint: the protocol version it seems to speak."""

    error: TuyaError
    hint: str = ""


Output = Union[Opened, Data, Answered, Doubt, Ended]
