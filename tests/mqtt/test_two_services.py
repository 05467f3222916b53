"""Two services with one base at one broker, real devices behind them; and who cleans while one of them runs."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Iterator, List

import pytest
from paho.mqtt.enums import MQTTProtocolVersion

from tests.mqtt.brokers import Friend, Mosquitto, eventually, mosquitto
from tests.mqtt.homes import FakeSource, Home
from tests.mqtt.snapshots import DEVICE_ID
from tuya.mqtt.broker import Broker
from tuya.mqtt.clean import CleaningFailed, clean
from tuya.mqtt.topics import Topics
from tuya.simulator import Fleet

REPOSITORY = Path(__file__).resolve().parents[2]
SET_1, STATE, BRIDGE = f"tuya/{DEVICE_ID}/1/set", f"tuya/{DEVICE_ID}/state", "tuya/bridge/availability"


@pytest.fixture(name="broker")
def _broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with mosquitto(tmp_path) as one:
        yield one


def serves(home: Home) -> bool:
    return home.service.was_up and not home.service.other


def waits(home: Home) -> bool:
    return bool(home.service.other)


def test_only_one_of_two_takes_a_command_and_the_other_takes_over(broker: Mosquitto):
    with Friend(broker.port) as friend, Home(broker.port) as second_to_last:
        eventually(lambda: friend.newest.get(BRIDGE) == "online", what="the first")
        with Home(broker.port) as last:
            eventually(lambda: waits(last), what="a word of the second")
            assert last.heard("serves tuya/... at this broker already")
            friend.publish(SET_1, "OFF", qos=1)
            eventually(lambda: second_to_last.source.commands, what="the command")
            time.sleep(1.0)
            assert last.source.commands == []
            assert len(second_to_last.source.commands) == 1
            assert sum(one.topic.endswith("/result") for one in friend.heard) == 1
            second_to_last.service.stop()
            eventually(lambda: serves(last) and friend.newest.get(BRIDGE) == "online", what="the take-over")
            friend.publish(SET_1, "ON", qos=1)
            eventually(lambda: last.source.commands == [(DEVICE_ID, {1: True})], what="a command for the second")
        eventually(lambda: friend.newest[BRIDGE] == "offline", what="its good-bye")


def test_end_of_the_one_that_waits_changes_nothing(broker: Mosquitto):
    with Friend(broker.port) as friend, Home(broker.port):
        eventually(lambda: friend.newest.get(BRIDGE) == "online", what="the first")
        with Home(broker.port) as other:
            eventually(lambda: waits(other), what="a word of the second")
        time.sleep(0.5)
        assert [one.payload for one in friend.heard if one.topic == BRIDGE] == [b"online"]


def test_together_at_a_broker_that_comes_back_one_serves(broker: Mosquitto):
    homes: List[Home] = [Home(broker.port) for _ in range(3)]
    with homes[0], homes[1], homes[2]:
        for _ in range(2):
            eventually(lambda: sum(serves(home) for home in homes) == 1 and sum(map(waits, homes)) == 2, 20.0)
            time.sleep(1.5)
            broker.kill()
            time.sleep(0.5)
            broker.start()
        with Friend(broker.port) as friend:
            eventually(lambda: friend.newest.get(BRIDGE) == "online", 20.0)
            time.sleep(1.5)
            for home in homes:
                home.source.commands.clear()
            friend.publish(SET_1, "OFF", qos=1)
            eventually(lambda: any(home.source.commands for home in homes), what="the command")
            time.sleep(1.0)
            assert sum(len(home.source.commands) for home in homes) == 1


@pytest.mark.parametrize("payload", ["offline", ""])
def test_who_serves_contradicts_an_old_will_and_who_has_cleaned(broker: Mosquitto, payload: str):
    """The will of an earlier run comes after its keep-alive, when the next one is up already."""
    with Friend(broker.port) as friend, Home(broker.port):
        eventually(lambda: friend.newest.get(BRIDGE) == "online" and friend.newest.get(STATE), what="the first")
        for topic in (BRIDGE, STATE):
            friend.publish(topic, payload if topic == BRIDGE else "", qos=1, retain=True)
        eventually(lambda: friend.newest.get(BRIDGE) == "online" and friend.newest.get(STATE), what="all of it again")


def test_clean_beside_a_running_service_is_refused(broker: Mosquitto):
    where = Broker("127.0.0.1", broker.port)
    with Friend(broker.port) as friend, Home(broker.port):
        eventually(lambda: friend.newest.get(STATE), what="a state")
        with pytest.raises(CleaningFailed, match=r"process [0-9]+ on .* serves tuya/"):
            clean(where, Topics("tuya"), "homeassistant", "cleaner")
        assert friend.newest[STATE]
        assert clean(where, Topics("another"), "homeassistant", "cleaner") == 0
    assert clean(where, Topics("tuya"), "homeassistant", "cleaner") == 11 + 3


def test_two_bases_are_two_services(broker: Mosquitto):
    with Home(broker.port) as one, Home(broker.port, FakeSource(), base="house/other") as other:
        eventually(lambda: serves(one) and serves(other))
        with Friend(broker.port) as friend:
            eventually(lambda: friend.newest.get("house/other/bridge/availability") == "online")
            friend.publish(f"house/other/{DEVICE_ID}/1/set", "OFF", qos=1)
            eventually(lambda: other.source.commands, what="the command")
            assert one.source.commands == []


@pytest.mark.parametrize("version", [MQTTProtocolVersion.MQTTv5, MQTTProtocolVersion.MQTTv311])
def test_two_programs_one_breaker_one_write(broker: Mosquitto, tmp_path: Path, version: MQTTProtocolVersion):
    """As people start them: the second is told why it does nothing, and takes over when the first is killed."""
    with Fleet(version="3.4", count=1, noise=0.0, load_w=3000.0) as fleet, Friend(broker.port, version) as friend:
        (device,) = fleet.devices()
        fleet.breakers[0].push_every(1.0)  # a load that stands still is told with the queries only, every 30 s
        state, set_1 = f"tuya/{device['id']}/state", f"tuya/{device['id']}/1/set"
        path = tmp_path / "devices.json"
        path.write_text(json.dumps([device]))
        words = [sys.executable, "-m", "tuya", "mqtt", "--broker", f"mqtt://127.0.0.1:{broker.port}"]
        running: List[subprocess.Popen[bytes]] = []
        logs = [tmp_path / f"log{number}" for number in range(2)]

        def start() -> None:
            with logs[len(running)].open("wb") as log:
                running.append(
                    subprocess.Popen([*words, "--devices", str(path)], cwd=REPOSITORY, stderr=log, stdout=log)
                )

        def wh() -> float:
            told = json.loads(friend.newest.get(state) or "{}")
            return float(told.get("totals_wh", {}).get("total", {}).get("used", 0.0))

        try:
            start()
            eventually(lambda: wh() > 0.5, 30.0, "a first total")
            start()
            eventually(lambda: b"serves tuya/..." in logs[1].read_bytes(), 20.0, "a word of the second")
            friend.publish(set_1, "OFF", qos=1)
            breaker = fleet.breakers[0]
            eventually(lambda: breaker.writes, what="the write")
            time.sleep(1.5)
            assert [dps for _, dps in breaker.writes] == [{1: False}]
            before_wh = wh()
            assert before_wh > 0.5
            running[0].send_signal(signal.SIGTERM)
            assert running[0].wait(20.0) == 0
            friend.newest[state] = ""
            eventually(lambda: friend.newest.get(state) and friend.newest.get(BRIDGE) == "online", 20.0, "take-over")
            assert wh() >= before_wh, "a total never falls"
            assert wh() < before_wh + 20.0
            friend.publish(set_1, "ON", qos=1)
            eventually(lambda: len(breaker.writes) == 2, what="a write of the second")
        finally:
            for process in running:
                process.kill()
                process.wait(10.0)
