"""Nothing foreign is executed: modules in the caller's folder, in the plugin's folder, and named by the environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.setup.conftest import REPOSITORY, copied
from tuya.__main__ import COMMANDS

THIRD_PARTY = ("pip", "rich", "requests", "tinytuya", "Crypto", "tuya", "colorama", "setuptools", "ensurepip")
CUSTOMIZING = ("sitecustomize", "usercustomize")
EXPORT = [{"id": "bf0123456789abcdefgh", "key": "fedcba9876543210", "name": "Boiler"}]


def stdlib() -> set[str]:
    names = getattr(sys, "stdlib_module_names", None) or {
        path.stem for path in Path(os.__file__).parent.iterdir() if path.suffix == ".py" or path.is_dir()
    }
    return {name for name in names if name.isidentifier() and name != "__pycache__"}


def plant(folder: Path, names, marker: Path) -> None:
    """Put modules there, and packages where pip's and our own are looked for, that leave a trace when they run."""
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / f"{name}.py").write_text(f"open({str(marker)!r}, 'a').write({name + chr(10)!r})\n")
    for name in ("pip", "tuya"):
        if name in names:
            (folder / name).mkdir()
            for module in ("__init__", "__main__"):
                (folder / name / f"{module}.py").write_text(f"open({str(marker)!r}, 'a').write({name + '/'!r})\n")


def ran(marker: Path) -> list[str]:
    return marker.read_text().split() if marker.exists() else []


@pytest.fixture(scope="module")
def ours(tmp_path_factory, installation):
    """A plugin folder after install.sh."""
    return copied(installation, tmp_path_factory.mktemp("isolated") / "it's a plugin")


@pytest.fixture
def hostile(tmp_path):
    """A folder that a caller may stand in, an environment that points to it, and where it leaves traces."""
    folder, marker = tmp_path / "downloads", tmp_path / "ran"
    plant(folder, {*stdlib(), *THIRD_PARTY, *CUSTOMIZING}, marker)
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    user_site = folder / "lib" / version / "site-packages"
    user_site.mkdir(parents=True)
    plant(user_site, (*CUSTOMIZING, "pip"), marker)
    (user_site / "own.pth").write_text(f"import sys; open({str(marker)!r}, 'a').write('pth')\n")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PYTHON": sys.executable,
        "PYTHONPATH": str(folder),
        "PYTHONHOME": str(folder),
        "PYTHONUSERBASE": str(folder),
        "PYTHONSTARTUP": str(folder / "signal.py"),
        "PYTHONINSPECT": "",
        "CDPATH": str(folder),
    }
    return folder, environment, marker


@pytest.mark.parametrize(
    "words",
    [
        ("--help",),
        ("bogus",),
        ("install", "--wheels", "{wheels}", "--python", sys.executable),
        ("install", "--python", sys.executable),
        ("keys", "--help"),
        ("keys", "export.json", "--devices", "target.json"),
        ("test", "--only", "bogus"),
        ("demo", "--stand-in", "--seconds", "1"),
        ("uninstall", "--bogus"),
    ],
)
def test_install_sh_runs_nothing_of_the_callers(ours, hostile, wheelhouse, words):
    folder, environment, marker = hostile
    (folder / "export.json").write_text(json.dumps(EXPORT))
    words = tuple(word.format(wheels=wheelhouse) for word in words)
    done = subprocess.run(
        ["bash", str(ours / "install.sh"), *words],
        cwd=folder,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=100,
        env=environment,
        check=False,
    )
    assert ran(marker) == []
    assert "Traceback" not in done.stderr
    if "target.json" in words:
        assert json.loads((folder / "target.json").read_text()) == EXPORT  # relative paths mean the caller's folder


def test_a_new_lib_by_pip_runs_nothing_of_the_callers(fresh, hostile, wheelhouse):
    """Pip itself is started here, from a relative folder of wheels."""
    folder, environment, marker = hostile
    small = (fresh / "requirements-cli.txt").read_text()
    (fresh / "requirements.txt").write_text(small)
    (folder / "wheels").symlink_to(wheelhouse)
    code = (
        f"import sys; sys.path.insert(0, {str(fresh)!r}); from tuya.setup import packages; from pathlib import Path\n"
        "print(next(packages.pips(sys.executable)))\n"
        f"packages._run_pip([sys.executable, '-I', '-m', 'pip'], Path({str(fresh)!r}) / 'lib', Path({str(fresh)!r}), "
        "Path('wheels'))\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert (done.returncode, ran(marker)) == (0, []), done.stderr
    assert "'-I', '-m', 'pip'" in done.stdout
    assert (fresh / "lib/mdurl/__init__.py").exists()


def loaded_before_us(folder: Path) -> set[str]:
    """What Python itself imports, with the current folder first on its path, before the first line of a package."""
    package = folder / "tuya"
    package.mkdir()
    (package / "__init__.py").write_text("import sys; print(*sorted(sys.modules)); sys.exit()\n")
    words = [sys.executable, "-m", "tuya"]
    return set(subprocess.run(words, cwd=folder, capture_output=True, text=True, check=True).stdout.split())


@pytest.fixture(scope="module")
def beside(tmp_path_factory, compiled):
    """A plugin folder with foreign modules beside plugin.py, and where they leave traces."""
    folder = copied(compiled, tmp_path_factory.mktemp("beside") / "plugin")
    (folder / "lib").symlink_to(REPOSITORY / "lib")
    (folder / "export.json").write_text(json.dumps(EXPORT))
    (folder / "dump.json").write_text('{"dps": {"1": true}}')
    names = {*stdlib(), *THIRD_PARTY, *CUSTOMIZING} - {"tuya"} - loaded_before_us(tmp_path_factory.mktemp("probe"))
    assert {"signal", "argparse", "json", "socket", "pip"} <= names
    plant(folder, names, folder.parent / "ran")
    return folder, folder.parent / "ran"


@pytest.mark.parametrize(
    "words",
    [
        ("tuya.setup", "--help"),
        *(("tuya", command, "--help") for command in sorted(COMMANDS)),
        ("tuya", "decode", "dump.json", "--json"),
        ("tuya", "report", "--offline", "--json", "--devices", "export.json"),
        ("tuya", "scan", "--json", "--seconds", "0.2", "--devices", "export.json"),
        ("tuya", "keys", "export.json", "--devices", "target.json"),
        ("tuya", "doctor", "--seconds", "0", "--devices", "export.json"),
    ],
    ids=" ".join,
)
def test_python_m_tuya_imports_none_of_pythons_modules_from_its_folder(beside, words):
    folder, marker = beside
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=folder, capture_output=True, text=True, timeout=100, check=False
    )
    assert ran(marker) == [], done.stderr
    assert done.returncode in (0, 1)
    assert "defect" not in done.stderr
    assert "Traceback" not in done.stderr
