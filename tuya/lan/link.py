"""One device over all of its connections: when to connect where and how, what a failure means, what a write became.

Bytes and time are passed in, and a Transport carries out what is decided: no socket, no clock, no thread here.
Exactly one connection at a time, and a pause of at least 1 s between two.
"""

from __future__ import annotations

import random
from typing import Callable, Optional

from . import targets, wording
from .device import Device, DeviceState, Habits, Polling
from .diagnosis import Diagnosis
from .errors import BadValue, TuyaError, WrongKey
from .events import Alive, CommandDone, Connected, Dps, Event, Failed, Lost, Status
from .outputs import Answered, Data, Doubt, Ended, Opened, Output
from .probe import Probe
from .session import Session
from .timing import (
    CONNECT_TIMEOUT_S,
    EVICTION_S,
    FIRST_VERDICT_S,
    NOT_FOUND_S,
    PAUSE_MIN_S,
    PENDING_WRITES,
    PROBE_SILENCE_S,
    REFRESH_CRASH_S,
    REFRESH_CRASHES,
    RESTART_BURST,
    RESTART_INTERVAL_S,
    WRONG_KEY_PROOFS,
    Backoff,
    TokenBucket,
)
from .transport import Transport
from .wire import Wire
from .writes import Writes

NEVER = float("inf")
SHORT_LIVES = 3  # connections in a row that were lost early before the waits grow in spite of them
MOVE_PAUSE_S = 1.1  # values are to be back 3 s after the announcement: 1 s for the probe, this, and the handshake
STOPPED, WAITING, CONNECTING, SESSION = "stopped", "waiting", "connecting", "session"


