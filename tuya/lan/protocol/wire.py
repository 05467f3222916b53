"""Messages to bytes and back, as the row of the protocol version (versions.py) says.

Device -> client payloads may or may not begin with a return code u32 (it is below 256, so three zero bytes).

What is sent is packed by tinytuya. What is received is checked and opened here, with keyed objects that are kept:
tinytuya's unpack_message and AESCipher make new ones for each frame, two thirds of the whole cost of a push.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import zlib
from typing import Callable, List, NamedTuple, Optional

from .. import versions
from ..errors import BadValue
from ..limits import MAX_SENT_BYTES
from ..versions import (
    CONTROL,
    CRC32,
    ECB_BEHIND_HEADER,
    ECB_WITH_HEADER,
    FRAMES_55AA,
    FRAMES_6699,
    GCM_TAG,
    GCM_WITH_HEADER,
    HMAC_SHA256,
    KEY_BYTES,
    SESSION_ANSWER,
    SESSION_FINISH,
    SESSION_START,
    SIGNED_BASE64,
)
from . import tinytuya_codec
from .ciphers import Ecb, GcmOpener, Hmac
from .framing import PREFIX_55AA, PREFIX_6699, Frame, FrameBuffer

NONCE_BYTES = 16

# Message.fault
GOOD = ""
BAD_CHECK = "check"  # CRC, HMAC or tag does not verify
UNREADABLE = "unreadable"  # verified, but the payload does not decrypt to text with this key
OTHER_VERSION = "version"  # verified as a frame of another version (Message.hint)

_JSON_BEGINS = (b'{"', b"{}", b"{ ", b"{\n")
_SIGNED = b"3.1"  # how a signed payload begins, whatever version the device announces
_HEADER_BYTES = 15
_MD5_BYTES = 16
_GCM_NONCE_BYTES = 12


class Message(NamedTuple):
    """One frame from a device. payload: plain bytes, empty unless fault is GOOD.

    hint: of OTHER_VERSION, the version it seems to be of.
    sealed: only who has our key can have made it (or it is one of our own, sent back): its check needs the key, or
    its payload decrypts to text, or to something with a whole padding. An empty payload under a CRC is not sealed.
    coded: it carries a return code, as only a device's messages do.
    mark: its HMAC or tag, which no other message under this key has; empty under a CRC.
    """

    command: int
    sequence: int
    retcode: int
    payload: bytes
    fault: str = GOOD
    hint: str = ""
    sealed: bool = True
    coded: bool = False
    mark: bytes = b""


class Wire:
    """The codec of one connection: begins under the local key, changes to the session key where there is one.

    Raises BadValue for a version or a key that cannot be used, CodecMissing where the codec cannot be imported.
    """

    def __init__(self, version: str, local_key: bytes, random_bytes: Callable[[int], bytes] = os.urandom) -> None:
        if not versions.known(version):
            raise BadValue("", "no such protocol version", f"Use auto, {versions.choices()}")
        if len(local_key) != KEY_BYTES:
            raise BadValue("", f"the local key has {len(local_key)} characters instead of {KEY_BYTES}")
        self._codec = tinytuya_codec.load()
        self.row = versions.TABLE[version]
        self._local_key = local_key
        self._header = self.row.header
        self._random_bytes = random_bytes
        self._frames = FrameBuffer()
        self._sequence = 0
        self._use_key(local_key)

    def __repr__(self) -> str:
        return f"Wire({self.row.name})"

    def _use_key(self, key: bytes) -> None:
        self._key = key
        self._ecb = Ecb(self._codec.aes, key)
        self._opener = GcmOpener(self._codec.aes, key) if self.row.check == GCM_TAG else None
        self._hmac = Hmac(key) if self.row.check == HMAC_SHA256 else None

    @property
    def garbage_bytes(self) -> int:
        """Bytes skipped since the last frame that verified."""
        return self._frames.garbage_bytes

    # -- out

    def pack(self, command: int, payload: bytes) -> bytes:
        """One frame with the next sequence number. Raises BadValue when the payload is longer than a frame may be."""
        if len(payload) > MAX_SENT_BYTES:
            raise BadValue("", "more data than fits into one message")
        self._sequence = self._sequence % 0xFFFFFFFF + 1
        codec, row = self._codec, self.row
        header = b"" if command in row.headerless else self._header
        sealing = row.sealing
        if sealing == GCM_WITH_HEADER:
            # the nonce is ours: the codec's own one becomes a constant when its logger is at DEBUG
            nonce = self._random_bytes(_GCM_NONCE_BYTES)
            message = codec.message(self._sequence, command, None, header + payload, 0, True, PREFIX_6699, nonce)
            return codec.pack_message(message, hmac_key=self._key)
        if sealing == ECB_WITH_HEADER:
            payload = self._ecb.encrypt(header + payload)
        elif sealing == ECB_BEHIND_HEADER:
            payload = header + self._ecb.encrypt(payload)
        elif command == CONTROL:
            payload = self._seal_signed(payload)
        message = codec.message(self._sequence, command, None, payload, 0, True, PREFIX_55AA, None)
        return codec.pack_message(message, hmac_key=self._key if row.check == HMAC_SHA256 else None)

    def _seal_signed(self, payload: bytes) -> bytes:
        name = self.row.name.encode("ascii")
        sealed = base64.b64encode(self._ecb.encrypt(payload))
        signed = b"data=" + sealed + b"||lpv=" + name + b"||" + self._key
        digest = hashlib.md5(signed).hexdigest()  # noqa: S324 - the protocol's own, protects nothing
        return name + digest[8:24].encode("ascii") + sealed

    # -- session keys

    def sign(self, nonce: bytes) -> bytes:
        """HMAC-SHA256 of a nonce under the local key, 32 bytes."""
        return hmac.new(self._local_key, nonce, hashlib.sha256).digest()

    def has_signed(self, nonce: bytes, digest: bytes) -> bool:
        """Whether this is the signature of the nonce under the local key."""
        return hmac.compare_digest(self.sign(nonce), digest)

    def start_session(self, client_nonce: bytes, device_nonce: bytes) -> None:
        """Change to the session key of these two nonces (16 bytes each)."""
        mixed = bytes(a ^ b for a, b in zip(client_nonce, device_nonce))
        cipher = self._codec.cipher(self._local_key)
        if self.row.sealing == GCM_WITH_HEADER:
            # nonce + ciphertext + tag: the key is the ciphertext alone
            sealed = cipher.encrypt(mixed, use_base64=False, pad=False, iv=client_nonce[:_GCM_NONCE_BYTES])
            self._use_key(sealed[_GCM_NONCE_BYTES : _GCM_NONCE_BYTES + KEY_BYTES])
        else:
            self._use_key(cipher.encrypt(mixed, use_base64=False, pad=False))

    # -- in

    def first(self, data: bytes) -> Optional[Message]:
        """The first message that `data` completes; ask next() for more until it returns None."""
        self._frames.feed(data)
        return self.next()

    def next(self) -> Optional[Message]:
        """The next message, also one with a fault; None when more bytes are needed. Never raises on what a peer sent.

        A frame at a time, because the key may change between two that arrived together.
        """
        frame = self._frames.next()
        if frame is None:
            return None
        message = self._open_gcm(frame) if frame.prefix == PREFIX_6699 else self._open_55aa(frame)
        if message.fault is BAD_CHECK:
            self._frames.reject()
        else:
            self._frames.garbage_bytes = 0
        return message

    def receive(self, data: bytes) -> List[Message]:
        """All messages that `data` completes."""
        messages: List[Message] = []
        message = self.first(data)
        while message is not None:
            messages.append(message)
            message = self.next()
        return messages

    def _open_gcm(self, frame: Frame) -> Message:
        if self._opener is None:
            return self._of_another(frame, versions.first_with(FRAMES_6699, GCM_TAG))
        data = frame.data
        # associated data: the header behind its prefix; then nonce [12], ciphertext, tag [16], suffix [4]
        plain = self._opener.open(data[18:30], data[4:18], data[30:-20], data[-20:-4])
        if plain is None:
            return Message(frame.command, frame.sequence, 0, b"", BAD_CHECK, "", False)
        retcode = 0
        negotiating = frame.command == SESSION_ANSWER
        coded = plain[:3] == b"\0\0\0" and len(plain) >= 4 and (not negotiating or len(plain) > NONCE_BYTES + 32)
        if coded:
            retcode = plain[3]
            plain = plain[4:]
        if not negotiating:
            plain = _without_header(plain)
            if not _is_text(plain):
                return Message(frame.command, frame.sequence, retcode, b"", UNREADABLE, "", True, coded)
        return Message(frame.command, frame.sequence, retcode, plain, GOOD, "", True, coded, data[-20:-4])

    def _open_55aa(self, frame: Frame) -> Message:
        if self._opener is not None:
            return self._of_other_version(frame)
        data = frame.data
        mark = b""
        if self._hmac is None:
            payload = data[16:-8]
            good = zlib.crc32(data[:-8]) == int.from_bytes(data[-8:-4], "big")
        else:
            payload = data[16:-36]
            mark = data[-36:-4]
            good = frame.length >= 36 and hmac.compare_digest(self._hmac.digest(data[:-36]), mark)
        if not good:
            return self._of_other_version(frame)
        retcode = 0
        checked = mark != b""  # under the key, so that all of it is sealed
        # a ciphertext without a return code is a multiple of 16 bytes; JSON and "3.x" do not begin with zeros
        coded = payload[:3] == b"\0\0\0" and len(payload) >= 4 and len(payload) % 16 != 0
        if coded:
            retcode = payload[3]
            payload = payload[4:]
        try:
            if frame.command == SESSION_ANSWER and checked:
                plain = self._decrypt_ecb(payload)
                return Message(frame.command, frame.sequence, retcode, plain, GOOD, "", True, coded)
            plain = self._decrypt(payload)
        except ValueError:
            plain = b"\0"
        if _is_text(plain):
            sealed = checked or plain is not payload
            return Message(frame.command, frame.sequence, retcode, plain, GOOD, "", sealed, coded, mark)
        if payload and payload[:2] != b"3." and _is_text(payload):
            # an error text as it is
            return Message(frame.command, frame.sequence, retcode, payload, GOOD, "", checked, coded)
        # broken in itself, and the device's all the same, where it was sealed with the key
        sealed = checked or self._ecb.has_whole_padding(payload[len(payload) % 16 and _HEADER_BYTES :])
        return Message(frame.command, frame.sequence, retcode, b"", UNREADABLE, "", sealed, coded)

    def _decrypt(self, payload: bytes) -> bytes:
        """Plain payload without version header. Raises ValueError where it does not decrypt."""
        if not payload:
            return payload
        sealing = self.row.sealing
        if sealing == ECB_WITH_HEADER:
            return _without_header(self._decrypt_ecb(payload))
        signed = sealing == SIGNED_BASE64
        if payload[:2] in _JSON_BEGINS and (signed or len(payload) % 16):
            return payload  # a ciphertext may begin with a brace too: only its length tells
        if payload[:3] == _SIGNED:
            return self._decrypt_base64(payload[3 + _MD5_BYTES :])
        if len(payload) % 16 == _HEADER_BYTES:
            # by its length: device22 devices put something else where the version stands
            payload = payload[_HEADER_BYTES:]
        return self._decrypt_ecb(payload)

    def _decrypt_ecb(self, payload: bytes) -> bytes:
        if not payload:
            return payload
        return self._ecb.decrypt(payload)

    def _decrypt_base64(self, text: bytes) -> bytes:
        try:
            sealed = base64.b64decode(text, validate=True)
        except binascii.Error as error:
            raise ValueError("no base64") from error
        return self._decrypt_ecb(sealed)

    def _of_other_version(self, frame: Frame) -> Message:
        """Verdict on a 55AA frame whose check fails: broken, or one of another version."""
        data, check = frame.data, self.row.check
        if check != CRC32 and zlib.crc32(data[:-8]) == int.from_bytes(data[-8:-4], "big"):
            return self._of_another(frame, versions.first_with(FRAMES_55AA, CRC32))
        if check != HMAC_SHA256 and frame.length >= 36:
            digest = hmac.new(self._local_key, data[:-36], hashlib.sha256).digest()
            if hmac.compare_digest(digest, data[-36:-4]):
                # of ours, those of an earlier handshake are under this key: sent back they prove nothing
                ours = frame.command in (SESSION_START, SESSION_FINISH)
                return self._of_another(frame, versions.first_with(FRAMES_55AA, HMAC_SHA256), sealed=not ours)
        return Message(frame.command, frame.sequence, 0, b"", BAD_CHECK, "", False)

    def _of_another(self, frame: Frame, version: Optional[str], *, sealed: bool = False) -> Message:
        return Message(frame.command, frame.sequence, 0, b"", OTHER_VERSION, version or "", sealed)


def _without_header(plain: bytes) -> bytes:
    if plain[:2] == b"3." and len(plain) >= _HEADER_BYTES:
        return plain[_HEADER_BYTES:]
    return plain


def _is_text(plain: bytes) -> bool:
    """JSON or a line of text, as against what a wrong key makes of a payload."""
    if plain[:2] in _JSON_BEGINS or not plain:
        return True
    try:
        text = plain.decode("utf-8").rstrip("\0\r\n\t ")
    except UnicodeDecodeError:
        return False
    return text != "" and text.isprintable()
