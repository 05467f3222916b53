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
from typing import Collection, Dict, Iterable, Iterator, List, Optional, Sequence, Set, Tuple

from tuya import process
from tuya.cli.common import (
    EXIT_FAULT,
    EXIT_OK,
    KEY_VARIABLE,
    UsageError,
    add_device_arguments,
    as_utf8,
    chosen_devices,
    read_password,
)
from tuya.cli.doctor.all_devices import examine_all
from tuya.cli.doctor.domoticz_log import judge
from tuya.cli.doctor.domoticz_view import View, from_database
from tuya.cli.doctor.domoticz_web import Web, WebProblem
from tuya.cli.doctor.files import entries_in_use, entries_of, look_at_files, plugins_of
from tuya.cli.doctor.findings import (
    FAILED,
    NOTE,
    SKIPPED,
    UNCHECKED,
    Finding,
    Tell,
    discreet,
    tell_json,
    tell_person,
    verdict_of,
)
from tuya.cli.doctor.holder import holder_of
from tuya.cli.doctor.in_domoticz import Surroundings, can_hear, examine_domoticz, is_apart
from tuya.cli.doctor.life import LifeSign, life_sign
from tuya.cli.doctor.machine import Machine, author_of, by_its_word, check_packages, read_log, this_machine
from tuya.cli.doctor.proof import check_database, doubt
from tuya.devices.devices_file import DeviceEntry
from tuya.devices.names import first_of
from tuya.devices.secrets import key_texts, looks_like_key
from tuya.lan.device import short_id
from tuya.lan.locks.device_lock import ask
from tuya.setup import find_domoticz
from tuya.setup.find_domoticz import Domoticz
from tuya.setup.running import Started, running
from tuya.sharing.asking_owner import is_there, owner_of, owners

ANSWER_S = 2.0  # an owner answers within milliseconds
LATE_ANSWER_S = 10.0  # but Domoticz is busy at times, and machines are slow
HEARD_WITHIN_S = 25.0  # a device that is served is asked every 9 s, and is lost after two questions without an answer
LOOK_INTERVAL_S = 1.0
SHOWN_STRANGERS = 5
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
    began_s = time.monotonic()
    keys = _typed_keys(args)
    tell = discreet(tell_json if args.json else tell_person, keys)
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
    said = signs_of_life()
    machine = by_its_word(machine, said)
    signs = plugins_of(machine.domoticz, said)
    is_file_named = args.devices is not None
    file_findings, entries, files = look_at_files(machine, signs, is_file_named, needed=args.id is None)
    listed = [entry for path in files for entry in entries_of(path)]  # those that are not to be looked at, too
    keys.update(key_texts(entry.local_key for entry in listed))
    if not is_file_named and files:
        args.devices = files[0]  # where a name is looked for
    if tell_all(file_findings) and tell_all([check_packages(machine)]):
        is_hidden = not entries and any(finding.state == UNCHECKED for finding in file_findings)
        chosen = [] if is_hidden and args.id is None else _chosen(args, is_named, entries)
        heard, listened = _listen(chosen, args, tell)
        if not is_named and files:
            tell_all(strangers(heard, {entry.device_id for entry in (*entries, *listed)}))
        is_key_given = bool(args.key) or (args.id is not None and bool(os.environ.get(KEY_VARIABLE)))
        in_use = entries
        if is_file_named and signs:  # its keys are given, too, where the plugin reads another file
            is_key_given, in_use = True, entries_in_use(machine, signs)
        for entry, findings in examine_all(chosen, heard, listened):
            tell_all(findings)
            tell_all(check_given_key(entry, in_use, is_key_given))
        if all(entry in entries for entry in chosen) or args.id is None:
            around = replace(
                _look_around(machine, web, chosen, began_s),
                files=files,
                file_was_named=is_file_named,
                listed=listed,
                told=tuple(told),
            )
            tell_all(examine_domoticz(around, chosen))
        else:
            text = "not looked for: this device is in no devices file"
            tell_all([Finding("plugin", SKIPPED, text)])
    verdict = verdict_of(told)
    tell(verdict)
    return EXIT_OK if verdict.state not in (FAILED, UNCHECKED) else EXIT_FAULT


def _typed_keys(args: argparse.Namespace) -> Set[str]:
    """The keys that were given, and what looks like one in a place where none belongs."""
    given = {args.key or "", os.environ.get(KEY_VARIABLE, "")}
    for path in (args.devices, args.password_file):
        if path is not None and looks_like_key(path.name) and not path.exists():
            given.add(path.name)
    return given


def _look_around(machine: Machine, web: Optional[Web], entries: Sequence[DeviceEntry], began_s: float) -> Surroundings:
    """Gather what is known of the plugin in Domoticz. began_s: of this run, by the monotonic clock."""
    domoticz, started = machine.domoticz, machine.started
    pid = domoticz.pid if domoticz is not None else None
    signs, is_mute = patient_signs(pid, [entry.device_id for entry in entries], began_s)
    run_s = time.monotonic() - began_s
    is_unheard = pid is not None and not is_there(pid) and is_there(pid, of_anybody=True)
    in_database = from_database(started.database, started.pid is not None) if started is not None else None
    now_s = time.time()  # at once: what is stored is compared to what was just said
    after = signs_of_life() if in_database is not None and in_database.stored and signs else ()
    unstored = None
    if started is not None and started.pid is not None:
        unstored = check_database(started, in_database is not None and in_database.stored is not None)
        in_database = None if unstored is not None else in_database
    on_web, web_problem = _ask_web(web, started, in_database)
    views = [view for view in (on_web or in_database,) if view is not None]
    log = read_log(machine)
    if log is None and views and views[0].log:
        log = judge(views[0].log, f"log of {views[0].source}", author_of(machine.folder))
    return Surroundings(
        folder=machine.folder,
        domoticz=domoticz,
        signs=signs,
        views=views,
        log=log,
        containers=find_domoticz.containers() if domoticz is None else [],
        running=list(running()),
        can_hear=can_hear(domoticz, machine.folder) and not is_unheard,
        web_problem=web_problem,
        is_mute=is_mute or _holds(domoticz, entries),
        is_apart=is_apart(domoticz),
        stored=in_database.stored if in_database is not None else None,
        now_s=now_s,
        unstored=unstored,
        run_s=run_s,
        after=after,
    )


