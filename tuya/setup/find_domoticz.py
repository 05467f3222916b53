"""Finds Domoticz on this machine and the Python that it loads. Reads only; starts and stops nothing.

Domoticz loads the newest libpython3.N.so that its release knows and the system's loader finds (measured: 3.14 down
to 3.4 in release 2025.1); that name without a trailing number comes with the distribution's -dev package.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Iterable, List, Optional, Tuple

from tuya.keys.accounts import Account, account_of_owner, account_of_process, account_of_user

from .running import Started, of_service, running

OLDEST_MINOR = 9  # of Python 3, for this plugin
USUAL_FOLDERS = ("/opt/domoticz", "/usr/local/domoticz", "/home/*/domoticz", "/root/domoticz", "/usr/lib/domoticz")
LIBRARY_FOLDERS = ("/usr/lib", "/usr/lib/*-linux-*", "/usr/lib64", "/lib", "/lib/*-linux-*", "/usr/local/lib")
UNIT_FILES = (
    "/etc/systemd/system/domoticz.service",
    "/lib/systemd/system/domoticz.service",
    "/usr/lib/systemd/system/domoticz.service",
)
DOCKER_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Domoticz:
    """One Domoticz. `root`: where its www folder is; `how`: how it was found, for the user; pid only if it runs.

    started: with which options, where that is known. is_ours: its plugins folder holds this copy of the plugin, so
    that it is the one that counts where there are several.
    """

    binary: Path
    root: Path
    how: str
    pid: Optional[int] = None
    started: Optional[Started] = None
    is_ours: bool = False

    @property
    def account(self) -> Optional[Account]:
        """The user that it runs as, or that its service names; None where that is not known."""
        if self.pid is not None:
            return account_of_process(self.pid)
        return account_of_user(self.started.user) if self.started is not None and self.started.user else None


@dataclass(frozen=True)
class LoadedPython:
    """The Python of a Domoticz: 3.`minor`, the interpreter of the same version (None: there is no such program)."""

    minor: int
    library: Path
    interpreter: Optional[str]


def find(plugin_folder: Path, filesystem: Path = Path("/")) -> Optional[Domoticz]:
    """Find a Domoticz, best the one whose plugins folder holds this copy of the plugin.

    Order: named by DOMOTICZ_BIN; that one, running, by its service, or around this folder; then another one, running,
    by its service, in the usual folders. None where there is none. One that runs in a root of its own is none of these:
    what it loads cannot be started here (see elsewhere).
    filesystem: where "/" is, for tests.
    """
    for binary, how, started, is_ours in _candidates(plugin_folder, filesystem):
        pid = started.pid if started is not None else None
        # what runs is there, also where its program was deleted since (an update that is not through)
        if pid is not None or (binary.is_file() and os.access(binary, os.X_OK)):
            approot = started.options.get("-approot") if started is not None else None
            return Domoticz(binary, root_of(binary, approot), how, pid, started, is_ours)
    return None


def reader_of_keys(plugin_folder: Path, domoticz: Optional[Domoticz]) -> Optional[Account]:
    """The user that must be able to read devices.json: as whom our Domoticz runs, else who owns its plugins folder."""
    if domoticz is not None and domoticz.is_ours and domoticz.account is not None:
        return domoticz.account
    is_in_plugins = plugin_folder.parent.name == "plugins"
    return account_of_owner(plugin_folder.parent if is_in_plugins else plugin_folder)


def elsewhere(filesystem: Path = Path("/")) -> List[Started]:
    """The Domoticz processes in a root of their own (containers, chroots), as far as we may look into them."""
    return [one for one in running(filesystem) if one.is_elsewhere]


def data_folder_of(plugin_folder: Path) -> Optional[Path]:
    """The user data folder of the Domoticz whose plugins folder holds this copy, running or not; None: it is in none.

    Known by what Domoticz itself makes beside "plugins": its database, which -dbase may call otherwise or put
    elsewhere, and the folders of its scripts (main/EventSystem.cpp).
    """
    folder = plugin_folder.parent.parent
    made = (folder / "domoticz.db", folder / "scripts" / "dzVents", folder / "scripts" / "lua")
    is_data = plugin_folder.parent.name == "plugins" and any(path.exists() for path in made)
    return folder if is_data else None


_Candidate = Tuple[Path, str, Optional[Started], bool]


def _candidates(plugin_folder: Path, filesystem: Path) -> Iterable[_Candidate]:
    processes = [one for one in running(filesystem) if not one.is_elsewhere]
    ours = next((one for one in processes if one.holds(plugin_folder)), None)
    named = Path(os.environ["DOMOTICZ_BIN"]) if os.environ.get("DOMOTICZ_BIN") else None
    if named is not None and (ours is None or named.resolve() != ours.binary.resolve()):
        yield named, "DOMOTICZ_BIN", None, False
    if ours is not None:
        yield ours.binary, "it is running", ours, True
    services = [(unit, of_service(filesystem / unit.lstrip("/"))) for unit in UNIT_FILES]
    for unit, service in services:
        if service is not None and service.holds(plugin_folder):
            yield filesystem / str(service.binary).lstrip("/"), f"service {unit}", service, True
    if plugin_folder.parent.name == "plugins":
        yield plugin_folder.parent.parent / "domoticz", "this plugin lies in its folder", None, True
    for other in processes:
        yield other.binary, "it is running, with another plugins folder", other, False
    for unit, service in services:
        if service is not None:
            yield filesystem / str(service.binary).lstrip("/"), f"service {unit}", service, False
    for pattern in USUAL_FOLDERS:
        for folder in sorted(filesystem.glob(pattern.lstrip("/"))):
            yield folder / "domoticz", "usual folder", None, False
    on_path = shutil.which("domoticz") if filesystem == Path("/") else None
    if on_path:
        yield Path(on_path).resolve(), "PATH", None, False


def root_of(binary: Path, started_with: Optional[str]) -> Path:
    """Return the folder with Domoticz's www: named by the environment or its command line, else where it usually is."""
    named = os.environ.get("DOMOTICZ_ROOT") or started_with
    usual = (binary.parent, Path("/usr/share/domoticz"), Path("/usr/local/share/domoticz"), Path("/opt/domoticz"))
    if named:
        return Path(named)
    return next((folder for folder in usual if (folder / "www").is_dir()), binary.parent)


