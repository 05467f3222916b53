"""bash install.sh demo on a terminal of the test's: shows, switches, ends on Ctrl-C and leaves nothing behind."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.setup.conftest import copied

TIMEOUT_S = 30.0
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, installation):
    """A plugin folder after install.sh."""
    return copied(installation, tmp_path_factory.mktemp("demo") / "it's a plugin")


def environment():
    return {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "PYTHON": sys.executable,
        "TERM": "xterm",
        "COLUMNS": "100",
    }


def children_of(folder: Path) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environ = (process / "environ").read_bytes()
        except OSError:
            continue
        if str(folder).encode() in environ:
            found.append((process / "cmdline").read_text())
    return found


class Terminal:
    """The demo on a pseudo-terminal."""

    def __init__(self, folder: Path) -> None:
        words = ["bash", str(folder / "install.sh"), "demo", "--stand-in"]
        self.pid, self._descriptor = pty.fork()
        if self.pid == 0:
            for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGQUIT, signal.SIGPIPE):
                signal.signal(number, signal.SIG_DFL)  # whatever the run of the tests was started to ignore
            os.execvpe("bash", words, environment())  # noqa: S606 - our own script
        self.text = ""
        self._ended = False

    def wait_for(self, pattern: str) -> None:
        deadline = time.monotonic() + TIMEOUT_S
        seen = ""
        while not re.search(pattern, COLOURS.sub("", seen)):
            assert time.monotonic() < deadline, seen[-2000:]
            try:
                seen += os.read(self._descriptor, 65536).decode(errors="replace")
            except OSError:
                pytest.fail(f"ended early:\n{seen}")
        self.text += seen

    def screen(self) -> str:
        """What a person sees: the output with its movements of the cursor."""
        rows, row, column = [""], 0, 0
        for control, count, kind, text in re.findall(r"(\x1b\[(\??[0-9;]*)([A-Za-z]))|([^\x1b])", self.text):
            if control and kind == "A":
                row = max(0, row - int(count or 1))
            elif control and kind == "K":
                rows[row] = ""
            elif text == "\r":
                column = 0
            elif text == "\n":
                row += 1
                rows += [""] * (row + 1 - len(rows))
            elif text:
                rows[row] = rows[row].ljust(column)[:column] + text + rows[row][column + 1 :]
                column += 1
        return "\n".join(rows)

    def write(self, text: str) -> None:
        os.write(self._descriptor, text.encode())

    def end(self) -> int:
        """The rest of the output, and the exit code."""
        while True:
            try:
                data = os.read(self._descriptor, 65536)
            except OSError:
                break
            if not data:
                break
            self.text += data.decode(errors="replace")
        os.close(self._descriptor)
        self._ended = True
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def kill(self) -> None:
        """What a failed test leaves running."""
        if not self._ended:
            os.kill(self.pid, signal.SIGTERM)
            self.end()


BOILER_ON = r"Boiler\s*│ On .*W, 0\.\d+ kWh │ 2\d\d"
BOILER_OFF = r"Boiler\s*│ Off\s*│ 0 W"


@pytest.mark.parametrize("way_to_end", ["Ctrl-C", "q", "terminated", "hung up"])
def test_it_shows_switches_and_ends(folder, way_to_end, request):
    before = {path.name for path in folder.iterdir()}
    terminal = Terminal(folder)
    request.addfinalizer(terminal.kill)
    terminal.wait_for(BOILER_ON)
    if way_to_end == "Ctrl-C":
        terminal.write("\n")
        terminal.write("boiler\n")
        terminal.wait_for(r"there is no breaker 'boiler': type a number from 1 to 3")
        assert terminal.screen().count("┏") == 1  # one frame, and no piece of another
        terminal.write("1\n")
        terminal.wait_for(BOILER_OFF)
        terminal.write("1\n")
        terminal.wait_for(BOILER_ON)
        terminal.write("\x03")
    elif way_to_end == "q":
        terminal.write("q\n")
    else:
        os.kill(terminal.pid, signal.SIGTERM if way_to_end == "terminated" else signal.SIGHUP)
    assert terminal.end() == 0
    assert "Traceback" not in terminal.text
    assert {path.name for path in folder.iterdir()} | {"__pycache__"} == before | {"__pycache__"}
    assert children_of(folder) == []


def test_without_a_terminal_it_ends_by_itself_with_the_table(folder):
    words = ["bash", str(folder / "install.sh"), "demo", "--stand-in", "--seconds", "2"]
    done = subprocess.run(
        words,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=TIMEOUT_S,
        env=environment(),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"│ (Boiler|Fridge|Workshop) +│ On ", done.stdout)) == 3
    assert done.stderr == ""
    assert not (folder / ".demo").exists()


@pytest.mark.e2e
def test_in_a_domoticz_of_its_own(folder):
    """The installed one is not written to: pages of plugins go into its web folder otherwise."""
    if "DOMOTICZ_BIN" not in os.environ or "DOMOTICZ_ROOT" not in os.environ:
        pytest.skip("DOMOTICZ_BIN and DOMOTICZ_ROOT name no Domoticz")
    root = Path(os.environ["DOMOTICZ_ROOT"])
    before = sorted(path.name for part in (root, root / "www", root / "www/templates") for path in part.iterdir())
    done = subprocess.run(
        ["bash", str(folder / "install.sh"), "demo", "--seconds", "3"],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=90,
        env={**environment(), "DOMOTICZ_BIN": os.environ["DOMOTICZ_BIN"], "DOMOTICZ_ROOT": str(root)},
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    address = re.search(r"(http://127\.0\.0\.1:\d+)/#/Utility", done.stdout)
    assert address, done.stdout
    assert len(re.findall(r"│ (Boiler|Fridge|Workshop) +│ On ", done.stdout)) == 3
    assert not (folder / ".demo").exists()
    after = sorted(path.name for part in (root, root / "www", root / "www/templates") for path in part.iterdir())
    assert after == before
