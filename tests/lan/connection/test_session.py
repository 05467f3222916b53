"""One connection with every protocol version, in virtual time: whose word counts, and how long one waits."""

from __future__ import annotations

import json
from typing import Any, List, Optional

import pytest

from tests.lan.lan_helpers import VERSIONS
from tuya.lan import versions
from tuya.lan.connection.session import Session
from tuya.lan.connection.session_outputs import Answered, Data, Ended, Opened, Waiting
from tuya.lan.device import Habits, Polling
from tuya.lan.errors import Mute, ProtocolViolation, WrongKey, WrongVersion
from tuya.lan.protocol.wire import Wire
from tuya.lan.versions import CONTROL, CONTROL_NEW, HEART_BEAT, STATUS, UPDATEDPS
from tuya.simulator.ciphers import session_key, sign
from tuya.simulator.frames import Wire as DeviceWire

KEY = b"0123456789abcdef"
ID = "bfvirtualvirtual0001"
NONCE, DEVICE_NONCE = b"c" * 16, b"d" * 16
REPORT = b'{"dps":{"1":true,"19":412}}'
UNVALID = b"json obj data unvalid"
BY_CRC = ("3.1", "3.2", "3.3")
BY_KEY = ("3.4", "3.5")
SEALED = ("3.2", "3.3", "3.4", "3.5")


class Ends:
    """A session and the other end of its connection: a device under the key, or somebody without it."""

    def __init__(
        self, version: str, polling: Optional[Polling] = None, habits: Optional[Habits] = None, **options: Any
    ):
        self.version = version
        self.row = versions.TABLE[version]
        self.now_s = 100.0
        self.habits = habits or Habits()
        options.setdefault("version_sure", True)
        options.setdefault("plain_reports", True)
        self.session = Session(
            Wire(version, KEY),
            ID,
            "Oven",
            polling or Polling(query_dps=(19,), later_dps=(1,)),
            self.habits,
            self.now_s,
            nonce=NONCE,
            wall_time=lambda: 1.7e9 + self.now_s,
            **options,
        )
        self.device = DeviceWire(version, KEY)
        self.outputs: List[Any] = []
        self.frames: List[bytes] = []  # ours, as they went out
        self.requests: List[Any] = []  # (second, command, JSON)
        self.collect()

    def collect(self) -> None:
        data = self.session.take()
        if data:
            self.frames.append(data)
            for request in self.device.requests(data):
                body = request.body or b""
                content = json.loads(body) if body.startswith(b"{") else body
                self.requests.append((self.now_s - 100.0, request.command, content))

    def shake_hands(self) -> Ends:
        if self.row.handshake:
            self.receive(self.device.answer(4, 1, DEVICE_NONCE + sign(KEY, NONCE)))
            self.device.use_key(session_key(self.version, KEY, NONCE, DEVICE_NONCE))
            # what went out behind message 5 is under the session key, the fake has read it under the old one
            self.requests = [one for one in self.requests if one[1] < 6]
            self.frames.clear()
        return self

    def up(self) -> Ends:
        self.shake_hands().says(self.row.query, REPORT)
        assert self.session.up
        self.outputs.clear()
        self.frames.clear()
        return self

    def receive(self, data: bytes) -> List[Any]:
        new = self.session.receive(data, self.now_s)
        self.outputs += new
        self.collect()
        return new

    def says(self, command: int, plain: bytes, **options: Any) -> List[Any]:
        return self.receive(self.device.answer(command, 1, plain, **options))

    def plainly(self, command: int, text: bytes) -> List[Any]:
        """What anybody can send who has no key: a frame with a good CRC around a text."""
        import struct
        import zlib

        body = struct.pack(">IIIII", 0x55AA, 1, command, len(text) + 12, 1) + text
        return self.receive(body + struct.pack(">II", zlib.crc32(body), 0xAA55))

    def run(self, seconds: float, answers: Any = None) -> None:
        """Let time pass. answers: called with each of our requests' commands."""
        until_s = self.now_s + seconds
        seen = len(self.requests)
        for _ in range(10_000):
            if answers is not None:
                while seen < len(self.requests) and not self.session.ended:
                    seen += 1
                    answers(self.requests[seen - 1][1])
            if self.session.ended or self.session.deadline_s > until_s:
                break
            self.now_s = max(self.now_s, self.session.deadline_s)
            self.outputs += self.session.tick(self.now_s)
            self.collect()
        else:
            raise AssertionError("the deadline does not move")
        self.now_s = until_s

    def of(self, kind: type) -> List[Any]:
        return [output for output in self.outputs if isinstance(output, kind)]

    def sent(self, command: int) -> List[float]:
        return [at_s for at_s, number, _ in self.requests if number == command]


