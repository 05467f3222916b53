"""Frames of protocols 3.1-3.5 as a device reads and writes them.

55AA (3.1-3.4): 000055AA | sequence u32 | command u32 | length u32 | [return code u32] | body | check | 0000AA55,
    length counts from behind itself to the end; check is CRC32, from 3.4 on HMAC-SHA256 of all before it.
6699 (3.5): 00006699 | 0000 | sequence u32 | command u32 | length u32 | IV 12 | AES-GCM(body) | tag 16 | 00009966,
    length counts IV, body and tag; the 14 bytes behind the prefix are associated data.
Only devices send a return code; in 3.5 it is inside the encryption, in 3.4 in front of it.
"""

from __future__ import annotations

import base64
import binascii
import secrets
import struct
from typing import Iterator, NamedTuple, Optional

from .ciphers import GCM_IV_BYTES, GCM_TAG_BYTES, HMAC_BYTES, Ecb, Undecipherable, gcm_open, gcm_seal, md5_middle, sign

VERSIONS = ("3.1", "3.2", "3.3", "3.4", "3.5")

PREFIX_55AA, SUFFIX_55AA = bytes.fromhex("000055aa"), bytes.fromhex("0000aa55")
PREFIX_6699, SUFFIX_6699 = bytes.fromhex("00006699"), bytes.fromhex("00009966")
HEADER_55AA = struct.Struct(">4sIII")
HEADER_6699 = struct.Struct(">4sHIII")
WORD = struct.Struct(">I")
VERSION_HEADER_BYTES = 15  # "3.3", 4 bytes 0, a counter u32, a source u32
LONGEST_REQUEST_BYTES = 4096  # more than any client sends; a device has little memory


class Request(NamedTuple):
    """One frame from a client. body: decrypted, without version header; None where it could not be read.

    intact: the check (CRC, HMAC, tag) is right.
    """

    command: int
    sequence: int
    body: Optional[bytes]
    intact: bool


