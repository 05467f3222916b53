"""With a real Mosquitto: what is retained, which commands switch, and what a broker may do to us."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Iterator

import pytest
from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.mqtt.brokers import Friend, Mosquitto, eventually, free_port, mosquitto
from tests.mqtt.homes import FakeSource, Home
from tests.mqtt.snapshots import DEVICE_ID
from tuya.mqtt.broker import Broker
from tuya.mqtt.clean import CleaningFailed, clean
from tuya.mqtt.client import Client
from tuya.mqtt.commands import Publication
from tuya.mqtt.topics import Topics

SET, SET_1, RESULT = (f"tuya/{DEVICE_ID}/{last}" for last in ("set", "1/set", "result"))
STATE, AVAILABILITY, BRIDGE = f"tuya/{DEVICE_ID}/state", f"tuya/{DEVICE_ID}/availability", "tuya/bridge/availability"


@pytest.fixture(name="broker")
def _broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with mosquitto(tmp_path) as one:
        yield one


def ready(home: Home, friend: Friend) -> None:
    """Wait until the broker has the device and takes commands for it."""
    eventually(lambda: STATE in friend.newest and friend.newest.get(BRIDGE) == "online", what="the state")
    eventually(lambda: home.heard("connected"), what="the connection")
    time.sleep(0.2)  # its subscription is on its way


def settle() -> None:
    """Time for what must not happen."""
    time.sleep(1.0)


def results(friend: Friend) -> list[Any]:
    return [json.loads(one.payload) for one in list(friend.heard) if one.topic == RESULT]


def test_state_command_and_answer(broker: Mosquitto):
    with Friend(broker.port) as friend, Home(broker.port) as home:
        ready(home, friend)
        assert json.loads(friend.newest[STATE])["switch"] == {"1": True}
        friend.publish(SET_1, "OFF", qos=1)
        eventually(lambda: results(friend) == [{"dps": {"1": False}, "error": None, "message": None}], what="an answer")
        eventually(lambda: json.loads(friend.newest[STATE])["switch"] == {"1": False}, what="the new state")
        assert home.source.commands == [(DEVICE_ID, {1: False})]
    eventually(lambda: friend.newest[BRIDGE] == "offline", what="the good-bye")


def test_what_is_published_is_retained(broker: Mosquitto):
    with Friend(broker.port) as friend, Home(broker.port) as home:
        ready(home, friend)
        with Friend(broker.port) as late:
            kept = {STATE, AVAILABILITY, BRIDGE, f"homeassistant/sensor/{DEVICE_ID}/energy/config"}
            eventually(lambda: kept <= set(late.newest), what="all that is retained")
            assert all(one.retain for one in late.heard)


def test_response_topic_and_correlation_data(broker: Mosquitto):
    properties = Properties(PacketTypes.PUBLISH)
    properties.ResponseTopic, properties.CorrelationData = "me/answer", b"\x01\x02"
    with Friend(broker.port) as friend, Home(broker.port) as home:
        ready(home, friend)
        friend.publish(SET, '{"1": false}', qos=1, properties=properties)
        eventually(lambda: "me/answer" in friend.newest, what="the answer")
        (answer,) = [one for one in friend.heard if one.topic == "me/answer"]
        assert answer.properties.CorrelationData == b"\x01\x02"
        assert json.loads(answer.payload)["dps"] == {"1": False}


def test_retained_command_that_was_there_before_us_switches_nothing(broker: Mosquitto):
    for version in (MQTTProtocolVersion.MQTTv5, MQTTProtocolVersion.MQTTv311):
        with Friend(broker.port, version) as friend:
            friend.publish(SET_1, "OFF", qos=1, retain=True)
            with Home(broker.port) as home:
                ready(home, friend)
                settle()
                assert home.source.commands == []


def test_retained_command_that_comes_while_we_listen_is_refused_and_said(broker: Mosquitto):
    """It would wait in the broker for whoever subscribes next. In MQTT 5 a broker passes on how it was published."""
    with Friend(broker.port) as friend:
        with Home(broker.port) as home:
            ready(home, friend)
            friend.publish(SET_1, "OFF", qos=1, retain=True)
            eventually(lambda: RESULT in friend.newest, what="the answer")
            assert "retained" in json.loads(friend.newest[RESULT])["message"]
            friend.publish(SET_1, "OFF", qos=1)
            eventually(lambda: len(home.source.commands) == 1, what="the command")
            settle()
            assert len(home.source.commands) == 1
            assert sum(one.topic == RESULT for one in friend.heard) == 2
        with Home(broker.port) as home:
            eventually(lambda: home.heard("connected"))
            settle()
            assert home.source.commands == []


def test_commands_published_while_we_are_away_switch_nothing(broker: Mosquitto):
    with Friend(broker.port) as friend:
        for _ in range(2):
            with Home(broker.port) as home:
                ready(home, friend)
                assert home.source.commands == []
            friend.newest.clear()
            friend.publish(SET_1, "OFF", qos=1)


@pytest.mark.parametrize("qos", [0, 1])
def test_the_same_delivery_twice_is_one_write(broker: Mosquitto, qos: int):
    with Friend(broker.port) as friend, Home(broker.port) as home:
        ready(home, friend)
        friend.publish(SET_1, "OFF", qos=qos)
        friend.publish(SET_1, "OFF", qos=qos)
        eventually(lambda: len(home.source.commands) >= 2 - qos)
        settle()
        assert len(home.source.commands) == 2 - qos


def test_odd_topics_and_payloads_are_harmless(broker: Mosquitto):
    topics = [
        "tuya/a/b/c/set",
        "tuya/ä ö/set",
        f"tuya/{DEVICE_ID}/x/set",
        "tuya//set",
        "tuya/$/set",
        f"tuya/{'x' * 9000}/set",
    ]
    payloads: list[Any] = [b"", b"\xff" * 10, b"[" * 65536, '{"1":' * 10000, "ON", b"\0", '{"1": {"1": true}}']
    with Friend(broker.port) as friend, Home(broker.port) as home:
        ready(home, friend)
        for topic in [*topics, SET]:
            for payload in payloads:
                friend.publish(topic, payload)
        friend.publish(SET, b"x" * 65536)
        said = [payload for payload in payloads if payload]  # an empty one clears a topic and is no command
        eventually(lambda: len(results(friend)) == len(said) + 1, what="an answer to each on a device's topic")
        assert home.source.commands == []
        friend.publish(SET_1, "OFF")
        eventually(lambda: len(home.source.commands) == 1, what="a command after it all")


def until_it_is_taken(home: Home, friend: Friend, device_id: str) -> None:
    """Say OFF until that is carried out: on a busy machine a command may be too old when it is read, and is refused."""
    said_s = float("-inf")

    def is_taken() -> bool:
        nonlocal said_s
        if time.monotonic() - said_s > 2.0 and not home.source.commands:
            said_s = time.monotonic()
            friend.publish(f"tuya/{device_id}/1/set", "OFF", qos=1)
        return bool(home.source.commands)

    eventually(is_taken, 30.0, "the command")
    assert home.source.commands[0] == (device_id, {1: False})


def test_storm_of_commands_is_bounded_and_ends(broker: Mosquitto):
    with Friend(broker.port) as friend, Home(broker.port) as home:
        ready(home, friend)
        began_s = time.monotonic()

        def storm() -> bool:
            """What comes while the program stands still is not read: on a busy machine that may be all of a storm."""
            for number in range(3000):
                friend.publish(SET_1, "ON" if number % 2 else "OFF")
            with suppress(AssertionError):
                eventually(lambda: len(results(friend)) > 100, 3.0)
            return len(results(friend)) > 100

        eventually(storm, what="answers")
        eventually(lambda: friend.newest.get(STATE), what="a state")
        settle()
        assert 1 <= len(home.source.commands) <= 5 + (time.monotonic() - began_s) + 1
        assert len(home.said) < 60


def test_storm_on_one_device_leaves_the_others_theirs(broker: Mosquitto):
    source = FakeSource(DEVICE_ID, "bf00000000000000other")
    with Friend(broker.port) as friend, Home(broker.port, source) as home:
        ready(home, friend)
        for number in range(2000):
            friend.publish(SET, b"x" * (number % 50))
        until_it_is_taken(home, friend, "bf00000000000000other")


def test_devices_that_tell_more_than_can_be_taken_in_keep_no_command_out(broker: Mosquitto):
    with Friend(broker.port) as friend, Home(broker.port) as home:
        ready(home, friend)
        for watts in range(25_000):
            home.source.tell(power_w={"1": watts})
        until_it_is_taken(home, friend, DEVICE_ID)


def test_broker_killed_and_back(broker: Mosquitto):
    with Home(broker.port) as home:
        with Friend(broker.port) as friend:
            ready(home, friend)
        broker.kill()
        eventually(lambda: home.heard("it is tried again"), what="a word about it")
        home.source.tell(power_w={"1": 7777})
        for watts in range(5000):  # nobody takes them: nothing grows
            home.source.tell(power_w={"1": watts % 2})
        home.source.tell(power_w={"1": 8888})
        broker.start()
        with Friend(broker.port) as friend:
            eventually(lambda: friend.newest.get(BRIDGE) == "online", 20.0, "the return")
            eventually(lambda: '"power":8888' in friend.newest.get(STATE, ""), 20.0, "the newest value")
            friend.publish(SET_1, "OFF", qos=1)
            eventually(lambda: home.source.commands == [(DEVICE_ID, {1: False})], what="a command")


def test_will_says_offline_when_we_die(broker: Mosquitto, tmp_path: Path):
    with Friend(broker.port) as friend:
        process = demo(broker.port)
        try:
            eventually(lambda: friend.newest.get(BRIDGE) == "online", 20.0, "the beginning")
        finally:
            process.kill()
            process.wait(10.0)
        eventually(lambda: friend.newest[BRIDGE] == "offline", 20.0, "the will")


def demo(port: int, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tuya", "mqtt", "--broker", f"mqtt://127.0.0.1:{port}", "--demo", *more],
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("stopped_s", [2.0, 4.0])
def test_commands_that_waited_in_our_socket_while_we_stood_still_switch_nothing(broker: Mosquitto, stopped_s: float):
    with Friend(broker.port) as friend:
        process = demo(broker.port)
        try:
            topic = eventually(lambda: next((one for one in friend.newest if one.endswith("/state")), ""), 20.0)
            device_id = topic.split("/")[1]

            def is_on() -> bool:
                return bool(json.loads(friend.newest[topic])["switch"]["1"])

            eventually(lambda: friend.newest.get(BRIDGE) == "online", 20.0)
            friend.publish(f"tuya/{device_id}/1/set", "ON", qos=1)
            eventually(lambda: f"tuya/{device_id}/result" in friend.newest and is_on(), what="a switch that works")
            friend.newest.pop(f"tuya/{device_id}/result")
            os.kill(process.pid, signal.SIGSTOP)
            friend.publish(f"tuya/{device_id}/1/set", "OFF", qos=1)
            friend.publish(f"tuya/{device_id}/set", '{"1": false}')
            time.sleep(stopped_s)
            friend.newest.pop(BRIDGE)
            os.kill(process.pid, signal.SIGCONT)
            eventually(lambda: friend.newest.get(BRIDGE) == "online", 20.0, "the return")
            settle()
            assert is_on(), "a command from before the stop has switched"
            assert f"tuya/{device_id}/result" not in friend.newest
        finally:
            process.kill()
            process.wait(10.0)


class Cable:
    """Between us and the broker; pulled out, what is sent waits on its way, as TCP has it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._is_in = threading.Event()
        self._is_in.set()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def pull(self) -> None:
        self._is_in.clear()

    def plug(self) -> None:
        self._is_in.set()

    def _accept(self) -> None:
        while True:
            try:
                ours, _ = self._server.accept()
            except OSError:
                return
            theirs = socket.create_connection(("127.0.0.1", self._port))
            for pair in ((ours, theirs), (theirs, ours)):
                threading.Thread(target=self._copy, args=pair, daemon=True).start()

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        with source, target:
            try:
                while data := source.recv(65536):
                    self._is_in.wait()
                    target.sendall(data)
            except OSError:
                return

    def close(self) -> None:
        self._server.close()


