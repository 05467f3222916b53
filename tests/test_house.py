"""The house as it is planned: which room may import which, no circle of imports, no module that grows out of hand."""

from __future__ import annotations

import ast
import functools
from pathlib import Path
from typing import Dict, List, Set

import pytest

from tests.longest import PLACES

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGE = REPOSITORY / "tuya"
MAX_LINES = 440  # about 400 is meant: one that reaches this wants to become two
TOOLS = {
    "boot_clock",
    "denied",
    "process",
    "thread_end",
    "version",
}  # modules that stand in tuya/ itself and know nothing
# room -> the rooms that it may import; arrows only go down
ARROWS: Dict[str, Set[str]] = {
    "lan": TOOLS,
    "metering": set(),
    "devices": {"lan", "metering", *TOOLS},
    "sharing": {"devices", "lan", "metering", *TOOLS},
    "domoticz": {"sharing", "devices", "lan", "metering", *TOOLS},
    "mqtt": {"sharing", "devices", "lan", "metering", *TOOLS},
    "keys": {"devices", "lan", "metering", *TOOLS},
    "ble": set(),
    "simulator": {"lan", "metering", *TOOLS},
    "host": TOOLS,
    "setup": {"keys", "simulator", "host", "domoticz", "devices", "sharing", "lan", "metering", *TOOLS},
    "cli": {
        *("setup", "mqtt", "sharing", "devices", "keys", "ble", "simulator", "host", "lan", "metering"),
        *("domoticz", *TOOLS),
    },
    "denied": set(),
    "process": set(),
    "boot_clock": set(),
    "thread_end": set(),
    "version": set(),
    "__main__": {"cli", "devices", "lan", *TOOLS},
    "plugin": {"domoticz"},
}


def module_name(path: Path) -> str:
    parts = path.relative_to(REPOSITORY).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


PATHS = [REPOSITORY / "plugin.py", *sorted(PACKAGE.rglob("*.py"))]
MODULES: Dict[str, Path] = {module_name(path): path for path in PATHS}


def imports_of(name: str, path: Path) -> Set[str]:
    """Modules of the project that this one imports, wherever it does: in functions and for types only, too."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found: Set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                up = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*up, *([node.module] if node.module else [])])
            for alias in node.names:
                member = f"{base}.{alias.name}"
                found.add(member if member in MODULES else base)
    return {one for one in found if one in MODULES} - {name}


@functools.cache
def imports() -> Dict[str, Set[str]]:
    """Every module's imports; read by the tests and not at the import of this file, which each worker does."""
    return {name: imports_of(name, path) for name, path in MODULES.items()}


def room_of(name: str) -> str:
    parts = name.split(".")
    return parts[1] if len(parts) > 1 else parts[0]


def test_the_check_sees_imports():
    assert "tuya.metering.profile" in imports()["tuya.devices.device"]
    assert "tuya.domoticz.bridge" in imports()["plugin"]
    assert {room_of(name) for name in MODULES} <= {*ARROWS, "tuya"}, "a new room: which ones may it import?"


@pytest.mark.parametrize("room", sorted(ARROWS))
def test_no_arrow_runs_up(room: str):
    wrong = [
        f"{name} imports {target}"
        for name, targets in imports().items()
        if room_of(name) == room
        for target in sorted(targets)
        if room_of(target) not in {room, "tuya", *ARROWS[room]}
    ]
    assert wrong == []


def circle(name: str, path: List[str], done: Set[str]) -> List[str]:
    """A way from this module back to one that it was reached from; [] if there is none."""
    if name in path:
        return [*path[path.index(name) :], name]
    if name not in done:
        for target in sorted(imports()[name]):
            found = circle(target, [*path, name], done)
            if found:
                return found
        done.add(name)
    return []


def test_no_circle_of_imports():
    done: Set[str] = set()
    assert [found for found in (circle(name, [], done) for name in sorted(MODULES)) if found] == []


def test_no_module_grows_out_of_hand():
    lengths = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in MODULES.items()}
    assert {name: count for name, count in lengths.items() if count > MAX_LINES} == {}


def test_the_files_of_tests_that_take_long_are_there():
    assert [name for name in PLACES if not (REPOSITORY / name).is_file()] == []
