"""When a connection that is up sends what: heartbeats, full queries, refreshes. Numbers only, no bytes, no clock.

Queries and UPDATEDPS share one spacing: 5 s, and 10 s once errors begin. Heartbeats keep to a grid of 9 s, so that
two unanswered ones and 5 s more make a loss at most 23 s after the last answer; they keep away from an UPDATEDPS.
"""

from __future__ import annotations

from typing import Tuple

from ..device import Habits, Polling
from ..limits import (
    HEARTBEAT_ANSWER_S,
    HEARTBEAT_INTERVAL_S,
    QUIET_AFTER_REFRESH_S,
    REQUEST_SPACING_AFTER_ERRORS_S,
    REQUEST_SPACING_S,
    UNANSWERED_HEARTBEATS,
    UNANSWERED_REFRESHES,
)

NEVER = float("inf")


class Schedule:
    """The next times of one connection. All times are seconds on the caller's clock."""

    def __init__(self, polling: Polling, habits: Habits, now_s: float) -> None:
        self.polling = polling
        self._habits = habits
        self._heartbeat_s = now_s + HEARTBEAT_INTERVAL_S
        self._heartbeat_sent_s = -NEVER
        self._unanswered = 0
        self._request_s = now_s
        self._query_s = now_s
        self.unanswered_queries = 0  # in a row
        self._refresh_open = False
        self._unanswered_refreshes = 0
        self.refreshed_s = -NEVER
        self._refresh_s = now_s

    def set_polling(self, polling: Polling) -> None:
        """Intervals count from the last request of their kind."""
        self.polling = polling

    def opened(self, now_s: float) -> None:
        """The session is up: the grid of heartbeats begins here."""
        self._heartbeat_s = now_s + HEARTBEAT_INTERVAL_S

    # -- heartbeats

    def heartbeat_due(self, now_s: float, heard_s: float) -> bool:
        """Whether a heartbeat is to be sent now; it then counts as sent."""
        if heard_s >= self._heartbeat_sent_s:
            self._unanswered = 0
        if self._unanswered >= UNANSWERED_HEARTBEATS or now_s < self._next_heartbeat_s():
            return False
        self._heartbeat_s += HEARTBEAT_INTERVAL_S
        if self._heartbeat_s <= now_s:  # the loop was late
            self._heartbeat_s = now_s + HEARTBEAT_INTERVAL_S
        self._heartbeat_sent_s = now_s
        self._unanswered += 1
        return True

    def is_lost(self, now_s: float, heard_s: float) -> bool:
        """Whether two heartbeats in a row have stayed unanswered for long enough."""
        if heard_s >= self._heartbeat_sent_s:
            self._unanswered = 0
            return False
        return self._unanswered >= UNANSWERED_HEARTBEATS and now_s >= self._judged_s()

    def _judged_s(self) -> float:
        # the grid has moved on by one interval when the second heartbeat was sent
        return self._heartbeat_s - HEARTBEAT_INTERVAL_S + HEARTBEAT_ANSWER_S

    def _next_heartbeat_s(self) -> float:
        return max(self._heartbeat_s, self.refreshed_s + QUIET_AFTER_REFRESH_S)

    # -- queries and refreshes

    @property
    def _spacing_s(self) -> float:
        return REQUEST_SPACING_AFTER_ERRORS_S if self._habits.troubled else REQUEST_SPACING_S

    @property
    def _refreshes(self) -> bool:
        return bool(self.polling.refresh_dps) and not self._habits.refresh_refused

    def _query_interval_s(self) -> float:
        polling = self.polling
        if polling.refresh_dps and not self._refreshes:
            # only queried: as often as the refreshes that it refuses, but gently
            return min(polling.query_interval_s, max(polling.refresh_interval_s, REQUEST_SPACING_AFTER_ERRORS_S))
        return polling.query_interval_s

    def query_soon(self, now_s: float) -> None:
        """A full query as soon as the spacing allows."""
        self._query_s = now_s - NEVER

    def query_sent(self, now_s: float) -> None:
        """A full query goes out."""
        if self.unanswered_queries:
            self._habits.troubled = True
        self.unanswered_queries += 1
        self._query_s = self._request_s = now_s

    def query_answered(self) -> None:
        """A full query was answered by data."""
        self.unanswered_queries = 0

    def query_due(self, now_s: float) -> bool:
        """Whether a full query is to be sent now."""
        return now_s >= max(self._query_s + self._query_interval_s(), self._request_s + self._spacing_s)

    def refresh_due(self, now_s: float) -> bool:
        """Whether an UPDATEDPS is to be sent now."""
        return self._refreshes and now_s >= self._next_refresh_s()

    def _next_refresh_s(self) -> float:
        # the first one follows the first query at the spacing: cached readings can be half an hour old
        first = self.refreshed_s == -NEVER
        wanted_s = self._refresh_s + (0.0 if first else self.polling.refresh_interval_s)
        return max(wanted_s, self._request_s + self._spacing_s)

    def refresh_sent(self, now_s: float) -> Tuple[int, ...]:
        """An UPDATEDPS goes out; returns the data points to name in it."""
        if self._refresh_open:
            self._unanswered_refreshes += 1
            if self._unanswered_refreshes >= UNANSWERED_REFRESHES:
                self._habits.refresh_refused = True
        self._refresh_open = True
        self._refresh_s = self._request_s = self.refreshed_s = now_s
        return self.polling.refresh_dps

    def refresh_answered(self, *, refused: bool) -> None:
        """The device acknowledged, pushed something, or refused. A push may answer nobody: it is taken for one."""
        if refused:
            self._habits.refresh_refused = True
        self._refresh_open = False
        self._unanswered_refreshes = 0

    def heartbeat_s(self) -> float:
        """When the next heartbeat is due, or their absence is to be judged."""
        return self._judged_s() if self._unanswered >= UNANSWERED_HEARTBEATS else self._next_heartbeat_s()

    def next_s(self) -> float:
        """When something is due next."""
        query_s = max(self._query_s + self._query_interval_s(), self._request_s + self._spacing_s)
        refresh_s = self._next_refresh_s() if self._refreshes else NEVER
        return min(self.heartbeat_s(), query_s, refresh_s)
