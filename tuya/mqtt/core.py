"""Between devices and a broker: events and messages in, publications and commands out. Pure; time is passed in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

from . import discovery
from .commands import Command, Desk, Message, Publication
from .rates import Gate
from .topics import OFFLINE, ONLINE, Topics, json_text
from .values import Plain, circuits_of, controls_of, plain_values, state_of

HEAL_AFTER_S = 0.5  # what others have published on topics of ours is contradicted
# of a snapshot: what the discovery says, besides the values there are
_OFFERED = ("name", "may_switch", "version", "product_id", "profile")


@dataclass
class _Device:
    snapshot: Mapping[str, Any]
    gate: Gate = field(default_factory=Gate)
    is_online: Optional[bool] = None  # as the broker was told
    contradicted_s: Optional[float] = None  # somebody else has said something else since
    healed_s: float = float("-inf")
    values: Dict[str, Plain] = field(default_factory=dict)  # each as it was known last, by its name
    configured: Dict[str, str] = field(default_factory=dict)  # discovery topic -> payload, as the broker was told
    offered: Any = None  # what the discovery was made from


def _name_in(discovery_topic: str) -> str:
    """The value's name: PREFIX/COMPONENT/ID/NAME/config."""
    return discovery_topic.rsplit("/", 2)[-2]


