"""The README's table of supported devices, made from the catalogue and the fixtures. Used by developers and CI only.

`python3 -m tuya.metering.supported` prints the block between the two markers.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Dict, FrozenSet, List, Tuple

from .catalogue import load
from .layout import Layout

BEGIN = "<!-- supported devices -->"
END = "<!-- /supported devices -->"
FIXTURES = Path(__file__).resolve().parent.parent.parent / "tests" / "data" / "devices"
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


def table(fixtures: Path = FIXTURES) -> str:
    """Return the Markdown block with both markers, one row for each name under which a layout is sold."""
    catalogue, real = load(), _real_products(fixtures)
    rows: Dict[Tuple[str, str], List[str]] = {}
    shows: Dict[Tuple[str, str], str] = {}
    for product_id, product in catalogue.products.items():
        layout = catalogue.layouts_of(product_id)[0]
        key = (product.title, layout.name)
        rows.setdefault(key, []).append(product_id)
        shows[key] = _shows(layout, len(layout.switch_dps))
    lines = [BEGIN, "| device | shows | layout | evidence | product ids |", "|---|---|---|---|---|"]
    for (title, layout_name), ids in sorted(rows.items(), key=lambda row: row[0][0].lower()):
        decoded = any(product_id in real for product_id in ids)
        evidence = "**real dump decoded**" if decoded else "definition only"
        listed = " ".join(f"`{product_id}`" for product_id in ids)
        lines.append(f"| {title} | {shows[title, layout_name]} | {layout_name} | {evidence} | {listed} |")
    lines.append(END)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(table())
