"""The version of this plugin. Its one place is the manifest in plugin.py, where Domoticz reads it."""

from __future__ import annotations

import functools
import re
from pathlib import Path

_PLUGIN = Path(__file__).resolve().parent.parent / "plugin.py"
_VERSION = re.compile(r'<plugin [^>]*\bversion="([^"]+)"')


@functools.cache
def plugin_version() -> str:
    """Return the version that the manifest names, as "1.1.0"; "unknown" where plugin.py cannot be read."""
    try:
        with _PLUGIN.open(encoding="utf-8") as file:
            found = _VERSION.search(file.read(4096))
    except (OSError, UnicodeDecodeError):
        return "unknown"
    return found[1] if found else "unknown"
