"""python3 -m tuya: puts the tools of lib/ on the path and hands over to one sub-command of tuya/cli."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path
from typing import List, Optional

# module of tuya/cli -> sub-command; each has add_arguments(parser) and run(args) -> exit code
COMMANDS = {
    "scan": ("scan", "list the Tuya devices that announce themselves on this network"),
    "watch": ("watch", "follow what one device or all devices report"),
    "set": ("set", "write data points of one device and wait for its confirmation"),
    "set-threshold": ("set_threshold", "change one protection threshold of a breaker"),
    "decode": ("decode", "say what the data points in a dump mean"),
    "report": ("report", "a redacted dump of a device, ready for an issue"),
    "doctor": ("doctor", "find out what is wrong, from the files up to Domoticz"),
    "keys": ("keys", "fetch or import local keys into devices.json"),
    "simulate": ("simulate", "serve simulated breakers on loopback"),
    "host": ("host", "run plugin.py without Domoticz"),
    "ble": ("ble", "explain a capture of a Bluetooth pairing"),
}

PLUGIN_FOLDER = Path(__file__).resolve().parent.parent


def _use_bundled_packages() -> None:
    """Put lib/ (tinytuya, pycryptodome) and lib/cli/ (tools) first, where install.sh has made them."""
    for folder in (PLUGIN_FOLDER / "lib" / "cli", PLUGIN_FOLDER / "lib"):
        if folder.is_dir() and str(folder) not in sys.path:
            sys.path.insert(0, str(folder))


def main(argv: Optional[List[str]] = None) -> int:
    """Run one sub-command. Returns 0, 1 (fault of a device or the network) or 2 (wrong use)."""
    _use_bundled_packages()
    words = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(prog="python3 -m tuya", description=__doc__)
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    chosen = next((word for word in words if not word.startswith("-")), "")
    for name, (module_name, summary) in COMMANDS.items():
        sub = subparsers.add_parser(name, help=summary, description=summary)
        if name == chosen:
            module = importlib.import_module(f"tuya.cli.{module_name}")
            module.add_arguments(sub)
            sub.set_defaults(run=module.run)
    args = parser.parse_args(words)
    result: int = args.run(args)
    return result


if __name__ == "__main__":
    sys.exit(main())
