"""python3 -m tuya: puts the tools of lib/ on the path and hands over to one sub-command of tuya/cli.

`python3 PATH/tuya COMMAND` does the same from any folder.
"""

from __future__ import annotations

# Built in: `signal` and what it needs are files, and Ctrl-C while they are read would be a traceback.
import _signal  # type: ignore[import-not-found]
import sys

if __name__ == "__main__" and _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)  # Ctrl-C while modules are imported just ends; main() takes over

import stat
from pathlib import Path

if __name__ == "__main__" and not __package__:  # `python3 PATH/tuya`: Python then looks for modules within tuya/
    _HERE = Path(__file__).resolve().parent
    sys.path[:] = [str(_HERE.parent), *(entry for entry in sys.path if Path(entry).resolve() != _HERE)]

import argparse
import importlib
import json
import os
import shlex
import traceback
from typing import Dict, List, NoReturn, Optional, Sequence

from tuya import process
from tuya.boot_clock import boot_clock_s
from tuya.denied import denied

_BEGAN_S = boot_clock_s()  # before the other modules are loaded: on a busy machine that takes longest

# module of tuya/cli -> sub-command; each has add_arguments(parser) and run(args) -> exit code
COMMANDS = {
    "scan": ("scan", "list the Tuya devices that announce themselves on this network"),
    "watch": ("watch", "follow what one device or all devices report"),
    "set": ("set", "write data points of one device and wait for its confirmation"),
    "set-threshold": ("set_threshold", "change one protection threshold of a breaker"),
    "decode": ("decode", "say what the data points in a dump mean"),
    "report": ("report", "a redacted dump of a device, ready for an issue"),
    "doctor": ("doctor.command", "find out what is wrong, from the files up to Domoticz"),
    "keys": ("keys", "fetch or import local keys into devices.json"),
    "simulate": ("simulate", "serve simulated breakers on loopback"),
    "host": ("host", "run plugin.py without Domoticz"),
    "mqtt": ("mqtt", "devices as topics of an MQTT broker, for Home Assistant and others"),
    "ble": ("ble", "explain a capture of a Bluetooth pairing"),
}

DEBUG_VARIABLE = "TUYA_DEBUG"  # set: unexpected errors show their traceback

PLUGIN_FOLDER = Path(__file__).resolve().parent.parent


def _use_bundled_packages() -> None:
    """Put lib/ (tinytuya, pycryptodome) and lib/cli/ (tools) first, where install.sh has made them."""
    for folder in (PLUGIN_FOLDER / "lib" / "cli", PLUGIN_FOLDER / "lib"):
        if str(folder) not in sys.path and not _is_missing(folder):
            sys.path.insert(0, str(folder))


def _is_missing(folder: Path) -> bool:
    """Whether there is no such folder; of one that cannot be looked at this is not known."""
    try:
        return not stat.S_ISDIR(folder.stat().st_mode)
    except PermissionError:
        return False
    except OSError:
        return True


def main(argv: Optional[List[str]] = None) -> int:
    """Run one sub-command. Returns 0, 1 (fault of a device or the network), 2 (wrong use) or 130 (Ctrl-C).

    Nothing that goes wrong reaches the user as a traceback: typed errors become one line on stderr.
    """
    process.prepare()
    _use_bundled_packages()
    words = sys.argv[1:] if argv is None else argv
    try:
        code = _run(words)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return process.EXIT_INTERRUPTED
    except BrokenPipeError:
        process.forget_reader()
        return 0
    except (SyntaxError, ImportError) as error:
        return _not_loaded(error, words)
    except OSError as error:
        what = (
            denied(error)
            or f"{error.strerror or type(error).__name__}{f': {error.filename}' if error.filename else ''}"
        )
        return _failed(_without_words_like_keys(what, words))
    except Exception as error:  # noqa: BLE001 - the border to the user: whatever it is, one line and an exit code
        return _explained(error, words)
    return code


class _Parser(argparse.ArgumentParser):
    """Complains of wrong use without what may be a local key. words: of the whole command line."""

    words: Sequence[str] = ()

    def error(self, message: str) -> NoReturn:
        """End with exit code 2, the usage and one line."""
        super().error(_without_words_like_keys(message, self.words))


