"""DomoticzEx.Device, Unit and Image as plugins see them. Knows the link to the stand-in, not what a plugin does.

Read from hardware/plugins/PythonObjectEx.cpp and .h: which fields can be set, what each method logs instead of raising.
"""

from __future__ import annotations

import operator
from typing import Any, Callable, Dict, List, Optional, Tuple

from .arguments import parse

CUSTOM_SUBTYPE = 31  # sTypeCustom: keeps a single option, "Custom"

UNIT_NAMES = (
    "Name",
    "DeviceID",
    "Unit",
    "TypeName",
    "Type",
    "Subtype",
    "Switchtype",
    "Image",
    "Options",
    "Used",
    "Description",
)

# name -> type, subtype, switchtype, first sValue (maptypename in PythonObjects.cpp; an unknown name is 243/0)
TYPE_NAMES: Dict[str, Tuple[int, int, int, str]] = {
    "Percentage": (243, 6, 0, ""),
    "Voltage": (243, 8, 0, ""),
    "Text": (243, 19, 0, ""),
    "Alert": (243, 22, 0, "No Alert!"),
    "Current (Single)": (243, 23, 0, ""),
    "kWh": (243, 29, 0, "0;0.0"),
    "Custom": (243, 31, 0, ""),
    "Current/Ampere": (89, 1, 0, "0.0;0.0;0.0"),
    "Temperature": (80, 5, 0, ""),
    "Usage": (248, 1, 0, ""),
    "Switch": (244, 73, 0, ""),
    "On/Off": (244, 73, 0, ""),
    "Selector Switch": (244, 62, 18, ""),
}


class Framework:
    """What the objects need of their instance: the link, the settings, the dictionary of devices, the classes."""

    def __init__(self, call: Callable[..., Any], on_main_thread: Callable[[], bool]) -> None:
        self.call = call
        self.on_main_thread = on_main_thread
        self.phase = "importing"  # then "starting", "running", "stopping", "stopped"
        self.hardware = 0
        self.name = ""
        self.update_keywords: Tuple[str, ...] = ()
        self.devices: Dict[str, Any] = {}
        self.device_class: Any = Device
        self.unit_class: Any = Unit

    def log(self, level: str, text: str) -> None:
        """Write one line to Domoticz's log."""
        self.call("log", level, text)

    def refused(self, what: str) -> bool:
        """Before onStart nothing works: say so. Also reports calls that a real Domoticz only survives by luck."""
        if self.phase == "importing":
            self.log("error", f"({what}) illegal operation, Plugin has not started yet.")
            return True
        if not self.on_main_thread():
            if self.phase in ("starting", "stopped"):
                self.call("problem", "rule", f"{what} on a thread of the plugin while the plugin is {self.phase}")
            elif what == "Unit.Create":
                self.call(
                    "problem", "rule", "Unit.Create on a thread of the plugin: the web server walks the dictionary"
                )
        return False


_framework: List[Framework] = []


def attach(framework: Framework) -> None:
    """Make `framework` the one all objects of this interpreter belong to."""
    _framework[:] = [framework]


def current() -> Framework:
    """Return the framework of this interpreter."""
    return _framework[0]


class _Field:
    """A member of the C object: an int keeps ints only (T_INT), any other keeps anything (T_OBJECT)."""

    def __init__(self, name: str, kind: str) -> None:
        self._name = name
        self._kind = kind

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else instance._fields[self._name]

    def __set__(self, instance: Any, value: Any) -> None:
        if self._kind == "readonly":
            raise AttributeError("readonly attribute")
        if self._kind == "int":
            value = operator.index(value)
        elif self._kind == "float":
            value = float(value)
        instance._fields[self._name] = value


