"""The doctor's checks of many devices at once: those that are off take their time, and forty of them took minutes.

Still one connection a device: each is looked at by one thread, and devices that are to be at one place by the same one,
one after another.
"""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future
from typing import Deque, Dict, Iterator, List, Mapping, Sequence, Tuple

from tuya.cli.doctor.device import examine
from tuya.cli.doctor.findings import Finding
from tuya.devices.devices_file import DeviceEntry

AT_ONCE = 20  # each has a thread and some sockets

Work = List[Tuple[DeviceEntry, "Future[List[Finding]]"]]


def examine_all(
    entries: Sequence[DeviceEntry], heard: Mapping[str, Tuple[str, str]], listened: bool
) -> Iterator[Tuple[DeviceEntry, Sequence[Finding]]]:
    """Each device with its findings (see examine), in the order of `entries`, each as soon as it and those before are.

    heard: device id -> address and version of its announcement. listened: whether announcements could be heard.
    """
    groups: Dict[object, Work] = {}
    found: List[Tuple[DeviceEntry, Future[List[Finding]]]] = []
    for entry in entries:
        future: Future[List[Finding]] = Future()
        address = heard[entry.device_id][0] if entry.device_id in heard else entry.address
        place = (address, entry.port) if address is not None else entry.device_id
        groups.setdefault(place, []).append((entry, future))
        found.append((entry, future))
    waiting = deque(groups.values())
    for _ in range(min(AT_ONCE, len(waiting))):
        # a daemon: who presses Ctrl-C does not wait for devices that are off
        threading.Thread(target=_work, args=(waiting, heard, listened), name="doctor", daemon=True).start()
    for entry, future in found:
        yield entry, future.result()


def _work(waiting: Deque[Work], heard: Mapping[str, Tuple[str, str]], listened: bool) -> None:
    while True:
        try:
            group = waiting.popleft()
        except IndexError:
            return
        for entry, future in group:
            try:
                future.set_result(list(examine(entry, heard.get(entry.device_id), listened)))
            except BaseException as error:  # noqa: BLE001 - told where the result is waited for
                future.set_exception(error)