# -- whose word counts


@pytest.mark.parametrize("version", VERSIONS)
def test_our_own_messages_sent_back_are_nothing(version):
    """Query, heartbeat, UPDATEDPS and writes, as they are: no opening, no value, no confirmation, no sign of life."""
    ends = Ends(version).shake_hands()
    ends.run(2.5)
    for frame in list(ends.frames):
        ends.receive(frame)
    assert not ends.of(Opened)
    assert not ends.of(Data)
    ends = Ends(version, Polling(refresh_dps=(18, 19))).up()
    heard_s = ends.session.heard_s
    ends.session.write({1: False}, ends.now_s)
    ends.session.write({1: "a text", 19: 7}, ends.now_s)
    number = ends.session.write({1: True}, ends.now_s)
    ends.collect()
    ends.now_s += 0.5
    ends.session.ask_now(ends.now_s)
    ends.session.probe(ends.now_s)
    ends.collect()
    ends.run(8.0)
    assert len(ends.frames) >= 3
    for frame in list(ends.frames):
        assert ends.receive(frame) == []
    assert ends.session.heard_s == heard_s
    assert not ends.session.requests.has(number)


@pytest.mark.parametrize("version", BY_CRC)
@pytest.mark.parametrize("command", [CONTROL, STATUS, 10, 9, 64])
@pytest.mark.parametrize("code", [False, True])
def test_our_own_write_is_nothing_under_another_command_and_number_either(version, command, code):
    """Without a session key the frame around what we sealed can be made anew by anybody."""
    import struct
    import zlib

    ends = Ends(version).up()
    ends.session.write({1: False}, ends.now_s)
    ends.collect()
    inside = ends.frames[-1][16:-8]
    for payload in (inside, inside[15:]) if version != "3.1" else (inside,):
        payload = (b"\0\0\0\0" if code else b"") + payload
        body = struct.pack(">IIII", 0x55AA, 77, command, len(payload) + 8) + payload
        ends.receive(body + struct.pack(">II", zlib.crc32(body), 0xAA55))
    assert not ends.of(Data)


@pytest.mark.parametrize("version", ["3.2", "3.3"])
def test_blocks_of_two_writes_put_together_are_nothing(version):
    import struct
    import zlib

    ends = Ends(version).up()
    parts = []
    for value in (True, False):
        ends.session.write({1: value}, ends.now_s)
        ends.collect()
        parts.append(ends.frames[-1][31:-8])
        ends.now_s += 1000.0
    first, second = parts
    for cut in range(0, min(len(first), len(second)) + 1, 16):
        for mixed in (first[:cut] + second[cut:], first[:16] + second[cut:], first[cut:] + second[cut:]):
            body = struct.pack(">IIII", 0x55AA, 5, STATUS, len(mixed) + 8) + mixed
            ends.receive(body + struct.pack(">II", zlib.crc32(body), 0xAA55))
    assert not ends.of(Data)