class Device:
    """DomoticzEx.Device: a DeviceID with its units."""

    __slots__ = ("_fields",)

    DeviceID = _Field("DeviceID", "readonly")
    Key = _Field("DeviceID", "readonly")
    Units = _Field("Units", "readonly")

    def __init__(self, *args: Any, **keywords: Any) -> None:
        self._fields: Dict[str, Any] = {"DeviceID": "", "TimedOut": 0, "Units": {}}
        framework = current()
        if framework.refused("Device"):
            return
        try:
            self._fields["DeviceID"] = parse(("DeviceID",), "s", 1, args, keywords)["DeviceID"]
        except (TypeError, ValueError) as error:
            framework.log("error", "Expected: myVar = Domoticz.DeviceEx(DeviceID='xxxx')")
            framework.log("error", f"{type(error).__name__}: {error}")

    @property
    def TimedOut(self) -> int:  # noqa: N802 - the framework's name
        """1: every unit of the device gets the red header. Not kept over a restart."""
        return int(self._fields["TimedOut"])

    @TimedOut.setter
    def TimedOut(self, value: int) -> None:  # noqa: N802 - the framework's name
        number = operator.index(value)
        if number != self._fields["TimedOut"]:
            self._fields["TimedOut"] = number
            current().call("timed_out", self.DeviceID, number)

    def Refresh(self) -> None:  # noqa: N802 - the framework's name
        """Make an object for each of the device's rows."""
        framework = current()
        for row in framework.call("rows", self.DeviceID, None):
            unit = framework.unit_class(row["Name"], self.DeviceID, row["Unit"])
            self.Units[row["Unit"]] = unit
            unit.Refresh()

    def __str__(self) -> str:
        return f"DeviceID: '{self.DeviceID}', Units: {len(self.Units)}"


