"""Of several services with one base exactly one serves, in whatever order things happen."""

from __future__ import annotations

import json
import random
from typing import Dict, List, Tuple

import pytest

from tuya.mqtt.claim import ANSWER_S, ASK_AGAIN_S, PATIENCE_S, UNHEARD_S, Claim, Step, answer_of, question

TOGETHER_S = ASK_AGAIN_S + 2 * PATIENCE_S


class Broker:
    """Hands each message to all who are connected, in one order, each after a while of its own."""

    def __init__(self, seed: int, late_s: float) -> None:
        self.random = random.Random(seed)
        self.now_s = 0.0
        self.late_s = late_s
        self.claims: Dict[str, Claim] = {}
        self._waiting: Dict[str, List[Tuple[float, str]]] = {}

    def connect(self, name: str) -> None:
        claim = self.claims.setdefault(name, Claim(name, lambda: self.now_s))
        self._waiting[name] = []
        claim.connected(self.now_s)

    def cut(self, name: str) -> None:
        """The connection ends; its will says that the bridge is offline."""
        self.claims[name].lost()
        self._waiting.pop(name, None)
        for other in self._waiting:
            self.claims[other].bridge_says(b"offline", self.now_s)

    def run(self, seconds: float) -> None:
        until_s = self.now_s + seconds
        while self.now_s < until_s:
            self.now_s += 0.05
            for name in self.random.sample(sorted(self._waiting), len(self._waiting)):
                claim, waiting = self.claims[name], self._waiting[name]
                while waiting and waiting[0][0] <= self.now_s:
                    claim.message(waiting.pop(0)[1].encode(), self.now_s)
                claim.tick(self.now_s)
                for text in claim.take():
                    for box in self._waiting.values():
                        due_s = self.now_s + self.random.uniform(0.0, self.late_s)
                        box.append((max([due_s, *(at_s for at_s, _ in box)]), text))

    def serving(self) -> List[str]:
        return sorted(name for name, claim in self.claims.items() if claim.step is Step.SERVING)


def test_alone_it_serves_after_a_moment():
    broker = Broker(1, 0.1)
    broker.connect("a")
    broker.run(ANSWER_S / 2)
    assert broker.serving() == []
    broker.run(ANSWER_S)
    assert broker.serving() == ["a"]


def test_the_second_waits_and_takes_over_at_once():
    broker = Broker(1, 0.1)
    broker.connect("b")
    broker.run(3.0)
    broker.connect("a")
    broker.run(3.0)
    assert broker.serving() == ["b"]
    assert "process" in broker.claims["a"].other
    broker.cut("b")
    broker.run(ANSWER_S + 0.5)
    assert broker.serving() == ["a"]
    broker.connect("b")
    broker.run(TOGETHER_S)
    assert broker.serving() == ["a"], "who was cut off waits when it is back"


@pytest.mark.parametrize("seed", range(100))
def test_exactly_one_serves_whatever_happens(seed: int):
    """Prompt brokers and slow ones (answers later than ANSWER_S: two may serve for a while, not in the end)."""
    broker = Broker(seed, random.Random(seed).choice([0.0, 0.3, 0.9, 4.0]))
    is_prompt = broker.late_s < ANSWER_S / 2
    names = ["a", "b", "c"]
    for name in names:
        broker.connect(name)
        broker.run(broker.random.choice([0.0, 0.1, 1.0, 5.0]))
    connected = set(names)
    for _ in range(12):
        name = broker.random.choice(names)
        if name in connected and len(connected) > 1:
            broker.cut(name)
            connected.discard(name)
        elif name not in connected:
            broker.connect(name)
            connected.add(name)
        broker.run(broker.random.choice([0.1, 1.0, 3.0]))
        assert not is_prompt or len(broker.serving()) <= 1
    broker.run(TOGETHER_S)
    assert len(broker.serving()) == 1
    first = broker.serving()
    broker.run(TOGETHER_S)
    assert broker.serving() == first


def test_two_that_serve_come_to_the_same_end():
    """Each was alone (two brokers that were cut apart and joined again)."""
    apart = [Broker(1, 0.1), Broker(2, 0.1)]
    apart[0].now_s = 100.0
    apart[0].connect("young")
    apart[1].connect("old")
    apart[1].run(2.0)
    apart[0].run(4.0)
    young, old = apart[0].claims["young"], apart[1].claims["old"]
    assert (young.step, old.step) == (Step.SERVING, Step.SERVING)
    young.message(question("x").encode(), 5.0)
    said = young.take()
    for _ in range(5):
        for hearer, sayer in ((old, young), (young, old)):
            for text in said:
                hearer.message(text.encode(), 5.0)
                sayer.message(text.encode(), 5.0)
            said = hearer.take()
    assert (young.step, old.step) == (Step.WAITING, Step.SERVING)
    assert said == [], "and then they are silent"


def test_broker_that_does_not_bring_our_own_words_is_noticed():
    claim = Claim("a")
    claim.connected(0.0)
    claim.tick(UNHEARD_S - 0.1)
    assert claim.step is Step.ASKING
    claim.tick(UNHEARD_S)
    assert claim.step is Step.SERVING
    assert claim.is_unheard


def test_who_only_wants_to_know_changes_nothing_and_is_answered():
    claim = Claim("a")
    claim.connected(0.0)
    claim.message(question("cleaner").encode(), 0.1)
    claim.tick(UNHEARD_S)
    assert claim.step is Step.SERVING
    claim.take()
    claim.message(question("cleaner").encode(), 7.0)
    (text,) = claim.take()
    assert "process" in answer_of(text.encode())
    assert claim.step is Step.SERVING


@pytest.mark.parametrize(
    "payload",
    [
        *(
            b"",
            b"\xff",
            b"[]",
            b"1",
            b"{}",
            b"[" * 1000,
            b"x" * 5000,
            b'{"claim": "serves"}',
            b'{"claim": [], "who": 1}',
        ),
        *(json.dumps({"claim": "serves", "who": ""}).encode(), json.dumps({"claim": "?", "who": "x"}).encode()),
    ],
)
def test_what_is_no_claim_is_passed_over(payload: bytes):
    claim = Claim("a")
    claim.connected(0.0)
    claim.message(payload, 0.1)
    assert claim.step is Step.ASKING


@pytest.mark.parametrize("since_s", [None, "x", -1, True, float("nan"), float("inf"), 10**400])
def test_odd_claims_to_serve_are_heard_and_win_over_nobody(since_s: object):
    told = {"claim": "serves", "who": "x", "since_s": since_s, "host": "a\nb" * 100, "process": "4"}
    payload = json.dumps(told).encode()
    asking, serving = Claim("a"), Claim("b", lambda: 1000.0)
    for claim in (asking, serving):
        claim.connected(0.0)
    asking.message(payload, 0.1)
    assert asking.step is Step.WAITING
    assert asking.other.isprintable()
    assert len(asking.other) < 120
    serving.tick(UNHEARD_S)
    serving.message(payload, UNHEARD_S + 1)
    assert serving.step is Step.SERVING
