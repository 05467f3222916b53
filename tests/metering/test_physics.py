"""Scale errors: one power of ten on one quantity is applied and said; what stays in doubt is left out."""

from __future__ import annotations

from typing import Dict, Set

import pytest

from tuya.metering import physics
from tuya.metering.decode import decode_dump


def judge(
    values: Dict[str, float], fixed: Set[str] = frozenset(), doubtful: Set[str] = frozenset()
) -> Dict[str, float]:  # type: ignore[assignment]
    return {name: round(value, 6) for name, value in physics.judge(values, set(fixed), set(doubtful)).values.items()}


@pytest.mark.parametrize(
    ("given", "believed"),
    [
        ((230.0, 1.0, 200.0), (230.0, 1.0, 200.0)),
        ((257.0, 1.0, 250.0), (257.0, 1.0, 250.0)),
        ((230.0, 1.0, 18.4), (230.0, 1.0, 18.4)),  # a factor of 0.08 is real
        ((230.0, 10.0, 2323.0), (230.0, 10.0, 2323.0)),  # 1.01 as well
        ((230.0, 0.1, 0.0), (230.0, 0.1, 0.0)),
        ((230.0, 0.0, 0.0), (230.0, 0.0, 0.0)),
        ((2300.0, 1.0, 200.0), (230.0, 1.0, 200.0)),
        ((23000.0, 1.0, 200.0), (230.0, 1.0, 200.0)),
        ((230.0, 1.0, 2000.0), (230.0, 1.0, 200.0)),
        ((230.0, 1.0, 20000.0), (230.0, 1.0, 200.0)),
        ((230.0, 1.0, 200000.0), (230.0, 1.0, 200.0)),
        ((230.0, 1.0, -2000.0), (230.0, 1.0, -200.0)),
        ((23.0, 1.0, 200.0), (230.0, 1.0, 200.0)),
    ],
)
def test_one_power_of_ten(given: tuple[float, float, float], believed: tuple[float, float, float]) -> None:
    names = ("voltage", "current", "power")
    assert judge(dict(zip(names, given))) == dict(zip(names, believed))


@pytest.mark.parametrize(
    ("given", "left"),
    [
        ((52.7, 1.0, 10.0), {"current", "power"}),
        ((0.0, 0.0, 0.0), {"current", "power"}),
        ((400.0, 1.0, 100.0), {"current", "power"}),
        ((24.0, 0.0, 0.0), {"current", "power"}),  # low, and nothing proves by how much
        ((230.0, 1.0, 300.0), {"voltage", "current"}),  # a third too much: another moment, no scale
        ((230.0, 0.0, 15.0), {"voltage", "current"}),
    ],
)
def test_the_doubtful_quantity_is_left_out(given: tuple[float, float, float], left: Set[str]) -> None:
    assert set(judge(dict(zip(("voltage", "current", "power"), given)))) == left


def test_each_correction_is_said() -> None:
    verdict = physics.judge({"voltage": 2300.0, "current": 1.0, "power": 200.0}, set(), set())
    assert verdict.corrected == {"voltage": 0.1}
    assert len(verdict.notes) == 1
    assert "2300 V" in verdict.notes[0]


def test_a_scale_of_the_user_is_not_touched() -> None:
    assert judge({"voltage": 48.0, "current": 1.0, "power": 480.0}, {"voltage", "power"}) == {
        "voltage": 48.0,
        "current": 1.0,
        "power": 480.0,
    }


def test_a_model_that_lies_about_volts_is_not_trusted_with_watts() -> None:
    assert judge({"voltage": 2412.0, "current": 0.302, "power": 412.0}, set(), {"power"})["power"] == 41.2
    assert "power" not in judge({"voltage": 2412.0, "current": 0.302, "power": 40.0}, set(), {"power"})


@pytest.mark.parametrize(
    ("sent", "hz"),
    [(50.0, 50.0), (5000.0, 50.0), (499.0, 49.9), (0.0, None), (9.0, None), (1234.0, None), (59.9, 59.9)],
)
def test_frequency(sent: float, hz: float) -> None:
    assert physics.plausible_frequency(sent) == hz


@pytest.mark.parametrize(
    ("sent", "apparent_va", "power_w", "factor"),
    [
        (0.83, 1000.0, 830.0, 0.83),
        (83.0, 1000.0, 830.0, 0.83),
        (0.08, 100.0, 8.0, 0.08),
        (0.0, 1000.0, 830.0, None),  # not measured
        (0.0, None, 0.0, 0.0),
        (0.0, None, None, None),
        (0.2, 1000.0, 830.0, 0.2),  # of another moment
        (0.083, 1000.0, 830.0, 0.83),
        (9.9, None, None, None),
        (0.99, None, None, 0.99),
    ],
)
def test_power_factor(sent: float, apparent_va: float, power_w: float, factor: float) -> None:
    assert physics.plausible_factor(sent, apparent_va, power_w) == factor


def test_a_power_factor_of_unknown_lsb_must_fit() -> None:
    assert physics.plausible_factor(0.2, 1000.0, 830.0, doubtful=True) is None
    assert physics.plausible_factor(0.83, None, None, doubtful=True) is None
    assert physics.plausible_factor(0.85, 1000.0, 830.0, doubtful=True) == 0.85
    # 0.01 is no 1: a guess is not raised
    assert physics.plausible_factor(0.01, 1000.0, 900.0, doubtful=True) is None
    assert physics.plausible_factor(0.0095, 1000.0, 900.0) == 0.95


def test_a_wish_overrides_physics() -> None:
    dps = {"1": True, "18": 1000, "19": 2000, "20": 4800}
    out = decode_dump(
        {"product_id": "jdj6ccklup7btq3a", "dps": dps, "domoticz": {"scale": {"voltage": 0.1, "power": 0.1}}}
    )
    assert out["voltage_v"] == {"1": 48}
    assert out["power_w"] == {"1": 20}


def test_a_wish_scales_a_phase_record() -> None:
    dump = {"product_id": "ejo7xbrodydgnavj", "dps": {"6": "CREANUkADG8="}, "domoticz": {"scale": {"power": 0.1}}}
    assert decode_dump(dump)["power_w"] == {"1": 318.3}


@pytest.mark.parametrize(
    ("power_w", "witness_w", "factor"),
    [
        (1500.0, 1500.4, 1.0),
        (15000.0, 1490.0, 0.1),
        (150.0, 1490.0, 10.0),
        (-15000.0, -1490.0, 0.1),
        (0.3, 0.1, 1.0),  # within one step of the witness
        (15000.0, -1490.0, None),  # the one draws, the other gives back
        (900.0, 4.0, None),  # four steps tell no scale
        (5000.0, 1500.0, None),  # another moment, or another thing
        (1e12, 1500.0, None),
    ],
)
def test_another_data_point_tells_the_scale_of_a_power(power_w: float, witness_w: float, factor: object) -> None:
    assert physics.same_at_another_scale(power_w, witness_w, 1.0) == factor


def test_no_power_beside_a_loaded_circuit_is_not_measured() -> None:
    loaded = {"voltage": 230.0, "current": 5.0, "power": 0.0}
    assert judge(loaded) == {"voltage": 230.0, "current": 5.0}
    assert judge(loaded, doubtful={"current", "power"}) == {"voltage": 230.0}
    assert judge(loaded, fixed={"power"}) == loaded