@pytest.mark.parametrize("version", SEALED)
def test_plain_json_is_never_a_report(version):
    ends = Ends(version).shake_hands()
    ends.plainly(STATUS, b'{"dps":{"1":true,"19":99999}}')
    ends.plainly(10, b'{"devId":"%s","dps":{"1":true}}' % ID.encode())
    assert not ends.of(Data)
    assert not ends.of(Opened)
    ends = Ends(version).up()
    ends.session.write({1: False}, ends.now_s)
    ends.plainly(STATUS, b'{"dps":{"1":false}}')
    ends.plainly(CONTROL, b'{"dps":{"1":false},"t":1700000000}')
    assert not ends.of(Data)


def test_plain_reports_of_3_1_count_where_it_was_chosen_only():
    ends = Ends("3.1")
    ends.says(10, REPORT)
    assert ends.of(Opened) == [Opened(proven=False)]
    assert ends.of(Data)[0].dps == {1: True, 19: 412}
    ends = Ends("3.1", plain_reports=False, version_sure=False)
    ends.says(10, REPORT)
    assert not ends.of(Opened)
    assert not ends.of(Data)
    assert "cannot prove" in str(ends.session.opening.suspicion())
    ends.run(10.0, lambda command: ends.says(command, b"") if command == HEART_BEAT else None)
    ends.says(STATUS, b'{"dps":{"19":7}}', pushed=True)  # which is sealed
    assert ends.of(Opened) == [Opened(proven=True)]
    assert ends.of(Data)[0].dps == {19: 7}


@pytest.mark.parametrize("version", BY_KEY)
def test_what_is_not_of_this_session_is_nothing(version):
    ends = Ends(version).up()
    heard_s = ends.session.heard_s
    ends.now_s += 1.0
    earlier = DeviceWire(version, KEY)
    earlier.use_key(session_key(version, KEY, b"e" * 16, DEVICE_NONCE))
    for frame in (
        earlier.answer(STATUS, 1, b'{"dps":{"1":false}}', pushed=True),
        DeviceWire(version, KEY).answer(STATUS, 1, b'{"dps":{"1":false}}', pushed=True),
        DeviceWire(version, KEY).answer(4, 1, DEVICE_NONCE + sign(KEY, NONCE)),
    ):
        assert ends.receive(frame) == []
    assert ends.session.heard_s == heard_s


@pytest.mark.parametrize("version", BY_KEY)
def test_a_report_sent_again_later_is_nothing(version):
    ends = Ends(version).up()
    push = ends.device.answer(STATUS, 7, b'{"protocol":4,"t":1700000000,"data":{"dps":{"1":true}}}', pushed=True)
    assert ends.receive(push)
    ends.now_s += 1.0
    assert ends.receive(push)  # devices say a thing twice
    for second in range(12):
        ends.now_s += 1.0
        ends.says(STATUS, b'{"protocol":4,"t":1700000000,"data":{"dps":{"19":%d}}}' % second, pushed=True)
    assert ends.receive(push) == []
    for _ in range(3):
        ends.now_s += 30.0
        without_a_date = ends.device.answer(16, 0, b'{"dps":{"1":true}}')
        assert ends.receive(without_a_date)  # as devices answer whose numbers are always 0: 3.4 in the same bytes
    if version == "3.5":
        ends.now_s += 30.0
        assert ends.receive(without_a_date) == [], "each message has a nonce of its own"


@pytest.mark.parametrize("version", BY_KEY)
def test_a_handshake_answer_to_another_question_opens_nothing_and_blames_no_key(version):
    for answer in (
        DEVICE_NONCE + sign(KEY, b"e" * 16),  # recorded in an earlier handshake
        NONCE + sign(KEY, NONCE),  # our own nonce: the session key would be known
        DEVICE_NONCE,
        b"",
    ):
        ends = Ends(version)
        ends.says(4, answer)
        (ended,) = ends.of(Ended)
        assert isinstance(ended.error, ProtocolViolation)
        assert not ended.key_disproved


