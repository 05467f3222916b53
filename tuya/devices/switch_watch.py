"""Whether a relay is as its device says, as far as that can be seen from outside. Pure; time is passed in."""

from __future__ import annotations

from typing import Dict, FrozenSet, Mapping, Optional, Sequence, Tuple

from ..lan.events import DpValue

UNDONE_WITHIN_S = 15.0  # another state so soon after a confirmed command: it did not last
MISSED = 2  # full answers in a row without the switch: one may be cut short
FLOW_W = 20.0  # more than a meter's own noise, and than what filters of an open relay let through


class SwitchWatch:
    """One device's relays: whether it still tells them, whether commands last, whether an open one carries a load."""

    def __init__(self) -> None:
        self.undone = 0  # commands in a row that were confirmed and did not last
        self.undone_at_s = 0.0
        self._told_at_s: Dict[int, float] = {}
        self._answered: FrozenSet[int] = frozenset()  # a full answer of this session that named every relay
        self._missed = 0
        self._confirmed: Dict[int, Tuple[DpValue, float]] = {}
        self._flow_s: Optional[Tuple[float, float]] = None  # first and last report of a load behind an open relay

    def connected(self) -> None:
        """A session begins: what the device is to answer is known from its own first answer only."""
        self._answered = frozenset()
        self._missed = 0
        self._told_at_s.clear()
        self._flow_s = None

    def commanded(self, dps: Mapping[int, DpValue]) -> None:
        """A command is on its way: another state is no wonder from here on."""
        for dp in dps:
            self._confirmed.pop(dp, None)

    def confirmed(self, dps: Mapping[int, DpValue], relays: Sequence[int], at_s: float) -> None:
        """The device confirmed a command."""
        self._confirmed.update({dp: (value, at_s) for dp, value in dps.items() if dp in relays})

    def report(self, dps: Mapping[int, DpValue], relays: Sequence[int], is_full: bool, at_s: float) -> None:
        """Data points of one frame came. relays: those that are switches; is_full: it answers a full query."""
        told = [dp for dp in relays if dp in dps]
        self._told_at_s.update(dict.fromkeys(told, at_s))
        if is_full and len(told) == len(relays):
            self._answered, self._missed = frozenset(dps), 0
        elif is_full and self._answered - frozenset(relays) <= dps.keys():  # else it is the answer to a part of it
            self._missed += 1
        for dp, (value, since_s) in list(self._confirmed.items()):
            is_early = at_s - since_s <= UNDONE_WITHIN_S
            if not is_early:
                self.undone = 0
                del self._confirmed[dp]
            elif dp in dps and dps[dp] != value:
                self.undone, self.undone_at_s = self.undone + 1, at_s
                del self._confirmed[dp]

    def power(self, power_w: Mapping[str, float], is_open: bool, at_s: float) -> None:
        """W were told just now (none: leave things as they are); is_open: every relay says that it is off."""
        if not is_open:
            self._flow_s = None
        elif power_w:
            flows = any(abs(amount_w) >= FLOW_W for amount_w in power_w.values())
            first_s = self._flow_s[0] if self._flow_s is not None else at_s
            self._flow_s = (first_s, at_s) if flows else None

    def late_s(self, at_s: float) -> Optional[float]:
        """Return for how long the relay that is silent longest has not been told, by a device that did tell it."""
        if not self._answered or self._missed < MISSED or not self._told_at_s:
            return None
        return at_s - min(self._told_at_s.values())

    @property
    def open_flow_s(self) -> float:
        """For how long a load has been reported again and again behind a relay that says that it is open."""
        return 0.0 if self._flow_s is None else self._flow_s[1] - self._flow_s[0]
