"""What was asked of a device, for how long what happens is our doing, and what became of the last command. Pure."""

from __future__ import annotations

from typing import Dict, Mapping, Optional, Tuple

from ..lan.errors import NotConfirmed, TuyaError
from ..lan.events import Dps, DpValue, Status

# How long after a command its effect on the relay is counted as ours.
COMMAND_EFFECT_S = 10.0


class Asked:
    """One device's commands.

    untaken: what became of the last one, where the device did not confirm it. is_untaken_refuted: it has told another
    state since than the one that was asked for.
    """

    def __init__(self) -> None:
        self.untaken: Optional[TuyaError] = None
        self.untaken_at_s = 0.0
        self.is_untaken_refuted = False
        self._untaken_dps: Dps = {}
        self._values: Dict[int, Tuple[DpValue, float]] = {}

    def begin(self, written: Dps, now_s: float) -> None:
        """A command is on its way, with these values as the device has them."""
        self._values.update({dp: (value, now_s) for dp, value in written.items()})

    def ended(self, dps: Dps, error: Optional[TuyaError], at_s: float) -> None:
        """It was confirmed (None), or not: what happens to these data points then is not our doing."""
        if error is None or isinstance(error, NotConfirmed):  # else nothing was sent, which tells nothing of the device
            self.untaken, self._untaken_dps, self.untaken_at_s = error, dict(dps), at_s
            self.is_untaken_refuted = False
        for dp in dps if error is not None else ():
            self._values.pop(dp, None)

    def report(self, event: Status, known: Mapping[int, DpValue]) -> None:
        """The device told data points. known: the last value of each, with these."""
        if self.untaken is not None and all(known.get(dp) == value for dp, value in self._untaken_dps.items()):
            self.untaken = None  # it was late, or somebody else saw to it
        elif event.full and self._untaken_dps.keys() <= event.dps.keys():
            self.is_untaken_refuted = True

    def is_ours(self, dp: int, value: Optional[DpValue], at_s: float) -> bool:
        """Whether a command asked for this value of this data point a short while ago."""
        asked = self._values.get(dp)
        return asked is not None and asked[0] == value and at_s - asked[1] <= COMMAND_EFFECT_S
