"""One connection to one device as a state machine: bytes and time in, outputs and bytes out. No socket, no clock.

States: opening (handshake for 3.4 and 3.5, then the first answer) -> up -> ended. What a peer does wrong before it
is up ends the session with a diagnosis; once it is up, frames that do not verify are dropped and counted.
Answers are not in step with requests (pushes come at any time, 3.5 devices count their own frames): every message
is an event of its own and nothing is paired by sequence number.
"""

from __future__ import annotations

from typing import Callable, List, Mapping

from ..device import Habits, Polling
from ..errors import Mute, ProtocolViolation, Refused, TuyaError, WrongKey, WrongVersion
from ..events import DpValue
from ..limits import (
    ACKNOWLEDGING_LIMIT_S,
    ANSWER_TIMEOUT_S,
    FIRST_QUERY_REPEAT_S,
    MAX_GARBAGE_BYTES,
    MAX_UNREADABLE_FRAMES,
    OPENING_LIMIT_S,
)
from ..protocol import payloads
from ..protocol.wire import (
    BAD_CHECK,
    DP_QUERY,
    DP_QUERY_NEW,
    GOOD,
    NONCE_BYTES,
    OTHER_VERSION,
    SESSION_ANSWER,
    SESSION_FINISH,
    SESSION_START,
    UNREADABLE,
    UPDATEDPS,
    Message,
    Wire,
)
from .schedule import Schedule
from .session_outputs import Answered, Data, Doubt, Ended, Opened, Output

DIGEST_BYTES = 32


_ANSWERED = Answered()
_QUERIES = (DP_QUERY, DP_QUERY_NEW)


