"""How a Domoticz was started, running or by its service: its folders, its log file, its port. Reads only.

The options that count, as Domoticz reads them (main/domoticz.cpp): those of the command line, or with `-f FILE` those
of that file instead. Plugins lie in "plugins" of the user data folder, which is -userdata, else -approot, else the
folder of the program.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Sequence

PROGRAM = "domoticz"
DEFAULT_PORT = 8080
DEFAULT_SECURE_PORT = 443
_LOADERS = ("ld-linux", "ld-musl", "ld.so")
_PLUGINS = "plugins"
DELETED = " (deleted)"  # behind where a link of proc(5) led
# names in the file of -f -> the same on the command line
_IN_FILE = {
    "app_path": "-approot",
    "userdata_path": "-userdata",
    "log_file": "-log",
    "dbase_file": "-dbase",
    "http_port": "-www",
    "http_address": "-wwwbind",
    "ssl_port": "-sslwww",
    "startup_delay": "-startupdelay",
    "web_root": "-webroot",
}


@dataclass(frozen=True)
class Started:
    """One Domoticz as it was started. Paths are those that it sees; `outside`: what stands before them for us.

    user: of the service, "" for a process. began_s: seconds since the epoch, None where it does not run. is_replaced:
    the program that runs is not the one at `binary` any more. parent: the process that started it.
    """

    binary: Path
    options: Dict[str, str]
    folder: Optional[Path] = None  # the current folder, for relative paths
    pid: Optional[int] = None
    user: str = ""
    outside: str = ""
    began_s: Optional[float] = None
    is_replaced: bool = False
    parent: Optional[int] = None

    @property
    def is_elsewhere(self) -> bool:
        """Whether it runs in a root of its own, a container or a chroot: its Python and libraries are not ours."""
        return bool(self.outside)

    @property
    def user_data(self) -> Path:
        """Where its plugins folder and its database are."""
        named = self.options.get("-userdata") or self.options.get("-approot")
        return self._path(named) if named else Path(f"{self.outside}{self.binary.parent}")

    @property
    def database(self) -> Path:
        """Its database."""
        named = self.options.get("-dbase")
        return self._kept(named) if named else self.user_data / "domoticz.db"

    @property
    def log(self) -> Optional[Path]:
        """The file that it writes its log into, None without -log."""
        named = self.options.get("-log")
        return self._kept(named) if named else None

    def _kept(self, named: str) -> Path:
        """A file that it opens once: with -daemon, the current folder changes after that (main/domoticz.cpp)."""
        path = self._path(named)
        return path if Path(named).is_absolute() or path.exists() else self._opened(path.name) or path

    def _opened(self, name: str) -> Optional[Path]:
        """The file of that name that this process holds open, where we may look."""
        places = (place.replace(DELETED, "") for place in open_files(self.pid))
        return next((Path(f"{self.outside}{place}") for place in places if Path(place).name == name), None)

    @property
    def startup_delay_s(self) -> float:
        """For how long it waits before it starts anything, in seconds."""
        named = self.options.get("-startupdelay", "")
        return float(named) if named.isascii() and named.isdecimal() else 0.0

    @property
    def address(self) -> str:
        """Where its web server answers on this machine, without encryption if it may; "" where it is switched off."""
        plain = self.options.get("-www", str(DEFAULT_PORT))
        secure = self.options.get("-sslwww", str(DEFAULT_SECURE_PORT))
        host = self.options.get("-wwwbind", "")
        host = "127.0.0.1" if host in ("", "0.0.0.0", "::") else host  # noqa: S104 - compared, not bound
        root = self.options.get("-webroot", "").strip("/")
        path = f"/{root}" if root else ""
        for scheme, port in (("http", plain), ("https", secure)):
            if port.isdecimal() and int(port):
                return f"{scheme}://{host}:{port}{path}"
        return ""

    def holds(self, plugin_folder: Path) -> bool:
        """Whether its plugins folder holds this very copy of the plugin, or a link to it."""
        try:
            ours = plugin_folder.stat()
            return any(_is_same(entry, ours) for entry in (self.user_data / _PLUGINS).iterdir())
        except OSError:
            return False

    def _path(self, text: str) -> Path:
        path = Path(text)
        if not path.is_absolute() and self.folder is not None:
            path = self.folder / path
        return Path(f"{self.outside}{path}") if path.is_absolute() else path


def _is_same(entry: Path, ours: os.stat_result) -> bool:
    try:
        return os.path.samestat(entry.stat(), ours)
    except OSError:
        return False


def running(filesystem: Path = Path("/")) -> Iterator[Started]:
    """Every Domoticz that runs on this machine, also in containers as far as we may look into them."""
    for process in sorted(filesystem.glob("proc/[0-9]*"), key=lambda path: int(path.name)):
        program = _program_of(process)
        started = of_process(int(process.name), filesystem) if program else None
        if started is not None and (program == PROGRAM or started.binary.name.startswith(PROGRAM)):
            yield started


def _program_of(process: Path) -> str:
    """The name of its program where that may be Domoticz, else "".

    That name, one that begins with it (domoticz-beta; a script is told by what runs it), or the system's loader, which
    was given it.
    """
    try:
        name = (process / "comm").read_text(errors="replace").strip()
    except OSError:
        return ""  # it has ended
    return name if name.startswith((PROGRAM, *_LOADERS)) else ""


def of_process(pid: int, filesystem: Path = Path("/")) -> Optional[Started]:
    """How a process was started, taken for a Domoticz; None where that cannot be seen."""
    process = filesystem / "proc" / str(pid)
    words = command_line(pid, filesystem)
    outside = _root_seen_by(process, filesystem)
    # of a process of another user: what it was started as
    binary = _seen_by(process, "exe", outside) or Path((words or [""])[0])
    if binary.name.startswith(_LOADERS):
        place = next((number for number, word in enumerate(words[1:], 1) if Path(word).name.startswith(PROGRAM)), 0)
        words = words[place:]
        binary = (_seen_by(process, "cwd", outside) or Path("/")) / words[0] if place else binary
    if not binary.is_absolute():
        return None
    folder = _seen_by(process, "cwd", outside)
    options = options_of(words, folder, outside)
    began_s, parent = _began_s(process, filesystem), _number_in_stat(process, 4)
    return Started(binary, options, folder, pid, "", outside, began_s, _is_deleted(process / "exe"), parent)


def open_files(pid: Optional[int]) -> Dict[str, Path]:
    """What a process holds open: where each leads -> the link itself, in /proc; {} where we may not look."""
    found: Dict[str, Path] = {}
    try:
        entries = list(Path("/proc", str(pid), "fd").iterdir())
    except OSError:
        return {}
    for entry in entries:
        try:
            found[os.readlink(entry)] = entry  # noqa: PTH115 - Path.readlink would tidy up what leads to no path
        except OSError:
            continue  # it was closed
    return found


def _link(path: Path) -> Optional[Path]:
    try:
        return Path(str(path.readlink()).replace(DELETED, ""))
    except OSError:
        return None


def _is_deleted(path: Path) -> bool:
    try:
        return str(path.readlink()).endswith(DELETED)
    except OSError:
        return False


def _seen_by(process: Path, name: str, outside: str) -> Optional[Path]:
    """Where a link of that process leads, as the process sees it: of a chroot, Linux tells its place in our root."""
    link, root = _link(process / name), _link(process / "root")
    if not outside or link is None or root is None or root not in link.parents:
        return link
    return Path("/") / link.relative_to(root)


def _root_seen_by(process: Path, filesystem: Path) -> str:
    """What stands before a path of that process for us: its root where that is another one (a container)."""
    root = process / "root"
    try:
        if not os.path.samestat(root.stat(), filesystem.stat()):
            return str(root)
    except OSError:
        pass
    return ""


def _began_s(process: Path, filesystem: Path) -> Optional[float]:
    """When it was started: field 22 of its stat, in ticks since the machine's start (proc(5))."""
    ticks = _number_in_stat(process, 22)
    try:
        booted = re.search(r"^btime (\d+)", (filesystem / "proc/stat").read_text(), flags=re.MULTILINE)
    except OSError:
        return None
    return int(booted[1]) + ticks / os.sysconf("SC_CLK_TCK") if booted and ticks is not None else None


