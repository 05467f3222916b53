"""kWh that never go down and never invent: all totals of one device. Pure: time is passed in.

What is published for a circuit, by what the device tells of it:
- a counter: the counter, refined by W between its steps (meter.Meter);
- W only: W integrated while the device answers (flow.PowerFlow);
- the sum ("total") of phases or channels: the sum of their totals, where each has a counter or none tells one (a
  device's own sum may be stale); the device's own counter where only that exists; W of the device where nothing else.

Increments (DP 17 and its likes) are not counted, on purpose. A full query repeats the last one, and nothing tells a
repetition from an equal new one; they come every 10 to 30 min or per 0.1 kWh, so that after a gap nobody knows whether
one was missed; whether a power cycle or a missed upload clears them differs by firmware. W, refreshed every 5 s, is
right to 0.3 % without them on most household loads; what pulses within seconds is not (docs/energy.md).

Restarts. A circuit goes on from what Domoticz shows, or from our saved state where that is a little ahead (what was
counted since the last write). With a counter, what it counted in between is caught up, because `saved` holds which
counter value belongs to which total. Hence
- an older database restored (shown and saved are older together): counters are caught up, W goes on from what is shown;
- `saved` lost: the total goes on from what is shown. What a counter counted while we were off is caught up where what
  is shown tells that the total is the counter (just behind it, see meter.Meter); once a counter has restarted, it is
  not known;
- a unit deleted and created again: it goes on from the saved total, and without `saved` it is new;
- the device moved to another hardware instance (neither): it is new there. New means: born with the counter's value,
  without a counter with 0 Wh;
- shown far below saved (somebody set the unit back): what is shown wins, and the saved state of the circuit is dropped.
Wall-clock time plays no part; `at_s` is monotonic.
"""

from __future__ import annotations

import math
from typing import Dict, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

from .flow import Flow, PowerFlow
from .meter import MAX_POWER_W, Meter
from .reading import TOTAL, Channel, Reading

Circuit = Tuple[Channel, str]
"""(channel, USED or RETURNED)."""
USED = "used"
RETURNED = "returned"
NET = "net"

DEFAULT_STEP_KWH = 0.01
"""Step of a counter whose profile does not know it: that of most devices."""
RETURN_BIRTH_WH = 1.0
"""Returned energy of a circuit without such a counter is shown from here on: noise around 0 W is no export."""
SAVED_AHEAD_WH = 1000.0
"""The most that a saved total may be ahead of what Domoticz shows: writes are 10 Wh or some minutes apart."""
OPENING_S = 10.0
"""W may be reported so long after its relay opened: it is a mean, and a query can cross the change."""
GAP_WORTH_SAYING_S = 60.0
"""Shorter gaps without counting are not worth a line in the log."""


