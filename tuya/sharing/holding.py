"""Who holds which device: the guest of a source's network thread. Its own server, and the owners that it listens to."""

from __future__ import annotations

import selectors
from collections import deque
from typing import Any, Callable, Deque, Dict, List, NamedTuple, Optional, Tuple

from ..lan.client import Client
from ..lan.errors import NotConfirmed
from ..lan.limits import NEVER
from ..lan.locks.device_lock import OwnerState
from .remote import Remote, reach
from .server import AT_ONCE, Asker, Server
from .telling import ERROR_FIELDS, error_fields

LISTEN_GATHER_S = 0.02  # locks are refused one by one: one request for all devices of an owner
# The kernel frees an owner's locks one by one, and others want them too.
TAKE_OVER_TRIES_S = (0.0, 0.2, 0.5, 1.0, 2.0, 4.0)
HEARD_RETRY_S = 60.0  # while its holder is heard, a device's lock need not be tried
FULL_S = 5.0  # an owner that has as many listeners as it takes is asked again after so long
ANSWER_LIMIT_S = 11.0  # a write ends after 10 s at the latest, and an owner that was stopped refuses what waited
_ADDED = ("snapshot", "connected", "status", "lost", "error")


class _Asked(NamedTuple):
    asker: Asker
    request: Dict[str, Any]
    remote: Remote
    until_s: float


