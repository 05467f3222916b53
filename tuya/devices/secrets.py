"""Keeps local keys out of what people read, wherever somebody has pasted one: a name, a field, a file's name. Pure."""

from __future__ import annotations

import functools
import re
from typing import Iterable, List, Pattern

KEY_CHARACTERS = 16
HIDDEN = "(a local key, not shown)"
MAX_ESCAPES = 3  # backslashes before a character: JSON within JSON
_ESCAPED = "\\'\""
LEAST_CHARACTERS = 8  # what is shorter is no key, and may stand in any text by chance


def looks_like_key(text: str) -> bool:
    """Whether this may be a local key: 16 characters without space or slash, not of letters or of digits alone."""
    is_mixed = not (text.isalpha() or text.isdigit())
    return len(text) == KEY_CHARACTERS and is_mixed and not any(one.isspace() or one == "/" for one in text)


def without_keys(text: str, keys: Iterable[str]) -> str:
    """Return the text with each of these keys in it hidden, as it is or as repr() and JSON escape it.

    Asked of each line of a log and each name in the devices file, for each key: so it looks first whether there can be
    another spelling at all. All of them hold a backslash, and a pattern takes a millisecond to make.
    """
    for key in keys:
        if LEAST_CHARACTERS <= len(key) <= len(text):
            has_others = "\\" in text and (not key.isascii() or any(sign in key for sign in _ESCAPED))
            text = _pattern(key).sub(HIDDEN, text) if has_others else text.replace(key, HIDDEN)
    return text


@functools.lru_cache(maxsize=1024)
def _pattern(key: str) -> Pattern[str]:
    return re.compile(spelled(key))


def spelled(key: str) -> str:
    """Return the pattern of a key as it is, or as JSON may write it: behind backslashes, or by its numbers."""
    return "".join(_escaped(character) for character in key)


def _escaped(character: str) -> str:
    if character == "\\":
        return rf"\\{{1,{2 * MAX_ESCAPES}}}(?:u005[cC])?"
    code = any_case(f"{ord(character):04x}")
    return rf"(?:\\{{0,{MAX_ESCAPES}}}{re.escape(character)}|\\{{1,{MAX_ESCAPES}}}u{code})"


def any_case(digits: str) -> str:
    """Return the pattern of hex digits."""
    return f"(?i:{digits})"


def key_texts(keys: Iterable[bytes]) -> List[str]:
    """Local keys as they may stand in a text."""
    return [key.decode("latin-1") for key in keys if key]


def hidden_if_key(text: str) -> str:
    """Return the text, or what tells that it looks like a key: for what was typed where no key belongs."""
    return HIDDEN if looks_like_key(text) else text
