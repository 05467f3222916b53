"""A sub-interpreter of CPython 3.9 … 3.14 with a thread of its own.

An interpreter is made, used and ended on one thread: ending it elsewhere waits for ever on 3.9 … 3.12, because
`threading` takes the thread that imported it first for the main thread of that interpreter.
"""

from __future__ import annotations

import importlib
import queue
import sys
import threading
from typing import Any, Callable, List, Optional

Job = Optional[Callable[[], None]]

# From 3.13 on the module has its public name and takes the name of a configuration.
_API: Any = importlib.import_module("_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters")

# Identifiers of interpreters that could not be ended. Dropping the last reference would end them from a wrong thread.
_abandoned: List[object] = []


class Interpreter:
    """A legacy sub-interpreter: shares the GIL, may import any extension module, may have threads (as in Domoticz)."""

    def __init__(self, name: str) -> None:
        self._jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._identifier: Any = None
        self._ready = threading.Event()
        self._fault: Optional[BaseException] = None
        self._keep_alive = False
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._fault is not None:
            raise RuntimeError(f"cannot make a sub-interpreter: {self._fault}")

    def run(self, script: str, done: Callable[[str], None]) -> None:
        """Execute `script` on the interpreter's thread; `done` gets "" or the text of the exception that left it."""
        self._jobs.put(lambda: done(self._execute(script)))

    def end(self, timeout_s: float) -> bool:
        """End the interpreter once it is idle. False when that took longer than `timeout_s` or it was abandoned."""
        self._jobs.put(None)
        self._thread.join(timeout_s)
        return not self._thread.is_alive() and not self._keep_alive

    def abandon(self) -> None:
        """Never end this interpreter: threads that cannot be stopped still run in it."""
        self._keep_alive = True

    def _execute(self, script: str) -> str:
        try:
            if sys.version_info >= (3, 13):
                failure = _API.exec(self._identifier, script)
                return "" if failure is None else str(getattr(failure, "formatted", failure))
            _API.run_string(self._identifier, script)
        except Exception as error:  # noqa: BLE001 - whatever the script raised is the caller's answer
            return f"{type(error).__name__}: {error}"
        return ""

    def _work(self) -> None:
        try:
            self._identifier = _API.create("legacy") if sys.version_info >= (3, 13) else _API.create(isolated=False)
        except Exception as error:  # noqa: BLE001 - handed to the constructor
            self._fault = error
        self._ready.set()
        while self._fault is None:
            job = self._jobs.get()
            if job is None:
                break
            job()
        if self._identifier is None:
            return
        if self._keep_alive:
            _abandoned.append(self._identifier)
            return
        try:
            _API.destroy(self._identifier)
        except Exception:  # noqa: BLE001 - threads of a plugin whose start failed half-way still run in it
            self._keep_alive = True
            _abandoned.append(self._identifier)
