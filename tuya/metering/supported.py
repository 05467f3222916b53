"""The list of supported devices, made from the catalogue and the fixtures. Used by developers and CI only.

`python3 -m tuya.metering.supported` writes it anew: the whole of docs/devices.md, and the counts in the README between
their two markers.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Dict, FrozenSet, List, Tuple

from .catalogue import load
from .layout import Layout

REPOSITORY = Path(__file__).resolve().parent.parent.parent
FIXTURES = REPOSITORY / "tests" / "data" / "devices"
LIST = REPOSITORY / "docs" / "devices.md"
README = REPOSITORY / "README.md"
BEGIN = "<!-- families -->"
END = "<!-- /families -->"
_HEAD = """# Supported devices

Written from the catalogue by `python3 -m tuya.metering.supported`; not to be edited here.

"Real dump decoded" means that a dump which an owner has published is decoded correctly by a test; "definition only"
means that the layout comes from a public definition. Search for the product id, which `bash install.sh keys` writes
into `devices.json` as `product_id`; the same device is sold under many names.

"""
# Beginnings of layout names -> how owners call such devices. The first that fits counts.
_FAMILIES = (
    (("charger",), "car chargers"),
    (("inverter", "micro"), "solar micro inverters"),
    (("pump", "heat", "pool"), "heat pumps and pool pumps"),
    (("atorch",), "Atorch meters"),
    (("old-socket", "socket", "block", "wmdl"), "plugs, strips, wall and DIN switches that measure"),
    (("clamp", "dual-clamp", "two-way", "pj", "pc"), "clamp meters"),
    (("phase1", "sys", "qcb2", "tompd", "voltage", "zn01", "kws302"), "breakers and meters, one phase"),
    (("phase3", "ea-emp3", "kws306", "ktem", "hisb", "din-blocks3"), "breakers and meters, three phases"),
)
_OTHERS = "other meters"
_WORDS = (
    ("power_factor", "power factor"),
    ("frequency", "frequency"),
    ("temperature", "temperature"),
    ("leakage", "leakage"),
)


def _real_products(fixtures: Path) -> FrozenSet[str]:
    """Product ids of which a real dump is decoded in the tests."""
    found = set()
    for path in sorted(fixtures.glob("*.json")):
        fixture = json.loads(path.read_text(encoding="utf-8"))
        if fixture["real"]:
            found.add(fixture["dump"].get("product_id", ""))
    return frozenset(found)


def _shows(layout: Layout, switches: int) -> str:
    circuits = len(layout.channels)
    parts = []
    if switches:
        parts.append("switch" if switches == 1 else f"{switches} switches")
    readings = [name for name, role in (("V", "voltage"), ("A", "current"), ("W", "power")) if layout.of(role, "phase")]
    where = "" if circuits < 2 else f" on {circuits} circuits"
    parts.append(f"{', '.join(readings)}{where}")
    if layout.of("energy"):
        parts.append("kWh counter")
    elif layout.of("power", "phase"):
        parts.append("kWh from W")
    if layout.of("returned"):
        parts.append("returned kWh")
    parts += [word for role, word in _WORDS if layout.of(role)]
    return ", ".join(parts)


def page(fixtures: Path = FIXTURES) -> str:
    """Return docs/devices.md, one row for each name under which a layout is sold."""
    catalogue, real = load(), _real_products(fixtures)
    rows: Dict[Tuple[str, str], List[str]] = {}
    shows: Dict[Tuple[str, str], str] = {}
    for product_id, product in catalogue.products.items():
        layout = catalogue.layouts_of(product_id)[0]
        key = (product.title, layout.name)
        rows.setdefault(key, []).append(product_id)
        shows[key] = _shows(layout, len(layout.switch_dps))
    lines = ["| device | shows | layout | evidence | product ids |", "|---|---|---|---|---|"]
    for (title, layout_name), ids in sorted(rows.items(), key=lambda row: row[0][0].lower()):
        decoded = any(product_id in real for product_id in ids)
        evidence = "**real dump decoded**" if decoded else "definition only"
        listed = " ".join(f"`{product_id}`" for product_id in ids)
        lines.append(f"| {title} | {shows[title, layout_name]} | {layout_name} | {evidence} | {listed} |")
    return _HEAD + "\n".join(lines) + "\n"


def families(fixtures: Path = FIXTURES) -> str:
    """Return the README's block with both markers: how many products of each family there are."""
    catalogue, real = load(), _real_products(fixtures)
    counts: Dict[str, List[str]] = {}
    for product_id in catalogue.products:
        counts.setdefault(_family(catalogue.layouts_of(product_id)[0].name), []).append(product_id)
    lines = [BEGIN, "| family | product ids | of these with a real dump decoded |", "|---|---|---|"]
    for family, ids in sorted(counts.items(), key=lambda row: (row[0] == _OTHERS, -len(row[1]))):
        lines.append(f"| {family} | {len(ids)} | {sum(product_id in real for product_id in ids)} |")
    lines += [
        "",
        "[The list](docs/devices.md) has them all. To look for yours: `grep -i NAME-OR-PRODUCT-ID docs/devices.md`",
        END,
    ]
    return "\n".join(lines)


def _family(layout_name: str) -> str:
    return next((name for beginnings, name in _FAMILIES if layout_name.startswith(beginnings)), _OTHERS)


def with_families(readme: str, fixtures: Path = FIXTURES) -> str:
    """Return the README with its block made anew. Raises ValueError where it has no such block."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"README.md has no block from {BEGIN} to {END}")
    return before + families(fixtures) + after


if __name__ == "__main__":
    LIST.write_text(page(), encoding="utf-8")
    README.write_text(with_families(README.read_text(encoding="utf-8")), encoding="utf-8")