def _number_in_stat(process: Path, field: int) -> Optional[int]:
    word = word_of_stat(process, field)
    return int(word) if word.isdecimal() else None


def word_of_stat(process: Path, field: int) -> str:
    """A field of /proc/PID/stat from the third on, counted as in proc(5); "" when the process (a folder) has ended.

    The second one is the name, which may hold spaces and brackets.
    """
    try:
        text = (process / "stat").read_text(encoding="ascii", errors="replace")
        return text.rpartition(")")[2].split()[field - 3]
    except (OSError, IndexError):
        return ""


def command_line(pid: int, filesystem: Path = Path("/")) -> List[str]:
    """Return the words that a process was started with; [] when it has ended."""
    try:
        content = (filesystem / "proc" / str(pid) / "cmdline").read_bytes()
    except OSError:
        return []
    return [os.fsdecode(word) for word in content.split(b"\0")]


def _is_option(word: str) -> bool:
    """As main/CmdLine.cpp: a minus and something behind it that is no digit."""
    return len(word) > 1 and word[0] == "-" and not word[1].isdigit()


def options_of(words: Sequence[str], folder: Optional[Path] = None, outside: str = "") -> Dict[str, str]:
    """The options of a command line that count, of one given twice the first; {} where only the defaults do."""
    given: Dict[str, str] = {}
    for word, following in zip(words, words[1:]):
        if _is_option(word) and not _is_option(following):
            given.setdefault(word, following)
    if "-f" not in given:
        return given
    file = (folder or Path("/")) / given["-f"]
    try:
        lines = Path(f"{outside}{file}").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return given
    pairs = (line.partition("=") for line in lines if not line.lstrip().startswith("#"))
    return {
        _IN_FILE[name.strip()]: value.strip() for name, equals, value in pairs if equals and name.strip() in _IN_FILE
    }


def of_service(unit: Path) -> Optional[Started]:
    """What a unit file of systemd starts, None where it cannot be read or starts nothing."""
    try:
        text = unit.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    found = dict(re.findall(r"^(ExecStart|User|WorkingDirectory)=(.*?)\s*$", text, flags=re.MULTILINE))
    words = found.get("ExecStart", "").lstrip("-@:+!").split()
    if not words:
        return None
    folder = Path(found["WorkingDirectory"]) if found.get("WorkingDirectory", "").startswith("/") else None
    return Started(Path(words[0]), options_of(words, folder), folder, user=found.get("User", "root"))
