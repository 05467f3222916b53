"""A plugin folder as an installation has it: plugin.py, tuya/ and lib/ with the packages of this environment."""

from __future__ import annotations

import atexit
import functools
import hashlib
import importlib.util
import shutil
import subprocess
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGES = ("tinytuya", "Crypto")
# what a compiling Python is just writing, what only this folder has, and half of pycryptodome, which nobody imports
NOT_COPIED = shutil.ignore_patterns("*.pyc.*", ".claimed", "SelfTest")


def make_plugin_folder(folder: Path) -> Path:
    """Fill `folder` and return it. Needs no network: the packages are those that the tests run with.

    As after install.sh, modules are compiled where they are here: a Python compiles those anew that are changed.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    # a tenth of the time that shutil takes
    subprocess.run(["cp", "-R", "-p", str(_master_copy()), str(folder)], check=True)
    return folder


@functools.cache
def _master_copy() -> Path:
    """A plugin folder that nothing writes to while it is copied, as other workers do in this one; once a process."""
    place = Path(tempfile.mkdtemp(prefix="tuya-master-copy-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    folder = place / "plugin"
    folder.mkdir()
    for name in ("plugin.py", "requirements.txt"):
        shutil.copy2(REPOSITORY / name, folder / name)
    shutil.copytree(REPOSITORY / "tuya", folder / "tuya", ignore=NOT_COPIED)
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        origin = getattr(spec, "origin", None)
        assert origin, f"{name} is not installed"
        shutil.copytree(Path(origin).parent, folder / "lib" / name, ignore=NOT_COPIED)
    pins = (folder / "requirements.txt").read_bytes()
    (folder / "lib" / "STAMP").write_text(hashlib.sha256(pins).hexdigest() + "\n", encoding="ascii")
    return folder
