"""The network thread's inside: one selector for all devices, their timers, locks and announcements.

Everything here runs on that one thread. Each round reads all sockets first and judges timers by the time at which
they were read, so that a loop which was itself late never calls a device silent whose answer lies in the kernel.
"""

from __future__ import annotations

import contextlib
import heapq
import logging
import os
import random
import selectors
import socket
import time
from typing import Any, Callable, Dict, List, Optional, Tuple, Union

from ..connection.link import Link
from ..device import Device, DeviceState, Polling
from ..errors import NotConnected, OwnedElsewhere, Unreachable
from ..events import Announced, Dps, Event, WriteDone
from ..limits import GATHER_S, LATE_LOOP_S, NEVER, PAUSE_MAX_S
from ..locks.address_locks import AddressLocks
from ..locks.address_use import Places
from ..locks.device_lock import OwnerState
from ..locks.keeper import Ownership
from ..locks.last_closed import Closings
from ..protocol.announcements import Announcement
from .channel import Channel
from .guest import Guest
from .listener import Listener

LONGEST_SLEEP_S = 60.0
AFTER_FAILURE_S = 1.0
_log = logging.getLogger(__name__)


class Reactor:
    """Serves devices until `work` returns False. Made, run and closed by one thread; wake() may come from any."""

    def __init__(
        self,
        sink: Callable[[Event], None],
        clock: Callable[[], float],
        listener: Optional[Listener],
        owner: str,
        waited_s: float = 0.0,
        guest: Optional[Guest] = None,
    ) -> None:
        self._sink = sink
        self._guest = guest
        self._clock = clock
        self._listener = listener
        self._waited_s = waited_s
        self._rng = random.Random()  # noqa: S311 - spreads reconnects, protects nothing
        self._selector = selectors.DefaultSelector()
        self._channels: Dict[str, Channel] = {}
        self._timers: List[Tuple[float, int, Channel]] = []
        self._serial = 0
        self._woken = True  # there may be work already
        self._unsettled: List[Channel] = []
        self._rest_s: Dict[int, float] = {}  # of those beside the devices that failed: until when they are left alone
        self._address_locks = AddressLocks()
        self._share, self._yields = ("", False) if guest is None else (guest.address, guest.yields)
        self._ownership = Ownership(
            self._selector,
            owner,
            self._describe,
            self._freed,
            self._denied,
            self._unlockable,
            self._share,
            self._yields,
        )
        self._closings = Closings()
        self._places = Places(self._address_locks.claim, self._address_locks.release)
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        self._selector.register(self._wake_in, selectors.EVENT_READ, self)

    link: Optional[Link] = None  # it stands in the selector too, for its own wake-up
    ends = False  # set by any thread, before wake(): what is begun for many devices ends with the present one

    def wake(self) -> None:
        """Make the loop look for work."""
        with contextlib.suppress(OSError):  # full of wakes already, or closed
            self._wake_out.send(b"\0")

    def handle(self, _mask: int, _now_s: float) -> None:
        """Woken."""
        self._woken = True
        with contextlib.suppress(OSError):  # emptied by the round before
            self._wake_in.recv(4096)

    # -- the loop

    def run(self, work: Callable[[float], bool]) -> None:
        """Serve until work(now_s), called after each wake(), returns False; then close everything."""
        select, clock = self._selector.select, self._clock
        crowded = False
        try:
            if self._listener is not None:
                self._listener.open(self._selector, self._heard)
            if self._guest is not None:
                self._guest.open(self._selector)
            now_s = clock()
            while not self._woken or work(now_s):
                self._woken = False
                due_s = self._due_s()
                if due_s <= now_s:
                    self._tick(now_s)
                    due_s = self._due_s()
                if crowded:
                    time.sleep(GATHER_S)
                asleep_s = clock()
                ready = select(min(max(0.0, due_s - asleep_s), LONGEST_SLEEP_S))
                now_s = clock()
                # something came at once: more will, and one round for several costs less than a round for each
                crowded = bool(ready) and now_s - asleep_s < GATHER_S
                self._serve(ready, now_s)
                if now_s > due_s + LATE_LOOP_S:
                    # late ourselves: what arrived meanwhile counts before anybody is judged
                    self._serve(select(0), now_s)
        finally:
            self._close()

    def _serve(self, ready: List[Tuple[selectors.SelectorKey, int]], now_s: float) -> None:
        for key, mask in ready:
            if self.ends:
                self._woken = True
                return
            source = key.data
            try:
                source.handle(mask, now_s)
            except Exception:  # noqa: BLE001 - the last defence
                self._survive(source, now_s)
                if source.link is None and source is not self:
                    # its socket may stay ready for ever: it is not served again
                    with contextlib.suppress(KeyError, ValueError):
                        self._selector.unregister(key.fileobj)
            link = source.link
            if link is not None and link.deadline_s < source.scheduled_s:
                self._reschedule(source)
        if self._unsettled:
            self._settle(now_s)

    def _survive(self, source: Any, now_s: float) -> None:
        """No fault of one device, or of the sink, ends the thread that serves all of them: the device starts again."""
        _log.exception("error while serving a device")
        link: Optional[Link] = source.link
        if link is not None:
            with contextlib.suppress(Exception):  # the sink may still be what fails
                link.give_up(now_s)

    def _guarded(self, channel: Channel, call: Callable[..., None], *args: Any) -> None:
        """Call a link's method; the last of `args` is the time."""
        try:
            call(*args)
        except Exception:  # noqa: BLE001 - the last defence
            self._survive(channel, args[-1])
        self._reschedule(channel)
        if self._unsettled:
            self._settle(args[-1])

    def _settle(self, now_s: float) -> None:
        while self._unsettled:
            channel = self._unsettled.pop()
            channel.settle(now_s)
            self._reschedule(channel)

    def _due_s(self) -> float:
        due_s = self._timers[0][0] if self._timers else NEVER
        for other in (self._ownership, self._guest, self._listener):
            if other is not None:
                due_s = min(due_s, max(other.deadline_s, self._rest_s.get(id(other), -NEVER)))
        return due_s

    def _tick(self, now_s: float) -> None:
        timers = self._timers
        while timers and timers[0][0] <= now_s and not self.ends:
            due_s, _, channel = heapq.heappop(timers)
            if due_s != channel.scheduled_s or channel.link is None:
                continue
            channel.scheduled_s = NEVER
            if channel.link.deadline_s <= now_s:
                self._guarded(channel, channel.link.tick, now_s)
            self._reschedule(channel)
        for other in (self._ownership, self._guest, self._listener):
            if other is not None and now_s >= max(other.deadline_s, self._rest_s.get(id(other), -NEVER)):
                self._tick_other(other, now_s)

    def _tick_other(self, other: Union[Ownership, Guest, Listener], now_s: float) -> None:
        """What is served beside the devices may fail (no file descriptors), and not end the thread nor keep it busy."""
        try:
            if isinstance(other, Listener):
                other.tick(now_s, sum(1 for c in self._channels.values() if c.link is not None and c.link.missing))
            else:
                other.tick(now_s)
        except Exception:  # noqa: BLE001 - the last defence
            _log.exception("error while serving what is no device")
            self._rest_s[id(other)] = now_s + AFTER_FAILURE_S

    def _reschedule(self, channel: Channel) -> None:
        """A link was called: its next deadline may have come nearer."""
        link = channel.link
        if link is not None and link.deadline_s < channel.scheduled_s:
            channel.scheduled_s = link.deadline_s
            self._serial += 1
            heapq.heappush(self._timers, (link.deadline_s, self._serial, channel))

    def _close(self) -> None:
        now_s = self._clock()
        for device_id in list(self._channels):
            self.remove(device_id, now_s)
        self._ownership.release_all()
        self._closings.close()
        self._address_locks.close()
        if self._listener is not None:
            self._listener.close()
        if self._guest is not None:
            self._guest.close()
        self._selector.close()
        self._wake_in.close()
        self._wake_out.close()

    # -- devices

    def add(self, device: Device, polling: Polling, now_s: float) -> None:
        """Serve one more device."""
        channel = Channel(self._selector, self._unsettled.append)
        channel.link = Link(
            device,
            polling,
            self._sink,
            channel,
            rng=self._rng,
            wall_time=time.time,
            random_bytes=os.urandom,
            places=self._places,
            waited_s=self._waited_s,
        )
        self._channels[device.device_id] = channel
        self._ownership.want(device.device_id, now_s)

    def remove(self, device_id: str, now_s: float) -> None:
        """Serve one device less."""
        channel = self._channels.pop(device_id, None)
        if channel is None or channel.link is None:
            return
        self._guarded(channel, channel.link.stop, now_s)
        channel.link = None
        age_s = now_s - self._places.closed_s(device_id)
        if age_s < PAUSE_MAX_S:
            self._closings.remember(device_id, age_s)  # before somebody else can have the lock
        self._ownership.release(device_id)

    def change(self, device: Device, now_s: float) -> None:
        """Other settings of a device."""
        channel = self._channels.get(device.device_id)
        if channel is not None and channel.link is not None:
            self._guarded(channel, channel.link.reconfigure, device, now_s)

    def set_polling(self, device_id: str, polling: Polling, now_s: float) -> None:
        """Another way of asking one device."""
        channel = self._channels.get(device_id)
        if channel is not None and channel.link is not None:
            self._guarded(channel, channel.link.set_polling, polling, now_s)

    def write(self, device_id: str, dps: Dps, now_s: float) -> None:
        """Write data points of one device."""
        channel = self._channels.get(device_id)
        if channel is None or channel.link is None:
            error = NotConnected("", "this device is not served", "Is it in devices.json?")
            self._sink(WriteDone(device_id, now_s, dps, error))
            return
        self._guarded(channel, channel.link.write, dps, now_s)

    def query(self, device_id: str, now_s: float) -> None:
        """Ask one device for everything."""
        channel = self._channels.get(device_id)
        if channel is not None and channel.link is not None:
            self._guarded(channel, channel.link.query, now_s)

    def retry(self, device_id: str, now_s: float) -> None:
        """Try again now whether a device's lock is free: its holder has ended, and the device's connection with it."""
        if device_id in self._channels:
            self._places.recall(device_id, now_s)
            self._ownership.want(device_id, now_s)

    def states(self, now_s: float) -> Dict[str, DeviceState]:
        """What is known of all devices. May be called from any thread: it only reads."""
        links = [(device_id, channel.link) for device_id, channel in list(self._channels.items())]
        return {device_id: link.state(now_s) for device_id, link in links if link is not None}

    def served(self) -> List[str]:
        """The ids of all devices."""
        return list(self._channels)

    def device(self, device_id: str) -> Optional[Device]:
        """The settings under which a device is served."""
        channel = self._channels.get(device_id)
        return channel.link.device if channel is not None and channel.link is not None else None

    # -- announcements and locks

    def _heard(self, announcement: Announcement, news: bool, now_s: float) -> None:
        if news:
            self._sink(
                Announced(
                    announcement.device_id, now_s, announcement.address, announcement.version, announcement.product_id
                )
            )
        channel = self._channels.get(announcement.device_id)
        if channel is not None and channel.link is not None:
            self._guarded(channel, channel.link.announced, announcement.address, announcement.version, now_s)

    def _freed(self, device_id: str, now_s: float) -> None:
        channel = self._channels.get(device_id)
        if channel is not None and channel.link is not None:
            age_s = self._closings.recall(device_id)
            if age_s is not None:
                self._places.recall(device_id, now_s - age_s)
            self._guarded(channel, channel.link.start, now_s)

    def _denied(self, device_id: str, owner: OwnerState, now_s: float) -> Optional[float]:
        retry_s: Optional[float] = None
        if self._guest is not None:
            is_error, retry_s = self._guest.denied(device_id, owner, now_s)
            if not is_error:
                return retry_s
        channel = self._channels.get(device_id)
        if channel is not None and channel.link is not None:
            cure = "A breaker has one connection only: stop the other program, or ask it"
            error = OwnedElsewhere(channel.link.device.label, f"is served by {owner}", cure)
            self._guarded(channel, channel.link.hold, error, now_s)
        return retry_s

    def _unlockable(self, device_id: str, reason: str, now_s: float) -> None:
        channel = self._channels.get(device_id)
        if channel is not None and channel.link is not None:
            cure = "Until then it is not connected: it could be served by two programs at once"
            error = Unreachable(channel.link.device.label, f"this machine gives no lock for it now ({reason})", cure)
            self._guarded(channel, channel.link.hold, error, now_s)

    def squatters(self) -> Dict[str, str]:
        """Device id -> the user of this machine who keeps the name of its lock without a right to it."""
        return dict(self._ownership.squatters)

    def _describe(self, device_id: str, owner: str) -> OwnerState:
        channel = self._channels.get(device_id)
        if channel is None or channel.link is None:
            return OwnerState(owner, share=self._share, yields=self._yields)
        state = channel.link.state(self._clock())
        error = state.last_error
        return OwnerState(
            owner=owner,
            connected=state.connected,
            address=state.address or "",
            version=state.version or "",
            error="" if error is None else type(error).__name__,
            message="" if error is None else str(error),
            age_s=state.last_heard_age_s,
            share=self._share,
            yields=self._yields,
        )
