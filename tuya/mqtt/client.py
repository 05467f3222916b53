"""The connection to one broker, by paho-mqtt: MQTT 5, else 3.1.1; retained topics, commands, TLS, back-off.

What happens goes to one callable of the caller's, on paho's own thread. Nothing is kept for a broker that is away: the
core says everything again when it is back, and commands that waited there are never asked for.
"""

from __future__ import annotations

import contextlib
import ssl
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Dict, Optional, Sequence, Union

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from .core import Message, Publication
from .topics import OFFLINE, Topics

DEFAULT_PORT = 1883
DEFAULT_TLS_PORT = 8883
KEEP_ALIVE_S = 30
CONNECT_TIMEOUT_S = 10.0
BACK_OFF_FROM_S, BACK_OFF_TO_S = 1, 60
UNSENT_MESSAGES = 20000  # of a broker that reads slowly: what is above is left out and said again with the next change
_DO_NOT_SEND_RETAINED = 2  # retain handling of a subscription (MQTT 5.0, 3.8.3.1)
_QOS_AT_LEAST_ONCE = 1


@dataclass(frozen=True)
class Broker:
    """Where the broker is and how it lets us in. ca, certificate, key: PEM files; ca None: the system's."""

    host: str
    port: int
    tls: bool = False
    user: str = ""
    password: str = field(default="", repr=False)
    ca: Optional[Path] = None
    certificate: Optional[Path] = None
    key: Optional[Path] = None

    @property
    def shown(self) -> str:
        """As the user wrote it, without the password."""
        return f"mqtt{'s' if self.tls else ''}://{self.user + '@' if self.user else ''}{self.host}:{self.port}"


@dataclass(frozen=True)
class Up:
    """The broker has let us in, and commands are subscribed to. version: "5" or "3.1.1"."""

    version: str


@dataclass(frozen=True)
class Down:
    """The connection ended, or could not be made; it is tried again. refused: the broker itself said no."""

    why: str
    refused: bool = False


Happening = Union[Up, Down, Message]


class BrokerError(Exception):
    """The settings for the broker cannot be used (a certificate that cannot be read); the text says which."""


