"""Clients of other authors meet the behaviour of real devices, so that simulator and client do not agree on a wrong.

Each test says what the public thread behind the behaviour saw happen, as far as the client still does it.
"""

import json
import time

import pytest

from tests.simulator.peer import VERSIONS
from tests.simulator.test_foreign_clients import (  # noqa: F401 (fixtures)
    WRONG_KEY,
    Heard,
    breaker,
    fleet,
    rustuya_device,
    tinytuya_device,
)

every_version = pytest.mark.parametrize("version", VERSIONS)
since_handshakes = pytest.mark.parametrize("version", ["3.4", "3.5"])
NO_JSON = ("900", "904")


def received(device, wanted, seconds=4.0):
    """The first of the reports that tinytuya receives for which `wanted` holds."""
    device.set_socketTimeout(0.3)
    end = time.monotonic() + seconds
    heard = []
    while time.monotonic() < end:
        report = device.receive()
        heard.append(report)
        if isinstance(report, dict) and wanted(report.get("dps", {})):
            return report
    raise AssertionError(f"not among {heard}")


@pytest.mark.parametrize("version", ["3.1", "3.3", "3.4", "3.5"])  # 3.2 is asked by nulls, which wakes it
def test_asleep_until_updatedps(breaker):  # noqa: F811
    breaker.fault("asleep")
    device = tinytuya_device(breaker)
    device.disabledetect = True
    assert device.status()["Err"] in NO_JSON
    assert device.status()["Err"] in NO_JSON
    assert device.updatedps([18, 19, 20], nowait=False)["dps"]["19"] == 2300
    assert device.status()["dps"]["1"] is True
    device.close()


@pytest.mark.parametrize("version", ["3.1", "3.3", "3.4", "3.5"])
def test_a_text_for_ever(breaker):  # noqa: F811
    breaker.fault("text_only", every_s=1.0)
    device = tinytuya_device(breaker)
    device.disabledetect = True
    for _ in range(2):
        assert device.status()["Err"] in NO_JSON
    assert received(device, lambda dps: "19" in dps)["dps"]["1"] is True
    device.close()


@pytest.mark.parametrize("version", ["3.1", "3.3", "3.4", "3.5"])
def test_rustuya_gets_the_text(breaker):  # noqa: F811
    breaker.fault("asleep")
    device = rustuya_device(breaker)
    try:
        assert b"json obj data unvalid".hex() in str(device.status())
        device.set_value(1, False)
        time.sleep(0.3)
        assert breaker.relay is False
    finally:
        device.close()
        device.stop()


@pytest.mark.parametrize("version", ["3.3", "3.4", "3.5"])
def test_an_empty_answer(breaker):  # noqa: F811
    breaker.fault("empty_query", gap_s=0.01)
    device = tinytuya_device(breaker)
    assert device.status()["dps"] == {}
    found = {}
    for _ in range(17):
        found.update(received(device, bool)["dps"])
    assert (found["1"], found["19"]) == (True, 2300)
    device.close()


@every_version
def test_nulls_that_open_the_relay(breaker):  # noqa: F811
    breaker.fault("null_sets")
    device = tinytuya_device(breaker)
    device.set_value(1, None, nowait=True)
    received(device, lambda dps: dps.get("1") is False)
    assert breaker.relay is False
    device.close()


@every_version
def test_an_error_code_although_it_switched(breaker):  # noqa: F811
    breaker.fault("write", how="code_1")
    device = tinytuya_device(breaker)
    assert device.set_value(1, False)["dps"] == {"1": False}
    assert breaker.relay is False
    device.close()


@every_version
def test_new_old_new(breaker):  # noqa: F811
    breaker.fault("flicker", gap_s=0.2)
    device = tinytuya_device(breaker)
    device.set_value(1, False, nowait=True)
    assert [received(device, lambda dps: "1" in dps)["dps"]["1"] for _ in range(3)] == [False, True, False]
    device.close()


