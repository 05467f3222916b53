"""Callbacks that meet a fault of our own: one line, the rest goes on, and no thread is left behind."""

from __future__ import annotations

import errno
import json
import sys
import time
from pathlib import Path
from typing import Any, Iterator, List, Tuple

import pytest

from tests.domoticz.fakes import DEVICE_ID, KEY, SY1, FakeClient, FakeDomoticz
from tests.lateness import lateness
from tests.leftovers import Leftovers
from tuya.domoticz import service as service_module
from tuya.domoticz.bridge import Bridge
from tuya.domoticz.framework import Framework
from tuya.domoticz.installation import stamps
from tuya.lan.errors import CodecMissing
from tuya.lan.protocol import tinytuya_codec


class Room:
    """A complete plugin folder, a bridge with a real publisher, and a client without a network."""

    def __init__(self, folder: Path) -> None:
        pins = folder / "requirements.txt"
        pins.write_text("tinytuya==1\n")
        (folder / "lib").mkdir()
        (folder / "lib" / "STAMP").write_text(stamps(pins.read_bytes())[0])
        entry = {"name": "Kitchen", "id": DEVICE_ID, "key": KEY, "product_id": SY1}
        (folder / "devices.json").write_text(json.dumps([entry]))
        self.domoticz = FakeDomoticz(HomeFolder=f"{folder}/", UserDataFolder=f"{folder}/", StartupFolder=f"{folder}/")
        self.clients: List[FakeClient] = []
        framework = Framework(self.domoticz, self.domoticz.namespace)
        self.bridge = Bridge(framework, time.monotonic, self._make)

    def _make(self, *words: Any, **named: Any) -> FakeClient:
        self.clients.append(FakeClient(*words, **named))
        return self.clients[-1]

    @property
    def errors(self) -> List[str]:
        return self.domoticz.texts("error")


@pytest.fixture(name="room")
def _room(tmp_path: Path) -> Iterator[Room]:
    before_s = sys.getswitchinterval()
    left = Leftovers()
    room = Room(tmp_path)
    yield room
    room.bridge.stop()
    sys.setswitchinterval(before_s)
    assert left.after_a_while() == []


def test_from_start_to_stop(room: Room):
    room.bridge.start()
    assert room.domoticz.heartbeat_s == 2
    room.clients[0].connect()
    room.bridge.heartbeat()
    assert sorted(room.domoticz.devices[DEVICE_ID].Units) == [1, 2, 3, 4]
    room.bridge.click(DEVICE_ID, 1, "Off", 0)
    assert room.clients[0].commands == [(DEVICE_ID, {1: False})]
    room.bridge.unit_modified(DEVICE_ID, 1)
    room.bridge.unit_added(DEVICE_ID, 1)
    began_s = time.monotonic()
    late_s = lateness()
    room.bridge.stop()
    assert time.monotonic() - began_s < 0.3 + late_s()
    room.bridge.click(DEVICE_ID, 1, "On", 0)
    room.bridge.heartbeat()
    room.bridge.unit_removed(DEVICE_ID, 1)
    assert len(room.clients[0].commands) == 1
    assert room.errors == []


@pytest.mark.parametrize(("version", "expected_s"), [((3, 9), 0.5), ((3, 11), 0.5), ((3, 12), 0.005)])
def test_no_thread_is_forced_off_the_lock_where_that_can_abort_domoticz(
    room: Room, monkeypatch: pytest.MonkeyPatch, version: Tuple[int, int], expected_s: float
):
    sys.setswitchinterval(0.005)
    monkeypatch.setattr(sys, "version_info", (*version, 0, "final", 0))
    room.bridge.start()
    assert sys.getswitchinterval() == pytest.approx(expected_s)


