"""What a code of a thing model means, read by its words.

Makers spell codes freely (cur_power, ActivePowerA, forward_energy_total, energy_reserse_b). A code is a reading when
its words name one quantity, perhaps a circuit, and nothing that makes it a limit, a cost or a day's figure.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import AbstractSet, Dict, FrozenSet, List, NamedTuple, Optional, Tuple

from .reading import TOTAL

REMEMBERED_CODES = 1024  # their meanings; of more, those that were not met for the longest time are read anew


def _set(text: str) -> FrozenSet[str]:
    return frozenset(text.split())


# words that turn a quantity into something that is no reading
NOT_READINGS = _set(
    "set setting settings limit limits threshold thresholds thre max min maximum minimum over under alarm alarms "
    "protect protection prot warn warning rate rated coe coef coeff coefficient calib calibrate calibration corr "
    "delay time timer times count counter cost price money fee bill today day daily yesterday month monthly year "
    "yearly week weekly hour hourly history record records report interval period cycle inching reset clear recover "
    "recovery reclose state status mode low high trip action enable en test net last peak tariff reactive apparent "
    "harmonic thd demand remain remaining purchase purchased surplus percent type unit ratio cfg config gain offset "
    "diff difference lost overload valley flat sharp on off lock step target charge average avg initial base standby "
    "neutral unbalance leak_test"
)
REVERSED = _set(
    "reverse reversed reserse rev export exported produced produce production backward back return returned feed "
    "feedin sold sell generation generated negative neg out"
)
FILLERS = _set(
    "cur current phase channel ch line value val real realtime now instant instantaneous active meter device act "
    "rms single sigle electric electrical w v ma kwh use used forward forword fwd positive pos import imported "
    "consumed consumption ac f clamp ct data dp phs act circuit electricity ele energy power voltage acc "
    "accumulated cumulative actual"
)
VOLTAGE = _set("voltage volt vol acv v u ua ub uc")
CURRENT = _set("current curr ampere amp aci i ia ib ic")
POWER = _set("power poewr watt watts kw acp p pa pb pc")
ENERGY = _set("energy ele electricity kwh electric consumption elec eletricity generation")
FACTOR = _set("power poewr factor pf powerfactor cos cosphi phi")
FREQUENCY = _set("frequency freq hz achz supply grid")
TEMPERATURE = _set("temperature temp")
LEAKAGE = _set("leakage residual leak current cur real actual value")
TOTALS = _set("total sum all whole")
LIFETIME = TOTALS | _set("acc accumulated accumulative cumulative lifetime")
# booleans that are no relay, whatever else their code says
NO_RELAY = NOT_READINGS | _set(
    "clear prepayment prepay prepaid lock reclosing autoreclose backlight light led sound beep buzzer display screen "
    "leak leakage self selftest child window frost anti eco sleep mute rfid nfc online push upload flag schedule "
    "overcharge charge sync calibrate bind factory direction night boost turbo fan heat pump valve "
    "password ota refresh"
)
RELAY = _set("switch switches relay power onoff outlet socket breaker start main gang")
# "forward_energy_a" is a day's figure on some meters; with a circuit such a code must also say "total"
DIRECTION_FIRST = _set("forward reverse import export positive negative")

CIRCUITS: Dict[str, str] = {
    **{letter: letter for letter in "abc"},
    **{f"phase{letter}": letter for letter in "abc"},
    **{str(n): str(n) for n in range(1, 21)},
}
LETTERED = {f"{first}{letter}": letter for first in "uip" for letter in "abc"}


class Meaning(NamedTuple):
    """A role of layout.py; circuit: a letter, a number, "total" or ""; standard: a code of the standard set.

    perhaps_a_days: an energy that some meters count anew each day under the same code.
    is_lifetime: the code says that it is a total.
    is_consumption: a "power consumption", often a day's. is_output: an inverter's word for what it feeds in.
    """

    role: str
    circuit: str = ""
    standard: bool = False
    perhaps_a_days: bool = False
    is_lifetime: bool = False
    is_consumption: bool = False
    is_output: bool = False


STANDARD: Dict[str, Meaning] = {
    code: Meaning(role, "", True, is_lifetime="total" in code)
    for code, role in {
        "cur_current": "current",
        "cur_power": "power",
        "cur_voltage": "voltage",
        "add_ele": "increment",
        "total_forward_energy": "energy",
        "forward_energy_total": "energy",
        "energy_forward_total": "energy",
        "total_reverse_energy": "returned",
        "reverse_energy_total": "returned",
        "energy_reverse_total": "returned",
        "supply_frequency": "frequency",
        "power_factor": "power_factor",
        "leakage_current": "leakage",
        "temp_current": "temperature",
        "balance_energy": "balance",
        "energy_balance": "balance",
        "alarm_set_1": "alarm_set",
        "alarm_set_2": "alarm_set",
        "fault": "faults",
        "relay_status": "power_on",
        "child_lock": "child_lock",
        "countdown": "countdown",
        "countdown_1": "countdown",
        "event": "event",
    }.items()
}

_WORDS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
# quantities that some makers write in one word with what stands around them
_FUSED = re.compile(
    r"(reactive|apparent|active|total|forward|reverse|today|daily|powerfactor|power|factor|energy|consumed|produced|"
    r"voltage|current|leakage|frequency|electricity)"
)
_SWITCH = re.compile(r"(?:switch|relay)(?:_?\d+|_on|_usb_?\d*)?$")
_KNOWN = NOT_READINGS | REVERSED | ENERGY | FACTOR | FREQUENCY | TEMPERATURE | LEAKAGE | CURRENT | POWER | VOLTAGE
_PHASE = re.compile(r"phase_?(?:([abc])|s?(\d{1,2}))$")
_LINE = re.compile(r"(?:^|_|(?<=[a-z]))L([123])(?!\d)|(?:^|_)l([123])(?:_|$)|(?:^|_)(?:ch|CH|channel)_?(\d+)(?:_|$)")


@lru_cache(maxsize=REMEMBERED_CODES)  # of each code it is asked several times, and by each device that has it
def split(code: str) -> Tuple[str, ...]:
    """Return the words of a code in lower case: ActivePowerA and activepowera -> active, power, a."""
    return tuple(_FUSED.sub(r" \1 ", " ".join(_WORDS.findall(code)).lower()).split())


def meaning(code: str) -> Optional[Meaning]:
    """Return what a code means; None for what is no reading, no state and no relay."""
    means = _meaning(code)
    return None if means is not None and means.perhaps_a_days else means


def unproven_energy(code: str) -> Optional[Meaning]:
    """Return the energy of one circuit that a code names which may be a day's figure, None for all other codes."""
    means = _meaning(code)
    return means if means is not None and means.perhaps_a_days else None


