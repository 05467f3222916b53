"""What is published for a device, when, and what is taken back."""

from __future__ import annotations

import json
from typing import Dict, List

import pytest

from tests.mqtt.snapshots import DEVICE_ID, breaker, three_phases, unheard
from tuya.mqtt.commands import Message, Publication
from tuya.mqtt.core import HEAL_AFTER_S, Core
from tuya.mqtt.topics import Topics

STATE = f"tuya/{DEVICE_ID}/state"
AVAILABILITY = f"tuya/{DEVICE_ID}/availability"


def core(prefix: str = "homeassistant") -> Core:
    return Core(Topics("tuya"), prefix, "1.0")


def taken(one: Core) -> Dict[str, str]:
    publications = one.take()
    assert len({each.topic for each in publications}) == len(publications), "a topic twice"
    return {each.topic: each.payload for each in publications}


def told(one: Core, snapshot: Dict[str, object], now_s: float) -> Dict[str, str]:
    one.changed(snapshot, now_s)
    return taken(one)


def test_state_is_what_watch_says_and_plain_names():
    state = json.loads(told(core(), breaker(), 0.0)[STATE])
    snapshot = breaker()
    for quantity, amount in snapshot["readings"].items():
        assert state[quantity] == amount, quantity
    assert state["totals_wh"] == {"total": {"used": 1234.567}}
    assert state["switch"] == {"1": True}
    plain = {"power": 421, "voltage": 228.7, "current": 1.841, "factor": 0.97, "energy": 1.234567, "switch_1": "ON"}
    plain.update(frequency=50.01, temperature=31.5, problem="OFF", option_38="memory", option_41="OFF")
    assert {name: state[name] for name in plain} == plain


def test_all_is_retained_and_discovery_comes_before_the_state():
    one = core()
    one.changed(breaker(), 0.0)
    publications = one.take()
    assert all(each.retain for each in publications)
    topics = [each.topic for each in publications]
    assert topics[0] == AVAILABILITY
    assert topics[-1] == STATE
    assert all(topic.startswith("homeassistant/") for topic in topics[1:-1])


def test_nothing_known_is_no_state_but_an_availability():
    assert told(core(), unheard(), 0.0) == {AVAILABILITY: "offline"}


def test_phases_have_their_own_names_and_a_sum():
    state = json.loads(told(core(), three_phases(), 0.0)[STATE])
    assert [state[name] for name in ("power", "a_power", "c_power", "b_voltage")] == [250, 100, -50, 231]
    assert [state[name] for name in ("energy", "a_energy", "c_returned")] == [1.0, 1.0, 0.01]


def test_a_sum_is_not_made_up_of_some_phases():
    snapshot = three_phases()
    del snapshot["readings"]["power_w"]["c"]
    assert "power" not in json.loads(told(core(), snapshot, 0.0)[STATE])


def test_circuits_by_number_are_names_that_a_template_can_read():
    snapshot = breaker(power_w={"1": 10, "2": 20})
    snapshot["profile"]["channels"] = ["1", "2"]
    state = json.loads(told(core(), snapshot, 0.0)[STATE])
    assert (state["circuit_1_power"], state["circuit_2_power"], state["power"]) == (10, 20, 30)
    assert all(name.isidentifier() for name in state)


def test_deadbands_and_pace():
    one = core()
    told(one, breaker(power_w={"1": 400.0}), 0.0)
    assert told(one, breaker(power_w={"1": 403.9}), 20.0) == {}, "1 % of 400 W"
    assert STATE in told(one, breaker(power_w={"1": 404.1}), 20.0)
    assert told(one, breaker(power_w={"1": 500.0}), 21.0) == {}, "no more often than every 5 s"
    one.tick(24.9)
    assert taken(one) == {}
    one.tick(25.0)
    assert json.loads(taken(one)[STATE])["power"] == 500.0


@pytest.mark.parametrize(
    ("changed", "is_said"),
    [
        ({"voltage_v": {"1": 229.6}}, False),
        ({"voltage_v": {"1": 229.8}}, True),
        ({"current_a": {"1": 1.86}}, False),
        ({"current_a": {"1": 1.9}}, True),
        ({"temperature_c": 31.9}, False),
        ({"temperature_c": 32.1}, True),
        ({"totals_wh": {"total": {"used": 1244.0}}}, False),
        ({"totals_wh": {"total": {"used": 1244.6}}}, True),
    ],
)
def test_each_quantity_has_its_deadband(changed: Dict[str, object], is_said: bool):
    one = core()
    told(one, breaker(), 0.0)
    assert (STATE in told(one, breaker(**changed), 30.0)) is is_said


