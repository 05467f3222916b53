"""Announcements: what is read from them, what is not believed, and how a device is followed. Loopback only."""

from __future__ import annotations

import json
import selectors
import socket
import struct
import time
import zlib

import pytest
import tinytuya

from tests.lan.lan_helpers import VERSIONS, Running, device_of
from tests.lateness import lateness
from tuya.lan.client import Device
from tuya.lan.events import Announced, Connected, Failed, Lost, Status
from tuya.lan.network import interfaces
from tuya.lan.network.listener import DATAGRAMS_PER_TURN, DECODE_BURST, KNOWN_SIZE, Listener
from tuya.lan.protocol import announcements
from tuya.lan.protocol.announcements import Announcement
from tuya.simulator import Fleet
from tuya.simulator.announce import Ports, announcement

ID = "bfa1b2c3d4e5f6a7b8c9"
UDP_KEY = tinytuya.udpkey


def _json(**changes):
    facts = {"ip": "192.168.1.20", "gwId": ID, "version": "3.3", "productKey": "jdj6ccklup7btq3a", "active": 2}
    facts.update(changes)
    return json.dumps({key: value for key, value in facts.items() if value is not None}).encode()


def _frame_55aa(payload: bytes, retcode: bool = True) -> bytes:
    body = (b"\0\0\0\0" if retcode else b"") + payload
    head = struct.pack(">IIII", 0x55AA, 0, 0x13, len(body) + 8) + body
    return head + struct.pack(">II", zlib.crc32(head), 0xAA55)


def _free_udp_ports(count: int):
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
    for sock in sockets:
        sock.bind(("127.0.0.1", 0))
    ports = [sock.getsockname()[1] for sock in sockets]
    for sock in sockets:
        sock.close()
    return ports


class Air:
    """Announcement ports of a test's own, a listener on them, and a voice."""

    def __init__(self) -> None:
        self.ports = Ports(*_free_udp_ports(3))

    def listener(self) -> Listener:
        return Listener(tuple(self.ports), self.ports.asked, lambda: [interfaces.LOOPBACK])

    def say(self, datagram: bytes, port: int = 0, source: str = "127.0.0.1") -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((source, 0))
            sock.sendto(datagram, ("127.0.0.1", port or self.ports.plain))


@pytest.fixture
def air():
    return Air()


# -- decoding


@pytest.mark.parametrize("retcode", [True, False])
def test_plain_and_encrypted_55aa(retcode):
    expected = Announcement(ID, "192.168.1.20", "3.3", "jdj6ccklup7btq3a")
    assert announcements.decode(_frame_55aa(_json(), retcode), "192.168.1.9") == expected
    sealed = tinytuya.AESCipher(UDP_KEY).encrypt(_json(), use_base64=False)
    assert announcements.decode(_frame_55aa(sealed, retcode), "192.168.1.9") == expected
    assert announcements.decode(sealed, "192.168.1.9") == expected
    assert announcements.decode(_json(), "192.168.1.9") == expected


@pytest.mark.parametrize("retcode", [None, 0])
def test_6699(retcode):
    message = tinytuya.TuyaMessage(0, 35, retcode, _json(version="3.5"), 0, True, tinytuya.PREFIX_6699_VALUE, True)
    datagram = tinytuya.pack_message(message, hmac_key=UDP_KEY)
    assert announcements.decode(datagram, "192.168.1.9") == Announcement(ID, "192.168.1.20", "3.5", "jdj6ccklup7btq3a")
    assert announcements.decode(datagram[:-6] + b"\1\1" + datagram[-4:], "192.168.1.9") is None


@pytest.mark.parametrize("version", VERSIONS)
def test_what_the_simulated_breakers_announce(version):
    breaker = Fleet(version=version).breakers[0]
    heard = announcements.decode(announcement(breaker), "127.0.0.1")
    assert heard == Announcement(breaker.device_id, "127.0.0.1", version, "jdj6ccklup7btq3a")


