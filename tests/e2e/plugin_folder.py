"""A plugin folder as an installation has it: plugin.py, tuya/ and lib/ with the packages of this environment."""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGES = ("tinytuya", "Crypto")
NOT_COPIED = shutil.ignore_patterns("__pycache__", "*.pyc", ".claimed")


def make_plugin_folder(folder: Path) -> Path:
    """Fill `folder` and return it. Needs no network: the packages are those that the tests run with."""
    folder.mkdir(parents=True)
    for name in ("plugin.py", "requirements.txt"):
        shutil.copy(REPOSITORY / name, folder / name)
    shutil.copytree(REPOSITORY / "tuya", folder / "tuya", ignore=NOT_COPIED)
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        origin = getattr(spec, "origin", None)
        assert origin, f"{name} is not installed"
        shutil.copytree(Path(origin).parent, folder / "lib" / name, ignore=NOT_COPIED)
    pins = (folder / "requirements.txt").read_bytes()
    (folder / "lib" / "STAMP").write_text(hashlib.sha256(pins).hexdigest() + "\n", encoding="ascii")
    return folder