class Client:
    """Tries until stop(). happened: called on paho's thread, must not block and must not raise.

    Raises BrokerError.
    """

    def __init__(self, broker: Broker, topics: Topics, happened: Callable[[Happening], None], name: str) -> None:
        self._broker = broker
        self._topics = topics
        self._happened = happened
        self._name = name
        self._context = _tls_context(broker)
        self._lock = threading.Lock()
        self._is_up = False
        self._is_stopping = False
        self._version = MQTTProtocolVersion.MQTTv5
        self._client = self._make()

    def _make(self) -> paho.Client:
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._name,
            protocol=self._version,
            # 3.1.1: the broker forgets us with the connection, and with us what it would have kept
            clean_session=None if self._version is MQTTProtocolVersion.MQTTv5 else True,
            reconnect_on_failure=True,
        )
        if self._broker.user:
            client.username_pw_set(self._broker.user, self._broker.password or None)
        if self._context is not None:
            client.tls_set_context(self._context)
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.reconnect_delay_set(BACK_OFF_FROM_S, BACK_OFF_TO_S)
        client.max_queued_messages_set(UNSENT_MESSAGES)
        client.will_set(self._topics.bridge_availability, OFFLINE, qos=_QOS_AT_LEAST_ONCE, retain=True)
        client.on_connect = self._connected
        client.on_connect_fail = self._not_connected
        client.on_disconnect = self._disconnected
        client.on_message = self._message
        return client

    # -- the caller's thread

    def start(self) -> None:
        """Begin to connect; never blocks. Whether it worked is told as Up or Down."""
        options: Dict[str, Any] = {}
        if self._version is MQTTProtocolVersion.MQTTv5:
            # clean start and no expiry interval: the broker keeps no session, so no command waits for us there
            options["clean_start"] = True
        self._client.connect_async(self._broker.host, self._broker.port, KEEP_ALIVE_S, **options)
        self._client.loop_start()

    def stop(self) -> None:
        """Say good-bye (the bridge is offline) and end; may be called again."""
        self._is_stopping = True
        client = self._client
        if client.is_connected():
            said = client.publish(self._topics.bridge_availability, OFFLINE, qos=_QOS_AT_LEAST_ONCE, retain=True)
            with contextlib.suppress(RuntimeError, ValueError):  # it went at that moment: the will says the same
                said.wait_for_publish(2.0)
        client.disconnect()
        client.loop_stop()

    def reconnect(self) -> None:
        """Drop the connection and what waits on it unread, and make another one."""
        self._client.disconnect()
        self._client.loop_stop()
        self._is_up = False
        self._client = self._make()
        self.start()

    def publish(self, publications: Sequence[Publication]) -> None:
        """Send these where the broker is there; else nothing: it is all said again when it is back."""
        if not self._is_up:
            return
        for one in publications:
            properties = None
            if one.correlation is not None and self._version is MQTTProtocolVersion.MQTTv5:
                properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho's
                properties.CorrelationData = one.correlation
            self._client.publish(one.topic, one.payload, qos=0, retain=one.retain, properties=properties)

    def subscribe_retained(self, pattern: str) -> None:
        """Ask for retained messages of other topics once (discovery that is to be cleaned)."""
        self._client.subscribe(pattern, qos=0)

    # -- paho's thread

    def _connected(self, client: paho.Client, _user: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if client is not self._client:
            return
        if reason.is_failure:
            self._refused(str(reason))
            return
        if self._version is MQTTProtocolVersion.MQTTv5:
            options = SubscribeOptions(qos=_QOS_AT_LEAST_ONCE, retainHandling=_DO_NOT_SEND_RETAINED)
            client.subscribe([(topic, options) for topic in self._topics.subscriptions])
        else:
            client.subscribe([(topic, _QOS_AT_LEAST_ONCE) for topic in self._topics.subscriptions])
        self._is_up = True
        self._happened(Up("5" if self._version is MQTTProtocolVersion.MQTTv5 else "3.1.1"))

    def _refused(self, why: str) -> None:
        if why == "Unsupported protocol version" and self._version is MQTTProtocolVersion.MQTTv5:
            # paho tries again with its own back-off, in the version that every broker speaks
            self._version = MQTTProtocolVersion.MQTTv311
            self._happened(Down("it does not speak MQTT 5; 3.1.1 is tried"))
            threading.Thread(target=self.reconnect, name="tuya-mqtt-version", daemon=True).start()
            return
        self._happened(Down(why, refused=True))

    def _not_connected(self, client: paho.Client, _user: Any) -> None:
        if client is self._client and not self._is_stopping:
            self._happened(Down("it cannot be reached"))

    def _disconnected(self, client: paho.Client, _user: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if client is not self._client:
            return
        was_up, self._is_up = self._is_up, False
        if was_up and not self._is_stopping:
            self._happened(Down(str(reason)))

    def _message(self, client: paho.Client, _user: Any, message: paho.MQTTMessage) -> None:
        if client is not self._client or self._is_stopping:
            return
        properties = message.properties
        self._happened(
            Message(
                message.topic,
                bytes(message.payload),
                bool(message.retain),
                bool(message.dup),
                message.mid if message.qos else 0,
                str(getattr(properties, "ResponseTopic", "") or ""),
                getattr(properties, "CorrelationData", None),
            )
        )


def _tls_context(broker: Broker) -> Optional[ssl.SSLContext]:
    if not broker.tls:
        return None
    try:
        context = ssl.create_default_context(cafile=str(broker.ca) if broker.ca is not None else None)
        if broker.certificate is not None:
            context.load_cert_chain(broker.certificate, broker.key)
    except (OSError, ssl.SSLError) as error:
        reason = getattr(error, "strerror", None) or getattr(error, "reason", None) or "it is no PEM file"
        raise BrokerError(f"a certificate or key of the broker's settings cannot be used: {reason}") from None
    return context
