"""The units of a breaker: fixed numbers, Domoticz types, names, and which reading goes where.

Knows Domoticz's types and formats as numbers and text; touches no object of the framework, no socket and no DP.
Unit numbers are append-only: they are stored in the databases of users.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Dict, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

from ..devices.deadbands import DEADBANDS, NO_DEADBAND, Deadband
from ..devices.readings import total_power_w
from ..metering.energy import Circuit
from ..metering.reading import TOTAL, Channel, Reading

SWITCH = 1
ENERGY = 2
VOLTAGE = 3
CURRENT = 4
RETURNED = 5
POWER_FACTOR = 6
FREQUENCY = 7
TEMPERATURE = 8
LEAKAGE = 9
ALARM = 10
BALANCE = 11
PHASE_ENERGY = 21
PHASE_VOLTAGE = 24
PHASE_CURRENT = 27
PHASE_RETURNED = 30
PHASE_POWER_FACTOR = 33
GANG = 41
GANGS = 8
POWER_ON_STATE = 61
CHILD_LOCK = 62
COUNTDOWN = 63
THRESHOLDS = 70
CIRCUIT_ENERGY = 101
CIRCUIT_CURRENT = 121
CIRCUIT_RETURNED = 141
CIRCUITS = 20

PHASES: Tuple[Channel, ...] = ("a", "b", "c")

# Units that are there in any case where the device has them; the others only with "all the breaker reports".
BASIC = frozenset((SWITCH, ENERGY, VOLTAGE, CURRENT, *range(21, 36), *range(41, 49), *range(101, 161)))

# sValue columns are text without a limit, but the web page is not
_MAX_TEXT_CHARACTERS = 200


class Kind(NamedTuple):
    """How Domoticz is to show a unit (numbers valid in every release since 2022.1) and when a change is worth it.

    is_meter: written by deadband and rate, and kept alive; else written only when it differs from what is shown.
    A change matters when it is more than the deadband.
    pace: the least time between two writes, in update intervals of the user.
    """

    type: int
    subtype: int
    switchtype: int = 0
    options: Mapping[str, str] = MappingProxyType({})
    is_meter: bool = True
    decimals: int = 1
    deadband: Deadband = NO_DEADBAND
    pace: int = 2


def _custom(unit: str, decimals: int, deadband: Deadband) -> Kind:
    # option "Custom" is "<factor>;<unit>"
    return Kind(243, 31, options={"Custom": f"1;{unit}"}, decimals=decimals, deadband=deadband)


def _selector(names: Sequence[str], first_is_hidden: bool = False) -> Kind:
    options = {
        "LevelActions": "|" * (len(names) - 1),
        "LevelNames": "|".join(names),
        "LevelOffHidden": "true" if first_is_hidden else "false",
        "SelectorStyle": "0",
    }
    return Kind(244, 62, 18, options=options, is_meter=False)


# "0": the Wh are ours; "1" would multiply the power before by the time passed, also through an outage
_ENERGY_OPTIONS = {"EnergyMeterMode": "0"}
KIND_SWITCH = Kind(244, 73, 0, is_meter=False)
KIND_ENERGY = Kind(243, 29, 0, options=_ENERGY_OPTIONS, deadband=DEADBANDS["power"], pace=1)
KIND_RETURNED = Kind(243, 29, 4, options=_ENERGY_OPTIONS, deadband=DEADBANDS["power"], pace=1)
KIND_VOLTAGE = Kind(243, 8, deadband=DEADBANDS["voltage"])
KIND_CURRENT = Kind(243, 23, decimals=3, deadband=DEADBANDS["current"])
KIND_POWER_FACTOR = _custom("PF", 2, DEADBANDS["power_factor"])
KIND_FREQUENCY = _custom("Hz", 2, DEADBANDS["frequency"])
KIND_TEMPERATURE = Kind(80, 5, deadband=DEADBANDS["temperature"])
KIND_LEAKAGE = _custom("mA", 1, DEADBANDS["leakage"])
KIND_BALANCE = _custom("kWh", 2, DEADBANDS["balance"])
KIND_ALARM = Kind(243, 22, is_meter=False)
KIND_TEXT = Kind(243, 19, is_meter=False)
KIND_POWER_ON_STATE = _selector(("Off", "On", "As before"))
KIND_COUNTDOWN = _selector(("Off", "15 min", "30 min", "60 min", "120 min"))


class State(NamedTuple):
    """What a switch, selector, alert or text shows."""

    nvalue: int
    svalue: str


class Number(NamedTuple):
    """What a meter shows; with a circuit it is a kWh meter, `value` its power in W and its Wh come from energy.py."""

    value: float
    circuit: Optional[Circuit] = None


Measure = Union[State, Number]


def kind_at_birth(unit: int, produces: bool) -> Kind:
    """Return how Domoticz is to show a new unit. produces: the kWh of an inverter are generated energy, not used."""
    kind = kind_of(unit)
    return KIND_RETURNED if produces and kind is KIND_ENERGY else kind


def kind_of(unit: int) -> Kind:
    """Return how Domoticz shows this unit number."""
    kind = _KINDS.get(unit)
    if kind is None:
        raise ValueError(f"there is no unit {unit}")
    return kind


def _numbered() -> Dict[int, Tuple[Kind, str]]:
    """All unit numbers with their kind and what is put after the breaker's name when they are created."""
    table: Dict[int, Tuple[Kind, str]] = {
        SWITCH: (KIND_SWITCH, ""),
        ENERGY: (KIND_ENERGY, "Energy"),
        VOLTAGE: (KIND_VOLTAGE, "Voltage"),
        CURRENT: (KIND_CURRENT, "Current"),
        RETURNED: (KIND_RETURNED, "Returned"),
        POWER_FACTOR: (KIND_POWER_FACTOR, "Power factor"),
        FREQUENCY: (KIND_FREQUENCY, "Frequency"),
        TEMPERATURE: (KIND_TEMPERATURE, "Temperature"),
        LEAKAGE: (KIND_LEAKAGE, "Leakage"),
        ALARM: (KIND_ALARM, "Faults"),
        BALANCE: (KIND_BALANCE, "Balance"),
        POWER_ON_STATE: (KIND_POWER_ON_STATE, "After power-on"),
        CHILD_LOCK: (KIND_SWITCH, "Child lock"),
        COUNTDOWN: (KIND_COUNTDOWN, "Countdown"),
        THRESHOLDS: (KIND_TEXT, "Thresholds"),
    }
    for index, phase in enumerate(PHASES):
        letter = phase.upper()
        table[PHASE_ENERGY + index] = (KIND_ENERGY, f"Energy {letter}")
        table[PHASE_VOLTAGE + index] = (KIND_VOLTAGE, f"Voltage {letter}")
        table[PHASE_CURRENT + index] = (KIND_CURRENT, f"Current {letter}")
        table[PHASE_RETURNED + index] = (KIND_RETURNED, f"Returned {letter}")
        table[PHASE_POWER_FACTOR + index] = (KIND_POWER_FACTOR, f"Power factor {letter}")
    for index in range(GANGS):
        table[GANG + index] = (KIND_SWITCH, f"Switch {index + 1}")
    for index in range(CIRCUITS):
        table[CIRCUIT_ENERGY + index] = (KIND_ENERGY, f"Energy {index + 1}")
        table[CIRCUIT_CURRENT + index] = (KIND_CURRENT, f"Current {index + 1}")
        table[CIRCUIT_RETURNED + index] = (KIND_RETURNED, f"Returned {index + 1}")
    return table


