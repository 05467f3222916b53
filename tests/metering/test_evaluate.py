"""What several data points of one layout say about each other."""

from __future__ import annotations

from typing import Dict, List, Mapping, Tuple

import pytest

from tuya.metering import families
from tuya.metering.evaluate import read
from tuya.metering.layout import TOTAL, Field, Layout
from tuya.metering.shape import without_dead_phases


def powers(fields: Tuple[Field, ...], dps: Mapping[int, object]) -> Tuple[Dict[str, float], List[str]]:
    said: List[str] = []
    return dict(read(Layout("", fields), dps, note=said.append).power_w), said


@pytest.mark.parametrize(
    ("dps", "power_w", "said"),
    [
        ({1: 15000, 2: 1490}, 1500.0, "scale error"),
        ({1: 1490, 2: 1490}, 1490.0, ""),
        ({1: 15000, 2: 4000}, 4000.0, "is not believed"),
        ({2: 900}, 900.0, ""),
    ],
)
def test_a_doubtful_power_is_held_against_a_second_one(dps: Dict[int, object], power_w: float, said: str) -> None:
    found, notes = powers((Field(1, "power", doubtful=True), Field(2, "power", fallback=True)), dps)
    assert found == {"1": pytest.approx(power_w)}
    assert [said in note for note in notes] == ([True] if said else [])


def test_a_second_one_that_is_doubtful_itself_settles_nothing_and_the_users_factor_stands() -> None:
    dps: Dict[int, object] = {1: 15000, 2: 1490}
    doubtful = (Field(1, "power", doubtful=True), Field(2, "power", fallback=True, doubtful=True))
    assert powers(doubtful, dps)[0] == {"1": 15000.0}
    certain = (Field(1, "power", doubtful=True, certain=True), Field(2, "power", fallback=True))
    assert powers(certain, dps)[0] == {"1": 15000.0}


@pytest.mark.parametrize(("total", "stays"), [(3000, True), (0, False), (300000, False), (500, False)])
def test_a_total_that_its_circuits_contradict_is_left_out(total: int, stays: bool) -> None:
    fields = (Field(1, "power", TOTAL, doubtful=True), Field(2, "power", "a"), Field(3, "power", "b"))
    found, notes = powers(fields, {1: total, 2: 1500, 3: 1490})
    assert (TOTAL in found) is stays
    assert any("power left out" in note for note in notes) is not stays


def charger(**phases: object) -> Tuple[Layout, Dict[int, object]]:
    fields = tuple(Field(dp, "voltage", channel) for dp, channel in ((1, "a"), (2, "b"), (3, "c")))
    layout = Layout("", (*fields, Field(4, "power", TOTAL)), kind=families.CHARGER)
    return layout, {1: phases["a"], 2: phases["b"], 3: phases["c"], 4: 3680}


def test_a_charger_at_one_phase_is_a_device_of_one_circuit() -> None:
    layout = without_dead_phases(*charger(a=230, b=0, c=0))
    assert {(one.dp, one.channel) for one in layout.fields} == {(1, "1"), (4, "1")}


@pytest.mark.parametrize("volts", [{"a": 230, "b": 231, "c": 0}, {"a": 0, "b": 230, "c": 0}, {"a": 0, "b": 0, "c": 0}])
def test_other_dead_phases_leave_it_as_it_is(volts: Dict[str, object]) -> None:
    layout, dps = charger(**volts)
    assert without_dead_phases(layout, dps) is layout
