"""Signs of life: what a running plugin itself says of its version, settings, devices, units and errors.

It comes from another process over the socket on which owners of devices tell others (tuya/sharing); what is not of
the expected kind is taken as not said.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple

_LARGEST = 1e12  # no time in seconds and no count of ours is larger
PLUGIN = "plugin"  # the kind of an owner that runs inside Domoticz


@dataclass(frozen=True)
class ServedDevice:
    """One device as its owner sees it now.

    heard_age_s, measured_age_s: since it last answered, and since it was connected or last reported what it measures
    (None: its owner does not tell). untaken: what became of its last command, where it did not confirm it.
    """

    device_id: str
    name: str
    connected: bool
    message: str
    heard_age_s: Optional[float]
    measured_age_s: Optional[float] = None
    untaken: str = ""


@dataclass(frozen=True)
class LifeSign:
    """One owner. Times in seconds since the epoch; accepts_new, units_*: None where it does not know.

    units_existing: that Domoticz has now, from whichever start of the plugin.
    """

    name: str
    kind: str
    pid: int
    user: str
    version: str
    folder: str
    started_at: Optional[float]
    devices_file: str
    has_own_key: bool  # of the Hardware page, for the one device that it serves then
    served: Tuple[ServedDevice, ...]
    not_served: Mapping[str, str]  # device id -> why
    units_existing: Optional[int]
    units_waiting: Optional[int]
    units_refused: bool
    accepts_new: Optional[bool]
    errors: Tuple[Tuple[float, str], ...]
    problems: Tuple[str, ...]

    def serves(self, device_id: str) -> Optional[ServedDevice]:
        """That device, if it is served by this owner."""
        return next((device for device in self.served if device.device_id == device_id), None)

    def is_of(self, folder: Path) -> bool:
        """Whether it runs the copy of the plugin in `folder`."""
        try:
            return Path(self.folder).samefile(folder)
        except (OSError, ValueError):
            return False


def life_sign(said: Mapping[str, Any]) -> LifeSign:
    """Read what an owner says. Raises nothing."""
    settings, units = _map(said.get("settings")), _map(said.get("units"))
    return LifeSign(
        name=_text(said.get("name")),
        kind=_text(said.get("kind")),
        pid=_number(said.get("pid"), int) or 0,
        user=_text(said.get("user")),
        version=_text(said.get("plugin_version")),
        folder=_text(said.get("folder")),
        started_at=_number(said.get("started_at"), float),
        devices_file=_text(settings.get("devices_file")),
        has_own_key=settings.get("has_own_key") is True,
        served=tuple(_served(device) for device in _maps(said.get("served"))),
        not_served={_text(entry.get("id")): _text(entry.get("reason")) for entry in _maps(said.get("not_served"))},
        units_existing=_number(units.get("existing"), int),
        units_waiting=_number(units.get("waiting"), int),
        units_refused=units.get("refused") is True,
        accepts_new=units.get("accepts_new_devices") if isinstance(units.get("accepts_new_devices"), bool) else None,
        errors=tuple((_number(e.get("at"), float) or 0.0, _text(e.get("text"))) for e in _maps(said.get("errors"))),
        problems=tuple(_text(problem) for problem in _list(said.get("problems"))),
    )


def _served(device: Mapping[str, Any]) -> ServedDevice:
    return ServedDevice(
        device_id=_text(device.get("id")),
        name=_text(device.get("name")),
        connected=device.get("connected") is True,
        message=_text(device.get("message")) or _text(device.get("error")),
        heard_age_s=_number(device.get("heard_age_s"), float),
        measured_age_s=_number(device.get("measured_age_s"), float),
        untaken=_text(device.get("untaken")),
    )


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else ""
    return "".join(character if character.isprintable() else " " for character in text)[:300]


def _number(value: Any, kind: Any) -> Any:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < _LARGEST
    return kind(value) if is_number else None


def _map(value: Any) -> Dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> List[Any]:
    return value if isinstance(value, list) else []


def _maps(value: Any) -> List[Dict[str, Any]]:
    return [entry for entry in _list(value) if isinstance(entry, dict)]
