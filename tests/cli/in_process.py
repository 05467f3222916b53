"""A command of the command line run in this process: for what is refused before anything begins.

It costs a hundredth of a Python that starts; that a process ends with main()'s code is tests/cli/test_main.py's.
"""

from __future__ import annotations

import contextlib
import io
import signal
import sys
from typing import List, Tuple

from tuya.__main__ import main


def run(*words: str) -> Tuple[int, List[str], str]:
    """Return exit code, lines of stdout, stderr."""
    out, err = io.StringIO(), io.StringIO()
    path, handler = list(sys.path), signal.getsignal(signal.SIGINT)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = main(list(words))
            except SystemExit as wrong_use:  # argparse's
                code = wrong_use.code if isinstance(wrong_use.code, int) else 1
    finally:
        sys.path[:] = path
        signal.signal(signal.SIGINT, handler)
    return code, out.getvalue().splitlines(), err.getvalue()
