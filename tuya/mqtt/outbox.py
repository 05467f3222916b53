"""What waits for the broker: the newest of each retained topic, and the newest answers. Bounded; from any thread."""

from __future__ import annotations

import threading
from collections import deque
from typing import Deque, Dict, Iterable, Optional

from .commands import MAX_ANSWERS, Publication


class Outbox:
    """Filled by one thread, emptied by another: what was not sent yet is replaced by what is newer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._retained: Dict[str, Publication] = {}
        self._answers: Deque[Publication] = deque(maxlen=MAX_ANSWERS)

    def put(self, publications: Iterable[Publication]) -> None:
        """Add these."""
        with self._lock:
            for one in publications:
                if one.retain:
                    self._retained[one.topic] = one
                else:
                    self._answers.append(one)

    def next(self) -> Optional[Publication]:
        """Return what is to be sent next; None when all was."""
        with self._lock:
            if self._answers:
                return self._answers.popleft()
            if self._retained:
                return self._retained.pop(next(iter(self._retained)))
            return None

    def clear(self) -> None:
        """Forget all of it."""
        with self._lock:
            self._retained.clear()
            self._answers.clear()
