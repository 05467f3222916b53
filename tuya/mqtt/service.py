"""The running front end: a source of devices, a broker, the core between them, and totals that survive."""

from __future__ import annotations

import contextlib
import queue
import secrets
import threading
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Protocol, Sequence, Set

from ..boot_clock import boot_clock_s
from .broker import Denied, Down, Happening, Up
from .claim import Claim, Step
from .commands import Message, Publication
from .core import Core
from .discovery import ORIGIN
from .keeper import Keeper
from .topics import ONLINE, Topics

WAKE_S = 0.25  # the clock is looked at so often
LOOK_AROUND_S = 5.0  # so long the broker has to send what an earlier run has left
MAX_WAITING = 10000  # events of devices that wait for the loop; and as many messages of the broker
SAY_AGAIN_S = 1.0  # that the bridge is online, if somebody says otherwise
SAY_ALL_S = 10.0  # and everything else too, since that one may have removed it
MAX_DENIED = 100  # different things; the log is not to be filled by a broker
AT_ONCE = 300  # of them are taken, before what came of them is sent and the broker is heard again

Say = Callable[[str], None]


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


class Connection(Protocol):
    """What this needs of client.py."""

    def start(self) -> None:
        """Begin."""

    def stop(self) -> object:
        """End."""

    def publish(self, publications: Sequence[Publication]) -> None:
        """Send these, if the broker is there."""

    def serve(self, serves: bool) -> None:
        """Take commands, or no longer."""

    def subscribe(self, pattern: str) -> None:
        """Ask for other messages too."""

    def unsubscribe(self, pattern: str) -> None:
        """No more."""


