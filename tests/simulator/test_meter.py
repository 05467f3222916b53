import base64
import math
import random
import statistics
import struct

import pytest

from tests.simulator.bench import Bench
from tuya.simulator import PRODUCTS
from tuya.simulator.meter import Circuit, Meter, as_load, phase_record
from tuya.simulator.products import THREE_PHASE_METER, TO_Q_SY1_JWT, TO_Q_SYS_JWT, TWO_CLAMP_METER


def meter_of(product=TO_Q_SY1_JWT, noise=0.0):
    return Meter(product, random.Random(7), noise, 0.0)


def run(meter, seconds, start_s=0.0, closed=True):
    """One second at a time; what is pushed, with its second."""
    pushed = []
    for second in range(1, seconds + 1):
        meter.advance(start_s + second, closed)
        due = meter.due(start_s + second)
        if due:
            pushed.append((start_s + second, due))
    return pushed


def test_volts_amperes_and_watts_fit_each_other():
    meter = meter_of()
    meter.set_load(as_load(1150.0, 0.5), ["1"])
    meter.advance(1.0, True)
    assert (meter.values[20], meter.values[19], meter.values[18]) == (2300, 11500, 10000)


def test_an_open_relay_leaves_only_the_voltage():
    meter = meter_of()
    meter.set_load(as_load(1150.0), ["1"])
    meter.advance(1.0, False)
    assert (meter.values[18], meter.values[19], meter.values[20]) == (0, 0, 2300)


def test_noise_is_that_of_real_mains():
    meter = meter_of(noise=1.0)
    meter.set_load(as_load(1000.0, 0.9), ["1"])
    volts, watts = [], []
    for second in range(1, 601):
        meter.advance(float(second), True)
        circuit = meter.circuits["1"]
        volts.append(circuit.voltage_v - 1.5 * math.sin(2 * math.pi * second / 900.0))
        watts.append(circuit.power_w)
        assert circuit.power_w == pytest.approx(circuit.voltage_v * circuit.current_a * 0.9)
    assert statistics.mean(volts) == pytest.approx(230.0, abs=0.05)
    assert statistics.stdev(volts) == pytest.approx(0.3, rel=0.1)
    assert statistics.mean(watts) == pytest.approx(1000.0, abs=0.5)
    assert statistics.stdev(watts) == pytest.approx(3.0, rel=0.1)


def test_values_are_cut_to_the_lsb_of_the_dp():
    meter = meter_of()
    meter.set_load(as_load(0.64), ["1"])
    meter.advance(1.0, True)
    assert (meter.values[19], meter.values[18]) == (6, 3)


def test_a_reading_is_the_mean_of_its_second():
    meter = meter_of()
    meter.set_load(as_load(lambda t_s: 100.0 if t_s < 0.5 else 200.0), ["1"])
    meter.advance(1.0, True)
    assert meter.values[19] == 1500


def test_a_push_when_w_moved_by_5_percent_and_5_w_and_unchanged_dps_left_out():
    meter = meter_of()
    meter.set_load(as_load(1000.0), ["1"])
    assert run(meter, 5) == [(1.0, {17: 0, 18: 4348, 19: 10000, 20: 2300})]
    meter.set_load(as_load(1049.0), ["1"])
    assert run(meter, 5, 5.0) == []
    meter.set_load(as_load(1051.0), ["1"])
    assert run(meter, 5, 10.0) == [(11.0, {18: 4570, 19: 10510})]
    meter.set_load(as_load(60.0), ["1"])
    run(meter, 5, 15.0)
    meter.set_load(as_load(64.0), ["1"])  # 6.7 %, but 4 W only
    assert run(meter, 5, 20.0) == []
    meter.set_load(as_load(65.1), ["1"])
    assert run(meter, 5, 25.0) == [(26.0, {18: 283, 19: 651})]


def test_at_most_one_push_in_2_s():
    meter = meter_of()
    meter.set_load(as_load(lambda t_s: 200.0 if int(t_s) % 3 else 1000.0), ["1"])
    seconds = [second for second, _ in run(meter, 60)]
    pauses = [later - earlier for earlier, later in zip(seconds, seconds[1:])]
    assert len(seconds) >= 20
    assert min(pauses) == 2.0


def test_a_small_change_waits_for_the_regular_report():
    meter = meter_of()
    meter.set_load(as_load(1000.0), ["1"])
    run(meter, 5)
    meter.set_load(as_load(1010.0), ["1"])
    assert run(meter, 700, 5.0)[0] == (600.0, {17: 168, 18: 4391, 19: 10100})


def test_increments_add_up_to_what_was_used():
    meter = meter_of()
    meter.set_load(as_load(1000.0), ["1"])
    increments = [dps[17] for _, dps in run(meter, 3600) if dps.get(17)]
    assert increments == [166, 167, 167, 166, 167, 167]
    assert sum(increments) == 1000
    assert meter.values[17] == 167  # what a query repeats