class EnergyBook:
    """All totals of one device.

    `shown_wh`: what Domoticz shows per circuit, units that exist only. `saved`: what `saved()` returned in an earlier
    run, {} if there is none; anything malformed in it is ignored. `power_max_age_s`: how long W counts without being
    reported again. `step_kwh`: the step of each cumulative counter; a circuit named here is not born before its counter
    was heard (or that long passed without it). `channels`: the profile's circuits; the only circuit, "1", is the total.
    """

    def __init__(
        self,
        *,
        shown_wh: Mapping[Circuit, float],
        saved: Mapping[str, object],
        power_max_age_s: float = 60.0,
        step_kwh: Optional[Mapping[Channel, float]] = None,
        channels: Sequence[Channel] = (),
    ) -> None:
        steps = dict(step_kwh or {})
        self._max_age_s = power_max_age_s
        self._channels: Set[Channel] = {*channels, *steps, *(channel for channel, _ in shown_wh)} - {TOTAL}
        self._step_wh = {self._name(channel): step * 1000 for channel, step in steps.items() if step > 0}
        self._awaited: Set[Circuit] = {(channel, USED) for channel in self._step_wh}
        self._first_report_s: Optional[float] = None
        self._flows: Dict[Channel, PowerFlow] = {}
        self._switches: Dict[int, bool] = {}
        self._open_since_s: Optional[float] = None
        self._relay_cuts_power = True
        self._said_rare = False
        self._notices: List[str] = []
        self._meters: Dict[Circuit, Meter] = {}
        self._sum_offset_wh: Dict[str, float] = {}
        self._summed: Dict[str, Set[Channel]] = {USED: set(), RETURNED: set()}
        self._set_back: Set[Circuit] = set()
        self._restore({(self._name(channel), way): wh for (channel, way), wh in shown_wh.items()}, _parsed(saved))

    def report(self, reading: Reading, at_s: float, full: bool) -> None:
        """Take what one frame brought (no more than that), heard at `at_s`; `full`: the answer to a full query."""
        self._channels |= {channel for channel in (*reading.power_w, *reading.energy_kwh) if channel != TOTAL}
        if self._first_report_s is None:
            self._first_report_s = at_s
        elif at_s - self._first_report_s > self._max_age_s:
            self._awaited.clear()
        self._take_power(reading, at_s, full)
        for way, counters_kwh in ((USED, reading.energy_kwh), (RETURNED, reading.returned_kwh)):
            for channel in sorted(
                counters_kwh, key=lambda one: one == TOTAL
            ):  # the parts first: they decide on the sum
                self._take_counter((self._name(channel), way), counters_kwh[channel], at_s)
        self._follow()

    def answered(self, at_s: float) -> None:
        """Note an answer without readings (Alive, a frame of other DPs): W held so far."""
        for flow in self._flows.values():
            flow.answered(at_s)
        self._follow()

    def lost(self, at_s: float) -> None:  # noqa: ARG002 - what counts is when it last answered
        """Note that the connection is gone: nothing counts from the last answer to the next report."""
        for flow in self._flows.values():
            flow.lost()
        self._follow()

    def totals_wh(self, at_s: float) -> Dict[Circuit, float]:  # noqa: ARG002 - nothing is counted ahead of an answer
        """Return the Wh of each circuit as far as the device has answered by `at_s`. None of them ever falls.

        A circuit appears with its first value: the one its unit is to be created with.
        """
        return {circuit: meter.value_wh for circuit, meter in self._meters.items() if meter.value_wh is not None}

    def is_flow(self, circuit: Circuit) -> bool:
        """Whether this total is W integrated here: no counter of the device and no sum of other circuits carries it.

        One that was set back by hand since it was saved is not: nobody else's word on it is about the same total.
        """
        meter = self._meters.get(circuit)
        is_counted = (meter is not None and meter.counter_wh is not None) or circuit in self._awaited
        is_known = circuit[0] in self._channels or circuit[0] == TOTAL
        is_sum = circuit[0] == TOTAL and self._is_sum(circuit[1])
        return is_known and not (is_counted or is_sum) and circuit not in self._set_back

    def add(self, circuit: Circuit, energy_wh: float) -> None:
        """Count what flowed while another one counted. Only for what is_flow()."""
        self._meters.setdefault(circuit, self._new_meter(circuit)).add(energy_wh)
        self._follow()

    def stood_wh(self) -> float:
        """Return what has flowed by W while a counter of the device stood still that ought to have counted it; else 0.

        Of several counters that of the one beside which most has flowed.
        """
        return max((meter.stood_wh for meter in self._meters.values()), default=0.0)

    def saved(self) -> Dict[str, object]:
        """Return what must survive a restart, JSON-able: {"total/used": [total, anchor, counter], ...}, in Wh.

        A fourth element tells that the counter was found to be a net counter.

        Worth writing at stop, now and then, and soon when an anchor (which total belongs to which value of the device's
        counter) appears or changes. What Domoticz shows stands in for totals that were not written any more.
        """
        return {
            f"{channel}/{way}": [
                *(_rounded(wh) for wh in (meter.value_wh, meter.offset_wh, meter.counter_wh)),
                *((NET,) if meter.is_net else ()),
            ]
            for (channel, way), meter in self._meters.items()
            if meter.value_wh is not None
        }

    def notices(self) -> List[str]:
        """Return what is worth a line in the log since the last call, without the device's name."""
        said, self._notices = self._notices, []
        return said

    def _name(self, channel: Channel) -> Channel:
        return TOTAL if channel == "1" and self._channels <= {"1"} else channel

    def _new_meter(self, circuit: Circuit) -> Meter:
        return Meter(self._step_wh.get(circuit[0], DEFAULT_STEP_KWH * 1000))

    def _restore(self, shown_wh: Mapping[Circuit, float], saved: Mapping[Circuit, _Saved]) -> None:
        kept = {
            circuit: state
            for circuit, state in saved.items()
            if circuit not in shown_wh or state.total_wh <= shown_wh[circuit] + SAVED_AHEAD_WH
        }
        self._set_back = saved.keys() - kept.keys()
        for circuit in {**shown_wh, **kept}:
            state = kept.get(circuit, _Saved(shown_wh.get(circuit, 0.0)))
            meter = self._new_meter(circuit)
            start_wh = max(state.total_wh, shown_wh.get(circuit, 0.0))
            meter.restore(start_wh, state.offset_wh, state.counter_wh, state.is_net)
            self._meters[circuit] = meter
        for way in (USED, RETURNED):
            parts, total = self._parts(way), self._meters.get((TOTAL, way))
            if not parts or total is None or total.value_wh is None:
                continue
            circuits = [(part, way) for part in parts]
            if all(circuit in kept for circuit in [(TOTAL, way), *circuits]):
                start_wh, sum_wh = kept[TOTAL, way].total_wh, sum(kept[circuit].total_wh for circuit in circuits)
            else:
                start_wh, sum_wh = total.value_wh, sum(self._meters[circuit].value_wh or 0.0 for circuit in circuits)
            self._sum_offset_wh[way], self._summed[way] = start_wh - sum_wh, set(parts)

    def _take_power(self, reading: Reading, at_s: float, full: bool) -> None:
        powers_w = {
            self._name(channel): power_w
            for channel, power_w in sorted(reading.power_w.items(), reverse=True)  # "1" after "total": it wins
            if abs(power_w) <= MAX_POWER_W
        }
        parts_w = {channel for channel in powers_w if channel != TOTAL}
        opened = self._relay_opened(reading, powers_w, at_s)
        if opened:
            powers_w = {channel: 0.0 for channel, flow in self._flows.items() if flow.power_w is not None}
        elif any(channel != TOTAL for channel in self._flows) or parts_w:
            powers_w.pop(TOTAL, None)
        gaps_s: Dict[bool, float] = {False: 0.0, True: 0.0}  # by whether the device answered meanwhile
        for channel in {**self._flows, **powers_w}:
            flow = self._flows.setdefault(channel, PowerFlow(self._max_age_s))
            if channel in powers_w:
                gap_s = flow.report(powers_w[channel], at_s, full, told=not opened)
                gaps_s[flow.expired] = max(gaps_s[flow.expired], gap_s)
            else:
                flow.answered(at_s)
        if parts_w:
            known_w = [flow.power_w for channel, flow in self._flows.items() if channel != TOTAL]
            total = self._flows.setdefault(TOTAL, PowerFlow(self._max_age_s))
            total.report(sum(power_w for power_w in known_w if power_w is not None), at_s, full)
        if all(meter.counter_wh is None for meter in self._meters.values()):
            self._say_gap(gaps_s)

    def _say_gap(self, gaps_s: Mapping[bool, float]) -> None:
        if gaps_s[False] >= GAP_WORTH_SAYING_S:
            gap = _duration(gaps_s[False])
            self._notices.append(f"no answer for {gap}: the energy of that time is not known and not counted")
        if gaps_s[True] >= GAP_WORTH_SAYING_S and not self._said_rare:
            self._said_rare = True  # once: it is the way of this device
            gap = _duration(gaps_s[True])
            self._notices.append(f"it answers, but its power was not reported for {gap}: not counted so long")

    def _relay_opened(self, reading: Reading, powers_w: Mapping[Channel, float], at_s: float) -> bool:
        """Whether this frame says that every relay is open, without W: then 0 W flow.

        Unless W was seen flowing through open relays: some meters have booleans that cut nothing.
        """
        self._switches.update(reading.switch)
        if not self._switches or any(self._switches.values()):
            self._open_since_s = None
            return False
        if self._open_since_s is None:
            self._open_since_s = at_s
        if any(powers_w.values()) and at_s - self._open_since_s > OPENING_S:
            self._relay_cuts_power = False
        return bool(reading.switch) and not powers_w and self._relay_cuts_power

    def _take_counter(self, circuit: Circuit, counter_kwh: float, at_s: float) -> None:
        if circuit[0] == TOTAL and self._is_sum(circuit[1], own_counter=True):
            return
        meter = self._meters.get(circuit)
        if meter is None:
            meter = self._meters[circuit] = self._new_meter(circuit)
        other_meter = self._meters.get((circuit[0], RETURNED))
        opposite = Flow()  # of a counter that might be net: the returned energy that nothing else counts
        if circuit[1] == USED and (other_meter is None or other_meter.counter_wh is None):
            opposite = self._flow((circuit[0], RETURNED))
        said = meter.report(round(counter_kwh * 1000, 6), at_s, self._flow(circuit), opposite)
        if said:
            self._notices.append(said)

    def _flow(self, circuit: Circuit) -> Flow:
        flow = self._flows.get(circuit[0])
        if flow is None:
            return Flow()
        return flow.used if circuit[1] == USED else flow.returned

    def _follow(self) -> None:
        for way in (USED, RETURNED):
            for channel in [*(one for one in self._flows if one != TOTAL), TOTAL]:
                circuit = (channel, way)
                if channel == TOTAL and self._is_sum(way):
                    self._add_up(way)
                elif channel in self._flows:
                    self._follow_flow(circuit, self._flow(circuit))

    def _follow_flow(self, circuit: Circuit, flow: Flow) -> None:
        meter = self._meters.get(circuit)
        if meter is None or meter.value_wh is None:
            if circuit in self._awaited or (circuit[1] == RETURNED and flow.wh < RETURN_BIRTH_WH):
                return
            meter = self._meters.setdefault(circuit, self._new_meter(circuit))
        meter.follow(flow)

    def _parts(self, way: str) -> List[Channel]:
        return [
            channel
            for (channel, its_way), meter in self._meters.items()
            if its_way == way and channel != TOTAL and meter.value_wh is not None
        ]

    def _is_sum(self, way: str, own_counter: bool = False) -> bool:
        """Whether the total is the sum of the parts, not the device's own (`own_counter`: it tells one)."""
        parts = self._parts(way)
        if not parts:
            return False
        counted = {circuit for circuit, meter in self._meters.items() if meter.counter_wh is not None} | self._awaited
        return not (own_counter or (TOTAL, way) in counted) or all((part, way) in counted for part in parts)

    def _add_up(self, way: str) -> None:
        """Let the total go on by what its parts have gained since it was anchored to them."""
        parts = set(self._parts(way))
        total = self._meters.setdefault((TOTAL, way), self._new_meter((TOTAL, way)))
        sum_wh = sum(self._meters[part, way].value_wh or 0.0 for part in parts)
        if way not in self._sum_offset_wh:
            self._sum_offset_wh[way] = 0.0 if total.value_wh is None else total.value_wh - sum_wh
        else:  # a part born with the lifetime of its counter is nothing that flowed now
            born = [self._meters[part, way] for part in parts - self._summed[way]]
            self._sum_offset_wh[way] -= sum(meter.value_wh or 0.0 for meter in born if meter.counter_wh is not None)
        self._summed[way] = parts
        total.raise_to(self._sum_offset_wh[way] + sum_wh)


