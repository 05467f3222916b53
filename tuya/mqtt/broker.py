"""Where a broker is and how it lets us in, and what happens on the connection to it."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Optional, Union

from .commands import Message

DEFAULT_PORT = 1883
DEFAULT_TLS_PORT = 8883


@dataclass(frozen=True)
class Broker:
    """Where the broker is and how it lets us in. ca, certificate, key: PEM files; ca None: the system's."""

    host: str
    port: int
    tls: bool = False
    user: str = ""
    password: str = field(default="", repr=False)
    ca: Optional[Path] = None
    certificate: Optional[Path] = None
    key: Optional[Path] = None

    @property
    def shown(self) -> str:
        """As the user wrote it, without the password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"mqtt{'s' if self.tls else ''}://{self.user + '@' if self.user else ''}{host}:{self.port}"


class Up(NamedTuple):
    """The broker has let us in, and the bridge's own topics are heard. version: "5" or "3.1.1"."""

    version: str


class Denied(NamedTuple):
    """The broker does not do what it was asked for; the connection goes on. what: in words, for people."""

    what: str


class Down(NamedTuple):
    """The connection ended, or could not be made; it is tried again. refused: the broker itself said no."""

    why: str
    refused: bool = False


Happening = Union[Up, Down, Denied, Message]


class BrokerError(Exception):
    """The settings for the broker cannot be used (a certificate that cannot be read); the text says which."""


def tls_context(broker: Broker) -> Optional[ssl.SSLContext]:
    """Return how the broker's certificate is checked, None for a connection without TLS. Raises BrokerError."""
    if not broker.tls:
        return None
    path: Optional[Path] = broker.ca
    try:
        context = ssl.create_default_context(cafile=str(path) if path is not None else None)
        if broker.certificate is not None:
            path = broker.certificate
            context.load_cert_chain(path, broker.key)
    except (OSError, ssl.SSLError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or "it is no PEM file"
        raise BrokerError(f"{path}: this certificate or its key cannot be used: {reason}") from None
    return context


def reason_of(error: BaseException) -> str:
    """Return in a few words why a connection could not be made."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason or error}"
    if isinstance(error, TimeoutError):
        return "it does not answer"
    if isinstance(error, ConnectionRefusedError):
        return "nobody listens there"
    return f"it cannot be reached: {getattr(error, 'strerror', None) or error}"
