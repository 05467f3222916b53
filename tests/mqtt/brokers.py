"""A real Mosquitto on a free port of loopback, and somebody else who talks to it."""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from tests.lateness import lateness

MOSQUITTO = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin")
NO_MOSQUITTO = "no Mosquitto is installed (Debian's package mosquitto): nothing was tried with a real broker"


def eventually(condition: Callable[[], Any], timeout_s: float = 10.0, what: str = "it") -> Any:
    """Wait until `condition` is true and return its value."""
    until_s = time.monotonic() + timeout_s
    late_s = lateness()
    while True:
        value = condition()
        if value:
            return value
        now_s = time.monotonic()
        assert now_s < until_s or now_s < until_s + late_s(), f"{what} did not happen within {timeout_s} s"
        time.sleep(0.02)


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Mosquitto:
    """One broker; start() again after kill() is a broker at the same place that has forgotten everything."""

    def __init__(self, folder: Path, *lines: str, anonymous: bool = True) -> None:
        if MOSQUITTO is None:
            pytest.skip(NO_MOSQUITTO)
        self.port = free_port()
        self._folder = folder
        self._conf = folder / "mosquitto.conf"
        user = "" if os.geteuid() else "user root\n"
        self._conf.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous {str(anonymous).lower()}\n{user}" + "\n".join(lines)
        )
        self._process: Optional[subprocess.Popen[bytes]] = None

    def start(self) -> Mosquitto:
        """Begin to listen."""
        assert MOSQUITTO is not None
        self._process = subprocess.Popen(
            [MOSQUITTO, "-c", str(self._conf)], stdout=subprocess.DEVNULL, stderr=(self._folder / "log").open("ab")
        )

        def listens() -> bool:
            assert self._process is not None
            assert self._process.poll() is None, (self._folder / "log").read_text()
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1.0):
                return True
            return False

        eventually(listens, what="the broker's start")
        return self

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10.0)
            self._process = None


@contextlib.contextmanager
def mosquitto(folder: Path, *lines: str, anonymous: bool = True) -> Iterator[Mosquitto]:
    """A running broker."""
    one = Mosquitto(folder, *lines, anonymous=anonymous).start()
    try:
        yield one
    finally:
        one.kill()


class Friend:
    """Another client of the broker: hears everything, keeps the newest of each topic, and publishes."""

    def __init__(self, port: int, version: MQTTProtocolVersion = MQTTProtocolVersion.MQTTv5, topics: str = "#") -> None:
        self.newest: Dict[str, str] = {}
        self.heard: List[paho.MQTTMessage] = []
        subscribed: queue.Queue[bool] = queue.Queue()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=version)
        self._client.on_message = self._message
        self._client.on_connect = lambda *_: self._client.subscribe(topics)
        self._client.on_subscribe = lambda *_: subscribed.put(True)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        subscribed.get(timeout=10.0)

    def _message(self, _client: paho.Client, _user: Any, message: paho.MQTTMessage) -> None:
        self.heard.append(message)
        self.newest[message.topic] = message.payload.decode(errors="replace")

    def publish(self, topic: str, payload: Any, qos: int = 0, retain: bool = False, properties: Any = None) -> None:
        """Publish, and wait until the broker has it (QoS 1)."""
        said = self._client.publish(topic, payload, qos, retain, properties)
        if qos:
            said.wait_for_publish(10.0)

    def __enter__(self) -> Friend:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()
