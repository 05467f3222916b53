"""Reads catalogue.txt: products -> layouts -> data points.

`python3 -m tuya.metering.catalogue [FILE]` checks the file and says file and line of every mistake.
"""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

from .layout import DEVICE_LEVEL, DIRECT, MEASURES, ROLES, Field, Layout, Slice

CATALOGUE = Path(__file__).with_name("catalogue.txt")
MAX_DP = 255
# unit as written -> (unit of the reading, factor); the role decides which of them may stand
UNITS: Dict[str, Tuple[str, float]] = {
    "V": ("V", 1.0),
    "mV": ("V", 0.001),
    "A": ("A", 1.0),
    "mA": ("A", 0.001),
    "W": ("W", 1.0),
    "kW": ("W", 1000.0),
    "Wh": ("kWh", 0.001),
    "kWh": ("kWh", 1.0),
    "Hz": ("Hz", 1.0),
    "C": ("C", 1.0),
    "": ("", 1.0),
}
CHANNELS = ("a", "b", "c", "total", *(str(n) for n in range(1, 21)))
KINDS = ("charger", "inverter")
LINES = ("refresh", "query", "power_age", "max_power", "kind", "produces", "shape", "threshold")
# stands for the line "refresh" or "query" where the lines of data points are kept
ASKED = -1
LIMIT_NAMES = ("over_current", "over_voltage", "under_voltage", "leakage", "temperature", "over_power", "low_balance")
THRESHOLD_NAMES = ("over_voltage", "under_voltage", "over_current", "leakage", "temperature", "overload", "high_power")

_LSB = re.compile(r"(\d+(?:\.\d+)?)([A-Za-z]*)$")
_SLICE = re.compile(r"raw(\d+)\[(\d+):(\d+)\](s?)(le)?$")
_DPS = re.compile(r"(\d+)(?:-(\d+))?$")
_PRODUCT = re.compile(r'product (\S+) = (\S+(?: or \S+)*?)(?: switches=([\d,]+))? "([^"]+)"$')
_LAYOUT = re.compile(r'layout ([a-z0-9-]+)(?: extends ([a-z0-9-]+))? "([^"]+)"$')


Problem = Tuple[int, str]


class CatalogueError(ValueError):
    """The mistakes in a catalogue, each with its line: what stands there and what was expected.

    The text has a line for each: "catalogue.txt:12: unknown role 'currant': wanted one of ...". line: of the first.
    """

    def __init__(self, path: str, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(f"{path}:{line}: {what}" for line, what in self.problems))
        self.line = self.problems[0][0]


class Product(NamedTuple):
    """A product id, its printed name and the layouts it is sold with (several: the DPs present decide)."""

    product_id: str
    title: str
    layouts: Tuple[str, ...]
    switch_dps: Tuple[int, ...]
    line: int


class Catalogue(NamedTuple):
    """Everything in the file, in its order."""

    layouts: Mapping[str, Layout]
    products: Mapping[str, Product]

    def layouts_of(self, product_id: str) -> Tuple[Layout, ...]:
        """Return the layouts of a product with its own switches, () for an unknown one."""
        product = self.products.get(product_id)
        if product is None:
            return ()
        return tuple(_with_switches(self.layouts[name], product.switch_dps) for name in product.layouts)


def _with_switches(layout: Layout, switch_dps: Tuple[int, ...]) -> Layout:
    if not switch_dps:
        return layout
    rest = tuple(one for one in layout.fields if one.role != "switch" and one.dp not in switch_dps)
    return replace(layout, fields=tuple(Field(dp, "switch") for dp in switch_dps) + rest)


_UNIT_OF: Dict[str, str] = {**MEASURES, **DIRECT, "phase": "W"}


