"""Whether a web server that answered is that of the Domoticz which counts: there may be several on one machine."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator, Optional, Set, Tuple

from tuya.cli.doctor.domoticz_view import View, names_of
from tuya.cli.doctor.domoticz_web import is_of_this_machine
from tuya.cli.doctor.findings import lasted
from tuya.setup.running import Started

UPTIME_SLACK_S = 20.0  # it is told in steps of 5 s, and Domoticz notes its start some seconds after its process
_TABLES = ("tcp", "tcp6")
_LISTENING = "0A"  # of net/tcp_states.h


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
    sockets = set(_sockets_of(pid))
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


def _sockets_of(pid: Optional[int]) -> Iterator[str]:
    try:
        entries = list(Path("/proc", str(pid), "fd").iterdir())
    except OSError:
        return
    for entry in entries:
        try:
            link = str(entry.readlink())
        except OSError:
            continue  # it was closed
        if link.startswith("socket:["):
            yield link[len("socket:[") : -1]
