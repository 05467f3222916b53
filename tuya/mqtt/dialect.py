"""What differs between MQTT 5 and 3.1.1, as paho-mqtt has it, and which of the two a broker is spoken to in."""

from __future__ import annotations

from typing import Any, Optional, Tuple

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

AT_LEAST_ONCE = 1
_DO_NOT_SEND_RETAINED = 2  # retain handling of a subscription (MQTT 5.0, 3.8.3.1)


class Dialect:
    """MQTT 5, until a broker shows that it has 3.1.1 only; each connection begins with what the last one showed."""

    def __init__(self) -> None:
        self._is_5 = True

    @property
    def name(self) -> str:
        """For people: "5" or "3.1.1"."""
        return "5" if self._is_5 else "3.1.1"

    def refused(self, why: str) -> None:
        """A broker did not let us in; why: its words, "" where it hung up without one."""
        if self._is_5 and (not why or "protocol version" in why.lower()):
            # An older broker says so, or hangs up without a word, or talks of something else
            self._is_5 = False
        elif not self._is_5 and not why:
            self._is_5 = True

    def make(self, client_id: str) -> paho.Client:
        """Return a client that speaks it."""
        # 3.1.1: with a clean session the broker forgets us with the connection, and with us what it would have kept
        return paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id,
            clean_session=None if self._is_5 else True,
            protocol=MQTTProtocolVersion.MQTTv5 if self._is_5 else MQTTProtocolVersion.MQTTv311,
            manual_ack=False,
        )

    def connect(self, client: paho.Client, host: str, port: int, keep_alive_s: int) -> None:
        """Connect, without a session that would stay behind. Raises OSError, ValueError."""
        if self._is_5:  # without an expiry interval: no session stays behind
            client.connect(host, port, keep_alive_s, clean_start=True)
        else:
            client.connect(host, port, keep_alive_s)

    def options(self, with_retained: bool = False, says_retain: bool = False) -> Any:
        """Return how to subscribe. with_retained: the broker is to send what it has kept. says_retain: and say so."""
        qos = 0 if with_retained else AT_LEAST_ONCE
        if self._is_5:
            handling = SubscribeOptions.RETAIN_SEND_ON_SUBSCRIBE if with_retained else _DO_NOT_SEND_RETAINED
            return SubscribeOptions(qos=qos, retainAsPublished=says_retain, retainHandling=handling)
        return qos

    def correlated(self, correlation: Optional[bytes]) -> Optional[Properties]:
        """Return the properties of an answer to a command that has this correlation data; None: there are none."""
        if correlation is None or not self._is_5:
            return None
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho's
        properties.CorrelationData = correlation
        return properties


def properties_of(message: paho.MQTTMessage) -> Tuple[Optional[float], str, Optional[bytes]]:
    """Message expiry interval in seconds, response topic and correlation data: MQTT 5's."""
    properties = message.properties
    expires_s = getattr(properties, "MessageExpiryInterval", None)
    return (
        None if expires_s is None else float(expires_s),
        str(getattr(properties, "ResponseTopic", "") or ""),
        getattr(properties, "CorrelationData", None),
    )
