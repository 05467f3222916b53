"""What a breaker needs of the world around it: time, a lock, and somebody who carries its reports away."""

from __future__ import annotations

import threading
from typing import Any, Callable, Dict, Iterable, Mapping, Optional, Protocol


class Outside(Protocol):
    """What surrounds one breaker. noise: 1.0 as on real mains, 0.0 exact; lock: what its state is under."""

    lock: threading.RLock
    noise: float

    def clock(self) -> float:
        """Seconds, for loads, reports and timers."""

    def later(self, delay_s: float, action: Callable[[], None]) -> None:
        """Run an action after a delay, with the lock held."""

    def push(self, dps: Mapping[int, Any]) -> None:
        """Send a report on the breaker's connections, if there are any."""

    def is_served(self) -> bool:
        """Whether a client holds a session with the breaker."""

    def is_powered(self) -> bool:
        """Whether the breaker has mains."""

    def soon(self) -> None:
        """Look at the breaker's report rules now, not at its next second."""

    def push_every(self, interval_s: Optional[float]) -> None:
        """Let the breaker push all measuring DPs at this interval; None ends it."""

    def power(self, on: bool, silent: bool = False) -> None:
        """Cut the breaker's power or return it. silent: its address answers nothing meanwhile."""

    def fault(self, name: str, parameters: Dict[str, Any]) -> None:
        """Switch a fault on, or carry out one that happens once. Raises UnknownFault."""

    def clear_faults(self, names: Iterable[str]) -> None:
        """Switch these faults off; none named: all."""
