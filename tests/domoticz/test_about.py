"""What the plugin tells of its units: those that exist, whoever made them and when."""

from __future__ import annotations

import json
from typing import Dict

from tests.domoticz.fakes import FakeDomoticz, entry
from tuya.cli.doctor.life import life_sign
from tuya.devices.served import Choice
from tuya.domoticz.about import LOOK_INTERVAL_S, About
from tuya.domoticz.framework import Framework
from tuya.domoticz.settings import read_settings


class Named(Framework):
    """A framework whose units are those that the test names."""

    units: Dict[str, Dict[int, str]] = {}  # noqa: RUF012 - replaced on the instance

    def names(self) -> Dict[str, Dict[int, str]]:
        return self.units


def existing(about: About) -> int:
    return int(about.told()["units"]["existing"])


def test_all_that_the_doctor_needs_is_told():
    domoticz = FakeDomoticz()
    framework = Framework(domoticz, domoticz.namespace)
    now_s = [100.0]
    about = About(
        framework,
        read_settings(framework.parameters),
        lambda: now_s[0],
        lambda _now_s: 0.25,
        lambda: (("one", 1),),
        lambda: {"one": [3]},
    )
    about.look(now_s[0])
    about.error("lost")
    now_s[0] += 7.0
    sign = life_sign(json.loads(json.dumps(about.told())))
    assert (sign.uptime_s, sign.beat_age_s, sign.looked_age_s, sign.update_waits_s) == (7.0, 7.0, 7.0, 0.25)
    assert (sign.lost, sign.deleted, sign.shown) == ((("one", 1),), {"one": (3,)}, {})
    assert sign.errors[0][1:] == (7.0, "lost")
    assert len(sign.code) == len(sign.code_content) == 16
    assert sign.switching == "allowed"


def test_fields_that_count_for_nothing_are_told():
    domoticz = FakeDomoticz(Address="192.168.1.20")
    framework = Framework(domoticz, domoticz.namespace)
    (problem,) = About(framework, read_settings(framework.parameters)).told()["problems"]
    assert problem == "IP address, Local key and Protocol are used together with a Device ID only"


def test_names_that_were_swapped_are_told():
    domoticz = FakeDomoticz()
    framework = Named(domoticz, domoticz.namespace)
    about = About(framework, read_settings(framework.parameters))
    one, two = entry("one", name="Boiler"), entry("two", name="Fridge")
    about.choice = Choice((one, two))
    framework.units = {"one": {1: "Breakers - Boiler", 2: "Boiler Energy"}, "two": {1: "My fridge"}}
    about.look(0.0)
    assert about.told()["problems"] == []
    framework.units = {"one": {1: "Breakers - Fridge"}, "two": {1: "Boiler"}}
    about.look(100.0)
    assert about.told()["problems"] == [
        "Boiler is called Fridge in Domoticz, as another entry is: were names swapped?",
        "Fridge is called Boiler in Domoticz, as another entry is: were names swapped?",
    ]


def test_units_of_an_earlier_start_are_told():
    """The doctor takes "none" for "not well known yet": after a restart nothing is made, and all is there."""
    domoticz = FakeDomoticz()
    framework = Named(domoticz, domoticz.namespace)
    framework.units = {"one": {1: "Boiler", 2: "Boiler Energy"}}
    about = About(framework, read_settings(framework.parameters))
    about.look(0.0)
    assert (about.made, existing(about)) == (0, 2)
    framework.units = {"one": {1: "Boiler", 2: "Boiler Energy", 3: "Boiler Voltage"}}
    about.made = 1  # one that was born is told at once, not a minute later
    about.look(1.0)
    assert existing(about) == 3
    framework.units = {}
    about.look(1.0 + LOOK_INTERVAL_S)
    assert existing(about) == 0
