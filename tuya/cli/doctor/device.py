"""The doctor's checks of one device, from its key up to its readings.

One connection is made, never two: a second one, even a moment after the first, wedges real breakers. What is wrong is
told from the error that this one connection ends with.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, Iterator, Mapping, Optional, Tuple, Type

from tuya.cli.asking import Asking
from tuya.cli.doctor.cures import OFF_AND_ON, REPORT, SOON
from tuya.cli.doctor.findings import FAILED, NOTE, OK, SKIPPED, UNCHECKED, Finding, lasted
from tuya.cli.doctor.holder import foreign, foreign_holder_of, holder_of, silent
from tuya.cli.doctor.life import LifeSign, ServedDevice, life_sign
from tuya.cli.doctor.served import SILENT_S, field_cure
from tuya.cli.doctor.use import check_use, no_power
from tuya.cli.doctor.values import NOTHING_YET, READINGS, check_values
from tuya.devices.devices_file import DeviceEntry, key_problem
from tuya.lan import errors
from tuya.lan.client import Polling
from tuya.lan.errors import TuyaError
from tuya.lan.locks.device_lock import OwnerState, ask
from tuya.lan.locks.keeper import UNKNOWN_OWNER
from tuya.metering.decode import numbered, reading_to_json
from tuya.metering.profile import Profile, match
from tuya.sharing.asking_owner import owner_of, snapshot_of

CONNECT_WITHIN_S = 20.0  # wrong versions are tried with pauses
SETTLE_S = 6.0  # after the first error: a second try may tell more, or work
DPS_WITHIN_S = 8.0
OWNER_WITHIN_S = 10.0  # an owner answers within milliseconds, but may be busy, or have as many listeners as it takes
LATE_ASK_S, ASK_AGAIN_S = 2.0, 0.5
_ASKING = threading.BoundedSemaphore(4)  # many devices are looked at at once, and an owner takes 32 listeners at most

# error of the connection -> the check that it fails
_CHECK_OF: Dict[Type[TuyaError], str] = {
    errors.NotFound: "address",
    errors.Unreachable: "address",
    errors.Refused: "port",
    errors.Busy: "connection",
    errors.Closed: "connection",
    errors.OwnedElsewhere: "owner",
    errors.WrongVersion: "version",
    errors.WrongKey: "key proof",
    errors.Mute: "answer",
    errors.ProtocolViolation: "answer",
    errors.BadValue: "settings",
}
_ANOTHER = "a program of this machine, another user's or a busy one,"
_TOLD_NOTHING = "holds it, and does not say how it is"
_ASK_AGAIN = f"{SOON}; if it stays, as the user of that program (Domoticz), or as root with sudo"
# errors that more waiting does not change
_FINAL = (errors.WrongKey, errors.BadValue, errors.OwnedElsewhere)


def examine(entry: DeviceEntry, heard: Optional[Tuple[str, str]], listened: bool) -> Iterator[Finding]:
    """All findings of one device, in order; the first that failed is the last one.

    heard: (address, version) of its announcement, None = not heard; listened: false where nobody could listen.
    """
    name = entry.shown_name
    for finding in _examine(entry, heard, listened):
        yield replace(finding, device=name)
        if finding.failed:
            return


def _examine(entry: DeviceEntry, heard: Optional[Tuple[str, str]], listened: bool) -> Iterator[Finding]:
    owner = ask(entry.device_id)
    if owner is not None and owner.owner == UNKNOWN_OWNER:  # it did not answer in time
        with _ASKING:
            owner = ask(entry.device_id, LATE_ASK_S)
    if owner is None or entry.local_key:
        yield _check_key(entry)
    if owner is not None:
        yield from _owned(entry, owner)
        return
    stranger = foreign_holder_of(entry.device_id)
    if stranger is not None:
        yield foreign(stranger)
        return
    yield Finding("owner", OK, "no other process on this machine holds it")
    address, finding = _check_announcement(entry, heard, listened)
    yield finding
    with Asking(replace(entry, address=address), "the doctor") as asking:
        try:
            asking.wait(_Verdict(asking), CONNECT_WITHIN_S)
        except TuyaError as error:
            yield from _ended(entry, error)
            return
        if asking.version is None and asking.error is not None:
            yield from _ended(entry, asking.error)
            return
        yield Finding("address", OK, f"{asking.address}, port {entry.port} is open, nobody else holds the connection")
        yield _check_version(entry, asking.version or "")
        yield Finding("key proof", OK, "it answers under this key")
        profile = match(entry.raw, asking.dps)
        asking.refresh(Polling(refresh_dps=profile.refresh_dps, query_dps=profile.query_dps))
        asking.wait(lambda: _has_readings(entry, asking), DPS_WITHIN_S)
        profile = match(entry.raw, asking.dps)
        yield _check_data_points(profile, len(asking.dps))
        yield from check_values(entry, profile, asking.dps)
        if profile.reports_power and not profile.decode(asking.dps).power_w:
            yield no_power(entry.shown_name)


class _Verdict:
    """Called again and again: true when waiting longer would tell nothing new."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking
        self._failing_since_s: Optional[float] = None

    def __call__(self) -> bool:
        if self._asking.dps or isinstance(self._asking.error, _FINAL):
            return True
        if self._asking.error is None or self._asking.version is not None:
            return False
        if self._failing_since_s is None:
            self._failing_since_s = time.monotonic()
        return time.monotonic() >= self._failing_since_s + SETTLE_S


