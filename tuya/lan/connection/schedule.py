"""When a connection sends what: heartbeats, full queries, refreshes. Numbers only.

Queries and UPDATEDPS share one spacing: 5 s, and 10 s once errors begin. A heartbeat follows 9 s of silence: none is
sent while data comes, because some devices reset the connection when they are pinged within a second of a push. Two
unanswered ones and 5 s more make a loss 23 s after the last answer. They keep away from an UPDATEDPS. A device closes
a connection on which it hears nothing for 30 s, so where its pushes spare the heartbeats, queries come more often.
"""

from __future__ import annotations

from typing import Tuple

from ..device import Habits, Polling
from ..limits import (
    FIRST_SILENCE_S,
    HEARTBEAT_ANSWER_S,
    HEARTBEAT_INTERVAL_S,
    HEARTBEAT_LEAST_ANSWER_S,
    NEVER,
    QUIET_AFTER_REFRESH_S,
    REFRESH_CRASHES,
    REQUEST_SPACING_AFTER_ERRORS_S,
    REQUEST_SPACING_S,
    SAID_WITHIN_S,
    UNANSWERED_HEARTBEATS,
    UNANSWERED_REFRESHES,
)

WAKING_DPS = (18, 19, 20)  # what UPDATEDPS names where nobody knows better, as other clients do: it sets nothing


class Schedule:
    """The next times of one connection. All times are seconds on the caller's clock."""

    def __init__(self, polling: Polling, habits: Habits, now_s: float) -> None:
        self.polling = polling
        self._habits = habits
        self._first_heartbeat_s = now_s + FIRST_SILENCE_S
        self._heartbeat_s = -NEVER  # when the last one was sent
        self._silent_s = -NEVER  # when the first unanswered one was sent
        self._unanswered = 0
        self._request_s = now_s
        self._said_s = now_s  # when the device last heard anything of us
        self._query_s = now_s
        self.unanswered_queries = 0  # in a row
        self.refresh_open = False  # one was sent that nothing has answered yet
        self._unanswered_refreshes = 0
        self.refreshed_s = -NEVER
        self._refresh_s = now_s

    def set_polling(self, polling: Polling) -> None:
        """Intervals count from the last request of their kind."""
        self.polling = polling

    def begin(self, now_s: float) -> None:
        """From now on the device can be asked: the handshake, where there is one, is done."""
        self._first_heartbeat_s = now_s + FIRST_SILENCE_S

    # -- heartbeats. heard_s: when the device was heard last; minus infinity: never on this connection

    def heartbeat_due(self, now_s: float, heard_s: float) -> bool:
        """Whether a heartbeat is to be sent now; it then counts as sent."""
        self._note(heard_s)
        if self._unanswered >= UNANSWERED_HEARTBEATS or now_s < self._next_heartbeat_s(heard_s):
            return False
        if not self._unanswered:
            self._silent_s = now_s
        self._unanswered += 1
        self._heartbeat_s = self._said_s = now_s
        return True

    def is_lost(self, now_s: float, heard_s: float) -> bool:
        """Whether two heartbeats in a row have stayed unanswered for long enough."""
        self._note(heard_s)
        return self._unanswered >= UNANSWERED_HEARTBEATS and now_s >= self._judged_s()

    def _note(self, heard_s: float) -> None:
        if self._unanswered and heard_s >= self._silent_s:
            self._unanswered = 0

    def _judged_s(self) -> float:
        # the second one may have been put off by an UPDATEDPS: it still has some seconds for its answer
        late_s = self._silent_s + HEARTBEAT_INTERVAL_S + HEARTBEAT_ANSWER_S
        return max(late_s, self._heartbeat_s + HEARTBEAT_LEAST_ANSWER_S)

    def _next_heartbeat_s(self, heard_s: float) -> float:
        silence_s = self._first_heartbeat_s if heard_s == -NEVER else heard_s + HEARTBEAT_INTERVAL_S
        return max(silence_s, self._heartbeat_s + HEARTBEAT_INTERVAL_S, self.refreshed_s + QUIET_AFTER_REFRESH_S)

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

    def query_soon(self) -> None:
        """A full query as soon as the spacing allows."""
        self._query_s = -NEVER

    def query_sent(self, now_s: float) -> None:
        """A full query goes out."""
        if self.unanswered_queries:
            self._habits.troubled = True
        self.unanswered_queries += 1
        self._query_s = self._request_s = self._said_s = now_s

    def query_answered(self) -> None:
        """A full query was answered by data."""
        self.unanswered_queries = 0

    def query_due(self, now_s: float) -> bool:
        """Whether a full query is to be sent now."""
        return now_s >= self._next_query_s()

    def _next_query_s(self) -> float:
        # while it pushes and no heartbeat is sent, the query is what tells it that we are there
        wanted_s = min(self._query_s + self._query_interval_s(), self._said_s + SAID_WITHIN_S)
        return max(wanted_s, self._request_s + self._spacing_s)

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
        if self.refresh_open:
            self._unanswered_refreshes += 1
            if self._unanswered_refreshes >= UNANSWERED_REFRESHES:
                self._habits.refresh_refused = True
        self.refresh_open = True
        self._refresh_s = self._request_s = self._said_s = self.refreshed_s = now_s
        return self.polling.refresh_dps or WAKING_DPS

    def may_wake(self, now_s: float) -> bool:
        """Whether an UPDATEDPS may be sent now to wake a device that answers without data, refused before or not."""
        if self._habits.refresh_crashes >= REFRESH_CRASHES:
            return False
        return self.refreshed_s == -NEVER or (
            not self._habits.refresh_refused and now_s >= self.refreshed_s + REQUEST_SPACING_AFTER_ERRORS_S
        )

    def refresh_answered(self, *, refused: bool) -> None:
        """The device acknowledged, pushed something, or refused. A push may answer nobody: it is taken for one."""
        if refused:
            self._habits.refresh_refused = True
        self.refresh_open = False
        self._unanswered_refreshes = 0

    def heartbeat_s(self, heard_s: float) -> float:
        """When the next heartbeat is due, or their absence is to be judged."""
        return self._judged_s() if self._unanswered >= UNANSWERED_HEARTBEATS else self._next_heartbeat_s(heard_s)

    def next_s(self, heard_s: float) -> float:
        """When something is due next."""
        refresh_s = self._next_refresh_s() if self._refreshes else NEVER
        return min(self.heartbeat_s(heard_s), self._next_query_s(), refresh_s)
