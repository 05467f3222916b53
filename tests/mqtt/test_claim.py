"""Of several services with one base exactly one serves, in whatever order things happen."""

from __future__ import annotations

import json
import random
from typing import Dict, List, Optional, Set, Tuple

import pytest

from tuya.mqtt.claim import (
    ANSWER_S,
    ASK_AGAIN_S,
    BURST_MESSAGES,
    DELAYS_S,
    PATIENCE_S,
    REPEAT_S,
    UNHEARD_S,
    Claim,
    Step,
    answer_of,
    question,
)
from tuya.mqtt.topics import OFFLINE

TOGETHER_S = 1.25 * ASK_AGAIN_S + 2 * PATIENCE_S
STEP_S = 0.05
COMMAND = "command "
TWICE_BEFORE = (460, 775, 975, 1438)  # at 1 s: pauses were left out just after a start, or too few


class Broker:
    """Hands each message to all who are connected, in one order, each after a while of its own."""

    def __init__(self, seed: int, late_s: float, clocks_differ: bool = False) -> None:
        self.random = random.Random(seed)
        self.now_s = 0.0
        self.late_s = late_s
        self.clocks_differ = clocks_differ
        self.hung: Set[str] = set()  # they read and say nothing
        self.claims: Dict[str, Claim] = {}
        self.nobody_s = self.nobody_since_s = 0.0  # the longest time without a service, while one could have been
        self.most = 0
        self.said: List[Dict[str, object]] = []
        self.done: List[int] = []  # for each command, how many have carried it out
        self._waiting: Dict[str, List[Tuple[float, str]]] = {}

    def connect(self, name: str) -> None:
        if not self._waiting:
            self.nobody_since_s = self.now_s
        clock_s = 1e9 + self.random.uniform(0.0, 100.0) if self.clocks_differ else 0.0
        claim = self.claims.setdefault(name, Claim(name, lambda: clock_s + self.now_s))
        self._waiting[name] = []
        claim.connected(self.now_s)

    def cut(self, name: str) -> None:
        """The connection ends; its will says that the bridge is offline."""
        if self.claims[name].step in (Step.SERVING, Step.TAKING):
            self.nobody_since_s = self.now_s
        self.claims[name].lost()
        self._waiting.pop(name, None)
        self.publish(OFFLINE)

    def publish(self, text: str) -> None:
        for box in self._waiting.values():
            due_s = self.now_s + self.random.uniform(0.0, self.late_s)
            box.append((max(due_s, box[-1][0]) if box else due_s, text))

    def command(self) -> None:
        self.publish(f"{COMMAND}{len(self.done)}")
        self.done.append(0)

    def run(self, seconds: float, commands: bool = False) -> None:
        until_s = self.now_s + seconds
        while self.now_s < until_s:
            self.now_s += STEP_S
            if commands:
                self.command()
            awake = sorted(self._waiting.keys() - self.hung)
            for name in self.random.sample(awake, len(awake)):
                claim, waiting = self.claims[name], self._waiting[name]
                while waiting and waiting[0][0] <= self.now_s:
                    text = waiting.pop(0)[1]
                    if text.startswith(COMMAND):
                        self.done[int(text[len(COMMAND) :])] += claim.acts
                    else:
                        (claim.bridge_says if text == OFFLINE else claim.message)(text.encode(), self.now_s)
                claim.tick(self.now_s)
                for text in claim.take():
                    self.said.append(json.loads(text))
                    self.publish(text)
            self._count()

    def _count(self) -> None:
        count = sum(claim.step is Step.SERVING for claim in self.claims.values())
        self.most = max(self.most, count)
        if count or not self._waiting:
            self.nobody_since_s = self.now_s
        self.nobody_s = max(self.nobody_s, self.now_s - self.nobody_since_s)

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


def drawn(seed: int, late_s: float, commands: bool = False) -> Broker:
    """Two to five services, connected together or one after the other, some of them cut off and back."""
    broker = Broker(seed, late_s, clocks_differ=commands)
    names = ["a", "b", "c", "d", "e"][: broker.random.randint(2, 5)]
    broker.random.shuffle(names)
    for name in names:
        broker.connect(name)
        broker.run(broker.random.choice([0.0, 0.0, 0.1, 0.9, 1.0, 1.1, 5.0]), commands)
    connected = set(names)
    for _ in range(12):
        name = broker.random.choice(names)
        if name in connected and len(connected) > 1:
            broker.cut(name)
            connected.discard(name)
        elif name not in connected:
            broker.connect(name)
            connected.add(name)
        broker.run(broker.random.choice([0.05, 0.1, 1.0, 3.0]), commands)
    return broker


