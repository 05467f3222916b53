"""The one place that imports tinytuya, without what can kill Domoticz.

tinytuya prefers `cryptography` (a Rust module that works in one sub-interpreter per process only) and imports
`requests` (whose compiled helpers have crashed the process at a second import) and `colorama` (wraps stdout).
They are hidden while it is imported and visible again afterwards; it then works on pycryptodome alone. The copy
that is made here is ours: it does not stay in sys.modules, so that the command line's wizard can import another
one with everything, and a copy that somebody has already imported with `cryptography` does not become ours.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
import logging
import os
import struct
import sys
import threading
from types import ModuleType
from typing import Any, Callable, Dict, NamedTuple, Optional, Tuple, Type

from ..errors import CodecMissing

HIDDEN = ("cryptography", "requests", "colorama")
PACKAGE = "tinytuya"
# known answer: AES-128-ECB of FIPS-197 appendix C.1
_FIPS_KEY = bytes(range(16))
_FIPS_PLAIN = bytes.fromhex("00112233445566778899aabbccddeeff")
_FIPS_CIPHER = bytes.fromhex("69c4e0d86a7b0430d8cdb78070b4c55a")


class Codec(NamedTuple):
    """What is used of tinytuya: frame packing, AES and the key of announcements."""

    pack_message: Callable[..., bytes]
    unpack_message: Callable[..., Any]
    message: Callable[..., Any]
    header: Callable[..., Any]
    cipher: Callable[..., Any]
    aes: Any  # pycryptodome's module AES, as tinytuya has found it
    decode_error: Type[Exception]
    udp_key: bytes
    version: str
    crypto: str


_lock = threading.Lock()
_codec: Optional[Codec] = None


def load() -> Codec:
    """Import tinytuya's codec once per interpreter (about 60 ms) and return it.

    Raises CodecMissing when tinytuya or pycryptodome cannot be imported or do not work.
    """
    global _codec
    with _lock:
        if _codec is None:
            codec = _import_private_copy()
            _verify(codec)
            _codec = codec
        return _codec


def _family(*names: str) -> Dict[str, ModuleType]:
    prefixes = tuple(f"{name}." for name in names)
    return {key: module for key, module in sys.modules.items() if key in names or key.startswith(prefixes)}


def _import_private_copy() -> Codec:
    # the loggers would print keys at DEBUG, also when somebody sets the root logger to it
    logging.getLogger(PACKAGE).setLevel(logging.WARNING)
    others = _family(PACKAGE)
    names = _hidden()
    hidden = _family(*names)
    for name in (*others, *hidden):
        sys.modules.pop(name, None)
    for name in names:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        # it says WARN about the missing requests with print()
        with contextlib.redirect_stdout(io.StringIO()):
            _spare_a_process()
            importlib.import_module(PACKAGE)
            return _collect()
    except ImportError as error:
        raise CodecMissing("", f"cannot import tinytuya and pycryptodome ({error})") from error
    except AttributeError as error:
        raise CodecMissing("", f"this version of tinytuya cannot be used ({error})") from error
    finally:
        for name in (*_family(PACKAGE), *names):
            sys.modules.pop(name, None)
        sys.modules.update(others)
        sys.modules.update(hidden)


def _hidden() -> Tuple[str, ...]:
    """What tinytuya must not see. A Cryptodome of the system counts only where lib/ has no Crypto (32-bit ARM)."""
    return (*HIDDEN, "Cryptodome") if importlib.util.find_spec("Crypto") is not None else HIDDEN


def _spare_a_process() -> None:
    """Tell pycryptodome the machine's architecture, which it would ask the program `file` for.

    Crypto.Util._raw_api (4.4.0) wants to know whether this is Windows before it loads a library, asks
    platform.architecture(), and that starts a process: out of Domoticz, at each start of a hardware.
    """
    for name in ("Crypto", "Cryptodome"):
        with contextlib.suppress(ImportError):
            raw_api = importlib.import_module(f"{name}.Util._raw_api")
            known = getattr(raw_api, "cached_architecture", None)  # not there where it works on cffi
            if os.name == "posix" and known == []:
                known[:] = (f"{8 * struct.calcsize('P')}bit", "ELF")


def _collect() -> Codec:
    helper = importlib.import_module(f"{PACKAGE}.core.message_helper")
    crypto = importlib.import_module(f"{PACKAGE}.core.crypto_helper")
    udp = importlib.import_module(f"{PACKAGE}.core.udp_helper")
    exceptions = importlib.import_module(f"{PACKAGE}.core.exceptions")
    core = importlib.import_module(f"{PACKAGE}.core.core")
    return Codec(
        pack_message=helper.pack_message,
        unpack_message=helper.unpack_message,
        message=helper.TuyaMessage,
        header=helper.TuyaHeader,
        cipher=crypto.AESCipher,
        aes=crypto.AES,
        decode_error=exceptions.DecodeError,
        udp_key=udp.udpkey,
        version=str(core.__version__),
        crypto=str(crypto.AESCipher.CRYPTOLIB),
    )


def _verify(codec: Codec) -> None:
    """AES-ECB by a known answer and AES-GCM by a round trip: seen are libraries that import and then fail."""
    if codec.crypto not in ("PyCryptodome", "PyCryptodomex"):
        raise CodecMissing("", f"tinytuya found {codec.crypto} where pycryptodome is needed")
    try:
        cipher = codec.cipher(_FIPS_KEY)
        ecb = cipher.encrypt(_FIPS_PLAIN, use_base64=False, pad=False)
        sealed = cipher.encrypt(b"plain", use_base64=False, pad=False, iv=bytes(12), header=b"head")
        plain = cipher.decrypt(
            sealed[12:-16], use_base64=False, decode_text=False, iv=bytes(12), header=b"head", tag=sealed[-16:]
        )
    except (AttributeError, TypeError, ValueError, NotImplementedError, OSError) as error:
        raise CodecMissing("", f"pycryptodome does not work ({error})") from error
    if ecb != _FIPS_CIPHER or plain != b"plain":
        raise CodecMissing("", "pycryptodome gives wrong results")
