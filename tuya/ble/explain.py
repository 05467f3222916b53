"""Tells what each frame of a capture is: decrypted where keys open it, inferred where they do not. Prints nothing.

Inference rests on three things only: direction and order, the security flag, and how many data bytes fit the
ciphertext. The order of a first pairing is that of tuya/TuyaOpen (ble_mgr.c): device information, pair, Wi-Fi data,
reports.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Iterable, List, Optional, Set, Tuple

from .capture import TO_APP, TO_DEVICE, AttValue, Channel, Problem
from .commands import DEVICE_INFO, command_name, describe, srand_of
from .frame import Envelope, Message, open_envelope, parse_plaintext
from .keys import DEVICE_INFO_FLAGS, FLAGS, Secrets, candidate_keys, decrypt
from .packets import COUNTER_MODULUS, RawFrame, reassemble

RAND_FLAGS = (*DEVICE_INFO_FLAGS, 16)  # the IV of the app's frame under one of these is R
FACTORY_SESSION_FLAGS = (2, 12)
LOCAL_SESSION_FLAGS = (5, 15)
PAIR_REQUEST_BYTES = 44  # uuid 16, login key 6 or 16, device id, zeros up to 44
STATUS_MAX_BYTES = 2  # a result or a network status has one byte; nothing else is so short


@dataclass(frozen=True)
class ExplainedFrame:
    """One frame with all that can be said of it. `inferred`: the step was not read but concluded."""

    number: int
    raw: RawFrame
    envelope: Envelope
    step: str
    why: str
    inferred: bool
    problems: Tuple[str, ...]
    message: Optional[Message] = None

    def content(self) -> Dict[str, object]:
        """What the decrypted data say, without secrets; empty where the frame stays closed."""
        if self.message is None:
            return {}
        return describe(self.message.command, self.message.data, self.raw.direction == TO_APP)

    def to_json(self) -> Dict[str, object]:
        """The frame as JSON values (contract of `ble --json`: one such object a frame)."""
        info = FLAGS.get(self.envelope.flag)
        low, high = self.envelope.data_bytes_range
        result: Dict[str, object] = {
            "frame": self.number,
            "direction": "app" if self.raw.direction == TO_DEVICE else "device",
            "lines": list(self.raw.lines),
            "packets": len(self.raw.lines),
            "length": self.raw.length,
            "complete": self.raw.complete,
            "version": self.raw.version,
            "counter": self.raw.counter,
            "flag": self.envelope.flag,
            "key": info.name if info else None,
            "key_recipe": info.recipe if info else None,
            "key_holder": info.holder if info else None,
            "iv": self.envelope.iv.hex(),
            "ciphertext_bytes": len(self.envelope.ciphertext),
            "data_bytes_min": low,
            "data_bytes_max": high,
            "step": self.step,
            "inferred": self.inferred,
            "why": self.why,
            "problems": list(self.problems),
        }
        if self.message is not None:
            result["decrypted"] = {
                "sn": self.message.sn,
                "ack_sn": self.message.ack_sn,
                "command": self.message.command,
                "name": command_name(self.message.command),
                "crc_ok": True,
                **self.content(),
            }
        return result


@dataclass(frozen=True)
class Explanation:
    """A whole capture, explained."""

    values: int
    value_bytes: int
    frames: Tuple[ExplainedFrame, ...]
    problems: Tuple[Problem, ...]


class _Decryption:
    """Opens frames in order and remembers what later keys are made of (R and srand)."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._app_rands: Tuple[bytes, ...] = ()
        self._srands: Tuple[bytes, ...] = ()

    def open(self, direction: str, envelope: Envelope) -> Optional[Message]:
        if envelope.problem:
            return None
        if direction == TO_DEVICE and envelope.iv and (envelope.flag in RAND_FLAGS or not self._app_rands):
            self._app_rands = (envelope.iv, *self._app_rands[:1])
        message = self._try_keys(envelope)
        if message is not None and message.command == DEVICE_INFO and direction == TO_APP:
            srand = srand_of(message.data)
            if srand is not None:
                self._srands = (srand, *self._srands[:1])
        return message

    def _try_keys(self, envelope: Envelope) -> Optional[Message]:
        if envelope.flag == 0:
            return parse_plaintext(envelope.ciphertext)
        for key in candidate_keys(envelope.flag, self._secrets, self._app_rands, self._srands):
            message = parse_plaintext(decrypt(key, envelope.iv, envelope.ciphertext))
            if message is not None:
                return message
        return None


def explain(values: Iterable[AttValue], secrets: Secrets, unread: Iterable[Problem] = ()) -> Explanation:
    """Explain a capture. Never raises on any values; what does not fit is said as a problem.

    unread: what of the file could not be read.
    """
    taken = list(values)
    raw_frames, loose = reassemble(taken)
    decryption = _Decryption(secrets)
    counters: Dict[Channel, int] = {}
    frames: List[ExplainedFrame] = []
    earlier = _Earlier()
    for number, raw in enumerate(raw_frames, start=1):
        envelope = open_envelope(raw.body)
        problems = [*raw.problems, *_outer_problems(raw, envelope, counters)]
        message = decryption.open(raw.direction, envelope) if raw.complete else None
        if message is not None:
            step, why, inferred = command_name(message.command), "decrypted, and its CRC fits", False
        else:
            step, why = _infer(raw, envelope, earlier)
            inferred = True
            if envelope.flag in FLAGS and not secrets.missing_for(envelope.flag) and raw.complete:
                problems.append(_not_opened(raw, envelope))
        frames.append(ExplainedFrame(number, raw, envelope, step, why, inferred, tuple(problems), message))
        earlier.add(frames[-1])
    return Explanation(len(taken), sum(len(value.data) for value in taken), tuple(frames), (*loose, *unread))


