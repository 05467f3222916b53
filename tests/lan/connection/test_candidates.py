"""Which address and version come next: hints may cost a session, and lead nobody away from what worked or was given."""

from __future__ import annotations

from typing import Any, List

import pytest

from tuya.lan.connection.candidates import Addresses, Versions
from tuya.lan.errors import Busy, Mute, ProtocolViolation, Unreachable, WrongKey, WrongVersion

HOME, EVIL = "10.0.0.1", "10.6.6.6"


def fail(
    versions: Versions, address: str = HOME, times: int = 1, error: Any = Mute, now_s: float = 0.0, **more: Any
) -> List[str]:
    """Let tries fail; the versions that were tried."""
    tried = []
    fields = {"hint": "", "hint_proven": False, "key_disproved": False, **more}
    for _ in range(times):
        tried.append(versions.current(address))
        versions.version_failed(tried[-1], address, error("", "x"), now_s, **fields)
    return tried


# -- versions


def test_nothing_known_is_guessed_in_turns_and_never_as_what_proves_nothing():
    assert fail(Versions(None, fixed=False), times=6) == ["3.3", "3.4", "3.5", "3.2", "3.3", "3.4"]


@pytest.mark.parametrize("version", ["3.2", "3.3", "3.4", "3.5"])
def test_what_is_announced_is_tried_first_and_every_second_time(version):
    versions = Versions(None, fixed=False)
    assert versions.hear(version, HOME)
    assert not versions.hear(version, HOME)
    assert not versions.hear("4.0", HOME)
    tried = fail(versions, times=12)
    assert tried[:2] == [version, version]
    assert tried[3::2] == [version] * 5
    assert set(tried) == {"3.2", "3.3", "3.4", "3.5"}


@pytest.mark.parametrize("known", ["3.1", "3.2", "3.3"])
def test_a_version_that_only_the_peer_hints_at_does_not_come_before_what_is_known(known):
    versions = Versions(known, fixed=False)
    versions.hear("3.5", HOME)
    assert fail(versions, error=WrongVersion, hint="3.4") == ["3.5"]
    assert fail(versions, error=WrongVersion) == [known]
    versions = Versions(known, fixed=False)  # but at once after that
    assert fail(versions, error=WrongVersion, hint="3.4") == [known]
    assert versions.current(HOME) == "3.4"


def test_a_flood_of_addresses_does_not_put_off_what_is_known():
    versions = Versions("3.3", fixed=False)
    tried = []
    for number in range(200):
        versions.hear("3.5", HOME)
        for other in range(30):
            versions.hear("3.5", f"10.6.{number}.{other}")
        tried += fail(versions)
    assert tried.count("3.3") >= 60


@pytest.mark.parametrize("proven", ["3.2", "3.3", "3.4", "3.5"])
def test_what_has_worked_is_never_lowered(proven):
    order = ["3.1", "3.2", "3.3", "3.4", "3.5"]
    lower = set(order[: order.index(proven)])
    versions = Versions(None, fixed=False)
    versions.version_worked(proven)
    for each in order:
        assert versions.hear(each, HOME) is (order.index(each) > order.index(proven))
        assert versions.hear(each, EVIL) is (order.index(each) > order.index(proven))
    for hint in order:
        tried = fail(versions, HOME, 10, WrongVersion, hint=hint) + fail(versions, EVIL, 10, hint=hint)
        assert not lower & set(tried)
        assert tried.count(proven) >= 8


@pytest.mark.parametrize("hint", ["3.1", "3.2", "3.3", "3.4"])
def test_a_given_version_is_tried_first_and_a_lower_one_only_after_it_failed(hint):
    versions = Versions("3.5", fixed=False)
    assert not versions.hear(hint, HOME)
    tried = fail(versions, times=6, error=WrongVersion, hint=hint)
    assert tried[0] == "3.5"
    # the file may be wrong: what is announced comes after one failure, and the given one again; 3.1 not at all
    assert tried[1:3] == (["3.5", "3.3"] if hint == "3.1" else [hint, "3.5"])
    assert "3.1" not in tried
    assert versions.known == "3.5"


def test_a_raised_version_is_found_and_a_false_one_costs_one_session():
    versions = Versions("3.3", fixed=False)
    versions.version_worked("3.3")
    assert versions.hear("3.4", HOME)
    assert fail(versions) == ["3.4"]
    assert versions.current(HOME) == "3.3"  # what has worked is next
    versions.version_worked("3.3")
    # a device that announces another version than it speaks (reported): not tried first again
    assert versions.current(HOME) == "3.3"
    assert not versions.hear("3.4", EVIL)
    assert versions.current(EVIL) == "3.3"
    # but when it is raised one day, its failures lead there
    assert fail(versions, times=3) == ["3.3", "3.3", "3.4"]
    versions.version_worked("3.4")
    assert versions.known == "3.4"


