import pytest

from tests.simulator.bench import Bench
from tuya.simulator import Fleet, UnknownFault


def test_the_load_follows_the_relay_and_is_reported_by_rule():
    bench = Bench("3.4", load_w=1000.0)
    bench.query()
    _, relay = bench.write({1: False})
    assert relay.dps == {1: False}
    (readings,) = bench.go(1)
    assert readings.dps == {18: 0, 19: 0}
    bench.write({1: True})
    assert [frame.dps for frame in bench.go(3)] == [{18: 4348, 19: 10000}]


def test_a_new_load_is_reported_at_once():
    bench = Bench("3.4", load_w=100.0)
    bench.query()
    bench.breaker.set_load(460.0)
    bench.fleet.run_due()
    (readings,) = bench.take()
    assert readings.dps == {18: 2000, 19: 4600}


def test_the_button_and_the_protection_are_reported():
    bench = Bench("3.4")
    bench.breaker.set_relay(False)
    assert bench.take()[0].dps == {1: False}
    bench.breaker.set_relay(True)
    assert bench.take()[0].dps == {1: True}
    bench.breaker.trip()
    assert bench.take()[0].dps == {1: False, 26: 1}
    assert bench.write({1: True})[1].dps == {1: True, 26: 0}


def test_pushes_by_hand():
    bench = Bench("3.4", load_w=230.0)
    bench.breaker.push()
    assert bench.take()[0].dps == {17: 0, 18: 1000, 19: 2300, 20: 2300}
    bench.breaker.push([1, 19])
    assert bench.take()[0].dps == {1: True, 19: 2300}
    bench.breaker.push({26: 4, 38: "off"})
    assert bench.take()[0].dps == {26: 4, 38: "off"}
    assert bench.breaker.dps[38] == "off"


def test_phase_a_is_missing_from_queries_and_comes_on_refresh():
    bench = Bench("3.3", product="kmnzgh4yn8pa0lqh", load_w=4.83)
    (answer,) = bench.query()
    assert 6 not in answer.dps
    assert (answer.dps[1], answer.dps[16]) == (132, True)
    _, pushed = bench.ask(18, {"dpId": [6]})
    assert pushed.dps == {6: "CPwAABUAAAU="}  # 230.0 V 0.021 A 5 W


def test_a_countdown_switches_when_it_ends():
    bench = Bench("3.4")
    assert bench.write({9: 5})[1].dps == {9: 5}
    bench.go(3)
    assert bench.breaker.dps[9] == 2
    switched = [frame.dps for frame in bench.go(3) if 1 in frame.dps]
    assert switched == [{1: False, 9: 0}]
    assert bench.breaker.dps[9] == 0


@pytest.mark.parametrize(
    ("state", "before", "after"), [("off", True, False), ("on", False, True), ("memory", False, False)]
)
def test_the_relay_after_power_on(state, before, after):
    bench = Bench("3.4")
    bench.write({38: state})
    bench.write({1: before})
    bench.breaker.power_returned()
    assert bench.breaker.relay is after


def test_energy_is_the_true_integral_and_stops_with_the_relay():
    bench = Bench("3.4", load_w=3600.0)
    bench.go(100)
    bench.write({1: False})
    bench.go(100)
    assert bench.breaker.used_wh == pytest.approx(100.0)
    assert bench.breaker.returned_wh == 0.0


def test_a_load_may_be_a_function_of_the_time():
    bench = Bench("3.4")
    bench.breaker.set_load(lambda t_s: t_s - 1000.0, power_factor=0.8)
    bench.go(50)
    assert bench.breaker.dps[19] == pytest.approx(495, abs=1)
    assert bench.breaker.dps[18] == pytest.approx(49.5 / 230 / 0.8 * 1000, abs=1)


def test_nothing_secret_is_in_a_repr():
    breaker = Fleet().breakers[0]
    assert breaker.local_key.decode() not in repr(breaker)
    assert breaker.device_id not in repr(breaker)
    assert "TO-Q-SY1-JWT" in repr(breaker)


def test_wrong_use_is_said():
    meter = Fleet(product="ab1sqlmvkyfkll6v").breakers[0]
    assert meter.relay is True
    with pytest.raises(ValueError, match="no relay"):
        meter.set_relay(False)
    with pytest.raises(KeyError, match="no channel 1"):
        meter.set_load(1.0, channel="1")
    with pytest.raises(UnknownFault, match="no fault 'explode'"):
        meter.fault("explode")
    with pytest.raises(ValueError, match="16 characters, not 3"):
        meter.fault("new_key", key="abc")
