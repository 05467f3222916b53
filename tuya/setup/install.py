"""bash install.sh [install | uninstall]: lib/ for the Python that Domoticz loads, checked, with the next step said."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import List, Optional

from tuya.domoticz.board import forget_the_dead
from tuya.keys.writer import remove_leftovers

from . import find_domoticz, packages
from .compiling import compile_modules
from .errors import SetupError, WrongUse
from .probe import ProbeFailed, probe

OURS = ("lib", ".venv", ".demo", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis")  # made by install.sh
OUR_MODULES = ("plugin.py", "tuya")
CREDENTIALS_FILE = "tinytuya.json"
KEY_FILES = (
    "devices.json",
    "devices.json.bak",
    CREDENTIALS_FILE,
    "tuya-raw.json",
    "snapshot.json",
)  # the user's; kept unless purged


def say(text: str) -> None:
    """Print one line, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def install(folder: Path, python: Optional[str], offline: Optional[Path], quiet: bool = False) -> None:
    """Set up <folder>/lib and check it. Raises SetupError.

    python: the Python to install for; None = the one that Domoticz loads, else this one.
    offline: a folder with the wheels; None = from the folder `wheels` of a release archive, else the package index.
    quiet: say nothing where nothing is to be done (demo, test).
    """
    packages.remove_leftovers(folder)
    if python is not None and not is_python(python):
        raise WrongUse(f"--python {python}: this is no Python 3.{find_domoticz.OLDEST_MINOR} or newer")
    if python is not None and "/" in python:
        python = str(Path(python).absolute())  # not resolved: a virtual environment's Python is a link
    chosen = python or _python_of_domoticz(folder, quiet)
    if packages.is_current(folder):
        try:
            found = probe(chosen, folder)
        except ProbeFailed as error:
            say(f"lib/ does not work ({error}); it is made anew")
        else:
            if not quiet:
                compile_modules(chosen, folder, *OUR_MODULES)
                say(f"lib/ is up to date: tinytuya {found['tinytuya']}, {found['crypto']}, Python {found['python']}")
                _say_next(folder, is_update=True)
            return
    is_update = (folder / "lib").is_dir()
    _make_lib(folder, chosen, offline)
    try:
        found = probe(chosen, folder)
    except ProbeFailed as error:
        raise SetupError(
            f"the packages are in place, but {chosen} cannot use them: {error}\n"
            "If Domoticz loads another Python: bash install.sh --python /path/to/python3"
        ) from None
    compile_modules(chosen, folder, *OUR_MODULES)
    say(
        f"Checked in Python {found['python']} ({chosen}): tinytuya {found['tinytuya']} and {found['crypto']} "
        "work in a sub-interpreter, twice"
    )
    if not quiet:
        _say_next(folder, is_update)


def _make_lib(folder: Path, python: str, offline: Optional[Path]) -> None:
    """Fill lib/, from the wheels of a release archive where it has those for this machine. Raises SetupError."""
    brought = folder / packages.WHEELS
    if offline is None and brought.is_dir():
        try:
            packages.make_lib(folder, python, brought, say)
        except SetupError:
            say(f"{brought} has not what this machine needs: fetching it")
        else:
            return
    packages.make_lib(folder, python, offline, say)


