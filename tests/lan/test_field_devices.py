"""The client and devices that behave as public reports say real ones do (tuya/simulator/fault_field.py).

All protocol versions at once, each a breaker of its own; on loopback and in real time.
"""

from __future__ import annotations

import time

import pytest

from tests.lan.lan_helpers import VERSIONS, Running, device_of
from tests.lateness import lateness
from tests.simulator.test_announce import ears, ports  # noqa: F401 (fixtures)
from tuya.lan.client import Polling
from tuya.lan.errors import Busy, Closed, NotConfirmed, WrongKey, WrongVersion
from tuya.lan.events import Connected, Failed, Lost, Status, WriteDone
from tuya.lan.network import interfaces
from tuya.lan.network.listener import Listener
from tuya.simulator import Fleet

POLLING = Polling(refresh_dps=(18, 19, 20), query_dps=(18, 19, 20))
CONTACTS_A_MINUTE = 6
ANOTHER_KEY = b"another local ke"


class Field:
    """A fleet of one breaker a version with faults on, and a client that serves it."""

    def __init__(self, *faults, versions=VERSIONS, key=None, fleet_options=None, **options):
        self.fleet = Fleet(version=versions, count=len(versions), noise=0.0, load_w=230.0, **(fleet_options or {}))
        self.breakers = self.fleet.breakers
        for breaker in self.breakers:
            for name, given in faults:
                breaker.fault(name, **given)
        self._changes = {} if key is None else {"local_key": key}
        self._options = options

    def __enter__(self):
        self.fleet.start()
        self.run = Running([device_of(breaker, **self._changes) for breaker in self.breakers], **self._options)
        for breaker in self.breakers:
            self.run.client.set_polling(breaker.device_id, POLLING)
        self.seen = self.run.__enter__().seen
        return self

    def __exit__(self, *error):
        self.run.__exit__(*error)
        self.fleet.stop()

    def wait_readings(self, seconds):
        """Wait until each breaker has reported its watts."""
        late_s, end_s = lateness(), time.monotonic() + seconds
        for breaker in self.breakers:
            left_s = end_s - time.monotonic() + late_s()
            self.seen.wait_value(breaker.device_id, 19, 2300, max(0.1, left_s))

    def click(self, value=False, seconds=12.0):
        """Click at all; the errors of the ends by version."""
        since = len(self.seen.events)
        for breaker in self.breakers:
            self.run.client.write(breaker.device_id, {1: value})
        return {
            breaker.version: self.seen.wait_done(breaker.device_id, seconds, since).error for breaker in self.breakers
        }

    def errors(self, *kinds):
        """All errors of these classes that were told, as texts."""
        told = [event.error for event in self.seen.events if isinstance(event, (Failed, Lost))]
        return [str(error) for error in told if isinstance(error, kinds)]

    def assert_one_connection_and_no_false_word(self):
        assert {breaker.version: breaker.connections for breaker in self.breakers} == {
            breaker.version: 1 for breaker in self.breakers
        }
        assert self.errors(WrongKey, WrongVersion, Busy) == []
        assert self.seen.of(Lost) == []


# what is answered to a query


def test_asleep_after_power_up_it_is_woken_and_reports():
    with Field(("asleep", {})) as field:
        field.wait_readings(8.0)
        field.assert_one_connection_and_no_false_word()
        assert all(breaker.writes == [] for breaker in field.breakers)
        assert set(field.click().values()) == {None}


def test_asleep_while_connected_after_its_power_was_cut():
    with Field(("asleep", {})) as field:
        field.wait_readings(8.0)
        since = len(field.seen.events)
        for breaker in field.breakers:
            breaker.stop()
            breaker.start()
        for breaker in field.breakers:
            field.seen.wait_value(breaker.device_id, 19, 2300, 12.0, since)
        assert field.errors(WrongKey, WrongVersion) == []


def test_asleep_a_click_wakes_it_too():
    with Field(("asleep", {}), ("refresh", {"how": "silent"})) as field:
        for breaker in field.breakers:
            if breaker.version >= "3.4":
                field.seen.wait_connected(breaker.device_id, 5.0)
        time.sleep(2.0)
        assert all(error is None for version, error in field.click().items() if version >= "3.2")
        assert field.errors(WrongKey, WrongVersion) == []


@pytest.mark.parametrize("name", ["text_only", "no_query"])
def test_only_its_own_pushes_tell_anything(name):
    with Field((name, {"every_s": 5.0})) as field:
        field.wait_readings(20.0)
        field.assert_one_connection_and_no_false_word()
        assert set(field.click().values()) == {None}
        time.sleep(6.0)
        field.assert_one_connection_and_no_false_word()


