"""Removing what this front end has left in a broker: discovery, states and availabilities, all of them retained."""

from __future__ import annotations

import queue
import time
from typing import Callable, Dict, Optional

from . import discovery
from .client import Broker, Client, Down, Happening, Up
from .core import Message, Publication
from .topics import Topics

CONNECT_WITHIN_S = 15.0
QUIET_S = 2.0  # a broker sends all that it has retained at once


class CleaningFailed(Exception):
    """The broker could not be reached, or has not let us in; the text says why."""


def clean(broker: Broker, topics: Topics, prefix: str, name: str) -> int:
    """Remove everything retained of ours below `topics.base` and `prefix`; return how many topics that were.

    What another program has put there stays: discovery is ours by its origin and its topics, and below the base only
    the topics of a device that such a discovery names, or of this form, go. Raises CleaningFailed, BrokerError.
    """
    happenings: queue.Queue[Happening] = queue.Queue()
    client = Client(broker, topics, happenings.put, name)
    client.start()
    try:
        _wait_until_up(happenings)
        patterns = [f"{topics.base}/+/state", f"{topics.base}/+/availability"]
        if prefix:
            patterns.append(f"{prefix}/+/+/+/config")
        for pattern in patterns:
            client.subscribe_retained(pattern)
        found = _retained(happenings, lambda message: _is_ours(message, topics, prefix))
        client.publish([Publication(topic, "", True) for topic in found])
    finally:
        client.stop()
    return len(found)


def _wait_until_up(happenings: queue.Queue[Happening]) -> None:
    until_s = time.monotonic() + CONNECT_WITHIN_S
    why = "it does not answer"
    while time.monotonic() < until_s:
        try:
            happening = happenings.get(timeout=max(until_s - time.monotonic(), 0.01))
        except queue.Empty:
            break
        if isinstance(happening, Up):
            return
        if isinstance(happening, Down):
            why = happening.why
            if happening.refused:
                break
    raise CleaningFailed(f"the broker: {why}")


def _retained(happenings: queue.Queue[Happening], is_ours: Callable[[Message], bool]) -> Dict[str, bytes]:
    found: Dict[str, bytes] = {}
    while True:
        try:
            happening: Optional[Happening] = happenings.get(timeout=QUIET_S)
        except queue.Empty:
            return found
        if isinstance(happening, Message) and happening.is_retained and happening.payload and is_ours(happening):
            found[happening.topic] = happening.payload


def _is_ours(message: Message, topics: Topics, prefix: str) -> bool:
    if prefix and message.topic.startswith(f"{prefix}/"):
        return discovery.is_ours(message.payload, topics)
    return message.topic.startswith(f"{topics.base}/")