class Wire:
    """Both directions of one connection: bytes to requests, answers to bytes. key: the local, later the session key."""

    def __init__(self, version: str, key: bytes) -> None:
        if version not in VERSIONS:
            raise ValueError(f"no protocol version {version}: one of {', '.join(VERSIONS)}")
        self.version = version
        self._received = bytearray()
        self._pushes = 0
        self.use_key(key)

    def use_key(self, key: bytes) -> None:
        """Encrypt and verify with this key from now on."""
        self._key = key
        self._ecb = Ecb(key)

    def requests(self, data: bytes) -> Iterator[Request]:
        """Feed received bytes; yields each frame that they complete. Bytes that begin no frame are skipped."""
        self._received += data
        while True:
            frame = self._next_frame()
            if frame is None:
                return
            yield self._read_6699(frame) if frame[:4] == PREFIX_6699 else self._read_55aa(frame)

    def _next_frame(self) -> Optional[bytes]:
        buffer = self._received
        while True:
            starts = [at for at in (buffer.find(PREFIX_55AA), buffer.find(PREFIX_6699)) if at >= 0]
            if not starts:
                del buffer[: max(0, len(buffer) - 3)]
                return None
            del buffer[: min(starts)]
            is_gcm = buffer[:4] == PREFIX_6699
            header = HEADER_6699 if is_gcm else HEADER_55AA
            if len(buffer) < header.size:
                return None
            length = WORD.unpack_from(buffer, header.size - WORD.size)[0]
            if length > LONGEST_REQUEST_BYTES:
                del buffer[:4]
                continue
            total = header.size + length + (len(SUFFIX_6699) if is_gcm else 0)
            if len(buffer) < total:
                return None
            frame = bytes(buffer[:total])
            del buffer[:total]
            return frame

    def _read_55aa(self, frame: bytes) -> Request:
        _, sequence, command, length = HEADER_55AA.unpack_from(frame)
        check_bytes = HMAC_BYTES if self.version == "3.4" else WORD.size
        end = HEADER_55AA.size + length - check_bytes - len(SUFFIX_55AA)
        if end < HEADER_55AA.size or self.version == "3.5":
            return Request(command, sequence, None, False)
        check, body = frame[end : end + check_bytes], frame[HEADER_55AA.size : end]
        intact = check == self._check(frame[:end])
        try:
            return Request(command, sequence, self._decrypt(body), intact)
        except Undecipherable:
            return Request(command, sequence, None, intact)

    def _read_6699(self, frame: bytes) -> Request:
        _, _, sequence, command, length = HEADER_6699.unpack_from(frame)
        start, end = HEADER_6699.size + GCM_IV_BYTES, HEADER_6699.size + length - GCM_TAG_BYTES
        if end < start or self.version != "3.5":
            return Request(command, sequence, None, False)
        iv, tag = frame[HEADER_6699.size : start], frame[end : end + GCM_TAG_BYTES]
        try:
            body = gcm_open(self._key, iv, frame[4 : HEADER_6699.size], frame[start:end], tag)
        except Undecipherable:
            return Request(command, sequence, None, False)
        return Request(command, sequence, self._without_version(body), True)

    def _check(self, data: bytes) -> bytes:
        return sign(self._key, data) if self.version == "3.4" else WORD.pack(binascii.crc32(data))

    def _decrypt(self, body: bytes) -> bytes:
        if self.version == "3.1":
            return self._decrypt_31(body)
        if not body:
            return body
        if self.version == "3.4":
            return self._without_version(self._ecb.decrypt(body))
        return self._ecb.decrypt(self._without_version(body))

    def _decrypt_31(self, body: bytes) -> bytes:
        """3.1 sends JSON as it is, and what matters as "3.1" | 16 hex digits of a signing MD5 | base64(AES-ECB)."""
        if not body.startswith(b"3.1"):
            return body
        signature, text = body[3:19], body[19:]
        if signature != md5_middle(self._key, text):
            raise Undecipherable("the MD5 is of another key")
        try:
            return self._ecb.decrypt(base64.b64decode(text, validate=True))
        except binascii.Error as error:
            raise Undecipherable("not base64") from error

    @staticmethod
    def _without_version(body: bytes) -> bytes:
        has_header = body[:2] == b"3." and len(body) >= VERSION_HEADER_BYTES
        return body[VERSION_HEADER_BYTES:] if has_header else body

    def answer(
        self,
        command: int,
        sequence: int,
        plain: bytes,
        *,
        code: int = 0,
        pushed: bool = False,
        coded: bool = True,
        sealed: bool = True,
    ) -> bytes:
        """One frame to the client. code: return code, 1 is an error. pushed: with the version header of a STATUS.

        coded: False leaves the return code out, in 3.5. sealed: False leaves 3.2-3.4 unencrypted, under a right check.
        """
        if self.version == "3.5":
            body = (WORD.pack(code) if coded else b"") + (self._version_header() if pushed else b"") + plain
            return seal_6699(self._key, command, sequence, body)
        if self.version == "3.1":
            text = base64.b64encode(self._ecb.encrypt(plain)) if pushed else b""
            body = b"3.1" + md5_middle(self._key, text) + text if pushed else plain
        elif not plain or not sealed:
            body = plain
        elif self.version == "3.4":
            body = self._ecb.encrypt((self._version_header() if pushed else b"") + plain)
        else:
            body = (self._version_header() if pushed else b"") + self._ecb.encrypt(plain)
        check_bytes = HMAC_BYTES if self.version == "3.4" else WORD.size
        length = WORD.size + len(body) + check_bytes + len(SUFFIX_55AA)
        head = HEADER_55AA.pack(PREFIX_55AA, sequence, command, length) + WORD.pack(code)
        return head + body + self._check(head + body) + SUFFIX_55AA

    def _version_header(self) -> bytes:
        """As seen from real devices: version, 4 bytes 0, a counter of pushes, source 1."""
        self._pushes += 1
        return self.version.encode() + bytes(4) + WORD.pack(self._pushes) + WORD.pack(1)


def seal_6699(key: bytes, command: int, sequence: int, plain: bytes) -> bytes:
    """One 6699 frame with a random IV. plain: with its return code, where there is one."""
    length = GCM_IV_BYTES + len(plain) + GCM_TAG_BYTES
    header = HEADER_6699.pack(PREFIX_6699, 0, sequence, command, length)
    iv = secrets.token_bytes(GCM_IV_BYTES)
    sealed, tag = gcm_seal(key, iv, header[4:], plain)
    return header + iv + sealed + tag + SUFFIX_6699


def seal_55aa(command: int, sequence: int, body: bytes, code: int = 0) -> bytes:
    """One 55AA frame of a device with its return code and a CRC32. body: already encrypted where it must be."""
    length = WORD.size + len(body) + WORD.size + len(SUFFIX_55AA)
    head = HEADER_55AA.pack(PREFIX_55AA, sequence, command, length) + WORD.pack(code) + body
    return head + WORD.pack(binascii.crc32(head)) + SUFFIX_55AA


def plain_complaint(command: int, sequence: int, text: str) -> bytes:
    """The text of an error as 3.2 devices were seen to send it: not encrypted, return code 1, CRC32."""
    return seal_55aa(command, sequence, text.encode(), code=1)


def header_size(frame: bytes) -> int:
    """Length in bytes of the header of a complete frame, by its prefix."""
    return HEADER_6699.size if frame[:4] == PREFIX_6699 else HEADER_55AA.size