def _check_key(entry: DeviceEntry) -> Finding:
    problem = key_problem(entry.local_key)
    cure = "fetch it again: bash install.sh keys"
    if problem:
        return Finding("key", FAILED, problem, cure)
    text = entry.local_key.decode("latin-1")
    if len(set(text)) == 1 or text.lower() in ("your_local_key__", "local_key_16char"):
        return Finding("key", FAILED, "its local key is a placeholder", cure)
    if not text.isprintable() or text != text.strip():
        return Finding("key", FAILED, "its local key begins or ends with a space or holds a control character", cure)
    return Finding("key", OK, "16 printable characters")


def _owned(entry: DeviceEntry, owner: OwnerState) -> Iterator[Finding]:
    """A process of this machine holds the device: its word replaces a connection of ours."""
    if owner.connected and owner.age_s is not None and owner.age_s > SILENT_S:
        text = f"{owner.owner} serves it, and it has been silent for {owner.age_s:.0f} s"
        yield Finding("answer", FAILED, text, OFF_AND_ON)
        return
    if owner.connected:
        age = "" if owner.age_s is None else f", last answer {owner.age_s:.0f} s ago"
        yield Finding("owner", OK, f"{owner.owner} serves it: {owner.address}, protocol {owner.version}{age}")
        with _ASKING:
            sign = _sign_of(entry)
            snapshot = _patient_snapshot(entry.device_id)
        device = sign.serves(entry.device_id) if sign is not None else None
        yield from _reported(entry, snapshot, device)
        return
    if not owner.message and not owner.error:
        holder = holder_of(entry.device_id) if owner.owner == UNKNOWN_OWNER else None
        if holder is not None:
            yield silent(holder)
            return
        who, told = (owner.owner, "is connecting to it") if owner.owner != UNKNOWN_OWNER else (_ANOTHER, _TOLD_NOTHING)
        yield Finding("owner", UNCHECKED, f"{who} {told}", _ASK_AGAIN)
        return
    kind = next((known for known in _CHECK_OF if known.__name__ == owner.error), errors.OwnedElsewhere)
    sign = _sign_of(entry)
    field = field_cure(sign, owner.error) if sign is not None else ""
    cure = field or kind.default_cure or "look into its log, or stop it and run the doctor again"
    text = f"{owner.owner} serves it and is not connected: {owner.message or 'no reason yet'}"
    yield Finding(_CHECK_OF[kind], FAILED, text, cure)


def _patient_snapshot(device_id: str) -> Optional[Dict[str, Any]]:
    """What the owner of a device knows of it; None where it does not tell that, however often it is asked."""
    until_s = time.monotonic() + OWNER_WITHIN_S
    while True:
        snapshot = snapshot_of(device_id)
        owner = ask(device_id) if snapshot is None else None
        may_tell = owner is not None and (bool(owner.share) or owner.owner == UNKNOWN_OWNER)
        if not may_tell or time.monotonic() > until_s:
            return snapshot
        time.sleep(ASK_AGAIN_S)