class Service:
    """Runs until stop(). say: takes lines for the log. totals: the file that keeps the totals; None for none.

    stand_by: called with True when another service has this base, then devices are to be left alone, and with False
    when it has ended. was_up: the broker has let us in. refused: why it did not, where it never has. has_served: this
    one was the one that serves. other: in words, which service has this base instead; "" when that is us.
    """

    def __init__(
        self,
        devices: Devices,
        core: Core,
        make_client: Callable[[Callable[[Happening], None]], Connection],
        say: Say,
        topics: Topics,
        prefix: str,
        totals: Optional[Path] = None,
        stand_by: Callable[[bool], None] = lambda _stands_by: None,
        clock: Callable[[], float] = boot_clock_s,
    ) -> None:
        self._devices = devices
        self._core = core
        self._say = say
        self._topics = topics
        self._stand_by = stand_by
        self._clock = clock
        # Two: devices that tell more than the loop can take in do not keep out what is said of commands and the base
        self._told_by_devices: queue.Queue[Optional[Dict[str, Any]]] = queue.Queue(MAX_WAITING)  # None: only to wake
        self._told_by_broker: queue.Queue[Happening] = queue.Queue(MAX_WAITING)
        self._client = make_client(self._happened)
        self._tickets: Dict[int, int] = {}  # request of the source -> ticket of the core
        self._stopped = threading.Event()
        self._said = ""
        self._keeper = Keeper(totals, devices.saved_energy, say)
        self._look_around = left_behind(topics, prefix)
        self._looks_until_s: Optional[float] = None
        self._claim = Claim(secrets.token_hex(8))
        self._denied: Set[str] = set()
        self._said_online_s = self._said_all_s = float("-inf")
        self._is_contradicted = False
        self._step_before = self._claim.step
        self.was_up = self.has_served = False
        self.refused = self.other = ""

    # -- other threads

    def stop(self) -> None:
        """End run() soon; may be called from anywhere."""
        self._stopped.set()

    def _happened(self, happening: Happening) -> None:
        if isinstance(happening, Message):
            if happening.is_retained and not _may_be_ours(happening):
                return
            with contextlib.suppress(queue.Full):  # a storm: no command is kept for later
                self._told_by_broker.put_nowait(happening)
        else:
            while not self._stopped.is_set():
                try:
                    self._told_by_broker.put(happening, timeout=WAKE_S)
                    break
                except queue.Full:
                    continue
        with contextlib.suppress(queue.Full):  # then it does not sleep
            self._told_by_devices.put_nowait(None)

    def _listen(self) -> None:
        while not self._stopped.is_set():
            for told in self._devices.events(WAKE_S):
                while not self._stopped.is_set():
                    try:
                        # the source drops to "snapshot again" meanwhile
                        self._told_by_devices.put(told, timeout=WAKE_S)
                        break
                    except queue.Full:
                        continue

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
            self._keep_totals()  # before the good-bye: who takes over goes on from it
            self._client.stop()

    def _step(self) -> None:
        told: List[Dict[str, Any]] = []
        with contextlib.suppress(queue.Empty):
            one = self._told_by_devices.get(timeout=WAKE_S)
            while True:
                if one is not None:
                    told.append(one)
                if len(told) == AT_ONCE:
                    break
                one = self._told_by_devices.get_nowait()
        with contextlib.suppress(queue.Empty):
            for _ in range(AT_ONCE):
                self._take(self._told_by_broker.get_nowait(), self._clock())
        for event in told:
            self._told(event, self._clock())
        now_s = self._clock()
        self._core.tick(now_s)
        self._mind_the_claim(now_s)
        for command in self._core.take_commands():
            request = self._devices.command(command.device_id, command.dps, "MQTT")
            self._tickets[request] = command.ticket
        is_serving = self._claim.step is Step.SERVING
        if is_serving and self._is_contradicted and now_s - self._said_online_s >= SAY_AGAIN_S:
            self._say_online(now_s)
        if not self.other:
            self._keeper.tick(now_s, is_serving)
        fresh = self._core.take()
        self._client.publish(fresh if is_serving else ())  # else all of it is said again later
        self._client.publish([Publication(self._topics.claim, text) for text in self._claim.take()])
        for remark in self._core.take_remarks():
            self._say(remark)
        if self._looks_until_s is not None and now_s >= self._looks_until_s:
            self._looks_until_s = None
            for pattern in self._look_around:
                if pattern != self._topics.availabilities:
                    self._client.unsubscribe(pattern)
            self._look_around = ()

    def _take(self, taken: Happening, now_s: float) -> None:
        if isinstance(taken, Message):
            if taken.topic == self._topics.claim:
                self._claim.message(b"" if taken.is_retained else taken.payload, now_s)
            elif taken.topic.endswith("/set"):
                if self._claim.acts:
                    self._core.message(taken, now_s)
            elif taken.topic == self._topics.bridge_availability:
                if not taken.is_retained:
                    self._bridge_says(taken.payload, now_s)
            elif not taken.is_retained:
                self._core.availability_says(taken.topic, taken.payload, now_s)
            else:
                self._core.found(taken.topic, taken.payload, self._is_served, now_s)
        elif isinstance(taken, Up):
            self.was_up, self._said = True, ""
            self._say(f"connected to the broker, MQTT {taken.version}")
            self._denied.clear()
            self._claim.connected(now_s)
        elif isinstance(taken, Denied):
            if taken.what not in self._denied and len(self._denied) < MAX_DENIED:
                self._denied.add(taken.what)
                self._say(f"the broker: {taken.what}")
        else:
            self._down(taken)

    def _mind_the_claim(self, now_s: float) -> None:
        """Serve, or leave it to another service of this base."""
        claim, before = self._claim, self._step_before
        claim.tick(now_s)
        self._step_before = claim.step
        if claim.step is before:
            return
        if claim.step is Step.SERVING:
            self._begin_to_serve(now_s)
        elif claim.step is Step.WAITING:
            self._client.serve(False)
            if before is Step.SERVING:
                self._keep_totals()
            if claim.other != self.other:
                self.other = claim.other
                self._say(
                    f"{claim.other} serves {self._topics.base}/... at this broker already: this one does nothing until "
                    f"that one ends. Two at once need --base of their own"
                )
                self._stand_by(True)

    def _begin_to_serve(self, now_s: float) -> None:
        if self.other:
            self.other = ""
            self._say("the other service has ended, this one serves now")
            self._stand_by(False)
            self._keeper.forget()
        self.has_served = True
        if self._claim.is_unheard:
            self._say(
                f"the broker does not let us read {self._topics.claim}: another service with this base would not be "
                f"noticed, and each command written twice"
            )
        self._client.serve(True)
        self._core.broker_is_there(now_s)
        self._is_contradicted, self._said_online_s = False, float("-inf")
        self._client.subscribe(self._topics.availabilities)
        if self._look_around:
            self._looks_until_s = now_s + LOOK_AROUND_S
            for pattern in self._look_around:
                self._client.subscribe(pattern)

    def _bridge_says(self, payload: bytes, now_s: float) -> None:
        """The bridge's availability was published: by us; or an earlier connection's will, or somebody who cleans."""
        self._claim.bridge_says(payload, now_s)
        self._is_contradicted = payload != ONLINE.encode()

    def _say_online(self, now_s: float) -> None:
        self._is_contradicted, self._said_online_s = False, now_s
        if now_s - self._said_all_s >= SAY_ALL_S:
            self._said_all_s = now_s
            self._core.broker_is_there(now_s)
        else:
            self._core.bridge_is_there()

    def _down(self, down: Down) -> None:
        self._claim.lost()
        if down.refused and not self.was_up:
            self.refused = down.why
        if down.why != self._said:
            self._said = down.why
            self._say(f"the broker: {down.why}; it is tried again")

    def _is_served(self, device_id: str) -> bool:
        try:
            self._devices.state(device_id)
        except KeyError:
            return False
        return True

    def _told(self, told: Dict[str, Any], now_s: float) -> None:
        kind, device_id = told.get("event"), str(told.get("id"))
        if kind == "result":
            ticket = self._tickets.pop(int(told.get("request", 0)), None)
            if ticket is not None:
                self._core.answered(ticket, told.get("error"), told.get("message"))
        elif kind == "removed":
            self._core.removed(device_id)
        elif self._core.told(told, now_s):
            self._keeper.told(device_id, told.get("totals_wh"))
        else:
            try:
                state = self._devices.state(device_id)
            except KeyError:
                return  # it was removed a moment ago
            self._core.changed(state, now_s)
            self._keeper.told(device_id, state.get("totals_wh"))

    def _keep_totals(self) -> None:
        if not self.other:  # else that one counts
            self._keeper.keep(self._clock())


def left_behind(topics: Topics, prefix: str) -> Sequence[str]:
    """Return the filters below which stands what an earlier run of this program has left in a broker."""
    own = (f"{topics.base}/+/state", topics.availabilities)
    return (*own, f"{prefix}/+/+/+/config") if prefix else own


def _may_be_ours(message: Message) -> bool:
    """A broker may hold thousands of other programs' discovery messages: a quick look."""
    return not message.topic.endswith("/config") or ORIGIN.encode() in message.payload
