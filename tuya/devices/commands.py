"""Which data points a command may write, on which device, and with which values."""

from __future__ import annotations

from typing import Dict

from ..lan.errors import TuyaError
from ..lan.events import Dps, DpValue
from ..metering.profile import Control, Profile


class CommandRefused(TuyaError):
    """A command that is not sent to the device; the text says why. Nothing was sent and nothing will be."""


def as_written(device: str, dps: Dps, profile: Profile) -> Dict[int, DpValue]:
    """Return the data points as this device wants them written: on and off in the words that it was heard to use.

    Raises CommandRefused unless all of them are controls of the device and take these values. Controls are what the
    profile declares (switches, state after power-on, child lock, countdown): never alarm sets, counters, balances or
    calibration. device: its name, for the message.
    """
    if not dps:
        raise CommandRefused(device, "there is nothing to write")
    written: Dict[int, DpValue] = {}
    for dp, value in dps.items():
        control = profile.controls.get(dp)
        if control is None:
            known = ", ".join(f"{one.dp} ({one.role})" for one in profile.controls.values()) or "none"
            raise CommandRefused(device, f"DP {dp} is no control of this device; its controls: {known}")
        wanted = _wanted_instead(control, value)
        if wanted:
            raise CommandRefused(device, f"DP {dp} ({control.role}) takes {wanted}")
        written[dp] = control.spelled[value] if control.kind == "bool" and isinstance(value, bool) else value
    return written


def _wanted_instead(control: Control, value: DpValue) -> str:
    """Return what the control takes instead of this value; "" where it fits."""
    if control.kind == "bool":
        is_spelled = any(type(value) is type(word) and value == word for word in control.spelled)
        return "" if isinstance(value, bool) or is_spelled else "true or false"
    if control.kind == "enum":
        return "" if value in control.values else " or ".join(control.values)
    fits = isinstance(value, int) and not isinstance(value, bool) and control.minimum <= value <= control.maximum
    return "" if fits else f"a whole number from {control.minimum} to {control.maximum}"
