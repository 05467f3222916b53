"""One fixture for each layout, a real dump or one made from the definition; and the table of the README."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict

import pytest

from tuya.metering.catalogue import load
from tuya.metering.decode import decode_dump
from tuya.metering.supported import BEGIN, END, FIXTURES, table

PATHS = sorted(FIXTURES.glob("*.json"))
README = Path(__file__).parent.parent.parent / "README.md"


def fixture(path: Path) -> Dict[str, Any]:
    content: Dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_fixture(path: Path) -> None:
    content = fixture(path)
    assert decode_dump(content["dump"]) == content["expected"]


def test_every_layout_has_a_fixture() -> None:
    assert {fixture(path)["layout"] for path in PATHS} == set(load().layouts)


def test_no_fixture_names_a_device() -> None:
    for path in PATHS:
        assert set(fixture(path)["dump"]) <= {"product_id", "category", "mapping", "dps", "domoticz"}


def test_the_table_has_every_product() -> None:
    text = table()
    assert text.startswith(BEGIN)
    assert text.rstrip().endswith(END)
    for product_id in load().products:
        assert f"`{product_id}`" in text
    first_target = next(line for line in text.splitlines() if "`jdj6ccklup7btq3a`" in line)
    assert "**real dump decoded**" in first_target
    assert "definition only" in text


def test_the_table_of_the_readme_is_up_to_date() -> None:
    text = README.read_text(encoding="utf-8") if README.exists() else ""
    if BEGIN not in text:
        pytest.skip("README.md has no block of supported devices")
    block = text[text.index(BEGIN) : text.index(END) + len(END)]
    assert block == table().rstrip("\n"), "python3 -m tuya.metering.supported prints the new block"
