"""Faults that can be made at every layer, from the connection to what a breaker does: one row each."""

from __future__ import annotations

from typing import Dict

from .fault_rows import Fault, Parameter

_EVERY = Parameter(1, "each so manieth frame; 1 = all", kind="count")
_HANDSHAKE = Parameter(False, "true: the frames of the 3.4 and 3.5 handshake too", kind="flag")
_FRAME = {"every": _EVERY, "handshake": _HANDSHAKE}

MADE_FAULTS: Dict[str, Fault] = {
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
                "delay_s; refused: an error text, not done; unanswered: not even acknowledged, not done; code_1: done, "
                "and acknowledged with the return code of an error (seen: jasonacox/tinytuya#731)",
                ("deaf", "unreported", "late", "refused", "unanswered", "code_1"),
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
