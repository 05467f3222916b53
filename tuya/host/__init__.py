"""A stand-in for Domoticz's plugin framework: runs plugin.py unchanged, without Domoticz. Not used at run time."""

from tuya.host.records import DeviceRow, LogLine, Problem
from tuya.host.stage import Stage

__all__ = ["DeviceRow", "LogLine", "Problem", "Stage"]
