"""Between devices and a broker: events and messages in, publications and commands out. Pure; time is passed in."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Set

from . import discovery
from .rates import Gate
from .topics import OFFLINE, ONLINE, BadMessage, Topics
from .values import plain_values, state_of

DUPLICATE_S = 1.0  # the same delivery again within this is not another command
# Commands of one device: so many at once, and one more each second. What is above is refused, never kept for later.
BURST_COMMANDS = 5
COMMANDS_PER_S = 1.0
MAX_WAITING = 32  # commands of one device without a result yet


class Publication(NamedTuple):
    """One message for the broker."""

    topic: str
    payload: str
    retain: bool = False
    correlation: Optional[bytes] = None


class Message(NamedTuple):
    """One message from the broker, as far as it matters here.

    is_retained: the broker had it before we asked. is_again: its sender may have sent it before (DUP). mid: packet id
    of a delivery with QoS 1 (0: QoS 0). response_topic, correlation: of MQTT 5.
    """

    topic: str
    payload: bytes
    is_retained: bool = False
    is_again: bool = False
    mid: int = 0
    response_topic: str = ""
    correlation: Optional[bytes] = None


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
    snapshot: Mapping[str, Any] = field(default_factory=dict)
    gate: Gate = field(default_factory=Gate)
    is_online: bool = False
    configured: Dict[str, str] = field(default_factory=dict)  # discovery topic -> payload
    offered: Any = None  # what the discovery was made from
    tokens: float = float(BURST_COMMANDS)
    tokens_at_s: float = 0.0
    last_delivery: Optional[tuple] = None  # type: ignore[type-arg]
    last_delivery_s: float = float("-inf")


class Core:
    """What is to be published for the devices of one source.

    prefix: of discovery, "" for none. version: of this program. After each call take() what came of it.
    """

    def __init__(self, topics: Topics, prefix: str, version: str) -> None:
        self._topics = topics
        self._prefix = prefix
        self._version = version
        self._devices: Dict[str, _Device] = {}
        self._publications: Dict[str, Publication] = {}  # the newest a topic: bounded while no broker is there
        self._answers: List[Publication] = []
        self._commands: List[Command] = []
        self._remarks: List[str] = []
        self._askers: Dict[int, _Asker] = {}
        self._ticket = 0

    # -- what came of it

    def take(self) -> List[Publication]:
        """Return what is to be published, each once: retained topics first, answers in their order after them."""
        taken = [*self._publications.values(), *self._answers]
        self._publications.clear()
        self._answers.clear()
        return taken

    def take_commands(self) -> List[Command]:
        """Return the commands for devices, each once."""
        taken, self._commands = self._commands, []
        return taken

    def take_remarks(self) -> List[str]:
        """Return lines for the log, each once."""
        taken, self._remarks = self._remarks, []
        return taken

    def next_due_s(self) -> Optional[float]:
        """When tick() has something to do, None if nothing is due by the clock."""
        times = (device.gate.due_s() for device in self._devices.values())
        return min((due_s for due_s in times if due_s is not None), default=None)

    # -- devices

    def changed(self, snapshot: Mapping[str, Any], now_s: float) -> None:
        """Something of a device is new. snapshot: everything that is known of it (see tuya/sharing/source.py)."""
        device_id = str(snapshot["id"])
        device = self._devices.setdefault(device_id, _Device())
        device.snapshot = snapshot
        is_online = bool(snapshot.get("connected"))
        if is_online != device.is_online or not device.configured:
            device.is_online = is_online
            self._put(Publication(self._topics.availability(device_id), ONLINE if is_online else OFFLINE, True))
        state = state_of(snapshot)
        values = plain_values(state)
        self._configure(device, values)
        device.gate.observe(values, is_online)
        self._publish_due(device_id, device, state, now_s)

    def removed(self, device_id: str) -> None:
        """A device is served no more: its topics and its discovery go."""
        device = self._devices.pop(device_id, None)
        if device is None:
            return
        for topic in (*device.configured, self._topics.state(device_id), self._topics.availability(device_id)):
            self._put(Publication(topic, "", True))

    def tick(self, now_s: float) -> None:
        """Publish what has become due by the clock."""
        for device_id, device in self._devices.items():
            due_s = device.gate.due_s()
            if due_s is not None and due_s <= now_s and device.snapshot:
                self._publish_due(device_id, device, state_of(device.snapshot), now_s)

    def _publish_due(self, device_id: str, device: _Device, state: Mapping[str, Any], now_s: float) -> None:
        due_s = device.gate.due_s()
        values = plain_values(state)
        if not values or due_s is None or due_s > now_s:
            return
        payload = json.dumps(state, ensure_ascii=False, separators=(",", ":"))
        self._put(Publication(self._topics.state(device_id), payload, True))
        device.gate.published({value.name: value.value for value in values}, now_s)
        device.gate.observe(values, device.is_online)

    def _configure(self, device: _Device, values: List[Any]) -> None:
        """Offer what is new of a device, and withdraw what it has no more."""
        if not self._prefix:
            return
        snapshot = device.snapshot
        offered = (
            tuple((value.name, value.value if value.kind == "option" else None) for value in values),
            *(repr(snapshot.get(name)) for name in ("name", "may_switch", "version", "product_id", "profile")),
        )
        if offered == device.offered:
            return
        device.offered = offered
        found = discovery.configurations(self._prefix, self._topics, snapshot, values, self._version)
        wanted = {one.topic: one.payload for one in found}
        for topic in device.configured.keys() - wanted.keys():
            self._put(Publication(topic, "", True))
        for topic, payload in wanted.items():
            if device.configured.get(topic) != payload:
                self._put(Publication(topic, payload, True))
        device.configured = wanted

    def _put(self, publication: Publication) -> None:
        self._publications[publication.topic] = publication

    # -- the broker

    def broker_is_there(self, now_s: float) -> None:
        """A connection to the broker is up: everything retained is said (again)."""
        self._put(Publication(self._topics.bridge_availability, ONLINE, True))
        for device in self._devices.values():
            device.gate.again()
            device.configured, device.offered = {}, None
        for device in list(self._devices.values()):
            if device.snapshot:
                self.changed(device.snapshot, now_s)

    def is_discovery(self, topic: str) -> bool:
        """Whether a message on this topic is one of discovery."""
        return bool(self._prefix) and topic.startswith(f"{self._prefix}/") and topic.endswith("/config")

    def stale(self, topic: str, payload: bytes) -> None:
        """A retained discovery message was found: if it is ours and of no device that is served, it goes."""
        known: Set[str] = {one for device in self._devices.values() for one in device.configured}
        if topic not in known and payload and discovery.is_ours(payload, self._topics):
            self._put(Publication(topic, "", True))

    def message(self, message: Message, now_s: float) -> None:
        """Take a message on a command topic: a command, or an answer that says why it is none."""
        device_id = self._topics.device_of(message.topic)
        if device_id is None or (not message.payload and message.is_retained):
            return
        device = self._devices.get(device_id)
        if device is None:
            self._remarks.append(f"a command for {message.topic} is for no device that is served here")
            return
        if message.mid and self._is_duplicate(device, message, now_s):
            return
        try:
            request = self._topics.request(message.topic, message.payload)
        except BadMessage as problem:
            self._refuse(device_id, {}, message, "BadValue", str(problem))
            return
        if message.is_retained:
            text = "a retained command is not carried out: nobody knows how old it is; publish it without 'retain'"
            self._refuse(device_id, request.dps, message, "CommandRefused", text)
        elif not self._has_token(device, now_s) or self._waiting(device_id) >= MAX_WAITING:
            text = "too many commands: this one is not carried out, and none is kept for later"
            self._refuse(device_id, request.dps, message, "CommandRefused", text)
        else:
            self._ticket += 1
            self._askers[self._ticket] = _Asker(device_id, request.dps, message.response_topic, message.correlation)
            self._commands.append(Command(self._ticket, device_id, request.dps))

    def answered(self, ticket: int, error: Optional[str], text: Optional[str]) -> None:
        """What became of a command. error: None for confirmed, else the class of tuya/lan/errors.py."""
        asker = self._askers.pop(ticket, None)
        if asker is not None:
            self._answer(asker, error, text)

    def _waiting(self, device_id: str) -> int:
        return sum(asker.device_id == device_id for asker in self._askers.values())

    @staticmethod
    def _is_duplicate(device: _Device, message: Message, now_s: float) -> bool:
        """A delivery with QoS 1 comes again when its acknowledgement was lost: it is one command."""
        delivery = (message.topic, message.payload, message.correlation)
        is_same = delivery == device.last_delivery and now_s - device.last_delivery_s < DUPLICATE_S
        device.last_delivery, device.last_delivery_s = delivery, now_s
        return is_same

    @staticmethod
    def _has_token(device: _Device, now_s: float) -> bool:
        gained = max(0.0, now_s - device.tokens_at_s) * COMMANDS_PER_S
        device.tokens = min(float(BURST_COMMANDS), device.tokens + gained)
        device.tokens_at_s = now_s
        if device.tokens < 1.0:
            return False
        device.tokens -= 1.0
        return True

    def _refuse(self, device_id: str, dps: Mapping[int, Any], message: Message, error: str, text: str) -> None:
        self._remarks.append(f"{message.topic}: {text}")
        self._answer(_Asker(device_id, dps, message.response_topic, message.correlation), error, text)

    def _answer(self, asker: _Asker, error: Optional[str], text: Optional[str]) -> None:
        dps = {str(dp): value for dp, value in asker.dps.items()}
        payload = json.dumps({"dps": dps, "error": error, "message": text}, ensure_ascii=False)
        self._answers.append(Publication(self._topics.result(asker.device_id), payload))
        if asker.response_topic and len(self._answers) < MAX_WAITING:
            self._answers.append(Publication(asker.response_topic, payload, correlation=asker.correlation))
        del self._answers[: -2 * MAX_WAITING]
