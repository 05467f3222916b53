"""The LAN client as others see it: devices in, events out, one network thread.

All methods may be called from any thread and never block, except stop(), which waits for the thread.
"""

from __future__ import annotations

import collections
import threading
import time
from typing import Callable, Deque, Dict, Iterable, Mapping, NamedTuple, Optional, Tuple

from .. import thread_end
from ..boot_clock import boot_clock_s
from . import versions
from .connection import messages
from .device import Device, DeviceState, Polling, short_id
from .errors import NotConnected
from .events import DpValue, Event, WriteDone
from .limits import WRITE_AGE_S
from .network.guest import Guest
from .network.listener import Listener
from .network.reactor import Reactor
from .protocol import tinytuya_codec

__all__ = ["Client", "Device", "DeviceState", "Polling"]


class Job(NamedTuple):
    """Something for the network thread. answers: it ends in an event, also when the thread has ended before."""

    do: Callable[[Reactor, float], None]
    answers: bool = False


def _label(device_id: str, device: Optional[Device]) -> str:
    """What a device is called in the log, also where it is no longer served."""
    return short_id(device_id) if device is None else device.label


class Client:
    """Serves devices on one thread and tells `sink` what happens.

    sink: gets each event on the network thread; must not block and must not raise.
    owner: who this is, for others who want the same devices ("hardware Breakers"); "" does not stay unnamed.
    discovery: listen for announcements and ask for them while a device is missing.
    waited_s: how long somebody has waited for a first word already (a command that was slow to start).
    guest: something else that the network thread serves from start() to stop().
    boot_clock: the clock by which writes grow old, which goes on while the process is stopped or the machine sleeps.
    Raises CodecMissing when the codec cannot be imported.
    """

    def __init__(
        self,
        devices: Iterable[Device],
        sink: Callable[[Event], None],
        *,
        owner: str = "",
        discovery: bool = True,
        clock: Callable[[], float] = time.monotonic,
        listener: Optional[Listener] = None,
        waited_s: float = 0.0,
        guest: Optional[Guest] = None,
        boot_clock: Callable[[], float] = boot_clock_s,
    ) -> None:
        tinytuya_codec.load()
        self._boot_clock = boot_clock
        self._sink = sink
        self._owner = owner or "another program"
        self._discovery = discovery
        self._clock = clock
        self._waited_s = waited_s
        self._guest = guest
        self._given_listener = listener
        self._listener: Optional[Listener] = None
        self._lock = threading.Lock()
        self._devices: Dict[str, Device] = {}
        self._polling: Dict[str, Polling] = {}
        self._jobs: Deque[Job] = collections.deque()
        self._stopping = False
        self._reactor: Optional[Reactor] = None
        self._thread: Optional[threading.Thread] = None
        for device in devices:
            self._devices[device.device_id] = device

    # -- life

    def start(self) -> None:
        """Start the network thread; nothing happens when it runs. Raises OSError without file descriptors."""
        with self._lock:
            if self._thread is not None and self._thread.is_alive():
                return
            self._stopping = False
            self._jobs.clear()
            self._listener = (self._given_listener or Listener()) if self._discovery else None
            self._reactor = Reactor(self._sink, self._clock, self._listener, self._owner, self._waited_s, self._guest)
            devices = list(self._devices.values())
            self._jobs.append(Job(lambda reactor, now_s: self._add_all(reactor, devices, now_s)))
            # not a daemon: the interpreter must wait for it rather than end under it
            self._thread = threading.Thread(target=self._run, args=(self._reactor,), name="tuya-lan", daemon=False)
            self._thread.start()

    def stop(self, timeout_s: float = 0.4) -> bool:
        """End the thread and wait for it. True when it is gone; may be called again."""
        with self._lock:
            self._stopping = True
            thread, reactor = self._thread, self._reactor
            if reactor is not None:
                reactor.ends = True
                reactor.wake()
        if thread is None or not thread.is_alive():
            return True
        return thread.ident != threading.get_ident() and thread_end.wait(thread, timeout_s)

    def is_alive(self) -> bool:
        """Whether the network thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def _run(self, reactor: Reactor) -> None:
        reactor.run(lambda now_s: self._work(reactor, now_s))
        while self._jobs:  # it has ended: commands still get their answer, and nothing else is begun
            job = self._jobs.popleft()
            if job.answers:
                job.do(reactor, self._clock())

    def _work(self, reactor: Reactor, now_s: float) -> bool:
        while self._jobs and not self._stopping:
            self._jobs.popleft().do(reactor, now_s)
        return not self._stopping

    def _do(self, job: Job) -> bool:
        """Hand a job to the network thread. False when there is none."""
        with self._lock:
            if self._stopping or self._thread is None or not self._thread.is_alive() or self._reactor is None:
                return False
            self._jobs.append(job)
            self._reactor.wake()
            return True

    # -- what can be asked for

    def set_devices(self, devices: Iterable[Device]) -> None:
        """Serve exactly these: new ones are added, missing ones dropped, changed ones (key, port, version) reconnected.

        Unchanged ones keep their connection. Of devices that are dropped no more events come.
        """
        wanted = {device.device_id: device for device in devices}
        with self._lock:
            self._devices = wanted
        self._do(Job(lambda reactor, now_s: self._change_all(reactor, wanted, now_s)))

    def set_polling(self, device_id: str, polling: Polling) -> None:
        """How one device is asked from now on; also for a device that comes later."""
        with self._lock:
            self._polling[device_id] = polling
        self._do(Job(lambda reactor, now_s: reactor.set_polling(device_id, polling, now_s)))

    def write(self, device_id: str, dps: Mapping[int, DpValue], *, asked_s: Optional[float] = None) -> None:
        """Write data points now or not at all. Ends in exactly one WriteDone.

        error None: the device has reported the values. NotConnected or BadValue: nothing was sent. NotConfirmed: sent
        once and not reported within 3 s; it is never sent again. Without a running thread the event comes at once, on
        the caller's thread.
        asked_s: when somebody asked for it, by tuya.boot_clock.boot_clock_s(); None: now. What was asked for more than
        WRITE_AGE_S before it can be sent is not sent: a process that was stopped, or a machine that slept, must not
        switch anything when it goes on.
        """
        wanted = dict(dps)
        since_s = self._boot_clock() if asked_s is None else asked_s

        def write(reactor: Reactor, now_s: float) -> None:
            age_s = self._boot_clock() - since_s
            if age_s > WRITE_AGE_S:
                label = _label(device_id, reactor.device(device_id))
                self._sink(WriteDone(device_id, now_s, wanted, messages.too_late(label, age_s)))
            else:
                reactor.write(device_id, wanted, now_s)

        if not self._do(Job(write, answers=True)):
            error = NotConnected("", "the connection to the devices is stopped", "Nothing was sent")
            self._sink(WriteDone(device_id, self._clock(), wanted, error))

    def query(self, device_id: str) -> None:
        """Ask one device for everything as soon as the spacing of requests allows; nothing while not connected."""
        self._do(Job(lambda reactor, now_s: reactor.query(device_id, now_s)))

    def retry(self, device_id: str) -> None:
        """Look again now whether a device that somebody else held can be had."""
        self._do(Job(lambda reactor, now_s: reactor.retry(device_id, now_s)))

    def wake(self) -> None:
        """Make the network thread look at its guest's deadline."""
        self._do(Job(lambda _reactor, _now_s: None))

    def snapshot(self) -> Dict[str, DeviceState]:
        """What is known of each device at this moment, by device id."""
        with self._lock:
            reactor = self._reactor
        return {} if reactor is None else reactor.states(self._clock())

    @property
    def problems(self) -> Tuple[str, ...]:
        """What is wrong on this machine (a UDP port that cannot be bound), in words. No reason to stop."""
        listener, reactor = self._listener, self._reactor
        problems = list(() if listener is None else listener.problems)
        for device_id, user in ({} if reactor is None else reactor.squatters()).items():
            label = _label(device_id, self._devices.get(device_id))
            problems.append(f"{label}: {user} keeps the name of its lock without a right to it, and is passed over")
        for state in ({} if reactor is None else reactor.states(self._clock())).values():
            if state.connected and state.version is not None and not versions.TABLE[state.version].reports_sealed:
                problems.append(
                    f"{state.name}: protocol {state.version} cannot prove who answers: anybody in the network could "
                    "send values in its name. A newer firmware may speak a newer protocol"
                )
        return tuple(problems)

    # -- on the network thread

    def _add_all(self, reactor: Reactor, devices: Iterable[Device], now_s: float) -> None:
        for device in devices:
            if reactor.ends:  # on a busy machine this takes a while
                return
            reactor.add(device, self._polling_of(device.device_id), now_s)

    def _change_all(self, reactor: Reactor, wanted: Mapping[str, Device], now_s: float) -> None:
        for device_id in reactor.served():
            if device_id not in wanted and not reactor.ends:
                reactor.remove(device_id, now_s)
        for device_id, device in wanted.items():
            if reactor.ends:
                return
            known = reactor.device(device_id)
            if known is None:
                reactor.add(device, self._polling_of(device_id), now_s)
            elif known != device:
                reactor.change(device, now_s)

    def _polling_of(self, device_id: str) -> Polling:
        with self._lock:
            return self._polling.get(device_id, Polling())
