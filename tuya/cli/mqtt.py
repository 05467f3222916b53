"""python3 -m tuya mqtt: devices as topics of an MQTT broker, with Home Assistant's discovery."""

from __future__ import annotations

import argparse
import os
import secrets
import signal
import threading
import urllib.parse
from pathlib import Path
from typing import Callable, List, Optional

from tuya import process
from tuya.devices.devices_file import DeviceEntry, key_problem
from tuya.devices.file_watch import FileWatch
from tuya.devices.served import not_served
from tuya.mqtt.broker import DEFAULT_PORT, DEFAULT_TLS_PORT, Broker, BrokerError, Happening
from tuya.mqtt.clean import CleaningFailed, clean
from tuya.mqtt.client import Client
from tuya.mqtt.core import Core
from tuya.mqtt.service import Service
from tuya.mqtt.topics import Topics, valid_prefix
from tuya.mqtt.totals_file import TOTALS_NAME, TotalsError, read_totals, totals_path, write_totals
from tuya.sharing.source import Source
from tuya.version import plugin_version

from .common import (
    EXIT_FAULT,
    EXIT_OK,
    CommandError,
    UsageError,
    add_devices_file_argument,
    devices_path,
    print_message,
    read_entries,
    read_password,
)

PASSWORD_VARIABLE = "MQTT_PASSWORD"  # noqa: S105 - the name of a variable
LOOK_AT_FILE_S = 2.0
OWNER = "mqtt"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `mqtt`."""
    parser.add_argument("--broker", metavar="URL", required=True, help="mqtt[s]://[USER@]HOST[:PORT]")
    add_devices_file_argument(parser)
    parser.add_argument("--base", metavar="TOPIC", default="tuya", help="topics begin with this (tuya)")
    parser.add_argument(
        "--discovery", metavar="PREFIX", default="homeassistant", help="of Home Assistant; '' for none (homeassistant)"
    )
    parser.add_argument("--password-file", metavar="FILE", type=Path, help=f"else from {PASSWORD_VARIABLE}")
    parser.add_argument("--ca", metavar="FILE", type=Path, help="certificate of the broker's own authority (PEM)")
    parser.add_argument("--cert", metavar="FILE", type=Path, help="a certificate for the broker to know us by (PEM)")
    parser.add_argument("--client-key", metavar="FILE", type=Path, help="the key of --cert (PEM)")
    parser.add_argument("--totals", metavar="FILE", type=Path, help=f"where the kWh are kept ({TOTALS_NAME} beside it)")
    parser.add_argument("--seconds", type=process.seconds, metavar="N", help="end after so long; without it: Ctrl-C")
    parser.add_argument("--clean", action="store_true", help="remove everything retained of ours from the broker, end")
    parser.add_argument("--demo", action="store_true", help="three simulated breakers instead of the devices file")


def run(args: argparse.Namespace) -> int:
    """Serve the devices until told to end. Returns 0, or 1 where the broker has never let us in."""
    try:
        topics = Topics(args.base)
        prefix = valid_prefix(args.discovery) if args.discovery else ""
        broker = _broker(args)
        if args.clean:
            return _clean(broker, topics, prefix)
        return _demo(args, broker, topics, prefix) if args.demo else _serve(args, broker, topics, prefix)
    except (ValueError, BrokerError) as error:
        raise UsageError(str(error)) from None


def _broker(args: argparse.Namespace) -> Broker:
    """Return where the broker is. Raises UsageError; the password never stands in a message."""
    form = "--broker is mqtt[s]://[USER@]HOST[:PORT]"
    try:
        url = urllib.parse.urlsplit(args.broker)
        port = url.port
    except ValueError:
        raise UsageError(form) from None
    if url.scheme not in ("mqtt", "mqtts") or not url.hostname or url.path not in ("", "/") or url.query:
        raise UsageError(form)
    if url.password is not None:
        raise UsageError(f"no password in --broker, where everybody can see it: {PASSWORD_VARIABLE} or --password-file")
    password = os.environ.get(PASSWORD_VARIABLE, "")
    if args.password_file is not None:
        password = read_password(args.password_file)
    tls = url.scheme == "mqtts"
    if not tls and (args.ca or args.cert or args.client_key):
        raise UsageError("--ca, --cert and --client-key are for TLS: --broker is mqtts://...")
    if args.client_key and not args.cert:
        raise UsageError("--client-key is the key of a certificate: --cert names it")
    return Broker(
        url.hostname,
        port or (DEFAULT_TLS_PORT if tls else DEFAULT_PORT),
        tls,
        urllib.parse.unquote(url.username or ""),
        password,
        args.ca,
        args.cert,
        args.client_key,
    )


def _served(given: Optional[Path]) -> List[DeviceEntry]:
    return [entry for entry in read_entries(given) if not not_served(entry) and not key_problem(entry.local_key)]


def _serve(args: argparse.Namespace, broker: Broker, topics: Topics, prefix: str) -> int:
    path = devices_path(args.devices)
    entries = _served(args.devices)
    if path is None or not entries:
        raise UsageError("there is no metering device in the devices file: 'bash install.sh keys' makes it")
    totals = args.totals or totals_path(path)
    watch = FileWatch(lambda: devices_path(args.devices))
    watch.mark()
    return _run(args, broker, topics, prefix, entries, totals, watch)


def _demo(args: argparse.Namespace, broker: Broker, topics: Topics, prefix: str) -> int:
    """Serve three simulated breakers, which nobody keeps totals of."""
    import json

    from tuya.devices.devices_file import parse_devices
    from tuya.simulator import Fleet

    with Fleet(count=3, load_w=420.0) as fleet:
        devices = fleet.devices()
        for device, name in zip(devices, ("Boiler", "Fridge", "Workshop")):
            device["name"] = name
        return _run(args, broker, topics, prefix, list(parse_devices(json.dumps(devices)).entries), None, None)


def _run(
    args: argparse.Namespace,
    broker: Broker,
    topics: Topics,
    prefix: str,
    entries: List[DeviceEntry],
    totals: Optional[Path],
    watch: Optional[FileWatch],
) -> int:
    try:
        saved = read_totals(totals) if totals is not None else {}
        if totals is not None:
            write_totals(totals, saved)  # said now, and not when the first kWh are lost
    except TotalsError as error:
        raise CommandError(str(error)) from None
    source = Source(entries, OWNER, saved_energy=saved)

    def make_client(happened: Callable[[Happening], None]) -> Client:
        return Client(broker, topics, happened, _name())

    def say(text: str) -> None:
        print_message(f"mqtt: {text}")

    devices = _Devices(source, entries, totals, say)
    core = Core(topics, prefix, plugin_version())
    service = Service(source, core, make_client, say, topics, prefix, totals, devices.stand_by)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    ended = threading.Event()
    follower = threading.Thread(target=_follow, args=(args, source, devices, watch, ended, say), daemon=True)
    with source:
        for problem in source.problems:
            say(problem)
        say(f"{len(entries)} devices, broker {broker.shown}, topics {topics.base}/...")
        follower.start()
        try:
            service.run(args.seconds)
        except KeyboardInterrupt:
            pass  # the usual end
        finally:
            ended.set()
            follower.join(LOOK_AT_FILE_S)
    if not service.was_up:
        print_message(f"mqtt: {broker.shown} has never let us in{': ' + service.refused if service.refused else ''}")
        return EXIT_FAULT
    if service.other and not service.has_served:
        print_message(f"mqtt: {service.other} had {topics.base}/... all the time: nothing was served here")
        return EXIT_FAULT
    return EXIT_OK


class _Devices:
    """The devices of the file; none of them while another service has the base, since each grants one connection."""

    def __init__(self, source: Source, entries: List[DeviceEntry], totals: Optional[Path], say: Callable[[str], None]):
        self._source = source
        self._entries = entries
        self._totals = totals
        self._say = say
        self._stands_by = False
        self._lock = threading.Lock()

    def change(self, entries: List[DeviceEntry]) -> None:
        """The devices file has changed."""
        with self._lock:
            self._entries = entries
            if not self._stands_by:
                self._source.set_entries(entries)

    def stand_by(self, stands_by: bool) -> None:
        """Leave the devices alone (True), or serve them again, going on from what the other one has counted."""
        with self._lock:
            self._stands_by = stands_by
            if not stands_by and self._totals is not None:
                try:
                    self._source.go_on_from(read_totals(self._totals))
                except TotalsError as error:
                    self._say(str(error))
            self._source.set_entries([] if stands_by else self._entries)


def _follow(
    args: argparse.Namespace,
    source: Source,
    devices: _Devices,
    watch: Optional[FileWatch],
    ended: threading.Event,
    say: Callable[[str], None],
) -> None:
    """Notice a changed devices file, and pass on what the source has for the log."""
    while not ended.wait(LOOK_AT_FILE_S):
        for line in source.take_lines():
            say(line.text)
        if watch is None or not watch.has_changed():
            continue
        watch.mark()
        try:
            entries = _served(args.devices)
        except CommandError as error:
            say(f"{error}; the devices of before are served on")
            continue
        say(f"the devices file has changed: {len(entries)} devices")
        devices.change(entries)


def _clean(broker: Broker, topics: Topics, prefix: str) -> int:
    try:
        count = clean(broker, topics, prefix, _name())
    except CleaningFailed as error:
        raise CommandError(str(error)) from None
    print_message(f"mqtt: {count} retained topics removed from {broker.shown}")
    return EXIT_OK


def _name() -> str:
    """A client id of this process alone: the broker ends the older one of two of a name.

    Drawn: in containers that begin together process and time are the same. Up to 23 characters suit every broker.
    """
    return f"tuya-{secrets.token_hex(8)}"
