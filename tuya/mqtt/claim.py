"""Which of several services of one base at one broker serves it. Pure; time is passed in.

Two of them would write each command twice, and take back each other's discovery. Who connects asks who serves, and
waits where somebody answers. Where nobody does it says `takes`: a broker hands the messages of one topic to everybody
in the same order, so of several that say so at once all agree which came first. That one serves; the others ask again.

Only an answer counts that says to whom, and to which of that one's messages: what was said blindly, or long ago, makes
nobody wait. Who asks is put off by it for some seconds, and not again.

An answer may take longer than somebody waits for it. So who serves and hears another one's `takes` carries out nothing
until its own answer to that has come back: where that one serves from its `takes` on, it ends with this answer, and the
broker's one order says of each command whose it is.
"""

from __future__ import annotations

import enum
import json
import os
import random
import socket
import time
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional

from ..lan.limits import NEVER, TokenBucket
from .topics import OFFLINE

ANSWER_S = 1.0  # so long the one who serves has to say so
UNHEARD_S = 5.0  # and so long the broker, to bring our own words back
ASK_AGAIN_S = 15.0  # while another one serves; within a quarter of it
PATIENCE_S = 10.0  # and so long it has for its answer then: nothing says that it has ended
REPEAT_S = 60.0  # who serves says so of itself: two brokers that were joined have two who serve
DELAYS_S = 5.0  # after an answer was due, in which words that are no answer to ours still put it off
MAX_PAYLOAD_BYTES = 1024
BURST_MESSAGES, MESSAGES_PER_S = 100, 20.0  # that are read; a handful of services says less
# While another one may have taken over. Such words can be forged, so there is a limit: 13 in a row is the most that was
# measured, of five services that come and go every other second at a broker 1 s away.
PAUSES, PAUSES_PER_S = 20, 0.2
_MAX_ASKERS = 8  # that one message answers
_WORD_CHARACTERS = 60
_NOT_YET_S = 1e12  # later than anybody who serves
_ASKS, _TAKES, _SERVES, _WHO = "asks", "takes", "serves", "who"


class Step(enum.Enum):
    """apart: no broker. asking: is anybody there? taking: nobody is. serving: we are. waiting: another one is."""

    APART = "apart"
    ASKING = "asking"
    TAKING = "taking"
    SERVING = "serving"
    WAITING = "waiting"


class _Said(NamedTuple):
    """One message on the topic.

    number: of the messages of its sender. since_s: when that one began to serve, by the time of day there. to: whom it
    answers, and which of their messages.
    """

    word: str
    who: str
    number: int
    since_s: float
    to: Mapping[str, Any]
    host: str
    process: int


def question(who: str) -> str:
    """Return the message that asks who serves, from somebody who does not want to."""
    return _message(_WHO, who, 1, _NOT_YET_S, {})


def answer_of(payload: bytes, who: str) -> str:
    """Return in words who answers to the question() of `who` that it serves; "" where this message says no such thing.

    >>> answer_of(b'{"claim": "serves", "who": "a", "to": {"b": 1}, "host": "pi", "process": 4}', "b")
    'process 4 on pi'
    """
    said = _said(payload)
    return _words(said) if said is not None and said.word == _SERVES and said.to.get(who) == 1 else ""