def python_of(domoticz: Domoticz, filesystem: Path = Path("/")) -> Optional[LoadedPython]:
    """Which Python this Domoticz loads: seen in its process, else worked out as it does; None without libpython."""
    library = _mapped_library(domoticz.pid, filesystem) if domoticz.pid is not None else None
    if library is None:
        library = _loadable_library(_minors_known_to(domoticz.binary), filesystem)
    if library is None:
        return None
    minor = int(library.name.split(".")[1])
    return LoadedPython(minor, library, interpreter_for(minor, library, filesystem))


def _mapped_library(pid: int, filesystem: Path) -> Optional[Path]:
    try:
        maps = (filesystem / "proc" / str(pid) / "maps").read_text(errors="replace")
    except OSError:
        return None
    match = re.search(r"/\S*/libpython3\.\d+\.so\S*", maps)
    return Path(match[0]) if match else None


def _minors_known_to(binary: Path) -> List[int]:
    """Return the minor versions that this binary tries, newest first; all that releases know if that is unclear."""
    try:
        names = set(re.findall(rb"python3\.(\d{1,2})\0", binary.read_bytes()))
    except OSError:
        names = set()
    known = sorted((int(name) for name in names), reverse=True)
    return known if len(known) > 1 else list(range(14, OLDEST_MINOR - 1, -1))


def _loadable_library(minors: List[int], filesystem: Path) -> Optional[Path]:
    folders = [folder for pattern in LIBRARY_FOLDERS for folder in filesystem.glob(pattern.lstrip("/"))]
    paths = (folder / f"libpython3.{minor}.so" for minor in minors for folder in folders)
    return next((path for path in paths if path.exists()), None)


def interpreter_for(minor: int, library: Path, filesystem: Path = Path("/")) -> Optional[str]:
    """Return the program python3.<minor> that belongs to a library: of the same prefix, else of the system or PATH."""
    name = f"python3.{minor}"
    programs = [parent / "bin" / name for parent in library.parents] + [filesystem / "usr/bin" / name]
    found = next((str(program) for program in programs if program.exists()), None)
    return found or (shutil.which(name) if filesystem == Path("/") else None)


def containers() -> List[str]:
    """Names of running containers whose image is called domoticz; [] where there is no container engine."""
    engine = shutil.which("docker") or shutil.which("podman")
    if engine is None:
        return []
    try:
        done = subprocess.run(  # noqa: S603 - the engine's own tool, fixed words
            [engine, "ps", "--format", "{{.Names}} {{.Image}}"],
            capture_output=True,
            text=True,
            timeout=DOCKER_TIMEOUT_S,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    rows = (line.split() for line in done.stdout.splitlines())
    return [row[0] for row in rows if len(row) > 1 and "domoticz" in row[1].lower()]
