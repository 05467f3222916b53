"""A protocol version that nobody knows yet: a row in lan/versions.py is all that it takes."""

from __future__ import annotations

import dataclasses
import json
import socket
import threading
from typing import Any, List

import pytest

from tests.lan.lan_helpers import Running
from tuya.cli.common import add_device_arguments
from tuya.devices.devices_file import parse_devices
from tuya.domoticz.settings import read_settings
from tuya.lan import versions
from tuya.lan.client import Device
from tuya.lan.errors import BadValue
from tuya.lan.protocol import announcements
from tuya.simulator.ciphers import session_key, sign
from tuya.simulator.frames import Wire as DeviceWire

KEY = b"0123456789abcdef"
ID = "bfsixsixsixsixsix001"
QUERY = 10  # the imaginary version asks with the old command, and is 3.4 in all else


@pytest.fixture
def row(monkeypatch):
    made = dataclasses.replace(versions.TABLE["3.4"], name="3.6", turn=6, query=QUERY)
    monkeypatch.setitem(versions.TABLE, "3.6", made)
    return made


class Breaker:
    """A device that speaks it, on loopback."""

    def __init__(self) -> None:
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.commands: List[int] = []
        self.headers: List[bytes] = []
        self.on = True
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Breaker:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with socket.create_connection(("127.0.0.1", self.port)):  # wakes accept()
            pass
        self._thread.join()
        self.server.close()

    def _serve(self) -> None:
        while True:
            connection, _ = self.server.accept()
            with connection:
                if not self._talk(connection):
                    return

    def _talk(self, connection: socket.socket) -> bool:
        wire = DeviceWire("3.4", KEY)
        client_nonce, heard = b"", False
        while data := connection.recv(4096):
            heard = True
            for request in wire.requests(data):
                body = request.body or b""
                self.commands.append(request.command)
                if request.command == 3 and request.intact:
                    client_nonce = body
                    connection.sendall(wire.answer(4, 1, b"d" * 16 + sign(KEY, client_nonce)))
                elif request.command == 5:
                    wire.use_key(session_key("3.4", KEY, client_nonce, b"d" * 16))
                elif request.command == QUERY:
                    connection.sendall(wire.answer(QUERY, 1, json.dumps({"dps": {"1": self.on}}).encode()))
                elif request.command == 13:
                    self.on = json.loads(body)["data"]["dps"]["1"]
                    connection.sendall(wire.answer(13, 1, b""))
                    connection.sendall(wire.answer(8, 0, json.dumps({"dps": {"1": self.on}}).encode(), pushed=True))
                elif request.command == 9:
                    connection.sendall(wire.answer(9, 1, b""))
        return heard


@pytest.mark.parametrize("given", ["3.6", None])
def test_it_is_spoken_where_it_is_given_and_found_where_it_is_not(row, given):
    with Breaker() as breaker:
        device = Device(ID, KEY, address="127.0.0.1", port=breaker.port, version=given, version_fixed=bool(given))
        if given is None:
            row = dataclasses.replace(row, turn=0)  # tried before the others
            versions.TABLE["3.6"] = row
        with Running([device]) as run:
            assert run.seen.wait_connected(ID).version == "3.6"
            assert run.seen.wait_status(ID, full=True).dps == {1: True}
            run.client.write(ID, {1: False})
            assert run.seen.wait_done(ID).error is None
    assert breaker.on is False
    assert breaker.commands[:4] == [3, 5, QUERY, 13]


def test_it_can_be_chosen_everywhere(row):
    import argparse

    parser = argparse.ArgumentParser()
    add_device_arguments(parser)
    assert parser.parse_args(["--version", "3.6"]).version == "3.6"
    entry: Any = {"id": ID, "key": KEY.decode(), "version": "3.6"}
    (found,) = parse_devices(json.dumps([entry])).entries
    assert found.version == "3.6"
    announced = {"gwId": ID, "ip": "192.168.1.9", "version": "3.6"}
    heard = announcements.decode(json.dumps(announced).encode(), "192.168.1.9")
    assert heard is not None
    assert heard.version == "3.6"
    assert versions.order()[-1] == "3.6"
    assert versions.choices().endswith("3.5 or 3.6")
    parameters = {"Username": ID, "Password": KEY.decode(), "Mode3": "3.6", "HomeFolder": "/nowhere/"}
    assert read_settings(parameters).version == "3.6"


def test_without_its_row_it_is_unknown():
    problem = Device(ID, KEY, version="3.6").problem()
    assert isinstance(problem, BadValue)
    assert "3.4 or 3.5" in str(problem)
