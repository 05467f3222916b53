"""python3 -m tuya doctor: from the files up to Domoticz's log, stops at the first that fails and names the cure."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import Dict, Iterable, List, Tuple

from tuya import process
from tuya.cli.common import EXIT_FAULT, EXIT_OK, add_device_arguments, chosen_devices
from tuya.cli.doctor.device import examine
from tuya.cli.doctor.findings import SKIPPED, Finding, Tell, tell_json, tell_person
from tuya.cli.doctor.machine import check_files, check_log, check_packages, this_machine
from tuya.devices.devices_file import DeviceEntry

DEFAULT_LISTEN_S = 8.0  # devices announce themselves about every 5 s
Heard = Dict[str, Tuple[str, str]]  # device id -> address and version


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `doctor`."""
    add_device_arguments(parser)
    parser.add_argument(
        "--seconds",
        type=process.seconds_or_none_at_all,
        default=DEFAULT_LISTEN_S,
        metavar="N",
        help="listen so long (8)",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a check, for a report")


def run(args: argparse.Namespace) -> int:
    """Check the machine, then each device. Returns 0, or 1 where something failed."""
    tell = tell_json if args.json else tell_person
    machine = this_machine(args.devices)
    failed: List[Finding] = []

    def tell_all(findings: Iterable[Finding]) -> bool:
        """Tell them as they come; false if one failed."""
        worked = True
        for finding in findings:
            tell(finding)
            if finding.failed:
                failed.append(finding)
                worked = False
        return worked

    is_named = args.name is not None or args.id is not None
    file_findings, entries = check_files(machine, needed=args.id is None)
    if tell_all(file_findings) and tell_all([check_packages(machine)]):
        chosen = _chosen(args, is_named, entries)
        heard, listened = _listen(chosen, args, tell)
        for entry in chosen:
            tell_all(examine(entry, heard.get(entry.device_id), listened))
        tell_all([check_log(machine)])
    if not args.json:
        _sum_up(failed)
    return EXIT_FAULT if failed else EXIT_OK


def _chosen(args: argparse.Namespace, is_named: bool, entries: Tuple[DeviceEntry, ...]) -> List[DeviceEntry]:
    """The named device, else all that the plugin serves. A key that cannot be right is the doctor's to tell."""
    if not is_named:
        return list(entries)
    if args.key is None and args.id is None:
        for entry in entries:
            if args.name in (entry.device_id, entry.name, entry.wishes.name):
                return [_with_place(entry, args)]
    return chosen_devices(args)


def _with_place(entry: DeviceEntry, args: argparse.Namespace) -> DeviceEntry:
    return replace(
        entry,
        address=args.ip or entry.address,
        port=args.port or entry.port,
        version=args.version or entry.version,
        version_fixed=entry.version_fixed or args.version is not None,
    )


def _listen(entries: List[DeviceEntry], args: argparse.Namespace, tell: Tell) -> Tuple[Heard, bool]:
    """Announcements of these devices, and whether they could be listened for."""
    if args.ip is not None or args.seconds <= 0 or not entries:
        return {}, False
    from tuya.cli.scan import Scan  # here: it needs what check_packages has checked

    scan = Scan({entry.device_id: entry for entry in entries})
    scan.listen(args.seconds, lambda _row: None)
    for problem in scan.problems:
        tell(Finding("announcement", SKIPPED, problem))
    heard = {row.id: (row.address, row.version) for row in scan.rows.values()}
    return heard, not scan.is_deaf


def _sum_up(failed: List[Finding]) -> None:
    if not failed:
        print("\nAll is well.")
        return
    first = failed[0]
    where = f" of {first.device}" if first.device else ""
    more = f" ({len(failed) - 1} more above)" if len(failed) > 1 else ""
    print(f"\nFirst to be mended: {first.check}{where}{more}")
