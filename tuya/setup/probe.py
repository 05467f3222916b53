"""Imports what the plugin needs as Domoticz would: in a sub-interpreter, twice in one process.

Run as a file by the Python that is asked: `python probe.py PLUGIN_FOLDER`; one JSON line on stdout is the answer.
Without a folder it is asked for the distribution's own pycryptodome alone.
Some compiled packages work once in a process and fail or crash at the second import, as after a restart of the
hardware; hence twice, and in a process of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Dict, Optional

TIMEOUT_S = 60.0
ROUNDS = 2

_CODE = """
import json, os, sys
sys.path[:0] = {path!r}
try:
    from tuya.lan.protocol import tinytuya_codec
    codec = tinytuya_codec.load()
    import tuya.domoticz.bridge
    import tuya.domoticz.framework
    answer = {{"tinytuya": codec.version, "crypto": codec.crypto}}
except BaseException as error:
    answer = {{"error": f"{{type(error).__name__}}: {{error}}"}}
os.write(1, json.dumps(answer).encode() + b"\\n")
"""


_CRYPTO_CODE = """
import json, os
try:
    import Cryptodome
    from Cryptodome.Cipher import AES
    cipher = AES.new(bytes(16), AES.MODE_GCM, nonce=bytes(12))
    answer = {"crypto": Cryptodome.__version__, "sealed": cipher.encrypt_and_digest(b"plain")[1].hex()}
except BaseException as error:
    answer = {"error": f"{type(error).__name__}: {error}"}
os.write(1, json.dumps(answer).encode() + b"\\n")
"""


class ProbeFailed(Exception):
    """The imports do not work in that Python. The text is what it said."""


def probe(python: str, plugin_folder: Path) -> Dict[str, str]:
    """Ask `python` for the plugin's imports. Returns {"tinytuya", "crypto", "python"} or raises ProbeFailed."""
    return _ask(python, str(plugin_folder))


def distribution_crypto(python: str) -> Optional[str]:
    """The release of the distribution's own pycryptodome in that Python, None without one that works there, twice."""
    try:
        return _ask(python)["crypto"]
    except ProbeFailed:
        return None


def _ask(python: str, *words: str) -> Dict[str, str]:
    command = [python, "-I", "-B", __file__, *words]
    try:
        done = subprocess.run(  # noqa: S603 - a Python that install.sh found, and this file
            command, capture_output=True, text=True, timeout=TIMEOUT_S, stdin=subprocess.DEVNULL, check=False
        )
    except OSError as error:
        raise ProbeFailed(f"{python} cannot be started: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise ProbeFailed(f"the import did not end within {TIMEOUT_S:.0f} s") from None
    answers = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    failed = next((answer["error"] for answer in answers if "error" in answer), None)
    if failed:
        raise ProbeFailed(failed)
    if done.returncode < 0:
        raise ProbeFailed(f"Python itself crashed (signal {-done.returncode}) in round {len(answers) + 1}")
    if done.returncode or len(answers) < ROUNDS + 1:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise ProbeFailed(last)
    merged: Dict[str, str] = {}
    for answer in answers:
        merged.update(answer)
    return merged


def _in_sub_interpreter(code: str) -> None:
    """Run `code` in a new interpreter of the kind that Domoticz makes (Py_NewInterpreter), and end it."""
    try:
        import _interpreters  # type: ignore[import-not-found, unused-ignore]  # from Python 3.13
    except ImportError:
        import _xxsubinterpreters  # type: ignore[import-not-found, unused-ignore]

        identity = _xxsubinterpreters.create(isolated=False)
        _xxsubinterpreters.run_string(identity, code)
        _xxsubinterpreters.destroy(identity)
    else:
        identity = _interpreters.create("legacy")
        _interpreters.exec(identity, code)
        _interpreters.destroy(identity)


def _main(plugin_folder: Optional[str]) -> None:
    code = _CRYPTO_CODE
    if plugin_folder is not None:
        code = _CODE.format(path=[plugin_folder, str(Path(plugin_folder, "lib"))])
    for _ in range(ROUNDS):
        _in_sub_interpreter(code)
    sys.stdout.write(json.dumps({"python": ".".join(map(str, sys.version_info[:3]))}) + "\n")


if __name__ == "__main__":
    _main(sys.argv[1] if len(sys.argv) > 1 else None)
