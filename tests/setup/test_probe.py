"""The distribution's own pycryptodome, where no ready-made one fits: asked for, and used, as Domoticz would use it."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tuya.setup import packages
from tuya.setup.probe import distribution_crypto, probe


@pytest.fixture(scope="module")
def python_with(tmp_path_factory):
    """Make a Python whose site-packages hold a Cryptodome: pycryptodome as distributions package it, or as given."""

    def make(module: str = "") -> str:
        venv = tmp_path_factory.mktemp("python") / "venv"
        subprocess.run([sys.executable, "-I", "-m", "venv", "--without-pip", str(venv)], check=True)
        site_packages = next((venv / "lib").glob("python3*")) / "site-packages"
        if module:
            (site_packages / "Cryptodome").mkdir()
            (site_packages / "Cryptodome/__init__.py").write_text(module)
        else:
            spec = importlib.util.find_spec("Crypto")
            shutil.copytree(Path(spec.origin).parent, site_packages / "Cryptodome")
            for path in (site_packages / "Cryptodome").rglob("*.py"):
                path.write_text(re.sub(r"\bCrypto\b", "Cryptodome", path.read_text(encoding="utf-8")))
        return str(venv / "bin/python")

    return make


def test_one_that_works_is_used_in_sub_interpreters(python_with, fresh, wheelhouse, monkeypatch):
    python = python_with()
    assert distribution_crypto(python) is not None
    monkeypatch.setattr(packages, "_has_wheels", lambda: False)
    packages.make_lib(fresh, python, wheelhouse, lambda text: None)
    assert not (fresh / "lib/Crypto").exists()
    assert probe(python, fresh)["crypto"] == "PyCryptodomex"


def test_one_of_the_system_is_passed_over_where_lib_has_its_own(python_with, installed):
    assert probe(python_with(), installed)["crypto"] == "PyCryptodome"


@pytest.mark.parametrize(
    "module", ["raise ImportError('wrong ELF class')\n", "__version__ = '3.11.0'\n", "import os; os.abort()\n"]
)
def test_one_that_does_not_work_counts_as_none(python_with, module):
    assert distribution_crypto(python_with(module)) is None


def test_none_there(tmp_path):
    assert distribution_crypto("/no/such/python") is None
