"""What install.sh starts: `python3 -I start.py heard|ignored PACKAGE [WORDS]` runs PACKAGE's main(WORDS).

A file instead of `python3 -m PACKAGE`: Python is isolated (-I), so that neither the caller's folder nor the caller's
environment is looked into for modules, and the caller's folder stays the current one, so that relative paths mean
what they say. The first word says whether Ctrl-C was heard or ignored (nohup) where install.sh was started.
"""

from __future__ import annotations

import signal
import sys

if __name__ == "__main__" and sys.argv.pop(1) == "heard":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C while modules are imported just ends; main() takes over

import importlib
from pathlib import Path
from typing import List

PLUGIN_FOLDER = Path(__file__).resolve().parents[2]


def isolated(python: str, package: str, *words: str) -> List[str]:
    """Return the command that runs a package of this folder in a process of its own, isolated, deaf to Ctrl-C."""
    return [python, "-I", __file__, "ignored", package, *words]


def _main(package: str, words: List[str]) -> int:
    sys.path.insert(0, str(PLUGIN_FOLDER))
    module = importlib.import_module(f"{package}.__main__")
    sys.path.remove(str(PLUGIN_FOLDER))  # all else of this folder is found through the package
    code: int = module.main(words)
    return code


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1], sys.argv[2:]))
