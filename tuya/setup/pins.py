"""Pinned requirement files: text -> names, releases and hashes. Pure."""

from __future__ import annotations

import platform
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import FrozenSet, List, Sequence

from tuya.domoticz import installation

from .errors import SetupError

# The only form that our files for lib/ have: name==release [; platform_machine ==|!= "x"] --hash=sha256:... ...
_PIN = re.compile(
    r"(?P<name>[A-Za-z0-9._-]+)==(?P<release>[^\s;]+)"
    r'(?:\s*;\s*platform_machine\s*(?P<operator>==|!=)\s*"(?P<machine>[^"]+)")?'
    r"(?P<hashes>(?:\s+--hash=sha256:[0-9a-f]{64})+)"
)


@dataclass(frozen=True)
class Pin:
    """One package: its release, and the SHA-256 (hex) of every file of it that may be installed."""

    name: str
    release: str
    hashes: FrozenSet[str]

    @property
    def project(self) -> str:
        """The name as package indexes spell it: lower case, runs of - _ . as one -."""
        return re.sub(r"[-_.]+", "-", self.name).lower()


def machine() -> str:
    """The processor that this Python is built for, as wheels name it (a 32-bit Python on a 64-bit kernel is 32-bit)."""
    name = platform.machine()
    if struct.calcsize("P") == 4:
        return {"x86_64": "i686", "amd64": "i686", "aarch64": "armv7l", "armv8l": "armv7l"}.get(name, name)
    return {"amd64": "x86_64", "arm64": "aarch64"}.get(name, name)


def read_pins(path: Path, for_machine: str) -> List[Pin]:
    """Read the packages of a requirement file that apply to this machine. Raises SetupError for any other form."""
    pins = []
    text = re.sub(r"^#.*$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE).replace("\\\n", " ")
    for line in filter(None, (line.strip() for line in text.splitlines())):
        match = _PIN.fullmatch(line)
        if match is None:
            raise SetupError(f"{path.name}: this line is no pinned package: {line[:60]}")
        is_named_machine = match["machine"] == for_machine
        if match["operator"] and is_named_machine != (match["operator"] == "=="):
            continue
        hashes = frozenset(re.findall(r"sha256:([0-9a-f]{64})", match["hashes"]))
        pins.append(Pin(match["name"], match["release"], hashes))
    return pins


def requirements(pins: Sequence[Pin]) -> str:
    """The text of a requirement file with these packages, for pip's --require-hashes."""
    lines = (
        " ".join([f"{pin.name}=={pin.release}", *(f"--hash=sha256:{one}" for one in sorted(pin.hashes))])
        for pin in pins
    )
    return "".join(f"{line}\n" for line in lines)


def stamp(path: Path) -> str:
    """Return what lib/STAMP holds: the SHA-256 (hex) of the pins that lib/ was made from, comments left out."""
    return installation.stamps(path.read_bytes())[0]