@pytest.mark.parametrize(("name", "given"), [("bare_query", {}), ("empty_query", {"gap_s": 0.05})])
def test_queries_that_tell_nothing(name, given):
    with Field((name, given)) as field:
        field.wait_readings(10.0)
        field.assert_one_connection_and_no_false_word()
        assert set(field.click().values()) == {None}


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("long_answers", {}),
        ("binary_heartbeat", {}),
        ("sub_devices", {}),
        ("sequence", {"how": "zero"}),
        ("sequence", {"how": "shuffled"}),
        ("sequence", {"how": "repeated"}),
        ("no_code", {}),
        ("join", {"count": 3, "hold_s": 0.3}),
        ("plain_text", {}),
        ("flicker", {"gap_s": 0.1}),
        ("stale_query", {}),
        ("write", {"how": "code_1"}),
    ],
)
def test_odd_ways_that_change_nothing(name, given):
    with Field((name, given)) as field:
        field.wait_readings(8.0)
        assert set(field.click(False).values()) == {None}
        assert [breaker.relay for breaker in field.breakers] == [False] * len(field.breakers)
        time.sleep(1.0)
        field.assert_one_connection_and_no_false_word()
        assert not any(99999 in event.dps.values() for event in field.seen.of(Status))  # of devices behind it
        assert len(field.seen.of(WriteDone)) == len(field.breakers)
        assert all(len(breaker.writes) == 1 for breaker in field.breakers)


@pytest.mark.parametrize("kind", ["number", "text", "on"])
def test_booleans_in_other_words_are_confirmed(kind):
    with Field(("booleans", {"kind": kind})) as field:
        field.wait_readings(8.0)
        assert set(field.click(False).values()) == {None}
        assert [breaker.relay for breaker in field.breakers] == [False] * len(field.breakers)


def test_plain_json_where_it_should_be_encrypted_is_nobodys_word():
    with Field(("plain_json", {}), versions=("3.2", "3.3")) as field:
        time.sleep(6.0)
        field.click(False)
        assert field.seen.of(Status) == []


# nothing unasked


@pytest.mark.parametrize("faults", [(), ("device22",), ("no_query",), ("text_only",), ("asleep",), ("mute",)])
def test_nulls_that_set_open_no_relay(faults):
    with Field(("null_sets", {}), *((name, {}) for name in faults)) as field:
        time.sleep(14.0)
        assert [breaker.relay for breaker in field.breakers] == [True] * len(field.breakers)
        assert not any(1 in dps for breaker in field.breakers for _, dps in breaker.writes)


def test_a_stalled_uplink_a_write_that_was_not_confirmed_is_never_done():
    with Field() as field:
        field.wait_readings(8.0)
        for breaker in field.breakers:
            breaker.fault("stalled")
            breaker.push_every(0.5)
        errors = field.click(False)
        assert {type(error) for error in errors.values()} == {NotConfirmed}
        for breaker in field.breakers:
            breaker.clear_faults("stalled")
        time.sleep(4.0)
        assert [(breaker.relay, breaker.writes) for breaker in field.breakers] == [(True, [])] * len(field.breakers)


# its key


@pytest.mark.parametrize("how", ["close", "foreign_hmac", "silent", "text"])
def test_another_key_is_named_among_the_causes(how):
    versions = VERSIONS[1:]
    with Field(("wrong_key", {"how": how}), versions=versions, key=ANOTHER_KEY) as field:
        for breaker in field.breakers:
            error = field.seen.wait_failed(breaker.device_id, 6.0).error
            assert "key" in str(error), (breaker.version, error)
        assert field.seen.of(Connected) == []


def test_one_wrong_proof_after_a_boot_is_no_wrong_key():
    with Field(("boot_hmac", {}), versions=("3.4", "3.5")) as field:
        field.wait_readings(10.0)
        assert field.errors(WrongKey) == []


# its connection


def test_not_pinged_soon_after_a_push():
    with Field(("pinged", {})) as field:
        field.wait_readings(8.0)
        for breaker in field.breakers:
            breaker.push_every(1.0)
        time.sleep(30.0)
        field.assert_one_connection_and_no_false_word()


def test_a_device_that_closes_each_connection_is_not_said_to_be_taken():
    with Field(("hangs_up", {"after_s": 6.0})) as field:
        field.wait_readings(8.0)
        time.sleep(22.0)
        assert field.errors(Busy, WrongKey, WrongVersion) == []
        assert field.errors(Closed)
        assert all(3 <= breaker.connections <= 5 for breaker in field.breakers)


@pytest.mark.parametrize("how", ["mute"])
def test_a_device_that_is_of_no_use_is_left_in_peace(how, ports):  # noqa: F811
    listener = Listener(tuple(ports), ports.asked, lambda: [interfaces.LOOPBACK])
    announcing = {"announce": True, "announce_ports": ports, "announce_interval_s": 1.0}
    with Field(("accept", {"how": how}), fleet_options=announcing, discovery=True, listener=listener) as field:
        time.sleep(45.0)
        contacts = [breaker.connections for breaker in field.breakers]
        assert 1 <= min(contacts) <= max(contacts) <= CONTACTS_A_MINUTE, contacts
        assert field.seen.of(Connected) == []


@pytest.mark.parametrize(("delay_s", "spread_s"), [(1.0, 1.0), (2.0, 0.5)])
def test_late_answers(delay_s, spread_s):
    with Field(("latency", {"delay_s": delay_s, "spread_s": spread_s})) as field:
        field.wait_readings(60.0)
        since = len(field.seen.events)
        errors = field.click(False, 25.0)
        time.sleep(2 * (delay_s + spread_s))
        for breaker in field.breakers:
            # either it was confirmed, or it is not done
            assert (errors[breaker.version] is None) is (breaker.relay is False), (breaker.version, errors)
        assert field.seen.of(Lost, since=since) == []
        assert set(errors.values()) == {None}
