"""python3 -m tuya scan: lists the devices that announce themselves on this network. Connects to none of them."""

from __future__ import annotations

import argparse
import selectors
import signal
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any, Callable, Dict, List, Tuple

from tuya import process
from tuya.devices.devices_file import DeviceEntry
from tuya.lan.locks.device_lock import ask
from tuya.lan.network.listener import Listener
from tuya.lan.protocol.announcements import Announcement

from .common import EXIT_FAULT, EXIT_OK, add_devices_file_argument, print_json, print_message, read_entries

DEFAULT_SECONDS = 12.0  # two announcements of each device, two requests for those that stay silent until asked
COLUMNS = ("id", "name", "address", "version", "product", "state")
NO_KEY = "announced, not in devices.json"
KNOWN = "announced"
MAX_FOUND = 1000


@dataclass(frozen=True)
class Row:
    """One device. state: announced, announced but without key, served by somebody, or not heard."""

    id: str
    name: str
    address: str
    version: str
    product: str
    state: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `scan`."""
    parser.add_argument(
        "--seconds", type=process.seconds, default=DEFAULT_SECONDS, metavar="N", help="how long to listen (12)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a device and line, again when it changes")
    add_devices_file_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Listen, ask, and list. Returns 0, or 1 where no announcement port can be listened to."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    scan = Scan({entry.device_id: entry for entry in read_entries(args.devices)})
    if args.json:
        scan.listen(args.seconds, lambda row: print_json(asdict(row)))
        for row in scan.unheard():
            print_json(asdict(row))
    else:
        _show(scan, args.seconds)
    for problem in scan.problems:
        print_message(f"scan: {problem}")
    return EXIT_FAULT if scan.is_deaf else EXIT_OK


class Scan:
    """Listens on the announcement ports and asks all interfaces."""

    def __init__(self, entries: Dict[str, DeviceEntry]) -> None:
        self._entries = entries
        self.rows: Dict[str, Row] = {}
        self.problems: Tuple[str, ...] = ()
        self.is_deaf = False

    def listen(self, seconds: float, changed: Callable[[Row], None]) -> None:
        """Listen for so long or until Ctrl-C; each new or changed row is told at once."""

        def heard(announcement: Announcement, _news: bool, _now_s: float) -> None:
            row = self._row(announcement)
            if self.rows.get(row.id) != row and (row.id in self.rows or len(self.rows) < MAX_FOUND):
                self.rows[row.id] = row
                changed(row)

        listener = Listener()
        selector = selectors.DefaultSelector()
        try:
            listener.open(selector, heard)
            self.problems = listener.problems
            self.is_deaf = not selector.get_map()
            until_s = time.monotonic() + seconds
            while True:
                now_s = time.monotonic()
                if now_s >= until_s or self.is_deaf:
                    return
                if now_s >= listener.deadline_s:
                    listener.tick(now_s, 1)
                for key, mask in selector.select(max(0.0, min(until_s, listener.deadline_s) - now_s)):
                    key.data.handle(mask, time.monotonic())
        except KeyboardInterrupt:
            return
        finally:
            listener.close()
            selector.close()

    def _row(self, announcement: Announcement) -> Row:
        entry = self._entries.get(announcement.device_id)
        state = NO_KEY
        if entry is not None:
            owner = ask(announcement.device_id)
            state = KNOWN if owner is None else f"served by {owner.owner}"
        return Row(
            announcement.device_id,
            "" if entry is None else entry.shown_name,
            announcement.address,
            announcement.version,
            announcement.product_id,
            state,
        )

    def unheard(self) -> List[Row]:
        """The devices of the file that were not heard. One that is connected announces itself seldom or never."""
        rows: List[Row] = []
        for entry in self._entries.values():
            if entry.device_id in self.rows or entry.is_sub_device:
                continue
            owner = ask(entry.device_id)
            if owner is None:
                row = Row(entry.device_id, entry.shown_name, "", entry.version or "", entry.product_id, "not heard")
            else:
                state = f"served by {owner.owner}" + ("" if owner.connected else ", not connected")
                version = owner.version or entry.version or ""
                row = Row(entry.device_id, entry.shown_name, owner.address, version, entry.product_id, state)
            rows.append(row)
        return rows


def _show(scan: Scan, seconds: float) -> None:
    """A table: live on a terminal, once at the end elsewhere."""
    from rich.console import Console  # here: `scan --json` works without it
    from rich.live import Live

    if not sys.stdout.isatty():
        scan.listen(seconds, lambda _row: None)
        Console(width=160).print(_table([*scan.rows.values(), *scan.unheard()]))
        return
    with Live(_table([]), refresh_per_second=4) as live:
        scan.listen(seconds, lambda _row: live.update(_table(list(scan.rows.values()))))
        live.update(_table([*scan.rows.values(), *scan.unheard()]))


def _table(rows: List[Row]) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table()
    for name in COLUMNS:
        # the id is what a person copies: it is whole in the narrowest terminal, and the others are folded for it
        widest = max((len(row.id) for row in rows), default=0) if name == COLUMNS[0] else None
        table.add_column(name, no_wrap=widest is not None, min_width=widest, overflow="fold")
    for row in sorted(rows, key=lambda row: (row.name, row.id)):
        # names and ids come from outside: Text, so that nothing in them is markup
        table.add_row(*(Text(value) for value in asdict(row).values()))
    return table
