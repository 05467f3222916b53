"""Everything that a simulated breaker can be made to do wrong: the whole table, and which of it is on at one breaker.

`FAULTS` is the reference: names, parameters, defaults and what happens. States stay on until they are cleared; actions
happen once. Everything can be switched while a client is connected.
"""

from __future__ import annotations

import json
from typing import Any, Callable, Dict, Iterable, Mapping, Optional, Set, Tuple

from .fault_field import SEEN_FAULTS
from .fault_rows import Fault, Parameter
from .fault_table import MADE_FAULTS

FAULTS: Dict[str, Fault] = {**SEEN_FAULTS, **MADE_FAULTS}


class UnknownFault(ValueError):
    """No fault has this name, takes this parameter, or takes this word for it."""


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_KINDS: Dict[str, Callable[[Any], bool]] = {
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0,
    "whole": lambda value: _is_integer(value) and value >= 0,
    "count": lambda value: _is_integer(value) and value >= 1,
    "integer": _is_integer,
    "flag": lambda value: isinstance(value, bool),
    "numbers": lambda value: isinstance(value, tuple) and all(_is_integer(number) for number in value),
    "text": lambda value: isinstance(value, str),
}


def checked(name: str, given: Mapping[str, Any]) -> Dict[str, Any]:
    """All parameters of a fault, defaults filled in. Raises UnknownFault."""
    if name not in FAULTS:
        raise UnknownFault(f"no fault {name!r}: one of {', '.join(FAULTS)}")
    parameters = FAULTS[name].parameters
    for word in given:
        if word not in parameters:
            raise UnknownFault(f"fault {name} takes no {word!r}: {', '.join(parameters) or 'it takes nothing'}")
    return {
        word: _fitting(name, word, parameter, given[word]) if word in given else parameter.default
        for word, parameter in parameters.items()
    }


def _fitting(name: str, word: str, parameter: Parameter, value: Any) -> Any:
    """A value of the parameter's kind; a list or one number becomes a tuple. Raises UnknownFault."""
    if parameter.choices:
        choice = value if isinstance(value, str) else json.dumps(value, default=str)  # typed, null was read as JSON
        if choice not in parameter.choices:
            raise UnknownFault(f"fault {name}: {word} is one of {', '.join(parameter.choices)}, not {choice}")
        return choice
    if parameter.kind == "numbers" and not isinstance(value, tuple):
        value = (value,) if _is_integer(value) else tuple(value) if isinstance(value, (list, set)) else value
    if not (value is None and parameter.default is None) and not _KINDS[parameter.kind](value):
        raise UnknownFault(f"fault {name}: {word} is a {parameter.kind}, not {value!r}")
    return value


def named(text: str) -> Tuple[str, Dict[str, Any]]:
    """A fault in one word of the command line: NAME, NAME=VALUE or NAME=VALUE,PARAMETER=VALUE ...

    A VALUE without a name is the fault's first parameter: "latency=3,spread_s=0" is delay_s 3 and spread_s 0, and
    "hide=6,7" is dps [6, 7]. Each is JSON, else text. Returns the name and what was given. Raises UnknownFault for a
    name or parameter that is none.
    """
    name, equals, rest = text.partition("=")
    given: Dict[str, str] = {}
    last = ""
    if equals:
        row = FAULTS.get(name)
        first = next(iter(row.parameters), "") if row is not None else ""
        for number, word in enumerate(rest.split(",")):
            left, has_name, right = word.partition("=")
            if has_name or number == 0:
                last = left if has_name else first
                given[last] = right if has_name else word
            else:
                given[last] = f"{given[last]},{word}"
    values = {word: _list_of(text) for word, text in given.items()}
    checked(name, values)
    return name, values


def _list_of(text: str) -> Any:
    """A value, or several behind each other with commas between, where each is a number."""
    several = [value_of(part) for part in text.split(",")]
    return several if len(several) > 1 and all(_is_integer(part) for part in several) else value_of(text)


def value_of(text: str) -> Any:
    """A value as it is typed: JSON, else text."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def table() -> str:
    """The table as text, one fault a paragraph: for --help and --fault help."""
    parts = []
    for title, rows in (("what real devices are reported to do", SEEN_FAULTS), ("what else can be tried", MADE_FAULTS)):
        parts.append(f" {title}:")
        for name, fault in rows.items():
            seen = f" (seen: {fault.seen})" if fault.seen else ""
            parts.append(f"  {name}{' (once)' if fault.once else ''}: {fault.what}{seen}")
            for word, parameter in fault.parameters.items():
                choices = f" ({'|'.join(parameter.choices)})" if parameter.choices else ""
                parts.append(f"      {word}={parameter.default}{choices}: {parameter.what}")
    return "\n".join(parts)


class Faults:
    """The states that are on at one breaker. measuring: its measuring DPs, meant where a fault names none."""

    def __init__(self, measuring: Iterable[int]) -> None:
        self._measuring = tuple(measuring)
        self._active: Dict[str, Dict[str, Any]] = {}
        self._counts: Dict[str, int] = {}

    def get(self, name: str) -> Optional[Dict[str, Any]]:
        """The parameters of this fault where it is on, else None."""
        return self._active.get(name)

    def __bool__(self) -> bool:
        return bool(self._active)

    def switch_on(self, name: str, parameters: Dict[str, Any]) -> None:
        """Switch a state on, or change its parameters."""
        self._active[name] = parameters
        self._counts[name] = 0

    def switch_off(self, names: Iterable[str]) -> None:
        """Switch these states off; none named: all."""
        for name in list(names) or list(self._active):
            self._active.pop(name, None)

    def strikes(self, name: str, negotiating: bool) -> Optional[Dict[str, Any]]:
        """The parameters of a frame fault where it strikes this frame: each `every`-th one. Counts the frame."""
        active = self._active.get(name)
        if active is None or (negotiating and not active["handshake"]):
            return None
        self._counts[name] += 1
        return None if self._counts[name] % active["every"] else active

    def named_dps(self, name: str) -> Set[int]:
        """The DPs that this fault names, all measuring ones if it names none, no DP where it is off."""
        active = self._active.get(name)
        if active is None:
            return set()
        return set(active["dps"]) or set(self._measuring)
