"""The owner's side: tells listeners what happens to its devices, and takes their commands. On the network thread.

Everything that a listener can do ends here: a foreign user is not heard, a slow one gets snapshots instead of events,
a dead one is let go, and who floods is sent away. A command of a listener goes the way of the owner's own: the rules of
its settings and of the devices file, one write, and one answer to who asked.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
from collections import deque
from dataclasses import replace
from typing import Any, Callable, Deque, Dict, FrozenSet, List, Mapping, NamedTuple, Optional, Protocol, Tuple

from ..boot_clock import boot_clock_s
from ..devices.commands import CommandRefused
from ..devices.device import KnownDevice
from ..devices.household import Household
from ..lan.connection.messages import too_late
from ..lan.device import Polling
from ..lan.errors import NotConfirmed, NotConnected
from ..lan.events import Connected, Dps, DpValue, Event, WriteDone
from ..lan.limits import NEVER, WRITE_AGE_S
from ..lan.locks.device_lock import OwnerState
from ..lan.locks.peer_credentials import peer_of
from ..metering.decode import numbered
from . import place
from .lines import line_of, removed_line, text_of
from .listener import Listener
from .orders import age_of, counted_of, result_of, target_of
from .telling import event_to_json, introduction, snapshot

AT_ONCE = float("-inf")
MAX_LISTENERS = 32
GATHER_S = 0.2  # events of so long go out together: a write for several costs no more than for one
ACCEPT_PAUSE_S = 1.0  # without file descriptors
ANSWER_LIMIT_S = 15.0  # a write ends after 10 s at the latest
POLLING_RESTORED_S = 8.0  # after a query for particular data points
MAX_SERVED_TOLD = 2000
GIVE_BACK_TRIES = 6
GIVE_BACK_RETRY_S = 0.5


class Access(Protocol):
    """What the server does with devices: the LAN client."""

    def write(self, device_id: str, dps: Dps, *, asked_s: Optional[float] = None) -> None:
        """Write once, unless that was asked for too long ago (boot_clock_s())."""

    def query(self, device_id: str) -> None:
        """Ask for everything."""

    def set_polling(self, device_id: str, polling: Polling) -> None:
        """Ask differently."""

    def wake(self) -> None:
        """Have tick() called soon."""


class Asker(Protocol):
    """Who asks for a command: a listener, or the process itself."""

    def answer(self, told: Dict[str, Any]) -> None:
        """Give it the result."""


class _Pending(NamedTuple):
    asker: Asker
    request: Any
    device_id: str
    dps: Dict[int, DpValue]
    until_s: float


class Server:
    """Shares the devices of a household; an observer of it, and a guest of the network thread.

    owner: its name, as in the locks. about: what else is told of the owner (no secrets), a copy at each call.
    unit_names: how the front end calls what it shows of a device. give_back: called with ids that a plugin wants to
    have; None: this owner keeps its devices.
    """

    def __init__(
        self,
        household: Household,
        owner: str,
        about: Callable[[], Dict[str, Any]] = dict,
        unit_names: Callable[[str], Mapping[int, str]] = lambda _device_id: {},
        give_back: Optional[Callable[[List[str], str, float], None]] = None,
    ) -> None:
        self.address = place.new_address()
        self.yields = give_back is not None
        self.deadline_s = NEVER
        self.access: Optional[Access] = None
        self._household = household
        self._owner = owner
        self._about = about
        self._unit_names = unit_names
        self._give_back = give_back
        self._selector: Optional[selectors.BaseSelector] = None
        self._socket: Optional[socket.socket] = None
        self._is_watched = False
        self._accept_after_s = NEVER
        self._listeners: List[Listener] = []
        self._outbox: Deque[Tuple[str, bytes]] = deque()
        self._again: Deque[str] = deque()
        self._pending: List[_Pending] = []
        self._polling_until_s: Dict[str, float] = {}
        self._give_back_tries: Dict[str, int] = {}
        self._strangers: set[int] = set()
        household.observe(self)

    link = None  # it stands in the selector for its listening socket

    # -- the household's observer (any thread, under its lock)

    def served(self, device: KnownDevice, now_s: float) -> None:
        """A device is served from now on, or has another entry."""
        self._tell_again(device.device_id, now_s)

    def dropped(self, device: KnownDevice) -> None:
        """A device is served no longer."""
        self.given_away(device.device_id)

    def given_away(self, device_id: str) -> None:
        """A device is held here no longer: who listens looks for its next holder (any thread)."""
        if self._listeners:
            self._outbox.append((device_id, removed_line(device_id)))
            self._tell_again("", AT_ONCE)

    def _tell_again(self, device_id: str, now_s: float) -> None:
        if self._listeners:
            self._again.append(device_id)
            self.deadline_s = min(self.deadline_s, now_s)
            if self.access is not None:
                self.access.wake()

    def heard(self, device: KnownDevice, event: Event, now_s: float) -> None:
        """Something happened to a device."""
        if isinstance(event, Connected):
            self._give_back_tries.pop(event.device_id, None)
        if isinstance(event, WriteDone):
            self._answer(event, now_s)
        elif any(listener.wants(event.device_id) for listener in self._listeners):
            told = event_to_json(device, event)
            if told is not None:
                self._outbox.append((event.device_id, line_of(told)))
                self.deadline_s = min(self.deadline_s, now_s + GATHER_S)

    def about_changed(self, now_s: float) -> None:
        """Tell all listeners again what the owner says of itself (any thread)."""
        self._tell_again("", now_s)

    # -- the network thread's guest

    def open(self, selector: selectors.BaseSelector) -> None:
        """Begin to listen; where no socket can be had, nothing is shared."""
        self._selector = selector
        if self.address:
            try:
                self._socket = place.listen(self.address)
            except OSError:
                return
            self._watch_door(True)

    def _watch_door(self, watched: bool) -> None:
        if self._selector is None or self._socket is None or watched == self._is_watched:
            return
        if watched:
            self._selector.register(self._socket, selectors.EVENT_READ, self)
        else:
            self._selector.unregister(self._socket)
        self._is_watched = watched

    def close(self) -> None:
        """End: listeners see the end of their connection, the locks are free already."""
        for listener in list(self._listeners):
            listener.close()
        self._watch_door(False)
        if self._socket is not None:
            self._socket.close()
            self._socket = None
            place.leave(self.address)
        self._outbox.clear()
        self._pending.clear()
        self.deadline_s = NEVER

    def handle(self, _mask: int, now_s: float) -> None:
        """Somebody is at the door."""
        if self._socket is None or self._selector is None:
            return
        try:
            sock, _ = self._socket.accept()
        except BlockingIOError:
            return
        except OSError:  # no file descriptor left: not to be asked again and again
            self._watch_door(False)
            self._accept_after_s = now_s + ACCEPT_PAUSE_S
            self._set_deadline(now_s)
            return
        sock.setblocking(False)
        peer = peer_of(sock)
        if not place.may_hear(sock, self.address):
            sock.close()
            self._say_stranger(-1 if peer is None else peer.uid)
            return
        if len(self._listeners) >= MAX_LISTENERS:
            refusal = {"event": "refused", "message": f"{self._owner} has {MAX_LISTENERS} listeners already"}
            with contextlib.suppress(OSError):
                sock.send(line_of(refusal))
            sock.close()
            return
        who = "a process of this user" if peer is None else f"user {peer.uid}, process {peer.pid}"
        self._listeners.append(Listener(self, sock, self._selector, who, now_s))
        self._set_deadline(now_s)

    def _say_stranger(self, uid: int) -> None:
        if uid not in self._strangers and len(self._strangers) < MAX_LISTENERS:
            self._strangers.add(uid)
            with self._household.lock:
                self._household.journal.say(f"user {uid} of this machine wanted to listen and is not allowed to")

    def tick(self, now_s: float) -> None:
        """Hand out what has happened; look at the clock."""
        if now_s >= self._accept_after_s:
            self._accept_after_s = NEVER
            self._watch_door(True)
        for listener in list(self._listeners):
            listener.tick(now_s)
        for device_id, until_s in list(self._polling_until_s.items()):
            if now_s >= until_s:
                del self._polling_until_s[device_id]
                device = self._household.devices.get(device_id)
                if device is not None and self.access is not None:
                    self.access.set_polling(device_id, device.polling)
        for pending in [one for one in self._pending if now_s >= one.until_s]:
            self._pending.remove(pending)
            error = NotConfirmed(self._household.name_of(pending.device_id) or "", "the write did not end")
            pending.asker.answer(result_of(pending.request, pending.device_id, pending.dps, error))
        self.flush(now_s)

    def flush(self, now_s: float) -> None:
        """Hand out what has happened so far."""
        events = list(self._outbox)
        self._outbox.clear()
        # who wants the same devices is told the same: put together once
        batches: Dict[Optional[FrozenSet[str]], List[Tuple[str, bytes]]] = {}
        joined: Dict[Optional[FrozenSet[str]], bytes] = {}
        for listener in self._listeners if events else ():
            wanted = listener.wanted
            if wanted not in batches:
                batches[wanted] = events if wanted is None else [one for one in events if one[0] in wanted]
                joined[wanted] = b"".join(line for _, line in batches[wanted])
            listener.tell(batches[wanted], joined[wanted])
        while self._again:
            device_id = self._again.popleft()
            for listener in self._listeners:
                listener.again(device_id)
                listener.again("")
        has_more = False
        for listener in list(self._listeners):
            has_more = listener.pump(now_s) or has_more
        self._set_deadline(now_s)
        if has_more:
            self.deadline_s = now_s

    def _set_deadline(self, now_s: float) -> None:
        times = [listener.deadline_s() for listener in self._listeners]
        times.extend(self._polling_until_s.values())
        times.extend(pending.until_s for pending in self._pending)
        if self._outbox or self._again:
            times.append(now_s + GATHER_S)
        self.deadline_s = min([self._accept_after_s, *times])

    def denied(self, device_id: str, owner: OwnerState, now_s: float) -> Tuple[bool, Optional[float]]:  # noqa: ARG002
        """Somebody else holds a device of ours: ask for it where its holder gives way to us."""
        tries = self._give_back_tries.get(device_id, 0)
        if self.yields or not owner.yields or not owner.share or tries >= GIVE_BACK_TRIES:
            return True, None
        self._give_back_tries[device_id] = tries + 1
        sock = place.connect(owner.share)
        if sock is None:
            return True, None
        with sock, contextlib.suppress(OSError):
            sock.send(line_of({"give_back": [device_id], "name": self._owner}))
        return False, GIVE_BACK_RETRY_S

    # -- what listeners ask of it

    def ids(self) -> List[str]:
        """Return the ids of all devices."""
        return list(self._household.devices)

    def told_of(self, device_id: str, now_s: float) -> Optional[Dict[str, Any]]:
        """Return a device's snapshot, or what the owner says of itself for ""."""
        with self._household.lock:
            if not device_id:
                return self.description(now_s)
            device = self._household.devices.get(device_id)
            return None if device is None else snapshot(device, now_s, self._unit_names(device_id))

    def description(self, now_s: float) -> Dict[str, Any]:
        """Return what the owner says of itself: for the doctor, no secrets."""
        return introduction(self._owner, self._about(), list(self._household.devices.values())[:MAX_SERVED_TOLD], now_s)

    def asked(self, listener: Listener, request: Dict[str, Any], now_s: float) -> None:
        """A listener asks for something; what is not understood is passed over."""
        if "command" in request or "threshold" in request:
            device_id, dps = target_of(request)
            device = self._household.devices.get(device_id)
            if device is not None and not listener.commands.take(device_id, now_s):
                refusal = CommandRefused(device.entry.shown_name, "too many commands in a short time, nothing was sent")
                listener.answer(result_of(request.get("request"), device_id, dps, refusal))
                return
            who = f"{listener.name or 'a listener'} ({listener.who})"
            self.take_command(listener, request, who, now_s)
        if isinstance(request.get("query"), dict):
            device_id = text_of(request["query"].get("id"))
            if device_id in self._household.devices and listener.queries.take(device_id, now_s):
                self.take_query(request["query"], now_s)
        if isinstance(request.get("counted"), dict):
            self.take_counted(request["counted"], listener.name or "another program", now_s)
        if isinstance(request.get("give_back"), list) and self._give_back is not None:
            ids = [one for one in request["give_back"] if isinstance(one, str)]
            self._give_back(ids, text_of(request.get("name")) or "another program", now_s)

    def take_counted(self, told_of: Mapping[str, Any], who: str, now_s: float) -> None:
        """Somebody who has held devices tells their totals: ours go on from there, as far as that can be."""
        for device_id, told in told_of.items():
            counted = counted_of(told, who, now_s)
            with self._household.lock:
                device = self._household.devices.get(device_id)
                if device is None or counted is None:
                    continue
                before_wh = device.totals_wh(now_s)
                device.hand_over.told(counted)
                if device.totals_wh(now_s) != before_wh:
                    self._tell_again(device_id, now_s)

    def take_query(self, query: Mapping[str, Any], now_s: float) -> None:
        """Ask a device for everything, and for some time for particular data points too."""
        device = self._household.devices.get(str(query.get("id")))
        if device is None or self.access is None:
            return
        named = query.get("dps")
        dps = tuple(numbered({str(dp): True for dp in named})) if isinstance(named, list) else ()
        if dps:
            usual = device.polling
            later = tuple(sorted({*dps, *usual.later_dps})) if device.may_switch else ()
            polling = replace(usual, refresh_dps=dps, later_dps=later)
            self.access.set_polling(device.device_id, polling)
            self._polling_until_s[device.device_id] = now_s + POLLING_RESTORED_S
        self.access.query(device.device_id)

    def take_command(self, asker: Asker, request: Dict[str, Any], who: str, now_s: float) -> None:
        """Carry out a command, once; it ends in exactly one answer. who: for the log."""
        device_id, dps = target_of(request)
        number = request.get("request")
        try:
            with self._household.lock:
                device = self._household.devices.get(device_id)
                if device is None or self.access is None:
                    raise CommandRefused("", "this device is not served here")
                age_s = age_of(request, now_s)
                if age_s is None:
                    raise CommandRefused(device.entry.shown_name, "the command came too late, nothing was sent")
                if age_s > WRITE_AGE_S:
                    raise too_late(device.entry.shown_name, age_s)
                threshold = request.get("threshold")
                if isinstance(threshold, dict):
                    dps = device.threshold_command(
                        threshold.get("name"), threshold.get("value"), threshold.get("trips")
                    )
                else:
                    dps = device.command(dps, now_s)
                words = ", ".join(f"{dp} = {value!r:.60}" for dp, value in dps.items())
                self._household.journal.say(f"{device.entry.shown_name}: {who} asks for {words}")
        except (CommandRefused, NotConnected) as refusal:
            asker.answer(result_of(number, device_id, dps, refusal))
            return
        self._pending.append(_Pending(asker, number, device_id, dps, now_s + ANSWER_LIMIT_S))
        self.access.write(device_id, dps, asked_s=boot_clock_s() - age_s)

    def _answer(self, event: WriteDone, now_s: float) -> None:
        for pending in self._pending:
            if pending.device_id == event.device_id and pending.dps == dict(event.dps):
                self._pending.remove(pending)
                pending.asker.answer(result_of(pending.request, event.device_id, pending.dps, event.error))
                self.deadline_s = min(self.deadline_s, now_s)
                return

    def ended(self, listener: Listener) -> None:
        """A listener is gone."""
        self._listeners.remove(listener)
