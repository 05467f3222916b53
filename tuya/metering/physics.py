"""Does it fit? V, I and P of one circuit against each other; finds scale errors. Pure arithmetic.

The rule: 80 V <= V <= 280 V and |P| <= 1.05 V I + 2 W. Where one power of ten on exactly one quantity makes it fit,
that is applied and said; otherwise the doubtful quantity is left out. A scale that the user gave is never touched.
"""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import AbstractSet, Dict, List, Mapping, NamedTuple, Optional, Tuple

from .values import POWER_SLACK, POWER_SLACK_W, VOLTAGE_MAX_V, VOLTAGE_MIN_V, possible

POWERS_OF_TEN = (1, 2, 3)
# after a correction by a power of ten the load must look like one: below this P / (V I) another cause is as likely
# (V, I and P of different moments), and the power is left out
LEAST_FACTOR = 0.2
ABSURD_FACTOR, ABSURD_W = 0.02, 2.0
# a voltage that only a correction makes possible must land on a mains that exists
MAINS_V = ((95.0, 135.0), (195.0, 265.0))
# loads from here on tell what the power factor is, to within the tolerance (V, I and P of different moments)
PROOF_VA = 10.0
# 0 W of a circuit that carries more than this is "not measured" (filters and standby supplies draw less, reactively)
REACTIVE_VA = 100.0
# the most that a device of this kind carries on one circuit: clamps to 600 A; without V and I beside it a power is
# believed up to a breaker of 100 A on one phase, and on three of them for a device's own sum
MAX_CURRENT_A = 630.0
MAX_PROVEN_W = 160_000.0
MAX_LONE_W = 28_000.0
MAX_TOTAL_W = 84_000.0
PROOF_W = 5.0
FACTOR_TOLERANCE = 0.15
FREQUENCY_MIN_HZ = 40.0
FREQUENCY_MAX_HZ = 70.0


class Verdict(NamedTuple):
    """What is believed of one circuit: values in V, A, W; `corrected` maps a quantity to the factor applied."""

    values: Mapping[str, float]
    corrected: Mapping[str, float] = MappingProxyType({})
    refused: Tuple[str, ...] = ()
    notes: Tuple[str, ...] = ()


def _scaled_voltage(voltage_v: float) -> Optional[float]:
    """Return the factor 10^-k that brings a voltage above 280 V into range; the range is narrower than a decade."""
    for power in POWERS_OF_TEN:
        if VOLTAGE_MIN_V <= voltage_v / 10**power <= VOLTAGE_MAX_V:
            return 10.0**-power
    return None


def ceiling_w(channel_is_total: bool, is_proven: bool) -> float:
    """Return the most W that is believed. is_proven: V and I of the circuit are known beside it."""
    if channel_is_total:
        return MAX_TOTAL_W
    return MAX_PROVEN_W if is_proven else MAX_LONE_W


def same_at_another_scale(power_w: float, witness_w: float, step_w: float) -> Optional[float]:
    """Return the power of ten that turns a power into about what another data point says, None where none does.

    step_w: the coarseness of the witness. The two may be of different moments: within a factor of 2 one power of ten
    fits and no other.
    """
    if abs(power_w - witness_w) <= step_w:
        return 1.0
    if power_w * witness_w <= 0 or abs(witness_w) < 5 * step_w:
        return None
    exponent = round(math.log10(abs(power_w / witness_w)))
    fits = 0.5 <= power_w / 10.0**exponent / witness_w <= 2.0 and -3 <= exponent <= 4
    return float(10.0**-exponent) if fits else None


def judge(
    values: Mapping[str, float], fixed: AbstractSet[str], doubtful: AbstractSet[str], slack_w: float = 0.0
) -> Verdict:
    """Judge one circuit.

    values: any of voltage, current, power. fixed: quantities whose scale is certain (the user's, or proven by the
    record). doubtful: quantities whose scale only a thing model vouches for. slack_w: by how much P and V I may
    differ because their steps are coarse.
    """
    known: Dict[str, float] = dict(values)
    corrected: Dict[str, float] = {}
    refused: List[str] = []
    notes: List[str] = []

    def refuse(quantity: str, why: str) -> None:
        known.pop(quantity, None)
        refused.append(quantity)
        if values[quantity]:  # 0 V says "nothing measured": no news
            notes.append(f"{quantity} left out: {why}")

    def correct(quantity: str, factor: float, why: str) -> None:
        known[quantity] = values[quantity] * factor
        corrected[quantity] = factor
        notes.append(f"{quantity} x {factor:g}: {why}")

    voltage = known.get("voltage")
    if voltage is not None and "voltage" not in fixed:
        if voltage > VOLTAGE_MAX_V:
            factor = _scaled_voltage(voltage)
            if factor:
                correct("voltage", factor, f"{voltage:g} V is no mains voltage, scale error")
            else:
                refuse("voltage", f"{voltage:g} V is no mains voltage")
        elif voltage < VOLTAGE_MIN_V:
            factor = _raised_voltage(known)
            if factor:
                correct("voltage", factor, f"{voltage:g} V does not carry this power, scale error")
            else:
                refuse("voltage", f"{voltage:g} V is no mains voltage")
                if voltage and "current" in doubtful and _contradict(known, voltage):
                    # the model has mixed up the DPs of this circuit: whatever it names here is something else
                    for quantity in ("current", "power"):
                        refuse(quantity, "it does not belong to that voltage")
    voltage, current, power = known.get("voltage"), known.get("current"), known.get("power")
    if power is None or voltage is None or current is None or "power" in fixed:
        if power and "power" in doubtful and "power" not in fixed and "voltage" in corrected:
            refuse("power", "the thing model is wrong about the voltage and nothing proves its power")
        return Verdict(known, corrected, tuple(refused), tuple(notes))
    if not possible(voltage, current, power, slack_w):
        factor = _scaled_power(voltage, current, power)
        if factor:
            correct("power", factor, f"{power:g} W is more than {voltage:g} V x {current:g} A, scale error")
        else:
            refuse("power", f"{power:g} W does not fit {voltage:g} V x {current:g} A")
            if {"current", "power"} <= doubtful:
                refuse("current", "see power")
    elif not power and voltage * abs(current) > REACTIVE_VA + slack_w:
        refuse("power", f"0 W beside {voltage:g} V x {current:g} A is not measured")
        notes.append("power left out: 0 W of a loaded circuit is not measured")
        if {"current", "power"} <= doubtful:
            refuse("current", "see power")
    elif "current" in doubtful and _absurd(voltage, current, power):
        refuse("power", f"{power:g} W is next to nothing of {voltage:g} V x {current:g} A: one of the scales is wrong")
        refuse("current", "see power")
    elif power and "power" in doubtful and "voltage" in corrected:
        refuse("power", "the thing model is wrong about the voltage, and its power fits two scales")
    return Verdict(known, corrected, tuple(refused), tuple(notes))


