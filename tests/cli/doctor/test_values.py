"""Values that cannot be, and cures that fit what made them so."""

from __future__ import annotations

import pytest

from tests.domoticz.fakes import SY1_DPS, entry
from tuya.cli.doctor.values import check_values
from tuya.metering.profile import match

AT_100_W = {**SY1_DPS, 18: 435, 19: 1000, 20: 2300}


def found(dps, **wishes):
    one = entry(domoticz=wishes)
    return [
        (finding.check, finding.state, finding.text, finding.cure)
        for finding in check_values(one, match(one.raw, dps), dps)
    ]


def wrong(dps, **wishes):
    return [one for one in found(dps, **wishes) if one[1] != "ok"]


def test_what_fits_is_well():
    assert wrong(AT_100_W) == []
    assert wrong({**AT_100_W, 19: 10_000}, scale={"power": 0.1}) == []  # a wish that is right
    assert wrong(AT_100_W, scale={"energy": 10}) == []


@pytest.mark.parametrize(
    ("scale", "state"), [({"power": 1000}, "failed"), ({"power": 10}, "unchecked"), ({"power": 0.001}, "unchecked")]
)
def test_a_scale_that_makes_the_power_impossible_is_named(scale, state):
    ((check, told, text, cure),) = wrong(AT_100_W, scale=scale)
    assert (check, told) == ("values", state)
    assert "do not fit 230 V x 0.435 A" in text
    assert 'take "scale" of "power" out' in cure


@pytest.mark.parametrize(
    ("dps", "wishes", "cure"),
    [
        (AT_100_W, {"scale": {"voltage": 10}}, 'the factor of "voltage" in "scale"'),
        (AT_100_W, {"layout": "atorch"}, 'take "layout": "atorch" out'),
        ({**AT_100_W, 18: 10_000, 19: 0}, {}, "tells 0 W while a current flows"),
        ({**AT_100_W, 18: 0, 19: 20_000}, {}, "contradict each other"),
        ({**AT_100_W, 18: 0, 19: 0, 20: 200}, {}, '"scale": {"voltage": 10}'),
        ({**AT_100_W, 18: 0, 19: 0, 20: 5000}, {}, '"scale": {"voltage": 0.1}'),
    ],
)
def test_what_was_left_out_has_a_cure_of_its_cause(dps, wishes, cure):
    one = found(dps, **wishes)[0]
    assert (one[1], cure in one[3]) == ("failed", True), one


def test_a_switch_that_is_not_told_is_a_note():
    ((check, state, text, _),) = wrong({dp: value for dp, value in AT_100_W.items() if dp != 1})
    assert (check, state, "no device is made" in text) == ("switch", "note", True)


def test_a_layout_that_makes_nothing_of_what_is_reported_is_named():
    ((check, state, text, cure),) = wrong(AT_100_W, layout="pc311")
    assert (check, state) == ("values", "unchecked")
    assert '"layout": "pc311" in its entry of devices.json makes nothing of its voltage, current, switch' in text
    assert 'take "layout": "pc311" out' in cure
    assert wrong(AT_100_W, layout="socket") == wrong(AT_100_W, layout="socket-alarms") == []


def test_a_corrected_scale_is_for_somebody_to_look_at():
    """A current of an earlier moment makes a load that jumps look like a scale error: 3000 W are shown as 30 then."""
    ((check, state, text, cure),) = wrong({**AT_100_W, 19: 30_000})
    assert (check, state, "power x 0.01" in text) == ("values", "unchecked", True)
    assert '"scale": {"power": 1}' in cure
    assert wrong({**AT_100_W, 18: 13_043, 19: 300_000}, scale={"power": 0.1}) == [], "a wish settles it"


def test_a_power_that_stands_while_a_current_flows():
    ((check, state, text, cure),) = wrong({**AT_100_W, 18: 8000})
    assert (check, state, "100 W beside 230 V x 8 A" in text, bool(cure)) == ("values", "unchecked", True, True)
    assert wrong({**AT_100_W, 18: 1500}) == [], "a motor that idles"
    assert wrong({**AT_100_W, 18: 5000, 19: 3000}) == [], "and a large one"
