"""The errors of a link in words: what happened to which device, and what to do. Pure; decides nothing."""

from __future__ import annotations

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
)
from ..limits import CONFIRM_LIMIT_S


def no_connection(label: str, where: str, reason: str, refused: bool) -> TuyaError:
    """TCP did not connect. where: address and port; reason: the operating system's."""
    if refused:
        return Refused(label, f"{where} refuses the connection")
    return Unreachable(label, f"{where} cannot be reached ({reason})")


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


def closed(label: str, again: bool) -> TuyaError:
    """A connection that was up was closed by the device. again: soon after it was made, for the second time."""
    if again:
        return Busy(label, "its connection is taken away again and again: another program uses it")
    return Closed(label, "closed the connection", "It is connected again by itself")


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
    """Not one byte since a write and the query that asked after it."""
    return Mute(label, "the connection is open but a write and a query were not answered")


def not_confirmed(label: str) -> TuyaError:
    """A write was not reported in time."""
    cure = "It is not sent again: look at the breaker, then click again"
    return NotConfirmed(label, f"did not report the new state within {CONFIRM_LIMIT_S:.0f} s", cure)


def given_up(label: str, why: str) -> TuyaError:
    """A write was under way when the device was let go."""
    return NotConfirmed(label, f"{why}, and the write was not confirmed before")


def not_connected(label: str) -> TuyaError:
    """A write without a connection."""
    cure = "Nothing was sent and nothing is kept for later: try again when it is back"
    return NotConnected(label, "is not connected", cure)


def too_many_writes(label: str) -> TuyaError:
    """More writes wait for their confirmation than are kept."""
    return Busy(label, "too many writes wait for their confirmation", "This one was not sent")


def settings_changed(label: str) -> TuyaError:
    """Closed by us, for another key, port or version."""
    return Closed(label, "its settings changed", "It is connected again with the new ones")


def internal(label: str) -> TuyaError:
    """Something failed on our side."""
    return ProtocolViolation(label, "an internal error; please report it")
