"""Whether what Domoticz has stored of a meter is what the plugin gave it: else something else writes there. Pure.

A script, a rule or another program may write into any device of Domoticz (`udevice`), which tells the plugin nothing of
it for a meter. It is seen here as a value in its database that the plugin did not give, and that is not older than what
it gave.
"""

from __future__ import annotations

from typing import Iterator, List, Mapping, Optional, Tuple

from tuya.cli.doctor.domoticz_view import StoredUnit
from tuya.cli.doctor.findings import FAILED, Finding, lasted
from tuya.cli.doctor.life import LifeSign
from tuya.devices.names import first_of
from tuya.domoticz.units import kind_of, parse_meter

CHECK = "values in Domoticz"
OLDER_S = 3.0  # Domoticz notes whole seconds, and what is older than the plugin's last was there before it
NEW_S = 5.0  # what came while an Update of the plugin is being made may be that one
TOLERANCE = 0.05  # of a value as it is given: at least one decimal
TOLERANCE_WH = 0.5
_SYMBOLS = {(243, 8): " V", (243, 23): " A", (243, 29): " W"}
_KWH = (243, 29)
SHOWN = 3
CURE = (
    "what writes there is to write elsewhere: look for this idx in Setup > More Options > Events, and in other "
    "programs that use Domoticz (Node-RED, Home Assistant, scripts). The plugin gives its own value again within 4 min"
)


def check_foreign(
    device_id: str,
    name: str,
    rows: Mapping[int, StoredUnit],
    ages: Mapping[Tuple[str, int], float],
    before: LifeSign,
    after: LifeSign,
) -> Iterator[Finding]:
    """What Domoticz shows of one breaker that the plugin did not give.

    before, after: the plugin's word from before and from after the look into the database: what it gave in between is
    in the second.
    """
    found: List[str] = []
    for unit, told in sorted(after.given.get(device_id, {}).items()):
        row, age_s = rows.get(unit), ages.get((device_id, unit))
        if row is None or row.svalue is None or age_s is None or not told:
            continue
        given = [value for sign in (before, after) for _, value in sign.given.get(device_id, {}).get(unit, ())]
        given_s, newest = told[0]
        is_older = age_s > given_s + OLDER_S
        is_on_its_way = after.update_waits_s is not None and age_s < NEW_S
        if is_older or is_on_its_way or any(_is_same(row, value) for value in given):
            continue
        shown, own = _in_words(unit, row.svalue, newest)
        found.append(f"{shown} where the plugin gave {own} {lasted(given_s)} ago (unit {unit}, idx {row.idx})")
    if found:
        values = first_of(found, SHOWN, "; ")
        text = f"Domoticz shows {values}: something else (a script, another program) writes there"
        yield Finding(CHECK, FAILED, text, CURE, name)


def _is_same(row: StoredUnit, given: str) -> bool:
    (value, energy_wh), (own, own_wh) = parse_meter(row.svalue or ""), parse_meter(given)
    if value is None or own is None:
        return row.svalue == given
    if abs(value - own) > min(TOLERANCE, max(abs(own), abs(value)) * 0.01 + 1e-6):
        return False
    if own_wh is None or row.counts_itself:
        return True
    return energy_wh is not None and abs(energy_wh - own_wh) <= TOLERANCE_WH


def _in_words(unit: int, *svalues: str) -> List[str]:
    """Each value with its unit; of a kWh device W only where it differs, and Wh."""
    try:
        kind: Optional[Tuple[int, int]] = kind_of(unit)[:2]
    except ValueError:
        kind = None
    return [_one(kind, svalue) for svalue in svalues]


def _one(kind: Optional[Tuple[int, int]], svalue: str) -> str:
    value, energy_wh = parse_meter(svalue)
    if value is None:
        return f"{svalue[:40]!r}"
    text = f"{value:g}{_SYMBOLS.get(kind, '') if kind is not None else ''}"
    return f"{text} and {energy_wh / 1000.0:g} kWh" if kind == _KWH and energy_wh is not None else text
