"""A release archive: made by one command, it installs without a network."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.setup.conftest import REPOSITORY, pin_line
from tuya.setup import release
from tuya.version import plugin_version


def test_an_archive_installs_without_a_network(tmp_path: Path, wheelhouse: Path, monkeypatch: pytest.MonkeyPatch):
    if shutil.which("git") is None or not (REPOSITORY / ".git").exists():
        pytest.skip("an archive is made from what git tracks, and this folder is no clone")
    monkeypatch.setattr(release, "fetch_wheels", lambda _folder: sorted(wheelhouse.glob("*.whl")))
    archive = release.make(tmp_path)
    assert archive.name == f"domoticz-tuya-breakers-{plugin_version()}.tar.gz"
    with tarfile.open(archive) as content:
        assert {member.uid for member in content.getmembers()} == {0}
        content.extractall(tmp_path)  # noqa: S202 - made a moment ago
    folder = tmp_path / archive.name[: -len(".tar.gz")]
    # the wheels of this test are packed from what is installed here, so they have other hashes
    pins = {path.name.split("-")[0]: pin_line(path) for path in wheelhouse.glob("*.whl")}
    (folder / "requirements.txt").write_text(pins["tinytuya"] + pins["pycryptodome"])
    (folder / "requirements-cli.txt").write_text(pins["mdurl"])
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "PYTHON": sys.executable, "PIP_NO_INDEX": "1"}
    command = ["bash", str(folder / "install.sh"), "--python", sys.executable]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "work in a sub-interpreter, twice" in done.stdout
    assert (folder / "lib" / "cli" / "mdurl").is_dir()


def test_without_a_clone_the_reason_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.setattr(release, "REPOSITORY", tmp_path)
    assert release.main([str(tmp_path / "out")]) == 1
    assert "git failed" in capsys.readouterr().err
