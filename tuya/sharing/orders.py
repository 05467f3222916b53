"""What a listener's request means, and how it is answered."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional, Tuple

from ..lan.errors import TuyaError
from ..lan.events import Dps, DpValue
from ..metering.decode import numbered
from .lines import text_of
from .telling import dps_to_json, error_fields


def target_of(request: Mapping[str, Any]) -> Tuple[str, Dict[int, DpValue]]:
    """Return which device and which data points a request means; none at all where one of them is none."""
    meant = request.get("command", request.get("threshold"))
    if not isinstance(meant, dict):
        return "", {}
    named = meant.get("dps")
    dps = numbered(named)
    is_whole = isinstance(named, dict) and len(dps) == len(named)
    return text_of(meant.get("id")), dps if is_whole else {}


def result_of(number: Any, device_id: str, dps: Dps, error: Optional[TuyaError]) -> Dict[str, Any]:
    """Return the "result" event of the request with this number."""
    told = {"event": "result", "request": number, "id": device_id, "dps": dps_to_json(dps)}
    return {**told, **error_fields(error)}
