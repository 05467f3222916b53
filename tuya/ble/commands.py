"""Names of the commands inside decrypted frames, and what their data say.

Sources: tuya/TuyaOpen, ble_protocol.h, ble_mgr.c, ble_dp.c, ble_channel.c, ble_netcfg.c; PlusPlus-ua/ha_tuya_ble.
Data points: id u8, type u8, length (u8 before protocol 4, u16 from it on), value; all big-endian.
"""

from __future__ import annotations

import json
import struct
from typing import Dict, List, Optional, Tuple, Union

from .keys import SRAND_BYTES

DEVICE_INFO = 0x0000
PAIR = 0x0001
NETWORK_STATUS = 0x001E
WIFI_DATA = 0x0021

COMMANDS: Dict[int, str] = {
    DEVICE_INFO: "device information",
    PAIR: "pair",
    0x0002: "write data points",
    0x0003: "ask for the state",
    0x0005: "unbind",
    0x0006: "reset the device",
    0x000C: "start an update",
    0x000D: "update file information",
    0x000E: "update offset",
    0x000F: "update data",
    0x0010: "end of an update",
    NETWORK_STATUS: "network status",
    WIFI_DATA: "Wi-Fi data (network, password, token)",
    0x0027: "write data points (v4)",
    0x8001: "report data points",
    0x8003: "report data points with time",
    0x8004: "report data points with serial number",
    0x8005: "report data points with serial number and time",
    0x8006: "report data points (v4)",
    0x8007: "report data points with time (v4)",
    0x8011: "ask for the time (text)",
    0x8012: "ask for the time (fields)",
    0x801B: "data from the app (transparent)",
    0x801C: "data from the device (transparent)",
    0x801E: "data from the app (transparent, special)",
    0x801F: "data from the device (transparent, special)",
}

DpContent = Union[bool, int, str]
_SRAND_OFFSET = 6
_DEVICE_INFO_MIN_BYTES = _SRAND_OFFSET + SRAND_BYTES
_TYPE_RAW, _TYPE_BOOL, _TYPE_VALUE, _TYPE_STRING, _TYPE_ENUM, _TYPE_BITMAP = range(6)
_V4_HEAD_BYTES = 7  # version u8, serial number u32, kind u8, flag u8
_SERIAL_HEAD_BYTES = 3  # serial number u16, flag u8
_TIME_TEXT_BYTES = 13  # milliseconds as decimal digits
_TIME_SECONDS_BYTES = 4
_SECRET_FIELDS = ("pwd", "password", "passwd", "token")
_PAIR_RESULTS = {0: "paired", 1: "refused: wrong uuid", 2: "already bound"}


class CommandDataError(ValueError):
    """The data of a command do not have its form."""


def command_name(command: int) -> str:
    """The plain name of a command, or its number."""
    return COMMANDS.get(command, f"unknown command 0x{command:04x}")


def srand_of(data: bytes) -> Optional[bytes]:
    """The 6 random bytes of a device-information answer, or None where it is too short (a request)."""
    if len(data) < _DEVICE_INFO_MIN_BYTES:
        return None
    return data[_SRAND_OFFSET:_DEVICE_INFO_MIN_BYTES]


def describe(command: int, data: bytes, from_device: bool) -> Dict[str, object]:
    """What the data say, as JSON values. Passwords, tokens and keys are masked. Never raises."""
    try:
        if command == DEVICE_INFO:
            return _device_info(data, from_device)
        if command == PAIR:
            return _pair(data, from_device)
        if command == NETWORK_STATUS and data:
            return {"network_status": data[0]}
        if command == WIFI_DATA and not from_device:
            return {"json": _masked(json.loads(data.rstrip(b"\0")))}
        if command in (0x801B, 0x801C, 0x801E, 0x801F) and len(data) >= 4:
            return {"flags": data[1], "sub_command": int.from_bytes(data[2:4], "big"), **_masked_json(data[4:])}
        offset, wide = _dps_offset(command, data)
        if offset is not None and (from_device == (command >= 0x8000) or command == 0x0002):
            return {"dps": {str(dp): value for dp, value in parse_dps(data, offset, wide)}}
    except (CommandDataError, ValueError, struct.error) as error:
        return {"problem": f"the data do not have the form of this command ({type(error).__name__})"}
    if from_device and len(data) == 1:
        return {"result": data[0]}
    return {"data_bytes": len(data)}