class Session:
    """Drives one connection. After each call: send take(), obey the outputs, call tick() at `deadline_s` at the latest.

    version_sure: the version was chosen, announced or has worked before, so that an error text points at the key.
    """

    def __init__(
        self,
        wire: Wire,
        device_id: str,
        label: str,
        polling: Polling,
        habits: Habits,
        now_s: float,
        *,
        nonce: bytes,
        wall_time: Callable[[], float],
        version_sure: bool,
    ) -> None:
        self._wire = wire
        self._device_id = device_id
        self._label = label
        self._habits = habits
        self._nonce = nonce[:NONCE_BYTES]
        self._wall_time = wall_time
        self._version_sure = version_sure
        self._schedule = Schedule(polling, habits, now_s)
        habits.device22 = False  # each connection asks plainly first: an update may have cured the device
        self._outgoing = bytearray()
        self._opened_s = now_s
        self.progress_s = now_s
        self._repeat_s = now_s + FIRST_QUERY_REPEAT_S if wire.version == "3.2" else float("inf")
        self._doubted = False
        self._negotiating = wire.has_session
        self._texts = 0
        self._unreadable = 0
        self._bad_checks = 0
        self._verified = 0
        self._asked22 = False
        self._wrote_since_query = False
        self.up = False
        self.ended = False
        self.heard_s = now_s
        self.dropped_frames = 0
        self.deadline_s = now_s
        if self._negotiating:
            self._send((SESSION_START, self._nonce))
        else:
            self._query(now_s)
        self._set_deadline()

    # -- what the caller asks for

    def take(self) -> bytes:
        """Bytes to send now, each once."""
        if not self._outgoing:
            return b""
        data = bytes(self._outgoing)
        self._outgoing.clear()
        return data

    @property
    def buffered_bytes(self) -> int:
        """Bytes held of an unfinished frame."""
        return self._wire.buffered_bytes

    def set_polling(self, polling: Polling) -> None:
        """Another way of asking from now on."""
        self._schedule.set_polling(polling)
        self._set_deadline()

    def write(self, dps: Mapping[int, DpValue]) -> None:
        """Put one control message into take(). Raises BadValue, and then nothing is sent."""
        self._send(payloads.control(self._wire.version, self._device_id, self._wall_time(), dps))
        self._wrote_since_query = True

    def ask_now(self, now_s: float) -> None:
        """Put a full query into take(), whatever the spacing (the confirmation of a write)."""
        self._query(now_s)
        self._set_deadline()

    def ask_soon(self, now_s: float) -> None:
        """A full query as soon as the spacing allows."""
        self._schedule.query_soon(now_s)
        self._set_deadline()

    def probe(self) -> None:
        """A heartbeat at once, to see whether the device still answers here."""
        self._send(payloads.heartbeat(self._device_id))

    @property
    def refreshed_s(self) -> float:
        """When the last UPDATEDPS was sent (minus infinity: never)."""
        return self._schedule.refreshed_s

    # -- bytes in

    def receive(self, data: bytes, now_s: float) -> List[Output]:
        """What these bytes mean; the last output may be Ended."""
        outputs: List[Output] = []
        wire = self._wire
        self.progress_s = now_s
        wire.feed(data)
        while not wire.is_empty and not self.ended:
            message = wire.next()
            if message is None:
                break
            if message.fault is not GOOD:
                self._faulty(message, now_s, outputs)
            elif self.up:
                self.heard_s = now_s
                self._unreadable = 0
                self._content(message, now_s, outputs)
            else:
                self._opening(message, now_s, outputs)
        if wire.garbage_bytes > MAX_GARBAGE_BYTES:
            self._end(outputs, ProtocolViolation(self._label, "sends data that is no Tuya protocol"))
        if self._outgoing or not self.up:
            self._set_deadline()
        return outputs

    def _opening(self, message: Message, now_s: float, outputs: List[Output]) -> None:
        if self._negotiating:
            if message.command == SESSION_ANSWER:
                self._finish_negotiation(message.payload, now_s, outputs)
            return
        self.heard_s = now_s
        self._verified += 1
        if self._wire.has_session:
            self._open(now_s, outputs)
            self._content(message, now_s, outputs)
            return
        # 3.1-3.3: an empty acknowledgement needs no key, so only what is encrypted, or data points, opens it
        report = payloads.parse_report(message.payload) if message.payload else None
        if report is None and not (message.payload and message.sealed):
            if message.payload:
                self._texts += 1
                self._try_device22(message, now_s)
            return
        if report is None and self._wire.version == "3.1":
            # an error under our key, but not as 3.1 encrypts: the key is right and the version is not
            self._end(outputs, WrongVersion(self._label, "does not speak protocol 3.1"), "3.3")
            return
        if report is not None and report.device_id and report.device_id != self._device_id:
            self._end(outputs, Refused(self._label, "another device answers at its address"))
            return
        self._open(now_s, outputs)
        self._content(message, now_s, outputs)

    def _finish_negotiation(self, payload: bytes, now_s: float, outputs: List[Output]) -> None:
        """Message 4: device nonce [16], HMAC of our nonce under the local key [32]."""
        if len(payload) < NONCE_BYTES + DIGEST_BYTES:
            self._end(outputs, ProtocolViolation(self._label, "its handshake answer is too short"))
            return
        device_nonce = payload[:NONCE_BYTES]
        if self._wire.sign(self._nonce) != payload[NONCE_BYTES : NONCE_BYTES + DIGEST_BYTES]:
            self._end(outputs, self._wrong_key_proven())
            return
        self._send((SESSION_FINISH, self._wire.sign(device_nonce)))
        self._wire.start_session(self._nonce, device_nonce)
        self._negotiating = False
        self._query(now_s)

    def _open(self, now_s: float, outputs: List[Output]) -> None:
        self.up = True
        self._schedule.opened(now_s)
        outputs.append(Opened())
        self._set_deadline()

    def _content(self, message: Message, now_s: float, outputs: List[Output]) -> None:
        command = message.command
        schedule = self._schedule
        if not message.payload:
            if command == UPDATEDPS:
                schedule.refresh_answered(refused=message.retcode != 0)
            outputs.append(_ANSWERED)
            return
        report = payloads.parse_report(message.payload)
        if report is None:
            self._habits.troubled = True
            if command == UPDATEDPS:
                schedule.refresh_answered(refused=True)
            else:
                self._try_device22(message, now_s)
            outputs.append(_ANSWERED)
            return
        if report.device_id and report.device_id != self._device_id:
            self.dropped_frames += 1
            return
        full = command in _QUERIES or (self._asked22 and self._answers_device22(report.dps))
        if full:
            self._asked22 = False
            schedule.query_answered()
        else:
            schedule.refresh_answered(refused=False)
        outputs.append(Data(report.dps, full) if report.dps else _ANSWERED)

    def _answers_device22(self, dps: Mapping[int, DpValue]) -> bool:
        """Whether this answers a query by CONTROL_NEW: that comes as any command, with pushes beside it."""
        seen = self._habits.device22_dps
        if self._wrote_since_query or 2 * len(seen & dps.keys()) < len(seen):
            return False
        seen.update(dps)
        return True

    def _try_device22(self, message: Message, now_s: float) -> None:
        if not self._habits.device22 and payloads.DEVICE22_TEXT in message.payload and message.command in _QUERIES:
            self._habits.device22 = True
            self._schedule.query_answered()
            self._query(now_s)

    def _faulty(self, message: Message, now_s: float, outputs: List[Output]) -> None:
        self.dropped_frames += 1
        if message.fault is BAD_CHECK:
            self._bad_checks += 1
            if self._negotiating and message.command == SESSION_ANSWER:
                self._end(outputs, self._wrong_key_proven())
        elif message.fault is OTHER_VERSION:
            if not self.up:
                error = WrongVersion(self._label, f"does not speak protocol {self._wire.version}")
                self._end(outputs, error, message.hint)
        elif message.fault is UNREADABLE and self._wire.has_session:
            # its check proves the key, so it is a sign of life, whatever it may hold
            if not self._negotiating:
                self.heard_s = now_s
                if not self.up:
                    self._open(now_s, outputs)
                outputs.append(_ANSWERED)
        elif message.fault is UNREADABLE:
            self.heard_s = now_s
            self._unreadable += 1
            if self._unreadable >= (MAX_UNREADABLE_FRAMES if self.up else MAX_UNREADABLE_FRAMES - 1):
                self._end(outputs, self._wrong_key_likely())

    # -- time

    def tick(self, now_s: float) -> List[Output]:
        """What is due at `now_s`: requests, heartbeats, or the end of a peer that is silent."""
        outputs: List[Output] = []
        if self.ended:
            return outputs
        if not self.up:
            self._tick_opening(now_s, outputs)
        else:
            schedule = self._schedule
            if schedule.is_lost(now_s, self.heard_s):
                what = "the connection is open but nothing is answered any more"
                if self._wire.garbage_bytes or self._bad_checks:
                    what = "nothing readable is answered any more"
                self._end(
                    outputs, Mute(self._label, what, "It is tried again; a breaker that stays so needs a restart")
                )
            else:
                if schedule.heartbeat_due(now_s, self.heard_s):
                    self._send(payloads.heartbeat(self._device_id))
                if schedule.query_due(now_s):
                    self._query(now_s)
                elif schedule.refresh_due(now_s):
                    self._send(payloads.refresh(schedule.refresh_sent(now_s)))
        self._set_deadline()
        return outputs

    def _tick_opening(self, now_s: float, outputs: List[Output]) -> None:
        if now_s >= self._repeat_s:
            # 3.2 devices mostly are of the device22 kind, and some stay silent on a plain query
            self._repeat_s = float("inf")
            self._send_device22(now_s)
        if now_s < self._give_up_s():
            if self._doubted and self._schedule.is_lost(now_s, self.heard_s):
                self._end(outputs, self.suspicion())
            elif self._doubted and self._schedule.heartbeat_due(now_s, self.heard_s):
                self._send(payloads.heartbeat(self._device_id))
                self._query(now_s)
            return
        error = self.suspicion()
        if not self._doubted and self._verified and not self._unreadable and not self._texts:
            # it acknowledges without data: it may be one that never answers queries and only pushes
            self._doubted = True
            self._schedule.opened(now_s)
            outputs.append(Doubt(error))
        else:
            self._end(outputs, error)

    def _give_up_s(self) -> float:
        if self._doubted:
            return self._opened_s + ACKNOWLEDGING_LIMIT_S
        return min(self.progress_s + ANSWER_TIMEOUT_S, self._opened_s + OPENING_LIMIT_S)

    @property
    def has_evidence(self) -> bool:
        """Whether anything was heard that tells more than a closed connection does."""
        return bool(self._unreadable or self._texts or self._verified or self._bad_checks or self._wire.garbage_bytes)

    def suspicion(self) -> TuyaError:
        """The diagnosis of a connection that does not get up, from what was heard on it so far."""
        if self._unreadable:
            return self._wrong_key_likely()
        if self._texts:
            if self._version_sure:
                return self._wrong_key_likely()
            return WrongVersion(self._label, f"answers protocol {self._wire.version} with errors only")
        if self._verified:
            return Mute(self._label, "acknowledges, but answers no query")
        if self._bad_checks:
            what = "what it answers fails its checksums: another protocol version, or a wrong local key"
            return ProtocolViolation(self._label, what)
        if self._wire.garbage_bytes:
            return ProtocolViolation(self._label, "answers with data that is no Tuya protocol")
        return Mute(self._label, f"takes the connection and answers nothing (protocol {self._wire.version})")

    def _set_deadline(self) -> None:
        if self.up:
            self.deadline_s = self._schedule.next_s()
        elif self._doubted:
            self.deadline_s = min(self._schedule.heartbeat_s(), self._give_up_s())
        else:
            self.deadline_s = min(self._give_up_s(), self._repeat_s)

    # -- helpers

    def _send(self, request: payloads.Request) -> None:
        self._outgoing += self._wire.pack(*request)

    def _query(self, now_s: float) -> None:
        if self._habits.device22 and self._schedule.unanswered_queries < 2:
            self._send_device22(now_s)
            return
        self._habits.device22 = False  # it never was, or is no more: ask plainly and let it complain
        self._schedule.query_sent(now_s)
        self._wrote_since_query = False
        self._send(payloads.query(self._wire.version, self._device_id, self._wall_time()))

    def _send_device22(self, now_s: float) -> None:
        self._schedule.query_sent(now_s)
        self._wrote_since_query = False
        self._asked22 = True
        dps = self._schedule.polling.query_dps
        self._send(payloads.query_device22(self._device_id, self._wall_time(), dps))

    def _end(self, outputs: List[Output], error: TuyaError, hint: str = "") -> None:
        if not self.ended:
            self.ended = True
            outputs.append(Ended(error, hint))

    def _wrong_key_proven(self) -> TuyaError:
        return WrongKey(self._label, "the local key is not the device's: its handshake answer proves it")

    def _wrong_key_likely(self) -> TuyaError:
        what = "answers, but nothing it says can be read with this local key"
        return WrongKey(self._label, what if self._version_sure else f"{what} (or the version is another one)")