def test_an_equal_increment_is_reported_all_the_same():
    meter = meter_of()
    meter.set_load(as_load(600.0), ["1"])
    assert [dps[17] for _, dps in run(meter, 1800) if dps.get(17)] == [100, 100, 100]


def test_a_refresh_brings_what_changed_since_the_last_report():
    meter = meter_of()
    meter.set_load(as_load(1000.0), ["1"])
    run(meter, 3)
    assert meter.changed([18, 19, 20]) == {}
    meter.set_load(as_load(1001.0), ["1"])
    meter.advance(4.0, True)
    assert meter.changed([19, 20]) == {19: 10010}
    assert meter.changed([19, 20]) == {}
    meter.forget_reports()
    assert meter.changed([17, 18, 19, 20]) == {18: 4352, 19: 10010, 20: 2300}


def test_a_counter_shows_whole_steps_and_never_more_than_flowed():
    meter = meter_of(TO_Q_SYS_JWT)
    assert meter.values[1] == 132
    meter.set_load(as_load(3600.0), ["1"])  # 1 Wh a second: a step of 0.01 kWh each 10 s
    shown = []
    for second in range(1, 101):
        meter.advance(float(second), True)
        shown.append(meter.values[1])
    assert shown[8:11] == [132, 133, 133]
    assert shown[-1] == 142
    assert meter.values[125] == 142


def test_a_phase_record():
    assert phase_record(Circuit(228.1, 0.021, 5.0)) == "COkAABUAAAU="
    assert phase_record(Circuit(225.7, 10.128, 2284.0)) == "CNEAJ5AACOw="
    volts, rest = struct.unpack(">HI", base64.b64decode(phase_record(Circuit(230.0, 100.0, 70000.0)))[:6])
    assert (volts, rest >> 8) == (2300, 100000)
    assert base64.b64decode(phase_record(Circuit(230.0, 100.0, 70000.0)))[5:] == (70000).to_bytes(3, "big")


def test_three_phases_each_with_its_own_load():
    meter = meter_of(THREE_PHASE_METER)
    for channel, watts in (("a", 2300.0), ("b", 230.0), ("c", 23.0)):
        meter.set_load(as_load(watts), [channel])
    meter.advance(3600.0, True)
    assert (meter.values[29], meter.values[1], meter.values[50]) == (2553, 255, 100)
    assert base64.b64decode(meter.values[7]) == bytes.fromhex("08fc0003e80000e6")


def test_two_clamps_in_both_directions():
    meter = meter_of(TWO_CLAMP_METER)
    meter.set_load(as_load(-3000.0), ["a"])
    meter.set_load(as_load(1000.0, 0.5), ["b"])
    meter.advance(3600.0, True)
    shown = meter.values
    assert (shown[108], shown[111], shown[9]) == (-3000, 1000, -2000)
    assert (shown[101], shown[102], shown[103], shown[104]) == (0, 300, 100, 0)
    assert (shown[1], shown[2]) == (100, 300)
    assert (shown[110], shown[112]) == (8696, 50)


def test_energy_of_time_that_nobody_watched():
    meter = meter_of(TO_Q_SYS_JWT)
    meter.set_load(as_load(500.0), ["1"])
    meter.advance(86400.0, True)
    assert meter.circuits["1"].used_wh == pytest.approx(12000.0)


def test_clear_energy_starts_again_from_0():
    bench = Bench("3.4", product="kmnzgh4yn8pa0lqh", load_w=36000.0)
    bench.go(10)
    assert bench.breaker.dps[1] == 142
    _, pushed = bench.write({12: True})
    assert pushed.dps == {1: 0, 12: False, 125: 0, **{dp: pushed.dps[dp] for dp in (6, 131) if dp in pushed.dps}}
    bench.go(10)
    assert bench.breaker.dps[1] == 10


@pytest.mark.parametrize("product", PRODUCTS.values(), ids=lambda product: product.model)
def test_every_real_sample_rule_holds_on_every_product(product):
    meter = meter_of(product, noise=1.0)
    meter.set_load(as_load(lambda t_s: 2000.0 + 1900.0 * math.sin(t_s), 0.9), product.channels)
    for second in range(1, 120):
        meter.advance(float(second), True)
        for circuit in meter.circuits.values():
            assert 0 <= circuit.power_w <= 1.03 * circuit.voltage_v * circuit.current_a + 2


def test_a_load_that_cannot_be():
    meter = meter_of()
    with pytest.raises(KeyError, match="no channel b"):
        meter.set_load(as_load(1.0), ["b"])
    with pytest.raises(ValueError, match="power factor"):
        meter.set_load(as_load(1.0, 0.0), ["1"])
