"""One hardware instance on the stand-in, from start to stop. Knows interpreters and pipes, not what a plugin shows.

Read from CPlugin::StartHardware and StopHardware in hardware/plugins/Plugins.cpp.
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any, Callable, Sequence, Tuple

from tuya.denied import denied
from tuya.host.desk import Desk
from tuya.host.inside import link
from tuya.host.interpreter import Interpreter

INSIDE = Path(__file__).parent / "inside"
STOP_LOOK_S = 0.1  # how often StopHardware looks whether the plugin has stopped
SLOW_STOP_S = 1.0  # the web server answers nobody for as long as a stop takes

_BOOT = """
import importlib.util, sys
for _name in [_name for _name in sys.modules if _name.split('.')[0] == '_domoticz_inside']:
    del sys.modules[_name]
_spec = importlib.util.spec_from_file_location('_domoticz_inside', {init!r}, submodule_search_locations=[{folder!r}])
sys.modules['_domoticz_inside'] = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(sys.modules['_domoticz_inside'])
from _domoticz_inside import loop
loop.run({announce_fd})
"""

Lateness = Callable[[], Callable[[], float]]  # begins to count; the result tells for how long the machine held us up
Command = Tuple[str, int, str, int, str]  # device id, unit, command, level, colour


class Instance:
    """One life of a plugin: made by a start, over after a stop."""

    def __init__(
        self, desk: Desk, interpreter: Interpreter, problem: Callable[[str, str], None], lateness: Lateness
    ) -> None:
        self.desk = desk
        self.interpreter = interpreter
        self.stop_s = 0.0  # how long the stop took once the plugin had started, and with it Domoticz's web server
        self._late_s = 0.0  # of that, what a busy machine held it up
        self._problem = problem
        self._lateness = lateness
        self._over = threading.Event()  # the interpreter is free again
        read_fd, self._announce_fd = os.pipe()
        threading.Thread(target=self._accept, args=(read_fd,), name="stand-in", daemon=True).start()
        script = _BOOT.format(init=str(INSIDE / "__init__.py"), folder=str(INSIDE), announce_fd=self._announce_fd)
        interpreter.run(script, self._ended)

    @property
    def has_failed(self) -> bool:
        """Whether the plugin could not be imported, or its interpreter has ended before it started."""
        return self.desk.import_failed or (self._over.is_set() and not self.desk.started.is_set())

    def stop(self, timeout_s: float, late_commands: Sequence[Command]) -> bool:
        """Stop the plugin and wait for it as Domoticz does. True when its interpreter is free again."""
        if not self._wait_for_stop(timeout_s, late_commands):
            return False
        if self.stop_s > SLOW_STOP_S + self._late_s:
            self._problem("slow", f"a stop took {self.stop_s:.1f} s; Domoticz's web server waits for it")
        for name, daemon in self.desk.leftovers:
            if daemon:
                self._problem("crash", f"thread {name!r} is alive after onStop: Py_EndInterpreter aborts Domoticz")
            else:
                self._problem("hang", f"thread {name!r} is alive after onStop: Domoticz waits for it for ever")
        if self.desk.leftovers:
            return False
        return self._over.wait(timeout_s)

    def release_interpreter(self, timeout_s: float) -> bool:
        """Give threads that were left behind a last chance to end; True when the interpreter is free."""
        self._over.wait(timeout_s)
        free = self._over.is_set()
        if not free:
            self.interpreter.abandon()
            self.desk.closing = True
        return free

    def _wait_for_stop(self, timeout_s: float, late_commands: Sequence[Command]) -> bool:
        deadline = time.monotonic() + timeout_s
        desk = self.desk
        while not (desk.started.is_set() or desk.import_failed or self._over.is_set()):
            if time.monotonic() > deadline:
                self._problem("hang", f"plugin.py has not started within {timeout_s:.0f} s")
                return False
            desk.started.wait(STOP_LOOK_S)
        began, late_s = time.monotonic(), self._lateness()
        desk.post("stop", list(late_commands))
        while not desk.stopped.wait(STOP_LOOK_S) and not self._over.is_set():
            if time.monotonic() > deadline:
                self._problem("hang", f"no end of onStop, or of what ran before it, within {timeout_s:.0f} s")
                return False
        self.stop_s, self._late_s = time.monotonic() - began, late_s()
        return True

    def _ended(self, failure: str) -> None:
        if failure:
            self._problem("crash", f"the framework's loop failed: {failure}")
        os.close(self._announce_fd)
        self.desk.imported.set()
        self._over.set()

    def _accept(self, read_fd: int) -> None:
        while True:
            try:
                pair = link.receive(read_fd)
            except EOFError:
                os.close(read_fd)
                return
            try:
                threading.Thread(target=self._serve, args=pair, name="stand-in", daemon=True).start()
            except RuntimeError as error:  # whoever asks there is told so by the end of the pipe
                self._problem("crash", f"{error}: {denied(error)}")
                for one in pair:
                    os.close(one)

    def _serve(self, read_fd: int, write_fd: int) -> None:
        while True:
            try:
                operation, arguments = link.receive(read_fd)
            except EOFError:
                break
            answer: Any = None
            try:
                answer = self.desk.answer(operation, arguments)
            except Exception as error:  # noqa: BLE001 - a plugin must not wait for ever because the stand-in failed
                self._problem("crash", f"the stand-in failed at {operation!r}: {type(error).__name__}: {error}")
            link.send(write_fd, answer)
        os.close(read_fd)
        os.close(write_fd)
