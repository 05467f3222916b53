"""The doctor's checks of single breakers by what the plugin in Domoticz says of them: served, connected, of use."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, Sequence, Tuple

from tuya.cli.doctor.cures import OFF_AND_ON, SOON
from tuya.cli.doctor.findings import FAILED, NOTE, OK, UNCHECKED, Finding
from tuya.cli.doctor.life import LifeSign, ServedDevice
from tuya.cli.doctor.use import check_use
from tuya.devices.devices_file import DeviceEntry
from tuya.domoticz.settings import AUTO, KEY_FIELD_CURE

SILENT_S = 60.0  # a served device answers every 10 s
NEW_FILE_S = 15.0  # the plugin looks at its file every heartbeat, and takes it when it was the same twice

TWICE_CURE = "Setup > Hardware: delete one of them, or give each its own 'Device ID' or 'Devices file'"
# what a connection ends with where the version is not the device's; the others have causes that no version has
_OF_VERSION = ("Closed", "Busy", "Mute", "WrongVersion", "ProtocolViolation")


@dataclass(frozen=True)
class Known:
    """What is known beside the plugin's word. told: what was found of the breakers before, each fact once.

    run_s: for how long this run had lasted when the plugin was asked.
    """

    files: Sequence[Path]
    now_s: float
    told: Sequence[Finding] = ()
    run_s: float = float("inf")

    def is_told(self, finding: Finding, of_any_check: bool) -> bool:
        """Whether the same breaker has such a finding already, or a worse one. of_any_check: whatever it was about.

        A note is a fact of its own: no other one tells it.
        """
        worse = (FAILED,) if finding.failed else (finding.state, FAILED)
        of_any_check = of_any_check and finding.state != NOTE
        return finding.state != OK and any(
            one.device == finding.device and one.state in worse and (of_any_check or one.check == finding.check)
            for one in self.told
        )


def field_cure(sign: LifeSign, error: str) -> str:
    """What to correct on the Hardware page, where the reason for an error of a connection may stand there; else ""."""
    if sign.has_own_key and error == "WrongKey":
        return KEY_FIELD_CURE
    if sign.protocol != AUTO and error in _OF_VERSION:
        return (
            f"Setup > Hardware: its field 'Protocol' says {sign.protocol}, and no other is tried: choose 'automatic'; "
            "if it is right, close the Tuya app and stop other bridges that hold this breaker"
        )
    return ""


def check_served(signs: Sequence[LifeSign], known: Known, entries: Sequence[DeviceEntry]) -> Iterator[Finding]:
    """Every device of the file is served, connected, has answered of late, and is of use."""
    for sign in signs:
        cure = "Setup > Log says why; Setup > Hardware: correct its fields 'Device ID' and 'Devices file'"
        if sign.only_id and not sign.served:
            text = f"{sign.name} serves nothing: its field 'Device ID' names {sign.only_id}"
            yield Finding("hardware", FAILED, text, cure)
        elif not (sign.devices_file or sign.has_own_key):
            yield Finding("hardware", FAILED, f"{sign.name} finds no devices file", cure)
    for entry in entries:
        name = entry.shown_name
        served = [(sign, device) for sign in signs for device in [sign.serves(entry.device_id)] if device is not None]
        if len(served) > 1:
            text = f"{' and '.join(sign.name for sign, _ in served)} are both to serve it, and one only can"
            yield Finding("hardware", FAILED, text, TWICE_CURE, name)
        finding = _check_one(name, served, known) if served else _unserved(entry, signs, known)
        if not known.is_told(finding, of_any_check=True):
            yield finding
        if finding.state == OK:
            for one in check_use(next(device for _, device in served if device.connected), name):
                if not known.is_told(one, of_any_check=False):
                    yield one


def _check_one(name: str, served: Sequence[Tuple[LifeSign, ServedDevice]], known: Known) -> Finding:
    """A device that these are to serve, each with what it says of it."""
    if not any(device.connected for _, device in served):
        sign, device = next(((sign, device) for sign, device in served if device.message), served[0])
        if not device.message:
            text = "the plugin is connecting to it"
            return Finding("served", UNCHECKED, text, SOON, name)
        cure = field_cure(sign, device.error) or "what the plugin says is in Setup > Log"
        if sign.has_own_key and not device.error:
            cure = f"if it is the key: {KEY_FIELD_CURE}"
        return Finding("served", FAILED, f"the plugin is not connected: {device.message}", cure, name)
    age_s = min(device.heard_age_s or 0.0 for _, device in served)
    if age_s > SILENT_S:
        return Finding("served", FAILED, f"it has not answered for {age_s:.0f} s", OFF_AND_ON, name)
    if age_s > known.run_s:
        text = f"it has not answered for {age_s:.0f} s, though it is asked every 9 s: has it lost its power?"
        return Finding("served", UNCHECKED, text, SOON, name)
    return Finding("served", OK, "by the plugin, and connected", device=name)


def _changed_s(file: Path) -> float:
    try:
        status = file.stat()
        return max(status.st_mtime, status.st_ctime)  # chown and chmod leave the time of the content
    except OSError:
        return 0.0


def _unserved(entry: DeviceEntry, signs: Sequence[LifeSign], known: Known) -> Finding:
    name = entry.shown_name
    if any(abs(known.now_s - changed_s) < NEW_FILE_S for changed_s in map(_changed_s, known.files)):
        return Finding("served", UNCHECKED, "the file was changed just now", SOON, name)
    if signs and all(sign.serves_its_own for sign in signs):
        ids = ", ".join(sign.only_id for sign in signs)
        text = f"not served: the hardware's field 'Device ID' names {ids} only"
        cure = "if it is to be served: empty that field (all of the file), or add a second hardware with its id"
        return Finding("served", NOTE, text, cure, name)
    reason = next((sign.not_served[entry.device_id] for sign in signs if entry.device_id in sign.not_served), "")
    why = f": {reason}" if reason else ""
    cure = "Setup > Hardware: its fields 'Device ID' (empty: all) and 'Devices file'; Setup > Log says what it reads"
    if entry.wishes.use is False:
        cure = 'take "use": false out of its entry in devices.json, if it is to be served'
    return Finding("served", FAILED, f"the plugin does not serve it{why}", cure, name)
