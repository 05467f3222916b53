"""Snapshots as a source tells them, for tests."""

from __future__ import annotations

import copy
from typing import Any, Dict

DEVICE_ID = "bf5y0n0ou9wx0k90g9pv"

_BREAKER: Dict[str, Any] = {
    "event": "snapshot",
    "id": DEVICE_ID,
    "name": "Boiler",
    "connected": True,
    "address": "127.0.0.1",
    "port": 6668,
    "version": "3.4",
    "dps": {"1": True, "9": 0, "18": 1841, "19": 4210, "20": 2287, "26": 0, "38": "memory", "41": False},
    "readings": {
        "profile": "socket",
        "matched_by": "product",
        "switch": {"1": True},
        "voltage_v": {"1": 228.7},
        "current_a": {"1": 1.841},
        "power_w": {"1": 421},
        "power_factor": {"1": 0.97},
        "frequency_hz": 50.01,
        "temperature_c": 31.5,
        "faults": [],
    },
    "totals_wh": {"total": {"used": 1234.567}},
    "may_switch": True,
    "unit_names": {},
    "profile": {
        "name": "socket",
        "matched_by": "product",
        "switch_dps": [1],
        "channels": ["1"],
        "controls": {
            "1": {"role": "switch", "kind": "bool"},
            "9": {"role": "countdown", "kind": "int", "minimum": 0, "maximum": 86400},
            "38": {"role": "power_on", "kind": "enum", "values": ["off", "on", "memory"]},
            "41": {"role": "child_lock", "kind": "bool"},
        },
    },
    "product_id": "jdj6ccklup7btq3a",
    "category": "dlq",
    "heard_age_s": 0.1,
    "error": None,
    "message": None,
}


def breaker(device_id: str = DEVICE_ID, **changed: Any) -> Dict[str, Any]:
    """A single breaker that has told everything; readings given by name are put into its readings."""
    snapshot = copy.deepcopy(_BREAKER)
    snapshot["id"] = device_id
    for name, value in changed.items():
        if name in snapshot:
            snapshot[name] = value
        else:
            snapshot["readings"][name] = value
    return snapshot


def unheard(device_id: str = DEVICE_ID) -> Dict[str, Any]:
    """The same one before it has told anything."""
    snapshot = breaker(device_id, connected=False, dps={}, totals_wh={})
    snapshot["readings"] = {"profile": "socket", "matched_by": "product"}
    return snapshot


def three_phases() -> Dict[str, Any]:
    """A meter of three phases without a switch."""
    snapshot = breaker(dps={}, totals_wh={ch: {"used": 1000.0, "returned": 10.0} for ch in ("total", "a", "b", "c")})
    snapshot["readings"] = {
        "profile": "three",
        "matched_by": "product",
        "power_w": {"a": 100, "b": 200, "c": -50},
        "voltage_v": {"a": 230, "b": 231, "c": 232},
    }
    snapshot["profile"] = {"name": "three", "matched_by": "product", "channels": ["a", "b", "c"], "controls": {}}
    return snapshot
