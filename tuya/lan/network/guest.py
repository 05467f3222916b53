"""Something else that is served on the network thread, beside the devices: one selector, no thread more."""

from __future__ import annotations

import selectors
from typing import Optional, Protocol, Tuple

from ..locks.device_lock import OwnerState


class Guest(Protocol):
    """All calls come on the network thread; none may block.

    What it registers with the selector needs handle(mask, now_s) and `link = None`. address: where others find it, told
    in the answer of a device's lock; yields: whether a device is given back to a plugin that asks for it.
    """

    address: str
    yields: bool

    @property
    def deadline_s(self) -> float:
        """When tick() is due, on the client's clock."""

    def open(self, selector: selectors.BaseSelector) -> None:
        """The network thread begins, or begins again."""

    def tick(self, now_s: float) -> None:
        """The deadline is reached."""

    def denied(self, device_id: str, owner: OwnerState, now_s: float) -> Tuple[bool, Optional[float]]:
        """Somebody else holds the lock of a device.

        Return whether that is to be told as an error, and how many seconds until the next try (None: as usual).
        """

    def close(self) -> None:
        """The network thread ends; the locks are free already."""
