"""Commands from a broker: which of its messages are carried out, and what is answered. Pure; time is passed in."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any, Callable, Container, Deque, Dict, List, Mapping, NamedTuple, Optional

from ..lan.limits import TokenBucket
from ..sharing.allowance import of_one_device
from .topics import BadMessage, Topics, json_text, no_options

DUPLICATE_S = 1.0  # the same delivery again within this is not another command
REPEATED_S = 60.0  # and one that its sender marks as sent before, within this
TOO_OLD_S = 2.0  # a message that waited so long in this process is not carried out
STALLED_S = 4.0  # and one that may have been on its way from the broker for so long neither
MAX_WAITING = 32  # commands of one device without a result yet
MAX_DELIVERIES = 32  # that are remembered of one device
MAX_ANSWERS = 1000  # that nobody has taken
# Refusals of one device that are answered: so many at once, and so many a second. The others are counted.
BURST_REFUSALS = 500
REFUSALS_PER_S = 10.0
REMARKS_PER_S = 1.0  # a storm of refused messages is not a storm in the log
BURST_REMARKS = 20
MAX_TOPIC_BYTES = 1024


class Publication(NamedTuple):
    """One message for the broker."""

    topic: str
    payload: str
    retain: bool = False
    correlation: Optional[bytes] = None


class Message(NamedTuple):
    """One message from the broker, as far as it matters here.

    at_s: when it was read. is_retained: the broker had it before we asked; of a command also: it is to be kept there
    (of one that comes meanwhile only MQTT 5 tells). is_again: its sender may have sent it before (DUP). qos: 0 or 1.
    expires_s: so long after at_s it is worth nothing. response_topic, correlation: of MQTT 5. sent_after_s: the
    broker has not sent it on before that, as far as is known (None: it is not).
    """

    topic: str
    payload: bytes
    at_s: float = 0.0
    is_retained: bool = False
    is_again: bool = False
    qos: int = 0
    expires_s: Optional[float] = None
    response_topic: str = ""
    correlation: Optional[bytes] = None
    sent_after_s: Optional[float] = None


class Command(NamedTuple):
    """What is to be written; the answer comes back with answered()."""

    ticket: int
    device_id: str
    dps: Dict[int, Any]


class _Asker(NamedTuple):
    device_id: str
    dps: Mapping[int, Any]
    response_topic: str
    correlation: Optional[bytes]


@dataclass
class _Device:
    bucket: TokenBucket = field(default_factory=of_one_device)
    refusals: TokenBucket = field(default_factory=lambda: TokenBucket(1.0 / REFUSALS_PER_S, BURST_REFUSALS))
    unanswered: int = 0  # refusals since the last one that was answered
    deliveries: Deque[Any] = field(default_factory=lambda: deque(maxlen=MAX_DELIVERIES))
    waiting: int = 0


class Desk:
    """Takes messages on command topics. take_commands(), take_answers(), take_remarks(): what came of it.

    options: the words that a data point of a device takes.
    """

    def __init__(self, topics: Topics, options: Callable[[str, int], Container[str]] = no_options) -> None:
        self._topics = topics
        self._options = options
        self._devices: Dict[str, _Device] = {}
        self._strangers = _Device()  # all those that are not served
        self._askers: Dict[int, _Asker] = {}
        self._ticket = 0
        self._commands: List[Command] = []
        self._answers: Deque[Publication] = deque(maxlen=MAX_ANSWERS)
        self._remarks: List[str] = []
        self._talk = TokenBucket(1.0 / REMARKS_PER_S, BURST_REMARKS)
        self._unsaid = 0

    def take_commands(self) -> List[Command]:
        """Return the commands for devices, each once."""
        taken, self._commands = self._commands, []
        return taken

    def take_answers(self) -> List[Publication]:
        """Return the answers, each once, in their order."""
        taken = list(self._answers)
        self._answers.clear()
        return taken

    def take_remarks(self) -> List[str]:
        """Return lines for the log, each once."""
        taken, self._remarks = self._remarks, []
        return taken

    def serve(self, device_id: str) -> None:
        """Commands for this device are taken from now on."""
        self._devices.setdefault(device_id, _Device())

    def drop(self, device_id: str) -> None:
        """Commands for this device are taken no longer."""
        self._devices.pop(device_id, None)

    def message(self, message: Message, now_s: float) -> None:
        """Take a message on a command topic: a command, or an answer that says why it is none."""
        device_id = self._topics.device_of(message.topic)
        if device_id is None or not message.payload:
            return  # empty: how a retained message is removed, which we hear as one that is not retained
        device = self._devices.get(device_id, self._strangers)
        if self._is_duplicate(device, message, now_s):
            return
        if device is self._strangers:
            why = "there is no such device here (any more); nothing was sent"
            self._refuse(device_id, {}, message, "CommandRefused", why, now_s)
            return
        try:
            request = self._topics.request(message.topic, message.payload, self._options)
        except BadMessage as problem:
            self._refuse(device_id, {}, message, "BadMessage", str(problem), now_s)
            return
        waited_s = now_s - message.at_s
        if message.is_retained:
            why = "a retained command is not carried out: nobody knows how old it is; publish it without 'retain'"
        elif message.expires_s is not None and waited_s >= message.expires_s:
            why = "this command has expired; nothing was sent"
        elif waited_s > TOO_OLD_S:
            why = f"this command is {waited_s:.0f} s old; nothing was sent"
        elif message.sent_after_s is not None and now_s - message.sent_after_s > STALLED_S:
            why = "the connection to the broker stood still: nobody knows how old this command is; nothing was sent"
        elif not device.bucket.take(now_s) or device.waiting >= MAX_WAITING:
            why = "too many commands: this one is not carried out, and none is kept for later"
        else:
            device.waiting += 1
            self._ticket += 1
            self._askers[self._ticket] = _Asker(device_id, request.dps, message.response_topic, message.correlation)
            self._commands.append(Command(self._ticket, device_id, request.dps))
            return
        self._refuse(device_id, request.dps, message, "CommandRefused", why, now_s)

    def answered(self, ticket: int, error: Optional[str], text: Optional[str]) -> None:
        """What became of a command. error: None for confirmed, else the class of tuya/lan/errors.py."""
        asker = self._askers.pop(ticket, None)
        if asker is None:
            return
        if asker.device_id in self._devices:
            self._devices[asker.device_id].waiting -= 1
        self._answer(asker, error, text)

    @staticmethod
    def _is_duplicate(device: _Device, message: Message, now_s: float) -> bool:
        """A delivery with QoS 1 comes again when its acknowledgement was lost: it is one command, and one answer.

        Its packet id is the broker's own and says nothing of what the sender has sent twice: the content does.
        """
        if not message.qos or message.is_retained:
            return False
        delivery = (message.topic, message.payload, message.correlation)
        within_s = REPEATED_S if message.is_again else DUPLICATE_S
        if device.deliveries and any(
            delivery == other and now_s - at_s < within_s
            for other, at_s in (device.deliveries if message.is_again else [device.deliveries[-1]])
        ):
            return True
        device.deliveries.append((delivery, now_s))
        return False

    def _refuse(
        self, device_id: str, dps: Mapping[int, Any], message: Message, error: str, why: str, now_s: float
    ) -> None:
        self._remark(f"{message.topic}: {why}", now_s)
        device = self._devices.get(device_id, self._strangers)
        if not device.refusals.take(now_s):
            device.unanswered += 1
            return
        if device.unanswered:
            why = f"{why} (and {device.unanswered} more refused messages, not answered)"
            device.unanswered = 0
        self._answer(_Asker(device_id, dps, message.response_topic, message.correlation), error, why)

    def _remark(self, text: str, now_s: float) -> None:
        if not self._talk.take(now_s):
            self._unsaid += 1
            return
        more, self._unsaid = self._unsaid, 0
        self._remarks.append(f"{text} (and {more} more refused messages)" if more else text)

    def _answer(self, asker: _Asker, error: Optional[str], text: Optional[str]) -> None:
        dps = {str(dp): value for dp, value in asker.dps.items()}
        payload = json_text({"dps": dps, "error": error, "message": text}, is_compact=False)
        self._answers.append(Publication(self._topics.result(asker.device_id), payload))
        if self._may_answer_on(asker.response_topic):
            self._answers.append(Publication(asker.response_topic, payload, correlation=asker.correlation))

    def _may_answer_on(self, topic: str) -> bool:
        """Whether a topic that a stranger named can be published to, and is not one that means something here."""
        if not topic or topic.startswith("$") or any(sign in topic for sign in "+#\0"):
            return False
        if len(topic.encode("utf-8", "surrogatepass")) > MAX_TOPIC_BYTES:
            return False
        own = topic.startswith(f"{self._topics.base}/")
        return not own or topic.rpartition("/")[2] not in ("set", "state", "availability")