@pytest.mark.parametrize("version", BY_KEY)
def test_our_first_message_sent_back_is_no_handshake(version):
    ends = Ends(version)
    ends.receive(ends.frames[0])
    assert ends.outputs == []
    ends.run(5.0)
    assert isinstance(ends.of(Ended)[0].error, Mute)


@pytest.mark.parametrize("version", BY_KEY)
def test_a_wrong_key_is_proven_by_message_4_and_likely_by_message_3(version):
    for command, disproved in ((4, True), (3, False)):
        ends = Ends(version)
        ends.receive(DeviceWire(version, b"another key 1234").answer(command, 1, DEVICE_NONCE + b"x" * 32))
        (ended,) = ends.of(Ended)
        assert isinstance(ended.error, WrongKey)
        assert ended.key_disproved is disproved


@pytest.mark.parametrize("version", ["3.4", "3.5"])
def test_a_frame_that_anybody_can_make_gives_a_hint_and_no_proof(version):
    ends = Ends(version)
    ends.receive(DeviceWire("3.3", b"another key 1234").answer(10, 1, REPORT))
    (ended,) = ends.of(Ended)
    assert isinstance(ended.error, WrongVersion)
    assert (ended.hint, ended.hint_proven) == ("3.3", False)


def test_a_handshake_of_ours_sent_back_later_proves_no_version():
    first = Ends("3.4").frames[0]
    ends = Ends("3.3")
    ends.receive(first)
    assert not ends.of(Ended)[0].hint_proven
    ends = Ends("3.3")
    ends.receive(DeviceWire("3.4", KEY).answer(STATUS, 1, REPORT, pushed=True))
    assert (ends.of(Ended)[0].hint, ends.of(Ended)[0].hint_proven) == ("3.4", True)


@pytest.mark.parametrize("version", VERSIONS)
def test_another_device_s_report_is_nothing(version):
    ends = Ends(version).up()
    assert ends.says(STATUS, b'{"devId":"bfanother","dps":{"1":false}}', pushed=True) == []


# -- patience


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("sealed", [True, False])
def test_a_device_that_sleeps_is_woken_at_once_and_kept(version, sealed):
    """Queries are refused in words until UPDATEDPS comes; it acknowledges, and its next push is its first word."""
    ends = Ends(version, Polling(refresh_dps=(18, 19, 20))).shake_hands()
    if sealed and version != "3.1":
        ends.says(ends.row.query, UNVALID, code=1)
        assert ends.of(Opened) == [Opened(proven=True)]  # it has our key: clicks are taken
    elif not sealed and version in BY_CRC:
        ends.plainly(ends.row.query, UNVALID)
        assert not ends.of(Opened)
    else:
        return
    assert ends.sent(UPDATEDPS) == [0.0]
    assert ends.requests[-1][2] == {"dpId": [18, 19, 20]}
    ends.says(STATUS, b'{"dps":{"19":5}}', pushed=True)
    assert ends.session.up
    assert ends.of(Data)[-1].dps == {19: 5}
    assert not ends.of(Ended)


@pytest.mark.parametrize("version", SEALED)
@pytest.mark.parametrize("how", ["sealed", "plain", "empty", "silent"])
def test_queries_that_bring_nothing_for_ever_and_a_push_a_minute(version, how):
    ends = Ends(version).shake_hands()

    def answers(command: int) -> None:
        if command in (HEART_BEAT, UPDATEDPS):
            ends.says(command, b"")
        elif command == ends.row.query and how == "sealed":
            ends.says(command, UNVALID, code=1)
        elif command == ends.row.query and how == "plain" and version in BY_CRC:
            ends.plainly(command, UNVALID)
        elif command == ends.row.query and how == "empty":
            ends.says(command, b"")

    for minute in range(5):
        ends.run(60.0, answers)
        assert not ends.of(Ended)
        ends.says(STATUS, b'{"dps":{"19":%d}}' % minute, pushed=True)
        assert ends.session.up
        assert ends.of(Data)[-1].dps == {19: minute}
    assert len(ends.of(Opened)) == 1
    assert len(ends.of(Waiting)) <= 1
    assert ends.sent(UPDATEDPS)
    assert all(not isinstance(output.error, (WrongKey, WrongVersion)) for output in ends.of(Waiting))
    asked = sorted({*ends.sent(ends.row.query), *ends.sent(CONTROL_NEW)})  # by nulls too, where it refuses in words
    assert max(b - a for a, b in zip(asked, asked[1:])) <= 41.0


