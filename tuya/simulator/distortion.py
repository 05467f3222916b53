"""What faults do to values, JSON and frames on their way out.

Order: values -> JSON -> (session: frames) -> checks, lengths, garbage, replays. Pieces and pauses are the line's.
"""

from __future__ import annotations

import json
import random
from typing import Any, Callable, Dict, List, Mapping, Tuple

from .faults import Faults
from .frames import PREFIX_55AA, PREFIX_6699, WORD, header_size

HISTORY_FRAMES = 64
_FAKE_LENGTH = 64  # what garbage that begins like a frame claims to hold

_VALUES: Dict[str, Callable[[Any], Any]] = {
    "huge": lambda _: 2**31 - 1,
    "negative": lambda value: -abs(value) - 1 if isinstance(value, (int, float)) else -1,
    "zero": lambda _: 0,
    "minimum": lambda _: -99999999,
    "fraction": lambda value: (value if isinstance(value, (int, float)) else 0) + 0.5,
    "text": lambda _: "n/a",
    "bool": lambda _: True,
    "null": lambda _: None,
}


_BOOLEANS: Dict[str, Tuple[Any, Any]] = {"text": ("false", "true"), "number": (0, 1), "on": ("off", "on")}


def values(faults: Faults, dps: Mapping[int, Any]) -> Dict[int, Any]:
    """The DPs as a breaker with the faults `values` and `booleans` reports them."""
    active, words = faults.get("values"), faults.get("booleans")
    found = dict(dps)
    if active is not None:
        change, struck = _VALUES[active["kind"]], faults.named_dps("values")
        found = {dp: change(value) if dp in struck else value for dp, value in found.items()}
    if words is not None:
        pair = _BOOLEANS[words["kind"]]
        found = {dp: pair[value] if isinstance(value, bool) else value for dp, value in found.items()}
    return found


def named(faults: Faults, dps: Mapping[int, Any]) -> Dict[str, Any]:
    """The DPs as JSON names them: by a string."""
    return {str(dp): value for dp, value in values(faults, dps).items()}


def boolean(faults: Faults, value: Any) -> Any:
    """What a client wrote, as a boolean where the fault `booleans` has other words for it."""
    words = faults.get("booleans")
    if words is None or isinstance(value, bool):
        return value
    pair = _BOOLEANS[words["kind"]]
    return pair.index(value) == 1 if value in pair else value


def content(faults: Faults, message: Mapping[str, Any]) -> bytes:
    """A message as JSON, compact as devices write it, or what the fault `bad_json` makes of it."""
    plain = json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode()
    active = faults.get("bad_json")
    return plain if active is None else _bad_json(active["kind"], message, plain)


def _bad_json(kind: str, message: Mapping[str, Any], plain: bytes) -> bytes:
    fixed = {
        "text": b"json obj data unvalid",
        "cut": plain[: len(plain) // 2],
        "bytes": bytes(range(128, 160)),
        "number": b"42",
        "list": b"[" + plain + b"]",
    }
    if kind in fixed:
        return fixed[kind]
    dps = {
        "nan": b'{"18":NaN,"19":NaN,"20":NaN}',
        "infinity": b'{"18":Infinity,"19":-Infinity,"20":1e999}',
        "digits": b'{"18":%s,"19":-%s}' % (b"9" * 300, b"9" * 300),
        "deep": b'{"19":%s%s}' % (b"[" * 300, b"]" * 300),
        "dps_list": b"[1,2,3]",
        "dps_null": b"null",
        "names": b'{"one":1,"-1":2,"1e3":3,"":4,"\\u0662":5,"99999999999999999999":6}',
        "objects": b'{"1":{"on":true},"18":[18],"19":{},"20":"230"}',
    }.get(kind)
    named = b"" if dps is None else b'"dps":' + dps
    return b'{"protocol":4,"data":{' + named + b"}}" if "data" in message else b"{" + named + b"}"


class FrameDistortion:
    """What happens to the frames of one breaker. Keeps what was sent, also in earlier sessions, for replays."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._random = random.Random(0)
        self._history: List[bytes] = []

    def apply(self, frame: bytes, negotiating: bool) -> List[bytes]:
        """What is sent instead of this frame, piece by piece; often the frame itself."""
        if not self._faults:
            return [frame]
        self._history = [*self._history[1 - HISTORY_FRAMES :], frame]
        sent = [self._damaged(frame, negotiating)]
        garbage = self._faults.strikes("garbage", negotiating)
        if garbage is not None:
            noise = self._garbage(garbage["kind"], garbage["size"])
            sent = {"before": [noise, *sent], "behind": [*sent, noise], "instead": [noise]}[garbage["where"]]
        replay = self._faults.strikes("replay", negotiating)
        if replay is not None and len(self._history) > replay["age"]:
            sent.append(self._history[-1 - replay["age"]])
        return sent

    def _damaged(self, frame: bytes, negotiating: bool) -> bytes:
        length = self._faults.strikes("length", negotiating)
        if length is not None:
            at = header_size(frame) - WORD.size
            frame = frame[:at] + WORD.pack(length["length"] & 0xFFFFFFFF) + frame[at + WORD.size :]
        if self._faults.strikes("bad_check", negotiating) is not None:
            at = len(frame) - 2 * WORD.size  # the last bytes of CRC, HMAC or tag stand before the suffix
            frame = frame[:at] + bytes(byte ^ 0xFF for byte in frame[at : at + WORD.size]) + frame[at + WORD.size :]
        if self._faults.strikes("bad_suffix", negotiating) is not None:
            frame = frame[: -WORD.size] + b"\xde\xad\xbe\xef"
        truncate = self._faults.strikes("truncate", negotiating)
        return frame if truncate is None else frame[: max(0, len(frame) - truncate["drop"])]

    def _garbage(self, kind: str, size: int) -> bytes:
        if kind == "zeros":
            return bytes(size)
        noise = bytes(self._random.randrange(256) for _ in range(size))
        if kind == "random":
            return noise
        prefix = self._random.choice((PREFIX_55AA, PREFIX_6699))
        head = prefix + (b"\0\0" if prefix == PREFIX_6699 else b"") + WORD.pack(1) + WORD.pack(8)
        return (head + WORD.pack(_FAKE_LENGTH) + noise)[:size]
