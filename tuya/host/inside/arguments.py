"""Parses the arguments of the framework's functions as PyArg_ParseTupleAndKeywords does."""

from __future__ import annotations

import operator
from typing import Any, Dict, Sequence, Tuple


def parse(
    names: Sequence[str], kinds: str, required: int, args: Tuple[Any, ...], keywords: Dict[str, Any]
) -> Dict[str, Any]:
    """Return the given arguments by name.

    `kinds` has one letter a name: s text, i integer, p truth value, O anything. Raises TypeError with CPython's words.
    """
    if len(args) + len(keywords) > len(names):
        raise TypeError(f"function takes at most {len(names)} arguments ({len(args) + len(keywords)} given)")
    given = dict(zip(names, args))
    for name, value in keywords.items():
        if name in given:
            raise TypeError(f"argument for function given by name ({name!r}) and position")
        if name not in names:
            raise TypeError(f"{name!r} is an invalid keyword argument for this function")
        given[name] = value
    for position, name in enumerate(names):
        if name in given:
            given[name] = _converted(kinds[position], position, given[name])
        elif position < required:
            raise TypeError(f"function missing required argument {name!r} (pos {position + 1})")
    return given


def _converted(kind: str, position: int, value: Any) -> Any:
    if kind == "s":
        if not isinstance(value, str):
            raise TypeError(f"argument {position + 1} must be str, not {type(value).__name__}")
        if "\0" in value:
            raise ValueError("embedded null character")
        return str(value)
    if kind == "i":
        return operator.index(value)
    return bool(value) if kind == "p" else value
