"""The pinned requirement files as they are, and what is refused in them."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from tuya.domoticz.installation import stamps
from tuya.setup.errors import SetupError
from tuya.setup.pins import read_pins, stamp

REPOSITORY = Path(__file__).resolve().parents[2]


def test_runtime_pins_are_tinytuya_and_pycryptodome_alone():
    pins = read_pins(REPOSITORY / "requirements.txt", "x86_64")
    assert [(pin.name, pin.release) for pin in pins] == [("tinytuya", "1.20.0"), ("pycryptodome", "4.4.0")]
    assert len(pins[1].hashes) == 7


@pytest.mark.parametrize(("machine", "release"), [("aarch64", "4.4.0"), ("armv7l", "4.4.0"), ("i686", "3.23.0")])
def test_each_machine_gets_one_pycryptodome(machine, release):
    pins = read_pins(REPOSITORY / "requirements.txt", machine)
    assert [pin.release for pin in pins if pin.name == "pycryptodome"] == [release]


def test_cli_pins_hold_what_tinytuyas_cloud_and_our_tables_need():
    names = {pin.project for pin in read_pins(REPOSITORY / "requirements-cli.txt", "x86_64")}
    assert {"requests", "colorama", "rich", "charset-normalizer"} <= names
    assert "cryptography" not in names


@pytest.mark.parametrize(
    "name", ["requirements.txt", "requirements-cli.txt", "requirements-dev.txt", "requirements-tuyamock.txt"]
)
def test_everything_is_pinned_by_release_and_hash(name):
    text = (REPOSITORY / name).read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert len(lines) >= 3
    for line in lines:
        assert re.match(r"[a-z0-9-]+==[0-9][^ ]* .*--hash=sha256:[0-9a-f]{64}", line), line


@pytest.mark.parametrize("line", ["requests", "requests>=2", "requests==2.1", "-r other.txt", "a==1 --hash=md5:12"])
def test_anything_not_pinned_is_refused(tmp_path, line):
    path = tmp_path / "requirements.txt"
    path.write_text(line + "\n")
    with pytest.raises(SetupError, match=r"no pinned package"):
        read_pins(path, "x86_64")


def test_the_stamp_is_of_the_pins_and_not_of_what_is_said_about_them(tmp_path):
    path = tmp_path / "requirements.txt"
    path.write_bytes(b"a==1 \\\n    --hash=sha256:12\n")
    before = stamp(path)
    for same in (
        b"# new words\na==1 --hash=sha256:12\n\n",
        b"a==1   \\\n --hash=sha256:12 # why\n",
        b"\na==1 --hash=sha256:12",
    ):
        path.write_bytes(same)
        assert stamp(path) == before, same
    for other in (b"a==2 --hash=sha256:12\n", b"a==1 --hash=sha256:13\n", b"a==1 --hash=sha256:12\nb==1\n", b""):
        path.write_bytes(other)
        assert stamp(path) != before, other


def test_a_stamp_of_an_earlier_release_counts_while_the_file_is_the_same():
    text = b"# words\na==1\n"
    assert hashlib.sha256(text).hexdigest() in stamps(text)
    assert hashlib.sha256(text).hexdigest() not in stamps(text + b"# more\n")
