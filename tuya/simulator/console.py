"""Commands for a running fleet as lines of text: one line in, one line about what was done."""

from __future__ import annotations

import json
import shlex
from typing import Any, Callable, Dict, List, Tuple

from .breaker import Breaker
from .faults import named, value_of
from .fleet import Fleet
from .load import POWER_FACTORS, PROFILES

GRAMMAR = """\
WHICH is a number (1 = first), an id, or * for all. VALUE is JSON, else text.
  WHICH fault NAME[=VALUE] [PARAMETER=VALUE ...]   see the faults below
  WHICH clear [NAME ...]                   end these faults, or all
  WHICH load WATTS|PROFILE [pf=0.9] [channel=a]   profiles follow the clock of the day: {profiles}
  WHICH relay on|off                       the button on the breaker
  WHICH trip                               its protection opens
  WHICH push [DP=VALUE ...]                report now
  WHICH every SECONDS|never                report at this interval
  WHICH stop [silent] | start              power
  WHICH show                               what it measures, and what was written to it"""


class BadCommand(ValueError):
    """A line that cannot be carried out, with what would be right."""


def grammar() -> str:
    """What execute() takes, for --help."""
    return GRAMMAR.format(profiles=", ".join(PROFILES))


def execute(fleet: Fleet, line: str, day_s: Callable[[float], float]) -> str:
    """Carry out one line. Returns what to say about it. day_s: seconds since midnight at a time of the fleet's clock.

    Raises BadCommand, with nothing done.
    """
    try:
        words = shlex.split(line, comments=True)
    except ValueError as error:
        raise BadCommand(f"cannot read {line.strip()!r}: {error}") from error
    if not words:
        return ""
    if len(words) < 2 or words[1] not in _COMMANDS:
        raise BadCommand(f"WHICH COMMAND ..., with one of {', '.join(_COMMANDS)}")
    chosen = _chosen(fleet, words[0])
    try:
        said = [_COMMANDS[words[1]](breaker, words[2:], day_s) for breaker in chosen]
    except BadCommand:
        raise
    except KeyError as error:
        raise BadCommand(str(error.args[0])) from error
    except (ValueError, OSError, TypeError) as error:
        raise BadCommand(str(error)) from error
    return "\n".join(f"{breaker.name}: {words[1]} {text}".rstrip() for breaker, text in zip(chosen, said))


def _chosen(fleet: Fleet, which: str) -> List[Breaker]:
    if which == "*":
        return fleet.breakers
    found = [breaker for breaker in fleet.breakers if breaker.device_id == which]
    if which.isdecimal() and 1 <= int(which) <= len(fleet.breakers):
        found = [fleet.breakers[int(which) - 1]]
    if not found:
        raise BadCommand(f"no breaker {which!r}: 1 to {len(fleet.breakers)}, an id, or *")
    return found


def _pairs(words: List[str]) -> Dict[str, Any]:
    pairs = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals:
            raise BadCommand(f"NAME=VALUE, not {word!r}")
        pairs[name] = value_of(text)
    return pairs


def _fault(breaker: Breaker, words: List[str], _: Callable[[float], float]) -> str:
    if not words:
        raise BadCommand("fault NAME[=VALUE] [PARAMETER=VALUE ...]")
    name, given = named(words[0])
    breaker.fault(name, **{**given, **_pairs(words[1:])})
    return words[0]


def _clear(breaker: Breaker, words: List[str], _: Callable[[float], float]) -> str:
    breaker.clear_faults(*words)
    return " ".join(words)


def _load(breaker: Breaker, words: List[str], day_s: Callable[[float], float]) -> str:
    if not words:
        raise BadCommand("load WATTS or a profile")
    options = _pairs(words[1:])
    channel, factor = options.get("channel"), options.get("pf")
    if words[0] in PROFILES:
        profile = PROFILES[words[0]]
        breaker.set_load(lambda t_s: profile(day_s(t_s)), factor or POWER_FACTORS[words[0]], channel)
    else:
        breaker.set_load(float(words[0]), factor or 1.0, channel)
    return words[0]


def _relay(breaker: Breaker, words: List[str], _: Callable[[float], float]) -> str:
    if words not in (["on"], ["off"]):
        raise BadCommand("relay on, or relay off")
    breaker.set_relay(words == ["on"])
    return words[0]


def _trip(breaker: Breaker, _: List[str], __: Callable[[float], float]) -> str:
    breaker.trip()
    return ""


def _push(breaker: Breaker, words: List[str], _: Callable[[float], float]) -> str:
    dps = {int(name): value for name, value in _pairs(words).items()}
    breaker.push(dps or None)
    return json.dumps(dps) if dps else ""


def _every(breaker: Breaker, words: List[str], _: Callable[[float], float]) -> str:
    if len(words) != 1:
        raise BadCommand("every SECONDS, or every never")
    interval_s = None if words[0] == "never" else float(words[0])
    if interval_s is not None and not interval_s >= 0.01:
        raise BadCommand("every 0.01 s or more")
    breaker.push_every(interval_s)
    return words[0]


def _stop(breaker: Breaker, words: List[str], _: Callable[[float], float]) -> str:
    breaker.stop(silent=words == ["silent"])
    return " ".join(words)


def _start(breaker: Breaker, _: List[str], __: Callable[[float], float]) -> str:
    breaker.start()
    return ""


def _show(breaker: Breaker, _: List[str], __: Callable[[float], float]) -> str:
    facts: Tuple[Tuple[str, Any], ...] = (
        ("address", f"{breaker.host}:{breaker.port}"),
        ("version", breaker.version),
        ("connected", breaker.connected),
        ("dps", breaker.dps),
        ("writes", [dps for _, dps in breaker.writes]),
    )
    return json.dumps(dict(facts))


_COMMANDS: Dict[str, Callable[[Breaker, List[str], Callable[[float], float]], str]] = {
    "fault": _fault,
    "clear": _clear,
    "load": _load,
    "relay": _relay,
    "trip": _trip,
    "push": _push,
    "every": _every,
    "stop": _stop,
    "start": _start,
    "show": _show,
}