def test_a_fault_of_ours_is_said_once(room: Room, monkeypatch: pytest.MonkeyPatch):
    room.bridge.start()

    def broken(*_words: object) -> None:
        raise KeyError("x")

    monkeypatch.setattr(service_module.Service, "_create", broken)
    for _ in range(10):
        room.bridge.heartbeat()
    assert len(room.errors) == 1
    assert "please report it (KeyError: 'x', test_bridge.py:" in room.errors[0]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RuntimeError("can't start new thread"), "too few threads"),
        (MemoryError(), "too little memory"),
        (OSError(errno.EMFILE, "Too many open files"), "too few files"),
    ],
)
def test_what_the_machine_denies_is_no_fault_of_ours(
    room: Room, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
):
    room.bridge.start()

    def denied(*_words: object) -> None:
        raise error

    monkeypatch.setattr(service_module.Service, "_create", denied)
    room.bridge.heartbeat()
    assert said in room.errors[0]
    assert "report" not in room.errors[0]


def test_a_start_that_fails_leaves_no_thread(room: Room, monkeypatch: pytest.MonkeyPatch):
    def broken(_self: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(service_module.Service, "_read_devices", broken)
    left = Leftovers()
    room.bridge.start()
    assert len(room.errors) == 1
    assert left.after_a_while() == []
    assert not room.clients[0].is_running


def test_a_client_that_does_not_stop_holds_up_nothing(room: Room):
    left = Leftovers()
    room.bridge.start()

    def broken(_timeout_s: float) -> bool:
        raise RuntimeError("broken")

    room.clients[0].stop = broken  # type: ignore[method-assign]
    room.bridge.stop()
    assert len(room.errors) == 1
    assert left.after_a_while() == []


@pytest.mark.parametrize(
    "fault", [CodecMissing("", "cannot import tinytuya"), SyntaxError("invalid"), ValueError("null bytes")]
)
def test_without_the_codec_nothing_runs(room: Room, monkeypatch: pytest.MonkeyPatch, fault: Exception):
    def missing() -> None:
        raise fault

    monkeypatch.setattr(tinytuya_codec, "load", missing)
    room.bridge.start()
    room.bridge.heartbeat()
    room.bridge.click(DEVICE_ID, 1, "On", 0)
    assert room.clients == []
    assert len(room.errors) == 1
    assert "bash install.sh" in room.errors[0]


def test_devices_that_are_not_served_have_red_headers(room: Room):
    room.bridge.start()
    room.clients[0].connect()
    room.bridge.heartbeat()
    assert room.domoticz.devices[DEVICE_ID].TimedOut == 0
    room.bridge.stop()
    pins = Path(room.domoticz.parameters["HomeFolder"]) / "requirements.txt"
    pins.write_text("# what changed is a comment\ntinytuya==1  # and another\n")
    room.bridge.start()
    assert room.errors == []
    room.bridge.stop()
    pins.write_text("tinytuya==2\n")
    room.bridge.start()
    assert [text.split(".")[0] for text in room.errors] == ["The plugin was updated and its packages were not"]
    assert room.domoticz.devices[DEVICE_ID].TimedOut == 1


def test_wrong_settings_are_one_error(room: Room):
    room.domoticz.parameters["Address"] = "breaker.local"
    room.bridge.start()
    room.bridge.heartbeat()
    assert room.clients == []
    assert [text.split(":")[0] for text in room.errors] == ["IP address"]


def test_a_key_in_a_wrong_field_is_not_in_the_log(room: Room):
    """Pasted into the field "Devices file", and as the name of an entry."""
    (Path(room.domoticz.parameters["HomeFolder"]) / "devices.json").unlink()
    room.domoticz.parameters["Mode1"] = KEY
    room.bridge.start()
    assert "Devices file: there is no" in room.errors[0]
    assert KEY not in repr(room.domoticz.lines)
    room.bridge.stop()
    room.domoticz.parameters.update(Mode1=f"x{KEY}.json", Password=KEY)
    room.bridge.start()
    assert KEY not in repr(room.domoticz.lines)


def test_a_folder_without_execution_is_told_with_its_reason(room: Room, monkeypatch: pytest.MonkeyPatch):
    def load() -> None:
        raise OSError("Cannot load native module: failed to map segment from shared object")

    monkeypatch.setattr("tuya.domoticz.bridge.tinytuya_codec.load", load)
    room.bridge.start()
    assert "failed to map segment" in room.errors[0]
    assert len(room.errors) == 1
