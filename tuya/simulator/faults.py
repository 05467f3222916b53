"""Everything that a simulated breaker can be made to do wrong: one table, and which of it is on.

`FAULTS` is the reference: names, parameters, defaults and what happens. States stay on until they are cleared; actions
happen once. Everything can be switched while a client is connected.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Iterable, Mapping, Optional, Set, Tuple


class UnknownFault(ValueError):
    """No fault has this name, takes this parameter, or takes this word for it."""


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
    """One row of the table. once: an action, else a state that stays on."""

    what: str
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    once: bool = False


_EVERY = Parameter(1, "each so manieth frame; 1 = all", kind="count")
_HANDSHAKE = Parameter(False, "true: the frames of the 3.4 and 3.5 handshake too", kind="flag")
_FRAME = {"every": _EVERY, "handshake": _HANDSHAKE}

FAULTS: Dict[str, Fault] = {
    # the connection
    "reset": Fault("ends the connection by RST", once=True),
    "close": Fault("ends the connection by FIN", once=True),
    "half_open": Fault(
        "forgets its client: that connection stays open and is never answered again; a new one is served", once=True
    ),
    "mute": Fault(
        "reads and does not answer",
        {
            "commands": Parameter(
                (), "numbers of the commands left unanswered; none = all, and no pushes either", kind="numbers"
            )
        },
    ),
    "delay": Fault("sends each frame late", {"delay_s": Parameter(2.0, "so late", kind="number")}),
    "slow": Fault("sends one byte at a time", {"delay_s": Parameter(0.02, "pause before each byte", kind="number")}),
    "split": Fault(
        "sends frames in pieces",
        {
            "size": Parameter(7, "bytes a piece", kind="count"),
            "delay_s": Parameter(0.005, "pause before each piece", kind="number"),
        },
    ),
    "join": Fault(
        "keeps frames back and sends them joined",
        {
            "count": Parameter(3, "so many frames at once", kind="count"),
            "hold_s": Parameter(0.5, "or after so long", kind="number"),
        },
    ),
    "busy": Fault("accepts every connection and closes it at once, as if another program held the breaker"),
    "second": Fault(
        "what a second connection does beside a held one (without this fault it is refused)",
        {
            "policy": Parameter(
                "refuse",
                "refuse: closed at once; evict: it takes the place of the first; wedge: both end and nobody is served "
                "until a power cycle; allow: both are served",
                ("refuse", "evict", "wedge", "allow"),
            )
        },
    ),
    "wrong_key": Fault(
        "how a client with another key is treated (without this fault it is answered under the breaker's own key)",
        {"how": Parameter("silent", "silent: not at all; close: hang up", ("silent", "close"))},
    ),
    # frames
    "garbage": Fault(
        "sends bytes that are no frame",
        {
            "where": Parameter(
                "before", "before or behind each frame, or instead of it", ("before", "behind", "instead")
            ),
            "kind": Parameter(
                "random", "random bytes, zeros, or the beginning of a frame", ("random", "zeros", "prefix")
            ),
            "size": Parameter(16, "so many bytes", kind="count"),
            **_FRAME,
        },
    ),
    "truncate": Fault("leaves the end of frames out", {"drop": Parameter(5, "so many bytes", kind="count"), **_FRAME}),
    "length": Fault(
        "writes another length into frames",
        {"length": Parameter(0x7FFFFFFF, "the length field", kind="integer"), **_FRAME},
    ),
    "bad_check": Fault("sends frames whose CRC, HMAC or tag is wrong", dict(_FRAME)),
    "bad_suffix": Fault("sends frames whose last four bytes are wrong", dict(_FRAME)),
    "replay": Fault(
        "sends an earlier frame again behind each frame",
        {"age": Parameter(0, "so many frames back", kind="whole"), **_FRAME},
    ),
    "unknown_command": Fault(
        "sends a frame of a command that nobody knows before each one with data",
        {"command": Parameter(0x7F, "which", kind="whole")},
    ),
    "own_sequence": Fault("numbers its frames by a counter of its own, as 3.5 and some 3.4 firmware always do"),
    # what frames hold
    "bad_json": Fault(
        "sends something else than a JSON object with DPs",
        {
            "kind": Parameter(
                "text",
                "plain words; half an object; bytes; a number, a list; NaN or Infinity as values; 300 digits; 300 "
                "nested lists; no dps, dps that are a list, null, or named by no number; values that are objects",
                (
                    "text",
                    "cut",
                    "bytes",
                    "number",
                    "list",
                    "nan",
                    "infinity",
                    "digits",
                    "deep",
                    "no_dps",
                    "dps_list",
                    "dps_null",
                    "names",
                    "objects",
                ),
            )
        },
    ),
    "values": Fault(
        "reports values that cannot be",
        {
            "kind": Parameter(
                "huge", "which", ("huge", "negative", "zero", "minimum", "fraction", "text", "bool", "null")
            ),
            "dps": Parameter((), "of these DPs; none = all that it measures", kind="numbers"),
        },
    ),
    "hide": Fault(
        "leaves DPs out of queries", {"dps": Parameter((), "these DPs; none = all that it measures", kind="numbers")}
    ),
    "device22": Fault("answers plain queries with 'json obj data unvalid'; CONTROL_NEW with nulls works"),
    "clock": Fault(
        "has a wrong clock: the 't' of its pushes is off", {"jump_s": Parameter(3600.0, "so far", kind="number")}
    ),
    # behaviour
    "quiet": Fault("pushes nothing by itself; what is written or asked for is still reported"),
    "refresh": Fault(
        "does not do UPDATEDPS",
        {
            "how": Parameter(
                "silent",
                "silent: no answer; error: an error text; empty: acknowledged and nothing more; close: hangs up; "
                "touchy: does it, and hangs up at a heartbeat within a second of it",
                ("silent", "error", "empty", "close", "touchy"),
            )
        },
    ),
    "write": Fault(
        "does not do writes as it should",
        {
            "how": Parameter(
                "deaf",
                "deaf: acknowledged and not done; unreported: done and not pushed; late: done and pushed after "
                "delay_s; refused: an error text, not done; unanswered: not even acknowledged, not done",
                ("deaf", "unreported", "late", "refused", "unanswered"),
            ),
            "delay_s": Parameter(2.0, "for late", kind="number"),
        },
    ),
    "trip": Fault(
        "trips again whenever the relay closes",
        {"delay_s": Parameter(0.0, "after so long; 0: before closing was even reported", kind="number")},
    ),
    "unreachable": Fault("its address answers nothing at all: no connection, no refusal"),
    "new_key": Fault(
        "is paired again: another local key",
        {
            "key": Parameter(None, "16 characters; none = random"),
            "drop": Parameter(True, "false: the connection under the old key goes on until it ends", kind="flag"),
        },
        once=True,
    ),
    "reboot": Fault(
        "restarts: dark, then back at the same address",
        {
            "dark_s": Parameter(10.0, "so long", kind="number"),
            "silent": Parameter(
                False, "true: connections get no answer meanwhile; false: they are refused", kind="flag"
            ),
        },
        once=True,
    ),
    "move": Fault(
        "gets another address",
        {"port": Parameter(None, "TCP port, 0 = any", kind="whole"), "host": Parameter(None, "127.x.y.z")},
        once=True,
    ),
    "version": Fault(
        "takes an update: dark, then back with another protocol version",
        {
            "version": Parameter("3.4", "which", ("3.1", "3.2", "3.3", "3.4", "3.5")),
            "dark_s": Parameter(3.0, "dark so long", kind="number"),
        },
        once=True,
    ),
}


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
        if str(value) not in parameter.choices:
            raise UnknownFault(f"fault {name}: {word} is one of {', '.join(parameter.choices)}, not {value!r}")
        return str(value)
    if parameter.kind == "numbers" and not isinstance(value, tuple):
        value = (value,) if _is_integer(value) else tuple(value) if isinstance(value, (list, set)) else value
    if not (value is None and parameter.default is None) and not _KINDS[parameter.kind](value):
        raise UnknownFault(f"fault {name}: {word} is a {parameter.kind}, not {value!r}")
    return value


def table() -> str:
    """The table as text, one fault a paragraph: for --help."""
    lines = []
    for name, fault in FAULTS.items():
        lines.append(f"  {name}{' (once)' if fault.once else ''}: {fault.what}")
        for word, parameter in fault.parameters.items():
            choices = f" ({'|'.join(parameter.choices)})" if parameter.choices else ""
            lines.append(f"      {word}={parameter.default}{choices}: {parameter.what}")
    return "\n".join(lines)


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
