"""Whether what was asked is the Domoticz which counts: its web server, of several, and the database it writes to."""

from __future__ import annotations

from pathlib import Path
from typing import Optional, Set, Tuple

from tuya.cli.common import is_same_file
from tuya.cli.doctor.cures import RESTART
from tuya.cli.doctor.domoticz_view import View, names_of
from tuya.cli.doctor.domoticz_web import is_of_this_machine
from tuya.cli.doctor.findings import FAILED, UNCHECKED, Finding, lasted
from tuya.setup.running import DELETED, Started, open_files

UPTIME_SLACK_S = 20.0  # it is told in steps of 5 s, and Domoticz notes its start some seconds after its process
_TABLES = ("tcp", "tcp6")
_LISTENING = "0A"  # of net/tcp_states.h
_SOCKET = "socket:["  # of proc(5)


def doubt(started: Started, place: Tuple[str, int], web: View, database: Optional[View], now_s: float) -> str:
    """Why `web` is not known to be what this running Domoticz says, for a person; "" where it is.

    place: host and port that were asked. Known by the socket that its process listens on, where we may look; else by
    how long both say that they have been running. Its database, where it can be read, must not say otherwise.
    """
    if database is not None and _rows(database) != _rows(web):
        shown = ", ".join(names_of(web.hardware)) or "none"
        held = ", ".join(names_of(database.hardware)) or "none"
        return (
            f"{web.source} is another Domoticz than process {started.pid}: its hardware with this plugin is {shown}, "
            f"and that of process {started.pid} is {held}, or has another number or tick"
        )
    host, port = place
    if is_of_this_machine(host) and port in _ports_of(started.pid):
        return ""
    unknown = f"whether {web.source} is process {started.pid} is not known"
    if web.uptime_s is None or started.began_s is None:
        return f"{unknown}: one of them does not say since when it runs"
    runs_s = now_s - started.began_s
    if abs(web.uptime_s - runs_s) <= UPTIME_SLACK_S:
        return ""
    return f"{unknown}: it has been running for {lasted(web.uptime_s)}, the process for {lasted(runs_s)}"


def _rows(view: View) -> Set[Tuple[int, str, bool]]:
    return {(row.idx, row.name, row.enabled) for row in view.hardware}


def _ports_of(pid: Optional[int]) -> Set[int]:
    """The TCP ports on which a process listens; none where we may not look."""
    sockets = {link[len(_SOCKET) : -1] for link in open_files(pid) if link.startswith(_SOCKET)}
    ports: Set[int] = set()
    for table in _TABLES:
        try:
            lines = Path("/proc", str(pid), "net", table).read_text(encoding="ascii", errors="replace").splitlines()
        except OSError:
            continue
        for words in (line.split() for line in lines[1:]):  # proc(5): number, local, remote, state, ..., 9th the inode
            if len(words) > 9 and words[3] == _LISTENING and words[9] in sockets:
                ports.add(int(words[1].rpartition(":")[2], 16))
    return ports


def check_database(started: Started, is_read: bool) -> Optional[Finding]:
    """Why its database does not show what this running Domoticz stores; None where it does. is_read: it was read.

    Known by the files that the process holds open, where we may look: a database that was replaced, restored or deleted
    beside a Domoticz that runs is another one than it writes to, and all that it writes is lost with its next start.
    """
    path, opened = started.database, open_files(started.pid)
    unread = f"{path} could not be read (rights? held by another program?): whether Domoticz stores is not known"
    by_whom = "run this again; if it stays, as the user of Domoticz, or as root: sudo python3 -m tuya doctor"
    if not opened:  # of another user
        return None if is_read else Finding("database", UNCHECKED, unread, by_whom)
    is_there = path.exists()
    if is_there and any(is_same_file(file, path) for file in opened.values()):
        return None if is_read else Finding("database", UNCHECKED, unread, by_whom)
    gone = next((file for link, file in opened.items() if link.endswith(f"/{path.name}{DELETED}")), None)
    if gone is not None:
        what = "replaced" if is_there else "deleted"
        text = (
            f"{path} was {what} while Domoticz runs: it goes on with the old one, which is lost when it ends, and all "
            "values with it"
        )
        cure = f"to keep the old one, copy {gone} first; then {RESTART}"
        return Finding("database", FAILED, text, cure)
    text = f"process {started.pid}, Domoticz, does not hold {path} open: where it stores its values is not known"
    return Finding(
        "database", UNCHECKED, text, "restart Domoticz; if it stays, what does Setup > Log say of its database?"
    )