def _ask_web(web: Optional[Web], started: Optional[Started], database: Optional[View]) -> Tuple[Optional[View], str]:
    """What Domoticz's web server says where it is to be asked; or why it says nothing that counts."""
    if web is None:
        return None, ""
    try:
        said = web.view()
    except WebProblem as error:  # the plugin itself can be looked at all the same
        return None, str(error)
    problem = ""
    if started is not None and started.pid is not None:
        problem = doubt(started, (web.host, web.port), said, database, time.time())
    return (None, problem) if problem else (said, "")


def signs_of_life(timeout_s: float = ANSWER_S) -> Sequence[LifeSign]:
    """What the owners of devices on this machine say of themselves."""
    said = owners(timeout_s)
    return [life_sign(one, time.time()) for one in said]


def patient_signs(pid: Optional[int], device_ids: Sequence[str], began_s: float) -> Tuple[Sequence[LifeSign], bool]:
    """The signs of life; and whether a plugin in that process is there and says nothing, however long it is given.

    "Well" needs an answer of each device in this run: one that lost its power a moment ago still counts as connected.
    """
    signs = signs_of_life()
    if pid is None:
        return signs, False
    if not any(sign.pid == pid for sign in signs):
        if not is_there(pid):
            return signs, False
        signs = signs_of_life(LATE_ANSWER_S)
    until_s = time.monotonic() + HEARD_WITHIN_S
    while time.monotonic() < until_s and _is_one_unheard(signs, pid, device_ids, time.monotonic() - began_s):
        time.sleep(LOOK_INTERVAL_S)
        signs = signs_of_life() or signs
    return signs, not any(sign.pid == pid for sign in signs) and is_there(pid)


def _is_one_unheard(signs: Sequence[LifeSign], pid: int, device_ids: Sequence[str], run_s: float) -> bool:
    """Whether a device that counts as connected has not answered since this run began."""
    served = [device for sign in signs if sign.pid == pid for device in sign.served if device.device_id in device_ids]
    return any(device.connected and (device.heard_age_s or 0.0) > run_s for device in served)


def _holds(domoticz: Optional[Domoticz], entries: Sequence[DeviceEntry]) -> bool:
    """Whether Domoticz's process holds one of these devices: then the plugin is in it, though nothing is heard."""
    holders = (holder_of(entry.device_id) for entry in entries)
    pid = domoticz.pid if domoticz is not None else None
    return pid is not None and any(holder is not None and holder.pid == pid for holder in holders)


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
        password = read_password(args.password_file)
    if sys.stdin.isatty() and not args.json:
        user = user or input(f"User of {address} (Enter: none): ").strip()
        password = password or (getpass.getpass("Its password (is not shown and not kept): ") if user else "")
    return Web(address, user, password)


def check_given_key(entry: DeviceEntry, in_use: Sequence[DeviceEntry], is_given: bool) -> Iterator[Finding]:
    """Whether the key that was given was tried: where another process holds the device, that one's key works.

    is_given: by an option, or with a file that was named. in_use: the entries that the owner reads; a key that stands
    there, too, is the one that it uses, unless the Hardware page names one.
    """
    owner = ask(entry.device_id) if is_given else None
    if owner is None:
        return
    said = owner_of(entry.device_id)
    sign = life_sign(said) if said is not None else None
    is_known = any(one.device_id == entry.device_id and one.local_key == entry.local_key for one in in_use)
    if is_known and owner.connected and sign is not None and not sign.has_own_key:
        return
    text = f"the given key was not tried: {owner.owner} holds the connection, with a key of its own"
    cure = "to try it, stop that one (Setup > Hardware: take the tick from 'Enabled', Update), then run this again"
    yield Finding("given key", UNCHECKED, text, cure, entry.shown_name)


def _chosen(args: argparse.Namespace, is_named: bool, entries: Tuple[DeviceEntry, ...]) -> List[DeviceEntry]:
    """The named device, else all that the plugin serves. A key that cannot be right is the doctor's to tell."""
    if not is_named:
        return list(entries)
    if args.key is None and args.id is None:
        name = as_utf8(args.name)
        named = [entry for entry in entries if name in (entry.device_id, entry.name, entry.wishes.name)]
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


def strangers(heard: Heard, known: Collection[str]) -> Iterator[Finding]:
    """The devices that announce themselves and are in no entry of a devices file that counts."""
    others = sorted((address, device_id) for device_id, (address, _) in heard.items() if device_id not in known)
    if others:
        shown = first_of([f"{short_id(device_id)} at {address}" for address, device_id in others], SHOWN_STRANGERS)
        text = f"announced, and in no entry of the devices file: {shown}"
        yield Finding("announcement", NOTE, text, "if that is a breaker of yours: bash install.sh keys")


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
