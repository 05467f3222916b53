"""The running front end: a source of devices, a broker, the core between them, and totals that survive."""

from __future__ import annotations

import queue
import threading
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, Mapping, Optional, Protocol, Union

from .client import Client, Down, Happening, Up
from .core import Core, Message
from .totals_file import TotalsError, write_totals

WAKE_S = 1.0
SAVE_INTERVAL_S = 300.0
# A loop that comes so late was stopped (a laptop that slept, SIGSTOP): what waited in its socket is as old as that,
# and nobody may be switched by it.
STOPPED_S = 5.0
MAX_WAITING = 10000  # events and messages that wait for the loop

Say = Callable[[str], None]


def running_s() -> float:
    """Seconds on a clock that goes on while the machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Devices(Protocol):
    """What this needs of tuya/sharing/source.py."""

    def events(self, seconds: Optional[float]) -> Iterator[Dict[str, Any]]:
        """Yield events, for so long."""

    def state(self, device_id: str) -> Mapping[str, Any]:
        """Return everything that is known of a device. KeyError for one that is not followed."""

    def command(self, device_id: str, dps: Mapping[int, Any], asker: str = "") -> int:
        """Write; return the number of the "result" event."""

    def saved_energy(self) -> Mapping[str, Mapping[str, Any]]:
        """Return the totals that the next run goes on from."""


class Service:
    """Runs until stop(). say: takes lines for the log. totals: the file that keeps the totals; None for none."""

    def __init__(
        self,
        devices: Devices,
        core: Core,
        make_client: Callable[[Callable[[Happening], None]], Client],
        say: Say,
        totals: Optional[Path] = None,
        clock: Callable[[], float] = running_s,
    ) -> None:
        self._devices = devices
        self._core = core
        self._say = say
        self._totals = totals
        self._clock = clock
        self._waiting: queue.Queue[Union[Happening, Dict[str, Any]]] = queue.Queue(MAX_WAITING)
        self._client = make_client(self._happened)
        self._tickets: Dict[int, int] = {}  # request of the source -> ticket of the core
        self._stopped = threading.Event()
        self._said = ""
        self._saved_at_s = self._seen_at_s = clock()
        self.was_up = False
        self.refused = ""  # why the broker said no, where it has never let us in

    # -- other threads

    def stop(self) -> None:
        """End run() soon; may be called from anywhere."""
        self._stopped.set()

    def _happened(self, happening: Happening) -> None:
        try:
            self._waiting.put_nowait(happening)
        except queue.Full:
            if not isinstance(happening, Message):
                self._waiting.put(happening)

    def _listen(self) -> None:
        while not self._stopped.is_set():
            for told in self._devices.events(WAKE_S):
                self._waiting.put(told)  # waits: the source drops to "snapshot again" meanwhile

    # -- the loop

    def run(self, seconds: Optional[float] = None) -> None:
        """Serve until stop(), or for so long."""
        began_s = self._clock()
        listener = threading.Thread(target=self._listen, name="tuya-mqtt-devices", daemon=True)
        listener.start()
        self._client.start()
        try:
            while not self._stopped.is_set() and (seconds is None or self._clock() - began_s < seconds):
                self._step()
        finally:
            self._stopped.set()
            self._client.stop()
            self._keep_totals()

    def _step(self) -> None:
        now_s = self._clock()
        due_s = self._core.next_due_s()
        wait_s = WAKE_S if due_s is None else min(max(due_s - now_s, 0.0), WAKE_S)
        try:
            taken: Optional[Union[Happening, Dict[str, Any]]] = self._waiting.get(timeout=max(wait_s, 0.001))
        except queue.Empty:
            taken = None
        now_s = self._clock()
        if now_s - self._seen_at_s > STOPPED_S:
            self._was_stopped(now_s - self._seen_at_s)
            taken = None if isinstance(taken, Message) else taken
        self._seen_at_s = now_s
        if taken is not None:
            self._take(taken, now_s)
        self._core.tick(now_s)
        self._client.publish(self._core.take())
        for command in self._core.take_commands():
            request = self._devices.command(command.device_id, command.dps, "MQTT")
            self._tickets[request] = command.ticket
        for remark in self._core.take_remarks():
            self._say(remark)
        if now_s - self._saved_at_s >= SAVE_INTERVAL_S:
            self._saved_at_s = now_s
            self._keep_totals()

    def _was_stopped(self, seconds: float) -> None:
        """Throw away what may have waited while this process stood still, here and in the socket."""
        kept = []
        while True:
            try:
                waiting = self._waiting.get_nowait()
            except queue.Empty:
                break
            if not isinstance(waiting, Message):
                kept.append(waiting)
        for waiting in kept:
            self._waiting.put_nowait(waiting)
        self._say(f"this program stood still for {seconds:.0f} s: commands that waited meanwhile are thrown away")
        self._client.reconnect()

    def _take(self, taken: Union[Happening, Dict[str, Any]], now_s: float) -> None:
        if isinstance(taken, dict):
            self._told(taken, now_s)
        elif isinstance(taken, Message):
            if self._core.is_discovery(taken.topic):
                self._core.stale(taken.topic, taken.payload)
            else:
                self._core.message(taken, now_s)
        elif isinstance(taken, Up):
            self.was_up, self._said = True, ""
            self._say(f"connected to the broker, MQTT {taken.version}")
            self._core.broker_is_there(now_s)
        elif isinstance(taken, Down):
            if taken.refused and not self.was_up:
                self.refused = taken.why
            if taken.why != self._said:
                self._said = taken.why
                self._say(f"the broker: {taken.why}; it is tried again")

    def _told(self, told: Dict[str, Any], now_s: float) -> None:
        kind, device_id = told.get("event"), str(told.get("id"))
        if kind == "result":
            ticket = self._tickets.pop(int(told.get("request", 0)), None)
            if ticket is not None:
                self._core.answered(ticket, told.get("error"), told.get("message"))
        elif kind == "removed":
            self._core.removed(device_id)
        else:
            try:
                state = self._devices.state(device_id)
            except KeyError:
                return  # it was removed a moment ago
            self._core.changed(state, now_s)

    def _keep_totals(self) -> None:
        if self._totals is None:
            return
        try:
            write_totals(self._totals, self._devices.saved_energy())
        except TotalsError as error:
            self._say(str(error))
