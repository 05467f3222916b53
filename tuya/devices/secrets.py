"""Keeps local keys out of what people read, wherever somebody has pasted one: a name, a field, a file's name. Pure."""

from __future__ import annotations

from typing import Iterable, List

KEY_CHARACTERS = 16
HIDDEN = "(a local key, not shown)"
LEAST_CHARACTERS = 8  # what is shorter is no key, and may stand in any text by chance


def looks_like_key(text: str) -> bool:
    """Whether this may be a local key: 16 characters without space or slash, not of letters or of digits alone."""
    is_mixed = not (text.isalpha() or text.isdigit())
    return len(text) == KEY_CHARACTERS and is_mixed and not any(one.isspace() or one == "/" for one in text)


def without_keys(text: str, keys: Iterable[str]) -> str:
    """Return the text with each of these keys in it hidden."""
    for key in keys:
        if len(key) >= LEAST_CHARACTERS:
            text = text.replace(key, HIDDEN)
    return text


def key_texts(keys: Iterable[bytes]) -> List[str]:
    """Local keys as they may stand in a text."""
    return [key.decode("latin-1") for key in keys if key]


def hidden_if_key(text: str) -> str:
    """Return the text, or what tells that it looks like a key: for what was typed where no key belongs."""
    return HIDDEN if looks_like_key(text) else text
