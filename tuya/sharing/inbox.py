"""Events that wait for the front end of a source. Bounded: who reads too slowly gets snapshots instead."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Any, Callable, Deque, Dict, Optional

MAX_EVENTS = 10_000


class Inbox:
    """Filled by the network thread, emptied by one other. snapshots: device id -> its snapshot of now (or None)."""

    def __init__(self, snapshot: Callable[[str], Optional[Dict[str, Any]]], max_events: int = MAX_EVENTS) -> None:
        self._snapshot = snapshot
        self._max_events = max_events
        self._filled = threading.Condition()
        self._events: Deque[Dict[str, Any]] = deque()
        self._lagging: Dict[str, None] = {}

    def put(self, told: Dict[str, Any]) -> None:
        """Add one event. Never blocks for longer than a moment."""
        with self._filled:
            device_id = told.get("id")
            if told["event"] == "result":
                self._events.append(told)
            elif device_id in self._lagging:
                return  # its snapshot comes, and includes this
            elif len(self._events) >= self._max_events:
                self._lag()
                self._lagging[str(device_id)] = None
            else:
                self._events.append(told)
            self._filled.notify()

    def _lag(self) -> None:
        waiting, self._events = self._events, deque()
        for told in waiting:
            if told["event"] == "result":  # the only word about a command
                self._events.append(told)
            else:
                self._lagging[str(told.get("id"))] = None

    def next(self, timeout_s: float) -> Optional[Dict[str, Any]]:
        """Return one event; None when none has come for so long."""
        until_s = time.monotonic() + timeout_s
        while True:
            with self._filled:
                while not self._events and not self._lagging:
                    left_s = until_s - time.monotonic()
                    if left_s <= 0 or not self._filled.wait(left_s):
                        return None
                if self._events:
                    return self._events.popleft()
                device_id = next(iter(self._lagging))
                del self._lagging[device_id]
            snapshot = self._snapshot(device_id)
            if snapshot is not None:
                return snapshot