@pytest.mark.parametrize(
    ("ip", "expected"),
    [
        ("10.1.2.3", "10.1.2.3"),
        ("127.0.0.9", "127.0.0.9"),
        ("169.254.7.7", "169.254.7.7"),
        ("8.8.8.8", "192.168.1.9"),
        ("0.0.0.0", "192.168.1.9"),  # noqa: S104 - announced, not bound
        ("224.0.0.1", "192.168.1.9"),
        ("255.255.255.255", "192.168.1.9"),
        ("192.168.1.300", "192.168.1.9"),
        ("breaker.local", "192.168.1.9"),
        ("", "192.168.1.9"),
        (None, "192.168.1.9"),
        (17, "192.168.1.9"),
        (["10.0.0.1"], "192.168.1.9"),
    ],
)
def test_the_address_is_the_announced_one_where_it_can_be(ip, expected):
    assert announcements.decode(_json(ip=ip), "192.168.1.9").address == expected


@pytest.mark.parametrize("ip", ["192.168.1.20", "8.8.8.8", None])
@pytest.mark.parametrize(
    "source",
    [
        "8.8.8.8",
        "100.64.0.9",
        "203.0.113.5",
        "224.0.0.251",
        "255.255.255.255",
        "0.0.0.0",  # noqa: S104 - a source, not bound
        "0.1.2.3",
        "::ffff:10.0.0.9",
        "",
    ],
)
def test_who_is_no_neighbour_is_not_heard(source, ip):
    assert announcements.decode(_json(ip=ip), source) is None


@pytest.mark.parametrize("ip", ["203.0.113.5", "0.1.2.3", "100.64.0.9", "::ffff:8.8.8.8", "192.88.99.1", "240.0.0.1"])
def test_an_address_that_no_device_has_is_not_believed(ip):
    assert announcements.decode(_json(ip=ip), "10.0.0.9").address == "10.0.0.9"


def test_our_own_broadcast_address_is_no_device(air):
    heard = []
    listener = air.listener()
    with selectors.DefaultSelector() as selector:
        listener.open(selector, lambda announcement, _news, _now_s: heard.append(announcement.address))
        listener.tick(0.0, 1)
        air.say(_json(ip="127.255.255.255"))
        air.say(_json(ip="127.0.0.9"))
        until_s = time.monotonic() + 5.0
        while not heard and time.monotonic() < until_s:
            for key, mask in selector.select(0.2):
                key.data.handle(mask, 1.0)
        listener.close()
    assert heard == ["127.0.0.9"]


def test_no_announcements():
    assert announcements.decode(_json(gwId=None), "192.168.1.9") is None
    for device_id in ("", 7, {"a": 1}, "x" * 65, "naïve", "a\nb"):
        assert announcements.decode(_json(gwId=device_id), "192.168.1.9") is None
    assert announcements.decode(_json(version="9.9"), "192.168.1.9").version == ""
    assert announcements.decode(_json(version=["3.3"]), "192.168.1.9").version == ""
    for datagram in (b"", b"\0", b"{", b"[1]", b"null", b"x" * 16, _frame_55aa(b""), b"{" * 2000, bytes(3000)):
        assert announcements.decode(datagram, "192.168.1.9") is None


def test_our_own_question_is_understood_by_tinytuya_and_is_no_announcement():
    datagram = announcements.request("192.168.1.2")
    assert announcements.decode(datagram, "192.168.1.2") is None
    message = tinytuya.unpack_message(datagram, hmac_key=UDP_KEY, no_retcode=None)
    assert message.crc_good
    assert message.cmd == tinytuya.REQ_DEVINFO
    assert json.loads(message.payload) == {"from": "app", "ip": "192.168.1.2"}
    assert announcements.request("192.168.1.2") != datagram  # the nonce is never the same


# -- listening


def test_a_port_that_cannot_be_bound_is_a_warning(air):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("", air.ports.plain))
        selector = selectors.DefaultSelector()
        listener = air.listener()
        listener.open(selector, lambda *_: None)
        assert len(selector.get_map()) == 2
        assert len(listener.problems) == 1
        assert str(air.ports.plain) in listener.problems[0]
        listener.close()
        selector.close()


def test_two_clients_share_the_ports(air):
    with selectors.DefaultSelector() as selector:
        listeners = [air.listener(), air.listener()]
        for listener in listeners:
            listener.open(selector, lambda *_: None)
        assert [listener.problems for listener in listeners] == [(), ()]
        for listener in listeners:
            listener.close()


