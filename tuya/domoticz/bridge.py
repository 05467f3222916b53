"""From onStart to onStop: says what is wrong with the installation or the settings, or runs the service.

All methods run on the plugin's thread. Nothing of it survives stop(); a restart builds a new one.
"""

from __future__ import annotations

import time
import traceback
from pathlib import Path
from typing import Callable, Optional, Set

from ..denied import denied
from ..lan.client import Client
from ..lan.errors import TuyaError
from ..lan.protocol import tinytuya_codec
from . import crash_guards, installation
from .framework import Framework
from .service import HEARTBEAT_S, MakeClient, Service
from .settings import SettingsError, read_settings


class Bridge:
    """Connects one hardware instance of Domoticz with its breakers."""

    def __init__(
        self,
        framework: Framework,
        clock: Callable[[], float] = time.monotonic,
        make_client: MakeClient = Client,
    ) -> None:
        self._framework = framework
        self._clock = clock
        self._make_client = make_client
        self._service: Optional[Service] = None
        self._faults: Set[str] = set()

    def start(self) -> None:
        """Read the settings and start serving.

        With wrong settings or a broken installation there is one error in the log, the devices have red headers, and
        heartbeats do nothing.
        """
        crash_guards.apply()
        self._framework.heartbeat(HEARTBEAT_S)
        self._framework.hide([str(self._framework.parameters.get("Password") or "").strip()])
        try:
            found = read_settings(self._framework.parameters)
            installation.check(found.home_folder)
            tinytuya_codec.load()
        except (SettingsError, installation.InstallationError, TuyaError) as error:
            self._refuse(str(error))
            return
        except (SyntaxError, ValueError, OSError) as error:  # a damaged file of a package, a folder without execution
            self._refuse(f"The plugin's packages cannot be loaded ({error}). {installation.CURE}")
            return
        # known before it starts: a thread that outlives a start which failed would take Domoticz down at its end
        self._service = Service(self._framework, found, self._clock, self._make_client)
        if not self._guarded(self._service.start):
            self.stop()

    def _refuse(self, why: str) -> None:
        """Serve nothing: say why, and let every device show by a red header that it is not served."""
        self._framework.error(why)
        for device_id in self._framework.held():
            self._framework.set_timed_out(device_id, True)

    def _guarded(self, work: Callable[[], None]) -> bool:
        """Do `work`; a fault of ours is one line in the log, not a traceback every two seconds."""
        try:
            work()
        except Exception as error:  # noqa: BLE001 - whatever it is, the other callbacks go on
            frames = traceback.extract_tb(error.__traceback__)
            place = f", {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
            kind = f"({type(error).__name__}: {error}{place})"
            text = f"{denied(error) or 'a fault of the plugin itself, please report it'} {kind}"
            if text not in self._faults:
                self._faults.add(text)
                self._framework.error(text)
            return False
        return True

    def heartbeat(self) -> None:
        """Do what is due by the clock, every two seconds."""
        if self._service is not None:
            self._guarded(self._service.heartbeat)

    def click(self, device_id: str, unit: int, word: str, level: int) -> None:
        """Somebody, or a script of the user, switched a unit in Domoticz: "On", "Off", "Toggle" or "Set Level"."""
        service = self._service
        if service is not None:
            self._guarded(lambda: service.click(device_id, unit, word, level))

    def unit_removed(self, device_id: str, unit: int) -> None:
        """The user deleted a unit."""
        service = self._service
        if service is not None:
            self._guarded(lambda: service.unit_removed(device_id, unit))

    def unit_added(self, device_id: str, unit: int) -> None:
        """Domoticz made a unit by itself."""
        service = self._service
        if service is not None:
            self._guarded(lambda: service.unit_added(device_id, unit))

    def unit_modified(self, device_id: str, unit: int) -> None:
        """Somebody edited a unit."""
        service = self._service
        if service is not None:
            self._guarded(lambda: service.unit_modified(device_id, unit))

    def stop(self) -> None:
        """End everything; may be called again. Commands that arrive later are answered with nothing."""
        service, self._service = self._service, None
        if service is not None:
            self._guarded(service.stop)
