from pathlib import Path

import pytest

from tuya.host import manifest

GOOD = '''"""
<plugin key="Key" name="Name" author="Me" version="1.2">
    <description><b>Text</b></description>
    <params>
        <param field="Address" label="IP"/>
        <param field="Mode1" label="File" default="a.json"/>
        <param field="Mode5" label="Interval"><options>
            <option label="five" value="5" default="true"/><option label="two" value="2"/>
        </options></param>
    </params>
</plugin>
"""
import DomoticzEx
'''


@pytest.fixture
def written(tmp_path):
    def write(source):
        path = tmp_path / "plugin.py"
        path.write_text(source)
        return path

    return write


def test_defaults_are_those_of_the_hardware_page(written):
    found = manifest.read(written(GOOD))
    assert (found.key, found.version) == ("Key", "1.2")
    assert found.defaults() == {"Address": "", "Mode1": "a.json", "Mode5": "5"}


def test_a_good_manifest_has_no_complaints(written, capsys):
    assert manifest.main([str(written(GOOD))]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ('"""\n<plugin', '"""<plugin', "quotes on a line of their own"),
        ("<b>Text</b>", "this & that", "bare &"),
        ("<b>Text</b>", "<b>Text", "well-formed"),
        ("</plugin>", "", "no </plugin>"),
        (' key="Key"', "", "lacks key"),
        ('key="Key"', 'key="my key"', "letters, digits"),
        ('author="Me"', "", "lacks author"),
        ('field="Mode1"', 'field="Mode7"', "'Mode7' is not one of"),
        ('field="Mode1"', 'field="Address"', "Address occurs twice"),
        ('label="IP"', "", "has no label"),
        ('value="5" default="true"', 'value="5"', "the first option"),
        ('value="2"', 'value="2" default="true"', "the first option"),
        ('value="2"', 'value="5"', "offers a value twice"),
        ('default="a.json"', 'default="it\'s"', "breaks the Update button"),
        ("import DomoticzEx", "import DomoticzEx, threading", "`threading`"),
        ("import DomoticzEx", "match x:\n  case 1: pass", "not Python 3.9"),
        ("import DomoticzEx", "def x(:", "not Python 3.9"),
    ],
)
def test_what_domoticz_would_not_take_is_said(written, capsys, before, after, reason):
    assert before in GOOD
    path = written(GOOD.replace(before, after, 1))
    assert manifest.main([str(path)]) == 1
    assert reason in capsys.readouterr().err


def test_a_manifest_outside_the_docstring_is_said(written, capsys):
    assert manifest.main([str(written("import sys\n" + GOOD))]) == 1
    assert "not plugin.py's docstring" in capsys.readouterr().err


def test_a_linked_plugin_is_said(written, tmp_path, capsys):
    real = written(GOOD)
    link = tmp_path / "other" / "plugin.py"
    link.parent.mkdir()
    link.symlink_to(real)
    assert manifest.main([str(link)]) == 1
    assert "symbolic link" in capsys.readouterr().err


def test_a_missing_file_is_said(tmp_path, capsys):
    assert manifest.main([str(tmp_path / "plugin.py")]) == 1
    assert "cannot be read" in capsys.readouterr().err


def test_this_projects_plugin_passes():
    path = Path(__file__).resolve().parents[2] / "plugin.py"
    assert list(manifest.complaints(path)) == []
    assert manifest.read(path).key == "TuyaEnergy"
