"""What a session says of its connection: small facts for the link that owns it."""

from __future__ import annotations

from typing import Dict, NamedTuple, Union

from ..errors import TuyaError
from ..events import DpValue


class Opened(NamedTuple):
    """The device has spoken. proven: under its key; False only for a version whose reports are plain (3.1)."""

    proven: bool


class Data(NamedTuple):
    """Data points of one message. full: the answer to a full query. answer: that query's number; 0 where not known.

    fresh: nothing shows that this very message was heard or made earlier. One that is not tells values (devices repeat
    themselves) and confirms nothing: it may be an old one that somebody sends again behind a click.
    """

    dps: Dict[int, DpValue]
    full: bool
    fresh: bool = True
    answer: int = 0


class Answered(NamedTuple):
    """A message without data points. Said once for all that arrived together."""


class Waiting(NamedTuple):
    """Something lives there, but nothing under the key has come yet. The connection stays; error says it in words."""

    error: TuyaError


class Ended(NamedTuple):
    """Nothing more comes of this connection: close it.

    hint: the protocol version that the peer seems to speak. hint_proven: it was said under the key; otherwise anybody
    may have said it. key_disproved: the handshake shows that the local key is not the device's.
    """

    error: TuyaError
    hint: str = ""
    hint_proven: bool = False
    key_disproved: bool = False


Output = Union[Opened, Data, Answered, Waiting, Ended]