def _lsb(word: str, role: str) -> float:
    """Return an LSB in the unit of the role's readings. Raises ValueError."""
    matched = _LSB.match(word)
    if not matched or matched.group(2) not in UNITS or float(matched.group(1)) <= 0:
        raise ValueError(f"{word!r} is no LSB: wanted a number and a unit, for example 0.1V")
    unit, factor = UNITS[matched.group(2)]
    amount = float(matched.group(1)) * factor
    wanted = _UNIT_OF[role]
    if role == "leakage" and unit == "A":
        return round(amount * 1000, 9)
    if role == "increment" and unit == "kWh":
        return round(amount * 1000, 9)
    if unit != wanted:
        raise ValueError(f"{word!r} is no unit of {role}")
    return round(amount, 9)


def _field(dp: int, role: str, words: List[str]) -> Field:
    """Return one field of a layout. Raises ValueError with what is wrong."""
    if role not in ROLES:
        raise ValueError(f"unknown role {role!r}: wanted one of {', '.join(sorted(ROLES))}")
    given: Dict[str, Any] = {"channel": "" if role in DEVICE_LEVEL else "1"}
    for word in words:
        name, _, value = word.partition("=")
        part, lsb = _SLICE.match(word), _LSB.match(word)
        if word.startswith("@") and word[1:] in CHANNELS and role not in DEVICE_LEVEL:
            given["channel"] = word[1:]
        elif part and role in MEASURES:
            size, start, end = (int(part.group(n)) for n in (1, 2, 3))
            if not start < end <= size:
                raise ValueError(f"{word!r}: wanted start < end <= size")
            given["part"] = Slice(size, start, end, bool(part.group(5)), bool(part.group(4)))
        elif name == "key" and value and role in (*MEASURES, "phase"):
            given["key"] = value
        elif name == "records" and role == "phase":
            given["records"] = tuple(int(size) for size in value.split(","))
        elif name == "name" and role == "limit" and value in LIMIT_NAMES:
            given["name"] = value
        elif name == "action" and role == "limit" and value.isdigit():
            given["action"] = int(value)
        elif lsb and role == "limit" and "lsb" not in given:
            given.update(lsb=float(lsb.group(1)), unit=lsb.group(2))
        elif name == "set" and role == "alarm_set" and value in ("1", "2"):
            given["number"] = int(value)
        elif name == "labels" and role == "faults" and value:
            given["labels"] = tuple(value.split(","))
        elif name == "signed_by" and role in ("power", "phase") and value.isdigit():
            given["signed_by"] = int(value)
        elif word == "else" and role in (*MEASURES, "phase"):
            given["fallback"] = True
        elif word == "by_id" and role in (*MEASURES, "faults"):
            given["by_id"] = True
        elif word == "by_shape" and role in ("energy", "increment", "temperature"):
            given["by_shape"] = True
        elif name == "no_data" and role in MEASURES and value.isdigit():
            given["no_data"] = float(value)
        elif word == "zero_when_off" and role == "power":
            given["zero_when_off"] = True
        elif lsb and (role in MEASURES or role in DIRECT or role == "phase") and "lsb" not in given:
            given.update(lsb=_lsb(word, role), power_lsb_known=role == "phase")
        else:
            raise ValueError(f"{word!r} cannot stand after {role}")
    if (role in MEASURES or role in DIRECT) and "lsb" not in given:
        raise ValueError(f"{role} needs an LSB, for example {'0.01' + {**MEASURES, **DIRECT}[role]}")
    if role == "limit" and not ("name" in given and "lsb" in given):
        raise ValueError("limit needs a name and an LSB, for example name=over_voltage 1V")
    if role == "alarm_set" and "number" not in given:
        raise ValueError("alarm_set needs set=1 or set=2")
    return Field(dp, role, **given)


def _without_comment(line: str) -> str:
    """Return a line up to its comment: a "#" at its beginning or behind a blank, but not between quotation marks."""
    if "#" not in line:
        return line.rstrip()
    quoted = False
    for at, sign in enumerate(line):
        if sign == '"':
            quoted = not quoted
        elif sign == "#" and not quoted and (at == 0 or line[at - 1].isspace()):
            return line[:at].rstrip()
    return line.rstrip()


