"""install.sh as a user runs it: fresh folders, offline wheels, other Pythons, read-only folders, uninstall."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.setup.conftest import REPOSITORY, copy_plugin
from tuya.setup.pins import stamp

NOBODY_UID = 65534


def install_sh(folder: Path, *words: str, user=None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run install.sh without a terminal, from another folder, with no Domoticz to be found by DOMOTICZ_BIN."""
    return subprocess.run(
        ["bash", str(folder / "install.sh"), *words],
        cwd="/",
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=200,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "PYTHON": sys.executable, **environment},
        user=user,
        check=False,
    )


@pytest.fixture
def install(fresh, wheelhouse):
    """Install offline into the fresh folder, for this Python."""

    def run(*words: str, **environment: str):
        options = ("--wheels", str(wheelhouse), "--python", sys.executable)
        return install_sh(fresh, *words, *options, **environment)

    return run


def test_fresh_folder_then_again_then_after_an_update(fresh, install):
    (fresh / "devices.json").write_text("[]")
    done = install()
    assert (done.returncode, done.stderr) == (0, "")
    assert (fresh / "lib/STAMP").read_text().strip() == stamp(fresh / "requirements.txt")
    assert "tinytuya 1.20.0 and PyCryptodome work in a sub-interpreter, twice" in done.stdout
    assert "restart Domoticz" in done.stdout
    first = (fresh / "lib/STAMP").stat().st_mtime_ns

    again = install("install")
    assert again.returncode == 0
    assert "lib/ is up to date" in again.stdout
    assert (fresh / "lib/STAMP").stat().st_mtime_ns == first
    assert "  - restart Domoticz: hardware that is there goes on (the first time: Setup > Hardware" in again.stdout

    (fresh / "requirements.txt").write_text((fresh / "requirements.txt").read_text() + "# of the next release\n")
    assert "lib/ is up to date" in install().stdout
    another = f"    --hash=sha256:{'0' * 64}\n"  # of a file that this machine does not take
    lines = (fresh / "requirements.txt").read_text() + another
    (fresh / "requirements.txt").write_text(
        lines.replace("# of the next release\n", "").replace(f"\n{another}", f" \\\n{another}")
    )
    update = install()
    assert update.returncode == 0, update.stderr
    assert "Checked in Python" in update.stdout
    assert (fresh / "lib/STAMP").read_text().strip() == stamp(fresh / "requirements.txt")
    assert (fresh / "devices.json").read_text() == "[]"

    shutil.rmtree(fresh / "lib/cli/mdurl")  # as if the tools of the release before had been others
    (fresh / "lib/cli/STAMP").write_text("another release's\n")
    assert install().returncode == 0
    assert (fresh / "lib/cli/mdurl").is_dir()


def test_a_damaged_lib_is_noticed_and_made_anew(installed, wheelhouse):
    (installed / "lib/Crypto/__init__.py").write_text("raise ImportError('half a file')\n")
    done = install_sh(installed, "--wheels", str(wheelhouse), "--python", sys.executable)
    assert done.returncode == 0, done.stderr
    assert "lib/ does not work (CodecMissing:" in done.stdout
    assert "half a file" not in (installed / "lib/Crypto/__init__.py").read_text()


def test_imports_that_fail_in_domoticzs_python_are_an_error(fresh, install, tmp_path):
    package = fresh / "tuya/lan/protocol/tinytuya_codec.py"
    package.write_text("raise ImportError('wrong ELF class')\n")
    done = install()
    assert done.returncode == 1
    assert "cannot use them: ImportError: wrong ELF class" in done.stderr
    assert "Traceback" not in done.stderr


def test_two_pythons_share_one_lib(installed):
    second = "/usr/bin/python3"
    if not Path(second).exists() or Path(second).resolve() == Path(sys.executable).resolve():
        pytest.skip("there is only one Python on this machine")
    done = install_sh(installed, "--python", second, PYTHON=second)
    assert done.returncode == 0, done.stderr
    assert "lib/ is up to date" in done.stdout


def test_a_python_that_is_too_old_or_missing_is_said(fresh):
    done = install_sh(fresh, PYTHON="/no/such/python")
    assert done.returncode == 1
    assert "no Python 3.9 or newer was found (looked for /no/such/python)" in done.stderr


@pytest.mark.parametrize("words", [("bogus",), ("install", "--bogus"), ("uninstall", "--bogus")])
def test_wrong_use_is_exit_2(fresh, words):
    done = install_sh(fresh, *words)
    assert done.returncode == 2
    assert "usage: bash install.sh" in done.stderr


def test_a_missing_folder_of_wheels_is_said(fresh):
    done = install_sh(fresh, "--wheels", "/no/such/folder")
    assert (done.returncode, done.stderr) == (2, "install.sh: /no/such/folder: there is no such folder with wheels\n")


