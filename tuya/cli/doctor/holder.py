"""Which process holds a device and says nothing of it: its number, user and state, as the kernel tells them."""

from __future__ import annotations

import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional

from tuya.cli.doctor.cures import SOON
from tuya.cli.doctor.findings import FAILED, UNCHECKED, Finding
from tuya.keys.accounts import ROOT_UID, Account
from tuya.lan.locks.device_lock import HAS_ABSTRACT_SOCKETS, foreign_name, holder_name
from tuya.lan.locks.peer_credentials import PLUGIN_FOLDER, is_owner, peer_of
from tuya.setup.running import word_of_stat

_STOPPED = ("T", "t")  # of proc(5): by a signal, by a debugger
_TIMEOUT_S = 0.5
_LOOK_GAPS_S = (0.13, 0.29, 0.37)  # no multiples of one another: no rhythm of stops is met each time
_NAME_CHARACTERS = 16  # of comm


@dataclass(frozen=True)
class Holder:
    """A process. name: of its program, "" where that is not known."""

    pid: int
    user: Account
    name: str
    is_stopped: bool

    def __str__(self) -> str:
        return f"process {self.pid} ({self.name or 'of unknown name'}) of {self.user.name}"


def is_stopped(pid: int, pause: Callable[[float], None] = time.sleep) -> bool:
    """Whether a process is there and stopped (SIGSTOP, a debugger): then it answers nobody, and nothing ends that.

    One that is slowed down by being stopped and let go on all the time (cpulimit) is not: it is looked at repeatedly.
    """
    for gap_s in _LOOK_GAPS_S:
        if not _is_stopped_now(pid):
            return False
        pause(gap_s)
    return _is_stopped_now(pid)


def _is_stopped_now(pid: int) -> bool:
    return word_of_stat(Path("/proc", str(pid)), 3) in _STOPPED


def holder_of(device_id: str) -> Optional[Holder]:
    """The process that holds the lock of a device; None where the kernel does not tell (another container)."""
    return _listens_at(holder_name(device_id), of_anybody=False) if HAS_ABSTRACT_SOCKETS else None


def foreign_holder_of(device_id: str) -> Optional[Holder]:
    """The process that holds the lock of a device though its word does not count here; None where there is none."""
    return _listens_at(foreign_name(device_id), of_anybody=True)


def _listens_at(name: str, of_anybody: bool) -> Optional[Holder]:
    if not name:
        return None
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(_TIMEOUT_S)
        try:
            sock.connect(name)
        except OSError:
            return None
        peer = peer_of(sock) if of_anybody or is_owner(sock) else None
    if peer is None or peer.pid == 0:
        return None
    try:
        program = Path("/proc", str(peer.pid), "comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        program = ""
    program = "".join(letter if letter.isprintable() else "?" for letter in program)[:_NAME_CHARACTERS]
    return Holder(peer.pid, Account(peer.uid, peer.gid), program, is_stopped(peer.pid))


def silent(holder: Holder) -> Finding:
    """What it means that this process does not say how its device is."""
    if holder.is_stopped:
        text = f"{holder} holds it, and is stopped: it does nothing until somebody lets it go on"
        cure = f"restart it (of Domoticz: sudo systemctl restart domoticz), or: sudo kill -CONT {holder.pid}"
        return Finding("owner", FAILED, text, cure)
    if not tells_us(holder.user.uid):
        text = f"{holder} holds it, and tells how it is to that user and to root only"
        return Finding("owner", UNCHECKED, text, doctor_as(holder.user))
    cure = f"{SOON}; if it stays, restart that process"
    return Finding("owner", UNCHECKED, f"{holder} holds it, and did not answer: it hangs, or is very busy", cure)


def foreign(holder: Holder) -> Finding:
    """What it means that a user holds a device whose word does not count: it is asked nothing, and not taken from him.

    Two connections wedge real breakers, and this one may well be Domoticz's.
    """
    text = (
        f"{holder} holds it, who is neither root, nor the user of this run, nor the owner of the plugin's folder, nor "
        "known to run the Domoticz of this plugin: his word does not count, and nothing is connected beside his"
    )
    cure = f"if that is Domoticz: {doctor_as(holder.user)}; if it is no program of yours: sudo kill {holder.pid}"
    return Finding("owner", UNCHECKED, text, cure)


def doctor_as(user: Account) -> str:
    """The command that runs the doctor as that user."""
    as_user = f"-u {user.name} " if " " not in user.name else ""  # a number has no name
    return f"sudo {as_user}python3 -m tuya doctor"


def tells_us(uid: int, folder: Path = PLUGIN_FOLDER) -> bool:
    """Whether a process of that user, of the plugin in `folder`, trusts the user of this run (see peer_credentials)."""
    me = os.geteuid()
    try:
        return me in (ROOT_UID, uid, folder.stat().st_uid)
    except OSError:
        return me in (ROOT_UID, uid)
