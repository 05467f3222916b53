"""Is the plugin folder complete? Imports nothing that install.sh has to bring."""

from __future__ import annotations

import csv
import hashlib
import os
from pathlib import Path
from typing import Tuple

CURE = "Run 'bash install.sh' in the plugin folder, then restart Domoticz"


def code_state(folder: Path) -> str:
    """A name for the state of the plugin's own files: another one once any of them was changed, added or taken away.

    From their sizes and times alone (their contents would take a small machine longer); times in steps of two seconds,
    which is all that some file systems keep. Files that cannot be looked at count as missing. Raises nothing.
    """
    # each start of the plugin waits for this: os.walk takes 2 ms, Path.glob 12
    paths = [f"{folder}/plugin.py", f"{folder}/lib/STAMP"]
    for place, _, names in os.walk(folder / "tuya"):
        paths += [f"{place}/{name}" for name in names if name.endswith(".py")]
    digest = hashlib.sha256()
    for path in sorted(paths):
        try:
            status = os.stat(path)  # noqa: PTH116 - Path objects are what costs here
        except OSError:
            continue
        named = path[len(str(folder)) :]
        digest.update(f"{named}\0{status.st_size}\0{int(status.st_mtime) // 2}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:16]


class InstallationError(Exception):
    """Packages are missing or do not fit; the text names the cure."""


def check(folder: Path) -> None:
    """Raise InstallationError unless lib/ is whole and made from the pins that lie beside it (an update changes them).

    Nothing of lib/ is loaded.
    """
    stamp, pins = folder / "lib" / "STAMP", folder / "requirements.txt"
    if not stamp.is_file():
        raise InstallationError(f"The plugin's packages are not installed yet: {folder / 'lib'} is missing. {CURE}")
    try:
        is_current = stamp.read_text(encoding="ascii").strip() in stamps(pins.read_bytes())
        damaged = _damaged(folder / "lib")
    except (OSError, ValueError, csv.Error) as error:
        raise InstallationError(f"The plugin's packages cannot be checked ({error}). {CURE}") from None
    if not is_current:
        raise InstallationError(f"The plugin was updated and its packages were not. {CURE}")
    if damaged:
        raise InstallationError(f"The plugin's packages are damaged: {damaged} is not as it was installed. {CURE}")


def stamps(pins: bytes) -> Tuple[str, str]:
    """What lib/STAMP may hold for a requirement file: SHA-256 of its pins, or, from earlier releases, of all its bytes.

    A comment that an update has changed asks for no new packages.
    """
    lines = (line.split(b"#")[0].split() for line in pins.replace(b"\\\n", b" ").splitlines())
    words = b"\n".join(b" ".join(line) for line in lines if line)
    return hashlib.sha256(words).hexdigest(), hashlib.sha256(pins).hexdigest()


def _damaged(lib: Path) -> str:
    """Return the first file of a package that is missing or has another size than its RECORD says, "" if none.

    A compiled file that was cut short (full disk, copy interrupted) ends the whole process when it is loaded: SIGBUS.
    RECORD: lines of path, hash and size in bytes (without hash and size: made after the installation).
    """
    for record in sorted(lib.glob("*.dist-info/RECORD")):
        with record.open(encoding="utf-8", newline="") as lines:
            for row in csv.reader(lines):
                # scripts are not kept, in whatever place they are recorded
                top = row[0].split("/")[0] if row else ""
                if len(row) != 3 or not row[2] or top in ("..", "bin") or top.endswith(".data"):
                    continue
                path = lib / row[0]
                size_bytes = int(row[2])
                if not path.is_file() or path.stat().st_size != size_bytes:
                    return row[0]
    return ""
