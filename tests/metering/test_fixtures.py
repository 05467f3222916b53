"""One fixture for each layout, a real dump or one made from the definition; and the table of the README."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict

import pytest

from tuya.metering.catalogue import load
from tuya.metering.decode import decode_dump
from tuya.metering.supported import FIXTURES, LIST, README, families, page, with_families

PATHS = sorted(FIXTURES.glob("*.json"))


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


def test_the_list_has_every_product() -> None:
    text = page()
    for product_id in load().products:
        assert f"`{product_id}`" in text
    first_target = next(line for line in text.splitlines() if "`jdj6ccklup7btq3a`" in line)
    assert "**real dump decoded**" in first_target
    assert "definition only" in text


def test_the_families_count_every_product_once() -> None:
    rows = [line.split("|") for line in families().splitlines() if line.startswith("| ")][1:]
    assert sum(int(row[2]) for row in rows) == len(load().products)
    assert 0 < sum(int(row[3]) for row in rows) < len(load().products)


def test_list_and_readme_are_up_to_date() -> None:
    hint = "python3 -m tuya.metering.supported writes both anew"
    assert LIST.read_text(encoding="utf-8") == page(), hint
    readme = README.read_text(encoding="utf-8")
    assert readme == with_families(readme), hint