def is_python(program: str) -> bool:
    """Whether a program is a Python that is new enough."""
    code = f"import sys; print(sys.version_info >= (3, {find_domoticz.OLDEST_MINOR}))"
    try:
        done = subprocess.run(  # noqa: S603 - what the user has named
            [program, "-I", "-c", code], capture_output=True, timeout=60, stdin=subprocess.DEVNULL, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.stdout.strip() == b"True"


def _python_of_domoticz(folder: Path, quiet: bool) -> str:
    """The Python to install for, with a line on why it is that one."""

    def tell(text: str) -> None:
        if not quiet:
            say(text)

    domoticz = find_domoticz.find(folder)
    for one in find_domoticz.elsewhere():
        tell(
            f"Passed over: the Domoticz of process {one.pid} runs in a root of its own (a container, a chroot), with a "
            "Python of its own: its plugins are installed in there"
        )
    if domoticz is None:
        tell(f"No Domoticz found on this machine: installing for {sys.executable} ({_version()})")
        for name in find_domoticz.containers():
            tell(
                f"There is a container {name!r}, though: put this folder where it keeps its plugins, and then\n"
                f"  docker exec {name} bash userdata/plugins/{folder.name}/install.sh"
            )
        return sys.executable
    tell(f"Domoticz: {domoticz.binary} ({domoticz.how})")
    loaded = find_domoticz.python_of(domoticz)
    if loaded is None:
        tell(
            "It finds no libpython3.N.so, so it cannot run plugins yet: install Python's development package "
            "(Debian, Ubuntu: sudo apt install python3-dev) and restart it"
        )
        return sys.executable
    if loaded.minor < find_domoticz.OLDEST_MINOR:
        raise SetupError(
            f"this Domoticz loads Python 3.{loaded.minor}; the plugin needs 3.{find_domoticz.OLDEST_MINOR} or newer: "
            "update the system's Python or Domoticz"
        )
    if loaded.interpreter is None:
        tell(
            f"It loads Python 3.{loaded.minor} ({loaded.library}), of which there is no program: "
            f"checking with {sys.executable}"
        )
        return sys.executable
    tell(f"It loads Python 3.{loaded.minor}: installing for {loaded.interpreter}")
    return loaded.interpreter


def _version() -> str:
    return ".".join(map(str, sys.version_info[:3]))


def _say_next(folder: Path, is_update: bool) -> None:
    """Say what is left to do. is_update: lib/ was there before, so that the hardware is most likely there as well."""
    in_plugins = folder.parent.name == "plugins"
    say("")
    say("What to do next:")
    if not in_plugins:
        say(f"  - put this folder, or a link to it, into Domoticz's folder 'plugins' (it is {folder})")
    if not (folder / "devices.json").exists():
        say("  - fetch the local keys of your breakers, once: bash install.sh keys")
    add = f"Setup > Hardware > type '{_shown_type(folder)}', give it a name, Add"
    say(
        "  - restart Domoticz"
        + (f": hardware that is there goes on (the first time: {add})" if is_update else f"; then {add}")
    )
    say("  - if something does not work: python3 -m tuya doctor")


def _shown_type(folder: Path) -> str:
    """Return the plugin's name in the list of types on the Hardware page."""
    try:
        match = re.search(r'<plugin [^>]*\bname="([^"]*)"', (folder / "plugin.py").read_text(encoding="utf-8"))
    except OSError:
        match = None
    return match[1] if match else "Tuya"


def _places_of_keys(folder: Path) -> List[Path]:
    """The folders in which a devices file may lie: the plugin's, and Domoticz's user data folder around it."""
    return [folder, folder.parent.parent] if folder.parent.name == "plugins" else [folder]


def uninstall(folder: Path, purge: bool) -> None:
    """Remove what install.sh made; with `purge` also the files with local keys. Raises SetupError."""
    packages.check_writable(folder)
    removed: List[str] = []
    for name in OURS:
        if (folder / name).is_symlink():
            (folder / name).unlink()
            removed.append(name)
        elif (folder / name).is_dir():
            shutil.rmtree(folder / name)
            removed.append(f"{name}/")
    packages.remove_leftovers(folder)
    for place in _places_of_keys(folder):
        # what `keys` left when it was killed is nobody's file, and it holds keys
        removed += [path.name for path in remove_leftovers(place / KEY_FILES[0])]
    forget_the_dead()
    for cache in [path for path in folder.rglob("__pycache__") if path.is_dir()]:
        shutil.rmtree(cache, ignore_errors=True)
    for name in KEY_FILES:
        path = folder / name
        if path.exists() and purge:
            path.unlink()
            removed.append(name)
        elif path.exists():
            what = "the credentials of your developer project" if name == CREDENTIALS_FILE else "your local keys"
            say(f"{name} is kept: it holds {what} ('uninstall --purge' removes it)")
    say(f"Removed: {', '.join(removed)}" if removed else "There was nothing to remove")
    say("In Domoticz: delete the hardware on the Hardware page first, then remove this folder and restart Domoticz")
