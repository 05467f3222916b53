"""Tells a message that somebody sends again from one that the device has made now. No bytes, no clock."""

from __future__ import annotations

from typing import Dict, Optional, Set

REPLAY_AFTER_S = 5.0  # devices repeat a message at once, or say the same anew, but not so much later under its old date
REMEMBERED_MARKS = 256  # of each age: some minutes of a device that pushes each second
MARK_BYTES = 8  # of a mark, which are enough to tell some hundred of them apart
NUMBERS_RISEN = 8  # in a row, before a lower one tells anything
NUMBERS_BROKEN = 256  # so many more must rise after one that did not

# Marks.heard()
Heard = str
NEW: Heard = ""
AGAIN: Heard = "again"  # a moment ago: devices do so too
OLD: Heard = "old"  # REPLAY_AFTER_S or longer ago: devices do not


class Replays:
    """What a connection has heard under its session key. counts: numbers in messages are the device's own (3.5)."""

    def __init__(self, *, counts: bool) -> None:
        self._counts = counts
        self._marks = Marks()
        # by command: answers may have the numbers of our requests, and pushes a count of their own
        self._numbers: Dict[int, Numbers] = {}

    def fresh(self, mark: bytes, command: int, number: int, *, is_dated: bool, now_s: float) -> Optional[bool]:
        """Whether nothing shows that this report was heard or made earlier; None for one to be dropped.

        mark: its HMAC or tag. is_dated: it holds a time.
        """
        heard = self._marks.heard(mark, now_s)
        if heard is OLD and is_dated:
            return None
        numbers = self._numbers.setdefault(command, Numbers())
        if heard is NEW:
            return not numbers.is_old(number) or not self._counts
        # without a date and a number that counts a device says the same in the same bytes
        return not is_dated and (not number or numbers.are_none)


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

    def heard(self, mark: bytes, now_s: float) -> Heard:
        """Whether this message came before, and since when; notes it otherwise. mark: its HMAC or tag."""
        if now_s >= self._turn_s:
            self._turn_s = now_s + REPLAY_AFTER_S
            if len(self._old) + len(self._newer) > REMEMBERED_MARKS:
                self._old = set()
            self._old |= self._newer
            self._newer, self._newest = self._newest, set()
        mark = mark[:MARK_BYTES]
        if mark in self._old:
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
        self._highest = 0
        self._rising = 0
        self._too_low = 0  # in a row

    @property
    def are_none(self) -> bool:
        """Whether this device has no count that one could go by: what it said twice had one number."""
        return self._rising < 0

    def is_old(self, number: int) -> bool:
        """Whether a message of this number was made before one that was heard already."""
        if number > self._highest:
            self._highest = number
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
            self._highest, self._rising, self._too_low = number, 0, 0
        return True
