"""python3 -m tuya.setup.release FOLDER: an archive of this version, with the packages that lib/ is made of.

For machines without a network: install.sh finds the folder `wheels` in the archive and needs nothing else. Used by
developers only.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import List

from tuya.version import plugin_version

from . import packages
from .errors import SetupError

REPOSITORY = Path(__file__).resolve().parent.parent.parent
# Platforms of wheels (PEP 600, PEP 656). There are none of pycryptodome for 32-bit ARM: its distributions bring their
# own python3-pycryptodome, which serves as well.
PLATFORMS = ("manylinux2014_x86_64", "manylinux2014_aarch64", "musllinux_1_2_x86_64", "musllinux_1_2_aarch64")
OLDEST_PYTHON = "3.9"


def make(target: Path) -> Path:
    """Write the archive into the folder `target` and return its path.

    It holds what git tracks, as it is committed, below one folder. Raises SetupError without git or a package index.
    """
    name = f"domoticz-tuya-breakers-{plugin_version()}"
    archive = target / f"{name}.tar.gz"
    tracked = _run(["git", "archive", "--format=tar", f"--prefix={name}/", "HEAD"])
    with tempfile.TemporaryDirectory() as temporary:
        wheels = fetch_wheels(Path(temporary))
        with tarfile.open(archive, "w:gz") as result:
            with tarfile.open(fileobj=io.BytesIO(tracked)) as source:
                for member in source.getmembers():
                    result.addfile(member, source.extractfile(member) if member.isfile() else None)
            for wheel in wheels:
                result.add(wheel, f"{name}/{packages.WHEELS}/{wheel.name}", filter=_nobodys)
    return archive


def fetch_wheels(folder: Path) -> List[Path]:
    """Fetch the pinned wheels for every platform into `folder`. Raises SetupError."""
    for platform in PLATFORMS:
        _run(
            [
                *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"),
                *("--only-binary=:all:", "--platform", platform, "--python-version", OLDEST_PYTHON),
                *("--implementation", "cp", "--abi", "abi3", "--abi", "none", "--dest", str(folder)),
                *("-r", packages.RUNTIME_PINS, "-r", packages.CLI_PINS),
            ]
        )
    return sorted(folder.glob("*.whl"))


def _nobodys(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """A file of the archive that says nothing of the machine it was made on."""
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    member.mode = 0o644
    return member


def _run(command: List[str]) -> bytes:
    try:
        done = subprocess.run(  # noqa: S603 - git and pip, with words of ours
            command, cwd=REPOSITORY, stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
    except OSError as error:
        raise SetupError(f"{command[0]}: {error.strerror}") from None
    if done.returncode != 0:
        raise SetupError(f"{command[0]} failed: {done.stderr.decode(errors='replace').strip()[-300:]}")
    return done.stdout


def main(words: List[str]) -> int:
    """Make the archive. Returns 0, or 1 where it could not be made."""
    parser = argparse.ArgumentParser(prog="python3 -m tuya.setup.release", description="Make a release archive.")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="where the archive is put")
    args = parser.parse_args(words)
    args.folder.mkdir(parents=True, exist_ok=True)
    try:
        archive = make(args.folder)
    except SetupError as error:
        sys.stderr.write(f"release: {error}\n")
        return 1
    sys.stdout.write(f"{archive}: {archive.stat().st_size / 1e6:.1f} MB\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
