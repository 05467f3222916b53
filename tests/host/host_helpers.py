"""Small plugins for the stand-in and what its tests say often."""

from __future__ import annotations

import time
from typing import Any, Callable, List

from tuya.host import Stage

HEADER = '''"""
<plugin key="Probe" name="Probe" author="tests" version="1.0">
    <params>
        <param field="Mode1" label="File" default="devices.json"/>
        <param field="Mode5" label="Interval"><options>
            <option label="5" value="5" default="true"/><option label="2" value="2"/>
        </options></param>
    </params>
</plugin>
"""
import DomoticzEx as Domoticz
'''

SWITCH_AND_METER = """
import tools

def onStart():
    Domoticz.Heartbeat(1)
    if "breaker" not in Devices:
        tools.make(Domoticz)

def onCommand(DeviceID, Unit, Command, Level, Color):
    unit = Devices[DeviceID].Units[Unit]
    unit.nValue = 1 if Command == "On" else 0
    unit.sValue = Command
    unit.Update(Log=False)
"""

TOOLS = """
def make(Domoticz):
    switch = Domoticz.Unit(Name="Switch", DeviceID="breaker", Unit=1, Type=244, Subtype=73, Switchtype=0, Used=1)
    switch.Create()
    meter = Domoticz.Unit(Name="Meter", DeviceID="breaker", Unit=2, Type=243, Subtype=29, Used=1,
                          Options={"EnergyMeterMode": "0"})
    meter.sValue = "100.0;5000.000"
    meter.Create()
"""


def eventually(condition: Callable[[], Any], timeout_s: float = 5.0) -> Any:
    """Wait until `condition` is true and return its value."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def started(stage: Stage, **parameters: str) -> int:
    """Add one instance and wait for the end of its onStart."""
    idx = stage.add_hardware(parameters=parameters)
    assert stage.wait_started(idx)
    return idx


def kinds(stage: Stage) -> List[str]:
    """Return the kinds of the problems, each once."""
    return sorted({problem.kind for problem in stage.problems})
