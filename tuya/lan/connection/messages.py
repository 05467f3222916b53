"""The errors of a link in words: what happened to which device, and what to do. Pure; decides nothing."""

from __future__ import annotations

import json
from typing import Collection, Mapping

from ..device import Device
from ..errors import (
    Busy,
    Closed,
    Mute,
    NotConfirmed,
    NotConnected,
    NotFound,
    ProtocolViolation,
    Refused,
    TuyaError,
    Unreachable,
    WrongKey,
    WrongVersion,
)
from ..events import DpValue
from .lives import Lives

POWER_CYCLE = (
    "Devices that stay so recover when their power is switched off and on: the supply of the breaker, not its relay"
)
_LOWER_CURE = (
    "If its firmware was changed to a lower one, choose it as Protocol on the Hardware page, or as its version in "
    "devices.json"
)
LONGEST_SHOWN = 40  # characters of a value


def no_connection(device: Device, address: str, reason: str, refused: bool) -> TuyaError:
    """TCP did not connect. reason: the operating system's."""
    if refused:
        return Refused(device.label, f"{address}:{device.port} refuses the connection")
    return Unreachable(device.label, f"{address}:{device.port} cannot be reached ({reason})")


def no_answer_yet(label: str, address: str) -> TuyaError:
    """A first verdict while TCP is still connecting."""
    return Unreachable(label, f"{address} has not answered yet")


def no_address(label: str) -> TuyaError:
    """Neither configured nor announced."""
    return NotFound(label, "no address is known and no announcement was heard")


def address_taken(label: str, address: str, holder: str) -> TuyaError:
    """Another device of ours is connected at the only address known of this one."""
    cure = "Correct the address in devices.json, or wait: an announcement is followed"
    return Refused(label, f"its address {address} is that of {holder}", cure)


def shared_address(label: str, address: str, rival: str) -> TuyaError:
    """What answers there cannot be read with this key, and another device of ours is expected there too."""
    cure = "Correct the addresses in devices.json; announcements are followed"
    return Refused(label, f"another device answers at its address {address}, which is given for {rival} too", cure)


def key_no_longer(label: str, address: str) -> TuyaError:
    """The key does not fit although it has worked."""
    what = f"what answers at {address} has another local key than the one that worked before"
    cure = (
        "Paired anew? Then fetch the key with 'bash install.sh keys'. Another device there? Announcements are followed"
    )
    return WrongKey(label, what, cure)


def closed(label: str, lives: Lives) -> TuyaError:
    """A connection that was up was closed by the device. lives: its connections so far, this one included."""
    if lives.restarts:
        cure = "Look at its supply and its Wi-Fi. It is connected again by itself each time"
        return Closed(label, "closed the connection again, and was gone before: it restarts again and again", cure)
    if lives.taken_away:
        return Busy(label, "its connection is taken away again and again: another program uses it")
    if lives.habit_s:
        cure = "Some devices do so whatever they are sent: it is connected again by itself each time"
        return Closed(label, f"closes each connection after about {lives.habit_s:.0f} s", cure)
    return Closed(label, "closed the connection", "It is connected again by itself")


def silent(label: str, *, unreadable: bool) -> TuyaError:
    """Heartbeats are not answered any more. unreadable: something comes that cannot be read."""
    what = "the connection is open but nothing is answered any more"
    if unreadable:
        what = "nothing readable is answered any more"
    return Mute(label, what, "It is tried again; a breaker that stays so needs a restart")


def closed_by_asking(label: str) -> TuyaError:
    """Closed by the device at once after it was asked something."""
    return Closed(label, "closed the connection when it was asked something", "It is connected again by itself")


def closed_by_refresh(label: str, given_up: bool) -> TuyaError:
    """Closed by the device right after UPDATEDPS. given_up: it is not asked to refresh any more."""
    what = "closes the connection when it is asked to refresh its values"
    return Closed(label, what, "From now on it is only queried" if given_up else "It is connected again by itself")


def closed_early(label: str, version: str) -> TuyaError:
    """Closed before anything was answered."""
    return Busy(label, f"takes the connection and closes it before an answer (protocol {version})")


def moved(label: str) -> TuyaError:
    """Silent at the old address and announced at a new one."""
    what = "answers no longer where it was, and is announced at another address"
    return Mute(label, what, "It is followed to the new address")


def unanswered(label: str) -> TuyaError:
    """Nothing that was sent since a write has been answered, the query that asked after it included."""
    what = "answered nothing since a write, so the connection was aborted: the write must not arrive later"
    return Mute(label, what, "It is connected again by itself")


