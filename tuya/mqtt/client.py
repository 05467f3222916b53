"""The connection to one broker, by paho-mqtt: MQTT 5, else 3.1.1; retained topics, commands, back-off.

One thread of its own connects, sends and reads; what happens goes to one callable of the caller's, on that thread. Each
connection begins with nothing: what was not sent is forgotten (the core says everything again), and no session is kept
at the broker, so that no command waits there for us. What waited in our own socket while this process stood still is
never read: the loop notices that it was late before it reads, and lets the connection go. What waited on its way (a
cable that was out) is known by pings: what is read after the answer to one was sent on by the broker after that ping.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
import time
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from paho.mqtt import client as paho
from paho.mqtt.enums import MQTTErrorCode

from ..boot_clock import boot_clock_s
from ..lan.limits import TokenBucket
from .broker import Broker, Denied, Down, Happening, Up, reason_of, tls_context
from .commands import Message, Publication
from .consent import Consent
from .dialect import AT_LEAST_ONCE, Dialect, properties_of
from .liveness import WAKE_S, Liveness
from .outbox import Outbox
from .topics import OFFLINE, Topics

# A broker that is cut off from us keeps commands for 1.5 times this (MQTT 5.0, 3.1.2.10) before it lets go.
KEEP_ALIVE_S = 15
CONNECT_TIMEOUT_S = 10.0
WELCOME_S = 10.0  # so long the broker may take for its answer to CONNECT
BACK_OFF_FROM_S, BACK_OFF_TO_S = 1.0, 60.0
SETTLED_S = 10.0  # a connection that held so long begins the back-off anew
PACE_WAKE_S = 0.02
GOOD_BYE_S = 2.0
BURST_MESSAGES, MESSAGES_PER_S = 200, 1000.0
ENDED = "the connection has ended"
ENDED_AT_ONCE = {False: "it hangs up at once: is this its port for TLS (mqtts://)?", True: "it hangs up at once"}
OWN_TOPICS = "the bridge's own topics"
# A storm of messages is read _READ_AT_ONCE at a time, with a pause: no more than 3,000 a second, and no two threads
# woken for each, which costs as much as the message.
CALM_MESSAGES, CALM_MESSAGES_PER_S, STORM_PAUSE_S = 100, 50.0, 0.1
_LAST_WORDS_AT_ONCE = 20
_READ_AT_ONCE = 300  # packets, before it is looked what there is to send


class Client:
    """Tries until stop(). happened: called on its thread, must not block and must not raise. Raises BrokerError."""

    def __init__(
        self,
        broker: Broker,
        topics: Topics,
        happened: Callable[[Happening], None],
        name: str,
        has_will: bool = True,
        clock: Callable[[], float] = boot_clock_s,
    ) -> None:
        self._broker = broker
        self._topics = topics
        self._happened = happened
        self._name = name
        self._has_will = has_will
        self._serves = self._is_serving = False  # as was asked for; as the broker was told
        self._clock = clock
        self._context = tls_context(broker)
        self._outbox = Outbox()
        self._subscriptions: Dict[str, bool] = {}  # filters of other topics -> to be asked for (True) or not any more
        self._stopped = threading.Event()
        self._is_last = False  # what is sent from now on are the last words: the broker has to acknowledge them
        self._has_said_all = False
        self._wake_read, self._wake_write = socket.socketpair()
        for end in (self._wake_read, self._wake_write):
            end.setblocking(False)
        self._dialect = Dialect()
        self._paho: Optional[paho.Client] = None
        self._welcome: Optional[str] = None  # "": the broker has let us in; else why not
        self._calm = TokenBucket(1.0 / CALM_MESSAGES_PER_S, CALM_MESSAGES)
        self._is_storm = False
        self._pace = TokenBucket(1.0 / MESSAGES_PER_S, BURST_MESSAGES)
        self._last_words: List[paho.MQTTMessageInfo] = []  # that the broker has not acknowledged
        self._good_bye_s = GOOD_BYE_S
        self._is_paced = False  # something waits for its turn
        self._consent = Consent(topics)
        self._left = ""  # why the broker ended the connection
        self._liveness = Liveness(clock)
        self._thread = threading.Thread(target=self._run, name="tuya-mqtt-broker", daemon=True)

    # -- any thread

    def start(self) -> None:
        """Begin to connect; never blocks. Whether it worked is told as Up or Down."""
        self._thread.start()

    def stop(self, timeout_s: float = GOOD_BYE_S, last_words: Sequence[Publication] = ()) -> bool:
        """Send what waits and these, say good-bye (the bridge is offline), wait until the broker has it, and end.

        Returns whether the broker has acknowledged the last words.
        """
        self._good_bye_s = timeout_s
        self._is_last = True
        self._outbox.put(last_words)
        self._stopped.set()
        self._wake()
        if self._thread.is_alive():
            self._thread.join(timeout_s + 1.0)
        return self._has_said_all

    def publish(self, publications: Sequence[Publication]) -> None:
        """Send these where the broker is there; else nothing: it is all said again when it is back."""
        if publications:
            self._outbox.put(publications)
            self._wake()

    def serve(self, serves: bool) -> None:
        """Take commands on this connection from now on, or no longer; each connection begins without.

        Who takes commands says at its end that the bridge is offline.
        """
        self._serves = serves
        self._wake()

    def subscribe(self, pattern: str) -> None:
        """Ask for other messages too, the retained ones first; until unsubscribe() or the connection's end."""
        self._subscriptions[pattern] = True
        self._wake()

    def unsubscribe(self, pattern: str) -> None:
        """The end of subscribe()."""
        self._subscriptions[pattern] = False
        self._wake()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # full: it wakes anyway
            self._wake_write.send(b"\0")

    # -- its own thread

    def _run(self) -> None:
        pause_s = BACK_OFF_FROM_S
        while not self._stopped.is_set():
            up_s = self._connection()
            if self._stopped.is_set():
                return
            if up_s >= SETTLED_S:
                pause_s = BACK_OFF_FROM_S
            # spread: a broker that comes back is not met by all of its clients in the same moment
            self._stopped.wait(pause_s * (0.75 + os.urandom(1)[0] / 512))
            pause_s = min(pause_s * 2.0, BACK_OFF_TO_S)

    def _connection(self) -> float:
        """One connection, from its beginning to its end; return how many seconds the broker had let us in."""
        self._outbox.clear()
        self._welcome, self._left = None, ""
        self._serves = self._is_serving = False
        self._paho = client = self._make()
        began_s = self._liveness.begin()
        try:
            self._dialect.connect(client, self._broker.host, self._broker.port, KEEP_ALIVE_S)
        except (OSError, ValueError) as error:
            self._happened(Down(reason_of(error)))
            return 0.0
        self._liveness.begin()
        try:
            why = self._loop(client, began_s)
        except Exception as error:  # noqa: BLE001 - paho's at what is no MQTT, of many kinds; this thread is to go on
            why = f"it talks nonsense ({type(error).__name__})"
        sock = client.socket()
        if sock is not None:  # what waits in it stays unread
            with contextlib.suppress(OSError):
                sock.close()
        if self._welcome == "":
            if why:
                self._happened(Down(why))
            return self._clock() - began_s
        refused = self._welcome or ""
        self._dialect.refused(refused)
        if not self._stopped.is_set():
            self._happened(Down(refused or why or "it does not speak MQTT", refused=bool(refused)))
        return 0.0

    def _make(self) -> paho.Client:
        client = self._dialect.make(self._name)
        if self._broker.user:
            client.username_pw_set(self._broker.user, self._broker.password or None)
        if self._context is not None:
            client.tls_set_context(self._context)
        client.connect_timeout = CONNECT_TIMEOUT_S
        if self._has_will:
            client.will_set(self._topics.bridge_availability, OFFLINE, qos=AT_LEAST_ONCE, retain=True)
        client.on_connect = self._answered
        client.on_disconnect = self._disconnected
        client.on_message = self._message
        client.on_subscribe = self._subscribed
        client.on_publish = self._published
        return client

    def _loop(self, client: paho.Client, began_s: float) -> str:
        """Send and read until the end; return why that was, "" where we ended it ourselves."""
        good_bye_s: Optional[float] = None
        while True:
            now_s = self._clock()
            late_s = self._liveness.late_s(now_s)
            if late_s is not None:
                return f"this program stood still for {late_s:.0f} s; what waited is not read"
            self._liveness.runs(now_s)
            sock = client.socket()
            if sock is None or self._welcome:
                return self._left or (ENDED if self._welcome is not None else ENDED_AT_ONCE[self._broker.tls])
            if self._welcome is None and now_s - began_s > CONNECT_TIMEOUT_S + WELCOME_S:
                return "it does not answer"
            if self._welcome == "" and self._consent.overdue(now_s):
                return f"it does not answer to a subscription ({self._consent.overdue(now_s)})"
            if self._stopped.is_set():
                if good_bye_s is None:
                    good_bye_s = now_s + self._good_bye_s
                    if self._is_serving:
                        self._outbox.put([Publication(self._topics.bridge_availability, OFFLINE, True)])
                self._is_paced = True
                self._has_said_all = self._welcome == "" and not self._is_something_left(client)
                if self._has_said_all or now_s >= good_bye_s or self._welcome is None:
                    client.disconnect()
                    return ""
            elif self._welcome == "":
                self._liveness.ping(client, now_s)
                self._is_paced = self._pump(client)
            self._wait(client, sock)

    def _wait(self, client: paho.Client, sock: Any) -> None:
        """Wait for something to read, to send or to do, and read and send it."""
        pending = getattr(sock, "pending", None)
        is_pending = pending is not None and pending() > 0
        ready = select.poll()  # select() takes no descriptor above 1023, and there may be thousands of devices
        ready.register(sock, select.POLLIN | (select.POLLOUT if client.want_write() else 0))
        ready.register(self._wake_read, select.POLLIN)
        events = dict(ready.poll(0.0 if is_pending else (PACE_WAKE_S if self._is_paced else WAKE_S) * 1000.0))
        mask = events.get(sock.fileno(), 0)
        if not self._liveness.is_on_time():
            return  # the loop says so, before anything is read
        if self._wake_read.fileno() in events:
            with contextlib.suppress(OSError):
                self._wake_read.recv(4096)
        if mask & select.POLLOUT:
            client.loop_write()
        if is_pending or mask & ~select.POLLOUT:
            self._read(client)
            if self._is_storm and not self._stopped.is_set():
                self._is_storm = False
                time.sleep(STORM_PAUSE_S)
        client.loop_misc()

    def _read(self, client: paho.Client) -> None:
        for _ in range(_READ_AT_ONCE):
            before = client.socket()
            if before is None or client.loop_read() != MQTTErrorCode.MQTT_ERR_SUCCESS:
                return
            pending = getattr(before, "pending", None)
            if pending is None or pending() == 0:
                if client.socket() is not before:
                    return
                ready = select.poll()
                ready.register(before, select.POLLIN)
                if not ready.poll(0.0):
                    return
            if not self._liveness.is_on_time():
                return

    def _is_something_left(self, client: paho.Client) -> bool:
        """Send the last words; return whether the broker may not have all of them yet."""
        is_waiting = self._pump(client)
        self._last_words = [one for one in self._last_words if not one.is_published()]
        return is_waiting or bool(self._last_words)

    def _pump(self, client: paho.Client) -> bool:
        """Send what waits as far as the kernel takes it, at a pace; return whether something is left.

        A broker drops what its other clients do not take fast enough. The last words are acknowledged (QoS 1): a
        connection that is closed with something unread in it may lose what was sent last.
        """
        if self._serves != self._is_serving:
            self._is_serving = self._serves
            if self._is_serving:
                options = self._dialect.options(says_retain=True)
                self._subscribe(client, "commands", [(topic, options) for topic in self._topics.subscriptions])
            else:
                client.unsubscribe(list(self._topics.subscriptions))
        for pattern, is_wanted in list(self._subscriptions.items()):
            del self._subscriptions[pattern]
            if is_wanted:
                self._subscribe(client, pattern, [(pattern, self._dialect.options(with_retained=True))])
            else:
                client.unsubscribe(pattern)
        while not client.want_write():
            if len(self._last_words) >= min(_LAST_WORDS_AT_ONCE, self._consent.room) or not self._pace.take(
                self._clock()
            ):
                return True
            one = self._outbox.next()
            if one is None:
                return False
            self._send(client, one)
            if not self._liveness.is_on_time():
                return True
        return True

    def _send(self, client: paho.Client, one: Publication) -> None:
        too_large = self._consent.too_large(one)
        if too_large:
            self._happened(Denied(too_large))
            return
        properties = self._dialect.correlated(one.correlation)
        is_to_ask = self._consent.is_to_ask(one.topic)
        qos = AT_LEAST_ONCE if is_to_ask or self._is_last else 0
        sent = client.publish(one.topic, one.payload, qos=qos, retain=one.retain, properties=properties)
        if is_to_ask:
            self._consent.asked(sent.mid, one.topic)
        if self._is_last:
            self._last_words.append(sent)

    def _subscribe(self, client: paho.Client, what: str, topics: List[Tuple[str, Any]]) -> None:
        _, packet_id = client.subscribe(topics)
        if packet_id is not None:
            self._consent.subscribing(packet_id, what, self._clock())

    # -- paho calls, on the same thread

    def _answered(self, client: paho.Client, _user: Any, _flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            self._welcome = str(reason) or "it refuses us"
            return
        self._welcome = ""
        self._liveness.welcomed()
        limits = (getattr(properties, name, None) for name in ("MaximumPacketSize", "ReceiveMaximum"))
        self._consent.begin(*limits)
        if getattr(properties, "RetainAvailable", 1) == 0:
            self._welcome = "it keeps no retained messages, without which nobody finds the devices"
            return
        self._subscribe(client, OWN_TOPICS, [(one, self._dialect.options()) for one in self._topics.own])

    def _subscribed(
        self, _client: paho.Client, _user: Any, packet_id: int, reasons: List[Any], _properties: Any
    ) -> None:
        what, denied = self._consent.subscribed(packet_id, reasons)
        if denied:
            self._happened(Denied(denied))
        if what == OWN_TOPICS:
            self._happened(Up(self._dialect.name))

    def _published(self, _client: paho.Client, _user: Any, packet_id: int, reason: Any, _properties: Any) -> None:
        denied = self._consent.published(packet_id, reason)
        if denied:
            self._happened(Denied(denied))

    def _disconnected(self, _client: paho.Client, _user: Any, flags: Any, reason: Any, _properties: Any) -> None:
        self._left = str(reason) if flags.is_disconnect_packet_from_server else ""

    def _message(self, client: paho.Client, _user: Any, message: paho.MQTTMessage) -> None:
        now_s = self._clock()
        if client is not self._paho or self._stopped.is_set() or self._liveness.late_s(now_s) is not None:
            return
        self._liveness.note_answer(client)
        self._is_storm |= not message.retain and not self._calm.take(now_s)
        expires_s, response_topic, correlation = properties_of(message)
        self._happened(
            Message(
                message.topic,
                bytes(message.payload),
                now_s,
                bool(message.retain),
                bool(message.dup),
                message.qos,
                expires_s,
                response_topic,
                correlation,
                self._liveness.answered_s,
            )
        )
