"""Signs of life: what a running plugin itself says of its version, settings, devices, units and errors.

It comes from another process over the socket on which owners of devices tell others (tuya/sharing); what is not of
the expected kind is taken as not said.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, FrozenSet, Iterable, Iterator, List, Mapping, Optional, Tuple

from tuya.cli.common import is_same_file
from tuya.devices.devices_file import DeviceEntry
from tuya.devices.quantity_watch import QUANTITIES
from tuya.domoticz.settings import AUTO
from tuya.lan.device import short_id
from tuya.sharing.lines import text_of

_UNIT_DIGITS = 3
_TEXT_CHARACTERS = 300
_LARGEST = 1e12  # no time in seconds and no count of ours is larger
PLUGIN = "plugin"  # the kind of an owner that runs inside Domoticz


@dataclass(frozen=True)
class ServedDevice:
    """One device as its owner sees it now.

    heard_age_s, measured_age_s: since it last answered, and since it was connected or last reported what it measures
    (None: its owner does not tell). untaken: what became of its last command, where it did not confirm it;
    is_untaken_refuted: it has told another state since. connected_age_s: since it was connected (None: not told);
    reported_age_s: since data points came last, None where none came in this session. answers_queries: in this session.
    error: the class of what keeps it away.
    late_s: quantities ("power") that have not come for a while, with their ages; pushed_only: those that it tells when
    they change, and to no query; lacks_power: never told, though it is to be; kwh_wait_s: so long its kWh have stood
    still for that; power_counts_s: so long a reported W is counted; counter_stood_wh: so much has flowed by its power
    while its own counter stood still, and its kWh with it.
    unusable_s, switch_late_s, open_flow_s: see telling.py. undone: its last commands that were confirmed and did not
    last, undone_age_s ago.
    """

    device_id: str
    name: str
    connected: bool
    message: str
    heard_age_s: Optional[float]
    measured_age_s: Optional[float] = None
    untaken: str = ""
    untaken_age_s: Optional[float] = None
    is_untaken_refuted: bool = False
    connected_age_s: Optional[float] = None
    reported_age_s: Optional[float] = None
    error: str = ""
    answers_queries: bool = True
    late_s: Mapping[str, float] = field(default_factory=dict)
    pushed_only: FrozenSet[str] = frozenset()
    lacks_power: bool = False
    kwh_wait_s: Optional[float] = None
    power_counts_s: float = 0.0
    counter_stood_wh: float = 0.0
    unusable_s: Mapping[str, float] = field(default_factory=dict)
    switch_late_s: float = 0.0
    open_flow_s: float = 0.0
    undone: int = 0
    undone_age_s: float = 0.0

    @property
    def unreported_s(self) -> Optional[float]:
        """For how long no data point has come, in seconds, heartbeats or not; None where its owner does not tell."""
        return self.connected_age_s if self.reported_age_s is None else self.reported_age_s


@dataclass(frozen=True)
class LifeSign:
    """One owner. accepts_new, units_*: None where it does not know.

    pid: as the kernel tells it. code: the state of the files that it runs (installation.code_state), and code_content:
    of their contents. uptime_s: since its start, whatever was done to the clock; started_at: the clock's time then.
    beat_age_s: since Domoticz last called it; update_waits_s: how long Domoticz has been taking for one value.
    units_existing: that Domoticz has now, from whichever start of the plugin.
    shown: device id -> unit -> nValue that it holds in Domoticz, looked_age_s ago; None where it does not tell. lost:
    device id and unit of states that Domoticz did not store. written_ages_s: device id -> unit -> how long ago this
    meter was given to Domoticz, those of this run; None where it does not tell. only_id: the short id that the field
    Device ID names, "": it serves all of its file. protocol: of the field Protocol, "auto": any.
    file_state: of its devices file as it was taken (file_watch.content_state), "" where it does not tell.
    given: device id -> unit -> what this meter was given last, as seconds ago and sValue, the newest first.
    deleted: device id -> units that the user deleted. unkept: device id -> existing units that nothing which it tells
    belongs to. overwritten: device id -> unit -> seconds since somebody else changed its state, each time.
    told_at: the clock's time when it told this.
    errors: (at, seconds ago, text).
    """

    name: str
    kind: str
    pid: int
    user: str
    version: str
    folder: str
    devices_file: str
    has_own_key: bool  # of the Hardware page, for the one device that it serves then
    served: Tuple[ServedDevice, ...]
    not_served: Mapping[str, str]  # device id -> why
    units_existing: Optional[int]
    units_waiting: Optional[int]
    units_refused: bool
    accepts_new: Optional[bool]
    errors: Tuple[Tuple[float, Optional[float], str], ...]
    problems: Tuple[str, ...]
    code: str = ""
    code_content: str = ""
    uptime_s: Optional[float] = None
    beat_age_s: Optional[float] = None
    update_waits_s: Optional[float] = None
    looked_age_s: Optional[float] = None
    shown: Optional[Mapping[str, Mapping[int, int]]] = None
    switching: str = ""
    lost: Tuple[Tuple[str, int], ...] = ()
    started_at: Optional[float] = None
    written_ages_s: Optional[Mapping[str, Mapping[int, int]]] = None
    only_id: str = ""
    protocol: str = AUTO
    deleted: Mapping[str, Tuple[int, ...]] = field(default_factory=dict)
    told_at: Optional[float] = None
    file_state: str = ""
    given: Mapping[str, Mapping[int, Tuple[Tuple[float, str], ...]]] = field(default_factory=dict)
    unkept: Mapping[str, Tuple[int, ...]] = field(default_factory=dict)
    overwritten: Mapping[str, Mapping[int, Tuple[float, ...]]] = field(default_factory=dict)

    def connected(self, entries: Iterable[DeviceEntry]) -> Iterator[Tuple[DeviceEntry, ServedDevice]]:
        """Those of the entries that this owner serves and is connected to, each with what it says of it."""
        for entry in entries:
            device = self.serves(entry.device_id)
            if device is not None and device.connected:
                yield entry, device

    def serves(self, device_id: str) -> Optional[ServedDevice]:
        """That device, if it is served by this owner."""
        return next((device for device in self.served if device.device_id == device_id), None)

    @property
    def clock_set_s(self) -> float:
        """By how much the clock was set forward since the plugin was started, in seconds; 0 where it was not."""
        if self.started_at is None or self.uptime_s is None or self.told_at is None:
            return 0.0
        return self.told_at - self.uptime_s - self.started_at

    @property
    def serves_its_own(self) -> bool:
        """Whether its field Device ID names one device, and it serves that one."""
        return bool(self.only_id) and any(short_id(device.device_id) == self.only_id for device in self.served)

    def is_of(self, folder: Path, outside: str = "") -> bool:
        """Whether it runs the copy of the plugin in `folder`. outside: what stands before its paths for us."""
        return is_same_file(Path(f"{outside}{self.folder}"), folder)


def life_sign(said: Mapping[str, Any], told_at: Optional[float] = None) -> LifeSign:
    """Read what an owner says. told_at: the clock's time when it said so. Raises nothing."""
    settings, units = _map(said.get("settings")), _map(said.get("units"))
    return LifeSign(
        name=_text(said.get("name")),
        kind=_text(said.get("kind")),
        pid=_number(said.get("pid"), int) or 0,
        user=_text(said.get("user")),
        version=_text(said.get("plugin_version")),
        folder=_text(said.get("folder")),
        devices_file=_text(settings.get("devices_file")),
        has_own_key=settings.get("has_own_key") is True,
        served=tuple(_served(device) for device in _maps(said.get("served"))),
        not_served={_text(entry.get("id")): _text(entry.get("reason")) for entry in _maps(said.get("not_served"))},
        units_existing=_number(units.get("existing"), int),
        units_waiting=_number(units.get("waiting"), int),
        units_refused=units.get("refused") is True,
        accepts_new=units.get("accepts_new_devices") if isinstance(units.get("accepts_new_devices"), bool) else None,
        errors=tuple(
            (_number(e.get("at"), float) or 0.0, _number(e.get("age_s"), float), _text(e.get("text")))
            for e in _maps(said.get("errors"))
        ),
        problems=tuple(_text(problem) for problem in _list(said.get("problems"))),
        code=_text(said.get("code")),
        code_content=_text(said.get("code_content")),
        uptime_s=_number(said.get("uptime_s"), float),
        beat_age_s=_number(said.get("beat_age_s"), float),
        update_waits_s=_number(said.get("update_waits_s"), float),
        looked_age_s=_number(units.get("looked_age_s"), float),
        shown=_shown(_map(units.get("shown"))) if isinstance(units.get("shown"), dict) else None,
        switching=_text(settings.get("switching")),
        started_at=_number(said.get("started_at"), float),
        written_ages_s=_shown(units["written_ages_s"]) if isinstance(units.get("written_ages_s"), dict) else None,
        only_id=_text(settings.get("device_id")),
        protocol=_text(settings.get("protocol")) or AUTO,
        deleted=_units(units.get("deleted")),
        unkept=_units(units.get("unkept")),
        overwritten={
            device_id: {int(unit): _numbers(ages) for unit, ages in _map(its).items() if _is_unit(unit, 0)}
            for device_id, its in _map(units.get("overwritten")).items()
        },
        told_at=told_at,
        file_state=_text(settings.get("devices_file_state")),
        given={
            device_id: {int(unit): _given(told) for unit, told in _map(its).items() if _is_unit(unit, 0)}
            for device_id, its in _map(units.get("given")).items()
        },
        lost=tuple((_text(one.get("id")), _number(one.get("unit"), int) or 0) for one in _maps(units.get("lost"))),
    )


