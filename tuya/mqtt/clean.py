"""Removing what this front end has left in a broker: discovery, states and availabilities, all of them retained."""

from __future__ import annotations

import queue
import time
from typing import Set, Tuple

from . import discovery
from .broker import Broker, Down, Happening, Up
from .claim import ANSWER_S, answer_of, question
from .client import Client
from .commands import Message, Publication
from .service import left_behind
from .topics import Topics

CONNECT_WITHIN_S = 15.0
REMOVE_WITHIN_S = 60.0
QUIET_S = 2.0  # a broker sends all that it has retained at once
TRIES = 3


class CleaningFailed(Exception):
    """The broker could not be reached, or has not let us in, or a service is running; the text says why."""


def clean(broker: Broker, topics: Topics, prefix: str, name: str) -> int:
    """Remove everything retained of ours below `topics.base` and `prefix`; return how many topics that were.

    What another program has put there stays: discovery is ours by its origin and its topics, and below the base only
    states and availabilities of devices and of the bridge go. Raises CleaningFailed, also where a service of this base
    is running, which would publish it all again; BrokerError.
    """
    gone: Set[str] = set()
    for _ in range(TRIES):  # a connection that is lost on the way takes with it what was not sent
        found, is_done = _clean_once(broker, topics, prefix, name)
        gone |= found
        if is_done:
            return len(gone)
    raise CleaningFailed("the broker: the connection is lost each time before it has taken everything; try again")


def _clean_once(broker: Broker, topics: Topics, prefix: str, name: str) -> Tuple[Set[str], bool]:
    """Return the topics that were found, and whether the broker has acknowledged the removal of all of them."""
    happenings: queue.Queue[Happening] = queue.Queue()
    client = Client(broker, topics, happenings.put, name, has_will=False)
    client.start()
    found: Set[str] = set()
    try:
        _wait_until_up(happenings)
        client.publish([Publication(topics.claim, question(name))])
        _check_nobody_serves(happenings, topics, name)
        for pattern in left_behind(topics, prefix):
            client.subscribe(pattern)
        found = _retained(happenings, topics)
    finally:
        is_done = client.stop(REMOVE_WITHIN_S, [Publication(topic, "", True) for topic in found])
    return found, is_done


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
            if happening.refused and "protocol version" not in why.lower():
                break
    raise CleaningFailed(f"the broker: {why}")


def _check_nobody_serves(happenings: queue.Queue[Happening], topics: Topics, name: str) -> None:
    until_s = time.monotonic() + ANSWER_S
    while time.monotonic() < until_s:
        try:
            happening = happenings.get(timeout=max(until_s - time.monotonic(), 0.01))
        except queue.Empty:
            return
        if isinstance(happening, Message) and happening.topic == topics.claim and not happening.is_retained:
            who = answer_of(happening.payload, name)
            if who:
                raise CleaningFailed(f"{who} serves {topics.base}/... and would publish it all again: end that first")


def _retained(happenings: queue.Queue[Happening], topics: Topics) -> Set[str]:
    found: Set[str] = set()
    while True:
        try:
            happening = happenings.get(timeout=QUIET_S)
        except queue.Empty:
            return found
        if isinstance(happening, Down):
            raise CleaningFailed(f"the broker: {happening.why}")
        if isinstance(happening, Message) and happening.is_retained and happening.payload:
            topic = happening.topic
            is_ours = topics.retained_of(topic) is not None or topic == topics.bridge_availability
            if is_ours or discovery.device_of(happening.payload, topics) is not None:
                found.add(topic)
