"""One connection from its first SYN to its end: where, as which version, since when, and what its end tells."""

from __future__ import annotations

from typing import NamedTuple, Optional

from ..device import Habits
from ..errors import TuyaError
from ..limits import (
    ANSWER_TIMEOUT_S,
    CONNECT_ELSEWHERE_S,
    CONNECT_TIMEOUT_S,
    NEVER,
    OWN_HABIT_S,
    REFRESH_CRASH_S,
    REFRESH_CRASHES,
)
from . import messages
from .session import Session


class End(NamedTuple):
    """Why the peer has closed. error None: not by what we asked, so the lengths of earlier connections tell."""

    error: Optional[TuyaError]
    our_fault: bool


class Attempt:
    """What a link remembers of its present connection, or of the last one. Times are the link's."""

    def __init__(self, address: str = "", now_s: float = 0.0) -> None:
        self.address = address
        self.version = ""
        self.until_s = now_s + CONNECT_TIMEOUT_S  # for TCP to connect
        self.tcp_s = 0.0  # when it was connected
        self.leave_s = NEVER  # where it is connected, proves nothing, and is announced elsewhere
        self.guess_ends_s = NEVER  # where its version is a guess
        self.brought = False  # data points
        self._asked_s = -NEVER  # when something was sent within a second of what was heard

    def is_elsewhere(self, now_s: float) -> None:
        """The device is announced at a new address while this one is tried: what answers to TCP does so soon."""
        self.until_s = min(self.until_s, max(now_s, self.until_s - CONNECT_TIMEOUT_S + CONNECT_ELSEWHERE_S))

    def may_be_elsewhere(self, now_s: float) -> None:
        """The device is announced elsewhere, or just looked for here: what answers has to prove to be it soon."""
        self.leave_s = max(now_s, self.tcp_s + ANSWER_TIMEOUT_S)

    def opened(self, version: str, now_s: float) -> None:
        """TCP is connected, and that version is spoken."""
        self.version = version
        self.tcp_s = now_s

    def next_s(self, session: Session) -> float:
        """Until when it may prove nothing; one that has proved the key is in the right version."""
        return self.leave_s if session.opening.handshaken else min(self.leave_s, self.guess_ends_s)

    def sends(self, session: Session, now_s: float) -> None:
        """Something is sent now."""
        if now_s - session.heard_s < REFRESH_CRASH_S:
            self._asked_s = now_s

    def ended_by_peer(self, session: Session, habits: Habits, label: str, now_s: float) -> End:
        """What the peer's closing of this connection tells."""
        if not session.up:
            evident = session.opening.has_evidence
            return End(session.opening.suspicion() if evident else messages.closed_early(label, self.version), False)
        if now_s - session.refreshed_s < REFRESH_CRASH_S:
            habits.refresh_crashes += 1
            habits.refresh_refused = habits.refresh_crashes >= REFRESH_CRASHES
            return End(messages.closed_by_refresh(label, habits.refresh_refused), True)
        if now_s - self._asked_s < REFRESH_CRASH_S and now_s - self.tcp_s >= OWN_HABIT_S:
            return End(messages.closed_by_asking(label), True)
        return End(None, False)
