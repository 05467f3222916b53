"""The locks of all devices that a client serves: taken, asked after, answered for and tried again. No protocol."""

from __future__ import annotations

import contextlib
import selectors
import socket
from typing import Callable, Dict, List, Optional, Tuple, Union

from ..limits import NEVER, OWNER_ANSWER_S, OWNER_RETRY_S
from .device_lock import HAS_ABSTRACT_SOCKETS, Lock, OwnerState, Question, ask, take

UNKNOWN_OWNER = "another program"
DEAF_S = 1.0


class Ownership:
    """Runs on the network thread. `freed`, `denied` and `impossible` are called for devices whose lock was wanted.

    impossible gets the operating system's reason; the lock is tried again as after denied.
    denied returns after how many seconds to try again, None: as usual. share, yields: see OwnerState.
    """

    def __init__(
        self,
        selector: selectors.BaseSelector,
        owner: str,
        state: Callable[[str, str], OwnerState],
        freed: Callable[[str, float], None],
        denied: Callable[[str, OwnerState, float], Optional[float]],
        impossible: Callable[[str, str, float], None],
        share: str = "",
        yields: bool = False,
    ) -> None:
        self._selector = selector
        self._owner = owner
        self._state = state
        self._freed = freed
        self._tell_denied = denied
        self._impossible = impossible
        self._share = share
        self._yields = yields
        self._locks: Dict[str, Lock] = {}
        self._questions: Dict[str, _Asking] = {}
        self._retries: Dict[str, float] = {}
        self._deaf: List[Tuple[float, _Door]] = []  # until when, the first one first
        self.squatters: Dict[str, str] = {}  # device id -> the user who keeps its lock's name without a right to it
        self.deadline_s = NEVER

    def want(self, device_id: str, now_s: float) -> None:
        """Take the lock of a device: freed() is called now or when it becomes free, denied() while it is not."""
        if device_id in self._locks:
            return
        try:
            self._want(device_id, now_s)
        except OSError as error:  # no file descriptors
            self._retries[device_id] = now_s + OWNER_RETRY_S
            self._impossible(device_id, error.strerror or "no lock", now_s)
        self._set_deadline()

    def _want(self, device_id: str, now_s: float) -> None:
        lock = take(device_id, self._owner, self._share, self._yields)
        if lock is not None:
            if lock.squatter:
                self.squatters[device_id] = lock.squatter
            self._locks[device_id] = lock
            self._retries.pop(device_id, None)
            if lock.listens is not None:
                door = _Door(self, device_id, lock, lock.listens)
                self._selector.register(lock.listens, selectors.EVENT_READ, door)
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

    def release(self, device_id: str) -> None:
        """The device is no longer served here."""
        lock = self._locks.pop(device_id, None)
        if lock is not None:
            if lock.listens is not None:
                self._unregister(lock.listens)
            lock.release()
        self.squatters.pop(device_id, None)
        self._deaf = [(at_s, door) for at_s, door in self._deaf if door.device_id != device_id]
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
                process = asking.question.process
                self._forget(device_id)
                self._denied(device_id, OwnerState(f"{UNKNOWN_OWNER} that does not answer", process=process), now_s)
        while self._deaf and now_s >= self._deaf[0][0]:
            door = self._deaf.pop(0)[1]
            self._selector.register(door.listens, selectors.EVENT_READ, door)
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
            self._unregister(asking.question)
            asking.question.close()

    def _unregister(self, source: Union[socket.socket, Question]) -> None:
        with contextlib.suppress(KeyError, ValueError):  # one that failed is no longer registered
            self._selector.unregister(source)

    def cannot_answer(self, door: _Door, now_s: float) -> None:
        """No file descriptors to let somebody in who waits: not asked again for a while, or the loop would be hot."""
        self._unregister(door.listens)
        self._deaf.append((now_s + DEAF_S, door))
        self._set_deadline()

    def _set_deadline(self) -> None:
        times = [*self._retries.values(), *(asking.until_s for asking in self._questions.values())]
        if self._deaf:
            times.append(self._deaf[0][0])
        self.deadline_s = min(times, default=NEVER)


class _Door:
    """Somebody asks about a device of ours."""

    link = None

    def __init__(self, ownership: Ownership, device_id: str, lock: Lock, listens: socket.socket) -> None:
        self._ownership = ownership
        self._lock = lock
        self.device_id = device_id
        self.listens = listens

    def handle(self, _mask: int, now_s: float) -> None:
        try:
            self._lock.answer(lambda: self._ownership.describe(self.device_id))
        except OSError:
            self._ownership.cannot_answer(self, now_s)


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