class Link:
    """Serves one device. After each call the caller looks at `deadline_s` and calls tick() then."""

    def __init__(
        self,
        device: Device,
        polling: Polling,
        emit: Callable[[Event], None],
        transport: Transport,
        *,
        rng: random.Random,
        wall_time: Callable[[], float],
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self.device = device
        self._polling = polling
        self._emit = emit
        self._transport = transport
        self._wall_time = wall_time
        self._random_bytes = random_bytes
        self._backoff = Backoff(rng)
        self._habits = Habits()
        self._addresses = targets.Addresses(device.address)
        self._versions = targets.Versions(device.version, device.version_fixed)
        self._restarts = TokenBucket(RESTART_INTERVAL_S, RESTART_BURST)
        self._writes = Writes()
        self._session: Optional[Session] = None
        self._phase = STOPPED
        self._address = ""
        self._version = ""
        self._diagnosis = Diagnosis(self._tell)
        self._probe = Probe()
        self._try_s = NEVER
        self._connect_s = 0.0
        self._closed_s = -NEVER
        self._opened_s = 0.0
        self._short_lives = 0
        self._key_proofs = 0
        self.last_error: Optional[TuyaError] = None
        self.last_heard_s: Optional[float] = None
        self.deadline_s = NEVER

    # -- what is asked for

    @property
    def connected(self) -> bool:
        """Whether a session is up."""
        return self._session is not None and self._session.up

    @property
    def missing(self) -> bool:
        """Whether it is served here, could be connected, and is not: worth a question to the network."""
        return self._phase != STOPPED and not self.connected and self.device.problem() is None

    @property
    def phase(self) -> str:
        """One of stopped, waiting, connecting, session."""
        return self._phase

    def start(self, now_s: float) -> None:
        """Begin to serve."""
        if self._phase != STOPPED:
            return
        self._begin(now_s)
        self.tick(now_s)

    def stop(self, now_s: float, why: str = "it is no longer served") -> None:
        """Let go of the device; a write under way ends unconfirmed."""
        if self._session is not None or self._phase == CONNECTING:
            self._transport.close(abort=len(self._writes) > 0)
        self._session = None
        self._phase = STOPPED
        self.deadline_s = NEVER
        for pending in self._writes.drop_all():
            self._done(pending.dps, wording.given_up(self.device.label, why), now_s)

    def hold(self, error: TuyaError, now_s: float) -> None:
        """Say why nobody may connect now (another owner); start() begins anew."""
        self.stop(now_s, error.what)
        self._fail(error, now_s)

    def set_polling(self, polling: Polling, _now_s: float) -> None:
        """Another way of asking."""
        self._polling = polling
        if self._session is not None:
            self._session.set_polling(polling)
        self._set_deadline()

    def reconfigure(self, device: Device, now_s: float) -> None:
        """Changed settings. A key, port or version that changed is taken up by a new connection."""
        old, self.device = self.device, device
        if device.address != old.address:
            self._addresses.prefer(device.address)
        basics = (old.local_key, old.port, old.version, old.version_fixed)
        if basics != (device.local_key, device.port, device.version, device.version_fixed):
            self._versions = targets.Versions(device.version, device.version_fixed)
            self._habits = Habits()
        elif device.address == old.address or self.connected or self._phase == STOPPED:
            return
        if self._phase == STOPPED:
            return
        if self.connected:
            self._close(wording.settings_changed(device.label), now_s, abort=False)
        elif self._phase in (CONNECTING, SESSION):
            self._drop(now_s, abort=True)
        self._key_proofs = 0
        self._begin(now_s)
        self._set_deadline()

    def _begin(self, now_s: float) -> None:
        self._phase = WAITING
        self._diagnosis.begin(now_s)
        problem = self.device.problem()
        if problem is not None:
            self._try_s = NEVER
            self._fail(problem, now_s)
            return
        self._backoff.restart()
        self._try_s = max(now_s, self._closed_s + self._backoff.next_s())
        self._backoff.restart()

    def command(self, dps: Dps, now_s: float) -> None:
        """Write data points, now or not at all. Ends in exactly one CommandDone."""
        session = self._session
        label = self.device.label
        if session is None or not session.up:
            self._done(dps, wording.not_connected(label), now_s)
            return
        if len(self._writes) >= PENDING_WRITES:
            self._done(dps, wording.too_many_writes(label), now_s)
            return
        try:
            session.write(dps)
        except BadValue as error:
            self._done(dps, BadValue(label, error.what, error.cure), now_s)
            return
        self._writes.add(dps, now_s)
        self._flush()
        self._set_deadline()

    def query(self, now_s: float) -> None:
        """Ask for everything as soon as the spacing allows; nothing while not connected."""
        if self._session is not None and self._session.up:
            self._session.ask_soon(now_s)
            self._set_deadline()

    def state(self, now_s: float) -> DeviceState:
        """What is known now."""
        session = self._session
        heard_s = session.heard_s if session is not None and session.up else self.last_heard_s
        connected = self.connected
        return DeviceState(
            device_id=self.device.device_id,
            name=self.device.label,
            connected=connected,
            address=self._address if connected else self._addresses.target(),
            port=self.device.port,
            version=self._version if connected else self._versions.known,
            last_error=self.last_error,
            last_heard_s=heard_s,
            last_heard_age_s=None if heard_s is None else max(0.0, now_s - heard_s),
            device22=self._habits.device22,
            refused_frames=session.dropped_frames if session is not None else 0,
        )

    # -- what the network says

    def announced(self, address: str, version: str, now_s: float) -> None:
        """An announcement of this device: a hint."""
        if self._phase == STOPPED or self.device.problem() is not None:
            return
        news = self._versions.hear(version)
        session = self._session
        if session is not None and session.up:
            self._addresses.announced = address
            elsewhere = address != self._address
            if elsewhere or now_s - session.heard_s >= PROBE_SILENCE_S:
                self._probe.plan(now_s, session.refreshed_s, judges=elsewhere)
                self.tick(now_s)
            return
        new_address = address != self._address
        chosen = self._addresses.hear(address, now_s)
        if not chosen or not (self._phase == WAITING or (self._phase == CONNECTING and new_address)):
            return
        if isinstance(self.last_error, WrongKey) and not new_address and not news:
            return  # trying does not make a key right
        wanted_s = max(now_s, self._closed_s + MOVE_PAUSE_S)
        if (self._phase == CONNECTING or wanted_s < self._try_s) and self._restarts.take(now_s):
            self._backoff.restart()
            if self._phase == CONNECTING:
                self._drop(now_s, abort=True)
                wanted_s = now_s + MOVE_PAUSE_S
            self._try_s = wanted_s
        self.tick(now_s)

    def opened(self, now_s: float) -> None:
        """TCP is connected."""
        device = self.device
        self._version = self._versions.current()
        self._phase = SESSION
        self._session = Session(
            Wire(self._version, device.local_key, self._random_bytes),
            device.device_id,
            device.label,
            self._polling,
            self._habits,
            now_s,
            nonce=self._random_bytes(16),
            wall_time=self._wall_time,
            version_sure=self._versions.is_sure(self._version),
        )
        self._flush()
        self._set_deadline()

    def connect_failed(self, reason: str, refused: bool, now_s: float) -> None:
        """No TCP connection. reason: text of the operating system."""
        label, where = self.device.label, f"{self._address}:{self.device.port}"
        self._close(wording.no_connection(label, where, reason, refused), now_s, abort=True)
        self._set_deadline()

    def received(self, data: bytes, now_s: float) -> None:
        """Bytes from the device."""
        session = self._session
        if session is None:
            return
        for output in session.receive(data, now_s):
            self._obey(output, now_s)
        if self._session is not session:
            self._set_deadline()
            return
        self._flush()
        if session.deadline_s < self.deadline_s:
            self.deadline_s = session.deadline_s

    def closed(self, now_s: float) -> None:
        """The peer closed or reset the connection."""
        session, label = self._session, self.device.label
        if session is None:
            return
        if session.up:
            if now_s - session.refreshed_s < REFRESH_CRASH_S:
                self._habits.refresh_crashes += 1
                self._habits.refresh_refused = self._habits.refresh_crashes >= REFRESH_CRASHES
            short = now_s - self._opened_s < EVICTION_S
            error = wording.closed(label, short and self._short_lives > 0)
        elif session.has_evidence:
            error = session.suspicion()
        else:
            error = wording.closed_early(label, self._version)
        self._close(error, now_s, abort=False)
        self._set_deadline()

    def give_up(self, now_s: float) -> None:
        """Something failed on our side while this device was served: begin again with a new connection."""
        if self._phase == STOPPED:
            return
        self._close(wording.internal(self.device.label), now_s, abort=True)
        self._set_deadline()

    # -- time

    def tick(self, now_s: float) -> None:
        """Do what is due."""
        if self._phase == WAITING:
            self._tick_waiting(now_s)
        elif self._phase == CONNECTING and now_s >= self._connect_s + CONNECT_TIMEOUT_S:
            self.connect_failed("no answer", False, now_s)
        session = self._session
        if session is not None:
            if now_s >= session.deadline_s:
                for output in session.tick(now_s):
                    self._obey(output, now_s)
            self._tick_probe(now_s)
        self._tick_writes(now_s)
        if self._diagnosis.verdict_due(now_s) and self._phase in (CONNECTING, SESSION):
            early = wording.no_answer_yet(self.device.label, self._address)
            self._fail(early if self._session is None else self._session.suspicion(), now_s)
        self._flush()
        self._set_deadline()

    def _tick_waiting(self, now_s: float) -> None:
        address = self._addresses.target()
        if address is None:
            if self._diagnosis.waits(now_s, NOT_FOUND_S):
                self._fail(wording.no_address(self.device.label), now_s)
        elif now_s >= self._try_s and now_s >= self._closed_s + PAUSE_MIN_S:
            self._address = address
            self._phase = CONNECTING
            self._connect_s = now_s
            self._transport.connect(address, self.device.port)

    def _tick_probe(self, now_s: float) -> None:
        session = self._session
        if session is None or not session.up:
            return
        if self._probe.is_due(now_s):
            session.probe()
        elif self._probe.has_failed(now_s, session.heard_s):
            self._close(wording.moved(self.device.label), now_s, abort=True)
            if self._addresses.announced is not None:
                self._addresses.hear(self._addresses.announced, now_s)
            self._try_s = now_s + MOVE_PAUSE_S

    def _tick_writes(self, now_s: float) -> None:
        if not self._writes:
            return
        session = self._session
        if self._writes.query_due(now_s) and session is not None and session.up:
            session.ask_now(now_s)
        for pending in self._writes.expire(now_s):
            self._done(pending.dps, wording.not_confirmed(self.device.label), now_s)
            if session is not None and session.up and session.progress_s <= pending.sent_s:
                # not one byte since: with the connection, a write that still waits in TCP is given up for good
                self._close(wording.unanswered(self.device.label), now_s, abort=True)

    # -- what follows

    def _obey(self, output: Output, now_s: float) -> None:
        device_id = self.device.device_id
        if isinstance(output, Data):
            self._emit(Status(device_id, now_s, output.dps, output.full))
            if self._writes:
                for pending in self._writes.report(output.dps):
                    self._done(pending.dps, None, now_s)
        elif isinstance(output, Answered):
            self._emit(Alive(device_id, now_s))
        elif isinstance(output, Opened):
            self._opened_s = now_s
            self._key_proofs = 0
            self._addresses.worked(self._address)
            self._versions.worked(self._version)
            self._diagnosis.connected()
            self.last_error = None
            self._emit(Connected(device_id, now_s, self._address, self.device.port, self._version))
        elif isinstance(output, Doubt):
            self._fail(output.error, now_s)
        else:
            self._close(output.error, now_s, abort=True, ended=output)

    def _close(self, error: TuyaError, now_s: float, *, abort: bool, ended: Optional[Ended] = None) -> None:
        """Close what is open, say why, and decide when and how the next connection is tried."""
        session = self._session
        self._drop(now_s, abort=abort or len(self._writes) > 0)
        if session is not None and session.up:
            self.last_heard_s = session.heard_s
            self._short_lives = self._short_lives + 1 if now_s - self._opened_s < EVICTION_S else 0
            if self._short_lives <= SHORT_LIVES:
                self._backoff.restart()
            self._habits.troubled = self._short_lives > 0
            self.last_error = error
            self._emit(Lost(self.device.device_id, now_s, error))
        else:
            self._addresses.failed(self._address, now_s)
            proof = isinstance(error, WrongKey) and self._version in ("3.4", "3.5")
            self._versions.failed(self._version, error, ended.hint if ended is not None else "", proof=proof)
            self._key_proofs = self._key_proofs + 1 if proof else 0
            if self._key_proofs >= WRONG_KEY_PROOFS:
                self._backoff.longest()
            self._fail(error, now_s)
        self._try_s = now_s + self._backoff.next_s()

    def _drop(self, now_s: float, *, abort: bool) -> None:
        """Close what is open; the pause begins."""
        self._session = None
        self._transport.close(abort=abort)
        self._probe.forget()
        self._closed_s = now_s
        self._phase = WAITING

    def _fail(self, error: TuyaError, now_s: float) -> None:
        self.last_error = error
        self._diagnosis.failed(error, now_s)

    def _tell(self, error: TuyaError, now_s: float) -> None:
        self._emit(Failed(self.device.device_id, now_s, error))

    def _done(self, dps: Dps, error: Optional[TuyaError], now_s: float) -> None:
        self._emit(CommandDone(self.device.device_id, now_s, dps, error))

    def _flush(self) -> None:
        if self._session is not None:
            data = self._session.take()
            if data:
                self._transport.send(data)

    def _set_deadline(self) -> None:
        if self._phase == STOPPED:
            self.deadline_s = self._writes.next_s()
            return
        deadline_s = min(self._writes.next_s(), self._probe.next_s())
        if self._phase == WAITING:
            if self._addresses.target() is None:
                deadline_s = min(deadline_s, self._diagnosis.next_s(NOT_FOUND_S))
            else:
                deadline_s = min(deadline_s, max(self._try_s, self._closed_s + PAUSE_MIN_S))
        else:
            deadline_s = min(deadline_s, self._diagnosis.next_s(FIRST_VERDICT_S))
            if self._phase == CONNECTING:
                deadline_s = min(deadline_s, self._connect_s + CONNECT_TIMEOUT_S)
            elif self._session is not None:
                deadline_s = min(deadline_s, self._session.deadline_s)
        self.deadline_s = deadline_s