_TABLE: Mapping[int, Tuple[Kind, str]] = _numbered()
_KINDS: Mapping[int, Kind] = {unit: kind for unit, (kind, _) in _TABLE.items()}


def name_of(breaker: str, unit: int) -> str:
    """Return the name that a unit is created with; afterwards its name is the user's."""
    suffix = _TABLE[unit][1]
    return f"{breaker} {suffix}" if suffix else breaker


def on_off(is_on: bool) -> State:
    """Return what a switch shows."""
    return State(1, "On") if is_on else State(0, "Off")


def level(value: int) -> State:
    """Return what a selector shows; levels are 0, 10, 20 ... (nValue 2 is Domoticz's "set level")."""
    return State(2 if value else 0, str(value))


def text(value: str) -> State:
    """Return what a text device shows."""
    return State(0, value[:_MAX_TEXT_CHARACTERS])


def alert(severity: int, value: str) -> State:
    """Return what an alert shows: 0 grey, 1 green, 2 yellow, 3 orange, 4 red."""
    return State(severity, value[:_MAX_TEXT_CHARACTERS])


def format_number(kind: Kind, number: Number, energy_wh: float) -> str:
    """Return the sValue of a meter, rounded to what Domoticz's %g shows in full; -0.0 never shows."""
    rounded = round(number.value, kind.decimals) + 0.0
    if number.circuit is not None:
        return f"{rounded:.1f};{energy_wh:.3f}"
    return f"{rounded:.{kind.decimals}f}"


