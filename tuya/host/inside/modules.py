"""The modules DomoticzEx and Domoticz as a plugin imports them. Knows the link to the stand-in, not what a plugin does.

Read from hardware/plugins/Plugins.cpp: the functions log what is wrong and return None, they do not raise.
"""

from __future__ import annotations

import importlib.machinery
import sys
from types import ModuleType
from typing import Any, Dict, List, Optional

from .arguments import parse
from .objects import Connection, Device, Framework, Image, Unit

NAMES = ("Domoticz", "DomoticzEx")
DEBUG_PYTHON = 2  # the bit of Debugging() that lets Debug() through
DEBUG_ALL = 65535  # what Debugging(1) means


class FrameworkModules:
    """Finder and loader of both modules, and the state that their functions share."""

    def __init__(self, framework: Framework) -> None:
        self._framework = framework
        self._debug_mask = 0
        self.interval_s = 10
        self.imported: List[str] = []

    def install(self) -> None:
        """Let `import DomoticzEx` find this one, in an interpreter that may have served before."""
        sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__name__ != type(self).__name__]
        sys.meta_path.insert(0, self)
        for name in NAMES:
            sys.modules.pop(name, None)

    def find_spec(self, name: str, _path: Any = None, _target: Any = None) -> Optional[importlib.machinery.ModuleSpec]:
        """Find the two modules and nothing else."""
        return importlib.machinery.ModuleSpec(name, self) if name in NAMES else None  # type: ignore[arg-type]

    def create_module(self, _spec: importlib.machinery.ModuleSpec) -> None:
        """Let the import system make the module."""

    def exec_module(self, module: ModuleType) -> None:
        """Fill the module."""
        self.imported.append(module.__name__)
        functions: Dict[str, Any] = {
            "Log": lambda *args: self._write("normal", args),
            "Status": lambda *args: self._write("status", args),
            "Error": lambda *args: self._write("error", args),
            "Debug": lambda *args: self._write("debug", args),
            "Debugging": self._debugging,
            "Heartbeat": self._heartbeat,
            "Configuration": self._configuration,
            "Register": self._register,
            "Notifier": lambda *_args: None,
            "Trace": lambda *_args: None,
            "Dump": lambda *_args, **_keywords: None,
        }
        module.__dict__.update(functions, Connection=Connection, Image=Image)
        if module.__name__ == "DomoticzEx":
            module.__dict__.update(Device=Device, Unit=Unit)

    def _usable(self) -> bool:
        if len(self.imported) > 1:
            text = "Domoticz and DomoticzEx modules both found in interpreter, use one or the other."
            self._framework.log("error", text)
            return False
        return True

    def _ready(self, what: str) -> bool:
        return self._usable() and not self._framework.refused(what)

    def _write(self, level: str, args: Any) -> None:
        if not self._ready("Log") or (level == "debug" and not self._debug_mask & DEBUG_PYTHON):
            return
        if len(args) != 1:
            self._framework.log("error", f"Invalid parameter, expected single parameter, got {len(args)} parameters.")
            return
        self._framework.log(level, str(args[0]))

    def _debugging(self, *args: Any) -> None:
        if not self._ready("Debugging"):
            return
        try:
            mask = parse(("type",), "i", 1, args, {})["type"]
        except TypeError as error:
            self._framework.log("error", f"Failed to parse parameters, integer expected. {error}")
            return
        self._debug_mask = DEBUG_ALL if mask == 1 else mask
        self._framework.log("normal", f"Debug logging mask set to: {self._debug_mask}")

    def _heartbeat(self, *args: Any) -> int:
        if self._ready("Heartbeat") and args:
            try:
                seconds = parse(("interval",), "i", 1, args, {})["interval"]
            except TypeError as error:
                self._framework.log("error", f"failed to parse parameters, integer expected. {error}")
            else:
                if seconds > 0:
                    self.interval_s = seconds
                return int(seconds)
        return self.interval_s

    def _configuration(self, *args: Any, **keywords: Any) -> Any:
        if not self._ready("Configuration"):
            return None
        value = args[0] if args else keywords.get("Config")
        text = None
        if value is not None:
            if not isinstance(value, dict):
                self._framework.log("error", "Configuration, Function expects no parameter or a Dictionary.")
                return None
            text = _unescaped_json(value)
        answer = self._framework.call("configuration", text)
        if answer is None:
            self._framework.log("error", "(JSONtoPython) Parse Error on the stored configuration")
        return answer

    def _register(self, *args: Any, **keywords: Any) -> None:
        given = parse(("Device", "Unit"), "OO", 1, args, keywords)
        for name, base in (("Device", Device), ("Unit", Unit)):
            chosen = given.get(name)
            if chosen is None:
                continue
            if not issubclass(chosen, base):
                self._framework.log("error", f"{name} class registration failed, not derived from 'DomoticzEx.{name}'")
            elif name == "Device":
                self._framework.device_class = chosen
            else:
                self._framework.unit_class = chosen


def _unescaped_json(value: Any) -> str:
    """Write JSON as the framework does: without escaping, so that a quote or a backslash in a text breaks it."""
    if isinstance(value, dict):
        inner = ",".join(f"{_unescaped_json(key)}:{_unescaped_json(item)}" for key, item in value.items())
        return "{ " + inner + "}" if inner else "{}"
    if isinstance(value, (list, tuple)):
        inner = ",".join(_unescaped_json(item) for item in value)
        return "[ " + inner + "]" if inner else "[]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return f"{value:f}"
    return f'"{value.decode() if isinstance(value, (bytes, bytearray)) else value}"'
