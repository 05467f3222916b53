"""Wheels made from the installed packages, and a fresh plugin folder pinned to them: no network is needed."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.once import once
from tuya.setup.compiling import compile_modules

REPOSITORY = Path(__file__).resolve().parents[2]
PROGRAM = 'PROGRAM = "domoticz"'


def make_wheel(folder: Path, name: str, release: str, tag: str, files: dict[str, bytes]) -> Path:
    path = folder / f"{name}-{release}-{tag}.whl"
    info = f"{name}-{release}.dist-info"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in files.items():
            archive.writestr(member, content)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {release}\n")
        archive.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n")
        archive.writestr(f"{info}/RECORD", "")
    return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def pin_line(path: Path) -> str:
    name, release = path.name.split("-")[:2]
    return f"{name}=={release} \\\n    --hash=sha256:{sha256(path)}\n"


@pytest.fixture(scope="session")
def wheelhouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Wheels of the two packages of lib/ and of one of lib/cli/, packed from what is installed here."""
    return once(tmp_path_factory, "wheelhouse", pack_wheels)


def pack_wheels(folder: Path) -> None:
    for name in ("tinytuya", "pycryptodome", "mdurl"):
        distribution = importlib.metadata.distribution(name)
        contents = {
            str(file): Path(str(file.locate())).read_bytes()
            for file in distribution.files or []
            if file.suffix != ".pyc" and ".." not in file.parts and not file.parts[0].endswith(".dist-info")
            if file.parts[:2] != ("Crypto", "SelfTest")  # half of it, which nobody imports
        }
        # "none-any" is a white lie for pycryptodome: these wheels are for this machine only, and never leave it
        make_wheel(folder, name, distribution.version, "py3-none-any", contents)


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory, wheelhouse: Path) -> Path:
    """A plugin folder without lib/, its modules compiled, so that each copy of it need not do so again."""

    def make(folder: Path) -> None:
        copy_plugin(folder / "plugin", wheelhouse)
        compile_modules(sys.executable, folder / "plugin", "tuya")

    return once(tmp_path_factory, "compiled", make) / "plugin"


@pytest.fixture
def fresh(tmp_path: Path, compiled: Path) -> Path:
    """A plugin folder as after a clone, in a path with a space and a quote, pinned to the wheels of wheelhouse."""
    return copied(compiled, tmp_path / "it's a plugin")


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory, wheelhouse: Path, compiled: Path) -> Path:
    """A plugin folder after install.sh. Nobody changes it: a test or a file of tests gets a copy of its own."""

    def make(folder: Path) -> None:
        plugin = copied(compiled, folder / "it's a plugin")
        shutil.copy(REPOSITORY / "plugin.py", plugin)
        done = subprocess.run(
            ["bash", str(plugin / "install.sh"), "--wheels", str(wheelhouse), "--python", sys.executable],
            cwd="/",
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "PYTHON": sys.executable},
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, ""), done.stdout

    return once(tmp_path_factory, "installation", make) / "it's a plugin"


@pytest.fixture
def installed(tmp_path: Path, installation: Path) -> Path:
    """A plugin folder of the test's own after install.sh, with what that compiled."""
    return copied(installation, tmp_path / "it's a plugin")


def copied(source: Path, folder: Path) -> Path:
    """Copy a folder with all that it holds, in a tenth of the time that shutil takes; returns the copy."""
    subprocess.run(["cp", "-R", "-p", str(source), str(folder)], check=True)
    return folder


def copy_plugin(folder: Path, wheelhouse: Path) -> None:
    """A plugin folder that sees no Domoticz that runs on this machine: what comes out does not depend on one."""
    folder.mkdir()
    shutil.copytree(REPOSITORY / "tuya", folder / "tuya", ignore=shutil.ignore_patterns("__pycache__"))
    running = folder / "tuya/setup/running.py"
    assert PROGRAM in running.read_text()
    running.write_text(running.read_text().replace(PROGRAM, 'PROGRAM = "none is called so"'))
    shutil.copy(REPOSITORY / "install.sh", folder)
    wheels = {path.name.split("-")[0]: pin_line(path) for path in wheelhouse.glob("*.whl")}
    (folder / "requirements.txt").write_text("# for lib/\n" + wheels["tinytuya"] + wheels["pycryptodome"])
    (folder / "requirements-cli.txt").write_text(wheels["mdurl"])