@pytest.mark.parametrize("error", [Busy, Mute])
def test_what_has_worked_keeps_its_tries_and_higher_ones_have_a_turn_each(error):
    versions = Versions(None, fixed=False)
    versions.version_worked("3.3")
    tried = fail(versions, times=12, error=error)
    assert tried[:7] == ["3.3", "3.3", "3.4", "3.3", "3.5", "3.3", "3.3"]
    # closed before an answer, as while somebody else holds it: that alone says nothing more for a while
    assert tried[7:] == (["3.3"] * 5 if error is Busy else ["3.4", "3.3", "3.3", "3.5", "3.3"])
    # another key: that is no other version
    versions.version_worked("3.3")
    assert fail(versions, times=3, error=WrongKey) == ["3.3"] * 3


def test_further_turns_of_others_come_after_a_while():
    versions = Versions(None, fixed=False)
    versions.version_worked("3.3")
    fail(versions, times=6, error=Busy)
    assert fail(versions, error=Busy, now_s=39.9) == ["3.3"]
    assert versions.current(HOME) == "3.3"
    assert fail(versions, error=Busy, now_s=40.0) == ["3.3"]
    assert versions.current(HOME) == "3.4"
    # one that is announced as raised has a turn at once, and further ones: it may be restarting still
    assert versions.hear("3.5", HOME)
    assert fail(versions, times=7, error=Busy) == ["3.5", "3.3", "3.3", "3.5", "3.3", "3.3", "3.5"]


def test_of_many_higher_ones_two_are_tried_early():
    versions = Versions(None, fixed=False)
    versions.version_worked("3.2")
    assert fail(versions, times=9, error=Busy) == ["3.2", "3.2", "3.3", "3.2", "3.4"] + ["3.2"] * 4


def test_a_guess_that_failed_is_tried_at_once_where_it_is_announced_later():
    versions = Versions(None, fixed=False)
    versions.version_worked("3.4")
    assert "3.5" in fail(versions, times=6)
    versions.version_worked("3.4")
    assert versions.hear("3.5", HOME)
    assert fail(versions) == ["3.5"]


@pytest.mark.parametrize("proven", [True, False])
def test_a_higher_hint_is_followed_at_once_and_once(proven):
    versions = Versions("3.3", fixed=False)
    assert fail(versions, error=WrongVersion, hint="3.4", hint_proven=proven) == ["3.3"]
    assert fail(versions, error=WrongVersion, hint="3.5", hint_proven=proven) == ["3.4"]
    assert versions.current(HOME) == "3.3"


def test_a_lower_hint_sealed_under_our_key_is_followed_where_nothing_has_worked():
    versions = Versions("3.5", fixed=False)
    fail(versions, error=WrongVersion, hint="3.4", hint_proven=True)
    assert versions.current(HOME) == "3.4"
    versions.version_worked("3.5")
    fail(versions, error=WrongVersion, hint="3.4", hint_proven=True)
    assert versions.current(HOME) == "3.5"


@pytest.mark.parametrize(("given", "fixed"), [("3.1", False), ("3.1", True), (None, False), ("3.3", False)])
def test_3_1_only_where_it_was_chosen_given_or_has_worked(given, fixed):
    versions = Versions(given, fixed=fixed)
    wanted = given == "3.1"
    assert versions.trusts_plain("3.1") is wanted
    assert versions.hear("3.1", HOME) is False
    assert versions.only_unsealed(HOME) is not wanted
    assert ("3.1" in fail(versions, times=20)) is wanted
    assert not versions.trusts_plain("3.5")
    versions.hear("3.4", HOME)
    assert not versions.only_unsealed(HOME)


def test_3_1_that_was_given_may_be_raised():
    versions = Versions("3.1", fixed=False)
    assert versions.hear("3.3", HOME)
    assert fail(versions, times=3) == ["3.3", "3.1", "3.1"]
    versions.hear("3.4", HOME)
    versions.version_worked("3.4")
    assert versions.current(HOME) == "3.4"
    assert not versions.trusts_plain("3.1")


@pytest.mark.parametrize("version", ["3.1", "3.3", "3.5"])
def test_a_chosen_version_is_the_only_one(version):
    fixed = Versions(version, fixed=True)
    for hint in ("3.1", "3.4", "3.5"):
        fixed.hear(hint, HOME)
        assert fail(fixed, times=3, error=WrongVersion, hint=hint) == [version] * 3


