"""Plugins on the stand-in, and listeners beside them; each starts and ends in any order."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest

from tests.lateness import lateness
from tests.sharing.sharing_helpers import entries_of, is_event, until
from tuya.sharing import asking_owner
from tuya.sharing.source import Source
from tuya.simulator import Fleet

REPOSITORY = Path(__file__).resolve().parents[2]


class Host:
    """One plugin on the stand-in, in a process of its own."""

    def __init__(self, path: Path, *words: str) -> None:
        data = tempfile.mkdtemp(dir=path.parent)  # of this host alone; who is killed takes nothing away
        command = [sys.executable, "-m", "tuya", "host", "--devices", str(path), "--data", data, *words]
        command += ["--seconds", "600", "--json"]
        self.process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(10)

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(20)


@pytest.fixture(name="home")
def _home(tmp_path: Path) -> Iterator[Any]:
    hosts: List[Host] = []
    with Fleet(version="3.4", count=4, noise=0.0) as fleet:
        paths = [tmp_path / "one.json", tmp_path / "two.json"]
        for path, entries in zip(paths, (fleet.devices()[:2], fleet.devices()[2:])):
            path.write_text(json.dumps(entries), encoding="utf-8")

        def host(which: int, *words: str) -> Host:
            hosts.append(Host(paths[which], *words))
            return hosts[-1]

        yield fleet, host
        for one in hosts:
            one.kill()


def settled(source: Source, wanted: Dict[str, bool], seconds: float = 30.0) -> None:
    """All devices are connected, and held elsewhere (True) or by this source (False)."""
    until_s = time.monotonic() + seconds
    now: Dict[str, Any] = {}
    while time.monotonic() < until_s:
        while source.next(0.0) is not None:
            pass
        states = {device_id: source.state(device_id) for device_id in wanted}
        now = {device_id: ("via" in state, state["connected"]) for device_id, state in states.items()}
        if now == {device_id: (elsewhere, True) for device_id, elsewhere in wanted.items()}:
            return
        time.sleep(0.1)
    raise AssertionError(now)


def test_two_plugins_and_three_listeners_in_any_order(home, tmp_path: Path):
    fleet, host = home
    path = tmp_path / "all.json"
    path.write_text(json.dumps(fleet.devices()), encoding="utf-8")
    ids = [breaker.device_id for breaker in fleet.breakers]
    with Source(entries_of(fleet), "service", discovery=False) as service:
        settled(service, dict.fromkeys(ids, False))  # nobody else is there
        first = host(0)
        settled(service, {ids[0]: True, ids[1]: True, ids[2]: False, ids[3]: False})  # it gives them back
        second = host(1)
        settled(service, dict.fromkeys(ids, True))
        with Source(entries_of(fleet), "second listener", discovery=False) as another:
            settled(another, dict.fromkeys(ids, True))
            watch = subprocess.run(
                [sys.executable, "-m", "tuya", "watch", "--devices", str(path), "--seconds", "3", "--json"],
                cwd=REPOSITORY,
                capture_output=True,
                text=True,
                check=False,
            )
            told = [json.loads(line) for line in watch.stdout.splitlines()]
            assert watch.returncode == 0, watch.stderr
            assert {one["id"] for one in told} == set(ids)
            assert {one["via"][:9] for one in told} == {"hardware "}
            first.kill()
            until(service, is_event("lost", id=ids[0]))
            until_s = time.monotonic() + 20.0
            while not all(s.state(d)["connected"] for s in (service, another) for d in ids):
                assert time.monotonic() < until_s
                time.sleep(0.1)
            third = host(0)
            settled(service, dict.fromkeys(ids, True))
        second.end()
        settled(service, {ids[0]: True, ids[1]: True, ids[2]: False, ids[3]: False})
        third.end()
        settled(service, dict.fromkeys(ids, False))
    assert all(breaker.most_at_once == 1 for breaker in fleet.breakers)


def test_the_plugin_says_how_it_goes_and_takes_commands(home):
    fleet, host = home
    device_id = fleet.breakers[0].device_id
    host(0)
    with Source(entries_of(fleet)[:2], "listener", discovery=False) as listener:
        settled(listener, {device_id: True, fleet.breakers[1].device_id: True})
        late_s, began_s = lateness(), time.monotonic()
        result = until(listener, is_event("result", request=listener.command(device_id, {1: False}, "set")))
        assert result["error"] is None
        assert time.monotonic() - began_s < 1.0 + late_s()
        assert [dps for _, dps in fleet.breakers[0].writes] == [{1: False}]
        until_s = time.monotonic() + 70.0
        said: Dict[str, Any] = {}
        while time.monotonic() < until_s:
            said = asking_owner.owner_of(device_id) or {}
            if said.get("units", {}).get("made") == 8:
                break
            time.sleep(0.2)
        assert said["kind"] == "plugin"
        assert said["units"]["accepts_new_devices"] is True
        assert said["units"]["refused"] is False
        assert said["settings"]["switching"] == "allowed"
        assert {one["id"] for one in said["served"]} == {breaker.device_id for breaker in fleet.breakers[:2]}
        assert all(one["connected"] for one in said["served"])
        assert said["errors"] == []


def test_mode2_holds_for_the_command_line_too(home, tmp_path: Path):
    fleet, host = home
    host(0, "--param", "Mode2=refused")
    with Source(entries_of(fleet)[:1], "listener", discovery=False) as listener:
        settled(listener, {fleet.breakers[0].device_id: True})
    path = tmp_path / "named.json"
    path.write_text(json.dumps([{**fleet.devices()[0], "name": "Oven"}]), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "tuya", "set", "Oven", "1=off", "--devices", str(path)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "refused by the settings" in done.stderr
    assert fleet.breakers[0].writes == []
