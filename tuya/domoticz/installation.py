"""Is the plugin folder complete? Imports nothing that install.sh has to bring."""

from __future__ import annotations

import csv
import errno
import hashlib
import os
import shlex
import stat
from pathlib import Path
from typing import Callable, List, Tuple

CURE = "Run 'bash install.sh' in the plugin folder, then restart Domoticz"


def code_state(folder: Path) -> str:
    """A name for the state of the plugin's own files: another one once any of them was changed, added or taken away.

    From their sizes and times alone (their contents would take a small machine longer); times in steps of two seconds,
    which is all that some file systems keep. Files that cannot be looked at count as missing. Raises nothing.
    """

    def state(path: str) -> str:
        status = os.stat(path)  # noqa: PTH116 - Path objects are what costs here
        return f"{status.st_size}\0{int(status.st_mtime) // 2}"

    return _name_for(folder, state)


def code_content(folder: Path) -> str:
    """A name for the contents of the same files: who only copied or touched them, has changed nothing.

    Reads them all (1.5 MB). Files that cannot be read count as missing. Raises nothing.
    """
    return _name_for(folder, lambda path: hashlib.sha256(Path(path).read_bytes()).hexdigest())


def _name_for(folder: Path, told_of: Callable[[str], str]) -> str:
    """A name for what `told_of` tells of each of the plugin's own files; those where it raises OSError are left out."""
    digest = hashlib.sha256()
    for path in _own_files(folder):
        try:
            told = told_of(path)
        except OSError:
            continue
        digest.update(f"{path[len(str(folder)) :]}\0{told}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:16]


def _own_files(folder: Path) -> List[str]:
    # each start of the plugin waits for this: os.walk takes 2 ms, Path.glob 12
    paths = [f"{folder}/plugin.py", f"{folder}/lib/STAMP"]
    for place, _, names in os.walk(folder / "tuya"):
        paths += [f"{place}/{name}" for name in names if name.endswith(".py")]
    return sorted(paths)


class InstallationError(Exception):
    """Packages are missing, do not fit or may not be read: what, and the cure; the text names both."""

    def __init__(self, what: str, cure: str = CURE) -> None:
        super().__init__(f"{what}. {cure}")
        self.what = what
        self.cure = cure


def check(folder: Path) -> None:
    """Raise InstallationError unless lib/ is whole and made from the pins that lie beside it (an update changes them).

    Nothing of lib/ is loaded.
    """
    lib, pins = folder / "lib", folder / "requirements.txt"
    try:
        if "STAMP" not in os.listdir(lib):  # noqa: PTH208 - Path.iterdir raises at its first use only
            raise InstallationError(f"The plugin's packages are not whole: {lib / 'STAMP'} is missing")
        is_current = (lib / "STAMP").read_text(encoding="utf-8").strip() in stamps(pins.read_bytes())
        damaged = _damaged(lib)
    except (FileNotFoundError, NotADirectoryError) as error:
        if lib.is_dir():
            raise InstallationError(f"The plugin's packages cannot be checked ({error})") from None
        raise InstallationError(f"The plugin's packages are not installed yet: {lib} is missing") from None
    except PermissionError as error:
        path = Path(str(error.filename or lib))
        cure = f"Run '{opening_command(folder, path)}', then restart Domoticz"
        raise InstallationError(f"{path} may not be read by {user_name()}", cure) from None
    except (OSError, ValueError, csv.Error) as error:
        raise InstallationError(f"The plugin's packages cannot be checked ({error})") from None
    if not is_current:
        raise InstallationError("The plugin was updated and its packages were not")
    if damaged:
        raise InstallationError(f"The plugin's packages are damaged: {damaged} is not as it was installed")


def opening_command(folder: Path, path: Path) -> str:
    """The command that lets everybody read `path`, one of the files of the plugin in `folder`; lib/ as a whole."""
    lib = folder / "lib"
    if lib == path or lib in path.parents:
        return f"sudo chmod -R a+rX {shlex.quote(str(lib))}"
    return f"sudo chmod a+rX {shlex.quote(str(path))}"


def user_name() -> str:
    """The user of this process, as a sentence names it."""
    try:
        import pwd  # here: not on every system

        return pwd.getpwuid(os.geteuid()).pw_name
    except (ImportError, KeyError, AttributeError):
        return "the user of this process"


def stamps(pins: bytes) -> Tuple[str, str]:
    """What lib/STAMP may hold for a requirement file: SHA-256 of its pins, or, from earlier releases, of all its bytes.

    A comment that an update has changed asks for no new packages.
    """
    lines = (line.split(b"#")[0].split() for line in pins.replace(b"\\\n", b" ").splitlines())
    words = b"\n".join(b" ".join(line) for line in lines if line)
    return hashlib.sha256(words).hexdigest(), hashlib.sha256(pins).hexdigest()


def _damaged(lib: Path) -> str:
    """Return the first file of a package that is missing or has another size than its RECORD says, "" if none.

    Raises PermissionError for one that may not be read.

    A compiled file that was cut short (full disk, copy interrupted) ends the whole process when it is loaded: SIGBUS.
    RECORD: lines of path, hash and size in bytes (without hash and size: made after the installation).
    """
    for name in sorted(os.listdir(lib)):  # noqa: PTH208 - and Path.glob passes over folders that may not be entered
        try:
            record = (lib / name / "RECORD").read_text(encoding="utf-8") if name.endswith(".dist-info") else ""
        except (FileNotFoundError, NotADirectoryError):
            continue
        for row in csv.reader(record.splitlines()):
            # scripts are not kept, in whatever place they are recorded
            top = row[0].split("/")[0] if row else ""
            if len(row) != 3 or not row[2] or top in ("..", "bin") or top.endswith(".data"):
                continue
            path, size_bytes = lib / row[0], int(row[2])
            try:
                status = path.stat()
            except (FileNotFoundError, NotADirectoryError):
                return row[0]
            if not stat.S_ISREG(status.st_mode) or status.st_size != size_bytes:
                return row[0]
            if not os.access(path, os.R_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    return ""
