"""Wishes that stand where nobody reads them: in an entry beside "domoticz", under a misspelt "domoticz", twice. Pure.

Who wrote "switch": "refused" one line too low believes that nothing switches: it is told, and taken for refused.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Tuple

BLOCK = "domoticz"
# what tinytuya, its wizard, the cloud and this project write into an entry; none of it is a wish
_FIELDS = frozenset(
    (
        *("id", "key", "name", "mac", "uuid", "sn", "category", "product_name", "product_id", "biz_type", "model"),
        *("sub", "icon", "mapping", "ip", "version", "ver", "port", "last_ip", "parent", "node_id", "dps", "status"),
        *("online", "local_key", BLOCK),
    )
)
READING_WISHES = ("invert", "scale", "layout")
WISHES = ("name", "use", "switch", "hide", "restore", *READING_WISHES)
_ONLY_WISHES = frozenset(WISHES) - {"name"}  # an entry has a name of its own
_PROTECTING_WORDS = ("switch", "refus", "readonly", "lock")
_SIMILAR = 0.7  # difflib's ratio
_DEEPEST = 3  # levels that are looked into: a wish stands in the first or the second


class Misplaced(NamedTuple):
    """key: of the entry; what: the complaint; protects: whether it may have been meant to keep something from us."""

    key: str
    what: str
    protects: bool


class Twice(Dict[str, Any]):
    """An object of which a key is given more than once; the last value counts, as in every JSON reader."""

    keys_given_twice: Tuple[str, ...] = ()


def object_of(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    """A JSON object from its members, for json.loads: one that has a key twice knows it."""
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    twice = Twice(found)
    given = Counter(key for key, _ in pairs)
    twice.keys_given_twice = tuple(key for key, count in given.items() if count > 1)
    return twice


def given_twice(raw: object) -> Tuple[str, ...]:
    """The keys that an object of `object_of` was given more than once."""
    return raw.keys_given_twice if isinstance(raw, Twice) else ()


def misplaced(entry: Mapping[str, Any], is_entry: bool = True) -> Iterator[Misplaced]:
    """What in an entry, or (is_entry false) beside the list of devices, is a wish and is not read."""
    for key, value in entry.items():
        if key == BLOCK and not is_entry:
            what = "it is not read beside the list of devices: it belongs into the entry of each"
            yield Misplaced(key, what, not isinstance(value, dict) or protects_inside(value))
        if key in _FIELDS:
            continue
        word = _letters(key)
        if word in _ONLY_WISHES or is_near(word, "switch"):
            what = f'it is not read there: it belongs into the object "{BLOCK}" of an entry'
            yield Misplaced(key, what, _guards(word))
        elif isinstance(value, (dict, list)) and (is_near(word, BLOCK) or _is_refusal(value)):
            yield Misplaced(key, f'it is not read: it must be called "{BLOCK}"', protects_inside(value))
        elif word == BLOCK or (is_near(word, BLOCK) and protects_inside(value)):
            yield Misplaced(key, f'it is not read: "{BLOCK}" must be an object {{...}}', True)


def protects(key: str) -> bool:
    """Whether a member of "domoticz" is there to keep us from something, or most likely was meant to be."""
    return _guards(_letters(key))


def protects_inside(value: object) -> bool:
    """Whether anything in this value was most likely meant to keep us from something."""
    if isinstance(value, str):
        return "refus" in _letters(value)
    return any(protects(key) for key in _keys_in(value))


def _is_refusal(value: object) -> bool:
    """Whether an object, or one in a list, refuses something as "domoticz" would, whatever it is called."""
    return any(
        (isinstance(wish, str) and is_near(_letters(key), "switch") and protects_inside(wish))
        or (_letters(key) == "use" and wish is False)
        for one in (value if isinstance(value, list) else [value])
        if isinstance(one, dict)
        for key, wish in one.items()
    )


def is_near(word: str, meant: str) -> bool:
    """Whether a word most likely was meant to be `meant`."""
    import difflib  # here: hardly any file has such a key, and each start would load it

    return bool(difflib.get_close_matches(word, [meant], cutoff=_SIMILAR))


def _guards(word: str) -> bool:
    return word == "use" or any(part in word for part in _PROTECTING_WORDS) or is_near(word, "switch")


def _letters(text: str) -> str:
    """The letters of a text, small, without accents, full width and what else looks alike."""
    if text.isascii():
        return "".join(filter(str.isalpha, text)).lower()
    import unicodedata

    plain = unicodedata.normalize("NFKD", text).casefold()
    return "".join(letter for letter in plain if letter.isalpha())


def _keys_in(value: object, depth: int = _DEEPEST) -> Iterator[str]:
    if depth and isinstance(value, dict):
        for key, below in value.items():
            yield str(key)
            yield from _keys_in(below, depth - 1)
    elif depth and isinstance(value, list):
        for below in value:
            yield from _keys_in(below, depth - 1)
