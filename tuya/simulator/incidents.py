"""What happens to a breaker from outside: power, address, update, pairing, and connections that end."""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterable, Optional

from .breaker import Breaker
from .faults import FAULTS, checked
from .loop import Loop
from .place import Place


class Incidents:
    """Switches the faults of one breaker on and off and carries out those that happen once, with the lock held."""

    def __init__(self, loop: Loop, breaker: Breaker, place: Place) -> None:
        self._loop = loop
        self._breaker = breaker
        self._place = place
        self._actions: Dict[str, Callable[..., None]] = {
            "reset": lambda: place.close_lines(reset=True),
            "close": place.close_lines,
            "half_open": place.forget,
            "unreachable": place.vanish,
            "new_key": self._new_key,
            "reboot": self._reboot,
            "move": place.move,
            "version": self._update,
            "hangs_up": self._limit_ages,
            "asleep": self._put_to_sleep,
            "stalled": place.stall,
        }

    def fault(self, name: str, given: Dict[str, Any]) -> None:
        """Carry out an action, or switch a state on. Raises UnknownFault."""
        parameters = checked(name, given)
        if not FAULTS[name].once:
            self._breaker.faults.switch_on(name, parameters)
            parameters = {}
        if name in self._actions:
            self._actions[name](**parameters)

    def clear(self, names: Iterable[str]) -> None:
        """Switch states off; none named: all."""
        faults = self._breaker.faults
        was_unreachable = faults.get("unreachable") is not None
        faults.switch_off(names)
        self._place.stall()
        if was_unreachable and faults.get("unreachable") is None:
            self._place.reappear()

    def _limit_ages(self) -> None:
        for line in self._place.lines():
            self._place.limit_age(line)

    def _put_to_sleep(self) -> None:
        self._breaker.boot.woken = False

    def _new_key(self, key: Optional[str], drop: bool) -> None:
        self._breaker.new_key(key)
        if drop:
            self._place.close_lines(reset=True)

    def _reboot(self, dark_s: float, silent: bool) -> None:
        self._place.power(on=False, silent=silent)
        self._loop.later(dark_s, lambda: self._place.power(on=True))

    def _update(self, version: str, dark_s: float) -> None:
        self._place.power(on=False)
        self._breaker.version = str(version)
        self._loop.later(dark_s, lambda: self._place.power(on=True))