@pytest.mark.parametrize("version", BY_KEY)
def test_a_handshake_is_the_device_s_word(version):
    """It proves key and version; a device that then says nothing for a while is connected, and lost by silence only."""
    ends = Ends(version).shake_hands()
    ends.run(4.0)
    assert ends.of(Opened) == [Opened(proven=True)]
    ends.run(30.0)
    (ended,) = ends.of(Ended)
    assert isinstance(ended.error, Mute)
    assert "key" not in str(ended.error)


@pytest.mark.parametrize("version", VERSIONS)
def test_silence_is_given_up_sooner_the_first_time(version):
    habits = Habits()
    for limit_s in (3.0, 10.0):
        ends = Ends(version, habits=habits)
        ends.run(limit_s - 0.1)
        assert not ends.of(Ended)
        ends.run(0.2)
        assert isinstance(ends.of(Ended)[0].error, Mute)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("round_trip_s", [4.0, 7.0, 9.5])
def test_answers_that_take_seconds(version, round_trip_s):
    habits = Habits()
    Ends(version, habits=habits).run(4.0)  # the first connection came too early to an end
    ends = Ends(version, habits=habits)
    ends.run(round_trip_s)
    ends.shake_hands()
    if ends.row.handshake:
        ends.run(round_trip_s)
    ends.says(ends.row.query, REPORT)
    assert ends.session.up
    assert habits.is_late == (round_trip_s > 1.5)
    assert habits.answer_s == pytest.approx(round_trip_s)
    asked = len(ends.requests)
    due: List[Any] = []
    for _ in range(240):  # two minutes in which each request is answered so late
        ends.run(0.5)
        due += [(at_s, command) for at_s, command, _ in ends.requests[asked:]]
        asked = len(ends.requests)
        while due and due[0][0] + round_trip_s <= ends.now_s - 100.0:
            _, command = due.pop(0)
            ends.says(command, REPORT if command == ends.row.query else b"")
    assert not ends.of(Ended)


@pytest.mark.parametrize("version", BY_CRC)
def test_a_guessed_version_makes_room_for_others(version):
    habits = Habits()
    for limit_s in (20.0, 90.0):
        ends = Ends(version, habits=habits, version_sure=False)
        ends.run(limit_s - 1.0, lambda command, e=ends: e.says(command, b""))
        assert not ends.of(Ended)
        assert isinstance(ends.of(Waiting)[0].error, Mute)
        ends.run(2.0, lambda command, e=ends: e.says(command, b""))
        assert ends.of(Ended)


@pytest.mark.parametrize("version", BY_CRC)
@pytest.mark.parametrize("text", [b"data format error", b"parse data error"])
@pytest.mark.parametrize("sure", [True, False])
def test_a_text_that_speaks_of_the_key(version, text, sure):
    ends = Ends(version, version_sure=sure)
    ends.plainly(10, text)
    ends.run(12.0, lambda command: ends.plainly(command, text))
    (ended,) = ends.of(Ended)
    assert isinstance(ended.error, WrongKey)
    assert "key" in ended.error.what
    assert ("version" in ended.error.what) is not sure


