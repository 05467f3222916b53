import pytest

from tuya.simulator import FAULTS, UnknownFault
from tuya.simulator.faults import Faults, checked, named, table


def test_the_table_is_whole():
    for name, fault in FAULTS.items():
        assert fault.what, name
        assert checked(name, {}) == {word: parameter.default for word, parameter in fault.parameters.items()}
        for parameter in fault.parameters.values():
            assert not parameter.choices or parameter.default in parameter.choices
        assert f"  {name}" in table()


@pytest.mark.parametrize(
    ("name", "given", "complaint"),
    [
        ("explode", {}, "no fault 'explode': one of asleep"),
        ("reset", {"x": 1}, "takes no 'x': it takes nothing"),
        ("delay", {"x": 1}, "takes no 'x': delay_s"),
        ("garbage", {"where": "nowhere"}, "where is one of before, behind, instead"),
        ("garbage", {"every": 0}, "every is a count, not 0"),
        ("delay", {"delay_s": "long"}, "delay_s is a number, not 'long'"),
        ("delay", {"delay_s": -1}, "delay_s is a number, not -1"),
        ("replay", {"age": 1.5}, "age is a whole, not 1.5"),
        ("hide", {"dps": ["1"]}, "dps is a numbers"),
        ("reboot", {"silent": 1}, "silent is a flag, not 1"),
        ("new_key", {"key": 7}, "key is a text, not 7"),
        ("length", {"length": True}, "length is a integer, not True"),
    ],
)
def test_wrong_words_are_refused(name, given, complaint):
    with pytest.raises(UnknownFault, match=complaint):
        checked(name, given)


@pytest.mark.parametrize(
    ("text", "name", "given"),
    [
        ("asleep", "asleep", {}),
        ("asleep=devid not found", "asleep", {"text": "devid not found"}),
        ("latency=3,spread_s=0", "latency", {"delay_s": 3, "spread_s": 0}),
        ("hide=6", "hide", {"dps": 6}),
        ("hide=6,7", "hide", {"dps": [6, 7]}),
        ("mute=9,10", "mute", {"commands": [9, 10]}),
        ("reboot=0.5,silent=true", "reboot", {"dark_s": 0.5, "silent": True}),
        ("text_only=5,text=a, b", "text_only", {"every_s": 5, "text": "a, b"}),
        ("says_version=3.5", "says_version", {"version": 3.5}),
    ],
)
def test_a_fault_in_one_word(text, name, given):
    assert named(text) == (name, given)
    checked(name, given)


def test_every_choice_can_be_typed():
    for name, fault in FAULTS.items():
        for word, parameter in fault.parameters.items():
            for choice in parameter.choices:
                assert checked(*named(f"{name}={word}={choice}"))[word] == choice
    assert checked(*named("values=null"))["kind"] == "null"


@pytest.mark.parametrize("text", ["", "=", "explode=1", "reset=1", "asleep=1", "latency=,", "latency=[", "hide=1,x"])
def test_a_word_that_is_no_fault(text):
    with pytest.raises(UnknownFault):
        named(text)


def test_numbers_are_taken_one_or_many():
    assert checked("hide", {"dps": 6})["dps"] == (6,)
    assert checked("hide", {"dps": [6, 7]})["dps"] == (6, 7)
    assert checked("version", {"version": 3.5})["version"] == "3.5"


def test_a_fault_strikes_each_so_manieth_frame_and_spares_the_handshake():
    faults = Faults([18])
    faults.switch_on("bad_check", checked("bad_check", {"every": 3}))
    assert [faults.strikes("bad_check", True) for _ in range(3)] == [None] * 3
    assert [faults.strikes("bad_check", False) is not None for _ in range(6)] == [False, False, True] * 2
    faults.switch_on("bad_check", checked("bad_check", {"handshake": True}))
    assert faults.strikes("bad_check", True) is not None


def test_switching_off_one_or_all():
    faults = Faults([18, 19])
    for name in ("mute", "hide", "device22"):
        faults.switch_on(name, checked(name, {}))
    assert faults.named_dps("hide") == {18, 19}
    faults.switch_off(["hide", "never on"])
    assert faults.named_dps("hide") == set()
    assert faults.get("mute") == {"commands": ()}
    faults.switch_off([])
    assert not faults
