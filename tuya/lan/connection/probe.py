"""Heartbeats out of turn, after an announcement: is the device still at the old end of the connection. Times only."""

from __future__ import annotations

from typing import List

from ..limits import NEVER, PROBE_ANSWER_MAX_S, PROBE_ANSWER_S, PROBE_INTERVAL_S


class Probe:
    """At most one probe in 30 s, over all connections of a device, so that forged announcements cost nothing.

    A connection that is to be judged is asked twice, and has seconds for each answer: real devices answer late.
    """

    def __init__(self) -> None:
        self._last_s = -NEVER
        self._asks_s: List[float] = []  # still to come
        self._begun_s = NEVER
        self._until_s = NEVER

    def plan(self, now_s: float, quiet_s: float, *, judges: bool, answer_s: float) -> None:
        """An announcement came. judges: if two heartbeats stay without an answer, the connection is to be given up.

        answer_s: how long an answer may take at this device, but seconds at any.
        quiet_s: until then no heartbeat is sent (what was heard or refreshed is too fresh).
        """
        if now_s < self._last_s + PROBE_INTERVAL_S:
            return
        answer_s = min(PROBE_ANSWER_MAX_S, max(PROBE_ANSWER_S, answer_s))
        self._last_s = now_s
        self._begun_s = max(now_s, quiet_s)
        self._asks_s = [self._begun_s, self._begun_s + answer_s] if judges else [self._begun_s]
        self._until_s = self._begun_s + 2.0 * answer_s if judges else NEVER

    def forget(self) -> None:
        """The connection that was to be probed is gone, or has answered."""
        self._asks_s = []
        self._until_s = NEVER

    def is_due(self, now_s: float, heard_s: float) -> bool:
        """Whether a heartbeat is to be sent now; it then counts as sent."""
        if not self._asks_s or now_s < self._asks_s[0]:
            return False
        if heard_s >= self._begun_s:
            self.forget()
            return False
        del self._asks_s[0]
        return True

    def has_failed(self, now_s: float, heard_s: float) -> bool:
        """Whether neither heartbeat was answered in time; true once. heard_s: when the device was heard last."""
        if now_s < self._until_s:
            return False
        self.forget()
        return heard_s < self._begun_s

    def next_s(self) -> float:
        """When is_due or has_failed has something to say next."""
        return min(self._asks_s[0] if self._asks_s else NEVER, self._until_s)
