"""What a listener's request means, and how it is answered."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional, Tuple

from ..boot_clock import boot_clock_s
from ..devices.hand_over import Counted
from ..lan.errors import TuyaError
from ..lan.events import Dps, DpValue
from ..metering.decode import numbered
from .lines import text_of
from .telling import amount_from_json, dps_to_json, error_fields, totals_from_json

CLOCKS_DIFFER_S = 1.0  # at most, of processes of one machine: now_s may be read before the request


def target_of(request: Mapping[str, Any]) -> Tuple[str, Dict[int, DpValue]]:
    """Return which device and which data points a request means; none at all where one of them is none."""
    meant = request.get("command", request.get("threshold"))
    if not isinstance(meant, dict):
        return "", {}
    named = meant.get("dps")
    dps = numbered(named)
    is_whole = isinstance(named, dict) and len(dps) == len(named)
    return text_of(meant.get("id")), dps if is_whole else {}


def age_of(request: Mapping[str, Any], now_s: float) -> Optional[float]:
    """Return how many seconds ago a request was made; None where it does not say so, or names the future.

    now_s: on the clock of "asked_at_s", which stands still while the machine sleeps. Who is of this version says
    "asked_running_s" too: by that clock a command that lay in the socket of a stopped owner has grown old.
    """
    ages_s = [_age_s(request.get("asked_at_s"), now_s)]
    if "asked_running_s" in request:
        ages_s.append(_age_s(request["asked_running_s"], boot_clock_s()))
    known = [age_s for age_s in ages_s if age_s is not None]
    return max(known) if len(known) == len(ages_s) else None


def _age_s(asked_s: object, now_s: float) -> Optional[float]:
    if isinstance(asked_s, bool) or not isinstance(asked_s, (int, float)) or not now_s - asked_s >= -CLOCKS_DIFFER_S:
        return None
    return max(0.0, now_s - asked_s)


def result_of(number: Any, device_id: str, dps: Dps, error: Optional[TuyaError]) -> Dict[str, Any]:
    """Return the "result" event of the request with this number."""
    told = {"event": "result", "request": number, "id": device_id, "dps": dps_to_json(dps)}
    return {**told, **error_fields(error)}


def counted_of(told: object, who: str, now_s: float) -> Optional[Counted]:
    """Return what a listener says that it has counted of one device; None where that makes no sense."""
    if not isinstance(told, dict):
        return None
    totals_wh, heard_wh = (totals_from_json(told.get(name)) for name in ("totals_wh", "heard_wh"))
    if told.get("alone_s") is None:
        return Counted(who, totals_wh, now_s, heard_wh)
    alone_s = amount_from_json(told["alone_s"])
    return None if alone_s is None else Counted(who, totals_wh, now_s, alone_s=alone_s)
