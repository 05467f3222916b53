"""From the plugin over the socket on this machine to a broker, and on to whoever listens there: and back."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Iterator, List, Tuple

import pytest

from tests.e2e.conftest import eventually, real_domoticz
from tests.e2e.peer import Domoticz
from tests.lateness import lateness
from tests.mqtt.brokers import Friend, Mosquitto, mosquitto
from tuya.simulator import Fleet

REPOSITORY = Path(__file__).resolve().parents[2]
MQTT_AUTO_DISCOVERY = 125  # hardware type, main/RFXNames.h
TAKE_OVER_S = 5.0
KEPT_S = 11.0  # the file of the service is so much behind at most, at a heavy load


@pytest.fixture(name="broker")
def _broker(tmp_path: Path) -> Iterator[Mosquitto]:
    folder = tmp_path / "broker"
    folder.mkdir()
    with mosquitto(folder) as one:
        yield one


def begin_service(broker: Mosquitto, devices_file: str) -> subprocess.Popen[bytes]:
    words = ["--broker", f"mqtt://127.0.0.1:{broker.port}", "--devices", devices_file]
    with Path(devices_file).with_name("mqtt.log").open("ab") as log:
        return subprocess.Popen([sys.executable, "-m", "tuya", "mqtt", *words], cwd=REPOSITORY, stderr=log, stdout=log)


@pytest.fixture(name="service")
def _service(broker: Mosquitto, devices_file: str) -> Iterator[subprocess.Popen[bytes]]:
    process = begin_service(broker, devices_file)
    yield process
    process.send_signal(signal.SIGTERM)
    assert process.wait(20.0) == 0


def host(devices_file: str, data: str) -> subprocess.Popen[bytes]:
    """plugin.py on the stand-in, as a process of its own. data: where it finds what it has kept."""
    return subprocess.Popen(
        [sys.executable, "-m", "tuya", "host", "--devices", devices_file, "--data", data],
        cwd=REPOSITORY,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def told_wh(friend: Friend, device_id: str) -> List[float]:
    """All totals of a device that were published, in their order."""
    heard = [json.loads(one.payload) for one in friend.heard if one.topic == f"tuya/{device_id}/state" and one.payload]
    return [state["totals_wh"]["total"]["used"] for state in heard if state.get("totals_wh")]


def switch_of(friend: Friend, device_id: str) -> object:
    return json.loads(friend.newest.get(f"tuya/{device_id}/state") or "{}").get("switch", {}).get("1")


def is_held_by_plugin(devices_file: str) -> bool:
    done = subprocess.run(
        [sys.executable, "-m", "tuya", "watch", "--devices", devices_file, "--json", "--seconds", "1.5"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    vias = [json.loads(line).get("via", "") for line in done.stdout.splitlines()]
    return bool(vias) and all("hardware" in via for via in vias)


def test_plugin_killed_is_taken_over_and_gets_its_devices_back(
    broker: Mosquitto, service: subprocess.Popen[bytes], fleet: Fleet, devices_file: str
) -> None:
    ids = [device["id"] for device in fleet.devices()]
    data = tempfile.mkdtemp(dir=Path(devices_file).parent)
    for breaker in fleet.breakers:
        breaker.set_load(2000.0)
    with Friend(broker.port) as friend:

        def all_say(word: str) -> bool:
            return all(friend.newest.get(f"tuya/{one}/availability") == word for one in ids)

        eventually(lambda: all_say("online"), what="the devices, held by the service")
        plugin = host(devices_file, data)
        try:
            eventually(lambda: is_held_by_plugin(devices_file), 40, "the plugin's devices, given back to it")
            eventually(lambda: all_say("online"), what="the plugin, heard")
            friend.publish(f"tuya/{ids[0]}/1/set", "OFF", qos=1)
            eventually(lambda: switch_of(friend, ids[0]) is False, what="a click that goes through the plugin")
            before = {one: json.loads(friend.newest[f"tuya/{one}/state"])["totals_wh"] for one in ids}
        finally:
            os.kill(plugin.pid, signal.SIGKILL)
            plugin.wait()
        eventually(lambda: all_say("offline") or not all_say("online"), 10, "the loss")
        eventually(lambda: all_say("online"), TAKE_OVER_S, "the take-over")
        start = {one: len(told_wh(friend, one)) for one in ids}
        for one in ids:
            total = json.loads(friend.newest[f"tuya/{one}/state"])["totals_wh"]["total"]["used"]
            assert total >= before[one]["total"]["used"], "a total never falls"
        eventually(lambda: told_wh(friend, ids[1])[-1] > before[ids[1]]["total"]["used"] + 10.0, 60, "some energy")
        friend.publish(f"tuya/{ids[0]}/1/set", "ON", qos=1)
        eventually(lambda: switch_of(friend, ids[0]) is True, what="a click that the service carries out")
        held = {one: told_wh(friend, one)[-1] for one in ids}
        plugin = host(devices_file, data)
        try:
            eventually(lambda: is_held_by_plugin(devices_file), 40, "the devices, given back")
            eventually(lambda: all_say("online"), what="the plugin, heard")
            eventually(lambda: told_wh(friend, ids[1])[-1] > held[ids[1]] + 10.0, 60, "what the plugin counts on")
            for one in ids:
                totals_wh = told_wh(friend, one)[start[one] :]
                assert totals_wh == sorted(totals_wh), "no step back where the plugin has it again"
        finally:
            plugin.kill()
            plugin.wait()


@pytest.fixture(name="pair")
def _pair(tmp_path: Path) -> Tuple[Domoticz, Domoticz]:
    """Two of them; asked for before the service, which is not worth starting where there is none."""
    return real_domoticz(tmp_path / "a"), real_domoticz(tmp_path / "b")


@pytest.mark.e2e
@pytest.mark.timeout(420)
def test_what_flows_while_domoticz_is_away_is_in_its_total_when_it_is_back(
    tmp_path: Path, broker: Mosquitto, fleet: Fleet, devices_file: str
) -> None:
    """Killed by -9 twice; the second time the service that held the breaker is killed too, and tells it later."""
    domoticz = real_domoticz(tmp_path / "domoticz")
    breaker, device_id = fleet.breakers[0], fleet.devices()[0]["id"]
    load_w, unheard_s = 10_000.0, 12.0  # of a death, a take-over and a return nobody hears some seconds
    service = begin_service(broker, devices_file)

    def shown_wh() -> float:
        row = domoticz.device(idx, device_id, 2)
        return 0.0 if row is None else float(row.svalue.split(";")[1])

    def wait_for_wh(more_wh: float, seconds: float) -> float:
        """Let so much be published; return the last total."""
        goal_wh = told_wh(friend, device_id)[-1] + more_wh
        eventually(lambda: told_wh(friend, device_id)[-1] >= goal_wh, seconds, f"{more_wh} Wh more")
        return told_wh(friend, device_id)[-1]

    def is_shown(wanted_wh: float) -> None:
        eventually(lambda: shown_wh() >= wanted_wh, 90, "what flowed meanwhile, in Domoticz")

    def is_true(lost_s: float) -> None:
        counted_wh, flowed_wh = shown_wh() - start_wh, breaker.used_wh - true_wh
        assert flowed_wh - lost_s * load_w / 3600 <= counted_wh <= flowed_wh * 1.01 + 1.0

    try:
        idx = domoticz.add_hardware("Breakers", {"Mode1": devices_file, "Mode5": "2"})
        with Friend(broker.port) as friend:
            eventually(
                lambda: shown_wh() > 0.0 and is_held_by_plugin(devices_file), 60, "the plugin, with its kWh unit"
            )
            breaker.set_load(load_w)
            eventually(lambda: told_wh(friend, device_id), 30, "a total")
            start_wh = wait_for_wh(20.0, 60)
            late_s = lateness()
            true_wh, first = breaker.used_wh, len(told_wh(friend, device_id)) - 1
            os.kill(domoticz.pid, signal.SIGKILL)
            held_wh = wait_for_wh(80.0, 90)
            domoticz.launch()
            is_shown(held_wh)
            is_true(unheard_s + late_s())
            totals_wh = told_wh(friend, device_id)[first:]
            assert totals_wh == sorted(totals_wh)
            wait_for_wh(20.0, 60)  # as the plugin counts on

            os.kill(domoticz.pid, signal.SIGKILL)
            held_wh = wait_for_wh(80.0, 90)
            service.kill()
            service.wait()
            killed_s = time.monotonic()
            domoticz.launch()
            eventually(lambda: is_held_by_plugin(devices_file), 60, "the plugin")
            nobody_s = time.monotonic() - killed_s  # had it
            service = begin_service(broker, devices_file)
            is_shown(held_wh - KEPT_S * load_w / 3600)
            is_true(2 * unheard_s + KEPT_S + nobody_s + late_s())
    finally:
        service.send_signal(signal.SIGTERM)
        service.wait(20.0)
        domoticz.close()


@pytest.mark.e2e
def test_two_domoticz(
    pair: Tuple[Domoticz, Domoticz],
    tmp_path: Path,
    broker: Mosquitto,
    service: subprocess.Popen[bytes],
    fleet: Fleet,
    devices_file: str,
) -> None:
    """Domoticz A with the plugin, Domoticz B as a consumer of the broker: the same values, and a click in B."""
    a, b = pair
    device_id = fleet.devices()[0]["id"]
    try:
        idx = a.add_hardware("Breakers", {"Mode1": devices_file})
        eventually(lambda: len(a.devices(idx)) == 12, 60, "A's units")
        b.accept_new(True)
        gateway = b.api(
            "addhardware",
            htype=MQTT_AUTO_DISCOVERY,
            enabled="true",
            datatimeout=0,
            name="MQTT",
            address="127.0.0.1",
            port=broker.port,
            username="",
            password="",
            extra=";;;homeassistant",
            Mode1=0,
            Mode2=0,
            Mode3=0,
            Mode4=0,
            Mode5=0,
            Mode6=0,
        )
        b_idx = int(gateway["idx"])

        def of_b(type_name: str, subtype: str) -> list[dict[str, str]]:
            rows = [row for row in b.rows(b_idx) if device_id in row["ID"]]
            return [row for row in rows if (row["Type"], row["SubType"]) == (type_name, subtype)]

        eventually(lambda: len(of_b("General", "kWh")) == 1, 60, "B's kWh device")

        def a_kwh() -> list[float]:
            row = a.device(idx, device_id, 2)
            assert row is not None
            return [float(part) for part in row.svalue.split(";")]

        def b_kwh() -> list[float]:
            row = of_b("General", "kWh")[0]
            stored = b.query("SELECT sValue FROM DeviceStatus WHERE ID = ?", int(row["idx"]))[0]["sValue"]
            return [float(part) for part in stored.split(";")]

        def agree() -> bool:
            a_w, a_wh = a_kwh()
            b_w, b_wh = b_kwh()
            return a_w > 0 and abs(a_w - b_w) <= max(2.0, 0.01 * a_w) and abs(a_wh - b_wh) <= 10.0

        eventually(agree, 90, "the same W and kWh in both")
        assert len(of_b("General", "kWh")) == 1
        switch = eventually(
            lambda: next((row for row in of_b("Light/Switch", "Switch") if "switch_1" in row["ID"]), None),
            30,
            "B's switch",
        )
        breaker = fleet.breakers[0]
        assert breaker.writes == []
        b.api("switchlight", idx=switch["idx"], switchcmd="Off")
        eventually(lambda: a.device(idx, device_id, 1).nvalue == 0, 20, "the click, in A")  # type: ignore[union-attr]
        assert [dps for _, dps in breaker.writes] == [{1: False}], "one write"

        # open, nothing flows any more: the plugin's Wh, the broker's and B's are one number, to the Wh
        def told_wh() -> float:
            state = json.loads(friend.newest.get(f"tuya/{device_id}/state") or "{}")
            return float(state.get("totals_wh", {}).get("total", {}).get("used", -1.0))

        with Friend(broker.port) as friend:
            eventually(
                lambda: abs(a_kwh()[1] - told_wh()) < 0.01 and abs(a_kwh()[1] - b_kwh()[1]) < 1.0, 150, "the same Wh"
            )
    finally:
        b.close()
        a.close()