def output(code: str) -> Optional[Meaning]:
    """Return the power that an inverter feeds into the mains (out_power, output_power); None for all other codes."""
    words = split(code)
    if not {"out", "output"} & set(words):
        return None
    means = _meaning("_".join(word for word in words if word not in ("out", "output")))
    return means._replace(is_output=True) if means is not None and means.role == "power" else None


def may_be_relay(code: str) -> bool:
    """Say whether a code can name a relay: "switch_2" and "Power" can, "clear_energy" and "switch_lock" cannot."""
    words = {word for word in split(code) if not word.isdigit()}
    return bool(_SWITCH.match(code.strip().lower())) or (bool(words & RELAY) and not words & NO_RELAY)


@lru_cache(maxsize=REMEMBERED_CODES)
def _meaning(code: str) -> Optional[Meaning]:
    lowered = code.strip().lower()
    if lowered in STANDARD:
        return STANDARD[lowered]
    phase = _PHASE.match(lowered)
    if phase:
        return Meaning("phase", phase.group(1) or str(int(phase.group(2))), True)
    if _SWITCH.match(lowered):
        return Meaning("switch", "", True)
    circuit = ""
    line = _LINE.search(code)
    if line:
        phase_number = line.group(1) or line.group(2)
        circuit = "abc"[int(phase_number) - 1] if phase_number else line.group(3)
        code = code.replace(line.group(0), "_")
    total = False
    rest: List[str] = []
    for word in split(code):
        if word in LETTERED:
            circuit = LETTERED[word]
            rest.append(word)
        elif word in CIRCUITS:
            circuit = CIRCUITS[word]
        elif word in TOTALS:
            total = True
        else:
            rest.append(word)
    role = _role(rest)
    if role is None:
        return None
    perhaps_a_days = role in ("energy", "returned") and bool(circuit) and not total and rest[0] in DIRECTION_FIRST
    is_lifetime = total or bool(set(rest) & LIFETIME)
    place = circuit or (TOTAL if total else "")
    return Meaning(
        role,
        place,
        perhaps_a_days=perhaps_a_days,
        is_lifetime=is_lifetime,
        is_consumption=role == "energy" and {"power", "consumption"} <= set(rest),
    )


def is_unknown(code: str) -> bool:
    """Say whether no word of a code is known: it may be another language's word for a reading."""
    return meaning(code) is None and not set(split(code)) & _KNOWN


def _role(words: List[str]) -> Optional[str]:
    """Return the quantity that a code's words name, None where one of them says that it is no reading."""
    have = set(words)
    if have & {"direction", "dir"}:
        return "direction"
    if have & NOT_READINGS:
        return None
    if have & {"leakage", "residual", "leak"}:
        return None if have - LEAKAGE else "leakage"
    if "balance" in have:
        return "balance" if have & ENERGY else None
    role: str
    own: AbstractSet[str]
    if have & {"pf", "powerfactor", "cos", "cosphi"} or {"factor", "power"} <= have:
        role, own = "power_factor", FACTOR
    elif have & (FREQUENCY - {"supply", "grid"}):
        role, own = "frequency", FREQUENCY
    elif have & TEMPERATURE:
        role, own = "temperature", TEMPERATURE
    elif have & VOLTAGE:
        role, own = "voltage", VOLTAGE
    elif have & POWER and "consumption" in have:
        role, own = "energy", ENERGY | POWER
    elif have & POWER:
        role, own = "power", POWER
    elif have & ENERGY and "add" in have:
        role, own = "increment", ENERGY | {"add"}
    elif have & ENERGY and not have & CURRENT:
        role, own = "returned" if have & REVERSED else "energy", ENERGY | REVERSED
    elif have & CURRENT or have == {"cur"}:
        # beside another quantity "cur" says "at present"
        role, own = "current", CURRENT
    else:
        return None
    return None if have - own - FILLERS else role
