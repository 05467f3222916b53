"""Text that is nearly JSON, or simple YAML, -> Python objects. Pure.

For what other programs print or keep: Node.js prints objects as {name: 'Plug', id: "x"}; Home Assistant users have
lists of settings in YAML. Only what such exports hold is understood: maps, lists, texts, numbers, true, false, null.
"""

from __future__ import annotations

import json
import re
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

MAX_DEPTH = 40

_CONSTANTS = {"true": True, "false": False, "null": None, "undefined": None, "yes": True, "no": False}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "0": "\0", "\n": ""}
_NOT_PLAIN = ("!", "*", "&", "|", ">", "%", "@", "`")  # a YAML text without quotes never begins with one of these
_TOKEN = re.compile(
    r"""\s*(?:(?P<mark>[\[\]{},:])
    |(?P<quote>["'`])
    |(?P<number>-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)(?=[\s,\]}]|$)
    |(?P<word>[A-Za-z_$][\w$]*))""",
    re.VERBOSE,
)


_COLOURS = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\))")  # of a terminal: ECMA-48 CSI, OSC
_COLOURS_WITHOUT_ESCAPE = re.compile(r"\[\d{1,3}(?:;\d{1,3})*m")  # what is left where a form has dropped the Escape


class Elsewhere(NamedTuple):
    """A YAML value that stands elsewhere: a tag (!secret name), an alias (*name). `text`: to be shown, never a key."""

    text: str


class NotUnderstood(ValueError):
    """The text is of neither form."""


def parse(text: str) -> Any:
    """JSON, what Node.js prints for an object, or simple YAML -> dict, list or scalar. Raises NotUnderstood.

    The colours of a terminal, which come with a copied text, are not minded.
    """
    text = _COLOURS.sub("", text.lstrip("\ufeff"))
    if not text.strip("\0 \t\r\n"):
        raise NotUnderstood("it is empty")
    try:
        return _parse_clean(text)
    except NotUnderstood as error:
        without = _COLOURS_WITHOUT_ESCAPE.sub("", text)
        if without != text:
            try:
                return _parse_clean(without)
            except NotUnderstood:
                pass
        raise error from None


def _parse_clean(text: str) -> Any:
    try:
        # NaN and Infinity are no JSON, and no value that a device has
        return json.loads(text, parse_constant=lambda _name: None)
    except (ValueError, RecursionError):
        pass
    start = re.search(r"^[ \t]*[\[{](?!\d+m)", text, flags=re.MULTILINE)  # questions and answers may stand before it
    if start:
        objects = _Objects(text, start.end() - 1)
        try:
            return objects.value()
        except NotUnderstood as error:
            line = text.count("\n", 0, objects.position) + 1
            if start.start() == 0:
                raise NotUnderstood(f"line {line}: {error}") from None
    return _parse_yaml(text)


class _Objects:
    """Reads one value of object notation: keys without quotes, three kinds of quotes, commas at the end.

    position: how far it has come. What it complains about never shows the text, which may be a key.
    """

    def __init__(self, text: str, position: int) -> None:
        self._text = text
        self.position = position

    def value(self, depth: int = 0) -> Any:
        if depth > MAX_DEPTH:
            raise NotUnderstood("nested too deeply")
        kind, content = self._next()
        if content == "{":
            return self._map(depth)
        if content == "[":
            return self._list(depth)
        if kind == "text":
            return content
        if kind == "number":
            return _number(content)
        if kind == "word" and content in _CONSTANTS:
            return _CONSTANTS[content]
        raise NotUnderstood("a text needs quotes" if kind == "word" else "a value expected")

    def _map(self, depth: int) -> Dict[str, Any]:
        result: Dict[str, Any] = {}
        while True:
            kind, key = self._next()
            if kind == "mark" and key == "}":
                return result
            if kind == "mark" or self._next() != ("mark", ":"):
                raise NotUnderstood("a name and : expected")
            result[key] = self.value(depth + 1)
            if not self._more("}"):
                return result

    def _list(self, depth: int) -> List[Any]:
        result: List[Any] = []
        while True:
            before = self.position
            if self._next() == ("mark", "]"):
                return result
            self.position = before
            result.append(self.value(depth + 1))
            if not self._more("]"):
                return result

    def _more(self, end: str) -> bool:
        kind, content = self._next()
        if kind != "mark" or content not in (",", end):
            raise NotUnderstood(f", or {end} expected")
        return content == ","

    def _next(self) -> Tuple[str, str]:
        match = _TOKEN.match(self._text, self.position)
        if match is None or match.lastgroup is None:
            raise NotUnderstood("the text ends early or holds something else")
        self.position = match.end()
        if match.lastgroup == "quote":
            return "text", self._quoted(match["quote"])
        return match.lastgroup, match[match.lastgroup]

    def _quoted(self, quote: str) -> str:
        result, self.position = _unquote(self._text, self.position, quote)
        return result