@pytest.mark.parametrize("seed", range(120))
def test_exactly_one_serves_whatever_happens(seed: int):
    broker = drawn(seed, random.Random(seed).choice([0.0, 0.05, 0.2, 0.4]))
    broker.run(2 * ANSWER_S + 1.0)
    first = broker.serving()
    assert len(first) == 1
    assert broker.most == 1, "never two, not for a moment"
    assert broker.nobody_s <= 2 * ANSWER_S + 1.0
    broker.run(TOGETHER_S)
    assert broker.serving() == first
    assert {claim.step for name, claim in broker.claims.items() if claim.step is not Step.APART} <= {
        *(Step.SERVING, Step.WAITING, Step.ASKING)
    }


@pytest.mark.parametrize("seed", range(60))
def test_at_a_slow_broker_one_serves_in_the_end(seed: int):
    """Answers come later than ANSWER_S: two may serve for a while, not in the end."""
    broker = drawn(seed, 4.0)
    assert broker.nobody_s <= 2 * UNHEARD_S + DELAYS_S + ANSWER_S
    broker.run(TOGETHER_S)
    first = broker.serving()
    assert len(first) == 1
    broker.run(TOGETHER_S)
    assert broker.serving() == first


@pytest.mark.parametrize("late_s", [0.1, 0.6, 1.0])
def test_a_command_is_carried_out_once_also_where_answers_come_too_late(late_s: float):
    """Clocks differ, words take up to 1 s to each: that two think that they serve is one thing, who acts another."""
    carried_out = not_at_all = 0
    for seed in (*range(16), *TWICE_BEFORE):
        broker = drawn(seed, late_s, commands=True)
        broker.run(TOGETHER_S, commands=True)
        assert max(broker.done) == 1, f"seed {seed}"
        carried_out += sum(broker.done)
        not_at_all += broker.done.count(0)
        assert sum(broker.done[-100:-50]) == 50, "in the end each of them is"
    assert carried_out > not_at_all


def serving_claim(now_s: float) -> Claim:
    """One that has just heard its own `takes`; what it says then is taken."""
    claim = Claim("a")
    claim.connected(now_s - 2 * ANSWER_S)
    for heard_s in (now_s - ANSWER_S, now_s):
        (own,) = claim.take()
        claim.message(own.encode(), heard_s)
        claim.tick(heard_s)
    claim.take()
    assert claim.acts
    return claim


def takes(who: str) -> bytes:
    return json.dumps({"claim": "takes", "who": who, "number": 2, "to": {}, "host": "x", "process": 1}).encode()


@pytest.mark.parametrize("after_s", [0.0, 0.1, ANSWER_S / 2, ANSWER_S, REPEAT_S])
def test_who_serves_pauses_for_who_takes_the_base_however_soon_after_it(after_s: float):
    """It may have been put off for so long by others that it is put off no more."""
    claim = serving_claim(100.0)
    claim.message(takes("b"), 100.0 + after_s)
    assert not claim.acts
    (answer,) = claim.take()
    assert json.loads(answer)["to"] == {"b": 2}
    assert not claim.acts, "said, not heard"
    claim.message(answer.encode(), 101.0 + after_s)
    assert claim.acts


def test_who_serves_does_not_give_in_to_who_took_the_base_after_it():
    """That one, whose clock is behind, ends by our answer; did we end by its, nobody would serve for half a minute."""
    claim = serving_claim(100.0)
    claim.message(takes("b"), 100.1)
    (answer,) = claim.take()
    told = {"claim": "serves", "who": "b", "number": 4, "since_s": 1, "host": "x", "process": 1}
    serves = json.dumps({**told, "to": {"a": json.loads(answer)["number"]}}).encode()
    claim.message(serves, 101.0)
    assert claim.step is Step.SERVING
    claim.message(serves, 100.1 + DELAYS_S)
    assert claim.step is Step.WAITING, "it is still there: the one stays that began first"


def test_services_that_come_and_go_at_a_slow_broker_are_all_paused_for():
    claim = serving_claim(100.0)
    for number in range(30):
        now_s = 101.0 + 2.5 * number
        claim.message(takes(f"b{number}"), now_s)
        assert not claim.acts, f"the {number + 1}th"
        for text in claim.take():
            claim.message(text.encode(), now_s + 2.0)
        assert claim.acts


@pytest.mark.parametrize("seed", range(40))
def test_one_that_hung_is_replaced_without_a_second_write(seed: int):
    """When it goes on it reads first what was on its way to it, before it knows of the other one."""
    broker = Broker(seed, 0.3, clocks_differ=True)
    for name in "abc":
        broker.connect(name)
        broker.run(2.0, commands=True)
    (first,) = broker.serving()
    broker.hung = {first}
    broker.run(1.25 * ASK_AGAIN_S + PATIENCE_S + broker.random.uniform(1.0, 5.0), commands=True)
    (second,) = {*broker.serving()} - {first}
    broker.hung = set()
    broker.run(TOGETHER_S, commands=True)
    assert broker.serving() in ([first], [second])
    assert max(broker.done) == 1
    assert sum(broker.done[-100:-50]) == 50


