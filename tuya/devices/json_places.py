"""Where in the text of a devices file its entries stand, so that a complaint can name the line. Pure."""

from __future__ import annotations

import json
import re
from typing import Iterator, Tuple

_WHITE_SPACE = re.compile(r"[ \t\r\n]*")


def entry_spans(text: str, in_object: bool) -> Iterator[Tuple[int, int]]:
    """Where each element of the list of devices begins and ends in `text`, which is valid JSON with that list."""
    decoder = json.JSONDecoder()
    position = _skip(text, 0)
    if in_object:
        for key, value_start in _members(decoder, text, position):
            if key == "devices":
                position = value_start  # of several, the last one counts, as in json.loads
    position = _skip(text, position + 1)
    while text[position] != "]":
        _, end = decoder.raw_decode(text, position)
        yield position, end
        position = _skip(text, end)
        if text[position] == ",":
            position = _skip(text, position + 1)


def _members(decoder: json.JSONDecoder, text: str, start: int) -> Iterator[Tuple[str, int]]:
    """Yield the keys of the JSON object that begins at `start`, each with the position of its value."""
    position = _skip(text, start + 1)
    while text[position] != "}":
        key, position = decoder.raw_decode(text, position)
        position = _skip(text, _skip(text, position) + 1)
        yield key, position
        _, position = decoder.raw_decode(text, position)
        position = _skip(text, position)
        if text[position] == ",":
            position = _skip(text, position + 1)


def _skip(text: str, position: int) -> int:
    match = _WHITE_SPACE.match(text, position)
    return match.end() if match else position