class Claim:
    """who: a name that no other service has, and nobody can guess. step: how it stands. other: who serves, in words."""

    def __init__(self, who: str, time_of_day: Callable[[], float] = time.time) -> None:
        self.step = Step.APART
        self.other = ""
        self.is_unheard = False  # the broker does not bring us our own words: what others say is not known
        self._who = who
        self._time_of_day = time_of_day
        self._random = random.Random(who)  # noqa: S311 - only so that not all ask at the same time
        self._bucket = TokenBucket(1.0 / MESSAGES_PER_S, BURST_MESSAGES)
        self._heard_own = False
        self._number = self._asked_number = 0
        self._put_off_until_s = 0.0
        self._taken_number = 0  # of the message by which we serve
        self._pauses = TokenBucket(1.0 / PAUSES_PER_S, PAUSES)
        self._paused_number: Optional[int] = None  # of the answer that is to come back
        self._took_later: Dict[str, float] = {}  # until when we do not give in to them: our answer makes them end
        self._said_s = self._answer_s = 0.0
        self._since_s = _NOT_YET_S
        self._next_s = NEVER
        self._word = ""
        self._to: Dict[str, int] = {}

    @property
    def acts(self) -> bool:
        """Whether what is asked for now is ours to do: this one serves, and nobody may have taken over."""
        return self.step is Step.SERVING and self._paused_number is None

    def take(self) -> List[str]:
        """Return what is to be published on the topic, each once."""
        if not self._word:
            return []
        message = _message(self._word, self._who, self._number, self._since_s, self._to)
        self._word, self._to = "", {}
        return [message]

    def connected(self, now_s: float) -> None:
        """The broker is there, and its messages on the topic are heard."""
        self._since_s, self._heard_own = _NOT_YET_S, False
        self._ask(now_s, ANSWER_S)

    def lost(self) -> None:
        """The broker is away."""
        self.step, self._word, self._to = Step.APART, "", {}

    def _ask(self, now_s: float, answer_s: float) -> None:
        self._put_off_until_s = now_s + answer_s - ANSWER_S + DELAYS_S
        self._ask_more(now_s, answer_s)
        self._asked_number = self._number

    def _ask_more(self, now_s: float, answer_s: float) -> None:
        self.step, self._answer_s = Step.ASKING, answer_s
        self._say(_ASKS, now_s)

    def _say(self, word: str, now_s: float) -> None:
        if self._word != word:
            self._number += 1
        self._word, self._said_s = word, now_s

    def _answer(self, said: _Said, now_s: float) -> None:
        if said.word == _SERVES and said.who in self._to:
            pass  # its question of before is the one to answer: we served then already
        elif len(self._to) < _MAX_ASKERS:
            self._to[said.who] = said.number
        self._say(_SERVES, now_s)

    def message(self, payload: bytes, now_s: float) -> None:
        """Take a message on the topic."""
        if self.step is Step.APART or not self._bucket.take(now_s):
            return
        said = _said(payload)
        if said is None:
            return
        if said.who == self._who:
            self._heard_own, self.is_unheard = True, False
            if self.step is Step.TAKING and said.word == _TAKES and said.number == self._number:
                self._serve(now_s)
            elif self._paused_number is not None and said.word == _SERVES and said.number >= self._paused_number:
                self._paused_number = None
        elif said.word == _SERVES and self._is_answer(said):
            # Of two who serve (one was cut off for a while) the one stays that began first; both come to the same end.
            # Who answers what we said before we served has served all the time, whatever the clocks say.
            is_late = said.to[self._who] <= self._taken_number
            is_first = (self._since_s, self._who) < (said.since_s, said.who)
            if self.step is Step.SERVING and not is_late and (is_first or now_s < self._took_later.get(said.who, 0.0)):
                self._answer(said, now_s)
            else:
                self._wait(said, now_s)
        elif self.step is Step.SERVING:
            self._answer(said, now_s)
            if said.word == _TAKES:
                self._took_later = {who: until_s for who, until_s in self._took_later.items() if now_s < until_s}
                self._took_later[said.who] = now_s + DELAYS_S
                if self._may_have_taken_over(now_s):
                    self._paused_number = self._number
        elif said.word in (_TAKES, _SERVES) and self.step is not Step.WAITING and now_s < self._put_off_until_s:
            # it may be the one: it hears this question, and answers
            self._ask_more(now_s, max(ANSWER_S, self._said_s + self._answer_s - now_s))

    def _may_have_taken_over(self, now_s: float) -> bool:
        """Whether somebody's `takes` can count.

        It can a moment after ours too: who has been put off for DELAYS_S takes the base although it has heard of us,
        and who has only just come has not heard of us.
        """
        return self._heard_own and self._pauses.take(now_s)

    def _is_answer(self, said: _Said) -> bool:
        number = said.to.get(self._who)
        return type(number) is int and self._asked_number <= number <= self._number

    def _serve(self, now_s: float) -> None:
        self._paused_number, self._took_later = None, {}
        self._taken_number = self._number if self.step is Step.TAKING else 0
        self.step, self._since_s, self.other = Step.SERVING, round(self._time_of_day(), 3), ""
        self.is_unheard = not self._heard_own
        self._say(_SERVES, now_s)

    def _wait(self, said: _Said, now_s: float) -> None:
        self.step, self.other, self._since_s = Step.WAITING, _words(said), _NOT_YET_S
        self._next_s = now_s + ASK_AGAIN_S * self._random.uniform(0.75, 1.25)
        self._word, self._to = "", {}

    def bridge_says(self, payload: bytes, now_s: float) -> None:
        """The base's availability has been published, by us or another."""
        is_patient = self.step is Step.ASKING and self._answer_s > ANSWER_S
        if payload == OFFLINE.encode() and (self.step is Step.WAITING or is_patient):
            self._ask(now_s, ANSWER_S)

    def tick(self, now_s: float) -> None:
        """Look at the clock."""
        waited_s = now_s - self._said_s
        if self.step is Step.ASKING and self._heard_own:
            if waited_s >= self._answer_s:
                self.step = Step.TAKING
                self._say(_TAKES, now_s)
        elif self.step in (Step.ASKING, Step.TAKING):
            if waited_s >= max(self._answer_s, UNHEARD_S):
                self._serve(now_s)
        elif self.step is Step.SERVING:
            if waited_s >= (REPEAT_S if self._paused_number is None else UNHEARD_S):
                self._say(_SERVES, now_s)
        elif self.step is Step.WAITING and now_s >= self._next_s:
            self._ask(now_s, PATIENCE_S)


def _message(word: str, who: str, number: int, since_s: float, to: Mapping[str, int]) -> str:
    own = {"host": socket.gethostname()[:_WORD_CHARACTERS], "process": os.getpid()}
    return json.dumps({"claim": word, "who": who, "number": number, "since_s": since_s, "to": to, **own})


def _words(said: _Said) -> str:
    return f"process {said.process} on {said.host}"


def _said(payload: bytes) -> Optional[_Said]:
    if len(payload) > MAX_PAYLOAD_BYTES or payload.count(b"{") > 2 or b"[" in payload:
        return None  # the same before it is parsed: nesting is what parsing takes long for
    try:
        content: Any = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    told: Dict[str, Any] = content if isinstance(content, dict) else {}
    word, who, since_s, process, to = (told.get(name) for name in ("claim", "who", "since_s", "process", "to"))
    if word not in (_ASKS, _TAKES, _SERVES, _WHO) or not isinstance(who, str) or not 0 < len(who) <= _WORD_CHARACTERS:
        return None
    if not isinstance(since_s, (int, float)) or isinstance(since_s, bool) or not 0 <= since_s < _NOT_YET_S:
        since_s = _NOT_YET_S
    number, host = told.get("number"), told.get("host")
    shown = "".join(c if c.isprintable() else " " for c in host)[:_WORD_CHARACTERS] if isinstance(host, str) else "?"
    return _Said(
        word,
        who,
        number if type(number) is int and 0 <= number < _NOT_YET_S else 0,
        float(since_s),
        to if isinstance(to, dict) else {},
        shown,
        process if type(process) is int and abs(process) < _NOT_YET_S else 0,
    )
