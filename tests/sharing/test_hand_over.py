"""What was counted while another process had a breaker: told when the two meet, and believed as far as it can be."""

from __future__ import annotations

import json
import socket
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Optional

import pytest

from tests.lan.locks.other_user import NOBODY, OtherUser, as_root
from tests.sharing.sharing_helpers import RawListener, entries_of, is_event, share_of, until
from tuya.devices.device import KnownDevice
from tuya.devices.household import Household
from tuya.devices.lan_device import device_of
from tuya.lan.client import Client
from tuya.metering.energy import USED
from tuya.metering.reading import TOTAL
from tuya.mqtt.totals_file import read_totals, write_totals
from tuya.sharing.lines import MAX_REQUEST_BYTES, LineReader
from tuya.sharing.remote import MAX_UNSENT_BYTES, Remote
from tuya.sharing.server import Server
from tuya.sharing.source import ALONE_SINCE, HEARD, Source
from tuya.simulator import Fleet

KEPT_WH = 5000.0
LOAD_W = 3000.0


@pytest.fixture(name="fleet")
def _fleet() -> Iterator[Fleet]:
    with Fleet(version="3.4", count=1, noise=0.0) as fleet:
        fleet.breakers[0].set_load(LOAD_W)
        fleet.breakers[0].push_every(0.5)
        yield fleet


class Plugin:
    """A front end that keeps its devices, with a total that it kept `away_s` ago."""

    def __init__(self, fleet: Fleet, away_s: float = 600.0, waits: bool = True) -> None:
        self._waits = waits
        self.household = Household()
        self.device_id = fleet.breakers[0].device_id
        self._server = Server(self.household, "hardware test")
        self._client = Client([], self._sink, owner="hardware test", discovery=False, guest=self._server)
        self._server.access = self._client
        saved: Mapping[str, object] = {"total/used": [KEPT_WH, None, None]}
        now_s = time.monotonic()
        device = KnownDevice(entries_of(fleet)[0], saved=saved, known_at_s=now_s - away_s)
        self.household.serve(device, now_s)
        self._client.set_devices([device_of(entries_of(fleet)[0])])

    def _sink(self, event: Any) -> None:
        self.household.handle(event, time.monotonic())

    def __enter__(self) -> Plugin:
        self._client.start()
        return self.wait() if self._waits else self

    def __exit__(self, *_: object) -> None:
        self._client.stop(5.0)

    @property
    def used_wh(self) -> float:
        with self.household.lock:
            return self.household.devices[self.device_id].totals_wh(time.monotonic()).get((TOTAL, USED), 0.0)

    def wait(self) -> Plugin:
        """Until it counts."""
        until_s = time.monotonic() + 20.0
        while not self.used_wh:
            assert time.monotonic() < until_s
            time.sleep(0.05)
        return self


def used_wh(told: Mapping[str, Any]) -> float:
    return float((told.get("totals_wh") or {}).get("total", {}).get("used", 0.0))


def service(fleet: Fleet, saved: Optional[Dict[str, Any]] = None, **words: Any) -> Source:
    return Source(entries_of(fleet), "mqtt", discovery=False, saved_energy=saved or {}, **words)


def counts(told: Mapping[str, Any]) -> bool:
    return told["event"] == "status" and "via" not in told and used_wh(told) > 0.0


def has_counted(goal_wh: float, told: Mapping[str, Any]) -> bool:
    return used_wh(told) > goal_wh


def test_the_one_who_takes_back_is_told_what_flowed_and_no_listener_sees_a_step_back(fleet: Fleet):
    with service(fleet) as mqtt:
        with Plugin(fleet, away_s=0.0):
            before_wh = used_wh(until(mqtt, is_event("snapshot", via="hardware test")))
        assert before_wh >= KEPT_WH
        first = until(mqtt, counts)
        assert used_wh(first) >= before_wh, "it goes on from there"
        last_wh = used_wh(until(mqtt, lambda told: counts(told) and used_wh(told) > used_wh(first) + 3.0))
        with Plugin(fleet, waits=False) as plugin:  # its total of when it was killed
            heard = []
            until_s = time.monotonic() + 20.0
            while len([one for one in heard if "via" in one and used_wh(one)]) < 5:
                assert time.monotonic() < until_s, heard
                told = mqtt.next(0.2)
                heard += [told] if told is not None else []
            totals_wh = [used_wh(one) for one in heard if used_wh(one)]
            assert totals_wh == sorted(totals_wh)
            assert totals_wh[0] >= last_wh - 0.001
            assert plugin.used_wh >= totals_wh[-1] - 0.001  # which is rounded
            assert plugin.used_wh <= last_wh + 20.0 * LOAD_W / 3600
            lines = [line.text for line in plugin.household.take_lines()]
            assert any("flowed while mqtt had it" in line for line in lines), lines
            assert plugin.used_wh == mqtt_and_plugin_agree(mqtt, plugin)
        again_wh = used_wh(until(mqtt, counts))
        assert again_wh >= totals_wh[-1], "and the other way round, when it takes over again"


