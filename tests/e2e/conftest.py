"""Both theatres: the stand-in, and a real Domoticz where DOMOTICZ_BIN and DOMOTICZ_ROOT say where one is."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any, Callable, Iterator, Union

import pytest

from tests.e2e.peer import Domoticz
from tests.e2e.plugin_folder import make_plugin_folder
from tests.lateness import lateness
from tuya.host import Stage, manifest
from tuya.simulator import Fleet

NO_DOMOTICZ = "DOMOTICZ_BIN and DOMOTICZ_ROOT name no Domoticz: only the stand-in was tried"

Theatre = Union[Stage, Domoticz]


def eventually(condition: Callable[[], Any], timeout_s: float = 30.0, what: str = "it") -> Any:
    """Wait until `condition` is true and return its value."""
    deadline = time.monotonic() + timeout_s
    late_s = lateness()
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline or time.monotonic() < deadline + late_s(), (
            f"{what} did not happen within {timeout_s} s"
        )
        time.sleep(0.02)


def real_domoticz(folder: Path) -> Domoticz:
    """Start the Domoticz of the environment; skips the test where there is none."""
    binary, root = os.environ.get("DOMOTICZ_BIN"), os.environ.get("DOMOTICZ_ROOT")
    if not binary or not root:
        pytest.skip(NO_DOMOTICZ)
    plugin = make_plugin_folder(folder / "TuyaEnergy")
    return Domoticz(binary, Path(root), folder, plugin, manifest.read(plugin / "plugin.py"))


def stand_in(folder: Path, **options: Any) -> Stage:
    """Open the stand-in on a plugin folder of its own."""
    plugin = make_plugin_folder(folder / "plugins" / "TuyaEnergy")
    return Stage(plugin, folder, **{"lateness": lateness, **options})


@pytest.fixture(params=["stand-in", pytest.param("domoticz", marks=pytest.mark.e2e)])
def theatre(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Theatre]:
    """Yield the stand-in, then a real Domoticz: the same scenario on both keeps the stand-in honest."""
    stage = stand_in(tmp_path) if request.param == "stand-in" else real_domoticz(tmp_path)
    yield stage
    stage.close()
    if isinstance(stage, Stage):
        assert [problem for problem in stage.problems if problem.kind in ("crash", "hang", "slow")] == []


@pytest.fixture
def domoticz(tmp_path: Path) -> Iterator[Domoticz]:
    """Yield a real Domoticz."""
    real = real_domoticz(tmp_path)
    yield real
    real.close()


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    """Yield three simulated breakers without noise."""
    with Fleet(version="3.4", count=3, noise=0.0) as fleet:
        yield fleet


@pytest.fixture
def devices_file(fleet: Fleet, tmp_path: Path) -> str:
    """Write the devices.json of the fleet and return its path, as Mode1 takes it."""
    path = tmp_path / "devices.json"
    path.write_text(json.dumps(fleet.devices()))
    return str(path)
