"""The catalogue file: what stands in it, and that each mistake is found with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuya.metering import catalogue
from tuya.metering.layout import ROLES

GOOD = """\
layout plug "a plug"
    1 switch
    18 current 1mA
    19 power 0.1W
    20 voltage 0.1V
product abc = plug switches=1,2 "Maker model"
"""


def test_every_product_has_layouts_and_every_layout_a_use() -> None:
    known = catalogue.load()
    assert len(known.products) >= 122
    for product in known.products.values():
        assert product.layouts
        for layout in known.layouts_of(product.product_id):
            assert layout.of("voltage", "current", "power", "phase", "energy")
    assert len(known.layouts) < len(known.products) / 2


def test_every_role_is_used_somewhere() -> None:
    used = {one.role for layout in catalogue.load().layouts.values() for one in layout.fields}
    assert used == set(ROLES)


def test_every_decoder_is_used_somewhere() -> None:
    fields = [one for layout in catalogue.load().layouts.values() for one in layout.fields]
    sizes = {one.part.size for one in fields if one.part}
    assert sizes == {2, 3, 6, 8, 9, 12, 13, 15, 81}
    assert any(one.part.little for one in fields if one.part)
    assert any(one.part.signed for one in fields if one.part)
    assert any(one.records for one in fields)
    assert any(one.power_lsb_known for one in fields)
    assert any(one.signed_by for one in fields)
    assert any(one.zero_when_off for one in fields)
    assert any(one.fallback for one in fields)
    assert any(one.by_id for one in fields)


def test_a_product_may_have_its_own_switches() -> None:
    layout = catalogue.parse(GOOD).layouts_of("abc")[0]
    assert layout.switch_dps == (1, 2)
    assert layout.of("current")[0].lsb == 0.001


@pytest.mark.parametrize(
    ("line", "number", "what"),
    [
        ("    18 currant 1mA", 3, "unknown role"),
        ("    18 current", 3, "needs an LSB"),
        ("    18 current 1V", 3, "no unit of current"),
        ("    18 current 1mB", 3, "no LSB"),
        ("    18 current 1mA @z", 3, "cannot stand"),
        ("    18 current 1mA 2mA", 3, "cannot stand"),
        ("    0 current 1mA", 3, "no data point"),
        ("    300 current 1mA", 3, "no data point"),
        ("    18", 3, "wanted DP ROLE"),
        ("    18 current 1mA raw8[5:2]", 3, "start < end"),
        ("    17 alarm_set", 3, "set=1"),
        ("    threshold over_voltage 300..200", 3, "LOW..HIGH"),
        ("    threshold colour 1..2", 3, "wanted DP ROLE"),
        ("    1 switch", 3, "twice"),
        ("layout plug", 3, "wanted: layout"),
        ("product x = nothing", 3, "wanted: layout"),
        ('product x = nothing "Maker"', 3, "no layout nothing"),
        ('layout plug "again"', 3, "twice"),
        ('layout other extends nothing "x"', 3, "must stand before"),
    ],
)
def test_mistakes_are_found_with_their_line(line: str, number: int, what: str) -> None:
    lines = GOOD.splitlines()
    lines.insert(2, line)
    with pytest.raises(catalogue.CatalogueError, match=what) as error:
        catalogue.parse("\n".join(lines), "file.txt")
    assert error.value.line == number
    assert str(error.value).startswith("file.txt:3: ")


@pytest.mark.parametrize(
    ("extra", "what"),
    [
        ("    21 power 1W\n", "both claim power"),
        ("    19 power 0.1W signed_by=77\n", "not in it"),
        ("    refresh 99\n", "no meaning"),
    ],
)
def test_mistakes_across_lines(extra: str, what: str) -> None:
    text = GOOD.replace("    19 power 0.1W\n", extra if "19 power" in extra else "    19 power 0.1W\n" + extra)
    with pytest.raises(catalogue.CatalogueError, match=what):
        catalogue.parse(text)


def test_an_unused_layout_is_a_mistake() -> None:
    with pytest.raises(catalogue.CatalogueError, match="belongs to no product"):
        catalogue.parse(GOOD + 'layout other "x"\n    1 switch\n')


def test_a_product_that_stands_twice() -> None:
    with pytest.raises(catalogue.CatalogueError, match="twice"):
        catalogue.parse(GOOD + 'product abc = plug "again"\n')


def test_the_checker(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert catalogue.main([]) == 0
    assert f"{len(catalogue.load().products)} products" in capsys.readouterr().out
    broken = tmp_path / "broken.txt"
    broken.write_text(GOOD + "    nonsense\n")
    assert catalogue.main([str(broken)]) == 1
    assert capsys.readouterr().err.startswith(f"{broken}:7: ")
    assert catalogue.main([str(tmp_path / "missing")]) == 1


def test_all_mistakes_are_told_at_once_each_with_its_line() -> None:
    text = GOOD.replace("18 current 1mA", "18 currant 1mA").replace("20 voltage 0.1V", "20 voltage 1W")
    with pytest.raises(catalogue.CatalogueError) as error:
        catalogue.parse(text + 'product abc = nothing "again"\n', "file.txt")
    lines = str(error.value).splitlines()
    assert [line.split(": ")[0] for line in lines] == ["file.txt:3", "file.txt:5", "file.txt:7"]
    assert "currant" in lines[0]


def test_a_mistake_across_lines_names_the_line_it_means() -> None:
    for extra, number in (
        ("    21 power 1W\n", 6),
        ("    refresh 99\n", 6),
        ("    21 power 1W else signed_by=77\n", 6),
    ):
        lines = GOOD.splitlines(keepends=True)
        with pytest.raises(catalogue.CatalogueError) as error:
            catalogue.parse("".join([*lines[:5], extra, *lines[5:]]))
        assert error.value.line == number


def test_lines_of_a_broken_layout_are_no_new_mistakes() -> None:
    with pytest.raises(catalogue.CatalogueError) as error:
        catalogue.parse('layout Broken!\n    18 current 1mA\nproduct abc = plug "x"\n')
    assert [line for line, _ in error.value.problems] == [1, 3]


def test_a_number_sign_inside_a_title_is_no_comment() -> None:
    text = GOOD.replace('"Maker model"', '"Maker model #2"  # seen once')
    assert catalogue.parse(text).products["abc"].title == "Maker model #2"
