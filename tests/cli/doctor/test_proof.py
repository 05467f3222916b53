"""Whether what was asked is the Domoticz which counts: its web server and its database."""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from tuya.cli.doctor.domoticz_view import HardwareRow, View
from tuya.cli.doctor.proof import check_database, doubt
from tuya.setup.running import Started

NOW_S = 1_000_000.0
WEB = View("http://127.0.0.1:8080", (HardwareRow(2, "Breakers", enabled=True),), uptime_s=3605.0)
ELSEWHERE = ("192.0.2.1", 8080)
NO_PROCESS = 2**22 + 1  # more than Linux gives


def started(pid=NO_PROCESS, began_s=NOW_S - 3600.0):
    return Started(Path("/opt/domoticz/domoticz"), {}, pid=pid, began_s=began_s)


def test_a_socket_of_its_process_is_proof_whatever_the_clocks_say():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        place = listener.getsockname()
        of_yesterday = replace(WEB, uptime_s=86400.0)
        assert doubt(started(os.getpid()), place, of_yesterday, None, NOW_S) == ""
        assert "for 24 h, the process for 60 min" in doubt(started(), place, of_yesterday, None, NOW_S)
        assert doubt(started(os.getpid()), (ELSEWHERE[0], place[1]), of_yesterday, None, NOW_S)


@pytest.mark.parametrize(
    ("uptime_s", "began_s", "is_doubted"),
    [
        (3605.0, NOW_S - 3600.0, False),
        (3590.0, NOW_S - 3600.0, False),
        (3700.0, NOW_S - 3600.0, True),
        (None, NOW_S - 3600.0, True),
        (3605.0, None, True),
    ],
)
def test_the_time_since_its_start(uptime_s, began_s, is_doubted):
    """Through a reverse proxy, or where its sockets are not to be seen."""
    found = doubt(started(began_s=began_s), ELSEWHERE, replace(WEB, uptime_s=uptime_s), None, NOW_S)
    assert bool(found) is is_doubted, found


@pytest.mark.parametrize(
    "row", [HardwareRow(2, "Breakers", enabled=False), HardwareRow(3, "Breakers", enabled=True), None]
)
def test_another_hardware_page_is_another_domoticz(row):
    database = View("its database", (row,) if row is not None else ())
    found = doubt(started(), ELSEWHERE, WEB, database, NOW_S)
    assert f"is another Domoticz than process {NO_PROCESS}" in found
    assert doubt(started(), ELSEWHERE, WEB, replace(WEB, source="its database"), NOW_S) == ""


@pytest.fixture
def of_this_process(tmp_path):
    """A Domoticz whose process is this one, and its database, which this process holds open."""
    path = tmp_path / "domoticz.db"
    path.write_bytes(b"")
    with path.open("rb"):
        yield Started(Path("/opt/domoticz/domoticz"), {"-userdata": str(tmp_path)}, pid=os.getpid()), path


def test_the_database_that_its_process_holds_open(of_this_process):
    domoticz, _ = of_this_process
    assert check_database(domoticz, is_read=True) is None
    found = check_database(domoticz, is_read=False)
    assert (found.state, "could not be read" in found.text, "sudo" in found.cure) == ("unchecked", True, True)


@pytest.mark.parametrize("what", ["deleted", "replaced"])
def test_a_database_that_was_taken_away_while_domoticz_runs(of_this_process, what):
    domoticz, path = of_this_process
    path.unlink()
    if what == "replaced":
        path.write_bytes(b"")
    found = check_database(domoticz, is_read=what == "replaced")
    assert (found.state, f"was {what} while Domoticz runs" in found.text) == ("failed", True)
    kept = found.cure.partition("copy ")[2].partition(" first")[0]
    assert os.readlink(kept) == f"{path} (deleted)"  # noqa: PTH115


def test_a_database_that_its_process_does_not_hold(of_this_process, tmp_path):
    domoticz, _ = of_this_process
    found = check_database(replace(domoticz, options={"-dbase": str(tmp_path / "other.db")}), is_read=False)
    assert (found.state, "does not hold" in found.text) == ("unchecked", True)


@pytest.mark.parametrize(("is_read", "state"), [(True, ""), (False, "unchecked")])
def test_a_process_into_which_we_may_not_look(is_read, state):
    found = check_database(started(), is_read)
    assert (found.state if found is not None else "") == state


def test_a_database_with_a_relative_name_of_a_daemon(of_this_process):
    """Its current folder has changed since: its open files tell where it is."""
    domoticz, path = of_this_process
    daemon = replace(domoticz, options={"-dbase": path.name}, folder=Path("/"))
    assert daemon.database == path
    assert check_database(daemon, is_read=True) is None
