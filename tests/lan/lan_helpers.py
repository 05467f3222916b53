"""What the tests of the LAN client share: a sink that can be waited on, and devices made from simulated breakers."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import ExitStack, contextmanager
from typing import Any, Callable, Iterator, List, Optional, Set, Tuple, Type, TypeVar

from tests.lateness import lateness
from tuya.lan.client import Client, Device
from tuya.lan.events import Connected, Event, Failed, Lost, Status, WriteDone
from tuya.simulator import Fleet
from tuya.simulator.announce import Ports

VERSIONS = ("3.1", "3.2", "3.3", "3.4", "3.5")
E = TypeVar("E")


_given_ports: Set[int] = set()
_giving_ports = threading.Lock()


def free_ports() -> Ports:
    """Three UDP ports that nobody listens on, and that nobody else in this process was given."""
    found: List[int] = []
    with _giving_ports, ExitStack() as closing:
        while len(found) < len(Ports._fields):
            sock = closing.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            sock.bind(("127.0.0.1", 0))
            if sock.getsockname()[1] not in _given_ports:
                found.append(sock.getsockname()[1])
        _given_ports.update(found)
    return Ports(*found)


class Recorder:
    """A sink that keeps every event and lets a test wait for one."""

    def __init__(self) -> None:
        self.events: List[Event] = []
        self._changed = threading.Condition()

    def __call__(self, event: Event) -> None:
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()

    def of(self, kind: Type[E], device_id: str = "", since: int = 0) -> List[E]:
        """All events of a kind, of one device where it is named."""
        return [
            event
            for event in self.events[since:]
            if isinstance(event, kind) and device_id in ("", event.device_id)  # type: ignore[attr-defined]
        ]

    def wait(self, accept: Callable[[Any], bool], timeout_s: float = 5.0, since: int = 0) -> Any:
        """The first event since index `since` that is accepted. Raises AssertionError when none comes in time."""
        until_s = time.monotonic() + timeout_s
        late_s = lateness()
        at = since
        with self._changed:
            while True:
                while at < len(self.events):
                    if accept(self.events[at]):
                        return self.events[at]
                    at += 1
                left_s = until_s - time.monotonic()
                if left_s <= 0 and left_s + late_s() > 0:
                    left_s = 0.05
                if left_s <= 0:
                    shown = "\n".join(repr(event) for event in self.events[since:][-12:])
                    raise AssertionError(f"no such event within {timeout_s} s; the last ones:\n{shown}")
                self._changed.wait(left_s)

    def wait_connected(self, device_id: str, timeout_s: float = 5.0, since: int = 0) -> Connected:
        return self.wait(lambda e: isinstance(e, Connected) and e.device_id == device_id, timeout_s, since)

    def wait_lost(self, device_id: str, timeout_s: float = 5.0, since: int = 0) -> Lost:
        return self.wait(lambda e: isinstance(e, Lost) and e.device_id == device_id, timeout_s, since)

    def wait_failed(self, device_id: str, timeout_s: float = 5.0, since: int = 0) -> Failed:
        return self.wait(lambda e: isinstance(e, Failed) and e.device_id == device_id, timeout_s, since)

    def wait_done(self, device_id: str, timeout_s: float = 5.0, since: int = 0) -> WriteDone:
        return self.wait(lambda e: isinstance(e, WriteDone) and e.device_id == device_id, timeout_s, since)

    def wait_value(self, device_id: str, dp: int, value: Any, timeout_s: float = 5.0, since: int = 0) -> Status:
        return self.wait(
            lambda e: isinstance(e, Status) and e.device_id == device_id and e.dps.get(dp) == value, timeout_s, since
        )

    def wait_status(self, device_id: str, timeout_s: float = 5.0, since: int = 0, full: bool = False) -> Status:
        return self.wait(
            lambda e: isinstance(e, Status) and e.device_id == device_id and (e.full or not full), timeout_s, since
        )


def device_of(breaker: Any, version: Optional[str] = "", **changes: Any) -> Device:
    """The settings for a simulated breaker; version "" is its own."""
    fields = {
        "device_id": breaker.device_id,
        "local_key": breaker.local_key,
        "name": breaker.name,
        "address": breaker.host,
        "port": breaker.port,
        "version": breaker.version if version == "" else version,
    }
    fields.update(changes)
    return Device(**fields)


class Running:
    """A client that is started and always stopped."""

    def __init__(self, devices: Any, **options: Any) -> None:
        self.seen = Recorder()
        options.setdefault("discovery", False)
        self.client = Client(devices, self.seen, owner="test", **options)

    def __enter__(self) -> Running:
        self.client.start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self.client.stop(2.0)


@contextmanager
def served(version: str, **options: Any) -> Iterator[Tuple[Any, Running]]:
    """A simulated breaker without noise, and a client that has all of its values. options: the client's."""
    with Fleet(version=version, noise=0.0) as fleet:
        breaker = fleet.breakers[0]
        with Running([device_of(breaker)], **options) as run:
            run.seen.wait_status(breaker.device_id, full=True)
            yield breaker, run
