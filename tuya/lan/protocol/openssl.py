"""AES by the OpenSSL that this Python's own hashlib has loaded: what devices send is decrypted by EVP.

GCM is decrypted and verified in one go. pycryptodome makes three cipher objects for each message that is opened
(122 us); a context of EVP is kept and takes the next nonce (6 us). ECB is blocks only, a third of pycryptodome's time;
the padding is the caller's. No other library comes into the process by it: hashlib, which signs our 3.4 frames, is
linked to this one, and ctypes is what pycryptodome itself works with. Where there is no such library to be found (a
Python that holds OpenSSL inside), or where it fails the known answers, load() returns None and pycryptodome decrypts.
Reference: https://docs.openssl.org/master/man3/EVP_EncryptInit/
"""

from __future__ import annotations

import importlib
import threading
from typing import Any, Callable, NamedTuple, Optional

_SET_TAG = 0x11  # EVP_CTRL_AEAD_SET_TAG
TAG_BYTES = 16
BLOCK_BYTES = 16
_ROOM_BYTES = 1024  # is kept for what comes out; longer messages are few and get a room of their own
# known answers. GCM: test case 4 of the GCM specification (McGrew and Viega), AES-128 with associated data
_KEY = bytes.fromhex("feffe9928665731c6d6a8f9467308308")
_NONCE = bytes.fromhex("cafebabefacedbaddecaf888")
_HEADER = bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
_PLAIN = bytes.fromhex(
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
    "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
)
_SEALED = bytes.fromhex(
    "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
    "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091"
)
_TAG = bytes.fromhex("5bc94fbc3221a5db94fae95ae7121a47")
# ECB: NIST SP 800-38A, F.1.2 (ECB-AES128.Decrypt), all four blocks
_ECB_KEY = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
_ECB_SEALED = bytes.fromhex(
    "3ad77bb40d7a3660a89ecaf32466ef97f5d3d58503b9699de785895a96fdbaaf"
    "43b1cd7f598ece23881b00e3ed0306887b0c785e27e8ad3f8223207104725dd4"
)
_ECB_PLAIN = bytes.fromhex(
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
)


class Functions(NamedTuple):
    """What is used of EVP, ready to be called from ctypes."""

    new: Callable[[], Optional[int]]
    free: Callable[[int], None]
    aes_128_gcm: Callable[[], Optional[int]]
    aes_128_ecb: Callable[[], Optional[int]]
    begin: Callable[..., int]
    pad: Callable[[int, int], int]
    update: Callable[..., int]
    control: Callable[..., int]
    finish: Callable[..., int]
    buffer: Callable[[int], Any]
    length: Any  # an int that EVP writes to, and the pointer to it
    length_at: Any


class _Context:
    """One key of 16 bytes, ready for many messages. For one thread at a time. Raises MemoryError without memory."""

    _context: Optional[int] = None

    def __init__(self, evp: Functions, cipher: Optional[int], key: bytes) -> None:
        self._evp = evp
        self._free = evp.free
        self._room = evp.buffer(_ROOM_BYTES)
        self._context = evp.new()
        if self._context is None or evp.begin(self._context, cipher, None, key, None) != 1:
            raise MemoryError("OpenSSL gives no cipher")

    def __del__(self) -> None:
        if self._context is not None:
            self._free(self._context)


class Decryptor(_Context):
    """AES-128-ECB under one key, blocks only."""

    def __init__(self, evp: Functions, key: bytes) -> None:
        super().__init__(evp, evp.aes_128_ecb(), key)
        # without padding nothing is held back: whole blocks in, as many out, and the next message begins anew
        if evp.pad(self._context or 0, 0) != 1:
            raise MemoryError("OpenSSL gives no cipher without padding")

    def decrypt(self, sealed: bytes) -> bytes:
        """The plain blocks, padding included. Raises ValueError for what is not a multiple of 16 bytes."""
        evp, size = self._evp, len(sealed)
        plain = self._room if size <= _ROOM_BYTES else evp.buffer(size)
        if size % BLOCK_BYTES or evp.update(self._context, plain, evp.length_at, sealed, size) != 1:
            raise ValueError("not a multiple of the block size")
        found: bytes = plain[:size]
        return found


