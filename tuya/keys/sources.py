"""Exports of other programs -> devices in the form of devices.json. Pure: text in, devices out; knows no file.

Understood: tinytuya's devices.json, snapshot.json and tuya-raw.json, Home Assistant's core.config_entries with
localtuya or tuya-local in it, localtuya's YAML, what TuyAPI's command line prints, and anything else that names the
same things: wherever an object has an id and a local key, that is a device.
"""

from __future__ import annotations

import re
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple

from tuya.devices.devices_file import VERSIONS, key_bytes, key_problem, local_address
from tuya.keys.loose_text import MAX_DEPTH, NotUnderstood, parse

Found = Dict[str, Any]  # the fields of one entry of devices.json that the source knows; "id" and "key" always

# field of devices.json -> what other programs call it, best first
_SYNONYMS: Mapping[str, Tuple[str, ...]] = {
    "id": ("id", "device_id", "deviceId", "devId", "dev_id", "gwId"),
    "key": ("key", "local_key", "localKey", "localkey", "device_key"),
    "name": ("name", "friendly_name", "device_name", "title"),
    "ip": ("ip", "host", "ip_address", "address"),
    "version": ("version", "protocol_version", "ver", "protocolVersion"),
    "product_id": ("product_id", "productId", "productKey", "product_key"),
    "node_id": ("node_id", "device_cid", "cid"),
}
# fields that keep their name; tinytuya writes them
_KEPT = ("port", "mac", "uuid", "category", "product_name", "model", "sub", "parent", "gateway_id", "mapping", "icon")
_DEVICE_ID = re.compile(r"[0-9A-Za-z_-]{8,25}")
_HIDDEN_KEY = re.compile(r"\*+|\**redacted\**|x{8,}", re.IGNORECASE)
_HOME_ASSISTANT_DOMAINS = ("localtuya", "tuya_local")
_HOME_ASSISTANT_CLOUD = "tuya"  # its own integration, which works through the cloud


class SourceProblem(Exception):
    """Nothing can be taken from this text. The message says why and what would help; it holds no key."""


def devices_in(text: str) -> List[Found]:
    """All devices with a local key in an export, each id once (the last usable one). Raises SourceProblem."""
    try:
        document = parse(text)
    except NotUnderstood as error:
        raise SourceProblem(f"this text is not understood ({error})") from None
    found: Dict[str, Found] = {}
    hidden = 0
    for device in _walk(document, ""):
        if _HIDDEN_KEY.fullmatch(device["key"]):
            hidden += 1
        elif device["id"] not in found or key_problem(key_bytes(device["key"])) is None:
            found[device["id"]] = device
    if found:
        return list(found.values())
    if hidden:
        raise SourceProblem(
            "its keys are blacked out, as in a diagnostics download; Home Assistant keeps them in the file "
            ".storage/core.config_entries of its configuration folder"
        )
    domains = set(_domains(document))
    if _HOME_ASSISTANT_CLOUD in domains:
        raise SourceProblem(
            "only Home Assistant's own Tuya integration is in it, which works through the cloud and has no local keys; "
            "take them from localtuya or tuya-local, or from a developer project: bash install.sh keys --cloud"
        )
    raise SourceProblem("there is no device with an id and a local key in it")


def _walk(value: Any, title: str, depth: int = 0) -> Iterator[Found]:
    """Every device at any depth; `title`: the name that an enclosing Home Assistant entry has."""
    if depth > MAX_DEPTH:
        return
    if isinstance(value, list):
        for item in value:
            yield from _walk(item, title, depth + 1)
    elif isinstance(value, dict):
        if value.get("domain") in _HOME_ASSISTANT_DOMAINS and isinstance(value.get("data"), dict):
            options = value.get("options")
            value = {**value["data"], **(options if isinstance(options, dict) else {}), "title": value.get("title", "")}
        device = _device(value)
        if device is not None:
            yield device
            return
        for item in value.values():
            yield from _walk(item, title, depth + 1)


def _domains(value: Any) -> Iterator[str]:
    data = value.get("data") if isinstance(value, dict) else None
    entries = data.get("entries") if isinstance(data, dict) else None
    listed = entries if isinstance(entries, list) else []
    return (str(entry.get("domain")) for entry in listed if isinstance(entry, dict))


def _device(value: Mapping[str, Any]) -> Optional[Found]:
    """The device that this object describes, None if it describes none."""
    named = {field: _first_text(value, names) for field, names in _SYNONYMS.items()}
    if not named["key"] or not _DEVICE_ID.fullmatch(named["id"]):
        return None
    device: Found = {"id": named["id"], "key": named["key"]}
    spelled = key_bytes(named["key"])  # undoes HTML entities
    if key_problem(spelled) is None:
        device["key"] = spelled.decode("latin-1")
    for field in ("name", "product_id", "node_id"):
        if named[field]:
            device[field] = named[field]
    address = local_address(named["ip"])
    if address is not None:
        device["ip"] = address
    if named["version"] in VERSIONS:
        device["version"] = named["version"]
    if named["node_id"]:
        device["sub"] = True
    for field in _KEPT:
        if value.get(field) not in (None, "", {}, []):
            device[field] = value[field]
    if not isinstance(device.get("mapping", {}), dict):
        del device["mapping"]
    return device


def _first_text(value: Mapping[str, Any], names: Tuple[str, ...]) -> str:
    for name in names:
        content = value.get(name)
        if isinstance(content, (str, int, float)) and not isinstance(content, bool) and str(content).strip():
            return str(content) if "key" in name.lower() else str(content).strip()
    return ""
