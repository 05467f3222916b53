"""Which key a security flag takes, who holds it, and how it is made.

Sources: tuya/TuyaOpen, ble_cryption.c (flags 11, 12, 14, 15, 16); PlusPlus-ua/ha_tuya_ble (flags 4 and 5); flags 1 and
2 from descriptions of older firmware: both forms of flag 2 are tried, and the CRC of the message decides.
Pycryptodome is imported only where something is decrypted.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Dict, List, Optional, Tuple

AUTH_KEY_BYTES = 32
UUID_BYTES = 16
LOCAL_KEY_BYTES = 16
SEC_KEY_BYTES = 16
SRAND_BYTES = 6
AES_BLOCK_BYTES = 16
LOGIN_PART_BYTES = 6  # of the local key, in flags 4 and 5

FACTORY = "burned into the chip at the factory; besides it only the maker's cloud has it and lends it to the app"
ACCOUNT = "given to the device when it is activated; the cloud account of the owner has it"
NOBODY = "needs none"
SRAND_SOURCE = "; srand is in the device's information, itself encrypted"


@dataclass(frozen=True)
class FlagInfo:
    """What a security flag asks for. `needs`: names of Secrets fields and "srand"."""

    name: str
    recipe: str
    needs: Tuple[str, ...]
    holder: str


FLAGS: Dict[int, FlagInfo] = {
    0: FlagInfo("none", "plain text", (), NOBODY),
    1: FlagInfo("KEY1", "last block of AES-CBC(auth_key[:16], auth_key + R)", ("auth_key",), FACTORY),
    2: FlagInfo(
        "KEY2", "md5(KEY1 + srand) or md5(md5(auth_key) + srand)", ("auth_key", "srand"), FACTORY + SRAND_SOURCE
    ),
    4: FlagInfo("KEY4 (login)", "md5(local_key[:6])", ("local_key",), ACCOUNT),
    5: FlagInfo("KEY5 (session)", "md5(local_key[:6] + srand)", ("local_key", "srand"), ACCOUNT + SRAND_SOURCE),
    11: FlagInfo("KEY11", "md5(auth_key + uuid + R)", ("auth_key", "uuid"), FACTORY),
    12: FlagInfo("KEY12", "md5(KEY11 + srand)", ("auth_key", "uuid", "srand"), FACTORY + SRAND_SOURCE),
    14: FlagInfo("KEY14 (login)", "md5(local_key + sec_key)", ("local_key", "sec_key"), ACCOUNT),
    15: FlagInfo(
        "KEY15 (session)", "md5(local_key + sec_key + srand)", ("local_key", "sec_key", "srand"), ACCOUNT + SRAND_SOURCE
    ),
    16: FlagInfo("KEY16 (unbind)", "md5(auth_key + md5(uuid) + R)", ("auth_key", "uuid"), FACTORY),
}
# flags under which the device answers its device information, the message that carries srand
DEVICE_INFO_FLAGS = (1, 4, 11, 14)


class KeyMaterialError(ValueError):
    """A given key has the wrong length. The text never holds the key."""


@dataclass(frozen=True)
class Secrets:
    """What the user knows, as bytes; None where it is not known. Never printed."""

    auth_key: Optional[bytes] = field(default=None, repr=False)
    uuid: Optional[bytes] = field(default=None, repr=False)
    local_key: Optional[bytes] = field(default=None, repr=False)
    sec_key: Optional[bytes] = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Check lengths. uuid: Tuya's are 16 characters, longer ones (20 and more) count with their first 16."""
        for name, length in (
            ("auth_key", AUTH_KEY_BYTES),
            ("local_key", LOCAL_KEY_BYTES),
            ("sec_key", SEC_KEY_BYTES),
        ):
            value = getattr(self, name)
            if value is not None and len(value) != length:
                raise KeyMaterialError(f"{name} has {len(value)} bytes; it must have {length}")
        if self.uuid is not None and len(self.uuid) < UUID_BYTES:
            raise KeyMaterialError(f"uuid has {len(self.uuid)} bytes; it must have at least {UUID_BYTES}")

    def missing_for(self, flag: int) -> Tuple[str, ...]:
        """The names of the secrets that a flag needs and that are not given (srand is found, not given)."""
        info = FLAGS.get(flag)
        if info is None:
            return ()
        return tuple(name for name in info.needs if name != "srand" and getattr(self, name) is None)


def candidate_keys(flag: int, secrets: Secrets, app_rands: Tuple[bytes, ...], srands: Tuple[bytes, ...]) -> List[bytes]:
    """All AES keys (16 bytes) that may open a frame with this flag; empty where something needed is unknown.

    app_rands: R candidates, 16 bytes each: IVs of app frames that ask for device information, newest first.
    srands: candidates of 6 bytes out of device-info answers, newest first.
    """
    if flag not in FLAGS or flag == 0 or secrets.missing_for(flag):
        return []
    auth_key, uuid = secrets.auth_key or b"", (secrets.uuid or b"")[:UUID_BYTES]
    local_key, sec_key = secrets.local_key or b"", secrets.sec_key or b""
    login = local_key[:LOGIN_PART_BYTES]
    keys1 = [_key1(auth_key, rand) for rand in app_rands] if flag in (1, 2) else []
    keys11 = [_md5(auth_key + uuid + rand) for rand in app_rands]
    by_flag = {
        1: lambda: keys1,
        2: lambda: [_md5(base + srand) for srand in srands for base in (*keys1, _md5(auth_key))],
        4: lambda: [_md5(login)],
        5: lambda: [_md5(login + srand) for srand in srands],
        11: lambda: keys11,
        12: lambda: [_md5(key11 + srand) for srand in srands for key11 in keys11],
        14: lambda: [_md5(local_key + sec_key)],
        15: lambda: [_md5(local_key + sec_key + srand) for srand in srands],
        16: lambda: [_md5(auth_key + _md5(uuid) + rand) for rand in app_rands],
    }
    return by_flag[flag]()


def decrypt(key: bytes, iv: bytes, ciphertext: bytes) -> bytes:
    """AES-128-CBC without taking padding off. key and iv: 16 bytes, ciphertext: a multiple of 16."""
    try:
        from Crypto.Cipher import AES
    except ImportError:  # the distribution's own, where no ready-made one fits the machine
        from Cryptodome.Cipher import AES  # type: ignore[no-redef]

    plaintext: bytes = AES.new(key, AES.MODE_CBC, iv=iv).decrypt(ciphertext)
    return plaintext


def _key1(auth_key: bytes, rand: bytes) -> bytes:
    try:
        from Crypto.Cipher import AES
    except ImportError:  # the distribution's own, where no ready-made one fits the machine
        from Cryptodome.Cipher import AES  # type: ignore[no-redef]

    blocks: bytes = AES.new(auth_key[:16], AES.MODE_CBC, iv=bytes(AES_BLOCK_BYTES)).encrypt(auth_key + rand)
    return blocks[-AES_BLOCK_BYTES:]


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data).digest()  # noqa: S324 - the protocol's own key derivation