def _run(words: List[str]) -> int:
    began_s = _BEGAN_S if __name__ == "__main__" else boot_clock_s()
    parser = _Parser(prog="python3 -m tuya", description="Tuya breakers and energy meters, locally.")
    parser.words = words
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands: Dict[str, _Parser] = {}
    chosen = next((word for word in words if not word.startswith("-")), "")
    for name, (module_name, summary) in COMMANDS.items():
        sub = commands[name] = subparsers.add_parser(name, help=summary, description=summary)
        sub.words = words
        if name == chosen:
            module = importlib.import_module(f"tuya.cli.{module_name}")
            _hear_our_domoticz()
            module.add_arguments(sub)
            sub.set_defaults(run=module.run, began_s=began_s)
    args, unknown = parser.parse_known_args(words)
    if unknown:
        usage_of = commands.get(chosen, parser)  # argparse itself would show the usage of all commands
        usage_of.error(f"unrecognized arguments: {' '.join(unknown)}")
    result: int = args.run(args)
    return result


def _hear_our_domoticz() -> None:
    from tuya.lan.locks import peer_credentials

    peer_credentials.accept_owners(_runs_as)


def _runs_as(uid: int) -> bool:
    from tuya.cli import our_domoticz  # here: most runs meet no stranger, and half of a start would be for this

    return our_domoticz.runs_as(uid)


def _without_words_like_keys(text: str, words: Sequence[str]) -> str:
    """The text, without what may be a local key that was given where none belongs."""
    from tuya.devices.secrets import looks_like_key, without_keys

    values = (part for word in words for part in (word, word.partition("=")[2]))
    return without_keys(text, [one for one in values if looks_like_key(one) and not Path(one).exists()])


def _explained(error: Exception, words: List[str]) -> int:
    """One line and the exit code of an error that a sub-command did not treat itself."""
    from tuya.devices.devices_file import DevicesFileError
    from tuya.lan.errors import TuyaError

    if isinstance(error, process.CommandError):
        return _failed(_without_words_like_keys(str(error), words), error.exit_code)
    if isinstance(error, (TuyaError, DevicesFileError)):
        return _failed(_without_words_like_keys(str(error), words))
    if denied(error):
        return _failed(f"{type(error).__name__}: {denied(error)}")
    if os.environ.get(DEBUG_VARIABLE):
        traceback.print_exc()
    where = traceback.extract_tb(error.__traceback__)[-1]
    # Not the error's own text: it may hold anything, also a key.
    place = f"{type(error).__name__} in {Path(where.filename).name}:{where.lineno}"
    return _failed(f"this is a defect of the program ({place}); {DEBUG_VARIABLE}=1 shows where it comes from")


def _not_loaded(error: Exception, words: List[str]) -> int:
    """A module or a package cannot be loaded: say which files are to be mended, and how. error: Syntax- or ImportError.

    Before the doctor can look at anything this is its verdict.
    """
    file = getattr(error, "filename", None) or getattr(error, "path", None) or ""
    name = getattr(error, "name", None) or ""
    lib = PLUGIN_FOLDER / "lib"
    line = getattr(error, "lineno", None)
    where = f"{file}:{line}" if line else file or name or type(error).__name__
    if lib.exists() and not os.access(lib, os.R_OK | os.X_OK):
        text = f"{lib} may not be read by the user of this run: sudo chmod -R a+rX {shlex.quote(str(lib))}"
    elif name.split(".")[0] == "tuya" or file.startswith(f"{PLUGIN_FOLDER / 'tuya'}{os.sep}"):
        text = (
            f"the files of the plugin are broken or half updated ({where}): git status and git pull in {PLUGIN_FOLDER}"
        )
    elif isinstance(error, ModuleNotFoundError):
        text = f"the package {name} is missing: run 'bash install.sh' in {PLUGIN_FOLDER}"
    else:
        text = f"the plugin's packages are broken ({where}): run 'bash install.sh' in {PLUGIN_FOLDER}"
    if os.environ.get(DEBUG_VARIABLE):
        traceback.print_exc()
    if words[:1] == ["doctor"]:
        verdict = {"check": "verdict", "state": "failed", "text": "not well", "cure": text, "device": ""}
        print(json.dumps(verdict) if "--json" in words else "FAIL  verdict: not well")
    return _failed(text)


def _failed(text: str, code: int = 1) -> int:
    print(f"tuya: {text}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
