"""AES-GCM by the OpenSSL that this Python's own hashlib has loaded: decrypted and verified by EVP in one go.

pycryptodome makes three cipher objects for each message that is opened (122 us); a context of EVP is kept and takes
the next nonce (6 us). No other library comes into the process by it: hashlib, which signs our 3.4 frames, is linked to
this one, and ctypes is what pycryptodome itself works with. Where there is no such library to be found (a Python that
holds OpenSSL inside), or where it fails the known answer, load() returns None and pycryptodome opens the frames.
Reference: https://docs.openssl.org/master/man3/EVP_EncryptInit/
"""

from __future__ import annotations

import importlib
import threading
from typing import Any, Callable, NamedTuple, Optional

_SET_TAG = 0x11  # EVP_CTRL_AEAD_SET_TAG
TAG_BYTES = 16
# known answer: test case 4 of the GCM specification (McGrew and Viega), AES-128 with associated data
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


class Functions(NamedTuple):
    """What is used of EVP, ready to be called from ctypes."""

    new: Callable[[], Optional[int]]
    free: Callable[[int], None]
    aes_128_gcm: Callable[[], Optional[int]]
    begin: Callable[..., int]
    update: Callable[..., int]
    control: Callable[..., int]
    finish: Callable[..., int]
    buffer: Callable[[int], Any]
    length: Any  # an int that EVP writes to, and the pointer to it
    length_at: Any
    text: Callable[..., bytes]


class Opener:
    """Opens messages under one key of 16 bytes. For one thread at a time. Raises MemoryError without memory."""

    _context: Optional[int] = None

    def __init__(self, evp: Functions, key: bytes) -> None:
        self._evp = evp
        self._free = evp.free
        self._context = evp.new()
        if self._context is None or evp.begin(self._context, evp.aes_128_gcm(), None, key, None) != 1:
            raise MemoryError("OpenSSL gives no cipher")

    def __del__(self) -> None:
        if self._context is not None:
            self._free(self._context)

    def open(self, nonce: bytes, header: bytes, sealed: bytes, tag: bytes) -> Optional[bytes]:
        """The plain text; None when the tag does not verify. nonce: 12 bytes, tag: 16 bytes; header: not encrypted."""
        context, evp = self._context, self._evp
        size, at = len(sealed), evp.length_at
        plain = evp.buffer(size + TAG_BYTES)
        opened = (
            len(tag) == TAG_BYTES
            and evp.begin(context, None, None, None, nonce) == 1
            and evp.update(context, None, at, header, len(header)) == 1
            and evp.update(context, plain, at, sealed, size) == 1
            and evp.control(context, _SET_TAG, TAG_BYTES, tag) == 1
            and evp.finish(context, plain, at) == 1  # verifies the tag; it writes nothing
        )
        return evp.text(plain, size) if opened else None


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
        begin=function("EVP_DecryptInit_ex", number, pointer, pointer, pointer, data, data),
        update=function("EVP_DecryptUpdate", number, pointer, pointer, pointer, data, number),
        control=function("EVP_CIPHER_CTX_ctrl", number, pointer, number, number, data),
        finish=function("EVP_DecryptFinal_ex", number, pointer, pointer, pointer),
        buffer=ctypes.create_string_buffer,
        length=length,
        length_at=ctypes.byref(length),
        text=ctypes.string_at,
    )


def works(evp: Functions) -> bool:
    """Whether it gives the known answer, twice on one context, and refuses a tag and a header that do not fit."""
    opener = Opener(evp, _KEY)
    return (
        opener.open(_NONCE, _HEADER, _SEALED, _TAG) == _PLAIN
        and opener.open(_NONCE, _HEADER, _SEALED, bytes(TAG_BYTES)) is None
        and opener.open(_NONCE, _HEADER[:-1], _SEALED, _TAG) is None
        and opener.open(_NONCE, _HEADER, _SEALED, _TAG) == _PLAIN
    )
