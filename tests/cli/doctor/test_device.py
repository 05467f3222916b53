"""Each fault of a device that the doctor names is provoked on a simulated breaker and recognised."""

from __future__ import annotations

import json
import socket
import threading
from dataclasses import replace

import pytest

from tuya.cli.doctor import device as checks
from tuya.cli.doctor.device import _ended, examine
from tuya.devices.devices_file import parse_devices
from tuya.lan.errors import OwnedElsewhere, WrongKey
from tuya.lan.locks import device_lock as owners
from tuya.simulator import Fleet


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(checks, "SETTLE_S", 0.3)
    monkeypatch.setattr(checks, "DPS_WITHIN_S", 1.0)


def entry_of(device):
    return parse_devices(json.dumps([device])).entries[0]


@pytest.fixture
def fleet():
    with Fleet(product="jdj6ccklup7btq3a", version="3.4", count=1) as served:
        yield served


@pytest.fixture
def device(fleet):
    return fleet.devices()[0]


def found(entry, heard=None, listened=False):
    return {finding.check: finding for finding in examine(entry, heard, listened)}


def first_failure(entry, heard=None, listened=False):
    findings = list(examine(entry, heard, listened))
    failed = [finding for finding in findings if finding.failed]
    assert len(failed) == 1, findings
    assert findings[-1] is failed[0]
    assert failed[0].cure
    assert not entry.local_key or entry.local_key.decode("latin-1") not in failed[0].text + failed[0].cure
    return failed[0]


@pytest.mark.parametrize("version", ["3.1", "3.3", "3.4", "3.5"])
def test_a_healthy_breaker_passes_every_check(version):
    with Fleet(product="jdj6ccklup7btq3a", version=version, count=1) as served:
        findings = found(entry_of(served.devices()[0]))
    order = ["key", "owner", "announcement", "address", "version", "key proof", "data points", "values"]
    assert list(findings) == order
    assert {finding.state for check, finding in findings.items() if check != "announcement"} == {"ok"}
    assert findings["version"].text == f"protocol {version}"
    assert findings["data points"].text.endswith("by its product id")
    assert " V, " in findings["values"].text


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("", "it has no local key"),
        ("0123456789abcde", "15 characters instead of 16"),
        ("0123456789abcdefg", "17 characters instead of 16"),
        ("xxxxxxxxxxxxxxxx", "placeholder"),
        ("0123456789abcde ", "begins or ends with a space"),
        ("0123456789abcd\te", "control character"),
    ],
)
def test_a_key_that_cannot_be_one(device, key, said):
    failure = first_failure(replace(entry_of({**device, "key": "0" * 16}), local_key=key.encode()))
    assert failure.check == "key"
    assert said in failure.text


def test_a_wrong_key_is_proven(device):
    assert first_failure(entry_of({**device, "key": "0123456789abcdef"})).check == "key proof"


def test_a_refused_port(fleet, device):
    fleet.breakers[0].stop()
    failure = first_failure(entry_of(device))
    assert failure.check == "port"
    assert "refuses" in failure.text


def test_an_address_where_nobody_answers(fleet, device, monkeypatch):
    fleet.breakers[0].fault("unreachable")
    assert first_failure(entry_of(device)).check == "address"


def test_somebody_else_holds_the_connection(fleet, device):
    fleet.breakers[0].fault("busy")
    failure = first_failure(entry_of(device))
    assert failure.check == "connection"
    assert "Tuya app" in failure.cure


def test_a_mute_breaker(fleet, device, monkeypatch):
    monkeypatch.setattr(checks, "CONNECT_WITHIN_S", 8.0)
    fleet.breakers[0].fault("mute")
    assert first_failure(entry_of(device)).check == "answer"


def test_a_wrong_version_that_the_user_fixed(device):
    entry = replace(entry_of(device), version="3.5", version_fixed=True)
    assert first_failure(entry).check in ("version", "answer")


def test_an_outdated_version_is_only_noted(device, monkeypatch):
    monkeypatch.setattr(checks, "SETTLE_S", 6.0)  # the other version is tried after a pause
    findings = found(replace(entry_of(device), version="3.3"))
    assert findings["version"].state == "note"
    assert findings["version"].text == "protocol 3.4; devices.json says 3.3, which is outdated"
    assert findings["values"].state == "ok"


def test_not_heard_and_no_address(device):
    entry = replace(entry_of(device), address=None)
    failure = first_failure(entry, heard=None, listened=True)
    assert failure.check == "announcement"
    assert '"ip" in devices.json' in failure.cure


def test_in_a_container_the_network_is_named(device, monkeypatch):
    monkeypatch.setattr(checks, "in_container", lambda: True)
    failure = first_failure(replace(entry_of(device), address=None), listened=True)
    assert "in a container on a bridge network none are heard" in failure.text
    assert "host network" in failure.cure


