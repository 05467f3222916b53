"""python3 -m tuya doctor: from the files up to the plugin in Domoticz; what is wrong is told with its cure.

The verdict has three words. "well": everything was looked at in this run, and is. "not well": something is wrong.
"not checked": nothing is known to be wrong, and something that counts could not be looked at. Exit code 0 for the
first only.
"""

from __future__ import annotations

import argparse
import getpass
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Dict, Iterable, List, Optional, Sequence, Tuple

from tuya import process
from tuya.cli.common import EXIT_FAULT, EXIT_OK, UsageError, add_device_arguments, chosen_devices
from tuya.cli.doctor.device import examine
from tuya.cli.doctor.domoticz_log import judge
from tuya.cli.doctor.domoticz_view import View, Web, WebProblem, from_database
from tuya.cli.doctor.findings import FAILED, SKIPPED, UNCHECKED, Finding, Tell, tell_json, tell_person, verdict_of
from tuya.cli.doctor.in_domoticz import Surroundings, can_hear, examine_domoticz, is_apart
from tuya.cli.doctor.life import LifeSign, life_sign
from tuya.cli.doctor.machine import Machine, author_of, check_files, check_packages, read_log, this_machine
from tuya.devices.devices_file import DeviceEntry
from tuya.setup import find_domoticz
from tuya.setup.running import running
from tuya.sharing.asking_owner import is_there, owners

ANSWER_S = 2.0  # an owner answers within milliseconds
LATE_ANSWER_S = 10.0  # but Domoticz is busy at times, and machines are slow
DEFAULT_LISTEN_S = 8.0  # devices announce themselves about every 5 s
USER_VARIABLE = "DOMOTICZ_USER"
PASSWORD_VARIABLE = "DOMOTICZ_PASSWORD"  # noqa: S105 - the name of a variable; keeps it out of the process list
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
    parser.add_argument(
        "--domoticz",
        nargs="?",
        const="",
        metavar="URL",
        help=f"ask Domoticz's web server too, as {USER_VARIABLE} with {PASSWORD_VARIABLE}, or as is typed in",
    )
    parser.add_argument("--password-file", type=Path, metavar="FILE", help="where Domoticz's password stands")
    parser.add_argument("--json", action="store_true", help="one JSON object a check, for a report")
    parser.epilog = "The verdict is well (exit code 0), not well, or not checked (both 1)."


def run(args: argparse.Namespace) -> int:
    """Check the machine, each device, and the plugin in Domoticz. Returns 0 where the verdict is "well", else 1."""
    tell = tell_json if args.json else tell_person
    machine = this_machine(args.devices)
    web = _web(args, machine)
    told: List[Finding] = []

    def tell_all(findings: Iterable[Finding]) -> bool:
        """Tell them as they come; false if one failed."""
        worked = True
        for finding in findings:
            tell(finding)
            told.append(finding)
            worked = worked and not finding.failed
        return worked

    is_named = args.name is not None or args.id is not None
    file_findings, entries = check_files(machine, needed=args.id is None)
    if tell_all(file_findings) and tell_all([check_packages(machine)]):
        is_hidden = any(finding.state == UNCHECKED for finding in file_findings)
        chosen = [] if is_hidden and args.id is None else _chosen(args, is_named, entries)
        heard, listened = _listen(chosen, args, tell)
        for entry in chosen:
            tell_all(examine(entry, heard.get(entry.device_id), listened))
        if all(entry in entries for entry in chosen) or args.id is None:
            tell_all(examine_domoticz(_look_around(args, machine, web), chosen))
        else:
            text = "not looked for: this device is in no devices file"
            tell_all([Finding("plugin", SKIPPED, text)])
    verdict = verdict_of(told)
    tell(verdict)
    return EXIT_OK if verdict.state not in (FAILED, UNCHECKED) else EXIT_FAULT


def _look_around(args: argparse.Namespace, machine: Machine, web: Optional[Web]) -> Surroundings:
    """Gather what is known of the plugin in Domoticz."""
    domoticz = machine.domoticz
    started = domoticz.started if domoticz is not None and domoticz.is_ours else None
    views: List[View] = []
    web_problem = ""
    stored = None
    pid = domoticz.pid if domoticz is not None else None
    signs, is_mute = _patient_signs(pid)
    is_unheard = pid is not None and not is_there(pid) and is_there(pid, of_anybody=True)
    if web is not None:
        try:
            views.append(web.view())
        except WebProblem as error:  # the plugin itself can be looked at all the same
            web_problem = str(error)
    if started is not None:
        in_database = from_database(started.database, started.pid is not None)
        stored = in_database.stored if in_database is not None else None
        views += [in_database] if in_database is not None and not views else []
    log = read_log(machine)
    if log is None and views and views[0].log:
        log = judge(views[0].log, f"log of {views[0].source}", author_of(machine.folder))
    return Surroundings(
        folder=machine.folder,
        devices_file=machine.devices_file,
        file_was_named=args.devices is not None,
        domoticz=domoticz,
        signs=signs,
        views=views,
        log=log,
        containers=find_domoticz.containers() if domoticz is None else [],
        running=list(running()),
        can_hear=can_hear(domoticz, machine.folder) and not is_unheard,
        web_problem=web_problem,
        is_mute=is_mute,
        is_apart=is_apart(domoticz),
        stored=stored,
        now_s=time.time(),
    )


def signs_of_life(timeout_s: float = ANSWER_S) -> Sequence[LifeSign]:
    """What the owners of devices on this machine say of themselves."""
    return [life_sign(said) for said in owners(timeout_s)]


def _patient_signs(pid: Optional[int]) -> Tuple[Sequence[LifeSign], bool]:
    """The signs of life; and whether a plugin in that process is there and says nothing, however long it is given."""
    signs = signs_of_life()
    if pid is None or any(sign.pid == pid for sign in signs) or not is_there(pid):
        return signs, False
    signs = signs_of_life(LATE_ANSWER_S)
    return signs, not any(sign.pid == pid for sign in signs) and is_there(pid)


def _web(args: argparse.Namespace, machine: Machine) -> Optional[Web]:
    """Domoticz's web server, where it is to be asked. Raises UsageError."""
    if args.domoticz is None:
        return None
    started = machine.domoticz.started if machine.domoticz is not None else None
    address = args.domoticz or (started.address if started is not None else "")
    if not address:
        raise UsageError("--domoticz: give its address, as http://127.0.0.1:8080")
    user, password = os.environ.get(USER_VARIABLE, ""), os.environ.get(PASSWORD_VARIABLE, "")
    if args.password_file is not None:
        try:
            password = args.password_file.read_text(encoding="utf-8").strip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{args.password_file} cannot be read: {getattr(error, 'strerror', 'no text')}") from None
    if sys.stdin.isatty() and not args.json:
        user = user or input(f"User of {address} (Enter: none): ").strip()
        password = password or (getpass.getpass("Its password (is not shown and not kept): ") if user else "")
    return Web(address, user, password)


def _chosen(args: argparse.Namespace, is_named: bool, entries: Tuple[DeviceEntry, ...]) -> List[DeviceEntry]:
    """The named device, else all that the plugin serves. A key that cannot be right is the doctor's to tell."""
    if not is_named:
        return list(entries)
    if args.key is None and args.id is None:
        named = [entry for entry in entries if args.name in (entry.device_id, entry.name, entry.wishes.name)]
        if len(named) == 1 or (named and args.ip is None and args.port is None):
            return [_with_place(entry, args) for entry in named]
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
