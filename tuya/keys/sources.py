"""Exports of other programs -> devices in the form of devices.json. Pure: text in, devices out.

Understood: tinytuya's devices.json, snapshot.json and tuya-raw.json, Home Assistant's core.config_entries with
localtuya or tuya-local in it, localtuya's YAML, what TuyAPI's command line prints, and anything else that names the
same things: wherever an object has an id and a local key, that is a device.
"""

from __future__ import annotations

import re
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Tuple

from tuya.devices.devices_file import KEY_LENGTH, clean_text, key_bytes, key_problem, local_address
from tuya.keys.loose_text import MAX_DEPTH, Elsewhere, NotUnderstood, parse
from tuya.lan import versions
from tuya.lan.device import short_id

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


# what an object has beside its id that shows that it describes a device, also where its key is missing
_OF_A_DEVICE = {*_SYNONYMS["key"], *_SYNONYMS["product_id"], *_SYNONYMS["version"], "mapping", "category", "uuid"}
_CREDENTIALS = {"apiKey", "apiSecret"}  # what tinytuya.json has, which many take for the file with the keys
_SHOWN_PROBLEMS = 3


class SourceProblem(Exception):
    """Nothing can be taken from this text. The message says why and what would help; it holds no key."""


class Lost(NamedTuple):
    """An entry that could not be taken as it is. device_id: of which no key is known now, "" where one is, or no id."""

    text: str
    device_id: str = ""
    is_lost: bool = True


class Export(NamedTuple):
    """What was found: each device once (its last usable key), and what is to be said of the other entries."""

    devices: List[Found]
    lost: List[Lost]


def devices_in(text: str) -> List[Found]:
    """All devices with a local key in an export, each id once (the last usable one). Raises SourceProblem."""
    return read_export(text).devices


def read_export(text: str) -> Export:
    """As devices_in, and what could not be taken. Raises SourceProblem where there is no device with a key."""
    try:
        document = parse(text)
    except NotUnderstood as error:
        raise SourceProblem(f"this text is not understood ({error})") from None
    found: Dict[str, Found] = {}
    lost: List[Lost] = []
    hidden: List[Found] = []
    for device in _walk(document, "", lost):
        known = found.get(device["id"])
        if _HIDDEN_KEY.fullmatch(device["key"]):
            hidden.append(device)
            continue
        if known is not None and known["key"] != device["key"]:
            text = f"{_shown(device)}: it stands there twice, with different local keys; the last usable one is taken"
            lost.append(Lost(text, is_lost=False))
        if known is None or key_problem(key_bytes(device["key"])) is None:
            found[device["id"]] = device
    if found:
        lost += [Lost(f"{_shown(device)}: its local key is blacked out there", device["id"]) for device in hidden]
        return Export(list(found.values()), [one for one in lost if one.device_id not in found])
    raise SourceProblem(_why_nothing(document, lost, bool(hidden)))


def _why_nothing(document: Any, lost: List[Lost], is_hidden: bool) -> str:
    if is_hidden:
        return (
            "its keys are blacked out, as in a diagnostics download; Home Assistant keeps them in the file "
            ".storage/core.config_entries of its configuration folder"
        )
    if isinstance(document, dict) and set(document) >= _CREDENTIALS:
        return (
            "this is tinytuya's file with the credentials of your developer project, no keys are in it; the keys are "
            "in the devices.json beside it, or are fetched with these credentials: bash install.sh keys --cloud"
        )
    if _HOME_ASSISTANT_CLOUD in set(_domains(document)):
        return (
            "only Home Assistant's own Tuya integration is in it, which works through the cloud and has no local keys; "
            "take them from localtuya or tuya-local, or from a developer project: bash install.sh keys --cloud"
        )
    said = "; ".join(one.text for one in lost[:_SHOWN_PROBLEMS])
    return "there is no device with an id and a local key in it" + (f" ({said})" if said else "")


def _walk(value: Any, title: str, lost: List[Lost], depth: int = 0) -> Iterator[Found]:
    """Every device at any depth; `title`: the name that an enclosing Home Assistant entry has.

    What looks like a device and has no id or no key is added to `lost`.
    """
    if depth > MAX_DEPTH:
        return
    if isinstance(value, list):
        for item in value:
            yield from _walk(item, title, lost, depth + 1)
    elif isinstance(value, dict):
        if value.get("domain") in _HOME_ASSISTANT_DOMAINS and isinstance(value.get("data"), dict):
            options = value.get("options")
            value = {**value["data"], **(options if isinstance(options, dict) else {}), "title": value.get("title", "")}
        device = _device(value)
        if device is not None:
            yield device
            return
        problem = _why_no_device(value)
        if problem is not None:
            lost.append(problem)
        for item in value.values():
            yield from _walk(item, title, lost, depth + 1)


def _why_no_device(value: Mapping[str, Any]) -> Optional[Lost]:
    """What is missing of an object that seems to describe a device; None where it does not seem so."""
    device_id = _first_text(value, _SYNONYMS["id"])
    key = _first_text(value, _SYNONYMS["key"])
    elsewhere = next((value[name] for name in _SYNONYMS["key"] if isinstance(value.get(name), Elsewhere)), None)
    has_id = bool(_DEVICE_ID.fullmatch(device_id))
    name = _shown({"id": device_id if has_id else "", "name": _first_text(value, _SYNONYMS["name"])})
    if elsewhere is not None:
        text = (
            f"{name}: its local key is not in this file but named there ({elsewhere.text}): write the key itself here"
        )
        return Lost(text, device_id if has_id else "")
    if has_id and not key and _OF_A_DEVICE & set(value):
        return Lost(f"{name}: it has no local key there", device_id)
    if not has_id and len(key_bytes(key)) == KEY_LENGTH:
        return Lost(f"{name}: it has a local key and no device id there")
    return None


def _shown(device: Mapping[str, Any]) -> str:
    name, device_id = clean_text(str(device.get("name", ""))), str(device.get("id", ""))
    if name and device_id:
        return f"{name} ({short_id(device_id)})"
    return name or short_id(device_id) or "an entry without a name"


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
    if versions.known(named["version"]):
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
