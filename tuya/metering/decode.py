"""Dumps and readings as JSON objects: the contract of `decode` and `watch`. No sockets, no clock, no Domoticz."""

from __future__ import annotations

from typing import Any, Dict, Mapping

from .profile import Profile, match
from .reading import Reading

MAX_DP = 255
_BY_CHANNEL = ("voltage_v", "current_a", "power_w", "power_factor", "energy_kwh", "returned_kwh")
_SINGLE = ("energy_increment_wh", "frequency_hz", "temperature_c", "leakage_ma")


def _tidy(amount: float) -> float:
    """Return the number without a needless ".0", as the device's integers were."""
    return int(amount) if float(amount).is_integer() else amount


def numbered(dps: object) -> Dict[int, Any]:
    """Return DPs keyed by number, from JSON whose keys are text; what is no DP is passed over."""
    found: Dict[int, Any] = {}
    if isinstance(dps, Mapping):
        for key, value in dps.items():
            text = str(key)
            numeric = (
                not isinstance(key, bool) and text.isascii() and text.isdigit() and len(text) <= 4 and text[0] != "0"
            )
            if numeric and 1 <= int(text) <= MAX_DP and value is not None:
                found[int(text)] = value
    return found


def reading_to_json(reading: Reading, profile: Profile) -> Dict[str, Any]:
    """Return a reading as the JSON object of the command line. What is not known is left out, never 0."""
    out: Dict[str, Any] = {"profile": profile.name, "matched_by": profile.matched_by}
    if reading.switch:
        out["switch"] = {str(dp): state for dp, state in sorted(reading.switch.items())}
    for name in _BY_CHANNEL:
        values = getattr(reading, name)
        if values:
            out[name] = {channel: _tidy(amount) for channel, amount in sorted(values.items())}
    for name in _SINGLE:
        amount = getattr(reading, name)
        if amount is not None:
            out[name] = _tidy(amount)
    if reading.faults is not None:
        out["faults"] = [fault.label for fault in reading.faults]
    return out


def decode_dump(dump: object, explain: bool = False) -> Dict[str, Any]:
    """Return what a dump {"product_id", "category", "mapping", "dps"} means; only dps is needed.

    explain: adds "why", a list of sentences. Raises TypeError for anything but a JSON object.
    """
    if not isinstance(dump, Mapping):
        raise TypeError("a dump is a JSON object with dps")
    dps = numbered(dump.get("dps"))
    profile = match(dump, dps)
    out = reading_to_json(profile.decode(dps), profile)
    if explain:
        out["why"] = list(profile.explain(dps))
    return out
