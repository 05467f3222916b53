import json

import pytest

from tuya.simulator import PRODUCTS, Fleet
from tuya.simulator.products import TO_Q_SY1_JWT, TO_Q_SY2_JWT

KINDS = {"Boolean", "Integer", "Enum", "Bitmap", "Raw", "String"}
QUANTITIES = {
    "voltage",
    "current",
    "power",
    "phase",
    "used",
    "returned",
    "increment",
    "power_factor",
    "frequency",
    "temperature",
}


@pytest.mark.parametrize("product", PRODUCTS.values(), ids=lambda product: product.model)
def test_products_are_whole(product):
    numbers = [dp.dp for dp in product.dps]
    assert numbers == sorted(set(numbers))
    assert len({dp.code for dp in product.dps}) == len(numbers)
    assert {dp.kind for dp in product.dps} <= KINDS
    assert {feed.dp for feed in product.feeds} <= set(numbers)
    assert {feed.quantity for feed in product.feeds} <= QUANTITIES
    assert {feed.channel for feed in product.feeds} <= {*product.channels, "total"}
    assert len(product.phases) == len(product.channels)
    assert {*product.trip, *product.calm, *product.absent_from_query} <= set(numbers)
    for special in (product.switch_dp, product.power_on_dp, product.countdown_dp):
        assert special is None or special in numbers
    for dp in product.dps:
        if dp.kind == "Enum":
            assert dp.first in dp.values["range"]
        if dp.kind == "Integer":
            assert dp.values["min"] <= dp.first <= dp.values["max"]


def test_the_sy1_has_exactly_its_dps():
    codes = {dp.dp: dp.code for dp in TO_Q_SY1_JWT.dps}
    assert codes == {
        1: "switch_1",
        9: "countdown_1",
        17: "add_ele",
        18: "cur_current",
        19: "cur_power",
        20: "cur_voltage",
        21: "test_bit",
        22: "voltage_coe",
        23: "electric_coe",
        24: "power_coe",
        25: "electricity_coe",
        26: "fault",
        38: "relay_status",
        40: "light_mode",
        41: "child_lock",
        42: "cycle_time",
        66: "online_state",
    }
    assert {dp.dp for dp in TO_Q_SY2_JWT.dps} - set(codes) == {47, 48, 49}


def test_devices_json_has_what_its_readers_need():
    fleet = Fleet(product=list(PRODUCTS), version=["3.1", "3.5"], count=7, seed="x")
    entries = json.loads(json.dumps(fleet.devices()))
    assert [entry["product_id"] for entry in entries] == [*PRODUCTS, *list(PRODUCTS)[:2]]
    assert [entry["version"] for entry in entries] == ["3.1", "3.5"] * 3 + ["3.1"]
    assert len({entry["name"] for entry in entries}) == 7
    for entry in entries:
        assert len(entry["key"]) == 16
        assert len(entry["id"]) == 20
        for dp, model in entry["mapping"].items():
            assert dp.isdecimal()
            assert set(model) == {"code", "type", "values"}
    assert entries[0]["mapping"]["20"] == {
        "code": "cur_voltage",
        "type": "Integer",
        "values": {"unit": "V", "min": 0, "max": 5000, "scale": 1, "step": 1},
    }


def test_ids_and_keys_are_random_unless_seeded():
    def names(seed):
        return [(b.device_id, b.local_key) for b in Fleet(count=3, seed=seed).breakers]

    assert names("a") == names("a")
    assert len({*names("a"), *names("b"), *names(None), *names(None)}) == 12
