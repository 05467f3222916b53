"""set-threshold on a simulated breaker with alarm sets: read, bounded, asked, written once, read back."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Iterator, List

import pytest

from tuya.__main__ import main
from tuya.metering.raw import alarm_set
from tuya.simulator import Fleet

SY2 = "3lbgj7cu27nsmh0w"
ALARM_SET_2 = 49


class Terminal(io.StringIO):
    """Standard input with somebody who answers."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    with Fleet(product=SY2, version="3.5", noise=0.0) as running:
        yield running


def words(fleet: Fleet, tmp_path: Path, *more: str, **wishes: str) -> List[str]:
    entry = {**fleet.devices()[0], "name": "Boiler", "domoticz": wishes}
    path = tmp_path / "devices.json"
    path.write_text(json.dumps([entry]))
    return ["set-threshold", "Boiler", *more, "--devices", str(path), "--ip", "127.0.0.1"]


def values(fleet: Fleet) -> dict[str, float]:
    return {one.name: one.value for one in alarm_set(fleet.breakers[0].dps[ALARM_SET_2], 2)}


def test_a_threshold_is_changed(fleet: Fleet, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(words(fleet, tmp_path, "over_voltage", "260", "--yes", "--json"))
    captured = capsys.readouterr()
    assert code == 0, captured.err
    assert json.loads(captured.out) == {"threshold": "over_voltage", "before": 253, "after": 260, "confirmed": True}
    assert values(fleet) == {"over_current": 60.0, "over_voltage": 260.0, "under_voltage": 180.0}
    assert len([dps for _, dps in fleet.breakers[0].writes if ALARM_SET_2 in dps]) == 1


@pytest.mark.parametrize(("answer", "code", "volts"), [("y\n", 0, 265.0), ("n\n", 1, 253.0), ("", 1, 253.0)])
def test_it_asks_at_a_terminal(
    fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, code: int, volts: float
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    assert main(words(fleet, tmp_path, "over_voltage", "265")) == code
    assert values(fleet)["over_voltage"] == volts


@pytest.mark.parametrize(
    ("more", "code"),
    [
        (("over_voltage", "300", "--yes"), 1),  # out of bounds
        (("over_current", "63", "--yes"), 1),  # its LSB is not known
        (("over_voltage", "high", "--yes"), 2),
        (("over_voltage",), 2),
        (("over_voltage", "260"), 2),  # no terminal and no --yes
    ],
)
def test_refusals_write_nothing(fleet: Fleet, tmp_path: Path, more: tuple[str, ...], code: int) -> None:
    assert main(words(fleet, tmp_path, *more)) == code
    assert fleet.breakers[0].writes == []


def test_a_device_that_may_not_be_written(fleet: Fleet, tmp_path: Path) -> None:
    assert main(words(fleet, tmp_path, "over_voltage", "260", "--yes", switch="refused")) == 1
    assert fleet.breakers[0].writes == []