def mqtt_and_plugin_agree(mqtt: Source, plugin: Plugin) -> float:
    """The total of the plugin, once it is the one that the listener has."""
    until_s = time.monotonic() + 10.0
    while True:
        total_wh = plugin.used_wh
        if used_wh(mqtt.state(plugin.device_id)) == pytest.approx(total_wh, abs=0.001):
            return total_wh
        assert time.monotonic() < until_s
        time.sleep(0.01)


def test_a_service_that_was_killed_meanwhile_tells_it_later_from_its_file(fleet: Fleet, tmp_path: Path):
    device_id, path = fleet.breakers[0].device_id, tmp_path / "totals.json"
    with service(fleet, {device_id: {"total/used": [KEPT_WH, None, None]}}) as mqtt:
        told_wh = used_wh(until(mqtt, lambda told: counts(told) and used_wh(told) > KEPT_WH + 3.0))
        write_totals(path, mqtt.saved_energy())
    with Plugin(fleet) as plugin:
        alone_wh = plugin.used_wh
        assert alone_wh < told_wh
        for _ in range(2):  # the second time it has heard of the plugin's total already, and adds nothing
            with service(fleet, read_totals(path)) as mqtt:
                heard_wh = used_wh(until(mqtt, lambda told: used_wh(told) > 0.0))
                assert heard_wh >= told_wh, "before anything else is told"
                assert heard_wh - plugin.used_wh < 1.0
                write_totals(path, mqtt.saved_energy())
        assert plugin.used_wh - told_wh < 30.0 * LOAD_W / 3600


def test_the_same_file_told_again_to_the_same_plugin_adds_nothing(fleet: Fleet):
    device_id = fleet.breakers[0].device_id
    kept = {"total/used": [KEPT_WH, None, None]}
    saved = {device_id: {"total/used": [KEPT_WH + 700.0, None, None], HEARD: kept}}
    with Plugin(fleet) as plugin:
        for _ in range(3):
            with service(fleet, saved) as mqtt:
                until(mqtt, is_event("snapshot", via="hardware test"))
        assert KEPT_WH + 700.0 <= plugin.used_wh < KEPT_WH + 700.0 + 30.0 * LOAD_W / 3600


def test_the_plugins_own_total_told_back_to_it_adds_nothing(fleet: Fleet, tmp_path: Path):
    """A service that is started again and again beside a plugin that runs."""
    breaker, path = fleet.breakers[0], tmp_path / "totals.json"
    breaker.set_load(10_000.0)
    start_wh = breaker.used_wh
    with Plugin(fleet) as plugin:
        for _ in range(4):
            with service(fleet, read_totals(path)) as mqtt:
                goal_wh = used_wh(until(mqtt, lambda told: used_wh(told) > 0.0)) + 5.0
                until(mqtt, partial(has_counted, goal_wh))
                write_totals(path, mqtt.saved_energy())
        assert 20.0 < plugin.used_wh - KEPT_WH <= (breaker.used_wh - start_wh) * 1.01


def test_both_have_never_met_and_the_service_began_alone(fleet: Fleet, tmp_path: Path):
    """A service that was put up while Domoticz was away: what it counted from 0 is what flowed meanwhile."""
    device_id, path = fleet.breakers[0].device_id, tmp_path / "totals.json"
    with service(fleet) as mqtt:
        until(mqtt, lambda told: counts(told) and used_wh(told) > 3.0)
        write_totals(path, mqtt.saved_energy())
    saved = read_totals(path)
    assert saved[device_id][ALONE_SINCE] == pytest.approx(time.time(), abs=60.0)
    with service(fleet, saved) as mqtt:  # and was started again
        alone_wh = used_wh(until(mqtt, lambda told: counts(told) and used_wh(told) > 5.0))
        with Plugin(fleet, waits=False) as plugin:
            until(mqtt, lambda told: "via" in told and used_wh(told) >= KEPT_WH + alone_wh, 20.0)
            assert plugin.used_wh < KEPT_WH + alone_wh + 20.0 * LOAD_W / 3600
            assert ALONE_SINCE not in mqtt.saved_energy()[device_id], "from now on it goes on from the plugin's"


def test_what_began_before_the_plugin_had_it_last_is_not_added(fleet: Fleet):
    device_id = fleet.breakers[0].device_id
    saved = {device_id: {"total/used": [700.0, None, None], ALONE_SINCE: time.time() - 3600.0}}
    with Plugin(fleet, away_s=600.0) as plugin:
        with service(fleet, saved) as mqtt:
            until(mqtt, is_event("snapshot", via="hardware test"))
        assert plugin.used_wh < KEPT_WH + 100.0


