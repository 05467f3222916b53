"""The virtual environment of `bash install.sh test` on a machine whose Python brings no pip."""

from __future__ import annotations

import ensurepip
import subprocess
import sys
from pathlib import Path

import pytest

from tuya.setup import checks, packages
from tuya.setup.errors import SetupError


@pytest.fixture(autouse=True)
def _no_pip_on_this_machine(tmp_path, monkeypatch):
    """As on Debian without python3-venv: no pip anywhere, and `venv` fails unless it is told to do without."""
    monkeypatch.setattr(packages, "pips", lambda python: iter(()))
    monkeypatch.setattr(checks, "_carried_pip", lambda: None)
    python = tmp_path / "python3"
    refuses = 'case "$*" in *--without-pip*) ;; *"-m venv"*) echo "ensurepip is not available"; exit 1;; esac'
    python.write_text(f'#!/bin/sh\n{refuses}\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    monkeypatch.setattr(checks.sys, "executable", str(python))


def test_a_borrowed_pip_is_unpacked_into_it(tmp_path, monkeypatch):
    wheel = next(Path(ensurepip.__file__).parent.glob("_bundled/pip-*.whl"), None)
    if wheel is None:
        pytest.skip("this Python carries no wheel of pip")
    monkeypatch.setattr(packages, "pip_of_distribution", lambda temporary, say: wheel)
    venv = tmp_path / "venv"
    pip = checks._venv_with_pip(venv, str(venv / "bin/python"))
    assert pip == [str(venv / "bin/python"), "-I", "-m", "pip"]
    assert packages.answers([*pip, "--version"])
    assert any(venv.glob(f"lib/python{sys.version_info[0]}.*/site-packages/pip/__init__.py"))


def test_the_pip_that_python_carries_is_enough(tmp_path, monkeypatch):
    wheel = next(Path(ensurepip.__file__).parent.glob("_bundled/pip-*.whl"), None)
    if wheel is None:
        pytest.skip("this Python carries no wheel of pip")
    monkeypatch.setattr(checks, "_carried_pip", lambda: wheel)
    venv = tmp_path / "venv"
    pip = checks._venv_with_pip(venv, str(venv / "bin/python"))
    assert pip == [str(venv / "bin/python"), "-I", "-m", "pip"]
    said = subprocess.run([*pip, "--version"], capture_output=True, text=True, check=True).stdout
    assert said.startswith(f"pip {wheel.name.split('-')[1]} from {venv}")


def test_without_any_pip_it_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(packages, "pip_of_distribution", lambda temporary, say: None)
    with pytest.raises(SetupError, match="can make no virtual environment with pip"):
        checks._venv_with_pip(tmp_path / "venv", str(tmp_path / "venv/bin/python"))