def test_heard_from_another_address(device):
    findings = found(replace(entry_of(device), address="127.0.0.99"), heard=("127.0.0.1", "3.4"), listened=True)
    assert findings["announcement"].state == "note"
    assert "devices.json says 127.0.0.99, which is outdated" in findings["announcement"].text
    assert findings["values"].state == "ok"


def test_data_points_that_nobody_knows(device):
    entry = entry_of({**device, "product_id": "unknown000000000", "mapping": {}})

    profile = checks.match(entry.raw, {201: "x", 202: 5})
    finding = checks._check_data_points(profile, 2)
    assert (finding.state, finding.check) == ("failed", "data points")
    assert "python3 -m tuya report" in finding.cure


def test_no_data_points_at_all(fleet, device, monkeypatch):
    monkeypatch.setattr(checks, "CONNECT_WITHIN_S", 6.0)
    fleet.breakers[0].fault("bad_json", kind="no_dps")
    assert first_failure(entry_of(device)).check in ("data points", "answer", "connection")


def test_values_that_cannot_be(fleet, device):
    fleet.breakers[0].fault("values", kind="huge")
    failure = first_failure(entry_of(device))
    assert failure.check == "values"


def test_a_device_without_any_reading(fleet, device, monkeypatch):
    fleet.breakers[0].fault("hide", dps=(17, 18, 19, 20))
    fleet.breakers[0].fault("quiet")
    fleet.breakers[0].fault("refresh")
    failure = first_failure(entry_of(device))
    assert (failure.check, failure.text[:27]) == ("values", "it has not reported any vol")


class Owner:
    """Another process that holds a device, and answers."""

    def __init__(self, device_id, state):
        self._device_id, self._state = device_id, state

    def __enter__(self):
        self._lock = owners.take(self._device_id, self._state.owner)
        assert self._lock is not None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        return self

    def _serve(self):
        while not self._ended.wait(0.02):
            self._lock.answer(lambda: self._state)

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join()
        self._lock.release()


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="needs Unix sockets")
def test_the_plugin_serves_it(fleet, device):
    state = owners.OwnerState("hardware Breakers", True, "192.168.1.5", "3.4", "", "", 2.4)
    with Owner(device["id"], state):
        findings = found(entry_of(device))
    assert list(findings) == ["key", "owner", "data points"]
    assert findings["owner"].text == "hardware Breakers serves it: 192.168.1.5, protocol 3.4, last answer 2 s ago"
    assert fleet.breakers[0].connections == 0


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="needs Unix sockets")
@pytest.mark.parametrize(
    ("dps", "states", "told"),
    [
        ({"1": True, "18": 435, "19": 1000, "20": 2300}, ["ok", "ok"], "230 V, 0.435 A, 100 W"),
        ({"1": True, "18": 435, "19": 77777, "20": 2300}, ["ok", "unchecked", "ok"], "77.777 W"),
        (
            {"1": True, "18": 0, "19": 0, "20": 0},
            ["ok", "ok", "unchecked"],
            "reports no voltage, though it is switched on",
        ),
        ({"1": False, "18": 0, "19": 0, "20": 0}, ["ok", "ok"], "0 A, 0 W"),  # measured behind the relay
        ({"1": True, "18": 0, "19": 0}, ["ok", "ok"], "0 A, 0 W"),  # of another firmware, without that data point
        ({"1": True}, ["ok", "unchecked"], "has not reported any voltage"),
        ({"250": "x"}, ["failed", "unchecked"], "has not reported any voltage"),
        ({}, ["skipped"], "its owner tells none yet"),
    ],
)
def test_what_it_reports_to_the_plugin_is_judged_too(device, monkeypatch, dps, states, told):
    monkeypatch.setattr(checks, "snapshot_of", lambda device_id, timeout_s=1.0: {"id": device_id, "dps": dps})
    unknown = {"product_id": "", "mapping": {}} if "250" in dps else {}
    with Owner(device["id"], owners.OwnerState("hardware Breakers", True, "192.168.1.5", "3.4", "", "", 0.4)):
        findings = list(checks._owned(entry_of({**device, **unknown}), owners.ask(device["id"])))[1:]
    assert [finding.state for finding in findings][: len(states)] == states
    assert told in findings[-1].text