class _Reader:
    """Turns the lines of one file into layouts and products, and collects every mistake with its line."""

    def __init__(self) -> None:
        self.layouts: Dict[str, Layout] = {}
        self.products: Dict[str, Product] = {}
        self.problems: List[Problem] = []
        self.lines: Dict[Tuple[str, int], int] = {}  # (layout, DP or 0 for its head) -> line
        self.number = 0
        self.current = ""
        self.fields: List[Field] = []  # of the current layout
        self.in_layout = False
        self.own: Set[Tuple[int, str, Optional[Slice]]] = set()
        self.own_dps: Set[int] = set()

    def read(self, text: str) -> Catalogue:
        for number, raw in enumerate(text.splitlines(), 1):
            self.number = number
            line = _without_comment(raw)
            if not line:
                continue
            try:
                if line[0] != " ":
                    self._finish()
                    self.in_layout = line.split()[0] == "layout"  # also a broken one: its lines are no new mistakes
                    self._top(line, number)
                elif self.current:
                    self._inside(line.split())
                elif not self.in_layout:
                    raise ValueError("an indented line belongs under a layout")
            except ValueError as error:
                self.problems.append((number, str(error)))
        self._finish()
        return Catalogue(self.layouts, self.products)

    def _finish(self) -> None:
        """Give the current layout the fields that were read."""
        if self.current:
            self.layouts[self.current] = replace(self.layouts[self.current], fields=tuple(self.fields))
        self.current = ""

    def _top(self, line: str, number: int) -> None:
        head = _LAYOUT.match(line)
        if head:
            name, parent, title = head.groups()
            if name in self.layouts:
                raise ValueError(f"layout {name} stands twice")
            if parent and parent not in self.layouts:
                raise ValueError(f"layout {parent} must stand before it is extended")
            base = self.layouts[parent] if parent else Layout(name, ())
            self.layouts[name] = replace(base, name=name, title=title, shape=False)
            self.lines[name, 0] = number
            self.current = name
            self.fields = list(base.fields)
            self.own.clear()
            self.own_dps.clear()
            return
        product = _PRODUCT.match(line)
        if not product:
            raise ValueError(
                'wanted: layout NAME [extends NAME] "TITLE" or product ID = LAYOUT [or LAYOUT] [switches=1,2] "TITLE"'
            )
        product_id, names, switches, title = product.groups()
        if product_id in self.products:
            raise ValueError(f"product {product_id} stands twice (line {self.products[product_id].line})")
        layouts = tuple(names.split(" or "))
        for name in layouts:
            if name not in self.layouts:
                raise ValueError(f"product {product_id}: there is no layout {name}")
        switch_dps = tuple(_dp(word) for word in switches.split(",")) if switches else ()
        self.products[product_id] = Product(product_id, title, layouts, switch_dps, number)

    def _inside(self, words: List[str]) -> None:
        layout = self.layouts[self.current]
        if words[0] in ("refresh", "query"):
            dps = tuple(_dp(word) for word in words[1:])
            layout = replace(layout, **{f"{words[0]}_dps": dps})  # type: ignore[arg-type]
            self.lines[self.current, ASKED] = self.number
        elif words[0] == "power_age" and len(words) == 2 and words[1].isdigit():
            layout = replace(layout, power_max_age_s=float(words[1]))
        elif words[0] == "max_power" and len(words) == 2 and words[1].isdigit():
            layout = replace(layout, max_power_w=float(words[1]))
        elif words[0] == "kind" and len(words) == 2 and words[1] in KINDS:
            layout = replace(layout, kind=words[1])
        elif words == ["produces"]:
            layout = replace(layout, produces=True)
        elif words == ["shape"]:
            layout = replace(layout, shape=True)
        elif words[0] == "threshold" and len(words) == 3 and words[1] in THRESHOLD_NAMES:
            low, _, high = words[2].partition("..")
            if not (low.isdigit() and high.isdigit() and int(low) < int(high) < 2**16):
                raise ValueError(f"{words[2]!r}: wanted LOW..HIGH")
            layout = replace(layout, thresholds={**layout.thresholds, words[1]: (int(low), int(high))})
        elif _DPS.match(words[0]) and len(words) > 1:
            self._add_fields(words)
            return
        else:
            raise ValueError(f"{' '.join(words)!r}: wanted DP ROLE ... or one of {', '.join(LINES)}")
        self.layouts[self.current] = layout

    def _add_fields(self, words: List[str]) -> None:
        first, last = _DPS.match(words[0]).groups()  # type: ignore[union-attr]
        for dp in range(_dp(first), _dp(last or first) + 1):
            one = _field(dp, words[1], words[2:])
            if dp not in self.own_dps:
                if any(other.dp == dp for other in self.fields):  # of the layout that is extended
                    self.fields = [other for other in self.fields if other.dp != dp]
                self.own_dps.add(dp)
            key = (dp, one.role + (one.channel if one.part or one.key else ""), one.part)
            if key in self.own:
                raise ValueError(f"DP {dp} stands twice as {one.role}")
            self.own.add(key)
            self.lines[self.current, dp] = self.number
            self.fields.append(one)