class Holding:
    """heard: gets what owners tell of our devices. freed: told that the holder of a device has ended, and its name.

    counted: gives what owners are to be told of a device's totals (see Hearer.counted).
    """

    def __init__(
        self,
        server: Server,
        own_name: str,
        heard: Callable[[Dict[str, Any]], None],
        freed: Callable[[str, str], None],
        counted: Callable[[str], Optional[Dict[str, Any]]],
        clock: Callable[[], float],
    ) -> None:
        self.client: Optional[Client] = None
        self.address, self.yields = server.address, server.yields
        self._server = server
        self._own_name = own_name
        self._heard = heard
        self._freed = freed
        self.counted = counted
        self._clock = clock
        self._selector: Optional[selectors.BaseSelector] = None
        self._remotes: Dict[str, Remote] = {}
        self._full_until_s: Dict[str, float] = {}  # address of an owner -> when it may take listeners again
        self._unheard: Dict[str, Remote] = {}  # owners that are to be asked for more devices
        self._holder: Dict[str, Remote] = {}
        self._states: Dict[str, Dict[str, Any]] = {}
        self._work: Deque[Callable[[float], None]] = deque()
        self._later: List[Tuple[float, Callable[[], None]]] = []
        self._asked: Dict[int, _Asked] = {}
        self._ask_at_s = NEVER
        self._trying_until_s: Dict[str, float] = {}  # devices that are being taken over

    # -- from any thread

    def do(self, work: Callable[[float], None]) -> bool:
        """Have this done on the network thread; False when there is none."""
        if self.client is None or not self.client.is_alive():
            return False
        self._work.append(work)
        self.client.wake()
        return True

    def forget(self, device_id: str) -> None:
        """The device is not followed any longer."""

        def work(_now_s: float) -> None:
            self._leave(device_id)
            self._trying_until_s.pop(device_id, None)

        self.do(work)

    def state(self, device_id: str) -> Optional[Dict[str, Any]]:
        """Return what its holder says of a device; None for one that nobody else holds, or that was not told of yet."""
        state = self._states.get(device_id)
        return None if state is None else dict(state)

    # -- the network thread's guest

    @property
    def deadline_s(self) -> float:
        """When tick() is due."""
        if self._work:
            return AT_ONCE
        times = [at_s for at_s, _ in self._later]
        times.extend(asked.until_s for asked in self._asked.values())
        return min([self._server.deadline_s, self._ask_at_s, *times])

    def open(self, selector: selectors.BaseSelector) -> None:
        """The network thread begins."""
        self._selector = selector
        self._server.open(selector)

    def close(self) -> None:
        """The network thread ends."""
        for remote in list(self._remotes.values()):
            remote.close()
        self._remotes.clear()
        self._holder.clear()
        self._server.close()

    def later(self, at_s: float, work: Callable[[], None]) -> None:
        """Have this done at that time."""
        self._later.append((at_s, work))

    def tick(self, now_s: float) -> None:
        """Do what is due."""
        while self._work:
            self._work.popleft()(now_s)
        for one in [one for one in self._later if one[0] <= now_s]:
            self._later.remove(one)
            one[1]()
        for number, asked in list(self._asked.items()):
            if now_s >= asked.until_s:
                self._give_up(number, f"{asked.remote.name} does not answer")
        if now_s >= self._ask_at_s:
            self._ask_at_s = NEVER
            unheard, self._unheard = self._unheard, {}
            for remote in unheard.values():
                remote.listen(self._own_name)
        if now_s >= self._server.deadline_s:
            self._server.tick(now_s)

    def denied(self, device_id: str, owner: OwnerState, now_s: float) -> Tuple[bool, Optional[float]]:
        """Somebody else holds the device: listen to that one."""
        remote = self._holder.get(device_id)
        if remote is not None and remote.address == owner.share:
            return False, HEARD_RETRY_S
        if not owner.share or self._selector is None or owner.share == self.address:
            return True, None
        if now_s < self._full_until_s.get(owner.share, now_s):
            return True, FULL_S
        self._full_until_s.pop(owner.share, None)
        self._leave(device_id)
        remote = self._remotes.get(owner.share)
        if remote is None:
            remote = reach(self, owner.share, owner.owner, self._selector)
            if remote is None:
                return True, None
            self._remotes[owner.share] = remote
        remote.ids.add(device_id)
        self._holder[device_id] = remote
        self._unheard[remote.address] = remote
        self._ask_at_s = min(self._ask_at_s, now_s + LISTEN_GATHER_S)
        return False, HEARD_RETRY_S

    def _leave(self, device_id: str) -> None:
        remote = self._holder.pop(device_id, None)
        self._states.pop(device_id, None)
        if remote is not None:
            remote.ids.discard(device_id)
            if not remote.ids:
                self._remotes.pop(remote.address, None)
                self._unheard.pop(remote.address, None)
                remote.close()

    # -- what owners say

    def told(self, remote: Remote, told: Dict[str, Any], now_s: float) -> None:
        """Take one line of an owner; what is not about a device that it holds for us is passed over."""
        event, device_id = told.get("event"), told.get("id")
        if event == "refused":  # it hangs up now
            self._full_until_s[remote.address] = now_s + FULL_S
        if event == "result":
            number = told.get("request")
            asked = self._asked.pop(number, None) if isinstance(number, int) else None
            if asked is not None:
                asked.asker.answer({**told, "via": remote.name})
            return
        if not isinstance(device_id, str) or self._holder.get(device_id) is not remote:
            return
        if event == "removed":
            self._leave(device_id)
            # told again at each try while the lock is not free yet: the tries under way are enough
            if now_s >= self._trying_until_s.get(device_id, now_s):
                self._take_over(device_id, remote.name, now_s)
        elif event in _ADDED:
            told["via"] = remote.name
            self._note(device_id, told)
            self._heard(told)

    def _note(self, device_id: str, told: Dict[str, Any]) -> None:
        """Keep the snapshot of a device up to date."""
        if told["event"] == "snapshot":
            self._states[device_id] = told
            return
        state = self._states.get(device_id)
        if state is None:
            return
        new = dict(state)
        if told["event"] == "status":
            dps = told.get("dps")
            new["dps"] = {**state.get("dps", {}), **(dps if isinstance(dps, dict) else {})}
            new["readings"] = told.get("readings", {})
            new["totals_wh"] = told.get("totals_wh", {})
        elif told["event"] == "connected":
            new.update({"connected": True, **error_fields(None)})
            new.update({name: told.get(name) for name in ("address", "port", "version")})
        else:
            new.update({name: told.get(name) for name in ERROR_FIELDS})
            new["connected"] = new.get("connected", False) and told["event"] != "lost"
        self._states[device_id] = new

    def ended(self, remote: Remote, now_s: float) -> None:
        """An owner is gone: take over what it held."""
        remote.close()
        self._remotes.pop(remote.address, None)
        self._unheard.pop(remote.address, None)
        held = [device_id for device_id, holder in self._holder.items() if holder is remote]
        for number, asked in list(self._asked.items()):
            if asked.remote is remote:
                self._give_up(number, f"{remote.name} has ended")
        for device_id in held:
            del self._holder[device_id]
            self._states.pop(device_id, None)
            self._take_over(device_id, remote.name, now_s)

    def _take_over(self, device_id: str, via: str, now_s: float) -> None:
        self._freed(device_id, via)
        self._trying_until_s[device_id] = now_s + TAKE_OVER_TRIES_S[-1]
        for wait_s in TAKE_OVER_TRIES_S:
            self.later(now_s + wait_s, lambda: self._try_again(device_id))

    def _try_again(self, device_id: str) -> None:
        if device_id not in self._holder and self.client is not None:
            self.client.retry(device_id)

    # -- commands of ours

    def pass_on(self, device_id: str, request: Dict[str, Any], asker: Optional[Asker]) -> bool:
        """Send a request to whoever holds the device; False when nobody else does."""
        remote = self._holder.get(device_id)
        if remote is None:
            return False
        is_sent = remote.send(request)
        if asker is not None:
            number = int(request["request"])
            self._asked[number] = _Asked(asker, request, remote, self._clock() + ANSWER_LIMIT_S)
            if not is_sent:
                self._give_up(number, f"{remote.name} takes no requests")
        return True

    def _give_up(self, number: int, why: str) -> None:
        asked = self._asked.pop(number)
        words = asked.request.get("command", asked.request.get("threshold", {}))
        error = NotConfirmed("", f"the command is not confirmed: {why}")
        told = {"event": "result", "request": number, "id": words.get("id"), "dps": words.get("dps", {})}
        asked.asker.answer({**told, **error_fields(error)})
