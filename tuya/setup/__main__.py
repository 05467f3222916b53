"""python3 -m tuya.setup: what install.sh calls. Turns every foreseen failure into words and an exit code."""

from __future__ import annotations

import sys

if __name__ == "__main__" and not __package__:
    sys.exit("this is started by: bash install.sh")

import argparse
import importlib
from pathlib import Path
from typing import List

from tuya import process

from .errors import SetupError, WrongUse

FOLDER = Path(__file__).resolve().parent.parent.parent


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bash install.sh", description="Set up the Tuya breaker plugin for Domoticz.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    install = commands.add_parser("install", help="packages into lib/, checked in Domoticz's Python (the default)")
    install.add_argument("--wheels", type=Path, metavar="FOLDER", help="take the packages from a folder: no network")
    install.add_argument("--python", metavar="PATH", help="the Python to install for, if another one was found")
    commands.add_parser("keys", help="fetch or import the local keys of your breakers; 'keys --help' says more")
    test = commands.add_parser("test", help="everything that is checked before a change is accepted")
    test.add_argument("--only", metavar="STEP", action="append", help="one step of it, as: --only types --only tests")
    test.add_argument(
        "--coverage", action="store_true", help="count and print what the tests reach; takes twice as long"
    )
    demo = commands.add_parser("demo", help="three simulated breakers in Domoticz, or without it")
    demo.add_argument("--seconds", type=process.seconds, metavar="N", help="end by itself after N seconds")
    demo.add_argument("--stand-in", action="store_true", help="without Domoticz, even where it is installed")
    uninstall = commands.add_parser("uninstall", help="remove what was made here; keeps your devices.json")
    uninstall.add_argument("--purge", action="store_true", help="remove the files with local keys as well")
    return parser


def main(words: List[str]) -> int:
    """Run one command of install.sh. Returns its exit code: 0, 1 (failed), 2 (wrong use) or 130 (Ctrl-C)."""
    process.prepare()
    try:
        code = _run(words)
        sys.stdout.flush()
    except WrongUse as error:
        return _failed(str(error), 2)
    except SetupError as error:
        return _failed(str(error))
    except KeyboardInterrupt:
        return process.EXIT_INTERRUPTED
    except BrokenPipeError:
        process.forget_reader()
        return 0
    except OSError as error:
        return _failed(f"{error.filename or 'the system'}: {error.strerror or error}")
    return code


def _failed(text: str, code: int = 1) -> int:
    sys.stderr.write(f"install.sh: {text}\n")
    return code


def _run(words: List[str]) -> int:
    if words[:1] == ["keys"]:
        return _keys(words)
    parser = _parser()
    args = parser.parse_args(words if words and not words[0].startswith("--") else ["install", *words])
    module = importlib.import_module({"test": ".checks", "demo": ".demo"}.get(args.command, ".install"), __package__)
    if args.command == "install":
        if args.wheels is not None and not args.wheels.is_dir():
            raise WrongUse(f"{args.wheels}: there is no such folder with wheels")
        module.install(FOLDER, args.python, args.wheels)
    elif args.command == "uninstall":
        module.uninstall(FOLDER, args.purge)
    elif args.command == "test":
        return int(module.run(FOLDER, args.only, args.coverage))
    else:
        return int(module.run(FOLDER, args.seconds, args.stand_in))
    return 0


def _keys(words: List[str]) -> int:
    """The command line's own `keys`, with the packages that it needs."""
    if not (FOLDER / "lib" / "STAMP").is_file():
        importlib.import_module(".install", __package__).install(FOLDER, None, None)
    code: int = importlib.import_module("tuya.__main__").main(words)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