def _number(digits: str) -> Any:
    try:
        return json.loads(digits)
    except ValueError:
        raise NotUnderstood("a number of thousands of digits") from None


def _unquote(text: str, position: int, quote: str) -> Tuple[str, int]:
    """The text between quotes with backslash escapes; `position`: after the opening quote. Returns the end as well."""
    characters: List[str] = []
    while position < len(text):
        character = text[position]
        position += 1
        if character == quote:
            return "".join(characters), position
        if character == "\\" and position < len(text):
            code = re.compile(r"x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})").match(text, position)
            if code:
                characters.append(chr(int(code[1] or code[2], 16)))
                position = code.end()
                continue
            character = _ESCAPES.get(text[position], text[position])
            position += 1
        characters.append(character)
    raise NotUnderstood("a quote is not closed")


_Line = Tuple[int, str, int]  # indentation, content, number


def _parse_yaml(text: str) -> Any:
    lines: List[_Line] = []
    for number, raw in enumerate(text.splitlines(), start=1):
        content = raw.strip()
        if content and not content.startswith(("#", "---", "...")):
            lines.append((len(raw) - len(raw.lstrip()), content, number))
    if not any(re.match(r"(- +)?[\w\"'-]+:(\s|$)", content) for _, content, _ in lines):
        raise NotUnderstood("this is neither JSON nor YAML")
    value, rest = _block(lines, 0)
    if rest != len(lines):
        raise NotUnderstood(f"this is neither JSON nor simple YAML, from line {lines[rest][2]} on")
    return value


def _block(lines: List[_Line], start: int, depth: int = 0) -> Tuple[Any, int]:
    """The list or map whose first line is `start`, and the number of the line after it."""
    if depth > MAX_DEPTH:
        raise NotUnderstood("nested too deeply")
    indent = lines[start][0]
    if lines[start][1].startswith("- ") or lines[start][1] == "-":
        return _sequence(lines, start, indent, depth)
    return _mapping(lines, start, indent, depth)


def _sequence(lines: List[_Line], start: int, indent: int, depth: int) -> Tuple[List[Any], int]:
    items: List[Any] = []
    while start < len(lines) and lines[start][0] == indent and lines[start][1].startswith("-"):
        inner = lines[start][1][1:].lstrip()
        if _key_of(inner) is None:
            items.append(_scalar(inner))
            start += 1
            continue
        # "- key: value" begins a map whose lines are indented like its first key
        lines[start] = (indent + len(lines[start][1]) - len(inner), inner, lines[start][2])
        value, start = _block(lines, start, depth + 1)
        items.append(value)
    return items, start


def _mapping(lines: List[_Line], start: int, indent: int, depth: int) -> Tuple[Dict[str, Any], int]:
    result: Dict[str, Any] = {}
    while start < len(lines) and lines[start][0] == indent:
        found = _key_of(lines[start][1])
        if found is None:
            break
        key, rest = found
        start += 1
        if rest:
            result[key] = _scalar(rest)
            continue
        deeper = start < len(lines) and (
            lines[start][0] > indent or (lines[start][0] == indent and lines[start][1].startswith("- "))
        )
        result[key] = None
        if deeper:
            result[key], start = _block(lines, start, depth + 1)
    return result, start


def _key_of(content: str) -> Optional[Tuple[str, str]]:
    match = re.match(r"""(?:"([^"]*)"|'([^']*)'|([\w.-]+)):(?:\s+(.*))?$""", content)
    if match is None:
        return None
    key = next(part for part in match.groups()[:3] if part is not None)
    rest = match[4] or ""
    return key, "" if rest.startswith("#") else rest


def _scalar(text: str) -> Any:
    if text[:1] == '"':
        return _unquote(text, 1, '"')[0]
    if text[:1] == "'":
        match = re.match(r"'((?:[^']|'')*)'", text)
        if match is None:
            raise NotUnderstood("a quote is not closed")
        return match[1].replace("''", "'")
    text = re.split(r"\s+#", text, maxsplit=1)[0].rstrip()
    if text[:1] in _NOT_PLAIN:
        secret = re.fullmatch(r"!secret\s+([\w.-]+)", text)
        return Elsewhere(f"!secret {secret[1]}" if secret else f"{text[:1]}...")
    return _CONSTANTS.get(text.lower(), text)
