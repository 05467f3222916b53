"""The device's half of a handshake (3.4, 3.5): its answer, message 4, is made for our question or it is refused."""

from __future__ import annotations

from ..errors import ProtocolViolation
from ..protocol.wire import NONCE_BYTES, Wire

_DIGEST_BYTES = 32


def device_nonce(wire: Wire, label: str, nonce: bytes, answer: bytes) -> bytes:
    """The device's nonce from message 4: that nonce [16], HMAC of ours under the local key [32].

    Raises ProtocolViolation. It never speaks against the local key: the answer's frame has verified under it.
    """
    theirs, digest = answer[:NONCE_BYTES], answer[NONCE_BYTES : NONCE_BYTES + _DIGEST_BYTES]
    if len(digest) < _DIGEST_BYTES:
        raise ProtocolViolation(label, "its handshake answer is too short")
    if theirs == nonce or not wire.has_signed(nonce, digest):
        raise ProtocolViolation(label, "its handshake answer is not made for our question")
    return theirs
