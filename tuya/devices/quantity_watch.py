"""Whether a device goes on telling its W, A and V, as far as reports show it. Pure; time is passed in."""

from __future__ import annotations

from typing import Dict, Mapping, Optional, Set, Tuple

from ..metering.reading import Channel, Reading

QUANTITIES = ("power", "current", "voltage")  # whose age counts each for itself: one may fall silent alone

_Key = Tuple[str, Channel]  # a quantity of a circuit


class QuantityWatch:
    """One device's quantities: when each was told last, and whether its answers hold it."""

    def __init__(self) -> None:
        self._session_s = 0.0  # when it began: silence before that is no silence of the device
        self._told_at_s: Dict[_Key, float] = {}
        self._answered: Set[str] = set()  # quantities that came with the answer to a full query

    def connected(self, at_s: float) -> None:
        """A session begins."""
        self._session_s = at_s

    def begin(self, known: Reading, at_s: float) -> None:
        """Its data points mean something else now: what they say counts from here, unless it was told before.

        known: what they say, all of them.
        """
        self._told_at_s = {key: self._told_at_s.get(key, at_s) for key in _amounts(known)}

    def report(self, part: Reading, is_full: bool, at_s: float) -> None:
        """One frame brought this much. is_full: it answers a full query."""
        for key in _amounts(part):
            self._told_at_s[key] = at_s
            if is_full:
                self._answered.add(key[0])

    def ages_s(self, at_s: float, behind_open: Optional[Reading] = None) -> Dict[str, float]:
        """Return for each quantity for how many seconds this session has gone without it, where it told it before.

        Of several circuits that of the one that is silent for longest. behind_open: what is known of a device whose
        relays are open; power and current that these left at 0 do not age.
        """
        told_at_s = self._told_at_s
        if behind_open is not None:
            amounts = _amounts(behind_open)
            at_rest = [key for key in told_at_s if key[0] != "voltage" and not amounts.get(key)]
            told_at_s = {**told_at_s, **dict.fromkeys(at_rest, at_s)}
        return self._ages_s(told_at_s, at_s)

    def unusable_ages_s(self, given: Reading, at_s: float) -> Dict[str, float]:
        """Return for how long those that were told are not in what all data points give now."""
        amounts = _amounts(given)
        return self._ages_s({key: told_s for key, told_s in self._told_at_s.items() if key not in amounts}, at_s)

    def _ages_s(self, told_at_s: Mapping[_Key, float], at_s: float) -> Dict[str, float]:
        ages_s: Dict[str, float] = {}
        for (quantity, _), told_s in told_at_s.items():
            ages_s[quantity] = max(at_s - max(told_s, self._session_s), ages_s.get(quantity, 0.0))
        return ages_s

    @property
    def pushed_only(self) -> Set[str]:
        """Those that no answer to a full query has ever held: they come when they change, and rarely."""
        return {quantity for quantity, _ in self._told_at_s} - self._answered

    @property
    def has_power(self) -> bool:
        """Whether power was ever told."""
        return any(quantity == "power" for quantity, _ in self._told_at_s)


def _amounts(reading: Reading) -> Dict[_Key, float]:
    """Return what a reading holds of QUANTITIES."""
    held = zip(QUANTITIES, (reading.power_w, reading.current_a, reading.voltage_v))
    return {(quantity, channel): amount for quantity, of in held for channel, amount in of.items()}