@pytest.mark.parametrize("version", VERSIONS)
def test_heartbeats_are_spared_while_data_comes(version):
    ends = Ends(version).up()
    for number in range(120):
        ends.now_s = 100.0 + number
        ends.says(STATUS, b'{"dps":{"19":%d}}' % number, pushed=True)
        ends.run(0.99)
    assert not ends.sent(HEART_BEAT)
    told = [at_s for at_s, _, _ in ends.requests]
    assert max(b - a for a, b in zip(told, told[1:])) <= 25.0  # and the device still hears of us
    assert not ends.of(Ended)


@pytest.mark.parametrize("version", VERSIONS)
def test_heartbeats_answered_with_bytes_that_are_no_text(version):
    ends = Ends(version).up()
    ends.run(60.0, lambda command: ends.says(command, b"\x00\x01\xff\xfe\x9f") if command == HEART_BEAT else None)
    assert not ends.of(Ended)
    assert ends.of(Answered)


@pytest.mark.parametrize("version", VERSIONS)
def test_answers_of_30_kilobytes_and_empty_ones(version):
    ends = Ends(version).shake_hands()
    ends.says(ends.row.query, b'{"dps":{},"type":"query"}')
    assert ends.of(Opened)
    long = b'{"dps":{"19":412,"101":"' + b"x" * 30_000 + b'"}}'
    frame = ends.device.answer(ends.row.query, 1, long)
    for at in range(0, len(frame), 1448):
        ends.receive(frame[at : at + 1448])
    assert ends.of(Data)[-1].dps[19] == 412
    assert ends.of(Data)[-1].full


@pytest.mark.parametrize("version", VERSIONS)
def test_a_return_code_is_no_refusal_of_a_write(version):
    ends = Ends(version).up()
    number = ends.session.write({1: False}, ends.now_s)
    ends.collect()
    ends.says(ends.row.control, b"", code=1)
    assert ends.session.requests.has(number)
    assert not ends.of(Ended)
    ends.says(STATUS, b'{"dps":{"1":false}}', pushed=True)
    assert ends.of(Data)[-1].dps == {1: False}


@pytest.mark.parametrize("version", VERSIONS)
def test_what_answers_a_request_sent_after_a_write_and_what_does_not(version):
    ends = Ends(version).up()
    ends.session.ask_now(ends.now_s)
    number = ends.session.write({1: False}, ends.now_s)
    ends.session.probe(ends.now_s)
    ends.collect()
    ends.says(STATUS, b'{"dps":{"19":9}}', pushed=True)
    ends.says(ends.row.query, REPORT)  # to the query before it
    assert not ends.session.requests.has(number)
    ends.says(HEART_BEAT, b"")
    assert ends.session.requests.has(number)


# -- queries that have the shape of a write


@pytest.mark.parametrize("version", VERSIONS)
def test_silence_brings_no_query_by_nulls(version):
    ends = Ends(version).shake_hands()
    ends.run(120.0, lambda command: ends.says(command, b"") if command == HEART_BEAT else None)
    assert not [one for one in ends.requests if one[1] in (CONTROL, CONTROL_NEW)]


def _device22(
    version: str, polling: Polling, answer: Any, habits: Optional[Habits] = None, seconds: float = 30.0
) -> Ends:
    """A device that refuses plain queries; answer(names) gives what it says to a query by nulls."""
    ends = Ends(version, polling, habits).shake_hands()
    ends.says(ends.row.query, UNVALID, code=1)

    def answers(command: int) -> None:
        if command == ends.row.query:
            ends.says(command, UNVALID, code=1)
        elif command == CONTROL_NEW:
            content = ends.requests[-1][2]
            content = content.get("data", content)
            ends.says(CONTROL_NEW, b"")
            said = answer([int(name) for name in content["dps"]])
            ends.says(STATUS, json.dumps({"dps": said}).encode(), pushed=True)
        else:
            ends.says(command, b"")

    ends.run(seconds, answers)
    return ends


def _named(ends: Ends) -> List[List[int]]:
    return [[int(name) for name in one[2].get("data", one[2])["dps"]] for one in ends.requests if one[1] == CONTROL_NEW]


