"""One connection to one device as a state machine: bytes and time in, outputs and bytes out.

States: negotiating (only where there is a handshake) -> waiting for the device's word -> up -> ended. Up is what has
spoken under the key: by a message that is sealed under the session key, by a report or an error text that decrypts
under the local key, or, for a version with plain reports that was chosen, by a plain report. Our own messages sent
back are nothing: no word, no value, no sign of life. Once it is up, frames that do not verify are dropped.
Answers are not in step with requests (pushes come at any time, 3.5 devices count their own frames): every message
is an event of its own and nothing is paired by sequence number.
"""

from __future__ import annotations

from typing import Callable, List, Mapping

from .. import limits
from ..device import Habits, Polling
from ..errors import ProtocolViolation, Refused, TuyaError, WrongKey, WrongVersion
from ..events import DpValue
from ..protocol import payloads
from ..protocol.wire import BAD_CHECK, GOOD, NONCE_BYTES, OTHER_VERSION, Message, Wire
from ..versions import (
    CRC32,
    FRAMES_55AA,
    GCM_TAG,
    HEART_BEAT,
    SESSION_ANSWER,
    SESSION_FINISH,
    SESSION_START,
    UPDATEDPS,
    first_with,
)
from . import messages
from .asking import QUERIES, Asking
from .handshake import device_nonce
from .opening import KEY_TEXTS, Opening
from .questions import REFUSAL
from .replays import Replays
from .requests import Sent
from .session_outputs import Answered, Data, Ended, Opened, Output

_DEVICE_TEXTS = (*KEY_TEXTS, REFUSAL)  # in no message of ours: under the key they are the device's
_ANSWERED = Answered()


