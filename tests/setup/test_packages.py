"""lib/ from pins: pip that refuses, no network, no pip, a failure in the middle."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest

from tuya.setup import packages
from tuya.setup.errors import SetupError


@pytest.fixture
def lines():
    return []


@pytest.fixture(autouse=True)
def _only_what_the_test_gives(monkeypatch, tmp_path):
    """No pip settings of this machine, and no pip but the one the test names."""
    for name in ("PIP_FIND_LINKS", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_CONFIG_FILE", "PIP_CERT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(packages.wheels, "settings_of_pip", lambda environ: {})
    monkeypatch.setattr(packages, "_bundled_pip_wheels", list)
    monkeypatch.setattr(packages, "_other_pythons", list)
    monkeypatch.setattr(packages, "pip_of_distribution", lambda temporary, say: None)


def python_with_pip(tmp_path: Path, monkeypatch, script: str) -> str:
    """A python whose `-m pip` is a shell script; it is also the one that runs the set-up."""
    fake = tmp_path / "python3"
    fake.write_text(f'#!/bin/sh\ncase "$*" in *--version*) echo pip 23.0; exit 0;; esac\n{script}\n')
    fake.chmod(0o755)
    monkeypatch.setattr(packages.sys, "executable", str(fake))
    return str(fake)


EXTERNALLY_MANAGED = 'echo "error: externally-managed-environment" >&2; exit 1'
NO_NETWORK = 'echo "ERROR: NewConnectionError(...) Failed to establish a new connection" >&2; exit 1'


def test_lib_is_complete_and_stamped(fresh, wheelhouse, lines):
    packages.make_lib(fresh, sys.executable, wheelhouse, lines.append)
    assert (fresh / "lib/tinytuya/__init__.py").exists()
    assert (fresh / "lib/Crypto/__init__.py").exists()
    assert (fresh / "lib/cli/mdurl/__init__.py").exists()
    assert packages.is_current(fresh)
    assert "tinytuya 1.20.0, pycryptodome" in lines[0]
    assert [path.name for path in fresh.glob(".lib-*")] == []


def test_lib_can_be_read_by_the_user_that_domoticz_runs_as(installed):
    lib = installed / "lib"
    for path in (lib, lib / "Crypto", lib / "tinytuya/__init__.py", lib / "STAMP"):
        assert path.stat().st_mode & stat.S_IROTH, path


def test_changed_pins_make_lib_outdated(installed):
    assert packages.is_current(installed)
    pins = installed / "requirements.txt"
    pins.write_text(pins.read_text().replace("tinytuya==1.20.0", "tinytuya==1.20.1"))
    assert not packages.is_current(installed)


def test_pip_that_refuses_is_replaced_by_wheels_from_where_pips_settings_say(
    fresh, wheelhouse, lines, tmp_path, monkeypatch
):
    python = python_with_pip(tmp_path, monkeypatch, EXTERNALLY_MANAGED)
    monkeypatch.setattr(packages.wheels, "settings_of_pip", lambda environ: {"find-links": str(wheelhouse)})
    packages.make_lib(fresh, python, None, lines.append)
    assert packages.is_current(fresh)
    assert "pip refuses: this Python is externally managed; trying another way" in lines


def test_no_network_says_so_once_and_names_the_ways_out(fresh, lines, tmp_path, monkeypatch):
    python = python_with_pip(tmp_path, monkeypatch, NO_NETWORK)
    with pytest.raises(SetupError) as caught:
        packages.make_lib(fresh, python, None, lines.append)
    text = str(caught.value)
    assert text.count("pip cannot reach the package index (no network?)") == 1
    assert "--wheels FOLDER" in text
    assert "PIP_INDEX_URL=" in text
    assert not (fresh / "lib").exists()


def test_a_failure_leaves_the_old_lib_untouched(fresh, lines, tmp_path, monkeypatch):
    (fresh / "lib").mkdir()
    (fresh / "lib/STAMP").write_text("old")
    python = python_with_pip(
        tmp_path, monkeypatch, f'mkdir -p "{fresh}/.lib-half/x"; echo "ERROR: No space left on device"; exit 1'
    )
    with pytest.raises(SetupError, match="the disk is full"):
        packages.make_lib(fresh, python, None, lines.append)
    assert (fresh / "lib/STAMP").read_text() == "old"
    assert [path.name for path in fresh.glob(".lib-*")] == [".lib-half"]


def test_without_pip_the_distributions_own_is_borrowed(fresh, wheelhouse, lines, tmp_path, monkeypatch):
    """The last resort. The borrowed pip is this test's: a module that unpacks what --target says."""
    borrowed = tmp_path / "pip-1-py3-none-any.whl" / "pip"
    borrowed.mkdir(parents=True)
    (borrowed / "__main__.py").write_text(
        "import pathlib, sys, zipfile\n"
        "target = sys.argv[sys.argv.index('--target') + 1]\n"
        f"for wheel in pathlib.Path({str(wheelhouse)!r}).glob('*.whl'):\n"
        "    zipfile.ZipFile(wheel).extractall(target)\n"
    )
    monkeypatch.setattr(packages, "pips", lambda python: iter(()))
    monkeypatch.setattr(packages, "pip_of_distribution", lambda temporary, say: borrowed.parent)
    packages.make_lib(fresh, sys.executable, None, lines.append)
    assert (fresh / "lib/tinytuya/__init__.py").exists()