def _dp(word: str) -> int:
    if not word.isdigit() or not 1 <= int(word) <= MAX_DP:
        raise ValueError(f"{word!r} is no data point: wanted 1 to {MAX_DP}")
    return int(word)


def _problems(catalogue: Catalogue, lines: Mapping[Tuple[str, int], int]) -> List[Problem]:
    """Return what is wrong across lines: quantities claimed twice, directions that do not exist, unused layouts."""
    found: List[Problem] = []
    used = {name for product in catalogue.products.values() for name in product.layouts}

    def problem(layout: Layout, what: str, *dps: int) -> None:
        own = [lines[layout.name, dp] for dp in dps if (layout.name, dp) in lines]
        found.append((max(own, default=lines.get((layout.name, 0), 0)), f"layout {layout.name}: {what}"))

    for layout in catalogue.layouts.values():
        claims: Dict[Tuple[str, str], int] = {}
        for one in layout.of("voltage", "current", "power", "power_factor", "energy", "returned", "balance"):
            if one.fallback:
                continue
            other = claims.setdefault((one.role, one.channel), one.dp)
            if other != one.dp:
                problem(layout, f"DPs {other} and {one.dp} both claim {one.role} @{one.channel}", other, one.dp)
        dps = {one.dp for one in layout.fields}
        for one in layout.fields:
            if one.signed_by is not None and one.signed_by not in dps:
                problem(layout, f"DP {one.dp} is signed by DP {one.signed_by}, which is not in it", one.dp)
        for dp in layout.refresh_dps + layout.query_dps:
            if dp not in dps:
                problem(layout, f"DP {dp} is refreshed or queried and has no meaning", ASKED)
        if layout.name not in used and not layout.shape:
            problem(layout, "belongs to no product and is not marked shape")
    return found


def parse(text: str, path: str = "catalogue") -> Catalogue:
    """Return the catalogue in a text. Raises CatalogueError with file and line of every mistake."""
    reader = _Reader()
    catalogue = reader.read(text)
    problems = reader.problems or _problems(catalogue, reader.lines)
    if problems:
        raise CatalogueError(path, problems)
    return catalogue


@lru_cache(maxsize=1)
def load() -> Catalogue:
    """Return the catalogue that belongs to this plugin; read once."""
    return parse(CATALOGUE.read_text(encoding="utf-8"), CATALOGUE.name)


def main(argv: Optional[List[str]] = None) -> int:
    """Check one catalogue file (default: the plugin's). Returns 0, or 1 with file and line on standard error."""
    words = sys.argv[1:] if argv is None else argv
    path = Path(words[0]) if words else CATALOGUE
    try:
        catalogue = parse(path.read_text(encoding="utf-8"), str(path))
    except (CatalogueError, OSError, UnicodeDecodeError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{path.name}: {len(catalogue.products)} products, {len(catalogue.layouts)} layouts\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
