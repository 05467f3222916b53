"""One id at two addresses: said once, where the protocol cannot prove which one is the breaker."""

from __future__ import annotations

import pytest

from tuya.devices.device import KnownDevice
from tuya.devices.devices_file import DeviceEntry
from tuya.devices.household import Household
from tuya.lan.errors import Mute
from tuya.lan.events import Announced, Connected, Lost

ID, OLD, NEW = "bf0123456789abcdefghij", "10.0.0.5", "10.0.0.66"


def told(version: str, *, announced: str = OLD, lost: bool = False) -> list[str]:
    """Connected at OLD, then at NEW; announced. What the log says of it."""
    household = Household()
    entry = DeviceEntry(device_id=ID, name="Boiler", local_key=b"0123456789abcdef")
    household.serve(KnownDevice(entry), 0.0)
    household.handle(Connected(ID, 1.0, OLD, 6668, version), 1.0)
    household.handle(Announced(ID, 2.0, NEW, version, ""), 2.0)
    household.handle(Lost(ID, 3.0, Mute("Boiler", "x")), 3.0)
    household.handle(Connected(ID, 4.0, NEW, 6668, version), 4.0)
    if lost:
        household.handle(Lost(ID, 5.0, Mute("Boiler", "x")), 5.0)
    for second in range(10):
        household.handle(Announced(ID, 6.0 + second, announced, version, ""), 6.0 + second)
    lines = household.take_lines()
    return [line.text for line in lines if "cannot prove" in line.text and line.is_error]


@pytest.mark.parametrize("version", ["3.1", "3.2", "3.3"])
def test_two_of_one_id_are_said_once(version: str) -> None:
    (line,) = told(version)
    assert OLD in line
    assert NEW in line
    assert version in line
    assert "Boiler" in line


@pytest.mark.parametrize("version", ["3.4", "3.5"])
def test_what_proves_itself_is_not_doubted(version: str) -> None:
    assert told(version) == []


@pytest.mark.parametrize("announced", [NEW, "10.0.0.7"])
def test_other_announcements_are_no_doubt(announced: str) -> None:
    assert told("3.3", announced=announced) == []


def test_nothing_is_said_while_it_is_not_connected() -> None:
    assert told("3.3", lost=True) == []
