"""Whether Domoticz's devices of this plugin are what the plugin made, and are kept up by it. Pure.

A row of Domoticz's table lives as long as its hardware: an entry that was taken out of the devices file, a layout that
does not fit, or somebody who edits the device leaves rows behind that show something which nobody measures.
"""

from __future__ import annotations

from typing import Callable, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

from tuya.cli.doctor.domoticz_view import Row, StoredUnit
from tuya.cli.doctor.findings import NOTE, UNCHECKED, Finding, counted, lasted
from tuya.cli.doctor.life import LifeSign
from tuya.cli.doctor.stored import known_kind, units_in_words
from tuya.devices.devices_file import DeviceEntry
from tuya.devices.names import first_of
from tuya.domoticz.units import ALARM, KIND_SWITCH, POWER_ON_STATE, THRESHOLDS, Kind
from tuya.lan.device import short_id

CHECK = "devices in Domoticz"
ANSWERED_S = 20.0  # so long after its connection a device has told what it is to tell
SHOWN = 5
FIGHT_S = 120.0  # a state that was overwritten so long ago at most, and more than once, is overwritten still
OVER_S = 2 * 3600.0
# not meters and not relays: what is not told of them may not have happened yet
_RARE = frozenset((ALARM, *range(POWER_ON_STATE, THRESHOLDS + 1)))

_DELETE = "delete them in Domoticz (Setup > Devices)"
_SERVE_CURE = (
    "have it served again (its entry in devices.json; the hardware's field 'Device ID', empty for all of them), or "
    f"{_DELETE}"
)
_EDIT = "where that is not meant: Edit at the device in Domoticz"

_ON_OFF = frozenset((0, 7, 9, 10))  # Switch Type: On/Off, Dimmer, Push On, Push Off (hardware/hardwaretypes.h)
_OTHER_WORDS = frozenset((3, 13, 14, 15, 18, 21))  # blinds and selectors: Domoticz sends other words than On and Off


class _Odd(NamedTuple):
    """One thing that can be set of a device in Domoticz: when it is, how much that counts, and what it does."""

    applies: Callable[[StoredUnit, Row, Kind], bool]
    state: str
    text: str
    cure: str = _EDIT


ODDITIES: Tuple[_Odd, ...] = (
    _Odd(
        lambda _, row, kind: (row.type, row.subtype) != (kind.type, kind.subtype),
        UNCHECKED,
        "of another type than the plugin makes it, so what it shows or a click on it is something else",
        'Setup > Devices: delete it; "domoticz": {"restore": true} in its entry of devices.json makes it anew',
    ),
    _Odd(
        lambda _, row, kind: kind is KIND_SWITCH and row.switchtype in _OTHER_WORDS,
        UNCHECKED,
        "shown as blinds or as a selector: a click sends another word than On or Off, and is refused",
        "Edit it in Domoticz: Switch Type On/Off",
    ),
    _Odd(
        lambda _, row, kind: kind is KIND_SWITCH and row.switchtype not in _ON_OFF | _OTHER_WORDS,
        NOTE,
        "shown as something else than an on/off switch: its words are others (Closed may be off)",
        "where that is not meant: Edit it in Domoticz, Switch Type On/Off",
    ),
    _Odd(lambda _, row, __: row.protected, NOTE, "protected: Domoticz refuses a click without its code"),
    _Odd(lambda _, row, __: row.off_delay_s > 0.0, NOTE, "switched off by Domoticz itself, an off delay after each On"),
    _Odd(lambda _, row, __: row.on_delay_s > 0.0, NOTE, "given an on delay: Domoticz holds back each On for so long"),
    _Odd(lambda _, row, __: row.is_adjusted, NOTE, "adjusted by Domoticz: it may show another value than it is given"),
    _Odd(
        lambda one, _, __: one.counts_itself,
        NOTE,
        "counted by Domoticz itself (Edit: Computed): its kWh are W by time, through an outage as well",
        "where that is not meant: Edit it in Domoticz, Energy read: From device",
    ),
    _Odd(
        lambda _, row, __: row.name.startswith("$"),
        NOTE,
        "hidden by Domoticz: its name begins with $",
        "where that is not meant: another name in Domoticz",
    ),
    _Odd(
        lambda _, row, __: not row.used,
        NOTE,
        "not in use: Domoticz shows it on none of its pages",
        "where that is not meant: Setup > Devices, the arrow behind it",
    ),
)


def check_oddities(stored: Sequence[StoredUnit], entries: Sequence[DeviceEntry]) -> Iterator[Finding]:
    """What somebody has set of the devices of these breakers in Domoticz, one finding a breaker and thing."""
    for entry in entries:
        rows = [(one, one.row) for one in stored if one.device_id == entry.device_id and one.row is not None]
        yield from _check_twins(rows, entry.shown_name)
        if rows and not any(row.used for _, row in rows):
            text = "none of its devices is in use: Domoticz shows nothing of it on any page"
            yield Finding(CHECK, UNCHECKED, text, "Setup > Devices: the arrow behind each", entry.shown_name)
            continue
        known = [(one, row, kind) for one, row in rows for kind in [known_kind(one.unit)] if kind is not None]
        for odd in ODDITIES:
            found = [one.unit for one, row, kind in known if odd.applies(one, row, kind)]
            if found:
                yield Finding(CHECK, odd.state, f"{units_in_words(found)} is {odd.text}", odd.cure, entry.shown_name)