def _dps_offset(command: int, data: bytes) -> Tuple[Optional[int], bool]:
    """(where data points begin or None, whether their lengths are u16)."""
    if command in (0x0002, 0x8001):
        return 0, False
    if command == 0x8003:
        return _after_time(data, 0), False
    if command == 0x8004:
        return _SERIAL_HEAD_BYTES, False
    if command == 0x8005:
        return _after_time(data, _SERIAL_HEAD_BYTES), False
    if command in (0x0027, 0x8006):
        return _V4_HEAD_BYTES, True
    if command == 0x8007:
        return _after_time(data, _V4_HEAD_BYTES), True
    return None, False


def _after_time(data: bytes, position: int) -> int:
    if position >= len(data):
        raise CommandDataError("no time stamp")
    length = {0: _TIME_TEXT_BYTES, 1: _TIME_SECONDS_BYTES}.get(data[position])
    if length is None:
        raise CommandDataError("unknown kind of time stamp")
    return position + 1 + length


def parse_dps(data: bytes, position: int, wide: bool) -> List[Tuple[int, DpContent]]:
    """(id, value) of all data points from `position` on. Raw values come as hex text. Raises CommandDataError."""
    head = struct.Struct(">BBH" if wide else ">BBB")
    found: List[Tuple[int, DpContent]] = []
    while position < len(data):
        if position + head.size > len(data):
            raise CommandDataError("ends inside the head of a data point")
        dp, kind, length = head.unpack_from(data, position)
        position += head.size
        if position + length > len(data):
            raise CommandDataError("ends inside a data point")
        found.append((dp, _dp_value(kind, data[position : position + length])))
        position += length
    return found


def _dp_value(kind: int, value: bytes) -> DpContent:
    if kind == _TYPE_BOOL:
        return any(value)
    if kind in (_TYPE_VALUE, _TYPE_ENUM):
        return int.from_bytes(value, "big", signed=kind == _TYPE_VALUE)
    if kind == _TYPE_BITMAP:
        return int.from_bytes(value, "big")
    if kind == _TYPE_STRING:
        return value.decode("utf-8", errors="replace")
    if kind == _TYPE_RAW:
        return value.hex()
    raise CommandDataError(f"data point type {kind} is not known")


def _device_info(data: bytes, from_device: bool) -> Dict[str, object]:
    if not from_device:
        return {"largest_packet_bytes": int.from_bytes(data[:2], "big")} if len(data) >= 2 else {}
    if len(data) < _DEVICE_INFO_MIN_BYTES:
        raise CommandDataError("device information too short")
    return {
        "device_version": f"{data[0]}.{data[1]}",
        "protocol_version": f"{data[2]}.{data[3]}",
        "bound": bool(data[5]),
        "srand": "present (6 bytes)",
    }


def _pair(data: bytes, from_device: bool) -> Dict[str, object]:
    if from_device:
        if len(data) != 1:
            raise CommandDataError("a pairing answer has one byte")
        return {"result": _PAIR_RESULTS.get(data[0], str(data[0]))}
    return {"content": "uuid, login key and device id (not shown)", "data_bytes": len(data)}


def _masked(value: object) -> object:
    if isinstance(value, dict):
        return {key: "***" if key in _SECRET_FIELDS else _masked(item) for key, item in value.items()}
    return value


def _masked_json(data: bytes) -> Dict[str, object]:
    text = data.rstrip(b"\0")
    if text[:1] != b"{":
        return {"data_bytes": len(data)}
    return {"json": _masked(json.loads(text))}