class Core:
    """What is to be published for the devices of one source.

    prefix: of discovery, "" for none. version: of this program. After each call take what came of it.
    """

    def __init__(self, topics: Topics, prefix: str, version: str) -> None:
        self._topics = topics
        self._prefix = prefix
        self._version = version
        self._desk = Desk(topics, self._options)
        self._devices: Dict[str, _Device] = {}
        self._publications: Dict[str, Publication] = {}  # the newest a topic

    # -- what came of it

    def take(self) -> List[Publication]:
        """Return what is to be published, each once: what is retained, then answers in their order."""
        taken = [*self._publications.values(), *self._desk.take_answers()]
        self._publications.clear()
        return taken

    def take_commands(self) -> List[Command]:
        """Return the commands for devices, each once."""
        return self._desk.take_commands()

    def take_remarks(self) -> List[str]:
        """Return lines for the log, each once."""
        return self._desk.take_remarks()

    # -- devices

    def told(self, event: Mapping[str, Any], now_s: float) -> bool:
        """Take a "status" event into what is known; return False where the device's whole state is needed instead."""
        device = self._devices.get(str(event.get("id")))
        readings = event.get("readings")
        if device is None or event.get("event") != "status" or event.get("full") or not readings:
            return False
        known = device.snapshot
        profile = known.get("profile") or {}
        if (readings.get("profile"), readings.get("matched_by")) != (profile.get("name"), profile.get("matched_by")):
            return False
        dps = {**(known.get("dps") or {}), **(event.get("dps") or {})}
        fresh = {**known, "dps": dps, "readings": readings, "totals_wh": event.get("totals_wh")}
        self.changed(fresh, now_s)
        return True

    def changed(self, snapshot: Mapping[str, Any], now_s: float) -> None:
        """Something of a device is new. snapshot: everything that is known of it (see tuya/sharing/source.py)."""
        device_id = str(snapshot["id"])
        device = self._devices.get(device_id)
        if device is None:
            device = self._devices[device_id] = _Device(snapshot)
            self._desk.serve(device_id)
        device.snapshot = snapshot
        is_online = bool(snapshot.get("connected"))
        if is_online != device.is_online:
            device.is_online = is_online
            self._say_availability(device_id, device)
        state = state_of(snapshot)
        values = plain_values(state, circuits_of(snapshot))
        self._configure(device, values)
        device.gate.observe(values, is_online)
        if device.gate.due_s is not None and device.gate.due_s <= now_s:
            self._publish(device_id, device, state, values, now_s)

    def removed(self, device_id: str) -> None:
        """A device is served no more: its topics and its discovery go."""
        device = self._devices.pop(device_id, None)
        self._desk.drop(device_id)
        if device is not None:
            self._withdraw(device.configured)
            self._withdraw((self._topics.state(device_id), self._topics.availability(device_id)))

    def tick(self, now_s: float) -> None:
        """Publish what has become due by the clock."""
        for device_id, device in self._devices.items():
            if device.contradicted_s is not None and device.contradicted_s + HEAL_AFTER_S <= now_s:
                device.contradicted_s, device.healed_s = None, now_s
                self._say_availability(device_id, device)
            due_s = device.gate.due_s
            if due_s is not None and due_s <= now_s:
                state = state_of(device.snapshot)
                self._publish(device_id, device, state, plain_values(state, circuits_of(device.snapshot)), now_s)

    def _say_availability(self, device_id: str, device: _Device) -> None:
        self._put(Publication(self._topics.availability(device_id), ONLINE if device.is_online else OFFLINE, True))

    def _publish(
        self, device_id: str, device: _Device, state: Dict[str, Any], values: Sequence[Plain], now_s: float
    ) -> None:
        for value in values:
            state[value.name] = value.value
        payload = json_text(state)
        self._put(Publication(self._topics.state(device_id), payload, True))
        device.gate.published(values, now_s, bool(device.is_online))

    def _configure(self, device: _Device, values: Sequence[Plain]) -> None:
        """Offer what is new of a device.

        What has been offered stays, also while its value is not known: withdrawn, a consumer forgets its history, its
        name and its place. Only another component for the same value (a switch that may not be switched any more)
        takes the place of the one before.
        """
        if not self._prefix or not values:
            return
        snapshot = device.snapshot
        device.values.update((value.name, value) for value in values)
        if (snapshot.get("profile") or {}).get("matched_by") not in (None, "none"):
            values = list(device.values.values())  # a new name is the name of all of it, also of what is not known now
        offered: Tuple[Any, ...] = (
            [(value.name, value.value if value.kind == "option" else None) for value in values],
            *(snapshot.get(name) for name in _OFFERED),
        )
        if offered == device.offered:
            return
        device.offered = offered
        found = discovery.configurations(self._prefix, self._topics, snapshot, values, self._version)
        wanted = {_name_in(one.topic): one.topic for one in found}
        for topic in list(device.configured):
            if wanted.get(_name_in(topic), topic) != topic:
                self._withdraw((topic,))
                del device.configured[topic]
        for topic, payload in found:
            if device.configured.get(topic) != payload:
                self._put(Publication(topic, payload, True))
                device.configured[topic] = payload

    def _withdraw(self, topics: Iterable[str]) -> None:
        for topic in topics:
            self._put(Publication(topic, "", True))

    def _put(self, publication: Publication) -> None:
        self._publications.pop(publication.topic, None)  # the order is that of the newest
        self._publications[publication.topic] = publication

    # -- the broker

    def bridge_is_there(self) -> None:
        """Somebody has said that the bridge is offline; it is not."""
        self._put(Publication(self._topics.bridge_availability, ONLINE, True))

    def availability_says(self, topic: str, payload: bytes, now_s: float) -> None:
        """A device's availability was published: by us, or by somebody who is contradicted soon.

        What comes back of our own words may be older than the newest of them, which comes a moment later.
        """
        device = self._devices.get(self._topics.retained_of(topic) or "")
        if device is None:
            return
        if payload == (ONLINE if device.is_online else OFFLINE).encode():
            device.contradicted_s = None
        elif device.contradicted_s is None:
            device.contradicted_s = max(now_s, device.healed_s + HEAL_AFTER_S)

    def broker_is_there(self, now_s: float) -> None:
        """A connection to the broker is up: everything retained is said (again)."""
        self.bridge_is_there()
        for device in self._devices.values():
            device.gate.again()
            device.is_online, device.offered = None, None
            for topic, payload in device.configured.items():
                self._put(Publication(topic, payload, True))
            self.changed(device.snapshot, now_s)

    def found(self, topic: str, payload: bytes, is_served: Callable[[str], bool], now_s: float) -> None:
        """A retained message was found in the broker: ours, of a device that is served here no longer, goes.

        Discovery of a device that is served stays, whether it has been heard of or not; but of two components for one
        value (the device's switching was refused between two runs) the older one goes.
        """
        about = self._topics.retained_of(topic)
        device_id = about or discovery.device_of(payload, self._topics)
        if device_id is None or not payload:
            return
        device = self._devices.get(device_id)
        if device is not None:
            is_discovery = about is None and self._prefix and topic.startswith(f"{self._prefix}/")
            if is_discovery and topic not in device.configured:
                device.configured[topic] = payload.decode("utf-8", "replace")
                device.offered = None
                self.changed(device.snapshot, now_s)
        elif not is_served(device_id):
            self._withdraw((topic,))

    def message(self, message: Message, now_s: float) -> None:
        """Take a message on a command topic: a command, or an answer that says why it is none."""
        self._desk.message(message, now_s)

    def _options(self, device_id: str, dp: int) -> Sequence[str]:
        device = self._devices.get(device_id)
        control = controls_of(device.snapshot).get(dp) if device is not None else None
        return (control or {}).get("values") or ()

    def answered(self, ticket: int, error: Optional[str], text: Optional[str]) -> None:
        """What became of a command. error: None for confirmed, else the class of tuya/lan/errors.py."""
        self._desk.answered(ticket, error, text)
