"""What is worth a line in the log once for each device."""

from __future__ import annotations

from typing import Iterable, List, Set

MAX_DOUBTS = 50  # different ones that are remembered; what comes after them is not said


class Once:
    """Lets each sentence through once. Those that differ only in what follows their second colon are the same."""

    def __init__(self) -> None:
        self._said: Set[str] = set()

    def new(self, sentences: Iterable[str]) -> List[str]:
        """Return those that were not said yet."""
        found: List[str] = []
        for sentence in sentences:
            key = ": ".join(sentence.split(": ")[:2])
            if key not in self._said and len(self._said) < MAX_DOUBTS:
                self._said.add(key)
                found.append(sentence)
        return found
