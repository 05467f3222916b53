"""The locks of all devices that a client serves: taken, asked after, answered for and tried again. No protocol."""

from __future__ import annotations

import selectors
from typing import Callable, Dict, List, Optional

from ..limits import OWNER_ANSWER_S, OWNER_RETRY_S
from .device_lock import HAS_ABSTRACT_SOCKETS, Lock, OwnerState, Question, ask, take

NEVER = float("inf")
UNKNOWN_OWNER = "another program"


class Ownership:
    """Runs on the network thread. `freed` and `denied` are called for devices whose lock was wanted.

    denied returns after how many seconds to try again, None: as usual. share, yields: see OwnerState.
    """

    def __init__(
        self,
        selector: selectors.BaseSelector,
        owner: str,
        state: Callable[[str, str], OwnerState],
        freed: Callable[[str, float], None],
        denied: Callable[[str, OwnerState, float], Optional[float]],
        share: str = "",
        yields: bool = False,
    ) -> None:
        self._selector = selector
        self._owner = owner
        self._state = state
        self._freed = freed
        self._tell_denied = denied
        self._share = share
        self._yields = yields
        self._locks: Dict[str, Lock] = {}
        self._questions: Dict[str, _Asking] = {}
        self._retries: Dict[str, float] = {}
        self.deadline_s = NEVER

    def want(self, device_id: str, now_s: float) -> None:
        """Take the lock of a device: freed() is called now or when it becomes free, denied() while it is not."""
        if device_id in self._locks:
            return
        lock = take(device_id, self._owner, self._share, self._yields)
        if lock is not None:
            self._locks[device_id] = lock
            self._retries.pop(device_id, None)
            if lock.listens is not None:
                self._selector.register(lock.listens, selectors.EVENT_READ, _Door(self, device_id, lock))
            self._freed(device_id, now_s)
            return
        self._retries[device_id] = now_s + OWNER_RETRY_S
        if not HAS_ABSTRACT_SOCKETS:
            self._denied(device_id, ask(device_id) or OwnerState(UNKNOWN_OWNER), now_s)
        elif device_id not in self._questions:
            asking = _Asking(self, device_id, now_s)
            if asking.question.open:
                self._questions[device_id] = asking
                self._selector.register(asking.question, selectors.EVENT_READ, asking)
            else:
                asking.question.close()
                self._denied(device_id, OwnerState(UNKNOWN_OWNER), now_s)
        self._set_deadline()

    def release(self, device_id: str) -> None:
        """The device is no longer served here."""
        lock = self._locks.pop(device_id, None)
        if lock is not None:
            if lock.listens is not None:
                self._selector.unregister(lock.listens)
            lock.release()
        self._retries.pop(device_id, None)
        self._forget(device_id)
        self._set_deadline()

    def release_all(self) -> None:
        """The client ends."""
        for device_id in [*self._locks, *self._retries]:
            self.release(device_id)

    def tick(self, now_s: float) -> None:
        """Try again what is due; give up questions that nobody answers."""
        for device_id, asking in list(self._questions.items()):
            if now_s >= asking.until_s:
                self._forget(device_id)
                self._denied(device_id, OwnerState(UNKNOWN_OWNER), now_s)
        due: List[str] = [device_id for device_id, at_s in self._retries.items() if now_s >= at_s]
        for device_id in due:
            self.want(device_id, now_s)
        self._set_deadline()

    def describe(self, device_id: str) -> OwnerState:
        """What is told to those who ask."""
        return self._state(device_id, self._owner)

    def answered(self, device_id: str, state: Optional[OwnerState], now_s: float) -> None:
        """An owner has said who it is."""
        self._forget(device_id)
        self._set_deadline()
        if device_id in self._retries:
            self._denied(device_id, state or OwnerState(UNKNOWN_OWNER), now_s)
            self._set_deadline()

    def _denied(self, device_id: str, state: OwnerState, now_s: float) -> None:
        retry_s = self._tell_denied(device_id, state, now_s)
        if retry_s is not None and device_id in self._retries:
            self._retries[device_id] = now_s + retry_s

    def _forget(self, device_id: str) -> None:
        asking = self._questions.pop(device_id, None)
        if asking is not None:
            self._selector.unregister(asking.question)
            asking.question.close()

    def _set_deadline(self) -> None:
        times = [*self._retries.values(), *(asking.until_s for asking in self._questions.values())]
        self.deadline_s = min(times, default=NEVER)


class _Door:
    """Somebody asks about a device of ours."""

    link = None

    def __init__(self, ownership: Ownership, device_id: str, lock: Lock) -> None:
        self._ownership = ownership
        self._device_id = device_id
        self._lock = lock

    def handle(self, _mask: int, _now_s: float) -> None:
        self._lock.answer(lambda: self._ownership.describe(self._device_id))


class _Asking:
    """We ask about a device of somebody else."""

    link = None

    def __init__(self, ownership: Ownership, device_id: str, now_s: float) -> None:
        self._ownership = ownership
        self._device_id = device_id
        self.question = Question(device_id)
        self.until_s = now_s + OWNER_ANSWER_S

    def handle(self, _mask: int, now_s: float) -> None:
        complete, state = self.question.read()
        if complete:
            self._ownership.answered(self._device_id, state, now_s)