def test_a_flood_is_bounded(air):
    told = []
    selector = selectors.DefaultSelector()
    listener = air.listener()
    listener.open(selector, lambda announcement, news, now_s: told.append(announcement))
    ear = next(key for key in selector.get_map().values() if key.fileobj.getsockname()[1] == air.ports.plain)
    sent = 0
    for _ in range(12):
        for number in range(DATAGRAMS_PER_TURN):
            air.say(_json(gwId=f"{sent + number:020d}"))
        sent += DATAGRAMS_PER_TURN
        listener.hear(ear.fileobj, 1000.0)
    assert len(told) == DECODE_BURST
    assert listener.dropped == sent - DECODE_BURST
    for number in range(2 * KNOWN_SIZE):
        listener._is_news(Announcement(f"{number:020d}", "10.0.0.1", "3.3", ""), 1001.0)
    assert len(listener._known) <= KNOWN_SIZE
    listener.close()
    selector.close()


def test_questions_only_while_a_device_is_missing(air):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as device:
        device.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        device.bind(("127.255.255.255", air.ports.asked))
        device.settimeout(0.5)
        listener = air.listener()
        selector = selectors.DefaultSelector()
        listener.open(selector, lambda *_: None)
        listener.tick(100.0, 0)
        with pytest.raises(OSError, match="timed out"):
            device.recv(2048)
        assert listener.deadline_s == 106.0
        listener.tick(106.0, 1)
        assert device.recv(2048)
        assert listener.deadline_s == 112.0
        listener.tick(230.0, 1)
        assert listener.deadline_s == 260.0
        listener.close()
        selector.close()


def test_interfaces_have_a_broadcast_address():
    pairs = interfaces.broadcasts()
    assert interfaces.LOOPBACK in pairs
    for own, broadcast in pairs:
        socket.inet_aton(own)
        socket.inet_aton(broadcast)


# -- following


@pytest.mark.parametrize("version", VERSIONS)
def test_a_device_is_found_by_its_id_alone(air, version):
    with Fleet(version=version, announce=True, announce_ports=air.ports, announce_interval_s=0.5) as fleet:
        breaker = fleet.breakers[0]
        # 3.1 proves nothing by itself: an announcement is not enough for it
        given = "3.1" if version == "3.1" else None
        device = Device(breaker.device_id, breaker.local_key, port=breaker.port, version=given)
        with Running([device], discovery=True, listener=air.listener()) as run:
            connected = run.seen.wait_connected(breaker.device_id, 3.0)
            assert connected.version == version
            heard = run.seen.of(Announced, breaker.device_id)[0]
            assert heard.product_id == "jdj6ccklup7btq3a"
            assert not run.seen.of(Failed)


@pytest.mark.parametrize("silent", [False, True])
def test_a_changed_address_is_followed_within_three_seconds(air, silent):
    with Fleet(version="3.4", host="127.0.0.2", announce=False) as fleet:
        breaker = fleet.breakers[0]
        with Running([device_of(breaker)], discovery=True, listener=air.listener()) as run:
            run.seen.wait_status(breaker.device_id, full=True)
            since = len(run.seen.events)
            old = announcement(breaker)
            if silent:
                breaker.fault("half_open")
                time.sleep(0.2)
            breaker.move(host="127.0.0.3")
            time.sleep(0.3)
            assert announcement(breaker) != old
            announced_s = time.monotonic()
            late_s = lateness()
            air.say(announcement(breaker), air.ports.encrypted)
            status = run.seen.wait(lambda e: isinstance(e, Status) and e.full and e.at_s > announced_s, 3.0, since)
            assert status.at_s - announced_s < 3.0 + late_s()
            assert run.client.snapshot()[breaker.device_id].address == "127.0.0.3"
            assert run.client.snapshot()[breaker.device_id].port == breaker.port


def test_an_old_connection_that_hangs_is_probed_and_left(air):
    with Fleet(version="3.3", count=2, host="127.0.0.2") as fleet:
        old, new = fleet.breakers
        with Running([device_of(old)], discovery=True, listener=air.listener()) as run:
            run.seen.wait_status(old.device_id, full=True)
            old.fault("mute")
            # the same device at another address: same id and key
            new.device_id, new.local_key = old.device_id, old.local_key
            new.move(host="127.0.0.5", port=old.port)
            since = len(run.seen.events)
            announced_s = time.monotonic()
            late_s = lateness()
            air.say(announcement(new), air.ports.encrypted)
            # asked twice, with 2.5 s for each answer, and not within 1 s of what was heard
            status = run.seen.wait(lambda e: isinstance(e, Status) and e.full, 8.0, since)
            assert status.at_s - announced_s < 8.0 + late_s()
            lost = run.seen.of(Lost)[0]
            assert 5.0 <= lost.at_s - announced_s < 6.3 + late_s()
            back = run.seen.of(Connected)[1]
            assert back.at_s - lost.at_s >= 1.0


