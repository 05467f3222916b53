"""What a row of the table of faults is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping, Tuple


@dataclass(frozen=True)
class Parameter:
    """One parameter of a fault. choices: the words that it takes; empty = any value of its kind.

    kind: "number" (0 or more), "whole" (the same, integer), "count" (1 or more), "integer" (negative too), "flag",
    "numbers" (a tuple of integers), "text".
    """

    default: Any
    what: str
    choices: Tuple[str, ...] = ()
    kind: str = "text"


@dataclass(frozen=True)
class Fault:
    """One row of the table. once: an action, else a state that stays on. seen: public threads that describe it."""

    what: str
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    once: bool = False
    seen: str = ""
