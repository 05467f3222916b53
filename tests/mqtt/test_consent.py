"""Brokers that let us in and then do not do what they are asked for: it is said, and nothing else breaks."""

from __future__ import annotations

import json
import socket
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Iterator

import pytest

from tests.mqtt.brokers import Friend, eventually, mosquitto
from tests.mqtt.homes import FakeSource, Home
from tests.mqtt.snapshots import DEVICE_ID, breaker
from tuya.mqtt import consent
from tuya.mqtt.topics import Topics

STATE, BRIDGE = f"tuya/{DEVICE_ID}/state", "tuya/bridge/availability"


@pytest.mark.parametrize(
    ("denied", "allowed", "said"),
    [
        ("homeassistant/#", ["tuya/#"], "does not let us publish homeassistant/"),
        (
            "tuya/+/state",
            ["homeassistant/#", "tuya/bridge/#", "tuya/+/availability"],
            "does not let us publish tuya/bf",
        ),
        ("tuya/bridge/claim", ["homeassistant/#", "tuya/+/state"], "does not let us read tuya/bridge/claim"),
    ],
)
def test_topic_that_a_broker_denies_is_said_once(tmp_path: Path, denied: str, allowed: list[str], said: str):
    rules = tmp_path / "acl"
    rules.write_text("\n".join([f"topic deny {denied}", *(f"topic readwrite {one}" for one in allowed)]) + "\n")
    rules.chmod(0o600)
    with mosquitto(tmp_path, f"acl_file {rules}") as broker, Home(broker.port) as home:
        eventually(lambda: home.heard(said), 15.0, said)
        time.sleep(1.0)
        assert len([line for line in home.said if said in line]) == 1
        assert len(home.said) < 10


def test_no_more_is_to_be_acknowledged_than_the_broker_takes_at_once():
    agreed = consent.Consent(Topics("tuya"))
    agreed.begin(None, 2)
    asked = [agreed.is_to_ask("tuya/bridge/availability")]
    agreed.asked(1, "tuya/bridge/availability")
    asked.append(agreed.is_to_ask(STATE))
    agreed.asked(2, STATE)
    asked.append(agreed.is_to_ask("homeassistant/x"))
    assert (asked, agreed.room) == ([True, True, False], 0)
    agreed.published(1, SimpleNamespace(is_failure=False))
    assert agreed.room == 1
    assert agreed.is_to_ask("homeassistant/x"), "and then it is asked for"


def test_broker_that_takes_one_at_a_time(tmp_path: Path):
    strict = mosquitto(tmp_path, "max_inflight_messages 1")
    with strict as broker, Friend(broker.port) as friend:
        with Home(broker.port) as home:
            eventually(lambda: friend.newest.get(STATE), what="the state")
            friend.publish(f"tuya/{DEVICE_ID}/1/set", "OFF", qos=1)
            eventually(lambda: home.source.commands, what="a command")
        eventually(lambda: friend.newest.get(BRIDGE) == "offline", what="the good-bye")
        assert not home.heard("tried again")


def test_packet_that_is_too_large_for_the_broker_is_left_out_and_said(tmp_path: Path):
    """Sent all the same, it ends the connection, and the next one too."""
    source = FakeSource(DEVICE_ID, "other")
    source.states["other"] = large = breaker("other", faults=["x" * 4000])
    source._events.put(large)
    limit = mosquitto(tmp_path, "max_packet_size 2000")
    with limit as broker, Friend(broker.port) as friend, Home(broker.port, source) as home:
        eventually(lambda: home.heard("takes no more than 2000 bytes"), what="a word about it")
        eventually(lambda: friend.newest.get(STATE), what="the state of the other")
        friend.publish(f"tuya/{DEVICE_ID}/1/set", "OFF", qos=1)
        eventually(lambda: home.source.commands, what="a command")
        time.sleep(1.0)
        assert not home.heard("tried again")


def test_broker_that_retains_nothing_is_refused(tmp_path: Path):
    with mosquitto(tmp_path, "retain_available false") as broker, Home(broker.port) as home:
        eventually(
            lambda: home.heard("Retain not supported") or home.heard("keeps no retained messages"),
            what="a word about it",
        )


@pytest.fixture(name="hurry")
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consent, "SUBSCRIBED_S", 1.0)


class Mute:
    """A broker that answers CONNECT and then only pings, as one whose storage hangs."""

    def __init__(self) -> None:
        self.connections = 0
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                sock, _ = self._server.accept()
            except OSError:
                return
            self.connections += 1
            with sock:
                sock.settimeout(10.0)
                is_five = b"MQTT\x05" in sock.recv(4096)
                sock.sendall(b"\x20\x03\x00\x00\x00" if is_five else b"\x20\x02\x00\x00")
                try:
                    while data := sock.recv(4096):
                        if data.endswith(b"\xc0\x00"):
                            sock.sendall(b"\xd0\x00")
                except OSError:
                    continue

    def close(self) -> None:
        self._server.close()


@pytest.fixture(name="mute")
def _mute() -> Iterator[Mute]:
    one = Mute()
    yield one
    one.close()


@pytest.mark.usefixtures("hurry")
def test_broker_that_never_answers_a_subscription_is_said_and_tried_again(mute: Mute):
    with Home(mute.port) as home:
        eventually(lambda: mute.connections >= 2, 20.0, "another try")
        assert home.heard("does not answer to a subscription")
        assert not home.service.was_up


def test_a_large_answer_counts_its_correlation_data():
    from tuya.mqtt.commands import Publication
    from tuya.mqtt.topics import Topics

    one = consent.Consent(Topics("tuya"))
    one.begin(200)
    small = Publication("a", json.dumps({"x": 1}))
    assert one.too_large(small) == ""
    assert "200 bytes" in one.too_large(small._replace(correlation=b"x" * 200))
