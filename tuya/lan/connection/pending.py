"""One write under way: what the device has said of it so far, and whether that proves that it was done."""

from __future__ import annotations

import re
from typing import Dict, Optional, Set

from ..events import Dps, DpValue
from ..limits import CONFIRM_HEARTBEAT_S, CONFIRM_QUERY_S, NEVER
from .session import Session

PROOF = 2  # points: so many for an answer to a query that was sent after the acknowledgement, else 1, as for a push
COUNTING_S = 2.0  # of a countdown that began before its write was confirmed, with its own rounding
_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")
_TRUE, _FALSE = ("true", "on", "1"), ("false", "off", "0")


class Pending:
    """One write: what was asked for, what was reported of it since, and on which connection it was sent.

    shown: data points that are as wanted, as far as was reported. telling: those of which that tells something, because
    they were otherwise before. was_shown: all of them were once. instead: what else was reported since, where it was
    not so before. asks: queries that were due for it. hasty: an earlier write that wants the opposite was still open.
    answered: by data point, the points of answers that said what is wanted, to queries sent since. pushed: what pushes
    have said so since. read_to: the last request that was sent before its acknowledgement without error was heard.
    """

    def __init__(self, dps: Dps, session: Session, number: int, sent_s: float) -> None:
        self.dps = dps
        self.session = session
        self.number = number  # of the request, within its session
        self.sent_s = sent_s
        self.shown: Set[int] = set()
        self.telling: Set[int] = set()
        self.instead: Dict[int, DpValue] = {}
        self.was_shown = False
        self.hasty = False
        self.answered: Dict[int, int] = {}
        self.pushed: Set[int] = set()
        self.read = False  # it was acknowledged, perhaps by an error
        self.read_to: Optional[int] = None
        self.asks = 0
        self.pinged = False
        self.confirmed = False

    def is_open(self, session: Optional[Session]) -> bool:
        """Whether it may still be on its way: sent on this connection, and nothing since was answered."""
        return self.session is session and not self.session.requests.has(self.number)

    def contradicts(self, later: Pending) -> bool:
        """Whether another write wants something else of the same data point."""
        return any(dp in later.dps and not means(later.dps[dp], wanted) for dp, wanted in self.dps.items())

    @property
    def is_shown(self) -> bool:
        """Whether all of it is as wanted."""
        return self.shown == self.dps.keys()

    def says_so(self, dp: int, answer: Optional[int]) -> None:
        """A report says what was wanted. answer: number of the query that it answers; None for a push."""
        self.shown.add(dp)
        self.instead.pop(dp, None)
        if answer is None:
            self.pushed.add(dp)
        elif answer > self.number:
            after = self.read_to is not None and answer > self.read_to
            self.answered[dp] = self.answered.get(dp, 0) + (PROOF if after else 1)

    def says_otherwise(self, dp: int) -> None:
        """A report says something else."""
        self.shown.discard(dp)
        self.pushed.discard(dp)
        self.answered.pop(dp, None)

    def is_proven(self, now_s: float) -> bool:
        """Whether the device has said enough since that all of it is as wanted, where a report tells nothing."""
        if now_s < self.sent_s + CONFIRM_QUERY_S:
            return False  # the report of a trip may be late, and an answer older than that
        for dp in self.dps:
            points = self.answered.get(dp, 0)
            if points + (points > 0 and dp in self.pushed) >= PROOF:
                continue
            if dp not in self.pushed or now_s < self.sent_s + CONFIRM_HEARTBEAT_S:
                return False
            if not self.session.requests.has(self.number):
                return False
        return True

    @property
    def ask_s(self) -> float:
        """When a query is due for it: 1, 2, 4 and 8 s after it was sent."""
        return self.sent_s + CONFIRM_QUERY_S * 2.0**self.asks

    def next_s(self, limit_s: float) -> float:
        """When something is due for this write."""
        ping_s = NEVER if self.pinged else self.sent_s + CONFIRM_HEARTBEAT_S
        return min(self.ask_s, ping_s, self.sent_s + limit_s)


def means(reported: DpValue, wanted: DpValue) -> bool:
    """Whether a report says what was wanted.

    Some devices spell booleans and numbers as text (0 and 1 are equal to booleans anyway).
    """
    if isinstance(reported, str) and isinstance(wanted, (bool, int, float)):
        if isinstance(wanted, bool):
            return reported.lower() in (_TRUE if wanted else _FALSE)
        return _NUMBER.fullmatch(reported) is not None and float(reported) == wanted
    return reported == wanted


def has_fallen(reported: DpValue, wanted: DpValue, elapsed_s: float) -> bool:
    """Whether a countdown of `wanted` seconds may show this after so long."""
    return isinstance(reported, int) and isinstance(wanted, int) and 0 < wanted - reported <= elapsed_s + COUNTING_S