@pytest.mark.parametrize(
    "changed", [{"switch": {"1": False}}, {"faults": ["ov_cr"]}, {"power_w": {"1": 0}}, {"dps": {"38": "on"}}]
)
def test_what_a_person_waits_for_is_said_at_once(changed: Dict[str, object]):
    one = core()
    told(one, breaker(), 0.0)
    assert STATE in told(one, breaker(**changed), 0.1)


def test_once_a_minute_while_it_answers_and_not_while_it_does_not():
    one = core()
    told(one, breaker(), 0.0)
    one.tick(59.9)
    assert taken(one) == {}
    one.tick(60.0)
    assert list(taken(one)) == [STATE]
    assert told(one, breaker(connected=False), 61.0) == {AVAILABILITY: "offline"}
    one.tick(1000.0)
    assert taken(one) == {}


def test_many_changes_while_nobody_takes_are_one_publication_a_topic():
    one = core()
    for second in range(1000):
        one.changed(breaker(power_w={"1": second * 10}, switch={"1": bool(second % 2)}), float(second))
    assert json.loads(taken(one)[STATE])["power"] == 9990


def test_broker_that_comes_back_is_told_everything():
    one = core()
    first = told(one, breaker(), 0.0)
    assert told(one, breaker(), 1.0) == {}
    one.broker_is_there(2.0)
    assert taken(one) == {**first, "tuya/bridge/availability": "online"}


def test_status_events_go_into_what_is_known():
    one = core()
    told(one, breaker(), 0.0)
    readings = {**breaker()["readings"], "switch": {"1": False}, "power_w": {"1": 0}}
    event = {"event": "status", "id": DEVICE_ID, "dps": {"1": False}, "readings": readings, "full": False}
    assert one.told({**event, "totals_wh": {"total": {"used": 1300.0}}}, 1.0)
    state = json.loads(taken(one)[STATE])
    assert (state["switch_1"], state["energy"], state["option_38"]) == ("OFF", 1.3, "memory")


@pytest.mark.parametrize(
    "changed", [{"event": "lost"}, {"full": True}, {"readings": {"profile": "another"}}, {"id": "unknown"}]
)
def test_other_events_need_the_whole_state(changed: Dict[str, object]):
    one = core()
    told(one, breaker(), 0.0)
    event = {"event": "status", "id": DEVICE_ID, "dps": {}, "readings": breaker()["readings"], "full": False}
    assert not one.told({**event, **changed}, 1.0)


def test_device_that_is_served_no_more_is_taken_back():
    one = core()
    published = told(one, breaker(), 0.0)
    one.removed(DEVICE_ID)
    assert taken(one) == dict.fromkeys(published, "")
    one.removed(DEVICE_ID)
    assert taken(one) == {}


# -- discovery


def configs(one: Core, snapshot: Dict[str, object]) -> Dict[str, Dict[str, object]]:
    """Discovery by component/name."""
    published = told(one, snapshot, 0.0)
    return {
        f"{topic.split('/')[1]}/{topic.split('/')[3]}": json.loads(payload)
        for topic, payload in published.items()
        if topic.startswith("homeassistant/") and payload
    }


def test_discovery_of_a_breaker():
    found = configs(core(), breaker())
    assert set(found) == {
        *("sensor/power", "sensor/voltage", "sensor/current", "sensor/factor", "sensor/energy"),
        *("sensor/frequency", "sensor/temperature", "binary_sensor/problem", "switch/switch_1"),
        *("select/option_38", "switch/option_41"),
    }
    energy = found["sensor/energy"]
    expected = {"device_class": "energy", "state_class": "total_increasing", "unit_of_measurement": "kWh"}
    assert {key: energy[key] for key in expected} == expected
    assert found["binary_sensor/problem"]["device_class"] == "problem"
    assert found["switch/switch_1"]["command_topic"] == f"tuya/{DEVICE_ID}/1/set"
    assert found["switch/switch_1"]["retain"] is False
    assert found["select/option_38"]["name"] == "State after power-on"
    assert found["select/option_38"]["options"] == ["off", "on", "memory"]
    assert found["switch/option_41"]["name"] == "Child lock"