def parse_meter(svalue: str) -> Tuple[Optional[float], Optional[float]]:
    """Return what a meter's sValue says: (value or W, Wh); None where it does not say it."""
    parts = [_float(part) for part in svalue.split(";")] + [None]
    return parts[0], parts[1]


def _float(part: str) -> Optional[float]:
    try:
        number = float(part)
    except ValueError:
        return None
    return number if abs(number) < 1e15 else None


def circuit_units(channels: Sequence[Channel]) -> Dict[Circuit, int]:
    """Return the kWh unit of each circuit of a device with these channels, the sum included."""
    units: Dict[Circuit, int] = {(TOTAL, "used"): ENERGY, (TOTAL, "returned"): RETURNED}
    if len(channels) > 1:
        for channel in channels:
            if channel in PHASES:
                units[(channel, "used")] = PHASE_ENERGY + PHASES.index(channel)
                units[(channel, "returned")] = PHASE_RETURNED + PHASES.index(channel)
            elif _circuit_index(channel) is not None:
                units[(channel, "used")] = CIRCUIT_ENERGY + (_circuit_index(channel) or 0)
                units[(channel, "returned")] = CIRCUIT_RETURNED + (_circuit_index(channel) or 0)
    return units


def _circuit_index(channel: Channel) -> Optional[int]:
    return int(channel) - 1 if channel.isdecimal() and 1 <= int(channel) <= CIRCUITS else None


def measures(reading: Reading, channels: Sequence[Channel], switch_dps: Sequence[int]) -> Dict[int, Measure]:
    """Return what each unit is to show, powers signed, except alarm and controls (alarm.py, controls.py).

    channels, switch_dps: of the profile. What is not known is not in the result.
    """
    result: Dict[int, Measure] = {}
    if len(switch_dps) == 1:
        if switch_dps[0] in reading.switch:
            result[SWITCH] = on_off(reading.switch[switch_dps[0]])
    else:
        for index, dp in enumerate(switch_dps[:GANGS]):
            if dp in reading.switch:
                result[GANG + index] = on_off(reading.switch[dp])
    many = len(channels) > 1
    for circuit, unit in circuit_units(channels).items():
        channel, direction = circuit
        power = total_power_w(reading, channels) if channel == TOTAL else reading.power_w.get(channel)
        if power is not None:
            result[unit] = Number(power if direction == "used" else max(-power, 0.0) + 0.0, circuit)
    _put(result, reading.voltage_v, many, VOLTAGE, PHASE_VOLTAGE)
    _put(result, reading.power_factor, many, POWER_FACTOR, PHASE_POWER_FACTOR)
    _put(result, reading.current_a, many, None if many else CURRENT, PHASE_CURRENT)
    if many:
        for channel, current_a in reading.current_a.items():
            index_of = _circuit_index(channel)
            if index_of is not None:
                result[CIRCUIT_CURRENT + index_of] = Number(current_a)
    singles = (
        (FREQUENCY, reading.frequency_hz),
        (TEMPERATURE, reading.temperature_c),
        (LEAKAGE, reading.leakage_ma),
        (BALANCE, reading.balance_kwh),
    )
    for unit, value in singles:
        if value is not None:
            result[unit] = Number(value)
    return result


def _put(
    result: Dict[int, Measure], values: Mapping[Channel, float], many: bool, single: Optional[int], phase: int
) -> None:
    """Put a quantity on its unit: one of it on `single`, phases on `phase` and following."""
    for channel, value in values.items():
        if many and channel in PHASES:
            result[phase + PHASES.index(channel)] = Number(value)
        elif single is not None and single not in result:
            result[single] = Number(value)
