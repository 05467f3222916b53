"""Announcements and the request for them: datagram to hint and back.

UDP 6666: 55AA frame with plain JSON (3.1). 6667: the same with AES-ECB under md5("yGAdlopoPVldABfn"), a key which
all devices share. 7000: 6699 frames with AES-GCM under that key (3.5), sent when asked by REQ_DEVINFO.
Nothing of this proves anything: whoever is on the network can send it. All of it is a hint.
"""

from __future__ import annotations

import json
import os
import struct
from typing import NamedTuple, Optional

from .. import versions
from ..device import is_local_address
from . import tinytuya_codec
from .framing import PREFIX_55AA, PREFIX_6699, FrameBuffer
from .payloads import parse_json

ANNOUNCE_PORTS = (6666, 6667, 7000)
PROBE_PORT = 7000
REQ_DEVINFO = 37
MAX_DATAGRAM_BYTES = 2048
MAX_ID_CHARACTERS = 64
_NONCE_BYTES = 12


class Announcement(NamedTuple):
    """One device says that it is there. address: usable, IPv4; version and product_id: "" where unknown."""

    device_id: str
    address: str
    version: str
    product_id: str


def decode(datagram: bytes, source: str) -> Optional[Announcement]:
    """What a datagram from address `source` announces, or None. Never raises on what somebody sent.

    A device is where it says that it is, else where the datagram came from; both are addresses of a LAN, or it is not
    heard at all: an announcement never makes anybody connect to the internet.
    """
    if len(datagram) > MAX_DATAGRAM_BYTES or not is_local_address(source):
        return None
    content = _content(datagram)
    if not isinstance(content, dict):
        return None
    device_id = _word(content.get("gwId") or content.get("devId") or content.get("id"))
    if not device_id:
        return None
    address = content.get("ip")
    if not isinstance(address, str) or not is_local_address(address):
        address = source
    version = content.get("version")
    if not versions.known(version):
        version = ""
    return Announcement(device_id, address, str(version), _word(content.get("productKey")))


def _word(value: object) -> str:
    """An id or product key: short, printable ASCII; anything else is none."""
    if isinstance(value, str) and 0 < len(value) <= MAX_ID_CHARACTERS and value.isascii() and value.isprintable():
        return value
    return ""


def _content(datagram: bytes) -> object:
    if datagram[:1] == b"{":
        return parse_json(datagram)
    frames = FrameBuffer()
    frames.feed(datagram)
    frame = frames.next()
    codec = tinytuya_codec.load()
    if frame is None:
        return _ecb(datagram)
    header = codec.header(frame.prefix, frame.sequence, frame.command, frame.length, len(frame.data))
    key = codec.udp_key if frame.prefix == PREFIX_6699 else None
    try:
        unpacked = codec.unpack_message(frame.data, hmac_key=key, header=header, no_retcode=True)
    except (codec.decode_error, struct.error, ValueError):
        return None
    payload: bytes = unpacked.payload
    if frame.prefix == PREFIX_6699 and not unpacked.crc_good:
        return None  # the checksum of 55AA announcements is not asked for: some devices get it wrong
    if payload[:3] == b"\0\0\0":
        payload = payload[4:]  # return code
    if payload[:1] == b"{":
        return parse_json(payload)
    return _ecb(payload) if frame.prefix == PREFIX_55AA else None


def _ecb(sealed: bytes) -> object:
    if not sealed or len(sealed) % 16:
        return None
    codec = tinytuya_codec.load()
    try:
        return parse_json(codec.cipher(codec.udp_key).decrypt(sealed, use_base64=False, decode_text=False))
    except ValueError:
        return None


def request(own_address: str) -> bytes:
    """A REQ_DEVINFO to broadcast to UDP 7000: devices answer to `own_address`, port 7000."""
    codec = tinytuya_codec.load()
    text = json.dumps({"from": "app", "ip": own_address}, separators=(",", ":")).encode("ascii")
    message = codec.message(0, REQ_DEVINFO, None, text, 0, True, PREFIX_6699, os.urandom(_NONCE_BYTES))
    return codec.pack_message(message, hmac_key=codec.udp_key)
