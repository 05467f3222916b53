"""Clients of other authors cannot tell the simulator from a device: tinytuya, rustuya, TuyAPI."""

import json
import os
import shutil
import subprocess
import threading
import time
from pathlib import Path

import pytest
import tinytuya

from tests.simulator.peer import VERSIONS
from tuya.simulator import Fleet

WRONG_KEY = "another local ke"
NPM_SECONDS = 90


@pytest.fixture
def fleet(version):
    with Fleet(version=version, noise=0.0, load_w=230.0) as fleet:
        yield fleet


@pytest.fixture
def breaker(fleet):
    return fleet.breakers[0]


def tinytuya_device(breaker, key=None, **options):
    device = tinytuya.Device(
        breaker.device_id,
        "127.0.0.1",
        key or breaker.local_key.decode(),
        port=breaker.port,
        version=float(breaker.version),
        connection_timeout=2,
        connection_retry_limit=1,
        persist=True,
        **options,
    )
    if breaker.version == "3.2":  # which it always queries like a device22: only what is named is answered
        device.add_dps_to_request([1, 18, 19, 20])
    return device


@pytest.mark.parametrize("version", VERSIONS)
def test_tinytuya(breaker):
    device = tinytuya_device(breaker)
    dps = device.status()["dps"]
    assert (dps["1"], dps["18"], dps["19"], dps["20"]) == (True, 1000, 2300, 2300)
    assert device.set_value(1, False)["dps"] == {"1": False}
    assert breaker.relay is False
    assert breaker.writes[0][1] == {1: False}
    device.set_socketTimeout(3)
    assert device.receive()["dps"] == {"18": 0, "19": 0}
    breaker.push([20])
    assert device.receive()["dps"] == {"20": 2300}
    device.set_socketTimeout(1.5)
    assert device.heartbeat(nowait=False) is None
    breaker.set_relay(True)
    assert device.receive()["dps"] == {"1": True}
    assert device.updatedps([18, 19, 20], nowait=False)["dps"] == {"18": 1000, "19": 2300}
    device.close()
    assert (breaker.bad_frames, breaker.connections, breaker.most_at_once) == (0, 1, 1)


@pytest.mark.parametrize("version", ["3.1", "3.2", "3.3", "3.4", "3.5"])
def test_tinytuya_with_a_wrong_key(breaker, version):
    answer = tinytuya_device(breaker, WRONG_KEY).status()
    if version == "3.1":  # where only writes are encrypted
        assert answer["dps"]["1"] is True
        tinytuya_device(breaker, WRONG_KEY).set_value(1, False)
        assert breaker.relay is True
    else:
        assert answer["Err"] in {"3.2": ("900", "904"), "3.3": ("900", "904")}.get(version, ("914",))


@pytest.mark.parametrize("version", ["3.3"])
def test_tinytuya_finds_out_about_device22(breaker):
    breaker.fault("device22")
    device = tinytuya_device(breaker)
    assert device.status()["dps"] == {"1": True}
    assert device.dev_type == "device22"
    device.add_dps_to_request([1, 18, 20])
    assert device.status()["dps"] == {"1": True, "18": 1000, "20": 2300}


class Heard:
    """What a rustuya listener hears, on a thread of its own."""

    def __init__(self, device):
        self.events = []
        self.thread = threading.Thread(target=self._listen, args=(device.listener(),), daemon=True)
        self.thread.start()

    def _listen(self, listener):
        for event in listener:
            self.events.append(event)

    def wait_for(self, dps, seconds=4.0):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for event in list(self.events):
                payload = event["payload"]
                data = payload.get("data", payload) if isinstance(payload, dict) else {}
                if event["cmd"] == 8 and data.get("dps") == dps:
                    return event
            time.sleep(0.01)
        raise AssertionError(f"{dps} not among {self.events}")