@pytest.mark.parametrize("seed", range(20))
def test_forged_takes_are_few_of_many_pauses(seed: int):
    broker = Broker(seed, 0.1)
    broker.connect("a")
    broker.run(3.0)
    for _ in range(600):
        told = {"claim": "takes", "who": f"{broker.random.random()}", "number": 2, "to": {}, "host": "x", "process": 1}
        broker.publish(json.dumps(told))
        broker.run(0.1, commands=True)
    assert broker.serving() == ["a"]
    assert broker.done.count(0) < len(broker.done) / 10


@pytest.mark.parametrize("count", [2, 3, 4, 5])
@pytest.mark.parametrize("late_s", [0.0, 0.05, 0.3])
def test_all_at_the_same_moment_one_serves_at_once(count: int, late_s: float):
    for seed in range(20):
        broker = Broker(seed, late_s)
        for name in "abcde"[:count]:
            broker.connect(name)
        broker.run(ANSWER_S + 2 * late_s + 0.3)
        assert len(broker.serving()) == 1
        broker.run(TOGETHER_S)
        assert broker.nobody_s <= ANSWER_S + 2 * late_s + 0.3
        assert broker.most == 1


def forged(rng: random.Random, who: Optional[str] = None) -> str:
    """A message of somebody who does not hear what is said here."""
    told = {"claim": rng.choice(["asks", "takes", "serves", "who"]), "who": who or f"{rng.random()}", "since_s": 0}
    return json.dumps({**told, "number": rng.randint(0, 9), "to": {"x": 1}, "host": "x", "process": 1})


@pytest.mark.parametrize("seed", range(15))
@pytest.mark.parametrize("every_s", [0.1, 0.6, 5.0])
def test_what_is_said_blindly_silences_nobody(seed: int, every_s: float):
    broker = Broker(seed, 0.05)
    for name in "ab":
        broker.connect(name)
    began_s = broker.now_s
    while not broker.serving():
        broker.publish(forged(broker.random))
        broker.run(every_s)
        assert broker.now_s - began_s < DELAYS_S + 2 * ANSWER_S + every_s
    broker.run(0.5)  # in such a storm both may have begun in the same moment
    first = broker.serving()
    assert len(first) == 1
    while broker.now_s - began_s < 60.0:
        broker.publish(forged(broker.random, broker.random.choice([None, "0", "~"])))
        broker.run(every_s)
        assert broker.serving() == first


def test_who_serves_says_little_and_a_flood_is_not_read():
    broker = Broker(1, 0.0)
    for name in "abc":
        broker.connect(name)
    broker.run(5.0)
    before = len(broker.said)
    broker.run(10 * REPEAT_S)
    assert len(broker.said) - before <= 10 * (1 + 3 * 2 * REPEAT_S / ASK_AGAIN_S)
    (name,) = broker.serving()
    claim = broker.claims[name]
    numbers = []
    for number in range(1000):
        claim.message(question(f"x{number}").encode(), broker.now_s)
        numbers.extend(claim.take())
    assert len(numbers) <= BURST_MESSAGES


def test_a_server_that_is_silent_is_followed():
    """It hangs, and nothing says that it has ended; when it goes on, one of the two stays."""
    broker = Broker(1, 0.05)
    for name in "ab":
        broker.connect(name)
        broker.run(3.0)
    hung = broker._waiting.pop("a")
    broker.run(1.25 * ASK_AGAIN_S + PATIENCE_S + 1.0)
    assert "b" in broker.serving()
    broker._waiting["a"] = hung
    broker.run(REPEAT_S + 1.0)
    assert broker.serving() == ["a"], "the one that began first"


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
    assert "process" in answer_of(text.encode(), "cleaner")
    assert answer_of(text.encode(), "other") == ""
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
    asking, serving = Claim("a"), Claim("b", lambda: 1000.0)
    for claim in (asking, serving):
        claim.connected(0.0)
    asking.message(json.dumps({**told, "to": {"a": 1}}).encode(), 0.1)
    assert asking.step is Step.WAITING
    assert asking.other.isprintable()
    assert len(asking.other) < 120
    serving.tick(UNHEARD_S)
    serving.message(json.dumps({**told, "to": {"b": 1}}).encode(), UNHEARD_S + 1)
    assert serving.step is Step.SERVING


@pytest.mark.parametrize("to", [None, [], {}, {"b": 1}, {"a": 0}, {"a": 2}, {"a": True}, {"a": "1"}, {"a": 1.0}])
def test_what_is_no_answer_to_our_question_makes_nobody_wait(to: object):
    claim = Claim("a")
    claim.connected(0.0)
    claim.message(json.dumps({"claim": "serves", "who": "x", "since_s": 1, "to": to}).encode(), 0.1)
    assert claim.step is Step.ASKING
