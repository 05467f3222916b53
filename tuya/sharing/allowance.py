"""How many commands are carried out for one who asks: of each breaker a few, of all together a large house's."""

from __future__ import annotations

from typing import Dict

from ..lan.limits import TokenBucket

# Commands of one device: so many at once, and one more each second. What is above is refused, never kept for later.
BURST_COMMANDS = 5
COMMANDS_PER_S = 1.0
# A front end that keeps this rule is not refused because what it passed on came in a little sooner than it left.
PASSED_ON = 1
# Of all devices together: more than a house of 200 breakers that is switched off, and on again, at once.
BURST_OF_ALL = 1000
ALL_PER_S = 200.0


def of_one_device(more: int = 0) -> TokenBucket:
    """Return what lets the commands of one device through; more: so many more at once than BURST_COMMANDS."""
    return TokenBucket(1.0 / COMMANDS_PER_S, BURST_COMMANDS + more)


class Allowance:
    """The commands of one who asks for several devices, such as a listener.

    One breaker that is clicked in a storm takes nothing away from another. Ask for devices that are served only:
    each that was ever asked for is remembered.
    """

    def __init__(self) -> None:
        self._all = TokenBucket(1.0 / ALL_PER_S, BURST_OF_ALL)
        self._devices: Dict[str, TokenBucket] = {}

    def take(self, device_id: str, now_s: float) -> bool:
        """Whether one more for this device may be carried out at `now_s` (then it is counted)."""
        device = self._devices.get(device_id)
        if device is None:
            device = self._devices[device_id] = of_one_device(PASSED_ON)
        return device.take(now_s) and self._all.take(now_s)
