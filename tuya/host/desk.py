"""Answers what one plugin asks from inside its sub-interpreter. Knows the table and the release, no interpreter."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any, Callable, Deque, Dict, List, Mapping, Optional, Tuple

from tuya.host.inside.objects import CUSTOM_SUBTYPE
from tuya.host.releases import Release
from tuya.host.table import Table

Message = Tuple[Any, ...]


class Desk:
    """Everything that one life of a plugin may ask, and the messages that wait for it."""

    def __init__(
        self,
        *,
        hardware: int,
        settings: Mapping[str, Any],
        table: Table,
        release: Release,
        log: Callable[[str, str], None],
        problem: Callable[[str, str], None],
    ) -> None:
        self._hardware = hardware
        self._settings = dict(settings)
        self._table = table
        self._release = release
        self._log = log
        self._problem = problem
        self._messages: Deque[Message] = deque()
        self.timed_out: Dict[str, bool] = {}
        self.started = threading.Event()  # onStart has returned
        self.import_failed = False
        self.imported = threading.Event()  # plugin.py is imported, or has failed to
        self.stopped = threading.Event()  # onStop has returned and Domoticz would end the interpreter
        self.leftovers: List[Tuple[str, bool]] = []  # threads alive then: (name, daemon)
        self.closing = False
        self.last_poll_s = table.clock()
        self.last_received_s = table.clock()  # of an Update or Touch, what Data Timeout looks at
        self.heartbeats = 0
        self._probed = threading.Event()
        self._probe_lock = threading.Lock()
        self._threads: List[Tuple[str, bool]] = []

    def post(self, *message: Any) -> None:
        """Put a message in the queue that the callback thread looks at every 50 ms."""
        self._messages.append(message)

    def threads(self, timeout_s: float) -> Optional[List[Tuple[str, bool]]]:
        """Return (name, daemon) of the plugin's own threads, None when the callback thread does not answer."""
        with self._probe_lock:
            self._probed.clear()
            self.post("probe")
            return list(self._threads) if self._probed.wait(timeout_s) else None

    def answer(self, operation: str, arguments: Tuple[Any, ...]) -> Any:
        """Carry out one request."""
        return getattr(self, f"_on_{operation}")(*arguments)

    # The life of the plugin

    def _on_settings(self) -> Dict[str, Any]:
        return self._settings

    def _on_imported(self, success: bool) -> None:
        self.import_failed = not success
        self.imported.set()

    def _on_device_ids(self) -> List[str]:
        sql = "SELECT DISTINCT DeviceID FROM DeviceStatus WHERE HardwareID=?"
        return [row["DeviceID"] for row in self._table.query(sql, self._hardware)]

    def _on_started(self) -> None:
        self.started.set()

    def _on_poll(self) -> List[Message]:
        self.last_poll_s = self._table.clock()
        messages = []
        while self._messages:
            messages.append(self._messages.popleft())
            if messages[-1][0] == "stop":
                break
        return messages

    def _on_heartbeat(self) -> None:
        self.heartbeats += 1

    def _on_probed(self, threads: List[Tuple[str, bool]]) -> None:
        self._threads = threads
        self._probed.set()

    def _on_stopped(self, leftovers: List[Tuple[str, bool]]) -> None:
        self.leftovers = list(leftovers)
        self.stopped.set()

    def _on_closing(self) -> bool:
        return self.closing

    # What the modules and objects ask

    def _on_log(self, level: str, text: str) -> None:
        self._log(level, text)

    def _on_problem(self, kind: str, text: str) -> None:
        self._problem(kind, text)

    def _on_timed_out(self, device_id: str, value: int) -> None:
        self.timed_out[device_id] = bool(value)

    def _on_configuration(self, text: Optional[str]) -> Optional[Dict[str, Any]]:
        return self._table.configuration(self._hardware, text)

    def _on_rows(self, device_id: str, unit: Optional[int]) -> List[Dict[str, Any]]:
        return self._table.unit_rows(self._hardware, device_id, unit)

    def _on_create(self, device_id: str, fields: Mapping[str, Any]) -> Tuple[int, str]:
        return self._table.create_unit(self._hardware, device_id, fields)

    def _on_touch(self, row_id: int) -> None:
        self.last_received_s = self._table.clock()
        self._table.touch(row_id)

    def _on_delete(self, row_id: int) -> str:
        return "" if self._table.delete_row(row_id) else f"there is no Unit with ID {row_id} in the database."

    def _on_update(self, row_id: int, device_id: str, fields: Mapping[str, Any], given: Mapping[str, Any]) -> str:
        self.last_received_s = self._table.clock()
        key = f"{self._hardware}/{device_id}/{fields['Unit']}"
        if "TypeName" in given:
            self._table.write_types(row_id, fields)
        if given.get("UpdateProperties"):
            self._table.write_properties(row_id, fields)
        if given.get("UpdateOptions"):
            self._table.write_options(self._hardware, row_id, fields, CUSTOM_SUBTYPE)
        if given.get("SuppressTriggers"):
            return ""
        upsert = not self._release.update_writes_properties
        written, made = self._table.update_unit(self._hardware, device_id, fields, upsert)
        if written is None:
            return f"Update to 'UnitEx' failed to update any DeviceStatus records for key {key}"
        if made:
            self.post("onDeviceAdded", device_id, fields["Unit"])
        elif self._release.update_writes_properties:
            self._table.write_properties(written, fields)
            self._table.write_options(self._hardware, written, fields, custom_subtype=-1)
        return ""
