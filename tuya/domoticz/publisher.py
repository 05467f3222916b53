"""The one thread that calls Unit.Update.

An Update takes about 1 ms, and minutes while Domoticz backs up its database: it never happens on the plugin's or the
network's thread. It happens only between the first heartbeat and the beginning of onStop, and not while heartbeats
stay away: then the framework is not in a state to be called.
"""

from __future__ import annotations

import threading
from typing import Callable, Dict, NamedTuple, Optional, Tuple

from .. import thread_end
from .breaker import Write
from .fleet import Fleet, TimedOut
from .framework import Framework, Written
from .units import State, kind_of

HEARTBEAT_LIMIT_S = 60.0
# Nothing is due and nobody wakes us: offline marks and energy are looked at with each heartbeat anyway.
IDLE_S = 2.0
HELD_UP_S = 0.3  # an Update takes about 1 ms
SLOW_COUNTS_S = 120.0  # meters of a breaker that answers are written once a minute
# A state that Domoticz did not store is given again when it stores again, which a meter shows (without one: so much
# later), and not before: each Update may run the switch's On action. And not for ever: who knows what changes it there.
LOST_RETRY_S = 600.0
LOST_TRIES = 3


class Unstored(NamedTuple):
    """A state that Domoticz did not store: what the unit holds instead, since when, and how often that was so."""

    wanted: State
    held: State
    since_s: float
    tries: int


class Publisher:
    """Writes what the fleet says is due.

    say(): writes lines that wait for the log; called on the publisher's thread.
    """

    def __init__(
        self,
        fleet: Fleet,
        framework: Framework,
        clock: Callable[[], float],
        say: Callable[[], None],
    ) -> None:
        self._fleet = fleet
        self._framework = framework
        self._clock = clock
        self._say = say
        self._wake = threading.Event()
        self._is_stopping = False
        self._beat_at_s: Optional[float] = None
        self._thread: Optional[threading.Thread] = None
        self._writing_since_s: Optional[float] = None
        self._lost: Dict[Tuple[str, int], Unstored] = {}
        self._quick_at_s = self._slow_at_s = float("-inf")  # when the last Update of each kind ended

    def start(self) -> None:
        """Start the thread, or start it again after it died."""
        # Not a daemon: should an Update outlast onStop, the end of the interpreter waits for this thread. With a
        # daemon it would abort the whole of Domoticz. (A thread started from a foreign thread would inherit "daemon".)
        self._thread = threading.Thread(target=self._run, name="tuya-publisher", daemon=False)
        self._thread.start()

    def is_alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def beat(self) -> None:
        """A heartbeat of the framework came: writing is allowed for a while."""
        self._beat_at_s = self._clock()
        self._wake.set()

    def is_held_up(self, now_s: float) -> bool:
        """Whether Updates wait for the database, this one or the last: a backup holds it, perhaps for minutes."""
        waits_s = self.waits_s(now_s)
        was_slow = self._slow_at_s > self._quick_at_s and now_s - self._slow_at_s < SLOW_COUNTS_S
        return was_slow or (waits_s is not None and waits_s >= HELD_UP_S)

    def was_quick(self, now_s: float, within_s: float) -> bool:
        """Whether an Update that ended so long ago at most had not to wait for the database."""
        return now_s - self._quick_at_s <= within_s and not self.is_held_up(now_s)

    def waits_s(self, now_s: float) -> Optional[float]:
        """For how long the Update that is being made has been waiting for Domoticz; None: none is being made."""
        since_s = self._writing_since_s
        return None if since_s is None else max(0.0, round(now_s - since_s, 3))

    def lost(self) -> Tuple[Tuple[str, int], ...]:
        """Return device id and unit of each state that Domoticz did not store and that is not shown yet."""
        return tuple(self._lost)

    def wake(self) -> None:
        """Something may have become due. Never blocks."""
        self._wake.set()

    def begin_stop(self) -> None:
        """No Update begins from now on."""
        self._is_stopping = True
        self._wake.set()

    def stop(self, timeout_s: float) -> bool:
        """Wait for the thread to end; return whether it did."""
        self.begin_stop()
        return self._thread is None or thread_end.wait(self._thread, timeout_s)

    def may_write(self, now_s: float) -> bool:
        """Whether the framework may be called from here now."""
        if self._is_stopping or self._beat_at_s is None:
            return False
        return now_s - self._beat_at_s < HEARTBEAT_LIMIT_S

    def _run(self) -> None:
        while not self._is_stopping:
            self._wake.clear()
            try:
                wait_s = self.step()
            except Exception as error:  # noqa: BLE001 - a fault in one write must not end all writing
                self._fleet.household.fault(f"a value could not be written ({type(error).__name__}: {error})")
                wait_s = IDLE_S
            if wait_s > 0.0:
                self._wake.wait(wait_s)

    def step(self) -> float:
        """Write one thing that is due; return how long to wait before the next step, in seconds."""
        now_s = self._clock()
        if not self.may_write(now_s):
            return IDLE_S
        self._say()
        due = self._fleet.next_due(now_s)
        if due is None:
            return IDLE_S
        if isinstance(due, float):
            return min(max(due - now_s, 0.0), IDLE_S)
        if isinstance(due, TimedOut):
            self._framework.set_timed_out(due.device_id, due.is_timed_out)
            return 0.0
        self._writing_since_s = now_s
        try:
            written = self._framework.write(due.device_id, due.unit, due.state)
            ended_s = self._clock()
            if written is None:
                self._fleet.gone(due.device_id, due.unit)
            else:
                self._fleet.written(due.device_id, due.unit, due.state, now_s)
        finally:
            self._writing_since_s = None  # not before it is noted what was written
        if ended_s - now_s < HELD_UP_S:
            self._quick_at_s = ended_s
        else:
            self._slow_at_s = ended_s
        if written is not None:
            self._compare(due, written, ended_s)
        return 0.0

    def _compare(self, write: Write, written: Written, now_s: float) -> None:
        """Look whether Domoticz has stored what it was given, and give again what it had not stored."""
        key = (write.device_id, write.unit)
        is_meter, held = kind_of(write.unit).is_meter, written.held
        if not is_meter:
            before = self._lost.pop(key, None)
            if held.nvalue != write.state.nvalue:
                tries = 1 + (before.tries if before is not None and before.wanted == write.state else 0)
                self._lost[key] = Unstored(write.state, held, now_s, tries)
                if tries == 1:
                    name = self._fleet.household.name_of(write.device_id) or ""
                    self._fleet.household.fault(
                        f"{name}: Domoticz did not store the new state; is its database locked, or the disk full? "
                        "It is shown as soon as Domoticz stores again"
                    )
        for key, lost in list(self._lost.items()):
            if lost.tries < LOST_TRIES and ((is_meter and written.is_stored) or now_s - lost.since_s >= LOST_RETRY_S):
                self._lost[key] = lost._replace(since_s=now_s)
                self._fleet.held(*key, lost.held)
