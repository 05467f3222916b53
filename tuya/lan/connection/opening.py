"""A connection before the device has spoken under its key: what was heard so far, what it tells, how long to wait.

Real devices answer a first query with an error text, with nothing, with a bare acknowledgement or seconds late. Any
sign of life keeps the connection; what speaks for a wrong key or another version ends it, with that diagnosis.
"""

from __future__ import annotations

from typing import Union

from ..device import Habits
from ..errors import Mute, ProtocolViolation, TuyaError, WrongKey, WrongVersion
from ..limits import (
    ANSWER_TIMEOUT_S,
    FIRST_UNPROVEN_LIMIT_S,
    KNOWN_SILENCES,
    LATE_ANSWER_TIMEOUT_S,
    LATE_OPENING_LIMIT_S,
    MAX_UNREADABLE_FRAMES,
    NEVER,
    OPENING_LIMIT_S,
    UNPROVEN_LIMIT_S,
)
from ..versions import Version
from .session_outputs import Ended, Opened, Waiting

KEY_TEXTS = (b"data format error", b"parse data error")  # what devices say to bytes that they cannot decrypt
_KEY_CURE = "The key changes at each new pairing: fetch it again with 'bash install.sh keys'"


class Opening:
    """What was heard on one connection, counted. version_sure: the version is no guess, so that errors tell of the key.

    handshaken: set when the handshake has proved the key.
    """

    def __init__(self, label: str, version: Version, habits: Habits, now_s: float, *, version_sure: bool) -> None:
        self._label = label
        self._version = version
        self._habits = habits
        self._version_sure = version_sure
        self._opened_s = now_s
        silences = KNOWN_SILENCES if habits.has_answered else 1
        self._patient = habits.is_late or habits.silences.get(version.name, 0) >= silences
        self.handshaken = False
        self.waiting_said = False
        self.alive = 0  # acknowledgements and texts: signs of life that anybody can give
        self.texts = 0
        self.key_texts = 0
        self.plain_reports = 0
        self.unreadable = 0
        self.bad_checks = 0
        self.garbage = False

    @property
    def has_evidence(self) -> bool:
        """Whether anything was heard that tells more than a closed connection does."""
        return bool(self.alive or self.unreadable or self.bad_checks or self.garbage or self.handshaken)

    @property
    def is_strange(self) -> bool:
        """Whether what was heard is no Tuya protocol of any version."""
        return self.garbage and not (self.alive or self.unreadable or self.bad_checks or self.handshaken)

    @property
    def lives(self) -> bool:
        """Whether what was heard is a device that may come to its senses."""
        return (self.handshaken or self.alive > 0) and not self.key_texts and not self.unreadable

    @property
    def is_misread(self) -> bool:
        """Whether enough came that does not decrypt."""
        return self.unreadable >= MAX_UNREADABLE_FRAMES - 1

    def text(self, plain: bytes) -> None:
        """An error text that anybody can have sent."""
        self.alive += 1
        self.texts += 1
        if any(text in plain for text in KEY_TEXTS):
            self.key_texts += 1

    def silence_ends_s(self, progress_s: float) -> float:
        """Until when to wait for an answer. progress_s: when the last byte came."""
        if self._patient:
            return min(progress_s + LATE_ANSWER_TIMEOUT_S, self._opened_s + LATE_OPENING_LIMIT_S)
        return min(progress_s + ANSWER_TIMEOUT_S, self._opened_s + OPENING_LIMIT_S)

    def patience_ends_s(self) -> float:
        """Until when a living device is waited for: without end where the version is no guess."""
        if self._version_sure:
            return NEVER
        known = self._version.name in self._habits.lively_versions
        return self._opened_s + (UNPROVEN_LIMIT_S if known else FIRST_UNPROVEN_LIMIT_S)

    def was_patient(self) -> None:
        """It lived and did not prove itself in time: other versions have their turn, and this one longer next time."""
        self._habits.lively_versions.add(self._version.name)

    def was_silent(self) -> None:
        """Nothing at all came in time: the next connection in this version waits longer."""
        if not self.has_evidence:
            silences = self._habits.silences
            silences[self._version.name] = silences.get(self._version.name, 0) + 1

    # -- by the clock. since_s: of what is waited for; progress_s: when the last byte came

    def due(self, since_s: float, progress_s: float, now_s: float) -> Union[Opened, Waiting, Ended, None]:
        """What the time that has passed means, if anything."""
        if self.handshaken and now_s >= since_s + ANSWER_TIMEOUT_S:
            return Opened(proven=True)  # the handshake was its word; it has not reported yet
        if not self.lives:
            if now_s >= self.silence_ends_s(progress_s):
                self.was_silent()
                return Ended(self.suspicion())
        elif now_s >= self.patience_ends_s():
            self.was_patient()
            return Ended(self.suspicion())
        elif not self.waiting_said and now_s >= since_s + ANSWER_TIMEOUT_S:
            self.waiting_said = True
            return Waiting(self.suspicion())
        return None

    def next_s(self, since_s: float, progress_s: float) -> float:
        """When something is due."""
        ends_s = self.patience_ends_s() if self.lives else self.silence_ends_s(progress_s)
        if self.handshaken or (self.lives and not self.waiting_said):
            return min(since_s + ANSWER_TIMEOUT_S, ends_s)
        return ends_s

    # -- in words

    def suspicion(self) -> TuyaError:
        """The diagnosis of a connection on which the device has not spoken, from what was heard so far."""
        label, name = self._label, self._version.name
        if self.unreadable:
            return self.wrong_key_likely()
        if self.key_texts:
            what = "answers with an error text only: its local key has changed"
            if not self._version_sure:
                what += f", or it speaks another protocol version than {name}"
            return WrongKey(label, what, _KEY_CURE)
        if self.plain_reports:
            what = f"answers as a device of protocol {name} does, which cannot prove who it is"
            cure = f'If it is one: choose {name} as its protocol, or write "version": "{name}" in devices.json'
            return WrongVersion(label, what, cure)
        if self.alive or self.handshaken:
            what = "is connected and has not reported yet"
            if self.texts:
                what += " (it answers with an error text)"
            cure = "It is asked again by itself. If this stays: switch its power off and on"
            if not self.handshaken:
                cure += "; the local key or the version may be wrong"
            return Mute(label, what, cure)
        if self.bad_checks:
            what = "what it answers fails its checksums: another protocol version, or a wrong local key"
            return ProtocolViolation(label, what)
        if self.garbage:
            return ProtocolViolation(label, "answers with data that is no Tuya protocol")
        return Mute(label, f"takes the connection and answers nothing (protocol {name})")

    def wrong_key_likely(self) -> TuyaError:
        """What comes does not decrypt."""
        what = "answers, but nothing it says can be read with this local key"
        return WrongKey(self._label, what if self._version_sure else f"{what} (or the version is another one)")
