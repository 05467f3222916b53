"""What is done under one key, kept for many messages: ECB both ways, opening of GCM, and HMAC.

Making a cipher object costs more than using it (ECB 12 us against 9 us, GCM 130-220 us), so the codec's own classes,
which make new ones for each message, are used for sending only. What devices send is decrypted by OpenSSL where it is
to be had, and by pycryptodome elsewhere; the padding is judged here for both.
"""

from __future__ import annotations

import hashlib
from typing import Any, Callable, Optional

from . import openssl

BLOCK_BYTES = 16
_SHA256_BLOCK_BYTES = 64


class Ecb:
    """AES-ECB with PKCS#7 padding. aes: the module `AES` of pycryptodome."""

    __slots__ = ("_decrypt", "_encrypt")

    def __init__(self, aes: Any, key: bytes) -> None:
        cipher = aes.new(key, aes.MODE_ECB)
        self._encrypt: Callable[[bytes], bytes] = cipher.encrypt
        evp = openssl.load()
        self._decrypt: Callable[[bytes], bytes]
        self._decrypt = cipher.decrypt if evp is None else openssl.Decryptor(evp, key).decrypt

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

    def has_whole_padding(self, sealed: bytes) -> bool:
        """Whether it was sealed with this key, by its padding: two bytes or more. By chance 1 of 65,000 has one."""
        if not sealed or len(sealed) % BLOCK_BYTES:
            return False
        plain = self._decrypt(sealed[-BLOCK_BYTES:])  # each block is by itself, and a padding is in the last one
        padding = plain[-1]
        return 1 < padding <= BLOCK_BYTES and plain.endswith(plain[-1:] * padding)


class GcmOpener:
    """Opens AES-GCM messages; a library decrypts and verifies each of them. aes: the module `AES` of pycryptodome."""

    def __init__(self, aes: Any, key: bytes) -> None:
        self._aes = aes
        self._key = key
        evp = openssl.load()
        # the plain text, or None when the tag does not verify: (nonce, header, sealed, tag)
        self.open: Callable[[bytes, bytes, bytes, bytes], Optional[bytes]]
        self.open = self._open_by_pycryptodome if evp is None else openssl.Opener(evp, key).open

    def _open_by_pycryptodome(self, nonce: bytes, header: bytes, sealed: bytes, tag: bytes) -> Optional[bytes]:
        cipher = self._aes.new(self._key, self._aes.MODE_GCM, nonce=nonce)
        cipher.update(header)
        try:
            plain: bytes = cipher.decrypt_and_verify(sealed, tag)
        except ValueError:
            return None
        return plain


class Hmac:
    """HMAC-SHA256 (RFC 2104), with the two blocks of the key hashed once: a third of what a copy of hmac.HMAC costs."""

    def __init__(self, key: bytes) -> None:
        block = key.ljust(_SHA256_BLOCK_BYTES, b"\0")
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block))

    def digest(self, data: bytes) -> bytes:
        """The 32 bytes for this data. The key is no longer than a block."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(data)
        outer.update(inner.digest())
        return outer.digest()