def test_every_discovery_names_device_and_availability():
    for config in configs(core(), breaker()).values():
        topics = [each["topic"] for each in config["availability"]]
        assert topics == ["tuya/bridge/availability", AVAILABILITY]
        assert config["availability_mode"] == "all"
        device = config["device"]
        assert (device["name"], device["manufacturer"], device["sw_version"]) == ("Boiler", "Tuya", "protocol 3.4")
        assert device["model"]
        # "model_id" would be refused by Home Assistant before 2024.8, and the whole configuration with it
        assert set(device) <= {"identifiers", "name", "manufacturer", "model", "sw_version", "hw_version"}
        assert set(config["origin"]) <= {"name", "sw_version", "support_url"}
        assert config["origin"]["sw_version"] == "1.0"


@pytest.mark.parametrize("make", [breaker, three_phases])
def test_every_template_reads_a_value_that_the_state_has(make):
    one = core()
    published = told(one, make(), 0.0)
    state = json.loads(published[STATE])
    for topic, payload in published.items():
        if topic.startswith("homeassistant/"):
            template = json.loads(payload)["value_template"]
            name = template[len("{{ value_json.") : -len(" }}")]
            assert isinstance(state[name], (int, float, str)), topic


UNIQUE_IDS = [
    *("total_power", "total_voltage", "total_current", "total_power_factor", "total_energy", "total_frequency"),
    *("total_temperature", "total_problem", "total_switch_1", "total_option_38", "total_option_41"),
]


def test_unique_ids_never_change():
    ids = [str(config["unique_id"]) for config in configs(core(), breaker()).values()]
    assert sorted(ids) == sorted(f"tuya_{DEVICE_ID}_{name}" for name in UNIQUE_IDS)


def test_unique_ids_are_unique_with_phases():
    ids = [config["unique_id"] for config in configs(core(), three_phases()).values()]
    assert len(ids) == len(set(ids)) == 15


def test_device_that_may_not_be_switched_offers_no_switch():
    found = configs(core(), breaker(may_switch=False))
    assert not [name for name in found if name.startswith(("switch/", "select/"))]
    assert "binary_sensor/switch_1" in found
    assert not [config for config in found.values() if "command_topic" in config]


def test_gangs_have_names():
    snapshot = breaker(switch={"1": True, "2": False})
    snapshot["profile"]["controls"]["2"] = {"role": "switch", "kind": "bool"}
    found = configs(core(), snapshot)
    assert [found[f"switch/switch_{dp}"]["name"] for dp in (1, 2)] == ["Switch 1", "Switch 2"]


def test_offer_stays_while_its_value_is_not_known():
    one = core()
    told(one, breaker(), 0.0)
    without = breaker()
    del without["readings"]["temperature_c"]
    assert not [payload for payload in told(one, without, 100.0).values() if not payload]
    assert not [payload for payload in told(one, unheard(), 200.0).values() if not payload]


def test_switching_refused_while_it_runs_takes_the_switch_back():
    one = core()
    told(one, breaker(), 0.0)
    published = told(one, breaker(may_switch=False), 1.0)
    assert published[f"homeassistant/switch/{DEVICE_ID}/switch_1/config"] == ""
    assert published[f"homeassistant/binary_sensor/{DEVICE_ID}/switch_1/config"]


def test_no_prefix_no_discovery():
    assert set(told(core(""), breaker(), 0.0)) == {STATE, AVAILABILITY}


# -- what an earlier run has left


def left(snapshot: Dict[str, object]) -> List[Publication]:
    one = core()
    one.changed(snapshot, 0.0)
    return one.take()


def found_by(one: Core, publications: List[Publication], is_served: bool) -> Dict[str, str]:
    for each in publications:
        one.found(each.topic, each.payload.encode(), lambda _device_id: is_served, 1.0)
    return taken(one)


def test_what_is_left_of_a_device_that_is_gone_goes():
    before = left(breaker())
    assert found_by(core(), before, False) == {each.topic: "" for each in before}


def test_discovery_below_the_base_itself_is_told_from_states():
    before = Core(Topics("tuya"), "tuya", "1")
    before.changed(breaker(), 0.0)
    left_there = before.take()
    assert found_by(core(), left_there, False) == {each.topic: "" for each in left_there}
    one = Core(Topics("tuya"), "tuya", "1")
    one.changed(breaker(power_w={"1": 1}), 0.0)
    one.take()
    found_by(one, left_there, True)
    one.broker_is_there(2.0)
    assert json.loads(taken(one)[STATE])["power"] == 1


def test_what_is_left_of_a_device_that_was_not_heard_of_yet_stays():
    assert found_by(core(), left(breaker()), True) == {}
    one = core()
    told(one, unheard(), 0.0)
    assert not [payload for payload in found_by(one, left(breaker()), True).values() if not payload]