VALUES = {1: True, 18: 0, 19: 412, 20: 2301}


@pytest.mark.parametrize("version", ["3.2", "3.3", "3.4"])
def test_relays_are_named_when_nulls_have_twice_set_nothing(version):
    polling = Polling(query_dps=(18, 19, 20), later_dps=(1,))
    ends = _device22(version, polling, lambda names: {str(dp): VALUES[dp] for dp in names})
    named = _named(ends)
    assert [sorted(names) for names in named[:3]] == [[18, 19, 20], [18, 19, 20], [1, 18, 19, 20]]
    assert not any(1 in names for names in named[3:])  # it is known now, and a change is pushed
    assert {dp: value for data in ends.of(Data) for dp, value in data.dps.items()} == VALUES
    assert ends.habits.device22
    again = _device22(version, polling, lambda names: {str(dp): VALUES[dp] for dp in names}, ends.habits, 1.5)
    assert _named(again)  # the second connection needs one refusal only


@pytest.mark.parametrize("version", ["3.2", "3.3", "3.4"])
@pytest.mark.parametrize("shown", [None, False, 0])
def test_relays_are_never_named_where_a_null_shows(version, shown):
    polling = Polling(query_dps=(18, 19, 20), later_dps=(1,))
    ends = _device22(version, polling, lambda names: {str(dp): shown for dp in names}, seconds=300.0)
    assert not any(1 in names for names in _named(ends))
    if shown is None:
        assert len(_named(ends)) == 1


def test_switching_refused_or_nothing_known_names_no_relay():
    ends = _device22("3.3", Polling(query_dps=(19,)), lambda names: {str(dp): 5 for dp in names}, seconds=120.0)
    assert all(names == [19] for names in _named(ends))
    ends = _device22("3.3", Polling(), lambda names: {str(dp): 5 for dp in names}, seconds=120.0)
    assert not _named(ends)
    assert ends.sent(UPDATEDPS)


def test_a_device_that_answers_the_first_one_only_is_asked_for_each_in_turn():
    polling = Polling(query_dps=(18, 19, 20), later_dps=(1,))
    ends = _device22("3.3", polling, lambda names: {str(names[0]): VALUES[names[0]]}, seconds=90.0)
    assert {dp: value for data in ends.of(Data) for dp, value in data.dps.items()} == VALUES


@pytest.mark.parametrize("version", VERSIONS)
def test_more_messages_than_a_breaker_sends_end_the_connection(version):
    ends = Ends(version).up()
    frame = ends.device.answer(HEART_BEAT, 1, b"")
    for _ in range(60):  # a thousand a minute is no flood
        ends.now_s += 1.0
        ends.receive(frame * 16)
    assert not ends.of(Ended)
    for _ in range(100):
        ends.now_s += 0.01
        ends.receive(frame * 100)
        if ends.session.ended:
            break
    assert isinstance(ends.of(Ended)[0].error, ProtocolViolation)


@pytest.mark.parametrize("version", VERSIONS)
def test_more_bytes_than_a_breaker_sends_end_the_connection_whatever_is_between_them(version):
    """Good frames among the garbage excuse it no longer than for some seconds."""
    ends = Ends(version).up()
    heartbeat = ends.device.answer(HEART_BEAT, 1, b"")
    for _ in range(100):  # as much as 30 kB in 5 s is no flood
        ends.now_s += 1.0
        ends.receive(bytes(6000) + heartbeat)
    assert not ends.of(Ended)
    for _ in range(100):
        ends.now_s += 0.01
        ends.receive(b"\x00\x00\x55\xaa" * 4000 + heartbeat)
        if ends.session.ended:
            break
    (ended,) = ends.of(Ended)
    assert isinstance(ended.error, ProtocolViolation)
    assert "more than a breaker does" in str(ended.error)
