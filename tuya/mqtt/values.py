"""What a device's state topic says: watch's readings and totals, and the same once more under one plain name each.

The plain names (`power`, `a_energy`, `switch_1`) are what discovery points at: every consumer understands
`value_json.power`, few understand an expression.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence

from .topics import OFF, ON

TOTAL = "total"
ONLY = "1"
_WH_PER_KWH = 1000.0
# quantity of a reading -> (kind, plain name, decimals that are shown). A plain name is never a reading's own key.
_BY_CHANNEL = {
    "power_w": ("power", "power", 1),
    "voltage_v": ("voltage", "voltage", 1),
    "current_a": ("current", "current", 3),
    "power_factor": ("power_factor", "factor", 3),
}
_SINGLE = {
    "frequency_hz": ("frequency", 2),
    "temperature_c": ("temperature", 1),
    "leakage_ma": ("leakage", 1),
}
_BY_DIRECTION = (("energy", "used"), ("returned", "returned"))


class Plain(NamedTuple):
    """One value under its plain name. circuit: "total", "a", "2" ...; "" for what is the whole device's.

    kind: power, voltage, current, power_factor, energy, returned, frequency, temperature, leakage, problem, switch,
    option. dp: of a switch or option, else 0.
    """

    name: str
    kind: str
    circuit: str
    value: Any
    dp: int = 0


def plain_values(state: Mapping[str, Any], circuits: Sequence[str]) -> List[Plain]:
    """Return what is known of a device, one value each.

    state: readings, totals_wh and options as in state_of(). circuits: what the device measures by its profile, not
    by what it has told so far. Where that is one, it is the whole device; where it is more, W is their sum too.
    """
    found: List[Plain] = []
    has_circuits = len(circuits) > 1

    def add(kind: str, name: str, channel: str, value: float) -> None:
        circuit = "" if channel == TOTAL or (channel == ONLY and not has_circuits) else channel
        # what begins with a digit is no name in a template
        before = f"circuit_{circuit}_" if circuit[:1].isdigit() else f"{circuit}_" if circuit else ""
        found.append(Plain(before + name, kind, circuit, value))

    for quantity, (kind, name, decimals) in _BY_CHANNEL.items():
        values: Mapping[str, float] = state.get(quantity) or {}
        for channel, amount in values.items():
            if channel != TOTAL or has_circuits or ONLY not in values:
                add(kind, name, channel, round(amount, decimals))
        if kind == "power" and has_circuits and TOTAL not in values and values.keys() >= set(circuits):
            add(kind, name, TOTAL, round(sum(values.values()), decimals))
    totals_wh: Mapping[str, Mapping[str, float]] = state.get("totals_wh") or {}
    for circuit, totals in totals_wh.items():
        if circuit != ONLY or has_circuits or TOTAL not in totals_wh:
            for kind, direction in _BY_DIRECTION:
                if totals.get(direction) is not None:
                    add(kind, kind, circuit, round(totals[direction] / _WH_PER_KWH, 6))
    for quantity, (kind, decimals) in _SINGLE.items():
        if state.get(quantity) is not None:
            found.append(Plain(kind, kind, "", round(state[quantity], decimals)))
    if state.get("faults") is not None:
        found.append(Plain("problem", "problem", "", ON if state["faults"] else OFF))
    for dp, is_on in (state.get("switch") or {}).items():
        found.append(Plain(f"switch_{dp}", "switch", "", ON if is_on else OFF, int(dp)))
    for dp, value in (state.get("options") or {}).items():
        found.append(Plain(f"option_{dp}", "option", "", value, int(dp)))
    return found


def state_of(snapshot: Mapping[str, Any]) -> Dict[str, Any]:
    """Return the JSON object of a device's state topic without its plain names; {} while nothing is known.

    snapshot: see tuya/sharing/source.py. Keys: those of `decode`, "totals_wh", and "options": {DP: value} of controls
    that are no switches.
    """
    state: Dict[str, Any] = dict(snapshot.get("readings") or {})
    if snapshot.get("totals_wh"):
        state["totals_wh"] = snapshot["totals_wh"]
    options = _options_of(snapshot)
    if options:
        state["options"] = options
    return state if state.keys() - {"profile", "matched_by"} else {}


def circuits_of(snapshot: Mapping[str, Any]) -> Sequence[str]:
    """Return the circuits that the device measures ("1", or "a", "b", "c" ...), by its profile."""
    return (snapshot.get("profile") or {}).get("channels") or ()


def _options_of(snapshot: Mapping[str, Any]) -> Dict[str, Any]:
    """The values of the device's controls that are no switches (state after power-on, child lock), by DP."""
    known: Mapping[str, Any] = snapshot.get("dps") or {}
    controls: Mapping[str, Mapping[str, Any]] = (snapshot.get("profile") or {}).get("controls") or {}
    found: Dict[str, Any] = {}
    for dp, control in controls.items():
        value = known.get(dp)
        if control.get("role") != "switch" and control.get("kind") in ("enum", "bool") and value is not None:
            found[dp] = (ON if value else OFF) if isinstance(value, bool) else value
    return found


def controls_of(snapshot: Mapping[str, Any]) -> Dict[int, Mapping[str, Any]]:
    """Return what may be written: {dp: {"role", "kind", "values"}}."""
    profile: Optional[Mapping[str, Any]] = snapshot.get("profile")
    return {int(dp): control for dp, control in ((profile or {}).get("controls") or {}).items()}
