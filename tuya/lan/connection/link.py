"""One device over all of its connections: when to connect where and how, what a failure means, what a write became.

Bytes and time are passed in, and a Transport carries out what is decided: no socket, no clock, no thread here.
Exactly one connection at a time, and a pause of at least 1 s between two.
"""

from __future__ import annotations

import random
from typing import Callable, Optional

from ..device import Device, DeviceState, Habits, Polling
from ..errors import TuyaError
from ..events import Alive, Connected, Dps, Event, Failed, Lost, Status, WriteDone
from ..limits import FIRST_VERDICT_S, NEVER, NOT_FOUND_S, PROBE_AFTER_S, PROBE_SILENCE_S
from ..locks.address_use import Places
from ..protocol.wire import Wire
from . import messages
from .attempt import Attempt
from .diagnosis import Diagnosis
from .probe import Probe
from .reconnect import Tries
from .session import Session
from .session_outputs import Answered, Data, Ended, Opened, Output, Waiting
from .transport import Transport
from .writes import Writes

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
        places: Optional[Places] = None,
        waited_s: float = 0.0,
    ) -> None:
        self.device = device
        self._polling = polling
        self._emit = emit
        self._transport = transport
        self._wall_time = wall_time
        self._random_bytes = random_bytes
        self._habits = Habits()
        self._tries = Tries(device, Places() if places is None else places, rng)
        self._writes = Writes(
            lambda dps, error, now_s: emit(WriteDone(device.device_id, now_s, dps, error)),
            lambda: self._habits.answer_s,
            lambda: self._polling.falling_dps,
        )
        self._session: Optional[Session] = None
        self._phase = STOPPED
        self._attempt = Attempt()
        self._diagnosis = Diagnosis(lambda error, now_s: emit(Failed(device.device_id, now_s, error)))
        self._probe = Probe()
        self._waited_s = waited_s  # for a first word, before the first start
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

    def start(self, now_s: float) -> None:
        """Begin to serve."""
        if self._phase == STOPPED:
            self._begin(now_s)
            self.tick(now_s)

    def stop(self, now_s: float, why: str = "it is no longer served") -> None:
        """Let go of the device; a write under way ends unconfirmed."""
        if self._session is not None or self._phase == CONNECTING:
            self._drop(now_s, abort=len(self._writes) > 0)
        self._tries.end()
        self._phase = STOPPED
        self.deadline_s = NEVER
        self._writes.drop_all(self.device.label, why, now_s)

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
        self._tries.reconfigure(device)
        basics = (old.local_key, old.port, old.version, old.version_fixed)
        if basics != (device.local_key, device.port, device.version, device.version_fixed):
            self._tries.new_versions()
            self._habits = Habits()
            self._diagnosis.forget()
        elif device.address == old.address or self.connected or self._phase == STOPPED:
            return
        if self._phase == STOPPED:
            return
        if self.connected:
            self._close(messages.settings_changed(device.label), now_s, abort=False, our_fault=True)
        elif self._phase in (CONNECTING, SESSION):
            self._drop(now_s, abort=True)
        self._begin(now_s)
        self._set_deadline()

    def _begin(self, now_s: float) -> None:
        self._phase = WAITING
        self._diagnosis.begin(now_s - self._waited_s)
        self._waited_s = 0.0
        problem = self.device.problem()
        self._tries.begin(now_s, possible=problem is None)
        if problem is not None:
            self._fail(problem, now_s)

    def write(self, dps: Dps, now_s: float) -> None:
        """Write data points, now or not at all. Ends in exactly one WriteDone."""
        self._writes.send(self._session, self.device.label, dps, now_s)
        self._flush(now_s)
        self._set_deadline()

    def query(self, _now_s: float) -> None:
        """Ask for everything as soon as the spacing allows; nothing while not connected."""
        if self._session is not None and self._session.up:
            self._session.ask_soon()
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
            address=self._attempt.address if connected else self._tries.addresses.target(),
            port=self.device.port,
            version=self._attempt.version if connected else self._tries.versions.known,
            last_error=self.last_error,
            last_heard_s=heard_s,
            last_heard_age_s=None if heard_s is None else max(0.0, now_s - heard_s),
            device22=self._habits.device22,
        )

    # -- what the network says

    def announced(self, address: str, version: str, now_s: float) -> None:
        """An announcement of this device: a hint, which may cost one failed session and never one that works."""
        if self._phase == STOPPED or self.device.problem() is not None:
            return
        tries, session = self._tries, self._session
        if session is not None and session.up:
            tries.heard_connected(address, version, now_s)
            elsewhere = address != self._attempt.address
            if elsewhere or now_s - session.heard_s >= PROBE_SILENCE_S:
                quiet_s = max(session.refreshed_s, session.heard_s) + PROBE_AFTER_S
                self._probe.plan(now_s, quiet_s, judges=elsewhere, answer_s=1.5 * self._habits.answer_s)
        elif tries.heard(address, version, now_s):
            if self._phase == WAITING:
                tries.hurry(now_s)
            elif self._phase == CONNECTING and address != self._attempt.address:
                self._attempt.is_elsewhere(now_s)
            elif self._phase == SESSION and address != self._attempt.address and tries.may_leave(now_s):
                self._attempt.may_be_elsewhere(now_s)
        self.tick(now_s)

    def tcp_opened(self, now_s: float) -> None:
        """TCP is connected."""
        device = self.device
        versions, address = self._tries.versions, self._attempt.address
        version = versions.current(address)
        self._attempt.opened(version, now_s)
        if self._tries.is_look(address) and not self._habits.is_late:
            self._attempt.may_be_elsewhere(now_s)
        self._attempt.guess_ends_s = self._tries.guess_ends_s(address, version, now_s)
        self._phase = SESSION
        self._session = Session(
            Wire(version, device.local_key, self._random_bytes),
            device.device_id,
            device.label,
            self._polling,
            self._habits,
            now_s,
            nonce=self._random_bytes(16),
            wall_time=self._wall_time,
            version_sure=versions.is_sure(version, address),
            plain_reports=versions.trusts_plain(version),
        )
        self._flush(now_s)
        self._set_deadline()

    def connect_failed(self, reason: str, refused: bool, now_s: float) -> None:
        """No TCP connection. reason: text of the operating system."""
        error = messages.no_connection(self.device, self._attempt.address, reason, refused)
        self._close(error, now_s, abort=True)
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
        else:
            if session.outgoing:
                self._flush(now_s)
            if session.deadline_s < self.deadline_s:
                self.deadline_s = session.deadline_s

    def tcp_closed(self, now_s: float) -> None:
        """The peer closed or reset the connection."""
        session = self._session
        if session is None:
            return
        end = self._attempt.ended_by_peer(session, self._habits, self.device.label, now_s)
        if end.error is not None:
            self._close(end.error, now_s, abort=False, our_fault=end.our_fault)
        else:
            self._end_session(session, None, now_s, abort=False, our_fault=False)
        self._set_deadline()

    def give_up(self, now_s: float) -> None:
        """Something failed on our side while this device was served: begin again with a new connection."""
        if self._phase != STOPPED:
            self._close(messages.internal(self.device.label), now_s, abort=True)
            self._set_deadline()

    # -- time

    def tick(self, now_s: float) -> None:
        """Do what is due."""
        if self._phase == WAITING:
            self._tick_waiting(now_s)
        elif self._phase == CONNECTING and now_s >= self._attempt.until_s:
            self.connect_failed("no answer", False, now_s)
        session = self._session
        if session is not None and now_s >= session.deadline_s:
            for output in session.tick(now_s):
                self._obey(output, now_s)
        if self._session is not None:
            self._tick_doubts(self._session, now_s)
        self._tick_writes(now_s)
        if self._diagnosis.verdict_due(now_s) and self._phase in (CONNECTING, SESSION):
            early = messages.no_answer_yet(self.device.label, self._attempt.address)
            self._fail(early if self._session is None else self._session.opening.suspicion(), now_s)
        self._flush(now_s)
        self._set_deadline()

    def _tick_waiting(self, now_s: float) -> None:
        tries = self._tries
        address = tries.next(now_s)
        if address is not None:
            self._attempt = Attempt(address, now_s)
            self._phase = CONNECTING
            self._transport.connect(address, self.device.port)
        elif tries.holder is not None:
            if tries.holder.proven or self._diagnosis.waits(now_s, FIRST_VERDICT_S):
                where = tries.addresses.target() or ""
                self._fail(messages.address_taken(self.device.label, where, tries.holder.label), now_s)
        elif tries.addresses.target() is None and self._diagnosis.waits(now_s, NOT_FOUND_S):
            self._fail(messages.no_address(self.device.label), now_s)

    def _tick_doubts(self, session: Session, now_s: float) -> None:
        if not session.up:
            # what proves nothing must not keep us from other addresses at which the device may be
            if now_s >= self._attempt.next_s(session) or self._tries.is_doubted(now_s - self._attempt.tcp_s, now_s):
                self._close(session.opening.suspicion(), now_s, abort=True)
        elif self._probe.is_due(now_s, session.heard_s):
            session.probe(now_s)
        elif self._probe.has_failed(now_s, session.heard_s):
            self._close(messages.moved(self.device.label), now_s, abort=True)
            self._tries.moved(now_s)

    def _tick_writes(self, now_s: float) -> None:
        self._writes.ask(self._session, now_s)
        overdue = self._writes.overdue(self._session, self._transport.is_taken, now_s)
        if overdue is None:
            return
        if overdue.stop:  # before it is told: "not confirmed" is never followed by a switch
            self._close(messages.unanswered(self.device.label), now_s, abort=True)
        self._writes.give_up(overdue, self.device.label, now_s)
        self._writes.confirm(self._session, now_s)  # what has waited for their end

    # -- what follows

    def _obey(self, output: Output, now_s: float) -> None:
        device_id = self.device.device_id
        if isinstance(output, Data):
            self._attempt.brought = True
            self._emit(Status(device_id, now_s, output.dps, output.full))
            answer = output.answer if output.full else None
            self._writes.report(output.dps, self._session, now_s, fresh=output.fresh, answer=answer)
        elif isinstance(output, Answered):
            self._emit(Alive(device_id, now_s))
            if self._writes:
                self._writes.confirm(self._session, now_s)
        elif isinstance(output, Opened):
            self._tries.session_up(self._attempt.address, self._attempt.version, proven=output.proven)
            self._diagnosis.all_is_well()
            self.last_error = None
            self._emit(Connected(device_id, now_s, self._attempt.address, self.device.port, self._attempt.version))
        elif isinstance(output, Waiting):
            if not self._tries.is_look(self._attempt.address):
                self._fail(output.error, now_s)
        else:
            self._close(output.error, now_s, abort=True, ended=output)

    def _close(
        self, error: TuyaError, now_s: float, *, abort: bool, ended: Optional[Ended] = None, our_fault: bool = False
    ) -> None:
        """Close what is open, say why, and decide when and how the next connection is tried."""
        session, tries = self._session, self._tries
        if session is not None and session.up:
            self._end_session(session, error, now_s, abort=abort, our_fault=our_fault)
            return
        self._drop(now_s, abort=abort or len(self._writes) > 0)
        address, version, wedged = self._attempt.address, self._attempt.version, tries.seems_wedged
        error = tries.judged(error, address, now_s)
        is_look = tries.is_look(address)
        strange = session is not None and session.opening.is_strange
        sure = session is None or tries.versions.is_sure(version, address)
        tries.try_failed(address, version, error, now_s, answered=session is not None, strange=strange, ended=ended)
        proof = tries.key_proofs > 0
        if tries.needs_another_proof:
            return
        if tries.seems_wedged and not wedged:
            self._diagnosis.forget()  # told once more, with what helps
            self._fail(tries.judged(error, address, now_s), now_s)
        elif not is_look and self._diagnosis.outweighs(error, version, sure=sure, proof=proof):
            self._fail(error, now_s)

    def _end_session(
        self, session: Session, error: Optional[TuyaError], now_s: float, *, abort: bool, our_fault: bool
    ) -> None:
        """A session that was up is over. error None: as the lengths of its connections say."""
        self._drop(now_s, abort=abort or len(self._writes) > 0)
        self.last_heard_s = session.heard_s
        self._tries.lost(now_s, now_s - self._attempt.tcp_s, brought=self._attempt.brought, our_fault=our_fault)
        self._habits.troubled = self._tries.lives.short > 0
        self.last_error = error or messages.closed(self.device.label, self._tries.lives)
        self._emit(Lost(self.device.device_id, now_s, self.last_error))

    def _drop(self, now_s: float, *, abort: bool) -> None:
        """Close what is open; the pause begins."""
        self._session = None
        self._transport.close(abort=abort)
        self._probe.forget()
        self._tries.closed(now_s)
        self._phase = WAITING

    def _fail(self, error: TuyaError, now_s: float) -> None:
        self.last_error = error
        self._diagnosis.tell_failure(error, now_s)

    def _flush(self, now_s: float) -> None:
        if self._session is not None:
            data = self._session.take()
            if data:
                self._attempt.sends(self._session, now_s)
                self._transport.send(data)

    def _set_deadline(self) -> None:
        if self._phase == STOPPED:
            self.deadline_s = self._writes.next_s(up=False)
            return
        deadline_s = min(self._writes.next_s(up=self.connected), self._probe.next_s())
        if self._phase == WAITING:
            if self._tries.addresses.target() is None:
                deadline_s = min(deadline_s, self._diagnosis.next_s(NOT_FOUND_S))
            else:
                deadline_s = min(deadline_s, self._tries.due_s)
                if self._tries.holder is not None:
                    deadline_s = min(deadline_s, self._diagnosis.next_s(FIRST_VERDICT_S))
        else:
            deadline_s = min(deadline_s, self._diagnosis.next_s(FIRST_VERDICT_S))
            if self._phase == CONNECTING:
                deadline_s = min(deadline_s, self._attempt.until_s)
            elif self._session is not None:
                deadline_s = min(deadline_s, self._session.deadline_s)
                if not self._session.up:
                    patient_s = self._attempt.tcp_s + self._tries.patience_s
                    deadline_s = min(deadline_s, patient_s, self._attempt.next_s(self._session))
        self.deadline_s = deadline_s
