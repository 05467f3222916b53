import pytest

from tuya.simulator.load import DAY_S, POWER_FACTORS, PROFILES, THREE_PHASE_HOUSE, energy_wh, means

# Wh of a day: a change of a profile shows here, and with it in every benchmark that uses it
DAY_WH = {
    "standby": 14.4,
    "refrigerator": 893.15,
    "kettle": 716.07,
    "washing_machine": 1175.2,
    "electric_car": 18786.8,
    "heat_pump": 35303.9,
    "photovoltaic": -24776.5,
}


@pytest.mark.parametrize("name", PROFILES)
def test_a_day_has_always_the_same_energy(name):
    assert energy_wh(PROFILES[name], 0.0, DAY_S, 10.0) == pytest.approx(DAY_WH[name], rel=1e-4)


@pytest.mark.parametrize("name", PROFILES)
def test_days_repeat_and_moments_do_not_depend_on_history(name):
    watts = PROFILES[name]
    for t_s in (0.0, 3.3, 25_000.5, 36_500.25, 45_000.75, 70_000.0, 86_399.9):
        assert watts(t_s) == watts(t_s)
        assert watts(t_s + DAY_S) == pytest.approx(watts(t_s))


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize(("resolution_s", "within"), [(5.0, 0.003), (60.0, 0.03)])
def test_means_keep_the_energy_at_any_resolution(name, resolution_s, within):
    fine_wh = energy_wh(PROFILES[name], 0.0, DAY_S, 10.0)
    assert energy_wh(PROFILES[name], 0.0, DAY_S, resolution_s) == pytest.approx(fine_wh, rel=within)


def test_shapes():
    refrigerator, kettle = means(PROFILES["refrigerator"], 1.0, 7200.0), means(PROFILES["kettle"], 10.0)
    assert max(refrigerator) > 300
    assert min(refrigerator) == pytest.approx(1.4)
    assert sum(1 for before, after in zip(kettle, kettle[1:]) if before == 0 < after) == 8
    washing = means(PROFILES["washing_machine"], 1.0, 3600.0, 10 * 3600.0)
    assert 1800 < max(washing) < 2400
    assert sum(1 for before, after in zip(washing, washing[1:]) if abs(after - before) > 100) > 200
    photovoltaic = means(PROFILES["photovoltaic"], 60.0)
    assert min(photovoltaic) < -4000
    assert max(photovoltaic) == pytest.approx(2.5)
    assert set(PROFILES) == set(POWER_FACTORS)


def test_the_house_is_unbalanced_and_one_phase_returns():
    day = [energy_wh(watts, 0.0, DAY_S, 10.0) for watts in THREE_PHASE_HOUSE]
    assert day[0] > 30_000 > day[2] > 15_000
    assert day[1] < -15_000