def _reported(
    entry: DeviceEntry, snapshot: Optional[Dict[str, Any]], device: Optional[ServedDevice]
) -> Iterator[Finding]:
    """What the device has reported to its owner. The connection is in use; that it works proves version and key.

    device: what its owner says of its readings' ages; None: nothing.
    """
    told = snapshot.get("dps") if snapshot is not None else None
    dps = numbered(told) if isinstance(told, dict) else {}
    wrong = list(check_use(device, entry.shown_name)) if device is not None else []
    if snapshot is None:
        text = "its owner did not tell them in time: it is very busy, or was asked too often"
        yield Finding("data points", UNCHECKED, text, SOON)
        yield from wrong
        return
    if not dps:
        yield Finding("data points", SKIPPED, "not asked for: the connection is in use, and its owner tells none yet")
        yield from wrong
        return
    profile = match(_described(entry, snapshot), dps)
    yield _check_data_points(profile, len(dps))
    is_old = any(finding.check in ("readings", "power") for finding in wrong)
    for finding in check_values(entry, profile, dps):
        if finding.state == OK and device is not None and device.measured_age_s is not None:
            age = f"reported {lasted(device.measured_age_s)} ago"
            late = [f"{quantity} {lasted(age_s)} ago" for quantity, age_s in sorted(device.late_s.items())]
            shown = f"{finding.text} ({'; '.join([age, *late])})"
            yield replace(finding, text=shown, state=NOTE if is_old else OK)
        elif finding.failed and finding.text == NOTHING_YET:
            yield replace(finding, state=NOTE, cure="") if is_old else replace(finding, state=UNCHECKED)
        else:
            yield finding
    yield from wrong


def _described(entry: DeviceEntry, snapshot: Dict[str, Any]) -> Mapping[str, Any]:
    """What is known of the device's kind: what its entry says, and where that names no product, its owner."""
    raw: Mapping[str, Any] = entry.raw
    said = {name: snapshot.get(name) for name in ("product_id", "category") if not raw.get(name)}
    return {**raw, **{name: value for name, value in said.items() if isinstance(value, str)}}


def _sign_of(entry: DeviceEntry) -> Optional[LifeSign]:
    """What the owner of a device says of itself; None where it says nothing."""
    said = owner_of(entry.device_id)
    return life_sign(said) if said is not None else None


def _check_announcement(
    entry: DeviceEntry, heard: Optional[Tuple[str, str]], listened: bool
) -> Tuple[Optional[str], Finding]:
    """The address to try, and what announcements say."""
    if heard is not None:
        address, version = heard
        text = f"announces itself from {address}, protocol {version or 'not said'}"
        if entry.address is not None and entry.address != address:
            return address, Finding(
                "announcement", NOTE, f"{text}; devices.json says {entry.address}, which is outdated"
            )
        return address, Finding("announcement", OK, text)
    if not listened:
        text = "not listened for: the address is given" if entry.address else "they cannot be heard on this machine"
        return entry.address, Finding("announcement", SKIPPED, text)
    where = "; in a container on a bridge network none are heard" if in_container() else ""
    if entry.address is not None:
        text = f"none heard; the address of devices.json is tried, {entry.address}{where}"
        return entry.address, Finding("announcement", NOTE, text)
    cure = (
        f'give its address: "ip" in devices.json{", or run the container on the host network" if where else ""}; '
        "and look whether it is powered, in the same network, and not held by an app or a bridge (it is silent then)"
    )
    return None, Finding("announcement", FAILED, f"none heard, and no address is known{where}", cure)


def in_container() -> bool:
    """Whether this runs in a container."""
    return Path("/.dockerenv").exists() or Path("/run/.containerenv").exists()


def _ended(entry: DeviceEntry, error: TuyaError) -> Iterator[Finding]:
    """Why our connection ended; where the plugin came and took the device, what the plugin says of it."""
    owner = ask(entry.device_id) if isinstance(error, errors.OwnedElsewhere) else None
    if owner is not None:
        yield from _owned(entry, owner)
    else:
        yield _failure(error)


def _failure(error: TuyaError) -> Finding:
    check = _CHECK_OF.get(type(error), "connection")
    cure = error.cure or "run this again; if it stays: python3 -m tuya report, and open an issue with it"
    return Finding(check, FAILED, error.what, cure)


def _check_version(entry: DeviceEntry, version: str) -> Finding:
    if entry.version is not None and entry.version != version:
        return Finding("version", NOTE, f"protocol {version}; devices.json says {entry.version}, which is outdated")
    return Finding("version", OK, f"protocol {version}")


def _has_readings(entry: DeviceEntry, asking: Asking) -> bool:
    profile = match(entry.raw, asking.dps)
    reading = reading_to_json(profile.decode(asking.dps), profile)
    return any(name in reading for name in READINGS) and ("power_w" in reading or not profile.reports_power)


def _check_data_points(profile: Profile, count: int) -> Finding:
    if count == 0:
        text = "it answers without any data point"
        return Finding("data points", FAILED, text, "cut its power for ten seconds; if it stays, open an issue")
    if profile.matched_by == "none":
        text = f"none of its {count} data points is known to measure anything"
        return Finding("data points", FAILED, text, REPORT)
    how = {"product": "its product id", "codes": "its thing model", "shape": "the form of its data"}
    by = how.get(profile.matched_by, profile.matched_by)
    return Finding("data points", OK, f"{count}, layout {profile.name} by {by}")
