"""Tells a message that somebody sends again from one that the device has made now. No bytes, no clock."""

from __future__ import annotations

from typing import Dict, Optional, Set

from ..versions import CONTROL, CONTROL_NEW, STATUS

REPLAY_AFTER_S = 5.0  # devices repeat a message at once, or say the same anew, but not so much later under its old date
REMEMBERED_MARKS = 1024  # of each age: a quarter of an hour of a device that pushes each second
MARK_BYTES = 8  # of a mark, which are enough to tell some thousands of them apart
NUMBERS_RISEN = 8  # in a row, before a lower one tells anything
NUMBERS_BROKEN = 256  # so many more must rise after one that did not

# Marks.heard()
Heard = str
NEW: Heard = ""
AGAIN: Heard = "again"  # a moment ago: devices do so too
OLD: Heard = "old"  # REPLAY_AFTER_S or longer ago: devices do not


class Replays:
    """What a connection has heard under its session key.

    nonces: each message holds a nonce, and a number that is the device's own (3.5): one that comes twice is a replay.
    Else (3.4) the number tells, where it counts: a device without such a one says the same in the same bytes.
    """

    def __init__(self, *, nonces: bool) -> None:
        self._nonces = nonces
        self._marks = Marks()
        self._newest = b""  # the last message with data points
        # by command: answers may have the numbers of our requests, and pushes a count of their own
        self._numbers: Dict[int, Numbers] = {}

    def fresh(
        self, mark: bytes, command: int, number: int, is_dated: bool, has_dps: bool, now_s: float
    ) -> Optional[bool]:
        """Whether nothing shows that this message was heard or made earlier; None for one that counts as nothing.

        mark: its HMAC or tag; empty where it has none that is under a session key, and nothing can be told. is_dated:
        it holds a time. has_dps: it tells a state, which may be an old one.
        """
        if not mark:
            return True
        mark = mark[:MARK_BYTES]
        heard = self._marks.heard(mark, now_s)
        numbers = self._numbers.get(command)
        if numbers is None:
            numbers = self._numbers[command] = Numbers()
        fresh: Optional[bool]
        if heard is NEW:
            fresh = not numbers.is_old(number) or not self._nonces
        elif heard is AGAIN and command == STATUS and mark == self._newest:
            return False  # some say a thing twice: it tells nothing else than is known
        elif self._nonces or self._is_counted(command, number) or (is_dated and heard is OLD):
            return None
        else:
            # without a date and a number that counts a device says the same in the same bytes
            fresh = not is_dated and (not number or numbers.are_none)
            if has_dps and not fresh and mark != self._newest and (is_dated or not self._is_constant(number)):
                return None  # it would take back what came since
        if has_dps:
            self._newest = mark
        return fresh

    def _is_counted(self, command: int, number: int) -> bool:
        """Whether this device does not give a number twice, as far as it has shown."""
        if not number or self._numbers[command].are_none:
            return False
        if self._numbers[command].have_risen:
            return True
        # writes are seldom, and what acknowledges one must not acknowledge the next
        return command in (CONTROL, CONTROL_NEW) and any(numbers.have_risen for numbers in self._numbers.values())

    def _is_constant(self, number: int) -> bool:
        """Whether all that was heard had this number, whatever its command."""
        highest = [numbers.highest for numbers in self._numbers.values() if numbers.highest]
        return len(highest) > 1 and set(highest) == {number}


class Marks:
    """What a connection has heard under the session key: tells a message that somebody sends again.

    It cannot tell one that was held back and let through once, nor one of long ago. Versions without a session key
    have nothing to tell it by: their messages hold no nonce, number or check that anybody else could not make, so that
    a device which says the same twice looks like one who repeats it.
    """

    def __init__(self) -> None:
        self._turn_s = 0.0
        self._newest: Set[bytes] = set()
        self._newer: Set[bytes] = set()
        self._old: Set[bytes] = set()  # at least REPLAY_AFTER_S
        self._older: Set[bytes] = set()

    def heard(self, mark: bytes, now_s: float) -> Heard:
        """Whether this message came before, and since when; notes it otherwise. mark: the beginning of its HMAC or tag.

        Up to four times REMEMBERED_MARKS are kept.
        """
        if now_s >= self._turn_s:
            self._turn_s = now_s + REPLAY_AFTER_S
            if len(self._old) + len(self._newer) > REMEMBERED_MARKS:
                self._older, self._old = self._old, set()
            self._old |= self._newer
            self._newer, self._newest = self._newest, set()
        if mark in self._old or mark in self._older:
            return OLD
        if mark in self._newest or mark in self._newer:
            return AGAIN
        if len(self._newest) < REMEMBERED_MARKS:
            self._newest.add(mark)
        return NEW


class Numbers:
    """The device's own count of its messages of one command (3.5), where it has one: tells one that was made earlier.

    There are devices whose numbers are 0, repeated or out of order (codetheweb/tuyapi issue 634): numbers count only
    after many have risen without exception, and 0 is none. After as many that are too low it begins anew.
    """

    def __init__(self) -> None:
        self.highest = 0
        self._rising = 0
        self._too_low = 0  # in a row

    @property
    def have_risen(self) -> bool:
        """Whether they have risen at least once, and never otherwise."""
        return self._rising > 1

    @property
    def are_none(self) -> bool:
        """Whether this device has no count that one could go by: what it said twice had one number."""
        return self._rising < 0

    def is_old(self, number: int) -> bool:
        """Whether a message of this number was made before one that was heard already."""
        if number > self.highest:
            self.highest = number
            self._rising += 1
            self._too_low = 0
            return False
        if not number:
            return False
        if self._rising < NUMBERS_RISEN:
            self._rising = -NUMBERS_BROKEN
            return False
        self._too_low += 1
        if self._too_low >= NUMBERS_RISEN:
            self.highest, self._rising, self._too_low = number, 0, 0
        return True