def test_the_turns_of_one_address_are_not_those_of_another():
    versions = Versions("3.5", fixed=False)
    versions.hear("3.3", EVIL)
    # addresses alternate: in step with the versions the device at home would only be asked as 3.3
    for _ in range(50):
        fail(versions, EVIL, error=ProtocolViolation, hint="3.3")
        assert versions.current(HOME) == "3.5"
    for number in range(1000):
        fail(versions, f"10.7.{number // 250}.{number % 250}")
    assert len(versions._turns) <= 16


def test_what_says_nothing_about_the_version_changes_nothing():
    versions = Versions("3.3", fixed=False)
    assert fail(versions, times=5, error=Unreachable) == ["3.3"] * 5
    assert fail(versions, times=5, error=WrongKey, key_disproved=True) == ["3.3"] * 5
    assert fail(versions, times=5) == ["3.3", "3.3", "3.4", "3.3", "3.5"]


def test_is_sure():
    versions = Versions("3.3", fixed=False)
    assert not versions.is_sure("3.3", HOME)
    versions.hear("3.3", HOME)
    assert versions.is_sure("3.3", HOME)
    assert not versions.is_sure("3.3", EVIL)
    versions.version_worked("3.4")
    assert versions.is_sure("3.4", EVIL)


# -- addresses


def test_the_proven_address_has_every_second_turn():
    addresses = Addresses(HOME)
    assert addresses.target() == HOME
    assert addresses.hear("10.0.0.2", 0.0) == (True, True)
    assert addresses.target() == "10.0.0.2"
    addresses.address_worked("10.0.0.2")
    assert addresses.hear(EVIL, 1.0).chosen
    addresses.address_failed(EVIL, 2.0, answered=True)
    assert addresses.target() == "10.0.0.2"
    assert not addresses.hear("10.7.7.7", 3.0).chosen
    assert not addresses.hear(EVIL, 3.0).chosen
    addresses.address_failed("10.0.0.2", 4.0, answered=True)
    assert addresses.target() in ("10.7.7.7", HOME)  # those that were never tried come first
    for number in range(100):
        addresses.address_failed(f"10.8.0.{number}", 5.0, answered=False)
    assert len(addresses._tried_s) <= 16
    assert len(addresses._deaf) <= 16


@pytest.mark.parametrize("configured", [HOME, None])
def test_each_address_that_is_announced_has_its_turn(configured):
    addresses = Addresses(configured)
    announced = [f"10.0.1.{number}" for number in range(5)]
    tried: List[str] = []
    now_s = 0.0
    for _ in range(30):
        for address in announced:
            addresses.hear(address, now_s)
        tried.append(addresses.target() or "")
        now_s += 10.0
        addresses.address_failed(tried[-1], now_s, answered=True)
    assert set(announced) <= set(tried)
    counts = [tried.count(address) for address in announced]
    assert max(counts) - min(counts) <= 1
    assert tried.count(HOME) == (15 if configured else 0)


def test_a_flood_washes_out_no_address_that_was_not_tried():
    addresses = Addresses(None)
    addresses.hear(HOME, 0.0)
    addresses.hear(EVIL, 0.1)
    assert addresses.target() == HOME  # the first of two that were not tried
    addresses.address_failed(HOME, 0.2, answered=True)
    assert addresses.target() == EVIL
    for number in range(7):
        addresses.hear(f"10.9.0.{number}", 0.3)
    assert EVIL in addresses.options()
    assert HOME not in addresses.options()
    assert len(addresses.options()) == 8


@pytest.mark.parametrize("answered", [True, False])
def test_only_news_is_news(answered):
    addresses = Addresses(HOME)
    addresses.address_failed(HOME, 100.0, answered=answered)
    assert addresses.hear(HOME, 101.0) == (True, True)  # the first one ever
    now_s = 101.0
    while now_s < 159.0:
        now_s += 5.0
        assert addresses.hear(HOME, now_s) == (True, False)
        addresses.address_failed(HOME, now_s, answered=answered)
    # a restart: silence of a minute, or of two announcements where nothing took connections
    assert addresses.hear(HOME, now_s + 15.0).news is not answered
    addresses.address_failed(HOME, now_s + 16.0, answered=answered)
    assert addresses.hear(HOME, now_s + 75.0).news


def test_a_move_is_followed_to_the_announced_address():
    addresses = Addresses(HOME)
    addresses.address_worked(HOME)
    addresses.note("10.0.0.2", 1.0)
    assert addresses.target() == HOME
    addresses.moved(2.0)
    assert addresses.target() == "10.0.0.2"
    addresses.address_failed("10.0.0.2", 3.0, answered=False)
    assert addresses.target() == HOME
    addresses.prefer("10.0.0.3")
    assert addresses.target() == "10.0.0.3"
