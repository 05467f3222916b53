"""Makes small plugins for the stand-in, good and evil ones."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List

import pytest

from tests.host.host_helpers import HEADER, SWITCH_AND_METER, TOOLS
from tuya.host import Stage


@pytest.fixture
def plugin(tmp_path: Path) -> Callable[..., Path]:
    """Return a maker of plugin folders: the body of plugin.py, and further modules by name."""

    def make(body: str = SWITCH_AND_METER, **modules: str) -> Path:
        folder = tmp_path / "plugins" / "Probe"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "plugin.py").write_text(HEADER + textwrap.dedent(body))
        for name, source in {"tools": TOOLS, **modules}.items():
            (folder / f"{name}.py").write_text(textwrap.dedent(source))
        return folder

    return make


@pytest.fixture
def stage(plugin: Callable[..., Path], tmp_path: Path) -> Iterator[Callable[..., Stage]]:
    """Return a maker of stages, closed after the test. Takes plugin()'s arguments and Stage's by keyword."""
    stages: List[Stage] = []

    def make(body: str = SWITCH_AND_METER, options: Dict[str, Any] = {}, **modules: str) -> Stage:  # noqa: B006
        data = tmp_path / "data"
        data.mkdir(exist_ok=True)
        stages.append(Stage(plugin(body, **modules), data, **{"thread_wait_s": 0.02, **options}))
        return stages[-1]

    yield make
    for one in stages:
        one.close()
