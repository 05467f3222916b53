"""Breakers that behave as public reports say real ones do (tuya/simulator/fault_field.py), and a client for them.

All protocol versions at once, each a breaker of its own; on loopback and in real time. The tests with them are in
several files by theme, so that no worker of a whole run has all of the waiting.
"""

from __future__ import annotations

import time

from tests.lan.lan_helpers import VERSIONS, Running, device_of
from tests.lateness import lateness
from tuya.lan.client import Polling
from tuya.lan.errors import Busy, WrongKey, WrongVersion
from tuya.lan.events import Failed, Lost
from tuya.simulator import Fleet

POLLING = Polling(refresh_dps=(18, 19, 20), query_dps=(18, 19, 20))


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
