"""Everything that a simulated breaker can be made to do wrong: one table. Knows no sockets."""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, Optional, Set, Tuple


class UnknownFault(ValueError):
    """No fault has this name, or it takes no such parameter."""


class Faults:
    """The faults that are switched on at one breaker."""

    def __init__(self) -> None:
        self._active: Dict[str, Dict[str, Any]] = {}

    def get(self, name: str) -> Optional[Dict[str, Any]]:
        """The parameters of this fault where it is on, else None."""
        return self._active.get(name)

    def switch_on(self, name: str, parameters: Dict[str, Any]) -> None:
        """Switch a fault on."""
        self._active[name] = parameters

    def switch_off(self, names: Iterable[str]) -> None:
        """Switch these faults off; none named: all."""
        for name in list(names) or list(self._active):
            self._active.pop(name, None)

    def hidden_dps(self) -> Set[int]:
        """DPs that vanish from queries."""
        return set()

    def deliver(self, frames: List[bytes]) -> List[Tuple[float, bytes]]:
        """What goes over the line instead of these frames: (delay in s, bytes)."""
        return [(0.0, frame) for frame in frames]
