"""README and docs name only what there is: commands, options, files, pictures, settings, places in each other."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tuya.__main__ import COMMANDS

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
TEXTS = {page: page.read_text(encoding="utf-8") for page in PAGES}
README = TEXTS[PAGES[0]]
TEXT = "\n".join(TEXTS.values())
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
# what the user makes, or what is of other programs
NOT_OURS = {
    ".venv",
    "lib",
    "wheels",
    "devices.json",
    "devices.json.bak",
    "domoticz.db",
    "snapshot.json",
    "tuya-raw.json",
    "mqtt-totals.json",
    ".storage/core.config_entries",
}


def test_every_picture_is_there_and_is_one():
    pictures = [
        page.parent / picture for page, text in TEXTS.items() for picture in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)
    ]
    assert len(pictures) >= 5
    for picture in pictures:
        assert picture.read_bytes()[:4] == b"\x89PNG", picture


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
        if path.startswith(("~", "www/", "userdata/", "/opt/domoticz/", "BASE/", "PREFIX/")) or path.endswith(".com"):
            continue  # Domoticz's, and topics
        assert (REPOSITORY / path).exists(), path


@every_page
def test_links_stay_in_this_repository_and_lead_somewhere(page):
    text = TEXTS[page]
    assert re.findall(r"\]\((?:https?:)?//[^)]*\)|https?://(?!127\.0\.0\.1|localhost)", text) == []
    for link in re.findall(r"(?<!!)\[[^\]]+\]\(([^)]+)\)", text):
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target in TEXTS, link
        if anchor:
            assert anchor in anchors(TEXTS[target]), link


def anchors(text):
    """What a forge makes of the headings: lower case, spaces as hyphens, no punctuation."""
    return {
        re.sub(r"[^\w -]", "", line.lstrip("# ").lower()).replace(" ", "-")
        for line in text.splitlines()
        if line.startswith("#")
    }


def test_every_page_can_be_found_from_the_readme():
    for page in PAGES[1:]:
        assert f"(docs/{page.name}" in README, page.name


def test_wishes_and_settings_are_those_of_the_plugin():
    wishes = re.findall(r'"(\w+)":', re.search(r'"domoticz": (\{.*\})', README)[1])
    source = (REPOSITORY / "tuya/devices/devices_file.py").read_text()
    for wish in [*(name for name in wishes if name != "current"), "use", "layout", "restore"]:
        assert f'"{wish}"' in source, wish
    manifest = (REPOSITORY / "plugin.py").read_text()
    rows = re.search(r"### Settings on the Hardware page\n(.*?)\n\n[^|]", README, flags=re.DOTALL)[1]
    labels = [label for row in re.findall(r"^\| ([^|]+) \|", rows, flags=re.MULTILINE) for label in row.split(", ")]
    for label in labels:
        if label not in ("field", "---"):
            assert f'label="{label}' in manifest, label
    assert f'name="{re.search(r"type .(Tuya [^.]+?).,", README)[1]}"' in manifest


def test_the_first_screen_says_what_was_not_tested():
    assert "**No physical device has been tested.**" in README[:1500]