@every_version
def test_booleans_in_other_words(breaker):  # noqa: F811
    device = tinytuya_device(breaker)
    assert device.status()["dps"]["1"] is True
    for kind, words in (("text", ("true", "false")), ("number", (1, 0)), ("on", ("on", "off"))):
        breaker.fault("booleans", kind=kind)
        breaker.set_relay(False)
        assert received(device, lambda dps: "1" in dps)["dps"]["1"] == words[1]
        device.set_value(1, True, nowait=True)
        assert received(device, lambda dps: "1" in dps)["dps"]["1"] == words[0]
    device.close()


@every_version
def test_heartbeats_answered_by_bytes_disturb_no_report(breaker):  # noqa: F811
    breaker.fault("binary_heartbeat")
    device = tinytuya_device(breaker)
    device.heartbeat(nowait=True)
    device.set_value(1, False, nowait=True)
    received(device, lambda dps: dps.get("1") is False)
    device.close()


@pytest.mark.parametrize("version", ["3.3", "3.4", "3.5"])
def test_reports_of_devices_behind_it(breaker):  # noqa: F811
    breaker.fault("sub_devices")
    device = tinytuya_device(breaker)
    device.set_socketTimeout(1.0)
    device.heartbeat(nowait=False)
    breaker.push([20])
    other = received(device, lambda dps: dps.get("20") == 99999)
    assert "a4c138f0e1d2b3c4" in json.dumps(other)
    assert "cid" not in received(device, lambda dps: dps.get("20") == 2300)
    device.close()


@every_version
@pytest.mark.parametrize("how", ["zero", "shuffled", "repeated"])
def test_sequence_numbers_that_tell_nothing(breaker, how):  # noqa: F811
    breaker.fault("sequence", how=how)
    device = tinytuya_device(breaker)
    assert device.status()["dps"]["1"] is True
    device.set_value(1, False, nowait=True)
    received(device, lambda dps: dps.get("1") is False)
    device.close()


@pytest.mark.parametrize("version", ["3.3"])
def test_plain_json_is_read_by_rustuya_or_not_at_all(breaker):  # noqa: F811
    breaker.fault("plain_json")
    device = rustuya_device(breaker)
    heard = Heard(device)
    try:
        device.set_value(1, False)
        time.sleep(0.5)
        assert breaker.relay is False
        assert all(dps_are_its_own(event) for event in heard.events)
    finally:
        device.close()
        device.stop()


def dps_are_its_own(event):
    dps = event["payload"].get("dps", {}) if isinstance(event["payload"], dict) else {}
    return set(dps) <= {"1", "18", "19", "20"}


@since_handshakes
def test_the_first_handshake_after_a_boot(breaker):  # noqa: F811
    breaker.fault("boot_hmac")
    assert tinytuya_device(breaker).status()["Err"] == "914"
    device = tinytuya_device(breaker)
    assert device.status()["dps"]["1"] is True
    device.close()


@pytest.mark.parametrize("version", ["3.3", "3.4", "3.5"])
@pytest.mark.parametrize("how", ["silent", "close", "text", "foreign_hmac"])
def test_a_wrong_key_by_tinytuya(breaker, how):  # noqa: F811
    breaker.fault("wrong_key", how=how)
    device = tinytuya_device(breaker, WRONG_KEY)
    device.set_socketTimeout(0.5)
    answer = device.status()
    assert "dps" not in answer
    assert answer["Err"] in ("900", "901", "902", "904", "905", "914")


@pytest.mark.parametrize("version", ["3.3", "3.4", "3.5"])
def test_late_answers(breaker):  # noqa: F811
    breaker.fault("latency", delay_s=0.3, spread_s=0.2)
    device = tinytuya_device(breaker)
    started_s = time.monotonic()
    assert device.status()["dps"]["1"] is True
    assert time.monotonic() - started_s >= 0.6
    device.close()


@pytest.mark.parametrize("version", ["3.1", "3.3", "3.4", "3.5"])
def test_long_answers_by_rustuya(breaker):  # noqa: F811
    breaker.fault("long_answers", size=3000)
    device = rustuya_device(breaker)
    try:
        answer = device.status()
        dps = json.loads(answer)["dps"] if isinstance(answer, str) else answer["dps"]
        assert (dps["1"], len(dps["210"])) == (True, 3000)
    finally:
        device.close()
        device.stop()
