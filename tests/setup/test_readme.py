"""The README names only what there is: commands, options, files, pictures, settings."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tuya.__main__ import COMMANDS

REPOSITORY = Path(__file__).resolve().parents[2]
TEXT = (REPOSITORY / "README.md").read_text(encoding="utf-8")
# what the user makes, or what is of other programs
NOT_OURS = {
    ".venv",
    "lib",
    "devices.json",
    "devices.json.bak",
    "snapshot.json",
    "tuya-raw.json",
    ".storage/core.config_entries",
}


def test_every_picture_is_there_and_is_one():
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", TEXT)
    assert len(pictures) >= 3
    for picture in pictures:
        assert (REPOSITORY / picture).read_bytes()[:4] == b"\x89PNG", picture


def test_every_sub_command_is_there_and_all_are_named():
    named = set(re.findall(r"python3 -m tuya ([a-z-]+)", TEXT))
    assert named == set(COMMANDS)


def test_every_command_of_install_sh_is_there():
    named = set(re.findall(r"bash install\.sh ([a-z]+)", TEXT))
    done = subprocess.run(["bash", "install.sh", "--help"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    for command in named - {"install"}:
        assert f"bash install.sh {command}" in done.stdout, command


@pytest.mark.parametrize("option", sorted(set(re.findall(r"bash install\.sh (?:[a-z]+ )?(--[a-z-]+)", TEXT))))
def test_every_option_of_install_sh_is_there(option):
    sources = [REPOSITORY / "tuya/setup/__main__.py", REPOSITORY / "tuya/cli/keys.py"]
    assert any(f'"{option}"' in source.read_text() for source in sources)


def test_every_module_that_is_to_be_run_is_there():
    for module in set(re.findall(r"python3 -m (tuya\.[a-z.]+[a-z])", TEXT)):
        assert (REPOSITORY / (module.replace(".", "/") + ".py")).exists(), module


def test_every_file_that_is_named_is_there():
    named = {word for word in re.findall(r"`([\w./-]+)`", TEXT) if "/" in word or "." in word}
    for path in named - NOT_OURS:
        if path.startswith(("~", "www/", "userdata/")):
            continue  # Domoticz's
        assert (REPOSITORY / path).exists(), path


def test_links_stay_in_this_repository():
    assert re.findall(r"\]\((?:https?:)?//[^)]*\)|https?://(?!127\.0\.0\.1)", TEXT) == []
    anchors = {
        re.sub(r"[^\w -]", "", line.lstrip("# ").lower()).replace(" ", "-")
        for line in TEXT.splitlines()
        if line.startswith("#")
    }
    for anchor in re.findall(r"\]\(#([^)]+)\)", TEXT):
        assert anchor in anchors, anchor


def test_wishes_and_settings_are_those_of_the_plugin():
    wishes = re.findall(r'"(\w+)":', re.search(r'"domoticz": (\{.*\})', TEXT)[1])
    source = (REPOSITORY / "tuya/devices/devices_file.py").read_text()
    for wish in [*(name for name in wishes if name != "current"), "use", "layout", "restore"]:
        assert f'"{wish}"' in source, wish
    manifest = (REPOSITORY / "plugin.py").read_text()
    rows = re.search(r"### Settings on the Hardware page\n(.*?)\n\n[^|]", TEXT, flags=re.DOTALL)[1]
    labels = [label for row in re.findall(r"^\| ([^|]+) \|", rows, flags=re.MULTILINE) for label in row.split(", ")]
    for label in labels:
        if label not in ("field", "---"):
            assert f'label="{label}' in manifest, label
    assert f'name="{re.search(r"type .(Tuya [^.]+?).,", TEXT)[1]}"' in manifest


def test_the_first_screen_says_what_was_not_tested():
    assert "**No physical device has been tested.**" in TEXT[:1500]
