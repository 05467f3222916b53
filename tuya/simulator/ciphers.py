"""AES, HMAC and the session keys of protocols 3.1-3.5, as a device does them.

Written from the protocol on pycryptodome alone: the client's codec is a different one on purpose, so that an error
in either shows when the two meet.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Tuple

try:
    from Crypto.Cipher import AES
except ImportError:  # the distribution's own, where no ready-made one fits the machine
    from Cryptodome.Cipher import AES  # type: ignore[no-redef]

BLOCK_BYTES = 16
NONCE_BYTES = 16
GCM_IV_BYTES = 12
GCM_TAG_BYTES = 16
HMAC_BYTES = 32

# The one key of all announcements on UDP 6667 and 7000 (public; the phone app has it too)
ANNOUNCEMENT_KEY = hashlib.md5(b"yGAdlopoPVldABfn", usedforsecurity=False).digest()


class Undecipherable(ValueError):
    """Bytes that this key does not decrypt: wrong key, wrong version or damage."""


def pad(plain: bytes) -> bytes:
    """PKCS#7: 1 to 16 bytes, each holding their number."""
    missing = BLOCK_BYTES - len(plain) % BLOCK_BYTES
    return plain + bytes([missing]) * missing


def unpad(padded: bytes) -> bytes:
    """The inverse of pad(). Raises Undecipherable where the padding is none, as after a wrong key."""
    count = padded[-1] if padded else 0
    if not 1 <= count <= BLOCK_BYTES or padded[-count:] != bytes([count]) * count:
        raise Undecipherable("no padding at the end")
    return padded[:-count]


class Ecb:
    """AES-128-ECB under one key, kept, because making a cipher costs more than a frame."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AES.new(key, AES.MODE_ECB)

    def encrypt(self, plain: bytes) -> bytes:
        """Pad and encrypt."""
        sealed: bytes = self._cipher.encrypt(pad(plain))
        return sealed

    def encrypt_blocks(self, plain: bytes) -> bytes:
        """Encrypt whole blocks, unpadded."""
        sealed: bytes = self._cipher.encrypt(plain)
        return sealed

    def decrypt_blocks(self, sealed: bytes) -> bytes:
        """Decrypt whole blocks and leave the padding. Raises Undecipherable for a length that is no block."""
        if not sealed or len(sealed) % BLOCK_BYTES:
            raise Undecipherable(f"{len(sealed)} bytes are no whole AES blocks")
        plain: bytes = self._cipher.decrypt(sealed)
        return plain

    def decrypt(self, sealed: bytes) -> bytes:
        """Decrypt and unpad. Raises Undecipherable."""
        return unpad(self.decrypt_blocks(sealed))


def gcm_seal(key: bytes, iv: bytes, header: bytes, plain: bytes) -> Tuple[bytes, bytes]:
    """AES-128-GCM of `plain` with `header` as associated data. Returns (ciphertext, 16-byte tag)."""
    cipher = AES.new(key, AES.MODE_GCM, nonce=iv)
    cipher.update(header)
    sealed, tag = cipher.encrypt_and_digest(plain)
    return sealed, tag


def gcm_open(key: bytes, iv: bytes, header: bytes, sealed: bytes, tag: bytes) -> bytes:
    """The inverse of gcm_seal(). Raises Undecipherable where the tag does not verify."""
    cipher = AES.new(key, AES.MODE_GCM, nonce=iv)
    cipher.update(header)
    try:
        plain: bytes = cipher.decrypt_and_verify(sealed, tag)
    except ValueError as error:
        raise Undecipherable("tag does not verify") from error
    return plain


def sign(key: bytes, data: bytes) -> bytes:
    """HMAC-SHA256, 32 bytes."""
    return hmac.new(key, data, hashlib.sha256).digest()


def md5_middle(key: bytes, text_base64: bytes) -> bytes:
    """The 16 hex digits in the middle of the MD5 that signs an encrypted 3.1 payload."""
    text = b"data=" + text_base64 + b"||lpv=3.1||" + key
    return hashlib.md5(text, usedforsecurity=False).hexdigest()[8:24].encode()


def session_key(version: str, local_key: bytes, client_nonce: bytes, device_nonce: bytes) -> bytes:
    """The key after the three messages: AES(local key) of the xor of both nonces; ECB in 3.4, in 3.5 GCM.

    GCM takes the first 12 bytes of the client's nonce as IV, and its tag is dropped.
    """
    mixed = bytes(ours ^ theirs for ours, theirs in zip(client_nonce, device_nonce))
    if version == "3.4":
        return Ecb(local_key).encrypt_blocks(mixed)
    return gcm_seal(local_key, client_nonce[:GCM_IV_BYTES], b"", mixed)[0]
