"""A stand-in for Domoticz's plugin framework: runs plugin.py unchanged, without Domoticz. Not used at run time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tuya.host.records import DeviceRow, LogLine, Problem
    from tuya.host.stage import Stage

__all__ = ["DeviceRow", "LogLine", "Problem", "Stage"]


def __getattr__(name: str) -> Any:
    """Import what is asked for, so that `python3 -m tuya.host.manifest` runs a module that was not imported before."""
    if name == "Stage":
        from tuya.host.stage import Stage

        return Stage
    if name in __all__:
        from tuya.host import records

        return getattr(records, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
