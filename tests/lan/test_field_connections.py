"""Connections to devices that hang up, stay mute or are late, as public reports tell of them (tests/lan/field.py)."""

from __future__ import annotations

import time

import pytest

from tests.at_once import at_once
from tests.lan.field import Field
from tests.lateness import again_if_late
from tests.simulator.test_announce import ears, ports  # noqa: F401 (fixtures)
from tuya.lan.errors import Busy, Closed, WrongKey, WrongVersion
from tuya.lan.events import Connected, Lost
from tuya.lan.network import interfaces
from tuya.lan.network.listener import Listener

CONTACTS_A_MINUTE = 6


def test_not_pinged_soon_after_a_push():
    with Field(("pinged", {})) as field:
        field.wait_readings(8.0)
        for breaker in field.breakers:
            breaker.push_every(1.0)
        time.sleep(30.0)
        field.assert_one_connection_and_no_false_word()


@again_if_late
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


@at_once("delay_s, spread_s", [(1.0, 1.0), (2.0, 0.5)])
@again_if_late
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