def test_false_announcements_disturb_nothing(air):
    with Fleet(version="3.5") as fleet:
        breaker = fleet.breakers[0]
        with Running([device_of(breaker)], discovery=True, listener=air.listener()) as run:
            run.seen.wait_status(breaker.device_id, full=True)
            for number in range(200):
                air.say(_json(gwId=breaker.device_id, ip=f"127.9.{number}.1", version="3.1"))
            time.sleep(1.5)
            assert not run.seen.of(Lost)
            assert breaker.connections == 1
            assert breaker.requests[9] == 1  # one probe, whatever is announced
            breaker.push({19: 4711})
            run.seen.wait_value(breaker.device_id, 19, 4711, 0.5)


def test_a_false_address_costs_one_session_and_the_good_one_is_tried_again(air):
    with Fleet(version="3.3") as fleet:
        breaker = fleet.breakers[0]
        with Running([device_of(breaker)], discovery=True, listener=air.listener()) as run:
            run.seen.wait_status(breaker.device_id, full=True)
            since = len(run.seen.events)
            breaker.fault("reset")
            air.say(_json(gwId=breaker.device_id, ip="127.77.0.1"))
            back = run.seen.wait_connected(breaker.device_id, 6.0, since)
            assert back.address == "127.0.0.1"
            assert len(run.seen.of(Failed, since=since)) <= 1


def test_an_announcement_restarts_the_waits(air):
    with Fleet(version="3.3", host="127.0.0.4") as fleet:
        breaker = fleet.breakers[0]
        breaker.stop()
        with Running([device_of(breaker)], discovery=True, listener=air.listener()) as run:
            run.seen.wait_failed(breaker.device_id)
            time.sleep(5.0)  # the waits have grown to more than 3 s by now
            breaker.start()
            announced_s = time.monotonic()
            late_s = lateness()
            air.say(announcement(breaker), air.ports.encrypted)
            assert run.seen.wait_connected(breaker.device_id, 3.0).at_s - announced_s < 1.5 + late_s()


class Arrived:
    """A socket in which one datagram lies, from wherever it says."""

    def __init__(self, datagram: bytes, source: str) -> None:
        self._datagrams = [(datagram, (source, 6667))]

    def recvfrom(self, _size: int):
        if not self._datagrams:
            raise BlockingIOError
        return self._datagrams.pop()


@pytest.mark.parametrize(
    ("ip", "source", "is_heard"),
    [
        ("192.168.1.20", "192.168.1.20", True),
        ("192.168.1.20", "192.168.1.9", True),  # passed on by a router
        ("127.0.0.1", "192.168.1.9", False),
        ("127.0.0.5", "192.168.1.9", False),
        ("192.168.1.2", "192.168.1.9", False),
        ("192.168.1.2", "192.168.1.2", True),  # something on this machine, as the next two
        ("192.168.1.2", "192.168.1.3", True),
        ("192.168.1.2", "127.0.0.1", True),
        ("127.0.0.5", "127.0.0.1", True),
        ("127.0.0.5", "192.168.1.2", False),
    ],
)
def test_nobody_in_the_network_leads_us_to_ourselves(ip, source, is_heard):
    listener = Listener((), is_own=lambda address: address in ("192.168.1.2", "192.168.1.3"))
    heard = []
    with selectors.DefaultSelector() as selector:
        listener.open(selector, lambda announcement, _news, _now_s: heard.append(announcement.address))
    listener.hear(Arrived(_json(ip=ip), source), 0.0)
    assert heard == ([ip] if is_heard else [])


def test_the_addresses_of_this_machine_are_known():
    assert interfaces.is_own("127.0.0.1")
    assert not interfaces.is_own("192.0.2.77")
    assert not interfaces.is_own("255.255.255.255")
    for address, _ in interfaces.broadcasts():
        assert interfaces.is_own(address) or address == interfaces.EVERYWHERE[0]