@pytest.mark.parametrize("python", ["/no/such/python", "/bin/ls"])
def test_a_program_that_is_no_python_is_refused_and_a_good_lib_stays(installed, python):
    before = (installed / "lib/STAMP").stat().st_ino
    done = install_sh(installed, "--python", python)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"install.sh: --python {python}: this is no Python 3.9 or newer\n"
    assert (installed / "lib/STAMP").stat().st_ino == before


def test_sh_instead_of_bash_is_no_fault(fresh):
    done = subprocess.run(
        ["sh", str(fresh / "install.sh"), "--help"], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "bash install.sh keys" in done.stdout


@pytest.mark.parametrize("redirection", [">&-", "2>&-", "<&-", "| head -n 1", "| true"])
def test_closed_streams_and_readers_that_have_seen_enough_are_no_fault(installed, redirection):
    done = subprocess.run(
        ["bash", "-c", f'set -o pipefail; bash "{installed}/install.sh" --python "{sys.executable}" {redirection}'],
        capture_output=True,
        text=True,
        timeout=200,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "PYTHON": sys.executable},
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_no_network_ends_with_words_and_no_lib(fresh):
    done = install_sh(
        fresh,
        "--python",
        sys.executable,
        PIP_INDEX_URL="http://127.0.0.1:1/simple",
        PIP_RETRIES="0",
        PIP_CONFIG_FILE="/dev/null",
    )
    assert done.returncode == 1
    assert "the packages could not be fetched" in done.stderr
    assert "bash install.sh --wheels FOLDER" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (fresh / "lib").exists()


def test_a_read_only_folder_is_said_with_the_owner(wheelhouse):
    parent = Path(tempfile.mkdtemp(prefix="read-only-"))
    try:
        parent.chmod(0o755)
        folder = parent / "plugin"
        copy_plugin(folder, wheelhouse)
        folder.chmod(0o555)
        user = NOBODY_UID if os.geteuid() == 0 else None  # root may write everywhere
        python = "/usr/bin/python3"  # one that another user may start
        if not Path(python).exists():
            pytest.skip("needs a Python that every user may start")
        done = install_sh(folder, "--python", python, user=user, PYTHON=python)
        assert done.returncode == 1
        whose = "although it is yours" if user is None else f"it belongs to {folder.owner()}"
        assert f"{folder} cannot be written" in done.stderr
        assert whose in done.stderr
        assert "Traceback" not in done.stderr
    finally:
        parent.joinpath("plugin").chmod(0o755)
        shutil.rmtree(parent)


def test_uninstall_leaves_the_keys_and_nothing_else(fresh, install):
    before = {path.relative_to(fresh) for path in fresh.rglob("*") if "__pycache__" not in path.parts}
    (fresh / "devices.json").write_text("[]")
    assert install().returncode == 0
    done = install_sh(fresh, "uninstall")
    assert done.returncode == 0
    assert "devices.json is kept" in done.stdout
    assert {path.relative_to(fresh) for path in fresh.rglob("*")} == before | {Path("devices.json")}
    done = install_sh(fresh, "uninstall", "--purge")
    assert done.returncode == 0
    assert {path.relative_to(fresh) for path in fresh.rglob("*")} == before


def test_uninstall_removes_what_a_killed_run_of_keys_left_and_git_never_takes_it(fresh):
    (fresh / "devices.json").write_text("[]")
    names = (".devices.json.new", ".devices.json.bak.new", ".devices.json-0ld")
    for name in names:
        (fresh / name).write_text("[]")
    done = install_sh(fresh, "uninstall")
    assert done.returncode == 0
    for name in names:
        assert name in done.stdout
        assert not (fresh / name).exists()
        ignored = subprocess.run(["git", "check-ignore", "--no-index", "-q", name], cwd=REPOSITORY, check=False)
        assert ignored.returncode == 0
    assert (fresh / "devices.json").exists()


def test_uninstall_takes_a_link_away_and_not_what_it_points_to(fresh, tmp_path):
    elsewhere = tmp_path / "big disk"
    elsewhere.mkdir()
    (elsewhere / "kept").write_text("x")
    (fresh / ".venv").symlink_to(elsewhere)
    done = install_sh(fresh, "uninstall")
    assert (done.returncode, done.stderr) == (0, "")
    assert not (fresh / ".venv").is_symlink()
    assert (elsewhere / "kept").exists()


def test_uninstall_twice_is_harmless(fresh):
    done = install_sh(fresh, "uninstall")
    assert done.returncode == 0
    assert "There was nothing to remove" in done.stdout


def test_help_names_every_command(fresh):
    done = install_sh(fresh, "--help")
    assert done.returncode == 0
    for command in ("keys", "demo", "test", "uninstall"):
        assert f"bash install.sh {command}" in done.stdout


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed here")
@pytest.mark.parametrize("script", ["install.sh", ".ci/run"])
def test_shellcheck(script):
    done = subprocess.run(["shellcheck", str(REPOSITORY / script)], capture_output=True, text=True, check=False)
    assert done.stdout == ""
