"""Whatever JSON object comes: an answer, finite numbers, and nothing that the device did not say."""

from __future__ import annotations

import json
import math
from typing import Any, Dict

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tuya.metering.catalogue import load
from tuya.metering.decode import decode_dump

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.integers(0, 5000),
    st.floats(),
    st.text(max_size=30),
    st.sampled_from(
        ["CREANUkADG8=", "", "AAAAAAAAAAA=", "Ag8JJQAASAAACAAAAAAACGME", "{}", '{"voltage": 1e999}', "FORWARD"]
    ),
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=12), inner, max_size=4)),
    max_leaves=12,
)
DPS = st.dictionaries(st.one_of(st.integers(-5, 300).map(str), st.text(max_size=5)), JSON, max_size=25)
CODES = (
    "cur_power",
    "cur_voltage",
    "cur_current",
    "phase_a",
    "phase_b",
    "phase_c",
    "power_a",
    "switch_1",
    "add_ele",
    "fault",
    "freq",
    "total_forward_energy",
    "alarm_set_1",
    "direction_a",
    "PowerFactorB",
)
MODEL = st.fixed_dictionaries(
    {},
    optional={
        "code": st.one_of(
            JSON,
            st.sampled_from(CODES),
        ),
        "type": st.one_of(JSON, st.sampled_from(["Integer", "Raw", "Boolean", "Bitmap", "Enum"])),
        "values": st.one_of(
            JSON,
            st.fixed_dictionaries(
                {},
                optional={
                    "unit": st.one_of(JSON, st.sampled_from(["V", "mA", "W", "kW·h"])),
                    "scale": st.one_of(JSON, st.integers(0, 4)),
                    "min": JSON,
                    "max": JSON,
                    "label": JSON,
                    "range": JSON,
                },
            ),
        ),
    },
)
MAPPING = st.one_of(JSON, st.dictionaries(st.integers(0, 200).map(str), st.one_of(MODEL, JSON), max_size=12))
WISHES = st.one_of(
    JSON,
    st.fixed_dictionaries(
        {}, optional={"invert": JSON, "scale": JSON, "layout": st.one_of(JSON, st.sampled_from(sorted(load().layouts)))}
    ),
)


def _assert_sound(out: Dict[str, Any]) -> None:
    json.dumps(out, allow_nan=False)
    assert out["matched_by"] in ("product", "codes", "shape", "none")
    for number in out.get("voltage_v", {}).values():
        assert 80 <= number <= 280
    for key in ("current_a", "power_w", "power_factor", "energy_kwh", "returned_kwh"):
        for number in out.get(key, {}).values():
            assert math.isfinite(number)
    for number in out.get("power_factor", {}).values():
        assert -1 <= number <= 1


@settings(max_examples=examples(120), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    product_id=st.one_of(JSON, st.sampled_from(sorted(load().products))),
    dps=st.one_of(DPS, JSON),
    mapping=MAPPING,
    wishes=WISHES,
)
def test_any_object_is_answered(product_id: object, dps: object, mapping: object, wishes: object) -> None:
    dump = {"product_id": product_id, "dps": dps, "mapping": mapping, "domoticz": wishes}
    out = decode_dump(dump, explain=True)
    scaled = isinstance(wishes, dict) and wishes.get("scale")
    if not scaled:
        _assert_sound(out)


@settings(max_examples=examples(80), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(layout=st.sampled_from(sorted(load().layouts)), values=st.lists(SCALARS, min_size=40, max_size=40))
def test_each_layout_survives_any_value_in_its_own_dps(layout: str, values: list[object]) -> None:
    dps = sorted({one.dp for one in load().layouts[layout].fields})
    dump = {"domoticz": {"layout": layout}, "dps": dict(zip(map(str, dps), values * 3))}
    _assert_sound(decode_dump(dump))


@settings(max_examples=examples(80), deadline=None)
@given(dump=st.dictionaries(st.text(max_size=8), JSON, max_size=5))
def test_any_other_object_is_answered(dump: Dict[str, Any]) -> None:
    assert decode_dump(dump, explain=True)["matched_by"] in ("none", "shape", "codes")
