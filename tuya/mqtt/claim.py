"""Which of several services of one base at one broker serves it: the one that asked first. Pure; time is passed in.

Two of them would write each command twice, and take back each other's discovery. A broker hands the messages of one
topic to everybody in the same order, so who hears its own question before anybody else's was the first; who serves
answers each question; the others wait, publish nothing, take no commands, and ask again when the bridge says `offline`.
"""

from __future__ import annotations

import enum
import json
import os
import socket
import time
from typing import Any, Callable, Dict, List, NamedTuple, Optional

from .topics import OFFLINE

ANSWER_S = 1.0  # so long the one who serves has to say so
UNHEARD_S = 5.0  # and so long the broker, to bring our own question back
ASK_AGAIN_S = 15.0  # while another one serves
PATIENCE_S = 10.0  # and so long it has for its answer then: nothing says that it has ended
MAX_PAYLOAD_BYTES = 1024
_WORD_CHARACTERS = 60
_NEVER = float("inf")
_NOT_YET_S = 1e12  # later than anybody who serves


class Step(enum.Enum):
    """apart: no broker. asking: is anybody there? serving: we are the one. waiting: another one is."""

    APART = "apart"
    ASKING = "asking"
    SERVING = "serving"
    WAITING = "waiting"


class _Said(NamedTuple):
    """One message on the topic. since_s: when its sender began to serve, by the time of day there."""

    word: str
    who: str
    since_s: float
    host: str
    process: int


def question(who: str) -> str:
    """Return the message that asks who serves, from somebody who does not want to."""
    return _message("who", who, _NOT_YET_S)


def answer_of(payload: bytes) -> str:
    """Return in words who says that it serves; "" where this message says something else."""
    said = _said(payload)
    return _words(said) if said is not None and said.word == "serves" else ""


class Claim:
    """who: a name that no other service has. step: how it stands. other: in words, who serves instead."""

    def __init__(self, who: str, time_of_day: Callable[[], float] = time.time) -> None:
        self.step = Step.APART
        self.other = ""
        self.is_unheard = False  # the broker does not bring us our own words: what others say is not known
        self._who = who
        self._time_of_day = time_of_day
        self._heard_own = False
        self._asked_s = 0.0
        self._answer_s = ANSWER_S
        self._since_s = _NOT_YET_S
        self._ask_at_s = _NEVER
        self._messages: List[str] = []

    def take(self) -> List[str]:
        """Return what is to be published on the topic, each once."""
        taken, self._messages = self._messages, []
        return taken

    def connected(self, now_s: float) -> None:
        """The broker is there, and its messages on the topic are heard."""
        self._ask(now_s, ANSWER_S)

    def lost(self) -> None:
        """The broker is away."""
        self.step = Step.APART
        self._messages.clear()

    def _ask(self, now_s: float, answer_s: float) -> None:
        self.step, self._heard_own, self._answer_s = Step.ASKING, False, answer_s
        self._asked_s, self._ask_at_s, self._since_s = now_s, _NEVER, _NOT_YET_S
        self._say("asks")

    def _say(self, word: str) -> None:
        self._messages = [_message(word, self._who, self._since_s)]

    def _wait(self, said: _Said, now_s: float) -> None:
        self.step, self.other = Step.WAITING, _words(said)
        self._ask_at_s = now_s + ASK_AGAIN_S
        self._messages.clear()

    def message(self, payload: bytes, now_s: float) -> None:
        """Take a message on the topic."""
        said = _said(payload)
        if said is None or self.step is Step.APART:
            return
        if said.who == self._who:
            self._heard_own, self.is_unheard = True, False
        elif self.step is Step.SERVING:
            # Of two who serve (one was cut off for a while) the one stays that began first; both come to the same end.
            if said.word == "serves" and (said.since_s, said.who) < (self._since_s, self._who):
                self._wait(said, now_s)
            else:
                self._say("serves")
        elif said.word == "serves" or (said.word == "asks" and self.step is Step.ASKING and not self._heard_own):
            self._wait(said, now_s)
        elif said.word == "asks" and self.step is Step.ASKING:
            self._say("serves")  # we were first

    def bridge_says(self, payload: bytes, now_s: float) -> None:
        """The base's availability has been published, by us or another."""
        if self.step is Step.WAITING and payload == OFFLINE.encode():
            self._ask(now_s, ANSWER_S)

    def tick(self, now_s: float) -> None:
        """Look at the clock."""
        if self.step is Step.ASKING:
            waited_s = now_s - self._asked_s
            if waited_s >= (self._answer_s if self._heard_own else max(self._answer_s, UNHEARD_S)):
                self.is_unheard = not self._heard_own
                self.step, self._since_s, self.other = Step.SERVING, round(self._time_of_day(), 3), ""
                self._say("serves")
        elif self.step is Step.WAITING and now_s >= self._ask_at_s:
            self._ask(now_s, PATIENCE_S)


def _message(word: str, who: str, since_s: float) -> str:
    own = {"host": socket.gethostname(), "process": os.getpid()}
    return json.dumps({"claim": word, "who": who, "since_s": since_s, **own})


def _words(said: _Said) -> str:
    return f"process {said.process} on {said.host}"


def _said(payload: bytes) -> Optional[_Said]:
    if len(payload) > MAX_PAYLOAD_BYTES:
        return None
    try:
        content: Any = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    told: Dict[str, Any] = content if isinstance(content, dict) else {}
    word, who, since_s, process = (told.get(name) for name in ("claim", "who", "since_s", "process"))
    if word not in ("asks", "serves", "who") or not isinstance(who, str) or not who:
        return None
    if not isinstance(since_s, (int, float)) or isinstance(since_s, bool) or not 0 <= since_s < _NOT_YET_S:
        since_s = _NOT_YET_S
    host = told.get("host")
    shown = "".join(c if c.isprintable() else " " for c in host)[:_WORD_CHARACTERS] if isinstance(host, str) else "?"
    return _Said(word, who, float(since_s), shown, process if isinstance(process, int) else 0)
