"""What a broker has agreed to on one connection: subscriptions, publications that its rules allow, sizes. Pure.

A broker that drops what a client may not publish, or never answers a subscription, looks like one that works. So every
subscription is to be answered, and of each kind of topic the first publication is one that the broker acknowledges: by
MQTT 5 it says there whether it was let through.
"""

from __future__ import annotations

from typing import Any, Dict, Optional, Sequence, Set, Tuple

from .commands import Publication
from .topics import Topics

SUBSCRIBED_S = 10.0  # so long the broker may take for its answer to a subscription
MAX_PACKET_BYTES = 268_435_455  # MQTT's own limit
MAX_UNANSWERED = 65_535  # MQTT's own limit ("receive maximum"), where the broker names none
_OVERHEAD_BYTES = 16  # of a publication, besides topic and payload: header, lengths, packet id, lengths of properties


class Consent:
    """Packet ids are the client's. What is denied is returned in words, "" for nothing."""

    def __init__(self, topics: Topics) -> None:
        self._topics = topics
        self._subscribing: Dict[int, Tuple[str, float]] = {}  # packet id -> what for, until when
        self._kinds: Set[str] = set()  # of topics of which one was asked for
        self._asked: Dict[int, str] = {}  # packet id -> topic
        self._max_packet_bytes = MAX_PACKET_BYTES
        self._max_unanswered = MAX_UNANSWERED

    def begin(self, max_packet_bytes: Optional[int] = None, max_unanswered: Optional[int] = None) -> None:
        """The broker has let us in. What it takes: packets of so many bytes, so many publications of QoS 1 at once."""
        self._subscribing.clear()
        self._kinds.clear()
        self._asked.clear()
        self._max_packet_bytes = MAX_PACKET_BYTES if max_packet_bytes is None else max_packet_bytes
        self._max_unanswered = MAX_UNANSWERED if max_unanswered is None else max_unanswered

    @property
    def room(self) -> int:
        """How many more publications the broker may be asked to acknowledge: too many end the connection."""
        return max(self._max_unanswered - len(self._asked), 0)

    def subscribing(self, packet_id: int, what: str, now_s: float) -> None:
        """A subscription was sent."""
        self._subscribing[packet_id] = (what, now_s + SUBSCRIBED_S)

    def subscribed(self, packet_id: int, reasons: Sequence[Any]) -> Tuple[str, str]:
        """Return what the answer is about, and what it denies."""
        what, _ = self._subscribing.pop(packet_id, ("", 0.0))
        no = next((reason for reason in reasons if reason.is_failure), None)
        return what, "" if no is None else f"it does not let us subscribe to {what}: {no}"

    def overdue(self, now_s: float) -> str:
        """Return which subscription has gone without an answer for too long; "" for none."""
        return next((what for what, until_s in self._subscribing.values() if now_s > until_s), "")

    def too_large(self, one: Publication) -> str:
        """Return why this publication cannot be sent; the broker would end the connection."""
        size_bytes = len(one.topic.encode()) + len(one.payload.encode()) + len(one.correlation or b"") + _OVERHEAD_BYTES
        if size_bytes <= self._max_packet_bytes:
            return ""
        return f"it takes no more than {self._max_packet_bytes} bytes at once: {one.topic} is not published"

    def is_to_ask(self, topic: str) -> bool:
        """Return whether this is the first publication of its kind: the broker is to acknowledge it."""
        if not self.room:
            return False
        kind = self._topics.kind_of(topic)
        is_first = kind not in self._kinds
        self._kinds.add(kind)
        return is_first

    def asked(self, packet_id: int, topic: str) -> None:
        """Such a publication was sent."""
        self._asked[packet_id] = topic

    def published(self, packet_id: int, reason: Any) -> str:
        """Return what the acknowledgement of a publication denies."""
        topic = self._asked.pop(packet_id, "")
        return f"it does not let us publish {topic} and its like: {reason}" if topic and reason.is_failure else ""
