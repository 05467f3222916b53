"""What the plugin tells of itself to those on this machine who ask how it goes: the doctor, first of all. No secrets.

Filled on the plugin's thread, told on the network's: what is told is replaced as a whole, never changed.
"""

from __future__ import annotations

import os
import time
from collections import deque
from typing import Any, Callable, Deque, Dict, Iterator, List, Mapping, Optional, Tuple

from ..devices.served import Choice
from ..lan.device import short_id
from ..version import plugin_version
from .framework import Framework
from .installation import code_content, code_state
from .settings import Settings, devices_path

MAX_ERRORS = 20
MAX_NOT_SERVED = 200
LOOK_INTERVAL_S = 10.0  # names of units are the user's, and are looked at now and then
NEVER = float("-inf")
NOT_KNOWN = "not known"
SWAPPED = "were names swapped?"  # ends what is said of such names


class About:
    """problems: of this machine. made, waiting: units. is_refused: Domoticz accepts no new devices.

    What the settings remark, and names that do not fit, are told with the problems.
    file_state: of the devices file as it was taken (see file_watch.content_state).
    update_waits_s(now): for how long an Update has been waiting for Domoticz; None: none waits. lost(): device id and
    unit of each state that Domoticz did not store. deleted(): units of each device that the user deleted.
    written_ages_s(now): how long ago each meter was given to Domoticz. given(now): what it was given last, by device
    and unit: seconds ago and sValue, the newest first. unkept(): existing units of connected devices that nothing they
    tell belongs to. overwritten(now): seconds since somebody else changed the state of a unit, by device and unit.
    """

    def __init__(
        self,
        framework: Framework,
        settings: Settings,
        clock: Callable[[], float] = time.monotonic,
        update_waits_s: Callable[[float], Optional[float]] = lambda _now_s: None,
        lost: Callable[[], Tuple[Tuple[str, int], ...]] = tuple,
        deleted: Callable[[], Mapping[str, List[int]]] = dict,
        written_ages_s: Callable[[float], Mapping[str, Mapping[int, int]]] = lambda _now_s: {},
        given: Callable[[float], Mapping[str, Mapping[int, List[Tuple[float, str]]]]] = lambda _now_s: {},
        unkept: Callable[[], Mapping[str, List[int]]] = dict,
        overwritten: Callable[[float], Mapping[str, Mapping[int, List[float]]]] = lambda _now_s: {},
    ) -> None:
        self.choice = Choice()
        self.problems: List[str] = []
        self.file_state = ""
        self.made = 0
        self.waiting = 0
        self.is_refused = False
        self._framework = framework
        self._settings = settings
        self._version = plugin_version()
        self._domoticz = str(framework.parameters.get("DomoticzVersion", ""))
        self._accepts: Optional[bool] = None
        self._clock = clock
        self._update_waits_s = update_waits_s
        self._lost = lost
        self._deleted = deleted
        self._written_ages_s = written_ages_s
        self._given = given
        self._unkept = unkept
        self._overwritten = overwritten
        self._code = code_state(settings.home_folder)  # as it was loaded, a moment ago
        self._content = ""
        self._started_s = self._beat_s = clock()
        self._started_at = round(time.time())
        self._errors: Deque[Tuple[float, float, str]] = deque(maxlen=MAX_ERRORS)
        self._shown: Dict[str, Dict[int, int]] = {}
        self._names: Dict[str, Dict[int, str]] = {}
        self._looked_s = NEVER
        self._made_then = 0

    def error(self, text: str) -> None:
        """Keep an error that was written to the log."""
        self._errors.append((self._clock(), round(time.time(), 3), text))

    def look(self, now_s: float) -> None:
        """Look at what only Domoticz knows. On the plugin's thread, with each heartbeat."""
        self._beat_s = now_s
        if not self._content:  # not at the start, which is waited for
            self._content = self._content_as_loaded()
        self._accepts = self._framework.accepts_new_devices()
        if now_s - self._looked_s >= LOOK_INTERVAL_S or self.made != self._made_then:
            self._looked_s, self._made_then = now_s, self.made
            self._names = self._framework.names()
            held = self._framework.held()
            self._shown = {
                device_id: {unit: state.nvalue for unit, state in units.items()} for device_id, units in held.items()
            }

    def _content_as_loaded(self) -> str:
        """The content of the files, as long as none has been written since they were loaded."""
        folder = self._settings.home_folder
        content = code_content(folder)
        return content if code_state(folder) == self._code else NOT_KNOWN

    def _misnamed(self) -> Iterator[str]:
        """Breakers that Domoticz calls as another one is called in the file: their entries may have changed places."""
        entries, names = self.choice.entries, self._names
        of_name = {entry.shown_name: entry for entry in entries}
        for entry in entries:
            # Domoticz puts the hardware's name before the one that was given
            shown = [name.rpartition(" - ")[2] for name in list(names.get(entry.device_id, {}).values())]
            others = [name for name in shown if name in of_name and of_name[name] is not entry]
            if others and entry.shown_name not in shown:
                yield f"{entry.shown_name} is called {others[0]} in Domoticz, as another entry is: {SWAPPED}"

    def unit_names(self, device_id: str) -> Mapping[int, str]:
        """Return how the units of a device are called in Domoticz."""
        return self._names.get(device_id, {})

    def told(self) -> Dict[str, Any]:
        """Return what is told. On the network's thread."""
        settings = self._settings
        path = devices_path(settings)
        now_s = self._clock()
        left_out = self.choice.not_served[:MAX_NOT_SERVED]
        return {
            "kind": "plugin",
            "plugin_version": self._version,
            "domoticz": self._domoticz,
            "folder": os.path.abspath(settings.home_folder),  # noqa: PTH100 - keeps links; Domoticz may tell "./"
            "code": self._code,
            "code_content": self._content,
            "uptime_s": round(now_s - self._started_s, 3),  # clocks are set while we run
            "started_at": self._started_at,
            "beat_age_s": round(now_s - self._beat_s, 3),
            "update_waits_s": self._update_waits_s(now_s),
            "settings": {
                "devices_file": None if path is None else os.path.abspath(path),  # noqa: PTH100
                "devices_file_state": self.file_state,
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
                "looked_age_s": None if self._looked_s == NEVER else round(now_s - self._looked_s, 3),
                "shown": self._shown,
                "deleted": self._deleted(),
                "written_ages_s": self._written_ages_s(now_s),
                "given": self._given(now_s),
                "unkept": self._unkept(),
                "overwritten": self._overwritten(now_s),
                "lost": [{"id": device_id, "unit": unit} for device_id, unit in self._lost()],
            },
            "errors": [
                {"at": at, "age_s": round(now_s - at_s, 3), "text": text} for at_s, at, text in list(self._errors)
            ],
            "problems": [*settings.remarks, *self.problems, *self._misnamed()],
        }