def _not_opened(raw: RawFrame, envelope: Envelope) -> str:
    line = f"line {raw.lines[0]}"
    if "srand" in FLAGS[envelope.flag].needs:
        return f"{line}: the given keys do not open it; it also needs srand, from a device information that opens"
    return f"{line}: the given keys do not open it"


def _outer_problems(raw: RawFrame, envelope: Envelope, counters: Dict[Channel, int]) -> List[str]:
    line = f"line {raw.lines[0]}"
    found = []
    if envelope.flag not in FLAGS:
        found.append(f"{line}: security flag {envelope.flag} is not known")
    elif envelope.problem and raw.complete:
        found.append(f"{line}: {envelope.problem}")
    last = counters.get(raw.channel)
    counters[raw.channel] = raw.counter
    # apps leave their counter at 0; a device counts each frame
    if raw.direction == TO_APP and last is not None and raw.counter != (last + 1) % COUNTER_MODULUS:
        found.append(f"{line}: the device's frame counter goes from {last} to {raw.counter}: frames are missing")
    return found


class _Earlier:
    """What inference asks of the frames before this one."""

    def __init__(self) -> None:
        self.flags: Set[int] = set()
        self.flags_from_app: Set[int] = set()
        self.last_from_app: Optional[ExplainedFrame] = None
        self.flags_since: Set[int] = set()  # of the device's frames since then

    def add(self, frame: ExplainedFrame) -> None:
        flag = frame.envelope.flag
        self.flags.add(flag)
        if frame.raw.direction == TO_DEVICE:
            self.last_from_app = frame
            self.flags_from_app.add(flag)
            self.flags_since = set()
        else:
            self.flags_since.add(flag)


def _infer(raw: RawFrame, envelope: Envelope, earlier: _Earlier) -> Tuple[str, str]:
    """(step, why) of a frame that stays closed."""
    if not raw.complete or envelope.problem or envelope.flag not in FLAGS:
        return "cannot be told", "the frame is damaged or of an unknown kind"
    low, high = envelope.data_bytes_range
    room = f"{low} to {high} data bytes" if low != high else f"{low} data bytes"
    flag = envelope.flag
    if raw.direction == TO_DEVICE:
        return _infer_from_app(flag, low, high, room, earlier)
    return _infer_from_device(flag, high, room, earlier)


def _infer_from_app(flag: int, low: int, high: int, room: str, earlier: _Earlier) -> Tuple[str, str]:
    if flag in DEVICE_INFO_FLAGS:
        return "asks for device information", f"only this question is asked under flag {flag}; {room}"
    if flag == 16:
        return "unbinds the device", "only unbinding uses flag 16"
    if flag not in earlier.flags_from_app and low <= PAIR_REQUEST_BYTES <= high:
        return "asks to pair", f"first frame under the session key, and a pair request has 44 bytes ({room})"
    if flag in FACTORY_SESSION_FLAGS and high > STATUS_MAX_BYTES:
        return "hands over Wi-Fi network, password and token", f"follows the pairing, still under a factory key; {room}"
    if high <= STATUS_MAX_BYTES:
        return "acknowledges or asks for the state", f"{room}: no room for more"
    return "writes data points", f"under the session key after the pairing; {room}"


def _infer_from_device(flag: int, high: int, room: str, earlier: _Earlier) -> Tuple[str, str]:
    if flag in DEVICE_INFO_FLAGS:
        return "device information with srand", f"answers the question under the same flag {flag}; {room}"
    if flag in FACTORY_SESSION_FLAGS:
        if earlier.last_from_app is None:
            return "answers a frame before the capture", f"no frame from the app stands before it; {room}"
        if flag in earlier.flags_since:
            return "acknowledges again or tells progress", f"the app's last frame has an answer already; {room}"
        return f"answers: {earlier.last_from_app.step}", f"same key as the app's frame before it; {room}"
    if flag in LOCAL_SESSION_FLAGS:
        switched = not earlier.flags.isdisjoint(FACTORY_SESSION_FLAGS)
        basis = "the key now comes from the local key, so the device holds one" if switched else "under the session key"
        if high <= STATUS_MAX_BYTES:
            return "reports its network status or acknowledges", f"{basis}; {room}"
        return "reports data points", f"{basis}; {room}"
    return "answers", room


def why_not_without_the_app() -> str:
    """Why a first pairing cannot be done without the maker's app."""
    return (
        "A first pairing starts under a key made of auth_key, which is burned into the chip and known to the maker's "
        "cloud only. After Wi-Fi the device activates itself over the internet, and that is where its local key comes "
        "from. So the maker's app and cloud are needed once; afterwards the local key on the LAN is enough."
    )