class _Saved(NamedTuple):
    total_wh: float
    offset_wh: Optional[float] = None
    counter_wh: Optional[float] = None
    is_net: bool = False


def _parsed(saved: Mapping[str, object]) -> Dict[Circuit, _Saved]:
    """Return the circuits of an earlier `saved()` that make sense."""
    found: Dict[Circuit, _Saved] = {}
    for name, state in saved.items():
        channel, _, way = str(name).rpartition("/")
        if not channel or way not in (USED, RETURNED) or not isinstance(state, (list, tuple)) or len(state) < 3:
            continue
        total_wh, offset_wh, counter_wh = (float(wh) if _is_number(wh) else None for wh in state[:3])
        if total_wh is None or total_wh < 0:
            continue
        anchored = offset_wh is not None and counter_wh is not None
        is_net = list(state[3:]) == [NET]
        found[channel, way] = _Saved(total_wh, offset_wh, counter_wh) if anchored else _Saved(total_wh, is_net=is_net)
    return found


def totals_of(saved: Mapping[str, object]) -> Dict[Circuit, float]:
    """Return the totals that stand in an earlier `EnergyBook.saved()`; what makes no sense is left out."""
    return {circuit: state.total_wh for circuit, state in _parsed(saved).items()}


def _is_number(thing: object) -> bool:
    return isinstance(thing, (int, float)) and not isinstance(thing, bool) and math.isfinite(thing)


def _rounded(energy_wh: Optional[float]) -> Optional[float]:
    return None if energy_wh is None else round(energy_wh, 4)


def _duration(seconds: float) -> str:
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
