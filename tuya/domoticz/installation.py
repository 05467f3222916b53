"""Is the plugin folder complete? Imports nothing that install.sh has to bring, knows no framework and no device."""

from __future__ import annotations

import hashlib
from pathlib import Path

CURE = "Run 'bash install.sh' in the plugin folder, then restart Domoticz"


class InstallationError(Exception):
    """Packages are missing or do not fit; the text names the cure."""


def check(folder: Path) -> None:
    """Raise InstallationError unless lib/ was made from the pins that lie beside it (an update may change them)."""
    stamp, pins = folder / "lib" / "STAMP", folder / "requirements.txt"
    if not stamp.is_file():
        raise InstallationError(f"The plugin's packages are not installed yet: {folder / 'lib'} is missing. {CURE}")
    try:
        is_current = stamp.read_text(encoding="ascii").strip() == hashlib.sha256(pins.read_bytes()).hexdigest()
    except (OSError, UnicodeDecodeError) as error:
        raise InstallationError(f"The plugin's packages cannot be checked ({error}). {CURE}") from None
    if not is_current:
        raise InstallationError(f"The plugin was updated and its packages were not. {CURE}")
