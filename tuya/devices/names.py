"""Names in a message, of which there may be very many."""

from __future__ import annotations

from typing import Sequence


def first_of(names: Sequence[str], most: int, between: str = ", ") -> str:
    """Return the names for a message, of many the first ones. "a, b and 1 more" is of three with most=2."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return between.join(names[:most]) + more
