"""Compiles what the plugin imports, once, when it is installed.

Domoticz often runs as a user who may not write here; it would compile all of it anew at each of its starts, which takes
longer than all else that the plugin does then.
"""

from __future__ import annotations

import contextlib
import subprocess
from pathlib import Path

TIMEOUT_S = 120.0  # a small ARM board takes some 10 s for our modules
# Of the packages, what nobody of ours imports: half of all there is to compile, a minute on a small board. As a
# regular expression for paths; what is imported of it all the same is compiled then.
LEFT_OUT = r"/SelfTest/|/pygments/(lexers|styles|formatters|filters)/"


def compile_modules(python: str, folder: Path, *names: str) -> None:
    """Compile the modules and folders `names` in `folder` for the Python that Domoticz loads.

    Where this fails nothing is lost but the time that it would have saved; it raises nothing.
    """
    command = [python, "-I", "-m", "compileall", "-q", "-x", LEFT_OUT, *names]
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(  # noqa: S603 - the Python that was found or named by the user
            command, cwd=folder, capture_output=True, timeout=TIMEOUT_S, stdin=subprocess.DEVNULL, check=False
        )