class Session:
    """Drives one connection. After each call: send take(), obey the outputs, call tick() at `deadline_s` at the latest.

    version_sure: the version was chosen, announced or has worked before, so that an error text points at the key.
    opening: what was heard before the device has spoken, and what that tells.
    plain_reports: where reports of this version are plain (3.1), they count as the device's word: it was chosen by the
    user or has proved itself before.
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
        plain_reports: bool = False,
    ) -> None:
        row = wire.row
        self._wire = wire
        self._row = row
        self._device_id = device_id
        self._label = label
        self._habits = habits
        self._nonce = nonce[:NONCE_BYTES]
        self._plain_reports = plain_reports and not row.reports_sealed
        self.opening = Opening(label, row, habits, now_s, version_sure=version_sure)
        self._asking = Asking(wire, device_id, polling, habits, now_s, wall_time)
        self.requests = self._asking.requests
        self.outgoing = self.requests.outgoing  # what take() hands out: most pushes have nothing to send
        self._replays = Replays(nonces=row.check == GCM_TAG)
        self._since_s = now_s  # of what is waited for: the connection's beginning, then the handshake's end
        self._negotiating = row.handshake
        self._unreadable = self._bad_frames = 0  # in a row
        self._frames, self._bytes, self._counted_s = 0, 0, now_s
        self._heard_s = -limits.NEVER
        self.progress_s = now_s
        self.up = self.ended = False
        self.deadline_s = now_s
        if self._negotiating:
            self.requests.send((SESSION_START, self._nonce), now_s)
        else:
            self._asking.begin(now_s)
        self._set_deadline()

    # -- what the caller asks for

    def take(self) -> bytes:
        """Bytes to send now, each once."""
        return self.requests.take()

    def set_polling(self, polling: Polling) -> None:
        """Another way of asking from now on."""
        self._asking.set_polling(polling)
        self._set_deadline()

    def write(self, dps: Mapping[int, DpValue], now_s: float) -> int:
        """Put one control message into take(). Returns its number. Raises BadValue, and then nothing is sent."""
        return self._asking.write(dps, now_s)

    @property
    def proves_key(self) -> bool:
        """Whether what the device reports shows that the local key is right."""
        return self._row.reports_sealed

    def ask_now(self, now_s: float) -> None:
        """Put a full query into take(), whatever the spacing (the confirmation of a write)."""
        self._asking.query(now_s)
        self._set_deadline()

    def ask_soon(self) -> None:
        """A full query as soon as the spacing allows."""
        self._asking.query_soon()
        self._set_deadline()

    def probe(self, now_s: float) -> None:
        """A heartbeat at once, to see whether the device still answers here."""
        self._asking.heartbeat(now_s)

    @property
    def refreshed_s(self) -> float:
        """When the last UPDATEDPS was sent (minus infinity: never)."""
        return self._asking.refreshed_s

    @property
    def heard_s(self) -> float:
        """When the device last gave a sign of life; the connection's beginning before the first."""
        return self._since_s if self._heard_s == -limits.NEVER else self._heard_s

    @property
    def answers_queries(self) -> bool:
        """Whether the last full query was answered."""
        return self._asking.answers_queries

    def has_acknowledged(self, number: int) -> bool:
        """Whether the write of this number was itself answered: the device has read it."""
        return self.requests.acknowledged(self._row.control, number)

    # -- bytes in

    def receive(self, data: bytes, now_s: float) -> List[Output]:
        """What these bytes mean; the last output may be Ended."""
        outputs: List[Output] = []
        wire = self._wire
        self.progress_s = now_s
        self._bytes += len(data)
        message = wire.first(data)
        while message is not None:
            self._frames += 1
            if message.fault is not GOOD:
                self._faulty(message, now_s, outputs)
            elif self._negotiating:
                if message.command == SESSION_ANSWER:
                    self._finish_negotiation(message.payload, now_s, outputs)
            else:
                self._bad_frames = self._unreadable = 0
                self._message(message, now_s, outputs)
            message = None if self.ended else wire.next()
        if wire.garbage_bytes:
            self.opening.garbage = True
            if wire.garbage_bytes > limits.MAX_GARBAGE_BYTES:
                self._end(outputs, Ended(ProtocolViolation(self._label, "sends data that is no Tuya protocol")))
        if self._frames > limits.MAX_FRAMES or self._bytes > limits.MAX_BYTES:
            if now_s < self._counted_s + limits.FRAMES_WITHIN_S:
                self._end(outputs, Ended(ProtocolViolation(self._label, "sends more than a breaker does")))
            self._frames, self._bytes, self._counted_s = 0, 0, now_s
        if self.outgoing or not self.up:
            self._set_deadline()
        return outputs

    def _finish_negotiation(self, payload: bytes, now_s: float, outputs: List[Output]) -> None:
        try:
            theirs = device_nonce(self._wire, self._label, self._nonce, payload)
        except ProtocolViolation as error:
            self._end(outputs, Ended(error))
            return
        self.requests.heard(SESSION_START, 0, now_s)
        self.requests.send((SESSION_FINISH, self._wire.sign(theirs)), now_s)
        self._wire.start_session(self._nonce, theirs)
        self._negotiating = False
        self.opening.handshaken = True
        self._since_s = now_s
        self._asking.begin(now_s)

    def _message(self, message: Message, now_s: float, outputs: List[Output]) -> None:
        report = payloads.parse_report(message.payload)
        # under a session key no device's return code can be put before a message of ours
        trusted = self._row.handshake and message.coded
        if report is None:
            if trusted or not payloads.is_request(self._row, message.payload):
                self._no_report(message, now_s, outputs)
            return
        if report.is_request and not trusted:
            return
        if report.device_id and report.device_id != self._device_id:
            if message.sealed and not self.up:
                self._end(outputs, Ended(Refused(self._label, "another device answers at its address")))
            return
        if not message.sealed and not self._plain_reports:
            self.opening.plain_reports += not self._row.reports_sealed
            self._live(message, now_s)
            self._without_data(message, now_s, outputs)
            return
        mark, dated, has_dps = message.mark, report.is_dated, bool(report.dps)
        fresh = self._replays.fresh(mark, message.command, message.sequence, dated, has_dps, now_s)
        if fresh is None:
            self.ask_soon()
            return
        request = self._live(message, now_s)
        if not self.up:
            self._open(outputs, proven=message.sealed)
        self._report(message.command, report, now_s, outputs, fresh=fresh, request=request)

    def _report(
        self,
        command: int,
        report: payloads.Report,
        now_s: float,
        outputs: List[Output],
        *,
        fresh: bool,
        request: Sent,
    ) -> None:
        """Data points. request: what this message answers, as far as its command tells."""
        full, answers = self._asking.reported(command, report.dps, request)
        if full:
            self._set_deadline()
        dps = report.dps
        if request.writes and not full:
            # what comes with an acknowledgement may be our own words, of a device that did not obey: it is asked
            dps = {dp: value for dp, value in dps.items() if dp not in request.writes}
            self._asking.query(now_s)
        if dps:
            outputs.append(Data(dps, full, fresh, answers))
        else:
            self._say_answered(outputs)

    def _no_report(self, message: Message, now_s: float, outputs: List[Output]) -> None:
        """Nothing at all, an error text, or JSON that is no report."""
        command = message.command
        if self._replays.fresh(message.mark, command, message.sequence, False, False, now_s) is None:
            return  # it was heard before and answers nothing
        self._live(message, now_s)
        if message.payload:
            self._text(message, now_s, outputs)
        elif command == UPDATEDPS:
            self._asking.refresh_answered(refused=message.retcode != 0 and self.up)
        if not self.ended:
            self._without_data(message, now_s, outputs)

    def _text(self, message: Message, now_s: float, outputs: List[Output]) -> None:
        plain = message.payload
        if message.sealed and any(text in plain for text in _DEVICE_TEXTS) and not self._row.handshake and not self.up:
            if not self._row.reports_sealed:
                # under our key, but not as this version encrypts: the key is right and the version is not
                error = WrongVersion(self._label, f"does not speak protocol {self._row.name}")
                self._end(outputs, Ended(error, first_with(FRAMES_55AA, CRC32) or "", hint_proven=True))
                return
            self._open(outputs, proven=True)
        if self.up:
            self._habits.troubled = True
        elif not message.sealed:
            self.opening.text(plain)
        if message.command == UPDATEDPS:
            self._asking.refresh_answered(refused=self.up and self._asking.has_reported)
        elif message.command in QUERIES and REFUSAL in plain:
            self._asking.refused(now_s)

    def _without_data(self, message: Message, now_s: float, outputs: List[Output]) -> None:
        """A sign of life. It opens the session where its seal proves the session key, and wakes the device."""
        if not self.up:
            if self._row.handshake and message.sealed:
                self._open(outputs, proven=True)
            else:
                self.opening.alive += 1
        self._asking.wake(now_s)
        self._say_answered(outputs)

    def _say_answered(self, outputs: List[Output]) -> None:
        if not outputs or outputs[-1] is not _ANSWERED:
            outputs.append(_ANSWERED)

    def _faulty(self, message: Message, now_s: float, outputs: List[Output]) -> None:
        if message.fault is BAD_CHECK:
            self._bad_check(message, outputs)
        elif message.fault is OTHER_VERSION:
            if not self.up and not self.opening.handshaken:
                error = WrongVersion(self._label, f"does not speak protocol {self._row.name}")
                self._end(outputs, Ended(error, message.hint, hint_proven=message.sealed))
        elif self._row.handshake or message.sealed or message.command == HEART_BEAT:
            # heartbeats are answered with binary too; under the key it is the device's, whatever it is
            if not self._negotiating:
                self._live(message, now_s)
                self._without_data(message, now_s, outputs)
        else:
            self._live(message, now_s)
            self.opening.unreadable += 1
            self._unreadable += 1
            if self._unreadable >= limits.MAX_UNREADABLE_FRAMES if self.up else self.opening.is_misread:
                self._end(outputs, Ended(self.opening.wrong_key_likely()))

    def _bad_check(self, message: Message, outputs: List[Output]) -> None:
        self.opening.bad_checks += 1
        self._bad_frames += 1
        if self._negotiating and message.command in (SESSION_START, SESSION_ANSWER):
            # some devices answer the first message of the handshake by its own number (jasonacox/tinytuya issue 542)
            what = "the local key is not the device's: its handshake answer proves it"
            self._end(outputs, Ended(WrongKey(self._label, what), key_disproved=message.command == SESSION_ANSWER))
        elif self._bad_frames >= limits.MAX_BAD_FRAMES:
            self._end(outputs, Ended(ProtocolViolation(self._label, "what it sends fails its checksums")))

    def _live(self, message: Message, now_s: float) -> Sent:
        """The device was heard, or somebody in its place, where anybody can make such a message.

        Returns the request that the message answers, or NONE.
        """
        self._heard_s = now_s
        return self.requests.heard(message.command, message.retcode, now_s)

    def _open(self, outputs: List[Output], *, proven: bool) -> None:
        self.up = True
        self._habits.silences.clear()
        outputs.append(Opened(proven))
        self._set_deadline()

    # -- time

    def tick(self, now_s: float) -> List[Output]:
        """What is due at `now_s`: requests, heartbeats, or the end of a peer that is silent."""
        outputs: List[Output] = []
        if not self.ended and not self.up:
            self._tick_opening(now_s, outputs)
        if not self.ended and not self._negotiating:
            if self._asking.is_lost(now_s, self._heard_s):
                self._end(outputs, Ended(self._silence()))
            else:
                self._asking.tick(now_s, self._heard_s)
        self._set_deadline()
        return outputs

    def _tick_opening(self, now_s: float, outputs: List[Output]) -> None:
        output = self.opening.due(self._since_s, self.progress_s, now_s)
        if isinstance(output, Opened):
            self._open(outputs, proven=output.proven)
        elif isinstance(output, Ended):
            self._end(outputs, output)
        elif output is not None:
            outputs.append(output)

    def _silence(self) -> TuyaError:
        if not self.up:
            return self.opening.suspicion()
        return messages.silent(self._label, unreadable=self._wire.garbage_bytes > 0 or self._bad_frames > 0)

    def _set_deadline(self) -> None:
        self.deadline_s = limits.NEVER if self._negotiating else self._asking.next_s(self._heard_s)
        if not self.up:
            self.deadline_s = min(self.deadline_s, self.opening.next_s(self._since_s, self.progress_s))

    def _end(self, outputs: List[Output], ended: Ended) -> None:
        if not self.ended:
            self.ended = True
            outputs.append(ended)
