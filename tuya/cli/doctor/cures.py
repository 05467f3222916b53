"""What to do, where several checks end with the same words. A cure that one check alone has stands there."""

from __future__ import annotations

SOON = "run this again in half a minute"
RESTART = "restart Domoticz (sudo systemctl restart domoticz)"
OFF_AND_ON = "switch its power off for ten seconds, and where that changes nothing, python3 -m tuya report"
REPORT = "python3 -m tuya report, and open an issue with what it prints (it holds no key)"