class Opener(_Context):
    """AES-128-GCM: opens messages under one key."""

    def __init__(self, evp: Functions, key: bytes) -> None:
        super().__init__(evp, evp.aes_128_gcm(), key)

    def open(self, nonce: bytes, header: bytes, sealed: bytes, tag: bytes) -> Optional[bytes]:
        """The plain text; None when the tag does not verify. nonce: 12 bytes, tag: 16 bytes; header: not encrypted."""
        context, evp = self._context, self._evp
        size, at = len(sealed), evp.length_at
        plain = self._room if size + TAG_BYTES <= _ROOM_BYTES else evp.buffer(size + TAG_BYTES)
        opened = (
            len(tag) == TAG_BYTES
            and evp.begin(context, None, None, None, nonce) == 1
            and evp.update(context, None, at, header, len(header)) == 1
            and evp.update(context, plain, at, sealed, size) == 1
            and evp.control(context, _SET_TAG, TAG_BYTES, tag) == 1
            and evp.finish(context, plain, at) == 1  # verifies the tag; it writes nothing
        )
        return plain[:size] if opened else None


_lock = threading.Lock()
_is_loaded = False
_functions: Optional[Functions] = None


def load() -> Optional[Functions]:
    """The functions of EVP, looked up once per interpreter; None where they are not to be had or do not work."""
    global _functions, _is_loaded
    with _lock:
        if not _is_loaded:
            _is_loaded = True
            try:
                found = _look_up()
                _functions = found if works(found) else None
            except (ImportError, AttributeError, OSError, MemoryError, TypeError, ValueError):
                _functions = None
        return _functions


def _look_up() -> Functions:
    ctypes: Any = importlib.import_module("ctypes")
    path = getattr(importlib.import_module("_hashlib"), "__file__", None)
    if not path:
        raise ImportError("OpenSSL is inside of this Python")
    # PyDLL: the calls are shorter than handing the interpreter to another thread and waiting for it again
    library = ctypes.PyDLL(path)  # names are looked for in the libraries that hashlib is linked to
    pointer, number, data = ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p

    def function(name: str, result: Any, *arguments: Any) -> Any:
        found = getattr(library, name)
        found.restype, found.argtypes = result, list(arguments)
        return found

    length = ctypes.c_int()
    return Functions(
        new=function("EVP_CIPHER_CTX_new", pointer),
        free=function("EVP_CIPHER_CTX_free", None, pointer),
        aes_128_gcm=function("EVP_aes_128_gcm", pointer),
        aes_128_ecb=function("EVP_aes_128_ecb", pointer),
        begin=function("EVP_DecryptInit_ex", number, pointer, pointer, pointer, data, data),
        pad=function("EVP_CIPHER_CTX_set_padding", number, pointer, number),
        update=function("EVP_DecryptUpdate", number, pointer, pointer, pointer, data, number),
        control=function("EVP_CIPHER_CTX_ctrl", number, pointer, number, number, data),
        finish=function("EVP_DecryptFinal_ex", number, pointer, pointer, pointer),
        buffer=ctypes.create_string_buffer,
        length=length,
        length_at=ctypes.byref(length),
    )


def works(evp: Functions) -> bool:
    """Whether it gives the known answers, twice on one context, and refuses a tag and a header that do not fit."""
    opener, decryptor = Opener(evp, _KEY), Decryptor(evp, _ECB_KEY)
    return (
        opener.open(_NONCE, _HEADER, _SEALED, _TAG) == _PLAIN
        and opener.open(_NONCE, _HEADER, _SEALED, bytes(TAG_BYTES)) is None
        and opener.open(_NONCE, _HEADER[:-1], _SEALED, _TAG) is None
        and opener.open(_NONCE, _HEADER, _SEALED, _TAG) == _PLAIN
        and decryptor.decrypt(_ECB_SEALED) == _ECB_PLAIN
        and decryptor.decrypt(_ECB_SEALED[-BLOCK_BYTES:]) == _ECB_PLAIN[-BLOCK_BYTES:]
    )
