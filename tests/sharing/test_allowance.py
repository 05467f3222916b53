"""How many commands of one who asks are carried out."""

from __future__ import annotations

from tuya.sharing.allowance import ALL_PER_S, BURST_COMMANDS, BURST_OF_ALL, PASSED_ON, Allowance, of_one_device


def test_a_house_of_200_breakers_is_switched_at_once_and_back():
    allowance = Allowance()
    for at_s in (0.0, 0.5, 2.0):
        assert all(allowance.take(f"breaker{n}", at_s) for n in range(200))


def test_a_storm_on_one_breaker_takes_nothing_from_another():
    allowance = Allowance()
    assert [allowance.take("one", 0.0) for _ in range(BURST_OF_ALL)].count(True) == BURST_COMMANDS + PASSED_ON
    assert allowance.take("another", 0.0)
    assert allowance.take("one", 1.0), "one more each second"
    assert not allowance.take("one", 1.5)


def test_a_flood_over_many_breakers_is_bounded():
    allowance = Allowance()
    taken = sum(allowance.take(f"breaker{n % 1000}", n / 20_000) for n in range(60_000))
    assert taken <= BURST_OF_ALL + 3 * ALL_PER_S + 1


def test_who_keeps_the_rule_is_not_refused_because_a_line_took_its_time():
    allowance, own = Allowance(), of_one_device()
    at_s = 0.0
    for number in range(200):
        at_s += 0.3
        if own.take(at_s):
            assert allowance.take("one", at_s + (0.02 if number % 2 else 0.0))
