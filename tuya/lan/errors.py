"""One tree of errors for everything that can go wrong with a device on the LAN.

Each class is one meaning, and its name is part of the command line's contract (`watch --json` prints it).
A text says what happened to which device and what to do; it never holds a key or bytes a peer sent.
"""

from __future__ import annotations


class TuyaError(Exception):
    """Base of all errors that leave lan/.

    device: the name (or shortened id) of the device that is meant; may be empty for a bad argument.
    what: what happened, without a full stop. cure: what the user can do, may be empty.
    """

    default_cure = ""

    def __init__(self, device: str, what: str, cure: str = "") -> None:
        self.device = device
        self.what = what
        self.cure = cure or self.default_cure
        text = f"{device}: {what}" if device else what
        super().__init__(f"{text}. {self.cure}" if self.cure else text)


class Unreachable(TuyaError):
    """No TCP connection: no route, or nobody answered within the connect time."""

    default_cure = "Is it powered and in the same network? A changed address is found by its announcements"


class Refused(TuyaError):
    """The address answered and refused TCP port 6668."""

    default_cure = "Another device may have got this address, or the breaker is starting up"


class NotFound(TuyaError):
    """No address is known: none was given, and no announcement was heard."""

    default_cure = "Is it powered and in the same network? Otherwise give its address in devices.json"


class Busy(TuyaError):
    """TCP connects and is closed at once, or our connection was taken: another program holds the one connection."""

    default_cure = "Close the Tuya app on the same network and stop other bridges that hold this breaker"


class Mute(TuyaError):
    """The connection is open and nothing is answered."""

    default_cure = "If this stays: the version or the local key may be wrong, or the breaker needs a power cycle"


class Closed(TuyaError):
    """The device closed a connection that had worked."""


class WrongKey(TuyaError):
    """Proof (3.4 HMAC, 3.5 tag of message 4) that the local key is not the device's; for 3.1-3.3 no answer decrypts."""

    default_cure = "The key changes at each new pairing: fetch it again with 'bash install.sh keys'"


class WrongVersion(TuyaError):
    """The device speaks another protocol version than the one that was tried."""

    default_cure = "Leave the protocol on auto, or correct the version in devices.json"


class ProtocolViolation(TuyaError):
    """The peer sent what no Tuya device sends; the connection was closed."""


class BadValue(TuyaError):
    """A setting, a file or an argument of ours cannot be used (a key of the wrong length, no such version)."""


class NotConfirmed(TuyaError):
    """A write was sent and the device did not report the new value in time. It is not repeated."""


class NotConnected(TuyaError):
    """A write was asked for while the device was not connected; it was refused and is not kept for later."""


class OwnedElsewhere(TuyaError):
    """Another process or hardware instance on this machine holds this device (see owner.py)."""


class CodecMissing(TuyaError):
    """tinytuya's codec or pycryptodome cannot be imported or does not work in this Python."""

    default_cure = "Run 'bash install.sh' in the plugin folder, then restart Domoticz"
