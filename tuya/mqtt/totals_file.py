"""The kWh totals of the devices that this front end holds, from one run to the next: a JSON file of the user's own."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any, Dict, Mapping

TOTALS_NAME = "mqtt-totals.json"
PRIVATE_MODE = 0o600
MAX_BYTES = 16 * 1024 * 1024


class TotalsError(Exception):
    """The file with the totals cannot be used. It is left as it is; the text says what to do."""


def totals_path(devices_file: Path) -> Path:
    """Return where the totals are kept: beside the devices file, else in the user's folder for such things.

    The second where the first cannot be written (an installation of another user's), by XDG_STATE_HOME.
    """
    beside = devices_file.with_name(TOTALS_NAME)
    if os.access(beside if beside.exists() else devices_file.parent, os.W_OK) and os.access(beside.parent, os.W_OK):
        return beside
    home = os.environ.get("XDG_STATE_HOME", "")
    state = Path(home) if home.startswith("/") else Path.home() / ".local" / "state"
    return state / "tuya-mqtt" / TOTALS_NAME


def read_totals(path: Path) -> Dict[str, Dict[str, Any]]:
    """Return what write_totals() has left: device id -> state of its totals; {} where there is no file.

    Raises TotalsError: beginning at 0 instead would be a counter that falls.
    """
    try:
        with path.open("rb") as file:
            content = json.loads(file.read(MAX_BYTES).decode("utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise TotalsError(f"{path}: the kWh totals cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict) or not all(isinstance(state, dict) for state in content.values()):
        raise TotalsError(f"{path}: this holds no kWh totals. Move it away to begin at 0")
    return content


def write_totals(path: Path, totals: Mapping[str, Mapping[str, Any]]) -> None:
    """Replace the file; it is whole at any moment, and the user's only. Raises TotalsError."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, PRIVATE_MODE)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(totals, file)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise TotalsError(f"{path}: the kWh totals cannot be kept: {error.strerror}") from None