def is_telling(values: Mapping[str, float]) -> bool:
    """Whether a circuit carries enough for V, A and W to tell at which scale W is."""
    apparent_va = values.get("voltage", 0.0) * abs(values.get("current", 0.0))
    return apparent_va >= PROOF_VA and abs(values.get("power", 0.0)) >= PROOF_W


def _contradict(known: Mapping[str, float], voltage: float) -> bool:
    current, power = known.get("current"), known.get("power")
    return (
        current is not None and power is not None and abs(power) > POWER_SLACK * voltage * abs(current) + POWER_SLACK_W
    )


def _absurd(voltage: float, current: float, power: float) -> bool:
    """Say whether a real power is so far below V I that a model's scale must be wrong (lowest real one seen: 0.08)."""
    return abs(power) >= ABSURD_W and voltage * abs(current) > abs(power) / ABSURD_FACTOR


def _raised_voltage(known: Mapping[str, float]) -> Optional[float]:
    """Return 10 or 100 where a voltage below 80 V is proven to be too low by a power that it cannot carry."""
    voltage, current, power = known["voltage"], known.get("current"), known.get("power")
    if not voltage or not current or power is None or not _contradict(known, voltage):
        return None
    for exponent in (1, 2):
        raised = voltage * 10**exponent
        if not any(low <= raised <= high for low, high in MAINS_V):
            continue
        if possible(raised, current, power) and abs(power) >= LEAST_FACTOR * raised * abs(current):
            return 10.0**exponent
    return None


def _scaled_power(voltage: float, current: float, power: float) -> Optional[float]:
    """Return the factor 10^-k that makes a power fit V I and look like a load, None where nothing does."""
    if not current:
        return None
    for exponent in POWERS_OF_TEN:
        smaller = power / 10**exponent
        if possible(voltage, current, smaller):
            return 10.0**-exponent if abs(smaller) >= LEAST_FACTOR * voltage * abs(current) else None
    return None


def plausible_frequency(frequency_hz: float) -> Optional[float]:
    """Return a mains frequency in Hz, corrected by a power of ten where only that fits; None for 0 and the rest."""
    for exponent in (0, 1, 2, 3, -1):
        candidate = frequency_hz / 10**exponent
        if FREQUENCY_MIN_HZ <= candidate <= FREQUENCY_MAX_HZ:
            return round(candidate, 4)
    return None


def plausible_factor(
    factor: float, apparent_va: Optional[float], power_w: Optional[float], doubtful: bool = False
) -> Optional[float]:
    """Return a power factor in -1..1, compared with P / (V I) where both are big enough to tell.

    0 beside a power is "not measured". One that is off by a power of ten is corrected where the other three prove it.
    doubtful: its LSB is a guess, so one that V, I and P contradict is left out.
    """
    expected = None
    if apparent_va and apparent_va >= PROOF_VA and power_w is not None and abs(power_w) >= PROOF_W:
        expected = min(1.0, abs(power_w) / apparent_va)
    if factor == 0:
        return factor if power_w == 0 else None
    if expected is not None and (abs(factor) > 1.0 or not expected / 3 <= abs(factor) <= expected * 3):
        for exponent in (1, 2) if doubtful else (1, 2, -1, -2):
            candidate = factor / 10**exponent
            if abs(candidate) <= 1.0 and abs(abs(candidate) - expected) <= FACTOR_TOLERANCE:
                return round(candidate, 6)
    if abs(factor) > 1.0 or (doubtful and (expected is None or abs(abs(factor) - expected) > FACTOR_TOLERANCE)):
        return None
    return factor
