"""The inside of a frame: security flag, IV and ciphertext; then what decryption gives.

Frame: security flag u8, IV 16 bytes, AES-128-CBC ciphertext (flag 0: plain text right after the flag).
Plaintext, big-endian: sn u32, ack_sn u32, command u16, length u16, data, CRC16/MODBUS u16 over all before it, then
padding up to 16 (zeros, or PKCS-like in newer firmware: the length field decides).
Source: tuya/TuyaOpen, src/tuya_cloud_service/ble/ble_mgr.c and ble_cryption.c.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Optional, Tuple

IV_BYTES = 16
BLOCK_BYTES = 16
_FLAG_BYTES = 1
_HEADER = struct.Struct(">IIHH")
_CRC_BYTES = 2
_CRC16_MODBUS_INIT = 0xFFFF
_CRC16_MODBUS_POLYNOMIAL = 0xA001


@dataclass(frozen=True)
class Envelope:
    """The readable outside of a frame; `problem` says why the rest cannot be one."""

    flag: int
    iv: bytes
    ciphertext: bytes = field(repr=False)
    problem: str = ""

    @property
    def data_bytes_range(self) -> Tuple[int, int]:
        """Smallest and largest possible length of the data inside, from the ciphertext's length."""
        most = len(self.ciphertext) - _HEADER.size - _CRC_BYTES
        return max(0, most - BLOCK_BYTES + 1), max(0, most)


@dataclass(frozen=True)
class Message:
    """A decrypted frame whose CRC fits."""

    sn: int
    ack_sn: int
    command: int
    data: bytes = field(repr=False)


def open_envelope(body: bytes) -> Envelope:
    """Take the outside of a frame apart. Never raises: what cannot be is said in `problem`."""
    flag = body[0] if body else 0
    if not body:
        return Envelope(0, b"", b"", "an empty frame")
    if flag == 0:
        return Envelope(0, b"", body[_FLAG_BYTES:])
    iv = body[_FLAG_BYTES : _FLAG_BYTES + IV_BYTES]
    ciphertext = body[_FLAG_BYTES + IV_BYTES :]
    problem = ""
    if len(iv) < IV_BYTES or not ciphertext:
        problem = f"{len(body)} bytes are too few for a flag, an IV and one block"
    elif len(ciphertext) % BLOCK_BYTES:
        problem = f"a ciphertext of {len(ciphertext)} bytes is not a multiple of {BLOCK_BYTES}"
    return Envelope(flag, iv, ciphertext, problem)


def crc16_modbus(data: bytes) -> int:
    """CRC16/MODBUS: polynomial 0xA001 (reflected 0x8005), start 0xFFFF."""
    crc = _CRC16_MODBUS_INIT
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ _CRC16_MODBUS_POLYNOMIAL if crc & 1 else crc >> 1
    return crc


def parse_plaintext(plaintext: bytes) -> Optional[Message]:
    """The message in a decrypted frame, or None where length and CRC do not fit (the wrong key, or damage)."""
    if len(plaintext) < _HEADER.size + _CRC_BYTES:
        return None
    sn, ack_sn, command, length = _HEADER.unpack_from(plaintext)
    end = _HEADER.size + length
    if end + _CRC_BYTES > len(plaintext):
        return None
    (crc,) = struct.unpack_from(">H", plaintext, end)
    if crc != crc16_modbus(plaintext[:end]):
        return None
    return Message(sn, ack_sn, command, plaintext[_HEADER.size : end])


def build_plaintext(message: Message) -> bytes:
    """The padded plaintext of a message (zeros, as apps send it)."""
    raw = _HEADER.pack(message.sn, message.ack_sn, message.command, len(message.data)) + message.data
    raw += struct.pack(">H", crc16_modbus(raw))
    return raw + bytes(-len(raw) % BLOCK_BYTES)
