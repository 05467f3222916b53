"""Speaks to devices on the LAN. Knows no Domoticz and no meaning of a data point (DP)."""
