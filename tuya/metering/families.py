"""What kind of device this is: by its category, by the words of its thing model. Pure.

Codes mean the mains only on devices that measure the mains: `cur_power` of a battery charger is the battery's, and an
appliance counts its kWh anew each day under the codes that meters use for totals.
"""

from __future__ import annotations

from typing import Dict, FrozenSet, Mapping, NamedTuple, Tuple

from .model import Model
from .values import number
from .words import split

METER, SOCKET, CHARGER, INVERTER, APPLIANCE, DIRECT_CURRENT, UNKNOWN = (
    "meter",
    "socket",
    "charger",
    "inverter",
    "appliance",
    "direct current",
    "unknown",
)
MAINS = frozenset((METER, SOCKET, CHARGER, INVERTER, UNKNOWN))
# https://developer.tuya.com/en/docs/iot/standarddescription: categories of devices that measure
CATEGORIES: Dict[str, str] = {
    **dict.fromkeys(("dlq", "zndb", "znjdq", "tdq", "zndbq", "wkcz"), METER),
    **dict.fromkeys(("cz", "pc", "kg", "aqcz", "ckqdkg", "cjkg", "qjdcz", "tgkg", "tgq"), SOCKET),
    "qccdz": CHARGER,
    "znnbq": INVERTER,
    "xnyjcn": DIRECT_CURRENT,  # balcony storage: what its DPs count is panels and batteries as well
    "mppt": DIRECT_CURRENT,
    "dcb": DIRECT_CURRENT,
    "znyh": APPLIANCE,
    "": UNKNOWN,
    "qt": UNKNOWN,  # "others": meters of small makers as well
}
# words of codes that only one kind of device has
_SUNNY = frozenset(("pv", "pvv", "pvi", "pvp", "pv1", "pv2", "solar", "photovoltaic"))
_BATTERY = frozenset(("battery", "bat", "batt", "bms", "soc"))
_CAR = frozenset(("charge_cur_set", "charge_energy_once", "connection_state", "sigle_phase_power"))
_HOUSEHOLD = frozenset(
    (
        *("temp_set", "temp_set_f", "upper_temp", "lower_temp", "water_temp", "temp_current_f", "defrost"),
        *("defrost_state", "compressor", "compressor_state", "compressor_strength", "pump_state", "flow_rate"),
        *("water_flow", "speed_set", "fan_speed", "fan_speed_enum", "windspeed", "fill", "cooking", "suction"),
    )
)
# phase records stand there in every family that has them; chargers and inverters have them as well
PHASE_DPS: Dict[str, Tuple[int, ...]] = {METER: (6, 7, 8), CHARGER: (6, 7, 8), INVERTER: (7, 5)}


class Convention(NamedTuple):
    """What a DP means on nearly all devices of a category, where the DPs beside it have the types given."""

    categories: FrozenSet[str]
    dp: int
    role: str
    lsb: float
    beside: Mapping[int, type]
    value: type


_BREAKER, _COUNTER = frozenset(("dlq",)), frozenset(("zndb",))
_CAR_CHARGER, _SUN = frozenset(("qccdz",)), frozenset(("znnbq",))
# standard instruction sets of breakers (prepayment on 11), meters (on 12), chargers (work state on 3) and inverters
CONVENTIONS: Tuple[Convention, ...] = (
    Convention(_BREAKER, 16, "switch", 1.0, {1: int}, bool),
    Convention(_BREAKER, 1, "energy", 0.01, {16: bool}, int),
    Convention(_BREAKER, 15, "leakage", 1.0, {1: int, 11: bool, 16: bool}, int),
    Convention(_BREAKER, 9, "faults", 1.0, {1: int, 11: bool, 16: bool}, int),
    Convention(_COUNTER, 16, "switch", 1.0, {1: int, 12: bool}, bool),
    Convention(_CAR_CHARGER, 18, "switch", 1.0, {3: str}, bool),
    Convention(_CAR_CHARGER, 24, "temperature", 1.0, {3: str, 18: bool}, int),
    Convention(_SUN, 101, "switch", 1.0, {2: int, 10: int}, bool),
    Convention(_SUN, 2, "energy", 0.01, {10: int, 101: bool}, int),
    Convention(_COUNTER, 1, "energy", 0.01, {12: bool, 16: bool}, int),
)


def is_of_type(value: object, wanted: type) -> bool:
    """Say whether a value is a bool, a number that is none, or a text."""
    if wanted is int:
        return number(value) is not None
    return isinstance(value, wanted)


def category_of(entry: Mapping[str, object]) -> str:
    """Return the category of an entry of devices.json or of a dump, in lower case; "" where it has none."""
    category = entry.get("category")
    return category.strip().lower()[:40] if isinstance(category, str) else ""


def kind_of(category: str, lines: Tuple[Model, ...]) -> str:
    """Return the kind of a device: by words that only one kind has, else by its category, else UNKNOWN.

    A category that is in no list belongs to an appliance: all that measure mains are listed.
    """
    codes = {line.code.strip().lower() for line in lines}
    words = {word for line in lines for word in (*split(line.code), *line.code.lower().split("_"))}
    listed = CATEGORIES.get(category, APPLIANCE)
    if listed == DIRECT_CURRENT:
        return listed
    if words & _SUNNY and listed in (METER, SOCKET, INVERTER, UNKNOWN):
        return DIRECT_CURRENT if words & _BATTERY else INVERTER
    if listed != UNKNOWN:
        return listed
    if words & _BATTERY:
        return DIRECT_CURRENT
    if codes & _HOUSEHOLD:
        return APPLIANCE
    return CHARGER if codes & _CAR else UNKNOWN
