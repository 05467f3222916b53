"""A heartbeat out of turn, after an announcement: is the device still at the old end of the connection. Times only."""

from __future__ import annotations

from typing import Optional

from ..limits import PROBE_AFTER_REFRESH_S, PROBE_ANSWER_S, PROBE_INTERVAL_S

NEVER = float("inf")


class Probe:
    """At most one probe in 30 s, over all connections of a device, so that forged announcements cost nothing."""

    def __init__(self) -> None:
        self._last_s = -NEVER
        self._planned_s: Optional[float] = None
        self._sent_s: Optional[float] = None
        self._judges = False

    def plan(self, now_s: float, refreshed_s: float, *, judges: bool) -> None:
        """An announcement came. judges: without an answer the connection is to be given up."""
        if now_s < self._last_s + PROBE_INTERVAL_S:
            return
        self._last_s = now_s
        self._planned_s = max(now_s, refreshed_s + PROBE_AFTER_REFRESH_S)
        self._sent_s = None
        self._judges = judges

    def forget(self) -> None:
        """The connection that was to be probed is gone."""
        self._planned_s = self._sent_s = None

    def is_due(self, now_s: float) -> bool:
        """Whether the heartbeat is to be sent now; it then counts as sent."""
        if self._planned_s is None or now_s < self._planned_s:
            return False
        self._planned_s = None
        self._sent_s = now_s
        return True

    def has_failed(self, now_s: float, heard_s: float) -> bool:
        """Whether the probe was not answered in time; true once."""
        if self._sent_s is None or not self._judges:
            return False
        if heard_s >= self._sent_s:
            self._sent_s = None
            return False
        if now_s < self._sent_s + PROBE_ANSWER_S:
            return False
        self._sent_s = None
        return True

    def next_s(self) -> float:
        """When is_due or has_failed has something to say next."""
        if self._planned_s is not None:
            return self._planned_s
        if self._sent_s is not None and self._judges:
            return self._sent_s + PROBE_ANSWER_S
        return NEVER
