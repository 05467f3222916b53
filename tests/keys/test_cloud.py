"""Keys from the cloud, tried against a stand-in of its API that checks signatures."""

from __future__ import annotations

import importlib
import re

import pytest
import requests

from tests.keys.cloud_stand_in import ACCESS_ID, SECRET, Cloud
from tuya.keys import cloud as maker_cloud
from tuya.keys.cloud import CloudProblem, Project, fetch

ID = "bf0123456789abcdefgh"
KEY = "a'b\"c&d<e>$`\\{}1"
DEVICE = {
    "id": ID,
    "name": "Boiler",
    "local_key": KEY,
    "category": "dlq",
    "product_id": "jdj6ccklup7btq3a",
    "product_name": "Smart breaker",
    "model": "TO-Q-SY1-JWT",
    "sub": False,
    "uuid": "abc",
    "online": True,
}
SPECIFICATION = {
    "category": "dlq",
    "functions": [{"code": "switch", "dp_id": 1, "type": "Boolean", "values": "{}"}],
    "status": [{"code": "cur_power", "dp_id": 19, "type": "Integer", "values": '{"unit":"W","scale":1}'}],
}
PROJECT = Project("eu", ACCESS_ID, SECRET)


@pytest.fixture
def cloud():
    with Cloud([dict(DEVICE)], {ID: SPECIFICATION}) as stand_in:
        yield stand_in


def test_devices_come_with_keys_and_specifications(cloud):
    devices = fetch(PROJECT, [], cloud.url)
    assert len(devices) == 1
    assert devices[0]["key"] == KEY
    assert {field: devices[0][field] for field in ("id", "name", "product_id", "mac", "model")} == {
        "id": ID,
        "name": "Boiler",
        "product_id": "jdj6ccklup7btq3a",
        "mac": "aabbccddeeff",
        "model": "TO-Q-SY1-JWT",
    }
    assert devices[0]["mapping"]["19"] == {"code": "cur_power", "type": "Integer", "values": {"unit": "W", "scale": 1}}
    assert "ip" not in devices[0]


def test_it_takes_a_handful_of_requests_and_fewer_when_all_is_known(cloud):
    known = fetch(PROJECT, [], cloud.url)
    assert len(cloud.paths) == 5
    cloud.paths.clear()
    fetch(PROJECT, [{**known[0], "icon": "x"}], cloud.url)
    assert not any("specifications" in path for path in cloud.paths)


def refused(cloud, project=PROJECT):
    with pytest.raises(CloudProblem) as caught:
        fetch(project, [], cloud.url)
    text = str(caught.value)
    assert SECRET not in text
    assert KEY not in text
    return text


@pytest.mark.parametrize(
    ("path", "code", "message", "meaning"),
    [
        (
            "/v1.0/iot-01",
            28841002,
            "No permissions. Your subscription to cloud development plan has expired.",
            "trial .* expired",
        ),
        (
            "/v1.0/iot-01",
            28841004,
            "No permissions. Your quota of Trial Edition is used up.",
            "quota of the trial is used up",
        ),
        (
            "/v1.0/iot-01",
            28841105,
            "No permissions. This project is not authorized to call this API.",
            "not authorised",
        ),
        ("/v1.0/token", 28841107, "No permission. The data center is suspended.", "data centre is suspended"),
        (
            "/v1.0/token",
            2007,
            "your ip(1.2.3.4) cross-region access is not allowed",
            "may not be used from your country",
        ),
        ("/v1.0/token", 1114, "your ip(1.2.3.4) don't have access to this API", "allowed IP addresses"),
        ("/v1.0/iot-01", 1106, "permission deny", "link the app account"),
        ("/v1.0/token", 1013, "request time is invalid", "clock of this machine is wrong"),
        ("/v1.0/token", 2009, "clientId is invalid", "no project with this access id"),
        ("/v1.0/token", 99999, "something new", r"refused: something new \(code 99999\)"),
    ],
)
def test_each_refusal_is_explained(cloud, path, code, message, meaning):
    cloud.refuse[path] = (code, message)
    assert re.search(meaning, refused(cloud))


def test_a_wrong_secret(cloud):
    assert "the access secret is not that of this access id" in refused(cloud, Project("eu", ACCESS_ID, "wrong"))


def test_a_wrong_access_id(cloud):
    assert "no project with this access id" in refused(cloud, Project("eu", "wrong", SECRET))


def test_a_project_without_devices(cloud):
    cloud.devices.clear()
    assert "the project has no devices: link the app account" in refused(cloud)


def test_devices_without_keys(cloud):
    del cloud.devices[0]["local_key"]
    assert "without their local keys" in refused(cloud)


def test_a_mute_cloud_is_not_waited_for(cloud, monkeypatch):
    monkeypatch.setattr(maker_cloud, "ANSWER_TIMEOUT_S", 0.2)
    cloud.mute.set()
    assert "did not answer within 0 s" in refused(cloud)


def test_no_internet(monkeypatch):
    with pytest.raises(CloudProblem, match="cannot be reached"):
        fetch(PROJECT, [], "http://127.0.0.1:1")


def test_a_login_page_in_between(cloud):
    cloud.broken = (200, b"<html>please log in</html>")
    assert "something else than Tuya's cloud answered" in refused(cloud)


def test_a_cloud_out_of_order(cloud):
    cloud.broken = (503, b"oops")
    assert "out of order (HTTP 503)" in refused(cloud)


@pytest.mark.parametrize("body", [b"null", b"[]", b"5", b'{"success": true}', b'{"success": true, "result": {}}'])
def test_senseless_answers(cloud, body):
    cloud.broken = (200, body)
    refused(cloud)


def test_the_library_is_put_back(cloud):
    fetch(PROJECT, [], cloud.url)
    assert importlib.import_module("tinytuya.Cloud").requests is requests