def _shown(told: Dict[str, Any]) -> Dict[str, Dict[int, int]]:
    return {
        device_id: {int(unit): int(value) for unit, value in _map(units).items() if _is_unit(unit, value)}
        for device_id, units in told.items()
    }


def _units(told: Any) -> Dict[str, Tuple[int, ...]]:
    return {device_id: tuple(int(unit) for unit in _numbers(units)) for device_id, units in _map(told).items()}


def _numbers(told: Any) -> Tuple[float, ...]:
    return tuple(one for one in _list(told) if _number(one, float) is not None)


def _given(told: Any) -> Tuple[Tuple[float, str], ...]:
    pairs = [one for one in _list(told) if isinstance(one, list) and len(one) == 2]
    return tuple((_number(age_s, float), _text(value)) for age_s, value in pairs if _number(age_s, float) is not None)


def _is_unit(unit: str, value: Any) -> bool:
    return unit.isascii() and unit.isdecimal() and len(unit) <= _UNIT_DIGITS and _number(value, int) is not None


def _served(device: Mapping[str, Any]) -> ServedDevice:
    return ServedDevice(
        device_id=_text(device.get("id")),
        name=_text(device.get("name")),
        connected=device.get("connected") is True,
        message=_text(device.get("message")) or _text(device.get("error")),
        error=_text(device.get("error")),
        heard_age_s=_number(device.get("heard_age_s"), float),
        measured_age_s=_number(device.get("measured_age_s"), float),
        untaken=_text(device.get("untaken")),
        untaken_age_s=_number(device.get("untaken_age_s"), float),
        is_untaken_refuted=device.get("is_untaken_refuted") is True,
        connected_age_s=_number(device.get("connected_age_s"), float),
        reported_age_s=_number(device.get("reported_age_s"), float),
        answers_queries=device.get("answers_queries") is not False,
        late_s=_ages(device.get("late_s")),
        unusable_s=_ages(device.get("unusable_s")),
        switch_late_s=_number(device.get("switch_late_s"), float) or 0.0,
        open_flow_s=_number(device.get("open_flow_s"), float) or 0.0,
        undone=_number(device.get("undone"), int) or 0,
        undone_age_s=_number(device.get("undone_age_s"), float) or 0.0,
        pushed_only=frozenset(_text(quantity) for quantity in _list(device.get("pushed_only"))),
        lacks_power=device.get("lacks_power") is True,
        kwh_wait_s=_number(device.get("kwh_wait_s"), float),
        power_counts_s=_number(device.get("power_counts_s"), float) or 0.0,
        counter_stood_wh=_number(device.get("counter_stood_wh"), float) or 0.0,
    )


def _ages(told: Any) -> Dict[str, float]:
    """Ages by quantity; of quantities that we know."""
    ages_s = {quantity: _number(age_s, float) for quantity, age_s in _map(told).items() if quantity in QUANTITIES}
    return {quantity: age_s for quantity, age_s in ages_s.items() if age_s is not None}


def _text(value: Any) -> str:
    return text_of(value, _TEXT_CHARACTERS)


def _number(value: Any, kind: Any) -> Any:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < _LARGEST
    return kind(value) if is_number else None


def _map(value: Any) -> Dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> List[Any]:
    return value if isinstance(value, list) else []


def _maps(value: Any) -> List[Dict[str, Any]]:
    return [entry for entry in _list(value) if isinstance(entry, dict)]
