"""Tuya breakers and energy meters over the LAN: client, meaning of data points, Domoticz devices, tools."""

__version__ = "1.0.0"
