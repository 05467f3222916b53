import json
import socket
import time

import pytest
import tinytuya

from tests.simulator.peer import VERSIONS, Peer
from tuya.simulator import Fleet
from tuya.simulator.announce import LOOPBACK_BROADCAST, Ports, announcement, is_question
from tuya.simulator.ciphers import ANNOUNCEMENT_KEY

# what tinytuya's scanner and the phone app send to make 3.5 devices speak
QUESTION = tinytuya.pack_message(
    tinytuya.TuyaMessage(0, 0x25, None, b'{"from":"app","ip":"127.0.0.1"}', 0, True, 0x6699, True), ANNOUNCEMENT_KEY
)


@pytest.fixture
def ears():
    """Sockets on free ports that hear like a client's on 6666, 6667 and 7000."""
    heard = []
    for _ in range(3):
        ear = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        ear.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        ear.bind(("", 0))
        ear.settimeout(3.0)
        heard.append(ear)
    yield heard
    for ear in heard:
        ear.close()


@pytest.fixture
def ports(ears):
    return Ports(*(ear.getsockname()[1] for ear in ears))


def hear(ear):
    """All datagrams of a quarter of a second, without the question that we asked ourselves."""
    found = []
    end = time.monotonic() + 0.25
    while time.monotonic() < end:
        ear.settimeout(max(0.001, end - time.monotonic()))
        try:
            datagram = ear.recv(2048)
        except socket.timeout:
            break
        if datagram != QUESTION:
            found.append(json.loads(tinytuya.decrypt_udp(datagram)))
    return found


@pytest.mark.parametrize("version", VERSIONS)
def test_another_implementation_reads_the_announcement(version):
    breaker = Fleet(version=version, product="3lbgj7cu27nsmh0w").breakers[0]
    facts = json.loads(tinytuya.decrypt_udp(announcement(breaker)))
    assert (facts["gwId"], facts["ip"], facts["version"], facts["productKey"]) == (
        breaker.device_id,
        "127.0.0.1",
        version,
        "3lbgj7cu27nsmh0w",
    )
    plain = b'"gwId"' in announcement(breaker)
    assert plain is (version == "3.1")


@pytest.mark.parametrize(("version", "where"), [("3.1", 0), ("3.2", 1), ("3.3", 1), ("3.4", 1)])
def test_they_announce_themselves_where_they_should(version, where, ears, ports):
    with Fleet(version=version, count=2, announce=True, announce_ports=ports, announce_interval_s=0.1) as fleet:
        time.sleep(0.15)
        ids = [{facts["gwId"] for facts in hear(ear)} for ear in ears]
    assert ids[where] == {breaker.device_id for breaker in fleet.breakers}
    assert sum(map(len, ids)) == 2


def test_3_5_is_silent_until_asked(ears, ports):
    with Fleet(version="3.5", count=2, announce=True, announce_ports=ports, announce_interval_s=0.05) as fleet:
        assert [hear(ear) for ear in ears] == [[], [], []]
        ears[2].setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        ears[2].sendto(QUESTION, (LOOPBACK_BROADCAST, ports.asked))
        assert {facts["gwId"] for facts in hear(ears[2])} == {breaker.device_id for breaker in fleet.breakers}


def test_silence_while_connected_and_while_gone(ears, ports):
    with Fleet(version="3.3", announce=True, announce_ports=ports, announce_interval_s=0.05) as fleet:
        breaker = fleet.breakers[0]
        with Peer(breaker) as peer:
            peer.query()
            hear(ears[1])
            assert hear(ears[1]) == []
        assert len(hear(ears[1])) >= 2
        breaker.fault("unreachable")
        hear(ears[1])
        assert hear(ears[1]) == []
        breaker.clear_faults()
        breaker.stop()
        hear(ears[1])
        assert hear(ears[1]) == []


def test_a_moved_breaker_announces_its_new_address_at_once(ears, ports):
    with Fleet(version="3.4", announce=True, announce_ports=ports, announce_interval_s=30.0) as fleet:
        hear(ears[1])
        fleet.breakers[0].move(host="127.0.0.9")
        (facts,) = hear(ears[1])
        assert facts["ip"] == "127.0.0.9"


def test_the_datagram_comes_from_the_breakers_own_address(ears, ports):
    with Fleet(version="3.4", host="127.0.0.8", announce=True, announce_ports=ports):
        _, (sender, _) = ears[1].recvfrom(2048)
        assert sender == "127.0.0.8"


def test_silent_by_default(ears, ports):
    with Fleet(version="3.3", announce_ports=ports, announce_interval_s=0.05):
        assert hear(ears[1]) == []


def test_only_a_question_is_a_question():
    assert is_question(QUESTION)
    for other in (
        b"",
        b"\x00" * 40,
        QUESTION[:-6],
        QUESTION[:40] + bytes([QUESTION[40] ^ 1]) + QUESTION[41:],
        b'{"from":"app"}',
    ):
        assert not is_question(other)
