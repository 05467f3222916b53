"""What a link needs of a network: one stream, opened and closed on demand."""

from __future__ import annotations

from typing import Protocol


class Transport(Protocol):
    """Carries out what a link decides. Calls never block and never call back into the link."""

    def connect(self, address: str, port: int) -> None:
        """Begin to connect; the outcome arrives later as tcp_opened() or connect_failed()."""

    def send(self, data: bytes) -> None:
        """Send all of it, in order."""

    def close(self, *, abort: bool) -> None:
        """Close at once; abort: bytes which the peer has not acknowledged must never arrive later."""

    def is_taken(self) -> bool:
        """Whether the peer's kernel has acknowledged everything that was sent. False where that cannot be known."""
