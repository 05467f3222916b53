"""Reads and checks the XML in plugin.py's docstring.

`python3 -m tuya.host.manifest plugin.py` exits 1 with the reason where a release of Domoticz would not list the
plugin, or would do something that its author did not want. Read from hardware/plugins/PluginManager.cpp (BuildManifest,
PluginList) and www/app/hardware (a ' or a trailing backslash in a ModeN breaks the Update button).
"""

from __future__ import annotations

import ast
import re
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterator, List, Sequence, Tuple

FIELDS = (
    *("Address", "Port", "SerialPort", "Username", "Password"),
    *("Mode1", "Mode2", "Mode3", "Mode4", "Mode5", "Mode6"),
)
REQUIRED_ATTRIBUTES = ("key", "name", "author", "version")


class ManifestError(ValueError):
    """Domoticz would not list this plugin."""


@dataclass(frozen=True)
class Parameter:
    """One field of the Hardware page. `options`: stored values with their labels, empty for a text field."""

    field: str
    label: str
    default: str
    options: Tuple[Tuple[str, str], ...]
    default_options: Tuple[str, ...]  # the values marked default="true"


@dataclass(frozen=True)
class Manifest:
    """What Domoticz knows of a plugin before it runs."""

    key: str
    name: str
    author: str
    version: str
    parameters: Tuple[Parameter, ...]

    def defaults(self) -> Dict[str, str]:
        """Return what the Hardware page stores when a user changes nothing, by field."""
        return {parameter.field: parameter.default for parameter in self.parameters}


def manifest_text(source: str) -> str:
    """Cut the manifest out of plugin.py as BuildManifest does: whole lines, from <plugin to </plugin>."""
    taken: List[str] = []
    for line in source.splitlines():
        if taken or "<plugin" in line:
            taken.append(line)
        if "</plugin>" in line:
            break
    return "\n".join(taken)


def read(plugin: Path) -> Manifest:
    """Read the manifest of plugin.py. Raises ManifestError with the reason why Domoticz would not list it."""
    try:
        source = plugin.read_text(encoding="utf-8")
    except OSError as error:
        raise ManifestError(f"{plugin} cannot be read: {error.strerror}") from error
    text = manifest_text(source)
    if not text:
        raise ManifestError(f"{plugin} has no <plugin …> element")
    first = text.splitlines()[0]
    if not first.lstrip().startswith("<plugin"):
        raise ManifestError(
            f"the line of <plugin must start with it (put the opening quotes on a line of their own): {first}"
        )
    if "</plugin>" not in text:
        raise ManifestError("there is no </plugin>")
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 - the plugin's own file
    except ElementTree.ParseError as error:
        raise ManifestError(f"the XML is not well-formed (a bare & or < ?): {error}") from error
    missing = [name for name in REQUIRED_ATTRIBUTES if not root.get(name)]
    if missing:
        raise ManifestError(f"<plugin> lacks {', '.join(missing)}")
    found = tuple(_parameter(element) for element in root.iterfind("params/param"))
    return Manifest(root.get("key", ""), root.get("name", ""), root.get("author", ""), root.get("version", ""), found)


def _parameter(element: ElementTree.Element) -> Parameter:
    options = list(element.iterfind("options/option"))
    marked = tuple(option.get("value", "") for option in options if option.get("default") == "true")
    pairs = tuple((option.get("value", ""), option.get("label", "")) for option in options)
    default = element.get("default", "")
    if options:
        default = (marked or (pairs[0][0],))[0]
    return Parameter(element.get("field", ""), element.get("label", ""), default, pairs, marked)


def complaints(plugin: Path) -> Iterator[str]:
    """Yield what is wrong with a plugin.py that Domoticz would list. Raises ManifestError where it would not."""
    manifest = read(plugin)
    if plugin.is_symlink():
        yield "plugin.py is a symbolic link: Domoticz does not follow it"
    if not re.fullmatch(r"[A-Za-z0-9_-]+", manifest.key):
        yield f"key {manifest.key!r} should have letters, digits, - and _ only: it is stored with the hardware for ever"
    seen: Dict[str, Parameter] = {}
    for parameter in manifest.parameters:
        if parameter.field not in FIELDS:
            yield f"field {parameter.field!r} is not one of {', '.join(FIELDS)}"
        if parameter.field in seen:
            yield f"field {parameter.field} occurs twice"
        seen[parameter.field] = parameter
        yield from _parameter_complaints(parameter)
    yield from _source_complaints(plugin.read_text(encoding="utf-8"))


def _parameter_complaints(parameter: Parameter) -> Iterator[str]:
    where = f"field {parameter.field}"
    if not parameter.label:
        yield f"{where} has no label"
    values = [value for value, _label in parameter.options]
    if len(set(values)) != len(values):
        yield f"{where} offers a value twice"
    if values and parameter.default_options != (values[0],):
        yield f'{where}: the first option, and no other, must have default="true"'
    for value in (*values, parameter.default):
        if parameter.field.startswith("Mode") and ("'" in value or value.endswith("\\")):
            yield f"{where}: ' or a trailing backslash in {value!r} breaks the Update button of the Hardware page"


def _source_complaints(source: str) -> Iterator[str]:
    """Look at the top level of plugin.py for what kills Domoticz at a stop or at a start."""
    try:
        tree = ast.parse(source, feature_version=(3, 9))
    except SyntaxError as error:
        yield f"line {error.lineno}: not Python 3.9: {error.msg}"
        return
    if not (ast.get_docstring(tree, clean=False) or "").lstrip().startswith("<plugin"):
        yield "the manifest is not plugin.py's docstring"
    for node in tree.body:
        names = [alias.asname or alias.name for alias in getattr(node, "names", ())]
        if isinstance(node, (ast.Import, ast.ImportFrom)) and "threading" in names:
            yield f"line {node.lineno}: the name `threading` in plugin.py makes every stop wait 10 s on Python 3.13"


def main(arguments: Sequence[str]) -> int:
    """Check the named plugin.py (default: the one here). Returns 0, or 1 with the reasons on stderr."""
    plugin = Path(arguments[0] if arguments else "plugin.py")
    try:
        found = list(complaints(plugin))
    except ManifestError as error:
        found = [str(error)]
    for text in found:
        sys.stderr.write(f"{plugin}: {text}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