def test_a_pip_that_crashes_counts_as_none(fresh, lines, tmp_path, monkeypatch):
    """As Debian 12's pip does under Python 3.12."""
    crash = "printf 'ERROR: Exception:\\nTraceback (most recent call last):\\nAttributeError: x\\n' >&2; exit 1"
    python = python_with_pip(tmp_path, monkeypatch, crash)
    asked = []
    monkeypatch.setattr(packages, "pip_of_distribution", lambda temporary, say: asked.append(temporary))
    with pytest.raises(SetupError, match="this pip does not work with this Python"):
        packages.make_lib(fresh, python, None, lines.append)
    assert len(asked) == 1
    assert lines.count("this pip does not work with this Python; trying another way") == 1


def test_another_python_s_pip_serves_as_well(tmp_path, monkeypatch):
    """lib/ is the same for every CPython; so a Python without pip borrows that of another one."""
    without = tmp_path / "without"
    without.write_text("#!/bin/sh\nexit 1\n")
    without.chmod(0o755)
    other = python_with_pip(tmp_path, monkeypatch, "exit 0")
    monkeypatch.setattr(packages.sys, "executable", str(without))
    monkeypatch.setattr(packages, "_other_pythons", lambda: [other])
    assert list(packages.pips(str(without))) == [[other, "-I", "-m", "pip"]]


def test_a_folder_of_one_s_own_that_cannot_be_written_is_not_blamed_on_others(tmp_path, monkeypatch):
    monkeypatch.setattr(packages.os, "access", lambda path, mode: False)
    with pytest.raises(SetupError) as caught:
        packages.check_writable(tmp_path)
    assert "although it is yours" in str(caught.value)
    assert "sudo" not in str(caught.value)


def test_without_pip_or_index_the_message_says_what_is_missing(fresh, lines, monkeypatch):
    monkeypatch.setattr(packages, "pips", lambda python: iter(()))
    with pytest.raises(SetupError) as caught:
        packages.make_lib(fresh, sys.executable, None, lines.append)
    assert "there is no pip, and no setting of pip" in str(caught.value)


def test_an_offline_folder_without_the_packages_says_how_to_fill_it(fresh, lines, tmp_path, monkeypatch):
    python = python_with_pip(tmp_path, monkeypatch, 'echo "ERROR: No matching distribution found for x" >&2; exit 1')
    with pytest.raises(SetupError) as caught:
        packages.make_lib(fresh, python, tmp_path, lines.append)
    assert f"no wheel of tinytuya 1.20.0 for Python {sys.version.split()[0]} on" in str(caught.value)
    assert "pip download --no-deps --require-hashes" in str(caught.value)


def test_a_machine_without_wheels_takes_the_distributions_pycryptodome(fresh, wheelhouse, lines, monkeypatch):
    """The probe of it is tests/setup/test_probe.py's; here it says that there is one."""
    monkeypatch.setattr(packages, "_has_wheels", lambda: False)
    monkeypatch.setattr(packages, "distribution_crypto", lambda python: "3.11.0")
    packages.make_lib(fresh, sys.executable, wheelhouse, lines.append)
    assert (fresh / "lib/tinytuya/__init__.py").exists()
    assert not (fresh / "lib/Crypto").exists()
    assert packages.is_current(fresh)
    assert any("the distribution's 3.11.0 is used" in line for line in lines)


def test_a_machine_without_wheels_is_told_that_it_compiles(fresh, lines, tmp_path, monkeypatch):
    monkeypatch.setattr(packages, "_has_wheels", lambda: False)
    monkeypatch.setattr(packages, "distribution_crypto", lambda python: None)
    monkeypatch.setattr(packages, "machine", lambda: "armv7l")
    log = tmp_path / "log"
    python = python_with_pip(tmp_path, monkeypatch, f'echo "$*" >> {log}; echo "error: command gcc failed" >&2; exit 1')
    with pytest.raises(SetupError, match="could not be compiled: sudo apt install python3-pycryptodome, or gcc and"):
        packages.make_lib(fresh, python, None, lines.append)
    assert any("no ready-made pycryptodome for this machine (armv7l)" in line for line in lines)
    assert "--only-binary" not in log.read_text()


def test_settings_that_contradict_what_we_ask_for_do_not_reach_pip(monkeypatch):
    contradicting = {"PIP_TARGET", "PIP_PREFIX", "PIP_PYTHON", "PIP_NO_BINARY", "PIP_PLATFORM", "PIP_CONSTRAINT"}
    for name in (*contradicting, "PYTHONPATH", "PYTHONSTARTUP", "PYTHONUSERBASE"):
        monkeypatch.setenv(name, "/elsewhere")
    monkeypatch.setenv("PIP_USER", "1")
    environment = packages.pip_environment()
    assert not contradicting & set(environment)
    assert not any(name.startswith("PYTHON") for name in environment)
    assert environment["PIP_USER"] == "0"


def test_where_packages_are_means_the_same_in_the_folder_where_pip_runs(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    given = {
        "PIP_INDEX_URL": "http://mine/simple",
        "PIP_FIND_LINKS": "wheels https://index/links /absolute",
        "PIP_CERT": "my certificates/own.pem",
        "SSL_CERT_FILE": "/etc/ssl/own.pem",
        "PIP_CLIENT_CERT": "",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    environment = packages.pip_environment()
    assert {name: environment[name] for name in given} == {
        **given,
        "PIP_FIND_LINKS": f"{tmp_path}/wheels https://index/links /absolute",
        "PIP_CERT": f"{tmp_path}/my certificates/own.pem",
    }


@pytest.mark.parametrize(
    ("output", "meaning"),
    [
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES", "another content than pinned"),
        ("SSLError(CERTIFICATE_VERIFY_FAILED)", "does not trust the certificate"),
        ("ERROR: one\nERROR: http://me:secret@index/ two", "pip failed: http://index/ two"),
        ("", "no reason"),
    ],
)
def test_pips_failures_in_plain_words(output, meaning):
    assert meaning in packages.why_pip_failed(output)
