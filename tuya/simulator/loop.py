"""The fleet's one thread: a selector, timers, and the lock that all of its state is under."""

from __future__ import annotations

import heapq
import itertools
import selectors
import socket
import threading
import time
from typing import Callable, List, Optional, Tuple

FOREIGN_CLOCK_WAIT_S = 0.02  # how often a clock that is not the system's is looked at

Ready = Callable[[int], None]  # is called with selectors.EVENT_READ, EVENT_WRITE or both
_Timer = Tuple[float, int, Callable[[], None]]


class Loop:
    """Calls whoever waits for a socket or a time, on one thread, with `lock` held. clock: seconds for the timers."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.lock = threading.RLock()
        self.running = False
        self._timers: List[_Timer] = []
        self._order = itertools.count()
        self._thread: Optional[threading.Thread] = None
        self._failure: Optional[Exception] = None

    def open(self) -> None:
        """Take what the loop itself needs; sockets may be watched from now on."""
        self._selector = selectors.DefaultSelector()
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_reader.setblocking(False)
        self.watch(self._wake_reader, self._drain_wakes)

    def start(self) -> None:
        """Begin to serve."""
        self.running = True
        self._thread = threading.Thread(target=self._run, name="simulated breakers", daemon=True)
        self._thread.start()

    def stop(self) -> bool:
        """End the thread. Returns whether it ran; call close() afterwards."""
        with self.lock:
            if not self.running:
                return False
            self._wake()
            self.running = False
        if self._thread is not None:
            self._thread.join()
        return True

    def close(self) -> None:
        """Give back what open() took. Every other socket is the business of who watched it."""
        self._wake_reader.close()
        self._wake_writer.close()
        self._timers.clear()
        self._selector.close()

    def failure(self) -> Optional[Exception]:
        """What ended the thread before its time, told once."""
        failure, self._failure = self._failure, None
        return failure

    def watch(self, source: socket.socket, ready: Ready, events: int = selectors.EVENT_READ) -> None:
        """Call `ready` whenever this socket can be read, or written where events says so."""
        self._selector.register(source, events, ready)

    def watch_for(self, source: socket.socket, ready: Ready, events: int) -> None:
        """Watch a socket for these events from now on; for none of them, if events is 0."""
        key = self._selector.get_map().get(source)
        if key is None:
            if events:
                self.watch(source, ready, events)
        elif not events:
            self._selector.unregister(source)
        elif key.events != events:
            self._selector.modify(source, events, key.data)

    def unwatch(self, source: socket.socket) -> None:
        """Watch this socket no more; one that was not watched is left alone."""
        if source in self._selector.get_map():
            self._selector.unregister(source)

    def later(self, delay_s: float, action: Callable[[], None]) -> None:
        """Run an action on the loop's thread after a delay, with the lock held."""
        with self.lock:
            entry = (self.clock() + delay_s, next(self._order), action)
            heapq.heappush(self._timers, entry)
            if self._timers[0] is entry:
                self._wake()

    def run_due(self) -> None:
        """Do what the clock has made due: the thread's work, or a test's where the loop was not started."""
        now_s = self.clock()
        while self._timers and self._timers[0][0] <= now_s:
            heapq.heappop(self._timers)[2]()

    def _run(self) -> None:
        try:
            while self.running:
                ready = self._selector.select(self._wait_s())
                with self.lock:
                    for key, events in ready:
                        key.data(events)
                    self.run_due()
        except Exception as error:  # noqa: BLE001 (a load function of the caller may raise anything; stop() tells)
            self._failure = error

    def _wait_s(self) -> Optional[float]:
        with self.lock:
            wait_s = max(0.0, self._timers[0][0] - self.clock()) if self._timers else None
        if self.clock is time.monotonic:
            return wait_s
        return FOREIGN_CLOCK_WAIT_S if wait_s is None else min(wait_s, FOREIGN_CLOCK_WAIT_S)

    def _drain_wakes(self, _: int) -> None:
        try:
            while self._wake_reader.recv(4096):
                pass
        except BlockingIOError:
            return

    def _wake(self) -> None:
        if self.running and threading.current_thread() is not self._thread:
            self._wake_writer.send(b"\0")