def _check_twins(rows: Sequence[Tuple[StoredUnit, Row]], name: str) -> Iterator[Finding]:
    """Whether Domoticz has the same device of one hardware more than once: one of them is kept up. rows: its own."""
    idxs: Dict[Tuple[str, int], List[int]] = {}
    for one, row in rows:
        idxs.setdefault((row.hardware, one.unit), []).append(one.idx)
    twins = [f"unit {unit} (idx {', '.join(map(str, same))})" for (_, unit), same in idxs.items() if len(same) > 1]
    if twins:
        text = f"Domoticz has {' and '.join(twins[:SHOWN])} more than once, and keeps one of them up to date at most"
        yield Finding(CHECK, UNCHECKED, text, "Setup > Devices: delete those that stand still", name)


def check_left_behind(
    signs: Sequence[LifeSign],
    stored: Optional[Sequence[StoredUnit]],
    ages: Mapping[Tuple[str, int], float],
    listed: Sequence[DeviceEntry],
) -> Iterator[Finding]:
    """Devices in Domoticz of breakers that their hardware does not serve. listed: entries of all files that it reads.

    They are of no importance where the user wants no part of them: "use": false, or none of them in use.
    """
    names = {entry.device_id: entry.shown_name for entry in listed}
    unwanted = {entry.device_id for entry in listed if entry.wishes.use is False}
    for sign in signs:
        if sign.shown is None or not sign.served:  # who serves nothing at all is told so
            continue
        meant: List[str] = []
        left: List[str] = []
        for device_id, units in _rows_of(sign, stored).items():
            if sign.serves(device_id) is not None or not units:
                continue
            first = units[min(units)]
            name = names.get(device_id) or (first.name if first is not None else "")
            age_s = min((ages[device_id, unit] for unit in units if (device_id, unit) in ages), default=None)
            since = f", {lasted(age_s)} old" if age_s is not None else ""
            text = f"{name or short_id(device_id)} ({counted(len(units), 'device')}{since})"
            is_unused = all(row is not None and not row.used for row in units.values())
            (meant if device_id in unwanted or is_unused else left).append(text)
        for found, state in ((left, UNCHECKED), (meant, NOTE)):
            if found:
                text = (
                    f"{sign.name} serves no more what Domoticz still shows of {first_of(found, SHOWN)}: they stand "
                    "still, whatever the breaker does, and a click is refused"
                )
                yield Finding(CHECK, state, text, _SERVE_CURE)


def _rows_of(sign: LifeSign, stored: Optional[Sequence[StoredUnit]]) -> Dict[str, Dict[int, Optional[Row]]]:
    """Device id -> unit -> row of one hardware: as its database has them; else as the plugin says, and without rows."""
    found: Dict[str, Dict[int, Optional[Row]]] = {}
    if stored is None or any(one.row is None for one in stored):
        return {device_id: dict.fromkeys(units) for device_id, units in (sign.shown or {}).items()}
    for one in stored:
        if one.row is not None and sign.name == f"hardware {one.row.hardware}":
            found.setdefault(one.device_id, {})[one.unit] = one.row
    return found


def check_unkept(
    sign: LifeSign,
    ages: Mapping[Tuple[str, int], float],
    entries: Sequence[DeviceEntry],
    suspects: Set[str],
) -> Iterator[Finding]:
    """Devices in Domoticz that nothing which their breaker tells belongs to; and those whose state others change.

    suspects: names of breakers of which something is said already that may be the cause of the former.
    """
    for entry, device in sign.connected(entries):
        name = entry.shown_name
        unkept = sign.unkept.get(entry.device_id, ())
        has_answered = device.reported_age_s is not None and (device.connected_age_s or 0.0) > ANSWERED_S
        rare = [unit for unit in unkept if unit in _RARE]
        for found, state in (([unit for unit in unkept if unit not in rare], UNCHECKED), (rare, NOTE)):
            if not found or not has_answered or (state == UNCHECKED and name in suspects):
                continue
            old = [ages[entry.device_id, unit] for unit in found if (entry.device_id, unit) in ages]
            since = f" for {lasted(max(old))}" if old else ""
            text = f"nothing that it reports belongs to what Domoticz shows of it as {units_in_words(found)}{since}"
            yield Finding(CHECK, state, text, _cure_of(entry), name)
        yield from _check_fight(sign, entry)


def _cure_of(entry: DeviceEntry) -> str:
    wished = entry.raw.get("domoticz")
    layout = wished.get("layout") if isinstance(wished, dict) else None
    if layout:
        return f'take "layout": "{layout}" out of its entry in devices.json, if its devices are to be kept up'
    return f"does python3 -m tuya watch show that it still reports it? If it never will, {_DELETE}"


def _check_fight(sign: LifeSign, entry: DeviceEntry) -> Iterator[Finding]:
    """Whether something else goes on changing the state of its switches in Domoticz."""
    told = {unit: times for unit, times in sorted(sign.overwritten.get(entry.device_id, {}).items()) if times}
    last_s = min((min(times) for times in told.values()), default=OVER_S)
    if last_s >= OVER_S:
        return
    is_new = any(sum(age_s < FIGHT_S for age_s in times) > 1 for times in told.values())
    text = (
        "something else (a script, a rule, another program) has put another state into it than the breaker's "
        f"({units_in_words(list(told))}), {counted(sum(map(len, told.values())), 'time')}, the last {lasted(last_s)} "
        "ago; the plugin gave the breaker's own again"
    )
    cure = "find what writes there: Setup > More Options > Events, scripts, Node-RED, Home Assistant"
    yield Finding("values in Domoticz", UNCHECKED if is_new else NOTE, text, cure, entry.shown_name)