class Unit:
    """DomoticzEx.Unit: one row of the device table."""

    __slots__ = ("_fields",)

    ID = _Field("ID", "readonly")
    Unit = _Field("Unit", "readonly")
    LastUpdate = _Field("LastUpdate", "readonly")
    Parent = _Field("Parent", "readonly")
    Name = _Field("Name", "object")
    nValue = _Field("nValue", "int")  # noqa: N815 - the framework's name
    sValue = _Field("sValue", "object")  # noqa: N815 - the framework's name
    SignalLevel = _Field("SignalLevel", "int")
    BatteryLevel = _Field("BatteryLevel", "int")
    Image = _Field("Image", "int")
    Type = _Field("Type", "int")
    SubType = _Field("SubType", "int")
    SwitchType = _Field("SwitchType", "int")
    LastLevel = _Field("LastLevel", "int")
    Options = _Field("Options", "object")
    Used = _Field("Used", "int")
    Description = _Field("Description", "object")
    Color = _Field("Color", "object")
    Adjustment = _Field("Adjustment", "float")
    Multiplier = _Field("Multiplier", "float")

    def __init__(self, *args: Any, **keywords: Any) -> None:
        self._fields: Dict[str, Any] = {
            **{"ID": -1, "Unit": 0, "Type": 0, "SubType": 0, "SwitchType": 0, "LastLevel": 0, "nValue": 0, "Image": 0},
            **{"Name": "", "sValue": "", "LastUpdate": "", "Description": "", "Color": "", "Used": 0, "Parent": None},
            **{"SignalLevel": 12, "BatteryLevel": 255, "Options": {}, "Adjustment": 0.0, "Multiplier": 0.0},
        }
        framework = current()
        if framework.refused("Unit"):
            return
        try:
            given = parse(UNIT_NAMES, "ssisiiiiOis", 3, args, keywords)
        except (TypeError, ValueError) as error:
            framework.log("error", "Expected: myVar = DomoticzEx.Unit(Name=…, DeviceID=…, Unit=…, …)")
            framework.log("error", f"{type(error).__name__}: {error}")
            return
        self._fields["Name"] = given["Name"]
        self._fields["Description"] = given.get("Description", "")
        if not 0 < given["Unit"] < 256:
            framework.log("error", f"Illegal Unit number ({given['Unit']}), valid values range from 1 to 255.")
            return
        self._fields["Unit"] = given["Unit"]
        self._fields["Parent"] = framework.devices.get(given["DeviceID"]) or framework.device_class(given["DeviceID"])
        self._take_type(given)
        self._fields["Image"] = given.get("Image", 0)
        self._fields["Used"] = 1 if given.get("Used") == 1 else 0
        if isinstance(given.get("Options"), dict):
            self._fields["Options"] = {str(key): str(value) for key, value in given["Options"].items()}

    def _take_type(self, given: Dict[str, Any]) -> None:
        if "TypeName" in given:
            kind, subtype, switchtype, svalue = TYPE_NAMES.get(given["TypeName"], (243, 0, 0, ""))
            self._fields.update(Type=kind, SubType=subtype, SwitchType=switchtype, sValue=svalue)
        self._fields["Type"] = given.get("Type") or self._fields["Type"]
        self._fields["SubType"] = given.get("Subtype") or self._fields["SubType"]
        self._fields["SwitchType"] = given.get("Switchtype", self._fields["SwitchType"])

    def Create(self) -> None:  # noqa: N802 - the framework's name
        """Insert the row, as the object stands, and enter the object into Devices."""
        framework = current()
        if framework.refused("Unit.Create"):
            return
        if self.Parent is None:
            framework.log("error", "(CUnitEx_insert) Unit is not associated with a Device.")
        elif self.ID != -1:
            framework.log("error", f"Unit creation failed, '{self.Name}' already exists in Domoticz.")
        else:
            idx, complaint = framework.call("create", self.Parent.DeviceID, self._storable())
            if complaint:
                framework.log("error", f"({framework.name}) Unit creation failed, {complaint}")
                return
            self._fields["ID"] = idx
            parent = framework.devices.setdefault(self.Parent.DeviceID, self.Parent)
            self._fields["Parent"] = parent
            parent.Units[self.Unit] = self
            self._read_row(framework)

    def Update(self, *args: Any, **keywords: Any) -> None:  # noqa: N802 - the framework's name
        """Write nValue and sValue, with all that hangs on it: events, actions, notifications."""
        framework = current()
        if framework.refused("Unit.Update"):
            return
        names = framework.update_keywords
        try:
            given = parse(names, "psppp"[: len(names)], 0, args, keywords)
        except (TypeError, ValueError) as error:
            expected = " and/or ".join(f"'{name}'" for name in names)
            framework.log("error", f"(CUnitEx_update) Failed to parse parameters: {expected} expected.")
            framework.log("error", f"{type(error).__name__}: {error}")
            return
        if "TypeName" in given:
            kind, subtype, switchtype, svalue = TYPE_NAMES.get(given["TypeName"], (243, 0, 0, ""))
            self._fields.update(Type=kind, SubType=subtype, SwitchType=switchtype, nValue=0, sValue=svalue)
        complaint = framework.call("update", self.ID, self.Parent.DeviceID, self._storable(), given)
        if complaint:
            framework.log("error", complaint)
        else:
            self._read_row(framework)

    def Touch(self) -> None:  # noqa: N802 - the framework's name
        """Set LastUpdate only."""
        framework = current()
        if framework.refused("Unit.Touch"):
            return
        if self.ID == -1:
            framework.log("error", "Unit touch failed, UnitEx object is not associated with a plugin.")
        else:
            framework.call("touch", self.ID)
        self._read_row(framework)

    def Delete(self) -> None:  # noqa: N802 - the framework's name
        """Remove the row; the entry in Devices stays, as in Domoticz."""
        framework = current()
        if framework.refused("Unit.Delete"):
            return
        complaint = framework.call("delete", self.ID)
        if complaint:
            framework.log("error", f"({framework.name}) Unit deletion failed, {complaint}")

    def Refresh(self) -> None:  # noqa: N802 - the framework's name
        """Read the row again; without one the object stays as it is."""
        framework = current()
        if not framework.refused("Unit.Refresh"):
            self._read_row(framework)

    def _read_row(self, framework: Framework) -> None:
        if self.Parent is None:
            return
        for row in framework.call("rows", self.Parent.DeviceID, self.Unit):
            options = row.pop("Options")
            self._fields["Options"].clear()
            self._fields["Options"].update(options)
            self._fields.update(row)

    def _storable(self) -> Dict[str, Any]:
        """Return the fields as the framework would store them: texts made of whatever the plugin put there."""
        options: Optional[Dict[str, Any]] = self.Options if isinstance(self.Options, dict) else {}
        fields = {name: value for name, value in self._fields.items() if name not in ("Parent", "Options")}
        for name in ("Name", "sValue", "Description", "Color"):
            fields[name] = str(fields[name])
        texts = {str(key): str(value) for key, value in (options or {}).items()}
        if self.SubType == CUSTOM_SUBTYPE:
            texts = {key: value for key, value in texts.items() if key == "Custom"}
        return {**fields, "Options": texts}

    def __str__(self) -> str:
        return (
            f"Unit: {self.Unit}, Name: '{self.Name}', nValue: {self.nValue}, "
            f"sValue: '{self.sValue}', LastUpdate: {self.LastUpdate}"
        )


class Image:
    """DomoticzEx.Image: accepted and ignored, there is no icon store here."""

    def __init__(self, Filename: str = "") -> None:  # noqa: N803 - the framework's name
        self.ID = -1
        self.Filename = Filename

    def Create(self) -> None:  # noqa: N802 - the framework's name
        """Keep nothing."""

    def Delete(self) -> None:  # noqa: N802 - the framework's name
        """Remove nothing."""


class Connection:
    """DomoticzEx.Connection is not played: a plugin that uses it must be tried in a real Domoticz."""

    def __init__(self, *_args: Any, **_keywords: Any) -> None:
        current().call("problem", "rule", "Connection is not played by the stand-in")
        raise NotImplementedError("the stand-in has no Connection")
