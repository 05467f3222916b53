"""What a device's state topic says: watch's readings and totals, and the same once more under one plain name each.

The plain names (`power`, `a_energy`, `switch_1`) are what discovery points at: every consumer understands
`value_json.power`, few understand an expression.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, NamedTuple, Optional

from .topics import OFF, ON

TOTAL = "total"
ONLY = "1"
_WH_PER_KWH = 1000.0
# quantity of a reading -> plain name, decimals that are shown
BY_CHANNEL = {
    "power_w": ("power", 1),
    "voltage_v": ("voltage", 1),
    "current_a": ("current", 3),
    "power_factor": ("power_factor", 2),
}
SINGLE = {"frequency_hz": ("frequency", 2), "temperature_c": ("temperature", 1), "leakage_ma": ("leakage", 1)}


class Plain(NamedTuple):
    """One value under its plain name. circuit: "total", "a", "2" ...; "" where the device has one of it."""

    name: str
    kind: str
    circuit: str
    value: Any
    dp: int = 0


def plain_values(state: Mapping[str, Any]) -> List[Plain]:
    """Return what is known of a device, one value each.

    state: readings, totals_wh and controls as in state_of(). kind: power, voltage, current, power_factor, energy,
    returned, frequency, temperature, leakage, problem, switch, option.
    """
    found: List[Plain] = []
    for quantity, (kind, decimals) in BY_CHANNEL.items():
        values: Mapping[str, float] = state.get(quantity, {})
        for channel, amount in values.items():
            found.append(_plain(kind, channel, round(amount, decimals)))
        if kind == "power" and TOTAL not in values and len(values) > 1:
            found.append(_plain(kind, TOTAL, round(sum(values.values()), decimals)))
    for circuit, totals in state.get("totals_wh", {}).items():
        for kind, direction in (("energy", "used"), ("returned", "returned")):
            wh = totals.get(direction)
            if wh is not None:
                found.append(_plain(kind, circuit, round(wh / _WH_PER_KWH, 5)))
    for quantity, (kind, decimals) in SINGLE.items():
        if quantity in state:
            found.append(Plain(kind, kind, "", round(state[quantity], decimals)))
    if "faults" in state:
        found.append(Plain("problem", "problem", "", ON if state["faults"] else OFF))
    for dp, is_on in state.get("switch", {}).items():
        found.append(Plain(f"switch_{dp}", "switch", "", ON if is_on else OFF, int(dp)))
    for dp, value in state.get("options", {}).items():
        found.append(Plain(f"option_{dp}", "option", "", value, int(dp)))
    return found


def _plain(kind: str, channel: str, value: float) -> Plain:
    """The device's own value has the quantity's name; that of a circuit has the circuit before it."""
    circuit = "" if channel in (TOTAL, ONLY) else channel
    return Plain(f"{circuit}_{kind}" if circuit else kind, kind, circuit, value)


def state_of(snapshot: Mapping[str, Any]) -> Dict[str, Any]:
    """Return the JSON object of a device's state topic, from its snapshot (see tuya/sharing/source.py)."""
    state: Dict[str, Any] = dict(snapshot.get("readings") or {})
    totals = snapshot.get("totals_wh")
    if totals:
        state["totals_wh"] = {
            circuit: {direction: round(wh, 3) for direction, wh in both.items()} for circuit, both in totals.items()
        }
    options = options_of(snapshot)
    if options:
        state["options"] = {str(dp): value for dp, value in options.items()}
    for plain in plain_values(state):
        state.setdefault(plain.name, plain.value)
    return state


def options_of(snapshot: Mapping[str, Any]) -> Dict[int, Any]:
    """Return the values of the device's controls that are no switches (state after power-on, child lock), by DP."""
    known: Mapping[str, Any] = snapshot.get("dps") or {}
    found: Dict[int, Any] = {}
    for dp, control in controls_of(snapshot).items():
        value = known.get(str(dp))
        if control.get("role") != "switch" and control.get("kind") in ("enum", "bool") and value is not None:
            found[dp] = (ON if value else OFF) if isinstance(value, bool) else value
    return found


def controls_of(snapshot: Mapping[str, Any]) -> Dict[int, Mapping[str, Any]]:
    """Return what may be written: {dp: {"role", "kind", "values"}}."""
    profile: Optional[Mapping[str, Any]] = snapshot.get("profile")
    return {int(dp): control for dp, control in ((profile or {}).get("controls") or {}).items()}