def test_commands_that_waited_on_their_way_switch_nothing(broker: Mosquitto):
    cable = Cable(broker.port)
    with Friend(broker.port) as friend, Home(cable.port) as home:
        ready(home, friend)
        time.sleep(1.5)
        cable.pull()
        time.sleep(1.5)
        friend.publish(SET_1, "OFF", qos=1)
        time.sleep(5.0)
        assert home.source.commands == []
        cable.plug()
        eventually(lambda: results(friend), what="an answer")
        assert "stood still" in results(friend)[0]["message"]
        assert home.source.commands == []
        time.sleep(1.5)  # a ping is answered
        friend.publish(SET_1, "OFF", qos=1)
        eventually(lambda: home.source.commands == [(DEVICE_ID, {1: False})], what="a fresh command")
    cable.close()


# -- who is let in


@pytest.fixture(name="locked")
def _locked(tmp_path: Path) -> Iterator[Mosquitto]:
    tool = "mosquitto_passwd"
    passwords = tmp_path / "passwords"
    passwords.touch()
    passwords.chmod(0o600)
    try:
        subprocess.run([tool, "-b", str(passwords), "us", "secret"], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("no mosquitto_passwd is installed")
    with mosquitto(tmp_path, f"password_file {passwords}", anonymous=False) as one:
        yield one


def test_password(locked: Mosquitto):
    with Home(locked.port, user="us", password="secret") as home:
        eventually(lambda: home.heard("connected"), what="the connection")


def test_wrong_password_is_said_once_and_never_shown(locked: Mosquitto):
    with Home(locked.port, user="us", password="hunter2") as home:
        eventually(lambda: home.service.refused, what="the refusal")
        settle()
        assert not home.service.was_up
        assert len(home.said) == 1
        assert "hunter2" not in str(home.said)
        assert "hunter2" not in repr(Broker("h", 1, password="hunter2"))


def test_command_line_tells_a_wrong_password_by_its_exit_code(locked: Mosquitto):
    process = demo(locked.port, "--seconds", "3")
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "has never let us in" in said


# -- what brokers do


def test_slow_broker_costs_no_memory_and_gets_the_newest():
    """One that answers CONNECT and then reads nothing: values go on coming, and only the newest of each wait."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10.0)
        with Home(server.getsockname()[1], FakeSource(*(f"device{n}" for n in range(200)))) as home:
            sock, _ = server.accept()
            with sock:
                sock.settimeout(10.0)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                sock.recv(4096)
                sock.sendall(b"\x20\x03\x00\x00\x00")
                packet_id = sock.recv(4096)[2:4]  # of a SUBSCRIBE with two topics
                sock.sendall(b"\x90\x05" + packet_id + b"\x00\x01\x01")
                eventually(lambda: home.heard("connected"))
                for round_ in range(20):
                    for number in range(200):
                        home.source.tell(f"device{number}", switch={"1": bool(round_ % 2)})
                time.sleep(1.0)
                outbox = home.service._client._outbox
                assert len(outbox._retained) <= 200 * 13 + 1


@pytest.mark.parametrize(
    "answer",
    [b"", b"\x00", b"\xff" * 100, b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x20\x02\x00\x01", b"\x20\xff\xff\xff\x7f"],
)
def test_what_is_no_broker_ends_nothing(answer: bytes):
    seen: list[bytes] = []
    stopped = threading.Event()

    def serve(server: socket.socket) -> None:
        while not stopped.is_set():
            try:
                sock, _ = server.accept()
            except OSError:
                continue
            with sock:
                sock.settimeout(2.0)
                seen.append(sock.recv(4096))
                sock.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        thread = threading.Thread(target=serve, args=(server,))
        thread.start()
        try:
            with Home(server.getsockname()[1]) as home:
                eventually(lambda: len(seen) >= 2, 20.0, "another try")
                assert home.heard("it is tried again")
                assert not home.service.was_up
            # MQTT 5 first, then 3.1.1: the version stands behind the protocol's name
            assert [connect[connect.index(b"MQTT") + 4] for connect in seen[:2]] == [5, 4]
        finally:
            stopped.set()
            thread.join(5.0)


def test_nobody_there_is_said_and_tried_again():
    port = free_port()
    with Home(port) as home:
        eventually(lambda: home.heard("nobody listens there"), what="a word about it")
        assert not home.service.was_up


def test_500_devices(broker: Mosquitto):
    ids = [f"device{number}" for number in range(500)]
    with Friend(broker.port) as friend, Home(broker.port, FakeSource(*ids)) as home:
        eventually(lambda: all(f"tuya/{one}/state" in friend.newest for one in ids), 30.0, "500 states")
        assert sum(topic.endswith("/config") for topic in friend.newest) == 500 * 11
        until_it_is_taken(home, friend, "device499")


# -- what is left behind


def test_devices_that_are_gone_are_taken_back(broker: Mosquitto):
    with Friend(broker.port) as friend, Home(broker.port, FakeSource(DEVICE_ID, "other")) as home:
        ready(home, friend)
        eventually(lambda: friend.newest.get("tuya/other/state"))
        home.source.remove("other")
        eventually(lambda: friend.newest["tuya/other/state"] == "", what="its end")
        settle()
        assert not [topic for topic, payload in friend.newest.items() if "other" in topic and payload]


def test_devices_that_vanished_between_two_runs_are_taken_back_and_others_things_stay(broker: Mosquitto):
    with Friend(broker.port) as friend:
        friend.publish("homeassistant/sensor/theirs/x/config", '{"name": "theirs"}', qos=1, retain=True)
        with Home(broker.port, FakeSource(DEVICE_ID, "other")) as home:
            ready(home, friend)
            eventually(lambda: friend.newest.get("tuya/other/state"))
        with Home(broker.port) as home:
            eventually(lambda: friend.newest["tuya/other/state"] == "", what="its end")
            config = f"homeassistant/sensor/{DEVICE_ID}/energy/config"
            settle()
            assert friend.newest[config]
            assert not [topic for topic, payload in friend.newest.items() if "other" in topic and payload]
            assert friend.newest["homeassistant/sensor/theirs/x/config"]


def test_clean(broker: Mosquitto):
    with Friend(broker.port) as friend:
        friend.publish("homeassistant/sensor/theirs/x/config", '{"name": "theirs"}', qos=1, retain=True)
        with Home(broker.port) as home:
            ready(home, friend)
    where = Broker("127.0.0.1", broker.port)
    assert clean(where, Topics("tuya"), "homeassistant", "cleaner") == 11 + 3
    with Friend(broker.port) as friend:
        settle()
        assert list(friend.newest) == ["homeassistant/sensor/theirs/x/config"]
    assert clean(where, Topics("tuya"), "homeassistant", "cleaner") == 0


@pytest.mark.parametrize("losses", [1, 99])
def test_clean_whose_connection_is_lost_goes_on_or_says_so(
    broker: Mosquitto, monkeypatch: pytest.MonkeyPatch, losses: int
):
    lost: list[Publication] = []
    send = Client._send

    def send_what_is_lost(self: Client, client: Any, one: Publication) -> None:
        if one.retain and len(lost) < losses:
            lost.append(one)
            client.socket().shutdown(socket.SHUT_RDWR)
        send(self, client, one)

    with Friend(broker.port) as friend, Home(broker.port) as home:
        ready(home, friend)
    monkeypatch.setattr(Client, "_send", send_what_is_lost)
    where = Broker("127.0.0.1", broker.port)
    if losses > 1:
        with pytest.raises(CleaningFailed, match="lost each time"):
            clean(where, Topics("tuya"), "homeassistant", "cleaner")
        return
    assert clean(where, Topics("tuya"), "homeassistant", "cleaner") == 11 + 3
    with Friend(broker.port) as friend:
        settle()
        assert list(friend.newest) == []


def test_clean_without_a_broker_says_why(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tuya.mqtt.clean.CONNECT_WITHIN_S", 0.5)
    with pytest.raises(CleaningFailed, match="nobody listens there"):
        clean(Broker("127.0.0.1", free_port()), Topics("tuya"), "homeassistant", "cleaner")


@pytest.mark.parametrize("payload", ["offline", "", "x"])
def test_what_others_say_of_a_device_is_contradicted(broker: Mosquitto, payload: str):
    with Friend(broker.port) as friend, Home(broker.port) as home:
        ready(home, friend)
        eventually(lambda: friend.newest.get(AVAILABILITY) == "online", what="the first word")
        for _ in range(3):
            friend.publish(AVAILABILITY, payload, qos=1, retain=True)
        eventually(lambda: friend.newest.get(AVAILABILITY) == "online", what="the truth again")
        settle()
        assert friend.newest[AVAILABILITY] == "online"
        said = [one for one in friend.heard if one.topic == AVAILABILITY and one.payload == b"online"]
        assert len(said) <= 4, "once is enough"


def test_bridge_is_online_again_after_a_row_of_contradictions(broker: Mosquitto):
    """The last of them may come right after our answer to the first."""
    with Friend(broker.port) as friend, Home(broker.port) as home:
        ready(home, friend)
        for _ in range(8):
            friend.publish(BRIDGE, "offline", qos=1, retain=True)
            time.sleep(0.2)
        eventually(lambda: friend.newest.get(BRIDGE) == "online", what="the truth again")


def test_command_for_a_device_that_was_removed_is_answered(broker: Mosquitto):
    with Friend(broker.port) as friend, Home(broker.port) as home:
        ready(home, friend)
        home.source.remove(DEVICE_ID)
        eventually(lambda: friend.newest.get(STATE) == "", what="the end of its state")
        friend.publish(SET_1, "OFF", qos=1)
        eventually(lambda: RESULT in friend.newest, what="the answer")
        assert json.loads(friend.newest[RESULT])["error"] == "CommandRefused"
        settle()
        assert sum(one.topic == RESULT for one in friend.heard) == 1
        assert home.source.commands == []