NO_TOTALS: List[Any] = [
    {"total": {"used": 1e11}},
    {"total": {"used": KEPT_WH + 80_000.0 * 700.0 / 3600}},
    {"total": {"used": -1.0}},
    {"total": {"used": "7000"}},
    {"total": {"used": True}},
    {"total": {"used": float("nan")}},
    {"total": {"used": float("inf")}},
    {"total": {"used": 0.0}},
    {"total": {"stolen": 6000.0}},
    {"total": 6000.0},
    {"x": {"used": 6000.0}},
    [1],
    None,
]


def test_a_listener_can_not_make_a_total_jump_or_fall(fleet: Fleet):
    with Plugin(fleet) as plugin:
        raw = RawListener(plugin.device_id)
        before_wh = plugin.used_wh
        for counted in NO_TOTALS:
            raw.ask(counted={plugin.device_id: {"totals_wh": counted}}, name="hostile")
            raw.ask(counted={plugin.device_id: counted, "nobody": {"totals_wh": counted}, "": counted})
        for alone_s in (-1, "x", True, 1e300, []):
            raw.ask(counted={plugin.device_id: {"totals_wh": {"total": {"used": 6000.0}}, "alone_s": alone_s}})
        raw.ask(counted=[plugin.device_id])
        raw.ask(listen=[plugin.device_id])
        assert raw.wait("snapshot")["totals_wh"].keys() == {"total"}
        assert before_wh <= plugin.used_wh < before_wh + 30.0 * LOAD_W / 3600
        raw.wait("status")  # and it is told on
        raw.close()


def test_steps_without_end_bring_no_more_than_one(fleet: Fleet):
    with Plugin(fleet, away_s=9.0) as plugin:
        raw = RawListener(plugin.device_id)
        for number in range(60):
            raw.ask(counted={plugin.device_id: {"totals_wh": {"total": {"used": KEPT_WH + 20.0 * number}}}})
        raw.ask(listen=[plugin.device_id])
        raw.wait("snapshot")
        limit_wh = 80_000.0 * 40.0 / 3600
        assert plugin.used_wh < KEPT_WH + limit_wh
        raw.close()


@as_root
def test_a_user_who_is_not_trusted_tells_nothing(fleet: Fleet):
    with Plugin(fleet) as plugin:
        address = share_of(plugin.device_id)

        def tell() -> object:
            sock = socket.socket(socket.AF_UNIX)
            sock.connect("\0" + address[1:])
            told = {plugin.device_id: {"totals_wh": {"total": {"used": KEPT_WH + 700.0}}}}
            with suppress(OSError):  # hung up already
                sock.sendall(json.dumps({"counted": told}).encode() + b"\n")
            return sock

        with OtherUser(NOBODY, tell):
            time.sleep(1.0)
        assert plugin.used_wh < KEPT_WH + 100.0


def test_a_device_that_left_the_file_and_came_back_is_told_too(fleet: Fleet):
    """Another program had it meanwhile, with a devices file of its own."""
    device_id = fleet.breakers[0].device_id
    entries = entries_of(fleet)
    with service(fleet, {device_id: {"total/used": [KEPT_WH, None, None]}}) as first:
        until(first, counts)
        first.set_entries([])
        with service(fleet, {device_id: {"total/used": [KEPT_WH, None, None]}}) as second:
            other_wh = used_wh(until(second, lambda told: counts(told) and used_wh(told) > KEPT_WH + 3.0))
            first.set_entries(entries)
            assert used_wh(until(first, is_event("snapshot", via="mqtt"))) >= other_wh
        assert used_wh(until(first, counts)) >= other_wh


def test_two_thousand_devices_are_told_in_lines_that_an_owner_reads(fleet: Fleet):
    """An owner that answers a longer line than MAX_REQUEST_BYTES by closing would tell nothing."""

    class Hearer:
        def counted(self, _device_id: str) -> Dict[str, Any]:
            phases = {name: {"used": 123456789.123, "returned": 123456789.123} for name in ("a", "b", "c", "total")}
            return {"totals_wh": phases, "alone_s": 123456789.123456}

    sent = bytearray()

    class Taking:
        def send(self, data: bytes) -> int:
            sent.extend(data)
            return len(data)

    remote = Remote(Hearer(), "@somewhere", "owner", Taking())  # type: ignore[arg-type]
    remote._selector = object()  # type: ignore[assignment] - it is never asked: everything is taken at once
    remote.ids = {f"bf{number:018d}" for number in range(2000)}
    remote.listen("mqtt")
    remote.listen("mqtt")
    lines = LineReader(MAX_REQUEST_BYTES).feed(bytes(sent))
    told = [one["counted"] for one in lines if "counted" in one]
    assert sum(map(len, told)) == 2000, "each once"
    assert [bool("listen" in one) for one in lines] == [False] * len(told) + [True, True]
    assert len(sent) < MAX_UNSENT_BYTES, "also where the owner has read nothing yet"
