"""AES under one key, kept for many messages: ECB, and opening of GCM. Knows no frame, version or device.

Making a cipher object costs more than using it (ECB 12 us against 9 us, GCM 130-220 us), so the codec's own classes,
which make new ones for each message, are used for sending only. pycryptodome cannot give a GCM object a new nonce;
its parts can be kept: counter blocks are encrypted by the ECB object, and GHASH goes on where it stands.
Where that cannot be had, or does not agree with the library's own GCM, that one is used.
"""

from __future__ import annotations

import hmac
import importlib
import struct
from typing import Any, Callable, ClassVar, Optional

BLOCK_BYTES = 16
TAG_BYTES = 16
_ZERO_BLOCK = bytes(BLOCK_BYTES)
_COUNTER = struct.Struct(">I")
_BITS = struct.Struct(">QQ")


class Ecb:
    """AES-ECB with PKCS#7 padding. aes: the module `AES` of pycryptodome."""

    __slots__ = ("_decrypt", "_encrypt")

    def __init__(self, aes: Any, key: bytes) -> None:
        cipher = aes.new(key, aes.MODE_ECB)
        self._encrypt: Callable[[bytes], bytes] = cipher.encrypt
        self._decrypt: Callable[[bytes], bytes] = cipher.decrypt

    def encrypt(self, plain: bytes) -> bytes:
        """Pad and encrypt."""
        missing = BLOCK_BYTES - len(plain) % BLOCK_BYTES
        return self._encrypt(plain + bytes((missing,)) * missing)

    def decrypt(self, sealed: bytes) -> bytes:
        """Decrypt and unpad. Raises ValueError for a length that cannot be, or a padding that is none."""
        if not sealed or len(sealed) % BLOCK_BYTES:
            raise ValueError("not a multiple of the block size")
        plain = self._decrypt(sealed)
        # the last byte alone, as tinytuya does: some firmware fills the rest with something else
        padding = plain[-1]
        if not 0 < padding <= BLOCK_BYTES:
            raise ValueError("no padding")
        return plain[:-padding]


class GcmOpener:
    """Opens AES-GCM messages with nonces of 12 bytes. Raises nothing: a tag that does not fit gives None."""

    _works: ClassVar[Optional[bool]] = None  # tried with the first key; the same library serves all

    def __init__(self, aes: Any, key: bytes) -> None:
        self._aes = aes
        self._key = key
        self._encrypt: Callable[[bytes], bytes] = aes.new(key, aes.MODE_ECB).encrypt
        self._ghash: Any = _ghash(aes, self._encrypt(_ZERO_BLOCK))
        self._state = 0
        if GcmOpener._works is None and self._ghash is not None:
            GcmOpener._works = self._agrees()
        if not GcmOpener._works:
            self._ghash = None

    @property
    def is_fast(self) -> bool:
        """Whether the parts could be kept."""
        return self._ghash is not None

    def open(self, nonce: bytes, header: bytes, sealed: bytes, tag: bytes) -> Optional[bytes]:
        """The plain text, or None when the tag does not verify."""
        if self._ghash is None:
            return self._open_by_library(nonce, header, sealed, tag)
        return self._open_by_parts(nonce, header, sealed, tag)

    def _open_by_library(self, nonce: bytes, header: bytes, sealed: bytes, tag: bytes) -> Optional[bytes]:
        cipher = self._aes.new(self._key, self._aes.MODE_GCM, nonce=nonce)
        cipher.update(header)
        try:
            plain: bytes = cipher.decrypt_and_verify(sealed, tag)
        except ValueError:
            return None
        return plain

    def _open_by_parts(self, nonce: bytes, header: bytes, sealed: bytes, tag: bytes) -> Optional[bytes]:
        """NIST SP 800-38D: tag = GHASH(header, ciphertext, lengths) xor E(nonce, 1); text xor E(nonce, 2 ...)."""
        size = len(sealed)
        blocks = (size + BLOCK_BYTES - 1) // BLOCK_BYTES
        hashed = b"".join(
            (
                header,
                bytes(-len(header) % BLOCK_BYTES),
                sealed,
                bytes(-size % BLOCK_BYTES),
                _BITS.pack(8 * len(header), 8 * size),
            )
        )
        # GHASH cannot be set back to zero, but it is linear: what it holds is taken out of the first block instead
        first = int.from_bytes(hashed[:BLOCK_BYTES], "big") ^ self._state
        digest: bytes = self._ghash.update(first.to_bytes(BLOCK_BYTES, "big") + hashed[BLOCK_BYTES:]).digest()
        state = int.from_bytes(digest, "big")
        self._state = state
        stream = self._encrypt(b"".join([nonce + _COUNTER.pack(number) for number in range(1, blocks + 2)]))
        expected = state ^ int.from_bytes(stream[:BLOCK_BYTES], "big")
        if not hmac.compare_digest(expected.to_bytes(TAG_BYTES, "big"), tag):
            return None
        mask = int.from_bytes(stream[BLOCK_BYTES : BLOCK_BYTES + size], "big")
        return (int.from_bytes(sealed, "big") ^ mask).to_bytes(size, "big")

    def _agrees(self) -> bool:
        """One message that is opened both ways; private parts of a library may change."""
        nonce, header, plain = bytes(range(12)), b"fourteen bytes", bytes(range(100))
        cipher = self._aes.new(self._key, self._aes.MODE_GCM, nonce=nonce)
        cipher.update(header)
        sealed, tag = cipher.encrypt_and_digest(plain)
        try:
            first = self._open_by_parts(nonce, header, sealed, tag)
            second = self._open_by_parts(nonce, header, sealed, tag)
            forged = self._open_by_parts(nonce, header, sealed, bytes(TAG_BYTES))
        except (AttributeError, TypeError, ValueError):
            return False
        return first == second == plain and forged is None


def _ghash(aes: Any, subkey: bytes) -> Any:
    """The GHASH of pycryptodome under this hash key; None where this release has another inside."""
    try:
        inside = importlib.import_module(aes.__name__.rpartition(".")[0] + "._mode_gcm")
        ghash = getattr(inside, "_GHASH")  # noqa: B009 - private: looked up, never relied upon
        return ghash(subkey, inside._ghash_clmul or inside._ghash_portable)
    except (ImportError, AttributeError, TypeError, ValueError, AssertionError):
        return None
