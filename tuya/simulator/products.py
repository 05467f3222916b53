"""The products that can be simulated, as data: their DPs, thing model, and which DP shows which quantity. No behaviour.

A product's facts come from public dumps and definitions of real devices; where only the layout is public, codes follow
the standard names of its category.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, Mapping, Optional, Tuple


@dataclass(frozen=True)
class Dp:
    """One data point. kind: its type in the thing model. first: its value when the breaker is new."""

    dp: int
    code: str
    kind: str
    first: Any
    values: Mapping[str, Any] = field(default_factory=dict)
    writable: bool = False


@dataclass(frozen=True)
class Feed:
    """What a measuring DP shows.

    quantity: voltage (V), current (A), power (W), phase (V, I, P in 8 bytes), used or returned (Wh, a counter),
    increment (Wh since the last report), power_factor, frequency (Hz), temperature (deg C).
    lsb: one unit of the DP in the quantity's unit. channel "total": the sum over all channels.
    """

    dp: int
    quantity: str
    lsb: float
    channel: str = "1"


@dataclass(frozen=True)
class Product:
    """One product. feeds are what its meter measures; everything else keeps its value until it is written.

    absent_from_query: DPs that the product leaves out of full queries. trip: DPs that a protective trip sets, calm: the
    same DPs without one. phases: the mains phase of each channel (0, 1, 2). report_interval_s: everything that changed
    is pushed this often without any other cause; increment_interval_s: the period of an increment DP.
    """

    product_id: str
    name: str
    model: str
    category: str
    dps: Tuple[Dp, ...]
    feeds: Tuple[Feed, ...]
    switch_dp: Optional[int]
    channels: Tuple[str, ...] = ("1",)
    phases: Tuple[int, ...] = (0,)
    absent_from_query: Tuple[int, ...] = ()
    trip: Mapping[int, Any] = field(default_factory=dict)
    calm: Mapping[int, Any] = field(default_factory=dict)
    power_on_dp: Optional[int] = None
    countdown_dp: Optional[int] = None
    report_interval_s: float = 600.0
    increment_interval_s: float = 600.0

    def mapping(self) -> Dict[str, Dict[str, Any]]:
        """The thing model as devices.json holds it: {DP: {code, type, values}}."""
        return {str(dp.dp): {"code": dp.code, "type": dp.kind, "values": dict(dp.values)} for dp in self.dps}


def _number(unit: str, scale: int, maximum: int, minimum: int = 0, step: int = 1) -> Dict[str, Any]:
    return {"unit": unit, "min": minimum, "max": maximum, "scale": scale, "step": step}


def _enum(*words: str) -> Dict[str, Any]:
    return {"range": list(words)}


_SOCKET_FAULTS = {"label": ["ov_cr", "ov_vol", "ov_pwr", "ls_cr", "ls_vol", "ls_pow"]}

_SY1_DPS = (
    Dp(1, "switch_1", "Boolean", True, writable=True),
    Dp(9, "countdown_1", "Integer", 0, _number("s", 0, 86400), writable=True),
    Dp(17, "add_ele", "Integer", 0, _number("kWh", 3, 50000, step=100)),
    Dp(18, "cur_current", "Integer", 0, _number("mA", 0, 80000)),
    Dp(19, "cur_power", "Integer", 0, _number("W", 1, 200000)),
    Dp(20, "cur_voltage", "Integer", 0, _number("V", 1, 5000)),
    Dp(21, "test_bit", "Integer", 1, _number("", 0, 5)),
    Dp(22, "voltage_coe", "Integer", 0, _number("", 0, 1000000)),
    Dp(23, "electric_coe", "Integer", 0, _number("", 0, 1000000)),
    Dp(24, "power_coe", "Integer", 0, _number("", 0, 1000000)),
    Dp(25, "electricity_coe", "Integer", 0, _number("", 0, 1000000)),
    Dp(26, "fault", "Bitmap", 0, _SOCKET_FAULTS),
    Dp(38, "relay_status", "Enum", "memory", _enum("off", "on", "memory"), writable=True),
    Dp(40, "light_mode", "Enum", "relay", _enum("relay", "pos", "none", "on"), writable=True),
    Dp(41, "child_lock", "Boolean", False, writable=True),
    Dp(42, "cycle_time", "String", "", writable=True),
    Dp(66, "online_state", "Enum", "online", _enum("online", "offline"), writable=True),
)
_SOCKET_FEEDS = (
    Feed(17, "increment", 1.0),
    Feed(18, "current", 0.001),
    Feed(19, "power", 0.1),
    Feed(20, "voltage", 0.1),
)

TO_Q_SY1_JWT = Product(
    product_id="jdj6ccklup7btq3a",
    name="Smart breaker",
    model="TO-Q-SY1-JWT",
    category="dlq",
    dps=_SY1_DPS,
    feeds=_SOCKET_FEEDS,
    switch_dp=1,
    trip={26: 0b1},
    calm={26: 0},
    power_on_dp=38,
    countdown_dp=9,
)

TO_Q_SY2_JWT = Product(
    product_id="3lbgj7cu27nsmh0w",
    name="Smart breaker with temperature",
    model="TO-Q-SY2-JWT",
    category="dlq",
    dps=(
        *_SY1_DPS[:-1],
        Dp(47, "temp_value", "Integer", 25, _number("℃", 0, 200, -40)),
        Dp(48, "alarm_set_1", "Raw", "BAEAMgUBAFA=", writable=True),  # leakage 50 mA, 80 degrees: both trip
        Dp(49, "alarm_set_2", "Raw", "AQEAPAMBAP0EAQC0", writable=True),  # 60 A, 253 V, 180 V: all trip
        _SY1_DPS[-1],
    ),
    feeds=(*_SOCKET_FEEDS, Feed(47, "temperature", 1.0)),
    switch_dp=1,
    trip={26: 0b1},
    calm={26: 0},
    power_on_dp=38,
    countdown_dp=9,
)

_ACTIONS = _enum("Closed", "Alarm", "Trip")
_EVENTS = _enum(
    "Normal", "Over_Current_Trip", "Over_Voltage_Alarm", "Remote_ON", "Remote_OFF", "Manual_OFF", "Leakage_Trip"
)

TO_Q_SYS_JWT = Product(
    product_id="kmnzgh4yn8pa0lqh",
    name="Smart breaker with counter",
    model="TO-Q-SYS-JWT",
    category="dlq",
    dps=(
        Dp(1, "total_forward_energy", "Integer", 132, _number("kWh", 2, 99999999)),
        Dp(6, "phase_a", "Raw", ""),
        Dp(11, "switch_prepayment", "Boolean", False, writable=True),
        Dp(12, "clear_energy", "Boolean", False, writable=True),
        Dp(13, "balance_energy", "Integer", 0, _number("kWh", 2, 99999999)),
        Dp(15, "leakage_current", "Integer", 0, _number("mA", 0, 1000)),
        Dp(16, "switch", "Boolean", True, writable=True),
        Dp(101, "over_current_action", "Enum", "Closed", _ACTIONS),
        Dp(102, "over_voltage_action", "Enum", "Trip", _ACTIONS),
        Dp(109, "online_state", "Enum", "online", _enum("online", "offline"), writable=True),
        Dp(110, "event", "Enum", "Normal", _EVENTS),
        Dp(111, "report_changes", "Boolean", True, writable=True),
        Dp(112, "auto_reclose", "Boolean", False, writable=True),
        Dp(114, "over_current_set", "Integer", 50, _number("A", 0, 100)),
        Dp(115, "over_voltage_set", "Integer", 280, _number("V", 0, 300)),
        Dp(116, "under_voltage_set", "Integer", 165, _number("V", 0, 220)),
        Dp(119, "over_power_set", "Integer", 2000, _number("W", 0, 22000)),
        Dp(120, "over_energy_set", "Integer", 10, _number("kWh", 0, 999999)),
        Dp(125, "forward_energy_a", "Integer", 132, _number("kWh", 2, 99999999)),
        Dp(131, "temperature_a", "Integer", 378, _number("℃", 1, 2000, -400)),
        Dp(137, "report_interval", "Integer", 60, _number("s", 0, 600, 60), writable=True),
        Dp(142, "relay_status", "Enum", "memory", _enum("off", "on", "memory"), writable=True),
    ),
    feeds=(
        Feed(1, "used", 10.0),
        Feed(6, "phase", 1.0),
        Feed(125, "used", 10.0),
        Feed(131, "temperature", 0.1),
    ),
    switch_dp=16,
    absent_from_query=(6,),
    trip={110: "Over_Current_Trip"},
    calm={110: "Normal"},
    power_on_dp=142,
    report_interval_s=60.0,
)

THREE_PHASE_METER = Product(
    product_id="ab1sqlmvkyfkll6v",
    name="Three-phase meter",
    model="ATMS100133",
    category="zndb",
    dps=(
        Dp(1, "forward_energy_total", "Integer", 0, _number("kWh", 2, 99999999)),
        Dp(6, "phase_a", "Raw", ""),
        Dp(7, "phase_b", "Raw", ""),
        Dp(8, "phase_c", "Raw", ""),
        Dp(10, "fault", "Bitmap", 0, {"label": ["short_circuit_alarm", "surge_alarm", "overload_alarm"]}),
        Dp(23, "reverse_energy_total", "Integer", 0, _number("kWh", 2, 99999999)),
        Dp(29, "power_total", "Integer", 0, _number("W", 0, 999999, -999999)),
        Dp(32, "supply_frequency", "Integer", 5000, _number("Hz", 2, 9999)),
        Dp(50, "power_factor", "Integer", 100, _number("", 2, 100)),
    ),
    feeds=(
        Feed(1, "used", 10.0, "total"),
        Feed(6, "phase", 1.0, "a"),
        Feed(7, "phase", 1.0, "b"),
        Feed(8, "phase", 1.0, "c"),
        Feed(23, "returned", 10.0, "total"),
        Feed(29, "power", 1.0, "total"),
        Feed(32, "frequency", 0.01, "total"),
        Feed(50, "power_factor", 0.01, "total"),
    ),
    switch_dp=None,
    channels=("a", "b", "c"),
    phases=(0, 1, 2),
    report_interval_s=60.0,
)

TWO_CLAMP_METER = Product(
    product_id="vfwxetkavqrvg02u",
    name="Two-channel clamp meter",
    model="PC311",
    category="zndb",
    dps=(
        Dp(1, "forward_energy_total", "Integer", 0, _number("kWh", 2, 99999999)),
        Dp(2, "reverse_energy_total", "Integer", 0, _number("kWh", 2, 99999999)),
        Dp(9, "total_power", "Integer", 0, _number("W", 0, 999999, -999999)),
        Dp(101, "energy_forward_a", "Integer", 0, _number("kWh", 2, 99999999)),
        Dp(102, "energy_reverse_a", "Integer", 0, _number("kWh", 2, 99999999)),
        Dp(103, "energy_forward_b", "Integer", 0, _number("kWh", 2, 99999999)),
        Dp(104, "energy_reverse_b", "Integer", 0, _number("kWh", 2, 99999999)),
        Dp(105, "current_total", "Integer", 0, _number("A", 3, 999999)),
        Dp(106, "voltage", "Integer", 2300, _number("V", 1, 5000)),
        Dp(107, "current_a", "Integer", 0, _number("A", 3, 999999)),
        Dp(108, "power_a", "Integer", 0, _number("W", 0, 999999, -999999)),
        Dp(109, "power_factor_a", "Integer", 100, _number("", 2, 100)),
        Dp(110, "current_b", "Integer", 0, _number("A", 3, 999999)),
        Dp(111, "power_b", "Integer", 0, _number("W", 0, 999999, -999999)),
        Dp(112, "power_factor_b", "Integer", 100, _number("", 2, 100)),
        Dp(117, "frequency", "Integer", 50, _number("Hz", 0, 100)),
    ),
    feeds=(
        Feed(1, "used", 10.0, "total"),
        Feed(2, "returned", 10.0, "total"),
        Feed(9, "power", 1.0, "total"),
        Feed(101, "used", 10.0, "a"),
        Feed(102, "returned", 10.0, "a"),
        Feed(103, "used", 10.0, "b"),
        Feed(104, "returned", 10.0, "b"),
        Feed(105, "current", 0.001, "total"),
        Feed(106, "voltage", 0.1, "total"),
        Feed(107, "current", 0.001, "a"),
        Feed(108, "power", 1.0, "a"),
        Feed(109, "power_factor", 0.01, "a"),
        Feed(110, "current", 0.001, "b"),
        Feed(111, "power", 1.0, "b"),
        Feed(112, "power_factor", 0.01, "b"),
        Feed(117, "frequency", 1.0, "total"),
    ),
    switch_dp=None,
    channels=("a", "b"),
    phases=(0, 0),
    report_interval_s=60.0,
)

PRODUCTS: Dict[str, Product] = {
    product.product_id: product
    for product in (TO_Q_SY1_JWT, TO_Q_SY2_JWT, TO_Q_SYS_JWT, THREE_PHASE_METER, TWO_CLAMP_METER)
}