def not_confirmed(
    label: str,
    took_s: float,
    wanted: Mapping[int, DpValue],
    instead: Mapping[int, DpValue],
    *,
    missing: Collection[int] = (),
    unsaid: bool = False,
    code: int = 0,
    proves_key: bool = True,
) -> TuyaError:
    """A write was not reported in time. took_s: seconds since it was sent.

    instead: what the device has reported for it since, where that is new. missing: what is not as wanted.
    unsaid: it was so already by what the device reported before the write, and nothing since says that it still is.
    code: the return code of its acknowledgement; not 0 is an error, but some switch all the same (jasonacox/tinytuya
    issue 731). proves_key: what the device reports shows that our key is right.
    """
    cure = "It is not sent again: look at the breaker, then click again"
    what = f"did not report the new state within {took_s:.0f} s"
    if 0 < len(missing) < len(wanted):
        points = ", ".join(str(dp) for dp in sorted(missing))
        what = f"did not report the new state of data point {points} within {took_s:.0f} s"
    if unsaid:
        what = f"did not report within {took_s:.0f} s that it is still so"
    if code:
        what = f"answered the command with error code {code} and {what}"
    if instead:
        shown = f".{LONGEST_SHOWN}"
        said = (
            f"{json.dumps(instead[dp]):{shown}} instead of {json.dumps(wanted[dp]):{shown}} for data point {dp}"
            for dp in sorted(instead)
        )
        what += f": it reports {', '.join(said)}"
    if not proves_key:
        cure += ". With this protocol it may be the local key too (paired anew? 'bash install.sh keys')"
    return NotConfirmed(label, what, cure)


def given_up(label: str, why: str) -> TuyaError:
    """A write was under way when the device was let go."""
    return NotConfirmed(label, f"{why}, and the write was not confirmed before")


def not_connected(label: str) -> TuyaError:
    """A write without a connection."""
    cure = "Nothing was sent and nothing is kept for later: try again when it is back"
    return NotConnected(label, "is not connected", cure)


def too_late(label: str, age_s: float) -> TuyaError:
    """A write that has waited, because this process was stopped or the machine slept."""
    cure = "Nothing was sent and nothing is kept for later: ask again"
    return NotConnected(label, f"a command came too late: it was asked for {age_s:.0f} s ago", cure)


def too_many_writes(label: str) -> TuyaError:
    """More writes wait for their confirmation than are kept."""
    return Busy(label, "too many writes wait for their confirmation", "This one was not sent")


def settings_changed(label: str) -> TuyaError:
    """Closed by us, for another key, port or version."""
    return Closed(label, "its settings changed", "It is connected again with the new ones")


def internal(label: str) -> TuyaError:
    """Something failed on our side."""
    return ProtocolViolation(label, "an internal error; please report it")


def with_causes(error: TuyaError, device: Device, *, key_worked: bool, maybe_taken: str) -> TuyaError:
    """The error of a session that did not get up, with the cures that make sense for this device, likely ones first.

    maybe_taken: its address, where another device of ours may have that now; else "".
    """
    if isinstance(error, WrongVersion) and error.cure == WrongVersion.default_cure:
        if device.version_fixed:
            cure = "Choose Protocol auto on the Hardware page"
        elif key_worked and maybe_taken:  # a version that is chosen because of a neighbour would keep this one away
            cure = (
                f"Another device of the file may have its address {maybe_taken} now: it is looked for, and "
                "announcements are followed. A firmware that was changed to a lower version looks the same"
            )
        elif key_worked:
            cure = f"Higher versions are tried by themselves. {_LOWER_CURE}"
        else:
            cure = "The other versions are tried by themselves"
        if not key_worked:
            cure += "; or the local key is another one (paired anew? 'bash install.sh keys')"
        return WrongVersion(error.device, error.what, cure)
    if isinstance(error, Busy) and not key_worked:
        cure = (
            "Likely first: another program holds it (close the Tuya app on the same network, stop other bridges); the "
            "local key is another one (paired anew? 'bash install.sh keys'); the protocol version is another one"
        )
        return Busy(error.device, error.what, cure)
    return error


def wedged(error: TuyaError, count: int) -> TuyaError:
    """`count` connections in a row came to nothing, this one with `error`."""
    if isinstance(error, (Busy, Mute)):
        return type(error)(error.device, f"{error.what}, {count} times in a row", POWER_CYCLE)
    return error


def lower_only(label: str, announced: str, worked: str) -> TuyaError:
    """Announced with a lower version than the one that has worked, and that one works no more."""
    what = f"is announced with protocol {announced}, and has spoken {worked}: nobody is believed a lower one"
    return WrongVersion(label, what, _LOWER_CURE)


def unsealed_only(label: str) -> TuyaError:
    """Announced as 3.1, which is not tried by itself, and nothing else works."""
    what = "is announced with protocol 3.1, whose reports anybody in the network could send in its name"
    cure = "If it is yours and speaks 3.1, choose Protocol 3.1 on the Hardware page or its version in devices.json"
    return WrongVersion(label, what, cure)
