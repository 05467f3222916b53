import json

import pytest

from tests.simulator.bench import Bench
from tuya.simulator.console import BadCommand, execute, grammar


@pytest.fixture
def fleet():
    return Bench("3.4", count=3, load_w=0.0).fleet


def say(fleet, line):
    return execute(fleet, line, lambda t_s: t_s % 86400)


def test_each_command(fleet):
    first, second, _ = fleet.breakers
    assert say(fleet, "1 load 230") == "Smart breaker 1: load 230"
    assert (first.dps[18], second.dps[18]) == (1000, 0)
    assert say(fleet, f"{second.device_id} load 115 pf=0.5") == "Smart breaker 2: load 115"
    assert second.dps[18] == 1000
    assert say(fleet, "* load electric_car").count("\n") == 2
    assert first.dps[19] == 36800  # 00:16 at night
    assert say(fleet, "1 relay off") == "Smart breaker 1: relay off"
    assert (first.relay, second.relay) == (False, True)
    assert say(fleet, "2 trip") == "Smart breaker 2: trip"
    assert second.dps[26] == 1
    assert say(fleet, "1 push 26=4 38=on") == 'Smart breaker 1: push {"26": 4, "38": "on"}'
    assert first.dps[26] == 4
    assert say(fleet, "1 push") == "Smart breaker 1: push"
    assert say(fleet, "1 every 0.5") == "Smart breaker 1: every 0.5"
    assert say(fleet, "1 every never") == "Smart breaker 1: every never"


def test_faults(fleet):
    first = fleet.breakers[0]
    assert say(fleet, '1 fault garbage where=behind "size=3" every=2') == "Smart breaker 1: fault garbage"
    assert first.faults.get("garbage") == {
        "where": "behind",
        "kind": "random",
        "size": 3,
        "every": 2,
        "handshake": False,
    }
    assert say(fleet, "1 fault hide dps=[6,7]  # a remark") == "Smart breaker 1: fault hide"
    assert first.faults.named_dps("hide") == {6, 7}
    assert say(fleet, "1 fault latency=3,spread_s=0") == "Smart breaker 1: fault latency=3,spread_s=0"
    assert first.faults.get("latency") == {"delay_s": 3, "spread_s": 0}
    assert say(fleet, "1 fault write=late delay_s=0.5") == "Smart breaker 1: fault write=late"
    assert first.faults.get("write") == {"how": "late", "delay_s": 0.5}
    assert say(fleet, "1 fault values=null") == "Smart breaker 1: fault values=null"
    assert say(fleet, "1 fault values kind=null") == "Smart breaker 1: fault values"
    assert first.faults.get("values")["kind"] == "null"
    assert say(fleet, "1 clear garbage") == "Smart breaker 1: clear garbage"
    assert say(fleet, "* clear").startswith("Smart breaker 1: clear")
    assert not first.faults


def test_show_tells_everything_but_the_key(fleet):
    shown = say(fleet, "1 show")
    assert json.loads(shown.partition("show ")[2])["dps"]["20"] == 2300
    assert fleet.breakers[0].local_key.decode() not in shown


@pytest.mark.parametrize("line", ["", "   ", "# only a remark"])
def test_nothing_is_nothing(fleet, line):
    assert say(fleet, line) == ""


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("1", "WHICH COMMAND"),
        ("1 explode", "one of fault, clear"),
        ("4 show", "no breaker '4': 1 to 3"),
        ("0 show", "no breaker '0'"),
        ("1 fault", "fault NAME"),
        ("1 fault explode", "no fault 'explode'"),
        ("1 fault delay delay_s", "NAME=VALUE, not 'delay_s'"),
        ("1 fault delay delay_s=long", "delay_s is a number"),
        ("1 fault delay delay_s=", "delay_s is a number"),
        ("1 load", "load WATTS"),
        ("1 load much", "could not convert"),
        ("1 load 5 pf=2", "power factor"),
        ("1 load 5 channel=b", "no channel b"),
        ("1 relay", "relay on, or relay off"),
        ("1 push on=1", "invalid literal"),
        ("1 every", "every SECONDS"),
        ("1 every 0", "0.01 s or more"),
        ("1 every nan", "0.01 s or more"),
        ("1 show 'unclosed", "cannot read"),
    ],
)
def test_what_cannot_be_done_is_said(fleet, line, complaint):
    with pytest.raises(BadCommand, match=complaint):
        say(fleet, line)


def test_the_grammar_names_every_command():
    from tuya.simulator import console

    assert all(f" {name}" in grammar() for name in console._COMMANDS)
    assert "refrigerator" in grammar()