DPS = {"1": True, "18": 435, "19": 1000, "20": 2300}


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="needs Unix sockets")
@pytest.mark.parametrize(
    ("dps", "said", "states", "told"),
    [
        (DPS, {"measured_age_s": 4.0}, ["ok"], "(reported 4 s ago)"),
        (DPS, {"measured_age_s": 95.0}, ["note", "unchecked"], "(reported 95 s ago)"),
        (DPS, {"measured_age_s": 4.0, "late_s": {"power": 95.0}}, ["note", "unchecked"], "4 s ago; power 95 s ago)"),
        ({"1": True}, {"measured_age_s": 95.0}, ["note", "unchecked"], "has not reported any voltage"),
        ({"1": True}, {"measured_age_s": 9.0}, ["unchecked"], "has not reported any voltage"),
        (DPS, {"measured_age_s": 4.0, "untaken": "did not report"}, ["ok", "unchecked"], "reported 4 s ago"),
    ],
)
def test_values_have_an_age(device, monkeypatch, dps, said, states, told):
    served = {"id": device["id"], "connected": True, **said}
    monkeypatch.setattr(checks, "snapshot_of", lambda device_id, timeout_s=1.0: {"id": device_id, "dps": dps})
    monkeypatch.setattr(checks, "owner_of", lambda device_id, timeout_s=1.0: {"served": [served]})
    with Owner(device["id"], owners.OwnerState("hardware Breakers", True, "192.168.1.5", "3.4", "", "", 0.4)):
        findings = list(checks._owned(entry_of(device), owners.ask(device["id"])))[2:]
    assert ([finding.state for finding in findings], told in findings[0].text) == (states, True), findings
    cures = [finding.cure for finding in findings if finding.cure]
    assert len(cures) == ("unchecked" in states), "one reason, one cure"


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="needs Unix sockets")
def test_a_device_that_is_in_no_file_is_judged_by_what_its_owner_knows(device, monkeypatch):
    told = {"id": device["id"], "dps": DPS, "product_id": "jdj6ccklup7btq3a"}
    monkeypatch.setattr(checks, "snapshot_of", lambda device_id, timeout_s=1.0: told)
    with Owner(device["id"], owners.OwnerState("hardware Breakers", True, "192.168.1.5", "3.4", "", "", 0.4)):
        findings = found(entry_of({"id": device["id"], "name": "Boiler"}))
    assert list(findings) == ["owner", "data points", "values"]
    assert findings["data points"].text.endswith("by its product id")


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="needs Unix sockets")
@pytest.mark.parametrize(
    ("owner", "told"),
    [("hardware Breakers", "hardware Breakers is connecting to it"), ("another program", "did not answer")],
)
def test_an_owner_that_says_nothing_proves_no_fault(fleet, device, owner, told):
    with Owner(device["id"], owners.OwnerState(owner)):
        findings = found(entry_of(device))
    assert (findings["owner"].state, told in findings["owner"].text) == ("unchecked", True)
    assert fleet.breakers[0].connections == 0


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="needs Unix sockets")
def test_a_device_that_the_plugin_takes_back_is_asked_of_the_plugin(device):
    with Owner(device["id"], owners.OwnerState("hardware Breakers", True, "192.168.1.5", "3.4", "", "", 0.4)):
        findings = list(_ended(entry_of(device), OwnedElsewhere("Boiler", "is given back to hardware Breakers")))
    assert [finding.state for finding in findings] == ["ok", "unchecked"]
    findings = list(_ended(entry_of(device), OwnedElsewhere("Boiler", "is served by another program")))
    assert [finding.state for finding in findings] == ["failed"]


@pytest.mark.parametrize(
    ("error", "check"), [("WrongKey", "key proof"), ("Busy", "connection"), ("Unheard", "owner"), ("", "owner")]
)
def test_the_plugin_serves_it_and_cannot_connect(fleet, device, error, check):
    state = owners.OwnerState("hardware Breakers", False, "", "", error, "said by the plugin")
    with Owner(device["id"], state):
        failure = first_failure(entry_of(device))
    assert failure.check == check
    assert "hardware Breakers serves it and is not connected: said by the plugin" in failure.text
    if error == "WrongKey":
        assert failure.cure == WrongKey.default_cure


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="needs Unix sockets")
def test_a_wrong_key_of_the_hardware_page_is_not_to_be_fetched_into_a_file_that_is_not_used(device, monkeypatch):
    monkeypatch.setattr(checks, "owner_of", lambda device_id, timeout_s=1.0: {"settings": {"has_own_key": True}})
    with Owner(device["id"], owners.OwnerState("hardware Breakers", False, "", "", "WrongKey", "another key")):
        failure = first_failure(entry_of(device))
    assert (failure.check, "its field 'Local key' wins over devices.json" in failure.cure) == ("key proof", True)


def test_a_device_of_its_own_connection_that_leaves_its_power_out(fleet, device):
    fleet.breakers[0].fault("hide", dps=(19,))
    fleet.breakers[0].fault("quiet")
    fleet.breakers[0].fault("refresh")
    findings = found(entry_of(device))
    assert (findings["values"].state, findings["power"].state) == ("ok", "unchecked")
