"""Nothing is switched unasked and a wrong key is named, with devices as reports tell of them (tests/lan/field.py)."""

from __future__ import annotations

import time

from tests.at_once import at_once
from tests.lan.field import Field
from tests.lan.lan_helpers import VERSIONS
from tuya.lan.errors import NotConfirmed, WrongKey
from tuya.lan.events import Connected

ANOTHER_KEY = b"another local ke"


@at_once("faults", [(), ("device22",), ("no_query",), ("text_only",), ("asleep",), ("mute",)])
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


@at_once("how", ["close", "foreign_hmac", "silent", "text"])
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
