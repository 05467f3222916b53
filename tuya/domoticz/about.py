"""What the plugin tells of itself to those on this machine who ask how it goes: the doctor, first of all. No secrets.

Filled on the plugin's thread, told on the network's: what is told is replaced as a whole, never changed.
"""

from __future__ import annotations

import time
from collections import deque
from typing import Any, Deque, Dict, List, Mapping, Optional

from ..devices.served import Choice
from ..lan.device import short_id
from ..version import plugin_version
from .framework import Framework
from .settings import Settings, devices_path

MAX_ERRORS = 20
MAX_NOT_SERVED = 200
LOOK_INTERVAL_S = 60.0  # names of units are the user's, and are looked at now and then


class About:
    """problems: of this machine. made, waiting: units. is_refused: Domoticz accepts no new devices."""

    def __init__(self, framework: Framework, settings: Settings) -> None:
        self.choice = Choice()
        self.problems: List[str] = []
        self.made = 0
        self.waiting = 0
        self.is_refused = False
        self._framework = framework
        self._settings = settings
        self._version = plugin_version()
        self._domoticz = str(framework.parameters.get("DomoticzVersion", ""))
        self._accepts: Optional[bool] = None
        self._errors: Deque[Dict[str, Any]] = deque(maxlen=MAX_ERRORS)
        self._names: Dict[str, Dict[int, str]] = {}
        self._looked_s = float("-inf")
        self._made_then = 0

    def error(self, text: str) -> None:
        """Keep an error that was written to the log."""
        self._errors.append({"at": round(time.time(), 3), "text": text})

    def look(self, now_s: float) -> None:
        """Look at what only Domoticz knows. On the plugin's thread, with each heartbeat."""
        self._accepts = self._framework.accepts_new_devices()
        if now_s - self._looked_s >= LOOK_INTERVAL_S or self.made != self._made_then:
            self._looked_s, self._made_then = now_s, self.made
            self._names = self._framework.names()

    def unit_names(self, device_id: str) -> Mapping[int, str]:
        """Return how the units of a device are called in Domoticz."""
        return self._names.get(device_id, {})

    def told(self) -> Dict[str, Any]:
        """Return what is told. On the network's thread."""
        settings = self._settings
        path = devices_path(settings)
        left_out = self.choice.not_served[:MAX_NOT_SERVED]
        return {
            "kind": "plugin",
            "plugin_version": self._version,
            "domoticz": self._domoticz,
            "folder": str(settings.home_folder),
            "settings": {
                "devices_file": None if path is None else str(path),
                "switching": "allowed" if settings.rules.terms.may_switch else "refused",
                "shown": "all" if settings.rules.show_all else "basic",
                "interval_s": settings.rules.terms.interval_s,
                "log": "debug" if settings.debug else "normal",
                "protocol": settings.version or "auto",
                "device_id": short_id(settings.device_id),
                "has_own_key": bool(settings.device_id and settings.local_key),
            },
            "not_served": [
                {"id": one.entry.device_id, "name": one.entry.shown_name, "reason": one.reason} for one in left_out
            ],
            "file_problems": list(self.choice.problems),
            "units": {
                "made": self.made,
                "existing": sum(len(names) for names in list(self._names.values())),
                "waiting": self.waiting,
                "refused": self.is_refused,
                "accepts_new_devices": self._accepts,
            },
            "errors": list(self._errors),
            "problems": self.problems,
        }
