"""What happens to a breaker from outside: power, address, update, pairing, and connections that end. Knows no bytes."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterable, List, Optional

from .breaker import Breaker
from .faults import FAULTS, checked

if TYPE_CHECKING:
    from .fleet import Fleet

FILLERS = 3  # connections that fill an accept queue of length 0, so that the kernel drops every further SYN


class Incidents:
    """Carries out the actions of the fault table on the sockets of a fleet, with its lock held."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._fillers: Dict[Breaker, List[socket.socket]] = {}
        self._actions: Dict[str, Callable[..., None]] = {
            "reset": lambda breaker: fleet.close_lines(breaker, reset=True),
            "close": fleet.close_lines,
            "half_open": self._forget,
            "unreachable": self._vanish,
            "new_key": self._new_key,
            "reboot": self._reboot,
            "move": self.move,
            "version": self._update,
        }

    def fault(self, breaker: Breaker, name: str, given: Dict[str, Any]) -> None:
        """Carry out an action, or switch a state on. Raises UnknownFault."""
        parameters = checked(name, given)
        if not FAULTS[name].once:
            breaker.faults.switch_on(name, parameters)
            parameters = {}
        if name in self._actions:
            self._actions[name](breaker, **parameters)

    def clear(self, breaker: Breaker, names: Iterable[str]) -> None:
        """Switch states off; none named: all."""
        was_unreachable = breaker.faults.get("unreachable") is not None
        breaker.faults.switch_off(names)
        if was_unreachable and breaker.faults.get("unreachable") is None:
            self._reappear(breaker)

    def power(self, breaker: Breaker, on: bool, silent: bool = False) -> None:
        """Cut or return a breaker's power. silent: its address answers nothing meanwhile, instead of refusing."""
        if self._fleet.is_powered(breaker) == on:
            return
        self._fleet.wedged.discard(breaker)
        if on:
            breaker.power_returned()
            self._fleet.set_powered(breaker, True)
            self._reappear(breaker)
        else:
            breaker.power_lost()
            self._fleet.set_powered(breaker, False)
            if silent:
                self._vanish(breaker)
            else:
                self._refuse(breaker)

    def _refuse(self, breaker: Breaker) -> None:
        """Hang up and refuse from now on: a bound socket that does not listen does that, and keeps the port."""
        self._fleet.close_lines(breaker, reset=True)
        self._fleet.close_listener(breaker)
        self._fleet.bind(breaker)

    def _vanish(self, breaker: Breaker) -> None:
        """Answer nothing from now on: connections stay and are dead, new ones find a full queue that drops them."""
        self._forget(breaker)
        self._fleet.close_listener(breaker)
        listener = self._fleet.bind(breaker)
        listener.listen(0)
        self._fillers[breaker] = fillers = [socket.socket(socket.AF_INET, socket.SOCK_STREAM) for _ in range(FILLERS)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex((breaker.host, breaker.port))

    def _reappear(self, breaker: Breaker) -> None:
        """Be there again, as after a boot: what was connected before is reset, once new connections are taken."""
        for filler in self._fillers.pop(breaker, []):
            filler.close()
        before = self._fleet.lines_of(breaker)
        self._fleet.close_listener(breaker)
        self._fleet.bind(breaker)
        if self._fleet.is_powered(breaker):
            if breaker.faults.get("unreachable") is not None:
                self._vanish(breaker)
            else:
                self._fleet.listen(breaker)
        for line in before:
            line.close(reset=True)

    def _forget(self, breaker: Breaker) -> None:
        for line in self._fleet.lines_of(breaker):
            line.forgotten = True

    def _new_key(self, breaker: Breaker, key: Optional[str], drop: bool) -> None:
        breaker.new_key(key)
        if drop:
            self._fleet.close_lines(breaker, reset=True)

    def _reboot(self, breaker: Breaker, dark_s: float, silent: bool) -> None:
        self.power(breaker, on=False, silent=silent)
        self._fleet.later(dark_s, lambda: self.power(breaker, on=True))

    def _update(self, breaker: Breaker, version: str, dark_s: float) -> None:
        self.power(breaker, on=False)
        breaker.version = str(version)
        self._fleet.later(dark_s, lambda: self.power(breaker, on=True))

    def move(self, breaker: Breaker, port: Optional[int], host: Optional[str]) -> None:
        """Another address: connections end, the old address refuses. Raises OSError where the new one is taken."""
        if host is not None:
            self._fleet.require_loopback(host)
        old = breaker.host, breaker.port
        self._fleet.close_listener(breaker)
        breaker.host, breaker.port = host or breaker.host, breaker.port if port is None else int(port)
        try:
            self._fleet.bind(breaker)
        except OSError:
            breaker.host, breaker.port = old
            self._fleet.bind(breaker)
            raise
        finally:
            self._reappear(breaker)

    def close(self) -> None:
        """Let go of all sockets of its own."""
        for fillers in self._fillers.values():
            for filler in fillers:
                filler.close()
        self._fillers.clear()