def test_switching_refused_between_two_runs_takes_the_switch_back():
    for heard_first in (True, False):
        one = core()
        told(one, breaker(may_switch=False) if heard_first else {**unheard(), "may_switch": False}, 0.0)
        published = found_by(one, left(breaker()), True)
        if not heard_first:
            published = told(one, breaker(may_switch=False), 2.0)
        assert published[f"homeassistant/switch/{DEVICE_ID}/switch_1/config"] == ""


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("homeassistant/sensor/x/y/config", b"not JSON"),
        ("homeassistant/sensor/x/y/config", b"[" * 100000),
        ("homeassistant/sensor/x/y/config", b'{"state_topic": "tuya/gone/state"}'),
        ("homeassistant/sensor/x/y/config", b'{"origin": {"name": "z2m"}, "state_topic": "tuya/gone/state"}'),
        (
            "homeassistant/sensor/x/y/config",
            b'{"origin": {"name": "domoticz-tuya-breakers"}, "state_topic": "other/gone/state"}',
        ),
        ("tuya/bridge/availability", b"online"),
        ("tuya/gone/other", b"online"),
        ("tuya/a/b/state", b"online"),
    ],
)
def test_what_others_left_stays(topic: str, payload: bytes):
    one = core()
    one.found(topic, payload, lambda _device_id: False, 0.0)
    assert taken(one) == {}


def test_a_new_name_is_at_once_the_name_of_all_of_it_also_of_what_is_not_known_now():
    """A changed entry of the devices file: the readings of before are forgotten, and come one after the other."""
    one = core()
    before = {topic for topic in told(one, breaker(), 0.0) if topic.startswith("homeassistant/")}
    renamed = breaker(name="New", may_switch=False)
    renamed["readings"] = {"profile": "socket", "matched_by": "product"}
    after = told(one, renamed, 1.0)
    switch, sensor = (f"homeassistant/{kind}/{DEVICE_ID}/switch_1/config" for kind in ("switch", "binary_sensor"))
    assert after[switch] == ""
    assert json.loads(after[sensor])["device"]["name"] == "New"
    stays = {topic for topic in before if topic.startswith(("homeassistant/sensor/", "homeassistant/binary_sensor/"))}
    assert stays, "there is something"
    assert {json.loads(after[topic])["device"]["name"] for topic in stays} == {"New"}


def test_while_its_profile_is_not_known_nothing_is_offered_otherwise():
    one = core()
    told(one, breaker(), 0.0)
    unknown = breaker()
    unknown["profile"] = {"name": "none", "matched_by": "none", "channels": [], "controls": {}}
    unknown["readings"] = {"profile": "none", "matched_by": "none"}
    unknown["dps"] = {}
    assert not [topic for topic in told(one, unknown, 1.0) if "switch_1" in topic]


@pytest.mark.parametrize("payload", [b"offline", b"", b"x"])
def test_what_others_say_of_a_device_is_contradicted_once(payload: bytes):
    one = core()
    told(one, breaker(), 0.0)
    one.availability_says(AVAILABILITY, payload, 10.0)
    one.availability_says(AVAILABILITY, payload, 10.1)
    one.tick(10.0 + HEAL_AFTER_S)
    assert taken(one)[AVAILABILITY] == "online"
    one.tick(12.0)
    assert AVAILABILITY not in taken(one)


def test_our_own_words_that_come_back_late_are_no_contradiction():
    one = core()
    told(one, breaker(), 0.0)
    told(one, breaker(connected=False), 0.1)
    one.availability_says(AVAILABILITY, b"online", 0.2)
    one.availability_says(AVAILABILITY, b"offline", 0.3)
    one.tick(5.0)
    assert AVAILABILITY not in taken(one)
    one.availability_says("tuya/stranger/availability", b"offline", 6.0)
    one.tick(9.0)
    assert "tuya/stranger/availability" not in taken(one)


def test_half_a_surrogate_of_a_device_or_a_sender_goes_over_the_wire():
    """Each of them would end the connection: no text of it can be sent."""
    one = core()
    snapshot = breaker()
    snapshot["dps"] = {**snapshot["dps"], "38": "\ud800x"}
    one.changed({**snapshot, "name": "\ud800"}, 0.0)
    one.message(Message(f"tuya/{DEVICE_ID}/set", b'{"38": "\\udfff", "1": 0.5}', 1.0), 1.0)
    one.message(Message(f"tuya/{DEVICE_ID}/set", b'{"38": "\\udfff"}', 1.0, True), 1.0)
    publications = one.take()
    assert len(publications) > 5
    for each in publications:
        assert each.payload.encode()