def rustuya_device(breaker, key=None):
    rustuya = pytest.importorskip("rustuya")
    return rustuya.Device(
        breaker.device_id,
        key or breaker.local_key.decode(),
        "127.0.0.1",
        breaker.version,
        None,
        True,
        2.0,
        False,
        breaker.port,
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_rustuya(breaker, version):
    device = rustuya_device(breaker)
    heard = Heard(device)
    try:
        answer = device.status()
        if version == "3.2":  # asked like a device22 for DP 1 alone, which is answered by a push
            heard.wait_for({"1": True})
        else:
            dps = json.loads(answer)["dps"] if isinstance(answer, str) else answer["dps"]
            assert (dps["1"], dps["18"], dps["19"], dps["20"]) == (True, 1000, 2300, 2300)
        device.set_value(1, False)
        heard.wait_for({"1": False})
        assert breaker.relay is False
        breaker.push([20])
        heard.wait_for({"20": 2300})
        breaker.set_relay(True)
        heard.wait_for({"1": True})
        assert (breaker.bad_frames, breaker.connections, breaker.most_at_once) == (0, 1, 1)
    finally:
        device.close()
        device.stop()


@pytest.mark.parametrize("version", ["3.2", "3.3", "3.4", "3.5"])
def test_rustuya_with_a_wrong_key(breaker, version):
    device = rustuya_device(breaker, WRONG_KEY)
    try:
        if version < "3.4":
            assert "900" in str(device.status())
        else:
            with pytest.raises(Exception, match=r"914|offline"):
                device.status()
    finally:
        device.close()
        device.stop()


TUYAPI_SCRIPT = """
const TuyAPI = require('tuyapi');
const [id, key, port, version] = process.argv.slice(2);
const say = (what, data) => process.stdout.write(JSON.stringify({what, data}) + '\\n');
const device = new TuyAPI({id, key, ip: '127.0.0.1', port: Number(port), version, issueGetOnConnect: false,
                           issueRefreshOnConnect: false});
device.on('data', data => say('data', data));
device.on('dp-refresh', data => say('refresh', data));
device.on('error', error => say('error', String(error)));
device.on('heartbeat', () => say('heartbeat', null));
(async () => {
  await device.connect();
  say('connected', null);
  say('get', await device.get({schema: true}));
  say('set', await device.set({dps: 1, set: false}));
  await device._sendPing();
  setTimeout(() => { device.disconnect(); process.exit(0); }, 1800);
})().catch(error => { say('failed', String(error)); process.exit(1); });
"""


@pytest.fixture(scope="session")
def tuyapi(tmp_path_factory):
    """A folder in which node finds TuyAPI."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("no node and npm here: TuyAPI cannot be tried")
    folder = tmp_path_factory.mktemp("tuyapi")
    try:
        command = [npm, "install", "--no-audit", "--no-fund", "--prefix", str(folder), "tuyapi@7.7.1"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=NPM_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm did not fetch TuyAPI within {NPM_SECONDS} s")
    if done.returncode:
        pytest.skip(f"npm could not fetch TuyAPI: {done.stderr.strip().splitlines()[-1:]}")
    (folder / "client.js").write_text(TUYAPI_SCRIPT)
    return folder


def run_tuyapi(folder: Path, breaker, key=None, seconds=20):
    words = [breaker.device_id, key or breaker.local_key.decode(), str(breaker.port), breaker.version]
    done = subprocess.run(
        [shutil.which("node"), str(folder / "client.js"), *words],
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
        env={**os.environ, "DEBUG": ""},
    )
    said = [json.loads(line) for line in done.stdout.splitlines()]
    return done.returncode, [(entry["what"], entry.get("data")) for entry in said]


def dps_of(data):
    return data.get("data", data).get("dps") if isinstance(data, dict) else None


@pytest.mark.parametrize("version", ["3.1", "3.3", "3.4"])
def test_tuyapi(tuyapi, breaker):
    code, said = run_tuyapi(tuyapi, breaker)
    assert code == 0, said
    answers = dict(said)
    dps = dps_of(answers["get"])
    assert (dps["1"], dps["18"], dps["19"], dps["20"]) == (True, 1000, 2300, 2300)
    assert breaker.writes[0][1] == {1: False}
    assert breaker.relay is False
    assert "heartbeat" in answers
    pushed = [dps_of(data) for what, data in said if what in ("data", "refresh")]
    assert {"1": False} in pushed
    assert {"18": 0, "19": 0} in pushed
    assert "error" not in answers
    assert (breaker.bad_frames, breaker.most_at_once) == (0, 1)


@pytest.mark.parametrize("version", ["3.3", "3.4"])
def test_tuyapi_with_a_wrong_key(tuyapi, breaker, version):
    try:
        _, said = run_tuyapi(tuyapi, breaker, WRONG_KEY, seconds=4)
    except subprocess.TimeoutExpired as expired:
        said = [(json.loads(line)["what"], None) for line in (expired.stdout or b"").splitlines()]
    assert not any(isinstance(dps_of(data), dict) for _, data in said)
    assert breaker.relay is True
    if version == "3.4":
        assert "connected" not in dict(said)
