"""Behaviour of real devices that public reports describe: one row each, with a thread that describes it.

These are the names to give to `simulate --fault` to see what a client makes of such a device.
"""

from __future__ import annotations

from typing import Dict

from .fault_rows import Fault, Parameter

UNVALID = "json obj data unvalid"  # the words of real firmware
FORMAT_ERROR = "data format error"

_TEXT = Parameter(UNVALID, "the text")
_ALONE = Parameter(60.0, "pushes everything by itself so often, and nothing else", kind="number")

SEEN_FAULTS: Dict[str, Fault] = {
    # what it answers to a query
    "asleep": Fault(
        "after power-up without its cloud, queries are answered by a text until UPDATEDPS or a command comes",
        {"text": _TEXT},
        seen="jasonacox/tinytuya#650",
    ),
    "text_only": Fault(
        "queries are answered by a text for ever, UPDATEDPS is acknowledged; readings come by its own pushes only",
        {"every_s": _ALONE, "text": _TEXT},
        seen="codetheweb/tuyapi#246",
    ),
    "no_query": Fault(
        "queries are never answered; heartbeats, UPDATEDPS and commands are",
        {"every_s": _ALONE},
        seen="rospogrigio/localtuya#171",
    ),
    "bare_query": Fault("queries are acknowledged, and no data follows", seen="jasonacox/tinytuya#565"),
    "empty_query": Fault(
        "queries are answered by an empty 'dps', then one DP a frame follows; pushes hold one DP each too",
        {"gap_s": Parameter(0.2, "pause between two of them", kind="number")},
        seen="jasonacox/tinytuya#461",
    ),
    "stale_query": Fault(
        "queries are answered by the state before the last write or switching for a while",
        {"for_s": Parameter(5.0, "so long after it", kind="number")},
        seen="make-all/tuya-local#377",
    ),
    "long_answers": Fault(
        "answers to queries are very long: a text that nobody asked for is among the DPs",
        {"size": Parameter(30000, "bytes, about", kind="count")},
        seen="jasonacox/tinytuya#152",
    ),
    "plain_json": Fault("3.2, 3.3: reports and answers are not encrypted"),
    "plain_text": Fault("3.2, 3.3: texts of errors are not encrypted", seen="AMoo-Miki/homebridge-tuya-lan#69"),
    # what it does with a write
    "null_sets": Fault(
        "a null in a command sets the DP instead of asking for it: a relay opens", seen="jasonacox/tinytuya#408"
    ),
    "first_only": Fault("a query by nulls is answered with the first DP that it names", seen="jasonacox/tinytuya#190"),
    "flicker": Fault(
        "after a write it reports the new, the old and the new state again",
        {"gap_s": Parameter(0.3, "pause between them", kind="number")},
        seen="make-all/tuya-local#4810",
    ),
    # its key
    "wrong_key": Fault(
        "how a client with another key is treated (without this fault it is answered under the breaker's own key)",
        {
            "how": Parameter(
                "silent",
                "silent: not at all; close: hang up; text: 'data format error'; foreign_hmac: a frame of the same "
                "command under yet another key",
                ("silent", "close", "text", "foreign_hmac"),
            )
        },
        seen="rospogrigio/localtuya#1232, jasonacox/tinytuya#497, #542",
    ),
    "boot_hmac": Fault(
        "3.4, 3.5: the first handshake after each power-up is answered with a wrong proof, later ones are right",
        {"times": Parameter(1, "so many handshakes", kind="count")},
    ),
    # how it puts things
    "booleans": Fault(
        "booleans are reported in other words; commands are taken in either",
        {"kind": Parameter("text", "'true', 1 or 'on'", ("text", "number", "on"))},
        seen="home-assistant/core#161241",
    ),
    "binary_heartbeat": Fault("heartbeats are answered with bytes that are no text", seen="Bildass/localtuya#2"),
    "sub_devices": Fault(
        "reports of a device behind it (with a 'cid') come before its own, with the same DPs and other values, and "
        "frames of command 64",
        seen="rospogrigio/localtuya#628, codetheweb/tuyapi#634",
    ),
    "sequence": Fault(
        "sequence numbers tell nothing",
        {"how": Parameter("zero", "always 0; out of order; each one three times", ("zero", "shuffled", "repeated"))},
        seen="codetheweb/tuyapi#634",
    ),
    "no_code": Fault("3.5: frames hold no return code", seen="jasonacox/tinytuya#247"),
    # its connection
    "pinged": Fault(
        "resets the connection when a heartbeat comes soon after its own push",
        {"within_s": Parameter(1.0, "so soon", kind="number")},
        seen="TradeFace/tuyaface#63",
    ),
    "hangs_up": Fault(
        "closes each connection after a while, whatever is said",
        {"after_s": Parameter(10.0, "so long after accepting it", kind="number")},
        seen="TradeFace/tuyaface#29",
    ),
    "accept": Fault(
        "accepts connections and is of no use, until its power is cut; it announces itself all the while",
        {"how": Parameter("reset", "reset: ends them at once; mute: says nothing", ("reset", "mute"))},
        seen="make-all/tuya-local#5736, rospogrigio/localtuya#501",
    ),
    "wedges": Fault(
        "becomes like 'accept' after so many connections, until its power is cut",
        {
            "after": Parameter(2200, "connections since power-up", kind="count"),
            "how": Parameter("mute", "as with 'accept'", ("mute", "reset")),
        },
        seen="jasonacox/tinytuya#581",
    ),
    "latency": Fault(
        "everything is late, in both directions",
        {
            "delay_s": Parameter(2.0, "at least so late", kind="number"),
            "spread_s": Parameter(3.0, "at most so much later still", kind="number"),
        },
        seen="xZetsubou/hass-localtuya#276",
    ),
    "stalled": Fault(
        "hears nothing while its pushes go on; what was sent to it meanwhile arrives when this ends",
        {
            "how": Parameter(
                "lost",
                "lost: packets to it vanish, as on a bad Wi-Fi link (Linux only); unread: they wait in its buffer",
                ("lost", "unread"),
            )
        },
    ),
    # how it is found
    "asked_only": Fault("announces itself only when asked by REQ_DEVINFO", seen="make-all/tuya-local#5526"),
    "says_version": Fault(
        "announces another version than it speaks",
        {"version": Parameter("3.3", "which", ("3.1", "3.2", "3.3", "3.4", "3.5"))},
        seen="make-all/tuya-local#1013",
    ),
}
